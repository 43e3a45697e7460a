/* Kodama's live pitch tracker against the truth of synthetic voices, and against the offline
 * reference, which looks both ways, on recordings. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/voice_measures.h"
#include "voice.h"
#include "voice/pitch.h"

static int track_live(const float *samples, size_t n_frames, uint32_t n_later,
                      struct pitch_track *track)
{
    struct pitch_tracker *tracker;
    if (pitch_open(&tracker, VOICE_RATE, 80, n_later, NULL) < 0) return -1;
    uint32_t period = pitch_period(tracker);
    size_t room = n_frames / period + 2;
    struct pitch_estimate *estimates = calloc(room, sizeof *estimates);
    track->f0_hz = calloc(room, sizeof *track->f0_hz);
    track->hop_s = (double)period / VOICE_RATE;
    track->n = 0;
    if (estimates && track->f0_hz) {
        track->n = pitch_process(tracker, samples, n_frames, estimates);
        for (size_t i = 0; i < track->n; i++) track->f0_hz[i] = estimates[i].f0_hz;
    }
    free(estimates);
    pitch_close(tracker);
    return track->n > 0 ? 0 : -1;
}

static void print_errors(const char *name, const char *who, struct pitch_errors errors)
{
    printf("%-28s %-14s %7.2f %7.1f %7.2f %7.2f %8.2f\n", name, who, errors.median_cents,
           errors.p95_cents, 100 * errors.gross, 100 * errors.missed, 100 * errors.invented);
    fflush(stdout);
}

static void print_live(const char *name, const float *samples, size_t n_frames,
                       const struct pitch_track *truth)
{
    static const uint32_t laters[] = {0, 4};
    for (size_t i = 0; i < sizeof laters / sizeof *laters; i++) {
        struct pitch_track live = {0};
        char who[40];
        snprintf(who, sizeof who, "%s +%u ms", i ? "" : "Kodama", 5 * laters[i]);
        if (track_live(samples, n_frames, laters[i], &live) == 0) {
            print_errors(i ? "" : name, who, measure_pitch(&live, truth, 1));
        }
        pitch_track_free(&live);
    }
}

static void judge_speaker(enum synth_speaker speaker, double noise_db, double seconds)
{
    static const char *const names[] = {"man", "woman", "child"};
    static const double usual_hz[] = {115, 205, 270};
    static struct synth_utterance utterance;
    struct pitch_track truth = {0}, reference = {0};
    char name[60];
    synth_speech(&utterance, speaker, 21 + (uint64_t)speaker, seconds);
    utterance.noise_db = noise_db;
    utterance.vibrato_hz = 5.5;
    utterance.vibrato_cents = 30;
    struct synth_sound *sound = synth_say(&utterance);
    if (noise_db > 0)
        snprintf(name, sizeof name, "%s, noise at -%g dB", names[speaker], noise_db);
    else
        snprintf(name, sizeof name, "%s, clean", names[speaker]);
    if (sound && pitch_of_synth(sound, &truth) == 0) {
        print_live(name, sound->samples, sound->n_frames, &truth);
        if (pitch_reference(sound->samples, sound->n_frames, VOICE_RATE, 0.6 * usual_hz[speaker],
                            2.5 * usual_hz[speaker], &reference) == 0) {
            print_errors("", "reference", measure_pitch(&reference, &truth, 1));
        }
    }
    pitch_track_free(&truth);
    pitch_track_free(&reference);
    synth_sound_free(sound);
}

void voice_judge_pitch(const char *const *names, const float *const *samples,
                       const size_t *n_frames, int n_recordings, double seconds)
{
    static const double noises_db[] = {0, 20, 10, 5};
    printf("\nPitch tracking; of recordings against the offline reference\n");
    printf("%-28s %-14s %7s %7s %7s %7s %8s\n", "", "", "cents", "p95", "gross%", "missed%",
           "invented%");
    for (size_t i = 0; i < sizeof noises_db / sizeof *noises_db; i++) {
        for (int k = 0; k < SYNTH_SPEAKERS; k++) {
            judge_speaker((enum synth_speaker)k, noises_db[i], seconds);
        }
    }
    for (int i = 0; i < n_recordings; i++) {
        struct pitch_track reference = {0};
        if (pitch_reference(samples[i], n_frames[i], VOICE_RATE, 70, 500, &reference) == 0) {
            print_live(names[i], samples[i], n_frames[i], &reference);
        }
        pitch_track_free(&reference);
    }
}
