/* Where a recording goes: a recorder's files, or a WAV stream on standard output. */
#ifndef COMMAND_TAKING_H
#define COMMAND_TAKING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <kodama/recorder.h>
#include <kodama/stream.h>

#include "command/capture.h"
#include "command/soundfile.h"

/** Fields without a word are set before the stream starts. */
struct taking {
    struct kodama_stream *stream;
    struct capture_teller teller;
    struct kodama_recorder *recorder; /* NULL: standard output */

    /* standard output: the dispatcher's until the stream has ended */
    struct soundfile_stream pipe;
    struct kodama_format format;
    uint64_t max_frames; /* 0: no limit */
    uint64_t lost_frames, paused_frames;
    _Atomic uint64_t pipe_frames;
    _Atomic bool paused;
    bool full; /* max_frames are written */

    /* waits for the end */
    pthread_t waiter;
    bool waiting;
    int wake[2];
    _Atomic bool ended;
    int status; /* the waiter's until it is joined */
    struct kodama_error error;
};

/** What was taken so far. */
struct taken {
    uint64_t frames, bytes, lost_frames, paused_frames, gap_frames, gaps;
    uint32_t files;
};

/**
 * Open a stream around a source with somebody who takes its frames; nothing runs yet.
 *
 * @param[out] taking  to be closed
 * @param command      name of the subcommand, for complaints
 * @param source       taken, also on failure
 * @param config       what to write; its path `-` is standard output, where type, sample and
 *                     max_frames count only
 * @return an exit code; complains
 */
int taking_open(struct taking *taking, const char *command, struct kodama_source *source,
                struct kodama_recorder_config *config);

/** Begin. @return KODAMA_OK or why the source refused */
int taking_start(struct taking *taking, struct kodama_error *error);

/** Readable when everything is written. */
int taking_descriptor(const struct taking *taking);
bool taking_has_ended(struct taking *taking);

/** Leave out what comes from now on, or no more. */
void taking_pause(struct taking *taking, bool paused);

/** Hear no more; what was heard is still written. */
void taking_stop(struct taking *taking);

/** Wait for the end. @return KODAMA_OK, or what the source or the writing failed with, in words */
int taking_wait(struct taking *taking, struct kodama_error *error);

struct taken taking_stats(struct taking *taking);
void taking_close(struct taking *taking);

#endif
