/* Tests of the detectors: the builtin one on real speech, on noises, and on everything that is
 * neither. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/detector.h>

#include "base/clock.h"
#include "base/memory.h"

enum { RATE = 16000, WINDOW = 160 };
static const double pi = 3.14159265358979323846;

static struct kodama_detector *open_builtin(void)
{
    struct kodama_detector *detector;
    assert_int_equal(kodama_detector_open(&detector, "builtin", RATE, NULL), KODAMA_OK);
    assert_int_equal(kodama_detector_window(detector), WINDOW);
    assert_int_equal(kodama_detector_delay(detector), 0);
    return detector;
}

static float *room(size_t n_samples)
{
    float *samples = memory_array(n_samples, sizeof *samples);
    assert_non_null(samples);
    return samples;
}

/* Share of the windows that begin in [from, to) seconds and are taken for speech. */
static double speech_share(const float *probabilities, double from, double to)
{
    size_t begin = (size_t)(from * 100.0 + 0.5), end = (size_t)(to * 100.0 + 0.5), n = 0;
    for (size_t i = begin; i < end; i++) n += probabilities[i] >= 0.5f;
    return (double)n / (double)(end - begin);
}

/* Probabilities of all windows, by a fresh detector. */
static float *judge(const float *samples, size_t n_samples, size_t *n_windows)
{
    struct kodama_detector *detector = open_builtin();
    *n_windows = n_samples / WINDOW;
    float *probabilities = room(*n_windows);
    for (size_t i = 0; i < *n_windows; i++) {
        probabilities[i] = kodama_detector_process(detector, samples + i * WINDOW);
        assert_true(probabilities[i] >= 0.0f && probabilities[i] <= 1.0f);
    }
    kodama_detector_close(detector);
    return probabilities;
}

static float *read_mono_16k(const char *path, size_t *n_samples)
{
    uint32_t rate_hz, channels;
    float *samples = test_read_audio(path, n_samples, &rate_hz, &channels);
    assert_int_equal(channels, 1);
    if (rate_hz == 48000) { /* good enough for ears and for a detector */
        *n_samples /= 3;
        for (size_t i = 0; i < *n_samples; i++)
            samples[i] = (samples[3 * i] + samples[3 * i + 1] + samples[3 * i + 2]) / 3.0f;
        rate_hz = RATE;
    }
    assert_int_equal(rate_hz, RATE);
    return samples;
}

/* ---- speech ---- */

struct interval {
    double from, to;
};

/* jfk.wav, by ear and by its energy: "And so my fellow Americans / ask / not / what your country
 * can do for you / ask what you can do for your country". */
static const struct interval jfk_speech[] = {
    {0.33, 2.12}, {3.28, 3.70}, {4.00, 4.32}, {5.41, 7.64}, {8.18, 10.38}};
/* Pauses, some time after the last word. */
static const struct interval jfk_silence[] = {
    {0.00, 0.28}, {2.50, 3.20}, {4.65, 5.36}, {7.95, 8.12}};

static void assert_hears_jfk(const float *samples, size_t n_samples, double least_speech,
                             double most_silence)
{
    size_t n_windows;
    float *probabilities = judge(samples, n_samples, &n_windows);
    double heard = 0.0, speech = 0.0, wrong = 0.0, silence = 0.0;
    for (size_t i = 0; i < sizeof jfk_speech / sizeof jfk_speech[0]; i++) {
        const struct interval *is = &jfk_speech[i];
        double share = speech_share(probabilities, is->from, is->to);
        print_message("# speech %.2f to %.2f s: %.0f %% heard\n", is->from, is->to, 100.0 * share);
        if (share < 0.5) fail_msg("the words at %.2f s are not heard", is->from);
        heard += share * (is->to - is->from);
        speech += is->to - is->from;
    }
    for (size_t i = 0; i < sizeof jfk_silence / sizeof jfk_silence[0]; i++) {
        const struct interval *is = &jfk_silence[i];
        wrong += speech_share(probabilities, is->from, is->to) * (is->to - is->from);
        silence += is->to - is->from;
    }
    print_message("# %.1f %% of speech heard, %.1f %% of pauses taken for speech\n",
                  100.0 * heard / speech, 100.0 * wrong / silence);
    assert_true(heard / speech >= least_speech);
    assert_true(wrong / silence <= most_silence);
    free(probabilities);
}

