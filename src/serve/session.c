/* A session: one conversation with one client; here is what a worker does with it. */
#include "serve/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/internal.h"
#include "serve/packets.h"
#include "serve/store.h"

enum {
    INBOX_BYTES_MIN = 32 * 1024,
    INBOX_BYTES_MAX = 512 * 1024,
    INBOX_OPUS_BYTES = 64 * 1024,
};

/* A slice ends with the first piece of audio after this; pieces are at most SESSION_SLICE_BYTES, so
 * that it stays below 5 ms. */
static const uint64_t slice_ns = 2 * CLOCK_NS_PER_MS;

struct session *session_create(struct kodama_server *server, const struct dialect_ops *dialect,
                               const struct settings *settings)
{
    struct session *s = memory_array(1, sizeof *s);
    if (!s) return NULL;
    s->server = server;
    s->dialect = dialect;
    s->settings = *settings;
    s->dialect_state = memory_array(dialect->state_bytes + 1, 1);
    bool opus = settings->encoding == ENCODING_OPUS;
    size_t frame_bytes = opus ? 0 : kodama_frame_bytes(settings->format);
    size_t room = opus ? INBOX_OPUS_BYTES : frame_bytes * settings->format.rate_hz / 2;
    if (room < INBOX_BYTES_MIN) room = INBOX_BYTES_MIN;
    if (room > INBOX_BYTES_MAX) room = INBOX_BYTES_MAX;
    if (!s->dialect_state || !inbox_open(&s->inbox, frame_bytes, room)) {
        free(s->dialect_state);
        free(s);
        return NULL;
    }
    s->outbox.plain = dialect->plain;
    s->outbox.holds = server->store.ops && server->store.ops->durable && dialect->resumes;
    mutex_init(&s->mutex);
    atomic_store(&s->references, 1);
    s->reason = "stopped";
    return s;
}

void session_ref(struct session *s)
{
    atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
}

/* Release and acquire, so that whoever frees sees what the others wrote. */
void session_unref(struct session *s)
{
    if (atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) != 1) return;
    /* The workers have ended before it could, as when the clerk had its turn: its recogniser still
     * tells it of what it hears, until it is closed. */
    if (s->state) s->dialect->work->close(s, s->state);
    outbox_free(&s->outbox);
    inbox_close(&s->inbox);
    kodama_voice_model_close(s->fetched);
    mutex_destroy(&s->mutex);
    free(s->dialect_state);
    free(s);
}

/* ---------------------------------------------------------------- the inbox */

/* Lock held. */
static int note_room(struct session *s)
{
    if (inbox_has_room(&s->inbox)) return 0;
    s->full = true;
    return 1;
}

int session_receive(struct session *s, const void *bytes, size_t n_bytes)
{
    int status = 0;
    mutex_lock(&s->mutex);
    if (!s->finishing && !s->ended) {
        status = inbox_put(&s->inbox, bytes, n_bytes) ? note_room(s) : -1;
    }
    mutex_unlock(&s->mutex);
    return status;
}

/* What is said of a packet that cannot be decoded. */
static char *packet_error(struct session *s, size_t n_frames)
{
    char words[128];
    snprintf(words, sizeof words, "the packet at sample %llu is damaged; %u ms are concealed",
             (unsigned long long)session_position(s, false),
             (unsigned)(n_frames * 1000 / s->settings.format.rate_hz));
    return s->dialect->error("damaged_packet", words);
}

int session_receive_packet(struct session *s, const void *bytes, size_t n_bytes)
{
    uint32_t rate_hz = s->settings.format.rate_hz;
    size_t n_frames = packets_frames(bytes, n_bytes, rate_hz);
    bool damaged = n_frames == 0 || n_bytes > INBOX_PACKET_BYTES_MAX;
    if (n_frames == 0) n_frames = s->packet_frames;
    if (n_frames == 0) n_frames = (size_t)rate_hz * PACKETS_LOST_MS / 1000;
    if (damaged) METRICS_ADD(s->server->metrics.packets_lost, 1);
    if (damaged && n_bytes > 0) session_post(s, packet_error(s, n_frames), OUTBOX_KEPT);
    s->packet_frames = n_frames;
    int status = 0;
    mutex_lock(&s->mutex);
    if (!s->finishing && !s->ended) {
        bool put = inbox_put_packet(&s->inbox, bytes, damaged ? 0 : n_bytes, n_frames);
        status = put ? note_room(s) : -1;
    }
    mutex_unlock(&s->mutex);
    return status;
}

