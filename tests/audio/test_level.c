/* Tests of level measurement: against sums made one sample at a time. */
#include "support/support.h"

#include <float.h>
#include <math.h>

#include "audio/level.h"

enum { FRAMES_MAX = 5000 };

static float frames[FRAMES_MAX * KODAMA_CHANNELS_MAX];

static void levels_of_any_number_of_channels_and_frames_are_those_of_plain_sums(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 7, 8, 9, 100, 255, 256, 257, 2048, 2049, FRAMES_MAX};
    struct test_random random = {.state = 1};
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        frames[i] = 1.25f * test_random_float(&random);
    }
    for (uint32_t channels = 1; channels <= KODAMA_CHANNELS_MAX; channels++) {
        for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
            struct level_sums sums = {0};
            level_add(&sums, frames, lengths[k], channels, 1.0f);
            for (uint32_t c = 0; c < channels; c++) {
                float peak = 0.0f;
                double energy = 0.0;
                uint64_t clipped = 0;
                for (size_t i = 0; i < lengths[k]; i++) {
                    float magnitude = fabsf(frames[i * channels + c]);
                    if (magnitude > peak) peak = magnitude;
                    energy += (double)magnitude * (double)magnitude;
                    clipped += magnitude >= 1.0f;
                }
                assert_true(sums.peak[c] == peak);
                assert_int_equal(sums.clipped[c], clipped);
                /* 256 float additions to a sum that is at most what is summed up */
                assert_true(fabs(sums.energy[c] - energy) <= 256.0 * (double)FLT_EPSILON * energy);
            }
            for (uint32_t c = channels; c < KODAMA_CHANNELS_MAX; c++) {
                assert_true(sums.peak[c] == 0.0f && sums.energy[c] == 0.0 && sums.clipped[c] == 0);
            }
        }
    }
}

static void blocks_add_up(void **state)
{
    (void)state;
    struct test_random random = {.state = 2};
    for (size_t i = 0; i < 2 * FRAMES_MAX; i++) frames[i] = test_random_float(&random);
    struct level_sums whole = {0}, parts = {0};
    level_add(&whole, frames, FRAMES_MAX, 2, 0.5f);
    for (size_t at = 0; at < FRAMES_MAX;) {
        size_t n = 1 + (size_t)test_random_below(&random, 700);
        if (n > FRAMES_MAX - at) n = FRAMES_MAX - at;
        level_add(&parts, frames + 2 * at, n, 2, 0.5f);
        at += n;
    }
    for (size_t c = 0; c < 2; c++) {
        assert_true(whole.peak[c] == parts.peak[c]);
        assert_int_equal(whole.clipped[c], parts.clipped[c]);
        assert_true(whole.clipped[c] > 0);
        assert_true(fabs(whole.energy[c] - parts.energy[c]) < 1e-4 * whole.energy[c]);
    }
}

static void what_is_no_number_has_no_level(void **state)
{
    (void)state;
    float bad[16] = {0.5f, NAN, INFINITY, -INFINITY};
    struct level_sums sums = {0};
    level_add(&sums, bad, 16, 1, 1.0f);
    assert_true(sums.peak[0] == 0.5f);
    assert_true(sums.energy[0] == 0.25);
    assert_int_equal(sums.clipped[0], 2); /* the infinite ones */
}

static void a_sample_at_the_top_of_its_type_is_clipped_and_one_below_is_not(void **state)
{
    (void)state;
    const float tops[] = {127.0f / 128, 32767.0f / 32768, 8388607.0f / 8388608, 1.0f, 1.0f};
    for (int sample = KODAMA_SAMPLE_U8; sample <= KODAMA_SAMPLE_F32; sample++) {
        float top = tops[sample - KODAMA_SAMPLE_U8];
        float full_scale = level_full_scale((enum kodama_sample)sample);
        float values[3] = {top, -top, nextafterf(top, 0.0f)};
        struct level_sums sums = {0};
        level_add(&sums, values, 3, 1, full_scale);
        assert_int_equal(sums.clipped[0], 2);
    }
}

static void decibels_and_factors_are_inverse(void **state)
{
    (void)state;
    assert_true(level_db(0.0) == -(double)INFINITY);
    assert_true(level_factor(-(double)INFINITY) == 0.0);
    assert_true(level_db(1.0) == 0.0);
    for (double db = -120.0; db <= 40.0; db += 7.5) {
        assert_true(fabs(level_db(level_factor(db)) - db) < 1e-9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_of_any_number_of_channels_and_frames_are_those_of_plain_sums),
        cmocka_unit_test(blocks_add_up),
        cmocka_unit_test(what_is_no_number_has_no_level),
        cmocka_unit_test(a_sample_at_the_top_of_its_type_is_clipped_and_one_below_is_not),
        cmocka_unit_test(decibels_and_factors_are_inverse),
    };
    return cmocka_run_group_tests_name("level", tests, NULL, NULL);
}
