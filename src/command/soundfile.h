/* Sound that subcommands write: types of files by name, and WAV on standard output. */
#ifndef COMMAND_SOUNDFILE_H
#define COMMAND_SOUNDFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/clip.h>

#include "command/output.h"

/** Names of file types that are recorded (all but mp3) and converted to: index 0, 1, ... until
 * NULL. */
const char *soundfile_recorded(size_t index);
const char *soundfile_converted(size_t index);

/** Names of sample types in files: index 0, 1, ... until NULL. */
const char *soundfile_sample_name(size_t index);

/** The type of that name; KODAMA_FILE_AUTO for NULL. */
enum kodama_file soundfile_type(const char *name);

/** The sample type of that name; 0 for NULL. */
enum kodama_sample soundfile_sample(const char *name);

/** Whether a path means standard output: `-`. */
bool soundfile_is_standard(const char *path);

/** A WAV stream: a header, then frames, through a pipe that cannot be rewound. */
struct soundfile_stream {
    struct output output;
    struct kodama_format format; /* of what is written */
    uint64_t n_frames;           /* written */
    void *block;                 /* room for frames in that format */
    size_t room;                 /* frames in block */
};

/**
 * Begin a WAV stream on standard output. A terminal is refused; complains.
 *
 * @param[out] stream  to be freed with soundfile_end()
 * @param command      name of the subcommand
 * @param type         asked for; only WAV (or AUTO) can be streamed
 * @param format       of the frames that will come
 * @param sample       how samples are written; 0: as they come, u8 as s16
 * @param n_frames     how many will come; UINT64_MAX: nobody knows, and the header says so
 * @return an exit code
 */
int soundfile_begin(struct soundfile_stream *stream, const char *command, enum kodama_file type,
                    struct kodama_format format, enum kodama_sample sample, uint64_t n_frames);

/** Write a part of a clip in the stream's sample type. @return false: see stream->output.error */
bool soundfile_write(struct soundfile_stream *stream, const struct kodama_clip *clip);

void soundfile_end(struct soundfile_stream *stream);

#endif
