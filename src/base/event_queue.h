/*
 * A queue of events: in order, but what is only of the moment is left out once something newer is
 * there about the same. Not locked: its owner does that.
 */
#ifndef BASE_EVENT_QUEUE_H
#define BASE_EVENT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/** Begins whatever is queued, which is one piece of memory for free(). */
struct event_node {
    struct event_node *next;
    uint64_t about; /* 0: nothing that others are about */
    bool passing;   /* the next one about the same takes its place */
};

struct event_queue {
    struct event_node *first, *last;
};

/** Append; it is the queue's now. What is about something takes the place of what was passing and
 * about the same. @return whether the queue was empty before */
bool event_queue_push(struct event_queue *queue, struct event_node *node);

/** Take the first one; NULL: there is none. */
struct event_node *event_queue_pop(struct event_queue *queue);

/** Free all. */
void event_queue_clear(struct event_queue *queue);

#endif
