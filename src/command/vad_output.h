/* What kodama vad prints: where somebody speaks, in the forms that other programs read. */
#ifndef COMMAND_VAD_OUTPUT_H
#define COMMAND_VAD_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/segmenter.h>

#include "command/output.h"
#include "command/text.h"

enum vad_form { VAD_TEXT, VAD_JSON, VAD_RTTM, VAD_AUDACITY, VAD_CSV };

struct vad_output {
    struct output to;
    enum vad_form form;
    bool padded;        /* with pre-roll and the silence that ends it */
    bool probabilities; /* of each window: instead of the segments, in JSON beside them */
    const char *detector;
    char name[256];      /* of the recording, for RTTM */
    uint32_t window;     /* samples */
    struct text spans;   /* JSON: segments, put together until the end */
    struct text windows; /* JSON: probabilities */
    struct text line;    /* what is written next */
};

/** Get ready. @param path  of the recording, "-": standard input */
void vad_output_open(struct vad_output *output, const char *path);
void vad_output_close(struct vad_output *output);

/** The heading, if the form has one. False once writing has failed. */
bool vad_output_begin(struct vad_output *output);

/** A segment that is over. */
bool vad_output_segment(struct vad_output *output, const struct kodama_segment *segment);

/** Probabilities of n windows from sample `first` on. */
bool vad_output_probabilities(struct vad_output *output, uint64_t first, const float *values,
                              size_t n);

/** What comes at the end. */
bool vad_output_end(struct vad_output *output, double duration_s);

#endif
