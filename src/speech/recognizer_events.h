/* An event of a recogniser, as it waits in a queue for its reader. */
#ifndef SPEECH_RECOGNIZER_EVENTS_H
#define SPEECH_RECOGNIZER_EVENTS_H

#include <stdbool.h>

#include <kodama/recognizer.h>

#include "base/event_queue.h"
#include "speech/engine.h"

/** An event and the memory its pointers lead to, in one piece; free with free(). */
struct recognizer_event {
    struct event_node node; /* a final or a newer partial takes the place of a partial */
    struct kodama_event event;
    char language[ENGINE_LANGUAGE_BYTES]; /* where event.language points, when it does */
};

/**
 * Make an event.
 *
 * @param event    copied; its text, too (may be NULL)
 * @param words    may be NULL; copied, their times put on the audio's clock
 * @param n_words  how many
 * @param begin    the utterance's first sample (16 kHz), where the words' times count from
 * @return NULL when memory is out
 */
struct recognizer_event *event_create(const struct kodama_event *event,
                                      const struct engine_word *words, size_t n_words,
                                      uint64_t begin);

#endif
