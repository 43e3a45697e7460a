/*
 * Streams: a running source with its ring, its dispatcher thread and its statistics.
 *
 * The source writes the ring; the dispatcher hands chunks to callbacks, in order of their priority;
 * anybody may open further cursors on kodama_stream_ring() and pull. A slow callback lags the
 * dispatcher's cursor and nobody else's.
 *
 * What goes wrong is told once per condition, as an event: to a function, or by pulling.
 */
#ifndef KODAMA_STREAM_H
#define KODAMA_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/format.h>
#include <kodama/log.h>
#include <kodama/ring.h>
#include <kodama/source.h>
#include <kodama/status.h>
#include <kodama/waitable.h>

struct kodama_stream;

/* -------------------------------------------------------------- the stream */

/**
 * Called on the dispatcher thread for each chunk.
 *
 * The last call of a stream that ends has chunk->is_last set, also after kodama_stream_stop(). Its
 * chunk is shorter as a rule, and has 0 frames when the timeline ends where a chunk ends. A
 * callback that failed for good or is disabled has no such call, and there is none when the stream
 * was closed before its end. Chunks of a stream that was started again go on where they ended.
 *
 * @param user   from the configuration
 * @param chunk  borrowed for the call; its frames are in the stream's format. A dispatcher that may
 * lose frames (KODAMA_OVERFLOW_DROP_OLDEST) and spends a whole ring's time in one chunk finds them
 * overwritten while they are read: kodama_stream_stats() counts them as lost_frames
 * @return KODAMA_OK, or an error: the stream's own callback ends the stream with it
 * (kodama_stream_wait() returns it), one of kodama_stream_add() is disabled when it fails again and
 * again
 */
typedef int (*kodama_chunk_function)(void *user, const struct kodama_chunk *chunk);

/** What happens when a lossless reader is a whole ring behind. */
enum kodama_overflow {
    /** KODAMA_OVERFLOW_WAIT where the source can be held back, KODAMA_OVERFLOW_DROP_OLDEST where it
     * is live. */
    KODAMA_OVERFLOW_AUTO = 0,
    /** The dispatcher is lossy: it is lapped, and told what it lost (chunk->lost, lost_frames). */
    KODAMA_OVERFLOW_DROP_OLDEST,
    /** The dispatcher is lossless: the source waits for it. Not for live sources. */
    KODAMA_OVERFLOW_WAIT,
    /** The dispatcher is lossless, and the source waits for nobody: the newest frames are refused,
     * in whole blocks, and become a gap on the timeline: silence of their length, marked
     * KODAMA_MARK_GAP and counted (gap_frames, rejected_frames), written when there is room again.
     * It is for readers that stall now and then: one that is too slow for good must read the
     * silence, too, and falls back behind the world until the source ends. Not for live sources. */
    KODAMA_OVERFLOW_REJECT,
};

struct kodama_stream_event;

/** Called on the dispatcher thread for each event; borrowed for the call. It may call whatever a
 * chunk callback may. */
typedef void (*kodama_stream_event_function)(void *user, const struct kodama_stream_event *event);

struct kodama_stream_config {
    size_t size;           /**< sizeof this struct, set by KODAMA_STREAM_CONFIG_INIT */
    double ring_seconds;   /**< history kept, up to 86400 s; 0: 2 s */
    uint32_t chunk_frames; /**< frames per chunk, to begin with; 0: 10 ms. The ring keeps two at
                              least */
    bool adaptive; /**< let chunks become 5 to 20 ms long by how the dispatcher keeps up: longer at
                      once when it does not, shorter by and by when it does */
    /** Holds for the dispatcher, and REJECT for every lossless cursor of the ring. */
    enum kodama_overflow overflow;
    /** The stream's own callback: its id is 0, its priority 0, and its first failure ends the
     * stream. May be NULL. */
    kodama_chunk_function on_chunk;
    void *user;                            /**< handed to on_chunk */
    kodama_stream_event_function on_event; /**< may be NULL */
    void *event_user;                      /**< handed to on_event */
    const struct kodama_log *log;          /**< may be NULL; events are logged, too */
};
#define KODAMA_STREAM_CONFIG_INIT                   \
    {                                               \
        .size = sizeof(struct kodama_stream_config) \
    }

