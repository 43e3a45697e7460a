/* The source "noise": white noise that is the same in every run. */
#include "capture/source_generator.h"

/* The finaliser of splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", 2014): every bit of the result depends on every bit of x. */
static inline uint64_t scramble(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The seed is scrambled too: neighbouring seeds shall not be the same noise, shifted. */
static inline uint64_t key(uint64_t seed)
{
    return scramble(seed + UINT64_C(0x9e3779b97f4a7c15));
}

static inline float sample(uint64_t key, uint64_t index)
{
    uint64_t bits = scramble(key + (index + 1) * UINT64_C(0x9e3779b97f4a7c15));
    /* 24 bits are what a float holds exactly. */
    return (float)((int32_t)(bits >> 40) - 8388608) / 8388608.0f;
}

float generator_noise_sample(uint64_t seed, uint64_t index)
{
    return sample(key(seed), index);
}

void generator_noise(const struct generator *generator, uint64_t position, float *out,
                     size_t n_frames)
{
    uint64_t from = position * generator->source->format.channels;
    size_t n_samples = n_frames * generator->source->format.channels;
    uint64_t seed_key = key(generator->seed);
    float amplitude = (float)generator->amplitude;
    for (size_t i = 0; i < n_samples; i++) out[i] = amplitude * sample(seed_key, from + i);
}

static int noise_open(struct kodama_source *source, const struct kodama_source_config *config,
                      struct kodama_error *error)
{
    return generator_open(source, config, generator_noise, NULL, error);
}

const struct source_ops source_noise_ops = {
    .name = "noise",
    .live = false,
    .open = noise_open,
    .start = generator_start,
    .stop = generator_stop,
    .close = generator_close,
};
