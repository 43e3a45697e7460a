/* Tests of resampling clips: flatness, aliases, delay, length, measured against theory. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/clip.h>

#include "audio/clip.h"

#define PI 3.14159265358979323846

static const uint32_t ratios[][2] = {
    {48000, 16000}, {44100, 48000}, {48000, 44100}, {16000, 48000},
    {8000, 192000}, {44100, 16000}, {8001, 8000},
};
enum { N_RATIOS = sizeof ratios / sizeof ratios[0] };

static struct kodama_clip *make_sine(uint32_t rate_hz, double hz, double amplitude, size_t n_frames)
{
    struct kodama_clip *clip;
    struct kodama_format format = {KODAMA_SAMPLE_F32, rate_hz, 1, 0};
    assert_int_equal(kodama_clip_create(&clip, format, NULL, n_frames, NULL), KODAMA_OK);
    for (size_t i = 0; i < n_frames; i++) {
        clip->samples[i] = (float)(amplitude * sin(2.0 * PI * hz * (double)i / rate_hz));
    }
    return clip;
}

/* What a sine of a known frequency became, found by least squares over the middle of a clip. */
struct tone {
    double gain_db;     /* relative to amplitude 1 */
    double delay_ns;    /* behind where it should be */
    double residual_db; /* what is left without the tone, relative to it */
};

static struct tone measure_tone(const struct kodama_clip *clip, double hz)
{
    size_t first = clip->n_frames / 4;
    size_t end = clip->n_frames - first;
    double step = 2.0 * PI * hz / clip->format.rate_hz;
    double ss = 0.0;
    double cc = 0.0;
    double sc = 0.0;
    double xs = 0.0;
    double xc = 0.0;
    for (size_t i = first; i < end; i++) {
        double s = sin(step * (double)i);
        double c = cos(step * (double)i);
        double x = (double)clip->samples[i];
        ss += s * s;
        cc += c * c;
        sc += s * c;
        xs += x * s;
        xc += x * c;
    }
    double determinant = ss * cc - sc * sc;
    double a = (xs * cc - xc * sc) / determinant;
    double b = (xc * ss - xs * sc) / determinant;
    double residual = 0.0;
    for (size_t i = first; i < end; i++) {
        double angle = step * (double)i;
        double left = (double)clip->samples[i] - a * sin(angle) - b * cos(angle);
        residual += left * left;
    }
    double power = (a * a + b * b) / 2.0;
    return (struct tone){
        .gain_db = 10.0 * log10(2.0 * power),
        .delay_ns = -atan2(b, a) / (2.0 * PI * hz) * 1e9,
        .residual_db = 10.0 * log10(residual / (double)(end - first) / power),
    };
}

static size_t frames_for_tones(uint32_t rate_hz)
{
    return (size_t)(rate_hz * (test_scale() < 1.0 ? 0.2 : 0.5));
}

static void the_passband_is_flat_and_in_place(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_RATIOS; k++) {
        uint32_t in_hz = ratios[k][0];
        uint32_t out_hz = ratios[k][1];
        double nyquist = (in_hz < out_hz ? in_hz : out_hz) / 2.0;
        double lowest = 1.0;
        double highest = -1.0;
        double delay = 0.0;
        double residual = -INFINITY;
        for (int step = 0; step < 12; step++) {
            double hz = nyquist * (0.01 + 0.9 * step / 11.0); /* up to 0.91 */
            struct kodama_clip *in = make_sine(in_hz, hz, 1.0, frames_for_tones(in_hz));
            struct kodama_clip *out;
            assert_int_equal(kodama_clip_resample(&out, in, out_hz, NULL), KODAMA_OK);
            struct tone tone = measure_tone(out, hz);
            lowest = fmin(lowest, tone.gain_db);
            highest = fmax(highest, tone.gain_db);
            delay = fmax(delay, fabs(tone.delay_ns));
            residual = fmax(residual, tone.residual_db);
            kodama_clip_destroy(in);
            kodama_clip_destroy(out);
        }
        print_message(
            "# %u to %u Hz: passband %+.6f to %+.6f dB, delay at most %.0e ns, distortion "
            "and images %.1f dB\n",
            in_hz, out_hz, lowest, highest, delay, residual);
        assert_true(lowest > -0.011 && highest < 0.001); /* soxr: roll-off of at most 0.01 dB */
        assert_true(delay < 0.1);
        assert_true(residual < -135.0); /* 24 bits of a float: -144 dB, and their tones */
    }
}

