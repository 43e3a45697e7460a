/* Where a recording goes: a clip in memory, or a file through a recorder. */
#ifndef STREAM_RECORD_TARGET_H
#define STREAM_RECORD_TARGET_H

#include <kodama/record.h>
#include <kodama/recorder.h>
#include <kodama/ring.h>

struct record_target {
    struct kodama_format format;
    struct kodama_clip *clip; /* NULL for a file */
    uint64_t max_frames;      /* of the clip */
    /* A file has a ring of its own, whose frames are exactly those of the recording: so it has as
     * many as were asked for, and those that the callback heard. */
    struct kodama_ring *ring;
    struct kodama_writer writer;
    struct kodama_recorder *recorder;
    char *path;
    struct kodama_recorder_stats file; /* after finish */
};

/**
 * Prepare a target.
 *
 * @param target    zeroed; record_target_free() is due in any case
 * @param n_frames  expected, 0: not known
 * @return KODAMA_OK, KODAMA_ERR_LIMIT, KODAMA_ERR_MEMORY, or as kodama_recorder_open()
 */
int record_target_open(struct record_target *target, struct kodama_format format,
                       const struct kodama_record_config *config, uint64_t n_frames,
                       struct kodama_error *error);

/** Undo an open to which nothing was written: no file stays behind. */
void record_target_discard(struct record_target *target);

/** Tell a mark about frames that will be appended; for files only. */
void record_target_mark(struct record_target *target, const struct kodama_mark *mark);

/**
 * Append frames; NULL: silence. On an error what could be kept is kept.
 *
 * @return KODAMA_OK, KODAMA_ERR_LIMIT, KODAMA_ERR_MEMORY, or what the recorder failed with
 */
int record_target_append(struct record_target *target, const void *frames, uint64_t n_frames,
                         struct kodama_error *error);

/** Nothing more will come: bring it all to the file. KODAMA_OK or what the recorder failed with. */
int record_target_finish(struct record_target *target, struct kodama_error *error);

/** Frames that are kept. */
uint64_t record_target_frames(const struct record_target *target);

void record_target_free(struct record_target *target);

#endif
