/*
 * Sinks from the inside: the table of functions that every kind fills, and what all of them share.
 * Adding one is one new file plus one line in sink.c.
 */
#ifndef STREAM_SINK_H
#define STREAM_SINK_H

#include <stdatomic.h>

#include <kodama/ring.h>
#include <kodama/sink.h>

/** A kind of sink. All members are mandatory unless marked optional. */
struct sink_ops {
    const char *name;
    uint32_t channels; /* by default */
    /** Begin to take frames from sink->ring; sets sink->state. */
    int (*open)(struct kodama_sink *sink, const struct kodama_sink_config *config,
                struct kodama_error *error);
    /** Optional. Whether it still takes frames: KODAMA_OK or why not. */
    int (*check)(struct kodama_sink *sink);
    /** Wait until all of the ring was taken and heard. */
    int (*drain)(struct kodama_sink *sink, uint64_t deadline_ns, struct kodama_error *error);
    /** Optional. Drop what waits. */
    void (*clear)(struct kodama_sink *sink);
    /** Add what the kind knows. */
    void (*stats)(const struct kodama_sink *sink, struct kodama_sink_stats *stats);
    /** Stop taking frames and free sink->state. */
    void (*close)(struct kodama_sink *sink);
};

struct kodama_sink {
    const struct sink_ops *ops;   /* immutable */
    struct kodama_format format;  /* immutable */
    const struct kodama_log *log; /* immutable */
    struct kodama_ring *ring;     /* immutable */
    void *state;                  /* the kind's */
    struct kodama_writer writer;  /* the thread that writes */
    _Atomic bool flowing; /* between a frame and a drain: an empty ring is an underrun; written by
                             the thread that writes, relaxed */
};

extern const struct sink_ops sink_speakers_ops;
extern const struct sink_ops sink_mic_ops;
extern const struct sink_ops sink_file_ops;

#endif
