/* Voice models of the RVC kind: loaded, counted, described. */
#include "voice/rvc_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "neural/find.h"
#include "voice/rvc_index.h"
#include "voice/voice_store_internal.h"

enum { THREADS_MOST = 8, CONTEXT_MOST_MS = 2500 };

static int check(const struct kodama_voice_model_config *c, struct kodama_error *error)
{
    const char *what =
        !c->generator || !c->generator[0]                    ? "generator"
        : !(c->index_rate >= 0.0f && c->index_rate <= 1.0f)  ? "index_rate"
        : !(c->protect >= 0.0f && c->protect <= 0.5f)        ? "protect"
        : !(c->own_volume >= 0.0f && c->own_volume <= 1.0f)  ? "own_volume"
        : !(c->transpose >= -48.0f && c->transpose <= 48.0f) ? "transpose"
        : c->context_ms > CONTEXT_MOST_MS                    ? "context_ms"
        : c->chunk_ms != 0 && c->chunk_ms != 50 && c->chunk_ms != 100 && c->chunk_ms != 200
            ? "chunk_ms"
            : NULL;
    if (!what) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_ARGUMENT, "a voice model's %s is missing or out of range",
                     what);
}

/* The encoder for features of `dims`: in the folder that was named, else where models are kept. */
static int find_encoder(const struct rvc_model *m, const struct kodama_voice_model_config *c,
                        uint32_t dims, char *path, struct kodama_error *error)
{
    const char *file = dims == 256 ? "content-256.onnx" : "content-768.onnx";
    const char *variable = dims == 256 ? "KODAMA_CONTENT_256_MODEL" : "KODAMA_CONTENT_768_MODEL";
    int n = c->models ? snprintf(path, FIND_PATH_BYTES, "%s/%s", c->models, file) : 0;
    if (n > 0 && n < FIND_PATH_BYTES && access(path, R_OK) == 0) return KODAMA_OK;
    int status = find_model(path, NULL, variable, file, error);
    if (status == KODAMA_OK) return status;
    return error_set(error, status,
                     "%s needs a content encoder for features of %u dimensions (ContentVec, "
                     "exported to ONNX): name its file, or put it as %s into %s, or name it with "
                     "%s; docs/rvc.md says more",
                     m->name, dims, file, c->models ? c->models : "~/.local/share/kodama/models",
                     variable);
}

/* Which encoder a voice needs is known when its generator was read; that stays loaded meanwhile. */
static int open_weights(struct rvc_model *m, const struct kodama_voice_model_config *c,
                        struct kodama_error *error)
{
    char path[FIND_PATH_BYTES];
    struct graph_config first = {.path = c->generator,
                                 .library = c->runtime,
                                 .provider = c->provider,
                                 .n_threads = m->n_threads};
    struct rvc_weights_config config = {.generator = c->generator,
                                        .encoder = c->encoder,
                                        .rmvpe = c->rmvpe,
                                        .index = c->index,
                                        .runtime = c->runtime,
                                        .provider = c->provider,
                                        .n_threads = m->n_threads};
    if (c->encoder) return rvc_weights_open(&m->weights, &config, error);
    struct graph *graph;
    struct rvc_signature signature;
    int status = graph_open(&graph, &first, error);
    if (status < 0) return status;
    status = rvc_dialect_read(&signature, graph, error);
    if (status == KODAMA_OK) status = find_encoder(m, c, signature.dims, path, error);
    config.encoder = path;
    if (status == KODAMA_OK) status = rvc_weights_open(&m->weights, &config, error);
    graph_close(graph);
    return status;
}

static void set_name(struct rvc_model *m, const struct kodama_voice_model_config *c)
{
    const char *slash = strrchr(c->generator, '/');
    const char *name = c->name && c->name[0] ? c->name : slash ? slash + 1 : c->generator;
    size_t n = strlen(name);
    if (n > 5 && strcmp(name + n - 5, ".onnx") == 0) n -= 5;
    snprintf(m->name, sizeof m->name, "%.*s", (int)n, name);
}

