/*
 * Histograms of durations that are exact to 3 % from nanoseconds to minutes (log-linear, as in
 * HdrHistogram by Gil Tene): each power of two is cut into 32 equal parts. One thread adds, anybody
 * reads.
 */
#ifndef STREAM_STREAM_HISTOGRAM_H
#define STREAM_STREAM_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    HISTOGRAM_PARTS_LOG2 = 5,
    HISTOGRAM_PARTS = 1 << HISTOGRAM_PARTS_LOG2,
    HISTOGRAM_TOP_LOG2 = 40, /* 18 minutes; what is longer counts as that */
    HISTOGRAM_N = (HISTOGRAM_TOP_LOG2 - HISTOGRAM_PARTS_LOG2 + 1) * HISTOGRAM_PARTS,
};

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_N];
    _Atomic uint64_t n, max_ns;
};

/** Count a duration. Thread: one. Real-time safe: yes. */
void histogram_add(struct histogram *histogram, uint64_t ns);

/**
 * The duration that a part of all stays below.
 *
 * @param part  0..1; 0.5 is the median
 * @return ns, within 1/64 (and never above the largest); 0 when nothing was counted
 *
 * Thread: any. Real-time safe: yes.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double part);

#endif
