/*
 * A pass: one chunk of a voice through the models. What it hears is the chunk and the sound before
 * it; what it says is the chunk and as much before it as the joining of chunks needs.
 *
 *     | context ............. | lead | search | fade | chunk |   16 kHz, to the encoder
 *                             | lead | search | fade | chunk |   features, to the generator
 *                                    | search | fade | chunk |   48 kHz, said
 *
 * Only that much is generated; the rest is context for the encoder, which is much cheaper. All
 * lengths are in frames of 10 ms. A pass depends on its input alone (but for models that draw
 * random numbers), so a stream of them does not depend on how the input was cut into blocks.
 */
#ifndef VOICE_RVC_PASS_H
#define VOICE_RVC_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/status.h>

#include "voice/rvc_weights.h"

enum {
    PASS_RATE_IN = 16000,
    PASS_RATE_OUT = 48000,
    PASS_HOP_IN = PASS_RATE_IN / 100,
    PASS_HOP_OUT = PASS_RATE_OUT / 100,
    PASS_LEAD = 24, /**< frames that the generator looks at before what it says */
    PASS_FADE = 5,
    PASS_SEARCH = 1,
    PASS_SAID = PASS_FADE + PASS_SEARCH, /**< frames said before the chunk */
};

/** How a voice is spoken. */
struct rvc_manner {
    float index_rate; /**< 0..1, share of retrieval */
    float protect;    /**< 0..0.5; see rvc_features_protect() */
    float own_volume; /**< 0..1; see rvc_loudness_mix() */
    float transpose;  /**< semitones that this voice is always moved by */
    int64_t speaker;  /**< of those of the model */
};

/** What a chunk is made of: frames in a row, of which the last ones are the chunk. */
struct rvc_input {
    const float *samples;   /**< [rvc_pass_window()][160] */
    const float *pitch_hz;  /**< [rvc_pass_window()], 0: none */
    const float *semitones; /**< [rvc_pass_window()], that the pitch is moved by */
    float formant;          /**< semitones */
};

/** Processor or other time that the parts of the last run took, ns. */
struct rvc_times {
    uint64_t encoder_ns, pitch_ns, index_ns, generator_ns, rest_ns;
};

struct rvc_pass;

/**
 * Prepare passes of a fixed shape, and run one, so that none of the following is slower.
 *
 * @param weights  borrowed for the pass's life
 * @param context  frames before the lead that the encoder hears; rounded so that all is even
 * @param chunk    frames, 1..200
 * @param seed     of the noise that dialect A is handed
 */
int rvc_pass_open(struct rvc_pass **pass, const struct rvc_weights *weights,
                  const struct rvc_manner *manner, size_t context, size_t chunk, uint64_t seed,
                  struct kodama_error *error);
void rvc_pass_close(struct rvc_pass *pass);

/** Frames that it hears, and of them those that are the chunk. */
size_t rvc_pass_window(const struct rvc_pass *pass);
size_t rvc_pass_chunk(const struct rvc_pass *pass);

/** Take the pitch that it is given instead of RMVPE's. Thread: owner. */
void rvc_pass_cheap(struct rvc_pass *pass, bool cheap);
/** Whether RMVPE is there and not left out. */
bool rvc_pass_dear(const struct rvc_pass *pass);

/**
 * Say a chunk.
 *
 * @param[out] said  [(PASS_SAID + chunk) * 480]
 * @return KODAMA_OK; KODAMA_ERR_ENGINE also when what came out is not finite; KODAMA_ERR_CANCELLED
 *         after rvc_pass_stop(); `said` is not to be used then
 *
 * Thread: owner. Real-time safe: no.
 */
int rvc_pass_run(struct rvc_pass *pass, const struct rvc_input *input, float *said,
                 struct kodama_error *error);

/** End a run that goes on, and refuse others until `stop` is false. Thread: any. */
void rvc_pass_stop(struct rvc_pass *pass, bool stop);

/** Begin its noise anew. */
void rvc_pass_reset(struct rvc_pass *pass);

void rvc_pass_times(const struct rvc_pass *pass, struct rvc_times *times);

#endif
