/* Tests of reading audio files: every stored type to the bit, and what is wrong with a file in
 * words. */
#include "support/support.h"

#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/audio_file.h"

enum { N = 5000 };

/* A test file of random samples of full 32 bits; libsndfile keeps the upper ones. */
static const char *write_file(const char *suffix, int format, int rate, int channels, int *samples)
{
    const char *path = test_scratch(suffix);
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    if (!file) fail_msg("cannot write %s: %s", path, sf_strerror(NULL));
    struct test_random random = {.state = (uint64_t)format};
    for (int i = 0; i < N * channels; i++) samples[i] = (int)(uint32_t)test_random_next(&random);
    assert_int_equal(sf_writef_int(file, samples, N), N);
    sf_close(file);
    return path;
}

/* All of a file, in odd blocks; the caller frees it. */
static uint8_t *read_all(struct audio_file *file, size_t *n_frames, int *status,
                         struct kodama_error *error)
{
    size_t frame_bytes = kodama_frame_bytes(audio_file_format(file)), n = 0;
    uint8_t *frames = malloc(200000 * frame_bytes);
    assert_non_null(frames);
    int64_t got;
    while ((got = audio_file_read(file, frames + n * frame_bytes, 333, error)) > 0) {
        n += (size_t)got;
        assert_true(n < 199000);
    }
    *status = (int)got;
    *n_frames = n;
    return frames;
}

