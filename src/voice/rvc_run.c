/* Runs the content encoder and the generator of a voice. */
#include "voice/rvc_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "voice/rvc_features.h"

/* Spread of the noise, as models of this kind are used. */
#define NOISE_SPREAD 0.66666f

/** Floats as they are here, and as a tensor has them. */
struct field {
    const char *name;
    enum tensor_type type;
    void *data;
};

static bool field_open(struct field *field, const struct graph *graph, const char *name, size_t n)
{
    const struct tensor_info *info = graph_find_input(graph, name);
    *field = (struct field){.name = name, .type = info->type};
    field->data = memory_array(n, tensor_bytes(info->type));
    return field->data != NULL;
}

/* A result as floats; those of other types are converted into *room. */
static int result(struct binding *binding, const char *name, enum tensor_type type, float **room,
                  size_t *n_room, const float **values, struct tensor_shape *shape,
                  struct kodama_error *error)
{
    const void *data;
    int status = binding_result(binding, name, &data, shape, error);
    if (status < 0) return status;
    *values = data;
    if (type == TENSOR_F32) return KODAMA_OK;
    size_t n = tensor_elements(shape);
    if (n > *n_room) {
        float *larger = memory_resize(*room, n, sizeof **room);
        if (!larger) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
        *room = larger;
        *n_room = n;
    }
    tensor_to_floats(*room, data, type, n);
    *values = *room;
    return KODAMA_OK;
}

/* -------------------------------------------------------------------- encoding */

struct rvc_encoder {
    struct binding *binding;
    struct rvc_encoder_signature signature;
    const struct graph *graph;
    struct field input;
    enum tensor_type output_type;
    size_t n_samples;
    float *room;
    size_t n_room;
};

int rvc_encoder_open(struct rvc_encoder **encoder, struct graph *graph,
                     const struct rvc_encoder_signature *signature, size_t n_samples,
                     struct kodama_error *error)
{
    struct rvc_encoder *e = memory_array(1, sizeof *e);
    *encoder = NULL;
    if (!e) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    *e = (struct rvc_encoder){.signature = *signature, .graph = graph, .n_samples = n_samples};
    e->output_type = graph_find_output(graph, signature->output)->type;
    size_t n_dims = graph_find_input(graph, signature->input)->shape.n_dims;
    struct tensor_shape shape = {n_dims, {1, (int64_t)n_samples}};
    if (n_dims == 3) shape = (struct tensor_shape){3, {1, 1, (int64_t)n_samples}};
    int status = field_open(&e->input, graph, signature->input, n_samples)
                     ? binding_open(&e->binding, graph, error)
                     : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    if (status == KODAMA_OK)
        status = binding_input(e->binding, e->input.name, e->input.data, &shape, error);
    if (status == KODAMA_OK)
        status = binding_output(e->binding, signature->output, NULL, NULL, error);
    if (status < 0) {
        rvc_encoder_close(e);
        return status;
    }
    *encoder = e;
    return KODAMA_OK;
}

void rvc_encoder_close(struct rvc_encoder *e)
{
    if (!e) return;
    binding_close(e->binding);
    free(e->input.data);
    free(e->room);
    free(e);
}

int rvc_encoder_run(struct rvc_encoder *e, const float *samples, const float **features,
                    size_t *n_frames, struct kodama_error *error)
{
    struct tensor_shape shape;
    tensor_from_floats(e->input.data, e->input.type, samples, e->n_samples);
    int status = binding_run(e->binding, error);
    if (status == KODAMA_OK)
        status = result(e->binding, e->signature.output, e->output_type, &e->room, &e->n_room,
                        features, &shape, error);
    if (status != KODAMA_OK) return status;
    if (shape.n_dims != 3 || shape.dims[1] < 1 || shape.dims[2] != (int64_t)e->signature.dims)
        return error_set(error, KODAMA_ERR_FORMAT,
                         "the content encoder %s made features of %lld dimensions, expected are %u",
                         graph_path(e->graph), (long long)shape.dims[2], e->signature.dims);
    *n_frames = (size_t)shape.dims[1];
    return KODAMA_OK;
}

void rvc_encoder_stop(struct rvc_encoder *e, bool stop)
{
    binding_stop(e->binding, stop);
}

/* ------------------------------------------------------------------ generating */

