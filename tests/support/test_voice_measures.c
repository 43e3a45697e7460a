/* Measures of voices find what was done to a synthetic one, and nothing where nothing was done. */
#include "support/support.h"
#include "support/voice_measures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct synth_utterance utterance; /* large */

static struct synth_sound *say(void)
{
    struct synth_sound *sound = synth_say(&utterance);
    assert_non_null(sound);
    return sound;
}

static struct measured of(const struct synth_sound *sound)
{
    return (struct measured){sound->samples, sound->n_frames, sound->rate_hz};
}

static struct pitch_track truth_of(const struct synth_sound *sound)
{
    struct pitch_track track;
    assert_int_equal(pitch_of_synth(sound, &track), 0);
    return track;
}

/* Errors of the reference on a voice that speaks. */
static struct pitch_errors track(enum synth_speaker speaker, double pitch, double noise_db)
{
    synth_speech(&utterance, speaker, 3, 8.0);
    utterance.vibrato_hz = 5.5;
    utterance.vibrato_cents = 30;
    utterance.pitch_scale = pitch;
    utterance.noise_db = noise_db;
    struct synth_sound *sound = say();
    struct pitch_track truth = truth_of(sound), found;
    static const double low_hz[] = {75, 130, 170};
    assert_int_equal(pitch_reference(sound->samples, sound->n_frames, sound->rate_hz,
                                     low_hz[speaker] * pitch, 600 * pitch, &found),
                     0);
    struct pitch_errors errors = measure_pitch(&found, &truth, 1.0);
    printf("# %s x%.2f: %.2f cents (p95 %.1f), gross %.4f, missed %.4f, invented %.4f\n",
           speaker == SYNTH_MAN     ? "man"
           : speaker == SYNTH_WOMAN ? "woman"
                                    : "child",
           pitch, errors.median_cents, errors.p95_cents, errors.gross, errors.missed,
           errors.invented);
    pitch_track_free(&truth);
    pitch_track_free(&found);
    synth_sound_free(sound);
    return errors;
}

static void reference_follows_every_voice(void **state)
{
    (void)state;
    for (int speaker = 0; speaker < SYNTH_SPEAKERS; speaker++) {
        static const double pitches[] = {0.7, 1, 1.5}, noises[] = {0, 25, 15};
        for (int i = 0; i < 3; i++) {
            struct pitch_errors errors = track((enum synth_speaker)speaker, pitches[i], noises[i]);
            assert_true(errors.n_voiced > 400);
            assert_true(errors.median_cents < 12 && errors.gross < 0.01);
            assert_true(errors.missed < 0.04 && errors.invented < 0.04);
        }
    }
}

static void pitch_errors_are_told_apart(void **state)
{
    (void)state;
    float is[] = {100, 0, 200, 101, 0, 100}, should[] = {100, 100, 100, 100, 0, 0};
    struct pitch_track judged = {.hop_s = 0.005, .n = 6, .f0_hz = is};
    struct pitch_track truth = {.hop_s = 0.005, .n = 6, .f0_hz = should};
    struct pitch_errors errors = measure_pitch(&judged, &truth, 1.0);
    assert_int_equal(errors.n_voiced, 3);
    assert_true(fabs(errors.gross - 1 / 3.0) < 1e-9);
    assert_true(fabs(errors.missed - 1 / 6.0) < 1e-9);
    assert_true(fabs(errors.invented - 1 / 6.0) < 1e-9);
    assert_true(fabs(errors.p95_cents - 1200 * log2(1.01)) < 0.01);
}

static void formants_are_found_where_they_are(void **state)
{
    (void)state;
    static const double f0_hz[] = {110, 200, 280}, top_hz[] = {5000, 5750, 6500};
    double worst = 0, sum = 0;
    int n = 0;
    for (int speaker = 0; speaker < SYNTH_SPEAKERS; speaker++) {
        for (int vowel = 0; vowel < VOWELS; vowel++) {
            synth_vowel(&utterance, (enum synth_speaker)speaker, (enum synth_vowel)vowel,
                        f0_hz[speaker], 0.5);
            struct synth_sound *sound = say();
            double hz[MEASURED_FORMANTS];
            size_t at = sound->n_frames / 2;
            assert_int_equal(measure_formants(of(sound), at, f0_hz[speaker], top_hz[speaker], hz),
                             3);
            for (int k = 0; k < MEASURED_FORMANTS; k++) {
                double error = fabs(hz[k] / (double)sound->formants[at][k] - 1);
                worst = fmax(worst, error);
                sum += error;
                n++;
            }
            printf("# %d %d: %.0f %.0f %.0f for %.0f %.0f %.0f\n", speaker, vowel, hz[0], hz[1],
                   hz[2], (double)sound->formants[at][0], (double)sound->formants[at][1],
                   (double)sound->formants[at][2]);
            synth_sound_free(sound);
        }
    }
    printf("# formants: mean error %.3f, worst %.3f\n", sum / n, worst);
    assert_true(sum / n < 0.06 && worst < 0.35);
}

