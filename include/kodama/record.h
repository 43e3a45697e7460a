/*
 * Recording in one call: a source goes into a clip or a file, with a callback for each chunk and
 * one for the end.
 *
 *   - kodama_record_with() blocks until the recording has ended;
 *   - kodama_record_start() lets it run on a thread of its own: kodama_record_cancel() ends it from
 *     any thread or signal handler, kodama_record_wait() and a waitable tell when it has ended.
 *
 * A recording ends when it is as long as was asked for, when the source ends, when a callback says
 * so, when it is cancelled, or when something fails. Whatever the reason: what was captured until
 * then is kept, in the clip or in a file that can be played.
 *
 * The timeline is exact. Frames that were lost because the disk or a callback was too slow are
 * silence of the same length, and counted; so are gaps of the source. A source that can wait (a
 * file, a pipe) loses nothing.
 *
 * This is a stream with a cursor of its own, and for files a recorder; who wants several readers of
 * one source, pauses or split files uses those (stream.h, recorder.h).
 */
#ifndef KODAMA_RECORD_H
#define KODAMA_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/clip.h>
#include <kodama/format.h>
#include <kodama/log.h>
#include <kodama/source.h>
#include <kodama/status.h>
#include <kodama/stream.h>
#include <kodama/waitable.h>

struct kodama_record;

/** What a chunk callback may answer besides KODAMA_OK: the recording ends with this chunk, well. */
enum { KODAMA_RECORD_ENOUGH = 1 };

/** Why a recording ended. */
enum kodama_record_end {
    KODAMA_RECORD_RUNNING = 0, /**< it has not */
    KODAMA_RECORD_BY_LENGTH,   /**< it is as long as was asked for */
    KODAMA_RECORD_BY_SOURCE,   /**< the source ended, or failed */
    KODAMA_RECORD_BY_CALLBACK, /**< on_chunk said so, or failed */
    KODAMA_RECORD_BY_CANCEL,   /**< kodama_record_cancel() */
    KODAMA_RECORD_BY_MEMORY,   /**< the clip is as large as it may be, or memory is out */
    KODAMA_RECORD_BY_FILE,     /**< writing the file failed */
};

/** Counters of a recording, about what was recorded. */
struct kodama_record_stats {
    uint64_t frames;     /**< frames recorded, silence for lost ones included */
    double duration_s;   /**< the same in seconds */
    uint64_t chunks;     /**< chunks heard */
    uint64_t gap_frames; /**< of frames: silence that the source marked as a gap */
    uint64_t gaps;       /**< how often */
    uint64_t
        lost_frames;  /**< of frames: silence for what was lost here, to a slow callback or disk */
    double peak_db;   /**< loudest sample, dBFS */
    double rms_db;    /**< root of the mean square, dBFS */
    uint64_t clipped; /**< samples at full scale, see kodama_level */
    uint64_t bytes;   /**< bytes of the file; 0 for a clip */
    enum kodama_record_end ended_by; /**< KODAMA_RECORD_RUNNING until all is written */
    int status;                      /**< KODAMA_OK, or why it ended badly */
};

/** What on_complete is told; borrowed for the call. */
struct kodama_record_result {
    int status;               /**< KODAMA_OK, or why the recording ended badly */
    const char *message;      /**< the same in words; "" when it ended well */
    struct kodama_clip *clip; /**< what was captured, with frames or without; NULL with a path */
    const char *path;         /**< the file; NULL for a clip */
    struct kodama_record_stats stats;
};

struct kodama_record_config {
    size_t size;          /**< sizeof this struct, set by KODAMA_RECORD_CONFIG_INIT */
    uint64_t duration_ns; /**< length, rounded to whole frames; 0: see n_frames */
    uint64_t n_frames;    /**< length in frames; both 0: until something else ends it. Not both */
    /**
     * Called for each chunk after it was recorded, on the recording's thread; may be NULL. Returns
     * KODAMA_OK to go on, KODAMA_RECORD_ENOUGH to end here, or an error that ends the recording and
     * becomes its status. The position is that of the recording. The last chunk of a recording that
     * ends by its length or its source has is_last, and may have 0 frames.
     */
    kodama_chunk_function on_chunk;
    /** Called once for each recording that was begun, when all is written; on the recording's
     * thread; may be NULL. */
    void (*on_complete)(void *user, const struct kodama_record_result *result);
    /** Called once before anything is heard, by the thread that begins the recording; may be NULL.
     * `record` may be cancelled, from anywhere, until on_complete returns (or the
     * call, when it could not begin): this is how a blocking kodama_record_with() is ended from
     * outside. */
    void (*on_start)(void *user, struct kodama_record *record);
    void *user;            /**< handed to the three */
    uint32_t chunk_frames; /**< frames per chunk; 0: 10 ms */
    double ring_seconds;   /**< how long a callback or the disk may stall before a live source loses
                              frames; 0: 10 s */
    uint64_t max_bytes;    /**< of a clip's samples, 4 bytes each; 0: 1 GiB, 46 minutes of stereo at
                              48 kHz. A recording that reaches it ends with KODAMA_ERR_LIMIT. (Room
                              for a clip grows by doubling.) */
    /** A file instead of a clip, written as it comes by a kodama_recorder; the members that follow
     * are as in its configuration. */
    const char *path;
    enum kodama_file type;
    enum kodama_sample sample;
    double quality;
    bool overwrite;
    bool marks;
    const struct kodama_log *log; /**< may be NULL; borrowed for the recording's life */
};
#define KODAMA_RECORD_CONFIG_INIT                   \
    {                                               \
        .size = sizeof(struct kodama_record_config) \
    }

