/* A reader of chunked bodies (RFC 9112, 7.1), in pieces of any size; it holds nothing. */
#ifndef SERVE_CHUNKS_H
#define SERVE_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHUNKS_LINE_MAX = 1024,    /* bytes of a chunk's head with its extensions */
    CHUNKS_TRAILER_MAX = 8192, /* bytes of all that follows the last chunk */
};

enum chunks_state {
    CHUNKS_SIZE,      /* digits */
    CHUNKS_EXTENSION, /* the rest of their line, which nobody reads */
    CHUNKS_SIZE_END,  /* its line feed */
    CHUNKS_DATA,
    CHUNKS_DATA_END, /* the carriage return and line feed after data */
    CHUNKS_DATA_END_2,
    CHUNKS_TRAILER,     /* at the beginning of a line */
    CHUNKS_TRAILER_IN,  /* in one */
    CHUNKS_TRAILER_END, /* the line feed of the last, empty one */
    CHUNKS_END,
    CHUNKS_BROKEN,
};

/** All zeros to begin with. */
struct chunks {
    enum chunks_state state;
    uint64_t left;   /* of a chunk's data */
    uint32_t n_line; /* bytes of its head, or of the trailer */
    uint32_t n_digits;
};

/**
 * Read on to the next data.
 *
 * @param[in,out] bytes    what came; moves on behind what was read
 * @param[in,out] n_bytes  how much of it is left
 * @param[out] data        of a chunk, within `bytes`
 * @return bytes of data; 0: all was read, or it has ended, or is broken
 */
size_t chunks_read(struct chunks *chunks, const char **bytes, size_t *n_bytes, const char **data);

#endif
