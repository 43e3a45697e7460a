/* Reading: copies, views in place, chunks with overlap. */
#include "ring/internal.h"

/*
 * The one deliberate data race of the ring: a lossy reader copies frames that the writer may be
 * overwriting. What was copied is used only after `claimed` has shown that the writer had not
 * begun to (see writer.c). TSan must not see it, therefore its own copy loop: under TSan memcpy is
 * watched whoever calls it.
 */
__attribute__((no_sanitize("thread"), noinline)) static void racy_copy(void *to, const void *from,
                                                                       size_t n_bytes)
{
#if RING_TSAN
    volatile uint8_t *out = to;
    const volatile uint8_t *in = from;
    for (size_t i = 0; i < n_bytes; i++) out[i] = in[i];
#else
    memcpy(to, from, n_bytes);
#endif
}

/* Say which frames were lost before those that are delivered now. */
static uint64_t tell(struct kodama_cursor *cursor, struct kodama_read *info)
{
    uint64_t lost = cursor->untold;
    cursor->untold = 0;
    if (info) *info = (struct kodama_read){.position = cursor_position(cursor), .lost = lost};
    return lost;
}

/* Copy from the position on, without moving; nothing can be overwritten. */
static uint64_t copy_lossless(struct kodama_cursor *cursor, void *frames, uint64_t max_frames)
{
    struct kodama_ring *ring = cursor->ring;
    uint64_t position = cursor_position(cursor);
    if (ring_difference(cursor->head, position) < max_frames) cursor->head = ring_head(ring);
    uint64_t n = ring_min(ring_difference(cursor->head, position), max_frames);
    memcpy(frames, ring->base + cursor->offset, (size_t)n * ring->frame_bytes);
    return n;
}

/*
 * Copy what is whole: when the writer overtakes the copy, its beginning is lost and its end is
 * kept. A copy that is overtaken entirely shows a reader at the very edge of the ring: it gives up
 * a part of what is left, more each time, to get out of the writer's way.
 */
static uint64_t copy_lossy(struct kodama_cursor *cursor, void *frames, uint64_t max_frames)
{
    struct kodama_ring *ring = cursor->ring;
    for (unsigned attempt = 0;; attempt++) {
        uint64_t available = cursor_catch_up(cursor);
        if (attempt > 0) {
            uint64_t slack = ring->capacity >> (attempt < 4 ? 5 - attempt : 1);
            slack = ring_min(slack, available);
            cursor_lose(cursor, slack);
            cursor->untold += slack;
            available -= slack;
        }
        uint64_t n = ring_min(available, max_frames);
        if (n == 0) return 0;
        size_t n_bytes = (size_t)n * ring->frame_bytes;
        racy_copy(frames, ring->base + cursor->offset, n_bytes);
        ring_fence_acquire();
        uint64_t overtaken = ring_difference(ring_safe_from(ring), cursor_position(cursor));
        if (overtaken == 0) return n;
        if (overtaken < n) {
            size_t lost_bytes = (size_t)overtaken * ring->frame_bytes;
            cursor_lose(cursor, overtaken);
            cursor->untold += overtaken;
            memmove(frames, (uint8_t *)frames + lost_bytes, n_bytes - lost_bytes);
            return n - overtaken;
        }
    }
}

static inline uint64_t copy_frames(struct kodama_cursor *cursor, void *frames, uint64_t max_frames)
{
    return cursor->lossless ? copy_lossless(cursor, frames, max_frames)
                            : copy_lossy(cursor, frames, max_frames);
}

int64_t kodama_cursor_read(struct kodama_cursor *cursor, void *frames, size_t max_frames,
                           int64_t timeout_ns, struct kodama_read *info)
{
    if (!cursor || !frames || max_frames < 1 || max_frames > INT64_MAX) return KODAMA_ERR_ARGUMENT;
    uint64_t watermark = atomic_load_explicit(&cursor->watermark, memory_order_relaxed);
    uint64_t wanted = ring_min(max_frames, watermark), deadline = 0;
    cursor->view = RING_VIEW_NONE;
    int status;
    do {
        status = cursor_wait_until(cursor, cursor_position(cursor) + wanted, timeout_ns, &deadline);
        if (status == KODAMA_ERR_CANCELLED) break;
        uint64_t n = copy_frames(cursor, frames, max_frames);
        if (n > 0) {
            tell(cursor, info);
            cursor_move(cursor, n);
            cursor_done(cursor);
            return (int64_t)n;
        }
    } while (status == KODAMA_OK); /* lapped just now: all of it is gone */
    cursor_done(cursor);
    return status;
}

int64_t kodama_cursor_peek(struct kodama_cursor *cursor, void *frames, size_t max_frames,
                           struct kodama_read *info)
{
    if (!cursor || !frames || max_frames < 1 || max_frames > INT64_MAX) return KODAMA_ERR_ARGUMENT;
    cursor->view = RING_VIEW_NONE;
    bool ended = ring_ended(cursor->ring);
    uint64_t n = copy_frames(cursor, frames, max_frames);
    if (n > 0 && info) tell(cursor, info);
    cursor_done(cursor);
    if (n > 0) return (int64_t)n;
    return ended ? KODAMA_ERR_CLOSED : KODAMA_ERR_EMPTY;
}

