/*
 * The model store from the inside: names of files, shared by what lists (model_store.c) and what
 * brings models in (model_take.c).
 *
 * A folder; in it, for a model NAME: ggml-NAME.bin (Whisper), NAME.onnx (silero_vad.onnx is
 * `silero`) or NAME (a folder or a link to one); beside it FILE.sha256. On its way: NAME.part, and
 * NAME.part.from with where it comes from. The default's name is in `.default`. Everything is made
 * under another name and renamed, so that what is there is whole.
 */
#ifndef SPEECH_MODEL_STORE_H
#define SPEECH_MODEL_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include <kodama/model_store.h>

#include "base/sha256.h"
#include "speech/model_catalog.h"
#include "speech/model_file.h"

enum { STORE_PATH_BYTES = 1024, STORE_NAME_BYTES = 128 };

struct kodama_model_store {
    char folder[STORE_PATH_BYTES - 2 * STORE_NAME_BYTES]; /* immutable */
};

/** Whether a model may have that name. */
bool store_is_name(const char *name);

/** FOLDER/name + suffix; names are short enough for it to fit. */
void store_path(const struct kodama_model_store *store, char path[STORE_PATH_BYTES],
                const char *name, const char *suffix);

/** The name that a file's stands for: "base.en" of "ggml-base.en.bin"; false: none. */
bool store_name_of_file(const char *file, char name[STORE_NAME_BYTES]);

/** The file's name for a model of some kind. */
void store_file_of_name(const char *name, enum model_file_kind kind, char file[STORE_NAME_BYTES]);

/** Find what there is of a name: its file's name in the folder. False: nothing. */
bool store_has(const struct kodama_model_store *store, const char *name,
               char file[STORE_NAME_BYTES]);

/** Read a short text file's first line. False: it is not there. */
bool store_read_line(const char *path, char *line, size_t n_bytes);

/** Write a short text file, whole or not at all. KODAMA_OK or why not. */
int store_write_text(const char *path, const char *text, struct kodama_error *error);

/** Make the folder and those above it. */
int store_make_folder(const struct kodama_model_store *store, struct kodama_error *error);

/**
 * The path that stands for what was given as a model's path: itself when it is there or no name,
 * else that of the model of this name in the user's store.
 *
 * @param given       not NULL
 * @param[out] path   STORE_PATH_BYTES
 * @param[out] error  may be NULL
 * @return KODAMA_OK or KODAMA_ERR_NOT_FOUND (a name, and nowhere such a model)
 */
int store_resolve(const char *given, char path[STORE_PATH_BYTES], struct kodama_error *error);

#endif
