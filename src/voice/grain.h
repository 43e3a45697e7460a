/* Grains: pieces of a line, read at their own speed between the neighbours of a mark, faded in and
 * out so that neighbours in their places add up to what they were cut from. */
#ifndef VOICE_GRAIN_H
#define VOICE_GRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "voice/line.h"

enum { GRAIN_TAPS = 16, GRAIN_PHASES = 128, GRAIN_CUTS = 5 };

/** Interpolation filters: windowed sinc functions, for reading up to twice as fast. */
struct grain_filters {
    float taps[GRAIN_CUTS][GRAIN_PHASES + 1][GRAIN_TAPS];
};

void grain_filters_fill(struct grain_filters *filters);

struct grain {
    double from;  /* position in the line that comes to `to` */
    double to;    /* position in the output */
    double speed; /* of reading */
    float gain;
    /* All in samples of the line, beside `from`. */
    float fade_in;       /* begins so long before it */
    float fade_out, end; /* fades out from .. to; end 0: not known yet */
    uint64_t mark;
};

/** Add what a grain has in output positions [begin, begin + n). Returns whether it has ended. */
bool grain_add(const struct grain *grain, const struct grain_filters *filters,
               const struct line *line, int64_t begin, uint32_t n, float *out);

#endif
