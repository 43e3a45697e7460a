/*
 * RMVPE: pitch by a trained model (Wei et al. 2023), instead of the tracker of this folder: slower,
 * and better in noise. Exports of both styles, at 16 kHz, one pitch per 10 ms:
 *   mel [1,128,T] -> salience [1,T,360]   the mel spectrum is made here, T a multiple of 32
 *   waveform [1,N], threshold [1] -> pitchf [1,T]
 *
 * Thread: owner, but for _stop (any). Real-time safe: no.
 */
#ifndef VOICE_RVC_RMVPE_H
#define VOICE_RVC_RMVPE_H

#include <stdbool.h>
#include <stddef.h>

#include "neural/graph.h"

enum { RMVPE_MELS = 128, RMVPE_BINS = 360 };

struct rvc_rmvpe;

/** Whether a graph is one of the two. KODAMA_OK or KODAMA_ERR_FORMAT. */
int rvc_rmvpe_check(const struct graph *graph, struct kodama_error *error);

/** @param n_frames  of 160 samples, of each run; >= 8 */
int rvc_rmvpe_open(struct rvc_rmvpe **rmvpe, struct graph *graph, size_t n_frames,
                   struct kodama_error *error);
void rvc_rmvpe_close(struct rvc_rmvpe *rmvpe);

/**
 * @param samples        [n_frames * 160]
 * @param[out] pitch_hz  [n_frames]; 0: none
 * @return KODAMA_OK, KODAMA_ERR_FORMAT (an output of another shape), KODAMA_ERR_CANCELLED,
 *         KODAMA_ERR_MEMORY, KODAMA_ERR_ENGINE
 */
int rvc_rmvpe_run(struct rvc_rmvpe *rmvpe, const float *samples, float *pitch_hz,
                  struct kodama_error *error);
void rvc_rmvpe_stop(struct rvc_rmvpe *rmvpe, bool stop);

/** Pitch of a frame's salience [360]: the mean of the 9 bins around the largest, weighted by them;
 * 0 when that one is not above 0.03. */
float rvc_rmvpe_decode(const float *salience);

#endif
