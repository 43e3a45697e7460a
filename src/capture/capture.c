/* Captures: who is heard, and what happens when they come and go. */
#include "capture/capture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

/* Softer than 1 % nothing is made loud again: what is left below is noise of rounding. */
#define COMPENSATE_MIN 0.01

/* A copy of the model, so that nobody is asked under its mutex. */
struct scene {
    struct host_stream *streams;
    struct host_device *devices;
    size_t n_streams, n_devices;
};

static bool take_scene(struct kodama_host *host, struct scene *scene)
{
    *scene = (struct scene){0};
    mutex_lock(&host->mutex);
    scene->streams = memory_array(host->n_streams + 1, sizeof *scene->streams);
    scene->devices = memory_array(host->n_devices + 1, sizeof *scene->devices);
    bool whole = scene->streams && scene->devices;
    if (whole) {
        scene->n_streams = host->n_streams;
        scene->n_devices = host->n_devices;
        if (host->n_streams > 0) {
            memcpy(scene->streams, host->streams, host->n_streams * sizeof *host->streams);
        }
        if (host->n_devices > 0) {
            memcpy(scene->devices, host->devices, host->n_devices * sizeof *host->devices);
        }
    }
    mutex_unlock(&host->mutex);
    return whole;
}

static void free_scene(struct scene *scene)
{
    free(scene->streams);
    free(scene->devices);
}

/* ------------------------------------------------------------------ who is heard */

static bool wants_stream(const struct capture *capture, const struct host_stream *stream)
{
    if (capture->source->ops == &source_app_ops) {
        return host_stream_matches(stream, capture->apps, capture->n_apps);
    }
    return capture->source->ops == &source_system_ops && capture->n_except > 0 &&
           !host_stream_matches(stream, capture->except, capture->n_except);
}

/* The one device that is meant, or NULL: a whole name goes before a part of one. */
static const struct host_device *wanted_device(const struct capture *capture,
                                               const struct scene *scene)
{
    enum kodama_device_kind kind = KODAMA_DEVICE_MICROPHONE;
    if (capture->source->ops != &source_mic_ops) {
        if (capture->source->ops != &source_system_ops || capture->n_except > 0) return NULL;
        kind = KODAMA_DEVICE_SPEAKERS;
    }
    const struct host_device *part = NULL;
    for (size_t i = 0; i < scene->n_devices; i++) {
        const struct host_device *device = &scene->devices[i];
        if (device->info.kind != kind) continue;
        if (!capture->device) {
            if (device->is_default) return device;
        } else if (strcmp(device->info.name, capture->device) == 0 ||
                   strcmp(device->info.description, capture->device) == 0) {
            return device;
        } else if (!part && (host_text_contains(device->info.name, capture->device) ||
                             host_text_contains(device->info.description, capture->device))) {
            part = device;
        }
    }
    return part;
}

/* The ids of all that are wanted; returns how many, at most as many as there are objects. */
static size_t wanted(const struct capture *capture, const struct scene *scene, uint64_t *ids)
{
    size_t n = 0;
    for (size_t i = 0; i < scene->n_streams; i++) {
        if (wants_stream(capture, &scene->streams[i])) ids[n++] = scene->streams[i].id;
    }
    const struct host_device *device = wanted_device(capture, scene);
    if (device) ids[n++] = device->id;
    return n;
}

bool capture_finds(struct capture *capture)
{
    struct scene scene;
    bool found = false;
    if (take_scene(capture->host, &scene)) {
        uint64_t *ids = memory_array(scene.n_streams + 1, sizeof *ids);
        found = ids && wanted(capture, &scene, ids) > 0;
        free(ids);
    }
    free_scene(&scene);
    return found;
}

bool capture_device(struct capture *capture, struct host_device *device)
{
    struct scene scene;
    bool whole = take_scene(capture->host, &scene);
    const struct host_device *found = whole ? wanted_device(capture, &scene) : NULL;
    if (found) *device = *found;
    free_scene(&scene);
    return found != NULL;
}

/* --------------------------------------------------------------------- linking */

static bool contains(const uint64_t *ids, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == id) return true;
    }
    return false;
}

