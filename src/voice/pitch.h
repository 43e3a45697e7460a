/*
 * Pitch of a voice, while it speaks: every 5 ms how high it is, or that it has none.
 *
 * Estimate i describes sample i * period of the stream. It is there as soon as `delay` samples more
 * have come, and depends on nothing that comes later, nor on how the samples were cut into blocks.
 */
#ifndef VOICE_PITCH_H
#define VOICE_PITCH_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/status.h>

#define PITCH_LOWEST_HZ 50.0f
#define PITCH_HIGHEST_HZ 1100.0f

struct pitch_estimate {
    float f0_hz;  /* 0: unvoiced */
    float voiced; /* likeness of a period to the next, 0..1, also of what is taken for unvoiced */
};

struct pitch_tracker;

/**
 * @param[out] tracker  owned by the caller; NULL on error
 * @param rate_hz       8000..192000
 * @param lowest_hz     50..200: two periods of it are looked at, so that one is the look-ahead;
 *                      down to 0.8 of it voices are followed with less certainty, but not below 50
 * @param n_later       estimates that are waited for before one is given, 0..16: settles doubts at
 *                      onsets, at 5 ms of delay each
 * @param[out] error    may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_MEMORY
 */
int pitch_open(struct pitch_tracker **tracker, uint32_t rate_hz, float lowest_hz, uint32_t n_later,
               struct kodama_error *error);
void pitch_close(struct pitch_tracker *tracker);

/** Samples from one estimate to the next: 5 ms. */
uint32_t pitch_period(const struct pitch_tracker *tracker);

/** Samples by which an estimate trails what it describes. */
uint32_t pitch_delay(const struct pitch_tracker *tracker);

/**
 * Listen to samples, any values that are finite.
 *
 * @param[out] estimates  room for n_samples / pitch_period() + 1
 * @return estimates given: after N samples in all, those with i * period + delay <= N
 *
 * Real-time safe: yes.
 */
size_t pitch_process(struct pitch_tracker *tracker, const float *samples, size_t n_samples,
                     struct pitch_estimate *estimates);

/** As after open. Real-time safe: yes. */
void pitch_reset(struct pitch_tracker *tracker);

#endif
