/* Cursors: opening, closing, moving without reading, and what can be asked of them. */
#include "base/waitable.h"
#include "ring/internal.h"

static void set_position(struct kodama_cursor *cursor, uint64_t position)
{
    struct kodama_ring *ring = cursor->ring;
    cursor->offset = (size_t)(position % ring->capacity) * ring->frame_bytes;
    atomic_store(&cursor->position, position);
}

void cursor_lose(struct kodama_cursor *cursor, uint64_t n_frames)
{
    uint32_t version = atomic_load_explicit(&cursor->lost_version, memory_order_relaxed);
    uint64_t lost = atomic_load_explicit(&cursor->lost, memory_order_relaxed);
    atomic_store(&cursor->lost_version, version + 1);
    atomic_store(&cursor->lost, lost + n_frames);
    set_position(cursor, cursor_position(cursor) + n_frames);
    atomic_store(&cursor->lost_version, version + 2);
}

uint64_t cursor_catch_up(struct kodama_cursor *cursor)
{
    struct kodama_ring *ring = cursor->ring;
    uint64_t head = ring_head(ring);
    uint64_t position = cursor_position(cursor);
    cursor->head = head;
    if (!cursor->lossless) {
        uint64_t lost = ring_difference(ring_min(ring_safe_from(ring), head), position);
        if (lost > 0) {
            cursor_lose(cursor, lost);
            cursor->untold += lost;
            position += lost;
        }
    }
    return ring_difference(head, position);
}

/*
 * Put a lossless cursor where the writer may be about to overwrite: it is set there, the writer's
 * limit is lowered, and after a heavy fence `claimed` tells what could not be held any more.
 * `bit` is the cursor, to be added to the lossless ones.
 */
static void cursor_place(struct kodama_cursor *cursor, uint64_t position, uint64_t bit)
{
    struct kodama_ring *ring = cursor->ring;
    set_position(cursor, position);
    atomic_fetch_or(&ring->lossless, bit);
    atomic_fetch_add(&ring->epoch, 1);
    ring_lower(&ring->limit, position + ring->capacity);
    ring_fence_heavy(ring);
    uint64_t oldest = ring_safe_from(ring);
    if (position < oldest) set_position(cursor, oldest);
}

static uint64_t start_position(const struct kodama_ring *ring,
                               const struct kodama_cursor_config *config)
{
    uint64_t head = ring_head(ring);
    uint64_t oldest = ring_min(ring_safe_from(ring), head);
    switch (config->start) {
    case KODAMA_START_OLDEST: return oldest;
    case KODAMA_START_AT:
        return config->start_position < oldest ? oldest : ring_min(config->start_position, head);
    case KODAMA_START_NOW: break;
    }
    return head;
}

static uint64_t clamp_watermark(const struct kodama_ring *ring, uint64_t n_frames)
{
    return n_frames < 1 ? 1 : ring_min(n_frames, ring->capacity);
}

/* A slot that nobody uses becomes a cursor; the mutex is held. */
static void init_cursor(struct kodama_ring *ring, struct kodama_cursor *cursor,
                        const struct kodama_cursor_config *config)
{
    uint64_t bit = UINT64_C(1) << (cursor - ring->cursors);
    cursor->ring = ring;
    atomic_store(&cursor->lost, 0);
    cursor->head = 0;
    cursor->untold = 0;
    cursor->n_chunks = 0;
    cursor->spin_ns = config->spin_ns;
    cursor->view = RING_VIEW_NONE;
    cursor->lossless = config->lossless;
    cursor->has_waitable = false;
    atomic_store(&cursor->watermark, clamp_watermark(ring, config->watermark_frames));
    atomic_store(&cursor->interrupted, 0);
    uint64_t position = start_position(ring, config);
    if (config->lossless) {
        cursor_place(cursor, position, bit);
    } else {
        set_position(cursor, position);
    }
    atomic_fetch_or(&ring->open, bit);
}

int kodama_cursor_open(struct kodama_cursor **cursor, struct kodama_ring *ring,
                       const struct kodama_cursor_config *config)
{
    static const struct kodama_cursor_config defaults = KODAMA_CURSOR_CONFIG_INIT;
    if (!cursor) return KODAMA_ERR_ARGUMENT;
    *cursor = NULL;
    if (!config) config = &defaults;
    if (!ring || config->size != sizeof *config) return KODAMA_ERR_ARGUMENT;
    if (config->start < KODAMA_START_NOW || config->start > KODAMA_START_AT) {
        return KODAMA_ERR_ARGUMENT;
    }
    if (config->lossless && ring->live) return KODAMA_ERR_LIVE;
    mutex_lock(&ring->mutex);
    uint64_t unused = ~atomic_load(&ring->open);
    if (unused != 0) {
        *cursor = &ring->cursors[__builtin_ctzll(unused)];
        init_cursor(ring, *cursor, config);
    }
    mutex_unlock(&ring->mutex);
    return *cursor ? KODAMA_OK : KODAMA_ERR_LIMIT;
}

void kodama_cursor_close(struct kodama_cursor *cursor)
{
    if (!cursor) return;
    struct kodama_ring *ring = cursor->ring;
    uint64_t bit = UINT64_C(1) << (cursor - ring->cursors);
    mutex_lock(&ring->mutex);
    atomic_fetch_and(&ring->lossless, ~bit);
    ring_fence_heavy(ring);
    ring_wake_writer(ring);
    atomic_store(&cursor->park_at, RING_NEVER);
    atomic_store(&cursor->signal_at, RING_NEVER);
    if (cursor->has_waitable) {
        /* Whoever took signal_at before may still be signalling: that is one system call. */
        while (atomic_load(&cursor->signalling) != 0) park_relax();
        waitable_destroy(cursor->waitable);
        cursor->has_waitable = false;
    }
    atomic_fetch_and(&ring->open, ~bit);
    mutex_unlock(&ring->mutex);
}

