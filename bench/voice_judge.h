/* How a shifter did on one sound, in the numbers of the table. */
#ifndef BENCH_VOICE_JUDGE_H
#define BENCH_VOICE_JUDGE_H

#include "tests/support/voice_measures.h"
#include "voice.h"

/** What is asked of every shifter. */
struct voice_case {
    double pitch, formant; /* semitones */
};

/** Means over sounds; NAN: not measured. */
struct voice_marks {
    double n; /* sounds */
    double delay_ms, states_ms, cpu_percent;
    double cents, roughness_db;       /* of steady vowels */
    double gross, voicing;            /* percent, of speech */
    double formant;                   /* percent */
    double lsd_voiced, lsd_rest, mcd; /* dB */
    double crackle, clicks, borders, leakage;
};

/** A speaker whose true voice at the target is known. */
struct voice_marks judge_synthetic(const struct voice_contender *contender, struct voice_case asked,
                                   enum synth_speaker speaker, double seconds);

/** A recording at VOICE_RATE, where only the pitch's and the formants' ratio are known. */
struct voice_marks judge_recording(const struct voice_contender *contender, struct voice_case asked,
                                   const float *samples, size_t n_frames);

/** Add to the sums of means; voice_marks_mean() divides. */
void voice_marks_add(struct voice_marks *sum, const struct voice_marks *marks);
void voice_marks_mean(struct voice_marks *sum);

/** Run over samples with 0.5 s of silence after them. The output is freed with run->out. */
bool voice_run_over(struct voice_run *run, const struct voice_contender *contender,
                    struct voice_case asked, const float *samples, size_t n_frames);

#endif
