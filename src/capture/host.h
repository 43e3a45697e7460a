/*
 * Hosts from the inside: the table that a backend fills, the model of what is there that backends
 * report to, and what all of them share. Adding one is its files plus one line in host.c.
 *
 * Locks. Each backend has a loop thread and a lock of its own (`lock`, `unlock`), which that thread
 * holds while it calls anything here. It guards the captures and whatever the backend keeps. The
 * model has a small mutex of its own, never held while a backend or a user is called. Order: the
 * backend's lock, then the model's.
 */
#ifndef CAPTURE_HOST_H
#define CAPTURE_HOST_H

#include <stdatomic.h>

#include <kodama/app.h>
#include <kodama/device.h>
#include <kodama/host.h>
#include <kodama/source.h>

#include "base/process.h"
#include "base/thread.h"

struct capture;
struct keeper;
struct playback;
struct playback_ops;

/** What a backend knows of a stream that plays. */
struct host_stream_info {
    uint32_t pid; /* 0 if not known */
    char name[KODAMA_NAME_BYTES];
    char client[KODAMA_NAME_BYTES]; /* the client's application name; "" as a rule the same */
    char node[KODAMA_NAME_BYTES];
    char binary[KODAMA_NAME_BYTES];
    char icon[KODAMA_NAME_BYTES];
    char media[KODAMA_MEDIA_BYTES];
    enum kodama_app_state state; /* idle or active */
    double volume;               /* on the user's scale */
    bool muted;
    struct kodama_format format; /* 0 where not known */
};

/** What a backend knows of a device. */
struct host_device_info {
    enum kodama_device_kind kind;
    char name[KODAMA_NAME_BYTES];
    char description[KODAMA_MEDIA_BYTES];
    double volume;
    bool muted;
    struct kodama_format format;
};

/** A backend. All members are mandatory unless marked optional. */
struct host_ops {
    const char *name;
    /** Connect, start the loop thread, report all that is there to the model, and follow it; when
     * it returns the model is whole. Sets host->state. KODAMA_ERR_NOT_FOUND when no server answers:
     * the message says what to start. After that a lost server is waited for. */
    int (*open)(struct kodama_host *host, struct kodama_error *error);
    /** End the loop thread, disconnect and free host->state. There are no captures any more. */
    void (*close)(struct kodama_host *host);
    /** The backend's lock: recursive, also allowed on the loop thread. */
    void (*lock)(struct kodama_host *host);
    void (*unlock)(struct kodama_host *host);
    /** With the lock held. The id is the model's, of a stream. */
    int (*set_volume)(struct kodama_host *host, uint64_t stream, double volume,
                      struct kodama_error *error);
    int (*set_mute)(struct kodama_host *host, uint64_t stream, bool mute,
                    struct kodama_error *error);
    /** With the lock held. Complete capture->source->format where members are 0 (see capture.h). */
    void (*capture_format)(struct capture *capture);
    /** With the lock held. Begin to write to the capture's timeline, at first with nothing linked;
     * sets capture->state. Also called again when a lost server is back (then nobody looks at
     * *error but the log). */
    int (*capture_open)(struct capture *capture, struct kodama_error *error);
    /** With the lock held. Stop writing and free capture->state: when it returns no thread of the
     * backend touches the timeline. Also called when the server is lost. */
    void (*capture_close)(struct capture *capture);
    /** With the lock held. Hear a stream or a device (the model's id) from now on, too; several are
     * added up. KODAMA_OK, or an error: then it is tried again with the next change of the object.
     */
    int (*capture_link)(struct capture *capture, uint64_t id);
    /** With the lock held. Hear it no more; it may be gone from the model already. */
    void (*capture_unlink)(struct capture *capture, uint64_t id);
    /** With the lock held. Optional: whether what is linked is really heard by now; NULL: at once.
     * When that changes the backend calls host_try_links(). */
    bool (*capture_hears)(struct capture *capture);
    const struct playback_ops *playback; /* optional: NULL where it cannot play; see playback.h */
};

/* An entry of the model. */
enum { HOST_ANCESTORS_MAX = 32 };

struct host_stream {
    uint64_t id, app;
    struct host_stream_info info;
    struct process root; /* main process of its program; pid 0 if not known */
    /* Looked up once: who is meant is asked for every capture at every change. */
    uint32_t ancestors[HOST_ANCESTORS_MAX];
    size_t n_ancestors;
    float peak;
};

