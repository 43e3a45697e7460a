/* The way of the data for captions: source -> stream -> recogniser, or the client of a server, with
 * an end that flushes. */
#ifndef COMMAND_HEARING_H
#define COMMAND_HEARING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kodama/client.h>
#include <kodama/recognizer.h>
#include <kodama/resampler.h>
#include <kodama/stream.h>

#include "command/capture.h"

enum { HEARING_LEVEL_FRAMES = 512 };

struct hearing {
    struct kodama_stream *stream;         /* immutable after open */
    struct kodama_recognizer *recognizer; /* immutable after open; NULL: a server hears */
    struct kodama_client *client;         /* immutable after open; NULL: this machine hears */
    struct kodama_resampler *meter;       /* dispatcher; NULL: the level is not measured */
    float *samples;                       /* dispatcher: room for a part of a chunk */
    struct capture_teller teller;
    size_t frame_bytes; /* immutable after open */
    pthread_t ender;
    bool started;
    bool speaking;          /* the reader's: a server said so */
    _Atomic uint32_t level; /* loudest level since it was taken, millionths; set by dispatcher */
    _Atomic bool abandoned; /* stop without hearing what is left */
    int status;             /* of the stream; the ender's until it is joined */
    struct kodama_error error;
};

/**
 * Open everything; nothing runs yet.
 *
 * @param source   taken, also on failure
 * @param config   of the recogniser; its format is set here
 * @param metered  measure the level for hearing_level()
 * @return KODAMA_OK or what refused, in words
 */
int hearing_open(struct hearing *hearing, struct kodama_source *source, struct kodama_model *model,
                 struct kodama_recognizer_config *config, bool metered,
                 const struct kodama_log *log, struct kodama_error *error);

/** The same with a server instead of a model; waits until it is ready. */
int hearing_open_server(struct hearing *hearing, struct kodama_source *source,
                        struct kodama_client_config *config, bool metered,
                        const struct kodama_log *log, struct kodama_error *error);

/** Begin. */
int hearing_start(struct hearing *hearing, struct kodama_error *error);

/**
 * The next event, if there is one.
 *
 * @param[out] note  NULL, or words about the connection: then `event` is not filled in
 * @return KODAMA_OK, KODAMA_ERR_EMPTY, KODAMA_ERR_CLOSED (all was heard), or how a server failed
 */
int hearing_next(struct hearing *hearing, struct kodama_event *event, const char **note);

/** Readable while an event can be taken or hearing has ended. */
int hearing_descriptor(struct hearing *hearing);

/** Audio that may still become text, in milliseconds. */
uint32_t hearing_pending_ms(struct hearing *hearing);

/** Whether somebody speaks now. */
bool hearing_voice(struct hearing *hearing);

/** Hear no more; what was heard is still recognised. Twice is allowed. */
void hearing_stop(struct hearing *hearing);

/** After the last event: how it ended. */
int hearing_wait(struct hearing *hearing, struct kodama_error *error);

/** Loudest level since the last call, 0 (-54 dBFS) to 1 (-3 dBFS). */
float hearing_level(struct hearing *hearing);

/** Close everything; without a hearing_wait() before, what is left is dropped. */
void hearing_close(struct hearing *hearing);

#endif
