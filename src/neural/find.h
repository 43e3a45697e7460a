/* Where ONNX Runtime and model files may be: from what was configured down to the usual places. */
#ifndef NEURAL_FIND_H
#define NEURAL_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include <kodama/status.h>

enum { FIND_PATH_BYTES = 1024 };

/**
 * Try the places where the library may be, in order, until one fits.
 *
 * @param library  configured file or folder, the only place tried then; NULL: environment and
 *                 usual places
 * @param try      called with a path, or a name that the loader knows; true ends the search
 * @return whether one fitted
 */
bool find_library(const char *library, bool (*try)(void *user, const char *path), void *user);

/** Whether a library was named by the caller or the environment; then nothing else is tried. */
const char *find_library_named(const char *library);

/**
 * Find the file of a model.
 *
 * @param[out] path   FIND_PATH_BYTES
 * @param model       configured file; NULL: the rest
 * @param variable    name of the environment's variable, looked at next
 * @param name        file name below kodama/models in the XDG data folders
 * @param[out] error  may be NULL; says where it was looked for and what to do
 * @return KODAMA_OK or KODAMA_ERR_NOT_FOUND
 */
int find_model(char *path, const char *model, const char *variable, const char *name,
               struct kodama_error *error);

#endif
