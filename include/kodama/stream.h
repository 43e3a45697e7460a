/*
 * Streams: a running source with its ring, its dispatcher thread and its statistics.
 *
 * The source writes the ring; the dispatcher hands chunks to a callback; anybody may open further
 * cursors on kodama_stream_ring() and pull. A slow callback lags its own cursor and nobody else's.
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

struct kodama_stream;

/**
 * Called on the dispatcher thread for each chunk.
 *
 * The last call of a stream that ends has chunk->is_last set, also after kodama_stream_stop(). Its
 * chunk is shorter as a rule, and has 0 frames when the timeline ends where a chunk ends. There is
 * no such call after the callback has failed or the stream was closed before its end.
 *
 * @param user   from the configuration
 * @param chunk  borrowed for the call; its frames are in the stream's format. A dispatcher that may
 * lose frames (lossy, live) and spends a whole ring's time in one call finds them overwritten while
 * it reads: kodama_stream_stats() counts them as lost_frames
 * @return KODAMA_OK to go on, or an error that ends the stream (kodama_stream_wait() returns it)
 */
typedef int (*kodama_chunk_function)(void *user, const struct kodama_chunk *chunk);

struct kodama_stream_config {
    size_t size;                    /**< sizeof this struct, set by KODAMA_STREAM_CONFIG_INIT */
    double ring_seconds;            /**< history kept, up to 86400 s; 0: 2 s */
    uint32_t chunk_frames;          /**< frames per chunk; 0: 10 ms. The ring keeps two at least */
    kodama_chunk_function on_chunk; /**< may be NULL: then everything is pulled */
    void *user;                     /**< handed to on_chunk */
    /** The dispatcher may be lapped rather than hold back a source that could wait. Live sources
     * always lap. */
    bool lossy;
    const struct kodama_log *log; /**< may be NULL */
};
#define KODAMA_STREAM_CONFIG_INIT                   \
    {                                               \
        .size = sizeof(struct kodama_stream_config) \
    }

/** Counters of a stream; exact, read without a lock. */
struct kodama_stream_stats {
    struct kodama_source_stats source; /**< what the source did */
    struct kodama_ring_stats ring;     /**< what the ring did */
    uint64_t chunks;                   /**< chunks dispatched */
    uint64_t frames;                   /**< frames dispatched */
    uint64_t lost_frames;              /**< frames that the dispatcher lost to a full ring */
    uint64_t callback_ns;              /**< time spent in the callback in all */
    uint64_t callback_max_ns;          /**< longest single call */
    uint64_t queue_frames;             /**< frames waiting for the dispatcher now */
};

/**
 * Open a stream around a source.
 *
 * @param[out] stream  owned by the caller; NULL on error
 * @param source       taken on success: the stream closes it; the caller's still on error
 * @param config       borrowed for the call (log, user: for the stream's life); NULL: defaults
 * @param[out] error   may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_MEMORY, KODAMA_ERR_SYSTEM
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
 * Thread: owner, not from the callback. Real-time safe: no.
 */
KODAMA_API void kodama_stream_close(struct kodama_stream *stream);

/** Start the source and the dispatcher. KODAMA_OK, KODAMA_ERR_STATE (started or stopped before) or
 * why the source refused; after a refusal it may be tried again. Thread: owner. Real-time safe: no.
 */
KODAMA_API int kodama_stream_start(struct kodama_stream *stream, struct kodama_error *error);

/**
 * Stop the source and end the timeline: what was captured is still dispatched, then the stream has
 * ended. Returns when the source's thread has ended, which takes no longer than one read of a file;
 * kodama_stream_wait() waits for the end of the dispatching. Stopping twice is allowed.
 *
 * Thread: any, the callback's too. Real-time safe: no.
 */
KODAMA_API void kodama_stream_stop(struct kodama_stream *stream);

/**
 * Wait until everything was dispatched: the source has ended or was stopped.
 *
 * @param stream      started
 * @param timeout_ns  how long
 * @param[out] error  may be NULL; why the stream ended badly
 * @return KODAMA_OK (ended well), KODAMA_ERR_TIMEOUT (still running), KODAMA_ERR_STATE (not
 * started), or what the source or callback failed with: the first of them
 *
 * Thread: any but the dispatcher. Real-time safe: no.
 */
KODAMA_API int kodama_stream_wait(struct kodama_stream *stream, int64_t timeout_ns,
                                  struct kodama_error *error);

/** The ring, for cursors of your own (pull reading). Lives as long as the stream. */
KODAMA_API struct kodama_ring *kodama_stream_ring(struct kodama_stream *stream);

/** The format of the stream's frames. */
KODAMA_API struct kodama_format kodama_stream_format(const struct kodama_stream *stream);

/** Read the counters. Thread: any. Real-time safe: yes. */
KODAMA_API void kodama_stream_stats(const struct kodama_stream *stream,
                                    struct kodama_stream_stats *stats);

#endif
