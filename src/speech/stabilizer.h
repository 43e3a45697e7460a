/*
 * The stabiliser: decides which words of successive hypotheses of one utterance are firm.
 *
 * LocalAgreement-2 (Liu et al. 2020; Macháček et al. 2023): firm is the longest common prefix of
 * two successive hypotheses. Around it: firm text binds every later partial, so that it never
 * shrinks; words timed beyond the audio that exists are refused; and a phrase that repeats itself
 * (the hallucination of sequence models) is cut before it can be confirmed.
 */
#ifndef SPEECH_STABILIZER_H
#define SPEECH_STABILIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"
#include "speech/engine.h"

struct stabilizer {
    struct engine_word *words; /* the newest partial: firm words, then tentative ones */
    size_t n_words;
    size_t n_firm;
    char *text;          /* words with one space between them; NULL before the first */
    size_t stable_bytes; /* bytes of text that are firm */
};

/** Begin an utterance. All zero bytes are a valid stabiliser, too. */
void stabilizer_reset(struct stabilizer *stabilizer);

/**
 * Hear the next hypothesis.
 *
 * @param stabilizer  text and stable_bytes are renewed
 * @param hypothesis  borrowed; its text is not looked at, only its words
 * @param n_samples   audio of the utterance that the hypothesis is about
 * @return KODAMA_OK or KODAMA_ERR_MEMORY (then nothing changed)
 */
int stabilizer_hear(struct stabilizer *stabilizer, const struct engine_result *hypothesis,
                    size_t n_samples);

/** Whether a final deviates from text that was called firm. */
bool stabilizer_deviates(const struct stabilizer *stabilizer, const char *final_text);

/** Keep the firm words, for a conversation that is resumed elsewhere. */
void stabilizer_save(const struct stabilizer *stabilizer, struct record *record);
void stabilizer_load(struct stabilizer *stabilizer, struct record *record);

#endif
