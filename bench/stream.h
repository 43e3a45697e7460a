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

/** Whether the source loses the block that begins here: one in the middle of each second. */
static inline bool stream_loses(uint64_t position)
{
    return position % RATE_HZ == RATE_HZ / 2;
}

struct stream_result {
    uint64_t received;   /* frames, of all sources */
    uint64_t gaps, lost; /* frames that the reader was told of: the source's, and its own */
    double cpu;          /* cores */
    double switches;     /* voluntary context switches a second */
    double pss_mb;       /* near the end of the run */
    double rings_mb;     /* audio memory of rings; 0: it grows as needed */
    /* Percentiles of several are not to be had from percentiles: the mean of the sources' medians,
     * and the worst source's others. */
    struct latency_summary latency;
    char failure[200]; /* "": none */
};

/** What every callback does with its frames: their energy, as a meter would. */
double stream_work(const float *frames, size_t n_frames);

/** While a task runs: look at the memory when most of it is over. */
void stream_watch(const struct stream_task *task, struct stream_result *result);

/** Count in what one source had. */
void stream_add_latency(const struct stream_task *task, struct stream_result *result,
                        struct latency_summary one);

/** The way of the older tools: a vector behind a mutex, looked at every poll_ns. */
void stream_run_poller(const struct stream_task *task, struct stream_result *result);

#endif
