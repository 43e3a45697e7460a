/* Feeds: the thread of every source that reads. */
#include "capture/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/waitable.h"
#include "ring/ring.h"

/* The monotonic time at which frame `position` is due. */
static uint64_t due_ns(const struct feed *feed, uint64_t position)
{
    uint64_t rate = feed->source->format.rate_hz;
    return feed->begin_ns + position / rate * CLOCK_NS_PER_S +
           position % rate * CLOCK_NS_PER_S / rate;
}

/* Sleep until a frame is due; false when the feed was stopped. Deadlines come from the count of
 * samples, so that lateness of one block never adds to the next. */
static bool wait_until_due(struct feed *feed, uint64_t position)
{
    uint64_t due = due_ns(feed, position), now = clock_now_ns();
    int64_t left = due > now ? (int64_t)(due - now) : 0;
    return kodama_waitable_wait(feed->stop_signal, left) == KODAMA_ERR_TIMEOUT;
}

void feed_mark_at(struct feed *feed, int64_t offset, struct kodama_mark mark)
{
    if (feed->n_marks == FEED_MARKS_MAX) return; /* no source has so much to say of one place */
    mark.position = (uint64_t)offset;
    feed->marks[feed->n_marks++] = mark;
}

void feed_mark(struct feed *feed, uint64_t length, uint64_t time_ns, uint32_t flags)
{
    /* After a stop in the middle of a block that is the frame where it goes on. */
    int64_t offset = feed->held_at < feed->n_held ? (int64_t)feed->held_at : 0;
    feed_mark_at(feed, offset,
                 (struct kodama_mark){.length = length, .time_ns = time_ns, .flags = flags});
}

void feed_say(struct feed *feed, enum feed_block what)
{
    feed->what = what;
}

/* Publish what is known of the block that is written next. */
static void publish_marks(struct feed *feed)
{
    struct kodama_source *source = feed->source;
    uint64_t begin = kodama_ring_position(source->ring) - feed->held_at;
    for (size_t i = 0; i < feed->n_marks; i++) {
        struct kodama_mark mark = feed->marks[i];
        mark.position += begin;
        if (kodama_writer_mark(&source->writer, &mark) != KODAMA_ERR_CLOSED) continue;
        /* The write that follows will say so, too; the rest is for the next start. */
        feed->n_marks -= i;
        memmove(feed->marks, feed->marks + i, feed->n_marks * sizeof feed->marks[0]);
        return;
    }
    feed->n_marks = 0;
}

/* Put silence in the place of refused frames, as far as there is room, or (at the end) all of it;
 * false when the ring was closed. */
static bool fill_gap(struct feed *feed, bool wait)
{
    while (feed->refused > 0) {
        int64_t n = source_write_gap(feed->source, (size_t)feed->refused, 0);
        if (n > 0) {
            feed->refused -= (uint64_t)n;
        } else if (n != KODAMA_ERR_FULL) {
            return false;
        } else if (!wait) {
            return true;
        } else {
            (void)ring_writer_wait(&feed->source->writer, (size_t)feed->refused, CLOCK_NEVER);
        }
    }
    return true;
}

/* The marks of a block that is refused: what they say of frames behind it stays. */
static void refuse_marks(struct feed *feed)
{
    size_t kept = 0;
    uint64_t gap_frames = 0; /* behind the block */
    for (size_t i = 0; i < feed->n_marks; i++) {
        struct kodama_mark mark = feed->marks[i];
        int64_t behind = (int64_t)(mark.position + mark.length - feed->n_held);
        if (mark.flags == KODAMA_MARK_CLOCK) { /* what comes after has another clock, too */
            mark.position = 0;
            feed->marks[kept++] = mark;
        } else if ((mark.flags & KODAMA_MARK_GAP) && behind > (int64_t)gap_frames) {
            gap_frames = (uint64_t)behind;
        }
    }
    feed->n_marks = kept;
    if (gap_frames == 0) return;
    feed_mark_at(feed, 0, (struct kodama_mark){.length = gap_frames, .flags = KODAMA_MARK_GAP});
}

/* A lossless reader is full and nobody waits for it: the block becomes a part of a gap, which is
 * written when there is room, so that what follows stands where it would have stood. */
static void refuse_block(struct feed *feed)
{
    size_t n_frames = feed->n_held - feed->held_at;
    feed->refused += n_frames;
    source_count(&feed->source->counters.rejected_frames, n_frames);
    refuse_marks(feed);
    feed->held_at = feed->n_held;
}

/* Frames were written of which the source has said that they are silent, or missing. */
static void count_silence(struct feed *feed, uint64_t position, uint64_t n_frames)
{
    struct kodama_source *source = feed->source;
    if (feed->what == FEED_SOUND) return;
    source_count(&source->counters.silent_frames, n_frames);
    if (feed->what == FEED_SILENCE) return;
    source->gap_end = position + n_frames;
    source_count(&source->counters.gap_frames, n_frames);
}

