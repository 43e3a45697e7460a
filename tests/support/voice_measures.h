/*
 * How far a changed voice is from what it should be. All of it works on whole recordings, mono,
 * after the fact; sounds that are compared are the same length and begin at the same moment (a
 * delay is taken away first: measure_delay()).
 */
#ifndef TESTS_VOICE_MEASURES_H
#define TESTS_VOICE_MEASURES_H

#include <stddef.h>
#include <stdint.h>

#include "pitch_reference.h"

/** A recording, borrowed. */
struct measured {
    const float *samples;
    size_t n_frames;
    uint32_t rate_hz;
};

struct pitch_errors {
    size_t n_voiced;     /* places where both are voiced */
    double median_cents; /* of the distance, gross errors left out */
    double p95_cents;
    double bias_cents; /* median of the signed difference: above 0 is too high */
    double gross;      /* share of n_voiced that is more than 20 % away */
    double missed;     /* share of all places: voiced in truth only */
    double invented;   /* share of all places: voiced in the judged only */
};

/** Judge a pitch track. `ratio`: what the truth is to be multiplied with. */
struct pitch_errors measure_pitch(const struct pitch_track *judged, const struct pitch_track *truth,
                                  double ratio);

struct spectral_distance {
    double lsd_db; /* root of the mean square over 40 mel bands to 8 kHz, mean over windows */
    double mcd_db; /* mel-cepstral distortion, coefficients 1 to 13 of the same bands */
    size_t n;      /* windows */
};

/**
 * Distance of spectra in windows of 25 ms every 10 ms; one gain for all is taken away first, and
 * bands more than 50 dB below their window's strongest count as being there.
 *
 * @param voiced  track in truth: 1 judges its voiced places, -1 the audible rest, 0 all audible
 */
struct spectral_distance measure_spectrum(struct measured sound, struct measured truth,
                                          const struct pitch_track *track, int voiced);

enum { MEASURED_FORMANTS = 3 };

/**
 * Formants around a moment: the envelope through the harmonics' tops, as an all-pole filter, and
 * its roots. What pitch does to plain LPC at high voices is small here.
 *
 * @param at         frame in the middle
 * @param f0_hz      pitch there
 * @param top_hz     analyse up to here; five formants should lie below
 * @param[out] hz    formants in order
 * @return how many were found, at most MEASURED_FORMANTS
 */
int measure_formants(struct measured sound, size_t at, double f0_hz, double top_hz,
                     double hz[MEASURED_FORMANTS]);

/** What is expected of a sound beside the one it is measured against. */
struct formant_task {
    const struct pitch_track *track; /* pitch of the truth */
    double top_hz;                   /* of the truth */
    double pitch_ratio;              /* pitch of the sound against the truth's */
    double formant_ratio;            /* formants that it should have, against the truth's */
};

/**
 * Median over voiced places of the relative error of F1..F3 against the same analysis of the truth.
 *
 * @return 0.05: 5 %; negative: nothing to judge
 */
double measure_formant_error(struct measured sound, struct measured truth,
                             const struct formant_task *task);

/**
 * Roughness of a steady voiced sound: energy of what changes from one period to the next, in dB
 * against the sound itself. -60: very clean; above -20: audible.
 */
double measure_roughness_db(struct measured sound, double f0_hz);

/** Second difference at every period_frames-th frame against everywhere: 1 when blocks leave no
 * trace, whatever the phase (the worst of all phases is about 1.3 by chance). */
double measure_borders(struct measured sound, size_t period_frames, size_t phase);

/** Highest second difference (99.95 of 100) against that of the truth at equal loudness: 1 is
 * equally smooth, 2 and more crackles. */
double measure_crackle(struct measured sound, struct measured truth);

/** Clicks a second: steps from one sample to the next that stand out of the twelve around them by
 * 2.5 times and are above 3 % of the sound's rms. Sound that was sampled has none. */
double measure_clicks(struct measured sound);

/** How much later than `before` the loudness of `after` goes up and down, in frames; 0..max_s. */
double measure_delay(struct measured before, struct measured after, double max_s);

/** Largest correlation of the output with the input at any delay up to max_s: 1 is the input. */
double measure_leakage(struct measured input, struct measured output, double max_s);

#endif
