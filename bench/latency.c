/* Latencies counted by size. */
#include "latency.h"

#include <string.h>

void latency_add(struct latency *latency, uint64_t us)
{
    if (us > LATENCY_MAX_US) us = LATENCY_MAX_US;
    latency->bins[us < LATENCY_FINE_US ? us : LATENCY_FINE_US + (us - LATENCY_FINE_US) / 64]++;
}

/* The middle of a bin. */
static double us_of(int bin)
{
    return bin < LATENCY_FINE_US ? bin : LATENCY_FINE_US + (bin - LATENCY_FINE_US) * 64.0 + 32.0;
}

struct latency_summary latency_summarise(const struct latency *const latencies[], int n)
{
    static uint64_t bins[LATENCY_BINS];
    struct latency_summary summary = {0};
    uint64_t total = 0, sum = 0;
    memset(bins, 0, sizeof bins);
    for (int bin = 0; bin < LATENCY_BINS; bin++) {
        for (int i = 0; i < n; i++) bins[bin] += latencies[i]->bins[bin];
        total += bins[bin];
        if (bins[bin] > 0) summary.max_us = us_of(bin);
    }
    if (total == 0) return summary;
    for (int bin = LATENCY_BINS - 1; bin >= 0; bin--) {
        /* From the top: the last ones set are the lowest that enough do not exceed. */
        sum += bins[bin];
        if (total - sum + bins[bin] >= total - total / 1000) summary.p999_us = us_of(bin);
        if (total - sum + bins[bin] >= total - total / 100) summary.p99_us = us_of(bin);
        if (total - sum + bins[bin] >= total - total / 2) summary.p50_us = us_of(bin);
    }
    return summary;
}