int session_control(struct session *s, enum inbox_control what, const char *reason)
{
    int status = 0;
    mutex_lock(&s->mutex);
    if (!s->finishing && !s->ended) {
        status = inbox_ask(&s->inbox, what) ? note_room(s) : -1;
        if (what == INBOX_STOP && status >= 0) {
            s->finishing = true;
            s->reason = reason;
        }
    }
    mutex_unlock(&s->mutex);
    schedule_session(s);
    return status;
}

int session_configure(struct session *s, const struct kodama_voice_settings *settings)
{
    mutex_lock(&s->mutex);
    s->asked = *settings;
    mutex_unlock(&s->mutex);
    return session_control(s, INBOX_CONFIGURE, NULL);
}

bool session_has_room(struct session *s)
{
    mutex_lock(&s->mutex);
    bool room = inbox_has_room(&s->inbox) || s->ended;
    s->full = !room;
    mutex_unlock(&s->mutex);
    return room;
}

uint64_t session_position(struct session *s, bool forget)
{
    mutex_lock(&s->mutex);
    if (forget) inbox_align(&s->inbox);
    uint64_t frames = s->inbox.frames;
    mutex_unlock(&s->mutex);
    return frames;
}

/* --------------------------------------------------------------- the outbox */

void session_post(struct session *s, char *text, enum outbox_kind kind)
{
    if (!text) return;
    mutex_lock(&s->mutex);
    int n_shed = outbox_push(&s->outbox, text, kind);
    mutex_unlock(&s->mutex);
    if (kind == OUTBOX_PARTIAL && n_shed > 0) {
        METRICS_ADD(s->server->metrics.partials_shed, (uint64_t)n_shed);
    }
    schedule_notice(s);
}

static void post_end(struct session *s)
{
    mutex_lock(&s->mutex);
    char *text = s->dialect->closed ? s->dialect->closed(s->reason, s->heard, s->n_finals) : NULL;
    if (text) (void)outbox_push(&s->outbox, text, OUTBOX_KEPT);
    s->ended = true;
    mutex_unlock(&s->mutex);
    schedule_notice(s);
}

void session_fail(struct session *s, const char *code, const char *words)
{
    METRICS_ADD(s->server->metrics.errors[ERROR_SESSION], 1);
    session_post(s, s->dialect->error(code, words), OUTBOX_KEPT);
    mutex_lock(&s->mutex);
    s->reason = "failed";
    mutex_unlock(&s->mutex);
    post_end(s);
}

static void acknowledge(struct session *s, uint64_t received, uint64_t safe)
{
    uint32_t rate_hz = s->settings.format.rate_hz;
    atomic_store_explicit(&s->lag_ms, (uint32_t)((received - s->heard) * 1000 / rate_hz),
                          memory_order_relaxed);
    /* With every whole second, so that a client can tell how long that one took. */
    if (s->heard / rate_hz == s->acked_s) return;
    s->acked_s = s->heard / rate_hz;
    if (s->dialect->ack) session_post(s, s->dialect->ack(received, s->heard, safe), OUTBOX_ACK);
}

/* --------------------------------------------------------------- the worker */

static struct inbox_piece next_piece(struct session *s, uint8_t *slice)
{
    struct inbox_piece piece = {0};
    mutex_lock(&s->mutex);
    if (!outbox_is_clogged(&s->outbox)) piece = inbox_next(&s->inbox, slice, SESSION_SLICE_BYTES);
    mutex_unlock(&s->mutex);
    return piece;
}

