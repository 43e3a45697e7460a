/*
 * Stamps: when which frames were written, kept beside a ring so that a reader can tell how old a
 * frame is.
 *
 * One thread writes, any number reads; nobody waits for anybody. Each stamp has a version that is
 * odd while it changes, and the fields are stored with release and loaded with acquire, so that who
 * sees a new field also sees the version that went before it. (No fences: TSan knows none.)
 */
#ifndef CAPTURE_STAMPS_H
#define CAPTURE_STAMPS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Ten seconds of writes of 10 ms. */
enum { STAMPS_KEPT = 1024 };

struct stamp {
    _Atomic uint64_t version; /* 2 * index + 2 of the stamp that is whole in here */
    _Atomic uint64_t position, time_ns;
};

struct stamps {
    _Atomic uint64_t head; /* stamps written */
    struct stamp lane[STAMPS_KEPT];
};

/** Frames from `position` on are written at `time_ns`; call it before they are published.
 * Thread: the writer. Real-time safe: yes. */
void stamps_add(struct stamps *stamps, uint64_t position, uint64_t time_ns);

/**
 * When a frame was written.
 *
 * @param stamps       the lane
 * @param position     of a frame that is published
 * @param[in,out] next the caller's place in the lane, 0 at first: who asks for positions that grow
 * never looks at a stamp twice
 * @return monotonic ns; of a frame whose stamp is overwritten, the oldest time there is (it was
 * written before that); 0 when there are no stamps
 *
 * Thread: any. Real-time safe: yes.
 */
uint64_t stamps_find(const struct stamps *stamps, uint64_t position, uint64_t *next);

#endif
