/* Generators: what the sources that make their frames from nothing share. */
#include "capture/source_generator.h"

#include <stdlib.h>

#include "audio/convert.h"
#include "base/error.h"
#include "base/memory.h"

static struct kodama_format with_defaults(struct kodama_format format)
{
    if (format.sample == 0) format.sample = KODAMA_SAMPLE_F32;
    if (format.rate_hz == 0) format.rate_hz = 48000;
    if (format.channels == 0) format.channels = 1;
    return format;
}

int generator_init(struct generator *generator, struct kodama_source *source,
                   const struct kodama_source_config *config, generator_fill_function fill,
                   feed_read_function read, bool paced, struct kodama_error *error)
{
    generator->source = source;
    generator->fill = fill;
    generator->frequency_hz = config->frequency_hz;
    generator->amplitude = config->amplitude;
    generator->seed = config->seed;
    generator->end = config->length_frames > 0 ? config->length_frames : UINT64_MAX;
    source->format = with_defaults(config->format);
    source->live = config->live;
    source->paced = config->paced;
    int status = kodama_format_check(source->format, error);
    if (status < 0) return status;
    if (config->length_frames > INT64_MAX) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "source %s: a length of %llu frames is too long: 0 is without end",
                         source->ops->name, (unsigned long long)config->length_frames);
    }
    source->length = config->length_frames > 0 ? (int64_t)config->length_frames : -1;
    /* Also refuses what is not a number. */
    if (!(config->amplitude >= 0.0 && config->amplitude <= 1.0)) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "source %s: an amplitude of %g is not possible: 0 to 1 are allowed",
                         source->ops->name, config->amplitude);
    }
    size_t block_frames = source->format.rate_hz / 100; /* 10 ms */
    generator->floats = memory_array(block_frames * source->format.channels, sizeof(float));
    if (!generator->floats) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    return feed_init(&generator->feed, source, block_frames, paced, read ? read : generator_read,
                     generator, error);
}

void generator_free(struct generator *generator)
{
    feed_free(&generator->feed);
    free(generator->floats);
}

void generator_make(const struct generator *generator, uint64_t position, void *frames,
                    size_t n_frames)
{
    struct kodama_format format = generator->source->format;
    if (!generator->fill) {
        convert_silence(format.sample, frames, n_frames * format.channels);
        return;
    }
    generator->fill(generator, position, generator->floats, n_frames);
    convert_from_float(format.sample, generator->floats, frames, n_frames * format.channels);
}

int64_t generator_read(void *state, void *frames, size_t max_frames, struct kodama_error *error)
{
    (void)error;
    struct generator *generator = state;
    uint64_t left = generator->end - generator->position;
    size_t n = left < max_frames ? (size_t)left : max_frames;
    generator_make(generator, generator->position, frames, n);
    generator->position += n;
    return (int64_t)n;
}

int generator_open(struct kodama_source *source, const struct kodama_source_config *config,
                   generator_fill_function fill, feed_read_function read,
                   struct kodama_error *error)
{
    struct generator *generator = memory_array(1, sizeof *generator);
    if (!generator) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    source->state = generator;
    int status = generator_init(generator, source, config, fill, read, config->paced, error);
    if (status < 0) generator_close(source);
    return status;
}

int generator_start(struct kodama_source *source, struct kodama_error *error)
{
    struct generator *generator = source->state;
    return feed_start(&generator->feed, error);
}

void generator_stop(struct kodama_source *source)
{
    struct generator *generator = source->state;
    feed_stop(&generator->feed);
}

void generator_close(struct kodama_source *source)
{
    generator_free(source->state);
    free(source->state);
}
