/*
 * Recognition engines from the inside: the table that each one fills. Adding one is one new file
 * plus one line in engine.c.
 *
 * A streaming engine hears every 10 ms hop and can be asked for a partial at any time. A segment
 * engine decodes a growing utterance from its beginning each time. The stabiliser then decides what
 * is firm, of both.
 */
#ifndef SPEECH_ENGINE_H
#define SPEECH_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/model.h>
#include <kodama/recognizer.h>

enum {
    ENGINE_RATE_HZ = 16000,
    ENGINE_HOP = 160,
    ENGINE_LANGUAGE_BYTES = 8, /* of a code such as "en", its end included */
};

struct engine_word {
    char *text;
    uint32_t begin, end; /* samples from the utterance's beginning */
    float confidence;    /* 0..1 */
};

/** A hypothesis; owned by the caller, emptied with engine_result_clear(). */
struct engine_result {
    char *text; /* the words, with one space between them */
    struct engine_word *words;
    size_t n_words;
    float confidence;                     /* mean of the words', weighted by their length */
    char language[ENGINE_LANGUAGE_BYTES]; /* that it is in; empty: not known */
};

void engine_result_clear(struct engine_result *result);

/** Add a word (n_bytes of it). False when memory is out. */
bool engine_result_add(struct engine_result *result, const char *word, size_t n_bytes,
                       uint32_t begin, uint32_t end, float confidence);

/** Make text and confidence from the words. False when memory is out. */
bool engine_result_join(struct engine_result *result);

/** What a conversation carries from one final to the next (cepstral mean, earlier text): opaque,
 * small, and fit to be saved; and the one setting that a conversation has of its own. */
struct engine_context {
    uint8_t *data; /* owned, malloc; NULL at the beginning of a conversation */
    size_t n_bytes;
    char language[ENGINE_LANGUAGE_BYTES]; /* to be heard: a code or "auto"; empty: the model's */
};

struct engine_ops {
    const char *name;
    bool streaming;
    /** Fill `where` (may be 1 byte) with version and default model, or what is missing. */
    int (*probe)(char *where, size_t n_bytes);
    int (*model_open)(void **model, const struct kodama_model_config *config, char *name,
                      size_t n_name_bytes, struct kodama_error *error);
    void (*model_close)(void *model);
    /** Called from several threads at once on one model, which is immutable. */
    int (*decoder_open)(void **decoder, void *model, struct kodama_error *error);
    void (*decoder_close)(void *decoder);
    /** Whole utterance -> final. Depends on samples and context only. May replace *context for the
     * next utterance. Looks at *cancel where it can and returns KODAMA_ERR_CANCELLED. */
    int (*decode)(void *decoder, const float *samples, size_t n_samples,
                  struct engine_context *context, const _Atomic bool *cancel,
                  struct engine_result *result, struct kodama_error *error);
    /** Segment engines only, and may be NULL (then decode() does it): a hypothesis of an utterance
     * that goes on, cheaper than a final. Cancelled as decode(). */
    int (*guess)(void *decoder, const float *samples, size_t n_samples,
                 const struct engine_context *context, const _Atomic bool *cancel,
                 struct engine_result *result);
    /** Whether a model can hear a language ("auto": find out); NULL: the engine has no such
     * setting and ignores it. */
    int (*check_language)(void *model, const char *language, struct kodama_error *error);
    /** Streaming engines only: begin with the conversation's context, hear hops, give the current
     * hypothesis, give the utterance up. */
    int (*begin)(void *decoder, const struct engine_context *context);
    int (*hear)(void *decoder, const float *samples,
                size_t n_samples); /* a multiple of ENGINE_HOP */
    int (*partial)(void *decoder, struct engine_result *result);
    void (*abandon)(void *decoder);
};

/** Engine by name (NULL: the best one); NULL when there is none. */
const struct engine_ops *engine_find(const char *name);

/** Name of the engine that a model's path is for, by what is in it: NULL is any. The engine may not
 * be there. */
const char *engine_guess(const char *path);

/** Why there is no such engine and how to get it. */
const char *engine_missing(const char *name);

#endif
