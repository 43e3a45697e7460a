/*
 * Loudness of audio that comes piece by piece: EBU R 128, ITU-R BS.1770-4, EBU Tech 3342. What
 * kodama_clip_loudness() says of a clip, without having all of it in memory.
 *
 * The gates of the standard look back at the whole, so a few bytes of each 100 ms are kept: 24
 * hours take about 16 MB.
 */
#ifndef KODAMA_LOUDNESS_H
#define KODAMA_LOUDNESS_H

#include <stddef.h>

#include <kodama/api.h>
#include <kodama/clip.h>
#include <kodama/format.h>
#include <kodama/status.h>

struct kodama_loudness;

/**
 * Begin to measure.
 *
 * @param[out] loudness  owned by the caller; NULL on error
 * @param format         rate, channels and where they sit; the sample type is f32
 * @param[out] error     may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_FORMAT or KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_loudness_open(struct kodama_loudness **loudness, struct kodama_format format,
                                    struct kodama_error *error) KODAMA_MUST_USE;

/** Free it; NULL is allowed. Thread: owner. Real-time safe: no. */
KODAMA_API void kodama_loudness_close(struct kodama_loudness *loudness);

/**
 * Measure frames that follow those before. The result does not depend on how they are cut.
 *
 * @param loudness  used by one thread at a time
 * @param frames    interleaved floats, every one finite (as a clip's are)
 * @param n_frames  how many
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_MEMORY
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API int kodama_loudness_add(struct kodama_loudness *loudness, const float *frames,
                                   size_t n_frames);

/**
 * The loudness of all frames so far; more may follow.
 *
 * @param loudness     as opened
 * @param[out] result  filled in; without frames -INFINITY, 0, 0, -INFINITY
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_MEMORY
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API int kodama_loudness_read(struct kodama_loudness *loudness,
                                    struct kodama_clip_loudness *result);

#endif
