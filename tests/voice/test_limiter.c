/* The limiter: the ceiling holds, nothing else is touched, blocks do not matter. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/status.h>

#include "voice/limiter.h"

static const double PI = 3.14159265358979323846;

static struct limiter *opened(uint32_t rate_hz)
{
    struct limiter *limiter;
    assert_int_equal(limiter_open(&limiter, rate_hz), KODAMA_OK);
    return limiter;
}

static void what_is_below_the_ceiling_passes_bit_for_bit(void **state)
{
    (void)state;
    enum { N = 20000 };
    const uint32_t rates[] = {8000, 44100, 48000, 192000};
    for (size_t r = 0; r < 4; r++) {
        struct limiter *limiter = opened(rates[r]);
        uint32_t delay = limiter_delay(limiter);
        assert_true(delay <= rates[r] * 0.0015 + 3);
        float *in = calloc(N, sizeof *in), *out = calloc(N, sizeof *out);
        struct test_random random = {r};
        for (size_t i = 0; i < N; i++) in[i] = 0.7f * test_random_float(&random);
        memcpy(out, in, N * sizeof *in);
        assert_int_equal(limiter_process(limiter, out, N), 0);
        for (size_t i = 0; i < delay; i++) assert_true(out[i] == 0);
        assert_memory_equal(out + delay, in, (N - delay) * sizeof *in);
        free(in);
        free(out);
        limiter_close(limiter);
    }
}

static void no_sample_exceeds_the_ceiling(void **state)
{
    (void)state;
    enum { N = 200000 };
    float *samples = calloc(N, sizeof *samples);
    assert_non_null(samples);
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct limiter *limiter = opened(48000);
        struct test_random random = {seed};
        for (size_t i = 0; i < N; i++) {
            float loud = i / 5000 % 2 ? 0.3f : 40.0f;
            samples[i] = loud * test_random_float(&random);
            /* Single clicks in near silence. */
            if (seed >= 3) {
                samples[i] *= 0.01f;
                if (test_random_below(&random, 400) == 0) samples[i] = seed == 3 ? 8.0f : -1e30f;
            }
        }
        assert_true(limiter_process(limiter, samples, N) > 0);
        for (size_t i = 0; i < N; i++) assert_true(fabsf(samples[i]) <= LIMITER_CEILING);
        limiter_close(limiter);
    }
    free(samples);
}

static void a_peak_between_samples_is_seen(void **state)
{
    (void)state;
    /* A quarter of the rate at 45 degrees: samples of 0.85, 3 dB below what lies between them. */
    enum { N = 48000 };
    float *samples = calloc(N, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < N; i++) samples[i] = (float)(1.2 * sin(PI / 2 * (double)i + PI / 4));
    struct limiter *limiter = opened(48000);
    assert_true(limiter_process(limiter, samples, N) > N / 2);
    float most = 0;
    for (size_t i = N / 2; i < N; i++) most = fmaxf(most, fabsf(samples[i]));
    double true_peak_db = 20 * log10((double)most * sqrt(2));
    print_message("# true peak %.2f dBFS\n", true_peak_db);
    assert_true(true_peak_db < 0.2);
    limiter_close(limiter);
    free(samples);
}

static void a_tone_that_is_too_loud_stays_a_tone(void **state)
{
    (void)state;
    enum { N = 96000 };
    float *samples = calloc(N, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < N; i++) samples[i] = (float)(2 * sin(2 * PI * 200 * (double)i / 48000));
    struct limiter *limiter = opened(48000);
    limiter_process(limiter, samples, N);
    /* Distortion: what is left when the fundamental is taken away, over whole periods. */
    double s = 0, c = 0, all = 0;
    for (size_t i = N / 2; i < N; i++) {
        double w = 2 * PI * 200 * (double)i / 48000;
        s += (double)samples[i] * sin(w);
        c += (double)samples[i] * cos(w);
        all += (double)samples[i] * (double)samples[i];
    }
    double fundamental = 2 * (s * s + c * c) / (N / 2);
    double thd_db = 10 * log10((all - fundamental) / all);
    print_message("# distortion of a tone 7 dB too loud: %.1f dB\n", thd_db);
    assert_true(thd_db < -30);
    limiter_close(limiter);
    free(samples);
}

static void after_a_peak_it_lets_go_entirely(void **state)
{
    (void)state;
    enum { N = 96000 };
    float *samples = calloc(N, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < N; i++) samples[i] = i < 480 ? 3.0f : 0.25f;
    struct limiter *limiter = opened(48000);
    size_t limited = limiter_process(limiter, samples, N);
    assert_true(limited > 480 && limited < N / 2 + N / 4);
    for (size_t i = N - 1000; i < N; i++) assert_true(samples[i] == 0.25f);
    /* No step on the way, down or up. */
    for (size_t i = 1000; i < N; i++) assert_true(fabsf(samples[i] - samples[i - 1]) < 0.002f);
    limiter_close(limiter);
    free(samples);
}

static void blocks_do_not_change_it(void **state)
{
    (void)state;
    enum { N = 50000 };
    float *whole = calloc(N, sizeof *whole), *parts = calloc(N, sizeof *parts);
    struct test_random random = {5};
    for (size_t i = 0; i < N; i++) {
        whole[i] = parts[i] = 2 * test_random_float(&random) * (i / 3000 % 2 ? 1.0f : 0.2f);
    }
    struct limiter *a = opened(44100), *b = opened(44100);
    size_t limited = limiter_process(a, whole, N), limited_parts = 0;
    for (size_t at = 0; at < N;) {
        size_t n = 1 + (size_t)test_random_below(&random, 700);
        if (n > N - at) n = N - at;
        limited_parts += limiter_process(b, parts + at, n);
        at += n;
    }
    assert_int_equal(limited, limited_parts);
    assert_memory_equal(whole, parts, N * sizeof *whole);
    limiter_reset(a);
    limiter_close(a);
    limiter_close(b);
    free(whole);
    free(parts);
}

static void what_is_no_number_is_silence(void **state)
{
    (void)state;
    struct limiter *limiter = opened(48000);
    float samples[400];
    for (size_t i = 0; i < 400; i++) samples[i] = 0.5f;
    samples[100] = NAN;
    samples[200] = INFINITY;
    samples[300] = -INFINITY;
    assert_int_equal(limiter_process(limiter, samples, 400), 0);
    uint32_t delay = limiter_delay(limiter);
    for (size_t i = delay; i < 400; i++) {
        assert_true(samples[i] == ((i - delay) % 100 == 0 && i > delay ? 0.0f : 0.5f));
    }
    limiter_close(limiter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_below_the_ceiling_passes_bit_for_bit),
        cmocka_unit_test(no_sample_exceeds_the_ceiling),
        cmocka_unit_test(a_peak_between_samples_is_seen),
        cmocka_unit_test(a_tone_that_is_too_loud_stays_a_tone),
        cmocka_unit_test(after_a_peak_it_lets_go_entirely),
        cmocka_unit_test(blocks_do_not_change_it),
        cmocka_unit_test(what_is_no_number_is_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
