#define _DEFAULT_SOURCE
/* Loads models, and shares those that are loaded. */
#include "neural/graph.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "neural/graph_internal.h"

/* The process's; see graph.h. */
static struct mutex lock = MUTEX_STATIC;
static struct condition loaded = CONDITION_STATIC;
static struct graph *graphs;

/* ---------------------------------------------------------------------- words */

static int status_of(OrtErrorCode code)
{
    switch (code) {
    case ORT_NO_SUCHFILE: return KODAMA_ERR_NOT_FOUND;
    case ORT_NO_MODEL:
    case ORT_INVALID_PROTOBUF:
    case ORT_INVALID_GRAPH: return KODAMA_ERR_CORRUPT;
    case ORT_NOT_IMPLEMENTED: return KODAMA_ERR_UNSUPPORTED;
    default: return KODAMA_ERR_ENGINE;
    }
}

int graph_check(const OrtApi *api, OrtStatus *status, struct kodama_error *error, const char *what,
                ...)
{
    if (!status) return KODAMA_OK;
    const char *text = api->GetErrorMessage(status);
    int code = status_of(api->GetErrorCode(status));
    /* The library has no code for it: what its allocators throw is a text. */
    if (strstr(text, "bad_alloc") || strstr(text, "Failed to allocate memory") ||
        strstr(text, "out of memory"))
        code = KODAMA_ERR_MEMORY;
    char doing[300], words[240];
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(doing, sizeof doing, what, arguments);
    va_end(arguments);
    snprintf(words, sizeof words, "%s", text);
    for (char *c = words; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
    api->ReleaseStatus(status);
    return error_set(error, code, "%s (ONNX Runtime: %s)", doing, words);
}

/* ------------------------------------------------------------- what it declares */

static enum tensor_type type_of(ONNXTensorElementDataType type)
{
    switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return TENSOR_F32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16: return TENSOR_F16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: return TENSOR_I64;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32: return TENSOR_I32;
    default: return TENSOR_OTHER;
    }
}

static OrtStatus *read_tensor(const OrtApi *api, const OrtTypeInfo *type, struct tensor_info *info)
{
    const OrtTensorTypeAndShapeInfo *tensor = NULL;
    ONNXTensorElementDataType element;
    size_t n_dims = 0;
    OrtStatus *status = api->CastTypeInfoToTensorInfo(type, &tensor);
    if (status || !tensor) return status; /* a sequence or map: not bound, never */
    if (!status) status = api->GetTensorElementType(tensor, &element);
    if (!status) info->type = type_of(element);
    if (!status) status = api->GetDimensionsCount(tensor, &n_dims);
    if (n_dims > TENSOR_DIMS_MAX) {
        info->type = TENSOR_OTHER;
        return status;
    }
    info->shape.n_dims = n_dims;
    if (!status) status = api->GetDimensions(tensor, info->shape.dims, n_dims);
    for (size_t i = 0; i < n_dims; i++)
        if (info->shape.dims[i] < 0) info->shape.dims[i] = -1;
    return status;
}

static int read_side(struct graph *g, bool input, struct graph_side *side,
                     struct kodama_error *error)
{
    const OrtApi *api = g->api;
    OrtAllocator *allocator = NULL;
    OrtStatus *status = api->GetAllocatorWithDefaultOptions(&allocator);
    size_t n = 0;
    if (!status)
        status = input ? api->SessionGetInputCount(g->session, &n)
                       : api->SessionGetOutputCount(g->session, &n);
    side->list = memory_array(n + 1, sizeof *side->list);
    side->names = memory_array(n + 1, sizeof *side->names);
    bool memory = side->list && side->names;
    for (size_t i = 0; i < n && !status && memory; i++) {
        char *name = NULL;
        OrtTypeInfo *type = NULL;
        status = input ? api->SessionGetInputName(g->session, i, allocator, &name)
                       : api->SessionGetOutputName(g->session, i, allocator, &name);
        if (!status) {
            side->names[i] = side->list[i].name = memory_text(name);
            memory = side->names[i] != NULL;
            side->n = i + memory;
            status = api->AllocatorFree(allocator, name);
        }
        if (!status)
            status = input ? api->SessionGetInputTypeInfo(g->session, i, &type)
                           : api->SessionGetOutputTypeInfo(g->session, i, &type);
        if (!status) status = read_tensor(api, type, &side->list[i]);
        if (type) api->ReleaseTypeInfo(type);
    }
    if (status)
        return graph_check(api, status, error, "cannot read the %s of %s",
                           input ? "inputs" : "outputs", g->path);
    return memory ? KODAMA_OK : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
}

