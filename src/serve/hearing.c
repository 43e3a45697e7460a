/* What a session of recognition does with its audio. */
#include <stdlib.h>
#include <string.h>

#include <kodama/recognizer.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "serve/internal.h"
#include "serve/packets.h"

enum { RECORD_BYTES_MAX = 64 * 1024 * 1024 };

struct hearing {
    struct kodama_recognizer *recognizer;
    struct packets *packets; /* NULL: frames come */
    float *decoded;          /* the packet that is being heard */
    size_t n_decoded;        /* frames of it; 0: none is */
    size_t n_written;        /* frames of it that were heard */
    uint32_t n_undecided;    /* utterances that have stopped and have no final yet */
    uint64_t stopped_ns;     /* when the last utterance ended */
    uint32_t generation;     /* of the models: which one it hears with */
};

static void on_event(void *user)
{
    schedule_session(user);
}

static void free_hearing(struct hearing *h)
{
    if (!h) return;
    kodama_recognizer_close(h->recognizer);
    packets_close(h->packets);
    free(h->decoded);
    free(h);
}

static int open_packets(struct hearing *h, struct kodama_format format)
{
    size_t room = (size_t)format.rate_hz * PACKETS_MAX_MS / 1000;
    h->decoded = memory_array(room, format.channels * sizeof *h->decoded);
    return h->decoded ? packets_open(&h->packets, format.rate_hz, format.channels)
                      : KODAMA_ERR_MEMORY;
}

/** Open its recogniser. */
static int create(struct session *s, struct kodama_error *error)
{
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    const struct settings *settings = &s->settings;
    struct hearing *h = memory_array(1, sizeof *h);
    if (!h) return error_set(error, KODAMA_ERR_MEMORY, "the server is out of memory");
    config.format = settings->format;
    config.partials = settings->partials;
    config.segmenter.detector = s->server->config.detector;
    config.segmenter.threshold = settings->threshold;
    config.segmenter.prefix_padding_ms = settings->prefix_padding_ms;
    config.segmenter.silence_duration_ms = settings->silence_duration_ms;
    if (config.segmenter.fast_silence_ms > settings->silence_duration_ms) {
        config.segmenter.fast_silence_ms = settings->silence_duration_ms;
    }
    config.language = settings->language[0] ? settings->language : s->server->config.language;
    config.on_event = on_event;
    config.user = s;
    config.partials_model = s->server->served.partials_model;
    h->generation = atomic_load(&s->server->served.generation);
    struct kodama_model *model = served_hold(s->server);
    int status = kodama_recognizer_open(&h->recognizer, model, &config, error);
    served_release(model);
    if (status == KODAMA_OK && settings->encoding == ENCODING_OPUS) {
        status = open_packets(h, settings->format);
        if (status < 0) error_set(error, status, "Opus cannot be decoded");
    }
    if (status < 0) {
        free_hearing(h);
        return status;
    }
    s->state = h;
    return KODAMA_OK;
}

static bool open_hearing(struct session *s)
{
    struct kodama_error error = {0};
    if (create(s, &error) < 0) {
        session_fail(s, "unavailable", error.message);
        return false;
    }
    if (s->dialect->ready) session_post(s, s->dialect->ready(s, 0), OUTBOX_KEPT);
    return true;
}

static void count_event(struct session *s, const struct kodama_event *event)
{
    struct hearing *h = s->state;
    struct metrics *m = &s->server->metrics;
    switch (event->kind) {
    case KODAMA_EVENT_PARTIAL:
        METRICS_ADD(m->partials, 1);
        if (s->heard >= event->sample) {
            metrics_time(&m->partial_latency,
                         (s->heard - event->sample) * CLOCK_NS_PER_S / s->settings.format.rate_hz);
        }
        break;
    case KODAMA_EVENT_SPEECH_STOPPED:
        h->stopped_ns = clock_now_ns();
        h->n_undecided++;
        break;
    case KODAMA_EVENT_FINAL:
        METRICS_ADD(m->finals, 1);
        metrics_time(&m->final_latency, clock_now_ns() - h->stopped_ns);
        if (h->n_undecided > 0) h->n_undecided--;
        mutex_lock(&s->mutex);
        s->n_finals++;
        mutex_unlock(&s->mutex);
        break;
    case KODAMA_EVENT_FAILED: METRICS_ADD(m->errors[ERROR_DECODE], 1); break;
    case KODAMA_EVENT_SPEECH_STARTED:
    case KODAMA_EVENT_SLOW: break;
    }
}

/** Hear with the newest model from the next utterance on, unless the client asked for another one
 * by its name; and let an older one go when that is possible. */
