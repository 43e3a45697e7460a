/* Streams: a running source with its ring, its dispatcher thread and its statistics. */
#include <kodama/stream.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "capture/source.h"

enum phase { PHASE_NEW, PHASE_RUNNING, PHASE_STOPPED };

struct kodama_stream {
    /* Immutable after open. */
    struct kodama_source *source;
    struct kodama_ring *ring;
    struct kodama_cursor *cursor; /* the dispatcher's; NULL without callback */
    kodama_chunk_function on_chunk;
    void *user;
    const struct kodama_log *log;
    uint32_t chunk_frames;

    /* Starting and stopping the source, one at a time; `control` is held while its thread is
     * joined, so nothing that this thread waits for may take it. */
    struct mutex control;
    bool source_running; /* under control */
    bool dispatcher_started;
    struct thread dispatcher;

    /* How it stands; held briefly. */
    struct mutex mutex;
    struct condition changed;
    enum phase phase; /* written under both, read under either */
    bool source_done, dispatch_done;
    int status; /* the first thing that went wrong */
    struct kodama_error error;

    _Atomic bool abandoned; /* set by close: no callback any more */

    /* Written by the dispatcher only, relaxed. */
    _Atomic uint64_t chunks, frames, callback_ns, callback_max_ns;
};

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void set(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

/* Note the first failure and that a part has ended. */
static void note(struct kodama_stream *stream, bool *done, int status,
                 const struct kodama_error *error)
{
    mutex_lock(&stream->mutex);
    if (status < 0 && stream->status >= 0) {
        stream->status = status;
        if (error) {
            stream->error = *error;
        } else {
            error_set(&stream->error, status, "%s", kodama_strerror(status));
        }
    }
    *done = true;
    condition_broadcast(&stream->changed);
    mutex_unlock(&stream->mutex);
}

/* On the source's thread, last of all. */
static void on_source_end(void *user, int status, const struct kodama_error *error)
{
    struct kodama_stream *stream = user;
    if (status < 0) {
        log_write(stream->log, KODAMA_LOG_ERROR, "the source has ended: %s",
                  error ? error->message : kodama_strerror(status));
    }
    kodama_ring_close(stream->ring);
    note(stream, &stream->source_done, status, error);
}

/* Run the callback on one chunk and count. */
static int dispatch(struct kodama_stream *stream, const struct kodama_chunk *chunk)
{
    uint64_t begin = clock_now_ns();
    int status = stream->on_chunk(stream->user, chunk);
    uint64_t spent = clock_now_ns() - begin;
    if (chunk->n_frames > 0) set(&stream->chunks, get(&stream->chunks) + 1);
    set(&stream->frames, get(&stream->frames) + chunk->n_frames);
    set(&stream->callback_ns, get(&stream->callback_ns) + spent);
    if (spent > get(&stream->callback_max_ns)) set(&stream->callback_max_ns, spent);
    return status;
}

/* When the timeline ends between two chunks, the last one was on its way before anybody knew. */
static int dispatch_end(struct kodama_stream *stream, uint64_t sequence)
{
    static const uint8_t nothing[KODAMA_CHANNELS_MAX * 4];
    struct kodama_chunk chunk = {.frames = nothing,
                                 .sequence = sequence,
                                 .position = kodama_cursor_position(stream->cursor),
                                 .is_last = true};
    return dispatch(stream, &chunk);
}

static void run_dispatcher(void *argument)
{
    struct kodama_stream *stream = argument;
    uint64_t sequence = 0;
    bool last = false;
    int status = KODAMA_OK;
    while (!last && status >= 0 && !atomic_load(&stream->abandoned)) {
        struct kodama_chunk chunk;
        int64_t n =
            kodama_cursor_chunk(stream->cursor, stream->chunk_frames, 0, KODAMA_FOREVER, &chunk);
        if (n == KODAMA_ERR_CANCELLED) continue;
        if (n == KODAMA_ERR_CLOSED) {
            status = dispatch_end(stream, sequence);
            break;
        }
        if (n < 0) {
            status = (int)n;
            break;
        }
        sequence = chunk.sequence + 1;
        last = chunk.is_last;
        status = dispatch(stream, &chunk);
        /* Lapped: the ring counts it as lost, see kodama_stream_stats(). */
        (void)kodama_cursor_advance(stream->cursor);
    }
    if (status < 0) {
        struct kodama_error error = {0};
        error_set(&error, status, "the chunk callback failed: %s", kodama_strerror(status));
        note(stream, &stream->dispatch_done, status, &error);
        kodama_stream_stop(stream);
        return;
    }
    note(stream, &stream->dispatch_done, KODAMA_OK, NULL);
}

static int prepare(struct kodama_stream *stream, const struct kodama_stream_config *config,
                   struct kodama_error *error)
{
    struct kodama_format format = stream->source->format;
    bool live = stream->source->live;
    struct kodama_ring_config ring = KODAMA_RING_CONFIG_INIT;
    ring.format = format;
    ring.capacity_seconds = config->ring_seconds > 0.0 ? config->ring_seconds : 2.0;
    /* Two chunks at least: one that is written while the other one is dispatched. */
    uint64_t frames = (uint64_t)(ring.capacity_seconds * format.rate_hz);
    if (frames < 2 * (uint64_t)stream->chunk_frames) {
        ring.capacity_frames = 2 * (uint64_t)stream->chunk_frames;
    }
    ring.live = live;
    ring.prefault = live;
    int status = kodama_ring_create(&stream->ring, &ring, error);
    if (status < 0 || !stream->on_chunk) return status;

    struct kodama_cursor_config cursor = KODAMA_CURSOR_CONFIG_INIT;
    cursor.lossless = !live && !config->lossy;
    cursor.watermark_frames = stream->chunk_frames;
    status = kodama_cursor_open(&stream->cursor, stream->ring, &cursor);
    if (status < 0) {
        return error_set(error, status, "cannot open the dispatcher's cursor: %s",
                         kodama_strerror(status));
    }
    return KODAMA_OK;
}

static void free_stream(struct kodama_stream *stream)
{
    kodama_cursor_close(stream->cursor);
    kodama_ring_destroy(stream->ring);
    condition_destroy(&stream->changed);
    mutex_destroy(&stream->mutex);
    mutex_destroy(&stream->control);
    free(stream);
}

int kodama_stream_open(struct kodama_stream **stream, struct kodama_source *source,
                       const struct kodama_stream_config *config, struct kodama_error *error)
{
    struct kodama_stream_config defaults = KODAMA_STREAM_CONFIG_INIT;
    if (!config) config = &defaults;
    if (stream) *stream = NULL;
    if (!stream || !source || config->size != sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "a stream needs a source and a configuration begun with "
                         "KODAMA_STREAM_CONFIG_INIT");
    }
    /* Also refuses what is not a number. */
    if (!(config->ring_seconds >= 0.0 && config->ring_seconds <= 86400.0)) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "a stream cannot keep %g seconds: 0 (for 2 s) to 86400 are allowed",
                         config->ring_seconds);
    }
    struct kodama_stream *opened = memory_array(1, sizeof *opened);
    if (!opened) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a stream");
    mutex_init(&opened->control);
    mutex_init(&opened->mutex);
    condition_init(&opened->changed);
    opened->source = source;
    opened->on_chunk = config->on_chunk;
    opened->user = config->user;
    opened->log = config->log;
    opened->chunk_frames =
        config->chunk_frames > 0 ? config->chunk_frames : source->format.rate_hz / 100;
    int status = prepare(opened, config, error);
    if (status < 0) {
        free_stream(opened);
        return status;
    }
    *stream = opened;
    return KODAMA_OK;
}

