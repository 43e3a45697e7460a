/*
 * Random numbers that are the same in every run and on every machine: splitmix64 (Steele, Lea,
 * Flood, "Fast splittable pseudorandom number generators", 2014).
 *
 * A number is either the n-th of a seed (random_at), or the next of a running state. Neither needs
 * a library's logarithm or cosine, so no two machines differ in the last bit.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

#define RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)

/** The finaliser: every bit of the result depends on every bit of x. */
static inline uint64_t random_scramble(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/** A seed made into a key. Neighbouring seeds shall not give the same numbers, shifted. */
static inline uint64_t random_key(uint64_t seed)
{
    return random_scramble(seed + RANDOM_STEP);
}

/** The n-th number of a key; that of a neighbouring key has nothing to do with it. */
static inline uint64_t random_at(uint64_t key, uint64_t n)
{
    return random_scramble(key + (n + 1) * RANDOM_STEP);
}

/** The next number of a running state. */
static inline uint64_t random_next(uint64_t *state)
{
    *state += RANDOM_STEP;
    return random_scramble(*state);
}

/** 64 bits as a float in [0, 1): the 24 bits that a float holds exactly. */
static inline float random_unit(uint64_t bits)
{
    return (float)(bits >> 40) * 0x1p-24f;
}

/** 64 bits as the sum of four uniform numbers: nearly normal, mean 0, deviation 1, at most 3.5 in
 * magnitude. */
static inline float random_bell(uint64_t bits)
{
    uint64_t pairs =
        (bits & UINT64_C(0x0000ffff0000ffff)) + ((bits >> 16) & UINT64_C(0x0000ffff0000ffff));
    uint32_t sum = (uint32_t)(pairs & 0xffffffff) + (uint32_t)(pairs >> 32);
    /* Mean 4 * 32767.5, variance 4 * 65536^2 / 12. */
    return ((float)sum - 131070.0f) * (1.0f / 37837.227f);
}

#endif
