/* Changes an input into one that nobody wrote: the same changes for the same seed, on any machine.
 */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

struct sample {
    uint8_t *bytes;
    size_t n;
};

/**
 * Change an input in one to eight places: bits, bytes, numbers in binary and in digits, runs that
 * are put in, taken out or repeated, and the end of another input in place of its own.
 *
 * @param state    the generator's state; any value begins a sequence of its own
 * @param samples  inputs that ends are taken from
 * @param bytes    [room] the input, changed in place
 * @param n        its bytes
 * @param room     what fits, at least 1
 * @return its bytes now, 0..room
 */
size_t mutate(uint64_t *state, const struct sample *samples, size_t n_samples, uint8_t *bytes,
              size_t n, size_t room);

/* A number of the same generator below n, which is at least 1. */
size_t mutate_below(uint64_t *state, size_t n);

#endif
