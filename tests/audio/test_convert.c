/* Tests of sample conversion: rounding, clipping, what is not a number, and mix-down. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/convert.h"
#include "base/clock.h"

static const enum kodama_sample all_samples[] = {
    KODAMA_SAMPLE_U8, KODAMA_SAMPLE_S16, KODAMA_SAMPLE_S24, KODAMA_SAMPLE_S32, KODAMA_SAMPLE_F32};
enum { N_SAMPLE_TYPES = 5 };

/* The integer that a stored sample is, full scale 2^(bits-1). */
static int64_t stored(enum kodama_sample sample, const void *data, size_t i)
{
    const uint8_t *bytes = data;
    int16_t s16;
    int32_t s32;
    switch (sample) {
    case KODAMA_SAMPLE_U8: return (int64_t)bytes[i] - 128;
    case KODAMA_SAMPLE_S16: memcpy(&s16, bytes + 2 * i, 2); return s16;
    case KODAMA_SAMPLE_S24:
        s32 = bytes[3 * i] | bytes[3 * i + 1] << 8 | bytes[3 * i + 2] << 16;
        return s32 >= 0x800000 ? s32 - 0x1000000 : s32;
    default: memcpy(&s32, bytes + 4 * i, 4); return s32;
    }
}

static double full_scale(enum kodama_sample sample)
{
    return ldexp(1.0, (int)(8 * kodama_sample_bytes(sample)) - 1);
}

static int64_t one(enum kodama_sample sample, float value)
{
    uint8_t out[4];
    convert_from_float(sample, &value, out, 1);
    return stored(sample, out, 0);
}

static void every_s16_and_u8_survives_the_way_through_float(void **state)
{
    (void)state;
    static int16_t in[65536], out[65536];
    static float floats[65536];
    for (int i = 0; i < 65536; i++) in[i] = (int16_t)(i - 32768);
    convert_to_float(KODAMA_SAMPLE_S16, in, floats, 65536);
    for (int i = 0; i < 65536; i++) assert_true(floats[i] == (float)(i - 32768) / 32768.0f);
    convert_from_float(KODAMA_SAMPLE_S16, floats, out, 65536);
    assert_memory_equal(in, out, sizeof in);

    uint8_t bytes[256], back[256];
    for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
    convert_to_float(KODAMA_SAMPLE_U8, bytes, floats, 256);
    for (int i = 0; i < 256; i++) assert_true(floats[i] == (float)(i - 128) / 128.0f);
    convert_from_float(KODAMA_SAMPLE_U8, floats, back, 256);
    assert_memory_equal(bytes, back, sizeof bytes);
}

static void every_s24_survives_the_way_through_float(void **state)
{
    (void)state;
    enum { BLOCK = 1 << 16 };
    static uint8_t in[3 * BLOCK], out[3 * BLOCK];
    static float floats[BLOCK];
    for (uint32_t base = 0; base < 1u << 24; base += BLOCK) {
        for (uint32_t i = 0; i < BLOCK; i++) {
            in[3 * i] = (uint8_t)(base + i);
            in[3 * i + 1] = (uint8_t)((base + i) >> 8);
            in[3 * i + 2] = (uint8_t)((base + i) >> 16);
        }
        convert_to_float(KODAMA_SAMPLE_S24, in, floats, BLOCK);
        for (size_t i = 0; i < BLOCK; i += 101) {
            assert_true((double)floats[i] == (double)stored(KODAMA_SAMPLE_S24, in, i) / 8388608.0);
        }
        convert_from_float(KODAMA_SAMPLE_S24, floats, out, BLOCK);
        assert_memory_equal(in, out, sizeof in);
    }
}

static void s32_is_as_near_as_a_float_can_be(void **state)
{
    (void)state;
    struct test_random random = {.state = 32};
    for (int i = 0; i < 100000; i++) {
        int32_t value = (int32_t)test_random_next(&random);
        if (i % 2) value >>= i % 31;
        float real;
        convert_to_float(KODAMA_SAMPLE_S32, &value, &real, 1);
        assert_true(real == (float)((double)value / 2147483648.0));
        int64_t back = one(KODAMA_SAMPLE_S32, real);
        assert_true(llabs(back - value) <= 64); /* half of the last of 24 bits at full scale */
        if (abs(value) < 1 << 24) assert_int_equal(back, value);
    }
}

static void rounding_is_to_nearest_with_ties_to_even(void **state)
{
    (void)state;
    for (int t = 0; t < 4; t++) {
        enum kodama_sample sample = all_samples[t];
        double scale = full_scale(sample);
        assert_int_equal(one(sample, (float)(0.5 / scale)), 0);
        assert_int_equal(one(sample, (float)(-0.5 / scale)), 0);
        assert_int_equal(one(sample, (float)(1.5 / scale)), 2);
        assert_int_equal(one(sample, (float)(-1.5 / scale)), -2);
        assert_int_equal(one(sample, (float)(2.5 / scale)), 2);
        assert_int_equal(one(sample, (float)(-2.5 / scale)), -2);
        assert_int_equal(one(sample, (float)(2.501 / scale)), 3);
        assert_int_equal(one(sample, nextafterf((float)(0.5 / scale), 1.0f)), 1);
    }
}