struct rvc_generator {
    struct binding *binding;
    struct rvc_signature signature;
    size_t most;
    struct rvc_slice bound; /* what the tensors are bound for */
    struct field features, pitchf, noise;
    int64_t *pitch; /* [most] */
    int64_t length, speaker, skip, kept, stretched;
    enum tensor_type output_type;
    float *room, *noise_room;
    size_t n_room;
    uint64_t seed, random;
};

static bool open_fields(struct rvc_generator *g, const struct graph *graph)
{
    const struct rvc_signature *s = &g->signature;
    bool good = field_open(&g->features, graph, s->features, g->most * s->dims);
    if (good && s->has_pitch) good = field_open(&g->pitchf, graph, "pitchf", g->most);
    if (good && s->has_noise)
        good = field_open(&g->noise, graph, "rnd", g->most * RVC_NOISE_CHANNELS);
    g->pitch = memory_array(g->most, sizeof *g->pitch);
    g->noise_room = memory_array(s->has_noise ? g->most * RVC_NOISE_CHANNELS : 1, sizeof(float));
    return good && g->pitch && g->noise_room;
}

/* A whole number: scalar, or an array of one, as the graph has it. */
static int bind_number(struct binding *binding, const struct graph *graph, const char *name,
                       int64_t *value, struct kodama_error *error)
{
    const struct tensor_info *info = graph_find_input(graph, name);
    struct tensor_shape shape = info->shape;
    for (size_t i = 0; i < shape.n_dims; i++) shape.dims[i] = 1;
    if (info->type != TENSOR_I64)
        return error_set(error, KODAMA_ERR_FORMAT,
                         "%s: the input %s is not of 64-bit whole numbers", graph_path(graph),
                         name);
    return binding_input(binding, name, value, &shape, error);
}

int rvc_generator_open(struct rvc_generator **generator, struct graph *graph,
                       const struct rvc_signature *signature, size_t most, int64_t speaker,
                       uint64_t seed, struct kodama_error *error)
{
    struct rvc_generator *g = memory_array(1, sizeof *g);
    *generator = NULL;
    if (!g) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    *g = (struct rvc_generator){
        .signature = *signature, .most = most, .speaker = speaker, .seed = seed, .random = seed};
    g->output_type = graph_find_output(graph, signature->output)->type;
    int status = open_fields(g, graph) ? binding_open(&g->binding, graph, error)
                                       : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    if (status == KODAMA_OK)
        status = bind_number(g->binding, graph, signature->lengths, &g->length, error);
    if (status == KODAMA_OK)
        status = bind_number(g->binding, graph, signature->speaker, &g->speaker, error);
    if (signature->dialect == RVC_DIALECT_C) {
        if (status == KODAMA_OK)
            status = bind_number(g->binding, graph, "skip_head", &g->skip, error);
        if (status == KODAMA_OK)
            status = bind_number(g->binding, graph, "return_length", &g->kept, error);
        if (status == KODAMA_OK)
            status = bind_number(g->binding, graph, "formant_length", &g->stretched, error);
    }
    if (status == KODAMA_OK)
        status = binding_output(g->binding, signature->output, NULL, NULL, error);
    if (status < 0) {
        rvc_generator_close(g);
        return status;
    }
    *generator = g;
    return KODAMA_OK;
}

void rvc_generator_close(struct rvc_generator *g)
{
    if (!g) return;
    binding_close(g->binding);
    free(g->features.data);
    free(g->pitchf.data);
    free(g->noise.data);
    free(g->pitch);
    free(g->room);
    free(g->noise_room);
    free(g);
}

static int bind_frames(struct rvc_generator *g, const struct rvc_slice *slice,
                       struct kodama_error *error)
{
    int64_t n = (int64_t)slice->n_frames, dims = (int64_t)g->signature.dims;
    if (slice->n_frames > g->most)
        return error_set(error, KODAMA_ERR_LIMIT, "too many frames at once");
    if (slice->n_frames != g->bound.n_frames) {
        struct tensor_shape features = {3, {1, n, dims}}, frames = {2, {1, n}};
        struct tensor_shape noise = {3, {1, RVC_NOISE_CHANNELS, n}};
        int status =
            binding_input(g->binding, g->features.name, g->features.data, &features, error);
        if (status == KODAMA_OK && g->signature.has_pitch)
            status = binding_input(g->binding, "pitch", g->pitch, &frames, error);
        if (status == KODAMA_OK && g->signature.has_pitch)
            status = binding_input(g->binding, "pitchf", g->pitchf.data, &frames, error);
        if (status == KODAMA_OK && g->signature.has_noise)
            status = binding_input(g->binding, "rnd", g->noise.data, &noise, error);
        if (status < 0) return status;
    }
    g->bound = *slice;
    g->length = n;
    g->skip = (int64_t)slice->skip;
    g->kept = n - g->skip;
    g->stretched = (int64_t)slice->stretched;
    return KODAMA_OK;
}

