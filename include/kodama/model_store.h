/*
 * The model store: a folder of models that are known by name.
 *
 * It holds Whisper's models (one file each), detectors (one file) and PocketSphinx's (a folder, as
 * a link). Names stand for files: `base.en` is ggml-base.en.bin, `silero` is silero_vad.onnx; a
 * file that was put there by hand is a model of the store, too. Beside a file that came through the
 * store lies its SHA-256 checksum, in a form that `sha256sum -c` reads.
 *
 * A name of the store does where the path of a model is asked for (kodama_model_config.path).
 */
#ifndef KODAMA_MODEL_STORE_H
#define KODAMA_MODEL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/status.h>

struct kodama_model_store;

/** A model that is there, or that the store knows how to get. */
struct kodama_stored_model {
    const char *name;
    const char *path;    /**< of its file or folder; NULL: it is not there */
    const char *engine;  /**< "whisper", "pocketsphinx", "silero"; NULL: a trained model that is for
                              none of them */
    const char *address; /**< where its authors publish it; NULL: not known */
    const char *sha256;  /**< as recorded beside it, else as known; NULL: neither */
    uint64_t n_bytes;    /**< of its file; when it is not there: to be downloaded; 0: not known */
    uint64_t n_partial;  /**< bytes of a download that was cut off */
    bool recognizes;     /**< it recognises speech, and may be the default */
    bool is_default;
};

/** Whether this build can download models. Thread: any. Real-time safe: yes. */
KODAMA_API bool kodama_model_store_downloads(void);

/** Names of the models that every store knows how to get: index 0, 1, ... until NULL. Thread: any.
 * Real-time safe: yes. */
KODAMA_API const char *kodama_known_model_name(size_t index);

/** What a store has and knows. */
struct kodama_model_list {
    struct kodama_stored_model *models; /**< those that are there first, then by size */
    size_t n_models;
};

/** What kodama_model_store_get() and _add() are doing. */
enum kodama_store_step {
    KODAMA_STORE_CONNECTS = 1, /**< also again, after a connection was cut */
    KODAMA_STORE_RECEIVES,
    KODAMA_STORE_COPIES,
    KODAMA_STORE_CHECKS, /**< reads it again for the checksum */
};

/** How far it is. */
struct kodama_store_progress {
    enum kodama_store_step step;
    uint64_t n_done;  /**< bytes */
    uint64_t n_total; /**< 0: not known */
};

/** How a model is brought into a store. */
struct kodama_store_config {
    size_t size;        /**< sizeof this struct, set by KODAMA_STORE_CONFIG_INIT */
    const char *name;   /**< its name in the store; NULL: as its file is called */
    const char *sha256; /**< that it must have, 64 digits; NULL: as known, else any */
    const char *mirror; /**< address of a folder with the files of known models, asked instead of
                             their authors' hosts; NULL: none */
    bool link;          /**< add: do not copy, put a link to it into the store */
    /** May be NULL; called several times a second. False ends it with KODAMA_ERR_CANCELLED. */
    bool (*on_progress)(void *user, const struct kodama_store_progress *progress);
    void *user; /**< handed to on_progress */
};
#define KODAMA_STORE_CONFIG_INIT                   \
    {                                              \
        .size = sizeof(struct kodama_store_config) \
    }

/** How a file's checksum was judged. */
enum kodama_store_sum {
    KODAMA_STORE_SUM_UNKNOWN, /**< none was told or known: there was nothing to compare it with */
    KODAMA_STORE_SUM_SAME,
    KODAMA_STORE_SUM_OTHER, /**< add: not that of the known model of this name */
};

/** What came into a store. */
struct kodama_taken_model {
    char name[128]; /**< in the store */
    enum kodama_store_sum sum;
};

/**
 * Open a store.
 *
 * @param[out] store  owned by the caller; NULL on error
 * @param folder      NULL: kodama/models in the user's data folder (XDG_DATA_HOME, or
 *                    ~/.local/share). Need not exist; it is made when something comes in
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND (no home), KODAMA_ERR_ARGUMENT (too long),
 *         KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_model_store_open(struct kodama_model_store **store, const char *folder,
                                       struct kodama_error *error) KODAMA_MUST_USE;

/** Close a store; NULL is allowed. Thread: owner. Real-time safe: no. */
KODAMA_API void kodama_model_store_close(struct kodama_model_store *store);

