/*
 * The detector pool: many live detectors on few threads.
 *
 * Each stream of audio takes a seat: a detector with an inbox for samples. Writing never computes:
 * it hands whole windows to the pool's threads, one for each processor. A seat is judged by one
 * thread at a time and in order, and goes to the end of the queue after some windows, so that none
 * waits for another's backlog. When a seat's inbox is full its writer feels it; nothing is dropped.
 *
 * Results go to a callback, on the thread that made them, or are kept until they are read; when as
 * many are kept as there is room for, the seat is not judged further until they are.
 */
#ifndef KODAMA_DETECTOR_POOL_H
#define KODAMA_DETECTOR_POOL_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/detector.h>
#include <kodama/status.h>
#include <kodama/waitable.h>

struct kodama_detector_pool;
struct kodama_detector_seat;

struct kodama_detector_pool_config {
    size_t size; /**< sizeof this struct, set by KODAMA_DETECTOR_POOL_CONFIG_INIT */
    const struct kodama_detector_config *detector; /**< of every seat; NULL: the default one */
    uint32_t n_threads;                            /**< 0: one per processor */
    uint32_t inbox_ms;                             /**< audio that a seat takes in advance */
};
#define KODAMA_DETECTOR_POOL_CONFIG_INIT                                    \
    {                                                                       \
        .size = sizeof(struct kodama_detector_pool_config), .inbox_ms = 500 \
    }

/** What the pool is doing; a snapshot. */
struct kodama_detector_pool_stats {
    uint32_t n_threads;    /**< threads */
    uint32_t n_seats;      /**< seats taken */
    uint32_t n_waiting;    /**< of which have windows to be judged and no thread yet */
    uint64_t windows;      /**< windows judged */
    uint64_t busy_ns;      /**< processor time that this took */
    uint64_t wait_ns;      /**< time that seats waited for a thread, summed over turns */
    uint64_t turns;        /**< how often a seat got a thread */
    uint64_t wait_most_ns; /**< the longest such wait */
};

/** A window that was judged. */
struct kodama_detector_result {
    uint64_t begin;     /**< first sample of the window, counted from the seat's first one */
    uint32_t n_samples; /**< of the window */
    float probability;  /**< of speech, 0..1 */
};

struct kodama_detector_seat_config {
    size_t size; /**< sizeof this struct, set by KODAMA_DETECTOR_SEAT_CONFIG_INIT */
    /** Called for each window in order, on one of the pool's threads, never twice at once for a
     * seat, and never after it was left; NULL: results are kept for kodama_detector_seat_read(). It
     * may write to seats with a timeout of 0; it must not wait for its own, or leave it. */
    void (*on_result)(void *user, const struct kodama_detector_result *result);
    void *user;      /**< handed to on_result */
    uint32_t n_kept; /**< results kept without a callback; 0: as many as the inbox has windows */
};
#define KODAMA_DETECTOR_SEAT_CONFIG_INIT                   \
    {                                                      \
        .size = sizeof(struct kodama_detector_seat_config) \
    }

/**
 * Open a pool.
 *
 * @param[out] pool   owned by the caller; NULL on error
 * @param config      borrowed for the call; NULL: defaults
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_MEMORY, KODAMA_ERR_SYSTEM (no thread), or what
 *         kodama_detector_open_with() returned: the configuration is tried
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_detector_pool_open(struct kodama_detector_pool **pool,
                                         const struct kodama_detector_pool_config *config,
                                         struct kodama_error *error) KODAMA_MUST_USE;

/** Close a pool; all seats must have been left. NULL is allowed. Thread: any. Real-time safe:
 * no. */
KODAMA_API void kodama_detector_pool_close(struct kodama_detector_pool *pool);

/** What the pool is doing. Thread: any. Real-time safe: no. */
KODAMA_API void kodama_detector_pool_stats(struct kodama_detector_pool *pool,
                                           struct kodama_detector_pool_stats *stats);

/** Samples per window of its detectors. Thread: any. Real-time safe: yes. */
KODAMA_API uint32_t kodama_detector_pool_window(const struct kodama_detector_pool *pool);

/**
 * Take a seat.
 *
 * @param[out] seat   owned by the caller; NULL on error
 * @param pool        outlives the seat
 * @param config      borrowed for the call; NULL: results are kept
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_MEMORY, or what kodama_detector_open_with()
 *         returned
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_detector_seat_take(struct kodama_detector_seat **seat,
                                         struct kodama_detector_pool *pool,
                                         const struct kodama_detector_seat_config *config,
                                         struct kodama_error *error) KODAMA_MUST_USE;

/** Leave a seat: what is not judged yet is dropped, a callback that runs is waited for. Nobody else
 * may be using the seat. NULL is allowed. Thread: any but in on_result. Real-time safe: no. */
KODAMA_API void kodama_detector_seat_leave(struct kodama_detector_seat *seat);

/**
 * Give samples to be judged.
 *
 * @param seat        one thread at a time writes
 * @param samples     mono float at the detector's rate
 * @param n_samples   how many
 * @param timeout_ns  how long to wait for room; 0: take what there is room for; KODAMA_FOREVER
 * @return samples taken, more than 0 (all of them unless the time ran out), 0 when n_samples is 0,
 *         or
 *         KODAMA_ERR_FULL     timeout_ns is 0 and there is no room
 *         KODAMA_ERR_TIMEOUT  there was no room in time
 *
 * Thread: writer. Real-time safe: no (takes a lock for some ns, may wake).
 */
KODAMA_API int64_t kodama_detector_seat_write(struct kodama_detector_seat *seat,
                                              const float *samples, size_t n_samples,
                                              int64_t timeout_ns);

/**
 * Read results that are kept.
 *
 * @param seat          without on_result; one thread at a time reads
 * @param[out] results  room for max_results
 * @param max_results   1 or more
 * @param timeout_ns    how long to wait for the first one; 0: look only; KODAMA_FOREVER
 * @return results read, or KODAMA_ERR_EMPTY (timeout_ns is 0 and there is none),
 * KODAMA_ERR_TIMEOUT, KODAMA_ERR_ARGUMENT (no room, or the seat has a callback)
 *
 * Thread: reader. Real-time safe: no.
 */
KODAMA_API int64_t kodama_detector_seat_read(struct kodama_detector_seat *seat,
                                             struct kodama_detector_result *results,
                                             size_t max_results, int64_t timeout_ns);

/** Signalled while there are results to be read; made at the first call. There is none when the
 * system has no descriptor left or the seat has a callback. Thread: reader. Real-time safe: no. */
KODAMA_API struct kodama_waitable kodama_detector_seat_waitable(struct kodama_detector_seat *seat);

/**
 * Wait until all whole windows that were written are judged and told, or kept.
 *
 * @param seat        used as for writing
 * @param timeout_ns  0: look only; KODAMA_FOREVER. A seat whose results are kept and not read may
 *                    never be done.
 * @return KODAMA_OK or KODAMA_ERR_TIMEOUT
 *
 * Thread: writer, not in on_result. Real-time safe: no.
 */
KODAMA_API int kodama_detector_seat_drain(struct kodama_detector_seat *seat, int64_t timeout_ns);

#endif
