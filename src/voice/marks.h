/*
 * Marks: one in every period of a voice, always at the same place within it, just before where it
 * is strongest; and at even distances where there is no voice.
 */
#ifndef VOICE_MARKS_H
#define VOICE_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "voice/line.h"
#include "voice/pitch.h"

enum { MARKS_KEPT = 64 };
/** A grain begins so many periods before its mark. */
#define MARKS_FADE 0.8f

struct mark {
    double at;    /* position in the line, not whole */
    float period; /* samples; of unvoiced ones: the distance at which they are set */
    float fade;   /* samples before it over which its grain takes over from the one before */
    bool voiced;
};

struct marks {
    /* Immutable after init. */
    uint32_t rate_hz;
    float spacing;                /* of unvoiced marks, samples */
    float period_min, period_max; /* of voiced ones */
    uint32_t n_smooth;            /* samples over which strength is summed */

    /* What was heard. */
    struct line sound, strength;
    double energy;  /* sum that strength is */
    float pitch_hz; /* newest estimate: 0, unvoiced */
    uint64_t pitch_at;
    struct mark kept[MARKS_KEPT]; /* mark i is at i % MARKS_KEPT */
    uint64_t n;                   /* marks set so far, one at least */
};

/** KODAMA_OK or KODAMA_ERR_MEMORY. `room`: samples that are remembered. */
int marks_init(struct marks *marks, uint32_t rate_hz, float lowest_hz, uint32_t room);
void marks_free(struct marks *marks);
void marks_reset(struct marks *marks);

/** Hear a sample. */
void marks_hear(struct marks *marks, float sample);

/** Set the next mark. What was heard so far is all that it depends on: ask late. */
void marks_add(struct marks *marks);

/** Set marks as long as the next one will hardly lie behind `until`. */
void marks_set(struct marks *marks, double until);

static inline const struct mark *mark_at(const struct marks *marks, uint64_t i)
{
    return &marks->kept[i % MARKS_KEPT];
}

#endif