/** Its folder; lives as long as the store. Thread: any. Real-time safe: yes. */
KODAMA_API const char *kodama_model_store_folder(const struct kodama_model_store *store);

/**
 * List the models that are there and those that are known.
 *
 * @param store       borrowed
 * @param[out] list   free with kodama_model_list_free(); NULL on error
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_MEMORY, KODAMA_ERR_IO or KODAMA_ERR_PERMISSION
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_model_store_list(struct kodama_model_store *store,
                                       struct kodama_model_list **list,
                                       struct kodama_error *error) KODAMA_MUST_USE;
KODAMA_API void kodama_model_list_free(struct kodama_model_list *list);

/**
 * Find a model by its name.
 *
 * @param store       borrowed
 * @param name        a name, or that of a file in the store's folder
 * @param[out] path   of its file or folder
 * @param n_bytes     room in path
 * @param[out] error  may be NULL; says what to do
 * @return KODAMA_OK or KODAMA_ERR_NOT_FOUND
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_model_store_find(struct kodama_model_store *store, const char *name,
                                       char *path, size_t n_bytes, struct kodama_error *error);

/**
 * Download a model. What was received before a connection was cut, or before the program ended, is
 * kept in NAME.part and not asked for again. The file is looked at and its checksum compared before
 * it becomes a model; when it is not what it should be, nothing is kept.
 *
 * @param store       borrowed
 * @param what        a known name, or an address (http, https)
 * @param config      borrowed for the call; NULL: defaults
 * @param[out] taken  may be NULL; filled in on success
 * @param[out] error  may be NULL
 * @return 1, or 0 when it was there already; KODAMA_ERR_NOT_FOUND (no such name, or the host has no
 *         such file), KODAMA_ERR_ARGUMENT, KODAMA_ERR_CORRUPT, KODAMA_ERR_IO (network or disk; a
 *         further call goes on where it was), KODAMA_ERR_BUSY (somebody else downloads it),
 *         KODAMA_ERR_CANCELLED, KODAMA_ERR_UNSUPPORTED (built without libcurl), KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_model_store_get(struct kodama_model_store *store, const char *what,
                                      const struct kodama_store_config *config,
                                      struct kodama_taken_model *taken,
                                      struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Bring a file from this machine into the store: copied, or linked. It is looked at first. A folder
 * (PocketSphinx) can be linked only.
 *
 * @param store       borrowed
 * @param file        its path
 * @param config      borrowed for the call; NULL: defaults
 * @param[out] taken  may be NULL; filled in on success
 * @param[out] error  may be NULL
 * @return 1; KODAMA_ERR_NOT_FOUND, KODAMA_ERR_CORRUPT (it is no model, or a damaged one),
 *         KODAMA_ERR_STATE (there is one of that name), KODAMA_ERR_ARGUMENT, KODAMA_ERR_IO,
 *         KODAMA_ERR_CANCELLED, KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_model_store_add(struct kodama_model_store *store, const char *file,
                                      const struct kodama_store_config *config,
                                      struct kodama_taken_model *taken,
                                      struct kodama_error *error) KODAMA_MUST_USE;

/** Remove a model, what was received of one, and its checksum; a link only, not where it leads.
 * KODAMA_OK, KODAMA_ERR_NOT_FOUND, KODAMA_ERR_UNSUPPORTED (a folder), KODAMA_ERR_IO or
 * KODAMA_ERR_PERMISSION. Thread: any. Real-time safe: no. */
KODAMA_API int kodama_model_store_remove(struct kodama_model_store *store, const char *name,
                                         struct kodama_error *error);

/** Choose the model that is used where none is named; NULL: none. KODAMA_OK, KODAMA_ERR_NOT_FOUND,
 * KODAMA_ERR_ARGUMENT (it recognises nothing), KODAMA_ERR_IO. Thread: any. Real-time safe: no. */
KODAMA_API int kodama_model_store_set_default(struct kodama_model_store *store, const char *name,
                                              struct kodama_error *error);

/** The name of that model. KODAMA_OK, or KODAMA_ERR_NOT_FOUND (none was chosen, or it is gone; then
 * `name` is empty, or that of the one that is gone). Thread: any. Real-time safe: no. */
KODAMA_API int kodama_model_store_default(struct kodama_model_store *store, char *name,
                                          size_t n_bytes);

#endif
