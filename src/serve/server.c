/* The server: its configuration, its threads, and how it ends. */
#include <kodama/server.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "serve/gate.h"
#include "serve/internal.h"
#include "serve/upload.h"

enum { WORKERS_BY_DEFAULT_MAX = 4 };

static int check(const struct kodama_server_config *config, struct kodama_error *error)
{
    const char *host = config->host ? config->host : "127.0.0.1";
    if (config->port > 65535) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "server: port %u is more than 65535",
                         config->port);
    }
    if (config->max_sessions < 1) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "server: max_sessions must be 1 or more");
    }
    if (!config->certificate != !config->key) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "server: certificate and key belong together; one is missing");
    }
    if (!gate_is_loopback(host) && (!config->token || !config->token[0])) {
        return error_set(error, KODAMA_ERR_PERMISSION,
                         "server: %s is reached by other machines; that needs a token", host);
    }
    const char *const files[] = {config->certificate, config->key};
    for (size_t i = 0; i < 2; i++) {
        if (!files[i] || access(files[i], R_OK) == 0) continue;
        return error_set(error, KODAMA_ERR_NOT_FOUND, "server: cannot read %s", files[i]);
    }
    return KODAMA_OK;
}

static bool copy_text(const char **text)
{
    if (!*text) return true;
    *text = memory_text(*text);
    return *text != NULL;
}

/* What is borrowed for the call becomes ours. */
static bool copy_config(struct kodama_server *server, const struct kodama_server_config *config)
{
    struct kodama_server_config *own = &server->config;
    *own = *config;
    own->origins = NULL;
    own->n_origins = 0;
    if (!own->host || strcmp(own->host, "localhost") == 0) own->host = "127.0.0.1";
    if (own->token && !own->token[0]) own->token = NULL;
    bool copied = copy_text(&own->host);
    copied = copy_text(&own->token) && copied;
    copied = copy_text(&own->certificate) && copied;
    copied = copy_text(&own->key) && copied;
    copied = copy_text(&own->detector) && copied;
    copied = copy_text(&own->language) && copied;
    server->origins = memory_array(config->n_origins + 1, sizeof *server->origins);
    if (!server->origins) return false;
    for (size_t i = 0; i < config->n_origins; i++) {
        server->origins[i] = memory_text(config->origins[i]);
        copied = server->origins[i] && copied;
    }
    own->origins = (const char *const *)server->origins;
    own->n_origins = config->n_origins;
    return copied;
}

static void free_config(struct kodama_server *server)
{
    for (size_t i = 0; server->origins && i < server->config.n_origins; i++) {
        free(server->origins[i]);
    }
    free(server->origins);
    free((char *)server->config.host);
    free((char *)server->config.token);
    free((char *)server->config.certificate);
    free((char *)server->config.key);
    free((char *)server->config.detector);
    free((char *)server->config.language);
}

static int start(struct kodama_server *server, struct kodama_error *error)
{
    uint32_t n = server->config.n_workers;
    if (n == 0) {
        n = (uint32_t)thread_processors();
        if (n > WORKERS_BY_DEFAULT_MAX) n = WORKERS_BY_DEFAULT_MAX;
    }
    if (n > SERVER_WORKERS_MAX) n = SERVER_WORKERS_MAX;
    int status = network_open(server, error);
    if (status == KODAMA_OK) status = clerk_start(server, error);
    if (status == KODAMA_OK) status = schedule_start(server, n, error);
    if (status == KODAMA_OK) {
        status = thread_start(&server->thread, "kodama-network", network_run, server, error);
        server->running = status == KODAMA_OK;
    }
    return status;
}

/* Without a place for one there are no voices but the built-in one. */
static void open_voices(struct kodama_server *server)
{
    const struct kodama_server_config *config = &server->config;
    struct kodama_voice_store_config store = KODAMA_VOICE_STORE_CONFIG_INIT;
    store.folder = config->voices;
    store.budget_bytes = (uint64_t)config->voice_memory_mb * 1000000;
    store.log = config->log;
    if (kodama_voice_store_open(&server->voice_store, &store, NULL) < 0) server->voice_store = NULL;
    voices_open(&server->voices, config->max_sessions, (uint64_t)config->idle_ms * CLOCK_NS_PER_MS);
}

static int open_store(struct kodama_server *server, const struct store_ops *ops,
                      struct kodama_error *error)
{
    int status = ops ? ops->open(&server->store.state, error) : KODAMA_OK;
    if (status == KODAMA_OK) server->store.ops = ops;
    return status;
}

