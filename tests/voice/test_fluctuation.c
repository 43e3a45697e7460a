/* Fluctuation: the drift's statistics, its independence of hops and rates, and what it does to
 * sound. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/status.h>

#include "voice/fluctuation.h"

static const double PI = 3.14159265358979323846;

static struct fluctuation *opened(uint32_t rate_hz, uint32_t hop, uint64_t seed)
{
    struct fluctuation *fluctuation;
    assert_int_equal(fluctuation_open(&fluctuation, rate_hz, hop, seed), KODAMA_OK);
    return fluctuation;
}

/* One of the seven factors as drift: 0 is none. */
static double drift_of(const struct fluctuation_values *values, size_t curve)
{
    double factor = curve == 0   ? (double)values->pitch_ratio
                    : curve == 1 ? (double)values->gain
                                 : (double)values->eq_gain[curve - 2];
    return factor - 1;
}

enum { CURVES = 2 + FLUCTUATION_BANDS, HOP = 480, RATE = 48000 };

/* An hour of drift, [n][CURVES]. */
static double *an_hour(uint64_t seed, size_t *n)
{
    *n = 360000;
    double *drift = calloc(*n * CURVES, sizeof *drift);
    assert_non_null(drift);
    struct fluctuation *fluctuation = opened(RATE, HOP, seed);
    struct fluctuation_values values;
    for (size_t i = 0; i < *n; i++) {
        fluctuation_step(fluctuation, 0.05f, 0.03f, 0.02f, &values);
        for (size_t c = 0; c < CURVES; c++) drift[i * CURVES + c] = drift_of(&values, c);
    }
    fluctuation_close(fluctuation);
    return drift;
}

static void the_spread_is_the_one_asked_for(void **state)
{
    (void)state;
    const double wanted[] = {0.05, 0.03, 0.02};
    size_t n;
    double *drift = an_hour(1, &n);
    for (size_t c = 0; c < CURVES; c++) {
        double sum = 0, squares = 0, most = 0;
        for (size_t i = 0; i < n; i++) {
            double x = drift[i * CURVES + c];
            sum += x;
            squares += x * x;
            most = fmax(most, fabs(x));
        }
        double spread = wanted[c < 2 ? c : 2];
        double deviation = sqrt(squares / (double)n - sum / (double)n * sum / (double)n);
        print_message("# curve %zu: deviation %.4f of %.2f, mean %.4f, at most %.4f\n", c,
                      deviation, spread, sum / (double)n, most);
        /* About 1100 independent stretches: the deviation of a deviation is 2 %. */
        assert_true(fabs(deviation / spread - 1) < 0.08);
        assert_true(fabs(sum / (double)n) < 0.15 * spread);
        assert_true(most <= exp(3 * spread) - 1 + 1e-6);
        assert_true(most > 2 * spread);
    }
    free(drift);
}

static double correlation(const double *drift, size_t n, size_t curve, size_t other, size_t lag)
{
    double both = 0, a2 = 0, b2 = 0;
    for (size_t i = 0; i + lag < n; i++) {
        double a = drift[i * CURVES + curve], b = drift[(i + lag) * CURVES + other];
        both += a * b;
        a2 += a * a;
        b2 += b * b;
    }
    return both / sqrt(a2 * b2);
}

static void the_drift_forgets_as_fast_as_it_says(void **state)
{
    (void)state;
    size_t n;
    double *drift = an_hour(2, &n);
    const double lags_s[] = {0.1, 0.56, 1.12, 2.24, 5.6};
    for (size_t i = 0; i < sizeof lags_s / sizeof lags_s[0]; i++) {
        double t = lags_s[i] / 1.12;
        double wanted = (1 + t) * exp(-t);
        double mean = 0;
        for (size_t c = 0; c < CURVES; c++) {
            mean += correlation(drift, n, c, c, (size_t)(lags_s[i] * 100 + 0.5)) / CURVES;
        }
        print_message("# after %.2f s: correlation %.3f, wanted %.3f\n", lags_s[i], mean, wanted);
        assert_true(fabs(mean - wanted) < 0.04);
    }
    for (size_t c = 1; c < CURVES; c++) assert_true(fabs(correlation(drift, n, 0, c, 0)) < 0.15);
    free(drift);
}

