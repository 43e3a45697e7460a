/*
 * Loads audio, cuts the silence from its ends, brings it to a loudness, and saves it.
 *
 *   clip IN OUT       OUT ends in .wav, .flac, .ogg, .opus or .mp3
 *   clip              makes its own sound and saves nothing
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <kodama/kodama.h>

/* One second of silence, one of a tone, one of silence, made from 16-bit samples. */
static int make_sound(struct kodama_clip **clip, struct kodama_error *error)
{
    enum { RATE = 16000 };
    static int16_t samples[3 * RATE];
    for (int i = RATE; i < 2 * RATE; i++) {
        samples[i] = (int16_t)(3000.0 * sin(2.0 * 3.14159265358979 * 440.0 * i / RATE));
    }
    struct kodama_format format = {
        .sample = KODAMA_SAMPLE_S16,
        .rate_hz = RATE,
        .channels = 1,
    };
    return kodama_clip_create(clip, format, samples, 3 * RATE, error);
}

static int describe(const char *when, const struct kodama_clip *clip, struct kodama_error *error)
{
    struct kodama_clip_stats stats;
    struct kodama_clip_loudness loudness;
    kodama_clip_stats(clip, &stats);
    int status = kodama_clip_loudness(clip, &loudness, error);
    if (status < 0) return status;
    printf("%-7s %6.2f s, %u Hz, %u channels, peak %6.1f dB, rms %6.1f dB, %6.1f LUFS\n", when,
           stats.duration_s, (unsigned)stats.rate_hz, (unsigned)stats.channels, stats.peak_db,
           stats.rms_db, loudness.integrated_lufs);
    return KODAMA_OK;
}

/* The part of a clip that is louder than -50 dBFS, with 10 ms of fade at both ends. */
static int trim(struct kodama_clip **trimmed, const struct kodama_clip *clip,
                struct kodama_error *error)
{
    size_t first;
    size_t n_frames;
    if (kodama_clip_bounds(clip, -50.0, &first, &n_frames) == KODAMA_ERR_EMPTY) {
        n_frames = kodama_clip_frames(clip); /* nothing but silence: keep it */
    }
    int status = kodama_clip_slice(trimmed, clip, first, n_frames, error);
    if (status < 0) return status;
    size_t n_fade = kodama_clip_format(clip).rate_hz / 100;
    if (n_fade > n_frames) n_fade = n_frames;
    kodama_clip_fade_in(*trimmed, n_fade, KODAMA_FADE_EQUAL_POWER, NULL);
    kodama_clip_fade_out(*trimmed, n_fade, KODAMA_FADE_EQUAL_POWER, NULL);
    return KODAMA_OK;
}

/* -16 LUFS is usual for speech on the net. What is too short for a loudness gets a peak. */
static int normalise(struct kodama_clip *clip, struct kodama_error *error)
{
    struct kodama_clip_normalise_config config = KODAMA_CLIP_NORMALISE_CONFIG_INIT;
    config.what = KODAMA_NORMALISE_LOUDNESS;
    config.loudness_lufs = -16.0;
    int status = kodama_clip_normalise(clip, &config, NULL, error);
    if (status == KODAMA_ERR_STATE) status = kodama_clip_normalise(clip, NULL, NULL, error);
    return status;
}

static int run(const char *in, const char *out, struct kodama_error *error)
{
    struct kodama_clip *clip = NULL;
    struct kodama_clip *trimmed = NULL;
    int status = in ? kodama_clip_load(&clip, in, NULL, error) : make_sound(&clip, error);
    if (status >= 0) status = describe("before", clip, error);
    if (status >= 0) status = trim(&trimmed, clip, error);
    if (status >= 0) status = normalise(trimmed, error);
    if (status >= 0) status = describe("after", trimmed, error);
    if (status >= 0 && out) {
        struct kodama_clip_save_config config = KODAMA_CLIP_SAVE_CONFIG_INIT;
        config.fit = true; /* Opus knows only a few rates */
        status = kodama_clip_save(trimmed, out, &config, error);
    }
    kodama_clip_destroy(trimmed);
    kodama_clip_destroy(clip);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 1 && argc != 3) {
        fprintf(stderr, "usage: %s [IN OUT]\n", argv[0]);
        return EXIT_FAILURE;
    }
    struct kodama_error error = {0};
    if (run(argc == 3 ? argv[1] : NULL, argc == 3 ? argv[2] : NULL, &error) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], error.message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
