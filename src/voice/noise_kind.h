/*
 * Kinds of noise beds from the inside: the table that each fills, and what they are put together
 * from: filters of noise, slow random curves, things that ring. Private to the beds.
 *
 * A kind makes its sound NOISE_BLOCK samples at a time; what changes slowly changes between two
 * blocks. The beds cut it, so that nobody else sees these blocks.
 */
#ifndef VOICE_NOISE_KIND_H
#define VOICE_NOISE_KIND_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

enum { NOISE_BLOCK = 64 };

/** A kind of bed. All members are mandatory. */
struct noise_kind {
    const char *name;
    size_t state_bytes;
    /** Begin with a zeroed state. */
    void (*begin)(void *state, uint32_t rate_hz, uint64_t key);
    /** The next NOISE_BLOCK samples; their level over minutes is NOISE_BED_RMS. */
    void (*block)(void *state, float *out);
};

extern const struct noise_kind noise_cafe_kind;
extern const struct noise_kind noise_street_kind;
extern const struct noise_kind noise_room_kind;
extern const struct noise_kind noise_rain_kind;
extern const struct noise_kind noise_white_kind;
extern const struct noise_kind noise_pink_kind;

#define NOISE_PI 3.14159265358979323846

/* -------------------------------------------------------------------- chance */

/** Nearly normal noise, deviation 1. */
static inline float noise_bell(uint64_t *random)
{
    return random_bell(random_next(random));
}

/** Uniform in [from, to). */
static inline float noise_between(uint64_t *random, float from, float to)
{
    return from + (to - from) * random_unit(random_next(random));
}

/** Around a middle, as often twice as much as half of it: middle * 2^(octaves * normal). */
static inline float noise_around(uint64_t *random, float middle, float octaves)
{
    return middle * exp2f(octaves * noise_bell(random));
}

/** Samples until the next of events that come on their own, so many per second. */
static inline uint32_t noise_wait(uint64_t *random, float per_second, uint32_t rate_hz)
{
    float unit = 1 - random_unit(random_next(random)); /* (0, 1] */
    return 1 + (uint32_t)(-logf(unit) / per_second * (float)rate_hz);
}

/** What white noise of deviation 1 is multiplied with so that a band of it is as loud at every
 * rate. */
static inline float noise_density(uint32_t rate_hz)
{
    return sqrtf((float)rate_hz / 48000.0f);
}

/* ------------------------------------------------------------------- filters */

/** First-order low-pass. */
struct noise_low {
    float part, y;
};

static inline void noise_low_set(struct noise_low *low, float hz, uint32_t rate_hz)
{
    float most = 0.45f * (float)rate_hz;
    low->part = 1 - expf(-2 * (float)NOISE_PI * (hz < most ? hz : most) / (float)rate_hz);
}

static inline float noise_low_next(struct noise_low *low, float x)
{
    low->y += low->part * (x - low->y);
    return low->y;
}

/** Band-pass with gain 1 at its centre (Bristow-Johnson's cookbook), transposed form. */
struct noise_band {
    float b0, a1, a2, s1, s2;
};

static inline void noise_band_set(struct noise_band *band, float hz, float q, uint32_t rate_hz)
{
    float most = 0.45f * (float)rate_hz;
    float w = 2 * (float)NOISE_PI * (hz < most ? hz : most) / (float)rate_hz;
    float alpha = sinf(w) / (2 * q);
    band->b0 = alpha / (1 + alpha);
    band->a1 = -2 * cosf(w) / (1 + alpha);
    band->a2 = (1 - alpha) / (1 + alpha);
}

static inline float noise_band_next(struct noise_band *band, float x)
{
    float push = band->b0 * x;
    float y = push + band->s1;
    band->s1 = band->s2 - band->a1 * y;
    band->s2 = -push - band->a2 * y;
    return y;
}

/* --------------------------------------------------------------- slow curves */

/** A random curve of deviation 1 that wanders: an Ornstein-Uhlenbeck process, smoothed. */
struct noise_slow {
    float keep, push, part; /* for each block */
    float raw, y;
};

/** Begin one that forgets in so many seconds. */
void noise_slow_begin(struct noise_slow *slow, float seconds, uint32_t rate_hz, uint64_t *random);
/** Where it is after the next block. */
float noise_slow_next(struct noise_slow *slow, uint64_t *random);

/* ------------------------------------------------------------- what rings on */

enum { NOISE_RINGS = 48 };

/** A sine that dies away: y[n] = c1 y[n-1] - c2 y[n-2]. */
struct noise_ring {
    float c1, c2, y1, y2;
    uint32_t begin; /* sample of the next block */
    uint32_t left;  /* samples; 0: free */
};

struct noise_rings {
    struct noise_ring rings[NOISE_RINGS];
    uint32_t n_used; /* those behind are free */
};

/** Strike one in the next block; when all ring, or it were above the rate's band, none. */
void noise_rings_strike(struct noise_rings *rings, uint32_t offset, float hz, float decay_s,
                        float amplitude, uint32_t rate_hz);
/** Add the next block. */
void noise_rings_add(struct noise_rings *rings, float *out);

#endif
