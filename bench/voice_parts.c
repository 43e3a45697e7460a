/*
 * What the parts around a converter cost and how loud they are: `voice_parts`.
 *
 * Each bed plays for 60 s at level 1, the drift and the limiter work on 60 s of noise, in hops of
 * 1 ms as in the chain. Printed: part of one core in percent (processor time by the time of the
 * sound), the median of three rounds, and the level in dBFS.
 */
#define _DEFAULT_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "help.h"
#include "voice/fluctuation.h"
#include "voice/limiter.h"
#include "voice/noise_bed.h"

enum { SECONDS = 60, ROUNDS = 3 };

static void die(const char *what)
{
    fprintf(stderr, "bench/voice_parts: %s\n", what);
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A part: one hop in place. */
typedef void (*run_function)(void *part, float *samples, size_t n_samples);

static void run_bed(void *part, float *samples, size_t n_samples)
{
    memset(samples, 0, n_samples * sizeof *samples);
    noise_bed_add(part, samples, n_samples, 1);
}

static void run_drift(void *part, float *samples, size_t n_samples)
{
    struct fluctuation_values values;
    fluctuation_step(part, 0.05f, 0.03f, 0.02f, &values);
    fluctuation_apply(part, &values, samples, n_samples);
}

static void run_limiter(void *part, float *samples, size_t n_samples)
{
    (void)limiter_process(part, samples, n_samples);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(const char *name, uint32_t rate_hz, void *part, run_function run)
{
    double shares[ROUNDS], squares = 0;
    size_t hop = rate_hz / 1000, n = 0;
    float samples[192];
    uint64_t random = 1;
    for (int round = 0; round < ROUNDS; round++) {
        double spent_s = 0;
        for (size_t h = 0; h < SECONDS * 1000; h++) {
            for (size_t i = 0; i < hop; i++) samples[i] = 0.1f * random_bell(random_next(&random));
            double begun_s = now_s();
            run(part, samples, hop);
            spent_s += now_s() - begun_s;
            for (size_t i = 0; i < hop; i++) squares += (double)samples[i] * (double)samples[i];
            n += hop;
        }
        shares[round] = 100 * spent_s / SECONDS;
    }
    qsort(shares, ROUNDS, sizeof *shares, compare);
    printf("%-8s %6u Hz   %6.3f %%   %6.1f dBFS\n", name, rate_hz, shares[ROUNDS / 2],
           10 * log10(squares / (double)n));
    fflush(stdout);
}

static const char page[] =
    "usage: bench_voice_parts\n"
    "\n"
    "What the parts around a converter cost (noise beds, drift, limiter), in percent of one\n"
    "core, and how loud they are. Measures and prints; asserts nothing.\n";

int main(int argc, char **argv)
{
    int code = bench_answer(argc, argv, "", page);
    if (code >= 0) return code;
    static const uint32_t rates[] = {16000, 48000};
    for (size_t r = 0; r < 2; r++) {
        for (size_t b = 0; noise_bed_name(b); b++) {
            struct noise_bed *bed;
            if (noise_bed_open(&bed, rates[r], 1, NULL, NULL) < 0) die("no bed");
            (void)noise_bed_choose(bed, noise_bed_name(b));
            measure(noise_bed_name(b), rates[r], bed, run_bed);
            noise_bed_close(bed);
        }
        struct fluctuation *drift;
        if (fluctuation_open(&drift, rates[r], rates[r] / 1000, 1) < 0) die("no drift");
        measure("drift", rates[r], drift, run_drift);
        fluctuation_close(drift);
        struct limiter *limiter;
        if (limiter_open(&limiter, rates[r]) < 0) die("no limiter");
        measure("limiter", rates[r], limiter, run_limiter);
        limiter_close(limiter);
    }
    return 0;
}
