/* Tests of clips: samples in and out, parts and joins, channels. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <kodama/clip.h>

#include "audio/clip.h"

static const enum kodama_sample all_samples[] = {
    KODAMA_SAMPLE_U8, KODAMA_SAMPLE_S16, KODAMA_SAMPLE_S24, KODAMA_SAMPLE_S32, KODAMA_SAMPLE_F32,
};
enum { N_SAMPLES = sizeof all_samples / sizeof all_samples[0] };

static struct kodama_format format_of(enum kodama_sample sample, uint32_t rate_hz,
                                      uint32_t channels)
{
    return (struct kodama_format){.sample = sample, .rate_hz = rate_hz, .channels = channels};
}

static struct kodama_clip *make(uint32_t rate_hz, uint32_t channels, const float *frames,
                                size_t n_frames)
{
    struct kodama_clip *clip;
    struct kodama_error error = {0};
    int status = kodama_clip_create(&clip, format_of(KODAMA_SAMPLE_F32, rate_hz, channels), frames,
                                    n_frames, &error);
    if (status < 0) fail_msg("%s", error.message);
    return clip;
}

/* A clip whose sample in channel c of frame i is i + c / 10, so that every one is known. */
static struct kodama_clip *make_ramp(uint32_t rate_hz, uint32_t channels, size_t n_frames)
{
    float *frames = malloc((n_frames * channels + 1) * sizeof *frames);
    assert_non_null(frames);
    for (size_t i = 0; i < n_frames * channels; i++) {
        frames[i] = (float)(i / channels) + (float)(i % channels) / 10.0f;
    }
    struct kodama_clip *clip = make(rate_hz, channels, frames, n_frames);
    free(frames);
    return clip;
}

static void assert_same_samples(const struct kodama_clip *clip, const float *frames, size_t n)
{
    assert_int_equal(clip_samples_of(clip), n);
    assert_memory_equal(kodama_clip_samples(clip), frames, n * sizeof *frames);
}

/* ------------------------------------------------------------ samples in and out */

static void integer_samples_come_back_bit_by_bit(void **state)
{
    (void)state;
    struct test_random random = {1};
    enum { FRAMES = 5000, CHANNELS = 3 };
    for (size_t k = 0; k < 3; k++) { /* u8, s16, s24 */
        size_t n_bytes = FRAMES * CHANNELS * kodama_sample_bytes(all_samples[k]);
        uint8_t *in = malloc(n_bytes);
        uint8_t *out = malloc(n_bytes);
        for (size_t i = 0; i < n_bytes; i++) in[i] = (uint8_t)test_random_next(&random);
        struct kodama_clip *clip;
        assert_int_equal(
            kodama_clip_create(&clip, format_of(all_samples[k], 16000, CHANNELS), in, FRAMES, NULL),
            KODAMA_OK);
        assert_int_equal(kodama_clip_origin(clip), all_samples[k]);
        assert_int_equal(kodama_clip_format(clip).sample, KODAMA_SAMPLE_F32);
        assert_int_equal(kodama_clip_read(clip, 0, all_samples[k], out, FRAMES), FRAMES);
        assert_memory_equal(in, out, n_bytes);
        kodama_clip_destroy(clip);
        free(in);
        free(out);
    }
}

static void wide_integers_come_back_with_24_significant_bits(void **state)
{
    (void)state;
    struct test_random random = {2};
    enum { FRAMES = 20000 };
    int32_t *in = malloc(FRAMES * sizeof *in);
    int32_t *out = malloc(FRAMES * sizeof *out);
    for (size_t i = 0; i < FRAMES; i++) in[i] = (int32_t)(uint32_t)test_random_next(&random);
    in[0] = INT32_MIN;
    in[1] = INT32_MAX;
    struct kodama_clip *clip;
    assert_int_equal(
        kodama_clip_create(&clip, format_of(KODAMA_SAMPLE_S32, 48000, 1), in, FRAMES, NULL), 0);
    assert_int_equal(kodama_clip_read(clip, 0, KODAMA_SAMPLE_S32, out, FRAMES), FRAMES);
    double worst = 0.0;
    for (size_t i = 0; i < FRAMES; i++) {
        double error = fabs((double)in[i] - (double)out[i]) * 0x1p-31;
        if (error > worst) worst = error;
    }
    print_message("# s32: largest error 2^%.2f of full scale, documented 2^-25\n", log2(worst));
    assert_true(worst <= 0x1p-25);
    kodama_clip_destroy(clip);
    free(in);
    free(out);
}

