/*
 * A file that is written beside its target and takes its place when all went well.
 *
 * libsndfile writes through our own functions, so that a full disk is seen at the write that met
 * it: some of its encoders drop that error, others lose memory over it. So they never hear of it;
 * what they write from then on goes nowhere.
 */
#ifndef AUDIO_DRAFT_FILE_H
#define AUDIO_DRAFT_FILE_H

#include <sndfile.h>
#include <stdbool.h>

#include <kodama/status.h>

struct draft_file {
    char *shown;    /* the path as the caller wrote it, for messages */
    char *target;   /* links resolved */
    char *path;     /* the new file beside it; NULL: there is none to remove */
    int descriptor; /* -1: closed */
    bool keep;      /* whatever is at the target stays */
    int failure;    /* errno of the first write that failed */
};

/** Create the new file. `keep`: a target that is there is refused. On failure, too, it is to be
 * discarded. */
int draft_file_open(struct draft_file *draft, const char *path, bool keep,
                    struct kodama_error *error);

/** Put the new file in the place of the target; fails with the first write that failed. */
int draft_file_commit(struct draft_file *draft, struct kodama_error *error);

/** Remove what is not in its place yet, and free the rest. */
void draft_file_discard(struct draft_file *draft);

/** Say that an errno kept us from doing something to the target. */
int draft_file_error(const struct draft_file *draft, const char *what, int number,
                     struct kodama_error *error);

/** libsndfile's way to the file; its user data is the struct draft_file. */
SF_VIRTUAL_IO draft_file_io(void);

#endif