/* Undo the volume of what is heard: of the loudest, where several are added up already. */
static void update_gain(struct capture *capture, const struct scene *scene)
{
    double loudest = 0.0;
    for (size_t i = 0; i < scene->n_streams; i++) {
        const struct host_stream *stream = &scene->streams[i];
        if (!contains(capture->links, capture->n_links, stream->id)) continue;
        if (stream->info.volume > loudest) loudest = stream->info.volume;
    }
    float gain = 1.0F;
    /* The user's scale is cubic: 50 % is an eighth. */
    if (capture->compensate && loudest >= COMPENSATE_MIN) {
        gain = (float)(1.0 / (loudest * loudest * loudest));
        /* Volumes are kept as float by the servers: what is nearly 1 was 1. */
        if (fabsf(gain - 1.0F) < 1e-6F) gain = 1.0F;
    }
    atomic_store_explicit(&capture->gain, gain, memory_order_relaxed);
}

static void update_presence(struct capture *capture)
{
    const struct host_ops *ops = capture->host->ops;
    bool present = capture->n_links > 0;
    if (present && ops->capture_hears) present = ops->capture_hears(capture);
    timeline_set_present(&capture->timeline, present);
    if (present) {
        source_returned(capture->source);
    } else {
        source_vanished(capture->source);
    }
}

/* Let one capture hear whom it should. */
static void relink(struct capture *capture, const struct scene *scene)
{
    const struct host_ops *ops = capture->host->ops;
    uint64_t *ids = memory_array(scene->n_streams + 1, sizeof *ids);
    if (!ids) return;
    size_t n = wanted(capture, scene, ids);
    for (size_t i = capture->n_links; i-- > 0;) {
        if (contains(ids, n, capture->links[i])) continue;
        ops->capture_unlink(capture, capture->links[i]);
        capture->links[i] = capture->links[--capture->n_links];
    }
    for (size_t i = 0; i < n && capture->state; i++) {
        if (contains(capture->links, capture->n_links, ids[i])) continue;
        uint64_t *links = memory_resize(capture->links, capture->n_links + 1, sizeof *links);
        if (!links) break;
        capture->links = links;
        if (ops->capture_link(capture, ids[i]) == KODAMA_OK) links[capture->n_links++] = ids[i];
    }
    free(ids);
    update_gain(capture, scene);
    update_presence(capture);
}

void captures_relink(struct kodama_host *host)
{
    struct scene scene;
    if (!host->captures) return;
    if (take_scene(host, &scene)) {
        for (struct capture *capture = host->captures; capture; capture = capture->next) {
            relink(capture, &scene);
        }
    } else {
        log_write(host->log, KODAMA_LOG_ERROR, "no memory to follow who plays");
    }
    free_scene(&scene);
}

/* ------------------------------------------------------------- opening and closing */

static void open_one(struct capture *capture)
{
    struct kodama_error error = {0};
    timeline_new_clock(&capture->timeline);
    if (capture->host->ops->capture_open(capture, &error) < 0) {
        capture->state = NULL;
        log_write(capture->source->log, KODAMA_LOG_WARNING, "source %s: %s",
                  capture->source->ops->name, error.message);
    }
}

static void close_one(struct capture *capture)
{
    if (capture->state) capture->host->ops->capture_close(capture);
    capture->state = NULL;
    capture->n_links = 0;
    update_presence(capture);
}

void captures_lost(struct kodama_host *host)
{
    for (struct capture *capture = host->captures; capture; capture = capture->next) {
        close_one(capture);
    }
}

void captures_back(struct kodama_host *host)
{
    for (struct capture *capture = host->captures; capture; capture = capture->next) {
        if (!capture->state) open_one(capture);
    }
    captures_relink(host);
}

int capture_start(struct capture *capture, struct kodama_error *error)
{
    struct kodama_host *host = capture->host;
    host->ops->lock(host);
    timeline_start(&capture->timeline, capture->source);
    atomic_store_explicit(&capture->gain, 1.0F, memory_order_relaxed);
    int status = KODAMA_OK;
    if (kodama_host_is_connected(host)) {
        status = host->ops->capture_open(capture, error);
        if (status < 0) capture->state = NULL;
    }
    if (status == KODAMA_OK) {
        capture->next = host->captures;
        host->captures = capture;
        captures_relink(host);
        update_presence(capture);
    }
    host->ops->unlock(host);
    if (status == KODAMA_OK) {
        status = keeper_add(host->keeper, capture, error);
        if (status < 0) capture_stop(capture);
    }
    return status;
}

void capture_stop(struct capture *capture)
{
    struct kodama_host *host = capture->host;
    keeper_remove(host->keeper, capture);
    host->ops->lock(host);
    for (struct capture **at = &host->captures; *at; at = &(*at)->next) {
        if (*at == capture) {
            *at = capture->next;
            break;
        }
    }
    if (capture->state) host->ops->capture_close(capture);
    capture->state = NULL;
    capture->n_links = 0;
    host->ops->unlock(host);
}
