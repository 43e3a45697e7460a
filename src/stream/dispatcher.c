/*
 * The dispatcher: the thread of a stream that hands chunks to callbacks and looks for what is to be
 * told.
 *
 * While there is no callback it only watches: it sleeps until a quarter of the ring is new (a tenth
 * of a second where somebody is to be told of events at once) and passes over it, twice a second in
 * a ring of two seconds. It sleeps on a cursor of its own, which whoever changes something
 * interrupts.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "stream/stream_internal.h"

/* Go on, or how the dispatching ends. */
enum turn { TURN_ON, TURN_END, TURN_FAILED };

static void count_wakeup(struct kodama_stream *stream)
{
    stream_set(&stream->wakeups, stream_get(&stream->wakeups) + 1);
}

/* ---------------------------------------------------------------- watching */

static uint64_t watch_frames(const struct kodama_stream *stream)
{
    uint64_t frames = kodama_ring_capacity(stream->ring) / 4;
    uint64_t soon = stream->source->format.rate_hz / 10;
    return stream->on_event && soon < frames ? soon : frames;
}

/* Pass over what is new without a call; unless there is somebody to call by now. */
static void pass_over(struct kodama_stream *stream)
{
    struct callbacks *callbacks = &stream->callbacks;
    uint64_t begin = stream->watched, end = begin;
    /* Under the lock: a callback that is added after this sees all that comes after this. */
    mutex_lock(&callbacks->lock);
    if (!callbacks_any(callbacks)) {
        end = kodama_ring_position(stream->ring);
    } else if (callbacks->from > begin) {
        end = callbacks->from;
    }
    mutex_unlock(&callbacks->lock);
    if (end <= begin) return;
    events_scan(stream, begin, end - begin);
    stream->watched = end;
    uint64_t there = kodama_cursor_seek(stream->cursor, end);
    if (there > end) events_lost(stream, end, there - end); /* since the callback was added */
}

static enum turn watch(struct kodama_stream *stream)
{
    kodama_cursor_set_watermark(stream->cursor, watch_frames(stream));
    int status = kodama_cursor_wait(stream->cursor, KODAMA_FOREVER);
    count_wakeup(stream);
    pass_over(stream);
    return status == KODAMA_ERR_CLOSED ? TURN_END : TURN_ON;
}

/* ------------------------------------------------------------- dispatching */

/* The next chunk, slept for when there is none. */
static int64_t next_chunk(struct kodama_stream *stream, uint32_t n_frames,
                          struct kodama_chunk *chunk)
{
    int64_t n = kodama_cursor_chunk(stream->cursor, n_frames, 0, 0, chunk);
    if (n != KODAMA_ERR_EMPTY) return n;
    n = kodama_cursor_chunk(stream->cursor, n_frames, 0, KODAMA_FOREVER, chunk);
    count_wakeup(stream);
    return n;
}

static void measure_latency(struct kodama_stream *stream, const struct kodama_chunk *chunk,
                            uint64_t begin_ns)
{
    if (begin_ns == 0 || chunk->n_frames == 0) return;
    uint64_t last = chunk->position + chunk->n_frames - 1;
    uint64_t written = stamps_find(&stream->source->stamps, last, &stream->next_stamp);
    if (written == 0 || written > begin_ns) return;
    histogram_add(&stream->latency, begin_ns - written);
    events_lag(stream, chunk->position, begin_ns - written);
}

static void adapt(struct kodama_stream *stream, uint32_t n_frames, uint64_t calls_ns)
{
    uint64_t queue = kodama_cursor_available(stream->cursor);
    uint32_t next =
        pace_next(&stream->pace, n_frames, queue, calls_ns, stream->source->format.rate_hz);
    /* Not if it was set by hand meanwhile. */
    atomic_compare_exchange_strong(&stream->chunk_frames, &n_frames, next);
}

/* When the timeline ends between two chunks, the last one was on its way before anybody knew. */
static int dispatch_end(struct kodama_stream *stream)
{
    static const uint8_t nothing[KODAMA_CHANNELS_MAX * 4];
    struct kodama_chunk chunk = {.frames = nothing,
                                 .sequence = stream->sequence,
                                 .position = kodama_cursor_position(stream->cursor),
                                 .is_last = true};
    return callbacks_call(stream, &chunk).own_status;
}

/* Call everybody with one chunk; the status of the stream's own callback. */
static int dispatch(struct kodama_stream *stream, struct kodama_chunk *chunk)
{
    uint64_t queue = kodama_cursor_available(stream->cursor);
    chunk->sequence = stream->sequence++;
    if (chunk->lost > 0) events_lost(stream, chunk->position - chunk->lost, chunk->lost);
    events_queue(stream, chunk->position, queue);
    struct calls calls = callbacks_call(stream, chunk);
    measure_latency(stream, chunk, calls.begin_ns);
    stream_set(&stream->chunks, stream_get(&stream->chunks) + 1);
    events_scan(stream, chunk->position, chunk->n_frames);
    stream->watched = chunk->position + chunk->n_frames;
    if (kodama_cursor_advance(stream->cursor) == KODAMA_ERR_LAPPED) {
        events_lost(stream, chunk->position, chunk->n_frames);
    } else {
        stream_set(&stream->frames, stream_get(&stream->frames) + chunk->n_frames);
    }
    if (stream->adaptive) adapt(stream, chunk->n_frames, calls.total_ns);
    return calls.own_status;
}

static enum turn dispatch_next(struct kodama_stream *stream)
{
    struct kodama_chunk chunk;
    int64_t n = next_chunk(stream, atomic_load(&stream->chunk_frames), &chunk);
    if (n == KODAMA_ERR_CANCELLED) return TURN_ON;
    int status = n < 0 ? (int)n : dispatch(stream, &chunk);
    if (n == KODAMA_ERR_CLOSED) status = dispatch_end(stream);
    if (status < 0) {
        struct kodama_error error = {0};
        error_set(&error, status, "the chunk callback failed: %s", kodama_strerror(status));
        stream_fail(stream, status, &error);
        return n == KODAMA_ERR_CLOSED || chunk.is_last ? TURN_END : TURN_FAILED;
    }
    return n == KODAMA_ERR_CLOSED || chunk.is_last ? TURN_END : TURN_ON;
}

void dispatcher_run(void *argument)
{
    struct kodama_stream *stream = argument;
    atomic_store(&stream->callbacks.thread, thread_self());
    enum turn turn = TURN_ON;
    bool called = false;
    while (turn == TURN_ON && !atomic_load(&stream->abandoned)) {
        events_target(stream);
        bool any = callbacks_any(&stream->callbacks);
        if (any && !called) pass_over(stream);
        called = any;
        turn = any ? dispatch_next(stream) : watch(stream);
    }
    if (turn == TURN_FAILED) {
        kodama_stream_stop(stream);
        (void)dispatch_end(stream); /* for the others */
    }
    if (!atomic_load(&stream->abandoned)) {
        events_end(stream, kodama_cursor_position(stream->cursor));
    }
    atomic_store(&stream->callbacks.thread, 0);
    stream_note(stream, &stream->dispatch_done);
}
