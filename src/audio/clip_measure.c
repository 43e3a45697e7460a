/* What clips measure: statistics, loudness, where sound begins and ends. */
#include <math.h>
#include <string.h>

#include <kodama/loudness.h>

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

int kodama_clip_loudness(const struct kodama_clip *clip, struct kodama_clip_loudness *loudness,
                         struct kodama_error *error)
{
    if (loudness) (void)kodama_loudness_read(NULL, loudness);
    if (!loudness || !clip) return error_set(error, KODAMA_ERR_ARGUMENT, "loudness: no clip");
    if (clip->n_frames == 0) return KODAMA_OK;
    struct kodama_loudness *meter;
    int status = kodama_loudness_open(&meter, clip->format, error);
    if (status < 0) return status;
    status = kodama_loudness_add(meter, clip->samples, clip->n_frames);
    if (status == KODAMA_OK) status = kodama_loudness_read(meter, loudness);
    kodama_loudness_close(meter);
    if (status == KODAMA_OK) return KODAMA_OK;
    return error_set(error, status, "no memory to measure the loudness of %zu frames",
                     clip->n_frames);
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
