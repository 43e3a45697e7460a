/*
 * ONNX Runtime, opened at run time: where it is, which version, what it can run on.
 *
 * The library is not linked, so that Kodama starts without it. Its interface is versioned: each
 * release offers its own level and all earlier ones. The level asked for is that of the header this
 * was built with, or that of the library when it is older; below RUNTIME_LEVEL_LEAST it is refused.
 *
 * State of the process. The library keeps one environment per process whoever asks for it, and must
 * not be unloaded (it has thread-local objects), so what stands for it here is one for the process,
 * too: counted, guarded by one lock, created by the first runtime_open() and released by the last
 * runtime_close(). While it is in use nobody can open another library.
 *
 * What it logs goes nowhere: what failed is in the status of each call. Debian's build shares
 * libonnx with the rest of the system, whose schemas are registered twice; some 1,100 lines on
 * standard error at the first model say so, past the logger. runtime_hush() holds standard error
 * (descriptor 2) back meanwhile, and hands on what anybody else wrote. That is process-wide, lasts
 * for some 50 ms, and happens only once and only where libonnx is loaded.
 */
#ifndef NEURAL_RUNTIME_H
#define NEURAL_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#include <kodama/status.h>

/** 1.16, of September 2023, has every function that is used here. */
enum { RUNTIME_LEVEL_LEAST = 16 };

struct runtime;

/**
 * Open the library and its environment, or join those who have it open.
 *
 * @param[out] runtime  to be closed
 * @param library       file, or folder that has it; NULL: KODAMA_ONNXRUNTIME in the environment,
 *                      else beside libkodama, where the loader looks, unpacked archives
 * @param[out] error    may be NULL; says what was looked for and what to do
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND, KODAMA_ERR_CORRUPT (no such library),
 *         KODAMA_ERR_UNSUPPORTED (too old, or built without), KODAMA_ERR_STATE (another one is in
 *         use), KODAMA_ERR_ENGINE, KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
int runtime_open(struct runtime **runtime, const char *library, struct kodama_error *error);

/** NULL is allowed. */
void runtime_close(struct runtime *runtime);

/** Version of the library, such as "1.21.1". */
const char *runtime_version(const struct runtime *runtime);

/** File that it was loaded from. */
const char *runtime_path(const struct runtime *runtime);

/** Level of its interface that is used. */
unsigned runtime_level(const struct runtime *runtime);

/** What it can run on, in small letters: "cpu", "cuda" ...; NULL after the last. */
const char *runtime_provider(const struct runtime *runtime, size_t index);

/** The library's table of functions and its environment, for graph.c. */
const void *runtime_api(const struct runtime *runtime);
void *runtime_env(const struct runtime *runtime);

/** Begin and end to hold back what the library writes past its logger, around the loading of a
 * model; see above. Returns a token for runtime_unhush(), which is told whether a model was loaded.
 */
int runtime_hush(struct runtime *runtime);
void runtime_unhush(struct runtime *runtime, int token, bool loaded);

#endif