static void floats_are_kept_as_they_are_also_above_full_scale(void **state)
{
    (void)state;
    const float in[] = {0.0f, -0.0f, 1.5f, -7.25f, 1e-30f, 0x1p40f, -0x1p40f, 0x1p-149f};
    struct kodama_clip *clip = make(8000, 2, in, 4);
    assert_same_samples(clip, in, 8);
    int16_t clipped[8];
    assert_int_equal(kodama_clip_read(clip, 0, KODAMA_SAMPLE_S16, clipped, 4), 4);
    const int16_t expected[] = {0, 0, 32767, -32768, 0, 32767, -32768, 0};
    assert_memory_equal(clipped, expected, sizeof expected);
    struct kodama_clip_stats stats;
    kodama_clip_stats(clip, &stats);
    assert_int_equal(stats.over, 4);
    assert_int_equal(stats.replaced, 0);
    kodama_clip_destroy(clip);
}

static void what_is_no_number_becomes_silence_and_is_counted(void **state)
{
    (void)state;
    const float in[] = {0.5f, NAN, INFINITY, -INFINITY, 0x1.1p40f, -0.5f, -NAN, 0.25f};
    const float good[] = {0.5f, 0.0f, 0.0f, 0.0f, 0.0f, -0.5f, 0.0f, 0.25f};
    struct kodama_clip *clip = make(8000, 1, in, 8);
    struct kodama_clip_stats stats;
    kodama_clip_stats(clip, &stats);
    assert_same_samples(clip, good, 8);
    assert_int_equal(stats.replaced, 5);
    struct kodama_format format = format_of(KODAMA_SAMPLE_F32, 8000, 1);
    assert_int_equal(kodama_clip_append(clip, format, in, 8, NULL), KODAMA_OK);
    kodama_clip_stats(clip, &stats);
    assert_int_equal(stats.replaced, 10);
    assert_true(stats.peak == 0.5);
    kodama_clip_destroy(clip);
    const void *planes[] = {in, good};
    format.channels = 2;
    assert_int_equal(kodama_clip_create_planar(&clip, format, planes, 8, NULL), KODAMA_OK);
    kodama_clip_stats(clip, &stats);
    assert_int_equal(stats.replaced, 5);
    for (size_t i = 0; i < 8; i++) {
        assert_true(kodama_clip_samples(clip)[2 * i] == good[i]);
        assert_true(kodama_clip_samples(clip)[2 * i + 1] == good[i]);
    }
    kodama_clip_destroy(clip);
}

