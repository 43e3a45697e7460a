/* Tests of faults: nothing of the input is ever heard, silence is exact, and its borders do not
 * click. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "voice/hanging.h"
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

static void a_converter_that_hangs_is_silent_and_then_goes_on(void **state)
{
    (void)state;
    hanging_first = 20;
    hanging_n = 5;
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.settings.fluctuation = false;
    struct kodama_voice *voice;
    assert_int_equal(voice_open_with(&voice, &config, &hanging_ops, NULL), 0);
    uint32_t latency = kodama_voice_latency(voice);
    static float sound[N];
    for (size_t i = 0; i < N; i++) sound[i] = tone(i);
    assert_int_equal(kodama_voice_process(voice, sound, N, sound, N), N);
    size_t begin = latency + 20 * HANGING_HOP, end = begin + 5 * HANGING_HOP;
    for (size_t i = begin; i < end; i++) assert_true(sound[i] == 0.0f);
    for (size_t i = latency + 100; i < begin - 49; i++)
        assert_float_equal(sound[i], -tone(i - latency), 1e-5f);
    for (size_t i = end + 241; i < N; i++) assert_float_equal(sound[i], -tone(i - latency), 1e-5f);
    struct kodama_voice_stats stats;
    kodama_voice_stats(voice, &stats);
    assert_int_equal(stats.faults, 5);
    kodama_voice_close(voice);
}

/* Faults at random hops, with everything that could ring or go on switched on: each failed hop is
 * silent to the sample, however short the sound between two of them. */
static void faults_in_any_order_are_exactly_silent(void **state)
{
    (void)state;
    struct test_random random = {.state = 11};
    for (int round = 0; round < 40; round++) {
        uint32_t hop = 48 + (uint32_t)test_random_below(&random, 500);
        scripted_setup = (struct scripted){
            .facts = {.hop_in = hop, .hop_out = hop, .delay = 77},
            .fault = (enum scripted_fault)(1 + test_random_below(&random, 3)),
            .random_seed = 1 + (uint64_t)round,
        };
        struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
        config.settings.effect = round % 2 ? KODAMA_EFFECT_RADIO : KODAMA_EFFECT_NONE;
        config.settings.drift_volume = config.settings.drift_eq = 0.3f;
        config.settings.gain = 6.0f;
        struct kodama_voice *voice;
        assert_int_equal(voice_open_with(&voice, &config, &scripted_ops, NULL), 0);
        /* Where hop 0 comes out: before it lies what the gate and the limiter hold back. */
        size_t begin = kodama_voice_latency(voice) - scripted_setup.facts.delay;
        static float sound[N];
        for (int i = 0; i < N; i++) sound[i] = 0.3f * test_random_float(&random);
        assert_int_equal(kodama_voice_process(voice, sound, N, sound, N), N);
        size_t n_failed = 0;
        for (uint64_t k = 0; begin + (k + 1) * hop <= N; k++) {
            if (!scripted_is_due(&scripted_setup, k)) continue;
            n_failed++;
            for (size_t i = begin + k * hop; i < begin + (k + 1) * hop; i++)
                assert_true(sound[i] == 0.0f);
        }
        assert_true(n_failed > 5);
        kodama_voice_close(voice);
    }
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
        cmocka_unit_test(a_converter_that_hangs_is_silent_and_then_goes_on),
        cmocka_unit_test(faults_in_any_order_are_exactly_silent),
        cmocka_unit_test(the_input_is_not_heard_when_every_hop_fails),
        cmocka_unit_test(impossible_samples_do_not_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
