/* Tells exports of the RVC kind apart. */
#include "voice/rvc_dialect.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

const char *rvc_dialect_name(enum rvc_dialect dialect)
{
    static const char *const names[] = {"A", "B", "C"};
    return names[dialect];
}

bool rvc_rate_fits(uint64_t rate_hz)
{
    return rate_hz == 32000 || rate_hz == 40000 || rate_hz == 48000 || rate_hz == 16000 ||
           rate_hz == 24000;
}

static void list_names(const struct graph *graph, bool inputs, char *text, size_t n_bytes)
{
    size_t n = inputs ? graph_n_inputs(graph) : graph_n_outputs(graph), at = 0;
    text[0] = 0;
    for (size_t i = 0; i < n && at + 1 < n_bytes; i++) {
        const struct tensor_info *info = inputs ? graph_input(graph, i) : graph_output(graph, i);
        int more = snprintf(text + at, n_bytes - at, "%s%s", i > 0 ? ", " : "", info->name);
        at += more > 0 ? (size_t)more : 0;
    }
}

static int foreign(const struct graph *graph, struct kodama_error *error)
{
    char names[160];
    list_names(graph, true, names, sizeof names);
    return error_set(error, KODAMA_ERR_FORMAT,
                     "%s is not a voice of a kind that is known: its inputs are %s; expected are "
                     "phone, phone_lengths, ... or feats, p_len, ...; export the voice to ONNX "
                     "again (docs/rvc.md)",
                     graph_path(graph), names);
}

static bool is_float(const struct tensor_info *info)
{
    return info && (info->type == TENSOR_F32 || info->type == TENSOR_F16);
}

/* Every input must be one that will be fed. */
static int check_inputs(struct rvc_signature *s, const struct graph *graph,
                        struct kodama_error *error)
{
    static const char *const slices[] = {"skip_head", "return_length", "formant_length"};
    const struct tensor_info *pitchf = graph_find_input(graph, "pitchf");
    const struct tensor_info *pitch = graph_find_input(graph, "pitch");
    const struct tensor_info *noise = graph_find_input(graph, "rnd");
    size_t n_slices = 0;
    for (size_t i = 0; i < 3; i++) n_slices += graph_find_input(graph, slices[i]) != NULL;
    if ((pitch != NULL) != (pitchf != NULL) || (n_slices != 0 && n_slices != 3))
        return foreign(graph, error);
    s->has_pitch = pitch != NULL;
    s->has_noise = noise != NULL;
    if (n_slices == 3 && s->dialect == RVC_DIALECT_B) s->dialect = RVC_DIALECT_C;
    size_t n = 3 + 2 * (size_t)s->has_pitch + (size_t)s->has_noise + n_slices;
    if (n != graph_n_inputs(graph) || (noise && !is_float(noise)) || (pitchf && !is_float(pitchf)))
        return foreign(graph, error);
    if (noise && noise->shape.n_dims == 3 && noise->shape.dims[1] != -1 &&
        noise->shape.dims[1] != RVC_NOISE_CHANNELS)
        return error_set(error, KODAMA_ERR_FORMAT, "%s wants noise of %lld channels, not %d",
                         graph_path(graph), (long long)noise->shape.dims[1], RVC_NOISE_CHANNELS);
    return KODAMA_OK;
}

/* The other half of what is known of it: the features' dimensions and their number. */
static int check_features(struct rvc_signature *s, const struct graph *graph,
                          struct kodama_error *error)
{
    const struct tensor_info *features = graph_find_input(graph, s->features);
    if (!is_float(features) || features->shape.n_dims != 3) return foreign(graph, error);
    int64_t dims = features->shape.dims[2];
    if (dims == -1) dims = s->dims; /* open: what the metadata says */
    if (dims != 256 && dims != 768)
        return error_set(error, KODAMA_ERR_FORMAT,
                         "%s wants features of %lld dimensions; known are 256 (version 1) and 768 "
                         "(version 2): export the voice again",
                         graph_path(graph), (long long)dims);
    if (features->shape.dims[1] != -1)
        return error_set(error, KODAMA_ERR_FORMAT,
                         "%s was exported for exactly %lld frames; it must take any number: export "
                         "the voice again with an open (dynamic) axis",
                         graph_path(graph), (long long)features->shape.dims[1]);
    s->dims = (uint32_t)dims;
    return KODAMA_OK;
}

