/*
 * SOLA: joins the blocks of something that converts sound block by block, each without knowing how
 * the one before it ended (synchronised overlap-add, Roucos & Wilgus 1985).
 *
 * Each block comes with some sound before it: search + fade + block samples in, block samples out.
 * The new piece is moved within `search` so that its beginning correlates best with what was kept
 * of the one before, and faded over from that: sin² and cos², whose sum is 1. Where nothing can be
 * told apart (silence, the first block) it sits in the middle, so the delay is `fade` and half of
 * `search` on average, and never leaves that by more than half of `search`.
 */
#ifndef VOICE_SOLA_H
#define VOICE_SOLA_H

#include <stddef.h>

#include <kodama/status.h>

struct sola;

/**
 * @param[out] sola  to be closed
 * @param fade       samples of the crossfade, >= 1
 * @param search     samples that a piece may be moved by, 0: not at all
 * @return KODAMA_OK or KODAMA_ERR_MEMORY
 */
int sola_open(struct sola **sola, size_t fade, size_t search);

/** NULL is allowed. */
void sola_close(struct sola *sola);

/** As new: the next block is faded in from silence. Real-time safe: yes. */
void sola_reset(struct sola *sola);

/**
 * Join the next block.
 *
 * @param in        search + fade + block samples, of which the last `block` are new
 * @param block     samples, >= 1; each block may have another length
 * @param[out] out  block samples
 * @return by how many samples the piece was moved, 0..search
 *
 * Thread: owner. Real-time safe: yes.
 */
size_t sola_process(struct sola *sola, const float *in, size_t block, float *out);

/** A block that failed: out is what was kept of the one before it, faded out, then silence; the
 * next block is faded in. Real-time safe: yes. */
void sola_miss(struct sola *sola, size_t block, float *out);

#endif
