/* Tests of the pitch tracker against voices whose pitch is known, and against a slow tracker that
 * hears everything before it says anything. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/pitch_reference.h"
#include "support/voice_synth.h"
#include "voice/pitch.h"

struct verdict {
    size_t n_voiced, n_unvoiced; /* by the truth */
    size_t n_gross, n_missed, n_false;
    size_t n_errors;
    float *errors; /* |cents| of those that are not gross */
};

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void judge(struct verdict *v, float truth, float f0)
{
    if (truth <= 0.0f) {
        v->n_unvoiced++;
        v->n_false += f0 > 0.0f;
        return;
    }
    v->n_voiced++;
    if (f0 == 0.0f)
        v->n_missed++;
    else if (fabsf(f0 / truth - 1.0f) > 0.2f)
        v->n_gross++;
    else
        v->errors[v->n_errors++] = fabsf(1200.0f * log2f(f0 / truth));
}

static struct pitch_estimate *track(const float *samples, size_t n_samples, uint32_t rate_hz,
                                    float lowest_hz, uint32_t n_later, size_t block, size_t *n)
{
    struct pitch_tracker *tracker;
    assert_int_equal(pitch_open(&tracker, rate_hz, lowest_hz, n_later, NULL), 0);
    struct pitch_estimate *estimates =
        calloc(n_samples / pitch_period(tracker) + 2, sizeof *estimates);
    assert_non_null(estimates);
    *n = 0;
    for (size_t at = 0; at < n_samples; at += block) {
        size_t take = n_samples - at < block ? n_samples - at : block;
        *n += pitch_process(tracker, samples + at, take, estimates + *n);
    }
    assert_int_equal(*n, (n_samples - pitch_delay(tracker)) / pitch_period(tracker) + 1);
    pitch_close(tracker);
    return estimates;
}

/* Judge an utterance where its voice is not just fading in or out; adds to the verdict. */
static void listen(const struct synth_utterance *utterance, float lowest_hz, const char *name)
{
    struct synth_sound *sound = synth_say(utterance);
    assert_non_null(sound);
    size_t n, period = (utterance->rate_hz + 100) / 200;
    struct pitch_estimate *estimates =
        track(sound->samples, sound->n_frames, utterance->rate_hz, lowest_hz, 0, 4800, &n);
    struct verdict v = {.errors = calloc(n + 1, sizeof(float))};
    for (size_t i = 0; i < n; i++) {
        size_t at = i * period;
        if (sound->f0_hz[at] > 0.0f && sound->level[at] < 0.3f) continue;
        judge(&v, sound->f0_hz[at], estimates[i].f0_hz);
    }
    qsort(v.errors, v.n_errors, sizeof(float), compare);
    float median = v.errors[v.n_errors / 2];
    printf("# %s: gross %.2f %%, missed %.2f %%, false %.2f %%, median %.1f cents\n", name,
           100.0 * (double)v.n_gross / (double)v.n_voiced,
           100.0 * (double)v.n_missed / (double)v.n_voiced,
           100.0 * (double)v.n_false / (double)v.n_unvoiced, (double)median);
    assert_true(v.n_voiced > 50 && v.n_errors > 0);
    assert_true((double)v.n_gross < 0.02 * (double)v.n_voiced);
    assert_true((double)v.n_missed < 0.02 * (double)v.n_voiced);
    assert_true((double)v.n_false < 0.12 * (double)v.n_unvoiced); /* the tails of vowels */
    assert_true(median < 10.5f);
    free(v.errors);
    free(estimates);
    synth_sound_free(sound);
}

static const char *const speakers[SYNTH_SPEAKERS] = {"man", "woman", "child"};

static void speech_is_followed_at_every_rate(void **state)
{
    (void)state;
    static const uint32_t rates[] = {8000, 16000, 22050, 44100, 48000};
    static struct synth_utterance utterance;
    for (int speaker = 0; speaker < SYNTH_SPEAKERS; speaker++)
        for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
            synth_speech(&utterance, (enum synth_speaker)speaker, 5, 6.0);
            utterance.rate_hz = rates[r];
            char name[40];
            snprintf(name, sizeof name, "%s, %u Hz", speakers[speaker], rates[r]);
            listen(&utterance, 80.0f, name);
        }
}

static void vibrato_jitter_breath_and_noise_are_endured(void **state)
{
    (void)state;
    static struct synth_utterance utterance;
    for (int speaker = 0; speaker < SYNTH_SPEAKERS; speaker++)
        for (int what = 0; what < 4; what++) {
            static const char *const names[] = {"vibrato", "jitter", "breath", "noise"};
            synth_speech(&utterance, (enum synth_speaker)speaker, 10 + (uint64_t)what, 8.0);
            utterance.rate_hz = 16000;
            if (what == 0) utterance.vibrato_hz = 6.0;
            if (what == 0) utterance.vibrato_cents = 100.0;
            if (what == 1) utterance.jitter = 0.01;
            if (what == 1) utterance.shimmer = 0.1;
            if (what == 2) utterance.breath = 0.3;
            if (what == 3) utterance.noise_db = 10.0;
            char name[40];
            snprintf(name, sizeof name, "%s, %s", speakers[speaker], names[what]);
            listen(&utterance, 80.0f, name);
        }
}

