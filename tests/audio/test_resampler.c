/* Tests of live resampling: one timeline, any block sizes, saved and loaded, and how good it is. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/resampler.h"
#include "base/clock.h"

static const double pi = 3.14159265358979323846;

static const struct {
    uint32_t in, out;
} ways[] = {{48000, 16000}, {44100, 16000},  {22050, 16000}, {11025, 16000}, {8000, 16000},
            {96000, 16000}, {192000, 16000}, {16000, 48000}, {44100, 48000}, {16001, 16000}};
enum { N_WAYS = sizeof ways / sizeof ways[0] };

static struct resampler *open_way(size_t way, uint32_t channels)
{
    struct resampler *resampler;
    assert_int_equal(resampler_open(&resampler, ways[way].in, ways[way].out, channels, NULL), 0);
    return resampler;
}

/* Resample all of it in blocks; returns the frames, which the caller frees. */
static float *resample(struct resampler *resampler, uint32_t channels, const float *in, size_t n_in,
                       size_t block, size_t *n_out)
{
    size_t room = resampler_output_max(resampler, n_in) + resampler_output_max(resampler, 0) +
                  resampler_output_max(resampler, block);
    float *out = calloc(room * channels, sizeof *out);
    assert_non_null(out);
    size_t n = 0;
    for (size_t at = 0; at < n_in; at += block) {
        size_t take = n_in - at < block ? n_in - at : block;
        size_t got = resampler_process(resampler, in + at * channels, take, out + n * channels);
        assert_true(got <= resampler_output_max(resampler, take));
        n += got;
    }
    size_t rest = resampler_flush(resampler, out + n * channels);
    assert_true(rest <= resampler_output_max(resampler, 0));
    *n_out = n + rest;
    return out;
}

static float *noise(size_t n, uint64_t seed)
{
    struct test_random random = {.state = seed};
    float *samples = calloc(n, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < n; i++) samples[i] = test_random_float(&random);
    return samples;
}

static void output_does_not_depend_on_how_input_was_cut(void **state)
{
    (void)state;
    static const size_t blocks[] = {1, 7, 64, 480, 4800};
    for (size_t way = 0; way < N_WAYS; way++) {
        for (uint32_t channels = 1; channels <= 3; channels += 2) {
            size_t n_in = ways[way].in / 2 + 13, n_whole;
            float *in = noise(n_in * channels, way);
            struct resampler *resampler = open_way(way, channels);
            float *whole = resample(resampler, channels, in, n_in, n_in, &n_whole);
            for (size_t b = 0; b < 5; b++) {
                size_t n;
                /* The same resampler again: after a flush it is as new. */
                float *out = resample(resampler, channels, in, n_in, blocks[b], &n);
                assert_int_equal(n, n_whole);
                assert_memory_equal(out, whole, n * channels * sizeof *out);
                free(out);
            }
            free(whole);
            free(in);
            resampler_close(resampler);
        }
    }
}

static void the_length_is_exact_for_every_length(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 3, 5, 100, 287, 288, 289, 1000, 4410, 48001, 100003};
    for (size_t way = 0; way < N_WAYS; way++) {
        struct resampler *resampler = open_way(way, 1);
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            size_t n_in = lengths[i], n;
            float *in = noise(n_in + 1, i);
            free(resample(resampler, 1, in, n_in, 441, &n));
            double wanted = floor((double)n_in * ways[way].out / ways[way].in + 0.5);
            assert_int_equal(n, (size_t)wanted);
            free(in);
        }
        resampler_close(resampler);
    }
}

static void an_impulse_lands_at_its_time(void **state)
{
    (void)state;
    for (size_t way = 0; way < N_WAYS; way++) {
        if (ways[way].in == 16001) continue; /* no output falls on an input second but the first */
        struct resampler *resampler = open_way(way, 1);
        /* Input frame k * period falls exactly on an output frame. */
        size_t at_in = ways[way].in / 4 * 2, at_out = ways[way].out / 4 * 2, n;
        if (ways[way].in % 2 || ways[way].in / 4 * 2 * (uint64_t)ways[way].out !=
                                    ways[way].out / 4 * 2 * (uint64_t)ways[way].in) {
            at_in = ways[way].in;
            at_out = ways[way].out;
        }
        size_t n_in = at_in + 2000;
        float *in = calloc(n_in, sizeof *in);
        assert_non_null(in);
        in[at_in] = 1.0f;
        float *out = resample(resampler, 1, in, n_in, 480, &n);
        size_t peak = 0;
        for (size_t i = 0; i < n; i++) {
            if (fabsf(out[i]) > fabsf(out[peak])) peak = i;
        }
        assert_int_equal(peak, at_out);
        /* Symmetric around its time: the delay is right to a fraction of a sample. */
        for (size_t i = 1; i < 30; i++) {
            assert_true(fabsf(out[peak - i] - out[peak + i]) < 2e-4f * out[peak] + 1e-5f);
        }
        free(out);
        free(in);
        resampler_close(resampler);
    }
}

