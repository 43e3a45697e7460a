/* Generators: what the sources that make their frames from nothing share. */
#ifndef CAPTURE_SOURCE_GENERATOR_H
#define CAPTURE_SOURCE_GENERATOR_H

#include "capture/feed.h"

struct generator;

/**
 * Make frames: a function of the position alone, so that no error can add up.
 *
 * @param position    of the first frame
 * @param[out] out    interleaved [n_frames][channels]
 */
typedef void (*generator_fill_function)(const struct generator *generator, uint64_t position,
                                        float *out, size_t n_frames);

/* The state of a generator; a backend that has more puts it first in its own. */
struct generator {
    struct feed feed;
    /* Immutable after generator_init. */
    struct kodama_source *source;
    generator_fill_function fill;
    double frequency_hz, amplitude;
    uint64_t seed;
    uint64_t end; /* position where it ends; UINT64_MAX: never */
    /* The feed's thread only. */
    uint64_t position; /* next frame to make */
    float *floats;     /* one block */
};

/**
 * Check what generators have in common and prepare.
 *
 * @param generator  zeroed; its owner sets source->state
 * @param fill       NULL: silence
 * @param read       the feed's, or NULL for generator_read()
 * @param paced      whether the feed keeps the pace
 * @return KODAMA_OK, KODAMA_ERR_FORMAT, KODAMA_ERR_ARGUMENT, KODAMA_ERR_MEMORY, KODAMA_ERR_SYSTEM;
 * generator_free() is due in any case
 */
int generator_init(struct generator *generator, struct kodama_source *source,
                   const struct kodama_source_config *config, generator_fill_function fill,
                   feed_read_function read, bool paced, struct kodama_error *error);
void generator_free(struct generator *generator);

/** Frames from `position` on in the source's format; at most one block. */
void generator_make(const struct generator *generator, uint64_t position, void *frames,
                    size_t n_frames);

/** A feed_read_function that plays from the first frame to the last. */
int64_t generator_read(void *state, void *frames, size_t max_frames, struct kodama_error *error);

/** For source_ops: open a source that is nothing but a generator. */
int generator_open(struct kodama_source *source, const struct kodama_source_config *config,
                   generator_fill_function fill, feed_read_function read,
                   struct kodama_error *error);
int generator_start(struct kodama_source *source, struct kodama_error *error);
void generator_stop(struct kodama_source *source);
void generator_close(struct kodama_source *source);

/** A generator_fill_function: white noise. */
void generator_noise(const struct generator *generator, uint64_t position, float *out,
                     size_t n_frames);

/** Sample `index` (= position * channels + channel) of white noise, uniform in [-1, 1). */
float generator_noise_sample(uint64_t seed, uint64_t index);

/** Phase of a tone at a frame, in cycles, [0, 1). */
double generator_tone_phase(double frequency_hz, uint32_t rate_hz, uint64_t position);

#endif
