/* Tests of the shifter, through a voice: what is asked for changes, everything else stays. */
#include "support/support.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/voice.h>

#include "support/voice_measures.h"
#include "support/voice_synth.h"

enum { RATE = 48000 };

/* A sound through a voice, without its latency: as long as the input. Freed by the caller. */
static float *change_as(const struct kodama_voice_config *config, const float *in, size_t n)
{
    struct kodama_voice *voice;
    assert_int_equal(kodama_voice_open(&voice, config, NULL), 0);
    size_t latency = kodama_voice_latency(voice);
    float *out = calloc(n + latency, sizeof *out);
    assert_non_null(out);
    assert_int_equal(kodama_voice_process(voice, in, n, out, n), n);
    assert_int_equal(kodama_voice_flush(voice, out + n, latency), latency);
    kodama_voice_close(voice);
    memmove(out, out + latency, n * sizeof *out);
    return out;
}

static struct kodama_voice_config config_of(float pitch, float formant,
                                            enum kodama_voice_effect effect)
{
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    config.input.rate_hz = RATE;
    config.settings.fluctuation = false;
    config.settings.pitch = pitch;
    config.settings.formant = formant;
    config.settings.effect = effect;
    return config;
}

static float *change(const struct synth_sound *sound, float pitch, float formant,
                     enum kodama_voice_effect effect)
{
    struct kodama_voice_config config = config_of(pitch, formant, effect);
    return change_as(&config, sound->samples, sound->n_frames);
}

static struct synth_sound *say(enum synth_speaker speaker, double pitch, double formant)
{
    static struct synth_utterance utterance;
    synth_speech(&utterance, speaker, 21, 3.0);
    utterance.rate_hz = RATE;
    utterance.pitch_scale = exp2(pitch / 12.0);
    utterance.formant_scale = exp2(formant / 12.0);
    struct synth_sound *sound = synth_say(&utterance);
    assert_non_null(sound);
    return sound;
}

static double rms(const float *samples, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)samples[i] * (double)samples[i];
    return sqrt(sum / (double)n);
}

static void with_nothing_to_change_the_output_is_the_input(void **state)
{
    (void)state;
    for (int speaker = 0; speaker < SYNTH_SPEAKERS; speaker++) {
        struct synth_sound *sound = say((enum synth_speaker)speaker, 0.0, 0.0);
        float *out = change(sound, 0.0f, 0.0f, KODAMA_EFFECT_NONE);
        for (size_t i = 0; i < sound->n_frames; i++) out[i] -= sound->samples[i];
        double error = rms(out, sound->n_frames) / rms(sound->samples, sound->n_frames);
        printf("# speaker %d: %.1f dB\n", speaker, 20.0 * log10(error));
        assert_true(error < 1e-5);
        free(out);
        synth_sound_free(sound);
    }
}

/* Each against the same voice, synthesised with what was asked for. */
static void pitch_and_formants_move_on_their_own(void **state)
{
    (void)state;
    static const float asked[][2] = {{7, 0}, {-5, 0}, {12, 0}, {-12, 0}, {0, 4}, {0, -4}, {5, 3}};
    static const double usual_hz[] = {115, 205, 270}, top_hz[] = {5000, 5750, 6500};
    for (size_t a = 0; a < sizeof asked / sizeof asked[0]; a++)
        for (int speaker = 0; speaker < SYNTH_SPEAKERS; speaker++) {
            double pitch = (double)asked[a][0], formant = (double)asked[a][1];
            struct synth_sound *sound = say((enum synth_speaker)speaker, 0.0, 0.0);
            struct synth_sound *truth = say((enum synth_speaker)speaker, pitch, formant);
            float *out = change(sound, asked[a][0], asked[a][1], KODAMA_EFFECT_NONE);
            struct measured is = {out, sound->n_frames, RATE};
            struct measured should = {truth->samples, truth->n_frames, RATE};
            struct pitch_track known, found;
            double hz = usual_hz[speaker] * exp2(pitch / 12.0);
            assert_int_equal(pitch_of_synth(truth, &known), 0);
            assert_int_equal(
                pitch_reference(out, sound->n_frames, RATE, 0.6 * hz, 2.2 * hz, &found), 0);
            struct pitch_errors errors = measure_pitch(&found, &known, 1.0);
            struct formant_task task = {&known, top_hz[speaker] * exp2(formant / 12.0), 1.0, 1.0};
            double formants = measure_formant_error(is, should, &task);
            double lsd = measure_spectrum(is, should, &known, 1).lsd_db;
            printf("# %+g %+g speaker %d: %.1f cents, gross %.2f %%, formants %.1f %%, %.1f dB\n",
                   pitch, formant, speaker, errors.median_cents, 100.0 * errors.gross,
                   100.0 * formants, lsd);
            assert_true(errors.median_cents < 15.0 && errors.gross < 0.02);
            assert_true(formants >= 0.0 && formants < 0.03);
            assert_true(lsd < 6.0);
            pitch_track_free(&known);
            pitch_track_free(&found);
            free(out);
            synth_sound_free(sound);
            synth_sound_free(truth);
        }
}