static void random_floats_agree_with_the_definition(void **state)
{
    (void)state;
    struct test_random random = {.state = 7};
    enum { N = 4097 };
    static float in[N];
    static uint8_t out[4 * N];
    for (int round = 0; round < 40; round++) {
        float size = round % 4 == 0 ? 1.5f : round % 4 == 1 ? 1.0f : round % 4 == 2 ? 1e-2f : 1e-6f;
        for (size_t i = 0; i < N; i++) in[i] = test_random_float(&random) * size;
        for (int t = 0; t < 4; t++) {
            enum kodama_sample sample = all_samples[t];
            double scale = full_scale(sample);
            convert_from_float(sample, in, out, N);
            for (size_t i = 0; i < N; i++) {
                double wanted = rint((double)in[i] * scale); /* the default mode: ties to even */
                if (wanted > scale - 1) wanted = scale - 1;
                if (wanted < -scale) wanted = -scale;
                assert_true((double)stored(sample, out, i) == wanted);
            }
        }
    }
}

static void too_loud_is_clipped_and_never_wraps(void **state)
{
    (void)state;
    const float loud[] = {1.0f, 1.0000001f, 2.0f, 1e10f, 3.4e38f, INFINITY};
    for (int t = 0; t < 4; t++) {
        int64_t top = (int64_t)full_scale(all_samples[t]) - 1;
        for (size_t i = 0; i < sizeof loud / sizeof loud[0]; i++) {
            assert_int_equal(one(all_samples[t], loud[i]), top);
            assert_int_equal(one(all_samples[t], -loud[i]), -top - 1);
        }
    }
}

static void what_is_not_a_number_becomes_silence(void **state)
{
    (void)state;
    for (int t = 0; t < 4; t++) {
        assert_int_equal(one(all_samples[t], NAN), 0);
        assert_int_equal(one(all_samples[t], -NAN), 0);
    }
    float values[5] = {NAN, 1.5f, INFINITY, -0.0f, 1e-40f}, out[5];
    convert_from_float(KODAMA_SAMPLE_F32, values, out, 5);
    assert_true(out[0] == 0.0f && out[1] == 1.5f && out[2] == INFINITY);
    assert_true(signbit(out[3]) && out[4] == values[4]);
    /* In a mix infinity too: behind are filters that would never forget it. */
    float mono;
    const struct kodama_format stereo = {KODAMA_SAMPLE_F32, 48000, 2, 0};
    convert_to_mono(stereo, (float[]){NAN, 1.0f}, &mono, 1);
    assert_true(mono == 0.5f);
    const struct kodama_format single = {KODAMA_SAMPLE_F32, 48000, 1, 0};
    convert_to_mono(single, values, out, 5);
    assert_true(out[0] == 0.0f && out[1] == 1.5f && out[2] == 0.0f && out[4] == values[4]);
}

/* Vector code has a head, a body and a tail: all lengths and alignments must agree. */
static void any_length_and_alignment_gives_the_same(void **state)
{
    (void)state;
    struct test_random random = {.state = 3};
    uint8_t bytes[4 * 80 + 8], shifted[4 * 80 + 8];
    float floats[80], expected[80], back[81];
    for (int t = 0; t < N_SAMPLE_TYPES; t++) {
        size_t unit = kodama_sample_bytes(all_samples[t]);
        for (size_t i = 0; i < 80; i++) floats[i] = test_random_float(&random);
        convert_from_float(all_samples[t], floats, bytes, 80);
        for (size_t i = 0; i < 80; i++) {
            convert_to_float(all_samples[t], bytes + i * unit, &expected[i], 1);
        }
        for (size_t n = 0; n <= 70; n++) {
            size_t shift = n % 7;
            memset(shifted, 0xaa, sizeof shifted);
            convert_from_float(all_samples[t], floats, shifted + shift, n);
            if (n > 0) assert_memory_equal(shifted + shift, bytes, n * unit);
            assert_int_equal(shifted[shift + n * unit], 0xaa);
            back[n] = 99.0f;
            convert_to_float(all_samples[t], shifted + shift, back, n);
            if (n > 0) assert_memory_equal(back, expected, n * sizeof back[0]);
            assert_true(back[n] == 99.0f);
        }
    }
}

static void silence_is_zero_in_every_type(void **state)
{
    (void)state;
    for (int t = 0; t < N_SAMPLE_TYPES; t++) {
        uint8_t bytes[4 * 9];
        float floats[9];
        memset(bytes, 0x55, sizeof bytes);
        convert_silence(all_samples[t], bytes, 9);
        convert_to_float(all_samples[t], bytes, floats, 9);
        for (int i = 0; i < 9; i++) assert_true(floats[i] == 0.0f);
        convert_silence(all_samples[t], NULL, 0);
    }
}

