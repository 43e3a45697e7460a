/* The server from the inside: its parts, and how threads reach each other. */
#ifndef SERVE_INTERNAL_H
#define SERVE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kodama/server.h>
#include <kodama/voice_store.h>

#include "base/thread.h"
#include "serve/clerk.h"
#include "serve/metrics.h"
#include "serve/seal.h"
#include "serve/served.h"
#include "serve/session.h"
#include "serve/store.h"
#include "serve/voices.h"

enum { SERVER_WORKERS_MAX = 64 };

struct network;
struct upload;

/** Sessions of one kind of work, in the order of their deadlines. */
struct queue {
    struct session *first, *last;
};

/** Workers, and who waits for them. */
struct schedule {
    struct mutex mutex;
    struct condition changed; /* there is work */
    struct queue queues[SESSION_KINDS];
    struct session *noticed; /* the network thread has to look at these */
    bool noticing;           /* it was woken and has not looked yet */
    bool closing;
    struct thread workers[SERVER_WORKERS_MAX];
    uint32_t n_workers;
    bool workers_ended;
};

struct kodama_server {
    /* Immutable after open. */
    struct kodama_server_config config; /* its texts are owned */
    char **origins;
    uint64_t started_ns;
    uint32_t port;
    struct network *network;
    struct thread thread;
    bool running;
    struct upload *uploads; /* network thread */

    struct served served;
    struct store store;
    uint8_t seal_key[SEAL_KEY_BYTES];
    struct schedule schedule;
    struct clerk clerk, loader;
    struct metrics metrics;
    struct voices voices;
    struct kodama_voice_store *voice_store; /* NULL: there is no place for one */

    /* Lock. */
    struct mutex mutex;
    struct condition changed;
    bool drained; /* all was delivered after a stop */

    _Atomic bool stopping; /* no new sessions */
    _Atomic bool closing;  /* end now */
};

/* server.c */
/** kodama_server_open() with a store; NULL: sessions wait in memory as they are. */
int server_open(struct kodama_server **server, struct kodama_model *model,
                const struct kodama_server_config *config, const struct store_ops *store,
                struct kodama_error *error);

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
/** The end of a session's turn; `more`: it has more to do. */
void schedule_release(struct session *session, bool more);

/* network.c */
int network_open(struct kodama_server *server, struct kodama_error *error);
void network_run(void *server);
/** Wake the network thread. Thread: any. */
void network_wake(struct network *network);
/** Drop all sessions, after its thread has ended. */
void network_drop_all(struct network *network);
void network_free(struct network *network);

#endif
