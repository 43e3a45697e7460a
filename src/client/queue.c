/* The queue of a client's events. */
#include "client/queue.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Copy a text to *at, which moves on. */
static const char *copy(char **at, const char *text)
{
    size_t n = text_bytes(text);
    char *begin = *at;
    if (!text) return NULL;
    memcpy(begin, text, n);
    *at += n;
    return begin;
}

struct queue_node *queue_node_create(const struct kodama_client_event *event)
{
    const struct kodama_event *heard = &event->heard;
    size_t n_fixed = sizeof(struct queue_node);
    size_t n_text = text_bytes(event->text) + text_bytes(heard->text) + text_bytes(heard->language);
    for (size_t i = 0; i < heard->n_words; i++) n_text += text_bytes(heard->words[i].text);
    if (heard->n_words > (SIZE_MAX / 2 - n_fixed) / sizeof(struct kodama_word)) return NULL;
    n_fixed += heard->n_words * sizeof(struct kodama_word);
    struct queue_node *node = n_text < SIZE_MAX / 2 ? malloc(n_fixed + n_text) : NULL;
    if (!node) return NULL;
    *node = (struct queue_node){.event = *event};
    struct kodama_word *words = (struct kodama_word *)(node + 1);
    char *at = (char *)(words + heard->n_words);
    node->event.text = copy(&at, event->text);
    node->event.heard.text = copy(&at, heard->text);
    node->event.heard.language = copy(&at, heard->language);
    for (size_t i = 0; i < heard->n_words; i++) {
        words[i] = heard->words[i];
        words[i].text = copy(&at, heard->words[i].text);
    }
    node->event.heard.words = heard->n_words > 0 ? words : NULL;
    return node;
}

static bool is_partial_of(const struct kodama_client_event *event, uint32_t utterance)
{
    return event->kind == KODAMA_CLIENT_HEARD && event->heard.kind == KODAMA_EVENT_PARTIAL &&
           event->heard.utterance == utterance;
}

/* Take an undelivered partial of an utterance out. */
static void drop_partial(struct queue *queue, uint32_t utterance)
{
    struct queue_node *before = NULL;
    for (struct queue_node *node = queue->first; node; before = node, node = node->next) {
        if (!is_partial_of(&node->event, utterance)) continue;
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

bool queue_push(struct queue *queue, struct queue_node *node)
{
    bool was_empty = !queue->first;
    const struct kodama_event *heard = &node->event.heard;
    if (node->event.kind == KODAMA_CLIENT_HEARD &&
        (heard->kind == KODAMA_EVENT_PARTIAL || heard->kind == KODAMA_EVENT_FINAL)) {
        drop_partial(queue, heard->utterance);
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

struct queue_node *queue_pop(struct queue *queue)
{
    struct queue_node *node = queue->first;
    if (!node) return NULL;
    queue->first = node->next;
    if (!queue->first) queue->last = NULL;
    return node;
}

void queue_clear(struct queue *queue)
{
    struct queue_node *node;
    while ((node = queue_pop(queue))) free(node);
}
