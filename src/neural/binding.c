/* Tensors bound to memory, and runs of a graph on them. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "neural/graph_internal.h"

/** One side's tensors, in the order of the graph; n of them are not NULL. */
struct bound {
    OrtValue **values;
    const char **names; /* outputs: of those that are wanted, packed */
    size_t n;
};

struct binding {
    struct graph *graph; /* borrowed */
    struct bound inputs;
    struct bound outputs;
    OrtValue **results; /* as outputs.names */
    bool *wanted;       /* of all outputs, in the order of the graph */
    bool ran;
    OrtRunOptions *options;
    _Atomic bool stopped; /* any thread; what is stopped is in the options */
};

int binding_open(struct binding **binding, struct graph *graph, struct kodama_error *error)
{
    struct binding *b = memory_array(1, sizeof *b);
    *binding = NULL;
    if (b) {
        b->graph = graph;
        b->inputs.values = memory_array(graph->inputs.n + 1, sizeof(OrtValue *));
        b->outputs.values = memory_array(graph->outputs.n + 1, sizeof(OrtValue *));
        b->outputs.names = memory_array(graph->outputs.n + 1, sizeof(char *));
        b->results = memory_array(graph->outputs.n + 1, sizeof(OrtValue *));
        b->wanted = memory_array(graph->outputs.n + 1, sizeof(bool));
    }
    if (!b || !b->inputs.values || !b->outputs.values || !b->outputs.names || !b->results ||
        !b->wanted) {
        binding_close(b);
        return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    }
    int status = graph_check(graph->api, graph->api->CreateRunOptions(&b->options), error,
                             "cannot set options");
    if (status < 0) {
        binding_close(b);
        return status;
    }
    *binding = b;
    return KODAMA_OK;
}

/* Results that the library has allocated are released; those in our memory stay. */
static void drop_results(struct binding *b)
{
    size_t k = 0;
    for (size_t i = 0; i < b->graph->outputs.n; i++) {
        if (!b->wanted[i]) continue;
        if (!b->outputs.values[i] && b->results[k]) b->graph->api->ReleaseValue(b->results[k]);
        b->results[k++] = b->outputs.values[i];
    }
    b->ran = false;
}

void binding_close(struct binding *b)
{
    if (!b) return;
    const struct graph *g = b->graph;
    if (b->wanted && b->results && b->outputs.values) drop_results(b);
    for (size_t i = 0; b->inputs.values && i < g->inputs.n; i++)
        if (b->inputs.values[i]) g->api->ReleaseValue(b->inputs.values[i]);
    for (size_t i = 0; b->outputs.values && i < g->outputs.n; i++)
        if (b->outputs.values[i]) g->api->ReleaseValue(b->outputs.values[i]);
    if (b->options) g->api->ReleaseRunOptions(b->options);
    free(b->inputs.values);
    free(b->outputs.values);
    free(b->outputs.names);
    free(b->results);
    free(b->wanted);
    free(b);
}

static ONNXTensorElementDataType element_of(enum tensor_type type)
{
    switch (type) {
    case TENSOR_F32: return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case TENSOR_F16: return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    case TENSOR_I64: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case TENSOR_I32: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case TENSOR_OTHER: break;
    }
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

static bool fits(const struct tensor_shape *shape, const struct tensor_shape *declared)
{
    if (shape->n_dims != declared->n_dims) return false;
    for (size_t i = 0; i < shape->n_dims; i++)
        if (shape->dims[i] < 1 || (declared->dims[i] != -1 && declared->dims[i] != shape->dims[i]))
            return false;
    return tensor_elements(shape) > 0;
}

static int make_value(const struct graph *g, const struct tensor_info *info, void *data,
                      const struct tensor_shape *shape, OrtValue **value,
                      struct kodama_error *error)
{
    *value = NULL;
    if (info->type == TENSOR_OTHER)
        return error_set(error, KODAMA_ERR_UNSUPPORTED,
                         "%s: \"%s\" is neither float, half, int64 nor int32", g->path, info->name);
    if (!shape || !fits(shape, &info->shape))
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "%s: the shape that was given does not fit \"%s\"", g->path, info->name);
    OrtStatus *status = g->api->CreateTensorWithDataAsOrtValue(
        g->memory, data, tensor_elements(shape) * tensor_bytes(info->type), shape->dims,
        shape->n_dims, element_of(info->type), value);
    return graph_check(g->api, status, error, "cannot bind \"%s\"", info->name);
}

