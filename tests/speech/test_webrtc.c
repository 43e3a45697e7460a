/* Tests of the detector `webrtc`: it hears real speech, its state moves, and where the library is
 * missing a sentence says so. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/detector.h>

enum { RATE = 16000, WINDOW = 160 };

/* Skips the running test where the library is not. */
static struct kodama_detector *open_webrtc(uint32_t rate_hz)
{
    struct kodama_detector *detector;
    struct kodama_error error = {0};
    int status = kodama_detector_open(&detector, "webrtc", rate_hz, &error);
    if (status == KODAMA_ERR_NOT_FOUND || status == KODAMA_ERR_UNSUPPORTED) {
        print_message("# skipped: %s\n", error.message);
        skip();
    }
    assert_int_equal(status, KODAMA_OK);
    assert_int_equal(kodama_detector_window(detector), rate_hz / 100);
    return detector;
}

static double share_of_speech(struct kodama_detector *detector, const float *samples, size_t n)
{
    size_t window = kodama_detector_window(detector), n_windows = n / window, n_speech = 0;
    for (size_t i = 0; i < n_windows; i++)
        n_speech += kodama_detector_process(detector, samples + i * window) >= 0.5f;
    return (double)n_speech / (double)n_windows;
}

static void words_are_heard_and_silence_is_not(void **state)
{
    (void)state;
    struct kodama_detector *detector = open_webrtc(RATE);
    size_t n;
    uint32_t rate_hz, channels;
    float *samples = test_read_audio(test_shared("speech/jfk.wav"), &n, &rate_hz, &channels);
    double share = share_of_speech(detector, samples, n);
    print_message("# %.0f %% of jfk.wav\n", 100.0 * share);
    assert_true(share > 0.4 && share < 0.98);
    memset(samples, 0, n * sizeof *samples);
    kodama_detector_reset(detector);
    assert_true(share_of_speech(detector, samples, n) == 0.0);
    free(samples);
    kodama_detector_close(detector);
}

/* Bursts of a buzz in noise. */
static void make_bursts(float *samples, size_t n)
{
    struct test_random random = {5};
    for (size_t i = 0; i < n; i++) {
        float buzz = i / 6000 % 2 == 1 ? (float)(i % 120) / 300.0f - 0.2f : 0.0f;
        samples[i] = buzz + 0.003f * test_random_float(&random);
    }
}

static void a_saved_state_goes_on_identically(void **state)
{
    (void)state;
    static float samples[3 * RATE];
    make_bursts(samples, 3 * RATE);
    struct kodama_detector *whole = open_webrtc(RATE), *part = open_webrtc(RATE);
    uint8_t bytes[2000];
    int64_t n_bytes = kodama_detector_save(part, NULL, 0);
    assert_true(n_bytes > 0 && n_bytes <= (int64_t)sizeof bytes);
    for (size_t i = 0; i < 3 * RATE / WINDOW; i++) {
        assert_int_equal(kodama_detector_save(part, bytes, sizeof bytes), n_bytes);
        kodama_detector_close(part);
        part = open_webrtc(RATE);
        assert_int_equal(kodama_detector_load(part, bytes, (size_t)n_bytes), KODAMA_OK);
        assert_true(kodama_detector_process(part, samples + i * WINDOW) ==
                    kodama_detector_process(whole, samples + i * WINDOW));
    }
    kodama_detector_close(whole);
    kodama_detector_close(part);
}

static void a_state_of_another_rate_or_a_damaged_one_is_refused(void **state)
{
    (void)state;
    struct kodama_detector *fast = open_webrtc(RATE), *slow = open_webrtc(8000);
    uint8_t bytes[2000];
    int64_t n_bytes = kodama_detector_save(fast, bytes, sizeof bytes);
    assert_true(n_bytes > 0);
    assert_int_equal(kodama_detector_load(slow, bytes, (size_t)n_bytes), KODAMA_ERR_CORRUPT);
    assert_int_equal(kodama_detector_load(fast, bytes, (size_t)n_bytes - 1), KODAMA_ERR_CORRUPT);
    memset(bytes + n_bytes - 4, 0, 4);
    assert_int_equal(kodama_detector_load(fast, bytes, (size_t)n_bytes), KODAMA_ERR_CORRUPT);
    kodama_detector_close(fast);
    kodama_detector_close(slow);
}

static void nothing_that_a_float_can_be_breaks_it(void **state)
{
    (void)state;
    static const float poisons[] = {NAN, INFINITY, -INFINITY, 3e38f, 1e-40f, -7.0f};
    struct kodama_detector *detector = open_webrtc(RATE);
    struct test_random random = {6};
    float window[WINDOW];
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < WINDOW; i++) window[i] = poisons[test_random_below(&random, 6)];
        float probability = kodama_detector_process(detector, window);
        assert_true(probability == 0.0f || probability == 1.0f);
    }
    kodama_detector_close(detector);
}

static void what_it_lacks_is_said_in_a_sentence(void **state)
{
    (void)state;
    struct kodama_detector_config config = KODAMA_DETECTOR_CONFIG_INIT;
    char about[300] = "";
    config.name = "webrtc";
    int status = kodama_detector_probe(&config, about, sizeof about);
    print_message("# %s\n", about);
    assert_non_null(strstr(about, "libwebrtc_audio_processing"));
    if (status != KODAMA_OK) assert_non_null(strstr(about, "another detector"));
    config.rate_hz = 44100;
    assert_int_equal(kodama_detector_probe(&config, about, sizeof about), KODAMA_ERR_FORMAT);
    assert_non_null(strstr(about, "44100"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_heard_and_silence_is_not),
        cmocka_unit_test(a_saved_state_goes_on_identically),
        cmocka_unit_test(a_state_of_another_rate_or_a_damaged_one_is_refused),
        cmocka_unit_test(nothing_that_a_float_can_be_breaks_it),
        cmocka_unit_test(what_it_lacks_is_said_in_a_sentence),
    };
    return cmocka_run_group_tests_name("speech/webrtc", tests, NULL, NULL);
}
