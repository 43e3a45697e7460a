/*
 * Silero's trained detector, in ONNX form, run by ONNX Runtime: windows of 32 ms.
 *
 * Exports are told apart by their inputs. Version 4 has two states, `h` and `c`, and hears the 512
 * samples of a window alone (256 at 8 kHz). Versions 5 and 6 have one, `state`, and hear the last
 * 64 samples (32) before them, too: without these they find almost no speech. All have `sr`, the
 * rate, except for some exports that hear 16 kHz only.
 *
 * The model is shared by all detectors that use the same file; what a detector has of its own are
 * its tensors, a few KiB, bound once.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "neural/find.h"
#include "neural/graph.h"
#include "neural/runtime.h"
#include "speech/detector.h"

enum {
    WINDOW_MOST = 512,
    CONTEXT_MOST = 64,
    STATES_MOST = 2,
    STATE_MOST = 4096, /* elements; 256 in version 5, 128 in version 4 */
};

/* Names of the states, as inputs and as outputs. */
struct signature {
    const char *name;
    const char *states[STATES_MOST], *next[STATES_MOST];
    size_t n_states;
    bool context;
};

static const struct signature signatures[] = {
    {"version 5 or 6", {"state", NULL}, {"stateN", NULL}, 1, true},
    {"version 4", {"h", "c"}, {"hn", "cn"}, 2, false},
};

struct silero {
    struct kodama_detector detector;
    /* Immutable after open. */
    struct graph *graph;
    struct binding *binding;
    const struct signature *signature;
    uint32_t n_context;
    size_t n_state; /* elements of each state */
    int64_t rate_hz;

    /* Bound: context and window in a row, the states before and after. */
    float input[CONTEXT_MOST + WINDOW_MOST];
    float *states[STATES_MOST], *next[STATES_MOST]; /* [n_state], owned */
    float probability;
};

static void silero_close(struct kodama_detector *detector)
{
    struct silero *s = (struct silero *)detector;
    binding_close(s->binding);
    graph_close(s->graph);
    for (size_t i = 0; i < STATES_MOST; i++) {
        free(s->states[i]);
        free(s->next[i]);
    }
    free(s);
}

static void silero_reset(struct kodama_detector *detector)
{
    struct silero *s = (struct silero *)detector;
    memset(s->input, 0, sizeof s->input);
    for (size_t i = 0; i < s->signature->n_states; i++)
        memset(s->states[i], 0, s->n_state * sizeof(float));
}

/* --------------------------------------------------------------------- opening */

static bool has_float(const struct tensor_info *info)
{
    return info && info->type == TENSOR_F32;
}

static int not_silero(const struct silero *s, struct kodama_error *error)
{
    return error_set(error, KODAMA_ERR_CORRUPT,
                     "%s is a model, but not Silero's: it has not the inputs and outputs of its "
                     "versions 4 to 6",
                     graph_path(s->graph));
}

static int recognise(struct silero *s, struct kodama_error *error)
{
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0] && !s->signature; i++) {
        bool fits = true;
        for (size_t j = 0; j < signatures[i].n_states; j++)
            fits = fits && has_float(graph_find_input(s->graph, signatures[i].states[j])) &&
                   has_float(graph_find_output(s->graph, signatures[i].next[j]));
        if (fits) s->signature = &signatures[i];
    }
    const struct tensor_info *rate = graph_find_input(s->graph, "sr");
    size_t n_inputs = s->signature ? 1 + s->signature->n_states + (rate != NULL) : 0;
    if (!s->signature || graph_n_inputs(s->graph) != n_inputs ||
        !has_float(graph_find_input(s->graph, "input")) ||
        !has_float(graph_find_output(s->graph, "output")) ||
        (rate && (rate->type != TENSOR_I64 || tensor_elements(&rate->shape) != 1)))
        return not_silero(s, error);
    if (!rate && s->rate_hz != 16000)
        return error_set(error, KODAMA_ERR_FORMAT, "the model %s hears 16000 Hz only",
                         graph_path(s->graph));
    return KODAMA_OK;
}

/* The declared shape, with 1 for what it leaves open. */
static struct tensor_shape closed(const struct tensor_info *info)
{
    struct tensor_shape shape = info->shape;
    for (size_t i = 0; i < shape.n_dims; i++)
        if (shape.dims[i] == -1) shape.dims[i] = 1;
    return shape;
}

/* How many samples come before the window: what the signature says, unless the export has fixed
 * the length of its input. */
static int choose_context(struct silero *s, struct kodama_error *error)
{
    uint32_t usual = s->signature->context ? s->detector.window / 8 : 0;
    const struct tensor_shape *input = &graph_find_input(s->graph, "input")->shape;
    int64_t fixed = input->n_dims == 2 ? input->dims[1] : -1;
    if (input->n_dims != 2) return not_silero(s, error);
    s->n_context = usual;
    if (fixed == -1 || fixed == (int64_t)s->detector.window + usual) return KODAMA_OK;
    if (fixed == (int64_t)s->detector.window) {
        s->n_context = 0;
        return KODAMA_OK;
    }
    return error_set(error, KODAMA_ERR_FORMAT,
                     "the model %s was exported for %lld samples, which is "
                     "no window at %u Hz",
                     graph_path(s->graph), (long long)fixed, (unsigned)s->rate_hz);
}

