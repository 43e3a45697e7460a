/* What a session of voice conversion does with its audio: changes it and sends it back, sample for
 * sample, and has it recognised on the way where captions were asked for. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/internal.h"
#include "serve/message.h"
#include "serve/voice_open.h"

struct voicing {
    struct kodama_voice *voice;
    void *captions;          /* the state of `hearing`, which works on the same audio; NULL: none */
    bool finished;           /* the last frames were sent */
    bool ended;              /* it failed */
    int status;              /* of opening it */
    struct kodama_error why; /* it could not be opened */
    uint64_t faults;         /* that were counted */
};

static struct voicing *voicing_of(const struct session *s)
{
    return s->state;
}

/* Lend the session to `hearing`: its functions find their state where they expect it. */
static void begin_hearing(struct session *s)
{
    s->state = voicing_of(s)->captions;
}

static void end_hearing(struct session *s, struct voicing *v)
{
    v->captions = s->state;
    s->state = v;
}

static void free_voicing(struct session *s, struct voicing *v)
{
    if (!v) return;
    if (v->captions) hearing.close(s, v->captions);
    kodama_voice_close(v->voice);
    METRICS_SUB(s->server->metrics.voices, 1);
    free(v);
}

static bool waits(const struct session *s)
{
    return voice_open_waits(&s->settings.voice);
}

/* Open the voice; why it cannot is told when the work is opened. */
static void begin(struct session *s)
{
    struct voicing *v = memory_array(1, sizeof *v);
    if (!v) return;
    METRICS_ADD(s->server->metrics.voices, 1);
    struct kodama_format format = s->settings.format;
    v->status =
        voice_open_asked(s->server, &s->settings.voice, format, format, false, &v->voice, &v->why);
    s->state = v;
}

static const char *error_code(const struct voicing *v)
{
    if (v && v->status == KODAMA_ERR_NOT_FOUND) return "not_found";
    return v && v->status == KODAMA_ERR_ARGUMENT ? "bad_setting" : "unavailable";
}

/* @return false when it could not be opened */
static bool has_begun(struct session *s)
{
    if (!s->state) begin(s);
    struct voicing *v = voicing_of(s);
    if (v && v->voice) return true;
    s->state = NULL;
    session_fail(s, error_code(v), v ? v->why.message : "the server is out of memory");
    free_voicing(s, v);
    return false;
}

static bool open_voicing(struct session *s)
{
    if (!has_begun(s)) return false;
    struct voicing *v = voicing_of(s);
    s->latency = kodama_voice_latency(v->voice);
    if (!s->settings.voice.captions) {
        session_post(s, s->dialect->ready(s, 0), OUTBOX_KEPT);
        return true;
    }
    s->state = NULL;
    bool opened = hearing.open(s); /* says that it is ready */
    if (opened) {
        end_hearing(s, v);
    } else {
        free_voicing(s, v);
    }
    return opened;
}

/* Changed frames to the client; the bytes are taken. */
static void send(struct session *s, char *bytes, int64_t n_frames)
{
    size_t n_bytes = n_frames > 0 ? (size_t)n_frames * kodama_frame_bytes(s->settings.format) : 0;
    if (n_bytes == 0) {
        free(bytes);
        return;
    }
    mutex_lock(&s->mutex);
    (void)outbox_push_bytes(&s->outbox, bytes, n_bytes, OUTBOX_BINARY);
    mutex_unlock(&s->mutex);
    schedule_notice(s);
}

static size_t change(struct session *s, const struct inbox_piece *piece)
{
    struct voicing *v = voicing_of(s);
    size_t n = piece->n_frames, heard = n;
    if (v->captions) {
        begin_hearing(s);
        heard = hearing.hear(s, piece);
        end_hearing(s, v);
    }
    size_t room = kodama_voice_room(v->voice, heard);
    char *out = memory_array(room + 1, kodama_frame_bytes(s->settings.format));
    uint64_t began = clock_now_ns();
    /* Without memory it is silence that is missing from the stream: say so rather than go on. */
    int64_t made = out ? kodama_voice_process(v->voice, piece->bytes, heard, out, room) : -1;
    if (made < 0) {
        free(out);
        v->ended = true;
        session_post(s, s->dialect->error("memory", "the server is out of memory"), OUTBOX_KEPT);
        mutex_lock(&s->mutex);
        s->reason = "failed";
        mutex_unlock(&s->mutex);
        return heard;
    }
    uint64_t now_ns = clock_now_ns();
    METRICS_ADD(s->server->metrics.voice_ns, now_ns - began);
    metrics_time(&s->server->metrics.voice_latency, now_ns - s->queued_ns);
    METRICS_ADD(s->server->metrics.voice_audio_ns,
                (uint64_t)heard * CLOCK_NS_PER_S / s->settings.format.rate_hz);
    struct kodama_voice_stats stats;
    kodama_voice_stats(v->voice, &stats);
    METRICS_ADD(s->server->metrics.voice_faults, stats.faults - v->faults);
    v->faults = stats.faults;
    send(s, out, made);
    return heard;
}

