/*
 * Sources from the inside: the table of functions that every backend fills, and what all of them
 * share. Adding one is one new file plus one line in source.c.
 */
#ifndef CAPTURE_SOURCE_H
#define CAPTURE_SOURCE_H

#include <stdatomic.h>

#include <kodama/ring.h>
#include <kodama/source.h>

/** A backend. All members are mandatory unless marked optional. */
struct source_ops {
    const char *name;
    bool live; /* as a rule; open may set source->live */
    /** Prepare; sets source->format, source->length and source->state. */
    int (*open)(struct kodama_source *source, const struct kodama_source_config *config,
                struct kodama_error *error);
    /** Begin to write to source->writer from a thread of the backend's own. When nothing more will
     * come it calls source_ended() once, last of all. */
    int (*start)(struct kodama_source *source, struct kodama_error *error);
    /** Stop writing; when it returns, the backend's thread has ended. Called once after a
     * successful start. */
    void (*stop)(struct kodama_source *source);
    /** Free source->state; stopped before. */
    void (*close)(struct kodama_source *source);
};

/** Counters, written by the backend's thread only, read by anybody (relaxed). */
struct source_counters {
    _Atomic uint64_t frames, silent_frames, gap_frames, gaps, overruns, latency_ns;
};

struct kodama_source {
    const struct source_ops *ops; /* immutable */
    struct kodama_format format;  /* immutable after open */
    int64_t length;               /* immutable after open; -1 unknown */
    bool live;                    /* immutable after open; ops->live unless open sets another */
    const struct kodama_log *log; /* immutable */
    void *state;                  /* the backend's */
    struct kodama_writer writer;  /* backend's thread only, between start and stop */
    struct source_counters counters;
    void (*on_end)(void *user, int status,
                   const struct kodama_error *error); /* set by source_start */
    void *user;
};

/**
 * Start a source into a ring; the stream calls this.
 *
 * @param source  opened
 * @param ring    of the source's format; claimed until source_stop()
 * @param on_end  called once on the backend's thread when the source has ended by itself: status
 * KODAMA_OK at the end of the data, else an error in words
 */
int source_start(struct kodama_source *source, struct kodama_ring *ring,
                 void (*on_end)(void *user, int status, const struct kodama_error *error),
                 void *user, struct kodama_error *error);
/** Stop a started source and release its writer. A source that may wait for room in the ring is
 * freed by closing the ring before. */
void source_stop(struct kodama_source *source);

/** For backends: add to a counter. It has one writer, so no read-modify-write is needed. */
static inline void source_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/** For backends: the data has ended. */
void source_ended(struct kodama_source *source, int status, const struct kodama_error *error);

extern const struct source_ops source_file_ops;
extern const struct source_ops source_stdin_ops;
extern const struct source_ops source_tone_ops;
extern const struct source_ops source_noise_ops;
extern const struct source_ops source_silence_ops;
extern const struct source_ops source_null_ops;
extern const struct source_ops source_mix_ops;

#endif
