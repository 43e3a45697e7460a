/* The sinks "speakers" and "mic": a playback of a host that takes frames from the sink's ring. */
#include <stdlib.h>
#include <string.h>

#include <kodama/device.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/park.h"
#include "capture/host.h"
#include "capture/playback.h"
#include "stream/sink.h"

struct device_state {
    struct kodama_sink *sink; /* immutable */
    struct kodama_host *own;  /* immutable; NULL: the host is shared */
    size_t frame_bytes;       /* immutable */
    int silence;              /* immutable: the byte of silence */
    struct playback playback;
    /* The device's thread only. */
    struct kodama_cursor *cursor;
    bool starving;
    /* Written by the device's thread, relaxed. */
    _Atomic uint64_t frames, dropped_frames, silent_frames, underrun_frames, underruns;
    /* Written by the thread that writes. */
    _Atomic uint64_t clear_to; /* frames before this position are not wanted any more */
    _Atomic bool draining;
    /* Changed by the device's thread when the ring is empty while somebody drains. */
    _Atomic uint32_t emptied;
};

static void add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* The ring had too little. */
static void starve(struct device_state *state, uint64_t n_frames)
{
    add(&state->silent_frames, n_frames);
    if (atomic_load_explicit(&state->sink->flowing, memory_order_relaxed)) {
        if (!state->starving) add(&state->underruns, 1);
        add(&state->underrun_frames, n_frames);
        state->starving = true;
    }
    /* Missed by a hair it comes with the next block: the device goes on asking. */
    if (atomic_load_explicit(&state->draining, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&state->emptied, 1, memory_order_release);
        park_wake(&state->emptied);
    }
}

static void pull(void *user, void *frames, size_t n_frames)
{
    struct device_state *state = user;
    uint64_t clear_to = atomic_load_explicit(&state->clear_to, memory_order_acquire);
    uint64_t position = kodama_cursor_position(state->cursor);
    if (clear_to > position) {
        int64_t skipped = kodama_cursor_skip(state->cursor, clear_to - position);
        if (skipped > 0) add(&state->dropped_frames, (uint64_t)skipped);
    }
    int64_t n = kodama_cursor_read(state->cursor, frames, n_frames, 0, NULL);
    if (n < 0) n = 0;
    if (n > 0) {
        add(&state->frames, (uint64_t)n);
        state->starving = false;
    }
    size_t missing = n_frames - (size_t)n;
    if (missing == 0) return;
    memset((uint8_t *)frames + (size_t)n * state->frame_bytes, state->silence,
           missing * state->frame_bytes);
    starve(state, missing);
}

/* -------------------------------------------------------------------- opening */

/* The name of the device meant, "" for the default one; the name is copied. */
static int choose(struct kodama_host *host, const char *part, char **name,
                  struct kodama_error *error)
{
    *name = NULL;
    if (!part) return KODAMA_OK;
    struct kodama_device_list *list = NULL;
    int status = kodama_host_devices(host, &list, error);
    if (status < 0) return status;
    const char *found = NULL;
    for (size_t i = 0; i < list->n_devices; i++) {
        const struct kodama_device *device = &list->devices[i];
        if (device->kind != KODAMA_DEVICE_SPEAKERS) continue;
        if (strcmp(device->name, part) == 0) found = device->name;
        if (found) continue;
        if (host_text_contains(device->name, part) ||
            host_text_contains(device->description, part)) {
            found = device->name;
        }
    }
    if (found) *name = memory_text(found);
    if (found && !*name) status = error_set(error, KODAMA_ERR_MEMORY, "no memory for a sink");
    kodama_device_list_free(list);
    if (found) return status;
    char names[300];
    host_device_names(host, KODAMA_DEVICE_SPEAKERS, names, sizeof names);
    return error_set(error, KODAMA_ERR_NOT_FOUND,
                     "no output device is called \"%s\"; there are: %s", part, names);
}

/* A name that every sound server takes. */
static char *plain_name(const char *label)
{
    char *name = memory_text(label);
    for (char *c = name; c && *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        bool plain = letter || (*c >= '0' && *c <= '9') || strchr("._-", *c);
        if (!plain) *c = '-';
    }
    return name;
}

static int open_host(struct device_state *state, const struct kodama_sink_config *config,
                     struct kodama_error *error)
{
    state->playback.host = config->host;
    if (config->host) return KODAMA_OK;
    struct kodama_host_config host = KODAMA_HOST_CONFIG_INIT;
    host.backend = config->backend;
    host.log = config->log;
    int status = kodama_host_open(&state->own, &host, error);
    state->playback.host = state->own;
    return status;
}

static void device_close(struct kodama_sink *sink)
{
    struct device_state *state = sink->state;
    if (state->playback.pull) playback_end(&state->playback);
    kodama_host_close(state->own);
    kodama_cursor_close(state->cursor);
    free(state);
}

