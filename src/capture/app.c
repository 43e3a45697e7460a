/* Applications: snapshots, who is meant, volumes. */
#include <kodama/app.h>

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "capture/host.h"

/* --------------------------------------------------------------- who is meant */

bool host_text_contains(const char *text, const char *part)
{
    size_t n = strlen(part);
    for (; n > 0 && *text; text++) {
        size_t i = 0;
        while (i < n && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i])) i++;
        if (i == n) return true;
    }
    return false;
}

/* What can be known of somebody; texts that are not known are "". */
struct identity {
    const char *names[5], *binaries[2];
    uint32_t pids[2]; /* itself first */
    const uint32_t *ancestors;
    size_t n_ancestors;
};

static bool is_meant(const struct identity *who, const struct kodama_app_match *match)
{
    bool name = match->name && match->name[0], binary = match->binary && match->binary[0];
    if (!name && !binary && match->pid == 0) return false;
    bool holds = !name;
    for (size_t i = 0; i < sizeof who->names / sizeof who->names[0] && !holds; i++) {
        holds = host_text_contains(who->names[i], match->name);
    }
    bool binary_holds = !binary;
    for (size_t i = 0; i < 2 && !binary_holds; i++) {
        binary_holds = strcmp(who->binaries[i], match->binary) == 0;
    }
    if (!holds || !binary_holds) return false;
    if (match->pid == 0 || who->pids[0] == match->pid || who->pids[1] == match->pid) return true;
    for (size_t i = 0; i < who->n_ancestors; i++) {
        if (who->ancestors[i] == match->pid) return true;
    }
    return false;
}

static bool is_any(const struct identity *who, const struct kodama_app_match *matches, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is_meant(who, &matches[i])) return true;
    }
    return false;
}

bool host_stream_matches(const struct host_stream *stream, const struct kodama_app_match *matches,
                         size_t n)
{
    const struct host_stream_info *info = &stream->info;
    struct identity who = {
        .names = {info->name, info->client, info->node, info->binary, stream->root.name},
        .binaries = {info->binary, stream->root.name},
        .pids = {info->pid, stream->root.pid},
        .ancestors = stream->ancestors,
        .n_ancestors = stream->n_ancestors,
    };
    return is_any(&who, matches, n);
}

bool kodama_app_matches(const struct kodama_app *app, const struct kodama_app_match *matches,
                        size_t n)
{
    if (!app || !matches) return false;
    struct process root;
    uint32_t ancestors[HOST_ANCESTORS_MAX];
    bool known = app->root_pid != 0 && process_read(app->root_pid, &root);
    struct identity who = {
        .names = {app->name, app->binary, known ? root.name : "", "", ""},
        .binaries = {app->binary, known ? root.name : ""},
        .pids = {app->pid, app->root_pid},
        .ancestors = ancestors,
        .n_ancestors = process_ancestors(app->pid, ancestors, HOST_ANCESTORS_MAX),
    };
    if (is_any(&who, matches, n)) return true;
    for (size_t i = 0; i < app->n_streams; i++) {
        who.names[3] = app->streams[i].name;
        who.names[4] = app->streams[i].node;
        who.pids[0] = app->streams[i].pid;
        who.n_ancestors = process_ancestors(who.pids[0], ancestors, HOST_ANCESTORS_MAX);
        if (is_any(&who, matches, n)) return true;
    }
    return false;
}

int kodama_app_parse(const char *text, struct kodama_app_match *match, struct kodama_error *error)
{
    if (!text || !text[0] || !match) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "no application is named");
    }
    struct kodama_app_match parsed = {0};
    if (strncmp(text, "pid:", 4) == 0) {
        char *end = NULL;
        unsigned long long pid = strtoull(text + 4, &end, 10);
        if (!isdigit((unsigned char)text[4]) || *end || pid == 0 || pid > UINT32_MAX) {
            return error_set(error, KODAMA_ERR_ARGUMENT, "\"%s\" is no process: pid:123 is", text);
        }
        parsed.pid = (uint32_t)pid;
    } else if (strncmp(text, "binary:", 7) == 0) {
        if (!text[7]) {
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "\"binary:\" is no program: binary:mpv is");
        }
        parsed.binary = text + 7;
    } else {
        parsed.name = text;
    }
    *match = parsed;
    return KODAMA_OK;
}

/* ------------------------------------------------------------------- snapshots */

static void copy_text(char *to, size_t n_bytes, const char *from)
{
    snprintf(to, n_bytes, "%s", from);
}

