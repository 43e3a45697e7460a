/* Tests of levels of clips: gain, fades, normalising, statistics, loudness. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/clip.h>
#include <kodama/loudness.h>

#include "audio/clip.h"

#define PI 3.14159265358979323846

static struct kodama_clip *make(uint32_t rate_hz, uint32_t channels, const float *frames,
                                size_t n_frames)
{
    struct kodama_clip *clip;
    struct kodama_error error = {0};
    struct kodama_format format = {KODAMA_SAMPLE_F32, rate_hz, channels, 0};
    int status = kodama_clip_create(&clip, format, frames, n_frames, &error);
    if (status < 0) fail_msg("%s", error.message);
    return clip;
}

static struct kodama_clip *make_noise(uint64_t seed, uint32_t channels, size_t n_frames)
{
    struct test_random random = {seed};
    float *frames = malloc(n_frames * channels * sizeof *frames);
    assert_non_null(frames);
    for (size_t i = 0; i < n_frames * channels; i++) frames[i] = test_random_float(&random);
    struct kodama_clip *clip = make(48000, channels, frames, n_frames);
    free(frames);
    return clip;
}

/** Sound of one level, as in EBU Tech 3341 and 3342: peaks of a sine in dBFS for each channel. */
struct stretch {
    double seconds;
    double level_db[5];
};

/* The stretches one after the other, a sine of 1 kHz without a jump in phase. */
static struct kodama_clip *make_stretches(uint32_t channels, const struct stretch *stretches,
                                          size_t n_stretches)
{
    enum { RATE = 48000 };
    size_t n_frames = 0;
    for (size_t k = 0; k < n_stretches; k++) n_frames += (size_t)(stretches[k].seconds * RATE);
    float *frames = malloc(n_frames * channels * sizeof *frames);
    assert_non_null(frames);
    size_t at = 0;
    for (size_t k = 0; k < n_stretches; k++) {
        size_t n = (size_t)(stretches[k].seconds * RATE);
        double amplitude[5];
        for (uint32_t c = 0; c < channels; c++) {
            amplitude[c] = pow(10.0, stretches[k].level_db[c] / 20.0);
        }
        for (size_t i = 0; i < n; i++, at++) {
            double value = sin(2.0 * PI * (double)(at % 48) / 48.0);
            for (uint32_t c = 0; c < channels; c++) {
                frames[at * channels + c] = (float)(amplitude[c] * value);
            }
        }
    }
    struct kodama_clip *clip = make(RATE, channels, frames, n_frames);
    free(frames);
    return clip;
}

/* ------------------------------------------------------------------ gain, fades */

static void gain_multiplies_every_sample(void **state)
{
    (void)state;
    const double gains[] = {0.0, 6.0, -6.0, -60.0, 20.0, 0.1, -0.001};
    for (size_t k = 0; k < sizeof gains / sizeof gains[0]; k++) {
        struct kodama_clip *clip = make_noise(k, 2, 3000);
        struct kodama_clip *before = make_noise(k, 2, 3000);
        assert_int_equal(kodama_clip_gain(clip, gains[k], NULL), KODAMA_OK);
        for (size_t i = 0; i < 6000; i++) {
            double expected = (double)before->samples[i] * exp(gains[k] * 0.11512925464970228);
            double error = fabs((double)clip->samples[i] - expected);
            assert_true(error <= fabs(expected) * 0x1.001p-24); /* half a unit in the last place */
        }
        kodama_clip_destroy(clip);
        kodama_clip_destroy(before);
    }
}

