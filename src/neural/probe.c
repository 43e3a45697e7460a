/* Whether models can be run here, in words. */
#include <stdio.h>
#include <string.h>

#include <kodama/neural.h>

#include "neural/runtime.h"

int kodama_neural_probe(const char *library, char *about, size_t n_bytes)
{
    struct kodama_error error = {0};
    struct runtime *runtime;
    int status = runtime_open(&runtime, library, &error);
    char providers[200] = "";
    const char *name;
    for (size_t i = 0; status == KODAMA_OK && (name = runtime_provider(runtime, i)); i++) {
        size_t n = strlen(providers);
        snprintf(providers + n, sizeof providers - n, "%s%s", i > 0 ? ", " : "", name);
    }
    if (about && n_bytes > 0 && status < 0) snprintf(about, n_bytes, "%s", error.message);
    if (about && n_bytes > 0 && status == KODAMA_OK)
        snprintf(about, n_bytes, "%s, runs on %s: %s", runtime_version(runtime), providers,
                 runtime_path(runtime));
    if (status == KODAMA_OK) runtime_close(runtime);
    return status;
}
