/*
 * Feeds: the thread that every source which reads (files, pipes) has: read a block, wait for its
 * time when paced, write it to the ring; until the end, an error or a stop. After a stop it can be
 * started again and goes on with the frame that comes next; after an end it ends again at once.
 *
 * Frames that a full lossless reader refuses (source->rejects) become a gap: silence of their
 * length, written when there is room again.
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

enum { FEED_MARKS_MAX = 72 }; /* a mix of 64 inputs has something to say of each */

/** What a block is. */
enum feed_block {
    FEED_SOUND = 0, /* frames of which nothing is said */
    FEED_SILENCE,   /* silent, says the source */
    FEED_MISSING,   /* silence in the place of frames that the source lost */
};

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
    /* The feed's thread only; kept from one start to the next. */
    uint8_t *block;
    size_t n_held, held_at; /* frames in the block; of which written */
    enum feed_block what;   /* the block is */
    /* Of the block that is held, where they are not published yet; their positions count from its
     * first frame, modulo 2^64: some lie before it. */
    struct kodama_mark marks[FEED_MARKS_MAX];
    size_t n_marks;
    uint64_t refused; /* frames that were refused and are not yet on the timeline */
    bool ended;
    struct kodama_error error; /* why, or nothing */
    uint64_t begin_ns;         /* of this start */
    uint64_t position;         /* frames since this start */
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

/** For `read`: say something of the first frame of the block that is being read; the mark is
 * published just before the block. Thread: the feed's. */
void feed_mark(struct feed *feed, uint64_t length, uint64_t time_ns, uint32_t flags);

/** The same of a place that is `offset` frames from the block's first frame; to be called in order
 * of place. A gap may be longer than the block: of a block that is refused, what lies behind it is
 * told with the next one. Thread: the feed's. */
void feed_mark_at(struct feed *feed, int64_t offset, struct kodama_mark mark);

/** For `read`: say what the block that is being read is. It is counted when it is written; marking
 * it is up to `read`. Thread: the feed's. */
void feed_say(struct feed *feed, enum feed_block what);

/** Start, for the first time or again after a stop. KODAMA_OK or KODAMA_ERR_SYSTEM. */
int feed_start(struct feed *feed, struct kodama_error *error);

/** End the thread. A feed that waits for room in the ring is freed by closing the ring before. */
void feed_stop(struct feed *feed);

#endif
