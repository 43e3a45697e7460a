/* The source "noise": white noise that is the same in every run. */
#include "base/random.h"
#include "capture/source_generator.h"

static inline float sample(uint64_t key, uint64_t index)
{
    uint64_t bits = random_at(key, index);
    /* 24 bits are what a float holds exactly. */
    return (float)((int32_t)(bits >> 40) - 8388608) / 8388608.0f;
}

float generator_noise_sample(uint64_t seed, uint64_t index)
{
    return sample(random_key(seed), index);
}

void generator_noise(const struct generator *generator, uint64_t position, float *out,
                     size_t n_frames)
{
    uint64_t from = position * generator->source->format.channels;
    size_t n_samples = n_frames * generator->source->format.channels;
    uint64_t seed_key = random_key(generator->seed);
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