static void the_level_stays(void **state)
{
    (void)state;
    static const float asked[][2] = {{24, 0}, {12, 0}, {-12, 0}, {-24, 0}, {0, 12}, {0, -12}};
    struct synth_sound *sound = say(SYNTH_WOMAN, 0.0, 0.0);
    double before = rms(sound->samples, sound->n_frames);
    for (size_t a = 0; a < sizeof asked / sizeof asked[0]; a++) {
        float *out = change(sound, asked[a][0], asked[a][1], KODAMA_EFFECT_NONE);
        double db = 20.0 * log10(rms(out, sound->n_frames) / before);
        printf("# %+g %+g: %+.1f dB\n", (double)asked[a][0], (double)asked[a][1], db);
        assert_true(fabs(db) < 3.0);
        free(out);
    }
    synth_sound_free(sound);
}

static void a_robot_has_one_pitch(void **state)
{
    (void)state;
    struct synth_sound *sound = say(SYNTH_WOMAN, 0.0, 0.0);
    float *out = change(sound, 3.0f, 0.0f, KODAMA_EFFECT_ROBOT);
    struct pitch_track found;
    assert_int_equal(pitch_reference(out, sound->n_frames, RATE, 60, 300, &found), 0);
    size_t n = 0, n_right = 0;
    for (size_t i = 0; i < found.n; i++) {
        n += found.f0_hz[i] > 0.0f;
        n_right += fabsf(found.f0_hz[i] - 118.92f) < 1.5f;
    }
    printf("# %zu of %zu places at 119 Hz\n", n_right, n);
    assert_true(n > 200 && (double)n_right > 0.85 * (double)n);
    pitch_track_free(&found);
    free(out);
    synth_sound_free(sound);
}

static void a_whisper_has_no_pitch(void **state)
{
    (void)state;
    for (int speaker = 0; speaker < SYNTH_SPEAKERS; speaker++) {
        struct synth_sound *sound = say((enum synth_speaker)speaker, 0.0, 0.0);
        float *out = change(sound, 0.0f, 0.0f, KODAMA_EFFECT_WHISPER);
        struct pitch_track before, found;
        assert_int_equal(pitch_of_synth(sound, &before), 0);
        assert_int_equal(pitch_reference(out, sound->n_frames, RATE, 60, 500, &found), 0);
        size_t n_before = 0, n_found = 0;
        for (size_t i = 0; i < before.n; i++) n_before += before.f0_hz[i] > 0.0f;
        for (size_t i = 0; i < found.n; i++) n_found += found.f0_hz[i] > 0.0f;
        double level = rms(out, sound->n_frames) / rms(sound->samples, sound->n_frames);
        printf("# voiced %zu, whispered %zu, level %.2f\n", n_before, n_found, level);
        assert_true(n_before > 200 && n_found * 20 < n_before);
        assert_true(level > 0.1 && level < 1.5);
        pitch_track_free(&before);
        pitch_track_free(&found);
        free(out);
        synth_sound_free(sound);
    }
}

/* The sharpest second difference of a changed voice beside that of the true one. */
static void nothing_clicks(void **state)
{
    (void)state;
    static const float asked[][2] = {{7, 0}, {-5, 0}, {12, 5}, {-9, -6}};
    for (int speaker = 0; speaker < SYNTH_SPEAKERS; speaker++)
        for (size_t a = 0; a < sizeof asked / sizeof asked[0]; a++) {
            struct synth_sound *sound = say((enum synth_speaker)speaker, 0.0, 0.0);
            struct synth_sound *truth =
                say((enum synth_speaker)speaker, (double)asked[a][0], (double)asked[a][1]);
            float *out = change(sound, asked[a][0], asked[a][1], KODAMA_EFFECT_NONE);
            double crackle =
                measure_crackle((struct measured){out, sound->n_frames, RATE},
                                (struct measured){truth->samples, truth->n_frames, RATE});
            printf("# %+g %+g speaker %d: %.2f\n", (double)asked[a][0], (double)asked[a][1],
                   speaker, crackle);
            assert_true(crackle < 1.5);
            free(out);
            synth_sound_free(sound);
            synth_sound_free(truth);
        }
}

