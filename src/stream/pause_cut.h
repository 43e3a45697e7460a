/*
 * What a player does with sound, apart from clocks and sinks: it passes it on, and takes a part of
 * a pause out when told that too much waits.
 *
 * Nothing is held back while nothing is taken out. A cut begins after 25 ms of quiet: from there
 * frames are kept back; when enough is gone, or somebody begins to speak, the first 5 ms that were
 * kept fade into the last 5 ms, and what is loud follows whole.
 */
#ifndef STREAM_PAUSE_CUT_H
#define STREAM_PAUSE_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pause_cut {
    /* Immutable after opening. */
    uint32_t rate_hz, channels;
    uint32_t step;          /* frames looked at together: 2.5 ms */
    uint32_t fade;          /* frames of a crossfade: two steps */
    uint64_t reserve, most; /* frames that shall, and may, wait */

    /* How loud it is. */
    uint32_t in_step;    /* frames of the step so far */
    double energy;       /* of the step so far: sum of squares */
    double smooth;       /* mean square of the last 10 ms or so */
    double loud;         /* of the loudest lately */
    double floors[4];    /* least of smooth in each of the last half seconds, the first is now's */
    uint32_t floor_left; /* steps until the next half second */
    uint32_t quiet;      /* steps in a row */

    /* How much waits: the least of the last 0.4 s is what could do without. */
    uint64_t least, least_before;
    uint32_t least_left; /* frames until the next 0.2 s */

    /* The cut that goes on. */
    bool cutting, forced;
    uint64_t wanted;    /* frames to be taken out in all */
    float *tail, *lead; /* [fade], [fade + step] frames; owned: one block */
    uint32_t n_tail, n_lead;
    uint64_t taken; /* frames that came to lead in all */

    uint64_t shortened, shortenings, dropped, drops;
};

/** @return KODAMA_OK or KODAMA_ERR_MEMORY */
int pause_cut_open(struct pause_cut *cut, uint32_t rate_hz, uint32_t channels, uint64_t reserve,
                   uint64_t most);
void pause_cut_close(struct pause_cut *cut);

/** Frames that pause_cut_run() may give at the most for n_in. */
size_t pause_cut_room(const struct pause_cut *cut, size_t n_in);

/**
 * Pass frames on.
 *
 * @param queued    frames that wait before these
 * @param in        interleaved [n_in][channels]
 * @param[out] out  room for pause_cut_room(n_in) frames
 * @return frames given
 *
 * Real-time safe: yes.
 */
size_t pause_cut_run(struct pause_cut *cut, uint64_t queued, const float *in, size_t n_in,
                     float *out);

/** Whether more waits than is needed. */
bool pause_cut_behind(const struct pause_cut *cut);

#endif
