/* Levels of blocks of float frames: peak, energy and clipped samples of each channel. */
#include "audio/level.h"

#include <float.h>
#include <math.h>

/* gcc vectorises such loops only from -O3 on, clang from -O2 on. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

/* Samples are taken LANES at a time, each lane on its own, so that compilers need not reorder sums
 * to make vector code of them. With 1, 2, 4 or 8 channels a lane is always of the same channel;
 * with 3, 5, 6 or 7 as many lanes are used as there are channels, and the loop stays scalar. */
enum { LANES = 8 };

/* Sums of squares are floats for no more than so many samples: 256 additions to a lane lose at most
 * 256 * 2^-24 = 1.5e-5 of it, 0.00007 dB. */
enum { RUN = 256 * LANES };

struct lanes {
    float peak[LANES];
    float energy[LANES];
    uint32_t clipped[LANES];
};

float level_full_scale(enum kodama_sample sample)
{
    switch (sample) {
    case KODAMA_SAMPLE_U8: return 127.0f / 128.0f;
    case KODAMA_SAMPLE_S16: return 32767.0f / 32768.0f;
    case KODAMA_SAMPLE_S24: return 8388607.0f / 8388608.0f;
    case KODAMA_SAMPLE_S32: /* its highest value is 1.0 as a float */
    case KODAMA_SAMPLE_F32: break;
    }
    return 1.0f;
}

static inline void add_sample(struct lanes *lanes, size_t lane, float sample, float full_scale)
{
    float magnitude = fabsf(sample);
    lanes->clipped[lane] += magnitude >= full_scale;
    magnitude = magnitude <= FLT_MAX ? magnitude : 0.0f;
    lanes->peak[lane] = magnitude > lanes->peak[lane] ? magnitude : lanes->peak[lane];
    lanes->energy[lane] += magnitude * magnitude;
}

/* The caller gives whole rounds of LANES samples. */
static void add_rounds(struct lanes *restrict lanes, const float *restrict samples, size_t n,
                       float full_scale)
{
    struct lanes sums = *lanes; /* in registers */
    for (size_t i = 0; i < n; i += LANES) {
        for (size_t l = 0; l < LANES; l++) add_sample(&sums, l, samples[i + l], full_scale);
    }
    *lanes = sums;
}

static void add_frames(struct lanes *lanes, const float *frames, size_t n_frames, uint32_t channels,
                       float full_scale)
{
    for (size_t i = 0; i < n_frames; i++) {
        for (uint32_t c = 0; c < channels; c++) add_sample(lanes, c, *frames++, full_scale);
    }
}

void level_add(struct level_sums *sums, const float *frames, size_t n_frames, uint32_t channels,
               float full_scale)
{
    size_t run_frames = RUN / LANES;
    size_t round_frames = LANES % channels == 0 ? LANES / channels : 0;
    if (round_frames > 0) run_frames *= round_frames;
    while (n_frames > 0) {
        size_t n = n_frames < run_frames ? n_frames : run_frames;
        size_t in_rounds = round_frames > 0 ? n / round_frames * round_frames : 0;
        struct lanes lanes = {0};
        add_rounds(&lanes, frames, in_rounds * channels, full_scale);
        add_frames(&lanes, frames + in_rounds * channels, n - in_rounds, channels, full_scale);
        for (size_t l = 0; l < LANES; l++) {
            size_t c = l % channels; /* unused lanes are 0 */
            if (lanes.peak[l] > sums->peak[c]) sums->peak[c] = lanes.peak[l];
            sums->energy[c] += (double)lanes.energy[l];
            sums->clipped[c] += lanes.clipped[l];
        }
        frames += n * channels;
        n_frames -= n;
    }
}

double level_db(double factor)
{
    return factor > 0.0 ? 20.0 * log10(factor) : -INFINITY;
}

double level_factor(double db)
{
    return pow(10.0, db / 20.0);
}
