/*
 * Voice activity detectors: a window of samples in, a speech probability out.
 *
 * A detector works on mono float at 16 kHz in windows of its own length (10 ms, 32 ms); some hear
 * 8 kHz, too. Context that it needs from earlier windows is its own business; that state can be
 * saved and loaded. Many live detectors: detector_pool.h. Finished audio on all cores: scanner.h.
 */
#ifndef KODAMA_DETECTOR_H
#define KODAMA_DETECTOR_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/status.h>

struct kodama_detector;

/** Which detector, and with what. */
struct kodama_detector_config {
    size_t size;      /**< sizeof this struct, set by KODAMA_DETECTOR_CONFIG_INIT */
    const char *name; /**< NULL: the default; kodama_detector_name() lists them */
    uint32_t rate_hz; /**< 16000, or 8000 for those that can ("silero", "webrtc") */

    /* For detectors that run a trained model; the others do not look at these. */
    const char *model;    /**< file of the model; NULL: the usual places, see docs/detectors.md */
    const char *runtime;  /**< library that runs it, or its folder; NULL: the usual places */
    const char *provider; /**< what it runs on, "cpu", "cuda" ...; NULL: "cpu" */
    uint32_t n_threads;   /**< threads that share one window's work; 0: 1, which is best */
};
#define KODAMA_DETECTOR_CONFIG_INIT                                     \
    {                                                                   \
        .size = sizeof(struct kodama_detector_config), .rate_hz = 16000 \
    }

/**
 * Open a detector by name, with everything else at its default.
 *
 * @param[out] detector  owned by the caller; NULL on error
 * @param name           "builtin", "silero", "webrtc"; NULL: the default
 * @param rate_hz        16000, or 8000 for those that can
 * @param[out] error     may be NULL
 * @return as kodama_detector_open_with()
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_detector_open(struct kodama_detector **detector, const char *name,
                                    uint32_t rate_hz, struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Open a detector.
 *
 * What is large is shared: all detectors of a process with the same model, runtime, provider and
 * number of threads use one copy of the model, which is loaded by the first and unloaded after the
 * last. Opening the first one takes some 100 ms, the others are cheap.
 *
 * @param[out] detector  owned by the caller; NULL on error
 * @param config         borrowed for the call; NULL: the default detector at 16 kHz
 * @param[out] error     may be NULL; says what is missing and what to do
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_NOT_FOUND (detector, model or runtime),
 *         KODAMA_ERR_FORMAT (a rate that it does not hear), KODAMA_ERR_CORRUPT (not a model of this
 *         kind, or a damaged one), KODAMA_ERR_UNSUPPORTED (runtime too old, provider not there, or
 *         built without it), KODAMA_ERR_ENGINE (the runtime refused), KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_detector_open_with(struct kodama_detector **detector,
                                         const struct kodama_detector_config *config,
                                         struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Whether a detector can work here: opens and closes it.
 *
 * @param config      as kodama_detector_open_with()
 * @param[out] about  may be NULL; what it works with, or what is missing and what to do
 * @param n_bytes     room in about
 * @return as kodama_detector_open_with()
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_detector_probe(const struct kodama_detector_config *config, char *about,
                                     size_t n_bytes);

/** Close a detector; NULL is allowed. Thread: owner. Real-time safe: no. */
KODAMA_API void kodama_detector_close(struct kodama_detector *detector);

/** Samples per window. Thread: any. Real-time safe: yes. */
KODAMA_API uint32_t kodama_detector_window(const struct kodama_detector *detector);

/** By how many samples the probability lags the window it is returned for (look-ahead of a
 * smoother), usually 0. Thread: any. Real-time safe: yes. */
KODAMA_API uint32_t kodama_detector_delay(const struct kodama_detector *detector);

/**
 * Judge one window.
 *
 * @param detector  used by one thread at a time
 * @param samples   kodama_detector_window() samples, mono, nominal range -1..1
 * @return probability of speech 0..1, >= 0 always, also for silence, clipping and non-finite
 * samples
 *
 * Thread: owner. Real-time safe: yes.
 */
KODAMA_API float kodama_detector_process(struct kodama_detector *detector, const float *samples);

/** Forget everything heard. Thread: owner. Real-time safe: yes. */
KODAMA_API void kodama_detector_reset(struct kodama_detector *detector);

/**
 * Save the state.
 *
 * @param detector   unchanged
 * @param[out] data  room for the state; NULL to ask for its size
 * @param n_bytes    size of data
 * @return bytes of the state, or KODAMA_ERR_ARGUMENT (no room)
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API int64_t kodama_detector_save(const struct kodama_detector *detector, void *data,
                                        size_t n_bytes);

/** Load a saved state into a detector of the same name. KODAMA_OK or KODAMA_ERR_CORRUPT (then it
 * was reset). Thread: owner. Real-time safe: no. */
KODAMA_API int kodama_detector_load(struct kodama_detector *detector, const void *data,
                                    size_t n_bytes);

/** Names of the detectors in this build: index 0 (the default), 1, ... until NULL. Thread: any.
 * Real-time safe: yes. */
KODAMA_API const char *kodama_detector_name(size_t index);

#endif