/* Write what is held; false when the ring was closed before all of it was written: the rest is
 * held until the source is started again. Real-time safe: no. */
static bool write_block(struct feed *feed)
{
    struct kodama_source *source = feed->source;
    size_t frame_bytes = kodama_frame_bytes(source->format);
    int64_t timeout_ns = 0; /* first see whether there is room, so that waiting can be counted */
    if (!fill_gap(feed, false)) return false;
    while (feed->held_at < feed->n_held) {
        size_t left = feed->n_held - feed->held_at;
        if (source->rejects && (feed->refused > 0 || kodama_writer_space(&source->writer) < left)) {
            if (kodama_ring_is_closed(source->ring)) return false;
            if (source->paced) source_count(&source->counters.overruns, 1);
            refuse_block(feed);
            return true;
        }
        publish_marks(feed);
        uint64_t position = kodama_ring_position(source->ring);
        int64_t n =
            source_write(source, feed->block + feed->held_at * frame_bytes, left, timeout_ns);
        if (n > 0) {
            feed->held_at += (size_t)n;
            count_silence(feed, position, (uint64_t)n);
        } else if (n != KODAMA_ERR_FULL && n != KODAMA_ERR_TIMEOUT) {
            return false;
        }
        if (feed->held_at < feed->n_held && timeout_ns == 0) {
            /* A source that may go as fast as it is read is meant to be held up. */
            if (source->paced) source_count(&source->counters.overruns, 1);
            timeout_ns = KODAMA_FOREVER;
        }
    }
    return true;
}

/* Read the next block, unless one is held since the source was stopped; 0 and errors as `read`. */
static int64_t hold_block(struct feed *feed, struct kodama_error *error)
{
    if (feed->held_at < feed->n_held) return (int64_t)(feed->n_held - feed->held_at);
    feed->n_held = feed->held_at = 0;
    feed->what = FEED_SOUND;
    int64_t n = feed->read(feed->state, feed->block, feed->block_frames, error);
    if (n > 0) feed->n_held = (size_t)n;
    return n;
}

/* It has come to its end, now or when it was started before. */
static void end(struct feed *feed)
{
    (void)fill_gap(feed, true); /* nothing is held up by waiting now; closed: so be it */
    int status = feed->error.status;
    source_ended(feed->source, status, status < 0 ? &feed->error : NULL);
}

/* Read and write until the end or a stop: false for a stop. */
static bool run_to_end(struct feed *feed)
{
    while (kodama_waitable_wait(feed->stop_signal, 0) == KODAMA_ERR_TIMEOUT) {
        int64_t n = hold_block(feed, &feed->error);
        if (n == KODAMA_ERR_CANCELLED) return false;
        if (n <= 0) {
            /* The last block lasts as long as it is. */
            if (n == 0 && feed->paced) wait_until_due(feed, feed->position);
            if (n < 0 && feed->error.status == 0) {
                error_set(&feed->error, (int)n, "reading failed: %s", kodama_strerror((int)n));
            }
            return true;
        }
        if (feed->paced && !wait_until_due(feed, feed->position)) return false;
        if (!write_block(feed)) return false;
        feed->position += (uint64_t)n;
    }
    return false;
}

static void run(void *argument)
{
    struct feed *feed = argument;
    feed->position = 0;
    if (feed->paced) {
        /* Tell the readers when the first frame was heard. */
        feed->begin_ns = clock_now_ns();
        if (!feed->ended) feed_mark(feed, 0, feed->begin_ns, KODAMA_MARK_TIME);
    }
    if (!feed->ended) feed->ended = run_to_end(feed);
    if (feed->ended) {
        end(feed);
    } else {
        source_ended(feed->source, KODAMA_OK, NULL);
    }
}

int feed_init(struct feed *feed, struct kodama_source *source, size_t block_frames, bool paced,
              feed_read_function read, void *state, struct kodama_error *error)
{
    feed->source = source;
    feed->read = read;
    feed->state = state;
    feed->paced = paced;
    feed->block_frames = block_frames;
    feed->stop_signal = WAITABLE_NONE;
    feed->block = memory_array(block_frames, kodama_frame_bytes(source->format));
    if (!feed->block) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    int status = waitable_create(&feed->stop_signal);
    if (status < 0) {
        free(feed->block);
        feed->block = NULL;
        return error_set(error, status, "cannot create a descriptor for a source: too many open?");
    }
    return KODAMA_OK;
}

void feed_free(struct feed *feed)
{
    if (!feed->block) return;
    waitable_destroy(feed->stop_signal);
    free(feed->block);
    feed->block = NULL;
}

int feed_start(struct feed *feed, struct kodama_error *error)
{
    waitable_clear(feed->stop_signal);
    int status = thread_start(&feed->thread, "kodama-source", run, feed, error);
    feed->started = status == KODAMA_OK;
    return status;
}

void feed_stop(struct feed *feed)
{
    if (!feed->started) return;
    waitable_signal(feed->stop_signal);
    thread_join(&feed->thread);
    feed->started = false;
}
