/*
 * The backend for PulseAudio: connecting, and connecting again when the server was lost.
 *
 * Whether a lost server is there again tells the folder of its socket, which is watched: a socket
 * that appears is tried. Where there is no such folder (a server on another machine) it is tried at
 * growing intervals.
 */
#define _GNU_SOURCE /* inotify */
#include "capture/pulse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture/pulse_model.h"

enum {
    RETRY_FIRST_MS = 50, /* a socket is there a moment before somebody listens on it */
    RETRY_LAST_MS = 2000,
    RETRY_WATCHED_MS = 30000, /* in case that an event was missed */
    RETRIES_QUICK = 6,
    OPEN_TIMEOUT_MS = 10000, /* for a server that accepts and does not answer */
};

static void connect_again(struct pulse *pulse, unsigned delay_ms);
static void watch(struct pulse *pulse);

const char *pulse_words(struct pulse *pulse)
{
    return pa_strerror(pulse->context ? pa_context_errno(pulse->context) : PA_ERR_BADSTATE);
}

void pulse_forget(pa_operation *operation)
{
    if (operation) pa_operation_unref(operation);
}

void pulse_wake(struct pulse *pulse)
{
    pa_threaded_mainloop_signal(pulse->loop, 0);
}

bool pulse_await(struct pulse *pulse, pa_operation *operation)
{
    if (!operation) return false;
    while (pa_operation_get_state(operation) == PA_OPERATION_RUNNING) {
        pa_threaded_mainloop_wait(pulse->loop);
    }
    bool done = pa_operation_get_state(operation) == PA_OPERATION_DONE;
    pa_operation_unref(operation);
    return done;
}

/* ---------------------------------------------------------------- the connection */

/* Forget the connection: what was there is gone. */
static void drop(struct pulse *pulse)
{
    if (pulse->known) host_lost(pulse->host);
    pulse->known = false;
    pulse_model_clear(pulse);
    if (!pulse->context) return;
    pa_context_set_state_callback(pulse->context, NULL, NULL);
    pa_context_set_subscribe_callback(pulse->context, NULL, NULL);
    pa_context_disconnect(pulse->context);
    pa_context_unref(pulse->context);
    pulse->context = NULL;
}

void pulse_listed(struct pulse *pulse)
{
    pulse->n_retries = 0;
    pulse->listed = true;
    pulse->known = true;
    host_back(pulse->host);
    pulse_mic_sweep(pulse);
    pulse_wake(pulse);
}

static void on_state(pa_context *context, void *user)
{
    struct pulse *pulse = user;
    switch (pa_context_get_state(context)) {
    case PA_CONTEXT_READY: pulse_model_list(pulse); break;
    case PA_CONTEXT_FAILED:
    case PA_CONTEXT_TERMINATED:
        if (!pulse->listed) {
            pulse->failed = true; /* open() tells why */
            pulse_wake(pulse);
        } else if (!pulse->closing) {
            /* Not here: the context is in use by who calls this. */
            connect_again(pulse, 0);
        }
        break;
    default: break;
    }
}

static bool connect(struct pulse *pulse)
{
    pa_proplist *properties = pa_proplist_new();
    pa_proplist_sets(properties, PA_PROP_APPLICATION_NAME, pulse->host->name);
    pulse->context = pa_context_new_with_proplist(pulse->api, NULL, properties);
    pa_proplist_free(properties);
    if (!pulse->context) return false;
    pa_context_set_state_callback(pulse->context, on_state, pulse);
    /* A server is never started for this: on PipeWire's systems it would be the wrong one. */
    return pa_context_connect(pulse->context, pulse->host->server, PA_CONTEXT_NOAUTOSPAWN, NULL) >=
           0;
}

static void on_retry(pa_mainloop_api *api, pa_time_event *event, const struct timeval *now,
                     void *user)
{
    struct pulse *pulse = user;
    (void)now;
    api->time_free(event);
    pulse->retry = NULL;
    if (pulse->closing) return;
    drop(pulse);
    watch(pulse);
    if (!connect(pulse)) connect_again(pulse, RETRY_LAST_MS);
}

static void connect_again(struct pulse *pulse, unsigned delay_ms)
{
    unsigned n = pulse->n_retries++;
    if (n > 0 && delay_ms == 0) {
        delay_ms = n <= RETRIES_QUICK ? (unsigned)RETRY_FIRST_MS << (n - 1) : RETRY_LAST_MS;
        if (n > RETRIES_QUICK && pulse->watch) delay_ms = RETRY_WATCHED_MS;
    }
    struct timeval when;
    pa_timeval_add(pa_gettimeofday(&when), (pa_usec_t)delay_ms * PA_USEC_PER_MSEC);
    if (pulse->retry) pulse->api->time_free(pulse->retry);
    pulse->retry = pulse->api->time_new(pulse->api, &when, on_retry, pulse);
}