/* In (0, 1]. */
static double draw(struct rvc_generator *g)
{
    return ((double)(random_next(&g->random) >> 11) + 1.0) * 0x1p-53;
}

/* Normal, in pairs (Box & Muller 1958). */
static void make_noise(struct rvc_generator *g, size_t n)
{
    for (size_t i = 0; i < n; i += 2) {
        double radius = sqrt(-2.0 * log(draw(g))), angle = 2.0 * acos(-1.0) * draw(g);
        g->noise_room[i] = NOISE_SPREAD * (float)(radius * cos(angle));
        if (i + 1 < n) g->noise_room[i + 1] = NOISE_SPREAD * (float)(radius * sin(angle));
    }
    tensor_from_floats(g->noise.data, g->noise.type, g->noise_room, n);
}

int rvc_generator_run(struct rvc_generator *g, const struct rvc_slice *slice, const float *features,
                      const float *pitch_hz, const float **audio, size_t *n_samples,
                      struct kodama_error *error)
{
    size_t n = slice->n_frames;
    int status = bind_frames(g, slice, error);
    if (status < 0) return status;
    tensor_from_floats(g->features.data, g->features.type, features, n * g->signature.dims);
    for (size_t i = 0; i < n && g->signature.has_pitch; i++)
        g->pitch[i] = rvc_coarse_pitch(pitch_hz[i]);
    if (g->signature.has_pitch) tensor_from_floats(g->pitchf.data, g->pitchf.type, pitch_hz, n);
    if (g->signature.has_noise) make_noise(g, n * RVC_NOISE_CHANNELS);
    status = binding_run(g->binding, error);
    struct tensor_shape shape;
    if (status == KODAMA_OK)
        status = result(g->binding, g->signature.output, g->output_type, &g->room, &g->n_room,
                        audio, &shape, error);
    if (status == KODAMA_OK) *n_samples = tensor_elements(&shape);
    return status;
}

void rvc_generator_stop(struct rvc_generator *g, bool stop)
{
    binding_stop(g->binding, stop);
}

void rvc_generator_reset(struct rvc_generator *g)
{
    g->random = g->seed;
}

int rvc_generator_rate(struct graph *graph, struct rvc_signature *signature,
                       struct kodama_error *error)
{
    enum { FRAMES = 32 };
    struct rvc_generator *g = NULL;
    float *features = memory_array((size_t)FRAMES * signature->dims, sizeof *features);
    float pitch[FRAMES];
    for (size_t i = 0; i < FRAMES; i++) pitch[i] = 200.0f;
    struct rvc_slice slice = {FRAMES, 0, FRAMES};
    const float *audio;
    size_t n = 0;
    int status = features ? rvc_generator_open(&g, graph, signature, FRAMES, 0, 1, error)
                          : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    if (status == KODAMA_OK)
        status = rvc_generator_run(g, &slice, features, pitch, &audio, &n, error);
    rvc_generator_close(g);
    free(features);
    if (status < 0) return status;
    /* Some exports lose a few samples at the end: the nearest rate that exists. */
    static const uint32_t rates[] = {16000, 24000, 32000, 40000, 48000};
    double rate = 100.0 * (double)n / FRAMES;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        if (fabs(rate / rates[i] - 1.0) < 0.05) signature->rate_hz = rates[i];
    if (signature->rate_hz == 0)
        return error_set(error, KODAMA_ERR_FORMAT,
                         "%s makes %zu samples of %d frames, which is %.0f Hz; expected is a rate "
                         "of 32000, 40000 or 48000 Hz",
                         graph_path(graph), n, (int)FRAMES, rate);
    return KODAMA_OK;
}
