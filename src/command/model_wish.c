/* Which models a command works with. */
#include "command/model_wish.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <kodama/model_store.h>

#include "command/output.h"

/** Engines by name, also those that this build lacks: then it is said how to get them. */
static bool is_engine(const char *name)
{
    for (size_t i = 0; kodama_engine_name(i); i++) {
        if (strcmp(kodama_engine_name(i), name) == 0) return true;
    }
    return strcmp(name, "whisper") == 0 || strcmp(name, "pocketsphinx") == 0;
}

int model_wish_check(const char *command, const struct model_wish *wish)
{
    const char *other = NULL;
    if (wish->finals && is_engine(wish->finals) && wish->engine) other = "--engine";
    if (wish->finals && !is_engine(wish->finals) && wish->model) other = "--model";
    if (!other) return EXIT_DONE;
    complain(command, "--finals %s and %s say the same twice; use one of them", wish->finals,
             other);
    return EXIT_USAGE;
}

/**
 * The model of the store that is to be used where none was named: the default, if it is of the
 * engine that was asked for; else the only one of an engine that has no model of its own.
 */
static bool ask_store(const char *engine, bool grammar, char path[MODEL_WISH_PATH_BYTES])
{
    struct kodama_model_store *store;
    struct kodama_model_list *list = NULL;
    size_t n_fitting = 0;
    bool chosen = false;
    if (kodama_model_store_open(&store, NULL, NULL) < 0) return false;
    if (kodama_model_store_list(store, &list, NULL) < 0) list = NULL;
    for (size_t i = 0; list && i < list->n_models && !chosen; i++) {
        const struct kodama_stored_model *model = &list->models[i];
        if (!model->path || !model->recognizes) continue;
        if (engine && strcmp(engine, model->engine) != 0) continue;
        if (grammar && strcmp(model->engine, "pocketsphinx") != 0) continue;
        bool only = engine && strcmp(engine, "whisper") == 0;
        if (!model->is_default && !only) continue;
        int n = snprintf(path, MODEL_WISH_PATH_BYTES, "%s", model->path);
        if (n < 0 || n >= MODEL_WISH_PATH_BYTES) continue;
        n_fitting++;
        chosen = model->is_default;
    }
    kodama_model_list_free(list);
    kodama_model_store_close(store);
    return chosen || n_fitting == 1;
}

static void choose(const struct model_wish *wish, const char *engine, const char *model,
                   const char *either, const char *grammar, struct model_choice *choice)
{
    const struct kodama_model_config defaults = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_model_config *config = &choice->config;
    *config = defaults;
    if (either && is_engine(either)) engine = either;
    if (either && !is_engine(either)) model = either;
    config->engine = engine;
    config->path = model;
    config->grammar = grammar;
    config->language = wish->language;
    config->n_decoders = wish->n_decoders;
    config->log = wish->log;
    if (!model && ask_store(engine, grammar != NULL, choice->path)) config->path = choice->path;
}

void model_wish_finals(const struct model_wish *wish, struct model_choice *choice)
{
    choose(wish, wish->engine, wish->model, wish->finals, wish->grammar, choice);
}

void model_wish_partials(const struct model_wish *wish, struct model_choice *choice)
{
    choose(wish, NULL, NULL, wish->partials, NULL, choice);
}

int model_wish_open(const struct model_wish *wish, struct kodama_model **model,
                    struct kodama_model **partials, struct kodama_error *error)
{
    struct model_choice choice;
    *model = *partials = NULL;
    model_wish_finals(wish, &choice);
    int status = kodama_model_open(model, &choice.config, error);
    if (status < 0 || !wish->partials) return status;
    model_wish_partials(wish, &choice);
    status = kodama_model_open(partials, &choice.config, error);
    if (status < 0) {
        kodama_model_close(*model);
        *model = NULL;
    }
    return status;
}
