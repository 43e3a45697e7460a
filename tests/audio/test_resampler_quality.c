/* Tests of how good live resampling is: flatness, aliases, images, place and delay, with bounds,
 * and beside soxr at its very high quality, which clips use. bench/resampler prints more. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>

#include <kodama/clip.h>
#include <kodama/resampler.h>

#include "audio/resampler.h"

static const double pi = 3.14159265358979323846;

static const struct {
    uint32_t in, out;
} ways[] = {{44100, 16000}, {48000, 16000}, {96000, 16000}, {16000, 48000}};
enum { N_WAYS = sizeof ways / sizeof ways[0] };

/* A sum of tones, in phase everywhere: amplitude 1 in all. */
struct tones {
    double hz[40];
    size_t n;
};

static float *play(const struct tones *tones, uint32_t rate_hz, size_t n_frames)
{
    float *samples = calloc(n_frames, sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < n_frames; i++) {
        double sum = 0.0;
        for (size_t t = 0; t < tones->n; t++) {
            sum += sin(2.0 * pi * fmod(tones->hz[t] * (double)i / rate_hz, 1.0));
        }
        samples[i] = (float)(sum / (double)tones->n);
    }
    return samples;
}

/* In blocks of 10 ms, as live audio comes. */
static float *live(size_t way, const float *in, size_t n_in, size_t *n_out)
{
    struct kodama_format format = {KODAMA_SAMPLE_F32, ways[way].in, 1, 0};
    struct kodama_resampler *resampler;
    assert_int_equal(kodama_resampler_open(&resampler, format, ways[way].out, NULL), KODAMA_OK);
    size_t block = ways[way].in / 100, n = 0;
    float *out = calloc(4 * n_in + 10000, sizeof *out);
    assert_non_null(out);
    for (size_t at = 0; at < n_in; at += block) {
        size_t take = n_in - at < block ? n_in - at : block;
        n += kodama_resampler_process(resampler, in + at, take, out + n);
    }
    n += kodama_resampler_flush(resampler, out + n);
    kodama_resampler_close(resampler);
    *n_out = n;
    return out;
}

