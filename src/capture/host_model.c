/* The model of a host: streams grouped into applications, devices, and what changes in them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "capture/capture.h"
#include "capture/host.h"
#include "capture/playback.h"

/* Make room for one more element; false without memory. */
static bool grow(struct kodama_host *host, void **array, size_t n, size_t element_bytes)
{
    void *grown = memory_resize(*array, n + 1, element_bytes);
    if (!grown) {
        log_write(host->log, KODAMA_LOG_ERROR, "no memory for what the sound server reports");
        return false;
    }
    *array = grown;
    return true;
}

/* Take one element out, keeping the order. */
static void cut(void *array, size_t *n, size_t index, size_t element_bytes)
{
    char *at = (char *)array + index * element_bytes;
    memmove(at, at + element_bytes, (*n - index - 1) * element_bytes);
    --*n;
}

static struct host_stream *find_stream(struct kodama_host *host, uint64_t id)
{
    for (size_t i = 0; i < host->n_streams; i++) {
        if (host->streams[i].id == id) return &host->streams[i];
    }
    return NULL;
}

static struct host_device *find_device(struct kodama_host *host, uint64_t id)
{
    for (size_t i = 0; i < host->n_devices; i++) {
        if (host->devices[i].id == id) return &host->devices[i];
    }
    return NULL;
}

struct host_app *host_model_app(struct kodama_host *host, uint64_t id)
{
    for (size_t i = 0; i < host->n_apps; i++) {
        if (host->apps[i].id == id) return &host->apps[i];
    }
    return NULL;
}

void host_model_free(struct kodama_host *host)
{
    free(host->apps);
    free(host->streams);
    free(host->devices);
}

void host_model_prune(struct kodama_host *host)
{
    for (size_t i = host->n_apps; i-- > 0;) {
        const struct host_app *app = &host->apps[i];
        if (app->n_streams > 0) continue;
        struct process now;
        bool alive =
            app->root.pid != 0 && process_read(app->root.pid, &now) && now.start == app->root.start;
        if (!alive) cut(host->apps, &host->n_apps, i, sizeof *host->apps);
    }
}

/* ---------------------------------------------------------------- applications */

static bool is_app(const struct host_app *app, const struct host_stream *stream)
{
    if (app->root.pid != 0 || stream->root.pid != 0) {
        return app->root.pid == stream->root.pid && app->root.start == stream->root.start;
    }
    return strcmp(app->last.name, stream->info.name) == 0 &&
           strcmp(app->last.binary, stream->info.binary) == 0;
}

/* The application of a new stream, made if need be; NULL without memory. */
static struct host_app *join_app(struct kodama_host *host, struct host_stream *stream)
{
    struct host_app *app = NULL;
    for (size_t i = 0; i < host->n_apps && !app; i++) {
        if (is_app(&host->apps[i], stream)) app = &host->apps[i];
    }
    if (!app) {
        host_model_prune(host);
        void *apps = host->apps;
        if (!grow(host, &apps, host->n_apps, sizeof *host->apps)) return NULL;
        host->apps = apps;
        app = &host->apps[host->n_apps++];
        *app = (struct host_app){.id = ++host->last_id, .root = stream->root};
    }
    stream->app = app->id;
    app->last = stream->info;
    app->n_streams++;
    return app;
}

/* Take a stream from its application; true when that was its last. */
static bool leave_app(struct kodama_host *host, const struct host_stream *stream)
{
    struct host_app *app = host_model_app(host, stream->app);
    if (!app) return false;
    app->last = stream->info;
    return --app->n_streams == 0;
}

/* What the user wanted for the application holds for a new stream as well. */
static void apply_wishes(struct kodama_host *host, const struct host_app *app, uint64_t stream)
{
    if (app->has_volume) host->ops->set_volume(host, stream, app->volume, NULL);
    if (app->has_mute) host->ops->set_mute(host, stream, app->muted, NULL);
}

void host_stream_seen(struct kodama_host *host, const struct host_stream_info *info, uint64_t *id)
{
    struct host_stream stream = {.info = *info, .peak = -1.0F};
    if (!process_family_root(info->pid, &stream.root)) stream.root = (struct process){0};
    stream.n_ancestors = process_ancestors(info->pid, stream.ancestors, HOST_ANCESTORS_MAX);
    *id = 0;
    mutex_lock(&host->mutex);
    void *streams = host->streams;
    struct host_app *joined = NULL, app = {0};
    if (grow(host, &streams, host->n_streams, sizeof *host->streams)) {
        host->streams = streams;
        joined = join_app(host, &stream);
    }
    if (!joined) {
        mutex_unlock(&host->mutex);
        return;
    }
    *id = stream.id = ++host->last_id;
    host->streams[host->n_streams++] = stream;
    app = *joined;
    mutex_unlock(&host->mutex);

    apply_wishes(host, &app, stream.id);
    captures_relink(host);
    host_event(host, app.n_streams == 1 ? KODAMA_HOST_APP_ADDED : KODAMA_HOST_APP_CHANGED, app.id);
}

