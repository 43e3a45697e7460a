/*
 * Weights: everything of a voice that is loaded once and shared by all who speak with it: content
 * encoder, generator, RMVPE when there is one, index, and what they were found to be.
 *
 * Immutable after it was opened. Thread: any. Real-time safe: no.
 */
#ifndef VOICE_RVC_WEIGHTS_H
#define VOICE_RVC_WEIGHTS_H

#include <stdint.h>

#include "neural/graph.h"
#include "voice/rvc_dialect.h"
#include "voice/rvc_index.h"

struct rvc_weights_config {
    const char *generator;
    const char *encoder;
    const char *rmvpe;    /**< NULL: the own tracker */
    const char *index;    /**< plain; NULL: none */
    const char *runtime;  /**< as graph_config.library */
    const char *provider; /**< as graph_config.provider */
    uint32_t n_threads;
};

struct rvc_weights {
    struct graph *encoder, *generator, *rmvpe;
    struct rvc_index *index;
    struct rvc_encoder_signature encoder_signature;
    struct rvc_signature signature; /**< its rate is known */
    uint64_t n_bytes;               /**< of all files */
};

/** Load it all, and find out what it is. KODAMA_OK, or what graph_open(), rvc_dialect_read(),
 * rvc_encoder_read(), rvc_rmvpe_check() and rvc_index_open() return. */
int rvc_weights_open(struct rvc_weights *weights, const struct rvc_weights_config *config,
                     struct kodama_error *error);

/** Also of one that is all zeros. */
void rvc_weights_close(struct rvc_weights *weights);

#endif