static void hand_checked_words_are_heard_and_pauses_are_not(void **state)
{
    (void)state;
    size_t n;
    float *samples = read_mono_16k(test_shared("speech/jfk.wav"), &n);
    assert_hears_jfk(samples, n, 0.85, 0.05);
    free(samples);
}

static void quiet_speech_with_an_offset_is_heard(void **state)
{
    (void)state;
    size_t n;
    float *samples = read_mono_16k(test_shared("speech/jfk.wav"), &n);
    for (size_t i = 0; i < n; i++) samples[i] = 0.03f * samples[i] + 0.3f;
    assert_hears_jfk(samples, n, 0.8, 0.05);
    free(samples);
}

static void clipped_speech_is_heard(void **state)
{
    (void)state;
    size_t n;
    float *samples = read_mono_16k(test_shared("speech/jfk.wav"), &n);
    for (size_t i = 0; i < n; i++) samples[i] = fmaxf(-1.0f, fminf(1.0f, samples[i] * 8.0f));
    assert_hears_jfk(samples, n, 0.85, 0.15);
    free(samples);
}

static void a_recording_may_begin_in_the_middle_of_a_word(void **state)
{
    (void)state;
    size_t n, n_windows;
    float *samples = read_mono_16k(test_shared("speech/jfk.wav"), &n);
    float *probabilities = judge(samples + (size_t)(0.70 * RATE), RATE, &n_windows);
    /* "so", as loud as can be, without any silence before it. */
    assert_true(speech_share(probabilities, 0.05, 0.25) >= 0.9);
    assert_true(speech_share(probabilities, 0.05, 0.90) >= 0.8);
    free(probabilities);
    free(samples);
}

static void read_english_is_heard(void **state)
{
    (void)state;
    static const char *const files[] = {"0870", "0880", "0890", "0920", "0930"};
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        char path[200];
        snprintf(path, sizeof path,
                 "/usr/share/pocketsphinx/test/data/librivox/"
                 "sense_and_sensibility_01_austen_64kb-%s.wav",
                 files[f]);
        size_t n, n_windows;
        float *samples = read_mono_16k(test_installed(path), &n);
        float *probabilities = judge(samples, n, &n_windows);
        double share = speech_share(probabilities, 0.0, (double)n_windows / 100.0);
        print_message("# %s: %.0f %% speech\n", files[f], 100.0 * share);
        assert_true(share > 0.6); /* read without long pauses; they take some 10 % */
        assert_true(share < 0.99);
        free(probabilities);
        free(samples);
    }
}

static void single_words_at_another_rate_are_heard_and_noise_is_not(void **state)
{
    (void)state;
    static const char *const files[] = {"Front_Center", "Front_Left", "Rear_Right", "Side_Left"};
    size_t n, n_windows;
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        char path[100];
        snprintf(path, sizeof path, "/usr/share/sounds/alsa/%s.wav", files[f]);
        float *samples = read_mono_16k(test_installed(path), &n);
        float *probabilities = judge(samples, n, &n_windows);
        double share = speech_share(probabilities, 0.0, (double)n_windows / 100.0);
        print_message("# %s: %.0f %% speech\n", files[f], 100.0 * share);
        assert_true(share > 0.3 && share < 0.95);
        free(probabilities);
        free(samples);
    }
}

/* ---- what is not speech ---- */

static float gaussian(struct test_random *random)
{
    float sum = 0.0f;
    for (int i = 0; i < 12; i++) sum += test_random_float(random);
    return sum / 2.0f; /* variance 1 */
}

enum noise { WHITE, PINK, BROWN, HUM, FAN, N_NOISES };
static const char *const noise_names[] = {"white", "pink", "brown", "hum", "fan"};

/* Noise of 0 dBFS rms. */
static void make_noise(enum noise noise, float *samples, size_t n)
{
    struct test_random random = {7};
    double a = 0.0, b = 0.0, c = 0.0, energy = 0.0;
    for (size_t i = 0; i < n; i++) {
        double white = (double)gaussian(&random), t = 2.0 * pi * (double)i / RATE, value = white;
        if (noise == PINK) { /* Kellet's filter */
            a = 0.99765 * a + white * 0.0990460;
            b = 0.96300 * b + white * 0.2965164;
            c = 0.57000 * c + white * 1.0526913;
            value = a + b + c + white * 0.1848;
        } else if (noise == BROWN) {
            value = a = 0.99 * a + 0.1 * white;
        } else if (noise == HUM) {
            value = sin(50.0 * t) + 0.5 * sin(150.0 * t + 1.0) + 0.3 * sin(250.0 * t) +
                    0.2 * sin(100.0 * t) + 0.1 * sin(450.0 * t) + 0.001 * white;
        } else if (noise == FAN) {
            a = 0.9 * a + 0.1 * white;
            value = a * (1.0 + 0.3 * sin(12.0 * t));
        }
        samples[i] = (float)value;
        energy += value * value;
    }
    float gain = (float)sqrt((double)n / energy);
    for (size_t i = 0; i < n; i++) samples[i] *= gain;
}