static void gain_of_minus_infinity_is_silence_and_impossible_gains_change_nothing(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *clip = make(8000, 1, (const float[]){0.5f, -0.25f}, 2);
    assert_int_equal(kodama_clip_gain(clip, NAN, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_gain(clip, INFINITY, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_gain(clip, 250.0, &error), KODAMA_ERR_LIMIT);
    assert_int_equal(kodama_clip_gain(clip, 1e30, &error), KODAMA_ERR_LIMIT);
    assert_true(clip->samples[0] == 0.5f && clip->samples[1] == -0.25f);
    assert_int_equal(kodama_clip_gain(clip, 240.0, &error), KODAMA_OK);
    assert_true(isfinite(clip->samples[0]));
    assert_int_equal(kodama_clip_gain(clip, -INFINITY, &error), KODAMA_OK);
    assert_true(clip->samples[0] == 0.0f && clip->samples[1] == 0.0f);
    assert_int_equal(kodama_clip_gain(NULL, 0.0, &error), KODAMA_ERR_ARGUMENT);
    kodama_clip_destroy(clip);
}

static void fades_follow_their_curve_and_leave_the_rest_alone(void **state)
{
    (void)state;
    enum { FRAMES = 1000, FADE = 300 };
    for (int curve = KODAMA_FADE_LINEAR; curve <= KODAMA_FADE_EQUAL_POWER; curve++) {
        struct kodama_clip *clip = make_noise(1, 2, FRAMES);
        struct kodama_clip *before = make_noise(1, 2, FRAMES);
        assert_int_equal(kodama_clip_fade_in(clip, FADE, (enum kodama_fade)curve, NULL), 0);
        assert_int_equal(kodama_clip_fade_out(clip, FADE, (enum kodama_fade)curve, NULL), 0);
        for (size_t i = 0; i < FRAMES; i++) {
            double t = 1.0;
            if (i < FADE) t = ((double)i + 0.5) / FADE;
            if (i >= FRAMES - FADE) t = ((double)(FRAMES - i) - 0.5) / FADE;
            double gain = curve == KODAMA_FADE_LINEAR ? t : sqrt((1.0 - cos(PI * t)) / 2.0);
            for (size_t c = 0; c < 2; c++) {
                double expected = (double)before->samples[2 * i + c] * gain;
                double error = fabs((double)clip->samples[2 * i + c] - expected);
                assert_true(t < 1.0 ? error <= 1e-7 : error == 0.0);
            }
        }
        kodama_clip_destroy(clip);
        kodama_clip_destroy(before);
    }
}

static void crossing_fades_keep_the_sum_or_the_power(void **state)
{
    (void)state;
    const size_t lengths[] = {1, 2, 7, 480, 48000};
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        size_t n = lengths[k];
        float *ones = malloc(n * sizeof *ones);
        for (size_t i = 0; i < n; i++) ones[i] = 1.0f;
        for (int curve = KODAMA_FADE_LINEAR; curve <= KODAMA_FADE_EQUAL_POWER; curve++) {
            struct kodama_clip *in = make(48000, 1, ones, n);
            struct kodama_clip *out = make(48000, 1, ones, n);
            assert_int_equal(kodama_clip_fade_in(in, n, (enum kodama_fade)curve, NULL), 0);
            assert_int_equal(kodama_clip_fade_out(out, n, (enum kodama_fade)curve, NULL), 0);
            for (size_t i = 0; i < n; i++) {
                double a = (double)in->samples[i];
                double b = (double)out->samples[i];
                double sum = curve == KODAMA_FADE_LINEAR ? a + b : a * a + b * b;
                assert_true(fabs(sum - 1.0) < 1.2e-7);
            }
            kodama_clip_destroy(in);
            kodama_clip_destroy(out);
        }
        free(ones);
    }
}

static void fades_longer_than_the_clip_are_refused(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *clip = make_noise(1, 1, 100);
    struct kodama_clip *before = make_noise(1, 1, 100);
    assert_int_equal(kodama_clip_fade_in(clip, 101, KODAMA_FADE_LINEAR, &error),
                     KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "100 frames"));
    assert_int_equal(kodama_clip_fade_out(clip, SIZE_MAX, KODAMA_FADE_LINEAR, &error),
                     KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_fade_out(clip, 10, 7, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_fade_out(NULL, 10, KODAMA_FADE_LINEAR, &error),
                     KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_fade_out(clip, 0, KODAMA_FADE_LINEAR, &error), KODAMA_OK);
    assert_memory_equal(clip->samples, before->samples, 100 * sizeof(float));
    kodama_clip_destroy(clip);
    kodama_clip_destroy(before);
}

/* ------------------------------------------------------------------- statistics */

static void known_signals_have_their_known_statistics(void **state)
{
    (void)state;
    struct kodama_clip *sine = make_stretches(1, (struct stretch[]){{1.0, {0.0}}}, 1);
    struct kodama_clip_stats stats;
    kodama_clip_stats(sine, &stats);
    assert_true(fabs(stats.rms - sqrt(0.5)) < 1e-8);
    assert_true(fabs(stats.rms_db + 3.0102999566) < 1e-6);
    assert_true(stats.peak == 1.0 && stats.peak_db == 0.0);
    assert_int_equal(stats.peak_at, 12);
    assert_true(stats.duration_s == 1.0);
    assert_int_equal(stats.frames, 48000);
    assert_int_equal(stats.rate_hz, 48000);
    assert_int_equal(stats.channels, 1);
    kodama_clip_destroy(sine);

    float square[2000]; /* left: a square of 0.25; right: one click */
    for (size_t i = 0; i < 1000; i++) {
        square[2 * i] = i % 20 < 10 ? 0.25f : -0.25f;
        square[2 * i + 1] = i == 777 ? -2.0f : 0.0f;
    }
    struct kodama_clip *clip = make(8000, 2, square, 1000);
    kodama_clip_stats(clip, &stats);
    assert_true(stats.channel_rms[0] == 0.25);
    assert_true(stats.channel_peak[0] == 0.25);
    assert_true(fabs(stats.channel_rms[1] - sqrt(4.0 / 1000)) < 1e-15);
    assert_true(stats.channel_peak[1] == 2.0);
    assert_true(fabs(stats.rms - sqrt((0.0625 * 1000 + 4.0) / 2000)) < 1e-15);
    assert_int_equal(stats.peak_at, 777);
    assert_int_equal(stats.over, 1);
    assert_true(stats.duration_s == 0.125);
    kodama_clip_destroy(clip);

    kodama_clip_stats(NULL, &stats);
    assert_true(stats.frames == 0 && stats.peak_db == -INFINITY);
    kodama_clip_stats(NULL, NULL);
}

static void the_statistics_of_an_hour_are_exact(void **state)
{
    (void)state;
    double scale = test_scale() < 1.0 ? test_scale() : 1.0;
    size_t n = (size_t)(3600.0 * 8000.0 * scale);
    struct kodama_clip *clip = make(8000, 1, NULL, n);
    for (size_t i = 0; i < n; i++) clip->samples[i] = 0.1f;
    clip->samples[n - 1] = -0.9f;
    struct kodama_clip_stats stats;
    kodama_clip_stats(clip, &stats);
    double tenth = (double)0.1f;
    double expected = sqrt((tenth * tenth * (double)(n - 1) + 0.81) / (double)n);
    print_message("# %.1f minutes: relative error of the rms %.1e\n", (double)n / 8000.0 / 60.0,
                  fabs(stats.rms / expected - 1.0));
    assert_true(fabs(stats.rms / expected - 1.0) < 1e-8);
    assert_int_equal(stats.peak_at, n - 1);
    assert_true(stats.duration_s == (double)n / 8000.0);
    size_t first;
    size_t n_loud;
    assert_int_equal(kodama_clip_bounds(clip, -10.0, &first, &n_loud), KODAMA_OK);
    assert_int_equal(first, n - 1);
    assert_int_equal(n_loud, 1);
    struct kodama_clip *end;
    assert_int_equal(kodama_clip_slice(&end, clip, n - 8000, KODAMA_CLIP_REST, NULL), KODAMA_OK);
    assert_true(end->samples[7999] == -0.9f);
    kodama_clip_destroy(end);
    kodama_clip_destroy(clip);
}

static void bounds_are_the_first_and_last_loud_frame(void **state)
{
    (void)state;
    float frames[200] = {0}; /* stereo */
    frames[2 * 30 + 1] = 0.02f;
    frames[2 * 70] = -0.02f;
    frames[2 * 5] = 0.001f;
    struct kodama_clip *clip = make(8000, 2, frames, 100);
    size_t first;
    size_t n;
    assert_int_equal(kodama_clip_bounds(clip, -40.0, &first, &n), KODAMA_OK);
    assert_int_equal(first, 30);
    assert_int_equal(n, 41);
    assert_int_equal(kodama_clip_bounds(clip, -80.0, &first, &n), KODAMA_OK);
    assert_int_equal(first, 5);
    assert_int_equal(n, 66);
    assert_int_equal(kodama_clip_bounds(clip, -20.0, &first, &n), KODAMA_ERR_EMPTY);
    assert_true(first == 0 && n == 0);
    assert_int_equal(kodama_clip_bounds(clip, NAN, &first, &n), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_bounds(clip, -40.0, NULL, &n), KODAMA_ERR_ARGUMENT);
    kodama_clip_destroy(clip);
}

/* --------------------------------------------------------------------- loudness */

static void check_loudness(const char *name, uint32_t channels, const struct stretch *stretches,
                           size_t n_stretches, double lufs)
{
    struct kodama_clip *clip = make_stretches(channels, stretches, n_stretches);
    struct kodama_clip_loudness loudness;
    assert_int_equal(kodama_clip_loudness(clip, &loudness, NULL), KODAMA_OK);
    print_message("# %s: %.3f LUFS, expected %.1f\n", name, loudness.integrated_lufs, lufs);
    assert_true(fabs(loudness.integrated_lufs - lufs) <= 0.1);
    kodama_clip_destroy(clip);
}

static void loudness_meets_the_reference_cases_of_ebu_tech_3341(void **state)
{
    (void)state;
    if (test_scale() < 1.0) {
        check_loudness("case 1, cut", 2, (struct stretch[]){{2, {-23, -23}}}, 1, -23.0);
        return;
    }
    check_loudness("case 1", 2, (struct stretch[]){{20, {-23, -23}}}, 1, -23.0);
    check_loudness("case 2", 2, (struct stretch[]){{20, {-33, -33}}}, 1, -33.0);
    check_loudness("case 3", 2,
                   (struct stretch[]){{10, {-36, -36}}, {60, {-23, -23}}, {10, {-36, -36}}}, 3,
                   -23.0);
    check_loudness("case 4", 2,
                   (struct stretch[]){{10, {-72, -72}},
                                      {10, {-36, -36}},
                                      {60, {-23, -23}},
                                      {10, {-36, -36}},
                                      {10, {-72, -72}}},
                   5, -23.0);
    check_loudness("case 5", 2,
                   (struct stretch[]){{20, {-26, -26}}, {20.1, {-20, -20}}, {20, {-26, -26}}}, 3,
                   -23.0);
    check_loudness("case 6, 5.0 surround", 5, (struct stretch[]){{20, {-28, -28, -24, -30, -30}}},
                   1, -23.0);
    check_loudness("one channel alone", 1, (struct stretch[]){{20, {-23}}}, 1, -26.0);
}

static void loudness_of_pieces_is_that_of_the_whole(void **state)
{
    (void)state;
    const struct stretch stretches[] = {{1.5, {-20, -30}}, {2, {-40, -18}}, {1, {-70, -70}}};
    struct kodama_clip *clip = make_stretches(2, stretches, 3);
    struct kodama_clip_loudness whole, pieces;
    struct kodama_loudness *loudness;
    struct test_random random = {11};
    assert_int_equal(kodama_clip_loudness(clip, &whole, NULL), KODAMA_OK);
    assert_int_equal(kodama_loudness_open(&loudness, kodama_clip_format(clip), NULL), KODAMA_OK);
    assert_int_equal(kodama_loudness_read(loudness, &pieces), KODAMA_OK);
    assert_true(pieces.integrated_lufs == -INFINITY && pieces.true_peak_db == -INFINITY);
    for (size_t done = 0, n; done < kodama_clip_frames(clip); done += n) {
        size_t left = kodama_clip_frames(clip) - done;
        n = test_random_below(&random, 9000);
        n = n < left ? n : left;
        assert_int_equal(kodama_loudness_add(loudness, kodama_clip_samples(clip) + done * 2, n),
                         KODAMA_OK);
        assert_int_equal(kodama_loudness_read(loudness, &pieces), KODAMA_OK);
    }
    assert_float_equal(pieces.integrated_lufs, whole.integrated_lufs, 1e-9);
    assert_float_equal(pieces.range_lu, whole.range_lu, 1e-9);
    assert_float_equal(pieces.true_peak, whole.true_peak, 0.0);
    assert_true(isfinite(pieces.integrated_lufs));
    kodama_loudness_close(loudness);
    kodama_loudness_close(NULL);
    struct kodama_format wrong = {KODAMA_SAMPLE_F32, 1000, 2, 0};
    assert_int_equal(kodama_loudness_open(&loudness, wrong, NULL), KODAMA_ERR_FORMAT);
    assert_null(loudness);
    assert_int_equal(kodama_loudness_add(NULL, NULL, 0), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_loudness_read(NULL, &pieces), KODAMA_ERR_ARGUMENT);
    kodama_clip_destroy(clip);
}

static void loudness_range_meets_the_reference_cases_of_ebu_tech_3342(void **state)
{
    (void)state;
    if (test_scale() < 1.0) {
        print_message("# not tested: the standard fixes the lengths\n");
        return;
    }
    const struct {
        struct stretch stretches[5];
        size_t n;
        double range;
    } cases[] = {
        {{{20, {-20, -20}}, {20, {-30, -30}}}, 2, 10.0},
        {{{20, {-20, -20}}, {20, {-15, -15}}}, 2, 5.0},
        {{{20, {-40, -40}}, {20, {-20, -20}}}, 2, 20.0},
        {{{20, {-50, -50}}, {20, {-35, -35}}, {20, {-20, -20}}, {20, {-35, -35}}, {20, {-50, -50}}},
         5,
         15.0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct kodama_clip *clip = make_stretches(2, cases[k].stretches, cases[k].n);
        struct kodama_clip_loudness loudness;
        assert_int_equal(kodama_clip_loudness(clip, &loudness, NULL), KODAMA_OK);
        print_message("# case %zu: %.2f LU, expected %.0f\n", k + 1, loudness.range_lu,
                      cases[k].range);
        assert_true(fabs(loudness.range_lu - cases[k].range) <= 1.0);
        kodama_clip_destroy(clip);
    }
}

static void true_peak_sees_what_lies_between_the_samples(void **state)
{
    (void)state;
    /* EBU Tech 3341, cases 15 to 19: periods in frames, phase, amplitude, dBTP +0.2/-0.4. */
    const struct {
        double period;
        double phase;
        double amplitude;
        double expected_db;
    } cases[] = {{4, 0.0, 0.5, -6.0},
                 {4, 45.0, 0.5, -6.0},
                 {6, 60.0, 0.5, -6.0},
                 {8, 67.5, 0.5, -6.0},
                 {4, 45.0, 1.41, 3.0}};
    enum { FRAMES = 48000 / 5, RAMP = 480 };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        float frames[FRAMES];
        for (size_t i = 0; i < FRAMES; i++) {
            double angle = 2.0 * PI * (double)i / cases[k].period + cases[k].phase * PI / 180.0;
            frames[i] = (float)(cases[k].amplitude * sin(angle));
        }
        struct kodama_clip *clip = make(48000, 1, frames, FRAMES);
        /* An abrupt start has more peak than the tone itself. */
        assert_int_equal(kodama_clip_fade_in(clip, RAMP, KODAMA_FADE_LINEAR, NULL), KODAMA_OK);
        assert_int_equal(kodama_clip_fade_out(clip, RAMP, KODAMA_FADE_LINEAR, NULL), KODAMA_OK);
        struct kodama_clip_loudness loudness;
        struct kodama_clip_stats stats;
        assert_int_equal(kodama_clip_loudness(clip, &loudness, NULL), KODAMA_OK);
        kodama_clip_stats(clip, &stats);
        print_message("# case %zu: %.2f dBTP, expected %.1f; the largest sample has %.2f dBFS\n",
                      k + 15, loudness.true_peak_db, cases[k].expected_db, stats.peak_db);
        assert_true(loudness.true_peak_db <= cases[k].expected_db + 0.2);
        assert_true(loudness.true_peak_db >= cases[k].expected_db - 0.4);
        kodama_clip_destroy(clip);
    }
}

static void lfe_does_not_count_and_surrounds_count_more(void **state)
{
    (void)state;
    const struct {
        uint32_t speakers[2];
        double difference_db; /* of the second to the first */
    } cases[] = {
        {{KODAMA_CHANNEL_FL | KODAMA_CHANNEL_FR, KODAMA_CHANNEL_SL | KODAMA_CHANNEL_SR}, 1.5},
        {{KODAMA_CHANNEL_FL | KODAMA_CHANNEL_FR, KODAMA_CHANNEL_BL | KODAMA_CHANNEL_BR}, 1.5},
        {{KODAMA_CHANNEL_FL | KODAMA_CHANNEL_FR, KODAMA_CHANNEL_FC | KODAMA_CHANNEL_LFE}, -3.01},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        double lufs[2];
        for (int i = 0; i < 2; i++) {
            struct kodama_clip *clip = make_stretches(2, (struct stretch[]){{2, {-20, -20}}}, 1);
            clip->format.channel_mask = cases[k].speakers[i];
            struct kodama_clip_loudness loudness;
            assert_int_equal(kodama_clip_loudness(clip, &loudness, NULL), KODAMA_OK);
            lufs[i] = loudness.integrated_lufs;
            kodama_clip_destroy(clip);
        }
        assert_true(fabs(lufs[1] - lufs[0] - cases[k].difference_db) < 0.02);
    }
}

static void silence_and_short_clips_have_no_loudness(void **state)
{
    (void)state;
    struct kodama_clip_loudness loudness;
    struct kodama_clip *silence = make(16000, 2, NULL, 32000);
    assert_int_equal(kodama_clip_loudness(silence, &loudness, NULL), KODAMA_OK);
    assert_true(loudness.integrated_lufs == -INFINITY);
    assert_true(loudness.true_peak == 0.0 && loudness.true_peak_db == -INFINITY);
    kodama_clip_destroy(silence);
    struct kodama_clip *brief = make_stretches(1, (struct stretch[]){{0.3, {-6}}}, 1);
    assert_int_equal(kodama_clip_loudness(brief, &loudness, NULL), KODAMA_OK);
    assert_true(loudness.integrated_lufs == -INFINITY);
    assert_true(loudness.true_peak > 0.4);
    assert_int_equal(kodama_clip_loudness(NULL, &loudness, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_loudness(brief, NULL, NULL), KODAMA_ERR_ARGUMENT);
    kodama_clip_destroy(brief);
}

/* ------------------------------------------------------------------- normalising */

static void normalising_brings_the_peak_to_its_level(void **state)
{
    (void)state;
    const double levels[] = {-1.0, 0.0, -20.0, 3.0};
    for (size_t k = 0; k < sizeof levels / sizeof levels[0]; k++) {
        struct kodama_clip *clip = make_noise(k, 2, 1000);
        double before_db = 20.0 * log10((double)clip_peak(clip));
        struct kodama_clip_normalise_config config = KODAMA_CLIP_NORMALISE_CONFIG_INIT;
        config.peak_db = levels[k];
        double gain_db;
        assert_int_equal(kodama_clip_normalise(clip, &config, &gain_db, NULL), KODAMA_OK);
        assert_true(fabs(20.0 * log10((double)clip_peak(clip)) - levels[k]) < 1e-6);
        assert_true(fabs(before_db + gain_db - levels[k]) < 1e-12);
        kodama_clip_destroy(clip);
    }
    struct kodama_clip *clip = make_noise(9, 1, 1000);
    assert_int_equal(kodama_clip_normalise(clip, NULL, NULL, NULL), KODAMA_OK);
    assert_true(fabs(20.0 * log10((double)clip_peak(clip)) + 1.0) < 1e-6);
    kodama_clip_destroy(clip);
}

static void normalising_brings_the_loudness_to_its_level(void **state)
{
    (void)state;
    struct kodama_clip *clip = make_stretches(2, (struct stretch[]){{2, {-40, -40}}}, 1);
    struct kodama_clip_normalise_config config = KODAMA_CLIP_NORMALISE_CONFIG_INIT;
    config.what = KODAMA_NORMALISE_LOUDNESS;
    double gain_db;
    assert_int_equal(kodama_clip_normalise(clip, &config, &gain_db, NULL), KODAMA_OK);
    struct kodama_clip_loudness loudness;
    assert_int_equal(kodama_clip_loudness(clip, &loudness, NULL), KODAMA_OK);
    assert_true(fabs(loudness.integrated_lufs + 23.0) < 1e-3);
    assert_true(fabs(gain_db - 17.0) < 0.1);
    kodama_clip_destroy(clip);
}

static void the_true_peak_stays_below_its_ceiling(void **state)
{
    (void)state;
    /* Soft sound with one click: it cannot be made loud without clipping the click. */
    struct kodama_clip *clip = make_stretches(1, (struct stretch[]){{2, {-50}}}, 1);
    clip->samples[40000] = 0.5f;
    struct kodama_clip_normalise_config config = KODAMA_CLIP_NORMALISE_CONFIG_INIT;
    config.what = KODAMA_NORMALISE_LOUDNESS;
    config.ceiling_db = -2.0;
    double gain_db;
    assert_int_equal(kodama_clip_normalise(clip, &config, &gain_db, NULL), KODAMA_OK);
    struct kodama_clip_loudness loudness;
    assert_int_equal(kodama_clip_loudness(clip, &loudness, NULL), KODAMA_OK);
    assert_true(fabs(loudness.true_peak_db + 2.0) < 1e-3);
    assert_true(loudness.integrated_lufs < -30.0);
    config.ceiling_db = INFINITY;
    assert_int_equal(kodama_clip_normalise(clip, &config, &gain_db, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_loudness(clip, &loudness, NULL), KODAMA_OK);
    assert_true(fabs(loudness.integrated_lufs + 23.0) < 1e-3);
    kodama_clip_destroy(clip);
}

static void silence_is_not_normalised_and_what_has_no_loudness_says_so(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip_normalise_config config = KODAMA_CLIP_NORMALISE_CONFIG_INIT;
    struct kodama_clip *silence = make(8000, 1, NULL, 8000);
    double gain_db = 5.0;
    assert_int_equal(kodama_clip_normalise(silence, &config, &gain_db, &error), KODAMA_OK);
    assert_true(gain_db == 0.0 && clip_peak(silence) == 0.0f);
    config.what = KODAMA_NORMALISE_LOUDNESS;
    assert_int_equal(kodama_clip_normalise(silence, &config, &gain_db, &error), KODAMA_OK);
    kodama_clip_destroy(silence);
    struct kodama_clip *brief = make_noise(3, 1, 1000);
    struct kodama_clip *same = make_noise(3, 1, 1000);
    assert_int_equal(kodama_clip_normalise(brief, &config, &gain_db, &error), KODAMA_ERR_STATE);
    assert_non_null(strstr(error.message, "normalise its peak"));
    config.loudness_lufs = NAN;
    assert_int_equal(kodama_clip_normalise(brief, &config, NULL, &error), KODAMA_ERR_ARGUMENT);
    config.loudness_lufs = -23.0;
    config.ceiling_db = NAN;
    assert_int_equal(kodama_clip_normalise(brief, &config, NULL, &error), KODAMA_ERR_ARGUMENT);
    config.what = KODAMA_NORMALISE_PEAK;
    config.peak_db = -INFINITY;
    assert_int_equal(kodama_clip_normalise(brief, &config, NULL, &error), KODAMA_ERR_ARGUMENT);
    config.peak_db = 500.0;
    assert_int_equal(kodama_clip_normalise(brief, &config, NULL, &error), KODAMA_ERR_LIMIT);
    config.what = 5;
    assert_int_equal(kodama_clip_normalise(brief, &config, NULL, &error), KODAMA_ERR_ARGUMENT);
    config.size = 0;
    assert_int_equal(kodama_clip_normalise(brief, &config, NULL, &error), KODAMA_ERR_ARGUMENT);
    assert_memory_equal(brief->samples, same->samples, 1000 * sizeof(float));
    kodama_clip_destroy(brief);
    kodama_clip_destroy(same);
}

static void real_speech_is_measured_sensibly(void **state)
{
    (void)state;
    const char *path = test_installed("/usr/share/sounds/alsa/Front_Center.wav");
    struct kodama_clip *clip;
    assert_int_equal(kodama_clip_load(&clip, path, NULL, NULL), KODAMA_OK);
    struct kodama_clip_stats stats;
    struct kodama_clip_loudness loudness;
    size_t first;
    size_t n;
    kodama_clip_stats(clip, &stats);
    assert_int_equal(kodama_clip_loudness(clip, &loudness, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_bounds(clip, -45.0, &first, &n), KODAMA_OK);
    size_t n_frames;
    float *direct = test_read_audio(path, &n_frames, NULL, NULL);
    double sum = 0.0;
    float peak = 0.0f;
    for (size_t i = 0; i < n_frames; i++) {
        sum += (double)direct[i] * (double)direct[i];
        if (fabsf(direct[i]) > peak) peak = fabsf(direct[i]);
    }
    free(direct);
    print_message("# %.2f s at %u Hz: rms %.2f dB, peak %.2f dB, %.2f LUFS, %.2f dBTP, sound from "
                  "%.2f s to %.2f s\n",
                  stats.duration_s, stats.rate_hz, stats.rms_db, stats.peak_db,
                  loudness.integrated_lufs, loudness.true_peak_db, (double)first / stats.rate_hz,
                  (double)(first + n) / stats.rate_hz);
    assert_int_equal(stats.frames, n_frames);
    assert_true(fabs(stats.rms - sqrt(sum / (double)n_frames)) < 1e-9);
    assert_true(stats.peak == (double)peak);
    assert_true(loudness.true_peak >= stats.peak * 0.999);
    assert_true(loudness.integrated_lufs > -40.0 && loudness.integrated_lufs < -10.0);
    kodama_clip_destroy(clip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gain_multiplies_every_sample),
        cmocka_unit_test(gain_of_minus_infinity_is_silence_and_impossible_gains_change_nothing),
        cmocka_unit_test(fades_follow_their_curve_and_leave_the_rest_alone),
        cmocka_unit_test(crossing_fades_keep_the_sum_or_the_power),
        cmocka_unit_test(fades_longer_than_the_clip_are_refused),
        cmocka_unit_test(known_signals_have_their_known_statistics),
        cmocka_unit_test(the_statistics_of_an_hour_are_exact),
        cmocka_unit_test(bounds_are_the_first_and_last_loud_frame),
        cmocka_unit_test(loudness_meets_the_reference_cases_of_ebu_tech_3341),
        cmocka_unit_test(loudness_of_pieces_is_that_of_the_whole),
        cmocka_unit_test(loudness_range_meets_the_reference_cases_of_ebu_tech_3342),
        cmocka_unit_test(true_peak_sees_what_lies_between_the_samples),
        cmocka_unit_test(lfe_does_not_count_and_surrounds_count_more),
        cmocka_unit_test(silence_and_short_clips_have_no_loudness),
        cmocka_unit_test(normalising_brings_the_peak_to_its_level),
        cmocka_unit_test(normalising_brings_the_loudness_to_its_level),
        cmocka_unit_test(the_true_peak_stays_below_its_ceiling),
        cmocka_unit_test(silence_is_not_normalised_and_what_has_no_loudness_says_so),
        cmocka_unit_test(real_speech_is_measured_sensibly),
    };
    return cmocka_run_group_tests_name("clip levels", tests, NULL, NULL);
}
