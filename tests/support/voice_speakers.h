/* Inside the synthetic voices: what a speaker is, and numbers drawn by place instead of in turn. */
#ifndef TESTS_VOICE_SPEAKERS_H
#define TESTS_VOICE_SPEAKERS_H

#include "voice_synth.h"

struct synth_traits {
    double f0_hz;  /* usual pitch */
    double open_s; /* how long the glottis is open in a cycle */
    double vowels[VOWELS][SYNTH_FORMANTS];
    double fifth_hz,
        spacing_hz; /* the formants above the fourth: where they begin, how far apart */
};

extern const struct synth_traits synth_traits[SYNTH_SPEAKERS];

/** A number for a place in a lane; the same seed gives the same. */
uint64_t synth_hash(uint64_t seed, uint64_t lane, uint64_t index);

/** Evenly spread in 0..1, never 0 or 1. */
double synth_uniform(uint64_t seed, uint64_t lane, uint64_t index);

#endif