static void scale(float *samples, size_t n, double db)
{
    float gain = (float)pow(10.0, db / 20.0);
    for (size_t i = 0; i < n; i++) samples[i] *= gain;
}

static void steady_noise_of_any_level_is_not_speech(void **state)
{
    (void)state;
    const size_t n = 20 * RATE;
    float *noise = room(n), *samples = room(n);
    for (enum noise kind = WHITE; kind < N_NOISES; kind++) {
        make_noise(kind, noise, n);
        for (int db = -70; db <= -10; db += 20) {
            memcpy(samples, noise, n * sizeof *samples);
            scale(samples, n, db);
            size_t n_windows;
            float *probabilities = judge(samples, n, &n_windows);
            double early = speech_share(probabilities, 0.0, 1.5);
            double later = speech_share(probabilities, 1.5, 20.0);
            print_message("# %s at %d dBFS: %.1f %% of the first 1.5 s, then %.1f %%\n",
                          noise_names[kind], db, 100.0 * early, 100.0 * later);
            assert_true(later <= 0.02);
            free(probabilities);
        }
    }
    free(noise);
    free(samples);
}

static void a_step_of_the_noise_level_is_adapted_to(void **state)
{
    (void)state;
    const size_t n = 12 * RATE;
    float *samples = room(n);
    make_noise(WHITE, samples, n);
    scale(samples, n / 2, -60.0);
    scale(samples + n / 2, n / 2, -30.0);
    size_t n_windows;
    float *probabilities = judge(samples, n, &n_windows);
    assert_true(speech_share(probabilities, 1.5, 6.0) <= 0.02);
    assert_true(speech_share(probabilities, 6.0, 12.0) <= 0.10);
    assert_true(speech_share(probabilities, 7.5, 12.0) <= 0.02);
    free(probabilities);
    free(samples);
}

static void digital_silence_and_constants_are_not_speech(void **state)
{
    (void)state;
    static const float values[] = {0.0f, 0.5f, -1.0f, 1e-30f, 4.0f};
    const size_t n = 5 * RATE;
    float *samples = room(n);
    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
        for (size_t i = 0; i < n; i++) samples[i] = values[v];
        size_t n_windows;
        float *probabilities = judge(samples, n, &n_windows);
        assert_true(speech_share(probabilities, 0.0, 5.0) <= 0.02);
        free(probabilities);
    }
    free(samples);
}

static void digital_silence_does_not_make_the_next_noise_speech(void **state)
{
    (void)state;
    const size_t n = 12 * RATE;
    float *samples = room(n);
    for (int db = -80; db <= -50; db += 10) {
        make_noise(WHITE, samples, n);
        scale(samples, n, db);
        memset(samples, 0, n / 2 * sizeof *samples);
        size_t n_windows;
        float *probabilities = judge(samples, n, &n_windows);
        double share = speech_share(probabilities, 6.0, 12.0);
        print_message("# %d dBFS after silence: %.1f %%\n", db, 100.0 * share);
        assert_true(share <= 0.02);
        free(probabilities);
    }
    free(samples);
}

/* ---- what must not break it ---- */

static void nothing_that_a_float_can_be_breaks_it(void **state)
{
    (void)state;
    static const float poisons[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-40f, 1e9f};
    size_t n;
    float *samples = read_mono_16k(test_shared("speech/jfk.wav"), &n);
    struct kodama_detector *detector = open_builtin();
    struct test_random random = {9};
    float window[WINDOW];
    for (int i = 0; i < 500; i++) {
        for (int k = 0; k < WINDOW; k++)
            window[k] =
                test_random_below(&random, 3) == 0
                    ? poisons[test_random_below(&random, sizeof poisons / sizeof poisons[0])]
                    : test_random_float(&random);
        float probability = kodama_detector_process(detector, window);
        assert_true(probability >= 0.0f && probability <= 1.0f);
    }
    /* It recovers: after some quiet, words are heard again. */
    memset(window, 0, sizeof window);
    for (int i = 0; i < 300; i++) kodama_detector_process(detector, window);
    int heard = 0;
    for (size_t i = 0; i < n / WINDOW; i++)
        heard += kodama_detector_process(detector, samples + i * WINDOW) >= 0.5f;
    print_message("# %d of %zu windows are speech after the poison\n", heard, n / WINDOW);
    assert_true(heard > 450);
    kodama_detector_close(detector);
    free(samples);
}