static void planar_and_interleaved_samples_are_the_same_audio(void **state)
{
    (void)state;
    struct test_random random = {3};
    enum { FRAMES = 2500, CHANNELS = 5 }; /* more than one block of the conversion */
    for (size_t k = 0; k < N_SAMPLES; k++) {
        size_t bytes = kodama_sample_bytes(all_samples[k]);
        uint8_t *woven = malloc(FRAMES * CHANNELS * bytes);
        uint8_t *planes[CHANNELS];
        uint8_t *out[CHANNELS];
        for (size_t c = 0; c < CHANNELS; c++) planes[c] = malloc(FRAMES * bytes);
        for (size_t c = 0; c < CHANNELS; c++) out[c] = malloc(FRAMES * bytes);
        for (size_t i = 0; i < FRAMES * CHANNELS; i++) {
            uint8_t sample[4];
            float value = test_random_float(&random);
            for (size_t b = 0; b < 4; b++) sample[b] = (uint8_t)test_random_next(&random);
            if (all_samples[k] == KODAMA_SAMPLE_F32) memcpy(sample, &value, 4);
            memcpy(woven + i * bytes, sample, bytes);
            memcpy(planes[i % CHANNELS] + i / CHANNELS * bytes, sample, bytes);
        }
        struct kodama_format format = format_of(all_samples[k], 44100, CHANNELS);
        struct kodama_clip *a;
        struct kodama_clip *b;
        assert_int_equal(kodama_clip_create(&a, format, woven, FRAMES, NULL), KODAMA_OK);
        assert_int_equal(
            kodama_clip_create_planar(&b, format, (const void *const *)planes, FRAMES, NULL), 0);
        assert_same_samples(a, kodama_clip_samples(b), FRAMES * CHANNELS);
        uint8_t *left_out = out[3];
        memset(left_out, 0x55, FRAMES * bytes);
        void *wanted[CHANNELS] = {out[0], out[1], out[2], NULL, out[4]};
        assert_int_equal(kodama_clip_read_planar(b, 0, all_samples[k], wanted, FRAMES), FRAMES);
        assert_int_equal(left_out[0], 0x55);
        for (size_t c = 0; c < CHANNELS && all_samples[k] != KODAMA_SAMPLE_S32; c++) {
            if (c != 3) assert_memory_equal(out[c], planes[c], FRAMES * bytes);
        }
        kodama_clip_destroy(a);
        kodama_clip_destroy(b);
        for (size_t c = 0; c < CHANNELS; c++) free(planes[c]);
        for (size_t c = 0; c < CHANNELS; c++) free(out[c]);
        free(woven);
    }
}

static void no_samples_mean_silence(void **state)
{
    (void)state;
    const float zeros[64] = {0};
    struct kodama_clip *clip = make(8000, 2, NULL, 16);
    assert_same_samples(clip, zeros, 32);
    struct kodama_format format = format_of(KODAMA_SAMPLE_U8, 8000, 2);
    assert_int_equal(kodama_clip_append(clip, format, NULL, 16, NULL), KODAMA_OK);
    assert_same_samples(clip, zeros, 64);
    kodama_clip_destroy(clip);
    const uint8_t loud[16] = {0};
    const void *planes[] = {NULL, loud};
    assert_int_equal(kodama_clip_create_planar(&clip, format, planes, 16, NULL), KODAMA_OK);
    assert_true(kodama_clip_samples(clip)[0] == 0.0f);
    assert_true(kodama_clip_samples(clip)[1] == -1.0f);
    kodama_clip_destroy(clip);
    assert_int_equal(kodama_clip_create_planar(&clip, format, NULL, 16, NULL), KODAMA_OK);
    assert_same_samples(clip, zeros, 32);
    kodama_clip_destroy(clip);
}

static void reading_gives_what_is_left_and_refuses_to_begin_behind_the_end(void **state)
{
    (void)state;
    struct kodama_clip *clip = make_ramp(8000, 2, 10);
    float out[20];
    assert_int_equal(kodama_clip_read(clip, 7, KODAMA_SAMPLE_F32, out, 10), 3);
    assert_true(out[0] == 7.0f);
    assert_true(out[5] == 9.1f);
    assert_int_equal(kodama_clip_read(clip, 10, KODAMA_SAMPLE_F32, out, 10), 0);
    assert_int_equal(kodama_clip_read(clip, 10, KODAMA_SAMPLE_F32, NULL, 10), 0);
    assert_int_equal(kodama_clip_read(clip, 11, KODAMA_SAMPLE_F32, out, 0), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_read(clip, SIZE_MAX, KODAMA_SAMPLE_F32, out, 1),
                     KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_read(clip, 0, 0, out, 1), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_read(clip, 0, KODAMA_SAMPLE_F32, NULL, 1), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_read(NULL, 0, KODAMA_SAMPLE_F32, out, 1), KODAMA_ERR_ARGUMENT);
    void *planes[] = {out, out + 10};
    assert_int_equal(kodama_clip_read_planar(clip, 8, KODAMA_SAMPLE_F32, planes, 5), 2);
    assert_true(out[1] == 9.0f && out[11] == 9.1f);
    kodama_clip_destroy(clip);
}

