/* The models that a server recognises with, and how another one takes over. */
#include "serve/served.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "serve/internal.h"
#include "speech/model.h"

/* ------------------------------------------------------------------- the thread */

static void free_order(struct served_order *order)
{
    free(order->path);
    free(order->engine);
    free(order->grammar);
    *order = (struct served_order){0};
}

/** The name of the store's default, instead of "default". */
static int choose_default(struct served_order *order, struct kodama_error *error)
{
    char name[256];
    struct kodama_model_store *store;
    if (!order->path || strcmp(order->path, "default") != 0) return KODAMA_OK;
    int status = kodama_model_store_open(&store, NULL, error);
    if (status < 0) return status;
    status = kodama_model_store_default(store, name, sizeof name);
    kodama_model_store_close(store);
    free(order->path);
    order->path = NULL;
    if (status < 0) { /* then the best engine's own */
        return KODAMA_OK;
    }
    order->path = memory_text(name);
    return order->path ? KODAMA_OK : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
}

static int load(struct kodama_server *server, struct served_order *order,
                struct kodama_model **model, struct kodama_error *error)
{
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_model_stats stats;
    struct kodama_model *now = served_hold(server);
    kodama_model_stats(now, &stats);
    served_release(now);
    int status = choose_default(order, error);
    if (status < 0) return status;
    config.path = order->path;
    config.engine = order->engine;
    config.grammar = order->grammar;
    config.language = server->config.language;
    config.n_decoders = stats.n_decoders;
    config.log = server->config.log;
    return kodama_model_open(model, &config, error);
}

/** Put the model in place of the other one. Lock held. */
static void take_over(struct served *served, struct kodama_model *model)
{
    for (size_t i = 0; i < SERVED_RETIRED_MAX; i++) {
        if (served->retired[i].model) continue;
        served->retired[i].model = served->now;
        served->retired[i].owned = served->owns_now;
        break; /* there is room: see kodama_server_swap_model() */
    }
    served->now = model;
    served->owns_now = true;
    atomic_fetch_add(&served->n_retired, 1);
    atomic_fetch_add(&served->generation, 1);
    served->tidy = true;
}

/** Load what was ordered. Lock held; let go in between. */
static void carry_out(struct kodama_server *server)
{
    struct served *served = &server->served;
    struct served_order order = served->order;
    struct kodama_model *model = NULL;
    struct kodama_error error = {0};
    served->order = (struct served_order){0};
    mutex_unlock(&served->mutex);
    int status = load(server, &order, &model, &error);
    if (status < 0) {
        log_write(server->config.log, KODAMA_LOG_WARNING, "server: the model stays as it is: %s",
                  error.message);
    } else {
        log_write(server->config.log, KODAMA_LOG_INFO, "server: new utterances are for %s %s",
                  kodama_model_engine(model), kodama_model_name(model));
    }
    free_order(&order);
    mutex_lock(&served->mutex);
    served->ordered = false;
    served->swap.state = status < 0 ? KODAMA_SWAP_FAILED : KODAMA_SWAP_DONE;
    if (status < 0) {
        snprintf(served->swap.message, sizeof served->swap.message, "%s", error.message);
    } else {
        snprintf(served->swap.model, sizeof served->swap.model, "%s", kodama_model_name(model));
        take_over(served, model);
    }
    condition_broadcast(&served->changed);
}

/** Close what nobody uses any more. Lock held; let go in between. */
static void close_unused(struct served *served)
{
    served->tidy = false;
    for (size_t i = 0; i < SERVED_RETIRED_MAX; i++) {
        struct kodama_model *model = served->retired[i].model;
        if (!model || kodama_model_wait_unused(model, 0) != KODAMA_OK) continue;
        bool owned = served->retired[i].owned;
        served->retired[i].model = NULL;
        mutex_unlock(&served->mutex);
        if (owned) kodama_model_close(model);
        mutex_lock(&served->mutex);
        atomic_fetch_sub(&served->n_retired, 1);
        condition_broadcast(&served->changed);
    }
}

/** See what the store has. Lock held; let go in between. */
static void look(struct served *served)
{
    struct kodama_model_store *store;
    struct kodama_model_list *list = NULL;
    served->look = false;
    mutex_unlock(&served->mutex);
    if (kodama_model_store_open(&store, NULL, NULL) == KODAMA_OK) {
        if (kodama_model_store_list(store, &list, NULL) < 0) list = NULL;
        kodama_model_store_close(store);
    }
    mutex_lock(&served->mutex);
    struct kodama_model_list *before = served->list;
    served->list = list;
    kodama_model_list_free(before);
}

static void run(void *argument)
{
    struct kodama_server *server = argument;
    struct served *served = &server->served;
    mutex_lock(&served->mutex);
    while (!served->ending) {
        if (served->order.path || served->order.engine) {
            carry_out(server);
        } else if (served->tidy) {
            close_unused(served);
        } else if (served->look) {
            look(served);
        } else {
            condition_wait(&served->wanted, &served->mutex, CLOCK_NEVER);
        }
    }
    mutex_unlock(&served->mutex);
}

/* ------------------------------------------------------------- begin and end */