static float *very_high(size_t way, const float *in, size_t n_in, size_t *n_out)
{
    struct kodama_format format = {KODAMA_SAMPLE_F32, ways[way].in, 1, 0};
    struct kodama_clip *clip, *result;
    assert_int_equal(kodama_clip_create(&clip, format, in, n_in, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_resample(&result, clip, ways[way].out, NULL), KODAMA_OK);
    *n_out = kodama_clip_frames(result);
    float *out = calloc(*n_out, sizeof *out);
    assert_non_null(out);
    assert_int_equal(kodama_clip_read(result, 0, KODAMA_SAMPLE_F32, out, *n_out), *n_out);
    kodama_clip_destroy(clip);
    kodama_clip_destroy(result);
    return out;
}

typedef float *(*resample_function)(size_t way, const float *in, size_t n_in, size_t *n_out);

static double db(double factor)
{
    return 20.0 * log10(factor + 1e-12);
}

/* What a tone became: level, delay, and what is left without it, as the amplitude of a tone. */
struct heard {
    double level, delay_ns, left;
};

static struct heard hear(resample_function resample, size_t way, double hz)
{
    struct tones tone = {.hz = {hz}, .n = 1};
    size_t n_in = ways[way].in / 2, n;
    float *in = play(&tone, ways[way].in, n_in);
    float *out = resample(way, in, n_in, &n);
    double ss = 0, cc = 0, sc = 0, xs = 0, xc = 0, rest = 0, step = 2.0 * pi * hz / ways[way].out;
    for (size_t i = n / 4; i < n - n / 4; i++) {
        double s = sin(step * (double)i), c = cos(step * (double)i), x = (double)out[i];
        ss += s * s;
        cc += c * c;
        sc += s * c;
        xs += x * s;
        xc += x * c;
    }
    double determinant = ss * cc - sc * sc;
    double a = (xs * cc - xc * sc) / determinant, b = (xc * ss - xs * sc) / determinant;
    for (size_t i = n / 4; i < n - n / 4; i++) {
        double x = (double)out[i] - a * sin(step * (double)i) - b * cos(step * (double)i);
        rest += x * x;
    }
    free(in);
    free(out);
    return (struct heard){.level = sqrt(a * a + b * b),
                          .delay_ns = -atan2(b, a) / (2.0 * pi * hz) * 1e9,
                          .left = sqrt(2.0 * rest / (double)(n / 2))};
}

static double lower_band(size_t way)
{
    return (ways[way].in < ways[way].out ? ways[way].in : ways[way].out) / 2.0;
}

static void check_passband(resample_function resample, const char *name, double up_to,
                           double ripple_max_db, double image_max_db)
{
    for (size_t way = 0; way < N_WAYS; way++) {
        double ripple = 0.0, left = -999.0, delay = 0.0;
        for (int i = 0; i < 16; i++) {
            struct heard heard =
                hear(resample, way, lower_band(way) * (0.01 + (up_to - 0.01) * i / 15));
            ripple = fmax(ripple, fabs(db(heard.level)));
            left = fmax(left, db(heard.left));
            delay = fmax(delay, fabs(heard.delay_ns));
        }
        print_message("# %s, %u to %u Hz, to %.0f %% of the band: ripple %.5f dB, images and "
                      "distortion %.1f dB, out of place %.2f ns\n",
                      name, ways[way].in, ways[way].out, 100.0 * up_to, ripple, left, delay);
        assert_true(ripple < ripple_max_db);
        assert_true(left < image_max_db);
        assert_true(delay < 20.0); /* a thousandth of a frame */
    }
}

static void the_live_resampler_is_flat_to_80_percent_of_the_band_and_in_place(void **state)
{
    (void)state;
    check_passband(live, "live", 0.80, 0.001, -95.0);
}

static void soxr_vhq_is_flat_to_91_percent_of_the_band_and_in_place(void **state)
{
    (void)state;
    check_passband(very_high, "soxr VHQ", 0.91, 0.011, -135.0);
}

static void check_aliases(resample_function resample, const char *name, double from,
                          double alias_max_db)
{
    for (size_t way = 0; way < N_WAYS; way++) {
        if (ways[way].in < ways[way].out) continue;
        double worst = -999.0, band = lower_band(way);
        for (int i = 0; i < 16; i++) {
            double hz = band * from + (0.49 * ways[way].in - band * from) * i / 15;
            struct heard heard = hear(resample, way, hz);
            worst = fmax(worst, db(hypot(heard.level, heard.left)));
        }
        print_message("# %s, %u to %u Hz: tones from %.0f Hz on leave %.1f dB\n", name,
                      ways[way].in, ways[way].out, band * from, worst);
        assert_true(worst < alias_max_db);
    }
}

static void the_live_resampler_leaves_no_aliases_above_minus_100_db(void **state)
{
    (void)state;
    check_aliases(live, "live", 1.15, -100.0);
}

static void soxr_vhq_leaves_no_aliases_above_minus_140_db(void **state)
{
    (void)state;
    check_aliases(very_high, "soxr VHQ", 1.02, -140.0);
}

static void live_and_soxr_vhq_are_the_same_sound_to_75_db(void **state)
{
    (void)state;
    for (size_t way = 0; way < N_WAYS; way++) {
        struct tones tones = {.n = 40};
        struct test_random random = {.state = way};
        for (size_t t = 0; t < tones.n; t++) {
            double share = (double)test_random_below(&random, 1000) / 1000.0;
            tones.hz[t] = 40.0 + (0.8 * lower_band(way) - 40.0) * share;
        }
        size_t n_in = ways[way].in, n, m;
        float *in = play(&tones, ways[way].in, n_in);
        float *a = live(way, in, n_in, &n), *b = very_high(way, in, n_in, &m);
        assert_int_equal(n, m);
        double error = 0.0, power = 0.0;
        for (size_t i = n / 8; i < n - n / 8; i++) {
            error += pow((double)a[i] - (double)b[i], 2);
            power += pow((double)b[i], 2);
        }
        print_message("# %u to %u Hz: live and soxr VHQ differ by %.1f dB\n", ways[way].in,
                      ways[way].out, 10.0 * log10(error / power));
        /* 0.0025 dB of soxr at 44.1 to 16 kHz alone are -71 dB of one tone in the band. */
        assert_true(10.0 * log10(error / power) < -75.0);
        free(in);
        free(a);
        free(b);
    }
}

static void live_output_trails_its_input_by_less_than_3_ms(void **state)
{
    (void)state;
    for (size_t way = 0; way < N_WAYS; way++) {
        struct resampler *resampler;
        assert_int_equal(resampler_open(&resampler, ways[way].in, ways[way].out, 1, NULL), 0);
        size_t step = ways[way].in / 1000, n_in = 0, n_out = 0;
        float in[96] = {0}, out[1000];
        double most_ms = 0.0;
        for (int i = 0; i < 1000; i++) {
            n_out += resampler_process(resampler, in, step, out);
            n_in += step;
            double behind = (double)n_in / ways[way].in - (double)n_out / ways[way].out;
            if (i > 10 && behind * 1e3 > most_ms) most_ms = behind * 1e3;
        }
        print_message("# %u to %u Hz: trails by %.2f ms\n", ways[way].in, ways[way].out, most_ms);
        assert_true(most_ms < 3.0);
        resampler_close(resampler);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_live_resampler_is_flat_to_80_percent_of_the_band_and_in_place),
        cmocka_unit_test(soxr_vhq_is_flat_to_91_percent_of_the_band_and_in_place),
        cmocka_unit_test(the_live_resampler_leaves_no_aliases_above_minus_100_db),
        cmocka_unit_test(soxr_vhq_leaves_no_aliases_above_minus_140_db),
        cmocka_unit_test(live_and_soxr_vhq_are_the_same_sound_to_75_db),
        cmocka_unit_test(live_output_trails_its_input_by_less_than_3_ms),
    };
    return cmocka_run_group_tests_name("resampler quality", tests, NULL, NULL);
}
