/* The models of a server over HTTP: GET /v1/models, POST /v1/models/default. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/internal.h"
#include "serve/message.h"
#include "serve/served.h"

static json_t *entry(const char *id, const char *engine, bool loaded, bool is_default)
{
    json_t *model = json_object();
    json_object_set_new(model, "id", json_string(id));
    json_object_set_new(model, "object", json_string("model"));
    json_object_set_new(model, "created", json_integer(0));
    json_object_set_new(model, "owned_by", json_string("kodama"));
    json_object_set_new(model, "engine", json_string(engine));
    json_object_set_new(model, "loaded", json_boolean(loaded));
    json_object_set_new(model, "default", json_boolean(is_default));
    return model;
}

static const char *state_name(enum kodama_swap_state state)
{
    switch (state) {
    case KODAMA_SWAP_NONE: break;
    case KODAMA_SWAP_LOADING: return "loading";
    case KODAMA_SWAP_DONE: return "done";
    case KODAMA_SWAP_FAILED: return "failed";
    }
    return "none";
}

static json_t *swap_object(const struct kodama_swap *swap)
{
    json_t *object = json_object();
    json_object_set_new(object, "state", json_string(state_name(swap->state)));
    json_object_set_new(object, "number", json_integer(swap->number));
    json_object_set_new(object, "model", json_string(swap->model));
    if (swap->message[0]) json_object_set_new(object, "message", json_string(swap->message));
    json_object_set_new(object, "older", json_integer(swap->n_retired));
    return object;
}

json_t *served_swap_json(struct kodama_server *server)
{
    struct kodama_swap swap;
    (void)kodama_server_swap_wait(server, &swap, 0);
    return swap_object(&swap);
}

/** Those of the store; the one that is loaded was named already. Lock held. */
static void add_stored(json_t *data, const struct kodama_model_list *list, const char *loaded,
                       json_t *first)
{
    for (size_t i = 0; list && i < list->n_models; i++) {
        const struct kodama_stored_model *model = &list->models[i];
        if (!model->path || !model->recognizes) continue;
        if (strcmp(model->name, loaded) == 0) {
            json_object_set_new(first, "default", json_boolean(model->is_default));
            continue;
        }
        json_array_append_new(data, entry(model->name, model->engine, false, model->is_default));
    }
}

char *served_list_text(struct kodama_server *server)
{
    struct served *served = &server->served;
    struct kodama_model *now = served_hold(server);
    json_t *object = json_object(), *data = json_array();
    json_t *first = entry(kodama_model_name(now), kodama_model_engine(now), true, false);
    json_array_append(data, first);
    mutex_lock(&served->mutex);
    add_stored(data, served->list, kodama_model_name(now), first);
    served->look = true; /* what is told next shall be fresh: the disk is not for this thread */
    condition_signal(&served->wanted);
    mutex_unlock(&served->mutex);
    json_decref(first);
    served_release(now);
    json_object_set_new(object, "object", json_string("list"));
    json_object_set_new(object, "data", data);
    json_object_set_new(object, "swap", served_swap_json(server));
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

static bool is_engine(const char *name)
{
    for (size_t i = 0; kodama_engine_name(i); i++) {
        if (strcmp(kodama_engine_name(i), name) == 0) return true;
    }
    return false;
}

/** @return HTTP's status; `words` say what is wrong */
static unsigned read_order(const json_t *order, bool here, struct kodama_model_config *config,
                           const char **words)
{
    const char *model = json_string_value(json_object_get(order, "model"));
    config->engine = json_string_value(json_object_get(order, "engine"));
    config->grammar = json_string_value(json_object_get(order, "grammar"));
    if (!model || !model[0]) {
        *words = "The body is to be {\"model\": NAME}: a model of kodama models, an engine, "
                 "or \"default\".";
        return 400;
    }
    if (!here && (strchr(model, '/') || config->grammar)) {
        *words = "Paths of this machine can only be named by its own programs.";
        return 403;
    }
    if (is_engine(model)) {
        config->engine = model;
    } else {
        config->path = model;
    }
    return 202;
}

unsigned served_take_order(struct kodama_server *server, const char *body, size_t n_bytes,
                           bool here, char **answer)
{
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_error error = {0};
    json_error_t where;
    const char *words = NULL;
    json_t *order = json_loadb(body, n_bytes, JSON_REJECT_DUPLICATES, &where);
    unsigned status = read_order(order, here, &config, &words);
    if (!words) {
        int swapped = kodama_server_swap_model(server, &config, &error);
        if (swapped < 0) words = error.message;
        if (swapped == KODAMA_ERR_BUSY) status = 409;
        if (swapped < 0 && swapped != KODAMA_ERR_BUSY) status = 503;
    }
    json_decref(order);
    if (words) {
        *answer = message_refusal(words);
        return status;
    }
    json_t *object = served_swap_json(server);
    *answer = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return status;
}
