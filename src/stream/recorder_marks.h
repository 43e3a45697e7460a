/* The marks of a recording: gaps are counted, and all is listed in a file where asked for. */
#ifndef STREAM_RECORDER_MARKS_H
#define STREAM_RECORDER_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/log.h>
#include <kodama/ring.h>
#include <kodama/status.h>

/** Only the recorder's thread touches it. */
struct recorder_marks {
    const struct kodama_ring *ring;
    const struct kodama_log *log;
    int descriptor; /* of the list; -1: there is none */
    char *path;     /* of the list; owned */
    struct kodama_mark *found;
    size_t room;
    uint64_t told_until;    /* marks that begin before this were listed */
    uint64_t counted_until; /* gaps before this were counted */
};

/**
 * Prepare, and create the list if `path` is not NULL: it is called PATH.jsonl.
 *
 * @param[out] marks  to be closed, also after an error
 * @return KODAMA_OK, KODAMA_ERR_MEMORY, or why the list could not be created
 */
int recorder_marks_open(struct recorder_marks *marks, const struct kodama_ring *ring,
                        const char *path, bool overwrite, const struct kodama_log *log,
                        struct kodama_error *error);
void recorder_marks_close(struct recorder_marks *marks);

/**
 * Look at the marks of frames that are recorded, in order.
 *
 * @param first     position of the first frame
 * @param n_frames  how many
 * @param frame     place of the first frame in the recording
 * @return how many of the frames lie in gaps
 */
uint64_t recorder_marks_scan(struct recorder_marks *marks, uint64_t first, uint64_t n_frames,
                             uint64_t frame);

/** List an event; `more` is printf-style and holds further members, each behind a comma. */
void recorder_marks_event(struct recorder_marks *marks, const char *event, uint64_t position,
                          uint64_t frame, const char *more, ...) KODAMA_PRINTF(5, 6);

/** List the beginning of a file. */
void recorder_marks_file(struct recorder_marks *marks, uint64_t position, uint64_t frame,
                         const char *path);

#endif
