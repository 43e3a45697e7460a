/* The PipeWire backend: the connection, made, lost and made again, and the backend's table. */
#define _GNU_SOURCE
#include "capture/pipewire.h"

#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    ROUND_TRIP_SECONDS = 5,
    RETRY_FIRST_MS = 50, /* a server that is started again takes some 100 ms */
    RETRY_MOST_MS = 1000,
    SETTLE_MS = 3000, /* a session manager that has no devices to choose from never says so */
    RETRY_WATCHED_MS = 10000, /* with a watch on the socket's folder: in case it is elsewhere */
    ROUND_TRIPS = 3,          /* objects; what they say of themselves; their parameters */
};

/* -------------------------------------------------------------- the connection */

static void retry_in(struct pipewire *pipewire, unsigned ms)
{
    struct timespec value = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 + 1};
    pw_loop_update_timer(pw_thread_loop_get_loop(pipewire->loop), pipewire->retry, &value, NULL,
                         false);
}

static void on_core_info(void *data, const struct pw_core_info *info)
{
    struct pipewire *pipewire = data;
    const char *rate = info->props ? spa_dict_lookup(info->props, "default.clock.rate") : NULL;
    if (rate && pipewire->rate_hz == 0) pipewire->rate_hz = (uint32_t)strtoul(rate, NULL, 10);
}

static void on_core_done(void *data, uint32_t id, int sequence)
{
    struct pipewire *pipewire = data;
    if (id != PW_ID_CORE) return;
    pipewire->done = sequence;
    pw_thread_loop_signal(pipewire->loop, false);
}

static void on_core_error(void *data, uint32_t id, int sequence, int status, const char *message)
{
    struct pipewire *pipewire = data;
    (void)sequence;
    log_write(pipewire->host->log, KODAMA_LOG_DEBUG, "PipeWire: object %u: %s (%s)", id, message,
              spa_strerror(status));
    if (id != PW_ID_CORE || status != -EPIPE) return;
    pipewire->failed = true;
    pw_thread_loop_signal(pipewire->loop, false);
    retry_in(pipewire, 0); /* not from in here: the connection is in use */
}

static const struct pw_core_events core_events = {
    PW_VERSION_CORE_EVENTS,
    .info = on_core_info,
    .done = on_core_done,
    .error = on_core_error,
};

static void disconnect(struct pipewire *pipewire)
{
    if (!pipewire->core) return;
    registry_forget(pipewire);
    if (pipewire->registry) pw_proxy_destroy((struct pw_proxy *)pipewire->registry);
    pipewire->registry = NULL;
    spa_hook_remove(&pipewire->core_hook);
    pw_core_disconnect(pipewire->core);
    pipewire->core = NULL;
}

static int connect_core(struct pipewire *pipewire, struct kodama_error *error)
{
    struct pw_properties *properties =
        pw_properties_new(PW_KEY_APP_NAME, pipewire->host->name, NULL);
    if (properties && pipewire->host->server) {
        pw_properties_set(properties, PW_KEY_REMOTE_NAME, pipewire->host->server);
    }
    pipewire->core = pw_context_connect(pipewire->context, properties, 0);
    if (!pipewire->core) {
        char words[100];
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "no PipeWire server answers (%s): start one with \"systemctl --user start "
                         "pipewire wireplumber pipewire-pulse\"%s",
                         error_errno(errno, words, sizeof words),
                         getenv("XDG_RUNTIME_DIR") ? ""
                                                   : ", and set XDG_RUNTIME_DIR, which says where");
    }
    pipewire->failed = false;
    pipewire->rate_hz = pipewire->forced_rate_hz = 0;
    pw_core_add_listener(pipewire->core, &pipewire->core_hook, &core_events, pipewire);
    registry_follow(pipewire);
    return KODAMA_OK;
}

/* With the lock held, not on the loop thread: until the server has answered all that was asked. */
static int round_trip(struct pipewire *pipewire, struct kodama_error *error)
{
    struct timespec until;
    pw_thread_loop_get_time(pipewire->loop, &until, ROUND_TRIP_SECONDS * SPA_NSEC_PER_SEC);
    pipewire->pending = pw_core_sync(pipewire->core, PW_ID_CORE, pipewire->pending);
    while (pipewire->done != pipewire->pending && !pipewire->failed) {
        if (pw_thread_loop_timed_wait_full(pipewire->loop, &until) == 0) continue;
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "the PipeWire server does not answer: it may hang; \"systemctl --user "
                         "restart pipewire\" starts it again");
    }
    if (pipewire->failed) {
        return error_set(error, KODAMA_ERR_NOT_FOUND, "the PipeWire server closed the connection");
    }
    return KODAMA_OK;
}

