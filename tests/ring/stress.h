/* What the threaded tests of the ring share: frames that say their own position. */
#ifndef TESTS_RING_STRESS_H
#define TESTS_RING_STRESS_H

#include "support/support.h"

#include <string.h>

#include <kodama/ring.h>

/* Eight bytes a frame, and in them a checksum of the position: no frame can pass for another. */
#define STRESS_FORMAT ((struct kodama_format){KODAMA_SAMPLE_S16, 48000, 4, 0})

static inline uint64_t stress_frame(uint64_t position)
{
    return (position + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline void stress_fill(uint64_t *frames, uint64_t position, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) frames[i] = stress_frame(position + i);
}

/*
 * Whether all frames are what they must be. The loop may look at a view that is being overwritten,
 * which is what the tests are about: TSan must not see it.
 */
__attribute__((no_sanitize("thread"), noinline, unused)) static bool stress_right(
    const void *frames, uint64_t position, uint64_t n)
{
    const volatile uint64_t *values = frames;
    bool right = true;
    for (uint64_t i = 0; i < n; i++) right &= values[i] == stress_frame(position + i);
    return right;
}

static inline struct kodama_ring *stress_ring(uint64_t capacity_frames)
{
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    struct kodama_ring *ring;
    config.format = STRESS_FORMAT;
    config.capacity_frames = capacity_frames;
    config.n_marks = 64;
    assert_int_equal(kodama_ring_create(&ring, &config, NULL), KODAMA_OK);
    return ring;
}

static inline struct kodama_cursor *stress_cursor(struct kodama_ring *ring, bool lossless,
                                                  uint64_t watermark)
{
    struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
    struct kodama_cursor *cursor;
    config.lossless = lossless;
    config.watermark_frames = watermark;
    assert_int_equal(kodama_cursor_open(&cursor, ring, &config), KODAMA_OK);
    return cursor;
}

#endif
