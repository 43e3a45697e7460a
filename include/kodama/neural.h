/*
 * What runs trained models: ONNX Runtime, opened when the first model is. Kodama works without it;
 * then those parts that need a model say so.
 */
#ifndef KODAMA_NEURAL_H
#define KODAMA_NEURAL_H

#include <stddef.h>

#include <kodama/api.h>

/**
 * Whether models can be run here.
 *
 * @param runtime     the library, or its folder; NULL: KODAMA_ONNXRUNTIME in the environment, else
 *                    the usual places (docs/detectors.md)
 * @param[out] about  may be NULL; the version, what it can run on and the file, or what is missing
 *                    and how to get it
 * @param n_bytes     room in about
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND, KODAMA_ERR_CORRUPT (not such a library),
 *         KODAMA_ERR_UNSUPPORTED (too old, or this build has no support), KODAMA_ERR_STATE (another
 *         one is in use), KODAMA_ERR_ENGINE, KODAMA_ERR_MEMORY
 *
 * The library stays loaded. Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_neural_probe(const char *runtime, char *about, size_t n_bytes);

#endif