void host_stream_changed(struct kodama_host *host, uint64_t id, const struct host_stream_info *info)
{
    struct process root = {0};
    uint32_t ancestors[HOST_ANCESTORS_MAX];
    bool known = process_family_root(info->pid, &root);
    size_t n_ancestors = process_ancestors(info->pid, ancestors, HOST_ANCESTORS_MAX);
    mutex_lock(&host->mutex);
    struct host_stream *stream = find_stream(host, id);
    /* Zeroed whole before it is filled in. */
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
    bool changed = stream && memcmp(&stream->info, info, sizeof *info) != 0;
    uint64_t left = 0, joined = 0;
    bool first = false, last = false;
    if (changed) {
        struct host_stream old = *stream;
        stream->info = *info;
        if (known) stream->root = root;
        if (n_ancestors > 0) {
            memcpy(stream->ancestors, ancestors, n_ancestors * sizeof *ancestors);
            stream->n_ancestors = n_ancestors;
        }
        struct host_app *app = host_model_app(host, old.app);
        /* Who it is may be known only now, when its client has introduced itself. */
        if (app && !is_app(app, stream) && (known || old.root.pid == 0)) {
            left = old.app;
            last = leave_app(host, &old);
            app = join_app(host, stream);
            first = app && app->n_streams == 1;
        } else if (app) {
            app->last = *info;
            /* Whoever set it last, the user's mixer or we, is right for streams that will come. */
            if (info->volume != old.info.volume) app->volume = info->volume;
            if (info->muted != old.info.muted) app->muted = info->muted;
        }
        joined = stream->app;
    }
    mutex_unlock(&host->mutex);
    if (!changed) return;
    captures_relink(host);
    if (left) host_event(host, last ? KODAMA_HOST_APP_REMOVED : KODAMA_HOST_APP_CHANGED, left);
    host_event(host, first ? KODAMA_HOST_APP_ADDED : KODAMA_HOST_APP_CHANGED, joined);
}

void host_stream_peak(struct kodama_host *host, uint64_t id, float peak)
{
    mutex_lock(&host->mutex);
    struct host_stream *stream = find_stream(host, id);
    if (stream) stream->peak = peak;
    mutex_unlock(&host->mutex);
}

void host_stream_gone(struct kodama_host *host, uint64_t id)
{
    mutex_lock(&host->mutex);
    struct host_stream *stream = find_stream(host, id);
    uint64_t app = 0;
    bool last = false;
    if (stream) {
        app = stream->app;
        last = leave_app(host, stream);
        cut(host->streams, &host->n_streams, (size_t)(stream - host->streams), sizeof *stream);
    }
    mutex_unlock(&host->mutex);
    if (!app) return;
    captures_relink(host);
    host_event(host, last ? KODAMA_HOST_APP_REMOVED : KODAMA_HOST_APP_CHANGED, app);
}

/* --------------------------------------------------------------------- devices */

static bool is_default(const struct kodama_host *host, const struct host_device_info *info)
{
    const char *name = host->defaults[info->kind == KODAMA_DEVICE_MICROPHONE];
    return name[0] && strcmp(name, info->name) == 0;
}

void host_device_seen(struct kodama_host *host, const struct host_device_info *info, uint64_t *id)
{
    *id = 0;
    mutex_lock(&host->mutex);
    void *devices = host->devices;
    uint64_t given = 0;
    if (grow(host, &devices, host->n_devices, sizeof *host->devices)) {
        host->devices = devices;
        *id = given = ++host->last_id;
        host->devices[host->n_devices++] =
            (struct host_device){.id = given, .info = *info, .is_default = is_default(host, info)};
    }
    mutex_unlock(&host->mutex);
    if (!given) return;
    captures_relink(host);
    if (host->connected) playbacks_open(host); /* one may have waited for it */
    host_event(host, KODAMA_HOST_DEVICE_ADDED, given);
}

