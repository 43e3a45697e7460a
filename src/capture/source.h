/*
 * Sources from the inside: the table of functions that every backend fills, and what all of them
 * share. Adding one is one new file plus one line in source.c.
 */
#ifndef CAPTURE_SOURCE_H
#define CAPTURE_SOURCE_H

#include <stdatomic.h>

#include <kodama/ring.h>
#include <kodama/source.h>

#include "capture/stamps.h"

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
    _Atomic uint64_t rejected_frames;          /* refused because a lossless reader was full */
    _Atomic uint64_t vanished, returned;       /* how often the target went and came back */
    _Atomic uint64_t vanished_at, returned_at; /* position of the last time; before the counts */
    _Atomic uint64_t clock_changes;            /* another device drives */
    _Atomic double drift_ppm;
};

struct kodama_source {
    const struct source_ops *ops; /* immutable */
    struct kodama_format format;  /* immutable after open */
    int64_t length;               /* immutable after open; -1 unknown */
    bool live;                    /* immutable after open; ops->live unless open sets another */
    const struct kodama_log *log; /* immutable */
    void *state;                  /* the backend's */
    bool paced;                   /* immutable after open: it keeps time without being live */
    struct kodama_ring *ring;     /* set by source_start, until the next one */
    struct kodama_writer writer;  /* backend's thread only, between start and stop */
    bool rejects;      /* set before source_start: do not wait for a full reader, leave a gap */
    uint64_t gap_end;  /* backend's thread only: where the newest gap ends */
    uint64_t n_starts; /* how often it was started; changed by source_start only */
    void (*on_notice)(void *user); /* may be NULL; set before source_start; real-time safe: it has
                                      vanished or is back */
    void *notice_user;
    struct source_counters counters;
    struct stamps stamps; /* when which frames were written */
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

/**
 * For backends: write frames to the ring, stamped and counted.
 *
 * @param source      running
 * @param frames      interleaved, in the source's format; NULL writes silence (which is counted as
 * frames only: what is missing is for source_write_gap())
 * @param n_frames    how many
 * @param timeout_ns  how long to wait for lossless readers; a live source gives 0
 * @return frames written, 1..n_frames, or KODAMA_ERR_FULL, _TIMEOUT, _CLOSED, _STATE, as
 * kodama_writer_write()
 *
 * Thread: the backend's writer. Real-time safe: yes, may wake, when timeout_ns is 0.
 */
int64_t source_write(struct kodama_source *source, const void *frames, size_t n_frames,
                     int64_t timeout_ns);

/**
 * For backends: write silence for frames that are missing; marked, stamped and counted. What
 * follows directly on a gap is the same gap. Never waits: it writes what there is room for.
 *
 * @param source    running
 * @param n_frames  how many are missing
 * @param time_ns   monotonic time of the first one, 0 if not known
 * @return frames written, 1..n_frames, or KODAMA_ERR_FULL, _CLOSED, _STATE, _ARGUMENT
 *
 * Thread: the backend's writer. Real-time safe: yes, may wake.
 */
int64_t source_write_gap(struct kodama_source *source, size_t n_frames, uint64_t time_ns);

/** For backends: what is captured (an application, a device) has gone, or is back. Vanishing twice
 * counts once, and so does coming back. Thread: one at a time. Real-time safe: yes, may wake. */
void source_vanished(struct kodama_source *source);
void source_returned(struct kodama_source *source);

/** Whether its target is there. Thread: any. Real-time safe: yes. */
bool source_is_present(const struct kodama_source *source);

/** Whether it keeps time: a second of audio comes in a second. Thread: any. Real-time safe: yes. */
static inline bool source_keeps_time(const struct kodama_source *source)
{
    return source->live || source->paced;
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
extern const struct source_ops source_app_ops;
extern const struct source_ops source_mic_ops;
extern const struct source_ops source_system_ops;

#endif
