/*
 * Timelines: turn what a device delivers, with the position of its clock, into exact positions on a
 * source's ring.
 *
 * A device's clock tells how many frames passed, also those that never arrived: cycles lost to a
 * stall, an application that was stopped. Whatever is missing becomes a gap of exactly that length.
 * Where the clock itself changes (another device, a server that was started again) the monotonic
 * clock tells how much time lies between.
 *
 * Two threads may write: the device's, in real time, and the host's keeper, which writes silence in
 * periods when no device drives the timeline. Neither ever waits for the other: who finds the
 * timeline taken leaves, and the clock tells later what is missing.
 */
#ifndef CAPTURE_TIMELINE_H
#define CAPTURE_TIMELINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/source.h"

/** Sums for the straight line through (device time, deviation of the monotonic time). */
struct timeline_fit {
    double n, x, y, xx, xy;
};

struct timeline {
    /* Immutable while running. */
    struct kodama_source *source;

    /* Who writes now: nobody, the device, or the keeper. Taken with acquire, given with release:
     * the fields below, the source's writer and its counters belong to who has it. */
    _Atomic uint32_t owner;
    bool anchored; /* the clock below is known */
    bool begun;    /* a device has written */
    uint64_t clock_id;
    uint32_t clock_hz;
    uint64_t anchor_ticks, anchor_time_ns; /* of the device's clock ... */
    uint64_t anchor_position;              /* ... at this position of the ring */
    uint64_t end_position, end_time_ns;    /* where the device's last period ended; at first the
                                              start */
    uint64_t ahead;      /* frames that the timeline is ahead of the time: clocks that changed */
    uint64_t next_stamp; /* position of the next KODAMA_MARK_TIME */
    struct timeline_fit fit;

    _Atomic uint64_t driven_ns; /* = end_time_ns; the keeper looks */
    _Atomic uint64_t period_ns; /* how long the device's last period was */
    _Atomic bool present;       /* what is captured is there: else silence is a gap */
    _Atomic bool new_clock;     /* the next period is of a clock that is not known */

    /* The keeper's own. */
    uint64_t look_at; /* when it wanted to look again */
    uint64_t spared;  /* the driven_ns for which it has waited once more already */
};

/** What a device delivers in one period. */
struct timeline_period {
    const void *frames; /* interleaved, in the source's format; NULL: silence */
    size_t n_frames;    /* may be 0 */
    uint64_t clock_id;  /* which clock; another one: another device drives */
    uint64_t ticks;     /* position of that clock at the first frame */
    uint32_t clock_hz;  /* its rate: ticks per second */
    uint64_t time_ns;   /* monotonic time of the first frame */
};

/** Begin, or begin again after a stop; the source's writer is claimed. Thread: owner. */
void timeline_start(struct timeline *timeline, struct kodama_source *source);

/** Write a period. Thread: the device's, one at a time. Real-time safe: yes, may wake. */
void timeline_write(struct timeline *timeline, const struct timeline_period *period);

/** The server was lost or the device stream made anew: what comes next has another clock, whatever
 * its id. Thread: any. Real-time safe: yes. */
void timeline_new_clock(struct timeline *timeline);

/** Whether what is captured is there. While it is not, silence is a gap; whatever is not silence is
 * written all the same. Thread: any. Real-time safe: yes. */
void timeline_set_present(struct timeline *timeline, bool present);

/**
 * Write silence, in periods of 10 ms, if no device has driven the timeline for long.
 *
 * @param timeline  running
 * @param now_ns    monotonic time
 * @return when to look again
 *
 * Thread: the keeper.
 */
uint64_t timeline_keep(struct timeline *timeline, uint64_t now_ns);

#endif
