/* What a server counts, and how Prometheus reads it. */
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/model.h>

enum { METRICS_BUCKETS = 10 };

/** Times in buckets. */
struct metrics_histogram {
    _Atomic uint64_t counts[METRICS_BUCKETS + 1]; /* the last: longer than all bounds */
    _Atomic uint64_t sum_ns;
};

/** Why something was refused. */
enum metrics_refusal {
    REFUSED_TOKEN,
    REFUSED_ORIGIN,
    REFUSED_ADDRESS,
    REFUSED_SESSIONS,
    REFUSED_STOPPING,
    REFUSED_MESSAGE,
    REFUSED_RESUME,
    REFUSED_UPLOAD,
    REFUSED_KINDS,
};

/** What went wrong. */
enum metrics_error {
    ERROR_DECODE,    /* an utterance could not be decoded */
    ERROR_SESSION,   /* a session could not begin, or had to end */
    ERROR_HEARTBEAT, /* a connection was given up */
    ERROR_KINDS,
};

/** All counters are relaxed: each is read alone. */
struct metrics {
    _Atomic uint32_t sessions, connections, paused, uploads, voices;
    _Atomic uint64_t sessions_opened, resumes, parked, restored, packets_lost;
    _Atomic uint64_t refused[REFUSED_KINDS], errors[ERROR_KINDS];
    _Atomic uint64_t audio_ns, samples, finals, partials, partials_shed, pauses;
    _Atomic uint32_t waiting; /* sessions that wait for a worker */
    _Atomic uint64_t worker_ns, longest_slice_ns;
    _Atomic uint32_t lag_ms;    /* the longest one of now; written by the network thread */
    _Atomic uint32_t queued_ms; /* of all sessions, in their inboxes; its, too */
    struct metrics_histogram partial_latency, final_latency;
    _Atomic uint64_t voice_audio_ns, voice_ns, voice_faults, conversions;
    struct metrics_histogram voice_latency; /* from a voice's audio to its answer */
};

#define METRICS_ADD(counter, n) \
    ((void)atomic_fetch_add_explicit(&(counter), (n), memory_order_relaxed))
#define METRICS_SUB(counter, n) \
    ((void)atomic_fetch_sub_explicit(&(counter), (n), memory_order_relaxed))
#define METRICS_GET(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

void metrics_time(struct metrics_histogram *histogram, uint64_t time_ns);

/** Raise a maximum. */
void metrics_most(_Atomic uint64_t *most, uint64_t value);

uint64_t metrics_refused(struct metrics *metrics);

/** A model, and what it makes. */
struct metrics_model {
    const char *role; /* static */
    struct kodama_model_stats stats;
};

/** The text format of Prometheus, version 0.0.4. New text (free it) or NULL. */
char *metrics_text(struct metrics *metrics, const struct metrics_model *models, size_t n_models,
                   uint64_t uptime_ns, uint32_t n_workers);

#endif
