/*
 * One file over HTTP, from where an earlier attempt ended. A connection that is cut is made again,
 * as long as anything more comes.
 */
#ifndef SPEECH_MODEL_DOWNLOAD_H
#define SPEECH_MODEL_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <kodama/model_store.h>

enum { DOWNLOAD_TAG_BYTES = 256 };

struct download {
    /* Filled in before. */
    const char *address; /* http:// or https:// */
    int fd;              /* what is received is written at its end; it has n_done bytes */
    const char *path;    /* of fd, for sentences */
    uint64_t n_expected; /* 0: not known */
    const struct kodama_store_config *config; /* on_progress */
    /** May be NULL: the host's name for this version of the file is known now, before the first
     * byte of it is written. */
    void (*on_tag)(void *user, const char *tag);
    void *user;
    /* In and out. */
    uint64_t n_done;
    char tag[DOWNLOAD_TAG_BYTES]; /* of what is there; "": not known, then what follows is taken to
                                     be of the same version */
};

/** Whether this build can download. */
bool download_is_built(void);

/** Receive the rest. KODAMA_OK, or as kodama_model_store_get(). */
int download_run(struct download *download, struct kodama_error *error);

#endif