int kodama_server_open(struct kodama_server **opened, struct kodama_model *model,
                       const struct kodama_server_config *config, struct kodama_error *error)
{
    return server_open(opened, model, config, &store_memory, error);
}

int server_open(struct kodama_server **opened, struct kodama_model *model,
                const struct kodama_server_config *config, const struct store_ops *store,
                struct kodama_error *error)
{
    struct kodama_server_config defaults = KODAMA_SERVER_CONFIG_INIT;
    if (opened) *opened = NULL;
    if (!config) config = &defaults;
    if (!opened || !model || config->size < sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "server: needs a model, and a configuration filled with "
                         "KODAMA_SERVER_CONFIG_INIT");
    }
    int status = check(config, error);
    if (status < 0) return status;
    struct kodama_server *server = memory_array(1, sizeof *server);
    if (!server) return error_set(error, KODAMA_ERR_MEMORY, "server: out of memory");
    mutex_init(&server->mutex);
    condition_init(&server->changed);
    mutex_init(&server->schedule.mutex);
    condition_init(&server->schedule.changed);
    mutex_init(&server->clerk.mutex);
    condition_init(&server->clerk.changed);
    mutex_init(&server->loader.mutex);
    condition_init(&server->loader.changed);
    server->started_ns = clock_now_ns();
    status = served_open(server, model, config, error);
    if (status == KODAMA_OK) status = open_store(server, store, error);
    if (status == KODAMA_OK && !copy_config(server, config)) {
        status = error_set(error, KODAMA_ERR_MEMORY, "server: out of memory");
    }
    open_voices(server);
    if (status == KODAMA_OK) status = start(server, error);
    if (status < 0) {
        served_give_back(server);
        kodama_server_close(server);
        return status;
    }
    log_write(config->log, KODAMA_LOG_INFO, "server: listening on %s port %u", server->config.host,
              server->port);
    *opened = server;
    return KODAMA_OK;
}

uint32_t kodama_server_port(const struct kodama_server *server)
{
    return server ? server->port : 0;
}

int kodama_server_stop(struct kodama_server *server, int64_t timeout_ns)
{
    if (!server) return KODAMA_ERR_ARGUMENT;
    uint64_t deadline = clock_deadline(timeout_ns);
    atomic_store(&server->stopping, true);
    network_wake(server->network);
    mutex_lock(&server->mutex);
    while (!server->drained && condition_wait(&server->changed, &server->mutex, deadline)) continue;
    bool drained = server->drained;
    mutex_unlock(&server->mutex);
    return drained ? KODAMA_OK : KODAMA_ERR_TIMEOUT;
}

void kodama_server_close(struct kodama_server *server)
{
    if (!server) return;
    /* In this order: what stops ends its sessions in words, and a store would keep that. */
    atomic_store(&server->closing, true);
    atomic_store(&server->stopping, true);
    if (server->running) {
        network_wake(server->network);
        thread_join(&server->thread);
    }
    network_drop_all(server->network);
    uploads_end(server);
    schedule_stop(server);
    clerk_free(server);
    network_free(server->network);
    served_close(server);
    kodama_voice_store_close(server->voice_store);
    voices_close(&server->voices);
    if (server->store.ops) server->store.ops->close(server->store.state);
    condition_destroy(&server->loader.changed);
    mutex_destroy(&server->loader.mutex);
    condition_destroy(&server->clerk.changed);
    mutex_destroy(&server->clerk.mutex);
    condition_destroy(&server->schedule.changed);
    mutex_destroy(&server->schedule.mutex);
    condition_destroy(&server->changed);
    mutex_destroy(&server->mutex);
    free_config(server);
    free(server);
}

void kodama_server_stats(struct kodama_server *server, struct kodama_server_stats *stats)
{
    struct metrics *m = &server->metrics;
    *stats = (struct kodama_server_stats){
        .sessions = METRICS_GET(m->sessions) + store_count(&server->store),
        .connections = METRICS_GET(m->connections),
        .sessions_opened = METRICS_GET(m->sessions_opened),
        .resumes = METRICS_GET(m->resumes),
        .parked = METRICS_GET(m->parked),
        .restored = METRICS_GET(m->restored),
        .refused = metrics_refused(m),
        .audio_ns = METRICS_GET(m->audio_ns),
        .finals = METRICS_GET(m->finals),
        .partials = METRICS_GET(m->partials),
        .partials_shed = METRICS_GET(m->partials_shed),
        .pauses = METRICS_GET(m->pauses),
        .packets_lost = METRICS_GET(m->packets_lost),
        .longest_slice_ns = METRICS_GET(m->longest_slice_ns),
    };
}
