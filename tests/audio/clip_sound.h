/* What the tests of clips in files share: a sound to save, every type of file, comparing. */
#ifndef TESTS_AUDIO_CLIP_SOUND_H
#define TESTS_AUDIO_CLIP_SOUND_H

#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <kodama/clip.h>

#include "audio/clip.h"

#define PI 3.14159265358979323846

static const struct {
    enum kodama_file type;
    const char *suffix;
} files[] = {
    {KODAMA_FILE_WAV, ".wav"},   {KODAMA_FILE_FLAC, ".flac"}, {KODAMA_FILE_VORBIS, ".ogg"},
    {KODAMA_FILE_OPUS, ".opus"}, {KODAMA_FILE_MP3, ".mp3"},
};
enum { N_FILES = sizeof files / sizeof files[0] };

/* Tones that move and some noise: something that codecs have to work for. */
static inline struct kodama_clip *make_sound(enum kodama_sample origin, uint32_t rate_hz,
                                             uint32_t channels, size_t n_frames)
{
    struct test_random random = {n_frames};
    float *frames = malloc((n_frames * channels + 1) * sizeof *frames);
    assert_non_null(frames);
    double low = 0.0;
    for (size_t i = 0; i < n_frames; i++) {
        double t = (double)i / rate_hz;
        low = 0.8 * low + 0.04 * (double)test_random_float(&random);
        for (uint32_t c = 0; c < channels; c++) {
            double tone = 0.3 * sin(2.0 * PI * (300.0 + 70.0 * c) * t + 20.0 * t * t);
            frames[i * channels + c] = (float)(tone + 0.3 * sin(2.0 * PI * 440.0 * t) + low);
        }
    }
    struct kodama_clip *exact;
    struct kodama_format format = {KODAMA_SAMPLE_F32, rate_hz, channels, 0};
    assert_int_equal(kodama_clip_create(&exact, format, frames, n_frames, NULL), KODAMA_OK);
    free(frames);
    /* As it would be had it come in that type. */
    format.sample = origin;
    void *samples = malloc(n_frames * kodama_frame_bytes(format) + 1);
    assert_non_null(samples);
    assert_int_equal(kodama_clip_read(exact, 0, origin, samples, n_frames), n_frames);
    kodama_clip_destroy(exact);
    struct kodama_clip *clip;
    assert_int_equal(kodama_clip_create(&clip, format, samples, n_frames, NULL), KODAMA_OK);
    free(samples);
    return clip;
}

static inline void save(const struct kodama_clip *clip, const char *path,
                        const struct kodama_clip_save_config *config)
{
    struct kodama_error error = {0};
    if (kodama_clip_save(clip, path, config, &error) < 0) fail_msg("%s", error.message);
}

static inline struct kodama_clip *load(const char *path)
{
    struct kodama_clip *clip;
    struct kodama_error error = {0};
    if (kodama_clip_load(&clip, path, NULL, &error) < 0) fail_msg("%s", error.message);
    return clip;
}

static inline double largest_difference(const struct kodama_clip *a, const struct kodama_clip *b)
{
    assert_int_equal(a->n_frames, b->n_frames);
    assert_int_equal(a->format.channels, b->format.channels);
    assert_int_equal(a->format.rate_hz, b->format.rate_hz);
    double largest = 0.0;
    for (size_t i = 0; i < clip_samples_of(a); i++) {
        largest = fmax(largest, fabs((double)a->samples[i] - (double)b->samples[i]));
    }
    return largest;
}

static inline size_t file_bytes(const char *path)
{
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    return (size_t)about.st_size;
}

#endif
