/*
 * Trained voices: what a chunk costs against the size of the models, with and without slicing, on
 * one and two threads. Measures and prints; asserts nothing.
 *
 *     bench_rvc [--quick] FOLDER
 *
 * FOLDER has the models that rvc_models.py writes: the layers of the real ones with random weights,
 * so that the cost is the real one. Where it is not there it is written first (480 MB for the real
 * size). --quick: small models only.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "help.h"
#include "voice/rvc_pass.h"
#include "voice/rvc_run.h"

enum { CONTEXT = 50, N_CHUNKS = 3, RUNS_MOST = 9 };

/** Models of one size. What a second needs is counted by rvc_models.py from their layers. */
struct size {
    const char *width;
    double encoder_gflop, generator_gflop;
};

static const struct size sizes[] = {
    {"0.25", 0.89, 5.89}, {"0.5", 3.52, 23.49}, {"1", 13.91, 93.82}};
static const size_t chunks[N_CHUNKS] = {5, 10, 20};

/** What was measured of the real size, for the table of what a user needs. */
struct outcome {
    double pass_ms[N_CHUNKS];
    double gflops; /* reached in the pass of 100 ms */
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}

static void fill(float *values, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++) values[i] = scale * sinf((float)i * 0.11f + 0.3f);
}

/* The generator on all frames that the encoder heard, as without slicing. */
static double whole_ms(const struct rvc_weights *weights, size_t n_frames, int runs)
{
    struct rvc_generator *generator;
    double took[RUNS_MOST] = {0};
    float *features = memory_array(n_frames * weights->signature.dims, sizeof *features);
    float *pitch = memory_array(n_frames, sizeof *pitch);
    struct rvc_slice slice = {n_frames, 0, n_frames};
    if (!features || !pitch ||
        rvc_generator_open(&generator, weights->generator, &weights->signature, n_frames, 0, 1,
                           NULL) < 0)
        return NAN;
    fill(features, n_frames * weights->signature.dims, 0.2f);
    for (size_t i = 0; i < n_frames; i++) pitch[i] = 150.0f;
    for (int i = -1; i < runs; i++) {
        const float *audio;
        size_t n;
        uint64_t began = clock_now_ns();
        if (rvc_generator_run(generator, &slice, features, pitch, &audio, &n, NULL) < 0) break;
        if (i >= 0) took[i] = (double)(clock_now_ns() - began) * 1e-6;
    }
    rvc_generator_close(generator);
    free(features);
    free(pitch);
    return median(took, runs);
}

/** Medians of a pass, ms. */
struct cost {
    double encoder, generator, all;
};

static bool measure(const struct rvc_weights *weights, size_t chunk, int runs, struct cost *cost)
{
    static const struct rvc_manner manner = {.protect = 0.5f, .own_volume = 0.25f};
    struct kodama_error error = {0};
    struct rvc_pass *pass;
    if (rvc_pass_open(&pass, weights, &manner, CONTEXT, chunk, 1, &error) < 0) {
        printf("  %s\n", error.message);
        return false;
    }
    size_t n = rvc_pass_window(pass);
    float *samples = memory_array(n * PASS_HOP_IN, sizeof *samples);
    float *pitch = memory_array(n, sizeof *pitch), *zeros = memory_array(n, sizeof *zeros);
    float *said = memory_array((PASS_SAID + chunk) * PASS_HOP_OUT, sizeof *said);
    double encoder[RUNS_MOST], generator[RUNS_MOST], all[RUNS_MOST];
    bool done = samples && pitch && zeros && said;
    if (done) fill(samples, n * PASS_HOP_IN, 0.2f);
    for (size_t i = 0; i < n && done; i++) pitch[i] = 150.0f;
    struct rvc_input input = {.samples = samples, .pitch_hz = pitch, .semitones = zeros};
    for (int i = 0; i < runs && done; i++) {
        struct rvc_times times;
        uint64_t began = clock_now_ns();
        done = rvc_pass_run(pass, &input, said, &error) >= 0;
        all[i] = (double)(clock_now_ns() - began) * 1e-6;
        rvc_pass_times(pass, &times);
        encoder[i] = (double)times.encoder_ns * 1e-6;
        generator[i] = (double)times.generator_ns * 1e-6;
    }
    if (done)
        *cost = (struct cost){median(encoder, runs), median(generator, runs), median(all, runs)};
    else
        printf("  %s\n", error.message);
    free(samples);
    free(pitch);
    free(zeros);
    free(said);
    rvc_pass_close(pass);
    return done;
}

static double needed_gflop(const struct size *size, size_t chunk)
{
    double window = (double)(CONTEXT + PASS_LEAD + PASS_SAID + chunk) / 100.0;
    double generated = (double)(PASS_LEAD + PASS_SAID + chunk) / 100.0;
    return window * size->encoder_gflop + generated * size->generator_gflop;
}