/** @return whether there is more */
static bool consume(struct session *s, const struct inbox_piece *piece, size_t n_frames)
{
    mutex_lock(&s->mutex);
    if (piece->n_frames > 0) inbox_consume(&s->inbox, piece, n_frames);
    bool tell = s->full && inbox_has_room(&s->inbox);
    bool more = !inbox_is_empty(&s->inbox);
    uint64_t received = s->inbox.frames, safe = s->safe;
    mutex_unlock(&s->mutex);
    if (tell) schedule_notice(s);
    acknowledge(s, received, safe);
    return more;
}

/** What became of a piece. */
enum heard { HEARD_LAST, HEARD_MORE_COMES, HEARD_ENOUGH };

static enum heard hear(struct session *s, const struct inbox_piece *piece)
{
    size_t n = s->dialect->work->hear(s, piece);
    if (n == 0) return HEARD_ENOUGH;
    s->heard += n;
    METRICS_ADD(s->server->metrics.samples, n);
    METRICS_ADD(s->server->metrics.audio_ns,
                (uint64_t)n * CLOCK_NS_PER_S / s->settings.format.rate_hz);
    bool more = consume(s, piece, n);
    if (n < piece->n_frames) return HEARD_ENOUGH;
    return more ? HEARD_MORE_COMES : HEARD_LAST;
}

static void control(struct session *s, const struct inbox_piece *piece)
{
    switch (piece->control) {
    case INBOX_FINALIZE: s->dialect->work->finalize(s); break;
    case INBOX_CONFIGURE:
        if (s->dialect->work->configure) s->dialect->work->configure(s);
        break;
    case INBOX_STOP: s->dialect->work->finish(s); break;
    case INBOX_MARK:
        if (s->dialect->marked) s->dialect->marked(s);
        break;
    case INBOX_NONE: break;
    }
    (void)consume(s, piece, 0);
}

static bool is_dropped(struct session *s)
{
    mutex_lock(&s->mutex);
    bool dropped = s->dropped;
    mutex_unlock(&s->mutex);
    return dropped;
}

static void end(struct session *s)
{
    if (s->state) clerk_close(s);
}

/** Whether it is to be saved now: its client is away, or what a durable store has of it is old. */
static bool is_to_be_saved(struct session *s)
{
    const struct store_ops *store = s->server->store.ops;
    bool is_kept = store && s->dialect->resumes && (!s->state || s->dialect->work->is_settled(s));
    if (!is_kept) return false;
    mutex_lock(&s->mutex);
    bool due = s->to_be_parked;
    if (store->durable && !s->dropped) {
        due = due || s->to_be_renewed || outbox_is_held(&s->outbox) ||
              s->inbox.frames - s->saved_at >= s->settings.format.rate_hz;
    }
    mutex_unlock(&s->mutex);
    return due;
}

static enum session_next rest(struct session *s)
{
    return is_to_be_saved(s) ? SESSION_IS_SAVED : SESSION_RESTS;
}

enum session_next session_run(struct session *s, uint64_t now_ns)
{
    const struct session_work *work = s->dialect->work;
    uint64_t until = now_ns + slice_ns;
    uint8_t slice[SESSION_SLICE_BYTES]; /* here and not in the session: it stays in the caches */
    if (is_dropped(s)) {
        end(s);
        return SESSION_RESTS;
    }
    if (!s->opened && !s->state && work->waits && work->waits(s)) return SESSION_IS_BEGUN;
    if (!s->opened) {
        s->opened = true;
        if (!work->open(s)) return rest(s);
    }
    if (!s->state) return rest(s);
    for (;;) {
        if (!work->deliver(s)) {
            end(s);
            post_end(s);
            return rest(s);
        }
        if (now_ns >= until) {
            return is_to_be_saved(s) ? SESSION_IS_SAVED : SESSION_GOES_ON;
        }
        struct inbox_piece piece = next_piece(s, slice);
        if (piece.n_frames > 0) {
            enum heard heard = hear(s, &piece);
            if (heard == HEARD_ENOUGH) return SESSION_RESTS;
            /* What came of it has let the session run once more; but it is delivered before the
             * session is saved. */
            if (heard == HEARD_LAST && !is_to_be_saved(s)) return SESSION_RESTS;
        } else if (piece.control) {
            control(s, &piece);
        } else {
            return rest(s);
        }
        now_ns = clock_now_ns();
    }
}
