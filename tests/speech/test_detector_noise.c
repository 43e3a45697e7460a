/* Tests of the builtin detector in noise: what is not speech is not taken for it, whatever it is
 * and however it begins; and words are heard through it. The noises are those of bench/vad.c, with
 * other seeds. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/detector.h>

#include "../../bench/vad_signals.h"
#include "base/memory.h"

enum { RATE = SIGNALS_RATE, WINDOW = 160, SECONDS = 20 };

static float *room(size_t n_samples)
{
    float *samples = memory_array(n_samples, sizeof *samples);
    assert_non_null(samples);
    return samples;
}

/* Whether each window is taken for speech, by a fresh detector. */
static void judge(const float *samples, size_t n_windows, bool *speech)
{
    struct kodama_detector *detector;
    assert_int_equal(kodama_detector_open(&detector, "builtin", RATE, NULL), KODAMA_OK);
    for (size_t i = 0; i < n_windows; i++)
        speech[i] = kodama_detector_process(detector, samples + i * WINDOW) >= 0.5f;
    kodama_detector_close(detector);
}

/* ---- noise alone ---- */

/* Percent of a noise that is taken for speech: mean of three levels. */
static double percent_taken(const char *name, float *samples, double *worst)
{
    static const double levels_db[] = {-60.0, -40.0, -20.0};
    const size_t n_windows = (size_t)SECONDS * RATE / WINDOW;
    static bool speech[(size_t)SECONDS * RATE / WINDOW];
    double sum = 0.0;
    *worst = 0.0;
    for (size_t level = 0; level < 3; level++) {
        noise_make(name, 9000 + level, samples, (size_t)SECONDS * RATE);
        signal_scale(samples, (size_t)SECONDS * RATE, pow(10.0, levels_db[level] / 20.0));
        judge(samples, n_windows, speech);
        double taken = 0.0;
        for (size_t i = 0; i < n_windows; i++) taken += speech[i];
        taken *= 100.0 / (double)n_windows;
        sum += taken / 3.0;
        *worst = fmax(*worst, taken);
    }
    return sum;
}

static void assert_not_speech(const char *const *names)
{
    float *samples = room((size_t)SECONDS * RATE);
    for (; *names; names++) {
        double worst, mean = percent_taken(*names, samples, &worst);
        print_message("# %s: %.2f %% taken for speech, at most %.2f %%\n", *names, mean, worst);
        if (mean > 2.0 || worst > 5.0) fail_msg("%s is taken for speech", *names);
    }
    free(samples);
}

static void steady_noise_is_not_speech(void **state)
{
    (void)state;
    assert_not_speech((const char *const[]){"white", "pink", "brown", "fan", NULL});
}

static void mains_hum_is_not_speech_however_it_is_switched(void **state)
{
    (void)state;
    assert_not_speech(
        (const char *const[]){"hum 50 Hz", "hum 60 Hz", "hum switched", "buzz switched", NULL});
}

static void passing_cars_are_not_speech(void **state)
{
    (void)state;
    assert_not_speech((const char *const[]){"traffic", NULL});
}

static void steps_of_the_level_are_not_speech(void **state)
{
    (void)state;
    assert_not_speech((const char *const[]){"level steps", "noise switched", NULL});
}

static void clicks_and_strokes_are_not_speech(void **state)
{
    (void)state;
    assert_not_speech(
        (const char *const[]){"clicks", "clicks, bare", "keyboard", "door slams", NULL});
}

/* ---- words in noise ---- */

/* jfk.wav's words, in windows, as in bench/vad_speech.c. */
static const size_t words[][2] = {{29, 215},  {325, 384}, {399, 429},
                                  {537, 766}, {815, 916}, {920, 1045}};

static double balanced_accuracy(const bool *speech, size_t n_windows)
{
    double heard = 0.0, n_speech = 0.0, quiet = 0.0, n_silence = 0.0;
    for (size_t i = 0; i < n_windows; i++) {
        bool word = false;
        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
            word = word || (i >= words[k][0] && i <= words[k][1]);
        n_speech += word;
        heard += word && speech[i];
        n_silence += !word;
        quiet += !word && !speech[i];
    }
    return 0.5 * (heard / n_speech + quiet / n_silence);
}

static void assert_heard_through(const char *name, double snr_db, double least)
{
    size_t n;
    uint32_t rate_hz, channels;
    float *samples = test_read_audio(test_shared("speech/jfk.wav"), &n, &rate_hz, &channels);
    float *noise = room(n);
    bool *speech = memory_array(n / WINDOW, sizeof *speech);
    assert_non_null(speech);
    noise_make(name, 9100, noise, n);
    double gain = signal_rms(samples, n) * pow(10.0, -snr_db / 20.0);
    for (size_t i = 0; i < n; i++) samples[i] += (float)(gain * (double)noise[i]);
    judge(samples, n / WINDOW, speech);
    double accuracy = balanced_accuracy(speech, n / WINDOW);
    print_message("# through %s at %g dB: balanced accuracy %.3f\n", name, snr_db, accuracy);
    if (accuracy < least) fail_msg("words are not heard through %s", name);
    free(speech);
    free(noise);
    free(samples);
}

static void words_are_heard_through_noise(void **state)
{
    (void)state;
    assert_heard_through("white", 40.0, 0.85);
    assert_heard_through("white", 10.0, 0.80);
    assert_heard_through("white", 0.0, 0.77);
    assert_heard_through("pink", 5.0, 0.78);
    assert_heard_through("hum 50 Hz", 0.0, 0.80);
    assert_heard_through("keyboard", 5.0, 0.80);
    assert_heard_through("traffic", 5.0, 0.72);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_noise_is_not_speech),
        cmocka_unit_test(mains_hum_is_not_speech_however_it_is_switched),
        cmocka_unit_test(passing_cars_are_not_speech),
        cmocka_unit_test(steps_of_the_level_are_not_speech),
        cmocka_unit_test(clicks_and_strokes_are_not_speech),
        cmocka_unit_test(words_are_heard_through_noise),
    };
    return cmocka_run_group_tests_name("speech/detector_noise", tests, NULL, NULL);
}
