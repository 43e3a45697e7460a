/* The queue of a client's events: ordered, with overtaken partials left out. Not locked: its owner
 * does that. */
#ifndef CLIENT_QUEUE_H
#define CLIENT_QUEUE_H

#include <stdbool.h>

#include <kodama/client.h>

/** An event and the memory its pointers lead to, in one piece; free with free(). */
struct queue_node {
    struct queue_node *next;
    struct kodama_client_event event;
};

struct queue {
    struct queue_node *first, *last;
};

/** Copy an event with everything its pointers lead to. NULL when memory is out. */
struct queue_node *queue_node_create(const struct kodama_client_event *event);

/** Append. A partial or final takes the place of an undelivered partial of the same utterance. True
 * when the queue was empty before. */
bool queue_push(struct queue *queue, struct queue_node *node);

/** Take the first one; NULL when there is none. */
struct queue_node *queue_pop(struct queue *queue);

void queue_clear(struct queue *queue);

#endif