struct host_device {
    uint64_t id;
    struct host_device_info info;
    bool is_default;
};

struct host_app {
    uint64_t id;
    struct process root;          /* pid 0: told apart by name and binary */
    struct host_stream_info last; /* of its newest stream: what is left to say when it is gone */
    size_t n_streams;
    bool has_volume, has_mute; /* set by the user: for streams that will come, too */
    double volume;
    bool muted;
};

enum { HOST_EVENTS_MAX = 256 };

struct kodama_host {
    /* Immutable after open. */
    const struct host_ops *ops;
    void *state; /* the backend's */
    char *server, *name;
    bool peaks;
    kodama_host_event_function on_event;
    void *user;
    const struct kodama_log *log;
    struct keeper *keeper; /* writes silence where no device does */

    /* Under the backend's lock. */
    struct capture *captures;   /* running ones */
    struct playback *playbacks; /* running ones */

    /* The model, under the mutex. */
    struct mutex mutex;
    struct condition changed; /* an event came */
    bool opened;              /* there is somebody to be told of events */
    bool connected;
    uint64_t last_id;
    struct host_app *apps;
    struct host_stream *streams;
    struct host_device *devices;
    size_t n_apps, n_streams, n_devices;
    char defaults[2][KODAMA_NAME_BYTES]; /* names of the default speakers and microphone */
    struct kodama_host_event events[HOST_EVENTS_MAX];
    uint64_t event_head, event_tail;
    struct kodama_waitable waitable;
};

/* ---------------------------------------------------- backends report (with their lock held) */

/** A new stream. Its id (0 without memory) is put into *id before anything is done with it: links
 * and volumes may be asked for before this returns. */
void host_stream_seen(struct kodama_host *host, const struct host_stream_info *info, uint64_t *id);
/** What is known of it now; nothing happens when nothing has changed. */
void host_stream_changed(struct kodama_host *host, uint64_t id,
                         const struct host_stream_info *info);
void host_stream_gone(struct kodama_host *host, uint64_t id);
/** Its peak; no event. Any thread but a real-time one. */
void host_stream_peak(struct kodama_host *host, uint64_t id, float peak);

void host_device_seen(struct kodama_host *host, const struct host_device_info *info, uint64_t *id);
void host_device_changed(struct kodama_host *host, uint64_t id,
                         const struct host_device_info *info);
void host_device_gone(struct kodama_host *host, uint64_t id);
/** The default device of a kind has this name; NULL or "": there is none. */
void host_default_changed(struct kodama_host *host, enum kodama_device_kind kind, const char *name);

/** The server has ended: everything is gone, captures are closed and go on as silence. */
void host_lost(struct kodama_host *host);
/** The server is there again (and at the first time): captures are opened again. Report what is
 * there before or after. */
void host_back(struct kodama_host *host);
/** A stream or device can be linked that could not (its ports are there): try again. */
void host_try_links(struct kodama_host *host);

/* --------------------------------------------------------------- the model is asked */

/** Copy an entry of the model; false when it is gone. */
bool host_find_device(struct kodama_host *host, uint64_t id, struct host_device *device);

/** Whether a stream is one of those meant. */
bool host_stream_matches(const struct host_stream *stream, const struct kodama_app_match *matches,
                         size_t n);
/** The names of all applications, or of all devices of a kind, for an error: "a, b" or "none". */
void host_app_names(struct kodama_host *host, char *text, size_t n_bytes);
void host_device_names(struct kodama_host *host, enum kodama_device_kind kind, char *text,
                       size_t n_bytes);
/** Whether `part` is a part of `text`, in any case of ASCII letters. */
bool host_text_contains(const char *text, const char *part);

/* ------------------------------------------------------------ inside host*.c and app.c only */

/** Queue an event and tell the user; the mutex is not held. */
void host_event(struct kodama_host *host, enum kodama_host_event_kind kind, uint64_t id);
void host_model_free(struct kodama_host *host);
/** Under the mutex: forget applications that are gone and whose process has ended. */
void host_model_prune(struct kodama_host *host);
/** Under the mutex: NULL when it is gone. */
struct host_app *host_model_app(struct kodama_host *host, uint64_t id);

#endif