static void configure(struct session *s)
{
    struct voicing *v = voicing_of(s);
    mutex_lock(&s->mutex);
    struct kodama_voice_settings settings = s->asked;
    mutex_unlock(&s->mutex);
    /* They were checked when they were read. */
    (void)kodama_voice_set(v->voice, &settings);
}

static void fetch(struct session *s)
{
    char name[VOICE_MODEL_BYTES];
    struct kodama_voice_model *model;
    struct kodama_error error = {0};
    mutex_lock(&s->mutex);
    memcpy(name, s->asked_model, sizeof name);
    mutex_unlock(&s->mutex);
    (void)voice_open_model(s->server, name, &model, &error);
    mutex_lock(&s->mutex);
    struct kodama_voice_model *older = s->fetched;
    s->fetched = model;
    s->fetch_error = error;
    mutex_unlock(&s->mutex);
    kodama_voice_model_close(older);
}

/* A model that was fetched takes over; when it cannot, the voice goes on as it was. */
static void take_fetched(struct session *s)
{
    struct voicing *v = voicing_of(s);
    mutex_lock(&s->mutex);
    struct kodama_voice_model *model = s->fetched;
    struct kodama_error error = s->fetch_error;
    char name[VOICE_MODEL_BYTES];
    memcpy(name, s->asked_model, sizeof name);
    s->fetched = NULL;
    s->fetch_error.message[0] = '\0';
    mutex_unlock(&s->mutex);
    if (model && kodama_voice_use(v->voice, model, &error) == KODAMA_OK) {
        session_post(s, message_model(name), OUTBOX_KEPT);
    } else if (error.message[0]) {
        session_post(s, s->dialect->error("unavailable", error.message), OUTBOX_KEPT);
    }
    kodama_voice_model_close(model);
}

static void finalize(struct session *s)
{
    struct voicing *v = voicing_of(s);
    if (!v->captions) return;
    begin_hearing(s);
    hearing.finalize(s);
    end_hearing(s, v);
}

static void finish(struct session *s)
{
    struct voicing *v = voicing_of(s);
    size_t room = kodama_voice_room(v->voice, 0);
    char *out = memory_array(room + 1, kodama_frame_bytes(s->settings.format));
    if (out) send(s, out, kodama_voice_flush(v->voice, out, room));
    v->finished = true;
    if (!v->captions) return;
    begin_hearing(s);
    hearing.finish(s);
    end_hearing(s, v);
}

static bool deliver(struct session *s)
{
    struct voicing *v = voicing_of(s);
    if (v->ended) return false;
    take_fetched(s);
    if (!v->captions) return !v->finished;
    begin_hearing(s);
    bool goes_on = hearing.deliver(s);
    end_hearing(s, v);
    return goes_on;
}

static bool is_settled(const struct session *s)
{
    (void)s;
    return true;
}

/* It is never saved: what it said last was sound, and is gone. */
static int save(struct session *s, struct record *record)
{
    (void)s;
    (void)record;
    return KODAMA_ERR_UNSUPPORTED;
}

static void close_voicing(struct session *s, void *state)
{
    free_voicing(s, state);
}

const struct session_work voicing = {
    .kind = SESSION_CHANGES,
    .deadline_ns = 10 * CLOCK_NS_PER_MS,
    .waits = waits,
    .begin = begin,
    .fetch = fetch,
    .open = open_voicing,
    .deliver = deliver,
    .hear = change,
    .configure = configure,
    .finalize = finalize,
    .finish = finish,
    .is_settled = is_settled,
    .save = save,
    .load = save,
    .close = close_voicing,
};
