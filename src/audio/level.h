/* Levels of blocks of float frames: peak, energy and clipped samples of each channel. */
#ifndef AUDIO_LEVEL_H
#define AUDIO_LEVEL_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/format.h>

/** What was measured of each channel; begin with zeros, blocks add up. */
struct level_sums {
    float peak[KODAMA_CHANNELS_MAX];       /* largest magnitude */
    double energy[KODAMA_CHANNELS_MAX];    /* sum of squares */
    uint64_t clipped[KODAMA_CHANNELS_MAX]; /* samples at full scale or beyond */
};

/** The magnitude that counts as clipped: the highest positive value of a sample type. */
float level_full_scale(enum kodama_sample sample);

/**
 * Measure a block.
 *
 * @param[in,out] sums  what came before
 * @param frames        interleaved [n_frames][channels]; NaN and infinity have no level
 * @param channels      1..KODAMA_CHANNELS_MAX
 * @param full_scale    magnitude from which on a sample is clipped
 *
 * Thread: any. Real-time safe: yes.
 */
void level_add(struct level_sums *sums, const float *frames, size_t n_frames, uint32_t channels,
               float full_scale);

/** Decibels of a factor; -INFINITY of 0. */
double level_db(double factor);

/** The factor of decibels; 0 of -INFINITY. */
double level_factor(double db);

#endif
