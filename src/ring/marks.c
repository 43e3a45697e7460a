/*
 * The marks lane: a small ring of its own beside the frames.
 *
 * It works like the frames do for a lossy cursor: claimed before a slot is touched, published
 * after. Each slot also has the farthest end of all marks up to it, so that a search may stop as
 * soon as nothing earlier can reach into the frames asked about.
 */
#include "ring/internal.h"

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define STORE(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

/* First position that a mark does not touch any more; a point covers its own frame. */
static uint64_t mark_end(uint64_t position, uint64_t length)
{
    return position + (length > 0 ? length : 1);
}

int kodama_writer_mark(struct kodama_writer *writer, const struct kodama_mark *mark)
{
    struct kodama_ring *ring = writer ? writer->ring : NULL;
    if (!ring || LOAD(ring->ticket) != writer->ticket) return KODAMA_ERR_STATE;
    if (!mark || mark->flags == 0 || mark->reserved != 0) return KODAMA_ERR_ARGUMENT;
    if (mark->position < ring->last_mark) return KODAMA_ERR_ARGUMENT;
    if (mark->position > INT64_MAX || mark->length > INT64_MAX) return KODAMA_ERR_ARGUMENT;
    if (ring_state(ring) != RING_OPEN) return KODAMA_ERR_CLOSED;

    uint64_t index = LOAD(ring->mark_head);
    uint64_t end = mark_end(mark->position, mark->length);
    struct ring_mark *slot = &ring->marks[index & (ring->n_marks - 1)];
    atomic_store_explicit(&ring->mark_claimed, index + 1, RING_BEFORE_FENCE);
    ring_fence_release();
    STORE(slot->position, mark->position);
    STORE(slot->length, mark->length);
    STORE(slot->time_ns, mark->time_ns);
    STORE(slot->flags, mark->flags);
    STORE(slot->reach_before, ring->mark_reach);
    if (end > ring->mark_reach) ring->mark_reach = end;
    STORE(slot->reach, ring->mark_reach);
    ring->last_mark = mark->position;
    if (mark->flags & KODAMA_MARK_GAP) {
        STORE(ring->gap_frames, LOAD(ring->gap_frames) + mark->length);
    }
    if (mark->flags & KODAMA_MARK_SILENT) {
        STORE(ring->silent_frames, LOAD(ring->silent_frames) + mark->length);
    }
    /* release: pairs with the acquire in kodama_ring_marks() */
    atomic_store_explicit(&ring->mark_head, index + 1, memory_order_release);
    return KODAMA_OK;
}

struct search {
    uint64_t first, end; /* frames asked about */
    struct kodama_mark *marks;
    size_t max_marks;
    uint64_t n_lost; /* out */
};

/* Look through the lane from `oldest` to `head`; results count only if nothing was overwritten. */
static size_t search_lane(const struct kodama_ring *ring, struct search *search, uint64_t oldest,
                          uint64_t head)
{
    uint64_t index = head;
    bool may_be_more = oldest > 0;
    while (index > oldest) {
        const struct ring_mark *slot = &ring->marks[(index - 1) & (ring->n_marks - 1)];
        if (LOAD(slot->reach) <= search->first) {
            may_be_more = false;
            break;
        }
        index--;
        if (LOAD(slot->reach_before) <= search->first) {
            may_be_more = false;
            break;
        }
    }
    search->n_lost = may_be_more ? oldest : 0;
    size_t n = 0;
    for (; index < head; index++) {
        const struct ring_mark *slot = &ring->marks[index & (ring->n_marks - 1)];
        uint64_t position = LOAD(slot->position), length = LOAD(slot->length);
        if (position >= search->end) break;
        if (mark_end(position, length) <= search->first) continue;
        if (n < search->max_marks) {
            search->marks[n] = (struct kodama_mark){.position = position,
                                                    .length = length,
                                                    .time_ns = LOAD(slot->time_ns),
                                                    .flags = (uint32_t)LOAD(slot->flags)};
        }
        n++;
    }
    return n;
}

int kodama_ring_marks(const struct kodama_ring *ring, uint64_t first, uint64_t n_frames,
                      struct kodama_mark *marks, size_t max_marks, uint64_t *n_lost)
{
    if (n_lost) *n_lost = 0;
    if (!ring || (!marks && max_marks > 0)) return KODAMA_ERR_ARGUMENT;
    if (n_frames == 0) return 0;
    struct search search = {.first = first, .marks = marks, .max_marks = max_marks};
    search.end = n_frames > UINT64_MAX - first ? UINT64_MAX : first + n_frames;
    /* A lane that is overwritten while it is searched is searched again, from a little further on:
     * that ends, for after eight times nothing is left to be overwritten. */
    for (uint64_t attempt = 0;; attempt++) {
        uint64_t head = atomic_load_explicit(&ring->mark_head, memory_order_acquire);
        uint64_t slack = ring_min(attempt * ((ring->n_marks + 7) / 8), ring->n_marks);
        uint64_t claimed = LOAD(ring->mark_claimed);
        uint64_t oldest = ring_min(ring_difference(claimed + slack, ring->n_marks), head);
        size_t n = search_lane(ring, &search, oldest, head);
        ring_fence_acquire();
        claimed = atomic_load_explicit(&ring->mark_claimed, RING_BEFORE_FENCE);
        if (oldest + ring->n_marks >= claimed || oldest == head) {
            if (n_lost) *n_lost = search.n_lost;
            return (int)n;
        }
    }
}