int kodama_voice_model_open(struct kodama_voice_model **model,
                            const struct kodama_voice_model_config *config,
                            struct kodama_error *error)
{
    if (!model || !config) return error_set(error, KODAMA_ERR_ARGUMENT, "no model is named");
    *model = NULL;
    int status = check(config, error);
    if (status < 0) return status;
    struct rvc_model *m = memory_array(1, sizeof *m);
    if (!m) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    uint32_t processors = (uint32_t)thread_processors();
    m->base.ops = &converter_rvc;
    m->n_threads = config->n_threads           ? config->n_threads
                   : processors < THREADS_MOST ? processors
                                               : THREADS_MOST;
    m->context = config->context_ms / 10;
    m->smallest = config->chunk_ms == 50 ? 0 : config->chunk_ms == 200 ? 2 : 1;
    m->slow = config->slow;
    m->log = config->log;
    m->manner = (struct rvc_manner){.index_rate = config->index_rate,
                                    .protect = config->protect,
                                    .own_volume = config->own_volume,
                                    .transpose = config->transpose,
                                    .speaker = config->speaker};
    atomic_store_explicit(&m->n_users, 1, memory_order_relaxed);
    mutex_init(&m->lock);
    set_name(m, config);
    status = open_weights(m, config, error);
    if (status < 0) {
        kodama_voice_model_close(&m->base);
        return status;
    }
    *model = &m->base;
    return KODAMA_OK;
}

void kodama_voice_model_keep(struct kodama_voice_model *model)
{
    struct rvc_model *m = (struct rvc_model *)model;
    atomic_fetch_add_explicit(&m->n_users, 1, memory_order_relaxed);
}

void kodama_voice_model_close(struct kodama_voice_model *model)
{
    struct rvc_model *m = (struct rvc_model *)model;
    if (!m || atomic_fetch_sub_explicit(&m->n_users, 1, memory_order_acq_rel) > 1) return;
    rvc_weights_close(&m->weights);
    mutex_destroy(&m->lock);
    free(m);
}

int kodama_voice_model_calibrate(struct kodama_voice_model *model, struct kodama_error *error)
{
    return rvc_calibrate((struct rvc_model *)model, error);
}

void kodama_voice_model_facts(struct kodama_voice_model *model,
                              struct kodama_voice_model_facts *facts)
{
    struct rvc_model *m = (struct rvc_model *)model;
    const struct rvc_signature *s = &m->weights.signature;
    *facts = (struct kodama_voice_model_facts){
        .dialect = rvc_dialect_name(s->dialect)[0],
        .version = s->dims == 256 ? 1 : 2,
        .has_pitch = s->has_pitch,
        .half = graph_find_input(m->weights.generator, s->features)->type == TENSOR_F16,
        .has_rmvpe = m->weights.rmvpe != NULL,
        .rate_hz = s->rate_hz,
        .n_index = m->weights.index ? rvc_index_vectors(m->weights.index) : 0,
        .n_bytes = m->weights.n_bytes,
        .n_threads = m->n_threads};
    memcpy(facts->name, m->name, sizeof facts->name);
    mutex_lock(&m->lock);
    if (m->measured) {
        facts->chunk_ms = (uint32_t)rvc_chunks[m->chunk] * 10;
        facts->chunk_most_ms = (uint32_t)rvc_chunks[m->chunk_most] * 10;
        facts->sustained = m->sustained;
        for (size_t i = 0; i < RVC_N_CHUNKS; i++)
            facts->cost_ms[i] = (uint32_t)((m->cost_ns[i] + 999999) / 1000000);
    }
    mutex_unlock(&m->lock);
}

uint32_t voice_model_users(const struct kodama_voice_model *model)
{
    const struct rvc_model *m = (const struct rvc_model *)model;
    return atomic_load_explicit(&m->n_users, memory_order_acquire);
}

int voice_model_try(struct kodama_voice_model *model, struct kodama_error *error)
{
    struct rvc_model *m = (struct rvc_model *)model;
    struct rvc_pass *pass;
    int status = rvc_pass_open(&pass, &m->weights, &m->manner, m->context, rvc_chunks[1], 1, error);
    rvc_pass_close(pass);
    return status;
}
