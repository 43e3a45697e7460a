/*
 * Meters: how loud what a ring hears is, for live displays.
 *
 * A meter is one more lossy cursor of a ring, without a thread: kodama_meter_read() measures what
 * has arrived since the last look. Who looks too seldom is lapped; the meter then goes on at what
 * the ring still has, and says how much it did not hear. It never holds anybody up.
 *
 * Levels are given as factors of full scale (1.0) and in dBFS. A sine at full scale has a peak of
 * 0 dBFS and an RMS of -3.01 dBFS: the 3 dB that AES17 adds to RMS are not added.
 *
 * Time is counted in frames, so a meter does not move while nothing arrives.
 */
#ifndef KODAMA_METER_H
#define KODAMA_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/format.h>
#include <kodama/ring.h>
#include <kodama/status.h>

struct kodama_meter;

struct kodama_meter_config {
    size_t size;             /**< sizeof this struct, set by KODAMA_METER_CONFIG_INIT */
    enum kodama_start start; /**< where in the ring to begin */
    uint64_t start_position; /**< with KODAMA_START_AT */
    uint32_t hold_ms;        /**< how long `hold` stays before it falls; 1000 by default, the hold
                                time of IEC 60268-18 */
    /** How fast `fall` and `hold` fall, dB a second, above 0; by default 20 dB in 1.7 s, the return
     * time of IEC 60268-18 (digital peak level meters). 24 dB in 2.8 s, the Type II of
     * IEC 60268-10, would be 8.57. */
    double fall_db_s;
    /** A frame is silent when no sample of it is louder than this, dBFS; -60 by default, -INFINITY:
     * digital zero only. */
    double silence_db;
};
#define KODAMA_METER_CONFIG_INIT                                                              \
    {                                                                                         \
        .size = sizeof(struct kodama_meter_config), .hold_ms = 1000, .fall_db_s = 20.0 / 1.7, \
        .silence_db = -60.0                                                                   \
    }

/** The levels of one channel, or of all together. Silence is 0 and -INFINITY dB. */
struct kodama_level {
    double peak; /**< loudest sample since the last look */
    double rms;  /**< root of the mean square since the last look */
    double fall; /**< follows peaks at once and falls slowly: a bar to draw */
    double hold; /**< the same, but stays for hold_ms first: a mark to draw above the bar */
    double peak_db, rms_db, fall_db, hold_db; /**< the four in dBFS */
    /** Samples since the last look that reached the highest positive value of the ring's sample
     * type, either sign; of f32: 1.0. */
    uint64_t clipped;
    uint64_t clipped_total; /**< the same since the meter was opened or reset */
};

/** What a look at a meter gives. */
struct kodama_levels {
    uint64_t position;      /**< of the ring: after the last frame that was measured */
    uint64_t frames;        /**< frames measured by this look; 0: nothing has arrived, peak and rms
                               are silence */
    uint64_t lost_frames;   /**< frames overwritten before this look, of which nothing is known */
    uint64_t silent_frames; /**< frames up to `position` that were silent without a break; a loss is
                               a break */
    double silence_s;       /**< the same in seconds */
    uint32_t channels;      /**< filled in below */
    bool ended;             /**< the ring is closed and all of it was measured */
    struct kodama_level channel[KODAMA_CHANNELS_MAX];
    struct kodama_level
        all; /**< loudest of the channels; RMS and clipped samples of all together */
};

/**
 * Open a meter.
 *
 * @param[out] meter  owned by the caller; NULL on error
 * @param ring        must outlive the meter
 * @param config      borrowed for the call; NULL: defaults
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_LIMIT (no more cursors) or KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_meter_open(struct kodama_meter **meter, struct kodama_ring *ring,
                                 const struct kodama_meter_config *config,
                                 struct kodama_error *error) KODAMA_MUST_USE;

/** Close a meter; NULL is allowed. Thread: reader. Real-time safe: no. */
KODAMA_API void kodama_meter_close(struct kodama_meter *meter);

/**
 * Look: measure what has arrived since the last look.
 *
 * Samples that are no numbers count as silence. Peaks are placed to 10 ms, which is 0.12 dB of
 * falling.
 *
 * @param meter        used by one thread at a time
 * @param[out] levels  filled in
 * @return KODAMA_OK (also when nothing has arrived and after the end, see `frames`, `ended`) or
 *         KODAMA_ERR_ARGUMENT
 *
 * Thread: reader. Real-time safe: yes; takes time in proportion to what has arrived.
 */
KODAMA_API int kodama_meter_read(struct kodama_meter *meter, struct kodama_levels *levels);

/** Forget peaks, clipped samples and silence so far; what has arrived since the last look is still
 * measured by the next. Thread: reader. Real-time safe: yes. */
KODAMA_API void kodama_meter_reset(struct kodama_meter *meter);

#endif
