/*
 * Dialects: the ways in which models of the RVC kind are exported, told apart by the names of their
 * inputs.
 *
 *   A  phone, phone_lengths, pitch, pitchf, ds, rnd: noise comes from outside; says nothing of
 *      itself, so its rate is found by a run
 *   B  feats, p_len, pitch, pitchf, sid; says what it is in metadata
 *   C  B and skip_head, return_length, formant_length: slices what it is given itself
 *
 * All exist without `pitch` and `pitchf` (models of speech without a melody of its own), with
 * features of 256 (version 1) or 768 dimensions (version 2), in float32 and float16.
 */
#ifndef VOICE_RVC_DIALECT_H
#define VOICE_RVC_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "neural/graph.h"

enum rvc_dialect { RVC_DIALECT_A, RVC_DIALECT_B, RVC_DIALECT_C };

/** Channels of the noise that dialect A is handed. */
enum { RVC_NOISE_CHANNELS = 192 };

/** What a generator is. Names live as long as the graph. */
struct rvc_signature {
    enum rvc_dialect dialect;
    bool has_pitch;
    bool has_noise;
    uint32_t dims;    /**< 256 or 768 */
    uint32_t rate_hz; /**< of its sound; 0: it does not say */
    const char *features, *lengths, *speaker, *output;
};

/** What a content encoder is. */
struct rvc_encoder_signature {
    uint32_t dims;
    const char *input, *output;
};

/**
 * Read what a generator is off its inputs, outputs and metadata.
 *
 * @return KODAMA_OK or KODAMA_ERR_FORMAT; the error says what was found, what was expected and what
 *         to do
 */
int rvc_dialect_read(struct rvc_signature *signature, const struct graph *graph,
                     struct kodama_error *error);

/**
 * Find the output of a content encoder for features of `dims`.
 *
 * @return KODAMA_OK or KODAMA_ERR_FORMAT (no encoder, or other dimensions)
 */
int rvc_encoder_read(struct rvc_encoder_signature *signature, const struct graph *graph,
                     uint32_t dims, struct kodama_error *error);

/** Whether a rate is one that these models have: 32000, 40000, 48000, or 16000 and 24000. */
bool rvc_rate_fits(uint64_t rate_hz);

/** "A", "B" or "C". */
const char *rvc_dialect_name(enum rvc_dialect dialect);

#endif