/**
 * Record, and return when it has ended.
 *
 * @param[out] clip   may be NULL; what was captured, owned by the caller, also when the recording
 *                    ended badly; NULL with a path, and when the recording could not begin
 * @param source      opened; taken in any case: it is closed when the call returns
 * @param config      borrowed for the call; NULL: defaults, a clip until the source ends
 * @param[out] stats  may be NULL
 * @param[out] error  may be NULL
 * @return KODAMA_OK (also when cancelled or ended by a callback), or why the recording could not
 *         begin: KODAMA_ERR_ARGUMENT, KODAMA_ERR_LIMIT (so long a clip exceeds max_bytes),
 *         KODAMA_ERR_MEMORY, KODAMA_ERR_SYSTEM, or as kodama_recorder_open() and the source's
 * start; or why it ended badly: KODAMA_ERR_LIMIT, KODAMA_ERR_MEMORY, KODAMA_ERR_IO, or what the
 *         source or on_chunk failed with
 *
 * Thread: any; the callbacks run on it. Real-time safe: no.
 */
KODAMA_API int kodama_record_with(struct kodama_clip **clip, struct kodama_source *source,
                                  const struct kodama_record_config *config,
                                  struct kodama_record_stats *stats, struct kodama_error *error);

/**
 * Begin to record on a thread of its own.
 *
 * @param[out] record  owned by the caller; NULL on error
 * @param source       opened; taken in any case
 * @param config       borrowed for the call (user, log: for the recording's life); NULL: defaults
 * @param[out] error   may be NULL
 * @return KODAMA_OK or why the recording could not begin, as kodama_record_with()
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_record_start(struct kodama_record **record, struct kodama_source *source,
                                   const struct kodama_record_config *config,
                                   struct kodama_error *error) KODAMA_MUST_USE;

/**
 * End a recording here: what has arrived until now is still recorded, then it ends well. Does not
 * wait. Cancelling twice, or after the end, is allowed.
 *
 * Thread: any, callbacks and signal handlers too. Real-time safe: yes, may wake.
 */
KODAMA_API void kodama_record_cancel(struct kodama_record *record);

/**
 * Wait until a recording has ended and on_complete has returned.
 *
 * @param record      started
 * @param timeout_ns  how long
 * @param[out] error  may be NULL; why it ended badly
 * @return KODAMA_OK, KODAMA_ERR_TIMEOUT (it still runs), or why it ended badly
 *
 * Thread: any but the recording's callbacks. Real-time safe: no.
 */
KODAMA_API int kodama_record_wait(struct kodama_record *record, int64_t timeout_ns,
                                  struct kodama_error *error);

/** A waitable that is signalled from the end of the recording on; valid until it is closed.
 *  KODAMA_OK or KODAMA_ERR_ARGUMENT. Thread: any. Real-time safe: no. */
KODAMA_API int kodama_record_waitable(struct kodama_record *record,
                                      struct kodama_waitable *waitable);

/**
 * Take the clip of a recording that has ended.
 *
 * @return the clip, owned by the caller; NULL before the end, with a path, and when it was taken
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API struct kodama_clip *kodama_record_take_clip(struct kodama_record *record);

/** Read the counters, also while it runs. Thread: any. Real-time safe: no (one short lock). */
KODAMA_API void kodama_record_stats(struct kodama_record *record,
                                    struct kodama_record_stats *stats);

/**
 * End a recording (as kodama_record_cancel()), wait until all is written, and free it, with a clip
 * that was not taken. NULL is allowed.
 *
 * Thread: owner, not from a callback. Real-time safe: no.
 */
KODAMA_API void kodama_record_close(struct kodama_record *record);

#endif
