/* What models of the RVC kind are told: coarse pitch, features, loudness, pieces. */
#include <math.h>

#include "support/support.h"
#include "voice/rvc_features.h"
#include "voice/rvc_loudness.h"
#include "voice/rvc_piece.h"

static void coarse_pitch_is_equal_steps_of_mel_from_1_to_255(void **state)
{
    (void)state;
    const double low = 1127.0 * log(1.0 + 50.0 / 700.0), high = 1127.0 * log(1.0 + 1100.0 / 700.0);
    assert_int_equal(rvc_coarse_pitch(0.0f), 1);
    assert_int_equal(rvc_coarse_pitch(-100.0f), 1);
    assert_int_equal(rvc_coarse_pitch(NAN), 1);
    assert_int_equal(rvc_coarse_pitch(INFINITY), 255);
    assert_int_equal(rvc_coarse_pitch(1.0f), 1);
    assert_int_equal(rvc_coarse_pitch(49.9f), 1);
    assert_int_equal(rvc_coarse_pitch(50.0f), 1);
    assert_int_equal(rvc_coarse_pitch(1099.9f), 255);
    assert_int_equal(rvc_coarse_pitch(1100.0f), 255);
    assert_int_equal(rvc_coarse_pitch(5000.0f), 255);
    /* On both sides of every border between two steps. */
    for (int step = 1; step < 255; step++) {
        double border = low + ((double)step - 0.5) * (high - low) / 254.0;
        float hz = (float)(700.0 * (exp(border / 1127.0) - 1.0));
        assert_int_equal(rvc_coarse_pitch(hz * 0.9999f), step);
        assert_int_equal(rvc_coarse_pitch(hz * 1.0001f), step + 1);
    }
    /* Hertz in the place of mel, as a known product has it, would give 255 here. */
    assert_int_equal(rvc_coarse_pitch(440.0f), 122);
}

static void frames_are_doubled_and_the_last_one_goes_on(void **state)
{
    (void)state;
    const float frames[] = {1, -1, 2, -2, 3, -3};
    float to[9 * 2];
    rvc_features_double(frames, 3, 2, to, 9);
    const float expected[] = {1, 1, 2, 2, 3, 3, 3, 3, 3};
    for (int i = 0; i < 9; i++) {
        assert_true(to[2 * i] == expected[i]);
        assert_true(to[2 * i + 1] == -expected[i]);
    }
}

static void only_frames_without_pitch_are_protected(void **state)
{
    (void)state;
    const float before[] = {10, 10, 20, 20, 30, 30}, pitch[] = {0.0f, 200.0f, 0.9f};
    float features[] = {0, 0, 0, 0, 0, 0};
    rvc_features_protect(features, before, pitch, 3, 2, 0.5f);
    for (int i = 0; i < 6; i++) assert_true(features[i] == 0.0f);
    rvc_features_protect(features, before, pitch, 3, 2, 0.25f);
    const float expected[] = {7.5f, 7.5f, 0, 0, 22.5f, 22.5f};
    for (int i = 0; i < 6; i++) assert_true(features[i] == expected[i]);
}

static void stretching_keeps_a_straight_line_and_its_ends(void **state)
{
    (void)state;
    float line[40], longer[57], pitch[40], longer_pitch[57];
    for (int i = 0; i < 40; i++) {
        line[i] = (float)i;
        pitch[i] = i < 20 ? 0.0f : 100.0f + (float)i;
    }
    rvc_features_stretch(line, 40, 1, longer, 57);
    rvc_pitch_stretch(pitch, 40, longer_pitch, 57);
    for (int i = 0; i < 57; i++) {
        double at = (i + 0.5) * 40.0 / 57.0 - 0.5;
        if (at >= 0.0 && at <= 39.0) assert_true(fabs((double)longer[i] - at) < 1e-4);
        /* No pitch between silence and voice that is neither. */
        assert_true(longer_pitch[i] == 0.0f || longer_pitch[i] >= 120.0f);
        if (at > 20.0 && at < 39.0) assert_true(fabs((double)longer_pitch[i] - 100.0 - at) < 1e-3);
    }
    assert_true(longer[0] == 0.0f && longer[56] == 39.0f);
}