static void what_the_new_rate_cannot_hold_is_gone(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_RATIOS; k++) {
        uint32_t in_hz = ratios[k][0];
        uint32_t out_hz = ratios[k][1];
        if (out_hz * 10 > in_hz * 9 && out_hz != 44100) continue; /* nothing above the stopband */
        double from = out_hz / 2.0;
        double to = in_hz / 2.0;
        double worst = -INFINITY;
        for (int step = 0; step < 12; step++) {
            double hz = from + (to - from) * (0.02 + 0.96 * step / 11.0);
            struct kodama_clip *in = make_sine(in_hz, hz, 1.0, frames_for_tones(in_hz));
            struct kodama_clip *out;
            assert_int_equal(kodama_clip_resample(&out, in, out_hz, NULL), KODAMA_OK);
            double power = 0.0;
            size_t first = out->n_frames / 4;
            size_t n = out->n_frames - 2 * first;
            for (size_t i = first; i < first + n; i++) {
                power += (double)out->samples[i] * (double)out->samples[i];
            }
            worst = fmax(worst, 10.0 * log10(power / (double)n / 0.5));
            kodama_clip_destroy(in);
            kodama_clip_destroy(out);
        }
        print_message("# %u to %u Hz: tones from %.0f Hz on are at most %.1f dB\n", in_hz, out_hz,
                      from + (to - from) * 0.02, worst);
        assert_true(worst < -140.0); /* the input itself carries -150 dB of rounding noise */
    }
}

static void a_click_stays_where_it_is(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_RATIOS - 1; k++) { /* not 8001: its frames do not meet */
        uint32_t in_hz = ratios[k][0];
        uint32_t out_hz = ratios[k][1];
        size_t at_in = in_hz / 100 * 37; /* 0.37 s: a whole number of frames at every rate */
        size_t at_out = out_hz / 100 * 37;
        struct kodama_clip *in = make_sine(in_hz, 1.0, 0.0, in_hz);
        in->samples[at_in] = 1.0f;
        struct kodama_clip *out;
        assert_int_equal(kodama_clip_resample(&out, in, out_hz, NULL), KODAMA_OK);
        size_t largest = 0;
        float unsymmetrical = 0.0f;
        for (size_t i = 0; i < out->n_frames; i++) {
            if (fabsf(out->samples[i]) > fabsf(out->samples[largest])) largest = i;
        }
        for (size_t i = 1; i < 200; i++) {
            float difference = fabsf(out->samples[at_out + i] - out->samples[at_out - i]);
            if (difference > unsymmetrical) unsymmetrical = difference;
        }
        assert_int_equal(largest, at_out);
        assert_true(unsymmetrical < 1e-6f);
        kodama_clip_destroy(in);
        kodama_clip_destroy(out);
    }
}

static void the_length_is_rounded_to_the_nearest_frame(void **state)
{
    (void)state;
    struct test_random random = {7};
    for (int i = 0; i < 200; i++) {
        uint32_t in_hz = 8000 + (uint32_t)test_random_below(&random, 184001);
        uint32_t out_hz = 8000 + (uint32_t)test_random_below(&random, 184001);
        size_t n = i < 20 ? (size_t)i : (size_t)test_random_below(&random, 3000);
        struct kodama_clip *in = make_sine(in_hz, 100.0, 1.0, n);
        struct kodama_clip *out;
        assert_int_equal(kodama_clip_resample(&out, in, out_hz, NULL), KODAMA_OK);
        assert_int_equal(kodama_clip_frames(out), llround((double)n * out_hz / in_hz));
        assert_int_equal(kodama_clip_format(out).rate_hz, out_hz);
        kodama_clip_destroy(in);
        kodama_clip_destroy(out);
    }
}

static void odd_ratios_do_not_drift(void **state)
{
    (void)state;
    double seconds = test_scale() < 1.0 ? 2.0 : 120.0;
    struct kodama_clip *in = make_sine(8001, 441.0, 1.0, (size_t)(8001 * seconds));
    struct kodama_clip *out;
    assert_int_equal(kodama_clip_resample(&out, in, 8000, NULL), KODAMA_OK);
    double worst = 0.0;
    for (size_t i = out->n_frames - 8000; i < out->n_frames - 1000; i++) {
        double expected = sin(2.0 * PI * 441.0 * (double)i / 8000.0);
        worst = fmax(worst, fabs((double)out->samples[i] - expected));
    }
    print_message("# 8001 to 8000 Hz: after %.0f s off by %.1e, %.4f ns\n", seconds, worst,
                  worst / (2.0 * PI * 441.0) * 1e9);
    assert_true(worst < 5e-7);
    kodama_clip_destroy(in);
    kodama_clip_destroy(out);
}

