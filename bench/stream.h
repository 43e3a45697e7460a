/* What the parts of bench_stream share: the task, the work of a callback, and what came of it. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latency.h"

enum { RATE_HZ = 48000, CHANNELS = 2, BLOCK_FRAMES = RATE_HZ / 100, SOURCES_MAX = 200 };

struct stream_task {
    int n_sources;
    uint64_t n_frames; /* of each source */
    int64_t poll_ns;   /* how often a poller looks */
};

struct stream_result {
    uint64_t received, gaps, lost; /* frames, of all sources */
    double cpu;                    /* cores */
    double switches;               /* voluntary context switches a second */
    double pss_mb;
    struct latency_summary latency;
    char failure[200]; /* "": none */
};

/** What every callback does with its frames: their energy, as a meter would. */
double stream_work(const float *frames, size_t n_frames);

/** The way of the older tools: a vector behind a mutex, looked at every poll_ns. */
void stream_run_poller(const struct stream_task *task, struct stream_result *result);

#endif