static int read_metadata(struct graph *g, struct kodama_error *error)
{
    const OrtApi *api = g->api;
    OrtAllocator *allocator = NULL;
    OrtModelMetadata *metadata = NULL;
    char **keys = NULL;
    int64_t n = 0;
    OrtStatus *status = api->GetAllocatorWithDefaultOptions(&allocator);
    if (!status) status = api->SessionGetModelMetadata(g->session, &metadata);
    if (!status)
        status = api->ModelMetadataGetCustomMetadataMapKeys(metadata, allocator, &keys, &n);
    size_t count = n > 0 ? (size_t)n : 0;
    g->keys = memory_array(count + 1, sizeof *g->keys);
    g->values = memory_array(count + 1, sizeof *g->values);
    bool memory = g->keys && g->values;
    for (size_t i = 0; i < count && !status && memory; i++) {
        char *value = NULL;
        status = api->ModelMetadataLookupCustomMetadataMap(metadata, allocator, keys[i], &value);
        g->n_metadata = i + 1;
        g->keys[i] = memory_text(keys[i]);
        g->values[i] = memory_text(value ? value : "");
        memory = g->keys[i] && g->values[i];
        if (value && !status) status = api->AllocatorFree(allocator, value);
    }
    for (size_t i = 0; i < count && keys; i++) allocator->Free(allocator, keys[i]);
    if (keys) allocator->Free(allocator, keys);
    if (metadata) api->ReleaseModelMetadata(metadata);
    if (status)
        return graph_check(api, status, error, "cannot read what %s says of itself", g->path);
    return memory ? KODAMA_OK : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
}

/* -------------------------------------------------------------------- loading */

static int set_options(const struct graph *g, OrtSessionOptions *options,
                       struct kodama_error *error)
{
    const OrtApi *api = g->api;
    OrtStatus *status = api->SetIntraOpNumThreads(options, (int)g->n_threads);
    if (!status) status = api->SetInterOpNumThreads(options, 1);
    if (!status) status = api->SetSessionLogSeverityLevel(options, ORT_LOGGING_LEVEL_FATAL);
    /* Threads that spin for the next run would use a core per session while nobody speaks. */
    if (!status)
        status = api->AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0");
    if (status) return graph_check(api, status, error, "cannot set options");
    return graph_use_provider(g, options, error);
}

/* The library has a code for it, but does not use it for names that it has never heard of. */
static bool lacks_operator(const OrtApi *api, const OrtStatus *status)
{
    const char *text = api->GetErrorMessage(status);
    return api->GetErrorCode(status) == ORT_NOT_IMPLEMENTED ||
           strstr(text, "is not a registered function/op") || strstr(text, "No Op registered for");
}

static int create_session(struct graph *g, struct kodama_error *error)
{
    const OrtApi *api = g->api;
    OrtSessionOptions *options = NULL;
    int code = graph_check(api, api->CreateSessionOptions(&options), error, "cannot set options");
    if (code == KODAMA_OK) code = set_options(g, options, error);
    if (code == KODAMA_OK) {
        int token = runtime_hush(g->runtime);
        OrtStatus *status =
            api->CreateSession(runtime_env(g->runtime), g->path, options, &g->session);
        runtime_unhush(g->runtime, token, !status);
        bool lacks = status && lacks_operator(api, status);
        code = graph_check(api, status, error,
                           lacks ? "the model %s needs an operator that this ONNX Runtime has "
                                   "not: use a newer one, or export the model for an older opset"
                                 : "the model %s cannot be loaded: it is damaged, cut off, no "
                                   "ONNX model, or too new; get it again",
                           g->path);
        if (lacks) {
            code = KODAMA_ERR_UNSUPPORTED;
            if (error) error->status = code;
        }
    }
    if (options) api->ReleaseSessionOptions(options);
    return code;
}

static int load(struct graph *g, struct kodama_error *error)
{
    int status = runtime_open(&g->runtime, g->library, error);
    if (status < 0) return status;
    g->api = runtime_api(g->runtime);
    status = graph_check(
        g->api, g->api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &g->memory),
        error, "cannot describe memory");
    if (status == KODAMA_OK) status = create_session(g, error);
    if (status == KODAMA_OK) status = read_side(g, true, &g->inputs, error);
    if (status == KODAMA_OK) status = read_side(g, false, &g->outputs, error);
    if (status == KODAMA_OK) status = read_metadata(g, error);
    return status;
}

static void free_side(struct graph_side *side)
{
    for (size_t i = 0; i < side->n; i++) free((char *)(uintptr_t)side->names[i]);
    free(side->names);
    free(side->list);
}

static void destroy(struct graph *g)
{
    if (g->session) g->api->ReleaseSession(g->session);
    if (g->memory) g->api->ReleaseMemoryInfo(g->memory);
    runtime_close(g->runtime);
    free_side(&g->inputs);
    free_side(&g->outputs);
    for (size_t i = 0; i < g->n_metadata; i++) {
        free(g->keys[i]);
        free(g->values[i]);
    }
    free(g->keys);
    free(g->values);
    free(g->path);
    free(g->library);
    free(g->provider);
    free(g);
}

