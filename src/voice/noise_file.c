/* A file as a bed: read, brought to a rate and a level, its seam hidden. */
#include "voice/noise_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/clip.h>

#include "base/error.h"
#include "base/memory.h"
#include "voice/noise_bed.h"

static const double FADE_S = 1;
static const double PI = 3.14159265358979323846;

/* One channel at the rate wanted, not longer than is used. */
static int read_mono(struct kodama_clip **mono, const char *path, uint32_t rate_hz,
                     struct kodama_error *error)
{
    struct kodama_clip *whole = NULL, *part = NULL, *mixed = NULL;
    int status = kodama_clip_load(&whole, path, NULL, error);
    if (status < 0) return status;
    uint64_t most = (uint64_t)kodama_clip_format(whole).rate_hz * NOISE_BED_FILE_SECONDS_MAX;
    uint64_t n = kodama_clip_frames(whole);
    status = kodama_clip_slice(&part, whole, 0, (size_t)(n < most ? n : most), error);
    kodama_clip_destroy(whole);
    if (status >= 0) status = kodama_clip_mono(&mixed, part, error);
    kodama_clip_destroy(part);
    if (status >= 0) status = kodama_clip_resample(mono, mixed, rate_hz, error);
    kodama_clip_destroy(mixed);
    return status;
}

/* The end fades into the beginning: the loop is shorter by the fade, and where it goes round one
 * sample of the file follows the one before it, as everywhere. Equal power: both ends are sounds
 * that have nothing to do with each other. */
static void hide_seam(float *samples, size_t n_loop, size_t n_fade)
{
    for (size_t i = 0; i < n_fade; i++) {
        double part = ((double)i + 0.5) / (double)n_fade * PI / 2;
        samples[i] =
            (float)(sin(part) * (double)samples[i] + cos(part) * (double)samples[n_loop + i]);
    }
}

static double rms_of(const float *samples, size_t n_samples)
{
    double squares = 0;
    for (size_t i = 0; i < n_samples; i++) squares += (double)samples[i] * (double)samples[i];
    return sqrt(squares / (double)n_samples);
}

int noise_file_open(struct noise_file *file, const char *path, uint32_t rate_hz,
                    struct kodama_error *error)
{
    struct kodama_clip *clip = NULL;
    int status = read_mono(&clip, path, rate_hz, error);
    if (status < 0) return error_prefix(error, status, "the noise bed");
    size_t n = kodama_clip_frames(clip);
    double rms = n > 0 ? rms_of(kodama_clip_samples(clip), n) : 0;
    if (rms < 1e-5) {
        kodama_clip_destroy(clip);
        return error_set(error, KODAMA_ERR_FORMAT, "the noise bed: %s has no sound in it", path);
    }
    float *samples = memory_array(n, sizeof *samples);
    if (!samples) {
        kodama_clip_destroy(clip);
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for the noise bed");
    }
    memcpy(samples, kodama_clip_samples(clip), n * sizeof *samples);
    kodama_clip_destroy(clip);
    size_t n_fade = (size_t)(FADE_S * rate_hz);
    if (n_fade > n / 4) n_fade = n / 4;
    hide_seam(samples, n - n_fade, n_fade);
    file->samples = samples;
    file->n_samples = n - n_fade;
    file->at = 0;
    double gain = (double)NOISE_BED_RMS / rms_of(samples, file->n_samples);
    for (size_t i = 0; i < file->n_samples; i++) samples[i] *= (float)gain;
    return KODAMA_OK;
}

void noise_file_close(struct noise_file *file)
{
    free(file->samples);
    *file = (struct noise_file){0};
}

void noise_file_next(struct noise_file *file, float *out, size_t n_samples)
{
    while (n_samples > 0) {
        size_t n = file->n_samples - file->at;
        if (n > n_samples) n = n_samples;
        memcpy(out, file->samples + file->at, n * sizeof *out);
        file->at = file->at + n == file->n_samples ? 0 : file->at + n;
        out += n;
        n_samples -= n;
    }
}
