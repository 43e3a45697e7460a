/* Streams: a running source with its ring, its dispatcher thread and its statistics. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "ring/ring.h"
#include "stream/stream_internal.h"

void stream_fail(struct kodama_stream *stream, int status, const struct kodama_error *error)
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
    mutex_unlock(&stream->mutex);
}

int stream_status(struct kodama_stream *stream, struct kodama_error *error)
{
    mutex_lock(&stream->mutex);
    int status = stream->status;
    if (error && status < 0) *error = stream->error;
    mutex_unlock(&stream->mutex);
    return status;
}

void stream_note(struct kodama_stream *stream, bool *done)
{
    mutex_lock(&stream->mutex);
    bool news = !*done;
    *done = true;
    /* Before anybody is woken who may start it again. */
    if (news && stream->source_done && stream->dispatch_done) {
        events_set_ended(&stream->events, true);
    }
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
    /* Before the close: who comes to the end shall find out why. */
    stream_fail(stream, status, error);
    kodama_ring_close(stream->ring);
    stream_note(stream, &stream->source_done);
}

/* On whatever thread of the source: its target has gone or come back. Real-time safe. */
static void on_source_notice(void *user)
{
    struct kodama_stream *stream = user;
    kodama_cursor_interrupt(stream->cursor);
}

/* ------------------------------------------------------ opening and closing */

/* Frames that the ring keeps: two chunks at least, one that is written while the other one is
 * dispatched, also of the longest ones that it may come to. */
static double ring_frames(const struct kodama_stream *stream,
                          const struct kodama_stream_config *config)
{
    uint32_t rate_hz = stream->source->format.rate_hz;
    double frames = (config->ring_seconds > 0.0 ? config->ring_seconds : 2.0) * rate_hz;
    double chunk = atomic_load(&stream->chunk_frames), most = rate_hz * PACE_MOST_MS / 1000.0 + 1.0;
    /* Refused blocks are refused whole, and must fit. */
    bool longer = config->adaptive || config->overflow == KODAMA_OVERFLOW_REJECT;
    if (longer && chunk < most) chunk = most;
    return frames < 2.0 * chunk ? 2.0 * chunk : frames;
}

/* As many as a ring may have: of more than 2.9 hours the oldest are not kept. */
#define MARKS_MOST (1U << 20)

static int prepare(struct kodama_stream *stream, const struct kodama_stream_config *config,
                   struct kodama_error *error)
{
    struct kodama_source *source = stream->source;
    struct kodama_ring_config ring = KODAMA_RING_CONFIG_INIT;
    ring.format = source->format;
    ring.capacity_frames = (uint64_t)ring_frames(stream, config);
    /* A live source marks the time every 10 ms and each period of a gap: as long as the frames. */
    if (source->live) {
        uint64_t n_marks = 1024 + ring.capacity_frames / (source->format.rate_hz / 200);
        ring.n_marks = n_marks < MARKS_MOST ? (uint32_t)n_marks : MARKS_MOST;
    }
    ring.live = source->live;
    ring.prefault = source->live;
    int status = kodama_ring_create(&stream->ring, &ring, error);
    if (status < 0) return status;

    struct kodama_cursor_config cursor = KODAMA_CURSOR_CONFIG_INIT;
    cursor.lossless = stream->overflow != KODAMA_OVERFLOW_DROP_OLDEST;
    status = kodama_cursor_open(&stream->cursor, stream->ring, &cursor);
    if (status < 0) {
        return error_set(error, status, "cannot open the dispatcher's cursor: %s",
                         kodama_strerror(status));
    }
    if (!config->on_chunk) return KODAMA_OK;
    status = callbacks_add_own(&stream->callbacks, config->on_chunk, config->user);
    return status < 0 ? error_set(error, status, "no memory for a stream") : KODAMA_OK;
}

static void free_stream(struct kodama_stream *stream)
{
    kodama_cursor_close(stream->cursor);
    kodama_ring_destroy(stream->ring);
    callbacks_free(&stream->callbacks);
    events_free(&stream->events);
    condition_destroy(&stream->changed);
    mutex_destroy(&stream->mutex);
    mutex_destroy(&stream->control);
    free(stream);
}