static bool bench_size(const char *folder, const struct size *size, uint32_t n_threads, int runs,
                       struct outcome *outcome)
{
    char encoder[1024], generator[1024];
    struct rvc_weights weights;
    struct kodama_error error = {0};
    snprintf(encoder, sizeof encoder, "%s/encoder-%s.onnx", folder, size->width);
    snprintf(generator, sizeof generator, "%s/generator-%s.onnx", folder, size->width);
    struct rvc_weights_config config = {
        .generator = generator, .encoder = encoder, .n_threads = n_threads};
    if (rvc_weights_open(&weights, &config, &error) < 0) {
        printf("%s\n", error.message);
        return false;
    }
    bool done = true;
    for (size_t i = 0; i < N_CHUNKS && done; i++) {
        struct cost cost;
        done = measure(&weights, chunks[i], runs, &cost);
        if (!done) break;
        double chunk_ms = (double)chunks[i] * 10.0;
        double whole = whole_ms(&weights, CONTEXT + PASS_LEAD + PASS_SAID + chunks[i], runs);
        double gflops = needed_gflop(size, chunks[i]) / cost.all * 1e3;
        printf("%5s %7u %6.0f %9.1f %9.1f %9.1f %8.2f %11.1f %8.2f %8.0f %8.0f\n", size->width,
               n_threads, chunk_ms, cost.encoder, cost.generator, cost.all, cost.all / chunk_ms,
               whole, (cost.all - cost.generator + whole) / chunk_ms, gflops,
               2.0 * chunk_ms + PASS_FADE * 10.0 + PASS_SEARCH * 5.0);
        fflush(stdout);
        outcome->pass_ms[i] = cost.all;
        if (chunks[i] == 10) outcome->gflops = gflops;
    }
    rvc_weights_close(&weights);
    return done;
}

static void tell_needs(const struct outcome *outcome, int processors)
{
    const struct size *real = &sizes[sizeof sizes / sizeof sizes[0] - 1];
    printf("\nWhat a user needs for one live voice of the real size: computed from the layers'\n"
           "arithmetic and a load of 70 %%, not measured but for this machine's own %.0f GFLOP/s\n"
           "on %d threads.\n\n%8s %18s %24s %26s\n",
           outcome->gflops, processors, "chunk ms", "GFLOP per chunk", "GFLOP/s that are needed",
           "times this machine");
    for (size_t i = 0; i < N_CHUNKS; i++) {
        double gflop = needed_gflop(real, chunks[i]), chunk_s = (double)chunks[i] / 100.0;
        double needed = gflop / chunk_s / 0.7;
        printf("%8.0f %18.1f %24.0f %26.1f\n", chunk_s * 1e3, gflop, needed,
               needed / outcome->gflops);
    }
}

/* Writes the models where they are not; false: they are not there. */
static bool make_models(const char *folder, const char *widths)
{
    char path[1024], command[2200];
    const char *root = getenv("KODAMA_ROOT");
    const char *last = strrchr(widths, ' ');
    snprintf(path, sizeof path, "%s/generator-%s.onnx", folder, last ? last + 1 : widths);
    if (access(path, R_OK) == 0) return true;
    snprintf(command, sizeof command, "/usr/bin/python3 '%s/bench/rvc_models.py' '%s' %s",
             root ? root : ".", folder, widths);
    printf("parameters (10^6) and GFLOP per second of input:\n");
    fflush(stdout);
    if (system(command) == 0) return true;
    printf("skipped: no models (Debian's python3-onnx writes them)\n");
    return false;
}

static const char page[] =
    "usage: bench_rvc [--quick] [FOLDER]\n"
    "\n"
    "Trained voices: what a chunk costs against the size of the models, with and without\n"
    "slicing, on one and two threads. Measures and prints; asserts nothing.\n"
    "\n"
    "  FOLDER             where the models are, or are written first (480 MB): layers of the true "
    "sizes\n"
    "                     with random weights; rvc_models when not given\n"
    "  --quick            small models only\n";

int main(int n_words, char **words)
{
    int code = bench_answer(n_words, words, "--quick", page);
    if (code >= 0) return code;
    bool quick = n_words > 1 && strcmp(words[1], "--quick") == 0;
    const char *folder = n_words > 1 + quick ? words[1 + quick] : "rvc_models";
    size_t n_sizes = sizeof sizes / sizeof sizes[0] - (quick ? 1 : 0);
    int runs = quick ? 3 : 7, processors = thread_processors();
    struct outcome outcome = {0};
    if (!make_models(folder, quick ? "0.25 0.5" : "0.25 0.5 1")) return 0;
    printf("\nTime per chunk, ms; context %d ms; medians of %d\n\n", CONTEXT * 10, runs);
    printf("%5s %7s %6s %9s %9s %9s %8s %11s %8s %8s %8s\n", "width", "threads", "chunk", "encoder",
           "generator", "all", "of time", "not sliced", "of time", "GFLOP/s", "delay");
    for (size_t i = 0; i < n_sizes; i++)
        for (uint32_t threads = 1; threads <= 2; threads++)
            if (!bench_size(folder, &sizes[i], threads, runs, &outcome)) return 0;
    if (!quick) tell_needs(&outcome, processors < 2 ? processors : 2);
    return 0;
}