/* ------------------------------------------------------- waiting for a lost server */

/* Something came to be in the folder: the socket, perhaps. It takes no connections at once. */
static void on_folder(void *data, int fd, uint32_t mask)
{
    struct pipewire *pipewire = data;
    alignas(struct inotify_event) char events[4096];
    (void)mask;
    while (read(fd, events, sizeof events) > 0) {
    }
    pipewire->retries = 0;
    retry_in(pipewire, RETRY_FIRST_MS / 5);
}

/* Where PipeWire looks for the socket, in its order. */
static const char *socket_folder(void)
{
    static const char *const names[] = {"PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR", "USERPROFILE"};
    for (size_t i = 0; i < SPA_N_ELEMENTS(names); i++) {
        const char *folder = getenv(names[i]);
        if (folder && folder[0]) return folder;
    }
    return NULL;
}

static void unwatch(struct pipewire *pipewire)
{
    if (!pipewire->watch) return;
    pw_loop_destroy_source(pw_thread_loop_get_loop(pipewire->loop), pipewire->watch);
    pipewire->watch = NULL;
}

static void watch(struct pipewire *pipewire)
{
    const char *folder = socket_folder();
    bool elsewhere = pipewire->host->server && pipewire->host->server[0] == '/';
    int fd = folder && !elsewhere ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1;
    if (fd < 0) return;
    if (inotify_add_watch(fd, folder, IN_CREATE | IN_MOVED_TO) >= 0) {
        pipewire->watch = pw_loop_add_io(pw_thread_loop_get_loop(pipewire->loop), fd, SPA_IO_IN,
                                         true, on_folder, pipewire);
    }
    if (!pipewire->watch) close(fd);
}

void pipewire_settled(struct pipewire *pipewire)
{
    if (!pipewire->settling) return;
    pipewire->settling = false;
    host_back(pipewire->host);
}

static void on_retry(void *data, uint64_t expirations)
{
    struct pipewire *pipewire = data;
    (void)expirations;
    if (pipewire->core && pipewire->failed) {
        log_write(pipewire->host->log, KODAMA_LOG_WARNING,
                  "the PipeWire server has ended; waiting for it");
        pipewire->settling = false;
        host_lost(pipewire->host);
        disconnect(pipewire);
        pipewire->retries = 0;
        watch(pipewire);
    }
    if (pipewire->core) {
        pipewire_settled(pipewire); /* nobody has chosen devices, and it took long enough */
        return;
    }
    if (connect_core(pipewire, NULL) == KODAMA_OK) {
        log_write(pipewire->host->log, KODAMA_LOG_INFO, "the PipeWire server is back");
        unwatch(pipewire);
        /* WirePlumber 0.4 that finds streams while it starts fails now and then to give the devices
         * their ports (2 of 14 restarts): captures wait for it. */
        pipewire->settling = true;
        retry_in(pipewire, SETTLE_MS);
        return;
    }
    /* A socket that is there takes connections only when its server listens: some tries soon, then
     * as seldom as may be. */
    unsigned ms = (unsigned)RETRY_FIRST_MS << (pipewire->retries < 5 ? pipewire->retries : 5);
    if (ms > RETRY_MOST_MS) ms = RETRY_MOST_MS;
    if (pipewire->retries >= 5 && pipewire->watch) ms = RETRY_WATCHED_MS;
    pipewire->retries++;
    retry_in(pipewire, ms);
}

/* ---------------------------------------------------------- opening and closing */

/* Before 1.4 only this configuration asks for real-time scheduling of the data thread. */
static const char *configuration(void)
{
    unsigned major = 0, minor = 0;
    const char *version = pw_get_library_version();
    char *end = NULL;
    if (version) major = (unsigned)strtoul(version, &end, 10);
    if (end && *end == '.') minor = (unsigned)strtoul(end + 1, NULL, 10);
    return major > 1 || (major == 1 && minor >= 4) ? "client.conf" : "client-rt.conf";
}

static void pipewire_close(struct kodama_host *host)
{
    struct pipewire *pipewire = host->state;
    if (pipewire->loop) pw_thread_loop_stop(pipewire->loop);
    if (pipewire->context) {
        disconnect(pipewire);
        unwatch(pipewire);
        if (pipewire->retry) {
            pw_loop_destroy_source(pw_thread_loop_get_loop(pipewire->loop), pipewire->retry);
        }
        pw_context_destroy(pipewire->context);
    }
    if (pipewire->loop) pw_thread_loop_destroy(pipewire->loop);
    free(pipewire);
    pw_deinit();
    host->state = NULL;
}