static void set_phase(struct kodama_stream *stream, enum phase phase)
{
    mutex_lock(&stream->mutex);
    stream->phase = phase;
    condition_broadcast(&stream->changed);
    mutex_unlock(&stream->mutex);
}

/* With control held. */
static int start_both(struct kodama_stream *stream, struct kodama_error *error)
{
    if (stream->phase != PHASE_NEW) {
        return error_set(error, KODAMA_ERR_STATE,
                         "a stream runs once: it was started or stopped before");
    }
    int status = source_start(stream->source, stream->ring, on_source_end, stream, error);
    if (status < 0) return status;
    stream->source_running = true;
    if (!stream->on_chunk) {
        mutex_lock(&stream->mutex);
        stream->dispatch_done = true;
        mutex_unlock(&stream->mutex);
    } else {
        status = thread_start(&stream->dispatcher, "kodama-stream", run_dispatcher, stream, error);
        stream->dispatcher_started = status == KODAMA_OK;
    }
    if (status < 0) {
        kodama_ring_close(stream->ring);
        source_stop(stream->source);
        stream->source_running = false;
        note(stream, &stream->dispatch_done, status, error);
    }
    set_phase(stream, status < 0 ? PHASE_STOPPED : PHASE_RUNNING);
    return status;
}

int kodama_stream_start(struct kodama_stream *stream, struct kodama_error *error)
{
    if (!stream) return error_set(error, KODAMA_ERR_ARGUMENT, "no stream");
    mutex_lock(&stream->control);
    int status = start_both(stream, error);
    mutex_unlock(&stream->control);
    return status;
}

