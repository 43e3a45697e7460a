/*
 * Feeds: the thread that every source which reads (files, pipes) has: read a block, wait for its
 * time when paced, write it to the ring; until the end, an error or a stop.
 */
#ifndef CAPTURE_FEED_H
#define CAPTURE_FEED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/thread.h"
#include "capture/source.h"

/**
 * Read the next block.
 *
 * @param state        the backend's
 * @param[out] frames  room for max_frames in the source's format
 * @return frames, 0 at the end, KODAMA_ERR_CANCELLED when the feed was stopped meanwhile, or
 * another error in words
 *
 * Thread: the feed's.
 */
typedef int64_t (*feed_read_function)(void *state, void *frames, size_t max_frames,
                                      struct kodama_error *error);

struct feed {
    /* Immutable after feed_init. */
    struct kodama_source *source;
    feed_read_function read;
    void *state;
    bool paced;
    size_t block_frames;
    struct kodama_waitable stop_signal; /* signalled by feed_stop(); `read` may poll it */
    /* Owner only. */
    struct thread thread;
    bool started;
    /* The feed's thread only. */
    uint8_t *block;
    uint64_t begin_ns;
    uint64_t position;
};

/**
 * Prepare; the source's format is set before.
 *
 * @param feed          zeroed
 * @param block_frames  frames per read
 * @param paced         write frame n not before n / rate seconds have passed
 * @return KODAMA_OK, KODAMA_ERR_MEMORY or KODAMA_ERR_SYSTEM
 */
int feed_init(struct feed *feed, struct kodama_source *source, size_t block_frames, bool paced,
              feed_read_function read, void *state, struct kodama_error *error);

/** Free it, stopped; one that was never prepared (zeroed) is allowed. */
void feed_free(struct feed *feed);

int feed_start(struct feed *feed, struct kodama_error *error);

/** End the thread. A feed that waits for room in the ring is freed by closing the ring before. */
void feed_stop(struct feed *feed);

#endif