static void neither_the_drift_nor_its_slope_jumps(void **state)
{
    (void)state;
    size_t n;
    double *drift = an_hour(3, &n);
    double step_most = 0, bend_most = 0;
    for (size_t i = 2; i < n; i++) {
        const double *x = drift + i * CURVES;
        double step = x[0] - x[-CURVES];
        double bend = step - (x[-CURVES] - x[-2 * CURVES]);
        step_most = fmax(step_most, fabs(step));
        bend_most = fmax(bend_most, fabs(bend));
    }
    print_message("# pitch in 10 ms: at most %.4f %%, slope changes by %.4f %%\n", 100 * step_most,
                  100 * bend_most);
    /* The slope's deviation is spread / T = 0.045 % in 10 ms, noise of the slope 2 sqrt(dt/T). */
    assert_true(step_most < 0.05 * 0.01 / 1.12 * 6);
    assert_true(bend_most < 0.05 * 0.01 / 1.12 * 2 * sqrt(0.01 / 1.12) * 7);
    free(drift);
}

/* The value at whole seconds for ten minutes. */
static void at_seconds(uint32_t rate_hz, uint32_t hop, double *drift)
{
    struct fluctuation *fluctuation = opened(rate_hz, hop, 4);
    struct fluctuation_values values;
    uint64_t frames = 0;
    for (size_t second = 1; second <= 600; second++) {
        while (frames < (uint64_t)second * rate_hz) {
            fluctuation_step(fluctuation, 0.05f, 0.03f, 0.02f, &values);
            frames += hop;
        }
        assert_int_equal(frames, (uint64_t)second * rate_hz);
        for (size_t c = 0; c < CURVES; c++) *drift++ = drift_of(&values, c);
    }
    fluctuation_close(fluctuation);
}

static void a_seed_is_one_curve_at_every_rate_and_hop(void **state)
{
    (void)state;
    static double reference[600 * CURVES], drift[600 * CURVES];
    at_seconds(48000, 480, reference);
    const uint32_t others[][2] = {{48000, 64},  {48000, 48000}, {44100, 441}, {44100, 1},
                                  {16000, 160}, {8000, 100},    {96000, 128}, {192000, 64}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i][1] == 1 && test_scale() < 1) continue; /* slow under valgrind */
        at_seconds(others[i][0], others[i][1], drift);
        assert_memory_equal(drift, reference, sizeof drift);
    }
}

static void other_seeds_are_other_curves(void **state)
{
    (void)state;
    size_t n;
    double *a = an_hour(10, &n), *b = an_hour(11, &n);
    double both = 0, a2 = 0, b2 = 0;
    for (size_t i = 0; i < n; i++) {
        both += a[i * CURVES] * b[i * CURVES];
        a2 += a[i * CURVES] * a[i * CURVES];
        b2 += b[i * CURVES] * b[i * CURVES];
    }
    assert_true(fabs(both / sqrt(a2 * b2)) < 0.15);
    free(a);
    free(b);
}

static void smoothness_is_a_time(void **state)
{
    (void)state;
    struct fluctuation *fluctuation = opened(RATE, HOP, 5);
    fluctuation_set_smoothness(fluctuation, 0.1);
    enum { N = 100000, LAG = 10 };
    double *x = calloc(N, sizeof *x);
    assert_non_null(x);
    double both = 0, squares = 0;
    struct fluctuation_values values;
    for (size_t i = 0; i < N; i++) {
        fluctuation_step(fluctuation, 0.05f, 0, 0, &values);
        x[i] = drift_of(&values, 0);
        squares += x[i] * x[i];
        if (i >= LAG) both += x[i] * x[i - LAG];
    }
    assert_true(fabs(both / squares - 2 * exp(-1)) < 0.04);
    assert_true(fabs(sqrt(squares / N) / 0.05 - 1) < 0.05);
    free(x);
    fluctuation_close(fluctuation);
}

/* ---------------------------------------------------------------------- sound */

static void noise(float *samples, size_t n, uint64_t seed)
{
    struct test_random random = {seed};
    for (size_t i = 0; i < n; i++) samples[i] = 0.3f * test_random_float(&random);
}

static void without_drift_samples_stay_as_they_are(void **state)
{
    (void)state;
    struct fluctuation *fluctuation = opened(RATE, HOP, 6);
    float in[HOP], out[HOP];
    struct fluctuation_values values;
    for (uint64_t i = 0; i < 100; i++) {
        noise(in, HOP, i);
        memcpy(out, in, sizeof out);
        fluctuation_step(fluctuation, 0, 0, 0, &values);
        fluctuation_apply(fluctuation, &values, out, HOP);
        assert_memory_equal(in, out, sizeof in);
    }
    fluctuation_close(fluctuation);
}

