/*
 * Recognition engines from the inside: the table that each one fills. Adding one is one new file
 * plus one line in engine.c.
 *
 * A streaming engine hears every 10 ms hop and can be asked for a partial at any time. A segment
 * engine decodes a growing utterance from its beginning each time; the stabiliser then decides what
 * is firm.
 */
#ifndef SPEECH_ENGINE_H
#define SPEECH_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/model.h>
#include <kodama/recognizer.h>

#include "base/record.h"

enum { ENGINE_RATE_HZ = 16000, ENGINE_HOP = 160 };

struct engine_word {
    char *text;
    uint32_t begin, end; /* samples from the utterance's beginning */
    float confidence;
};

/** A hypothesis; owned by the caller, emptied with engine_result_clear(). */
struct engine_result {
    char *text;
    struct engine_word *words;
    size_t n_words;
    float confidence;
};

void engine_result_clear(struct engine_result *result);

/** What a conversation carries from one final to the next (cepstral mean, earlier text); opaque,
 * small. */
struct engine_context {
    uint8_t *data; /* owned; NULL at the beginning of a conversation */
    size_t n_bytes;
};

struct engine_ops {
    const char *name;
    bool streaming;
    int (*probe)(char *where, size_t n_bytes);
    int (*model_open)(void **model, const struct kodama_model_config *config, char *name,
                      size_t n_name_bytes, struct kodama_error *error);
    void (*model_close)(void *model);
    int (*decoder_open)(void **decoder, void *model, struct kodama_error *error);
    void (*decoder_close)(void *decoder);
    /** Whole utterance -> final. Depends on samples and context only. May update *context for the
     * next utterance. Looks at *cancel now and then and returns KODAMA_ERR_CANCELLED. */
    int (*decode)(void *decoder, const float *samples, size_t n_samples,
                  struct engine_context *context, const _Atomic bool *cancel,
                  struct engine_result *result, struct kodama_error *error);
    /** Streaming engines only: begin with the conversation's context, hear hops, give the current
     * hypothesis. */
    int (*begin)(void *decoder, const struct engine_context *context);
    int (*hear)(void *decoder, const float *samples,
                size_t n_samples); /* a multiple of ENGINE_HOP */
    int (*partial)(void *decoder, struct engine_result *result);
    void (*abandon)(void *decoder);
};

/** Engine by name (NULL: the first one); NULL when there is none. */
const struct engine_ops *engine_find(const char *name);

#endif
