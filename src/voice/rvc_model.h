/* Voice models of the RVC kind from the inside, for what opens them (rvc_model.c), measures
 * (rvc_calibrate.c) and speaks with them (rvc_converter.c). */
#ifndef VOICE_RVC_MODEL_H
#define VOICE_RVC_MODEL_H

#include <stdatomic.h>

#include <kodama/voice_model.h>

#include "base/thread.h"
#include "voice/converter.h"
#include "voice/rvc_pass.h"

enum { RVC_N_CHUNKS = 3, RVC_CHUNK_OFFLINE = 100 };

/** Chunks that a voice may speak in, frames. */
extern const size_t rvc_chunks[RVC_N_CHUNKS];

struct rvc_model {
    struct kodama_voice_model base;
    /* Immutable. */
    struct rvc_weights weights;
    struct rvc_manner manner;
    char name[64];
    size_t context;  /* frames */
    size_t smallest; /* of rvc_chunks, that is tried */
    uint32_t n_threads;
    bool slow;
    const struct kodama_log *log;

    _Atomic uint32_t n_users;

    /* With the lock. */
    struct mutex lock;
    bool measured;
    uint64_t cost_ns[RVC_N_CHUNKS];
    size_t chunk, chunk_most; /* of rvc_chunks */
    bool sustained;
};

/** Measure it, unless that was done: KODAMA_OK, KODAMA_ERR_LIMIT or what a run failed with. */
int rvc_calibrate(struct rvc_model *model, struct kodama_error *error);

/** The table of those that speak with such a model. */
extern const struct converter_ops converter_rvc;

#endif
