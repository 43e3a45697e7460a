/* What clips measure: statistics, loudness, where sound begins and ends. */
#include <ebur128.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/clip.h"
#include "base/error.h"

/* Frames summed up before they are added to the total: keeps the sums of long clips precise. */
enum { BLOCK_FRAMES = 4096 };

static double decibels(double amplitude)
{
    return amplitude > 0.0 ? 20.0 * log10(amplitude) : -INFINITY;
}

/* Sum of squares, peak and overs of one channel; notes the first frame of a new overall peak. */
static double measure_channel(const struct kodama_clip *clip, uint32_t channel,
                              struct kodama_clip_stats *stats)
{
    size_t step = clip->format.channels;
    const float *in = clip->samples + channel;
    double sum = 0.0;
    float peak = 0.0f;
    size_t peak_at = 0;
    for (size_t first = 0; first < clip->n_frames; first += BLOCK_FRAMES) {
        size_t end = clip->n_frames - first > BLOCK_FRAMES ? first + BLOCK_FRAMES : clip->n_frames;
        double part = 0.0;
        for (size_t i = first; i < end; i++) {
            float magnitude = fabsf(in[i * step]);
            part += (double)magnitude * (double)magnitude;
            stats->over += magnitude > 1.0f;
            if (magnitude > peak) {
                peak = magnitude;
                peak_at = i;
            }
        }
        sum += part;
    }
    stats->channel_peak[channel] = (double)peak;
    if ((double)peak > stats->peak || ((double)peak == stats->peak && peak_at < stats->peak_at)) {
        stats->peak = (double)peak;
        stats->peak_at = peak_at;
    }
    return sum;
}

void kodama_clip_stats(const struct kodama_clip *clip, struct kodama_clip_stats *stats)
{
    if (!stats) return;
    memset(stats, 0, sizeof *stats);
    stats->rms_db = stats->peak_db = -INFINITY;
    if (!clip) return;
    stats->duration_s = kodama_clip_duration(clip);
    stats->frames = clip->n_frames;
    stats->rate_hz = clip->format.rate_hz;
    stats->channels = clip->format.channels;
    stats->replaced = clip->n_replaced;
    if (clip->n_frames == 0) return;
    double sum = 0.0;
    for (uint32_t c = 0; c < clip->format.channels; c++) {
        double of_channel = measure_channel(clip, c, stats);
        stats->channel_rms[c] = sqrt(of_channel / (double)clip->n_frames);
        sum += of_channel;
    }
    stats->rms = sqrt(sum / (double)clip_samples_of(clip));
    stats->rms_db = decibels(stats->rms);
    stats->peak_db = decibels(stats->peak);
}

float clip_peak(const struct kodama_clip *clip)
{
    float peak = 0.0f;
    size_t n_samples = clip_samples_of(clip);
    for (size_t i = 0; i < n_samples; i++) {
        float magnitude = fabsf(clip->samples[i]);
        if (magnitude > peak) peak = magnitude;
    }
    return peak;
}

/* Where BS.1770 has a speaker: it weighs those between 60 and 120 degrees 1.41 times. Back speakers
 * are the surrounds of 5.1, at 110 degrees, unless there are side speakers as well. */
static int place(uint32_t speaker, bool with_sides)
{
    switch (speaker) {
    case KODAMA_CHANNEL_FL: return EBUR128_Mp030;
    case KODAMA_CHANNEL_FR: return EBUR128_Mm030;
    case KODAMA_CHANNEL_FC: return EBUR128_Mp000;
    case KODAMA_CHANNEL_LFE: return EBUR128_UNUSED;
    case KODAMA_CHANNEL_BL: return with_sides ? EBUR128_Mp135 : EBUR128_Mp110;
    case KODAMA_CHANNEL_BR: return with_sides ? EBUR128_Mm135 : EBUR128_Mm110;
    case KODAMA_CHANNEL_BC: return EBUR128_Mp180;
    case KODAMA_CHANNEL_SL: return EBUR128_Mp090;
    case KODAMA_CHANNEL_SR: return EBUR128_Mm090;
    }
    return EBUR128_Mp000; /* heights and the like count once */
}

