/* Resamples a piece of sound as a whole. */
#include "voice/rvc_piece.h"

#include <math.h>
#include <string.h>

enum { HALF = 16, STEPS = 256 };

/* The kernel at STEPS places per zero crossing; straight lines between are 100 dB down. */
static void make_kernel(float *kernel)
{
    const double pi = acos(-1.0);
    for (size_t i = 0; i <= HALF * STEPS; i++) {
        double x = (double)i / STEPS, sinc = i == 0 ? 1.0 : sin(pi * x) / (pi * x);
        kernel[i] = (float)(sinc * (0.5 + 0.5 * cos(pi * x / HALF)));
    }
    kernel[HALF * STEPS + 1] = 0.0f;
}

void rvc_piece_resample(const float *from, size_t n_from, float *to, size_t n_to)
{
    if (n_from == n_to) {
        memcpy(to, from, n_to * sizeof *to);
        return;
    }
    float kernel[HALF * STEPS + 2];
    make_kernel(kernel);
    const double step = (double)n_from / (double)n_to;
    const double scale = step > 1.0 ? 1.0 / step : 1.0; /* of the band that is kept */
    const double reach = HALF / scale;
    for (size_t i = 0; i < n_to; i++) {
        double at = ((double)i + 0.5) * step - 0.5;
        long first = (long)ceil(at - reach), last = (long)floor(at + reach);
        double sum = 0.0, total = 0.0;
        for (long j = first; j <= last; j++) {
            double x = fabs((double)j - at) * scale * STEPS;
            size_t k = (size_t)x;
            if (k > HALF * STEPS) continue;
            double weight =
                (double)kernel[k] + (x - (double)k) * ((double)kernel[k + 1] - (double)kernel[k]);
            long place = j < 0 ? 0 : j >= (long)n_from ? (long)n_from - 1 : j;
            sum += weight * (double)from[place];
            total += weight;
        }
        to[i] = (float)(sum / total);
    }
}
