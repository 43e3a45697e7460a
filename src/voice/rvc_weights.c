/* Loads what a voice is made of. */
#include "voice/rvc_weights.h"

#include <sys/stat.h>

#include "base/error.h"
#include "voice/rvc_rmvpe.h"
#include "voice/rvc_run.h"

static int load(struct rvc_weights *w, struct graph **graph, const char *path,
                const struct rvc_weights_config *config, struct kodama_error *error)
{
    struct graph_config graph_config = {.path = path,
                                        .library = config->runtime,
                                        .provider = config->provider,
                                        .n_threads = config->n_threads};
    struct stat info;
    uint64_t n_bytes = stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
    int status = graph_open(graph, &graph_config, error);
    w->n_bytes += n_bytes;
    if (status == KODAMA_ERR_MEMORY)
        return error_set(error, status,
                         "there is not enough memory for %s (a file of %llu MB): unload other "
                         "voices, or use a float16 export",
                         path, (unsigned long long)(n_bytes >> 20));
    return status;
}

int rvc_weights_open(struct rvc_weights *w, const struct rvc_weights_config *config,
                     struct kodama_error *error)
{
    *w = (struct rvc_weights){0};
    int status = load(w, &w->generator, config->generator, config, error);
    if (status == KODAMA_OK) status = rvc_dialect_read(&w->signature, w->generator, error);
    if (status == KODAMA_OK && !config->encoder)
        status = error_set(error, KODAMA_ERR_NOT_FOUND,
                           "%s needs a content encoder (ContentVec, exported to ONNX) for features "
                           "of %u dimensions: name its file",
                           config->generator, w->signature.dims);
    if (status == KODAMA_OK) status = load(w, &w->encoder, config->encoder, config, error);
    if (status == KODAMA_OK)
        status = rvc_encoder_read(&w->encoder_signature, w->encoder, w->signature.dims, error);
    if (status == KODAMA_OK && config->rmvpe && w->signature.has_pitch) {
        status = load(w, &w->rmvpe, config->rmvpe, config, error);
        if (status == KODAMA_OK) status = rvc_rmvpe_check(w->rmvpe, error);
    }
    if (status == KODAMA_OK && config->index) {
        status = rvc_index_open(&w->index, config->index, w->signature.dims, error);
        if (status == KODAMA_OK) w->n_bytes += rvc_index_bytes(w->index);
    }
    if (status == KODAMA_OK && w->signature.rate_hz == 0)
        status = rvc_generator_rate(w->generator, &w->signature, error);
    if (status < 0) rvc_weights_close(w);
    return status;
}

void rvc_weights_close(struct rvc_weights *w)
{
    graph_close(w->encoder);
    graph_close(w->generator);
    graph_close(w->rmvpe);
    rvc_index_close(w->index);
    *w = (struct rvc_weights){0};
}
