/* The public resampler: any format in, mono float out. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>

#include <kodama/resampler.h>

static struct kodama_format format(enum kodama_sample sample, uint32_t rate_hz, uint32_t channels)
{
    return (struct kodama_format){.sample = sample, .rate_hz = rate_hz, .channels = channels};
}

static void equal_rates_only_mix_down(void **state)
{
    (void)state;
    const int16_t frames[] = {16384, 0, -32768, -32768, 100, -100};
    struct kodama_resampler *resampler;
    assert_int_equal(
        kodama_resampler_open(&resampler, format(KODAMA_SAMPLE_S16, 16000, 2), 16000, NULL),
        KODAMA_OK);
    float samples[64];
    assert_true(kodama_resampler_room(resampler, 3) <= 64);
    assert_int_equal(kodama_resampler_process(resampler, frames, 3, samples), 3);
    assert_float_equal(samples[0], 0.25f, 0.0f);
    assert_float_equal(samples[1], -1.0f, 0.0f);
    assert_float_equal(samples[2], 0.0f, 0.0f);
    assert_int_equal(kodama_resampler_flush(resampler, samples), 0);
    kodama_resampler_close(resampler);
}

static void as_many_samples_come_out_as_the_time_lasts(void **state)
{
    (void)state;
    struct kodama_resampler *resampler;
    assert_int_equal(
        kodama_resampler_open(&resampler, format(KODAMA_SAMPLE_F32, 44100, 1), 16000, NULL),
        KODAMA_OK);
    enum { FRAMES = 44100 };
    float *in = calloc(FRAMES, sizeof *in);
    float *out = calloc(kodama_resampler_room(resampler, FRAMES), sizeof *out);
    assert_non_null(in);
    assert_non_null(out);
    for (size_t i = 0; i < FRAMES; i++) in[i] = 0.5f * sinf((float)i * 0.05f);
    size_t n = kodama_resampler_process(resampler, in, FRAMES, out);
    float *rest = calloc(kodama_resampler_room(resampler, 0), sizeof *rest);
    assert_non_null(rest);
    n += kodama_resampler_flush(resampler, rest);
    assert_int_equal(n, 16000);
    free(in);
    free(out);
    free(rest);
    kodama_resampler_close(resampler);
}

static void blocks_do_not_change_the_output(void **state)
{
    (void)state;
    enum { FRAMES = 20000 };
    struct test_random random = {7};
    int16_t *in = calloc(2 * FRAMES, sizeof *in);
    assert_non_null(in);
    for (size_t i = 0; i < 2 * FRAMES; i++) in[i] = (int16_t)test_random_next(&random);
    float *outs[2];
    size_t n_out[2] = {0, 0};
    for (int run = 0; run < 2; run++) {
        struct kodama_resampler *resampler;
        assert_int_equal(
            kodama_resampler_open(&resampler, format(KODAMA_SAMPLE_S16, 48000, 2), 16000, NULL),
            KODAMA_OK);
        outs[run] = calloc(kodama_resampler_room(resampler, FRAMES) + 4096, sizeof(float));
        assert_non_null(outs[run]);
        for (size_t at = 0; at < FRAMES;) {
            size_t n = run == 0 ? FRAMES : 1 + (size_t)test_random_below(&random, 999);
            if (n > FRAMES - at) n = FRAMES - at;
            n_out[run] +=
                kodama_resampler_process(resampler, in + 2 * at, n, outs[run] + n_out[run]);
            at += n;
        }
        n_out[run] += kodama_resampler_flush(resampler, outs[run] + n_out[run]);
        kodama_resampler_close(resampler);
    }
    assert_int_equal(n_out[0], n_out[1]);
    assert_memory_equal(outs[0], outs[1], n_out[0] * sizeof(float));
    free(outs[0]);
    free(outs[1]);
    free(in);
}

static void no_frames_mean_silence(void **state)
{
    (void)state;
    struct kodama_resampler *resampler;
    assert_int_equal(
        kodama_resampler_open(&resampler, format(KODAMA_SAMPLE_U8, 8000, 1), 8000, NULL),
        KODAMA_OK);
    float *samples = calloc(kodama_resampler_room(resampler, 5000), sizeof *samples);
    assert_non_null(samples);
    assert_int_equal(kodama_resampler_process(resampler, NULL, 5000, samples), 5000);
    for (size_t i = 0; i < 5000; i++) assert_float_equal(samples[i], 0.0f, 0.0f);
    free(samples);
    kodama_resampler_close(resampler);
}

static void formats_and_rates_that_do_not_exist_are_refused_in_words(void **state)
{
    (void)state;
    struct kodama_resampler *resampler;
    struct kodama_error error = {0};
    assert_int_equal(
        kodama_resampler_open(&resampler, format(KODAMA_SAMPLE_S16, 16000, 99), 16000, &error),
        KODAMA_ERR_FORMAT);
    assert_null(resampler);
    assert_true(error.message[0] != '\0');
    assert_int_equal(
        kodama_resampler_open(&resampler, format(KODAMA_SAMPLE_S16, 16000, 1), 5, &error),
        KODAMA_ERR_ARGUMENT);
    assert_null(resampler);
    kodama_resampler_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_rates_only_mix_down),
        cmocka_unit_test(as_many_samples_come_out_as_the_time_lasts),
        cmocka_unit_test(blocks_do_not_change_the_output),
        cmocka_unit_test(no_frames_mean_silence),
        cmocka_unit_test(formats_and_rates_that_do_not_exist_are_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
