/*
 * Playbacks: what a sink plays through a host, speakers or a virtual microphone. The backend pulls
 * frames on a thread of its own; when the server is lost and back, the playback is opened again.
 */
#ifndef CAPTURE_PLAYBACK_H
#define CAPTURE_PLAYBACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/format.h>
#include <kodama/source.h>

#include "base/waitable.h"

struct kodama_host;

/**
 * Fill a block for the device: frames while there are some, then silence.
 *
 * @param user         the sink
 * @param[out] frames  room for n_frames in the playback's format
 *
 * Thread: the backend's. Real-time safe: yes, may wake.
 */
typedef void (*playback_pull_function)(void *user, void *frames, size_t n_frames);

struct playback {
    /* Immutable after begin. */
    struct kodama_host *host;
    bool is_mic;  /* a virtual microphone; else speakers */
    char *device; /* speakers: its name; NULL: the default one */
    char *name;   /* microphone: a plain name */
    char *label;  /* microphone: for people */
    struct kodama_format format;
    enum kodama_latency latency;
    playback_pull_function pull;
    void *user;
    /* Under the backend's lock. */
    void *state; /* the backend's; NULL: not open */
    bool broken; /* set by the backend: the device is gone, open it again when one comes */
    struct playback *next;
    /* Any thread, relaxed. */
    _Atomic bool present;        /* the device takes frames; written by the backend */
    _Atomic uint64_t latency_ns; /* from a pull until it is heard; written by the backend */
    _Atomic uint64_t underruns; /* the device found nothing since the pull came late; the backend */
};

/** The part of a backend's table that plays; NULL where it cannot. With the lock held. */
struct playback_ops {
    /** Begin to pull; sets playback->state. Also called when a lost server is back (then nobody
     * looks at *error but the log). */
    int (*open)(struct playback *playback, struct kodama_error *error);
    /** Stop pulling and free playback->state; when it returns nothing is pulled. Also called when
     * the server is lost; then state may be freed only. */
    void (*close)(struct playback *playback);
};

/**
 * Begin to play.
 *
 * @param playback  zeroed but for host, format, latency, pull, user, is_mic and the names, which
 * are taken on success
 * @return KODAMA_OK, or as kodama_sink_open()
 */
int playback_begin(struct playback *playback, struct kodama_error *error);

/** End it; after this the pull function is not called. */
void playback_end(struct playback *playback);

/** With the lock held: the server is lost (host.c). */
void playbacks_close(struct kodama_host *host);
/** With the lock held: open all that are not: the server is back (host.c), a device appeared (the
 * backend). */
void playbacks_open(struct kodama_host *host);

#endif
