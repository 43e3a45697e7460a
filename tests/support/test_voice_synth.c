/* Synthetic voices are what they say: pitch, formants, noise; and the same whatever the pitch. */
#include "support/support.h"
#include "support/voice_synth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

/* dB of one frequency in the middle of a sound, through a Blackman-Harris window of 0.5 s. */
static double level_at(const struct synth_sound *sound, double hz)
{
    size_t n = sound->rate_hz / 2, first = (sound->n_frames - n) / 2;
    double re = 0, im = 0, weight = 0;
    for (size_t i = 0; i < n; i++) {
        double x = 2 * PI * (double)i / (double)n;
        double window = 0.35875 - 0.48829 * cos(x) + 0.14128 * cos(2 * x) - 0.01168 * cos(3 * x);
        double angle = 2 * PI * hz * (double)i / sound->rate_hz;
        re += window * sound->samples[first + i] * cos(angle);
        im += window * sound->samples[first + i] * sin(angle);
        weight += window;
    }
    return 20 * log10(hypot(re, im) / weight + 1e-12);
}

static struct synth_sound *say_vowel(double f0_hz, double pitch, double formant)
{
    struct synth_utterance utterance;
    synth_vowel(&utterance, SYNTH_MAN, VOWEL_AH, f0_hz, 1.0);
    utterance.breath = 0;
    utterance.pitch_scale = pitch;
    utterance.formant_scale = formant;
    struct synth_sound *sound = synth_say(&utterance);
    assert_non_null(sound);
    return sound;
}

static void pitch_is_exact_and_nothing_lies_between_harmonics(void **state)
{
    (void)state;
    static const double pitches[] = {50.0, 123.456, 441.3, 1100.0};
    for (size_t i = 0; i < sizeof pitches / sizeof *pitches; i++) {
        struct synth_sound *sound = say_vowel(pitches[i], 1, 1);
        double strongest = -200;
        for (int h = 1; h * pitches[i] < 20000; h++) {
            strongest = fmax(strongest, level_at(sound, h * pitches[i]));
        }
        for (int h = 1; h * pitches[i] < 20000; h += 7) {
            assert_true(level_at(sound, (h + 0.5) * pitches[i]) < strongest - 85);
        }
        for (size_t k = 1; k < sound->n_closures; k++) {
            double period = sound->closures[k] - sound->closures[k - 1];
            assert_true(fabs(period * pitches[i] / sound->rate_hz - 1) < 1e-6);
        }
        synth_sound_free(sound);
    }
}

static void formants_stay_when_the_pitch_moves(void **state)
{
    (void)state;
    struct synth_sound *low = say_vowel(100, 1, 1), *high = say_vowel(100, 2, 1);
    double offset = level_at(high, 600) - level_at(low, 600);
    for (double hz = 200; hz < 12000; hz += 400) {
        assert_true(fabs(level_at(high, hz) - level_at(low, hz) - offset) < 0.05);
    }
    assert_true(high->formants[24000][0] == 640);
    synth_sound_free(low);
    synth_sound_free(high);
}

static void whole_envelope_moves_with_formants(void **state)
{
    (void)state;
    struct synth_sound *voice = say_vowel(100, 1, 1), *moved = say_vowel(100, 1.25, 1.25);
    double offset = level_at(moved, 750) - level_at(voice, 600);
    for (double hz = 200; hz < 4000; hz += 200) {
        assert_true(fabs(level_at(moved, hz * 1.25) - level_at(voice, hz) - offset) < 0.3);
    }
    assert_true(fabs(moved->formants[24000][1] - 1190 * 1.25) < 0.01);
    synth_sound_free(voice);
    synth_sound_free(moved);
}

static void speech_is_the_same_performance_at_another_pitch(void **state)
{
    (void)state;
    static struct synth_utterance utterance;
    synth_speech(&utterance, SYNTH_WOMAN, 7, 4.0);
    struct synth_sound *once = synth_say(&utterance), *again = synth_say(&utterance);
    utterance.pitch_scale = 1.5;
    struct synth_sound *higher = synth_say(&utterance);
    assert_true(once && again && higher && once->n_frames >= 4 * 48000);
    assert_memory_equal(once->samples, again->samples, once->n_frames * sizeof(float));
    size_t n_voiced = 0;
    double peak = 0;
    for (size_t i = 0; i < once->n_frames; i++) {
        n_voiced += once->f0_hz[i] > 0;
        peak = fmax(peak, fabs((double)once->samples[i]));
        assert_true(fabs(higher->f0_hz[i] - 1.5 * once->f0_hz[i]) < 1e-3);
        assert_true(higher->level[i] == once->level[i]);
        assert_true(once->f0_hz[i] == 0 || (once->f0_hz[i] > 120 && once->f0_hz[i] < 320));
    }
    assert_true(n_voiced > once->n_frames / 2 && n_voiced < once->n_frames);
    assert_true(peak > 0.2 && peak < 0.95);
    synth_sound_free(once);
    synth_sound_free(again);
    synth_sound_free(higher);
}

static void another_seed_says_something_else(void **state)
{
    (void)state;
    static struct synth_utterance one, other;
    synth_speech(&one, SYNTH_MAN, 1, 3.0);
    synth_speech(&other, SYNTH_MAN, 2, 3.0);
    assert_true(memcmp(one.segments, other.segments, sizeof one.segments) != 0);
}

static void noise_and_jitter_are_as_wide_as_asked_for(void **state)
{
    (void)state;
    struct synth_utterance utterance;
    synth_vowel(&utterance, SYNTH_MAN, VOWEL_AA, 100, 4.0);
    struct synth_sound *clean = synth_say(&utterance);
    utterance.noise_db = 20;
    struct synth_sound *noisy = synth_say(&utterance);
    utterance.jitter = 0.01;
    struct synth_sound *rough = synth_say(&utterance);
    assert_true(clean && noisy && rough);
    double noise = 0, spread = 0;
    for (size_t i = 0; i < clean->n_frames; i++) {
        noise += pow((double)noisy->samples[i] - (double)clean->samples[i], 2);
    }
    noise = sqrt(noise / (double)clean->n_frames);
    assert_true(fabs(noise / 0.008 - 1) < 0.02);
    for (size_t k = 1; k < rough->n_closures; k++) {
        double period = (rough->closures[k] - rough->closures[k - 1]) / 480;
        spread += (period - 1) * (period - 1) / (double)(rough->n_closures - 1);
    }
    assert_true(sqrt(spread) > 0.008 && sqrt(spread) < 0.012);
    synth_sound_free(clean);
    synth_sound_free(noisy);
    synth_sound_free(rough);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pitch_is_exact_and_nothing_lies_between_harmonics),
        cmocka_unit_test(formants_stay_when_the_pitch_moves),
        cmocka_unit_test(whole_envelope_moves_with_formants),
        cmocka_unit_test(speech_is_the_same_performance_at_another_pitch),
        cmocka_unit_test(another_seed_says_something_else),
        cmocka_unit_test(noise_and_jitter_are_as_wide_as_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