static void renew_model(struct session *s)
{
    struct hearing *h = s->state;
    struct served *served = &s->server->served;
    uint32_t generation = atomic_load(&served->generation);
    if (generation == h->generation && atomic_load(&served->n_retired) == 0) return;
    const char *asked = s->settings.model;
    if (asked[0] && strcmp(asked, "default") != 0) return;
    struct kodama_model *model = served_hold(s->server);
    /* One that does not know the session's language is not for it: it stays with the old one. */
    (void)kodama_recognizer_switch(h->recognizer, model, NULL);
    served_release(model);
    h->generation = generation;
}

static bool deliver(struct session *s)
{
    struct hearing *h = s->state;
    renew_model(s);
    struct kodama_event event;
    int status;
    while ((status = kodama_recognizer_next(h->recognizer, &event, 0)) == KODAMA_OK) {
        count_event(s, &event);
        s->dialect->event(s, &event);
    }
    return status != KODAMA_ERR_CLOSED;
}

/* A packet is decoded once, and is in the inbox until all of it was heard. */
static size_t hear_packet(struct session *s, const struct inbox_piece *piece)
{
    struct hearing *h = s->state;
    if (h->n_decoded == 0) {
        (void)packets_decode(h->packets, piece->bytes, piece->n_bytes, piece->n_frames, h->decoded);
        h->n_decoded = piece->n_frames;
        h->n_written = 0;
    }
    const float *rest = h->decoded + h->n_written * s->settings.format.channels;
    int64_t n = kodama_recognizer_write(h->recognizer, rest, h->n_decoded - h->n_written, 0);
    if (n == KODAMA_ERR_FULL || n == KODAMA_ERR_TIMEOUT) return 0;
    h->n_written = n < 0 ? h->n_decoded : h->n_written + (size_t)n;
    if (h->n_written < h->n_decoded) return 0;
    h->n_decoded = 0;
    return piece->n_frames;
}

static size_t hear(struct session *s, const struct inbox_piece *piece)
{
    struct hearing *h = s->state;
    if (h->packets) return hear_packet(s, piece);
    int64_t n = kodama_recognizer_write(h->recognizer, piece->bytes, piece->n_frames, 0);
    if (n == KODAMA_ERR_FULL || n == KODAMA_ERR_TIMEOUT) return 0;
    /* Out of memory: the utterance is lost, the conversation goes on with what follows. */
    return n < 0 ? piece->n_frames : (size_t)n;
}

static void finalize(struct session *s)
{
    struct hearing *h = s->state;
    (void)kodama_recognizer_finalize(h->recognizer);
}

static void finish(struct session *s)
{
    struct hearing *h = s->state;
    (void)kodama_recognizer_finish(h->recognizer);
}

static bool is_settled(const struct session *s)
{
    const struct hearing *h = s->state;
    return h->n_undecided == 0 && h->n_decoded == 0;
}

static void close_hearing(struct session *s, void *state)
{
    (void)s;
    free_hearing(state);
}

/* ------------------------------------------------------------------ records */

static int save(struct session *s, struct record *record)
{
    struct hearing *h = s->state;
    void *data;
    size_t n_bytes;
    record_put_tag(record, "HEAR", 1);
    int status = kodama_recognizer_save(h->recognizer, &data, &n_bytes);
    if (status < 0) return status;
    record_put_u64(record, n_bytes);
    record_put_bytes(record, data, n_bytes);
    kodama_free(data);
    if (h->packets) packets_save(h->packets, s->server->seal_key, record);
    return KODAMA_OK;
}

static int load(struct session *s, struct record *record)
{
    record_get_tag(record, "HEAR", 1);
    size_t n_bytes = record_get_count(record, RECORD_BYTES_MAX);
    if (record->failed || n_bytes > record->n_bytes - record->offset) return KODAMA_ERR_CORRUPT;
    int status = create(s, NULL);
    if (status < 0) return status;
    struct hearing *h = s->state;
    status = kodama_recognizer_load(h->recognizer, record->data + record->offset, n_bytes);
    record->offset += n_bytes;
    if (h->packets) packets_load(h->packets, s->server->seal_key, record);
    return record->failed ? KODAMA_ERR_CORRUPT : status;
}

const struct session_work hearing = {
    .kind = SESSION_HEARS,
    .takes_packets = true,
    .recognizes = true,
    .deadline_ns = 200 * CLOCK_NS_PER_MS,
    .open = open_hearing,
    .deliver = deliver,
    .hear = hear,
    .finalize = finalize,
    .finish = finish,
    .is_settled = is_settled,
    .save = save,
    .load = load,
    .close = close_hearing,
};
