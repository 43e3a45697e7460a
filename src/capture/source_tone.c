/* The source "tone": a sine for each channel, whose phase is exact however long it plays. */
#define _DEFAULT_SOURCE /* M_PI */
#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "capture/source_generator.h"

struct tone_state {
    struct generator generator; /* first: the functions of generators work on it */
    double frequency_hz[KODAMA_CHANNELS_MAX], amplitude[KODAMA_CHANNELS_MAX];
};

/* frequency * position / rate, modulo 1. The whole seconds and the rest are taken apart: of the
 * first product fma() gives what rounding would lose, and the second one is small. So the error is
 * that of a few roundings after a day as after a second. */
double generator_tone_phase(double frequency_hz, uint32_t rate_hz, uint64_t position)
{
    uint64_t whole = position / rate_hz;
    /* NOLINTNEXTLINE(bugprone-integer-division): whole seconds are wanted */
    double seconds = (double)whole, rest = (double)(position % rate_hz);
    double cycles = frequency_hz * seconds;
    double lost = fma(frequency_hz, seconds, -cycles);
    double phase = (cycles - floor(cycles)) + lost;
    double part = frequency_hz * rest / rate_hz;
    phase += part - floor(part);
    return phase - floor(phase);
}

static void fill_tone(const struct generator *generator, uint64_t position, float *out,
                      size_t n_frames)
{
    const struct tone_state *tone = (const struct tone_state *)generator;
    uint32_t channels = generator->source->format.channels;
    uint32_t rate_hz = generator->source->format.rate_hz;
    for (size_t i = 0; i < n_frames; i++) {
        double sine = 0.0;
        for (uint32_t c = 0; c < channels; c++) {
            if (c == 0 || tone->frequency_hz[c] != tone->frequency_hz[c - 1]) {
                sine = sin(2.0 * M_PI *
                           generator_tone_phase(tone->frequency_hz[c], rate_hz, position + i));
            }
            *out++ = (float)(tone->amplitude[c] * sine);
        }
    }
}

/* Each channel its own frequency and amplitude, or that of all. */
static int choose_tones(struct tone_state *tone, const struct kodama_source_config *config,
                        uint32_t rate_hz, struct kodama_error *error)
{
    if ((config->n_frequencies > 0 && !config->frequencies_hz) ||
        (config->n_amplitudes > 0 && !config->amplitudes)) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "source tone: frequencies or amplitudes are counted but missing");
    }
    for (size_t c = 0; c < KODAMA_CHANNELS_MAX; c++) {
        double frequency =
            c < config->n_frequencies ? config->frequencies_hz[c] : config->frequency_hz;
        double amplitude = c < config->n_amplitudes ? config->amplitudes[c] : config->amplitude;
        /* These also refuse what is not a number. */
        if (!(frequency >= 0.0 && frequency <= rate_hz / 2.0)) {
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "source tone: %g Hz cannot be had at a rate of %lu Hz: 0 to %g Hz are "
                             "allowed",
                             frequency, (unsigned long)rate_hz, rate_hz / 2.0);
        }
        if (!(amplitude >= 0.0 && amplitude <= 1.0)) {
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "source tone: an amplitude of %g is not possible: 0 to 1 are allowed",
                             amplitude);
        }
        tone->frequency_hz[c] = frequency;
        tone->amplitude[c] = amplitude;
    }
    return KODAMA_OK;
}

static int tone_open(struct kodama_source *source, const struct kodama_source_config *config,
                     struct kodama_error *error)
{
    uint32_t rate_hz = config->format.rate_hz > 0 ? config->format.rate_hz : 48000;
    size_t n_own =
        config->n_frequencies > config->n_amplitudes ? config->n_frequencies : config->n_amplitudes;
    uint32_t channels = config->format.channels;
    if (channels == 0) channels = n_own > 0 ? (uint32_t)n_own : 1;
    if (n_own > KODAMA_CHANNELS_MAX || n_own > channels) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "source tone: %lu frequencies and %lu amplitudes for %lu channels, of "
                         "which there may be %d",
                         (unsigned long)config->n_frequencies, (unsigned long)config->n_amplitudes,
                         (unsigned long)channels, KODAMA_CHANNELS_MAX);
    }
    struct tone_state *tone = memory_array(1, sizeof *tone);
    if (!tone) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    source->state = tone;
    struct kodama_source_config with_channels = *config;
    with_channels.format.channels = channels;
    int status = choose_tones(tone, config, rate_hz, error);
    if (status == KODAMA_OK) {
        status = generator_init(&tone->generator, source, &with_channels, fill_tone, NULL,
                                config->paced, error);
    }
    if (status < 0) generator_close(source);
    return status;
}

const struct source_ops source_tone_ops = {
    .name = "tone",
    .live = false,
    .open = tone_open,
    .start = generator_start,
    .stop = generator_stop,
    .close = generator_close,
};