/* Gain in dB of a tone through fixed values. */
static double response_db(const struct fluctuation_values *values, uint32_t rate_hz, double hz)
{
    struct fluctuation *fluctuation = opened(rate_hz, HOP, 7);
    float hop[HOP];
    double in = 0, out = 0;
    size_t at = 0;
    for (size_t h = 0; h < 200; h++) {
        for (size_t i = 0; i < HOP; i++)
            hop[i] = (float)sin(2 * PI * hz * (double)(at + i) / rate_hz);
        for (size_t i = 0; i < HOP && h >= 100; i++) in += (double)hop[i] * (double)hop[i];
        fluctuation_apply(fluctuation, values, hop, HOP);
        for (size_t i = 0; i < HOP && h >= 100; i++) out += (double)hop[i] * (double)hop[i];
        at += HOP;
    }
    fluctuation_close(fluctuation);
    return 10 * log10(out / in);
}

static void each_band_lifts_its_own_frequencies(void **state)
{
    (void)state;
    const double centres[] = {150, 400, 1000, 2500, 6000};
    for (size_t b = 0; b < FLUCTUATION_BANDS; b++) {
        struct fluctuation_values values = {1, 1, {1, 1, 1, 1, 1}};
        values.eq_gain[b] = 1.5f;
        for (size_t c = 0; c < FLUCTUATION_BANDS; c++) {
            double db = response_db(&values, RATE, centres[c]);
            /* 1.5 is 3.52 dB; the neighbour gets a third or less of it. */
            if (c == b) assert_true(fabs(db - 3.52) < 0.05);
            if (c != b) assert_true(db > -0.05 && db < 1.3);
        }
    }
}

static void a_band_beyond_a_low_rate_is_left_out(void **state)
{
    (void)state;
    struct fluctuation_values values = {1, 1, {1, 1, 1, 1, 1.5f}};
    assert_true(fabs(response_db(&values, 8000, 3500)) < 1e-6);
    values.eq_gain[3] = 1.5f;
    assert_true(fabs(response_db(&values, 8000, 2500) - 3.52) < 0.05);
}

static void volume_glides_inside_a_hop(void **state)
{
    (void)state;
    struct fluctuation *fluctuation = opened(RATE, HOP, 8);
    struct fluctuation_values values = {1, 1, {1, 1, 1, 1, 1}};
    float hop[HOP];
    for (size_t i = 0; i < HOP; i++) hop[i] = 1;
    fluctuation_apply(fluctuation, &values, hop, HOP);
    values.gain = 1.3f;
    fluctuation_apply(fluctuation, &values, hop, HOP);
    for (size_t i = 1; i < HOP; i++) {
        assert_true(hop[i] > hop[i - 1] && hop[i] - hop[i - 1] < 0.3f / HOP * 1.1f);
    }
    assert_float_equal(hop[HOP - 1], 1.3f, 1e-4f);
    fluctuation_close(fluctuation);
}

static void all_three_drifts_reach_what_they_are_for(void **state)
{
    (void)state;
    struct fluctuation *fluctuation = opened(RATE, HOP, 9);
    struct fluctuation_values values;
    double pitch = 0, level = 0, eq = 0;
    float before = 0;
    for (size_t i = 0; i < 2000; i++) {
        fluctuation_step(fluctuation, 0.05f, 0.03f, 0.02f, &values);
        pitch = fmax(pitch, fabs(drift_of(&values, 0)));
        float hop[HOP];
        for (size_t s = 0; s < HOP; s++) {
            hop[s] = (float)sin(2 * PI * 1000 * (double)(i * HOP + s) / RATE);
        }
        fluctuation_apply(fluctuation, &values, hop, HOP);
        if (i == 0) continue;
        double squares = 0;
        for (size_t s = 0; s < HOP; s++) squares += (double)hop[s] * (double)hop[s];
        /* At 1 kHz the middle band and the volume act, and a little of the neighbours. */
        double gain = sqrt(2 * squares / HOP) - 1;
        level = fmax(level, fabs(gain));
        eq = fmax(eq, fabs(gain - drift_of(&values, 1)));
        assert_true(fabsf(hop[0] - before) < 0.15f);
        before = hop[HOP - 1];
    }
    assert_true(pitch > 0.08);
    assert_true(level > 0.05);
    assert_true(eq > 0.03);
    fluctuation_close(fluctuation);
}

static void blocks_of_another_size_sound_alike(void **state)
{
    (void)state;
    enum { N = 48000 };
    float *sound[2];
    for (size_t k = 0; k < 2; k++) {
        uint32_t hop = k == 0 ? 480 : 120;
        struct fluctuation *fluctuation = opened(RATE, hop, 20);
        sound[k] = calloc(N, sizeof(float));
        assert_non_null(sound[k]);
        noise(sound[k], N, 1);
        struct fluctuation_values values;
        for (size_t at = 0; at < N; at += hop) {
            fluctuation_step(fluctuation, 0.05f, 0.03f, 0.02f, &values);
            fluctuation_apply(fluctuation, &values, sound[k] + at, hop);
        }
        fluctuation_close(fluctuation);
    }
    /* The first hop begins with where it ends. */
    for (size_t i = 480; i < N; i++) assert_float_equal(sound[0][i], sound[1][i], 1e-4f);
    free(sound[0]);
    free(sound[1]);
}