static void glides_are_followed(void **state)
{
    (void)state;
    static const double glides[][3] = {{90, 400, 0.7}, {400, 90, 0.4}, {200, 800, 0.5}};
    static struct synth_utterance utterance;
    for (size_t g = 0; g < 3; g++) {
        synth_vowel(&utterance, SYNTH_WOMAN, VOWEL_AH, 100.0, glides[g][2]);
        utterance.rate_hz = 48000;
        for (size_t i = 0; i < utterance.n_segments; i++) {
            utterance.segments[i].f0_from = glides[g][0];
            utterance.segments[i].f0_to = glides[g][1];
        }
        listen(&utterance, 80.0f, "glide");
    }
}

static void the_whole_range_is_heard(void **state)
{
    (void)state;
    static const double pitches[] = {50, 55, 65, 80, 120, 250, 500, 800, 1000, 1090};
    static struct synth_utterance utterance;
    for (size_t i = 0; i < sizeof pitches / sizeof pitches[0]; i++) {
        synth_vowel(&utterance, pitches[i] > 200 ? SYNTH_WOMAN : SYNTH_MAN, VOWEL_AA, pitches[i],
                    2.0);
        utterance.rate_hz = 16000;
        char name[40];
        snprintf(name, sizeof name, "%g Hz", pitches[i]);
        listen(&utterance, 50.0f, name);
    }
}

/* Against the reference, which looks at a recording from both sides. What is voiced is a question
 * of taste at the edges of words; how high it is, is not. */
static void listen_to_recording(const char *path)
{
    size_t n_frames, n;
    uint32_t rate_hz, channels;
    float *samples = test_read_audio(path, &n_frames, &rate_hz, &channels);
    if (n_frames > 20 * rate_hz) n_frames = 20 * rate_hz;
    struct pitch_track reference;
    assert_int_equal(pitch_reference(samples, n_frames, rate_hz, 60, 500, &reference), 0);
    struct pitch_estimate *estimates = track(samples, n_frames, rate_hz, 80.0f, 0, 4800, &n);
    struct verdict v = {.errors = calloc(n + 1, sizeof(float))};
    for (size_t i = 0; i < n && i < reference.n; i++)
        judge(&v, reference.f0_hz[i], estimates[i].f0_hz);
    qsort(v.errors, v.n_errors, sizeof(float), compare);
    double heard = (double)(v.n_voiced - v.n_missed);
    printf("# %s: gross %.2f %%, missed %.2f %%, median %.1f cents\n", strrchr(path, '/') + 1,
           100.0 * (double)v.n_gross / heard, 100.0 * (double)v.n_missed / (double)v.n_voiced,
           (double)v.errors[v.n_errors / 2]);
    assert_true(v.n_voiced > 100);
    assert_true((double)v.n_gross < 0.02 * heard);
    assert_true((double)v.n_missed < 0.15 * (double)v.n_voiced);
    assert_true(v.errors[v.n_errors / 2] < 10.0f);
    free(v.errors);
    free(estimates);
    free(samples);
    pitch_track_free(&reference);
}

static void readers_are_followed(void **state)
{
    (void)state;
    static const char *const parts[] = {"0870", "0890", "0930"};
    for (int i = 0; i < 3; i++) {
        char path[200];
        snprintf(path, sizeof path,
                 "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-"
                 "%s.wav",
                 parts[i]);
        listen_to_recording(test_installed(path));
    }
}

static void a_speech_and_a_conversation_are_followed(void **state)
{
    (void)state;
    listen_to_recording(test_shared("speech/jfk.wav"));
    listen_to_recording(test_shared("speech/conversation-60s.wav"));
}

static void noise_and_silence_have_no_pitch(void **state)
{
    (void)state;
    static float samples[16000 * 4];
    struct test_random random = {.state = 3};
    for (int i = 0; i < 16000 * 4; i++)
        samples[i] = i < 48000 ? 0.1f * test_random_float(&random) : 0.0f;
    size_t n, n_false = 0;
    struct pitch_estimate *estimates = track(samples, 16000 * 4, 16000, 80.0f, 0, 1000, &n);
    for (size_t i = 0; i < n; i++) n_false += estimates[i].f0_hz > 0.0f;
    assert_true(n_false < n / 50);
    free(estimates);
}

static void estimates_do_not_depend_on_blocks(void **state)
{
    (void)state;
    static const size_t blocks[] = {1, 64, 480, 4800};
    static const uint32_t later[] = {0, 3};
    static struct synth_utterance utterance;
    synth_speech(&utterance, SYNTH_WOMAN, 4, 3.0);
    utterance.rate_hz = 44100;
    struct synth_sound *sound = synth_say(&utterance);
    for (int l = 0; l < 2; l++) {
        size_t n_whole, n;
        struct pitch_estimate *whole = track(sound->samples, sound->n_frames, 44100, 80.0f,
                                             later[l], sound->n_frames, &n_whole);
        for (int b = 0; b < 4; b++) {
            struct pitch_estimate *estimates =
                track(sound->samples, sound->n_frames, 44100, 80.0f, later[l], blocks[b], &n);
            assert_int_equal(n, n_whole);
            assert_memory_equal(estimates, whole, n * sizeof *whole);
            free(estimates);
        }
        free(whole);
    }
    synth_sound_free(sound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speech_is_followed_at_every_rate),
        cmocka_unit_test(vibrato_jitter_breath_and_noise_are_endured),
        cmocka_unit_test(glides_are_followed),
        cmocka_unit_test(the_whole_range_is_heard),
        cmocka_unit_test(readers_are_followed),
        cmocka_unit_test(a_speech_and_a_conversation_are_followed),
        cmocka_unit_test(noise_and_silence_have_no_pitch),
        cmocka_unit_test(estimates_do_not_depend_on_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