/* -------------------------------------------------------------------- sharing */

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The file's identity belongs to it: a model that was replaced is another one. */
static bool same(const struct graph *a, const struct graph *b)
{
    return a->device == b->device && a->inode == b->inode && a->n_bytes == b->n_bytes &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
           a->n_threads == b->n_threads && same_text(a->library, b->library) &&
           same_text(a->provider, b->provider);
}

/* One that is not loaded yet, with what it is shared by; NULL: `status` says why. */
static struct graph *prepare(const struct graph_config *config, struct kodama_error *error,
                             int *status)
{
    struct stat info;
    int file = open(config->path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &info) != 0) {
        int number = errno;
        if (file >= 0) close(file);
        *status = error_set_file(error, "read the model", config->path, number, "");
        return NULL;
    }
    close(file);
    struct graph *g = memory_array(1, sizeof *g);
    if (g) {
        *g = (struct graph){.n_users = 1,
                            .path = memory_text(config->path),
                            .library = memory_text(config->library),
                            .provider = memory_text(config->provider ? config->provider : "cpu"),
                            .n_threads = config->n_threads ? config->n_threads : 1,
                            .device = info.st_dev,
                            .inode = info.st_ino,
                            .n_bytes = info.st_size,
                            .changed = info.st_mtim};
    }
    if (!g || !g->path || !g->provider || (config->library && !g->library)) {
        if (g) destroy(g);
        *status = error_set(error, KODAMA_ERR_MEMORY, "out of memory");
        return NULL;
    }
    return g;
}

/* One less; the lock is held, and let go. */
static void release(struct graph *g)
{
    bool last = --g->n_users == 0;
    for (struct graph **at = &graphs; last && *at; at = &(*at)->next) {
        if (*at != g) continue;
        *at = g->next;
        break;
    }
    mutex_unlock(&lock);
    if (last) destroy(g);
}

/* Somebody else's, once it is loaded; NULL: load it. Lock held. */
static struct graph *join(const struct graph *wanted)
{
    for (struct graph *g = graphs; g; g = g->next) {
        if (g->state == GRAPH_FAILED || !same(g, wanted)) continue;
        g->n_users++;
        while (g->state == GRAPH_LOADING) condition_wait(&loaded, &lock, CLOCK_NEVER);
        if (g->state == GRAPH_READY) return g;
        release(g);
        mutex_lock(&lock);
        return join(wanted); /* it could not: try oneself, and say why */
    }
    return NULL;
}

int graph_open(struct graph **graph, const struct graph_config *config, struct kodama_error *error)
{
    *graph = NULL;
    int status = KODAMA_OK;
    struct graph *mine = prepare(config, error, &status);
    if (!mine) return status;
    mutex_lock(&lock);
    struct graph *shared = join(mine);
    if (!shared) {
        mine->next = graphs;
        graphs = mine;
    }
    mutex_unlock(&lock);
    if (shared) {
        destroy(mine);
        *graph = shared;
        return KODAMA_OK;
    }
    status = load(mine, error);
    mutex_lock(&lock);
    mine->state = status == KODAMA_OK ? GRAPH_READY : GRAPH_FAILED;
    condition_broadcast(&loaded);
    if (status < 0) {
        release(mine);
        return status;
    }
    mutex_unlock(&lock);
    *graph = mine;
    return KODAMA_OK;
}

void graph_close(struct graph *g)
{
    if (!g) return;
    mutex_lock(&lock);
    release(g);
}

/* ------------------------------------------------------------------- questions */

size_t graph_n_inputs(const struct graph *g)
{
    return g->inputs.n;
}

size_t graph_n_outputs(const struct graph *g)
{
    return g->outputs.n;
}

const struct tensor_info *graph_input(const struct graph *g, size_t index)
{
    return index < g->inputs.n ? &g->inputs.list[index] : NULL;
}

const struct tensor_info *graph_output(const struct graph *g, size_t index)
{
    return index < g->outputs.n ? &g->outputs.list[index] : NULL;
}

static const struct tensor_info *find(const struct graph_side *side, const char *name)
{
    for (size_t i = 0; i < side->n; i++)
        if (strcmp(side->names[i], name) == 0) return &side->list[i];
    return NULL;
}

const struct tensor_info *graph_find_input(const struct graph *g, const char *name)
{
    return find(&g->inputs, name);
}

const struct tensor_info *graph_find_output(const struct graph *g, const char *name)
{
    return find(&g->outputs, name);
}

const char *graph_metadata(const struct graph *g, const char *key)
{
    for (size_t i = 0; i < g->n_metadata; i++)
        if (strcmp(g->keys[i], key) == 0) return g->values[i];
    return NULL;
}

const char *graph_metadata_key(const struct graph *g, size_t index)
{
    return index < g->n_metadata ? g->keys[index] : NULL;
}

const struct runtime *graph_runtime(const struct graph *g)
{
    return g->runtime;
}

const char *graph_path(const struct graph *g)
{
    return g->path;
}
