/* What every test needs: cmocka with its headers, random numbers with fixed seeds, real speech,
 * scratch files. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/** Random numbers that are the same in every run: xoshiro-like splitmix64 (Steele et al. 2014). */
struct test_random {
    uint64_t state;
};

/** The next 64 random bits. */
uint64_t test_random_next(struct test_random *random);

/** A random number in [0, bound). */
uint64_t test_random_below(struct test_random *random, uint64_t bound);

/** A random float in [-1, 1). */
float test_random_float(struct test_random *random);

/** How much a long test shall do, 1 by default; KODAMA_TEST_SCALE in the environment multiplies it.
 */
double test_scale(void);

/** Path below the repository's root, in a static buffer of its own for each of the last eight
 * calls. */
const char *test_path(const char *below_root);

/**
 * Path of a file in ../shared. When it is not there the running test is skipped and a line
 * "# skipped: no ../shared" is printed; the call then does not return.
 */
const char *test_shared(const char *below_shared);

/** Path of a file of Debian's packages; skips the running test and says so when it is not
 * installed. */
const char *test_installed(const char *path);

/** Whole test file as mono float, through libsndfile; aborts the test on failure. Free with free().
 */
float *test_read_audio(const char *path, size_t *n_frames, uint32_t *rate_hz, uint32_t *channels);

/** Name of a new scratch file below the system's temporary folder; removed when the program ends.
 */
const char *test_scratch(const char *suffix);

#endif