/**
 * Open a stream around a source.
 *
 * @param[out] stream  owned by the caller; NULL on error
 * @param source       taken on success: the stream closes it; the caller's still on error
 * @param config       borrowed for the call (log, users: for the stream's life); NULL: defaults
 * @param[out] error   may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_LIVE (a live source shall wait or reject),
 * KODAMA_ERR_LIMIT, KODAMA_ERR_MEMORY, KODAMA_ERR_SYSTEM
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_stream_open(struct kodama_stream **stream, struct kodama_source *source,
                                  const struct kodama_stream_config *config,
                                  struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Stop and free a stream, in any state. A callback that runs is waited for, and is the last one:
 * what was not dispatched yet is dropped. Who wants it stops the stream and waits before. Cursors
 * opened on its ring must be closed before. NULL is allowed.
 *
 * Thread: owner, not from a callback. Real-time safe: no.
 */
KODAMA_API void kodama_stream_close(struct kodama_stream *stream);

/**
 * Start the source and the dispatcher, for the first time or again after a stop.
 *
 * A stream that is started again goes on with the same timeline: positions, chunks and counters
 * continue, a KODAMA_MARK_CLOCK stands at the seam, and cursors that were told KODAMA_ERR_CLOSED
 * read on. A reader that had not come to the end (a recorder whose disk is slow) never learns that
 * there was one: who wants it to end there waits for it before. The call waits until what the stop
 * left was dispatched. A file goes on with the frame that comes next; a source that came to its end
 * by itself ends again at once.
 *
 * @param stream      opened
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_STATE (it runs, or is stopped by somebody else meanwhile, or this
 * is one of its callbacks), or why the source refused; after a refusal it may be tried again
 *
 * Thread: any, not from a callback. Real-time safe: no.
 */
KODAMA_API int kodama_stream_start(struct kodama_stream *stream, struct kodama_error *error);

/**
 * Stop the source and end the timeline: what was captured is still dispatched, then the stream has
 * ended. Returns when the source's thread has ended, which takes no longer than one read of a file;
 * kodama_stream_wait() waits for the end of the dispatching. Stopping twice is allowed.
 *
 * Thread: any, a callback's too. Real-time safe: no.
 */
KODAMA_API void kodama_stream_stop(struct kodama_stream *stream);

/**
 * Wait until everything was dispatched: the source has ended or was stopped.
 *
 * @param stream      started
 * @param timeout_ns  how long
 * @param[out] error  may be NULL; why the stream ended badly
 * @return KODAMA_OK (ended well), KODAMA_ERR_TIMEOUT (still running), KODAMA_ERR_STATE (not
 * started), or what the source or the stream's own callback failed with: the first of them
 *
 * Thread: any but the dispatcher. Real-time safe: no.
 */
KODAMA_API int kodama_stream_wait(struct kodama_stream *stream, int64_t timeout_ns,
                                  struct kodama_error *error);

/** The ring, for cursors of your own (pull reading). Lives as long as the stream. Thread: any.
 * Real-time safe: yes. */
KODAMA_API struct kodama_ring *kodama_stream_ring(struct kodama_stream *stream);

/** The format of the stream's frames. Thread: any. Real-time safe: yes. */
KODAMA_API struct kodama_format kodama_stream_format(const struct kodama_stream *stream);

/** Frames per chunk now. Thread: any. Real-time safe: yes. */
KODAMA_API uint32_t kodama_stream_chunk_frames(const struct kodama_stream *stream);

/**
 * Enlarge or shrink the chunks by hand, from the next one on; an adaptive stream goes on from
 * there.
 *
 * @param stream    in any state
 * @param n_frames  1 to half of what the ring keeps
 * @return KODAMA_OK or KODAMA_ERR_ARGUMENT
 *
 * Thread: any, a callback's too. Real-time safe: yes, may wake.
 */
KODAMA_API int kodama_stream_resize_chunk(struct kodama_stream *stream, uint32_t n_frames);

/* ----------------------------------------------------------- the callbacks */

/** Room for a callback's name, with its end; longer ones are cut. */
enum { KODAMA_CALLBACK_NAME_BYTES = 48 };

struct kodama_callback_config {
    size_t size;                    /**< sizeof this struct, set by KODAMA_CALLBACK_CONFIG_INIT */
    const char *name;               /**< for statistics, events and the log; copied; may be NULL */
    kodama_chunk_function on_chunk; /**< called for each chunk */
    void *user;                     /**< handed to on_chunk */
    int priority;                   /**< higher ones are called first; equal ones as they came */
    uint32_t failures_max;          /**< disabled after so many failures in a row; 0: 3 */
    bool disabled;                  /**< begin disabled */
};
#define KODAMA_CALLBACK_CONFIG_INIT                   \
    {                                                 \
        .size = sizeof(struct kodama_callback_config) \
    }

