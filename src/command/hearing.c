/* The way of the data for captions: source -> stream -> recogniser, or the client of a server, with
 * an end that flushes. */
#include "command/hearing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command/screen.h"

enum { WRITE_WAIT_NS = 100000000 };
/* So long may the decoders of a live input be behind before some of it is lost. */
static const double live_history_s = 30.0;

static void measure_level(struct hearing *hearing, const struct kodama_chunk *chunk)
{
    double power = 0.0;
    size_t n = chunk->n_frames < HEARING_LEVEL_FRAMES ? chunk->n_frames : HEARING_LEVEL_FRAMES;
    if (n == 0) return;
    n = kodama_resampler_process(hearing->meter, chunk->frames, n, hearing->samples);
    for (size_t i = 0; i < n; i++) {
        power += (double)hearing->samples[i] * (double)hearing->samples[i];
    }
    double db = n > 0 && power > 0.0 ? 10.0 * log10(power / (double)n) : -INFINITY;
    uint32_t level = (uint32_t)((double)screen_level(db) * 1e6);
    if (level > atomic_load_explicit(&hearing->level, memory_order_relaxed)) {
        atomic_store_explicit(&hearing->level, level, memory_order_relaxed);
    }
}

/* All of it, waiting for the decoders as long as nobody lost interest. NULL frames are silence. */
static int hear(struct hearing *hearing, const void *frames, size_t n_frames)
{
    const uint8_t *bytes = frames;
    while (n_frames > 0) {
        if (atomic_load(&hearing->abandoned)) return KODAMA_ERR_CANCELLED;
        int64_t n =
            hearing->client
                ? kodama_client_write(hearing->client, bytes, n_frames, WRITE_WAIT_NS)
                : kodama_recognizer_write(hearing->recognizer, bytes, n_frames, WRITE_WAIT_NS);
        if (n == KODAMA_ERR_TIMEOUT || n == KODAMA_ERR_FULL) continue;
        if (n < 0) return (int)n;
        n_frames -= (size_t)n;
        if (bytes) bytes += (size_t)n * hearing->frame_bytes;
    }
    return KODAMA_OK;
}

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct hearing *hearing = user;
    int status = KODAMA_OK;
    /* What was lost is heard as silence, so that times stay true. */
    if (chunk->lost > 0) status = hear(hearing, NULL, (size_t)chunk->lost);
    if (hearing->meter) measure_level(hearing, chunk);
    if (status == KODAMA_OK && chunk->n_frames > 0) {
        status = hear(hearing, chunk->frames, chunk->n_frames);
    }
    return status;
}

static int open_meter(struct hearing *hearing, struct kodama_format format,
                      struct kodama_error *error)
{
    int status = kodama_resampler_open(&hearing->meter, format, format.rate_hz, error);
    if (status < 0) return status;
    hearing->samples =
        calloc(kodama_resampler_room(hearing->meter, HEARING_LEVEL_FRAMES), sizeof(float));
    if (hearing->samples) return KODAMA_OK;
    if (error) *error = (struct kodama_error){KODAMA_ERR_MEMORY, "out of memory"};
    return KODAMA_ERR_MEMORY;
}

static int open_stream(struct hearing *hearing, struct kodama_source *source, bool metered,
                       const struct kodama_log *log, struct kodama_error *error)
{
    struct kodama_format format = kodama_source_format(source);
    struct kodama_stream_config stream = KODAMA_STREAM_CONFIG_INIT;
    hearing->frame_bytes = kodama_frame_bytes(format);
    stream.on_chunk = on_chunk;
    stream.user = hearing;
    capture_tell(&hearing->teller, &stream, log);
    if (kodama_source_is_live(source)) stream.ring_seconds = live_history_s;
    int status = metered ? open_meter(hearing, format, error) : KODAMA_OK;
    if (status == KODAMA_OK) status = kodama_stream_open(&hearing->stream, source, &stream, error);
    return status;
}

/* Of an opening that went wrong. */
static int undo(struct hearing *hearing, struct kodama_source *source, int status)
{
    kodama_source_close(source);
    hearing_close(hearing);
    return status;
}

int hearing_open(struct hearing *hearing, struct kodama_source *source, struct kodama_model *model,
                 struct kodama_recognizer_config *config, bool metered,
                 const struct kodama_log *log, struct kodama_error *error)
{
    *hearing = (struct hearing){0};
    config->format = kodama_source_format(source);
    int status = kodama_recognizer_open(&hearing->recognizer, model, config, error);
    if (status == KODAMA_OK) status = open_stream(hearing, source, metered, log, error);
    return status < 0 ? undo(hearing, source, status) : KODAMA_OK;
}

