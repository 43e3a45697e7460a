/* Histograms of durations. */
#include "stream/stream_histogram.h"

static uint64_t load(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void store(_Atomic uint64_t *count, uint64_t value)
{
    atomic_store_explicit(count, value, memory_order_relaxed);
}

/* Durations below 32 ns have a bucket each; from there on 32 buckets a power of two. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_PARTS) return (unsigned)ns;
    unsigned log2 = 63 - (unsigned)__builtin_clzll(ns);
    if (log2 >= HISTOGRAM_TOP_LOG2) return HISTOGRAM_N - 1;
    unsigned shift = log2 - HISTOGRAM_PARTS_LOG2;
    return (shift + 1) * HISTOGRAM_PARTS + ((unsigned)(ns >> shift) & (HISTOGRAM_PARTS - 1));
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned bucket)
{
    if (bucket < HISTOGRAM_PARTS) return bucket;
    unsigned shift = bucket / HISTOGRAM_PARTS - 1;
    uint64_t begin = (uint64_t)(HISTOGRAM_PARTS + bucket % HISTOGRAM_PARTS) << shift;
    return begin + (UINT64_C(1) << shift) / 2;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    _Atomic uint64_t *count = &histogram->counts[bucket_of(ns)];
    store(count, load(count) + 1);
    if (ns > load(&histogram->max_ns)) store(&histogram->max_ns, ns);
    store(&histogram->n, load(&histogram->n) + 1);
}

uint64_t histogram_quantile(const struct histogram *histogram, double part)
{
    uint64_t n = load(&histogram->n), max_ns = load(&histogram->max_ns), seen = 0;
    if (n == 0) return 0;
    uint64_t wanted = (uint64_t)(part * (double)n);
    if (wanted >= n) return max_ns;
    for (unsigned i = 0; i < HISTOGRAM_N; i++) {
        seen += load(&histogram->counts[i]);
        if (seen <= wanted) continue;
        uint64_t value = value_of(i);
        return value < max_ns ? value : max_ns;
    }
    return max_ns;
}