/**
 * Add a callback. It sees the chunks from the first one after this call.
 *
 * Callbacks may be added, enabled, disabled and removed at any time, from any thread and from
 * within callbacks. No lock is held while one runs.
 *
 * @param stream      in any state
 * @param config      borrowed for the call (user: until it is removed)
 * @param[out] error  may be NULL
 * @return its id, 1 or more, or KODAMA_ERR_ARGUMENT, KODAMA_ERR_LIMIT, KODAMA_ERR_MEMORY
 *
 * Thread: any, a callback's too. Real-time safe: no.
 */
KODAMA_API int kodama_stream_add(struct kodama_stream *stream,
                                 const struct kodama_callback_config *config,
                                 struct kodama_error *error);

/** Enable a callback and forget its failures. KODAMA_OK, KODAMA_ERR_NOT_FOUND. Thread: any, a
 * callback's too. Real-time safe: no. */
KODAMA_API int kodama_stream_enable(struct kodama_stream *stream, int id);

/** Disable a callback. When this returns it is not running, unless this is called from within it.
 * (Hold no lock here that the callback takes.) KODAMA_OK, KODAMA_ERR_NOT_FOUND. Thread: any, a
 * callback's too. Real-time safe: no. */
KODAMA_API int kodama_stream_disable(struct kodama_stream *stream, int id);

/** Remove a callback, with the promise of kodama_stream_disable(): after it what the callback uses
 * may be freed; from within the callback, after that call of it. KODAMA_OK, KODAMA_ERR_NOT_FOUND.
 * Thread: any, a callback's too. Real-time safe: no. */
KODAMA_API int kodama_stream_remove(struct kodama_stream *stream, int id);

/** Counters of a callback. */
struct kodama_callback_stats {
    char name[KODAMA_CALLBACK_NAME_BYTES]; /**< "" when it has none */
    int id;                                /**< 0: the stream's own */
    int priority;                          /**< as configured */
    bool enabled;                          /**< whether it is called */
    bool failed;                           /**< disabled by its failures */
    uint64_t calls;                        /**< calls that returned */
    uint64_t failures;                     /**< of which failed */
    uint64_t frames;                       /**< frames it was handed */
    uint64_t total_ns;                     /**< time spent in it; the mean is total_ns / calls */
    uint64_t max_ns;                       /**< longest call */
};

/** Read the counters of a callback: a snapshot that agrees in itself. KODAMA_OK,
 * KODAMA_ERR_NOT_FOUND. Thread: any, a callback's too. Real-time safe: no. */
KODAMA_API int kodama_stream_callback_stats(const struct kodama_stream *stream, int id,
                                            struct kodama_callback_stats *stats);

/** List the callbacks in the order in which they are called.
 *
 * @param stream    in any state
 * @param[out] ids  up to max of them; may be NULL when max is 0
 * @param max       room in ids
 * @return how many there are; may exceed max
 *
 * Thread: any, a callback's too. Real-time safe: no. */
KODAMA_API int kodama_stream_callbacks(const struct kodama_stream *stream, int *ids, size_t max);

/* -------------------------------------------------------------- the events */

/** Conditions that are told once. Those that last are told a second time, `over`, when they end. */
enum kodama_stream_event_kind {
    /** More than 80 % of the ring waits for the dispatcher: soon frames are lost, or the source is
     * held up. Over below 50 %. Not for a source that may be as fast as it is read and waits: that
     * one is full as a rule. `length`: frames that wait. */
    KODAMA_STREAM_QUEUE = 1,
    /** Frames are missing that the source did not have, or that were refused: `position`, `length`.
     * Told when all of it is known; a gap that comes in periods is one gap. */
    KODAMA_STREAM_GAP,
    /** The dispatcher was lapped: `position`, `length` of the first loss. Over, with all that was
     * lost meanwhile as `length`, when less than 50 % of the ring waits. */
    KODAMA_STREAM_LOST,
    /** What is captured has gone; over when it is back. */
    KODAMA_STREAM_VANISHED,
    /** A callback failed again and again and is disabled: `callback`, `status`. */
    KODAMA_STREAM_CALLBACK,
    /** A chunk reached the callbacks more than 100 ms after it was written. Over below 50 ms. Only
     * for sources that keep time. */
    KODAMA_STREAM_LAG,
    /** The timeline has ended: `status`. The last event, until the stream is started again. */
    KODAMA_STREAM_ENDED,
};

