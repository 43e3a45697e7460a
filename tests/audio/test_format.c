/* Tests of formats: what is allowed, and formats as text. */
#include "support/support.h"

#include <kodama/format.h>
#include <string.h>

static const struct kodama_format speech = {
    .sample = KODAMA_SAMPLE_S16, .rate_hz = 16000, .channels = 1};

static void limits_of_rates_and_channels_are_exact(void **state)
{
    (void)state;
    struct kodama_format format = speech;
    const struct {
        uint32_t rate_hz, channels;
        bool good;
    } cases[] = {
        {7999, 1, false},       {8000, 1, true},          {192000, 8, true}, {192001, 8, false},
        {48000, 0, false},      {48000, 9, false},        {0, 1, false},     {48000, 8, true},
        {UINT32_MAX, 1, false}, {8000, UINT32_MAX, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        format.rate_hz = cases[i].rate_hz;
        format.channels = cases[i].channels;
        struct kodama_error error = {0};
        int status = kodama_format_check(format, &error);
        assert_int_equal(status, cases[i].good ? KODAMA_OK : KODAMA_ERR_FORMAT);
        if (!cases[i].good) assert_non_null(strstr(error.message, "allowed are"));
    }
}

static void an_unknown_sample_type_is_refused_and_has_no_bytes(void **state)
{
    (void)state;
    for (int sample = -1; sample < 10; sample++) {
        bool known = sample >= KODAMA_SAMPLE_U8 && sample <= KODAMA_SAMPLE_F32;
        struct kodama_format format = speech;
        format.sample = (enum kodama_sample)sample;
        assert_int_equal(kodama_format_check(format, NULL), known ? KODAMA_OK : KODAMA_ERR_FORMAT);
        assert_int_equal(kodama_sample_bytes(format.sample) > 0, known);
        assert_int_equal(strcmp(kodama_sample_name(format.sample), "?") != 0, known);
    }
}

static void a_mask_names_one_speaker_for_each_channel_or_none(void **state)
{
    (void)state;
    struct kodama_format format = {.sample = KODAMA_SAMPLE_F32, .rate_hz = 48000, .channels = 2};
    assert_int_equal(kodama_format_check(format, NULL), KODAMA_OK);
    format.channel_mask = KODAMA_CHANNEL_FL | KODAMA_CHANNEL_FR;
    assert_int_equal(kodama_format_check(format, NULL), KODAMA_OK);
    format.channel_mask = KODAMA_CHANNEL_FL;
    struct kodama_error error = {0};
    assert_int_equal(kodama_format_check(format, &error), KODAMA_ERR_FORMAT);
    assert_non_null(strstr(error.message, "mask"));
}

static void text_becomes_a_format_and_missing_fields_keep_their_defaults(void **state)
{
    (void)state;
    const struct {
        const char *text;
        struct kodama_format format;
    } cases[] = {
        {"s16:16000:1", {KODAMA_SAMPLE_S16, 16000, 1, 0}},
        {"f32le:48000:8", {KODAMA_SAMPLE_F32, 48000, 8, 0}},
        {"u8", {KODAMA_SAMPLE_U8, 44100, 2, 3}},
        {"s24le:96000", {KODAMA_SAMPLE_S24, 96000, 2, 3}},
        {"s32:8000:2", {KODAMA_SAMPLE_S32, 8000, 2, 3}},
        {":22050", {KODAMA_SAMPLE_S16, 22050, 2, 3}},
        {"::1", {KODAMA_SAMPLE_S16, 44100, 1, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kodama_format format = {KODAMA_SAMPLE_S16, 44100, 2, 3};
        assert_int_equal(kodama_format_parse(cases[i].text, &format, NULL), KODAMA_OK);
        assert_memory_equal(&format, &cases[i].format, sizeof format);
    }
}

static void text_that_is_no_format_is_refused_with_an_example(void **state)
{
    (void)state;
    const char *const bad[] = {"s17",           "S16",    "s16:",        "s16:16000:1:",
                               "s16:16k",       "s16:-1", "s16: 16000",  "s16:0x10",
                               "s16be",         "s16lee", "s16:16000:x", "s16:99999999999999999999",
                               "s16:16000:1:1", "f3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct kodama_format format = speech;
        struct kodama_error error = {0};
        int status = kodama_format_parse(bad[i], &format, &error);
        /* An empty last field is a field that was left out. */
        if (strcmp(bad[i], "s16:") == 0) {
            assert_int_equal(status, KODAMA_OK);
            continue;
        }
        assert_int_equal(status, KODAMA_ERR_FORMAT);
        assert_non_null(strstr(error.message, "s16:16000:1"));
        assert_memory_equal(&format, &speech, sizeof format);
    }
    struct kodama_format format = speech;
    struct kodama_error error = {0};
    assert_int_equal(kodama_format_parse("s16:4000", &format, &error), KODAMA_ERR_FORMAT);
    assert_non_null(strstr(error.message, "4000 Hz"));
    assert_int_equal(kodama_format_parse(NULL, &format, NULL), KODAMA_ERR_FORMAT);
}

static void a_format_becomes_text_that_fits_its_room(void **state)
{
    (void)state;
    char text[64];
    struct kodama_format format = {KODAMA_SAMPLE_S16, 48000, 2, 0};
    assert_string_equal(kodama_format_text(format, text, sizeof text), "s16, 48000 Hz, 2 channels");
    format.channels = 1;
    assert_string_equal(kodama_format_text(format, text, 8), "s16, 48");
    format = (struct kodama_format){(enum kodama_sample) - 1, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    assert_string_equal(kodama_format_text(format, text, sizeof text),
                        "?, 4294967295 Hz, 4294967295 channels");
    assert_ptr_equal(kodama_format_text(format, text, 0), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_of_rates_and_channels_are_exact),
        cmocka_unit_test(an_unknown_sample_type_is_refused_and_has_no_bytes),
        cmocka_unit_test(a_mask_names_one_speaker_for_each_channel_or_none),
        cmocka_unit_test(text_becomes_a_format_and_missing_fields_keep_their_defaults),
        cmocka_unit_test(text_that_is_no_format_is_refused_with_an_example),
        cmocka_unit_test(a_format_becomes_text_that_fits_its_room),
    };
    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
