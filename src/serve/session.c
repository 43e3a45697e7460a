/* A session: one conversation with one client; here is what a worker does with it. */
#include "serve/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/internal.h"
#include "serve/message.h"

enum {
    RING_BYTES_MIN = 32 * 1024,
    RING_BYTES_MAX = 512 * 1024,
};

/* A slice ends with the first piece of audio after this; pieces are at most SESSION_SLICE_BYTES, so
 * that it stays below 5 ms. */
static const uint64_t slice_ns = 2 * CLOCK_NS_PER_MS;

struct session *session_create(struct kodama_server *server, const struct settings *settings)
{
    struct session *s = memory_array(1, sizeof *s);
    if (!s) return NULL;
    s->server = server;
    s->settings = *settings;
    s->frame_bytes = kodama_frame_bytes(settings->format);
    s->room = s->frame_bytes * settings->format.rate_hz / 2;
    if (s->room < RING_BYTES_MIN) s->room = RING_BYTES_MIN;
    if (s->room > RING_BYTES_MAX) s->room = RING_BYTES_MAX;
    s->ring = memory_array(s->room, 1);
    if (!s->ring) {
        free(s);
        return NULL;
    }
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
    outbox_free(&s->outbox);
    mutex_destroy(&s->mutex);
    free(s->ring);
    free(s);
}

/* ---------------------------------------------------------------- the inbox */

/* Lock held. */
static bool has_room(const struct session *s)
{
    size_t free_bytes = s->room - (size_t)(s->received - s->consumed);
    return free_bytes >= SESSION_MARGIN_BYTES && s->n_controls < SESSION_CONTROLS_MAX / 2;
}

/* Lock held. */
static int note_room(struct session *s)
{
    if (has_room(s)) return 0;
    s->full = true;
    return 1;
}

int session_receive(struct session *s, const void *bytes, size_t n_bytes)
{
    const uint8_t *from = bytes;
    mutex_lock(&s->mutex);
    if (s->finishing || s->ended) {
        mutex_unlock(&s->mutex);
        return 0;
    }
    int status = -1;
    if (n_bytes <= s->room - (size_t)(s->received - s->consumed)) {
        size_t at = (size_t)(s->received % s->room);
        size_t first = n_bytes < s->room - at ? n_bytes : s->room - at;
        memcpy(s->ring + at, from, first);
        memcpy(s->ring, from + first, n_bytes - first);
        s->received += n_bytes;
        status = note_room(s);
    }
    mutex_unlock(&s->mutex);
    return status;
}

int session_control(struct session *s, enum session_control what, const char *reason)
{
    int status = -1;
    mutex_lock(&s->mutex);
    if (s->finishing || s->ended) {
        status = 0;
    } else if (s->n_controls < SESSION_CONTROLS_MAX) {
        s->controls[s->n_controls].at = s->received;
        s->controls[s->n_controls++].what = what;
        if (what == SESSION_STOP) {
            s->finishing = true;
            s->reason = reason;
        }
        status = note_room(s);
    }
    mutex_unlock(&s->mutex);
    schedule_session(s);
    return status;
}

bool session_has_room(struct session *s)
{
    mutex_lock(&s->mutex);
    bool room = has_room(s) || s->ended;
    if (room) s->full = false;
    mutex_unlock(&s->mutex);
    return room;
}

uint64_t session_position(struct session *s, bool forget)
{
    mutex_lock(&s->mutex);
    /* Whole frames are consumed only, so the part at the end is still in the ring. */
    if (forget) {
        s->received -= s->received % s->frame_bytes;
        for (uint32_t i = 0; i < s->n_controls; i++) {
            if (s->controls[i].at > s->received) s->controls[i].at = s->received;
        }
    }
    uint64_t frames = s->received / s->frame_bytes;
    mutex_unlock(&s->mutex);
    return frames;
}

/* --------------------------------------------------------------- the outbox */

void session_post(struct session *s, char *text, enum outbox_kind kind)
{
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
    char *text = message_closed(s->reason, s->heard, s->n_finals);
    (void)outbox_push(&s->outbox, text, OUTBOX_KEPT);
    s->ended = true;
    mutex_unlock(&s->mutex);
    schedule_notice(s);
}

static void count_event(struct session *s, const struct kodama_event *event)
{
    struct metrics *m = &s->server->metrics;
    switch (event->kind) {
    case KODAMA_EVENT_PARTIAL: METRICS_ADD(m->partials, 1); break;
    case KODAMA_EVENT_SPEECH_STOPPED: s->stopped_ns = clock_now_ns(); break;
    case KODAMA_EVENT_FINAL:
        METRICS_ADD(m->finals, 1);
        metrics_time(&m->final_latency, clock_now_ns() - s->stopped_ns);
        mutex_lock(&s->mutex);
        s->n_finals++;
        mutex_unlock(&s->mutex);
        break;
    case KODAMA_EVENT_FAILED: METRICS_ADD(m->failed, 1); break;
    case KODAMA_EVENT_SPEECH_STARTED:
    case KODAMA_EVENT_SLOW: break;
    }
}

/** Hand on what was recognised. @return false when the conversation has ended */
static bool take_events(struct session *s)
{
    struct kodama_event event;
    int status;
    while ((status = kodama_recognizer_next(s->recognizer, &event, 0)) == KODAMA_OK) {
        count_event(s, &event);
        session_post(s, message_event(&event, s->settings.words),
                     event.kind == KODAMA_EVENT_PARTIAL ? OUTBOX_PARTIAL : OUTBOX_KEPT);
    }
    return status != KODAMA_ERR_CLOSED;
}