struct kodama_stream_event {
    enum kodama_stream_event_kind kind;
    bool over;         /**< the condition has ended */
    uint64_t sequence; /**< counts the events of a stream, from 0 */
    uint64_t position; /**< frame that it is about */
    uint64_t length;   /**< frames, where the kind says so; else 0 */
    uint64_t time_ns;  /**< monotonic time at which it was noticed */
    int callback;      /**< id, for KODAMA_STREAM_CALLBACK */
    int status;        /**< KODAMA_OK, or what the source or the callback failed with */
    char text[200];    /**< in words, one line */
};

/**
 * Take the next event. The newest 64 that nobody has taken are kept (events_missed counts others),
 * whether or not there is an on_event.
 *
 * @param stream       in any state
 * @param[out] event   the event
 * @param timeout_ns   how long to wait
 * @return KODAMA_OK, KODAMA_ERR_EMPTY (timeout_ns is 0), KODAMA_ERR_TIMEOUT, or KODAMA_ERR_CLOSED
 * (the stream has ended and all were taken)
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_stream_next_event(struct kodama_stream *stream,
                                        struct kodama_stream_event *event, int64_t timeout_ns);

/** A waitable that is signalled while there are events or the stream has ended; valid until the
 * stream is closed. KODAMA_OK, KODAMA_ERR_SYSTEM. Thread: any. Real-time safe: no. */
KODAMA_API int kodama_stream_event_waitable(struct kodama_stream *stream,
                                            struct kodama_waitable *waitable);

/** The name of a kind of event, such as "queue"; "unknown" for a foreign one. Thread: any.
 * Real-time safe: yes. */
KODAMA_API const char *kodama_stream_event_name(enum kodama_stream_event_kind kind);

/** Frames that are not on the timeline as they should be. */
struct kodama_gap {
    uint64_t position; /**< first frame */
    uint64_t length;   /**< frames; one that still lasts grows */
    bool lost;         /**< by the dispatcher, which was lapped; else by the source */
};

/**
 * The newest gaps, in order of their discovery; 256 are kept.
 *
 * @param stream     in any state
 * @param[out] gaps  the newest, up to max; may be NULL when max is 0
 * @param max        room in gaps
 * @return how many there were in all
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int64_t kodama_stream_gaps(const struct kodama_stream *stream, struct kodama_gap *gaps,
                                      size_t max);

/* ---------------------------------------------------------- the statistics */

/** Counters of a stream since it was opened; exact, read without a lock. When it has ended, frames
 * + lost_frames = source.frames, if there was a callback from the start. */
struct kodama_stream_stats {
    struct kodama_source_stats source; /**< what the source did */
    struct kodama_ring_stats ring;     /**< what the ring did */
    uint64_t chunks;                   /**< chunks dispatched */
    uint64_t frames;                   /**< frames dispatched, and whole until the end of it */
    uint64_t silent_frames;            /**< of which the source said they are silent, or missing */
    uint64_t lost_frames;              /**< frames that the dispatcher lost to a full ring */
    uint64_t rejected_frames;   /**< frames that were refused (KODAMA_OVERFLOW_REJECT); those on the
                                   timeline are in source.gap_frames, too */
    uint64_t gaps;              /**< gaps and losses, see kodama_stream_gaps() */
    uint64_t events;            /**< events told */
    uint64_t events_missed;     /**< of which dropped before anybody took them */
    uint64_t wakeups;           /**< times the dispatcher was woken from sleep */
    uint64_t callback_ns;       /**< time spent in callbacks in all */
    uint64_t callback_max_ns;   /**< longest single call */
    uint64_t queue_frames;      /**< frames waiting for the dispatcher now */
    uint64_t queue_most_frames; /**< most frames that ever waited */
    uint32_t chunk_frames;      /**< frames per chunk now */
    /** From the write of a chunk's last frame to the first callback's call; within 3 %. 0 before
     * the first one. */
    uint64_t latency_p50_ns, latency_p99_ns, latency_max_ns;
    uint64_t starts; /**< how often it was started */
};

/** Read the counters. Thread: any. Real-time safe: yes. */
KODAMA_API void kodama_stream_stats(const struct kodama_stream *stream,
                                    struct kodama_stream_stats *stats);

#endif
