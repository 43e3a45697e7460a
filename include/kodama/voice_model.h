/*
 * Voice models: a trained voice of the RVC kind, loaded once and shared by every voice that speaks
 * with it (kodama_voice_config.model). They run on ONNX Runtime, on the processor or on what else
 * that library was built for.
 *
 * A model is counted: each kodama_voice that uses it keeps it, so it may be closed at any time.
 */
#ifndef KODAMA_VOICE_MODEL_H
#define KODAMA_VOICE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/log.h>
#include <kodama/status.h>
#include <kodama/voice.h>

/** What a model is made of, and how it is spoken. */
struct kodama_voice_model_config {
    size_t size;           /**< sizeof this struct, set by KODAMA_VOICE_MODEL_CONFIG_INIT */
    const char *name;      /**< for messages; NULL: the generator's file name */
    const char *generator; /**< file of the voice itself, ONNX */
    const char *encoder;   /**< file of the content encoder, ONNX; NULL: content-256.onnx or
                              content-768.onnx where models are kept (docs/rvc.md) */
    const char *models;    /**< folder that is looked in first for it; NULL: none */
    const char *rmvpe;     /**< file of RMVPE, ONNX; NULL: the built-in pitch tracker */
    const char *index;     /**< index file, as kodama_voice_index_import() makes it; NULL: none */
    float index_rate;      /**< how far features are drawn towards the index, 0..1 */
    float protect;         /**< share of that where there is no pitch, 0..0.5; 0.5: all */
    float own_volume;      /**< 0: as loud as what comes in, 1: as loud as the model speaks */
    float transpose;       /**< semitones that this voice is always moved by, -48..48 */
    uint32_t speaker;      /**< number of the speaker, in models of several */
    const char *runtime;   /**< ONNX Runtime, see kodama_neural_probe(); NULL: the usual places */
    const char *provider;  /**< "cpu", "cuda" ...; NULL: "cpu" */
    uint32_t n_threads;    /**< within one run; 0: one per processor, at most 8 */
    uint32_t chunk_ms;     /**< smallest chunk that is tried live: 50, 100 or 200; 0: 100 */
    uint32_t context_ms;   /**< heard before what is said, 0..2500 */
    bool slow;             /**< speak live also where this machine is too slow: silent in places */
    const struct kodama_log *log; /**< warnings of voices that fall behind; may be NULL */
};
#define KODAMA_VOICE_MODEL_CONFIG_INIT                                                           \
    {                                                                                            \
        .size = sizeof(struct kodama_voice_model_config), .index_rate = 0.75f, .protect = 0.33f, \
        .own_volume = 0.25f, .context_ms = 500                                                   \
    }

/** What a model was found to be. */
struct kodama_voice_model_facts {
    char name[64];
    char dialect;     /**< 'A', 'B' or 'C', see docs/rvc.md */
    uint32_t version; /**< 1 (features of 256 dimensions) or 2 (768) */
    bool has_pitch;   /**< it follows a melody */
    bool half;        /**< float16 */
    bool has_rmvpe;   /**< its pitch is RMVPE's */
    uint32_t rate_hz; /**< that it was trained for */
    uint64_t n_index; /**< vectors of its index, 0: none */
    uint64_t n_bytes; /**< of all its files */
    uint32_t n_threads;
    uint32_t chunk_ms; /**< that it speaks in, live; 0: not measured yet */
    uint32_t
        chunk_most_ms;   /**< that the delay is sized for; larger where there is little to spare */
    uint32_t cost_ms[3]; /**< measured for a chunk of 50, 100, 200 ms; 0: not measured */
    bool sustained;      /**< this machine is fast enough for it, live */
};

/**
 * Load a model.
 *
 * @param[out] model  counted, the caller has one; NULL on error
 * @param config      borrowed for the call (log: for the model's life)
 * @param[out] error  may be NULL; says what was found, what was expected and what to do
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_NOT_FOUND (a file, the encoder, ONNX Runtime),
 *         KODAMA_ERR_FORMAT (not such a model, other dimensions), KODAMA_ERR_CORRUPT (damaged),
 *         KODAMA_ERR_UNSUPPORTED (operator, provider, or a build without ONNX Runtime),
 *         KODAMA_ERR_MEMORY, KODAMA_ERR_PERMISSION, KODAMA_ERR_IO, KODAMA_ERR_ENGINE
 *
 * Files that are in use already are shared. Takes up to seconds. Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_voice_model_open(struct kodama_voice_model **model,
                                       const struct kodama_voice_model_config *config,
                                       struct kodama_error *error) KODAMA_MUST_USE;

/** One more user. Thread: any. Real-time safe: yes. */
KODAMA_API void kodama_voice_model_keep(struct kodama_voice_model *model);

/** One user less; the last one unloads it. NULL is allowed. Thread: any. Real-time safe: no. */
KODAMA_API void kodama_voice_model_close(struct kodama_voice_model *model);

/**
 * Measure what this machine sustains: chunks of 100 ms (or config.chunk_ms), else of 200 ms. The
 * first voice that is opened live does it, unless it was done before.
 *
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_LIMIT (too slow for any; the error says by how much),
 *         KODAMA_ERR_MEMORY, KODAMA_ERR_ENGINE
 *
 * Takes about a second, or ten runs. Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_voice_model_calibrate(struct kodama_voice_model *model,
                                            struct kodama_error *error);

/** What it was found to be. Thread: any. Real-time safe: no. */
KODAMA_API void kodama_voice_model_facts(struct kodama_voice_model *model,
                                         struct kodama_voice_model_facts *facts);

/**
 * Make an index file of the vectors that a voice was trained on.
 *
 * @param from  numpy's .npy (float32 or float16, two dimensions), faiss' IVF-Flat (.index), or an
 *              index file of this kind
 * @param to    complete afterwards, or not there
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND, KODAMA_ERR_PERMISSION, KODAMA_ERR_IO,
 *         KODAMA_ERR_CORRUPT, KODAMA_ERR_UNSUPPORTED (another kind of file), KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no; minutes for a hundred thousand vectors of numpy's.
 */
KODAMA_API int kodama_voice_index_import(const char *from, const char *to,
                                         struct kodama_error *error);

#endif
