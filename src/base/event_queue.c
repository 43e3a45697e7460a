/* A queue of events, some of which are only of the moment. */
#include "base/event_queue.h"

#include <stdlib.h>

static void drop_passing(struct event_queue *queue, uint64_t about)
{
    struct event_node *before = NULL;
    for (struct event_node *node = queue->first; node; before = node, node = node->next) {
        if (!node->passing || node->about != about) continue;
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
    if (node->about) drop_passing(queue, node->about);
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
