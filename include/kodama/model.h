/*
 * Recognition models: loaded once, shared by every conversation, with a pool of decoders.
 *
 * Three levels: the model (weights, shared, immutable), the decoder (a working set that is leased
 * for one utterance; the pool has a few), the conversation (kodama_recognizer: small,
 * serialisable).
 */
#ifndef KODAMA_MODEL_H
#define KODAMA_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/log.h>
#include <kodama/status.h>

struct kodama_model;

struct kodama_model_config {
    size_t size;        /**< sizeof this struct, set by KODAMA_MODEL_CONFIG_INIT */
    const char *engine; /**< "pocketsphinx", "whisper"; NULL: the one that `path` is for, else the
                           best one that is there */
    const char *path; /**< folder or file of the model, or its name in the user's model store; NULL:
                         the engine's default */
    const char *grammar; /**< JSGF grammar file: recognise only what it allows; NULL: dictation */
    uint32_t n_decoders; /**< decoders and threads in the pool; 0: one per processor, at most 4 */
    const struct kodama_log *log; /**< may be NULL */
    const char *language; /**< that conversations are in unless they say otherwise: "en", "de", ...;
                             "auto" or NULL: found out for each utterance. Engines that know one
                             language only ignore it. */
};
#define KODAMA_MODEL_CONFIG_INIT                   \
    {                                              \
        .size = sizeof(struct kodama_model_config) \
    }

/** What the pool of decoders is doing; a snapshot. */
struct kodama_model_stats {
    uint32_t n_decoders;       /**< decoders; each is loaded when those before it are in use */
    uint32_t n_leased;         /**< of which in use for an utterance now */
    uint32_t finals_waiting;   /**< finals in the queue */
    uint32_t partials_waiting; /**< utterances whose partial is due */
    uint64_t finals;           /**< finals decoded */
    uint64_t finals_discarded; /**< begun at a pause and void because speech went on */
    uint64_t partials;         /**< partials decoded */
    uint64_t partials_shed;    /**< partials not made because decoders were busy */
    uint64_t audio_ns;         /**< audio decoded for finals */
    uint64_t final_cpu_ns;     /**< processor time spent on finals */
    uint64_t partial_cpu_ns;   /**< processor time spent on partials */
};

/**
 * Load a model.
 *
 * @param[out] model  owned by the caller; NULL on error
 * @param config      borrowed for the call (log: for the model's life); NULL: defaults
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND (engine, model or grammar), KODAMA_ERR_CORRUPT,
 * KODAMA_ERR_ENGINE, KODAMA_ERR_MEMORY
 *
 * Takes up to seconds. Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_model_open(struct kodama_model **model,
                                 const struct kodama_model_config *config,
                                 struct kodama_error *error) KODAMA_MUST_USE;

/** Unload a model; its recognisers must have been closed. NULL is allowed. Thread: owner. Real-time
 * safe: no. */
KODAMA_API void kodama_model_close(struct kodama_model *model);

/**
 * Wait until no recogniser uses a model any more, so that it can be closed.
 *
 * @param model       borrowed
 * @param timeout_ns  how long to wait; 0: ask only
 * @return KODAMA_OK or KODAMA_ERR_TIMEOUT
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_model_wait_unused(struct kodama_model *model, int64_t timeout_ns);

/** The engine's name, and the model's for a person. Live as long as the model. Thread: any.
 * Real-time safe: yes. */
KODAMA_API const char *kodama_model_engine(const struct kodama_model *model);
KODAMA_API const char *kodama_model_name(const struct kodama_model *model);

/** What the pool is doing. Thread: any. Real-time safe: no. */
KODAMA_API void kodama_model_stats(struct kodama_model *model, struct kodama_model_stats *stats);

/** Names of the engines in this build: index 0 (the best), 1, ... until NULL. Thread: any.
 * Real-time safe: yes. */
KODAMA_API const char *kodama_engine_name(size_t index);

/**
 * Whether an engine can work here, with its default model.
 *
 * @param name           an engine's name
 * @param[out] where     may be NULL; version and default model, or what is missing and how to get
 * it
 * @param n_bytes        room in where
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND (no such engine, or its default model is missing)
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_engine_probe(const char *name, char *where, size_t n_bytes);

#endif
