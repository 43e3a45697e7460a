/* For tests of streams: sources of known noise, and callbacks that check it as it goes by. */
#ifndef TESTS_STREAM_STREAMING_H
#define TESTS_STREAM_STREAMING_H

#include "support/support.h"

#include <stdatomic.h>
#include <string.h>

#include <kodama/stream.h>

#include "base/clock.h"
#include "base/thread.h"
#include "capture/source_generator.h"

enum { STREAMING_SEED = 4711 };

/** Configuration of a source of mono f32 noise at 48 kHz. */
static inline struct kodama_source_config streaming_noise(uint64_t length_frames)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.seed = STREAMING_SEED;
    config.amplitude = 1.0;
    config.length_frames = length_frames;
    return config;
}

static inline struct kodama_source *streaming_source(const char *name,
                                                     const struct kodama_source_config *config)
{
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (kodama_source_open(&source, name, config, &error) < 0) fail_msg("%s", error.message);
    return source;
}

static inline struct kodama_stream *streaming_open(struct kodama_source *source,
                                                   const struct kodama_stream_config *config)
{
    struct kodama_stream *stream;
    struct kodama_error error = {0};
    if (kodama_stream_open(&stream, source, config, &error) < 0) fail_msg("%s", error.message);
    return stream;
}

static inline void streaming_run(struct kodama_stream *stream)
{
    struct kodama_error error = {0};
    if (kodama_stream_start(stream, &error) < 0) fail_msg("%s", error.message);
    if (kodama_stream_wait(stream, KODAMA_FOREVER, &error) < 0) fail_msg("%s", error.message);
}

/** Whether frames are the noise that belongs there. */
static inline bool streaming_is_noise(const struct kodama_chunk *chunk)
{
    const float *frames = chunk->frames;
    for (uint32_t i = 0; i < chunk->n_frames; i++) {
        if (frames[i] != generator_noise_sample(STREAMING_SEED, chunk->position + i)) return false;
    }
    return true;
}

static inline void streaming_nap(uint64_t ms)
{
    clock_sleep_until(clock_now_ns() + ms * CLOCK_NS_PER_MS);
}

static inline struct kodama_stream_stats streaming_stats(const struct kodama_stream *stream)
{
    struct kodama_stream_stats stats;
    kodama_stream_stats(stream, &stats);
    return stats;
}

#endif
