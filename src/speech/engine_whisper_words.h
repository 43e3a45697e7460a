/* From what libwhisper decoded to words with times. */
#ifndef SPEECH_ENGINE_WHISPER_WORDS_H
#define SPEECH_ENGINE_WHISPER_WORDS_H

#include <stddef.h>

#include <whisper.h>

#include "speech/engine.h"

/** Add the words that a state decoded from n_samples at sample `first` of the utterance; their
 * times never go back and end within these samples. KODAMA_OK or KODAMA_ERR_MEMORY. */
int whisper_take_words(struct whisper_context *whisper, struct whisper_state *state, size_t first,
                       size_t n_samples, struct engine_result *result);

#endif