static void an_hour_is_resampled_to_the_frame(void **state)
{
    (void)state;
    size_t seconds = test_scale() < 1.0 ? 10 : 3600;
    struct kodama_clip *in = make_sine(8000, 1.0, 0.0, 8000 * seconds);
    in->samples[in->n_frames - 80] = 1.0f;
    struct kodama_clip *out;
    assert_int_equal(kodama_clip_resample(&out, in, 11025, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_frames(out), 11025 * seconds);
    size_t largest = 0;
    for (size_t i = 0; i < out->n_frames; i++) {
        if (fabsf(out->samples[i]) > fabsf(out->samples[largest])) largest = i;
    }
    assert_int_equal(largest, 11025 * seconds - 110); /* 110.25 frames before the end */
    kodama_clip_destroy(in);
    kodama_clip_destroy(out);
}

static void channels_are_resampled_alike_and_apart(void **state)
{
    (void)state;
    struct test_random random = {8};
    struct kodama_clip *clip;
    struct kodama_format format = {KODAMA_SAMPLE_F32, 48000, 6, 0};
    assert_int_equal(kodama_clip_create(&clip, format, NULL, 40000, NULL), KODAMA_OK);
    for (size_t i = 0; i < clip_samples_of(clip); i++) {
        clip->samples[i] = test_random_float(&random);
    }
    struct kodama_clip *together;
    struct kodama_clip *apart[6];
    assert_int_equal(kodama_clip_resample(&together, clip, 44100, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_split(apart, 6, clip, NULL), 6);
    for (size_t c = 0; c < 6; c++) {
        struct kodama_clip *alone;
        assert_int_equal(kodama_clip_resample(&alone, apart[c], 44100, NULL), KODAMA_OK);
        assert_int_equal(alone->n_frames, together->n_frames);
        for (size_t i = 0; i < alone->n_frames; i++) {
            assert_true(alone->samples[i] == together->samples[6 * i + c]);
        }
        kodama_clip_destroy(alone);
        kodama_clip_destroy(apart[c]);
    }
    kodama_clip_destroy(together);
    kodama_clip_destroy(clip);
}

static void the_same_rate_is_a_copy_and_wrong_rates_are_refused(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *clip = make_sine(48000, 997.0, 3.0, 1000);
    struct kodama_clip *same;
    assert_int_equal(kodama_clip_resample(&same, clip, 48000, NULL), KODAMA_OK);
    assert_memory_equal(same->samples, clip->samples, 1000 * sizeof(float));
    kodama_clip_destroy(same);
    const uint32_t wrong[] = {0, 7999, 192001, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        same = clip;
        assert_int_equal(kodama_clip_resample(&same, clip, wrong[i], &error), KODAMA_ERR_FORMAT);
        assert_null(same);
    }
    assert_int_equal(kodama_clip_resample(&same, NULL, 48000, &error), KODAMA_ERR_ARGUMENT);
    kodama_clip_destroy(clip);
}

static void the_loudest_samples_stay_within_the_limit_of_a_clip(void **state)
{
    (void)state;
    struct kodama_clip *clip = make_sine(44100, 100.0, 0.0, 1000);
    for (size_t i = 0; i < 1000; i++) {
        clip->samples[i] = i / 10 % 2 ? KODAMA_CLIP_MAGNITUDE_MAX : -KODAMA_CLIP_MAGNITUDE_MAX;
    }
    struct kodama_clip *out;
    assert_int_equal(kodama_clip_resample(&out, clip, 48000, NULL), KODAMA_OK);
    assert_true(clip_peak(out) == KODAMA_CLIP_MAGNITUDE_MAX);
    kodama_clip_destroy(out);
    kodama_clip_destroy(clip);
}

static void speech_comes_back_from_a_higher_rate(void **state)
{
    (void)state;
    const char *path = test_installed("/usr/share/sounds/alsa/Rear_Left.wav");
    struct kodama_clip *clip;
    struct kodama_clip *up;
    struct kodama_clip *back;
    assert_int_equal(kodama_clip_load(&clip, path, NULL, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_resample(&up, clip, 96000, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_resample(&back, up, clip->format.rate_hz, NULL), KODAMA_OK);
    assert_int_equal(clip_samples_of(back), clip_samples_of(clip));
    double error = 0.0;
    double power = 0.0;
    for (size_t i = 0; i < clip_samples_of(clip); i++) {
        double difference = (double)back->samples[i] - (double)clip->samples[i];
        error += difference * difference;
        power += (double)clip->samples[i] * (double)clip->samples[i];
    }
    print_message("# speech, 48 to 96 to 48 kHz: error %.1f dB\n", 10.0 * log10(error / power));
    assert_true(error < power * 1e-6); /* what is lost lies above 0.91 of 24 kHz */
    kodama_clip_destroy(clip);
    kodama_clip_destroy(up);
    kodama_clip_destroy(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_passband_is_flat_and_in_place),
        cmocka_unit_test(what_the_new_rate_cannot_hold_is_gone),
        cmocka_unit_test(a_click_stays_where_it_is),
        cmocka_unit_test(the_length_is_rounded_to_the_nearest_frame),
        cmocka_unit_test(odd_ratios_do_not_drift),
        cmocka_unit_test(an_hour_is_resampled_to_the_frame),
        cmocka_unit_test(channels_are_resampled_alike_and_apart),
        cmocka_unit_test(the_same_rate_is_a_copy_and_wrong_rates_are_refused),
        cmocka_unit_test(the_loudest_samples_stay_within_the_limit_of_a_clip),
        cmocka_unit_test(speech_comes_back_from_a_higher_rate),
    };
    return cmocka_run_group_tests_name("clip resampling", tests, NULL, NULL);
}
