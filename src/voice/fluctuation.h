/*
 * Fluctuation: the slow drift of pitch, volume and five EQ bands that keeps a changed voice from
 * sounding like a machine.
 *
 * Seven independent curves in time. Each is a stationary Gaussian process with the covariance
 * (1 + |t|/T) exp(-|t|/T) (Matern 3/2: an Ornstein-Uhlenbeck process, made smooth by a second one),
 * stepped with its exact discretisation (Hartikainen, Sarkka, "Kalman filtering and smoothing
 * solutions to temporal Gaussian process regression models", 2010) on knots 10 ms apart. So the
 * deviation of the curve is the spread asked for, whatever the hop; the curve of a seed is the same
 * at every rate and every hop, which only look at it more or less often; and neither it nor its
 * slope ever jumps. Beyond twice the spread it is bent, it never exceeds three times.
 */
#ifndef VOICE_FLUCTUATION_H
#define VOICE_FLUCTUATION_H

#include <stddef.h>
#include <stdint.h>

#include "base/record.h"

enum { FLUCTUATION_BANDS = 5 };

/** The curves at a time: factors, 1 without drift. */
struct fluctuation_values {
    float pitch_ratio;
    float gain;
    float eq_gain[FLUCTUATION_BANDS];
};

struct fluctuation;

/**
 * @param[out] fluctuation  owned by the caller; NULL on error
 * @param rate_hz           of the samples, 8000..192000
 * @param hop               samples between two steps, 1 or more
 * @param seed              the same seed is the same drift
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT or KODAMA_ERR_MEMORY
 */
int fluctuation_open(struct fluctuation **fluctuation, uint32_t rate_hz, uint32_t hop,
                     uint64_t seed);
void fluctuation_close(struct fluctuation *fluctuation);

/** Seconds over which the curves forget (T above). The original's smoothness of 0.8 for each
 * 250 ms is 0.25 s / -ln(0.8) = 1.12 s, which is the value at opening. 0.05..60. Begins at the next
 * knot. */
void fluctuation_set_smoothness(struct fluctuation *fluctuation, double seconds);

/**
 * Go on by one hop and tell where the curves are at its end.
 *
 * @param spread_pitch  deviation of the factor: 0.05 is 5 % (86 cents); 0..0.5 each
 * @param[out] values   factors for the end of this hop
 *
 * Real-time safe: yes.
 */
void fluctuation_step(struct fluctuation *fluctuation, float spread_pitch, float spread_volume,
                      float spread_eq, struct fluctuation_values *values);

/**
 * Put volume and EQ on samples, in place, gliding from the values of the call before to these
 * (the first call begins with them). With every factor 1 the samples stay as they are, bit for bit.
 *
 * The bands peak at 150, 400, 1000, 2500 and 6000 Hz (Q 0.9); a band above 0.45 of the rate is
 * left out.
 *
 * Real-time safe: yes.
 */
void fluctuation_apply(struct fluctuation *fluctuation, const struct fluctuation_values *values,
                       float *samples, size_t n_samples);

/** As after opening: the same curve from its beginning. */
void fluctuation_reset(struct fluctuation *fluctuation);

/** The sound so far is over, the drift goes on. */
void fluctuation_clear(struct fluctuation *fluctuation);

/**
 * Save, and load into a fluctuation of the same rate and hop: what follows is bit-identical. A
 * record of others, or a damaged one, fails the record and leaves the fluctuation as it was.
 * Real-time safe: no.
 */
void fluctuation_save(const struct fluctuation *fluctuation, struct record *record);
void fluctuation_load(struct fluctuation *fluctuation, struct record *record);

#endif
