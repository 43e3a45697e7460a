/*
 * Features: what a model of the RVC kind is told of each 10 ms, on their way from the content
 * encoder, which makes a vector of `dims` numbers per 20 ms, to the generator.
 *
 * Everything here is plain arithmetic on [frames][dims]. Thread: any. Real-time safe: yes.
 */
#ifndef VOICE_RVC_FEATURES_H
#define VOICE_RVC_FEATURES_H

#include <stddef.h>
#include <stdint.h>

/** Range of the coarse pitch, Hz. */
#define RVC_PITCH_LOWEST 50.0f
#define RVC_PITCH_HIGHEST 1100.0f

/**
 * Coarse pitch: 1 for silence and everything up to 50 Hz, 255 from 1100 Hz on, steps that are equal
 * on the mel scale between. What is no number counts as silence.
 */
int64_t rvc_coarse_pitch(float hz);

/**
 * From 50 to 100 frames a second: each frame twice; what is wanted beyond that repeats the last one
 * (an encoder makes one frame less than fits, since its window is longer than its step).
 *
 * @param frames   [n_frames][dims], n_frames >= 1
 * @param[out] to  [n_to][dims], not the same memory
 */
void rvc_features_double(const float *frames, size_t n_frames, size_t dims, float *to, size_t n_to);

/**
 * Keep breath and consonants: in frames without pitch (below 1 Hz) `before`, the features before
 * retrieval, takes part.
 *
 * @param features  [n_frames][dims], in place
 * @param share     of `features` there, 0..1; the rest is of `before`. From 0.5 on: nothing is done
 */
void rvc_features_protect(float *features, const float *before, const float *pitch_hz,
                          size_t n_frames, size_t dims, float share);

/** Another number of frames for the same time: linear between neighbours, ends kept.
 *  to [n_to][dims] is not the same memory; n_frames and n_to are >= 1. */
void rvc_features_stretch(const float *frames, size_t n_frames, size_t dims, float *to,
                          size_t n_to);

/** The same for a pitch: frames without pitch (0) stay apart, nearest instead of linear. */
void rvc_pitch_stretch(const float *pitch_hz, size_t n_frames, float *to, size_t n_to);

#endif
