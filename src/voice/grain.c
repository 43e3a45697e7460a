/* How grains are read. */
#include "voice/grain.h"

#include <math.h>

#include "voice/dot.h"

/* Modified Bessel function of order 0, for Kaiser's window. */
static double bessel(double x)
{
    double sum = 1.0, term = 1.0;
    for (int k = 1; k < 30; k++) {
        term *= (0.5 * x / k) * (0.5 * x / k);
        sum += term;
    }
    return sum;
}

/* Filter c passes what is below a rate of 1 / 2^(c / 4): reading so much faster has no aliases. */
void grain_filters_fill(struct grain_filters *filters)
{
    const double pi = 3.14159265358979323846, beta = 6.0;
    const int half = GRAIN_TAPS / 2;
    for (int c = 0; c < GRAIN_CUTS; c++)
        for (int phase = 0; phase <= GRAIN_PHASES; phase++) {
            double sum = 0.0, taps[GRAIN_TAPS];
            double cut = c == 0 ? 1.0 : 0.95 * exp2(-0.25 * c);
            for (int i = 0; i < GRAIN_TAPS; i++) {
                double t = i - (half - 1) - (double)phase / GRAIN_PHASES;
                double sinc = t == 0.0 ? cut : sin(pi * cut * t) / (pi * t);
                double x = t / half;
                double window = fabs(x) < 1.0 ? bessel(beta * sqrt(1.0 - x * x)) / bessel(beta) : 0;
                taps[i] = sinc * window;
                sum += taps[i];
            }
            for (int i = 0; i < GRAIN_TAPS; i++)
                filters->taps[c][phase][i] = (float)(taps[i] / sum);
        }
}

static inline float dot_taps(const float *taps, const float *samples)
{
    dot_lanes sum = dot_load(taps) * dot_load(samples);
    for (int i = 4; i < GRAIN_TAPS; i += 4) sum += dot_load(taps + i) * dot_load(samples + i);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* From 0 to 1, and the same backwards: ease(x) + ease(1 - x) is 1. */
static inline float ease(float x)
{
    return x * x * (3.0f - 2.0f * x);
}

static float weight_of(const struct grain *g, float x)
{
    float weight = g->gain;
    if (x < 0.0f) weight *= ease((x + g->fade_in) / g->fade_in);
    if (g->end > 0.0f && x > g->fade_out)
        weight *= x < g->end ? ease((g->end - x) / (g->end - g->fade_out)) : 0.0f;
    return weight;
}

bool grain_add(const struct grain *grain, const struct grain_filters *filters,
               const struct line *line, int64_t begin, uint32_t n, float *out)
{
    const struct grain *g = grain;
    int cut = g->speed > 1.0 ? (int)ceil(4.0 * log2(g->speed) - 1e-6) : 0;
    if (cut >= GRAIN_CUTS) cut = GRAIN_CUTS - 1;
    double start = g->to - (double)g->fade_in / g->speed;
    uint32_t i = 0;
    if (start > (double)begin) {
        double skip = ceil(start - (double)begin);
        if (skip >= (double)n) return false;
        i = (uint32_t)skip;
    }
    for (; i < n; i++) {
        double x = ((double)(begin + i) - g->to) * g->speed;
        if (g->end > 0.0f && x >= (double)g->end) return true;
        double place = g->from + x;
        int64_t whole = (int64_t)place;
        int phase = (int)((place - (double)whole) * GRAIN_PHASES + 0.5);
        const float *samples = line_at(line, whole - (GRAIN_TAPS / 2 - 1));
        out[i] += weight_of(g, (float)x) * dot_taps(filters->taps[cut][phase], samples);
    }
    return false;
}
