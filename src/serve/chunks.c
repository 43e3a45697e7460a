/* A reader of chunked bodies. */
#include "serve/chunks.h"

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static enum chunks_state read_size(struct chunks *chunks, char c)
{
    int value = digit(c);
    if (value >= 0) {
        if (chunks->left >> 60) return CHUNKS_BROKEN; /* no body is so long */
        chunks->left = chunks->left << 4 | (unsigned)value;
        chunks->n_digits++;
        return CHUNKS_SIZE;
    }
    if (chunks->n_digits == 0) return CHUNKS_BROKEN;
    if (c == '\r') return CHUNKS_SIZE_END;
    return c == ';' || c == ' ' || c == '\t' ? CHUNKS_EXTENSION : CHUNKS_BROKEN;
}

/* A line feed alone ends nothing: what reads it otherwise than others do can be deceived. */
static enum chunks_state read_extension(char c)
{
    if (c == '\r') return CHUNKS_SIZE_END;
    return c == '\n' ? CHUNKS_BROKEN : CHUNKS_EXTENSION;
}

static enum chunks_state end_size(struct chunks *chunks, char c)
{
    bool last = chunks->left == 0;
    chunks->n_line = chunks->n_digits = 0;
    if (c != '\n') return CHUNKS_BROKEN;
    return last ? CHUNKS_TRAILER : CHUNKS_DATA;
}

static enum chunks_state step(struct chunks *chunks, char c)
{
    switch (chunks->state) {
    case CHUNKS_SIZE: return read_size(chunks, c);
    case CHUNKS_EXTENSION: return read_extension(c);
    case CHUNKS_SIZE_END: return end_size(chunks, c);
    case CHUNKS_DATA_END: return c == '\r' ? CHUNKS_DATA_END_2 : CHUNKS_BROKEN;
    case CHUNKS_DATA_END_2: return c == '\n' ? CHUNKS_SIZE : CHUNKS_BROKEN;
    case CHUNKS_TRAILER: return c == '\r' ? CHUNKS_TRAILER_END : CHUNKS_TRAILER_IN;
    case CHUNKS_TRAILER_IN: return c == '\n' ? CHUNKS_TRAILER : CHUNKS_TRAILER_IN;
    case CHUNKS_TRAILER_END: return c == '\n' ? CHUNKS_END : CHUNKS_BROKEN;
    case CHUNKS_DATA:
    case CHUNKS_END:
    case CHUNKS_BROKEN: break;
    }
    return CHUNKS_BROKEN;
}

/* Nobody may keep us reading what is no data. */
static bool is_too_long(const struct chunks *chunks)
{
    bool in_trailer = chunks->state >= CHUNKS_TRAILER;
    return chunks->n_line > (in_trailer ? CHUNKS_TRAILER_MAX : CHUNKS_LINE_MAX);
}

size_t chunks_read(struct chunks *chunks, const char **bytes, size_t *n_bytes, const char **data)
{
    while (*n_bytes > 0 && chunks->state < CHUNKS_END) {
        if (chunks->state == CHUNKS_DATA) {
            size_t n = *n_bytes < chunks->left ? *n_bytes : (size_t)chunks->left;
            *data = *bytes;
            *bytes += n;
            *n_bytes -= n;
            chunks->left -= n;
            if (chunks->left == 0) chunks->state = CHUNKS_DATA_END;
            return n;
        }
        chunks->n_line++;
        chunks->state = is_too_long(chunks) ? CHUNKS_BROKEN : step(chunks, **bytes);
        ++*bytes;
        --*n_bytes;
    }
    return 0;
}
