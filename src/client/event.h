/* An event of a client, as it waits in a queue for its reader. */
#ifndef CLIENT_EVENT_H
#define CLIENT_EVENT_H

#include <kodama/client.h>

#include "base/event_queue.h"

/** An event and the memory its pointers lead to, in one piece; free with free(). */
struct client_event {
    struct event_node node; /* a final or a newer partial takes the place of a partial */
    struct kodama_client_event event;
};

/** Copy an event with everything its pointers lead to. NULL when memory is out. */
struct client_event *client_event_create(const struct kodama_client_event *event);

#endif
