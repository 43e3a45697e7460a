/* What a Whisper conversation carries from one final to the next: the language, and the end of what
 * was said, which is the next utterance's prompt. */
#ifndef SPEECH_ENGINE_WHISPER_PAST_H
#define SPEECH_ENGINE_WHISPER_PAST_H

#include <stddef.h>

#include "speech/engine.h"

/* Whisper takes half of its 448 places for the prompt. English has some 4 bytes a token. */
enum { WHISPER_PAST_BYTES = 600 };

/** Unpacked. */
struct whisper_past {
    char language[ENGINE_LANGUAGE_BYTES]; /* of the newest utterance; empty: none yet */
    char text[WHISPER_PAST_BYTES + 1];    /* the end of what was said */
};

/** Unpack; what does not fit together is nothing. */
void whisper_past_get(const struct engine_context *context, struct whisper_past *past);

/** Add words, and keep the end of it all, from the beginning of a word on. */
void whisper_past_add(struct whisper_past *past, const struct engine_word *words, size_t n_words);

/** Pack; when memory is out the context stays as it was. */
void whisper_past_put(struct engine_context *context, const struct whisper_past *past);

#endif
