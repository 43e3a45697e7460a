/*
 * Live resampling of mono or interleaved float (speexdsp). Its delay is compensated: output sample
 * k is the input at time k / rate_out, to the sample, and the end is flushed, so that positions on
 * both sides of it are one timeline. The output does not depend on how the input was cut into
 * blocks, and the state can be saved.
 */
#ifndef AUDIO_RESAMPLER_H
#define AUDIO_RESAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/status.h>

#include "base/record.h"

struct resampler;

/**
 * @param[out] resampler  owned by the caller
 * @param rate_in_hz      8000..192000
 * @param rate_out_hz     8000..192000; the same as rate_in_hz copies bit-exactly
 * @param channels        1..8
 * @param[out] error      may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_MEMORY
 */
int resampler_open(struct resampler **resampler, uint32_t rate_in_hz, uint32_t rate_out_hz,
                   uint32_t channels, struct kodama_error *error);
void resampler_close(struct resampler *resampler);

/** Input frames by which the output trails the input (look-ahead of the filter), 0 for equal rates.
 */
uint32_t resampler_delay(const struct resampler *resampler);

/** Frames that process() may produce at the most for n_in input frames (and for a flush: n_in = 0).
 */
size_t resampler_output_max(const struct resampler *resampler, size_t n_in);

/**
 * Resample a block.
 *
 * @param in        interleaved [n_in][channels]; all of it is consumed
 * @param[out] out  room for resampler_output_max(n_in) frames
 * @return frames produced
 *
 * Real-time safe: yes.
 */
size_t resampler_process(struct resampler *resampler, const float *in, size_t n_in, float *out);

/** The end of the input: produce the rest, so that in all round(n_in_total * rate_out / rate_in)
 * frames came out (halves up). Afterwards the resampler is as new: a next timeline may begin.
 * Real-time safe: yes. */
size_t resampler_flush(struct resampler *resampler, float *out);

/**
 * Save, and load into a resampler of the same rates and channels: what follows is bit-identical on
 * the same machine and build of speexdsp. The state is small: one filter length of input (240
 * frames at 48 kHz -> 16 kHz). A record of other rates, or a damaged one, fails the record and
 * leaves the resampler as new. Real-time safe: no.
 */
void resampler_save(const struct resampler *resampler, struct record *record);
void resampler_load(struct resampler *resampler, struct record *record);

#endif
