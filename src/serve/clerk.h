/*
 * The clerk: a thread for what has to wait and belongs to sessions. It saves them to the store and
 * fetches them from there, and closes what they worked with. In order. What takes seconds is not
 * for it: that is the loader's, a second one of the kind.
 */
#ifndef SERVE_CLERK_H
#define SERVE_CLERK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"
#include "serve/session.h"

struct clerk_job;

struct clerk {
    struct kodama_server *server; /* immutable */
    struct mutex mutex;
    struct condition changed;
    struct clerk_job *first, *last;
    struct fetched *fetched, *last_fetched; /* the network thread has to look at these */
    bool ends;
    struct thread thread;
    bool running;
};

/** What was fetched for a connection; its reader frees it. */
struct fetched {
    struct fetched *next;
    char id[SESSION_ID_BYTES], token[SESSION_ID_BYTES];
    uint64_t connection; /* its number */
    uint64_t last_seq;
    struct session *session; /* with a reference; NULL: there is none */
};

int clerk_start(struct kodama_server *server, struct kodama_error *error);
/** Let it finish all that it has to do; the workers have ended. */
void clerk_stop(struct kodama_server *server);
/** Free what nobody has taken. */
void clerk_free(struct kodama_server *server);

/** Close what a session works with. Worker. */
void clerk_close(struct session *session);

/** Have the loader begin a session's work, in the place of its worker, whose turn it gets. Worker.
 */
void clerk_begin(struct session *session);

/** Have the loader fetch what session_work.fetch gets. False: no memory. Network thread. */
bool clerk_fetch_part(struct session *session);

/** Save a session, in the place of its worker, whose turn it gets. Worker. */
void clerk_save(struct session *session);

/** Have the store forget a session. Network thread. */
void clerk_remove(struct session *session);

/** Fetch a session from the store. False: there can be none. Network thread. */
bool clerk_fetch(struct kodama_server *server, const char *id, const char *token,
                 uint64_t connection, uint64_t last_seq);

/** What was fetched, in order. Network thread. */
struct fetched *clerk_fetched(struct kodama_server *server);

#endif