static void equal_rates_copy_to_the_bit(void **state)
{
    (void)state;
    struct resampler *resampler;
    assert_int_equal(resampler_open(&resampler, 16000, 16000, 2, NULL), 0);
    assert_int_equal(resampler_delay(resampler), 0);
    size_t n;
    float *in = noise(2000, 4);
    in[17] = NAN;
    float *out = resample(resampler, 2, in, 1000, 33, &n);
    assert_int_equal(n, 1000);
    assert_memory_equal(in, out, 2000 * sizeof *in);
    free(out);
    free(in);
    resampler_close(resampler);
}

/* Loudest sine component of x at a frequency (Goertzel would do; this is plain correlation). */
static double level_at(const float *x, size_t n, double hz, double rate, double *residue)
{
    double c = 0.0, s = 0.0, energy = 0.0, weight = 0.0;
    for (size_t i = 0; i < n; i++) {
        double w = 0.5 - 0.5 * cos(2 * pi * (double)i / (double)n); /* Hann: no leakage */
        c += w * (double)x[i] * cos(2 * pi * hz * (double)i / rate);
        s += w * (double)x[i] * sin(2 * pi * hz * (double)i / rate);
        weight += w;
    }
    c *= 2 / weight;
    s *= 2 / weight;
    for (size_t i = 0; i < n; i++) {
        double t = 2 * pi * hz * (double)i / rate;
        double rest = (double)x[i] - c * cos(t) - s * sin(t);
        energy += rest * rest;
    }
    *residue = sqrt(2 * energy / (double)n);
    return sqrt(c * c + s * s);
}

static float *tone(double hz, uint32_t rate, size_t n)
{
    float *in = calloc(n, sizeof *in);
    assert_non_null(in);
    for (size_t i = 0; i < n; i++) in[i] = (float)sin(2 * pi * hz * (double)i / rate);
    return in;
}

static void tones_pass_and_aliases_do_not(void **state)
{
    (void)state;
    for (size_t way = 0; way < N_WAYS; way++) {
        uint32_t low = ways[way].in < ways[way].out ? ways[way].in : ways[way].out;
        double ripple = 0.0, noise_floor = 0.0, alias = 0.0, residue;
        size_t n_in = ways[way].in, skip = ways[way].out / 8, n;
        struct resampler *resampler = open_way(way, 1);
        for (double share = 0.02; share < 0.86; share += 0.06) { /* of the lower Nyquist */
            double hz = share * low / 2;
            float *in = tone(hz, ways[way].in, n_in);
            float *out = resample(resampler, 1, in, n_in, 480, &n);
            double level = level_at(out + skip, n - 2 * skip, hz, ways[way].out, &residue);
            double db = fabs(20 * log10(level));
            if (db > ripple) ripple = db;
            if (residue > noise_floor) noise_floor = residue;
            free(out);
            free(in);
        }
        if (ways[way].in > ways[way].out) {
            for (double hz = low * 0.56; hz < ways[way].in * 0.49; hz += ways[way].in * 0.031) {
                float *in = tone(hz, ways[way].in, n_in);
                float *out = resample(resampler, 1, in, n_in, 480, &n);
                for (size_t i = skip; i < n - skip; i++) {
                    if (fabs((double)out[i]) > alias) alias = fabs((double)out[i]);
                }
                free(out);
                free(in);
            }
        }
        uint64_t begin = clock_now_ns();
        float *in = noise(n_in, 1);
        free(resample(resampler, 1, in, n_in, 480, &n));
        free(in);
        printf("# %u -> %u Hz: passband error %.4f dB, distortion %.1f dB, aliases %.1f dB, delay "
               "%.2f ms, %.2f ms per s\n",
               ways[way].in, ways[way].out, ripple, 20 * log10(noise_floor),
               alias > 0 ? 20 * log10(alias) : -999.0,
               1000.0 * resampler_delay(resampler) / ways[way].in,
               (double)(clock_now_ns() - begin) / 1e6);
        fflush(stdout);
        assert_true(ripple < 0.1);
        assert_true(noise_floor < 1e-3);
        assert_true(alias < 1e-3);
        resampler_close(resampler);
    }
}

