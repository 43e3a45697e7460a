/*
 * The ring as the rest of the library sees it: what only sources and streams may do with one,
 * beyond the public header.
 */
#ifndef RING_RING_H
#define RING_RING_H

#include <kodama/ring.h>

/**
 * Wait until there is room for a frame; as kodama_writer_write() does, it settles for less than
 * `n_frames`, but not for so little that a wake is not worth it.
 *
 * @param writer       held by the calling thread
 * @param n_frames     frames that are to be written
 * @param deadline_ns  monotonic, or CLOCK_NEVER
 * @return false when the deadline has passed; true when there is room, or no point in waiting (the
 * ring is closed, the writer was released)
 *
 * Thread: writer. Real-time safe: no.
 */
bool ring_writer_wait(struct kodama_writer *writer, size_t n_frames, uint64_t deadline_ns);

/**
 * Go on with the timeline of a closed ring: writers may claim it again, and cursors that were told
 * KODAMA_ERR_CLOSED read on. A reader that had not come to the end yet never learns that there was
 * one. Nobody may be the writer. An open ring stays as it is.
 *
 * Thread: any. Real-time safe: yes.
 */
void ring_reopen(struct kodama_ring *ring);

#endif
