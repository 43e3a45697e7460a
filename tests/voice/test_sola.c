/* Joining of blocks: no seam, no drift, bounded moves. */
#include <math.h>
#include <string.h>

#include "support/support.h"
#include "voice/sola.h"

enum { FADE = 2400, SEARCH = 480, BLOCK = 4800, ALL = SEARCH + FADE + BLOCK };

static double largest_step(const float *samples, size_t n)
{
    double most = 0.0;
    for (size_t i = 1; i < n; i++) {
        double step = fabs((double)samples[i] - (double)samples[i - 1]);
        if (step > most) most = step;
    }
    return most;
}

static void sound_that_is_known_comes_through_to_the_sample(void **state)
{
    (void)state;
    struct sola *sola;
    static float sound[SEARCH + FADE + 20 * BLOCK], out[20 * BLOCK];
    struct test_random random = {7};
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) sound[i] = test_random_float(&random);
    assert_int_equal(sola_open(&sola, FADE, SEARCH), KODAMA_OK);
    for (size_t b = 0; b < 20; b++)
        assert_int_equal(sola_process(sola, sound + b * BLOCK, BLOCK, out + b * BLOCK), SEARCH / 2);
    for (size_t i = FADE; i < 20 * BLOCK; i++)
        assert_true(fabsf(out[i] - sound[SEARCH / 2 + i]) < 1e-6f);
    sola_close(sola);
}

static void tones_with_a_new_phase_each_time_are_joined_without_a_seam(void **state)
{
    (void)state;
    static const double tones[] = {101.0, 140.0, 220.0, 733.0};
    for (size_t t = 0; t < 4; t++) {
        struct sola *sola;
        static float in[ALL], out[30 * BLOCK];
        struct test_random random = {t};
        assert_int_equal(sola_open(&sola, FADE, SEARCH), KODAMA_OK);
        for (size_t b = 0; b < 30; b++) {
            double phase = (double)test_random_float(&random) * 3.14;
            for (size_t i = 0; i < ALL; i++)
                in[i] = (float)sin(2 * acos(-1.0) * tones[t] * (double)i / 48000 + phase);
            size_t moved = sola_process(sola, in, BLOCK, out + b * BLOCK);
            assert_true(moved <= SEARCH);
        }
        double step = 2 * acos(-1.0) * tones[t] / 48000;
        assert_true(largest_step(out + FADE, 29 * BLOCK) < step * 1.1);
        double energy = 0.0;
        for (size_t i = FADE; i < 30 * BLOCK; i++) energy += (double)out[i] * (double)out[i];
        energy /= 30 * BLOCK - FADE;
        assert_true(fabs(energy - 0.5) < 0.02); /* no hole where phases meet */
        sola_close(sola);
    }
}

static void silence_stays_in_the_middle_and_silent(void **state)
{
    (void)state;
    struct sola *sola;
    static float in[ALL], out[BLOCK];
    assert_int_equal(sola_open(&sola, FADE, SEARCH), KODAMA_OK);
    for (int b = 0; b < 5; b++) {
        assert_int_equal(sola_process(sola, in, BLOCK, out), SEARCH / 2);
        for (size_t i = 0; i < BLOCK; i++) assert_true(out[i] == 0.0f);
    }
    sola_close(sola);
}

static void blocks_of_other_lengths_give_the_same_sound(void **state)
{
    (void)state;
    static const size_t lengths[] = {2400, 4800, 9600, 1000, 480};
    struct sola *sola;
    static float sound[SEARCH + FADE + 60000], out[60000];
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++)
        sound[i] = sinf((float)i * 0.01f) * sinf((float)i * 0.0007f);
    assert_int_equal(sola_open(&sola, FADE, SEARCH), KODAMA_OK);
    size_t at = 0;
    for (size_t b = 0; at + 9600 < 60000; b++) {
        sola_process(sola, sound + at, lengths[b % 5], out + at);
        at += lengths[b % 5];
    }
    for (size_t i = FADE; i < at; i++) assert_true(fabsf(out[i] - sound[SEARCH / 2 + i]) < 1e-5f);
    sola_close(sola);
}

static void a_missing_block_fades_out_and_the_next_one_in(void **state)
{
    (void)state;
    struct sola *sola;
    static float in[ALL], out[4 * BLOCK];
    for (size_t i = 0; i < ALL; i++) in[i] = 1.0f;
    assert_int_equal(sola_open(&sola, FADE, SEARCH), KODAMA_OK);
    sola_process(sola, in, BLOCK, out);
    sola_miss(sola, BLOCK, out + BLOCK);
    sola_miss(sola, BLOCK, out + 2 * BLOCK);
    sola_process(sola, in, BLOCK, out + 3 * BLOCK);
    assert_true(largest_step(out, 4 * BLOCK) < 2.0 / FADE);
    assert_true(out[BLOCK - 1] == 1.0f && out[BLOCK + FADE] == 0.0f && out[3 * BLOCK - 1] == 0.0f);
    assert_true(out[4 * BLOCK - 1] == 1.0f);
    sola_close(sola);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_that_is_known_comes_through_to_the_sample),
        cmocka_unit_test(tones_with_a_new_phase_each_time_are_joined_without_a_seam),
        cmocka_unit_test(silence_stays_in_the_middle_and_silent),
        cmocka_unit_test(blocks_of_other_lengths_give_the_same_sound),
        cmocka_unit_test(a_missing_block_fades_out_and_the_next_one_in),
    };
    return cmocka_run_group_tests_name("sola", tests, NULL, NULL);
}
