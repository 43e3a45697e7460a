/* How wide UTF-8 text is on a terminal, and where a line of it ends. */
#ifndef COMMAND_COLUMNS_H
#define COMMAND_COLUMNS_H

#include <stddef.h>

/**
 * Length of the first character.
 *
 * @param text          UTF-8, not empty; a byte that is no UTF-8 counts as a character
 * @param n_bytes       of text
 * @param[out] columns  may be NULL: cells it takes on a terminal, 0..2; 1 for control characters
 * @return its bytes
 */
size_t columns_character(const char *text, size_t n_bytes, size_t *columns);

/** Cells that text takes on a terminal. */
size_t columns_of(const char *text, size_t n_bytes);

/**
 * Where the first line of a text ends: at the last space that fits, or inside a word that is longer
 * than a line.
 *
 * @param width      cells of a line, 1 or more
 * @param[out] next  where the next line begins: past the spaces
 * @return bytes of the line, trailing spaces left out
 */
size_t columns_line(const char *text, size_t n_bytes, size_t width, size_t *next);

#endif
