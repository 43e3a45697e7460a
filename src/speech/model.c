/* Recognition models: an engine's weights and the pool of its decoders. */
#include "speech/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "speech/model_store.h"

enum { DECODERS_DEFAULT_MAX = 4, DECODERS_MAX = 256 };

struct kodama_model {
    const struct engine_ops *ops;
    void *model; /* the engine's */
    struct decoder_pool *pool;
    char name[128];

    /* With the lock. */
    struct mutex mutex;
    struct condition unused; /* the last recogniser has let go */
    uint32_t n_users;
};

int model_open_engine(struct kodama_model **opened, const struct engine_ops *ops,
                      const struct kodama_model_config *config, struct kodama_error *error)
{
    *opened = NULL;
    uint32_t n_decoders = config->n_decoders;
    if (n_decoders > DECODERS_MAX) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "model: at most %d decoders, not %u",
                         DECODERS_MAX, n_decoders);
    }
    if (n_decoders == 0) {
        int processors = thread_processors();
        n_decoders =
            (uint32_t)(processors < DECODERS_DEFAULT_MAX ? processors : DECODERS_DEFAULT_MAX);
    }
    struct kodama_model *model = memory_array(1, sizeof *model);
    if (!model) return error_set(error, KODAMA_ERR_MEMORY, "model: out of memory");
    mutex_init(&model->mutex);
    condition_init(&model->unused);
    model->ops = ops;
    int status = ops->model_open(&model->model, config, model->name, sizeof model->name, error);
    if (status == KODAMA_OK) {
        status = decoder_pool_open(&model->pool, ops, model->model, n_decoders, config->log, error);
    }
    if (status < 0) {
        kodama_model_close(model);
        return status;
    }
    *opened = model;
    return KODAMA_OK;
}

int kodama_model_open(struct kodama_model **model, const struct kodama_model_config *config,
                      struct kodama_error *error)
{
    const struct kodama_model_config defaults = KODAMA_MODEL_CONFIG_INIT;
    if (!model) return error_set(error, KODAMA_ERR_ARGUMENT, "model: no place for it");
    *model = NULL;
    if (!config) config = &defaults;
    if (config->size < sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "model: fill the configuration with KODAMA_MODEL_CONFIG_INIT");
    }
    struct kodama_model_config own = *config;
    char path[STORE_PATH_BYTES];
    if (config->path) {
        int found = store_resolve(config->path, path, error);
        if (found < 0) return found;
        if (strcmp(path, config->path) != 0) own.path = path;
    }
    const char *engine = config->engine ? config->engine : engine_guess(own.path);
    const struct engine_ops *ops = engine_find(engine);
    if (!ops) {
        return error_set(error, KODAMA_ERR_NOT_FOUND, "recognition engine %s: %s",
                         engine ? engine : "(any)", engine_missing(engine));
    }
    return model_open_engine(model, ops, &own, error);
}

void kodama_model_close(struct kodama_model *model)
{
    if (!model) return;
    decoder_pool_close(model->pool);
    if (model->model) model->ops->model_close(model->model);
    condition_destroy(&model->unused);
    mutex_destroy(&model->mutex);
    free(model);
}

void model_hold(struct kodama_model *model)
{
    mutex_lock(&model->mutex);
    model->n_users++;
    mutex_unlock(&model->mutex);
}

void model_release(struct kodama_model *model)
{
    mutex_lock(&model->mutex);
    if (--model->n_users == 0) condition_broadcast(&model->unused);
    mutex_unlock(&model->mutex);
}

int kodama_model_wait_unused(struct kodama_model *model, int64_t timeout_ns)
{
    if (!model) return KODAMA_ERR_ARGUMENT;
    uint64_t deadline = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns);
    mutex_lock(&model->mutex);
    while (model->n_users > 0 && timeout_ns != 0) {
        if (!condition_wait(&model->unused, &model->mutex, deadline)) break;
    }
    bool unused = model->n_users == 0;
    mutex_unlock(&model->mutex);
    return unused ? KODAMA_OK : KODAMA_ERR_TIMEOUT;
}

const char *kodama_model_engine(const struct kodama_model *model)
{
    return model->ops->name;
}

const char *kodama_model_name(const struct kodama_model *model)
{
    return model->name;
}

void kodama_model_stats(struct kodama_model *model, struct kodama_model_stats *stats)
{
    decoder_pool_stats(model->pool, stats);
}

int model_check_language(struct kodama_model *model, const char *language,
                         struct kodama_error *error)
{
    if (!language || !language[0] || !model->ops->check_language) return KODAMA_OK;
    return model->ops->check_language(model->model, language, error);
}

struct decoder_pool *model_pool(struct kodama_model *model)
{
    return model->pool;
}
