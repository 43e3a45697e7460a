/* What a draft is encoded with: libsndfile, given floats. */
#ifndef AUDIO_DRAFT_ENCODER_H
#define AUDIO_DRAFT_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/clip_file.h"
#include "audio/draft_file.h"

enum { ENCODER_BLOCK = 1024 }; /* frames; libvorbis takes all that it gets onto the stack */

struct draft_encoder {
    struct draft_file *file; /* borrowed */
    const struct clip_file_type *type;
    struct kodama_format format; /* of what it gets; always f32 */
    enum kodama_sample sample;   /* stored */
    SNDFILE *native;
    uint64_t n_bytes_most; /* of samples that the header can count */
    uint64_t n_frames;     /* written */
    int32_t block[ENCODER_BLOCK * KODAMA_CHANNELS_MAX];
};

/**
 * Open the encoder; type, format, sample and file are set.
 *
 * @param quality   0: its own default
 * @param n_frames  how many will come; UINT64_MAX: not known
 */
int draft_encoder_open(struct draft_encoder *encoder, double quality, uint64_t n_frames,
                       struct kodama_error *error);

/** Encode up to ENCODER_BLOCK frames. */
int draft_encoder_write(struct draft_encoder *encoder, const float *frames, size_t n_frames,
                        struct kodama_error *error);

/** Write what is left, and close; whatever comes of it, it is closed then. Closing again is
 * allowed. */
int draft_encoder_close(struct draft_encoder *encoder, struct kodama_error *error);

#endif
