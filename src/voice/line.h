/* The newest samples of a stream by their position, each stretch of them in one piece. */
#ifndef VOICE_LINE_H
#define VOICE_LINE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct line {
    float *samples; /* [2 * room]: everything lies there twice, one room apart */
    uint32_t room;  /* a power of two */
    uint64_t n;     /* position behind the newest; begins with `room` samples of silence */
};

/** A line that remembers at least `least` samples; samples is NULL when there is no memory. */
static inline struct line line_make(uint32_t least)
{
    struct line line = {.room = 16};
    while (line.room < least) line.room *= 2;
    line.samples = memory_array(2 * (size_t)line.room, sizeof *line.samples);
    line.n = line.room;
    return line;
}

static inline void line_free(struct line *line)
{
    free(line->samples);
    line->samples = NULL;
}

static inline void line_clear(struct line *line)
{
    memset(line->samples, 0, 2 * (size_t)line->room * sizeof *line->samples);
    line->n = line->room;
}

static inline void line_put(struct line *line, float sample)
{
    uint32_t at = (uint32_t)line->n & (line->room - 1);
    line->samples[at] = line->samples[at + line->room] = sample;
    line->n++;
}

/** Samples from a position on: those in line->n - room .. line->n - 1 are there. */
static inline const float *line_at(const struct line *line, int64_t position)
{
    return line->samples + ((uint64_t)position & (line->room - 1));
}

#endif