/* Something appeared in the folder of the socket. */
static void on_watch(pa_mainloop_api *api, pa_io_event *event, int fd, pa_io_event_flags_t flags,
                     void *user)
{
    struct pulse *pulse = user;
    union {
        struct inotify_event event;
        char bytes[4096];
    } buffer;
    bool ended = false;
    (void)flags;
    for (;;) {
        ssize_t n = read(fd, &buffer, sizeof buffer);
        if (n <= 0) break;
        for (size_t at = 0; at + sizeof buffer.event <= (size_t)n;) {
            struct inotify_event one;
            memcpy(&one, buffer.bytes + at, sizeof one);
            ended = ended || (one.mask & IN_IGNORED);
            at += sizeof one + one.len;
        }
    }
    if (ended) { /* the folder is gone: watched again with the next attempt */
        api->io_free(event);
        pulse->watch = NULL;
    }
    if (pulse->known || pulse->closing || !pulse->listed) return;
    pulse->n_retries = 1; /* from the shortest interval on */
    connect_again(pulse, RETRY_FIRST_MS);
}

/* The folder of the server's socket, as libpulse finds it; NULL when it is not on this machine. */
static char *find_folder(const char *server)
{
    char path[1000] = "";
    const char *runtime = getenv("PULSE_RUNTIME_PATH"), *home = getenv("XDG_RUNTIME_DIR");
    if (!server) server = getenv("PULSE_SERVER");
    if (server && server[0] == '{') { /* the machine's id */
        const char *end = strchr(server, '}');
        server = end ? end + 1 : server;
    }
    if (server && strncmp(server, "unix:", 5) == 0) server += 5;
    if (server && server[0] == '/') {
        const char *slash = strrchr(server, '/');
        snprintf(path, sizeof path, "%.*s", (int)(slash - server), server);
    } else if (server && server[0]) {
        return NULL;
    } else if (runtime) {
        snprintf(path, sizeof path, "%s", runtime);
    } else if (home) {
        snprintf(path, sizeof path, "%s/pulse", home);
    }
    return path[0] ? memory_text(path) : NULL;
}