static int check_config(const struct kodama_source *source,
                        const struct kodama_stream_config *config, struct kodama_error *error)
{
    /* Also refuses what is not a number. */
    if (!(config->ring_seconds >= 0.0 && config->ring_seconds <= 86400.0)) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "a stream cannot keep %g seconds: 0 (for 2 s) to 86400 are allowed",
                         config->ring_seconds);
    }
    if ((int)config->overflow < KODAMA_OVERFLOW_AUTO || config->overflow > KODAMA_OVERFLOW_REJECT) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "a stream has no such overflow policy: %d",
                         (int)config->overflow);
    }
    if (source->live && config->overflow >= KODAMA_OVERFLOW_WAIT) {
        return error_set(error, KODAMA_ERR_LIVE,
                         "the source %s is live and cannot be held back: its overflow policy is "
                         "to drop the oldest frames",
                         source->ops->name);
    }
    return KODAMA_OK;
}

static struct kodama_stream *allocate_stream(struct kodama_source *source,
                                             const struct kodama_stream_config *config)
{
    struct kodama_stream *opened = memory_array(1, sizeof *opened);
    if (!opened) return NULL;
    mutex_init(&opened->control);
    mutex_init(&opened->mutex);
    condition_init(&opened->changed);
    callbacks_init(&opened->callbacks);
    events_init(&opened->events);
    opened->source = source;
    opened->log = config->log;
    opened->on_event = config->on_event;
    opened->event_user = config->event_user;
    opened->adaptive = config->adaptive;
    opened->overflow = config->overflow;
    if (opened->overflow == KODAMA_OVERFLOW_AUTO) {
        opened->overflow = source->live ? KODAMA_OVERFLOW_DROP_OLDEST : KODAMA_OVERFLOW_WAIT;
    }
    uint32_t chunk = config->chunk_frames;
    atomic_init(&opened->chunk_frames, chunk > 0 ? chunk : source->format.rate_hz / 100);
    return opened;
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
    int status = check_config(source, config, error);
    if (status < 0) return status;
    struct kodama_stream *opened = allocate_stream(source, config);
    if (!opened) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a stream");
    status = prepare(opened, config, error);
    if (status < 0) {
        free_stream(opened);
        return status;
    }
    source->rejects = opened->overflow == KODAMA_OVERFLOW_REJECT;
    source->on_notice = on_source_notice;
    source->notice_user = opened;
    *stream = opened;
    return KODAMA_OK;
}

/* --------------------------------------------------- starting and stopping */

static void set_phase(struct kodama_stream *stream, enum phase phase)
{
    mutex_lock(&stream->mutex);
    stream->phase = phase;
    condition_broadcast(&stream->changed);
    mutex_unlock(&stream->mutex);
}

/* With control held. */
static void stop_source(struct kodama_stream *stream)
{
    /* Again: somebody may have started it between the first time and the lock. */
    kodama_ring_close(stream->ring);
    if (stream->source_running) source_stop(stream->source);
    stream->source_running = false;
}

/*
 * Take `control` when nothing runs any more: neither a source nor a dispatcher that brings out what
 * a stop left. The dispatcher may need `control` itself, so nobody waits for it with that held.
 */
static int control_at_rest(struct kodama_stream *stream, struct kodama_error *error)
{
    for (;;) {
        mutex_lock(&stream->control);
        mutex_lock(&stream->mutex);
        bool at_rest = stream->phase == PHASE_NEW || stream->dispatch_done;
        bool runs = stream->phase == PHASE_RUNNING && !(at_rest && stream->source_done);
        mutex_unlock(&stream->mutex);
        if (at_rest && !runs) return KODAMA_OK;
        mutex_unlock(&stream->control);
        if (runs) return error_set(error, KODAMA_ERR_STATE, "the stream runs already");
        mutex_lock(&stream->mutex);
        while (stream->phase == PHASE_STOPPED && !stream->dispatch_done) {
            condition_wait(&stream->changed, &stream->mutex, CLOCK_NEVER);
        }
        mutex_unlock(&stream->mutex);
    }
}

/* Leave nothing of the last run. With control held, at rest. */
static void clear_last_run(struct kodama_stream *stream)
{
    if (stream->source_running) stop_source(stream); /* it has ended by itself */
    if (stream->dispatcher_started) thread_join(&stream->dispatcher);
    stream->dispatcher_started = false;
    mutex_lock(&stream->mutex);
    stream->source_done = stream->dispatch_done = false;
    stream->status = KODAMA_OK;
    mutex_unlock(&stream->mutex);
    events_set_ended(&stream->events, false);
    callbacks_restart(&stream->callbacks);
    ring_reopen(stream->ring);
}

