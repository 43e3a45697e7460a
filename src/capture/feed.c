/* Feeds: the thread of every source that reads. */
#include "capture/feed.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/waitable.h"

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

/* Write a block; false when the ring was closed. Real-time safe: no. */
static bool write_block(struct feed *feed, size_t n_frames)
{
    struct kodama_source *source = feed->source;
    size_t frame_bytes = kodama_frame_bytes(source->format);
    size_t done = 0;
    int64_t timeout_ns = 0; /* first see whether there is room, so that waiting can be counted */
    while (done < n_frames) {
        int64_t n =
            source_write(source, feed->block + done * frame_bytes, n_frames - done, timeout_ns);
        if (n > 0) {
            done += (size_t)n;
        } else if (n != KODAMA_ERR_FULL && n != KODAMA_ERR_TIMEOUT) {
            return false;
        }
        if (done < n_frames && timeout_ns == 0) {
            /* A source that may go as fast as it is read is meant to be held up. */
            if (feed->paced) source_count(&source->counters.overruns, 1);
            timeout_ns = KODAMA_FOREVER;
        }
    }
    feed->position += n_frames;
    return true;
}

/* Tell the readers when the first frame was heard. */
static void mark_begin(struct feed *feed)
{
    feed->begin_ns = clock_now_ns();
    struct kodama_mark mark = {.position = kodama_ring_position(feed->source->writer.ring),
                               .time_ns = feed->begin_ns,
                               .flags = KODAMA_MARK_TIME};
    kodama_writer_mark(&feed->source->writer, &mark);
}

static void run(void *argument)
{
    struct feed *feed = argument;
    struct kodama_error error = {0};
    int64_t n = 0;
    if (feed->paced) mark_begin(feed);
    while (kodama_waitable_wait(feed->stop_signal, 0) == KODAMA_ERR_TIMEOUT) {
        n = feed->read(feed->state, feed->block, feed->block_frames, &error);
        if (n <= 0) break;
        if (feed->paced && !wait_until_due(feed, feed->position)) break;
        if (!write_block(feed, (size_t)n)) break;
    }
    if (n <= 0) {
        /* The last block lasts as long as it is. */
        if (feed->paced && n == 0) wait_until_due(feed, feed->position);
        if (n == KODAMA_ERR_CANCELLED) n = 0;
        if (n < 0 && error.status == 0) {
            error_set(&error, (int)n, "reading failed: %s", kodama_strerror((int)n));
        }
    } else {
        n = 0;
    }
    source_ended(feed->source, (int)n, n < 0 ? &error : NULL);
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