static int read_metadata(struct rvc_signature *s, const struct graph *graph,
                         struct kodama_error *error)
{
    const char *text = graph_metadata(graph, "metadata");
    json_t *root = text ? json_loads(text, 0, NULL) : NULL;
    json_int_t rate = json_integer_value(json_object_get(root, "samplingRate"));
    json_int_t dims = json_integer_value(json_object_get(root, "embChannels"));
    json_decref(root);
    if (dims > 0 && dims <= 4096) s->dims = (uint32_t)dims;
    if (rate == 0) return KODAMA_OK;
    if (rate < 0 || !rvc_rate_fits((uint64_t)rate))
        return error_set(error, KODAMA_ERR_FORMAT,
                         "%s says that it speaks at %lld Hz; known are 32000, 40000 and 48000 Hz",
                         graph_path(graph), (long long)rate);
    s->rate_hz = (uint32_t)rate;
    return KODAMA_OK;
}

int rvc_dialect_read(struct rvc_signature *s, const struct graph *graph, struct kodama_error *error)
{
    *s = (struct rvc_signature){0};
    if (graph_find_input(graph, "phone") && graph_find_input(graph, "phone_lengths")) {
        s->dialect = RVC_DIALECT_A;
        s->features = "phone";
        s->lengths = "phone_lengths";
        s->speaker = graph_find_input(graph, "ds") ? "ds" : "sid";
    } else if (graph_find_input(graph, "feats") && graph_find_input(graph, "p_len")) {
        s->dialect = RVC_DIALECT_B;
        s->features = "feats";
        s->lengths = "p_len";
        s->speaker = "sid";
    } else {
        return foreign(graph, error);
    }
    const struct tensor_info *output = graph_find_output(graph, "audio");
    if (!output && graph_n_outputs(graph) == 1) output = graph_output(graph, 0);
    if (!graph_find_input(graph, s->speaker) || !is_float(output)) return foreign(graph, error);
    s->output = output->name;
    int status = read_metadata(s, graph, error);
    if (status == KODAMA_OK) status = check_inputs(s, graph, error);
    if (status == KODAMA_OK) status = check_features(s, graph, error);
    return status;
}

/* -------------------------------------------------------------------- encoders */

static int no_encoder(const struct graph *graph, struct kodama_error *error)
{
    char inputs[100], outputs[100];
    list_names(graph, true, inputs, sizeof inputs);
    list_names(graph, false, outputs, sizeof outputs);
    return error_set(error, KODAMA_ERR_FORMAT,
                     "%s is no content encoder: it makes %s of %s; expected is one input of "
                     "samples and one output of features (ContentVec, exported to ONNX)",
                     graph_path(graph), outputs, inputs);
}

int rvc_encoder_read(struct rvc_encoder_signature *s, const struct graph *graph, uint32_t dims,
                     struct kodama_error *error)
{
    *s = (struct rvc_encoder_signature){.dims = dims};
    const struct tensor_info *input = graph_input(graph, 0), *output = NULL;
    if (graph_n_inputs(graph) != 1 || !is_float(input) || input->shape.n_dims < 2 ||
        input->shape.n_dims > 3)
        return no_encoder(graph, error);
    const struct tensor_info *named = graph_find_output(graph, dims == 256 ? "units9" : "unit12");
    int64_t other = 0;
    for (size_t i = 0; i < graph_n_outputs(graph) && !output; i++) {
        const struct tensor_info *info = named ? named : graph_output(graph, i);
        if (!is_float(info) || info->shape.n_dims != 3) {
            if (named) break;
            continue;
        }
        int64_t has = info->shape.dims[2];
        if (has == -1 || has == (int64_t)dims)
            output = info;
        else
            other = has;
        if (named) break;
    }
    if (!output && other > 0)
        return error_set(error, KODAMA_ERR_FORMAT,
                         "the content encoder %s makes features of %lld dimensions, the voice "
                         "wants %u: it needs the encoder of version %d",
                         graph_path(graph), (long long)other, dims, dims == 256 ? 1 : 2);
    if (!output) return no_encoder(graph, error);
    s->input = input->name;
    s->output = output->name;
    return KODAMA_OK;
}
