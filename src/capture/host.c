/* Hosts: the list of backends, opening and closing, events. */
#include "capture/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/waitable.h"
#include "capture/backends.h"
#include "capture/capture.h"

const char *kodama_host_backend_name(size_t index)
{
    return index < host_n_backends() ? host_backends()[index]->name : NULL;
}

static int unknown_backend(const char *name, struct kodama_error *error)
{
    char names[100] = "none";
    size_t n = 0;
    for (size_t i = 0; i < host_n_backends() && n < sizeof names; i++) {
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "",
                              host_backends()[i]->name);
    }
    return error_set(error, KODAMA_ERR_UNSUPPORTED,
                     "there is no sound backend \"%s\" in this build; there are: %s", name, names);
}

/* Try one backend, or each in turn until the server of one answers. */
static int open_backend(struct kodama_host *host, const char *wanted, struct kodama_error *error)
{
    int status = unknown_backend(wanted ? wanted : "for this system", error);
    for (size_t i = 0; i < host_n_backends(); i++) {
        const struct host_ops *ops = host_backends()[i];
        if (wanted && strcmp(wanted, ops->name) != 0) continue;
        struct kodama_error reason = {0};
        host->ops = ops;
        int opened = ops->open(host, &reason);
        if (opened == KODAMA_OK) return KODAMA_OK;
        log_write(host->log, KODAMA_LOG_DEBUG, "%s: %s", ops->name, reason.message);
        /* The first answer is the one to tell, unless a later server is there and refuses. */
        if (status == KODAMA_ERR_UNSUPPORTED || opened != KODAMA_ERR_NOT_FOUND) {
            status = opened;
            if (error) *error = reason;
        }
    }
    return status;
}

static void free_host(struct kodama_host *host)
{
    host_model_free(host);
    waitable_destroy(host->waitable);
    condition_destroy(&host->changed);
    mutex_destroy(&host->mutex);
    free(host->server);
    free(host->name);
    free(host);
}

static int prepare(struct kodama_host *host, const struct kodama_host_config *config,
                   struct kodama_error *error)
{
    mutex_init(&host->mutex);
    condition_init(&host->changed);
    host->waitable = WAITABLE_NONE;
    host->peaks = config->peaks;
    host->on_event = config->on_event;
    host->user = config->user;
    host->log = config->log;
    host->server = memory_text(config->server);
    host->name = memory_text(config->name ? config->name : "Kodama");
    if (!host->name || (config->server && !host->server)) {
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a host");
    }
    int status = waitable_create(&host->waitable);
    if (status < 0) {
        return error_set(error, status, "cannot create a descriptor for a host: too many open?");
    }
    return KODAMA_OK;
}

static void set_opened(struct kodama_host *host, bool opened)
{
    mutex_lock(&host->mutex);
    host->opened = opened;
    mutex_unlock(&host->mutex);
}

int kodama_host_open(struct kodama_host **host, const struct kodama_host_config *config,
                     struct kodama_error *error)
{
    struct kodama_host_config defaults = KODAMA_HOST_CONFIG_INIT;
    if (!config) config = &defaults;
    if (host) *host = NULL;
    if (!host || config->size != sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "a host needs a configuration begun with KODAMA_HOST_CONFIG_INIT");
    }
    struct kodama_host *opened = memory_array(1, sizeof *opened);
    if (!opened) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a host");
    const char *backend = config->backend ? config->backend : getenv("KODAMA_BACKEND");
    if (backend && !backend[0]) backend = NULL;
    int status = prepare(opened, config, error);
    if (status == KODAMA_OK) status = keeper_create(&opened->keeper, error);
    if (status == KODAMA_OK) status = open_backend(opened, backend, error);
    if (status < 0) {
        keeper_destroy(opened->keeper);
        free_host(opened);
        return status;
    }
    set_opened(opened, true);
    *host = opened;
    return KODAMA_OK;
}

void kodama_host_close(struct kodama_host *host)
{
    if (!host) return;
    set_opened(host, false);
    keeper_destroy(host->keeper);
    host->ops->close(host);
    free_host(host);
}

const char *kodama_host_backend(const struct kodama_host *host)
{
    return host->ops->name;
}

bool kodama_host_is_connected(const struct kodama_host *host)
{
    struct kodama_host *changing = (struct kodama_host *)(uintptr_t)host;
    mutex_lock(&changing->mutex);
    bool connected = host->connected;
    mutex_unlock(&changing->mutex);
    return connected;
}

/* ------------------------------------------------------------------ events */

static bool same_event(const struct kodama_host_event *a, const struct kodama_host_event *b)
{
    return a->kind == b->kind && a->id == b->id;
}

void host_event(struct kodama_host *host, enum kodama_host_event_kind kind, uint64_t id)
{
    struct kodama_host_event event = {.kind = kind, .id = id};
    mutex_lock(&host->mutex);
    uint64_t head = host->event_head;
    bool opened = host->opened;
    bool again =
        head > host->event_tail && same_event(&host->events[(head - 1) % HOST_EVENTS_MAX], &event);
    if (opened && !again) {
        if (head - host->event_tail == HOST_EVENTS_MAX) host->event_tail++;
        host->events[head % HOST_EVENTS_MAX] = event;
        host->event_head = head + 1;
        waitable_signal(host->waitable);
        condition_broadcast(&host->changed);
    }
    mutex_unlock(&host->mutex);
    if (opened && host->on_event) host->on_event(host->user, &event);
}

int kodama_host_next_event(struct kodama_host *host, struct kodama_host_event *event,
                           int64_t timeout_ns)
{
    if (!host || !event) return KODAMA_ERR_ARGUMENT;
    uint64_t deadline = clock_deadline(timeout_ns);
    mutex_lock(&host->mutex);
    bool in_time = timeout_ns != 0;
    while (in_time && host->event_tail == host->event_head) {
        in_time = condition_wait(&host->changed, &host->mutex, deadline);
    }
    int status = timeout_ns == 0 ? KODAMA_ERR_EMPTY : KODAMA_ERR_TIMEOUT;
    if (host->event_tail < host->event_head) {
        *event = host->events[host->event_tail++ % HOST_EVENTS_MAX];
        status = KODAMA_OK;
    }
    if (host->event_tail == host->event_head) waitable_clear(host->waitable);
    mutex_unlock(&host->mutex);
    return status;
}

int kodama_host_waitable(struct kodama_host *host, struct kodama_waitable *waitable)
{
    if (!host || !waitable) return KODAMA_ERR_ARGUMENT;
    *waitable = host->waitable;
    return KODAMA_OK;
}
