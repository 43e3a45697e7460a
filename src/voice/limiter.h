/*
 * The limiter: the last of the chain. What would exceed -1 dBFS is turned down before it arrives;
 * everything else passes bit for bit, later by a fixed number of samples.
 *
 * The gain that a sample needs is held over the look-ahead (a sliding minimum), rises slowly
 * afterwards and is smoothed by a mean over the look-ahead. A mean of values that are all small
 * enough is small enough, so no sample exceeds the ceiling. Between two samples the sound is looked
 * at as well (cubic interpolation, which is what most players do to it at least), so that peaks
 * that only a converter would see are turned down, too. Gains are integers: their sum neither
 * drifts nor depends on blocks, and it comes back to exactly 1.
 */
#ifndef VOICE_LIMITER_H
#define VOICE_LIMITER_H

#include <stddef.h>
#include <stdint.h>

/** -1 dBFS. */
#define LIMITER_CEILING 0.89125094f

struct limiter;

/**
 * @param[out] limiter  owned by the caller; NULL on error
 * @param rate_hz       8000..192000
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_MEMORY
 */
int limiter_open(struct limiter **limiter, uint32_t rate_hz);
void limiter_close(struct limiter *limiter);

/** Samples by which the output trails the input: 1.5 ms, rounded up, and 2. */
uint32_t limiter_delay(const struct limiter *limiter);

/**
 * Limit samples in place. The first limiter_delay() samples of a timeline are silence; what is no
 * number counts as silence.
 *
 * @return samples that were turned down
 *
 * Real-time safe: yes.
 */
size_t limiter_process(struct limiter *limiter, float *samples, size_t n_samples);

/** As after opening. */
void limiter_reset(struct limiter *limiter);

#endif
