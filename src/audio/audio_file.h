/* Reading audio files and pipes in their native format (libsndfile). */
#ifndef AUDIO_AUDIO_FILE_H
#define AUDIO_AUDIO_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/format.h>
#include <kodama/status.h>

struct audio_file;

/**
 * Open a file for reading: WAV, RF64, FLAC, Ogg Vorbis, Opus, MP3, AIFF and what else libsndfile
 * reads.
 *
 * @param[out] file   owned by the caller; NULL on error
 * @param path        the file
 * @param[out] error  may be NULL; says what is wrong with the file and what to do
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND, KODAMA_ERR_PERMISSION, KODAMA_ERR_FORMAT (not audio, or
 * a rate or channel count outside the library's limits), KODAMA_ERR_CORRUPT, KODAMA_ERR_MEMORY
 */
int audio_file_open(struct audio_file **file, const char *path, struct kodama_error *error);
void audio_file_close(struct audio_file *file);

/** Format in which frames are read: s16, s24 or s32 as stored, f32 for compressed and float files,
 * u8. */
struct kodama_format audio_file_format(const struct audio_file *file);

/** Frames in the file as its header says, -1 when not known. */
int64_t audio_file_length(const struct audio_file *file);

/** Read frames. Returns frames read, 0 at the end, or KODAMA_ERR_CORRUPT / KODAMA_ERR_IO with words
 * in error. */
int64_t audio_file_read(struct audio_file *file, void *frames, size_t max_frames,
                        struct kodama_error *error);

#endif