static void every_stored_type_is_read_to_the_bit(void **state)
{
    (void)state;
    const struct {
        const char *suffix;
        int format;
        enum kodama_sample sample;
        int channels;
    } cases[] = {
        {".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, KODAMA_SAMPLE_U8, 1},
        {".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, KODAMA_SAMPLE_S16, 2},
        {".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_24, KODAMA_SAMPLE_S24, 1},
        {".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_32, KODAMA_SAMPLE_S32, 8},
        {".wav", SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, KODAMA_SAMPLE_S24, 8},
        {".rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, KODAMA_SAMPLE_S16, 1},
        {".flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, KODAMA_SAMPLE_S16, 1},
        {".flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, KODAMA_SAMPLE_S24, 2},
        {".aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, KODAMA_SAMPLE_S16, 2},
        {".caf", SF_FORMAT_CAF | SF_FORMAT_PCM_24, KODAMA_SAMPLE_S24, 2},
    };
    static int samples[N * 8];
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        const char *path =
            write_file(cases[k].suffix, cases[k].format, 48000, cases[k].channels, samples);
        struct audio_file *file;
        assert_int_equal(audio_file_open(&file, path, NULL), KODAMA_OK);
        struct kodama_format format = audio_file_format(file);
        assert_int_equal(format.sample, cases[k].sample);
        assert_int_equal(format.rate_hz, 48000);
        assert_int_equal(format.channels, cases[k].channels);
        assert_int_equal(kodama_format_check(format, NULL), KODAMA_OK);
        assert_int_equal(audio_file_length(file), N);
        size_t n, bytes = kodama_sample_bytes(format.sample);
        int status;
        uint8_t *frames = read_all(file, &n, &status, NULL);
        assert_int_equal(n, N);
        assert_int_equal(status, 0);
        for (size_t i = 0; i < N * format.channels; i++) {
            uint32_t bits = (uint32_t)samples[i] >> (32 - 8 * bytes);
            if (bytes == 1) bits ^= 0x80;
            assert_memory_equal(frames + i * bytes, &bits, bytes); /* little-endian */
        }
        free(frames);
        audio_file_close(file);
    }
}

static void floats_are_read_to_the_bit_and_beyond_full_scale(void **state)
{
    (void)state;
    const char *path = test_scratch(".wav");
    SF_INFO info = {.samplerate = 44100, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    SNDFILE *out = sf_open(path, SFM_WRITE, &info);
    float samples[] = {0.0f, 1.0f, -1.0f, 2.5f, 1e-30f, -3e10f};
    assert_int_equal(sf_writef_float(out, samples, 6), 6);
    sf_close(out);
    struct audio_file *file;
    assert_int_equal(audio_file_open(&file, path, NULL), KODAMA_OK);
    assert_int_equal(audio_file_format(file).sample, KODAMA_SAMPLE_F32);
    float back[6];
    assert_int_equal(audio_file_read(file, back, 6, NULL), 6);
    assert_memory_equal(back, samples, sizeof back);
    assert_int_equal(audio_file_read(file, back, 6, NULL), 0);
    assert_int_equal(audio_file_read(file, back, 6, NULL), 0);
    audio_file_close(file);
}

static void compressed_files_are_read_as_float_and_in_full(void **state)
{
    (void)state;
    const struct {
        const char *suffix;
        int format, rate;
    } cases[] = {{".ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 44100},
                 {".opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 48000}};
    for (size_t k = 0; k < 2; k++) {
        const char *path = test_scratch(cases[k].suffix);
        SF_INFO info = {.samplerate = cases[k].rate, .channels = 1, .format = cases[k].format};
        SNDFILE *out = sf_open(path, SFM_WRITE, &info);
        if (!out) {
            printf("# libsndfile cannot write %s here\n", cases[k].suffix);
            continue;
        }
        static float tone[48000];
        for (size_t i = 0; i < 48000; i++) tone[i] = 0.5f * sinf((float)i * 0.05f);
        sf_writef_float(out, tone, 48000);
        sf_close(out);
        struct audio_file *file;
        assert_int_equal(audio_file_open(&file, path, NULL), KODAMA_OK);
        assert_int_equal(audio_file_format(file).sample, KODAMA_SAMPLE_F32);
        size_t n;
        int status;
        struct kodama_error error = {0};
        uint8_t *frames = read_all(file, &n, &status, &error);
        assert_int_equal(status, 0);
        assert_int_equal(n, 48000);
        double energy = 0.0;
        for (size_t i = 0; i < n; i++) energy += pow((double)((float *)(void *)frames)[i], 2);
        assert_true(fabs(energy / 48000 - 0.125) < 0.01);
        free(frames);
        audio_file_close(file);
    }
}

static void channels_are_brought_into_the_order_of_the_mask(void **state)
{
    (void)state;
    /* Vorbis stores FL FC FR SL SR BL BR LFE. (5.1 would do, but libvorbisenc leaks there.) */
    enum { CHANNELS = 8, FRAMES = 9600 };
    const int place[CHANNELS] = {0, 2, 1, 6, 7, 4, 5, 3};
    const char *path = test_scratch(".ogg");
    static float samples[CHANNELS * FRAMES], back[CHANNELS * FRAMES];
    for (int loud = 0; loud < CHANNELS; loud++) {
        SF_INFO info = {
            .samplerate = 48000, .channels = CHANNELS, .format = SF_FORMAT_OGG | SF_FORMAT_VORBIS};
        SNDFILE *out = sf_open(path, SFM_WRITE, &info);
        assert_non_null(out);
        for (int i = 0; i < CHANNELS * FRAMES; i++) {
            samples[i] = i % CHANNELS == loud ? 0.5f * sinf((float)i * 0.001f) : 0.0f;
        }
        assert_int_equal(sf_writef_float(out, samples, FRAMES), FRAMES);
        sf_close(out);
        struct audio_file *file;
        assert_int_equal(audio_file_open(&file, path, NULL), KODAMA_OK);
        assert_int_equal(audio_file_format(file).channel_mask, 0x63f);
        assert_int_equal(audio_file_read(file, back, FRAMES, NULL), FRAMES);
        double energy[CHANNELS] = {0};
        for (int i = 0; i < CHANNELS * FRAMES; i++) {
            energy[i % CHANNELS] += (double)(back[i] * back[i]);
        }
        for (int c = 0; c < CHANNELS; c++) {
            assert_int_equal(energy[c] > 100.0, c == place[loud]);
        }
        audio_file_close(file);
    }
}

static void installed_recordings_are_read_in_full(void **state)
{
    (void)state;
    const char *const paths[] = {
        "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
        "/usr/share/sounds/alsa/Front_Center.wav"};
    const uint32_t rates[] = {16000, 48000};
    for (size_t k = 0; k < 2; k++) {
        const char *path = test_installed(paths[k]);
        size_t n_wanted, n;
        float *wanted = test_read_audio(path, &n_wanted, NULL, NULL);
        struct audio_file *file;
        assert_int_equal(audio_file_open(&file, path, NULL), KODAMA_OK);
        assert_int_equal(audio_file_format(file).rate_hz, rates[k]);
        assert_int_equal(audio_file_format(file).sample, KODAMA_SAMPLE_S16);
        int status;
        uint8_t *frames = read_all(file, &n, &status, NULL);
        assert_int_equal(status, 0);
        assert_int_equal(n, n_wanted);
        for (size_t i = 0; i < n; i++) {
            int16_t sample;
            memcpy(&sample, frames + 2 * i, 2);
            assert_true((float)sample / 32768.0f == wanted[i]);
        }
        free(wanted);
        free(frames);
        audio_file_close(file);
    }
}

static const char *write_bytes(const void *bytes, size_t n)
{
    const char *path = test_scratch(".wav");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (n > 0) assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
    return path;
}

static void expect_refusal(const char *path, int status, const char *words)
{
    struct audio_file *file = (void *)&path;
    struct kodama_error error = {0};
    assert_int_equal(audio_file_open(&file, path, &error), status);
    assert_null(file);
    assert_int_equal(error.status, status);
    assert_non_null(strstr(error.message, path));
    if (!strstr(error.message, words)) fail_msg("\"%s\" lacks \"%s\"", error.message, words);
    assert_int_equal(audio_file_open(&file, path, NULL), status);
}

static void what_is_wrong_with_a_file_is_said_in_words(void **state)
{
    (void)state;
    static int samples[N * 9];
    expect_refusal("/nonexistent/talk.wav", KODAMA_ERR_NOT_FOUND, "No such file");
    expect_refusal("/usr", KODAMA_ERR_FORMAT, "is a directory");
    expect_refusal(write_bytes("", 0), KODAMA_ERR_CORRUPT, "is empty");
    expect_refusal(write_bytes("Call me Ishmael. Some years ago - never mind how long", 53),
                   KODAMA_ERR_FORMAT, "not an audio file");
    expect_refusal(write_file(".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 4000, 1, samples),
                   KODAMA_ERR_FORMAT, "4000 Hz");
    expect_refusal(write_file(".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 200000, 1, samples),
                   KODAMA_ERR_FORMAT, "200000 Hz");
    expect_refusal(write_file(".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 48000, 9, samples),
                   KODAMA_ERR_FORMAT, "9 channels");
    if (geteuid() != 0) {
        const char *secret = write_bytes("RIFF", 4);
        chmod(secret, 0);
        expect_refusal(secret, KODAMA_ERR_PERMISSION, "denied");
    }
    audio_file_close(NULL);
}

static void every_cut_of_a_header_is_refused(void **state)
{
    (void)state;
    static int samples[N];
    const char *whole = write_file(".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, samples);
    uint8_t bytes[44];
    FILE *in = fopen(whole, "rb");
    assert_int_equal(fread(bytes, 1, sizeof bytes, in), sizeof bytes);
    fclose(in);
    for (size_t n = 1; n < 44; n++) {
        const char *path = write_bytes(bytes, n);
        struct audio_file *file;
        struct kodama_error error = {0};
        int status = audio_file_open(&file, path, &error);
        assert_true(status == KODAMA_ERR_FORMAT || status == KODAMA_ERR_CORRUPT);
        assert_non_null(strstr(error.message, path));
        unlink(path);
    }
}

static void a_file_that_is_cut_off_gives_what_it_has_and_then_says_so(void **state)
{
    (void)state;
    static int samples[N];
    const int formats[] = {SF_FORMAT_WAV | SF_FORMAT_PCM_16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
    for (size_t k = 0; k < 2; k++) {
        const char *path = write_file(".x", formats[k], 16000, 1, samples);
        struct stat about;
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(truncate(path, about.st_size / 2), 0);
        struct audio_file *file;
        assert_int_equal(audio_file_open(&file, path, NULL), KODAMA_OK);
        size_t n;
        int status;
        struct kodama_error error = {0};
        int16_t *frames = (void *)read_all(file, &n, &status, &error);
        assert_int_equal(status, KODAMA_ERR_CORRUPT);
        printf("# %s\n", error.message + strlen(path));
        assert_non_null(strstr(error.message, "after"));
        assert_true(k == 1 || (n > N / 2 - 50 && n < N / 2 + 50));
        for (size_t i = 0; i < n; i++) assert_int_equal(frames[i], samples[i] >> 16);
        free(frames);
        audio_file_close(file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stored_type_is_read_to_the_bit),
        cmocka_unit_test(floats_are_read_to_the_bit_and_beyond_full_scale),
        cmocka_unit_test(compressed_files_are_read_as_float_and_in_full),
        cmocka_unit_test(channels_are_brought_into_the_order_of_the_mask),
        cmocka_unit_test(installed_recordings_are_read_in_full),
        cmocka_unit_test(what_is_wrong_with_a_file_is_said_in_words),
        cmocka_unit_test(every_cut_of_a_header_is_refused),
        cmocka_unit_test(a_file_that_is_cut_off_gives_what_it_has_and_then_says_so),
    };
    return cmocka_run_group_tests_name("audio_file", tests, NULL, NULL);
}