void host_device_changed(struct kodama_host *host, uint64_t id, const struct host_device_info *info)
{
    mutex_lock(&host->mutex);
    struct host_device *device = find_device(host, id);
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
    bool changed = device && memcmp(&device->info, info, sizeof *info) != 0;
    if (changed) {
        device->info = *info;
        device->is_default = is_default(host, info);
    }
    mutex_unlock(&host->mutex);
    if (!changed) return;
    captures_relink(host);
    host_event(host, KODAMA_HOST_DEVICE_CHANGED, id);
}

void host_device_gone(struct kodama_host *host, uint64_t id)
{
    mutex_lock(&host->mutex);
    struct host_device *device = find_device(host, id);
    if (device) {
        cut(host->devices, &host->n_devices, (size_t)(device - host->devices), sizeof *device);
    }
    mutex_unlock(&host->mutex);
    if (!device) return;
    captures_relink(host);
    host_event(host, KODAMA_HOST_DEVICE_REMOVED, id);
}

void host_default_changed(struct kodama_host *host, enum kodama_device_kind kind, const char *name)
{
    uint64_t changed[2] = {0, 0}; /* the one that was, the one that is */
    mutex_lock(&host->mutex);
    char *wanted = host->defaults[kind == KODAMA_DEVICE_MICROPHONE];
    snprintf(wanted, KODAMA_NAME_BYTES, "%s", name ? name : "");
    for (size_t i = 0; i < host->n_devices; i++) {
        struct host_device *device = &host->devices[i];
        if (device->info.kind != kind) continue;
        bool now = is_default(host, &device->info);
        if (now != device->is_default) changed[now] = device->id;
        device->is_default = now;
    }
    mutex_unlock(&host->mutex);
    if (changed[0] || changed[1]) captures_relink(host);
    for (int i = 0; i < 2; i++) {
        if (changed[i]) host_event(host, KODAMA_HOST_DEVICE_CHANGED, changed[i]);
    }
}

/* --------------------------------------------------------------- lost and back */

void host_lost(struct kodama_host *host)
{
    captures_lost(host);
    playbacks_close(host);
    for (;;) {
        mutex_lock(&host->mutex);
        uint64_t stream = host->n_streams ? host->streams[host->n_streams - 1].id : 0;
        uint64_t device = host->n_devices ? host->devices[host->n_devices - 1].id : 0;
        mutex_unlock(&host->mutex);
        if (stream) {
            host_stream_gone(host, stream);
        } else if (device) {
            host_device_gone(host, device);
        } else {
            break;
        }
    }
    mutex_lock(&host->mutex);
    bool was = host->connected;
    host->connected = false;
    host->defaults[0][0] = host->defaults[1][0] = '\0';
    mutex_unlock(&host->mutex);
    if (was) host_event(host, KODAMA_HOST_LOST, 0);
}

void host_back(struct kodama_host *host)
{
    mutex_lock(&host->mutex);
    bool was = host->connected;
    host->connected = true;
    mutex_unlock(&host->mutex);
    captures_back(host);
    playbacks_open(host);
    if (!was) host_event(host, KODAMA_HOST_BACK, 0);
}

void host_try_links(struct kodama_host *host)
{
    captures_relink(host);
}

/* ------------------------------------------------------------------ questions */

bool host_find_device(struct kodama_host *host, uint64_t id, struct host_device *device)
{
    mutex_lock(&host->mutex);
    const struct host_device *found = find_device(host, id);
    if (found) *device = *found;
    mutex_unlock(&host->mutex);
    return found != NULL;
}

static void append(char *text, size_t n_bytes, const char *word)
{
    size_t n = strlen(text);
    snprintf(text + n, n_bytes - n, "%s%s", n ? ", " : "", word);
}

void host_app_names(struct kodama_host *host, char *text, size_t n_bytes)
{
    text[0] = '\0';
    mutex_lock(&host->mutex);
    for (size_t i = 0; i < host->n_apps; i++) {
        const struct host_app *app = &host->apps[i];
        if (app->n_streams > 0) append(text, n_bytes, app->last.name);
    }
    mutex_unlock(&host->mutex);
    if (!text[0]) snprintf(text, n_bytes, "none");
}

void host_device_names(struct kodama_host *host, enum kodama_device_kind kind, char *text,
                       size_t n_bytes)
{
    text[0] = '\0';
    mutex_lock(&host->mutex);
    for (size_t i = 0; i < host->n_devices; i++) {
        const struct host_device_info *info = &host->devices[i].info;
        if (info->kind == kind) {
            append(text, n_bytes, info->description[0] ? info->description : info->name);
        }
    }
    mutex_unlock(&host->mutex);
    if (!text[0]) snprintf(text, n_bytes, "none");
}
