/*
 * One session's tensors for the two graphs of a voice: the content encoder and the generator. Each
 * is bound for fixed lengths and warmed up at once, so that no later run is slower than others.
 *
 * Thread: owner, but for the _stop functions (any). Real-time safe: no.
 */
#ifndef VOICE_RVC_RUN_H
#define VOICE_RVC_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "neural/graph.h"
#include "voice/rvc_dialect.h"

struct rvc_encoder;
struct rvc_generator;

/** @param n_samples  of each run, at 16 kHz */
int rvc_encoder_open(struct rvc_encoder **encoder, struct graph *graph,
                     const struct rvc_encoder_signature *signature, size_t n_samples,
                     struct kodama_error *error);
void rvc_encoder_close(struct rvc_encoder *encoder);

/**
 * @param samples        [n_samples]
 * @param[out] features  [*n_frames][dims], valid until the next run
 * @return KODAMA_OK, KODAMA_ERR_FORMAT (other dimensions than it said, or no frame),
 *         KODAMA_ERR_CANCELLED, KODAMA_ERR_MEMORY, KODAMA_ERR_ENGINE
 */
int rvc_encoder_run(struct rvc_encoder *encoder, const float *samples, const float **features,
                    size_t *n_frames, struct kodama_error *error);
void rvc_encoder_stop(struct rvc_encoder *encoder, bool stop);

/**
 * @param most     frames that a run may have
 * @param speaker  number of the speaker in models that have several, else 0
 * @param seed     of the noise that dialect A is handed
 */
int rvc_generator_open(struct rvc_generator **generator, struct graph *graph,
                       const struct rvc_signature *signature, size_t most, int64_t speaker,
                       uint64_t seed, struct kodama_error *error);
void rvc_generator_close(struct rvc_generator *generator);

/** Frames of a run, and how they are cut. */
struct rvc_slice {
    size_t n_frames;  /**< that are handed in */
    size_t skip;      /**< of which the first are only context; dialect C leaves them out */
    size_t stretched; /**< frames' worth of sound that dialect C makes of the rest */
};

/**
 * @param features    [n_frames][dims]
 * @param pitch_hz    [n_frames]; 0: none. Looked at by models with pitch only
 * @param[out] audio  [*n_samples], valid until the next run: of all frames (A, B), of `stretched`
 *                    ones (C)
 * @return as rvc_encoder_run()
 */
int rvc_generator_run(struct rvc_generator *generator, const struct rvc_slice *slice,
                      const float *features, const float *pitch_hz, const float **audio,
                      size_t *n_samples, struct kodama_error *error);
void rvc_generator_stop(struct rvc_generator *generator, bool stop);

/** Begin its noise anew. */
void rvc_generator_reset(struct rvc_generator *generator);

/** Find the rate of a generator that does not say it, by a run: 100 · samples / frames. */
int rvc_generator_rate(struct graph *graph, struct rvc_signature *signature,
                       struct kodama_error *error);

#endif
