/* The server from the inside: its parts, and how threads reach each other. */
#ifndef SERVE_INTERNAL_H
#define SERVE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kodama/server.h>

#include "base/thread.h"
#include "serve/metrics.h"
#include "serve/session.h"

enum { SERVER_WORKERS_MAX = 64 };

struct network;
struct closing;
struct upload;

/** Workers, and who waits for them. */
struct schedule {
    struct mutex mutex;
    struct condition changed; /* there is work */
    struct session *first, *last;
    struct session *noticed; /* the network thread has to look at these */
    bool noticing;           /* it was woken and has not looked yet */
    bool closing;
    struct thread workers[SERVER_WORKERS_MAX];
    uint32_t n_workers;
    /* Recognisers wait for their decoder when they are closed: not on a worker. */
    struct thread closer;
    bool has_closer, workers_ended;
    struct condition close; /* there is one to be closed */
    struct closing *to_be_closed;
};

struct kodama_server {
    /* Immutable after open. */
    struct kodama_server_config config; /* its texts are owned */
    char **origins;
    struct kodama_model *model;
    uint64_t started_ns;
    uint32_t port;
    struct network *network;
    struct thread thread;
    bool running;
    struct upload *uploads; /* network thread */

    struct schedule schedule;
    struct metrics metrics;

    /* Lock. */
    struct mutex mutex;
    struct condition changed;
    bool drained; /* all was delivered after a stop */

    _Atomic bool stopping; /* no new sessions */
    _Atomic bool closing;  /* end now */
};

/* schedule.c */
int schedule_start(struct kodama_server *server, uint32_t n_workers, struct kodama_error *error);
void schedule_stop(struct kodama_server *server);
/** Let a session run. Thread: any, also a decoder's. */
void schedule_session(struct session *session);
/** Let all sessions of a list run that is linked by next_heard; each reference is given up. Network
 * thread. */
void schedule_heard(struct kodama_server *server, struct session *first);
/** Have the network thread look at a session. Thread: any. */
void schedule_notice(struct session *session);
/** What the network thread has to look at; linked by next_noticed, each with a reference. */
struct session *schedule_noticed(struct kodama_server *server);
/** Whether there was one more; for the list above. */
struct session *schedule_noticed_next(struct session *session);
/** Close a session's recogniser when its decoder lets it; a reference is taken. Worker. */
void schedule_close(struct session *session);

/* network.c */
int network_open(struct kodama_server *server, struct kodama_error *error);
void network_run(void *server);
/** Wake the network thread. Thread: any. */
void network_wake(struct network *network);
/** Drop all sessions, after its thread has ended. */
void network_drop_all(struct network *network);
void network_free(struct network *network);

#endif
