/*
 * The murmur of a cafe: people who talk, each on their own, in a room that answers.
 *
 * A talker is a small formant synthesiser (glottal pulses or breath through three resonances) that
 * speaks phrases of syllables without meaning: vowels that glide, stops, hisses and hums between
 * them, a melody that falls towards the phrase's end, pauses of its own, now and then a laugh. It
 * runs at 16 to 32 kHz, where speech from another table has nothing above. Private to the beds.
 */
#ifndef VOICE_NOISE_BABBLE_H
#define VOICE_NOISE_BABBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TALKERS = 12, FORMANTS = 3, ECHOES = 4, ECHO_ROOM = 1600 };

/** What a talker is doing; changes every few milliseconds. */
struct talker {
    float pitch_hz, size; /* who it is: voice, and length of the throat as a factor of formants */
    float loud;           /* how near */
    float rate;           /* syllables per second */
    bool laughs;          /* in this phrase */
    uint32_t phrase_left; /* syllables; 0: pauses */
    uint32_t phrase_of;   /* syllables that it began with */
    float pause_s;        /* left */
    float at_s, length_s; /* in the syllable */
    float onset_s;        /* of its consonant */
    int consonant;        /* index */
    float stress;         /* loudness */
    float melody;         /* factor of the pitch */
    float formant_hz[FORMANTS], target_hz[FORMANTS];
};

/** The synthesisers side by side, so that compilers make vector code of them. */
struct talker_lanes {
    float phase[TALKERS], turn[TALKERS]; /* turns, turns per sample */
    float voiced[TALKERS], voiced_to[TALKERS];
    float breath[TALKERS], breath_to[TALKERS];
    float a[FORMANTS][TALKERS], b[FORMANTS][TALKERS], c[FORMANTS][TALKERS];
    float y1[FORMANTS][TALKERS], y2[FORMANTS][TALKERS];
    float muffle[TALKERS], muffled[TALKERS];
    uint32_t noise[TALKERS];
};

struct babble {
    uint64_t random;
    uint32_t rate_hz;
    uint32_t step;      /* samples between two looks at a talker */
    uint32_t step_left; /* until the next */
    uint32_t turn_of;   /* the talker who is looked at then */
    float glide;        /* part of the way that levels go in a sample */
    struct talker talkers[TALKERS];
    struct talker_lanes lanes;
    float echoes[ECHOES][ECHO_ROOM];
    uint32_t echo_length[ECHOES], echo_at[ECHOES];
    float echo_dull[ECHOES];
};

/** Begin with a zeroed state; rate_hz at most 32000. */
void babble_begin(struct babble *babble, uint32_t rate_hz, uint64_t key);
/** The next samples; however many at a time, they are the same. */
void babble_next(struct babble *babble, float *out, size_t n_samples);

#endif