int binding_input(struct binding *b, const char *name, void *data, const struct tensor_shape *shape,
                  struct kodama_error *error)
{
    struct graph *g = b->graph;
    const struct tensor_info *info = graph_find_input(g, name);
    if (!info)
        return error_set(error, KODAMA_ERR_NOT_FOUND, "%s has no input \"%s\"", g->path, name);
    if (!data) return error_set(error, KODAMA_ERR_ARGUMENT, "\"%s\": nothing to bind", name);
    OrtValue *value;
    int status = make_value(g, info, data, shape, &value, error);
    if (status < 0) return status;
    OrtValue **place = &b->inputs.values[info - g->inputs.list];
    if (*place)
        g->api->ReleaseValue(*place);
    else
        b->inputs.n++;
    *place = value;
    return KODAMA_OK;
}

int binding_output(struct binding *b, const char *name, void *data,
                   const struct tensor_shape *shape, struct kodama_error *error)
{
    struct graph *g = b->graph;
    const struct tensor_info *info = graph_find_output(g, name);
    if (!info)
        return error_set(error, KODAMA_ERR_NOT_FOUND, "%s has no output \"%s\"", g->path, name);
    OrtValue *value = NULL;
    if (!data && info->type == TENSOR_OTHER)
        return error_set(error, KODAMA_ERR_UNSUPPORTED,
                         "%s: \"%s\" is neither float, half, int64 nor int32", g->path, name);
    int status = data ? make_value(g, info, data, shape, &value, error) : KODAMA_OK;
    if (status < 0) return status;
    drop_results(b);
    size_t index = (size_t)(info - g->outputs.list);
    if (b->outputs.values[index]) g->api->ReleaseValue(b->outputs.values[index]);
    b->outputs.values[index] = value;
    b->wanted[index] = true;
    b->outputs.n = 0;
    for (size_t i = 0; i < g->outputs.n; i++) {
        if (!b->wanted[i]) continue;
        b->results[b->outputs.n] = b->outputs.values[i];
        b->outputs.names[b->outputs.n++] = g->outputs.names[i];
    }
    return KODAMA_OK;
}

int binding_run(struct binding *b, struct kodama_error *error)
{
    struct graph *g = b->graph;
    if (b->inputs.n < g->inputs.n || b->outputs.n == 0)
        return error_set(error, KODAMA_ERR_STATE, "%s: %zu of %zu inputs and %zu outputs are bound",
                         g->path, b->inputs.n, g->inputs.n, b->outputs.n);
    drop_results(b);
    OrtStatus *status = g->api->Run(g->session, b->options, g->inputs.names,
                                    (const OrtValue *const *)b->inputs.values, g->inputs.n,
                                    b->outputs.names, b->outputs.n, b->results);
    if (!status) {
        b->ran = true;
        return KODAMA_OK;
    }
    if (atomic_load_explicit(&b->stopped, memory_order_relaxed)) {
        g->api->ReleaseStatus(status);
        return error_set(error, KODAMA_ERR_CANCELLED, "the run of %s was stopped", g->path);
    }
    return graph_check(g->api, status, error, "the model %s cannot run", g->path);
}

void binding_stop(struct binding *b, bool stop)
{
    const OrtApi *api = b->graph->api;
    atomic_store_explicit(&b->stopped, stop, memory_order_relaxed);
    OrtStatus *status =
        stop ? api->RunOptionsSetTerminate(b->options) : api->RunOptionsUnsetTerminate(b->options);
    if (status) api->ReleaseStatus(status);
}

/* Its memory and shape. */
static OrtStatus *look(const OrtApi *api, OrtValue *value, const void **data,
                       struct tensor_shape *shape)
{
    OrtTensorTypeAndShapeInfo *info = NULL;
    size_t n = 0;
    void *memory = NULL;
    OrtStatus *status = api->GetTensorTypeAndShape(value, &info);
    if (!status) status = api->GetDimensionsCount(info, &n);
    if (n > TENSOR_DIMS_MAX) n = TENSOR_DIMS_MAX;
    shape->n_dims = n;
    if (!status) status = api->GetDimensions(info, shape->dims, n);
    if (!status) status = api->GetTensorMutableData(value, &memory);
    if (info) api->ReleaseTensorTypeAndShapeInfo(info);
    *data = memory;
    return status;
}

int binding_result(struct binding *b, const char *name, const void **data,
                   struct tensor_shape *shape, struct kodama_error *error)
{
    struct graph *g = b->graph;
    const struct tensor_info *info = graph_find_output(g, name);
    *data = NULL;
    *shape = (struct tensor_shape){0};
    if (!info)
        return error_set(error, KODAMA_ERR_NOT_FOUND, "%s has no output \"%s\"", g->path, name);
    for (size_t i = 0; i < b->outputs.n && b->ran; i++)
        if (b->outputs.names[i] == info->name)
            return graph_check(g->api, look(g->api, b->results[i], data, shape), error,
                               "cannot read \"%s\"", name);
    return error_set(error, KODAMA_ERR_STATE, "\"%s\" was not made by a run", name);
}