static int begin(struct pipewire *pipewire, struct kodama_error *error)
{
    pipewire->loop = pw_thread_loop_new("kodama-pipewire", NULL);
    struct pw_loop *loop = pipewire->loop ? pw_thread_loop_get_loop(pipewire->loop) : NULL;
    struct pw_properties *properties = pw_properties_new(
        PW_KEY_CONFIG_NAME, configuration(), PW_KEY_APP_NAME, pipewire->host->name, NULL);
    if (loop) pipewire->context = pw_context_new(loop, properties, 0);
    if (!loop || !pipewire->context) {
        return error_set(error, KODAMA_ERR_SYSTEM,
                         "cannot start PipeWire's client library: is PipeWire installed whole?");
    }
    pipewire->retry = pw_loop_add_timer(loop, on_retry, pipewire);
    if (!pipewire->retry) {
        return error_set(error, KODAMA_ERR_SYSTEM, "cannot create a timer for PipeWire");
    }
    int status = connect_core(pipewire, error);
    if (status < 0) return status;
    if (pw_thread_loop_start(pipewire->loop) < 0) {
        return error_set(error, KODAMA_ERR_SYSTEM, "cannot start a thread for PipeWire");
    }
    pw_thread_loop_lock(pipewire->loop);
    for (int i = 0; i < ROUND_TRIPS && status == KODAMA_OK; i++) {
        status = round_trip(pipewire, error);
    }
    if (status == KODAMA_OK) host_back(pipewire->host);
    pw_thread_loop_unlock(pipewire->loop);
    return status;
}

static int pipewire_open(struct kodama_host *host, struct kodama_error *error)
{
    struct pipewire *pipewire = memory_array(1, sizeof *pipewire);
    if (!pipewire) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a host");
    pw_init(NULL, NULL);
    /* A library does not print; whoever looks for a fault asks PipeWire to. */
    if (!getenv("PIPEWIRE_DEBUG")) pw_log_set_level(SPA_LOG_LEVEL_NONE);
    pipewire->host = host;
    host->state = pipewire;
    spa_list_init(&pipewire->nodes);
    spa_list_init(&pipewire->clients);
    spa_list_init(&pipewire->ports);
    spa_list_init(&pipewire->metadatas);
    spa_list_init(&pipewire->listeners);
    int status = begin(pipewire, error);
    if (status < 0) pipewire_close(host);
    return status;
}

/* ------------------------------------------------------------------- the table */

static void pipewire_lock(struct kodama_host *host)
{
    struct pipewire *pipewire = host->state;
    pw_thread_loop_lock(pipewire->loop); /* recursive */
}

static void pipewire_unlock(struct kodama_host *host)
{
    struct pipewire *pipewire = host->state;
    pw_thread_loop_unlock(pipewire->loop);
}

static struct pw_node_entry *find_stream(struct kodama_host *host, uint64_t stream,
                                         struct kodama_error *error)
{
    struct pw_node_entry *node = registry_find(host->state, stream);
    if (!node) error_set(error, KODAMA_ERR_NOT_FOUND, "the stream has ended");
    return node;
}

static int pipewire_set_volume(struct kodama_host *host, uint64_t stream, double volume,
                               struct kodama_error *error)
{
    struct pw_node_entry *node = find_stream(host, stream, error);
    return node ? props_set_volume(node, volume, error) : KODAMA_ERR_NOT_FOUND;
}

static int pipewire_set_mute(struct kodama_host *host, uint64_t stream, bool mute,
                             struct kodama_error *error)
{
    struct pw_node_entry *node = find_stream(host, stream, error);
    return node ? props_set_mute(node, mute, error) : KODAMA_ERR_NOT_FOUND;
}

const struct host_ops host_pipewire_ops = {
    .name = "pipewire",
    .open = pipewire_open,
    .close = pipewire_close,
    .lock = pipewire_lock,
    .unlock = pipewire_unlock,
    .set_volume = pipewire_set_volume,
    .set_mute = pipewire_set_mute,
    .capture_format = pipewire_capture_format,
    .capture_open = pipewire_capture_open,
    .capture_close = pipewire_capture_close,
    .capture_link = pipewire_capture_link,
    .capture_unlink = pipewire_capture_unlink,
    .capture_hears = pipewire_capture_hears,
    .playback = &pipewire_playback_ops,
};
