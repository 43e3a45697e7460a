/*
 * Hosts: one connection to the sound system of this machine, PipeWire or PulseAudio.
 *
 * A host lists and follows applications (app.h) and devices (device.h), and sets volumes. Sources
 * that hear applications and sinks that play use one: their own, or one that they share. When the
 * sound server goes away the host waits for it and comes back by itself.
 */
#ifndef KODAMA_HOST_H
#define KODAMA_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/log.h>
#include <kodama/status.h>
#include <kodama/waitable.h>

struct kodama_host;

enum kodama_host_event_kind {
    KODAMA_HOST_APP_ADDED = 1,  /**< an application plays that did not; also one that was gone */
    KODAMA_HOST_APP_CHANGED,    /**< its state, volume, mute, names or streams */
    KODAMA_HOST_APP_REMOVED,    /**< its last stream has ended */
    KODAMA_HOST_DEVICE_ADDED,   /**< a device is there that was not */
    KODAMA_HOST_DEVICE_CHANGED, /**< its volume, mute, description, or whether it is the default */
    KODAMA_HOST_DEVICE_REMOVED, /**< a device is gone */
    KODAMA_HOST_LOST,           /**< the sound server has ended; `id` is 0 */
    KODAMA_HOST_BACK,           /**< it is there again; `id` is 0 */
};

/** Something has changed. What it is now, kodama_host_apps() and kodama_host_devices() tell. */
struct kodama_host_event {
    enum kodama_host_event_kind kind;
    uint64_t id; /**< of the application or the device */
};

/** Called on the host's thread for each event; may use the host, but not close it. */
typedef void (*kodama_host_event_function)(void *user, const struct kodama_host_event *event);

struct kodama_host_config {
    size_t size;         /**< sizeof this struct, set by KODAMA_HOST_CONFIG_INIT */
    const char *backend; /**< "pipewire" or "pulse"; NULL: $KODAMA_BACKEND, else the first whose
                            server answers */
    const char *server;  /**< as in PIPEWIRE_REMOTE or PULSE_SERVER; NULL: the environment's */
    const char *name;    /**< what other programs see; NULL: "Kodama" */
    bool peaks;          /**< measure the peak of every stream: a small meter stream for each */
    kodama_host_event_function on_event; /**< may be NULL */
    void *user;                          /**< handed to on_event */
    const struct kodama_log *log;        /**< may be NULL */
};
#define KODAMA_HOST_CONFIG_INIT                   \
    {                                             \
        .size = sizeof(struct kodama_host_config) \
    }

/**
 * Connect to the sound server and list what is there.
 *
 * @param[out] host   owned by the caller; NULL on error
 * @param config      borrowed for the call (log, user: for the host's life); NULL: defaults
 * @param[out] error  may be NULL; without a server it says what to start
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND (no server answers), KODAMA_ERR_UNSUPPORTED (no such
 * backend in this build), KODAMA_ERR_ARGUMENT, KODAMA_ERR_SYSTEM or KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_host_open(struct kodama_host **host, const struct kodama_host_config *config,
                                struct kodama_error *error) KODAMA_MUST_USE;

/** Disconnect. Sources and sinks that share the host must be closed before; NULL is allowed.
 *  Thread: owner, not from the callback. Real-time safe: no. */
KODAMA_API void kodama_host_close(struct kodama_host *host);

/** The backend in use, such as "pipewire". Thread: any. Real-time safe: yes. */
KODAMA_API const char *kodama_host_backend(const struct kodama_host *host);

/** Names of the backends in this build: index 0, 1, ... until NULL. Thread: any. Real-time safe:
 * yes. */
KODAMA_API const char *kodama_host_backend_name(size_t index);

/** Whether the sound server is there now. Thread: any. Real-time safe: no. */
KODAMA_API bool kodama_host_is_connected(const struct kodama_host *host);

/**
 * Take the next event.
 *
 * Of what nobody takes the newest 256 are kept; equal ones in a row are one.
 *
 * @param host        opened
 * @param[out] event  the event
 * @param timeout_ns  how long to wait
 * @return KODAMA_OK, KODAMA_ERR_EMPTY (timeout_ns is 0 and there is none), KODAMA_ERR_TIMEOUT or
 * KODAMA_ERR_ARGUMENT
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_host_next_event(struct kodama_host *host, struct kodama_host_event *event,
                                      int64_t timeout_ns);

/**
 * A waitable that is signalled while there are events to take.
 *
 * @param host           opened
 * @param[out] waitable  valid until the host is closed
 * @return KODAMA_OK or KODAMA_ERR_ARGUMENT
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_host_waitable(struct kodama_host *host, struct kodama_waitable *waitable);

#endif
