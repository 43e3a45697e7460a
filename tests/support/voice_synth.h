/*
 * Synthetic voices whose every property is known: what pitch trackers and voice changers are held
 * against.
 *
 * Glottal pulses (the polynomial of KLGLOTT88: Klatt & Klatt, JASA 87, 1990) stand at exact,
 * fractional places and are band-limited to -80 dB; breath is added, and all of it goes through a
 * cascade of formant resonators (Klatt, JASA 67, 1980) from F1 up to the end of the band.
 * Fricatives are noise. Everything random (jitter, shimmer, breath, noise) is a function of the
 * seed and of time, never of the pitch: the same utterance at another pitch or with other formants
 * is the same performance, which makes it the truth for a shifter's output.
 *
 * The spectral envelope belongs to the voice: at another pitch_scale the pulses come more or less
 * often and keep their shape. formant_scale moves the whole envelope (formants, bandwidths, pulses,
 * hiss), as a recording does that runs faster.
 */
#ifndef TESTS_VOICE_SYNTH_H
#define TESTS_VOICE_SYNTH_H

#include <stddef.h>
#include <stdint.h>

enum { SYNTH_FORMANTS = 4, SYNTH_SEGMENTS_MAX = 256 };

enum synth_speaker { SYNTH_MAN, SYNTH_WOMAN, SYNTH_CHILD, SYNTH_SPEAKERS };
enum synth_vowel { VOWEL_IY, VOWEL_EH, VOWEL_AE, VOWEL_AA, VOWEL_AO, VOWEL_UW, VOWEL_AH, VOWELS };
enum synth_kind { SYNTH_PAUSE, SYNTH_VOWEL, SYNTH_FRICATIVE };

/** A piece of an utterance. A vowel that follows a vowel is joined to it. */
struct synth_segment {
    enum synth_kind kind;
    double seconds;
    enum synth_vowel from, to; /* of a vowel: glides from one to the other */
    double f0_from, f0_to;     /* Hz, of a vowel: glides evenly on a musical scale */
    double centre_hz;          /* of a fricative: where its noise is strongest */
    double level;              /* 1: as a vowel; fricatives have 0.05 to 0.3 */
};

/** What to say and how. Begin with synth_vowel() or synth_speech() and change what is wanted. */
struct synth_utterance {
    enum synth_speaker speaker;
    uint32_t rate_hz; /* 8000 and up */
    uint64_t seed;
    double pitch_scale;   /* 1: as written */
    double formant_scale; /* 1: the speaker's */
    double vibrato_hz, vibrato_cents;
    double jitter;   /* spread of single periods, 0.01: 1 % */
    double shimmer;  /* spread of single pulses' heights */
    double breath;   /* noise beside the pulses, ratio of rms at the source; 0.03: a clear voice */
    double noise_db; /* white noise over all, below the level of the voiced parts; 0: none */
    size_t n_segments;
    struct synth_segment segments[SYNTH_SEGMENTS_MAX];
};

/** What was said, and the truth about it. */
struct synth_sound {
    uint32_t rate_hz;
    size_t n_frames;
    float *samples; /* voiced parts have an rms of 0.08 */
    float *f0_hz;   /* [n_frames] without jitter; 0: not voiced */
    float *level;   /* [n_frames] 0..1 of the vowel's full loudness; 0: not voiced */
    float (*formants)[SYNTH_FORMANTS]; /* [n_frames] Hz, of vowels; 0 elsewhere */
    double *closures; /* [n_closures] places of glottal closures in frames, exact */
    size_t n_closures;
};

/** One vowel between two pauses of 0.1 s, at a steady pitch, with nothing random but faint breath.
 */
void synth_vowel(struct synth_utterance *utterance, enum synth_speaker speaker,
                 enum synth_vowel vowel, double f0_hz, double seconds);

/**
 * Something like speech: syllables of one or two vowels with moving pitch, fricatives, pauses, a
 * declining tone; natural jitter (0.5 %), shimmer (5 %), breath.
 *
 * @param seed     another seed, another utterance
 * @param seconds  at least; ends with its last syllable and a pause
 */
void synth_speech(struct synth_utterance *utterance, enum synth_speaker speaker, uint64_t seed,
                  double seconds);

/** Say it. Free it with synth_sound_free(). NULL: no memory. */
struct synth_sound *synth_say(const struct synth_utterance *utterance);
void synth_sound_free(struct synth_sound *sound);

#endif