static void list_stream(struct kodama_app_stream *to, const struct host_stream *from)
{
    *to = (struct kodama_app_stream){.id = from->id,
                                     .pid = from->info.pid,
                                     .state = from->info.state,
                                     .volume = from->info.volume,
                                     .muted = from->info.muted,
                                     .peak = from->peak,
                                     .format = from->info.format};
    copy_text(to->name, sizeof to->name, from->info.name);
    copy_text(to->node, sizeof to->node, from->info.node);
    copy_text(to->media, sizeof to->media, from->info.media);
}

/* Fill an entry; its streams are put at `streams`. */
static void list_app(const struct kodama_host *host, struct kodama_app *to,
                     const struct host_app *app, struct kodama_app_stream *streams)
{
    const struct host_stream_info *shown = &app->last;
    *to = (struct kodama_app){.id = app->id,
                              .root_pid = app->root.pid,
                              .state = KODAMA_APP_GONE,
                              .volume = app->n_streams ? 0.0 : app->last.volume,
                              .muted = app->n_streams > 0 || app->last.muted,
                              .peak = -1.0F,
                              .streams = streams};
    for (size_t i = 0; i < host->n_streams; i++) {
        const struct host_stream *stream = &host->streams[i];
        if (stream->app != app->id) continue;
        const struct host_stream_info *info = &stream->info;
        if (to->n_streams == 0 ||
            (info->state == KODAMA_APP_ACTIVE && to->state != KODAMA_APP_ACTIVE)) {
            shown = info;
        }
        if (to->n_streams == 0 || info->state == KODAMA_APP_ACTIVE) to->state = info->state;
        if (info->volume > to->volume) to->volume = info->volume;
        to->muted = to->muted && info->muted;
        if (stream->peak > to->peak) to->peak = stream->peak;
        list_stream(&streams[to->n_streams++], stream);
    }
    to->pid = shown->pid;
    copy_text(to->name, sizeof to->name, shown->name);
    copy_text(to->binary, sizeof to->binary, shown->binary);
    copy_text(to->icon, sizeof to->icon, shown->icon);
    copy_text(to->media, sizeof to->media, shown->media);
}

int kodama_host_apps(struct kodama_host *host, struct kodama_app_list **list,
                     struct kodama_error *error)
{
    if (list) *list = NULL;
    if (!host || !list) return error_set(error, KODAMA_ERR_ARGUMENT, "no host");
    mutex_lock(&host->mutex);
    host_model_prune(host);
    size_t n_apps = host->n_apps, n_streams = host->n_streams;
    struct kodama_app_list *made = memory_array(1, sizeof *made);
    struct kodama_app *apps = memory_array(n_apps + 1, sizeof *apps);
    struct kodama_app_stream *streams = memory_array(n_streams + 1, sizeof *streams);
    if (!made || !apps || !streams) {
        mutex_unlock(&host->mutex);
        free(made);
        free(apps);
        free(streams);
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a list of applications");
    }
    apps[0].streams = streams; /* where the list finds them again */
    size_t used = 0;
    for (size_t i = 0; i < n_apps; i++) {
        list_app(host, &apps[i], &host->apps[i], streams + used);
        used += apps[i].n_streams;
    }
    mutex_unlock(&host->mutex);
    *made = (struct kodama_app_list){.n_apps = n_apps, .apps = apps};
    *list = made;
    return KODAMA_OK;
}

void kodama_app_list_free(struct kodama_app_list *list)
{
    if (!list) return;
    free((void *)(uintptr_t)list->apps[0].streams);
    free((void *)(uintptr_t)list->apps);
    free(list);
}

int kodama_host_devices(struct kodama_host *host, struct kodama_device_list **list,
                        struct kodama_error *error)
{
    if (list) *list = NULL;
    if (!host || !list) return error_set(error, KODAMA_ERR_ARGUMENT, "no host");
    mutex_lock(&host->mutex);
    size_t n = host->n_devices;
    struct kodama_device_list *made = memory_array(1, sizeof *made);
    struct kodama_device *devices = memory_array(n + 1, sizeof *devices);
    if (!made || !devices) {
        mutex_unlock(&host->mutex);
        free(made);
        free(devices);
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a list of devices");
    }
    for (size_t i = 0; i < n; i++) {
        const struct host_device *device = &host->devices[i];
        devices[i] = (struct kodama_device){.id = device->id,
                                            .kind = device->info.kind,
                                            .is_default = device->is_default,
                                            .volume = device->info.volume,
                                            .muted = device->info.muted,
                                            .format = device->info.format};
        copy_text(devices[i].name, sizeof devices[i].name, device->info.name);
        copy_text(devices[i].description, sizeof devices[i].description, device->info.description);
    }
    mutex_unlock(&host->mutex);
    *made = (struct kodama_device_list){.n_devices = n, .devices = devices};
    *list = made;
    return KODAMA_OK;
}