static void place_channels(ebur128_state *meter, const struct kodama_clip *clip)
{
    uint32_t mask = clip_channel_mask(clip);
    bool with_sides = (mask & (KODAMA_CHANNEL_SL | KODAMA_CHANNEL_SR)) != 0;
    uint32_t channel = 0;
    for (int bit = 0; bit < 32 && channel < clip->format.channels; bit++) {
        uint32_t speaker = UINT32_C(1) << bit;
        if (!(mask & speaker)) continue;
        ebur128_set_channel(meter, channel++, place(speaker, with_sides));
    }
}

static int measure_loudness(ebur128_state *meter, const struct kodama_clip *clip,
                            struct kodama_clip_loudness *loudness)
{
    place_channels(meter, clip);
    size_t channels = clip->format.channels;
    for (size_t done = 0; done < clip->n_frames;) {
        size_t n = clip->n_frames - done;
        if (n > BLOCK_FRAMES) n = BLOCK_FRAMES;
        int failure = ebur128_add_frames_float(meter, clip->samples + done * channels, n);
        if (failure) return failure;
        done += n;
    }
    for (uint32_t c = 0; c < channels; c++) {
        double peak = 0.0;
        int failure = ebur128_true_peak(meter, c, &peak);
        if (failure) return failure;
        if (peak > loudness->true_peak) loudness->true_peak = peak;
    }
    loudness->true_peak_db = decibels(loudness->true_peak);
    int failure = ebur128_loudness_global(meter, &loudness->integrated_lufs);
    if (failure) return failure;
    return ebur128_loudness_range(meter, &loudness->range_lu);
}

int kodama_clip_loudness(const struct kodama_clip *clip, struct kodama_clip_loudness *loudness,
                         struct kodama_error *error)
{
    const struct kodama_clip_loudness silence = {
        .integrated_lufs = -INFINITY,
        .true_peak_db = -INFINITY,
    };
    if (loudness) *loudness = silence;
    if (!loudness || !clip) return error_set(error, KODAMA_ERR_ARGUMENT, "loudness: no clip");
    if (clip->n_frames == 0) return KODAMA_OK;
    const int mode = EBUR128_MODE_I | EBUR128_MODE_LRA | EBUR128_MODE_TRUE_PEAK;
    ebur128_state *meter = ebur128_init(clip->format.channels, clip->format.rate_hz, mode);
    int failure = meter ? measure_loudness(meter, clip, loudness) : EBUR128_ERROR_NOMEM;
    if (meter) ebur128_destroy(&meter);
    if (failure) {
        *loudness = silence;
        return error_set(error, KODAMA_ERR_MEMORY,
                         "no memory to measure the loudness of %zu frames", clip->n_frames);
    }
    return KODAMA_OK;
}

/* Whether a sample of the frame is louder than that. */
static bool is_loud(const struct kodama_clip *clip, size_t frame, double threshold)
{
    const float *in = clip->samples + frame * clip->format.channels;
    for (uint32_t c = 0; c < clip->format.channels; c++) {
        if (fabs((double)in[c]) > threshold) return true;
    }
    return false;
}

int kodama_clip_bounds(const struct kodama_clip *clip, double threshold_db, size_t *first,
                       size_t *n_frames)
{
    if (first) *first = 0;
    if (n_frames) *n_frames = 0;
    if (!clip || !first || !n_frames || isnan(threshold_db)) return KODAMA_ERR_ARGUMENT;
    double threshold = pow(10.0, threshold_db / 20.0);
    size_t begin = 0;
    while (begin < clip->n_frames && !is_loud(clip, begin, threshold)) begin++;
    if (begin == clip->n_frames) return KODAMA_ERR_EMPTY;
    size_t end = clip->n_frames;
    while (!is_loud(clip, end - 1, threshold)) end--;
    *first = begin;
    *n_frames = end - begin;
    return KODAMA_OK;
}
