/*
 * The pace of an adaptive dispatcher: how long its chunks are.
 *
 * What a callback costs is a part per call (waking, locking, its own set-up) and a part per frame.
 * Longer chunks make the first part rarer, at the price of delay; so they are worth it only when
 * the dispatcher does not keep up. The rule, with its hysteresis:
 *
 *   - longer, twice as long at once, when more than two chunks wait behind the one that was
 *     dispatched, or its calls took more than half of the time that it lasts: to react late is to
 *     lose frames;
 *   - shorter, by an eighth, after a hundred chunks in a row of which each left less than one
 *     chunk waiting and took less than a quarter of the time that the shorter one would last: one
 *     quiet moment proves nothing, and a quarter of the shorter one is far from half of it.
 */
#ifndef STREAM_DISPATCHER_PACE_H
#define STREAM_DISPATCHER_PACE_H

#include <stdint.h>

enum { PACE_LEAST_MS = 5, PACE_MOST_MS = 20, PACE_CALM_CHUNKS = 100 };

struct pace {
    uint32_t calm; /* chunks in a row */
};

/**
 * How long the next chunk is.
 *
 * @param pace          zeroed at first
 * @param chunk_frames  of the chunk that was dispatched
 * @param queue_frames  that wait behind it
 * @param calls_ns      that its calls took
 * @param rate_hz       frames per second
 * @return frames, 5 to 20 ms, or a chunk outside of that which was set by hand and need not change
 */
uint32_t pace_next(struct pace *pace, uint32_t chunk_frames, uint64_t queue_frames,
                   uint64_t calls_ns, uint32_t rate_hz);

#endif
