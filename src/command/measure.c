/* What `kodama info` finds out about a sound while it passes by. */
#include "command/measure.h"

#include <math.h>

static double decibels(double factor)
{
    return factor > 0.0 ? 20.0 * log10(factor) : -INFINITY;
}

/* The highest positive value of a sample type. */
static float highest(enum kodama_sample sample)
{
    switch (sample) {
    case KODAMA_SAMPLE_U8: return 127.0f / 128.0f;
    case KODAMA_SAMPLE_S16: return 32767.0f / 32768.0f;
    case KODAMA_SAMPLE_S24: return 8388607.0f / 8388608.0f;
    case KODAMA_SAMPLE_S32:
    case KODAMA_SAMPLE_F32: break;
    }
    return 1.0f;
}

int measure_open(struct measure *measure, struct kodama_format format, struct kodama_error *error)
{
    *measure = (struct measure){.format = format};
    measure->clip_at = highest(format.sample);
    measure->silence_at = (float)pow(10.0, MEASURE_SILENCE_DB / 20.0);
    measure->piece_frames = format.rate_hz / 100;
    return kodama_loudness_open(&measure->loudness, format, error);
}

void measure_close(struct measure *measure)
{
    kodama_loudness_close(measure->loudness);
    measure->loudness = NULL;
}

static void end_piece(struct measure *measure)
{
    measure->pieces++;
    if (measure->piece_peak <= measure->silence_at) measure->silent_pieces++;
    measure->in_piece = 0;
    measure->piece_peak = 0.0f;
}

static void add_frame(struct measure *measure, const float *samples)
{
    float low = samples[0], high = samples[0];
    for (uint32_t c = 0; c < measure->format.channels; c++) {
        float sample = samples[c], magnitude = fabsf(sample);
        measure->sum[c] += (double)sample;
        measure->squares += (double)sample * (double)sample;
        measure->clipped += magnitude >= measure->clip_at;
        if ((double)magnitude > measure->peak) {
            measure->peak = (double)magnitude;
            measure->peak_at = measure->n_frames;
        }
        if (magnitude > measure->piece_peak) measure->piece_peak = magnitude;
        if (sample < low) low = sample;
        if (sample > high) high = sample;
    }
    waveform_add(&measure->waveform, low, high);
    measure->n_frames++;
    if (++measure->in_piece == measure->piece_frames) end_piece(measure);
}

int measure_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct measure *measure = user;
    struct kodama_clip *clip;
    struct kodama_clip_stats stats;
    if (chunk->n_frames == 0) return KODAMA_OK;
    /* A clip converts every sample type, and replaces what is no number. */
    int status = kodama_clip_create(&clip, measure->format, chunk->frames, chunk->n_frames, NULL);
    if (status < 0) return status;
    const float *samples = kodama_clip_samples(clip);
    status = kodama_loudness_add(measure->loudness, samples, chunk->n_frames);
    kodama_clip_stats(clip, &stats);
    measure->replaced += stats.replaced;
    for (size_t i = 0; i < chunk->n_frames; i++) {
        add_frame(measure, samples + i * measure->format.channels);
    }
    kodama_clip_destroy(clip);
    return status;
}

int measure_finish(struct measure *measure, struct measure_result *result)
{
    *result = (struct measure_result){0};
    if (measure->in_piece > 0) end_piece(measure);
    double n_frames = measure->n_frames > 0 ? (double)measure->n_frames : 1.0;
    for (uint32_t c = 0; c < measure->format.channels; c++) {
        double mean = measure->sum[c] / n_frames;
        if (fabs(mean) > fabs(result->offset)) result->offset = mean;
    }
    result->rms_db = decibels(sqrt(measure->squares / n_frames / measure->format.channels));
    result->peak_db = decibels(measure->peak);
    result->silent_share =
        measure->pieces > 0 ? (double)measure->silent_pieces / (double)measure->pieces : 1.0;
    return kodama_loudness_read(measure->loudness, &result->loudness);
}
