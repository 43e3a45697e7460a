/*
 * Graphs: trained models in ONNX form, and the tensors that go in and come out, by name.
 *
 * A graph is loaded once and shared: graph_open() with the same file, library, provider and number
 * of threads gives the same one, counted. It is immutable; any thread may run it at any time.
 *
 * A binding is one user's set of tensors, each bound to memory once, so that a run allocates
 * nothing here. (Inside, the library keeps an arena for what is between, and takes bookkeeping from
 * malloc for each run: 307 pieces, 19 KB, for Silero's model; no option avoids it.) A binding is
 * used by one thread at a time.
 *
 * The list of shared graphs is state of the process, guarded by one lock that is not held while a
 * model is loaded; others who want the same model meanwhile wait for it.
 */
#ifndef NEURAL_GRAPH_H
#define NEURAL_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/status.h>

enum { TENSOR_DIMS_MAX = 8 };

enum tensor_type {
    TENSOR_OTHER = 0, /**< none of these; cannot be bound */
    TENSOR_F32,
    TENSOR_F16, /**< IEEE 754 half precision, as uint16_t */
    TENSOR_I64,
    TENSOR_I32,
};

/** Shape: n_dims is 0 for a scalar; -1 is a length that the model leaves open. */
struct tensor_shape {
    size_t n_dims;
    int64_t dims[TENSOR_DIMS_MAX];
};

/** An input or output as the model declares it. */
struct tensor_info {
    const char *name; /**< lives as long as the graph */
    enum tensor_type type;
    struct tensor_shape shape;
};

struct graph_config {
    const char *path;     /**< the model's file */
    const char *library;  /**< as runtime_open() */
    const char *provider; /**< "cpu", "cuda" ...; NULL: "cpu" */
    uint32_t n_threads;   /**< within one operation of a run; 0: 1 */
};

struct graph;
struct binding;
struct runtime;

/**
 * Load a model, or join those who have it.
 *
 * @param[out] graph  to be closed; its bindings before
 * @param config      borrowed for the call
 * @param[out] error  may be NULL
 * @return KODAMA_OK, what runtime_open() returned, KODAMA_ERR_NOT_FOUND, KODAMA_ERR_PERMISSION,
 *         KODAMA_ERR_CORRUPT (damaged, or no model), KODAMA_ERR_UNSUPPORTED (needs what the library
 *         has not: provider, operation, version), KODAMA_ERR_ENGINE, KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no; takes as long as the model is large.
 */
int graph_open(struct graph **graph, const struct graph_config *config, struct kodama_error *error);

/** NULL is allowed. Thread: any. */
void graph_close(struct graph *graph);

size_t graph_n_inputs(const struct graph *graph);
size_t graph_n_outputs(const struct graph *graph);
const struct tensor_info *graph_input(const struct graph *graph, size_t index);
const struct tensor_info *graph_output(const struct graph *graph, size_t index);

/** By name; NULL when there is none. */
const struct tensor_info *graph_find_input(const struct graph *graph, const char *name);
const struct tensor_info *graph_find_output(const struct graph *graph, const char *name);

/** The model's metadata: the value of a key, NULL when it has none; and its keys until NULL. */
const char *graph_metadata(const struct graph *graph, const char *key);
const char *graph_metadata_key(const struct graph *graph, size_t index);

/** What runs it, and its file. */
const struct runtime *graph_runtime(const struct graph *graph);
const char *graph_path(const struct graph *graph);

/** Make a set of tensors; nothing is bound yet. KODAMA_OK or KODAMA_ERR_MEMORY. */
int binding_open(struct binding **binding, struct graph *graph, struct kodama_error *error);

/** NULL is allowed. The memory that was bound stays the caller's. */
void binding_close(struct binding *binding);

/**
 * Bind an input or output to memory, for all runs until it is bound again.
 *
 * @param name   of the model's input or output
 * @param data   borrowed until it is bound again or the binding is closed; of the model's type.
 *               NULL for an output: the library allocates it at each run, for those whose shape is
 *               known only afterwards; see binding_result()
 * @param shape  without open lengths; must fit what the model declares. NULL with data == NULL
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND (no such name), KODAMA_ERR_ARGUMENT (the shape does not
 *         fit), KODAMA_ERR_UNSUPPORTED (type), KODAMA_ERR_ENGINE
 */
int binding_input(struct binding *binding, const char *name, void *data,
                  const struct tensor_shape *shape, struct kodama_error *error);
int binding_output(struct binding *binding, const char *name, void *data,
                   const struct tensor_shape *shape, struct kodama_error *error);

/**
 * Run the graph once, from all inputs to those outputs that are bound.
 *
 * @return KODAMA_OK, KODAMA_ERR_STATE (an input is not bound, or no output is), KODAMA_ERR_MEMORY,
 *         KODAMA_ERR_CANCELLED (binding_stop()), KODAMA_ERR_ENGINE
 *
 * Thread: owner. Allocates nothing here when it succeeds.
 */
int binding_run(struct binding *binding, struct kodama_error *error);

/**
 * Stop: a run that goes on ends at its next operation, and all later ones fail with
 * KODAMA_ERR_CANCELLED until `stop` is false again.
 *
 * Thread: any. Real-time safe: no.
 */
void binding_stop(struct binding *binding, bool stop);

/**
 * An output after a run.
 *
 * @param[out] data   valid until the next run
 * @param[out] shape  as it is
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND, KODAMA_ERR_STATE (not bound, or not run)
 */
int binding_result(struct binding *binding, const char *name, const void **data,
                   struct tensor_shape *shape, struct kodama_error *error);

/** Elements of a shape, open lengths counted as 1; 0 when it overflows or has a length below 1. */
size_t tensor_elements(const struct tensor_shape *shape);

/** Bytes of an element; 0 for TENSOR_OTHER. */
size_t tensor_bytes(enum tensor_type type);

/** Convert n floats to or from a tensor's elements: F16 rounds to nearest even, integers round to
 * nearest and saturate. Nothing happens for TENSOR_OTHER. Real-time safe: yes. */
void tensor_from_floats(void *data, enum tensor_type type, const float *values, size_t n);
void tensor_to_floats(float *values, const void *data, enum tensor_type type, size_t n);

#endif
