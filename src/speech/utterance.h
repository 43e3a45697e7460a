/* The stretch of the timeline that may still be decoded: samples from some position on, growing at
 * its end and trimmed at its beginning. Mono float, 16 kHz. */
#ifndef SPEECH_UTTERANCE_H
#define SPEECH_UTTERANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct utterance_audio {
    float *samples; /* owned */
    size_t n, room; /* samples kept, and room for them */
    uint64_t first; /* position of samples[0] */
};

void utterance_audio_free(struct utterance_audio *audio);

/** Make room for n more, so that the next appends of n in all cannot fail. False when memory is
 * out. */
bool utterance_audio_reserve(struct utterance_audio *audio, size_t n);

/** Append; room was reserved. */
void utterance_audio_append(struct utterance_audio *audio, const float *samples, size_t n);

/** Forget what lies before a position. Moves memory only when a quarter as much goes as stays,
 * and gives memory back when an utterance has ended. */
void utterance_audio_trim(struct utterance_audio *audio, uint64_t keep_from);

/** Position after the last sample. */
static inline uint64_t utterance_audio_end(const struct utterance_audio *audio)
{
    return audio->first + audio->n;
}

/** Copy of [begin, end), clamped to what is there; free with free(). NULL when memory is out. */
float *utterance_audio_copy(const struct utterance_audio *audio, uint64_t begin, uint64_t end);

/** Copy up to max samples from a position on into `out`; returns how many. */
size_t utterance_audio_read(const struct utterance_audio *audio, uint64_t from, float *out,
                            size_t max);

#endif