/* Something that passes through all states: bursts of a buzz in noise. */
static void make_bursts(float *samples, size_t n)
{
    struct test_random random = {11};
    for (size_t i = 0; i < n; i++) {
        bool on = i / 6000 % 2 == 1;
        double phase = (double)(i % 120) / 120.0;
        samples[i] = 0.003f * gaussian(&random) + (on ? (float)(0.2 * (phase - 0.5)) : 0.0f);
    }
}

static void a_reset_forgets_everything(void **state)
{
    (void)state;
    const size_t n = 3 * RATE;
    float *samples = room(n);
    make_bursts(samples, n);
    size_t n_windows;
    float *fresh = judge(samples, n, &n_windows);
    struct kodama_detector *detector = open_builtin();
    for (size_t i = 0; i < n_windows; i++) kodama_detector_process(detector, samples + i * WINDOW);
    kodama_detector_reset(detector);
    for (size_t i = 0; i < n_windows; i++)
        assert_true(kodama_detector_process(detector, samples + i * WINDOW) == fresh[i]);
    kodama_detector_close(detector);
    free(fresh);
    free(samples);
}

static void a_saved_state_goes_on_identically(void **state)
{
    (void)state;
    const size_t n = 3 * RATE;
    float *samples = room(n);
    make_bursts(samples, n);
    size_t n_windows;
    float *expected = judge(samples, n, &n_windows);
    struct kodama_detector *detector = open_builtin();
    int64_t n_bytes = kodama_detector_save(detector, NULL, 0);
    assert_true(n_bytes > 0);
    print_message("# the state takes %d bytes\n", (int)n_bytes);
    uint8_t *bytes = memory_array((size_t)n_bytes, 1);
    assert_non_null(bytes);
    assert_int_equal(kodama_detector_save(detector, bytes, (size_t)n_bytes - 1),
                     KODAMA_ERR_ARGUMENT);
    for (size_t i = 0; i < n_windows; i++) {
        assert_int_equal(kodama_detector_save(detector, bytes, (size_t)n_bytes), n_bytes);
        kodama_detector_close(detector);
        detector = open_builtin();
        assert_int_equal(kodama_detector_load(detector, bytes, (size_t)n_bytes), KODAMA_OK);
        assert_true(kodama_detector_process(detector, samples + i * WINDOW) == expected[i]);
    }
    kodama_detector_close(detector);
    free(bytes);
    free(expected);
    free(samples);
}

static void a_damaged_state_is_refused_or_harmless(void **state)
{
    (void)state;
    float samples[WINDOW];
    make_bursts(samples, WINDOW);
    struct kodama_detector *detector = open_builtin();
    for (int i = 0; i < 200; i++) kodama_detector_process(detector, samples);
    size_t n_bytes = (size_t)kodama_detector_save(detector, NULL, 0);
    uint8_t *good = memory_array(n_bytes, 1), *bad = memory_array(n_bytes, 1);
    assert_non_null(good);
    assert_non_null(bad);
    assert_int_equal(kodama_detector_save(detector, good, n_bytes), n_bytes);
    for (size_t n = 0; n < n_bytes; n += 1 + n / 50)
        assert_int_equal(kodama_detector_load(detector, good, n), KODAMA_ERR_CORRUPT);
    assert_int_equal(kodama_detector_load(detector, NULL, 5), KODAMA_ERR_CORRUPT);
    struct test_random random = {13};
    for (int round = 0; round < 2000; round++) {
        memcpy(bad, good, n_bytes);
        for (uint64_t i = test_random_below(&random, 6) + 1; i > 0; i--)
            bad[test_random_below(&random, n_bytes)] = (uint8_t)test_random_next(&random);
        int status = kodama_detector_load(detector, bad, n_bytes);
        assert_true(status == KODAMA_OK || status == KODAMA_ERR_CORRUPT);
        for (int i = 0; i < 3; i++) {
            float probability = kodama_detector_process(detector, samples);
            assert_true(probability >= 0.0f && probability <= 1.0f);
        }
    }
    kodama_detector_close(detector);
    free(good);
    free(bad);
}

