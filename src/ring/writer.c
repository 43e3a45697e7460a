/*
 * The writer: claiming the role, writing, reserving.
 *
 * Before it touches memory the writer publishes in `claimed` the position up to which it is going
 * to write; after it, the same position in `head`. Whoever reads without holding the writer back
 * checks against the first: what it copied is whole if its position + capacity >= claimed after
 * the copy. The release fence between the claim and the first byte pairs with the acquire fence
 * between the last byte copied and the reader's look at the claim.
 *
 * `limit` says how far the writer may go without looking at the lossless cursors: the lowest of
 * their positions when it last looked, plus the capacity. A cursor that appears, or goes back,
 * lowers it, makes a heavy fence and then looks at `claimed`; the writer claims, makes a light
 * fence and then looks at `limit`. So either the writer sees the lower limit and takes the claim
 * back before it touched anything, or the cursor sees the claim and starts after it.
 */
#include "base/clock.h"
#include "ring/internal.h"
#include "ring/ring.h"

/* What is to be written: a list of blocks, and how far it has been. */
struct feed {
    const struct kodama_span *spans;
    size_t n_spans;
    size_t done; /* frames of the first span */
};

static inline struct kodama_ring *held_ring(const struct kodama_writer *writer)
{
    struct kodama_ring *ring = writer ? writer->ring : NULL;
    if (!ring) return NULL;
    uint64_t ticket = atomic_load_explicit(&ring->ticket, memory_order_relaxed);
    return ticket == writer->ticket ? ring : NULL;
}

static inline uint64_t load_limit(const struct kodama_ring *ring)
{
    return atomic_load_explicit(&ring->limit, memory_order_relaxed);
}

uint64_t ring_find_limit(struct kodama_ring *ring)
{
    for (;;) {
        uint32_t epoch = atomic_load(&ring->epoch);
        uint64_t limit = RING_NEVER;
        for (uint64_t set = atomic_load(&ring->lossless); set != 0; set &= set - 1) {
            /* acquire: pairs with cursor_move(): what was read is read before it is overwritten */
            uint64_t position = atomic_load_explicit(&ring->cursors[__builtin_ctzll(set)].position,
                                                     memory_order_acquire);
            limit = ring_min(limit, position + ring->capacity);
        }
        if (ring_state(ring) != RING_OPEN) limit = 0;
        atomic_store(&ring->limit, limit);
        /* A cursor that came meanwhile has lowered the limit that was just overwritten. */
        if (atomic_load(&ring->epoch) == epoch) return limit;
    }
}

/* Claim memory up to `end`; returns false, with nothing claimed, when the limit is below. */
static inline bool claim(struct kodama_ring *ring, uint64_t end)
{
    atomic_store_explicit(&ring->writing, 1, memory_order_relaxed);
    if (end > ring->writer_claimed) {
        atomic_store_explicit(&ring->claimed, end, RING_BEFORE_FENCE);
    }
    ring_fence_release();
    ring_fence_light(ring);
    if (end <= load_limit(ring)) {
        if (end > ring->writer_claimed) ring->writer_claimed = end;
        return true;
    }
    atomic_store_explicit(&ring->claimed, ring->writer_claimed, memory_order_relaxed);
    atomic_store_explicit(&ring->writing, 0, memory_order_release);
    return false;
}

/* Claim as many as there is room for, at most n_frames <= capacity; 0: none. */
static uint64_t claim_some(struct kodama_ring *ring, uint64_t n_frames)
{
    uint64_t head = ring->writer_head;
    for (;;) {
        uint64_t room = ring_difference(load_limit(ring), head);
        if (room < n_frames) room = ring_difference(ring_find_limit(ring), head);
        if (room == 0) return 0;
        uint64_t n = ring_min(room, n_frames);
        if (claim(ring, head + n)) return n;
    }
}

