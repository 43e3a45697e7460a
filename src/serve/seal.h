/* A seal on bytes that leave an object and come back: nobody without the key can make one. */
#ifndef SERVE_SEAL_H
#define SERVE_SEAL_H

#include <stddef.h>
#include <stdint.h>

enum { SEAL_KEY_BYTES = 16 };

/** SipHash-2-4 (Aumasson and Bernstein, 2012) of bytes. */
uint64_t seal(const uint8_t key[SEAL_KEY_BYTES], const void *bytes, size_t n_bytes);

#endif
