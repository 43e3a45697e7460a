/* Gives a converted voice the loudness of the one that came in. */
#include "voice/rvc_loudness.h"

#include <math.h>

/* Of the 40 ms around the border `at` (in units of 10 ms), as much of it as there is. */
static float level(const float *samples, uint32_t hop, size_t n_frames, size_t at)
{
    size_t from = at < 2 ? 0 : at - 2, to = at + 2 < n_frames ? at + 2 : n_frames;
    double sum = 0.0;
    for (size_t i = from * hop; i < to * hop; i++) sum += (double)samples[i] * samples[i];
    return (float)sqrt(sum / (double)((to - from) * hop));
}

void rvc_loudness_mix(float *samples, uint32_t hop, const float *like, uint32_t like_hop,
                      size_t n_frames, float own)
{
    if (!(own < 1.0f) || n_frames == 0) return;
    /* The levels at a border need two frames before it, which are changed by then: they are taken
     * two borders ahead. */
    float levels[3];
    for (size_t i = 0; i < 3; i++)
        levels[i] = level(samples, hop, n_frames, i < n_frames ? i : n_frames);
    float before = 0.0f;
    for (size_t at = 0; at <= n_frames; at++) {
        float out = levels[0] > 1e-3f ? levels[0] : 1e-3f;
        float gain = powf(level(like, like_hop, n_frames, at) / out, 1.0f - own);
        levels[0] = levels[1];
        levels[1] = levels[2];
        if (at + 3 <= n_frames) levels[2] = level(samples, hop, n_frames, at + 3);
        for (uint32_t i = 0; at > 0 && i < hop; i++)
            samples[(at - 1) * hop + i] *=
                before + (gain - before) * ((float)i + 0.5f) / (float)hop;
        before = gain;
    }
}