void kodama_stream_stop(struct kodama_stream *stream)
{
    if (!stream) return;
    /* First of all: it frees a source that waits for room. */
    kodama_ring_close(stream->ring);
    mutex_lock(&stream->control);
    if (stream->source_running) source_stop(stream->source);
    stream->source_running = false;
    if (stream->phase == PHASE_NEW) note(stream, &stream->dispatch_done, KODAMA_OK, NULL);
    set_phase(stream, PHASE_STOPPED);
    note(stream, &stream->source_done, KODAMA_OK, NULL);
    mutex_unlock(&stream->control);
}

void kodama_stream_close(struct kodama_stream *stream)
{
    if (!stream) return;
    atomic_store(&stream->abandoned, true);
    kodama_stream_stop(stream);
    if (stream->dispatcher_started) thread_join(&stream->dispatcher);
    kodama_source_close(stream->source);
    free_stream(stream);
}

int kodama_stream_wait(struct kodama_stream *stream, int64_t timeout_ns, struct kodama_error *error)
{
    if (!stream) return error_set(error, KODAMA_ERR_ARGUMENT, "no stream");
    uint64_t deadline = clock_deadline(timeout_ns);
    mutex_lock(&stream->mutex);
    int status = KODAMA_OK;
    if (stream->phase == PHASE_NEW) {
        status = error_set(error, KODAMA_ERR_STATE, "the stream was not started");
    }
    bool in_time = true;
    while (status == KODAMA_OK && !(stream->source_done && stream->dispatch_done)) {
        if (!in_time) {
            status = error_set(error, KODAMA_ERR_TIMEOUT, "the stream still runs");
            break;
        }
        in_time = condition_wait(&stream->changed, &stream->mutex, deadline);
    }
    if (status == KODAMA_OK && stream->status < 0) {
        status = stream->status;
        if (error) *error = stream->error;
    }
    mutex_unlock(&stream->mutex);
    return status;
}

struct kodama_ring *kodama_stream_ring(struct kodama_stream *stream)
{
    return stream->ring;
}

struct kodama_format kodama_stream_format(const struct kodama_stream *stream)
{
    return stream->source->format;
}

void kodama_stream_stats(const struct kodama_stream *stream, struct kodama_stream_stats *stats)
{
    *stats = (struct kodama_stream_stats){
        .chunks = get(&stream->chunks),
        .frames = get(&stream->frames),
        .callback_ns = get(&stream->callback_ns),
        .callback_max_ns = get(&stream->callback_max_ns),
    };
    kodama_source_stats(stream->source, &stats->source);
    kodama_ring_stats(stream->ring, &stats->ring);
    if (!stream->cursor) return;
    stats->lost_frames = kodama_cursor_lost(stream->cursor);
    stats->queue_frames = kodama_cursor_available(stream->cursor);
}