static int bind_states(struct silero *s, struct kodama_error *error)
{
    for (size_t i = 0; i < s->signature->n_states; i++) {
        struct tensor_shape shape = closed(graph_find_input(s->graph, s->signature->states[i]));
        size_t n = tensor_elements(&shape);
        if (n == 0 || n > STATE_MOST || (i > 0 && n != s->n_state)) return not_silero(s, error);
        s->n_state = n;
        s->states[i] = memory_array(n, sizeof(float));
        s->next[i] = memory_array(n, sizeof(float));
        if (!s->states[i] || !s->next[i])
            return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
        int status =
            binding_input(s->binding, s->signature->states[i], s->states[i], &shape, error);
        if (status == KODAMA_OK)
            status = binding_output(s->binding, s->signature->next[i], s->next[i], &shape, error);
        if (status < 0) return status;
    }
    return KODAMA_OK;
}

static int bind(struct silero *s, struct kodama_error *error)
{
    struct tensor_shape input = {2, {1, (int64_t)s->n_context + s->detector.window}};
    struct tensor_shape output = closed(graph_find_output(s->graph, "output"));
    if (tensor_elements(&output) != 1) return not_silero(s, error);
    int status = binding_open(&s->binding, s->graph, error);
    if (status == KODAMA_OK) status = binding_input(s->binding, "input", s->input, &input, error);
    const struct tensor_info *rate = graph_find_input(s->graph, "sr");
    if (status == KODAMA_OK && rate)
        status = binding_input(s->binding, "sr", &s->rate_hz, &rate->shape, error);
    if (status == KODAMA_OK)
        status = binding_output(s->binding, "output", &s->probability, &output, error);
    if (status == KODAMA_OK) status = bind_states(s, error);
    return status;
}

static int open_graph(struct silero *s, const struct kodama_detector_config *config,
                      struct kodama_error *error)
{
    char path[FIND_PATH_BYTES];
    int status = find_model(path, config->model, "KODAMA_SILERO_MODEL", "silero_vad.onnx", error);
    struct graph_config graph = {.path = path,
                                 .library = config->runtime,
                                 .provider = config->provider,
                                 .n_threads = config->n_threads};
    if (status == KODAMA_OK) status = graph_open(&s->graph, &graph, error);
    if (status == KODAMA_OK) status = recognise(s, error);
    if (status == KODAMA_OK) status = choose_context(s, error);
    if (status == KODAMA_OK) status = bind(s, error);
    /* A run finds out what the inputs do not tell, and makes the first window as quick as others.
     */
    if (status == KODAMA_OK) status = binding_run(s->binding, error);
    if (status == KODAMA_OK && !(s->probability >= 0.0f && s->probability <= 1.0f))
        status = not_silero(s, error);
    return status;
}

static int silero_open(struct kodama_detector **detector,
                       const struct kodama_detector_config *config, struct kodama_error *error)
{
    if (config->rate_hz != 16000 && config->rate_hz != 8000)
        return error_set(error, KODAMA_ERR_FORMAT, "it hears 16000 Hz or 8000 Hz, not %u Hz",
                         config->rate_hz);
    struct silero *s = memory_array(1, sizeof *s);
    if (!s) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    s->rate_hz = config->rate_hz;
    s->detector.window = config->rate_hz * 32 / 1000;
    int status = open_graph(s, config, error);
    if (status < 0) {
        silero_close(&s->detector);
        return status;
    }
    *detector = &s->detector;
    return KODAMA_OK;
}

/* --------------------------------------------------------------------- hearing */

static float silero_process(struct kodama_detector *detector, const float *samples)
{
    struct silero *s = (struct silero *)detector;
    const uint32_t n = s->detector.window;
    float *window = s->input + s->n_context;
    for (uint32_t i = 0; i < n; i++) window[i] = detector_sane(samples[i]);
    int status = binding_run(s->binding, NULL);
    memmove(s->input, s->input + n, s->n_context * sizeof(float));
    if (status < 0) return 0.0f; /* the device is gone: nothing is heard any more */
    for (size_t i = 0; i < s->signature->n_states; i++)
        memcpy(s->states[i], s->next[i], s->n_state * sizeof(float));
    return s->probability;
}

static void silero_save(const struct kodama_detector *detector, struct record *record)
{
    const struct silero *s = (const struct silero *)detector;
    record_put_u64(record, (uint64_t)s->rate_hz);
    record_put_u64(record, s->n_context);
    record_put_u64(record, s->n_state * s->signature->n_states);
    record_put_floats(record, s->input, s->n_context);
    for (size_t i = 0; i < s->signature->n_states; i++)
        record_put_floats(record, s->states[i], s->n_state);
}

static void get_finite(struct record *record, float *values, size_t n, float most)
{
    record_get_floats(record, values, n);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(values[i]) <= most)) record->failed = true;
}

static void silero_load(struct kodama_detector *detector, struct record *record)
{
    struct silero *s = (struct silero *)detector;
    if (record_get_u64(record) != (uint64_t)s->rate_hz) record->failed = true;
    if (record_get_u64(record) != s->n_context) record->failed = true;
    if (record_get_u64(record) != s->n_state * s->signature->n_states) record->failed = true;
    if (record->failed) return;
    get_finite(record, s->input, s->n_context, DETECTOR_SAMPLE_MAX);
    for (size_t i = 0; i < s->signature->n_states; i++)
        get_finite(record, s->states[i], s->n_state, 1e6f);
}

static void silero_describe(const struct kodama_detector *detector, char *about, size_t n_bytes)
{
    const struct silero *s = (const struct silero *)detector;
    const struct runtime *runtime = graph_runtime(s->graph);
    snprintf(about, n_bytes, "windows of 32 ms, %s model %s, ONNX Runtime %s", s->signature->name,
             graph_path(s->graph), runtime_version(runtime));
}

const struct detector_ops detector_silero = {
    .name = "silero",
    .open = silero_open,
    .close = silero_close,
    .process = silero_process,
    .reset = silero_reset,
    .save = silero_save,
    .load = silero_load,
    .describe = silero_describe,
};
