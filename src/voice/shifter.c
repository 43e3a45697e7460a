/*
 * The converter without a model. Grains of fixed length are read faster or slower, which moves
 * pitch and formants together: what stands in until the period-synchronous one is there.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "voice/converter.h"

struct shifter {
    uint32_t hop, grain, mask;
    float *line; /* the newest samples, circular */
    uint64_t n_in;
    double offset; /* of the first of two readers within the grain */
};

static void shifter_close(void *converter)
{
    struct shifter *s = converter;
    if (!s) return;
    free(s->line);
    free(s);
}

static void shifter_reset(void *converter)
{
    struct shifter *s = converter;
    memset(s->line, 0, (s->mask + 1) * sizeof *s->line);
    s->n_in = 0;
    s->offset = 0.0;
}

static int shifter_open(void **converter, const struct kodama_voice_config *config,
                        uint32_t rate_hz, struct converter_facts *facts, struct kodama_error *error)
{
    (void)config;
    struct shifter *s = memory_array(1, sizeof *s);
    if (!s) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a shifter");
    s->hop = rate_hz / 1000;
    s->grain = rate_hz / 40;
    s->mask = 1;
    while (s->mask < s->grain + s->hop + 2) s->mask *= 2;
    s->line = memory_array(s->mask, sizeof *s->line);
    s->mask--;
    if (!s->line) {
        shifter_close(s);
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a shifter");
    }
    *facts = (struct converter_facts){.rate_in_hz = rate_hz,
                                      .rate_out_hz = rate_hz,
                                      .hop_in = s->hop,
                                      .hop_out = s->hop,
                                      .delay = s->grain / 2};
    *converter = s;
    return KODAMA_OK;
}

static float read_line(const struct shifter *s, double back)
{
    uint64_t whole = (uint64_t)back;
    float rest = (float)(back - (double)whole);
    float a = s->line[(s->n_in - 1 - whole) & s->mask];
    float b = s->line[(s->n_in - 2 - whole) & s->mask];
    return a + rest * (b - a);
}

static int shifter_convert(void *converter, const float *in, float *out,
                           const struct converter_control *control)
{
    struct shifter *s = converter;
    double ratio = pow(2.0, ((double)control->pitch + (double)control->formant) / 12.0);
    for (uint32_t i = 0; i < s->hop; i++) {
        s->line[s->n_in++ & s->mask] = in[i];
        s->offset += 1.0 - ratio;
        s->offset -= floor(s->offset / s->grain) * s->grain;
        double other = s->offset + 0.5 * s->grain;
        if (other >= s->grain) other -= s->grain;
        float weight = (float)(1.0 - fabs(2.0 * s->offset / s->grain - 1.0));
        out[i] = weight * read_line(s, s->offset) + (1.0f - weight) * read_line(s, other);
    }
    return KODAMA_OK;
}

const struct converter_ops converter_shifter = {
    .name = "shifter",
    .open = shifter_open,
    .close = shifter_close,
    .convert = shifter_convert,
    .reset = shifter_reset,
};
