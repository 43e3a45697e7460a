/* The header of a WAV stream, read byte by byte in order: also from a pipe, which cannot be sought.
 */
#ifndef AUDIO_WAV_H
#define AUDIO_WAV_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/format.h>
#include <kodama/status.h>

struct wav_header {
    struct kodama_format format; /**< checked */
    uint64_t header_bytes;       /**< offset of the first sample */
    int64_t n_frames;            /**< as the header says; -1 when a streaming writer did not know */
};

/**
 * Where the bytes come from.
 *
 * @return bytes read, fewer than n_bytes only at the end; or a KODAMA_ERR_* that is handed on
 */
typedef int64_t (*wav_read_function)(void *user, void *bytes, size_t n_bytes,
                                     struct kodama_error *error);

/**
 * Read up to the first sample and not a byte further: RIFF and RF64, PCM and float, with and
 * without WAVE_FORMAT_EXTENSIBLE, any other chunks skipped. Sizes of 0 and from 0x7fff0000 on are
 * what writers put who do not know the length.
 *
 * @param read         called for the bytes
 * @param user         handed to read
 * @param[out] header  the result
 * @param[out] error   may be NULL
 * @return KODAMA_OK, KODAMA_ERR_UNSUPPORTED (not WAV at all), KODAMA_ERR_FORMAT (WAV, but of a kind
 * that is not supported), KODAMA_ERR_CORRUPT, or what read failed with
 *
 * Thread: any. Real-time safe: no.
 */
int wav_read_header(wav_read_function read, void *user, struct wav_header *header,
                    struct kodama_error *error);

#endif
