/* Loudness: a converted voice that is as loud, over time, as the one that came in. */
#ifndef VOICE_RVC_LOUDNESS_H
#define VOICE_RVC_LOUDNESS_H

#include <stddef.h>
#include <stdint.h>

/**
 * Give a stretch of sound the loudness of another one of the same time: each sample is multiplied
 * by (rms_in / max(rms_out, 0.001)) ^ (1 - own), both taken over 40 ms every 10 ms and joined by
 * straight lines.
 *
 * @param samples  in place, [n_frames * hop]
 * @param hop      its samples per 10 ms
 * @param like     [n_frames * like_hop], the sound that came in
 * @param like_hop its samples per 10 ms
 * @param own      0: all of the loudness is that of `like`; 1: nothing is done
 *
 * Thread: any. Real-time safe: yes.
 */
void rvc_loudness_mix(float *samples, uint32_t hop, const float *like, uint32_t like_hop,
                      size_t n_frames, float own);

#endif
