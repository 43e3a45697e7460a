/*
 * Captures: the sources "app", "mic" and "system", without the backend's part. A capture knows who
 * is to be heard and has the backend link exactly those streams or devices, and no others, whatever
 * comes and goes.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include "capture/host.h"
#include "capture/source.h"
#include "capture/timeline.h"

struct capture {
    /* Immutable after open. */
    struct kodama_host *host;
    bool own_host;
    struct kodama_source *source;           /* its format: 0 where the backend may choose */
    struct kodama_app_match *apps, *except; /* with texts of their own */
    size_t n_apps, n_except;
    char *device;
    enum kodama_latency latency;
    bool compensate;

    /* Under the backend's lock. */
    struct capture *next; /* of the host's running ones */
    void *state;          /* the backend's; NULL while it is not open */
    uint64_t *links;      /* what is heard now */
    size_t n_links;

    _Atomic float gain; /* what every sample is to be multiplied with; read in real time */
    struct timeline timeline;

    /* Under the keeper's mutex. */
    struct capture *next_kept;
};

/** With the backend's lock held: let every capture hear whom it should. */
void captures_relink(struct kodama_host *host);
/** With the lock held: the server is lost; captures go on as silence. */
void captures_lost(struct kodama_host *host);
/** With the lock held: the server is there (again). */
void captures_back(struct kodama_host *host);

/** Whether somebody is there to be heard. Any thread, without the lock. */
bool capture_finds(struct capture *capture);
/** The device that is to be heard, if it is there. Any thread, without the model's mutex. */
bool capture_device(struct capture *capture, struct host_device *device);
/** What a source's start and stop do. */
int capture_start(struct capture *capture, struct kodama_error *error);
void capture_stop(struct capture *capture);

/** The keeper: one thread of a host that writes silence where no device drives a timeline. It
 * sleeps while nothing is captured. */
int keeper_create(struct keeper **keeper, struct kodama_error *error);
void keeper_destroy(struct keeper *keeper);
/** From now on; KODAMA_OK or KODAMA_ERR_SYSTEM. */
int keeper_add(struct keeper *keeper, struct capture *capture, struct kodama_error *error);
/** No more when this returns. */
void keeper_remove(struct keeper *keeper, struct capture *capture);

#endif