int hearing_open_server(struct hearing *hearing, struct kodama_source *source,
                        struct kodama_client_config *config, bool metered,
                        const struct kodama_log *log, struct kodama_error *error)
{
    *hearing = (struct hearing){0};
    config->format = kodama_source_format(source);
    int status = kodama_client_open(&hearing->client, config, error);
    if (status == KODAMA_OK) status = open_stream(hearing, source, metered, log, error);
    return status < 0 ? undo(hearing, source, status) : KODAMA_OK;
}

/* The stream's end becomes the hearer's: from here, not from the callback, since a stream may
 * end without a last chunk. */
static void *run_ender(void *argument)
{
    struct hearing *hearing = argument;
    hearing->status = kodama_stream_wait(hearing->stream, KODAMA_FOREVER, &hearing->error);
    if (hearing->client) {
        (void)kodama_client_finish(hearing->client);
    } else {
        (void)kodama_recognizer_finish(hearing->recognizer);
    }
    return NULL;
}

int hearing_start(struct hearing *hearing, struct kodama_error *error)
{
    int status = kodama_stream_start(hearing->stream, error);
    if (status < 0) return status;
    if (pthread_create(&hearing->ender, NULL, run_ender, hearing) != 0) {
        atomic_store(&hearing->abandoned, true);
        if (error) *error = (struct kodama_error){KODAMA_ERR_SYSTEM, "cannot start a thread"};
        return KODAMA_ERR_SYSTEM;
    }
    hearing->started = true;
    return KODAMA_OK;
}

int hearing_next(struct hearing *hearing, struct kodama_event *event, const char **note)
{
    struct kodama_client_event told;
    *note = NULL;
    if (!hearing->client) return kodama_recognizer_next(hearing->recognizer, event, 0);
    int status = kodama_client_next(hearing->client, &told, 0);
    if (status != KODAMA_OK) return status;
    if (told.kind != KODAMA_CLIENT_HEARD) {
        *note = told.text;
        return KODAMA_OK;
    }
    *event = told.heard;
    if (event->kind == KODAMA_EVENT_SPEECH_STARTED) hearing->speaking = true;
    if (event->kind == KODAMA_EVENT_SPEECH_STOPPED) hearing->speaking = false;
    return KODAMA_OK;
}

int hearing_descriptor(struct hearing *hearing)
{
    struct kodama_waitable events = {.fd = -1};
    if (hearing->client) {
        (void)kodama_client_waitable(hearing->client, &events);
    } else {
        (void)kodama_recognizer_waitable(hearing->recognizer, &events);
    }
    return events.fd;
}

uint32_t hearing_pending_ms(struct hearing *hearing)
{
    struct kodama_client_stats stats;
    if (!hearing->client) return kodama_recognizer_pending_ms(hearing->recognizer);
    kodama_client_stats(hearing->client, &stats);
    return stats.undecided_ms;
}

bool hearing_voice(struct hearing *hearing)
{
    if (hearing->client) return hearing->speaking;
    return kodama_recognizer_probability(hearing->recognizer) >= 0.5f;
}

void hearing_stop(struct hearing *hearing)
{
    kodama_stream_stop(hearing->stream);
}

int hearing_wait(struct hearing *hearing, struct kodama_error *error)
{
    if (hearing->started) pthread_join(hearing->ender, NULL);
    hearing->started = false;
    /* When a server fails, that is why the stream does. */
    int failure = hearing->client ? kodama_client_failure(hearing->client, error) : KODAMA_OK;
    if (failure < 0) return failure;
    if (error) *error = hearing->error;
    return hearing->status;
}

float hearing_level(struct hearing *hearing)
{
    return (float)atomic_exchange_explicit(&hearing->level, 0, memory_order_relaxed) / 1e6f;
}

void hearing_close(struct hearing *hearing)
{
    atomic_store(&hearing->abandoned, true);
    if (hearing->started) {
        hearing_stop(hearing);
        (void)hearing_wait(hearing, NULL);
    }
    kodama_stream_close(hearing->stream);
    kodama_recognizer_close(hearing->recognizer);
    kodama_client_close(hearing->client);
    kodama_resampler_close(hearing->meter);
    free(hearing->samples);
    *hearing = (struct hearing){0};
}