static void acknowledge(struct session *s)
{
    uint64_t received = session_position(s, false);
    uint32_t rate_hz = s->settings.format.rate_hz;
    atomic_store_explicit(&s->lag_ms, (uint32_t)((received - s->heard) * 1000 / rate_hz),
                          memory_order_relaxed);
    /* With every whole second, so that a client can tell how long that one took. */
    if (s->heard / rate_hz == s->acked_s) return;
    s->acked_s = s->heard / rate_hz;
    session_post(s, message_ack(received, s->heard, 0), OUTBOX_ACK);
}

/* --------------------------------------------------------------- the worker */

static void on_event(void *user)
{
    schedule_session(user);
}

static bool open_recognizer(struct session *s)
{
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_error error = {0};
    const struct settings *settings = &s->settings;
    s->opened = true;
    config.format = settings->format;
    config.partials = settings->partials;
    config.segmenter.detector = s->server->config.detector;
    config.segmenter.threshold = settings->threshold;
    config.segmenter.prefix_padding_ms = settings->prefix_padding_ms;
    config.segmenter.silence_duration_ms = settings->silence_duration_ms;
    if (config.segmenter.fast_silence_ms > settings->silence_duration_ms) {
        config.segmenter.fast_silence_ms = settings->silence_duration_ms;
    }
    config.on_event = on_event;
    config.user = s;
    if (kodama_recognizer_open(&s->recognizer, s->server->model, &config, &error) < 0) {
        session_post(s, message_error("unavailable", error.message), OUTBOX_KEPT);
        mutex_lock(&s->mutex);
        s->reason = "failed";
        mutex_unlock(&s->mutex);
        post_end(s);
        return false;
    }
    session_post(s,
                 message_ready(s->id, s->token, 0, settings->format.rate_hz,
                               kodama_model_engine(s->server->model),
                               kodama_model_name(s->server->model)),
                 OUTBOX_KEPT);
    return true;
}

/** What comes next: whole frames in the slice, or a control, or nothing. */
struct piece {
    size_t n_bytes;
    enum session_control control;
};

static struct piece next_piece(struct session *s)
{
    struct piece piece = {0};
    mutex_lock(&s->mutex);
    if (!outbox_is_clogged(&s->outbox)) {
        uint64_t until = s->n_controls > 0 ? s->controls[0].at : s->received;
        uint64_t n = until - s->consumed;
        if (n > SESSION_SLICE_BYTES) n = SESSION_SLICE_BYTES;
        piece.n_bytes = (size_t)(n - n % s->frame_bytes);
        size_t at = (size_t)(s->consumed % s->room);
        size_t first = piece.n_bytes < s->room - at ? piece.n_bytes : s->room - at;
        memcpy(s->slice, s->ring + at, first);
        memcpy(s->slice + first, s->ring, piece.n_bytes - first);
        if (piece.n_bytes == 0 && s->n_controls > 0) {
            piece.control = s->controls[0].what;
            memmove(s->controls, s->controls + 1, --s->n_controls * sizeof s->controls[0]);
        }
    }
    mutex_unlock(&s->mutex);
    return piece;
}

static void consume(struct session *s, size_t n_bytes)
{
    mutex_lock(&s->mutex);
    s->consumed += n_bytes;
    bool tell = s->full && has_room(s);
    mutex_unlock(&s->mutex);
    if (tell) schedule_notice(s);
}

/** Hear one piece. @return false when the decoders have enough to do: they will say when not */
static bool hear(struct session *s, size_t n_bytes)
{
    size_t n_frames = n_bytes / s->frame_bytes;
    int64_t n = kodama_recognizer_write(s->recognizer, s->slice, n_frames, 0);
    if (n == KODAMA_ERR_FULL || n == KODAMA_ERR_TIMEOUT) return false;
    /* Out of memory: the utterance is lost, the conversation goes on with what follows. */
    if (n < 0) n = (int64_t)n_frames;
    s->heard += (uint64_t)n;
    METRICS_ADD(s->server->metrics.audio_ns,
                (uint64_t)n * CLOCK_NS_PER_S / s->settings.format.rate_hz);
    consume(s, (size_t)n * s->frame_bytes);
    return (size_t)n == n_frames;
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
    if (s->recognizer) schedule_close(s);
}

bool session_run(struct session *s)
{
    uint64_t until = clock_now_ns() + slice_ns;
    if (is_dropped(s)) {
        end(s);
        return false;
    }
    if (!s->opened && !open_recognizer(s)) return false;
    if (!s->recognizer) return false;
    for (;;) {
        if (!take_events(s)) {
            end(s);
            post_end(s);
            return false;
        }
        struct piece piece = next_piece(s);
        if (piece.n_bytes > 0) {
            if (!hear(s, piece.n_bytes)) return false;
        } else if (piece.control == SESSION_FINALIZE) {
            (void)kodama_recognizer_finalize(s->recognizer);
            consume(s, 0);
        } else if (piece.control == SESSION_STOP) {
            (void)kodama_recognizer_finish(s->recognizer);
        } else {
            acknowledge(s);
            return false;
        }
        acknowledge(s);
        if (clock_now_ns() >= until) return true;
    }
}
