/* SHA-256 (FIPS 180-4): the checksum that model files are known by. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_TEXT_BYTES = 2 * SHA256_BYTES + 1 };

struct sha256 {
    uint32_t state[8];
    uint64_t n_bytes;  /* heard so far */
    uint8_t block[64]; /* not yet mixed in: n_bytes % 64 of it */
};

void sha256_begin(struct sha256 *sum);
void sha256_add(struct sha256 *sum, const void *bytes, size_t n_bytes);

/** The checksum as 64 hexadecimal digits and an end; the sum is used up. */
void sha256_end(struct sha256 *sum, char text[SHA256_TEXT_BYTES]);

#endif