static void loudness_follows_the_input_as_far_as_is_asked(void **state)
{
    (void)state;
    enum { FRAMES = 40, HOP = 480, LIKE = 160 };
    static float like[FRAMES * LIKE], said[FRAMES * HOP], whole[FRAMES * HOP], half[FRAMES * HOP];
    for (int i = 0; i < FRAMES * LIKE; i++)
        like[i] = (i < FRAMES * LIKE / 2 ? 0.4f : 0.1f) * sinf((float)i * 0.3f);
    for (int i = 0; i < FRAMES * HOP; i++)
        whole[i] = half[i] = said[i] = 0.2f * sinf((float)i * 0.2f);
    rvc_loudness_mix(whole, HOP, like, LIKE, FRAMES, 0.0f);
    rvc_loudness_mix(half, HOP, like, LIKE, FRAMES, 0.5f);
    for (int i = 100; i < FRAMES * HOP; i++) {
        int frame = i / HOP;
        if (frame > FRAMES / 2 - 4 && frame < FRAMES / 2 + 4) continue;
        double factor = frame < FRAMES / 2 ? 2.0 : 0.5;
        if (fabsf(said[i]) < 0.01f) continue;
        assert_true(fabs((double)(whole[i] / said[i]) / factor - 1.0) < 0.05);
        assert_true(fabs((double)(half[i] / said[i]) / sqrt(factor) - 1.0) < 0.05);
    }
    rvc_loudness_mix(said, HOP, like, LIKE, FRAMES, 1.0f);
    for (int i = 0; i < FRAMES * HOP; i++) assert_true(said[i] == 0.2f * sinf((float)i * 0.2f));
}

static void what_is_not_heard_is_not_said(void **state)
{
    (void)state;
    static float like[20 * 160], said[20 * 480];
    for (int i = 0; i < 20 * 480; i++) said[i] = 0.5f;
    rvc_loudness_mix(said, 480, like, 160, 20, 0.25f);
    for (int i = 0; i < 20 * 480; i++) assert_true(said[i] == 0.0f);
}

static void a_piece_keeps_its_tone_and_its_place_at_any_length(void **state)
{
    (void)state;
    static const size_t lengths[][2] = {{4000, 4800}, {3200, 4800}, {4800, 4800},
                                        {5345, 4800}, {2831, 4800}, {9600, 4800}};
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        static float from[9600], to[4800];
        size_t n = lengths[k][0], n_to = lengths[k][1];
        for (size_t i = 0; i < n; i++)
            from[i] = sinf((float)(2.0 * acos(-1.0) * 40.0 * ((double)i + 0.5) / (double)n));
        rvc_piece_resample(from, n, to, n_to);
        for (size_t i = 100; i + 100 < n_to; i++) {
            double expected = sin(2.0 * acos(-1.0) * 40.0 * ((double)i + 0.5) / (double)n_to);
            assert_true(fabs((double)to[i] - expected) < 1e-3);
        }
    }
    /* What the lower rate cannot hold is gone: -60 dB of a tone above it. */
    static float high[9600], low[4800];
    for (int i = 0; i < 9600; i++) high[i] = sinf((float)i * 2.4f);
    rvc_piece_resample(high, 9600, low, 4800);
    for (int i = 100; i < 4700; i++) assert_true(fabsf(low[i]) < 1e-3f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coarse_pitch_is_equal_steps_of_mel_from_1_to_255),
        cmocka_unit_test(frames_are_doubled_and_the_last_one_goes_on),
        cmocka_unit_test(only_frames_without_pitch_are_protected),
        cmocka_unit_test(stretching_keeps_a_straight_line_and_its_ends),
        cmocka_unit_test(loudness_follows_the_input_as_far_as_is_asked),
        cmocka_unit_test(what_is_not_heard_is_not_said),
        cmocka_unit_test(a_piece_keeps_its_tone_and_its_place_at_any_length),
    };
    return cmocka_run_group_tests_name("rvc_features", tests, NULL, NULL);
}
