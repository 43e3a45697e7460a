/* Latencies counted by size, for percentiles: 1 us wide below 4 ms, 64 us above. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdint.h>

enum {
    LATENCY_FINE_US = 4096,
    LATENCY_MAX_US = 1000000, /* what is more counts as this */
    LATENCY_BINS = LATENCY_FINE_US + (LATENCY_MAX_US - LATENCY_FINE_US) / 64 + 1,
};

/** Zeroed to begin with; one thread at a time. 77 KiB, of which only what is touched is resident.
 */
struct latency {
    uint32_t bins[LATENCY_BINS];
};

void latency_add(struct latency *latency, uint64_t us);

/** Percentiles of several together, in microseconds; 0 without any. */
struct latency_summary {
    double p50_us, p99_us, p999_us, max_us;
};
struct latency_summary latency_summarise(const struct latency *const latencies[], int n);

#endif
