/*
 * The models that a server recognises with: the one of new utterances, older ones that still have
 * some to decide, and how another one takes over. A thread of its own loads, looks into the user's
 * model store, and closes what nobody uses any more.
 */
#ifndef SERVE_SERVED_H
#define SERVE_SERVED_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/model_store.h>
#include <kodama/server.h>

#include "base/thread.h"

enum { SERVED_RETIRED_MAX = 8, SERVED_ORDER_BYTES_MAX = 4096 };

/** What another model is loaded from; texts are owned. */
struct served_order {
    char *path, *engine, *grammar;
};

struct served {
    /* Immutable. */
    bool owns; /* the models that the server was opened with are closed by it, too */
    struct kodama_model *partials_model; /* NULL: one model makes both */
    struct thread thread;
    bool running;

    _Atomic uint32_t generation; /* counts models that took over */
    _Atomic uint32_t n_retired;

    /* Lock. */
    struct mutex mutex;
    struct condition wanted;  /* there is something for the thread */
    struct condition changed; /* a swap has ended */
    struct kodama_model *now;
    bool owns_now;
    struct {
        struct kodama_model *model;
        bool owned;
    } retired[SERVED_RETIRED_MAX];
    struct served_order order; /* path or engine: to be loaded */
    bool ordered;
    struct kodama_swap swap;
    struct kodama_model_list *list; /* what the store had when it was looked into; may be NULL */
    bool look, tidy, ending;
};

/** Begin with a model. KODAMA_OK or why there is no thread. */
int served_open(struct kodama_server *server, struct kodama_model *model,
                const struct kodama_server_config *config, struct kodama_error *error);
/** End; everything that uses models has ended. */
void served_close(struct kodama_server *server);
/** Let the models go without closing them: the server was not opened. */
void served_give_back(struct kodama_server *server);

/** The model of new utterances, held until served_release(). Thread: any. */
struct kodama_model *served_hold(struct kodama_server *server);
void served_release(struct kodama_model *model);

/** Have the thread look whether older models can be closed. Thread: any. */
void served_tidy(struct kodama_server *server);

/** Whether a client that asks for this engine and model (empty: any) gets it. */
bool served_is(struct kodama_server *server, const char *engine, const char *model);

/* served_page.c: how it is told and asked for over HTTP. Network thread. */

/** The newest swap, for pages. */
json_t *served_swap_json(struct kodama_server *server);
/** The answer of GET /v1/models. New; NULL: no memory. */
char *served_list_text(struct kodama_server *server);
/** Carry out POST /v1/models/default. @param here  the client is on this machine @param[out] answer
 * new; NULL: no memory @return HTTP's status */
unsigned served_take_order(struct kodama_server *server, const char *body, size_t n_bytes,
                           bool here, char **answer);

#endif
