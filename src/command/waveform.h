/* The shape of a sound, kept in little memory however long it is, and drawn with characters. */
#ifndef COMMAND_WAVEFORM_H
#define COMMAND_WAVEFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command/text.h"

enum { WAVEFORM_PARTS = 8192 };

/** Lowest and highest sample of each of at most WAVEFORM_PARTS equal parts. Starts as {0}. */
struct waveform {
    float low[WAVEFORM_PARTS], high[WAVEFORM_PARTS];
    uint64_t part_frames; /**< frames in each part; doubles when there are too many */
    uint64_t n_frames;    /**< so far */
};

/** One more frame: the lowest and highest of its samples. */
void waveform_add(struct waveform *waveform, float low, float high);

/**
 * Draw it: full height is the loudest sample.
 *
 * @param columns  cells of a line, 1 or more
 * @param rows     lines
 * @param unicode  braille, with 2 x 4 dots a cell; else ASCII, with 1 x 2
 */
void waveform_draw(const struct waveform *waveform, struct text *page, size_t columns, size_t rows,
                   bool unicode);

#endif