static void a_saved_and_loaded_resampler_goes_on_to_the_bit(void **state)
{
    (void)state;
    struct test_random random = {.state = 11};
    for (size_t way = 0; way < N_WAYS; way++) {
        for (int round = 0; round < 6; round++) {
            uint32_t channels = 1 + (uint32_t)test_random_below(&random, 3);
            size_t n_in = 30000;
            size_t cut = round == 0 ? 0 : test_random_below(&random, round < 3 ? 400 : 29000);
            float *in = noise(n_in * channels, (uint64_t)round);
            struct resampler *one = open_way(way, channels), *two = open_way(way, channels);
            float *a = calloc(400000, sizeof *a), *b = calloc(400000, sizeof *b);
            assert_true(a && b);
            /* The other one has heard something else before: loading replaces all of it. */
            resampler_process(two, in, 1234, b);
            resampler_process(one, in, cut, a);
            struct record out = record_writer();
            resampler_save(one, &out);
            assert_false(out.failed);
            struct record reader = record_reader(out.data, out.n_bytes);
            resampler_load(two, &reader);
            assert_false(reader.failed);
            assert_int_equal(reader.offset, reader.n_bytes);
            size_t n = 0, m = 0;
            for (size_t at = cut; at < n_in; at += 160) {
                size_t take = n_in - at < 160 ? n_in - at : 160;
                n += resampler_process(one, in + at * channels, take, a + n * channels);
                m += resampler_process(two, in + at * channels, take, b + m * channels);
            }
            n += resampler_flush(one, a + n * channels);
            m += resampler_flush(two, b + m * channels);
            assert_int_equal(n, m);
            assert_memory_equal(a, b, n * channels * sizeof *a);
            /* A loaded one saves what it was loaded from. */
            record_free(&out);
            free(a);
            free(b);
            free(in);
            resampler_close(one);
            resampler_close(two);
        }
    }
}

static void a_wrong_or_damaged_record_is_refused(void **state)
{
    (void)state;
    struct resampler *one = open_way(0, 1), *other = open_way(1, 1);
    float *in = noise(1000, 1), out[1000];
    resampler_process(one, in, 1000, out);
    struct record saved = record_writer();
    resampler_save(one, &saved);
    struct record reader = record_reader(saved.data, saved.n_bytes);
    resampler_load(other, &reader);
    assert_true(reader.failed);
    for (size_t n = 0; n < saved.n_bytes; n += 3) {
        reader = record_reader(saved.data, n);
        resampler_load(one, &reader);
        assert_true(reader.failed);
    }
    struct test_random random = {.state = 2};
    for (int i = 0; i < 300; i++) { /* any damage: an answer, no crash, no endless replay */
        struct record copy = record_writer();
        record_put_bytes(&copy, saved.data, saved.n_bytes);
        copy.data[test_random_below(&random, 44)] ^= (uint8_t)(1u << test_random_below(&random, 8));
        reader = record_reader(copy.data, copy.n_bytes);
        resampler_load(one, &reader);
        resampler_process(one, in, 100, out);
        record_free(&copy);
    }
    record_free(&saved);
    free(in);
    resampler_close(one);
    resampler_close(other);
}

static void what_is_no_rate_is_refused_in_words(void **state)
{
    (void)state;
    struct resampler *resampler;
    struct kodama_error error = {0};
    assert_int_equal(resampler_open(&resampler, 7999, 16000, 1, &error), KODAMA_ERR_ARGUMENT);
    assert_null(resampler);
    assert_non_null(strstr(error.message, "7999"));
    assert_int_equal(resampler_open(&resampler, 8000, 192001, 1, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(resampler_open(&resampler, 8000, 16000, 0, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(resampler_open(&resampler, 8000, 16000, 9, NULL), KODAMA_ERR_ARGUMENT);
    resampler_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_does_not_depend_on_how_input_was_cut),
        cmocka_unit_test(the_length_is_exact_for_every_length),
        cmocka_unit_test(an_impulse_lands_at_its_time),
        cmocka_unit_test(equal_rates_copy_to_the_bit),
        cmocka_unit_test(tones_pass_and_aliases_do_not),
        cmocka_unit_test(a_saved_and_loaded_resampler_goes_on_to_the_bit),
        cmocka_unit_test(a_wrong_or_damaged_record_is_refused),
        cmocka_unit_test(what_is_no_rate_is_refused_in_words),
    };
    return cmocka_run_group_tests_name("resampler", tests, NULL, NULL);
}
