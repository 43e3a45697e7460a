/* The queue of a recogniser's events: ordered, with overtaken partials left out. Not locked: its
 * owner does that. */
#ifndef SPEECH_RECOGNIZER_EVENTS_H
#define SPEECH_RECOGNIZER_EVENTS_H

#include <stdbool.h>

#include <kodama/recognizer.h>

#include "speech/engine.h"

/** An event and the memory its pointers lead to, in one piece; free with free(). */
struct event_node {
    struct event_node *next;
    struct kodama_event event;
    char language[ENGINE_LANGUAGE_BYTES]; /* where event.language points, when it does */
};

struct event_queue {
    struct event_node *first, *last;
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
struct event_node *event_create(const struct kodama_event *event, const struct engine_word *words,
                                size_t n_words, uint64_t begin);

/** Append. A PARTIAL or FINAL takes the place of an undelivered PARTIAL of the same utterance.
 * True when the queue was empty before. */
bool event_queue_push(struct event_queue *queue, struct event_node *node);

/** Take the first one; NULL when there is none. */
struct event_node *event_queue_pop(struct event_queue *queue);

void event_queue_clear(struct event_queue *queue);

#endif