static void the_latency_is_20_ms_and_of_deep_voices_what_it_says(void **state)
{
    (void)state;
    static const uint32_t rates[] = {8000, 16000, 22050, 44100, 48000, 96000};
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        struct kodama_voice_config config = config_of(0.0f, 0.0f, KODAMA_EFFECT_NONE);
        config.input.rate_hz = rates[r];
        for (int deep = 0; deep < 2; deep++) {
            struct kodama_voice *voice;
            config.deep = deep;
            assert_int_equal(kodama_voice_open(&voice, &config, NULL), 0);
            double ms = 1e3 * kodama_voice_latency(voice) / rates[r];
            printf("# %u Hz%s: %.2f ms\n", rates[r], deep ? ", deep" : "", ms);
            assert_true(deep ? ms > 25.0 && ms < 35.0 : ms > 15.0 && ms < 20.1);
            kodama_voice_close(voice);
        }
    }
}

/* A hiss begins suddenly, and so does a vowel: also changed, they begin where the latency says. */
static void what_begins_suddenly_begins_in_its_place(void **state)
{
    (void)state;
    static float in[RATE];
    struct test_random random = {.state = 5};
    static const float asked[][2] = {{0, 0}, {7, 0}, {-7, 0}, {0, 6}, {0, -6}};
    for (size_t a = 0; a < sizeof asked / sizeof asked[0]; a++) {
        memset(in, 0, sizeof in);
        for (int i = RATE / 2; i < RATE; i++) in[i] = 0.1f * test_random_float(&random);
        struct kodama_voice_config config = config_of(asked[a][0], asked[a][1], KODAMA_EFFECT_NONE);
        float *out = change_as(&config, in, RATE);
        int first = 0;
        while (first < RATE && fabsf(out[first]) < 0.03f) first++;
        printf("# %+g %+g: %+.2f ms\n", (double)asked[a][0], (double)asked[a][1],
               1e3 * (first - RATE / 2) / RATE);
        assert_true(abs(first - RATE / 2) < RATE / 300);
        free(out);
    }
}

static void deep_voices_are_changed_when_asked_for(void **state)
{
    (void)state;
    static struct synth_utterance utterance;
    synth_vowel(&utterance, SYNTH_MAN, VOWEL_AH, 56.0, 1.5);
    utterance.rate_hz = RATE;
    struct synth_sound *sound = synth_say(&utterance);
    struct kodama_voice_config config = config_of(7.0f, 0.0f, KODAMA_EFFECT_NONE);
    config.deep = true;
    float *out = change_as(&config, sound->samples, sound->n_frames);
    struct pitch_track found, known;
    assert_int_equal(pitch_reference(out, sound->n_frames, RATE, 50, 200, &found), 0);
    assert_int_equal(pitch_of_synth(sound, &known), 0);
    struct pitch_errors errors = measure_pitch(&found, &known, exp2(7.0 / 12.0));
    printf("# %.2f cents, gross %.2f %%\n", errors.median_cents, 100.0 * errors.gross);
    assert_true(errors.median_cents < 5.0 && errors.gross < 0.03 && errors.n_voiced > 200);
    pitch_track_free(&found);
    pitch_track_free(&known);
    free(out);
    synth_sound_free(sound);
}

static void running_takes_no_memory(void **state)
{
    (void)state;
    struct synth_sound *sound = say(SYNTH_WOMAN, 0.0, 0.0);
    struct kodama_voice_config config = config_of(5.0f, 2.0f, KODAMA_EFFECT_NONE);
    config.settings.fluctuation = true;
    config.settings.noise = "rain";
    struct kodama_voice *voice;
    assert_int_equal(kodama_voice_open(&voice, &config, NULL), 0);
    size_t latency = kodama_voice_latency(voice), before = mallinfo2().uordblks;
    assert_int_equal(kodama_voice_process(voice, sound->samples, sound->n_frames, sound->samples,
                                          sound->n_frames),
                     sound->n_frames);
    assert_int_equal(kodama_voice_flush(voice, sound->samples, latency), latency);
    assert_int_equal(mallinfo2().uordblks, before);
    kodama_voice_close(voice);
    synth_sound_free(sound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_nothing_to_change_the_output_is_the_input),
        cmocka_unit_test(pitch_and_formants_move_on_their_own),
        cmocka_unit_test(the_level_stays),
        cmocka_unit_test(a_robot_has_one_pitch),
        cmocka_unit_test(a_whisper_has_no_pitch),
        cmocka_unit_test(nothing_clicks),
        cmocka_unit_test(the_latency_is_20_ms_and_of_deep_voices_what_it_says),
        cmocka_unit_test(what_begins_suddenly_begins_in_its_place),
        cmocka_unit_test(deep_voices_are_changed_when_asked_for),
        cmocka_unit_test(running_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
