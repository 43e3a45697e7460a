/*
 * Frames of any format in, mono float at another rate out: what detectors and segmenters hear.
 *
 * Output sample k is the input at time k / rate, to the sample: the filter's delay is compensated
 * and the end is flushed. The output does not depend on how the input was cut into blocks.
 */
#ifndef KODAMA_RESAMPLER_H
#define KODAMA_RESAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/format.h>
#include <kodama/status.h>

struct kodama_resampler;

/**
 * Open a resampler.
 *
 * @param[out] resampler  owned by the caller; NULL on error
 * @param format          of the frames that will come in
 * @param rate_hz         of what comes out, 8000..192000; the format's own rate only mixes down
 * @param[out] error      may be NULL
 * @return KODAMA_OK, KODAMA_ERR_FORMAT, KODAMA_ERR_ARGUMENT (rate) or KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_resampler_open(struct kodama_resampler **resampler,
                                     struct kodama_format format, uint32_t rate_hz,
                                     struct kodama_error *error) KODAMA_MUST_USE;

/** Close a resampler; NULL is allowed. Thread: owner. Real-time safe: no. */
KODAMA_API void kodama_resampler_close(struct kodama_resampler *resampler);

/** Samples that kodama_resampler_process() may produce at the most for n_frames, and
 * kodama_resampler_flush() for 0. Thread: any. Real-time safe: yes. */
KODAMA_API size_t kodama_resampler_room(const struct kodama_resampler *resampler, size_t n_frames);

/**
 * Convert a block.
 *
 * @param resampler     used by one thread at a time
 * @param frames        interleaved, in the format given at open; all are consumed; NULL: silence
 * @param n_frames      how many
 * @param[out] samples  room for kodama_resampler_room(n_frames) samples
 * @return samples produced
 *
 * Thread: owner. Real-time safe: yes.
 */
KODAMA_API size_t kodama_resampler_process(struct kodama_resampler *resampler, const void *frames,
                                           size_t n_frames, float *samples);

/**
 * The end of the input: produce what is still inside. Nothing may be converted after it.
 *
 * @param[out] samples  room for kodama_resampler_room(0) samples
 * @return samples produced
 *
 * Thread: owner. Real-time safe: yes.
 */
KODAMA_API size_t kodama_resampler_flush(struct kodama_resampler *resampler, float *samples);

#endif
