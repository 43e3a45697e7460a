/* Graphs from the inside, for the files that load (graph.c, graph_provider.c) and run (binding.c).
 */
#ifndef NEURAL_GRAPH_INTERNAL_H
#define NEURAL_GRAPH_INTERNAL_H

#include <onnxruntime_c_api.h>
#include <sys/types.h>
#include <time.h>

#include "neural/graph.h"
#include "neural/runtime.h"

enum graph_state { GRAPH_LOADING, GRAPH_READY, GRAPH_FAILED };

/** Inputs or outputs. `names` is what runs are given. */
struct graph_side {
    struct tensor_info *list;
    const char **names;
    size_t n;
};

struct graph {
    /* With the lock of graph.c. */
    struct graph *next;
    size_t n_users;
    enum graph_state state;

    /* What it is shared by; constant. */
    char *path, *library, *provider;
    uint32_t n_threads;
    dev_t device;
    ino_t inode;
    off_t n_bytes;
    struct timespec changed;

    /* Written by the loader, constant once ready. */
    struct runtime *runtime;
    const OrtApi *api;
    OrtSession *session;
    OrtMemoryInfo *memory; /* that of the processor */
    struct graph_side inputs, outputs;
    char **keys, **values;
    size_t n_metadata;
};

/** Fill in an error for a status of the library, and release that; KODAMA_OK for none. What it
 * says is made one line. */
int graph_check(const OrtApi *api, OrtStatus *status, struct kodama_error *error, const char *what,
                ...) KODAMA_PRINTF(4, 5);

/** Let a session run on a provider. KODAMA_OK, KODAMA_ERR_UNSUPPORTED or KODAMA_ERR_ENGINE. */
int graph_use_provider(const struct graph *graph, OrtSessionOptions *options,
                       struct kodama_error *error);

#endif