/*
 * Wait for n_frames in one view. Returns frames there, fewer than asked for only after close, or
 * the error. The cursor then stands at the first of them.
 */
static int64_t wait_for_view(struct kodama_cursor *cursor, uint64_t n_frames, int64_t timeout_ns)
{
    uint64_t deadline = 0;
    for (;;) {
        int status =
            cursor_wait_until(cursor, cursor_position(cursor) + n_frames, timeout_ns, &deadline);
        if (status < 0 && status != KODAMA_ERR_CLOSED) return status;
        uint64_t available = cursor_catch_up(cursor);
        if (available >= n_frames) return (int64_t)n_frames;
        if (status == KODAMA_ERR_CLOSED) return available > 0 ? (int64_t)available : status;
    }
}

int64_t kodama_cursor_acquire(struct kodama_cursor *cursor, size_t n_frames, int64_t timeout_ns,
                              const void **frames, struct kodama_read *info)
{
    if (frames) *frames = NULL;
    if (!cursor || !frames || n_frames < 1 || n_frames > cursor->ring->capacity) {
        return KODAMA_ERR_ARGUMENT;
    }
    cursor->view = RING_VIEW_NONE;
    int64_t n = wait_for_view(cursor, n_frames, timeout_ns);
    if (n > 0) {
        tell(cursor, info);
        cursor->view = RING_VIEW_ACQUIRED;
        cursor->view_frames = (uint64_t)n;
        *frames = cursor->ring->base + cursor->offset;
    }
    cursor_done(cursor);
    return n;
}

/* End a view and move on; whoever computed with overwritten frames is told. */
static int64_t end_view(struct kodama_cursor *cursor, uint64_t n_frames)
{
    struct kodama_ring *ring = cursor->ring;
    int64_t result = (int64_t)n_frames;
    cursor->view = RING_VIEW_NONE;
    ring_fence_acquire();
    if (!cursor->lossless && cursor_position(cursor) < ring_safe_from(ring)) {
        cursor_lose(cursor, n_frames);
        result = KODAMA_ERR_LAPPED;
    } else if (n_frames > 0) {
        cursor_move(cursor, n_frames);
    }
    cursor_done(cursor);
    return result;
}

int64_t kodama_cursor_release(struct kodama_cursor *cursor, size_t n_frames)
{
    if (!cursor) return KODAMA_ERR_ARGUMENT;
    if (cursor->view != RING_VIEW_ACQUIRED) return KODAMA_ERR_STATE;
    if (n_frames > cursor->view_frames) return KODAMA_ERR_ARGUMENT;
    return end_view(cursor, n_frames);
}

int64_t kodama_cursor_chunk(struct kodama_cursor *cursor, uint32_t n_frames, uint32_t n_overlap,
                            int64_t timeout_ns, struct kodama_chunk *chunk)
{
    if (!chunk) return KODAMA_ERR_ARGUMENT;
    *chunk = (struct kodama_chunk){0};
    if (!cursor || n_frames < 1 || n_overlap > n_frames) return KODAMA_ERR_ARGUMENT;
    uint64_t n_both = (uint64_t)n_frames + n_overlap;
    if (n_both > cursor->ring->capacity) return KODAMA_ERR_ARGUMENT;
    if (cursor->view != RING_VIEW_CHUNK) {
        cursor->view = RING_VIEW_NONE;
        int64_t n = wait_for_view(cursor, n_both, timeout_ns);
        if (n < 0) {
            cursor_done(cursor);
            return n;
        }
        cursor->view = RING_VIEW_CHUNK;
        cursor->view_frames = ring_min((uint64_t)n, n_frames);
        cursor->view_overlap = (uint64_t)n - cursor->view_frames;
        bool ended = ring_ended(cursor->ring);
        uint64_t end = cursor_position(cursor) + cursor->view_frames;
        cursor->view_is_last = ended && end == ring_head(cursor->ring);
        cursor->view_lost = tell(cursor, NULL);
        cursor->n_chunks++;
    }
    *chunk = (struct kodama_chunk){
        .frames = cursor->ring->base + cursor->offset,
        .sequence = cursor->n_chunks - 1,
        .position = cursor_position(cursor),
        .n_frames = (uint32_t)cursor->view_frames,
        .n_overlap = (uint32_t)cursor->view_overlap,
        .lost = cursor->view_lost,
        .is_last = cursor->view_is_last,
    };
    cursor_done(cursor);
    return (int64_t)cursor->view_frames;
}

int64_t kodama_cursor_advance(struct kodama_cursor *cursor)
{
    if (!cursor) return KODAMA_ERR_ARGUMENT;
    if (cursor->view != RING_VIEW_CHUNK) return KODAMA_ERR_STATE;
    return end_view(cursor, cursor->view_frames);
}
