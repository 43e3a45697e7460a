/*
 * Recorders from the inside: what the owner's side (recorder.c) and the thread (recorder_thread.c)
 * share, and who may touch what.
 *
 * Pauses, resumptions and the stop are positions of the timeline, noted by whoever asks and obeyed
 * by the thread when it gets there. A position noted is never before what the thread has decided
 * on, for nobody can read what is not written yet.
 */
#ifndef STREAM_RECORDER_INTERNAL_H
#define STREAM_RECORDER_INTERNAL_H

#include <kodama/recorder.h>

#include "base/thread.h"
#include "stream/recorder_file.h"
#include "stream/recorder_marks.h"
#include "stream/recorder_shape.h"

enum turn_kind { TURN_PAUSE, TURN_RESUME, TURN_STOP };

/** A place where the recording changes. */
struct turn {
    uint64_t position;
    enum turn_kind kind;
};

struct kodama_recorder {
    /* immutable */
    struct kodama_ring *ring;
    struct kodama_format format;
    const struct kodama_log *log;
    char *path;
    uint64_t split_frames, split_bytes, max_frames, sync_ns;
    size_t buffer_frames;
    struct thread thread;

    /* the recorder's thread only */
    struct recorder_shape shape;
    struct recorder_file file;
    struct recorder_marks marks;
    uint8_t *buffer; /* frames read */
    bool paused;
    uint32_t number;      /* of the file; 0: names carry none */
    uint64_t done_frames; /* in files that are closed */
    uint64_t done_bytes;
    uint64_t sync_at_ns;

    /* lock */
    struct mutex lock;
    struct condition ended_condition;
    struct kodama_cursor *cursor; /* read by the thread; NULL from its end on */
    uint64_t next;                /* position of the next frame to record; changed by the thread */
    struct turn *turns;           /* to come, in order */
    size_t n_turns, turns_room;
    bool will_pause, will_stop; /* after all turns */
    struct kodama_recorder_stats stats;
    struct kodama_error failure;
    bool has_waitable;
    struct kodama_waitable waitable; /* signalled at the end */
};

static inline uint64_t recorder_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/** Open the file that is next. Thread: the owner's before the recorder's runs, then that. */
int recorder_open_file(struct kodama_recorder *recorder, struct kodama_error *error);

/** A thread_function: record until the end. */
void recorder_run(void *recorder);

#endif
