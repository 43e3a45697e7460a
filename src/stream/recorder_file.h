/* One file of a recording: opened, written block by block, playable after each, closed. */
#ifndef STREAM_RECORDER_FILE_H
#define STREAM_RECORDER_FILE_H

#include <sndfile.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/status.h>

#include "stream/recorder_shape.h"

/** One file. Only the recorder's thread touches it. */
struct recorder_file {
    struct recorder_shape *shape;
    char *path;         /* owned */
    int descriptor;     /* -1: closed */
    int failure;        /* errno of the first write that failed */
    uint64_t n_frames;  /* frames in the file */
    uint64_t n_bytes;   /* length of the file */
    SNDFILE *native;    /* encoder; NULL for WAV */
    uint64_t offset;    /* encoder: where it writes next */
    uint64_t n_packets; /* FLAC: blocks written */
    uint64_t page_at;   /* Ogg: where the newest page begins */
};

/**
 * Create a file. A WAV file is playable at once, others after the first block.
 *
 * @param[out] file   to be closed, also after an error of a later call
 * @param shape       must outlive the file
 * @param path        copied
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_BUSY (it exists), or why not
 */
int recorder_file_open(struct recorder_file *file, struct recorder_shape *shape, const char *path,
                       struct kodama_error *error);

/**
 * Append frames and make the file playable with them.
 *
 * @param frames  in shape->from; NULL: silence
 * @return KODAMA_OK, or KODAMA_ERR_IO: then file->n_frames and n_bytes say what is kept
 */
int recorder_file_write(struct recorder_file *file, const void *frames, uint64_t n_frames,
                        struct kodama_error *error);

/** Bring what was written to the disk. KODAMA_OK or KODAMA_ERR_IO. */
int recorder_file_sync(struct recorder_file *file, struct kodama_error *error);

/**
 * Finish and close the file. One without frames is removed, unless it is WAV, which can be empty.
 *
 * @return KODAMA_OK or KODAMA_ERR_IO. What failed before is not reported again.
 */
int recorder_file_close(struct recorder_file *file, struct kodama_error *error);

/** Say why a file could not be written, in words, from an errno value. Returns the status. */
int recorder_file_error(const char *what, const char *path, int number, struct kodama_error *error);

/** Bytes before the samples of a WAV file of this shape. */
uint64_t recorder_file_header_bytes(const struct recorder_shape *shape);

#endif