static void a_clip_grows_by_appending_pieces_of_any_sample_type(void **state)
{
    (void)state;
    struct kodama_clip *clip;
    struct kodama_format format = format_of(KODAMA_SAMPLE_S16, 48000, 2);
    assert_int_equal(kodama_clip_create(&clip, format, NULL, 0, NULL), KODAMA_OK);
    size_t n_moves = 0;
    const float *last = NULL;
    for (int i = 0; i < 20000; i++) {
        const int16_t frame[] = {(int16_t)i, (int16_t)-i};
        assert_int_equal(kodama_clip_append(clip, format, frame, 1, NULL), KODAMA_OK);
        n_moves += kodama_clip_samples(clip) != last;
        last = kodama_clip_samples(clip);
    }
    assert_int_equal(kodama_clip_frames(clip), 20000);
    assert_true(n_moves < 20); /* doubling: log2(20000) is 14.3 */
    assert_true(last[2 * 1234] == 1234.0f / 32768 && last[2 * 1234 + 1] == -1234.0f / 32768);
    assert_int_equal(kodama_clip_origin(clip), KODAMA_SAMPLE_S16);
    format.sample = KODAMA_SAMPLE_F32;
    const float more[] = {2.0f, -2.0f};
    assert_int_equal(kodama_clip_append(clip, format, more, 1, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_origin(clip), KODAMA_SAMPLE_F32);
    format.rate_hz = 44100;
    struct kodama_error error = {0};
    assert_int_equal(kodama_clip_append(clip, format, more, 1, &error), KODAMA_ERR_FORMAT);
    assert_non_null(strstr(error.message, "44100"));
    assert_int_equal(kodama_clip_frames(clip), 20001);
    assert_true(kodama_clip_samples(clip)[40001] == -2.0f);
    kodama_clip_destroy(clip);
}

static void wrong_arguments_are_refused_in_words(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *clip = (struct kodama_clip *)&error;
    struct kodama_format format = format_of(KODAMA_SAMPLE_F32, 4000, 1);
    assert_int_equal(kodama_clip_create(&clip, format, NULL, 1, &error), KODAMA_ERR_FORMAT);
    assert_null(clip);
    assert_non_null(strstr(error.message, "4000"));
    format = format_of(KODAMA_SAMPLE_F32, 8000, 9);
    assert_int_equal(kodama_clip_create(&clip, format, NULL, 1, &error), KODAMA_ERR_FORMAT);
    format = format_of(77, 8000, 1);
    assert_int_equal(kodama_clip_create(&clip, format, NULL, 1, &error), KODAMA_ERR_FORMAT);
    format = format_of(KODAMA_SAMPLE_F32, 8000, 1);
    assert_int_equal(kodama_clip_create(NULL, format, NULL, 1, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_append(NULL, format, NULL, 1, &error), KODAMA_ERR_ARGUMENT);
    kodama_clip_destroy(NULL);
    assert_int_equal(kodama_clip_frames(NULL), 0);
    assert_true(kodama_clip_duration(NULL) == 0.0);
    assert_non_null(kodama_clip_samples(NULL));
    assert_int_equal(kodama_clip_format(NULL).rate_hz, 0);
}

static void sizes_that_overflow_are_refused_before_anything_is_allocated(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *clip;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 4, SIZE_MAX / 8 + 1,
                            (size_t)KODAMA_CLIP_SAMPLES_MAX / 8 + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct kodama_format format = format_of(KODAMA_SAMPLE_S16, 48000, 8);
        assert_int_equal(kodama_clip_create(&clip, format, NULL, sizes[i], &error),
                         KODAMA_ERR_LIMIT);
        assert_null(clip);
        assert_int_equal(kodama_clip_create_planar(&clip, format, NULL, sizes[i], &error),
                         KODAMA_ERR_LIMIT);
        clip = make(48000, 8, NULL, 3);
        assert_int_equal(kodama_clip_append(clip, format, NULL, sizes[i], &error),
                         KODAMA_ERR_LIMIT);
        assert_int_equal(kodama_clip_frames(clip), 3);
        kodama_clip_destroy(clip);
    }
}

/* Sanitizers end the program when memory is out, valgrind would be hit by the limit itself. */
static bool is_checked(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload");
#endif
}

static void no_memory_is_an_error_and_not_a_crash(void **state)
{
    (void)state;
    if (is_checked()) {
        print_message("# not tested under a memory checker\n");
        return;
    }
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    struct rlimit small = {.rlim_cur = (rlim_t)1 << 30, .rlim_max = before.rlim_max};
    struct kodama_clip *part = make(48000, 1, NULL, 48000);
    assert_int_equal(setrlimit(RLIMIT_AS, &small), 0);
    struct kodama_clip *clip;
    struct kodama_error error = {0};
    struct kodama_format format = format_of(KODAMA_SAMPLE_F32, 48000, 1);
    int made = kodama_clip_create(&clip, format, NULL, (size_t)1 << 29, &error);
    int appended = kodama_clip_append(part, format, NULL, (size_t)1 << 29, NULL);
    setrlimit(RLIMIT_AS, &before);
    assert_int_equal(made, KODAMA_ERR_MEMORY);
    assert_int_equal(appended, KODAMA_ERR_MEMORY);
    assert_null(clip);
    assert_non_null(strstr(error.message, "536870912"));
    assert_int_equal(kodama_clip_frames(part), 48000);
    kodama_clip_destroy(part);
}

/* ------------------------------------------------------------ parts, joins, channels */

static void a_slice_holds_exactly_the_frames_asked_for(void **state)
{
    (void)state;
    struct test_random random = {4};
    struct kodama_clip *clip = make_ramp(8000, 3, 100);
    for (int i = 0; i < 500; i++) {
        size_t first = (size_t)test_random_below(&random, 101);
        size_t n = (size_t)test_random_below(&random, 101 - first);
        struct kodama_clip *part;
        assert_int_equal(kodama_clip_slice(&part, clip, first, n, NULL), KODAMA_OK);
        assert_same_samples(part, kodama_clip_samples(clip) + 3 * first, 3 * n);
        kodama_clip_destroy(part);
    }
    struct kodama_clip *rest;
    assert_int_equal(kodama_clip_slice(&rest, clip, 60, KODAMA_CLIP_REST, NULL), KODAMA_OK);
    assert_same_samples(rest, kodama_clip_samples(clip) + 180, 120);
    kodama_clip_destroy(rest);
    assert_int_equal(kodama_clip_slice(&rest, clip, 100, KODAMA_CLIP_REST, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_frames(rest), 0);
    kodama_clip_destroy(rest);
    kodama_clip_destroy(clip);
}

static void a_slice_beyond_the_end_is_refused(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *clip = make_ramp(8000, 1, 100);
    const size_t wrong[][2] = {
        {0, 101},      {100, 1},         {101, 0}, {99, 2}, {101, KODAMA_CLIP_REST},
        {SIZE_MAX, 1}, {1, SIZE_MAX - 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct kodama_clip *part = clip;
        assert_int_equal(kodama_clip_slice(&part, clip, wrong[i][0], wrong[i][1], &error),
                         KODAMA_ERR_ARGUMENT);
        assert_null(part);
        assert_non_null(strstr(error.message, "100 frames"));
    }
    struct kodama_clip *part;
    assert_int_equal(kodama_clip_slice(&part, NULL, 0, 0, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_slice(NULL, clip, 0, 0, &error), KODAMA_ERR_ARGUMENT);
    kodama_clip_destroy(clip);
}

static void slices_put_in_a_row_give_the_clip_again(void **state)
{
    (void)state;
    struct test_random random = {5};
    struct kodama_clip *clip = make_ramp(44100, 2, 1000);
    for (int round = 0; round < 50; round++) {
        struct kodama_clip *parts[1001];
        size_t n_parts = 0;
        for (size_t at = 0; at < 1000;) {
            size_t n = (size_t)test_random_below(&random, 100); /* also none */
            if (n > 1000 - at) n = 1000 - at;
            assert_int_equal(kodama_clip_slice(&parts[n_parts++], clip, at, n, NULL), KODAMA_OK);
            at += n;
        }
        struct kodama_clip *whole;
        assert_int_equal(
            kodama_clip_concat(&whole, (const struct kodama_clip *const *)parts, n_parts, NULL),
            KODAMA_OK);
        assert_same_samples(whole, kodama_clip_samples(clip), 2000);
        kodama_clip_destroy(whole);
        for (size_t i = 0; i < n_parts; i++) kodama_clip_destroy(parts[i]);
    }
    kodama_clip_destroy(clip);
}

static void clips_of_different_formats_are_not_joined(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *a = make_ramp(44100, 2, 10);
    struct kodama_clip *rate = make_ramp(48000, 2, 10);
    struct kodama_clip *mono = make_ramp(44100, 1, 10);
    struct kodama_clip *back;
    struct kodama_format format = format_of(KODAMA_SAMPLE_F32, 44100, 2);
    format.channel_mask = KODAMA_CHANNEL_BL | KODAMA_CHANNEL_BR;
    assert_int_equal(kodama_clip_create(&back, format, NULL, 5, NULL), KODAMA_OK);
    const struct kodama_clip *const pairs[][2] = {{a, rate}, {a, mono}, {a, back}};
    for (size_t i = 0; i < 3; i++) {
        struct kodama_clip *whole = a;
        assert_int_equal(kodama_clip_concat(&whole, pairs[i], 2, &error), KODAMA_ERR_FORMAT);
        assert_null(whole);
        assert_non_null(strstr(error.message, "clip 1"));
    }
    /* The usual layout, named, is no other format. */
    struct kodama_clip *front;
    struct kodama_clip *whole;
    format.channel_mask = KODAMA_CHANNEL_FL | KODAMA_CHANNEL_FR;
    assert_int_equal(kodama_clip_create(&front, format, NULL, 5, NULL), KODAMA_OK);
    assert_int_equal(
        kodama_clip_concat(&whole, (const struct kodama_clip *const[]){a, front, a}, 3, NULL), 0);
    assert_int_equal(kodama_clip_frames(whole), 25);
    kodama_clip_destroy(whole);
    assert_int_equal(kodama_clip_concat(&whole, NULL, 0, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_concat(&whole, pairs[0], 0, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(
        kodama_clip_concat(&whole, (const struct kodama_clip *const[]){a, NULL}, 2, &error),
        KODAMA_ERR_ARGUMENT);
    kodama_clip_destroy(a);
    kodama_clip_destroy(rate);
    kodama_clip_destroy(mono);
    kodama_clip_destroy(back);
    kodama_clip_destroy(front);
}

static void mono_is_the_mean_of_the_channels_without_lfe(void **state)
{
    (void)state;
    for (uint32_t channels = 1; channels <= KODAMA_CHANNELS_MAX; channels++) {
        struct kodama_clip *clip = make_ramp(16000, channels, 700);
        struct kodama_clip *mono;
        assert_int_equal(kodama_clip_mono(&mono, clip, NULL), KODAMA_OK);
        assert_int_equal(kodama_clip_format(mono).channels, 1);
        assert_int_equal(kodama_clip_frames(mono), 700);
        for (size_t i = 0; i < 700; i++) {
            double sum = 0.0;
            int n = 0;
            for (uint32_t c = 0; c < channels; c++) {
                if (channels >= 6 && c == 3) continue; /* 5.1 and more: LFE is the fourth */
                sum += (double)kodama_clip_samples(clip)[i * channels + c];
                n++;
            }
            assert_true(fabs((double)kodama_clip_samples(mono)[i] - sum / n) < 2e-4);
        }
        kodama_clip_destroy(mono);
        kodama_clip_destroy(clip);
    }
    struct kodama_clip *mono;
    assert_int_equal(kodama_clip_mono(&mono, NULL, NULL), KODAMA_ERR_ARGUMENT);
}

static void channels_split_and_merged_give_the_clip_again(void **state)
{
    (void)state;
    for (uint32_t channels = 1; channels <= KODAMA_CHANNELS_MAX; channels++) {
        struct kodama_clip *clip = make_ramp(16000, channels, 123);
        struct kodama_clip *apart[KODAMA_CHANNELS_MAX];
        struct kodama_clip *merged;
        assert_int_equal(kodama_clip_split(apart, KODAMA_CHANNELS_MAX, clip, NULL), channels);
        for (uint32_t c = 0; c < channels; c++) {
            assert_int_equal(kodama_clip_frames(apart[c]), 123);
            assert_true(kodama_clip_samples(apart[c])[100] == 100.0f + (float)c / 10.0f);
        }
        for (uint32_t c = channels; c < KODAMA_CHANNELS_MAX; c++) assert_null(apart[c]);
        assert_int_equal(
            kodama_clip_merge(&merged, (const struct kodama_clip *const *)apart, channels, NULL),
            KODAMA_OK);
        assert_same_samples(merged, kodama_clip_samples(clip), 123 * channels);
        for (uint32_t c = 0; c < channels; c++) kodama_clip_destroy(apart[c]);
        kodama_clip_destroy(merged);
        kodama_clip_destroy(clip);
    }
}

static void channels_that_do_not_match_are_not_merged(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *a = make_ramp(16000, 5, 100);
    struct kodama_clip *shorter = make_ramp(16000, 1, 99);
    struct kodama_clip *rate = make_ramp(8000, 1, 100);
    struct kodama_clip *merged = a;
    const struct kodama_clip *clips[] = {a, shorter};
    assert_int_equal(kodama_clip_merge(&merged, clips, 2, &error), KODAMA_ERR_ARGUMENT);
    assert_null(merged);
    assert_non_null(strstr(error.message, "99 frames"));
    clips[1] = rate;
    assert_int_equal(kodama_clip_merge(&merged, clips, 2, &error), KODAMA_ERR_FORMAT);
    clips[1] = a;
    assert_int_equal(kodama_clip_merge(&merged, clips, 2, &error), KODAMA_ERR_FORMAT);
    assert_int_equal(kodama_clip_merge(&merged, clips, 0, &error), KODAMA_ERR_ARGUMENT);
    struct kodama_clip *apart[4] = {a, a, a, a};
    assert_int_equal(kodama_clip_split(apart, 4, a, &error), KODAMA_ERR_ARGUMENT);
    for (int i = 0; i < 4; i++) assert_null(apart[i]);
    kodama_clip_destroy(a);
    kodama_clip_destroy(shorter);
    kodama_clip_destroy(rate);
}

static void an_empty_clip_goes_through_every_operation(void **state)
{
    (void)state;
    struct kodama_clip *empty = make(48000, 2, NULL, 0);
    const struct kodama_clip *pair[] = {empty, empty};
    struct kodama_clip *made;
    struct kodama_clip *apart[2];
    assert_int_equal(kodama_clip_slice(&made, empty, 0, KODAMA_CLIP_REST, NULL), KODAMA_OK);
    kodama_clip_destroy(made);
    assert_int_equal(kodama_clip_concat(&made, pair, 2, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_frames(made), 0);
    kodama_clip_destroy(made);
    assert_int_equal(kodama_clip_merge(&made, pair, 2, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_format(made).channels, 4);
    kodama_clip_destroy(made);
    assert_int_equal(kodama_clip_mono(&made, empty, NULL), KODAMA_OK);
    kodama_clip_destroy(made);
    assert_int_equal(kodama_clip_resample(&made, empty, 16000, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_frames(made), 0);
    kodama_clip_destroy(made);
    assert_int_equal(kodama_clip_split(apart, 2, empty, NULL), 2);
    kodama_clip_destroy(apart[0]);
    kodama_clip_destroy(apart[1]);
    assert_int_equal(kodama_clip_gain(empty, 6.0, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_fade_in(empty, 0, KODAMA_FADE_LINEAR, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_fade_in(empty, 1, KODAMA_FADE_LINEAR, NULL), KODAMA_ERR_ARGUMENT);
    double gain_db = 9.0;
    assert_int_equal(kodama_clip_normalise(empty, NULL, &gain_db, NULL), KODAMA_OK);
    assert_true(gain_db == 0.0);
    struct kodama_clip_stats stats;
    kodama_clip_stats(empty, &stats);
    assert_true(stats.rms == 0.0 && stats.rms_db == -INFINITY && stats.duration_s == 0.0);
    struct kodama_clip_loudness loudness;
    assert_int_equal(kodama_clip_loudness(empty, &loudness, NULL), KODAMA_OK);
    assert_true(loudness.integrated_lufs == -INFINITY && loudness.true_peak_db == -INFINITY);
    size_t first;
    size_t n;
    assert_int_equal(kodama_clip_bounds(empty, -50.0, &first, &n), KODAMA_ERR_EMPTY);
    assert_int_equal(kodama_clip_frames(empty), 0);
    kodama_clip_destroy(empty);
}

static void the_most_precise_origin_is_inherited(void **state)
{
    (void)state;
    struct kodama_clip *a;
    struct kodama_clip *b;
    assert_int_equal(kodama_clip_create(&a, format_of(KODAMA_SAMPLE_S16, 8000, 1), NULL, 9, NULL),
                     0);
    assert_int_equal(kodama_clip_create(&b, format_of(KODAMA_SAMPLE_S24, 8000, 1), NULL, 9, NULL),
                     0);
    const struct kodama_clip *pair[] = {a, b};
    struct kodama_clip *made[6];
    assert_int_equal(kodama_clip_concat(&made[0], pair, 2, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_merge(&made[1], pair, 2, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_slice(&made[2], b, 0, 3, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_mono(&made[3], made[1], NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_resample(&made[4], b, 16000, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_split(&made[5], 1, b, NULL), 1);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(kodama_clip_origin(made[i]), KODAMA_SAMPLE_S24);
        kodama_clip_destroy(made[i]);
    }
    kodama_clip_destroy(a);
    kodama_clip_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_samples_come_back_bit_by_bit),
        cmocka_unit_test(wide_integers_come_back_with_24_significant_bits),
        cmocka_unit_test(floats_are_kept_as_they_are_also_above_full_scale),
        cmocka_unit_test(what_is_no_number_becomes_silence_and_is_counted),
        cmocka_unit_test(planar_and_interleaved_samples_are_the_same_audio),
        cmocka_unit_test(no_samples_mean_silence),
        cmocka_unit_test(reading_gives_what_is_left_and_refuses_to_begin_behind_the_end),
        cmocka_unit_test(a_clip_grows_by_appending_pieces_of_any_sample_type),
        cmocka_unit_test(wrong_arguments_are_refused_in_words),
        cmocka_unit_test(sizes_that_overflow_are_refused_before_anything_is_allocated),
        cmocka_unit_test(no_memory_is_an_error_and_not_a_crash),
        cmocka_unit_test(a_slice_holds_exactly_the_frames_asked_for),
        cmocka_unit_test(a_slice_beyond_the_end_is_refused),
        cmocka_unit_test(slices_put_in_a_row_give_the_clip_again),
        cmocka_unit_test(clips_of_different_formats_are_not_joined),
        cmocka_unit_test(mono_is_the_mean_of_the_channels_without_lfe),
        cmocka_unit_test(channels_split_and_merged_give_the_clip_again),
        cmocka_unit_test(channels_that_do_not_match_are_not_merged),
        cmocka_unit_test(an_empty_clip_goes_through_every_operation),
        cmocka_unit_test(the_most_precise_origin_is_inherited),
    };
    return cmocka_run_group_tests_name("clip", tests, NULL, NULL);
}
