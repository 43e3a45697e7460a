/* Features and pitch as a generator of the RVC kind wants them. */
#include "voice/rvc_features.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* The mel scale of O'Shaughnessy with the natural logarithm, as it was when models were trained. */
static double mel(double hz)
{
    return 1127.0 * log(1.0 + hz / 700.0);
}

int64_t rvc_coarse_pitch(float hz)
{
    const double low = mel(RVC_PITCH_LOWEST), high = mel(RVC_PITCH_HIGHEST);
    if (!(hz > 0.0f)) return 1;
    double coarse = (mel(hz) - low) * 254.0 / (high - low) + 1.0;
    if (!(coarse > 1.0)) return 1;
    return coarse < 255.0 ? llrint(coarse) : 255; /* to even, as numpy does */
}

void rvc_features_double(const float *frames, size_t n_frames, size_t dims, float *to, size_t n_to)
{
    for (size_t i = 0; i < n_to; i++) {
        size_t from = i / 2 < n_frames ? i / 2 : n_frames - 1;
        memcpy(to + i * dims, frames + from * dims, dims * sizeof *to);
    }
}

void rvc_features_protect(float *features, const float *before, const float *pitch_hz,
                          size_t n_frames, size_t dims, float share)
{
    if (!(share < 0.5f)) return;
    for (size_t i = 0; i < n_frames; i++) {
        if (pitch_hz[i] >= 1.0f) continue;
        float *to = features + i * dims;
        const float *old = before + i * dims;
        for (size_t c = 0; c < dims; c++) to[c] = share * to[c] + (1.0f - share) * old[c];
    }
}

/* Place of frame i of n_to among n_frames, so that the middles of both ends' frames keep theirs. */
static double place(size_t i, size_t n_frames, size_t n_to)
{
    double at = ((double)i + 0.5) * (double)n_frames / (double)n_to - 0.5;
    if (at < 0.0) return 0.0;
    return at < (double)(n_frames - 1) ? at : (double)(n_frames - 1);
}

void rvc_features_stretch(const float *frames, size_t n_frames, size_t dims, float *to, size_t n_to)
{
    for (size_t i = 0; i < n_to; i++) {
        double at = place(i, n_frames, n_to);
        size_t left = (size_t)at, right = left + 1 < n_frames ? left + 1 : left;
        float share = (float)(at - (double)left);
        for (size_t c = 0; c < dims; c++)
            to[i * dims + c] = frames[left * dims + c] +
                               share * (frames[right * dims + c] - frames[left * dims + c]);
    }
}

void rvc_pitch_stretch(const float *pitch_hz, size_t n_frames, float *to, size_t n_to)
{
    for (size_t i = 0; i < n_to; i++) {
        double at = place(i, n_frames, n_to);
        size_t left = (size_t)at, right = left + 1 < n_frames ? left + 1 : left;
        float share = (float)(at - (double)left), a = pitch_hz[left], b = pitch_hz[right];
        bool both = a > 0.0f && b > 0.0f;
        to[i] = both ? a + share * (b - a) : share < 0.5f ? a : b;
    }
}
