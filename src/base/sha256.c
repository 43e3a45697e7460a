/* SHA-256, as FIPS 180-4 writes it down: sections 4.1.2, 4.2.2, 5.1.1 and 6.2. */
#include "base/sha256.h"

#include <string.h>

enum { BLOCK_BYTES = 64, N_ROUNDS = 64 };

/* First 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[N_ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t word, unsigned n)
{
    return word >> n | word << (32 - n);
}

static void schedule(const uint8_t *block, uint32_t words[N_ROUNDS])
{
    for (size_t i = 0; i < 16; i++) {
        words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
                   (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (size_t i = 16; i < N_ROUNDS; i++) {
        uint32_t a = words[i - 15], b = words[i - 2];
        words[i] = words[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + words[i - 7] +
                   (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

static void mix(uint32_t state[8], const uint8_t *block)
{
    uint32_t words[N_ROUNDS], s[8];
    schedule(block, words);
    memcpy(s, state, sizeof s);
    for (size_t i = 0; i < N_ROUNDS; i++) {
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t first = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + choice +
                         constants[i] + words[i];
        uint32_t second = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + majority;
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += first;
        s[0] = first + second;
    }
    for (size_t i = 0; i < 8; i++) state[i] += s[i];
}

void sha256_begin(struct sha256 *sum)
{
    /* First 32 bits of the fractional parts of the square roots of the first eight primes. */
    *sum = (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                     0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *sum, const void *bytes, size_t n_bytes)
{
    const uint8_t *from = bytes;
    size_t held = (size_t)(sum->n_bytes % BLOCK_BYTES);
    sum->n_bytes += n_bytes;
    if (held > 0) {
        size_t n = n_bytes < BLOCK_BYTES - held ? n_bytes : BLOCK_BYTES - held;
        memcpy(sum->block + held, from, n);
        from += n;
        n_bytes -= n;
        if (held + n < BLOCK_BYTES) return;
        mix(sum->state, sum->block);
    }
    for (; n_bytes >= BLOCK_BYTES; from += BLOCK_BYTES, n_bytes -= BLOCK_BYTES) {
        mix(sum->state, from);
    }
    if (n_bytes > 0) memcpy(sum->block, from, n_bytes);
}

void sha256_end(struct sha256 *sum, char text[SHA256_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    static const uint8_t padding[BLOCK_BYTES] = {0x80};
    uint8_t length[8];
    for (size_t i = 0; i < 8; i++) length[i] = (uint8_t)(sum->n_bytes * 8 >> (56 - 8 * i));
    size_t held = (size_t)(sum->n_bytes % BLOCK_BYTES);
    sha256_add(sum, padding, (held < 56 ? 56 : 120) - held);
    sha256_add(sum, length, sizeof length);
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        uint8_t byte = (uint8_t)(sum->state[i / 4] >> (24 - 8 * (i % 4)));
        text[2 * i] = digits[byte >> 4];
        text[2 * i + 1] = digits[byte & 15];
    }
    text[SHA256_TEXT_BYTES - 1] = '\0';
}