static void watch(struct pulse *pulse)
{
    if (pulse->watch || !pulse->socket_folder || pulse->watch_fd < 0) return;
    if (inotify_add_watch(pulse->watch_fd, pulse->socket_folder,
                          IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0) {
        return; /* then the intervals must do */
    }
    pulse->watch =
        pulse->api->io_new(pulse->api, pulse->watch_fd, PA_IO_EVENT_INPUT, on_watch, pulse);
}

/* ------------------------------------------------------------------ the table */

static void close_all(struct pulse *pulse)
{
    if (pulse->loop) {
        pa_threaded_mainloop_lock(pulse->loop);
        pulse->closing = true;
        pulse->known = false; /* the host is told nothing any more */
        drop(pulse);
        if (pulse->retry) pulse->api->time_free(pulse->retry);
        if (pulse->watch) pulse->api->io_free(pulse->watch);
        pa_threaded_mainloop_unlock(pulse->loop);
        pa_threaded_mainloop_stop(pulse->loop);
        pa_threaded_mainloop_free(pulse->loop);
    }
    if (pulse->watch_fd >= 0) close(pulse->watch_fd);
    free(pulse->socket_folder);
    free(pulse);
}

static void pulse_close(struct kodama_host *host)
{
    close_all(host->state);
}

static void on_open_timeout(pa_mainloop_api *api, pa_time_event *event, const struct timeval *now,
                            void *user)
{
    struct pulse *pulse = user;
    (void)api;
    (void)event;
    (void)now;
    pulse->failed = true;
    pulse_wake(pulse);
}

/* Connect and wait until all is listed; with the lock held. */
static int first_connection(struct pulse *pulse, struct kodama_error *error)
{
    bool asked = connect(pulse);
    struct timeval when;
    pa_timeval_add(pa_gettimeofday(&when), (pa_usec_t)OPEN_TIMEOUT_MS * PA_USEC_PER_MSEC);
    pa_time_event *timeout = pulse->api->time_new(pulse->api, &when, on_open_timeout, pulse);
    while (asked && !pulse->listed && !pulse->failed) pa_threaded_mainloop_wait(pulse->loop);
    pulse->api->time_free(timeout);
    if (pulse->listed) return KODAMA_OK;
    bool silent = asked && PA_CONTEXT_IS_GOOD(pa_context_get_state(pulse->context));
    error_set(error, KODAMA_ERR_NOT_FOUND,
              "no PulseAudio server answers (%s): start one, for example with `systemctl --user "
              "start pulseaudio` or `pulseaudio --start`, or on a system with PipeWire `systemctl "
              "--user start pipewire wireplumber pipewire-pulse`",
              silent ? "it takes too long" : pulse_words(pulse));
    return KODAMA_ERR_NOT_FOUND;
}

static int pulse_open(struct kodama_host *host, struct kodama_error *error)
{
    struct pulse *pulse = memory_array(1, sizeof *pulse);
    if (!pulse) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a host");
    pulse->host = host;
    pulse->watch_fd = -1;
    host->state = pulse;
    pulse->loop = pa_threaded_mainloop_new();
    if (!pulse->loop) {
        close_all(pulse);
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a host");
    }
    pa_threaded_mainloop_set_name(pulse->loop, "kodama-pulse");
    pulse->api = pa_threaded_mainloop_get_api(pulse->loop);
    pulse->socket_folder = find_folder(host->server);
    if (pulse->socket_folder) pulse->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    watch(pulse);
    if (pa_threaded_mainloop_start(pulse->loop) < 0) {
        close_all(pulse);
        return error_set(error, KODAMA_ERR_SYSTEM, "cannot start a thread for PulseAudio");
    }
    pa_threaded_mainloop_lock(pulse->loop);
    int status = first_connection(pulse, error);
    pa_threaded_mainloop_unlock(pulse->loop);
    if (status < 0) close_all(pulse);
    return status;
}

static void pulse_lock(struct kodama_host *host)
{
    struct pulse *pulse = host->state;
    if (!pa_threaded_mainloop_in_thread(pulse->loop)) pa_threaded_mainloop_lock(pulse->loop);
}

static void pulse_unlock(struct kodama_host *host)
{
    struct pulse *pulse = host->state;
    if (!pa_threaded_mainloop_in_thread(pulse->loop)) pa_threaded_mainloop_unlock(pulse->loop);
}

/* The server is told; nobody waits for its answer, which is the change itself. */
static int told(struct pulse *pulse, pa_operation *operation, const char *what,
                struct kodama_error *error)
{
    if (operation) {
        pa_operation_unref(operation);
        return KODAMA_OK;
    }
    return error_set(error, KODAMA_ERR_SYSTEM, "PulseAudio refused to %s: %s", what,
                     pulse_words(pulse));
}

static int pulse_set_volume(struct kodama_host *host, uint64_t stream, double volume,
                            struct kodama_error *error)
{
    struct pulse *pulse = host->state;
    struct pulse_input *input = pulse_find_input(pulse, stream);
    if (!input || !pulse->context)
        return error_set(error, KODAMA_ERR_NOT_FOUND, "it has just gone");
    pa_volume_t wanted = (pa_volume_t)(volume * PA_VOLUME_NORM + 0.5);
    if (pa_cvolume_max(&input->volume) == PA_VOLUME_MUTED) {
        pa_cvolume_set(&input->volume, input->volume.channels, wanted);
    } else {
        pa_cvolume_scale(&input->volume, wanted); /* the loudest channel; the balance stays */
    }
    return told(
        pulse,
        pa_context_set_sink_input_volume(pulse->context, input->index, &input->volume, NULL, NULL),
        "set a volume", error);
}

static int pulse_set_mute(struct kodama_host *host, uint64_t stream, bool mute,
                          struct kodama_error *error)
{
    struct pulse *pulse = host->state;
    struct pulse_input *input = pulse_find_input(pulse, stream);
    if (!input || !pulse->context)
        return error_set(error, KODAMA_ERR_NOT_FOUND, "it has just gone");
    return told(pulse,
                pa_context_set_sink_input_mute(pulse->context, input->index, mute, NULL, NULL),
                "mute", error);
}

const struct host_ops host_pulse_ops = {
    .name = "pulse",
    .open = pulse_open,
    .close = pulse_close,
    .lock = pulse_lock,
    .unlock = pulse_unlock,
    .set_volume = pulse_set_volume,
    .set_mute = pulse_set_mute,
    .capture_format = pulse_capture_format,
    .capture_open = pulse_capture_open,
    .capture_close = pulse_capture_close,
    .capture_link = pulse_capture_link,
    .capture_unlink = pulse_capture_unlink,
    .playback = &pulse_playback_ops,
};
