/* Fuzzing of chunked bodies: the first byte says in what pieces the rest is read. What is read in
 * pieces must be what is read at once, and lie within what came. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serve/chunks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* FNV-1a (Fowler, Noll, Vo) of the data. */
static uint32_t read_chunks(const char *body, size_t n_body, size_t piece, struct chunks *chunks)
{
    uint32_t hash = 2166136261u;
    *chunks = (struct chunks){0};
    for (size_t at = 0; at < n_body; at += piece) {
        size_t n_bytes = n_body - at < piece ? n_body - at : piece, n;
        const char *bytes = body + at, *found, *end = bytes + n_bytes;
        while ((n = chunks_read(chunks, &bytes, &n_bytes, &found)) > 0) {
            if (found < body + at || n > (size_t)(end - found) || bytes + n_bytes != end) abort();
            for (size_t i = 0; i < n; i++) hash = (hash ^ (uint8_t)found[i]) * 16777619u;
        }
        if (n_bytes > 0 && chunks->state < CHUNKS_END) abort();
    }
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (n_bytes < 2) return 0;
    const char *body = (const char *)data + 1;
    struct chunks in_pieces, at_once;
    uint32_t hash = read_chunks(body, n_bytes - 1, 1 + data[0], &in_pieces);
    uint32_t hash_at_once = read_chunks(body, n_bytes - 1, n_bytes, &at_once);
    if (hash != hash_at_once || in_pieces.state != at_once.state) abort();
    return 0;
}