static int prepare(struct device_state *state, const struct kodama_sink_config *config, bool is_mic,
                   struct kodama_error *error)
{
    struct kodama_sink *sink = state->sink;
    struct kodama_cursor_config cursor = KODAMA_CURSOR_CONFIG_INIT;
    cursor.lossless = true;
    int status = kodama_cursor_open(&state->cursor, sink->ring, &cursor);
    if (status < 0) return error_set(error, status, "no cursor for a sink");
    status = open_host(state, config, error);
    if (status < 0) return status;
    struct playback *playback = &state->playback;
    playback->is_mic = is_mic;
    playback->format = sink->format;
    playback->latency = config->latency;
    playback->user = state;
    if (!is_mic) return choose(playback->host, config->device, &playback->device, error);
    const char *label = config->name && config->name[0] ? config->name : "Kodama";
    playback->label = memory_text(label);
    playback->name = plain_name(label);
    if (playback->label && playback->name) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_MEMORY, "no memory for a sink");
}

static int open_device(struct kodama_sink *sink, const struct kodama_sink_config *config,
                       bool is_mic, struct kodama_error *error)
{
    struct device_state *state = memory_array(1, sizeof *state);
    if (!state) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a sink");
    sink->state = state;
    state->sink = sink;
    state->frame_bytes = kodama_frame_bytes(sink->format);
    state->silence = sink->format.sample == KODAMA_SAMPLE_U8 ? 128 : 0;
    int status = prepare(state, config, is_mic, error);
    if (status >= 0) {
        state->playback.pull = pull;
        status = playback_begin(&state->playback, error);
        if (status < 0) state->playback.pull = NULL;
    }
    if (status < 0) {
        free(state->playback.device);
        free(state->playback.name);
        free(state->playback.label);
        device_close(sink);
    }
    return status;
}

static int speakers_open(struct kodama_sink *sink, const struct kodama_sink_config *config,
                         struct kodama_error *error)
{
    return open_device(sink, config, false, error);
}

static int mic_open(struct kodama_sink *sink, const struct kodama_sink_config *config,
                    struct kodama_error *error)
{
    return open_device(sink, config, true, error);
}

/* -------------------------------------------------------------------- running */

/* Until the ring is empty, then as long as the last frame is on its way. */
static int device_drain(struct kodama_sink *sink, uint64_t deadline_ns, struct kodama_error *error)
{
    struct device_state *state = sink->state;
    uint64_t end = kodama_ring_position(sink->ring);
    bool in_time = true;
    atomic_store_explicit(&state->draining, true, memory_order_relaxed);
    while (in_time) {
        /* acquire: pairs with the release of the device's thread */
        uint32_t seen = atomic_load_explicit(&state->emptied, memory_order_acquire);
        if (kodama_cursor_position(state->cursor) >= end) break;
        in_time = park_wait(&state->emptied, seen, deadline_ns);
    }
    atomic_store_explicit(&state->draining, false, memory_order_relaxed);
    uint64_t heard = clock_now_ns() + get(&state->playback.latency_ns);
    if (in_time && heard <= deadline_ns) {
        clock_sleep_until(heard);
        return KODAMA_OK;
    }
    if (in_time) clock_sleep_until(deadline_ns);
    return error_set(error, KODAMA_ERR_TIMEOUT, "not all was heard in time");
}

static void device_clear(struct kodama_sink *sink)
{
    struct device_state *state = sink->state;
    /* release: who sees it sees the frames up to it, too */
    atomic_store_explicit(&state->clear_to, kodama_ring_position(sink->ring), memory_order_release);
}

static void device_stats(const struct kodama_sink *sink, struct kodama_sink_stats *stats)
{
    const struct device_state *state = sink->state;
    stats->frames = get(&state->frames);
    stats->dropped_frames = get(&state->dropped_frames);
    uint64_t gone = stats->frames + stats->dropped_frames;
    stats->queue_frames = stats->frames_written > gone ? stats->frames_written - gone : 0;
    stats->silent_frames = get(&state->silent_frames);
    stats->underrun_frames = get(&state->underrun_frames);
    stats->underruns = get(&state->underruns) + get(&state->playback.underruns);
    stats->latency_ns = get(&state->playback.latency_ns);
    stats->present = atomic_load_explicit(&state->playback.present, memory_order_relaxed);
}

const struct sink_ops sink_speakers_ops = {
    .name = "speakers",
    .channels = 2,
    .open = speakers_open,
    .drain = device_drain,
    .clear = device_clear,
    .stats = device_stats,
    .close = device_close,
};

const struct sink_ops sink_mic_ops = {
    .name = "mic",
    .channels = 1,
    .open = mic_open,
    .drain = device_drain,
    .clear = device_clear,
    .stats = device_stats,
    .close = device_close,
};
