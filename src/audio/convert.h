/* Sample conversion between any two formats of the same rate, with correct rounding and clipping,
 * and mix-down. */
#ifndef AUDIO_CONVERT_H
#define AUDIO_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/format.h>

/**
 * Convert samples to float: integers are divided by their full scale (128, 32768, 8388608,
 * 2147483648); floats are copied as they are.
 *
 * @param sample     type of in
 * @param in         n_samples samples, little-endian, any alignment
 * @param[out] out   n_samples floats; must not overlap in
 *
 * Thread: any. Real-time safe: yes.
 */
void convert_to_float(enum kodama_sample sample, const void *in, float *out, size_t n_samples);

/**
 * Convert floats to samples: scaled, rounded to nearest (ties to even), clipped; NaN becomes 0.
 * Floats are neither clipped nor rounded.
 *
 * Thread: any. Real-time safe: yes.
 */
void convert_from_float(enum kodama_sample sample, const float *in, void *out, size_t n_samples);

/** Fill with silence: 128 for u8, 0 for all others. Real-time safe: yes. */
void convert_silence(enum kodama_sample sample, void *out, size_t n_samples);

/**
 * Mix frames down to mono float: the mean of the channels, LFE left out when others are there.
 * Floats that are not finite count as 0: filters behind would never forget them.
 *
 * @param format    of in; its mask tells which channel is LFE
 * @param in        n_frames frames
 * @param[out] out  n_frames floats
 *
 * Thread: any. Real-time safe: yes.
 */
void convert_to_mono(struct kodama_format format, const void *in, float *out, size_t n_frames);

#endif
