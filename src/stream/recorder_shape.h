/* How the files of a recording store what comes: type, sample type, and memory to convert. */
#ifndef STREAM_RECORDER_SHAPE_H
#define STREAM_RECORDER_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include <kodama/format.h>
#include <kodama/recorder.h>
#include <kodama/status.h>

#include "audio/clip_file.h"

/** What all files of a recording have in common, and the memory that writing needs. */
struct recorder_shape {
    const struct clip_file_type *type;
    struct kodama_format from; /* of the frames that come */
    struct kodama_format to;   /* of the file; f32 for lossy types */
    double quality;            /* of lossy types; 0: the encoder's default */
    bool overwrite;
    size_t from_bytes, to_bytes; /* of a frame */
    float *floats;               /* a block on its way from one sample type to the other */
    int32_t *block;              /* a block as it is written */
};

/** Frames that are converted and written at once. libvorbis puts all that it gets on the stack. */
enum { RECORDER_BLOCK_FRAMES = 1024 };

/** Decide how files store the frames of a ring, or say why they cannot. No memory is taken yet. */
int recorder_shape_choose(struct recorder_shape *shape, struct kodama_format format,
                          const struct kodama_recorder_config *config, struct kodama_error *error);

/** Get the memory, and fill in the sizes. KODAMA_OK or KODAMA_ERR_MEMORY; to be freed in both
 * cases. */
int recorder_shape_init(struct recorder_shape *shape);
void recorder_shape_free(struct recorder_shape *shape);

#endif
