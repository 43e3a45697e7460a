/* The header of a WAV file that is being written: valid at any moment, RF64 when it gets large. */
#ifndef STREAM_RECORDER_WAV_H
#define STREAM_RECORDER_WAV_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/format.h>

enum { RECORDER_WAV_HEADER_MAX = 128 };

/**
 * Make the header for so many frames. Its length depends on the format only, so that it
 * can be replaced in place as the file grows.
 *
 * Room for the 64-bit sizes is kept from the beginning as a JUNK chunk that turns into ds64 (EBU
 * Tech 3306).
 *
 * @param[out] bytes  room for RECORDER_WAV_HEADER_MAX
 * @param format      of the file: s16, s24, s32 or f32
 * @param n_frames    that follow
 * @return bytes of the header, even
 *
 * Thread: any. Real-time safe: yes.
 */
size_t recorder_wav_header(uint8_t *bytes, struct kodama_format format, uint64_t n_frames);

#endif
