/* Pieces: a finite stretch of sound at another rate, for formants and for rates that models have.
 */
#ifndef VOICE_RVC_PIECE_H
#define VOICE_RVC_PIECE_H

#include <stddef.h>

/**
 * Make n_to samples of n_from that last equally long. Both cover the same time: sample i of the
 * result is at (i + 0.5) / n_to of it. A sinc under a Hann window of 32 zero crossings, lowered
 * when there are fewer samples than before; outside the piece its end samples go on.
 *
 * @param from     [n_from], n_from >= 1
 * @param[out] to  [n_to], not the same memory
 *
 * Equal numbers are copied. Thread: any. Real-time safe: yes.
 */
void rvc_piece_resample(const float *from, size_t n_from, float *to, size_t n_to);

#endif
