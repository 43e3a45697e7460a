/*
 * The scanner: where in finished audio somebody speaks, judged on all cores.
 *
 * Detectors remember: Silero's model for minutes. So that parts of a recording can be judged at the
 * same time, what is remembered has a limit here: every chunk is judged by a detector that began to
 * listen one overlap before it, and knows nothing of what was earlier. That is so with one thread,
 * too, which is why the result is a function of the samples and the configuration, and the same to
 * the bit with any number of threads and however the samples were cut into blocks. It is not the
 * same as that of a segmenter which remembers everything: of silero's windows one in 160 to 350 was
 * judged otherwise, of builtin's next to none (docs/detectors.md). With chunk_ms = 0 it is the
 * same; then there is one thread.
 *
 * Memory is bounded: two chunks and one for each thread, 4.5 MB each with the defaults, are what is
 * kept of a recording of any length.
 */
#ifndef KODAMA_SCANNER_H
#define KODAMA_SCANNER_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/segmenter.h>
#include <kodama/status.h>

struct kodama_scanner;

struct kodama_scanner_config {
    size_t size;                              /**< sizeof this struct, set by the INIT macro */
    struct kodama_segmenter_config segmenter; /**< endpoint rules, and the detector */
    uint32_t n_threads; /**< 0: one per processor; 1: the caller's alone, and every decision is told
                             at once, as live audio wants it */
    uint32_t chunk_ms;  /**< so much is judged in one piece; 0: all of it, by one thread */
    uint32_t overlap_ms; /**< so much before a chunk is listened to, at most chunk_ms */
    /** May be NULL: called for each decision, in order, from the thread that writes or finishes. */
    void (*on_segment)(void *user, const struct kodama_segment *segment);
    /** May be NULL: called with the probabilities of n windows in a row, in order, before the
     * decisions that come from them. `first` is the first sample of the first window. */
    void (*on_probabilities)(void *user, uint64_t first, const float *probabilities, size_t n);
    void *user; /**< handed to both */
};
#define KODAMA_SCANNER_CONFIG_INIT                                                               \
    {                                                                                            \
        .size = sizeof(struct kodama_scanner_config), .segmenter = KODAMA_SEGMENTER_CONFIG_INIT, \
        .chunk_ms = 60000, .overlap_ms = 10000                                                   \
    }

/**
 * Open a scanner.
 *
 * @param[out] scanner  owned by the caller; NULL on error
 * @param config        borrowed for the call; NULL: defaults
 * @param[out] error    may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_MEMORY, KODAMA_ERR_SYSTEM (no thread), or what
 *         kodama_segmenter_open() returned
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_scanner_open(struct kodama_scanner **scanner,
                                   const struct kodama_scanner_config *config,
                                   struct kodama_error *error) KODAMA_MUST_USE;

/** Close a scanner; what is being judged is waited for and dropped. NULL is allowed. Thread: owner.
 * Real-time safe: no. */
KODAMA_API void kodama_scanner_close(struct kodama_scanner *scanner);

/**
 * Give samples. Waits while all threads are at work and as much as is kept waits for them.
 *
 * @param scanner    used by one thread at a time
 * @param samples    mono float at 16 kHz; may be NULL when n_samples is 0
 * @param n_samples  how many
 * @return KODAMA_OK, KODAMA_ERR_MEMORY, or KODAMA_ERR_CLOSED (after kodama_scanner_finish())
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API int kodama_scanner_write(struct kodama_scanner *scanner, const float *samples,
                                    size_t n_samples);

/** Say that no more samples come: everything is judged and told before it returns. Twice is
 * allowed. KODAMA_OK or KODAMA_ERR_MEMORY. Thread: owner. Real-time safe: no. */
KODAMA_API int kodama_scanner_finish(struct kodama_scanner *scanner);

/** Samples that were judged and told about so far; for progress. Thread: owner. Real-time safe:
 * yes. */
KODAMA_API uint64_t kodama_scanner_position(const struct kodama_scanner *scanner);

/** Samples per window of its detector. Thread: any. Real-time safe: yes. */
KODAMA_API uint32_t kodama_scanner_window(const struct kodama_scanner *scanner);

/** Threads that it uses, 1: that of the caller. Thread: any. Real-time safe: yes. */
KODAMA_API uint32_t kodama_scanner_threads(const struct kodama_scanner *scanner);

#endif