int64_t kodama_cursor_skip(struct kodama_cursor *cursor, uint64_t n_frames)
{
    if (!cursor) return KODAMA_ERR_ARGUMENT;
    cursor->view = RING_VIEW_NONE;
    uint64_t n = ring_min(cursor_catch_up(cursor), n_frames);
    if (n > 0) {
        cursor->untold = 0;
        cursor_move(cursor, n);
    }
    cursor_done(cursor);
    return (int64_t)n;
}

uint64_t kodama_cursor_seek(struct kodama_cursor *cursor, uint64_t position)
{
    struct kodama_ring *ring = cursor->ring;
    cursor->view = RING_VIEW_NONE;
    cursor_catch_up(cursor); /* what was overwritten until now is lost, wherever it goes */
    uint64_t head = cursor->head;
    uint64_t oldest = ring_min(ring_safe_from(ring), head);
    uint64_t now = cursor_position(cursor);
    if (position > head) position = head;
    if (position < oldest) position = oldest;
    if (position != now) {
        cursor->untold = 0;
        if (cursor->lossless && position < now) {
            cursor_place(cursor, position, 0);
        } else {
            set_position(cursor, position);
            if (cursor->lossless) ring_made_room(ring, position);
        }
    }
    cursor_done(cursor);
    return cursor_position(cursor);
}

uint64_t kodama_cursor_clear(struct kodama_cursor *cursor)
{
    return (uint64_t)kodama_cursor_skip(cursor, UINT64_MAX);
}

uint64_t kodama_cursor_position(const struct kodama_cursor *cursor)
{
    return atomic_load_explicit(&cursor->position, memory_order_acquire);
}

uint64_t kodama_cursor_available(const struct kodama_cursor *cursor)
{
    const struct kodama_ring *ring = cursor->ring;
    uint64_t position = kodama_cursor_position(cursor);
    uint64_t head = ring_head(ring);
    uint64_t oldest = cursor->lossless ? 0 : ring_safe_from(ring);
    return ring_difference(head, position > oldest ? position : oldest);
}

uint64_t kodama_cursor_remaining(const struct kodama_cursor *cursor)
{
    uint64_t position = kodama_cursor_position(cursor);
    uint64_t behind = ring_difference(ring_head(cursor->ring), position);
    return ring_difference(cursor->ring->capacity, behind);
}

bool kodama_cursor_is_empty(const struct kodama_cursor *cursor)
{
    return kodama_cursor_available(cursor) == 0;
}

bool kodama_cursor_is_full(const struct kodama_cursor *cursor)
{
    return kodama_cursor_remaining(cursor) == 0;
}

uint64_t kodama_cursor_lost(const struct kodama_cursor *cursor)
{
    const struct kodama_ring *ring = cursor->ring;
    for (;;) {
        uint32_t before = atomic_load(&cursor->lost_version);
        uint64_t head = ring_head(ring);
        /* Loaded before the position, so that frames which are read meanwhile do not count. */
        uint64_t oldest = cursor->lossless ? 0 : ring_min(ring_safe_from(ring), head);
        uint64_t lost = atomic_load(&cursor->lost);
        uint64_t position = atomic_load(&cursor->position);
        if ((before & 1) == 0 && atomic_load(&cursor->lost_version) == before) {
            return lost + ring_difference(oldest, position);
        }
        park_relax();
    }
}

struct kodama_ring *kodama_cursor_ring(const struct kodama_cursor *cursor)
{
    return cursor->ring;
}

int kodama_cursor_wait(struct kodama_cursor *cursor, int64_t timeout_ns)
{
    if (!cursor) return KODAMA_ERR_ARGUMENT;
    uint64_t watermark = atomic_load_explicit(&cursor->watermark, memory_order_relaxed);
    uint64_t deadline = 0;
    int status;
    do {
        status =
            cursor_wait_until(cursor, cursor_position(cursor) + watermark, timeout_ns, &deadline);
        /* A view must stay where it is; without one, what is overwritten does not count. */
    } while (status == KODAMA_OK && cursor->view == RING_VIEW_NONE &&
             cursor_catch_up(cursor) < watermark);
    if (status == KODAMA_ERR_EMPTY) status = KODAMA_ERR_TIMEOUT;
    if (status == KODAMA_ERR_CLOSED && !kodama_cursor_is_empty(cursor)) status = KODAMA_OK;
    cursor_done(cursor);
    return status;
}

void kodama_cursor_set_watermark(struct kodama_cursor *cursor, uint64_t n_frames)
{
    atomic_store(&cursor->watermark, clamp_watermark(cursor->ring, n_frames));
    cursor_done(cursor);
}

void kodama_cursor_interrupt(struct kodama_cursor *cursor)
{
    if (!cursor) return;
    atomic_store(&cursor->interrupted, 1);
    ring_wake_cursor(cursor->ring, cursor);
}

int kodama_cursor_waitable(struct kodama_cursor *cursor, struct kodama_waitable *waitable)
{
    if (!waitable) return KODAMA_ERR_ARGUMENT;
    *waitable = WAITABLE_NONE;
    if (!cursor) return KODAMA_ERR_ARGUMENT;
    if (!cursor->has_waitable) {
        int status = waitable_create(&cursor->waitable);
        if (status < 0) return status;
        cursor->has_waitable = true;
        /* Armed for what is already there; cursor_arm_waitable() puts it right. */
        atomic_store(&cursor->signal_at, 0);
    }
    cursor_arm_waitable(cursor);
    *waitable = cursor->waitable;
    return KODAMA_OK;
}
