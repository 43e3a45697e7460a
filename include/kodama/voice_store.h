/*
 * The store of voices: a folder with a folder per voice, and the models that are loaded from it,
 * shared, within a budget of memory.
 *
 * A voice's folder has voice.json (what it is, how it is spoken), generator.onnx, and, where they
 * were given, voice.kvi (its index), a picture, and the text of its licence. Content encoders and
 * RMVPE, which all voices share, lie in `models` beside the store's folder.
 */
#ifndef KODAMA_VOICE_STORE_H
#define KODAMA_VOICE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/log.h>
#include <kodama/status.h>
#include <kodama/voice_model.h>

enum { KODAMA_VOICE_NAME_BYTES = 64, KODAMA_VOICE_PATH_BYTES = 1024 };

struct kodama_voice_store;

struct kodama_voice_store_config {
    size_t size;           /**< sizeof this struct, set by KODAMA_VOICE_STORE_CONFIG_INIT */
    const char *folder;    /**< of the store; NULL: kodama/voices below XDG_DATA_HOME */
    uint64_t budget_bytes; /**< of files of loaded voices; 0: no limit */
    const char *runtime;   /**< as kodama_voice_model_config, for all that are loaded */
    const char *provider;
    uint32_t n_threads;
    uint32_t chunk_ms;
    bool slow;
    const struct kodama_log *log; /**< may be NULL */
};
#define KODAMA_VOICE_STORE_CONFIG_INIT                   \
    {                                                    \
        .size = sizeof(struct kodama_voice_store_config) \
    }

/** A voice of the store; a snapshot. Paths are empty where there is no such file. */
struct kodama_voice_entry {
    char name[KODAMA_VOICE_NAME_BYTES];
    char folder[KODAMA_VOICE_PATH_BYTES];
    char index[KODAMA_VOICE_PATH_BYTES];
    char picture[KODAMA_VOICE_PATH_BYTES];
    char licence[KODAMA_VOICE_PATH_BYTES];
    uint64_t n_bytes; /**< of generator and index */
    char dialect;     /**< 'A', 'B' or 'C' */
    uint32_t version, rate_hz;
    bool has_pitch, rmvpe;
    float index_rate, protect, own_volume, transpose;
    uint32_t speaker;
    bool is_loaded;
    bool is_whole; /**< false: its folder is damaged, and `problem` says how */
    char problem[200];
};

/** What a new voice is made of; files are copied. */
struct kodama_voice_import {
    size_t size;           /**< sizeof this struct, set by KODAMA_VOICE_IMPORT_INIT */
    const char *name;      /**< letters, digits, '-', '_' and '.', not first; at most 63 */
    const char *generator; /**< ONNX file */
    const char *encoder; /**< ONNX file, for all voices of its version; NULL: it is there already */
    const char *rmvpe;   /**< ONNX file, for all voices that use it; NULL: it is there already */
    bool use_rmvpe;      /**< take RMVPE's pitch; implied by `rmvpe` */
    const char *index;   /**< as kodama_voice_index_import(); NULL: none */
    const char *picture; /**< PNG, JPEG, WebP or GIF; NULL: none */
    const char *licence; /**< text; NULL: none */
    bool replace;        /**< a voice of that name, which then stays until the new one is whole */
    float index_rate, protect, own_volume, transpose; /**< as kodama_voice_model_config */
    uint32_t speaker;
};
#define KODAMA_VOICE_IMPORT_INIT                                                           \
    {                                                                                      \
        .size = sizeof(struct kodama_voice_import), .index_rate = 0.75f, .protect = 0.33f, \
        .own_volume = 0.25f                                                                \
    }

/**
 * Open a store. Its folder need not be there.
 *
 * @param[out] store  owned by the caller; NULL on error
 * @param config      borrowed for the call (log: for the store's life); NULL: defaults
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND (there is no home), KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_voice_store_open(struct kodama_voice_store **store,
                                       const struct kodama_voice_store_config *config,
                                       struct kodama_error *error) KODAMA_MUST_USE;

/** Close it; models that are in use go on. NULL is allowed. Thread: owner. Real-time safe: no. */
KODAMA_API void kodama_voice_store_close(struct kodama_voice_store *store);

/** Its folder. Lives as long as the store. Thread: any. Real-time safe: yes. */
KODAMA_API const char *kodama_voice_store_folder(const struct kodama_voice_store *store);

/**
 * The voices, by name.
 *
 * @param[out] entries  room for `room` of them
 * @param room          0 to ask for their number
 * @return voices in the store, also when that is more than `room`; KODAMA_ERR_IO,
 *         KODAMA_ERR_PERMISSION, KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_voice_store_list(struct kodama_voice_store *store,
                                       struct kodama_voice_entry *entries, size_t room,
                                       struct kodama_error *error);

/** One voice: KODAMA_OK or KODAMA_ERR_NOT_FOUND. Thread: any. Real-time safe: no. */
KODAMA_API int kodama_voice_store_find(struct kodama_voice_store *store, const char *name,
                                       struct kodama_voice_entry *entry,
                                       struct kodama_error *error);

/**
 * Take a voice in. It is loaded and run once before it is in the store, so that what is in the
 * store speaks; nothing of one that does not stays behind.
 *
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT (name), KODAMA_ERR_BUSY (there is one of that name, and
 *         import->replace is false), or what kodama_voice_model_open(), kodama_voice_index_import()
 *         or the files failed with
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_voice_store_import(struct kodama_voice_store *store,
                                         const struct kodama_voice_import *import,
                                         struct kodama_error *error);

/** Remove a voice and its folder; who speaks with it goes on. KODAMA_OK, KODAMA_ERR_NOT_FOUND,
 * KODAMA_ERR_PERMISSION or KODAMA_ERR_IO. Thread: any. Real-time safe: no. */
KODAMA_API int kodama_voice_store_remove(struct kodama_voice_store *store, const char *name,
                                         struct kodama_error *error);

/**
 * Load a voice, or join those who have it. Where the budget does not allow for it, those that
 * nobody uses are unloaded, the least recently used first.
 *
 * @param[out] model  counted, the caller has one; kodama_voice_model_close()
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND, KODAMA_ERR_LIMIT (all of the budget is in use), or what
 *         kodama_voice_model_open() returns
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_voice_store_load(struct kodama_voice_store *store, const char *name,
                                       struct kodama_voice_model **model,
                                       struct kodama_error *error) KODAMA_MUST_USE;

/** Bytes of the files of all voices that are loaded now. Thread: any. Real-time safe: no. */
KODAMA_API uint64_t kodama_voice_store_loaded(struct kodama_voice_store *store);

#endif
