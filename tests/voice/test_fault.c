/* Tests of faults: nothing of the input is ever heard, silence is exact, and its borders do not
 * click. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "voice/scripted.h"
#include "voice/voice.h"

static const double pi = 3.14159265358979323846;

enum { RATE = 48000, HOP = 480, N = 48000, FIRST = 40, N_HOPS = 7, DELAY = 100 };

static float tone(size_t i)
{
    return (float)(0.5 * sin(2.0 * pi * 200.0 * (double)i / RATE + 0.4));
}

/* A tone through a converter with a fault in hops 40 to 46; the output without its latency. */
static float *with_fault(enum scripted_fault fault, struct kodama_voice_stats *stats)
{
    scripted_setup = (struct scripted){.facts = {.hop_in = HOP, .hop_out = HOP, .delay = DELAY},
                                       .fault = fault,
                                       .fault_first = FIRST,
                                       .n_fault = N_HOPS};
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.settings.fluctuation = false;
    struct kodama_voice *voice;
    assert_int_equal(voice_open_with(&voice, &config, &scripted_ops, NULL), 0);
    uint32_t latency = kodama_voice_latency(voice);
    float *sound = calloc(N + latency, sizeof *sound);
    for (size_t i = 0; i < N; i++) sound[i] = tone(i);
    size_t n = N + latency;
    assert_int_equal(kodama_voice_process(voice, sound, n, sound, n), n);
    memmove(sound, sound + latency, N * sizeof *sound);
    kodama_voice_stats(voice, stats);
    kodama_voice_close(voice);
    return sound;
}

/* What the input was at output frames [FIRST * HOP - DELAY, ...): the hops that failed. */
static void faults_are_exactly_silent(void **state)
{
    (void)state;
    for (int fault = SCRIPTED_FAILS; fault <= SCRIPTED_INFINITE; fault++) {
        struct kodama_voice_stats stats;
        float *out = with_fault((enum scripted_fault)fault, &stats);
        size_t begin = FIRST * HOP - DELAY, end = begin + N_HOPS * HOP;
        for (size_t i = begin; i < end; i++) assert_true(out[i] == 0.0f);
        assert_int_equal(stats.faults, N_HOPS);
        assert_int_equal(stats.silenced_frames, N_HOPS * HOP);
        /* Around it there is sound, unchanged but for 1 ms before and 5 ms after. */
        for (size_t i = begin - 2000; i < begin - 49; i++)
            assert_float_equal(out[i], tone(i), 1e-5f);
        for (size_t i = end + 241; i < end + 2000; i++) assert_float_equal(out[i], tone(i), 1e-5f);
        free(out);
    }
}

/* A cut would step by up to 0.5; the tone itself steps by 0.013. */
static void borders_of_faults_do_not_click(void **state)
{
    (void)state;
    struct kodama_voice_stats stats;
    float *out = with_fault(SCRIPTED_FAILS, &stats);
    float most = 0.0f;
    for (int i = 1; i < N; i++) most = fmaxf(most, fabsf(out[i] - out[i - 1]));
    assert_true(most < 0.03f);
    free(out);
}

static void the_input_is_not_heard_when_every_hop_fails(void **state)
{
    (void)state;
    scripted_setup = (struct scripted){
        .facts = {.hop_in = 48, .hop_out = 48}, .fault = SCRIPTED_FAILS, .n_fault = UINT64_MAX};
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.output = (struct kodama_format){KODAMA_SAMPLE_F32, 16000, 1, 0};
    struct kodama_voice *voice;
    assert_int_equal(voice_open_with(&voice, &config, &scripted_ops, NULL), 0);
    static float in[9600], out[3200];
    struct test_random random = {.state = 1};
    for (int i = 0; i < 9600; i++) in[i] = test_random_float(&random);
    assert_int_equal(kodama_voice_process(voice, in, 9600, out, 3200), 3200);
    for (int i = 0; i < 3200; i++) assert_true(out[i] == 0.0f);
    kodama_voice_close(voice);
}

/* Whatever comes in: what comes out is sound, and afterwards a voice is what it was. */
static void impossible_samples_do_not_last(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY, 1e30f, 1e-40f, -3.4e38f};
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.settings.pitch = 5.0f;
    config.settings.formant = -3.0f;
    struct kodama_voice *voice;
    assert_int_equal(kodama_voice_open(&voice, &config, NULL), 0);
    static float in[48000], out[48000];
    struct test_random random = {.state = 1};
    for (int i = 0; i < 24000; i++) {
        in[i] = 0.1f * test_random_float(&random);
        if (i % 7 == 0) in[i] = bad[test_random_below(&random, sizeof bad / sizeof bad[0])];
    }
    assert_int_equal(kodama_voice_process(voice, in, 48000, out, 48000), 48000);
    for (int i = 0; i < 48000; i++) assert_true(fabsf(out[i]) <= 64.0f);
    for (int i = 36000; i < 48000; i++) assert_true(fabsf(out[i]) < 1e-3f);
    kodama_voice_close(voice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_exactly_silent),
        cmocka_unit_test(borders_of_faults_do_not_click),
        cmocka_unit_test(the_input_is_not_heard_when_every_hop_fails),
        cmocka_unit_test(impossible_samples_do_not_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
