/* What every test needs. */
#define _GNU_SOURCE /* mkstemps */
#include "support/support.h"

#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t test_random_next(struct test_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t test_random_below(struct test_random *random, uint64_t bound)
{
    return test_random_next(random) % bound; /* the bias is far below what a test can see */
}

float test_random_float(struct test_random *random)
{
    return (float)((double)(test_random_next(random) >> 11) * 0x1p-52 - 1.0);
}

double test_scale(void)
{
    const char *text = getenv("KODAMA_TEST_SCALE");
    double scale = text ? strtod(text, NULL) : 1.0;
    return scale > 0.0 ? scale : 1.0;
}

const char *test_path(const char *below_root)
{
    static char paths[8][1024];
    static unsigned next;
    const char *root = getenv("KODAMA_ROOT");
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", root ? root : ".", below_root);
    return path;
}

static const char *existing_or_skip(const char *path, const char *what)
{
    if (access(path, R_OK) == 0) return path;
    printf("# skipped: %s\n", what);
    fflush(stdout);
    skip();
    return NULL;
}

const char *test_shared(const char *below_shared)
{
    char below[512];
    snprintf(below, sizeof below, "../shared/%s", below_shared);
    return existing_or_skip(test_path(below), "no ../shared");
}

const char *test_installed(const char *path)
{
    char what[600];
    snprintf(what, sizeof what, "not installed: %s", path);
    return existing_or_skip(path, what);
}

float *test_read_audio(const char *path, size_t *n_frames, uint32_t *rate_hz, uint32_t *channels)
{
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    if (!file) fail_msg("cannot open %s: %s", path, sf_strerror(NULL));
    size_t n = (size_t)info.frames * (size_t)info.channels;
    float *samples = malloc((n ? n : 1) * sizeof *samples);
    assert_non_null(samples);
    assert_int_equal(sf_readf_float(file, samples, info.frames), info.frames);
    sf_close(file);
    *n_frames = (size_t)info.frames;
    if (rate_hz) *rate_hz = (uint32_t)info.samplerate;
    if (channels) *channels = (uint32_t)info.channels;
    return samples;
}

enum { SCRATCH_MAX = 256 };
static char scratch[SCRATCH_MAX][128];
static int n_scratch;

static void remove_scratch(void)
{
    for (int i = 0; i < n_scratch; i++) unlink(scratch[i]);
}

const char *test_scratch(const char *suffix)
{
    assert_true(n_scratch < SCRATCH_MAX);
    if (n_scratch == 0) atexit(remove_scratch);
    char *path = scratch[n_scratch];
    snprintf(path, sizeof scratch[0], "/tmp/kodama-test-XXXXXX%s", suffix);
    int file = mkstemps(path, (int)strlen(suffix));
    assert_true(file >= 0);
    close(file);
    n_scratch++;
    return path;
}
