/* Inner products, the innermost loop of everything that compares waveforms. */
#ifndef VOICE_DOT_H
#define VOICE_DOT_H

#include <stddef.h>
#include <string.h>

/* Sums of floats must not be reordered by a compiler; so the order that is fast is written down. */
typedef float dot_lanes __attribute__((vector_size(16)));

static inline dot_lanes dot_load(const float *at)
{
    dot_lanes lanes;
    memcpy(&lanes, at, sizeof lanes);
    return lanes;
}

/** Sum of a[i] * b[i]. The order of summation depends on n only. */
static inline float dot(const float *a, const float *b, size_t n)
{
    dot_lanes even = {0}, odd = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        even += dot_load(a + i) * dot_load(b + i);
        odd += dot_load(a + i + 4) * dot_load(b + i + 4);
    }
    even += odd;
    float sum = (even[0] + even[1]) + (even[2] + even[3]);
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
}

#endif
