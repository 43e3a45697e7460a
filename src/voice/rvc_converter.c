/* A voice that speaks as a model of the RVC kind: what stands behind the converters' table. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "voice/rvc_model.h"
#include "voice/rvc_stream.h"

struct rvc_converter {
    struct rvc_stream *stream;
    bool offline;
    uint64_t seed;
};

static void let_go(void *model)
{
    kodama_voice_model_close(model);
}

/* Somebody who speaks as the model, warmed up. Offline chunks are long: nobody waits for them. */
static int make_speaker(struct rvc_speaker *speaker, struct rvc_model *m, bool offline,
                        size_t chunk, uint64_t seed, struct kodama_error *error)
{
    *speaker = (struct rvc_speaker){
        .weights = &m->weights, .manner = m->manner, .release = let_go, .owner = &m->base};
    memcpy(speaker->name, m->name, sizeof speaker->name);
    size_t context = offline ? RVC_CHUNK_OFFLINE : m->context;
    int status =
        rvc_pass_open(&speaker->pass, &m->weights, &m->manner, context, chunk, seed, error);
    if (status == KODAMA_OK) kodama_voice_model_keep(&m->base);
    return status;
}

/* What this machine sustains, or, where that is nothing, the largest when it was asked for. */
static int calibrate(struct rvc_model *m, struct kodama_error *error)
{
    int status = rvc_calibrate(m, error);
    if (status != KODAMA_ERR_LIMIT || !m->slow) return status;
    if (error) *error = (struct kodama_error){0};
    return KODAMA_OK;
}

static int open_converter(void **converter, const struct kodama_voice_config *config,
                          uint32_t rate_hz, struct converter_facts *facts,
                          struct kodama_error *error)
{
    (void)rate_hz;
    struct rvc_model *m = (struct rvc_model *)config->model;
    *converter = NULL;
    int status = config->offline ? KODAMA_OK : calibrate(m, error);
    if (status < 0) return status;
    struct rvc_converter *c = memory_array(1, sizeof *c);
    if (!c) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a voice");
    c->offline = config->offline;
    c->seed = config->seed;
    size_t chunk = config->offline ? RVC_CHUNK_OFFLINE : rvc_chunks[m->chunk];
    struct rvc_stream_config stream = {.context = m->context,
                                       .chunk_most = config->offline ? RVC_CHUNK_OFFLINE
                                                                     : rvc_chunks[m->chunk_most],
                                       .deep = config->deep,
                                       .offline = config->offline,
                                       .seed = config->seed,
                                       .log = m->log};
    struct rvc_speaker speaker;
    status = make_speaker(&speaker, m, config->offline, chunk, config->seed, error);
    if (status == KODAMA_OK) status = rvc_stream_open(&c->stream, &speaker, &stream, error);
    if (status < 0) {
        free(c);
        return status;
    }
    *facts = (struct converter_facts){.rate_in_hz = PASS_RATE_IN,
                                      .rate_out_hz = PASS_RATE_OUT,
                                      .hop_in = PASS_HOP_IN,
                                      .hop_out = PASS_HOP_OUT,
                                      .delay = rvc_stream_delay(c->stream)};
    *converter = c;
    return KODAMA_OK;
}

static void close_converter(void *converter)
{
    struct rvc_converter *c = converter;
    if (!c) return;
    rvc_stream_close(c->stream);
    free(c);
}

static int convert(void *converter, const float *in, float *out,
                   const struct converter_control *control)
{
    struct rvc_converter *c = converter;
    return rvc_stream_hop(c->stream, in, out, control->pitch, control->formant);
}

static void reset(void *converter)
{
    struct rvc_converter *c = converter;
    rvc_stream_reset(c->stream);
}

static void heard(const void *converter, struct converter_heard *what)
{
    const struct rvc_converter *c = converter;
    struct rvc_stream_stats stats;
    rvc_stream_stats(c->stream, &stats);
    *what = (struct converter_heard){.f0_hz = stats.f0_hz, .voiced = stats.voiced};
}

/* The new model is measured and warmed up here, beside the one that speaks. */
static int use(void *converter, struct kodama_voice_model *model, struct kodama_error *error)
{
    struct rvc_converter *c = converter;
    struct rvc_model *m = (struct rvc_model *)model;
    int status = c->offline ? KODAMA_OK : calibrate(m, error);
    if (status < 0) return status;
    size_t chunk = c->offline ? RVC_CHUNK_OFFLINE : rvc_chunks[m->chunk];
    struct rvc_speaker speaker;
    status = make_speaker(&speaker, m, c->offline, chunk, c->seed, error);
    return status < 0 ? status : rvc_stream_swap(c->stream, &speaker, error);
}

const struct converter_ops converter_rvc = {
    .name = "rvc",
    .open = open_converter,
    .close = close_converter,
    .convert = convert,
    .reset = reset,
    .heard = heard,
    .use = use,
};