void kodama_device_list_free(struct kodama_device_list *list)
{
    if (!list) return;
    free((void *)(uintptr_t)list->devices);
    free(list);
}

/* --------------------------------------------------------------------- volumes */

/* What is to be done to each stream of an application. */
struct wish {
    bool is_volume, is_delta;
    double volume;
    bool mute;
};

/* Note the wish for streams that will come, and find those that are there. Returns how many, or an
 * error; *volume is what it comes to. */
static int64_t note_wish(struct kodama_host *host, uint64_t app_id, const struct wish *wish,
                         uint64_t **ids, double *volume, struct kodama_error *error)
{
    size_t n = 0;
    double loudest = 0.0;
    mutex_lock(&host->mutex);
    bool connected = host->connected;
    struct host_app *app = host_model_app(host, app_id);
    *ids = memory_array(host->n_streams + 1, sizeof **ids);
    if (app && *ids) {
        for (size_t i = 0; i < host->n_streams; i++) {
            if (host->streams[i].app != app_id) continue;
            (*ids)[n++] = host->streams[i].id;
            loudest = fmax(loudest, host->streams[i].info.volume);
        }
        if (n == 0) loudest = app->last.volume;
        if (app->has_volume) loudest = app->volume; /* it may be on its way */
        *volume = wish->is_delta ? fmin(fmax(loudest + wish->volume, 0.0), KODAMA_VOLUME_MAX)
                                 : wish->volume;
        if (wish->is_volume) app->has_volume = true;
        if (wish->is_volume) app->volume = *volume;
        if (!wish->is_volume) app->has_mute = true;
        if (!wish->is_volume) app->muted = wish->mute;
    }
    mutex_unlock(&host->mutex);
    if (!*ids) return error_set(error, KODAMA_ERR_MEMORY, "no memory to set a volume");
    if (!connected) return error_set(error, KODAMA_ERR_STATE, "the sound server is away");
    if (!app) {
        return error_set(error, KODAMA_ERR_NOT_FOUND, "there is no such application any more");
    }
    return (int64_t)n;
}

static int grant(struct kodama_host *host, uint64_t app_id, const struct wish *wish, double *volume,
                 struct kodama_error *error)
{
    if (!host) return error_set(error, KODAMA_ERR_ARGUMENT, "no host");
    uint64_t *ids = NULL;
    double to = 0.0;
    host->ops->lock(host);
    int64_t n = note_wish(host, app_id, wish, &ids, &to, error);
    int status = n < 0 ? (int)n : KODAMA_OK;
    for (int64_t i = 0; i < n && status == KODAMA_OK; i++) {
        status = wish->is_volume ? host->ops->set_volume(host, ids[i], to, error)
                                 : host->ops->set_mute(host, ids[i], wish->mute, error);
        /* A stream that has just ended needs nothing any more. */
        if (status == KODAMA_ERR_NOT_FOUND) status = KODAMA_OK;
    }
    host->ops->unlock(host);
    free(ids);
    if (volume && status == KODAMA_OK) *volume = to;
    return status;
}

int kodama_host_set_volume(struct kodama_host *host, uint64_t app_id, double volume,
                           struct kodama_error *error)
{
    if (!(volume >= 0.0 && volume <= KODAMA_VOLUME_MAX)) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "a volume of %g: 0 to %g are allowed", volume,
                         KODAMA_VOLUME_MAX);
    }
    struct wish wish = {.is_volume = true, .volume = volume};
    return grant(host, app_id, &wish, NULL, error);
}

int kodama_host_change_volume(struct kodama_host *host, uint64_t app_id, double delta,
                              double *volume, struct kodama_error *error)
{
    if (!isfinite(delta)) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "a volume cannot change by %g", delta);
    }
    struct wish wish = {.is_volume = true, .is_delta = true, .volume = delta};
    return grant(host, app_id, &wish, volume, error);
}

int kodama_host_set_mute(struct kodama_host *host, uint64_t app_id, bool mute,
                         struct kodama_error *error)
{
    struct wish wish = {.mute = mute};
    return grant(host, app_id, &wish, NULL, error);
}
