/*
 * Players: live sound into a sink with a delay that is bounded, measured and reported.
 *
 * Who makes sound live must not wait, and sound that comes in a burst after a stall must not be
 * heard late for ever after. A player takes what comes, never waits, and keeps what waits in the
 * sink small: when more waits than needed it shortens pauses, where nobody speaks, with crossfades,
 * until it has come back. It never lets the delay grow beyond its bound: only when no pause comes
 * in time it leaves sound out, and counts it. When too little comes, the sink plays silence and
 * counts that.
 */
#ifndef KODAMA_PLAYER_H
#define KODAMA_PLAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/sink.h>
#include <kodama/status.h>

struct kodama_player;

/** How a player keeps the delay. */
struct kodama_player_config {
    size_t size; /**< sizeof this struct, set by KODAMA_PLAYER_CONFIG_INIT */
    double
        reserve_ms; /**< what shall wait in the sink at least, against what comes late; 1..1000 */
    double most_ms; /**< what may wait at most; reserve_ms + 20..5000, and not more than nine
                         tenths of the sink's ring */
};
#define KODAMA_PLAYER_CONFIG_INIT                                                        \
    {                                                                                    \
        .size = sizeof(struct kodama_player_config), .reserve_ms = 5.0, .most_ms = 250.0 \
    }

/** Counters of a player, since it was opened. */
struct kodama_player_stats {
    uint64_t frames_in;         /**< frames that were given to it */
    uint64_t frames_out;        /**< frames that it gave to the sink */
    uint64_t shortened_frames;  /**< taken out of pauses */
    uint64_t shortenings;       /**< how often */
    uint64_t dropped_frames;    /**< left out although they were no pause: the last resort */
    uint64_t drops;             /**< how often */
    uint64_t underruns;         /**< how often the sink found nothing, and played silence */
    uint64_t underrun_frames;   /**< how much of it */
    uint64_t queue_frames;      /**< what waits in the sink now */
    uint64_t queue_most_frames; /**< the most that waited when sound came */
    uint64_t delay_ns; /**< from kodama_player_write() until it is heard, now: what waits, and what
                            the sound server says of itself */
    bool behind;       /**< more waits than is needed: the next pause will be shorter */
};

/**
 * Open a player for a sink that takes frames in real time.
 *
 * @param[out] player  owned by the caller; NULL on error
 * @param sink         borrowed for the player's life; f32, and nobody else writes to it
 * @param config       borrowed for the call; NULL: defaults
 * @param[out] error   may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_FORMAT (the sink does not take f32) or
 *         KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_player_open(struct kodama_player **player, struct kodama_sink *sink,
                                  const struct kodama_player_config *config,
                                  struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Give frames. It never waits.
 *
 * @param player    opened
 * @param frames    interleaved, in the sink's format
 * @param n_frames  how many; blocks of 20 ms or less keep the delay small
 * @return n_frames, KODAMA_ERR_ARGUMENT, or what the sink failed with
 *
 * Thread: one at a time. Real-time safe: yes, may wake.
 */
KODAMA_API int64_t kodama_player_write(struct kodama_player *player, const float *frames,
                                       size_t n_frames);

/** Read the counters. Thread: any. Real-time safe: yes. */
KODAMA_API void kodama_player_stats(const struct kodama_player *player,
                                    struct kodama_player_stats *stats);

/** End a player; what waits in the sink is heard. NULL is allowed. Thread: owner. Real-time safe:
 * no. */
KODAMA_API void kodama_player_close(struct kodama_player *player);

#endif