/* Make claimed frames readable. */
static inline void publish(struct kodama_ring *ring, uint64_t n_frames, size_t n_bytes)
{
    uint64_t head = ring->writer_head + n_frames;
    size_t offset = ring->writer_offset + n_bytes;
    ring->writer_offset = offset >= ring->capacity_bytes ? offset - ring->capacity_bytes : offset;
    ring->writer_head = head;
    /* release: pairs with ring_head() */
    atomic_store_explicit(&ring->head, head, memory_order_release);
    /* release: pairs with ring_ended() */
    atomic_store_explicit(&ring->writing, 0, memory_order_release);
    uint64_t writes = atomic_load_explicit(&ring->writes, memory_order_relaxed);
    atomic_store_explicit(&ring->writes, writes + 1, memory_order_relaxed);
    ring_fence_light(ring);
    if (head >= atomic_load_explicit(&ring->wake_at, memory_order_relaxed)) {
        ring_wake_readers(ring, head);
    }
}

/* Copy the next n_frames of the feed into claimed memory. */
static void copy_feed(struct kodama_ring *ring, struct feed *feed, uint64_t n_frames)
{
    uint8_t *to = ring->base + ring->writer_offset;
    while (n_frames > 0) {
        const struct kodama_span *span = feed->spans;
        if (feed->done == span->n_frames) {
            feed->spans++;
            feed->n_spans--;
            feed->done = 0;
            continue;
        }
        size_t n = (size_t)ring_min(n_frames, span->n_frames - feed->done);
        size_t n_bytes = n * ring->frame_bytes;
        if (span->frames) {
            memcpy(to, (const uint8_t *)span->frames + feed->done * ring->frame_bytes, n_bytes);
        } else {
            memset(to, ring->silence, n_bytes);
        }
        to += n_bytes;
        feed->done += n;
        n_frames -= n;
    }
}

static int64_t write_feed(struct kodama_ring *ring, struct feed *feed, uint64_t n_frames,
                          int64_t timeout_ns)
{
    uint64_t done = 0, deadline = 0;
    ring->reserved = 0;
    if (ring_state(ring) != RING_OPEN) return KODAMA_ERR_CLOSED;
    while (done < n_frames) {
        uint64_t left = n_frames - done;
        uint64_t n = claim_some(ring, ring_min(left, ring->capacity));
        if (n > 0) {
            copy_feed(ring, feed, n);
            publish(ring, n, (size_t)n * ring->frame_bytes);
            done += n;
            continue;
        }
        int status = KODAMA_OK;
        if (ring_state(ring) != RING_OPEN) {
            status = KODAMA_ERR_CLOSED;
        } else if (timeout_ns == 0) {
            status = KODAMA_ERR_FULL;
        } else {
            if (deadline == 0) deadline = clock_deadline(timeout_ns);
            uint64_t wanted = ring_min(left, (ring->capacity + 1) / 2);
            if (!ring_wait_room(ring, wanted, deadline)) status = KODAMA_ERR_TIMEOUT;
        }
        if (status < 0) return done > 0 ? (int64_t)done : status;
    }
    return (int64_t)done;
}

/* ---------------------------------------------------------------- the public */

int kodama_writer_claim(struct kodama_writer *writer, struct kodama_ring *ring)
{
    if (!writer) return KODAMA_ERR_ARGUMENT;
    *writer = (struct kodama_writer){0};
    if (!ring) return KODAMA_ERR_ARGUMENT;
    if (ring_state(ring) != RING_OPEN) return KODAMA_ERR_CLOSED;
    uint64_t ticket = atomic_load_explicit(&ring->ticket, memory_order_relaxed);
    do {
        if (ticket & 1) return KODAMA_ERR_BUSY;
        /* acquire: pairs with the release of the role, for the writer's own fields */
    } while (!atomic_compare_exchange_weak_explicit(&ring->ticket, &ticket, ticket + 1,
                                                    memory_order_acquire, memory_order_relaxed));
    writer->ring = ring;
    writer->ticket = ticket + 1;
    return KODAMA_OK;
}

void kodama_writer_release(struct kodama_writer *writer)
{
    struct kodama_ring *ring = held_ring(writer);
    if (ring) {
        ring->reserved = 0;
        atomic_store_explicit(&ring->ticket, writer->ticket + 1, memory_order_release);
    }
    if (writer) *writer = (struct kodama_writer){0};
}

