/* The sources "app", "mic" and "system": what their configuration means. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "capture/capture.h"

static void free_matches(struct kodama_app_match *matches, size_t n)
{
    for (size_t i = 0; matches && i < n; i++) {
        free((char *)(uintptr_t)matches[i].name);
        free((char *)(uintptr_t)matches[i].binary);
    }
    free(matches);
}

static int copy_matches(const char *what, const struct kodama_app_match *from, size_t n,
                        struct kodama_app_match **copy, struct kodama_error *error)
{
    if (n > 0 && !from) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "applications are counted but missing");
    }
    *copy = memory_array(n + 1, sizeof **copy);
    if (!*copy) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    for (size_t i = 0; i < n; i++) {
        struct kodama_app_match *match = &(*copy)[i];
        bool has_name = from[i].name && from[i].name[0];
        if (!has_name && !(from[i].binary && from[i].binary[0]) && from[i].pid == 0) {
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "source %s: application %zu has neither name nor program nor pid",
                             what, i + 1);
        }
        match->name = has_name ? memory_text(from[i].name) : NULL;
        match->binary = memory_text(from[i].binary);
        match->pid = from[i].pid;
        if ((has_name && !match->name) || (from[i].binary && !match->binary)) {
            return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
        }
    }
    return KODAMA_OK;
}

/* What is given must have a meaning for this source. */
static int check(const struct kodama_source *source, const struct kodama_source_config *config,
                 struct kodama_error *error)
{
    bool app = source->ops == &source_app_ops, system = source->ops == &source_system_ops;
    if (app && config->n_apps == 0) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "source app: say which application is to be heard");
    }
    if (system && config->n_except > 0 && config->device) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "source system: either one device, or everybody except some");
    }
    if (config->latency < KODAMA_LATENCY_NORMAL || config->latency > KODAMA_LATENCY_BATTERY) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "source %s: no such latency profile",
                         source->ops->name);
    }
    return KODAMA_OK;
}

static int open_host(struct capture *capture, const struct kodama_source_config *config,
                     struct kodama_error *error)
{
    if (config->host) {
        capture->host = config->host;
        return KODAMA_OK;
    }
    struct kodama_host_config host = KODAMA_HOST_CONFIG_INIT;
    host.backend = config->backend;
    host.log = config->log;
    int status = kodama_host_open(&capture->host, &host, error);
    capture->own_host = status == KODAMA_OK;
    return status;
}

/* Nobody is there, and nobody said that they will come. */
static int not_there(struct capture *capture, struct kodama_error *error)
{
    char names[300];
    if (capture->source->ops == &source_app_ops) {
        host_app_names(capture->host, names, sizeof names);
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "no such application makes sound now (these do: %s); start it, or wait "
                         "for it",
                         names);
    }
    bool mic = capture->source->ops == &source_mic_ops;
    host_device_names(capture->host, mic ? KODAMA_DEVICE_MICROPHONE : KODAMA_DEVICE_SPEAKERS, names,
                      sizeof names);
    return error_set(error, KODAMA_ERR_NOT_FOUND, "there is no %s%s%s%s (there are: %s)",
                     capture->device ? "" : "default ", mic ? "microphone" : "speaker",
                     capture->device ? " " : "", capture->device ? capture->device : "", names);
}

static void capture_close(struct kodama_source *source)
{
    struct capture *capture = source->state;
    if (capture->own_host) kodama_host_close(capture->host);
    free_matches(capture->apps, capture->n_apps);
    free_matches(capture->except, capture->n_except);
    free(capture->device);
    free(capture->links);
    free(capture);
}

static int prepare(struct capture *capture, const struct kodama_source_config *config,
                   struct kodama_error *error)
{
    struct kodama_source *source = capture->source;
    bool app = source->ops == &source_app_ops, system = source->ops == &source_system_ops;
    capture->n_apps = app ? config->n_apps : 0;
    capture->n_except = system ? config->n_except : 0;
    capture->latency = config->latency;
    capture->compensate = app && config->compensate;
    int status =
        copy_matches(source->ops->name, config->apps, capture->n_apps, &capture->apps, error);
    if (status < 0) return status;
    status =
        copy_matches(source->ops->name, config->except, capture->n_except, &capture->except, error);
    if (status < 0) return status;
    const char *device = !app && config->device && config->device[0] ? config->device : NULL;
    capture->device = memory_text(device);
    if (device && !capture->device) {
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    }
    status = open_host(capture, config, error);
    if (status < 0) return status;
    if (!config->wait && capture->n_except == 0 && !capture_finds(capture)) {
        return not_there(capture, error);
    }
    source->format = config->format;
    capture->host->ops->lock(capture->host);
    capture->host->ops->capture_format(capture);
    capture->host->ops->unlock(capture->host);
    return kodama_format_check(source->format, error);
}

static int capture_source_open(struct kodama_source *source,
                               const struct kodama_source_config *config,
                               struct kodama_error *error)
{
    int status = check(source, config, error);
    if (status < 0) return status;
    struct capture *capture = memory_array(1, sizeof *capture);
    if (!capture) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    capture->source = source;
    source->state = capture;
    status = prepare(capture, config, error);
    if (status < 0) capture_close(source);
    return status;
}

static int capture_source_start(struct kodama_source *source, struct kodama_error *error)
{
    return capture_start(source->state, error);
}

static void capture_source_stop(struct kodama_source *source)
{
    capture_stop(source->state);
}

const struct source_ops source_app_ops = {
    .name = "app",
    .live = true,
    .open = capture_source_open,
    .start = capture_source_start,
    .stop = capture_source_stop,
    .close = capture_close,
};

const struct source_ops source_mic_ops = {
    .name = "mic",
    .live = true,
    .open = capture_source_open,
    .start = capture_source_start,
    .stop = capture_source_stop,
    .close = capture_close,
};

const struct source_ops source_system_ops = {
    .name = "system",
    .live = true,
    .open = capture_source_open,
    .start = capture_source_start,
    .stop = capture_source_stop,
    .close = capture_close,
};