static void mono_is_the_mean_without_the_low_frequency_channel(void **state)
{
    (void)state;
    const struct {
        uint32_t channels, mask;
        int lfe;
    } cases[] = {
        {1, 0, -1},
        {1, KODAMA_CHANNEL_LFE, -1}, /* alone it is all there is */
        {2, 0, -1},
        {2, KODAMA_CHANNEL_FL | KODAMA_CHANNEL_LFE, 1},
        {3, 0, -1},
        {3, KODAMA_CHANNEL_FL | KODAMA_CHANNEL_FR | KODAMA_CHANNEL_LFE, 2},
        {4, 0, -1},
        {4, KODAMA_CHANNEL_FC | KODAMA_CHANNEL_LFE | KODAMA_CHANNEL_BL | KODAMA_CHANNEL_BR, 1},
        {5, 0, -1},
        {6, 0, 3},
        {6, 0x3f, 3},
        {6, 0x637, -1}, /* hexagonal-like: no LFE bit */
        {7, 0, 3},
        {8, 0, 3},
        {8, 0x63f, 3},
    };
    enum { N = 700 };
    static float in[N * 8], out[N + 1];
    struct test_random random = {.state = 5};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct kodama_format format = {.sample = KODAMA_SAMPLE_F32,
                                       .rate_hz = 48000,
                                       .channels = cases[k].channels,
                                       .channel_mask = cases[k].mask};
        for (size_t i = 0; i < N * format.channels; i++) in[i] = test_random_float(&random);
        out[N] = 99.0f;
        convert_to_mono(format, in, out, N);
        for (size_t i = 0; i < N; i++) {
            double sum = 0.0, n = 0.0;
            for (uint32_t c = 0; c < format.channels; c++) {
                if ((int)c == cases[k].lfe) continue;
                sum += (double)in[i * format.channels + c];
                n += 1.0;
            }
            assert_true(fabs((double)out[i] - sum / n) < 1e-6);
        }
        assert_true(out[N] == 99.0f);
    }
}

static void mono_of_equal_channels_is_the_channel(void **state)
{
    (void)state;
    for (int t = 0; t < N_SAMPLE_TYPES; t++) {
        for (uint32_t channels = 1; channels <= 8; channels++) {
            struct kodama_format format = {
                .sample = all_samples[t], .rate_hz = 48000, .channels = channels};
            float in[300 * 8], out[300];
            uint8_t bytes[300 * 8 * 4];
            for (size_t i = 0; i < 300 * channels; i++) {
                in[i] = (float)((int)(i / channels) - 150) / 256.0f * 128.0f / 128.0f;
                if (t == 0) in[i] = (float)((int)(i / channels) % 128) / 128.0f;
            }
            convert_from_float(all_samples[t], in, bytes, 300 * channels);
            convert_to_mono(format, bytes, out, 300);
            for (size_t i = 0; i < 300; i++) assert_true(fabsf(out[i] - in[i * channels]) < 1e-7f);
        }
    }
}

/* Not a bound, but what the report quotes: a loop that lost its vector code is seen here. */
static void conversion_speed_is_printed(void **state)
{
    (void)state;
    enum { N = 4800, ROUNDS = 400 };
    static float floats[N];
    static uint8_t bytes[4 * N];
    struct test_random random = {.state = 9};
    for (size_t i = 0; i < N; i++) floats[i] = test_random_float(&random);
    for (int t = 0; t < N_SAMPLE_TYPES; t++) {
        uint64_t best_from = UINT64_MAX, best_to = UINT64_MAX;
        for (int i = 0; i < ROUNDS; i++) {
            uint64_t begin = clock_now_ns();
            convert_from_float(all_samples[t], floats, bytes, N);
            uint64_t middle = clock_now_ns();
            convert_to_float(all_samples[t], bytes, floats, N);
            uint64_t end = clock_now_ns();
            if (middle - begin < best_from) best_from = middle - begin;
            if (end - middle < best_to) best_to = end - middle;
        }
        printf("# %s: to float %.3f ns/sample, from float %.3f ns/sample\n",
               kodama_sample_name(all_samples[t]), (double)best_to / N, (double)best_from / N);
        fflush(stdout);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_s16_and_u8_survives_the_way_through_float),
        cmocka_unit_test(every_s24_survives_the_way_through_float),
        cmocka_unit_test(s32_is_as_near_as_a_float_can_be),
        cmocka_unit_test(rounding_is_to_nearest_with_ties_to_even),
        cmocka_unit_test(random_floats_agree_with_the_definition),
        cmocka_unit_test(too_loud_is_clipped_and_never_wraps),
        cmocka_unit_test(what_is_not_a_number_becomes_silence),
        cmocka_unit_test(any_length_and_alignment_gives_the_same),
        cmocka_unit_test(silence_is_zero_in_every_type),
        cmocka_unit_test(mono_is_the_mean_without_the_low_frequency_channel),
        cmocka_unit_test(mono_of_equal_channels_is_the_channel),
        cmocka_unit_test(conversion_speed_is_printed),
    };
    return cmocka_run_group_tests_name("convert", tests, NULL, NULL);
}
