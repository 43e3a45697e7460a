/* The queue of a recogniser's events. */
#include "speech/recognizer_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct event_node *event_create(const struct kodama_event *event, const struct engine_word *words,
                                size_t n_words, uint64_t begin)
{
    size_t n_text = event->text ? strlen(event->text) + 1 : 0;
    size_t n_bytes = n_text;
    for (size_t i = 0; i < n_words; i++) n_bytes += strlen(words[i].text) + 1;
    size_t n_fixed = sizeof(struct event_node);
    if (n_words > (SIZE_MAX / 2 - n_fixed) / sizeof(struct kodama_word)) return NULL;
    n_fixed += n_words * sizeof(struct kodama_word);
    struct event_node *node = n_bytes < SIZE_MAX / 2 ? malloc(n_fixed + n_bytes) : NULL;
    if (!node) return NULL;
    *node = (struct event_node){.event = *event};
    if (event->language && event->language[0]) {
        snprintf(node->language, sizeof node->language, "%s", event->language);
        node->event.language = node->language;
    } else {
        node->event.language = NULL;
    }
    struct kodama_word *copies = (struct kodama_word *)(node + 1);
    char *bytes = (char *)(copies + n_words);
    if (event->text) memcpy(bytes, event->text, n_text);
    node->event.text = event->text ? bytes : NULL;
    bytes += n_text;
    for (size_t i = 0; i < n_words; i++) {
        size_t n = strlen(words[i].text) + 1;
        memcpy(bytes, words[i].text, n);
        copies[i] = (struct kodama_word){
            .text = bytes,
            .start_s = (double)(begin + words[i].begin) / ENGINE_RATE_HZ,
            .end_s = (double)(begin + words[i].end) / ENGINE_RATE_HZ,
            .confidence = words[i].confidence,
        };
        bytes += n;
    }
    node->event.words = n_words > 0 ? copies : NULL;
    node->event.n_words = n_words;
    return node;
}

/** Take an undelivered partial of an utterance out. */
static void drop_partial(struct event_queue *queue, uint32_t utterance)
{
    struct event_node *before = NULL;
    for (struct event_node *node = queue->first; node; before = node, node = node->next) {
        if (node->event.kind != KODAMA_EVENT_PARTIAL || node->event.utterance != utterance) {
            continue;
        }
        if (before) {
            before->next = node->next;
        } else {
            queue->first = node->next;
        }
        if (queue->last == node) queue->last = before;
        free(node);
        return; /* there is never a second one */
    }
}

bool event_queue_push(struct event_queue *queue, struct event_node *node)
{
    bool was_empty = !queue->first;
    enum kodama_event_kind kind = node->event.kind;
    if (kind == KODAMA_EVENT_PARTIAL || kind == KODAMA_EVENT_FINAL) {
        drop_partial(queue, node->event.utterance);
    }
    node->next = NULL;
    if (queue->last) {
        queue->last->next = node;
    } else {
        queue->first = node;
    }
    queue->last = node;
    return was_empty;
}

struct event_node *event_queue_pop(struct event_queue *queue)
{
    struct event_node *node = queue->first;
    if (!node) return NULL;
    queue->first = node->next;
    if (!queue->first) queue->last = NULL;
    return node;
}

void event_queue_clear(struct event_queue *queue)
{
    struct event_node *node;
    while ((node = event_queue_pop(queue))) free(node);
}
