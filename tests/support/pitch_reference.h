/*
 * Pitch of a whole recording, looked at from both sides: what live trackers are held against where
 * no truth is known. After Boersma, Proc. Inst. Phonetic Sciences 17 (1993): autocorrelation of a
 * window divided by the window's own, candidates, and the cheapest path through all of them.
 * Shares nothing with the engine's tracker.
 */
#ifndef TESTS_PITCH_REFERENCE_H
#define TESTS_PITCH_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

#include "voice_synth.h"

/** Pitch at evenly spaced places: entry i stands for the moment i * hop_s. */
struct pitch_track {
    double hop_s;
    size_t n;
    float *f0_hz; /* 0: not voiced */
};

/**
 * Track a recording.
 *
 * @param samples   [n_frames] mono
 * @param low_hz    lowest pitch that can be; the window is three of its periods long
 * @param high_hz   highest
 * @param[out] track  entries every 5 ms; free it with pitch_track_free()
 * @return 0, or -1: no memory
 */
int pitch_reference(const float *samples, size_t n_frames, uint32_t rate_hz, double low_hz,
                    double high_hz, struct pitch_track *track);

/** The truth of a synthetic voice in the same form; voiced is what has a tenth of full loudness. */
int pitch_of_synth(const struct synth_sound *sound, struct pitch_track *track);

void pitch_track_free(struct pitch_track *track);

#endif