/* -------------------------------------------------------------------- keeping */

static void a_saved_drift_goes_on_as_if_nothing_had_happened(void **state)
{
    (void)state;
    struct fluctuation *a = opened(RATE, HOP, 12), *b = opened(RATE, HOP, 99);
    fluctuation_set_smoothness(a, 0.7);
    struct fluctuation_values va, vb;
    float in[HOP], out[HOP];
    for (uint64_t i = 0; i < 1234; i++) {
        fluctuation_step(a, 0.05f, 0.03f, 0.02f, &va);
        noise(in, HOP, i);
        fluctuation_apply(a, &va, in, HOP);
    }
    struct record writer = record_writer();
    fluctuation_save(a, &writer);
    assert_false(writer.failed);
    struct record reader = record_reader(writer.data, writer.n_bytes);
    fluctuation_load(b, &reader);
    assert_false(reader.failed);
    assert_int_equal(reader.offset, reader.n_bytes);
    for (uint64_t i = 0; i < 1000; i++) {
        fluctuation_step(a, 0.05f, 0.03f, 0.02f, &va);
        fluctuation_step(b, 0.05f, 0.03f, 0.02f, &vb);
        assert_memory_equal(&va, &vb, sizeof va);
        noise(in, HOP, i);
        memcpy(out, in, sizeof out);
        fluctuation_apply(a, &va, in, HOP);
        fluctuation_apply(b, &vb, out, HOP);
        assert_memory_equal(in, out, sizeof in);
    }
    record_free(&writer);
    fluctuation_close(a);
    fluctuation_close(b);
}

static void a_damaged_or_foreign_record_changes_nothing(void **state)
{
    (void)state;
    struct fluctuation *a = opened(RATE, HOP, 13), *other = opened(16000, 160, 13);
    struct record writer = record_writer();
    fluctuation_save(a, &writer);
    struct record reader = record_reader(writer.data, writer.n_bytes);
    fluctuation_load(other, &reader);
    assert_true(reader.failed);
    struct record before = record_writer();
    fluctuation_save(a, &before);
    for (size_t n = 0; n < writer.n_bytes; n++) {
        reader = record_reader(writer.data, n);
        fluctuation_load(a, &reader);
        assert_true(reader.failed);
    }
    /* Whatever a bit does, values stay finite and time does not stand still. */
    struct test_random random = {1};
    for (size_t i = 0; i < 2000; i++) {
        uint64_t bit = test_random_below(&random, writer.n_bytes * 8);
        writer.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct fluctuation *loaded = opened(RATE, HOP, 1);
        reader = record_reader(writer.data, writer.n_bytes);
        fluctuation_load(loaded, &reader);
        struct fluctuation_values values;
        for (size_t h = 0; h < 3; h++) {
            fluctuation_step(loaded, 0.05f, 0.03f, 0.02f, &values);
            for (size_t c = 0; c < CURVES; c++) assert_true(isfinite(drift_of(&values, c)));
        }
        fluctuation_close(loaded);
        writer.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    struct record after = record_writer();
    fluctuation_save(a, &after);
    assert_memory_equal(after.data, before.data, before.n_bytes);
    record_free(&writer);
    record_free(&before);
    record_free(&after);
    fluctuation_close(a);
    fluctuation_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_spread_is_the_one_asked_for),
        cmocka_unit_test(the_drift_forgets_as_fast_as_it_says),
        cmocka_unit_test(neither_the_drift_nor_its_slope_jumps),
        cmocka_unit_test(a_seed_is_one_curve_at_every_rate_and_hop),
        cmocka_unit_test(other_seeds_are_other_curves),
        cmocka_unit_test(smoothness_is_a_time),
        cmocka_unit_test(without_drift_samples_stay_as_they_are),
        cmocka_unit_test(each_band_lifts_its_own_frequencies),
        cmocka_unit_test(a_band_beyond_a_low_rate_is_left_out),
        cmocka_unit_test(volume_glides_inside_a_hop),
        cmocka_unit_test(all_three_drifts_reach_what_they_are_for),
        cmocka_unit_test(blocks_of_another_size_sound_alike),
        cmocka_unit_test(a_saved_drift_goes_on_as_if_nothing_had_happened),
        cmocka_unit_test(a_damaged_or_foreign_record_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