/* ---- the table ---- */

static void detectors_are_listed_and_opened_by_name(void **state)
{
    (void)state;
    assert_string_equal(kodama_detector_name(0), "builtin");
    size_t n = 0;
    while (kodama_detector_name(n)) n++;
    assert_null(kodama_detector_name(n + 7));
    struct kodama_detector *detector;
    struct kodama_error error = {0};
    assert_int_equal(kodama_detector_open(&detector, NULL, RATE, &error), KODAMA_OK);
    kodama_detector_close(detector);
    assert_int_equal(kodama_detector_open(&detector, "oracle", RATE, &error), KODAMA_ERR_NOT_FOUND);
    assert_null(detector);
    assert_non_null(strstr(error.message, "oracle"));
    assert_int_equal(kodama_detector_open(&detector, NULL, 44100, &error), KODAMA_ERR_FORMAT);
    assert_null(detector);
    assert_non_null(strstr(error.message, "44100"));
    kodama_detector_close(NULL);
}

static void a_detector_that_hears_nothing_is_not_listed_but_found(void **state)
{
    (void)state;
    float loud[WINDOW];
    struct kodama_detector *detector;
    for (size_t i = 0; i < WINDOW; i++) loud[i] = i % 2 ? 0.9f : -0.9f;
    for (size_t i = 0; kodama_detector_name(i); i++) {
        assert_string_not_equal(kodama_detector_name(i), "none");
    }
    assert_int_equal(kodama_detector_open(&detector, "none", RATE, NULL), KODAMA_OK);
    assert_int_equal(kodama_detector_window(detector), WINDOW);
    assert_true(kodama_detector_process(detector, loud) == 0.0f);
    uint8_t saved[200];
    int64_t n = kodama_detector_save(detector, saved, sizeof saved);
    assert_true(n > 0 && n <= (int64_t)sizeof saved);
    assert_int_equal(kodama_detector_load(detector, saved, (size_t)n), KODAMA_OK);
    kodama_detector_close(detector);
    assert_int_equal(kodama_detector_open(&detector, "none", 44100, NULL), KODAMA_ERR_FORMAT);
}

static void its_cost_is_told(void **state)
{
    (void)state;
    const size_t n = 10 * RATE;
    float *samples = room(n);
    make_bursts(samples, n);
    struct kodama_detector *detector = open_builtin();
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < 5; round++) {
        uint64_t begin = clock_thread_cpu_ns();
        for (size_t i = 0; i + WINDOW <= n; i += WINDOW)
            kodama_detector_process(detector, samples + i);
        uint64_t took = clock_thread_cpu_ns() - begin;
        if (took < best) best = took;
    }
    print_message("# builtin: %.2f us per 10 ms window\n", (double)best / 1000.0 / 1000.0);
    kodama_detector_close(detector);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detectors_are_listed_and_opened_by_name),
        cmocka_unit_test(hand_checked_words_are_heard_and_pauses_are_not),
        cmocka_unit_test(quiet_speech_with_an_offset_is_heard),
        cmocka_unit_test(clipped_speech_is_heard),
        cmocka_unit_test(a_recording_may_begin_in_the_middle_of_a_word),
        cmocka_unit_test(read_english_is_heard),
        cmocka_unit_test(single_words_at_another_rate_are_heard_and_noise_is_not),
        cmocka_unit_test(steady_noise_of_any_level_is_not_speech),
        cmocka_unit_test(a_step_of_the_noise_level_is_adapted_to),
        cmocka_unit_test(digital_silence_and_constants_are_not_speech),
        cmocka_unit_test(digital_silence_does_not_make_the_next_noise_speech),
        cmocka_unit_test(nothing_that_a_float_can_be_breaks_it),
        cmocka_unit_test(a_reset_forgets_everything),
        cmocka_unit_test(a_saved_state_goes_on_identically),
        cmocka_unit_test(a_damaged_state_is_refused_or_harmless),
        cmocka_unit_test(a_detector_that_hears_nothing_is_not_listed_but_found),
        cmocka_unit_test(its_cost_is_told),
    };
    return cmocka_run_group_tests_name("detector", tests, NULL, NULL);
}
