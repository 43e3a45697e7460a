/* The source "tone": a sine whose phase is exact however long it plays. */
#define _DEFAULT_SOURCE /* M_PI */
#include <math.h>

#include "base/error.h"
#include "capture/source_generator.h"

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
    uint32_t channels = generator->source->format.channels;
    for (size_t i = 0; i < n_frames; i++) {
        double phase = generator_tone_phase(generator->frequency_hz,
                                            generator->source->format.rate_hz, position + i);
        float value = (float)(generator->amplitude * sin(2.0 * M_PI * phase));
        for (uint32_t c = 0; c < channels; c++) *out++ = value;
    }
}

static int tone_open(struct kodama_source *source, const struct kodama_source_config *config,
                     struct kodama_error *error)
{
    uint32_t rate_hz = config->format.rate_hz > 0 ? config->format.rate_hz : 48000;
    if (!(config->frequency_hz >= 0.0 && config->frequency_hz <= rate_hz / 2.0)) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "source tone: %g Hz cannot be had at a rate of %lu Hz: 0 to %g Hz are "
                         "allowed",
                         config->frequency_hz, (unsigned long)rate_hz, rate_hz / 2.0);
    }
    return generator_open(source, config, fill_tone, NULL, error);
}

const struct source_ops source_tone_ops = {
    .name = "tone",
    .live = false,
    .open = tone_open,
    .start = generator_start,
    .stop = generator_stop,
    .close = generator_close,
};