static void distances_are_those_that_were_made(void **state)
{
    (void)state;
    synth_speech(&utterance, SYNTH_MAN, 5, 4.0);
    struct synth_sound *voice = say();
    utterance.formant_scale = 1.2;
    struct synth_sound *moved = say();
    struct pitch_track truth = truth_of(voice);
    struct spectral_distance none = measure_spectrum(of(voice), of(voice), &truth, 1);
    struct spectral_distance some = measure_spectrum(of(moved), of(voice), &truth, 1);
    struct formant_task task = {
        .track = &truth, .top_hz = 5000, .pitch_ratio = 1, .formant_ratio = 1};
    double same = measure_formant_error(of(voice), of(voice), &task);
    double error = measure_formant_error(of(moved), of(voice), &task);
    task.formant_ratio = 1.2;
    double as_asked = measure_formant_error(of(moved), of(voice), &task);
    printf("# lsd %.2f, mcd %.2f, formants %.3f\n", some.lsd_db, some.mcd_db, error);
    assert_true(none.n > 100 && none.lsd_db < 1e-6 && none.mcd_db < 1e-6 && same < 1e-9);
    assert_true(some.lsd_db > 4 && some.mcd_db > 2);
    assert_true(fabs(error - 0.2) < 0.05 && as_asked < 0.02);
    for (size_t i = 0; i < voice->n_frames; i++) moved->samples[i] = voice->samples[i] * 0.3F;
    struct spectral_distance softer = measure_spectrum(of(moved), of(voice), &truth, 0);
    assert_true(softer.lsd_db < 0.01);
    pitch_track_free(&truth);
    synth_sound_free(voice);
    synth_sound_free(moved);
}

static void clicks_and_borders_are_heard(void **state)
{
    (void)state;
    synth_vowel(&utterance, SYNTH_WOMAN, VOWEL_AO, 200.3, 2.0);
    struct synth_sound *clean = say(), *dirty = say();
    assert_true(fabs(measure_crackle(of(dirty), of(clean)) - 1) < 1e-9);
    double before = measure_borders(of(clean), 480, 0);
    for (size_t i = 0; i < dirty->n_frames; i++) dirty->samples[i] += i / 480 % 2 ? 0.02F : 0;
    assert_true(before > 0.7 && before < 1.4);
    assert_true(measure_borders(of(dirty), 480, 0) > 3 * before);
    assert_true(measure_borders(of(dirty), 480, 100) < 1.4);
    assert_true(measure_crackle(of(dirty), of(clean)) > 1.5);
    assert_true(measure_clicks(of(clean)) == 0);
    double clicks = measure_clicks(of(dirty)); /* of 100 steps a second, in a voice */
    printf("# clicks %.1f\n", clicks);
    assert_true(clicks > 40 && clicks < 101);
    synth_sound_free(clean);
    synth_sound_free(dirty);
}

static void roughness_tells_a_clean_voice(void **state)
{
    (void)state;
    synth_vowel(&utterance, SYNTH_MAN, VOWEL_AA, 110.7, 1.0);
    utterance.breath = 0;
    struct synth_sound *clean = say();
    utterance.jitter = 0.01;
    struct synth_sound *rough = say();
    struct measured middle = {clean->samples + 12000, 24000, 48000};
    struct measured rough_middle = {rough->samples + 12000, 24000, 48000};
    assert_true(measure_roughness_db(middle, 110.7) < -60);
    assert_true(measure_roughness_db(rough_middle, 110.7) > -25);
    synth_sound_free(clean);
    synth_sound_free(rough);
}

static void delay_and_leakage_are_found(void **state)
{
    (void)state;
    synth_speech(&utterance, SYNTH_WOMAN, 9, 4.0);
    struct synth_sound *voice = say();
    utterance.pitch_scale = 1.498;
    struct synth_sound *changed = say();
    size_t late = 1234, n = voice->n_frames - late;
    struct measured input = {voice->samples, n, 48000};
    double copied = measure_leakage((struct measured){voice->samples + late, n, 48000},
                                    (struct measured){voice->samples, n, 48000}, 0.1);
    double other = measure_leakage(input, (struct measured){changed->samples, n, 48000}, 0.1);
    printf("# leakage %.3f of a copy, %.3f of another voice\n", copied, other);
    assert_true(copied > 0.99 && other < 0.35);
    double delay = measure_delay((struct measured){changed->samples + late, n, 48000}, input, 0.2);
    printf("# delay %.0f of %zu frames\n", delay, late);
    assert_true(fabs(delay - (double)late) < 48);
    synth_sound_free(voice);
    synth_sound_free(changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_follows_every_voice),
        cmocka_unit_test(pitch_errors_are_told_apart),
        cmocka_unit_test(formants_are_found_where_they_are),
        cmocka_unit_test(distances_are_those_that_were_made),
        cmocka_unit_test(clicks_and_borders_are_heard),
        cmocka_unit_test(roughness_tells_a_clean_voice),
        cmocka_unit_test(delay_and_leakage_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
