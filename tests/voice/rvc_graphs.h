/* The models that rvc_graphs.py has written for tests, and what is needed to use them. */
#ifndef TESTS_VOICE_RVC_GRAPHS_H
#define TESTS_VOICE_RVC_GRAPHS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "neural/runtime.h"
#include "support/support.h"

/** Path of one of them, such as "A-sine", in a static buffer of its own for each of the last eight
 * calls. Skips the running test, and says so, where ONNX Runtime or the models are not. */
static inline const char *rvc_graph(const char *name)
{
    static char paths[8][512];
    static size_t next;
    struct kodama_error error = {0};
    struct runtime *runtime;
    char *path = paths[next++ % 8];
    const char *build = getenv("KODAMA_BUILD");
    snprintf(path, sizeof paths[0], "%s/tests/voice/rvc_graphs/%s.onnx", build ? build : "build",
             name);
    if (runtime_open(&runtime, NULL, &error) < 0) {
        printf("# skipped: %s\n", error.message);
        fflush(stdout);
        skip();
    }
    runtime_close(runtime);
    if (access(path, R_OK) != 0) {
        printf("# skipped: no models for tests (Debian's python3-onnx was not there)\n");
        fflush(stdout);
        skip();
    }
    return path;
}

#endif
