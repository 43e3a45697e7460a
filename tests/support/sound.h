/*
 * Test sounds in which every frame says where it comes from, and what of them a capture contains.
 *
 * A sound is 48 kHz stereo float: a tone (left -6 dBFS, right -12 dBFS) under noise at -70 dBFS
 * that makes each frame unique. So any volume, mixing, resampling or dither shows as frames that
 * are not the sound's, and every lost or doubled frame is found in its place.
 */
#ifndef TESTS_SOUND_H
#define TESTS_SOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SOUND_RATE = 48000, SOUND_CHANNELS = 2 };

struct sound {
    char path[128]; /* a WAV file, removed when the program ends */
    double frequency_hz;
    size_t n_frames;
    float *frames;   /* interleaved */
    uint32_t *slots; /* frames by content: open addressing, 0 is empty, else frame + 1 */
    size_t n_slots;
};

/** Make a sound; the same frequency gives the same frames. Free it with sound_free(). */
struct sound *sound_make(double frequency_hz, double seconds);
void sound_free(struct sound *sound);

/* A half: one channel of the sound, the other one silent. */
enum { SOUND_SILENCE = -1, SOUND_FOREIGN = -2, SOUND_HALF = -3 };

/** A stretch of a capture. */
struct sound_run {
    size_t at; /* frame in the capture */
    size_t n;  /* frames */
    int64_t
        from; /* frame of the sound, SOUND_SILENCE, SOUND_HALF, or SOUND_FOREIGN: none of them */
};

/** What a capture contains, in order; an array to be freed. */
struct sound_run *sound_runs(const struct sound *sound, const float *frames, size_t n_frames,
                             size_t *n_runs);

struct sound_report {
    size_t matched;     /* frames that are the sound's, bit for bit */
    size_t foreign;     /* frames that are neither the sound's nor silence nor half */
    size_t half;        /* frames that are the sound's in one channel, and silent in the other */
    size_t silent;      /* frames of silence between the first and the last of the sound */
    size_t lost;        /* frames of the sound skipped from one stretch to the next */
    size_t backwards;   /* how often it goes back */
    size_t stretches;   /* of the sound */
    int64_t first_at;   /* frame in the capture where the sound begins; -1: it is not there */
    int64_t first_from; /* and which frame of the sound that is */
    int64_t end_at, end_from; /* after the last one */
};

/** Sum up a capture, and print it as a comment line of the test's output when it is not one
 * stretch. */
struct sound_report sound_compare(const struct sound *sound, const float *frames, size_t n_frames);

/** Level of a tone in the left channel in dBFS, through a Blackman window. */
double sound_level(const float *frames, size_t n_frames, double frequency_hz);

#endif