/* With control held, at rest. */
static int start_both(struct kodama_stream *stream, struct kodama_error *error)
{
    clear_last_run(stream);
    int status = source_start(stream->source, stream->ring, on_source_end, stream, error);
    bool stopped = status == KODAMA_ERR_CLOSED;
    if (stopped) {
        status = error_set(error, KODAMA_ERR_STATE, "the stream was stopped meanwhile");
    }
    stream->source_running = status == KODAMA_OK;
    if (status == KODAMA_OK) {
        status = thread_start(&stream->dispatcher, "kodama-stream", dispatcher_run, stream, error);
        stream->dispatcher_started = status == KODAMA_OK;
    }
    if (status == KODAMA_OK) {
        stream_set(&stream->starts, stream_get(&stream->starts) + 1);
        set_phase(stream, PHASE_RUNNING);
        return KODAMA_OK;
    }
    stop_source(stream);
    if (!stopped) stream_fail(stream, status, error); /* to be stopped is no failure */
    stream_note(stream, &stream->source_done);
    stream_note(stream, &stream->dispatch_done);
    set_phase(stream, PHASE_STOPPED);
    return status;
}

int kodama_stream_start(struct kodama_stream *stream, struct kodama_error *error)
{
    if (!stream) return error_set(error, KODAMA_ERR_ARGUMENT, "no stream");
    if (atomic_load(&stream->callbacks.thread) == thread_self()) {
        return error_set(error, KODAMA_ERR_STATE, "a callback cannot start its own stream");
    }
    int status = control_at_rest(stream, error);
    if (status < 0) return status;
    status = start_both(stream, error);
    mutex_unlock(&stream->control);
    return status;
}

void kodama_stream_stop(struct kodama_stream *stream)
{
    if (!stream) return;
    /* First of all: it frees a source that waits for room. */
    kodama_ring_close(stream->ring);
    mutex_lock(&stream->control);
    stop_source(stream);
    bool was_new = stream->phase == PHASE_NEW;
    set_phase(stream, PHASE_STOPPED);
    if (was_new) stream_note(stream, &stream->dispatch_done);
    stream_note(stream, &stream->source_done);
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

uint32_t kodama_stream_chunk_frames(const struct kodama_stream *stream)
{
    return atomic_load(&stream->chunk_frames);
}

int kodama_stream_resize_chunk(struct kodama_stream *stream, uint32_t n_frames)
{
    if (!stream || n_frames < 1 || n_frames > kodama_ring_capacity(stream->ring) / 2) {
        return KODAMA_ERR_ARGUMENT;
    }
    atomic_store(&stream->chunk_frames, n_frames);
    kodama_cursor_interrupt(stream->cursor); /* it may wait for a longer one */
    return KODAMA_OK;
}

void kodama_stream_stats(const struct kodama_stream *stream, struct kodama_stream_stats *stats)
{
    *stats = (struct kodama_stream_stats){
        .chunks = stream_get(&stream->chunks),
        .frames = stream_get(&stream->frames),
        .silent_frames = stream_get(&stream->silent_frames),
        .lost_frames = stream_get(&stream->lost_frames),
        .rejected_frames = stream_get(&stream->source->counters.rejected_frames),
        .gaps = stream_get(&stream->events.gaps_told),
        .events = stream_get(&stream->events.told),
        .events_missed = stream_get(&stream->events.missed),
        .wakeups = stream_get(&stream->wakeups),
        .callback_ns = stream_get(&stream->callback_ns),
        .callback_max_ns = stream_get(&stream->callback_max_ns),
        .queue_most_frames = stream_get(&stream->queue_most),
        .chunk_frames = atomic_load(&stream->chunk_frames),
        .latency_p50_ns = histogram_quantile(&stream->latency, 0.50),
        .latency_p99_ns = histogram_quantile(&stream->latency, 0.99),
        .latency_max_ns = stream_get(&stream->latency.max_ns),
        .starts = stream_get(&stream->starts),
    };
    kodama_source_stats(stream->source, &stats->source);
    kodama_ring_stats(stream->ring, &stats->ring);
    if (callbacks_any(&stream->callbacks)) {
        stats->queue_frames = kodama_cursor_available(stream->cursor);
    }
}