int served_open(struct kodama_server *server, struct kodama_model *model,
                const struct kodama_server_config *config, struct kodama_error *error)
{
    struct served *served = &server->served;
    mutex_init(&served->mutex);
    condition_init(&served->wanted);
    condition_init(&served->changed);
    served->now = model;
    served->partials_model = config->partials_model;
    served->owns = served->owns_now = config->takes_models;
    served->look = true;
    int status = thread_start(&served->thread, "kodama-models", run, server, error);
    served->running = status == KODAMA_OK;
    return status;
}

void served_give_back(struct kodama_server *server)
{
    server->served.owns = server->served.owns_now = false;
}

void served_close(struct kodama_server *server)
{
    struct served *served = &server->served;
    if (!served->now) return; /* it was never opened */
    if (served->running) {
        mutex_lock(&served->mutex);
        served->ending = true;
        condition_broadcast(&served->wanted);
        mutex_unlock(&served->mutex);
        thread_join(&served->thread);
    }
    for (size_t i = 0; i < SERVED_RETIRED_MAX; i++) {
        if (served->retired[i].owned) kodama_model_close(served->retired[i].model);
    }
    if (served->owns_now) kodama_model_close(served->now);
    if (served->owns) kodama_model_close(served->partials_model);
    kodama_model_list_free(served->list);
    free_order(&served->order);
    condition_destroy(&served->changed);
    condition_destroy(&served->wanted);
    mutex_destroy(&served->mutex);
}

/* ------------------------------------------------------------------------- use */

struct kodama_model *served_hold(struct kodama_server *server)
{
    struct served *served = &server->served;
    mutex_lock(&served->mutex);
    struct kodama_model *model = served->now;
    model_hold(model);
    mutex_unlock(&served->mutex);
    return model;
}

void served_release(struct kodama_model *model)
{
    model_release(model);
}

void served_tidy(struct kodama_server *server)
{
    struct served *served = &server->served;
    mutex_lock(&served->mutex);
    served->tidy = true;
    condition_signal(&served->wanted);
    mutex_unlock(&served->mutex);
}

bool served_is(struct kodama_server *server, const char *engine, const char *model)
{
    struct kodama_model *now = served_hold(server);
    bool same = !engine[0] || strcmp(engine, kodama_model_engine(now)) == 0;
    bool any = !model[0] || strcmp(model, "default") == 0;
    same = same && (any || strcmp(model, kodama_model_name(now)) == 0);
    served_release(now);
    return same;
}

/* ---------------------------------------------------------------------- swapping */

static bool copy_order(struct served_order *order, const struct kodama_model_config *config)
{
    order->path = memory_text(config->path);
    order->engine = memory_text(config->engine);
    order->grammar = memory_text(config->grammar);
    if (!order->path && !order->engine) order->path = memory_text("default");
    return (!config->path || order->path) && (!config->engine || order->engine) &&
           (!config->grammar || order->grammar) && (order->path || order->engine);
}

int kodama_server_swap_model(struct kodama_server *server, const struct kodama_model_config *config,
                             struct kodama_error *error)
{
    struct served_order order = {0};
    if (!server || !config || config->size < sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "server: needs a configuration of a model, filled with "
                         "KODAMA_MODEL_CONFIG_INIT");
    }
    if (atomic_load(&server->stopping)) {
        return error_set(error, KODAMA_ERR_CLOSED, "server: it is being stopped");
    }
    struct served *served = &server->served;
    if (!copy_order(&order, config)) {
        free_order(&order);
        return error_set(error, KODAMA_ERR_MEMORY, "server: out of memory");
    }
    mutex_lock(&served->mutex);
    const char *busy = served->ordered ? "server: another model is being loaded"
                       : atomic_load(&served->n_retired) >= SERVED_RETIRED_MAX
                           ? "server: too many older models still have utterances to decide"
                           : NULL;
    if (!busy) {
        served->order = order;
        served->ordered = true;
        served->look = true;
        served->swap =
            (struct kodama_swap){.state = KODAMA_SWAP_LOADING, .number = served->swap.number + 1};
        snprintf(served->swap.model, sizeof served->swap.model, "%s",
                 config->path     ? config->path
                 : config->engine ? config->engine
                                  : "default");
        condition_signal(&served->wanted);
    }
    mutex_unlock(&served->mutex);
    if (!busy) return KODAMA_OK;
    free_order(&order);
    return error_set(error, KODAMA_ERR_BUSY, "%s", busy);
}

int kodama_server_swap_wait(struct kodama_server *server, struct kodama_swap *swap,
                            int64_t timeout_ns)
{
    if (!server) return KODAMA_ERR_ARGUMENT;
    struct served *served = &server->served;
    uint64_t deadline = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns);
    mutex_lock(&served->mutex);
    while (served->swap.state == KODAMA_SWAP_LOADING && timeout_ns != 0) {
        if (!condition_wait(&served->changed, &served->mutex, deadline)) break;
    }
    bool done = served->swap.state != KODAMA_SWAP_LOADING;
    if (swap) {
        *swap = served->swap;
        swap->n_retired = atomic_load(&served->n_retired);
    }
    mutex_unlock(&served->mutex);
    return done ? KODAMA_OK : KODAMA_ERR_TIMEOUT;
}