int64_t kodama_writer_write(struct kodama_writer *writer, const void *frames, size_t n_frames,
                            int64_t timeout_ns)
{
    struct kodama_ring *ring = held_ring(writer);
    if (!ring) return KODAMA_ERR_STATE;
    uint64_t end = ring->writer_head + n_frames;
    if (frames && n_frames - 1 < ring->capacity && end <= load_limit(ring) && claim(ring, end)) {
        size_t n_bytes = n_frames * ring->frame_bytes;
        ring->reserved = 0;
        if (n_bytes == 64) { /* a cache line: small enough for the call to matter */
            memcpy(ring->base + ring->writer_offset, frames, 64);
        } else {
            memcpy(ring->base + ring->writer_offset, frames, n_bytes);
        }
        publish(ring, n_frames, n_bytes);
        return (int64_t)n_frames;
    }
    if (n_frames > INT64_MAX) return KODAMA_ERR_ARGUMENT;
    struct kodama_span span = {frames, n_frames};
    struct feed feed = {&span, 1, 0};
    return write_feed(ring, &feed, n_frames, timeout_ns);
}

int64_t kodama_writer_write_batch(struct kodama_writer *writer, const struct kodama_span *spans,
                                  size_t n_spans, int64_t timeout_ns)
{
    struct kodama_ring *ring = held_ring(writer);
    if (!ring) return KODAMA_ERR_STATE;
    if (!spans && n_spans > 0) return KODAMA_ERR_ARGUMENT;
    uint64_t n_frames = 0;
    for (size_t i = 0; i < n_spans; i++) {
        if (spans[i].n_frames > INT64_MAX - n_frames) return KODAMA_ERR_ARGUMENT;
        n_frames += spans[i].n_frames;
    }
    struct feed feed = {spans, n_spans, 0};
    return write_feed(ring, &feed, n_frames, timeout_ns);
}

int64_t kodama_writer_reserve(struct kodama_writer *writer, size_t n_frames, void **frames)
{
    struct kodama_ring *ring = held_ring(writer);
    if (frames) *frames = NULL;
    if (!ring) return KODAMA_ERR_STATE;
    if (!frames || n_frames < 1 || n_frames > ring->capacity) return KODAMA_ERR_ARGUMENT;
    ring->reserved = 0;
    uint64_t end = ring->writer_head + n_frames;
    while (end > load_limit(ring) || !claim(ring, end)) {
        if (ring_find_limit(ring) >= end) continue;
        return ring_state(ring) != RING_OPEN ? KODAMA_ERR_CLOSED : KODAMA_ERR_FULL;
    }
    atomic_store_explicit(&ring->writing, 0, memory_order_release);
    ring->reserved = n_frames;
    *frames = ring->base + ring->writer_offset;
    return (int64_t)n_frames;
}

int64_t kodama_writer_commit(struct kodama_writer *writer, size_t n_frames)
{
    struct kodama_ring *ring = held_ring(writer);
    if (!ring) return KODAMA_ERR_STATE;
    if (n_frames > ring->reserved) return KODAMA_ERR_ARGUMENT;
    /* Once more announced, because the ring may be closed at any time: see ring_ended(). */
    atomic_store_explicit(&ring->writing, 1, memory_order_relaxed);
    ring_fence_light(ring);
    ring->reserved = 0;
    if (atomic_load_explicit(&ring->state, memory_order_relaxed) != RING_OPEN || n_frames == 0) {
        atomic_store_explicit(&ring->writing, 0, memory_order_release);
        return ring_state(ring) != RING_OPEN ? KODAMA_ERR_CLOSED : 0;
    }
    publish(ring, n_frames, n_frames * ring->frame_bytes);
    return (int64_t)n_frames;
}

bool ring_writer_wait(struct kodama_writer *writer, size_t n_frames, uint64_t deadline_ns)
{
    struct kodama_ring *ring = held_ring(writer);
    if (!ring || ring_state(ring) != RING_OPEN) return true;
    return ring_wait_room(ring, ring_min(n_frames, (ring->capacity + 1) / 2), deadline_ns);
}

uint64_t kodama_writer_space(const struct kodama_writer *writer)
{
    struct kodama_ring *ring = held_ring(writer);
    if (!ring) return 0;
    return ring_min(ring_difference(ring_find_limit(ring), ring->writer_head), ring->capacity);
}
