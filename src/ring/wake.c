/*
 * Sleeping and waking, both ways: readers that wait for frames, a writer that waits for room.
 *
 * A reader that goes to sleep writes the position it waits for into its own park_at, lowers the
 * ring's wake_at to it, makes a heavy fence and looks at the head once more. The writer publishes
 * the head, makes a light fence (free) and looks at wake_at. One of them sees the other. The other
 * direction is the same with room_at. What is rare (arming, waking) is sequentially consistent:
 * between "arm park_at, look at wake_at" and "take wake_at, look at every park_at" one sees the
 * other, too.
 */
#include "base/clock.h"
#include "base/waitable.h"
#include "ring/internal.h"

/* How long to look again when a writer was caught by the close in the middle of a write. */
#define LAST_WRITE_NAP_NS UINT64_C(20000)

/* Pauses between two looks of a spinning reader: from one microsecond to about five. Looking more
 * often takes the line of the head from the writer for every block: see bench/ring, copying. */
#define SPIN_PAUSES_MIN 64
#define SPIN_PAUSES_MAX 256

static void count_wake(struct kodama_ring *ring)
{
    atomic_fetch_add_explicit(&ring->wakes, 1, memory_order_relaxed);
}

/* Take an armed position if the writer has reached it. */
static bool take_if_reached(_Atomic uint64_t *armed_at, uint64_t head, uint64_t *next)
{
    uint64_t at = atomic_load(armed_at);
    while (at <= head && at != RING_NEVER) {
        if (atomic_compare_exchange_weak(armed_at, &at, RING_NEVER)) return true;
    }
    *next = ring_min(*next, at);
    return false;
}

static void wake_if_reached(struct kodama_ring *ring, struct kodama_cursor *cursor, uint64_t head,
                            uint64_t *next)
{
    if (take_if_reached(&cursor->park_at, head, next)) {
        atomic_fetch_add(&cursor->word, 1);
        park_wake(&cursor->word);
        count_wake(ring);
    }
    if (atomic_load(&cursor->signal_at) == RING_NEVER) return;
    /* The reader closes the waitable only when signal_at is not armed and nobody is in here. */
    atomic_fetch_add(&cursor->signalling, 1);
    if (take_if_reached(&cursor->signal_at, head, next)) {
        waitable_signal(cursor->waitable);
        count_wake(ring);
    }
    atomic_fetch_sub(&cursor->signalling, 1);
}

void ring_wake_readers(struct kodama_ring *ring, uint64_t head)
{
    atomic_exchange(&ring->wake_at, RING_NEVER);
    uint64_t next = RING_NEVER;
    for (uint64_t set = atomic_load(&ring->open); set != 0; set &= set - 1) {
        wake_if_reached(ring, &ring->cursors[__builtin_ctzll(set)], head, &next);
    }
    ring_lower(&ring->wake_at, next);
}

void ring_wake_cursor(struct kodama_ring *ring, struct kodama_cursor *cursor)
{
    /* Not only when park_at is armed: the reader may be about to arm it. */
    atomic_store(&cursor->park_at, RING_NEVER);
    atomic_fetch_add(&cursor->word, 1);
    park_wake(&cursor->word);
    uint64_t unused = RING_NEVER;
    wake_if_reached(ring, cursor, RING_NEVER - 1, &unused);
    count_wake(ring);
}

void ring_wake_writer(struct kodama_ring *ring)
{
    if (atomic_exchange(&ring->room_at, RING_NEVER) == RING_NEVER) return;
    atomic_fetch_add(&ring->room_word, 1);
    park_wake(&ring->room_word);
}

bool ring_wait_room(struct kodama_ring *ring, uint64_t n_frames, uint64_t deadline_ns)
{
    uint64_t head = ring->writer_head;
    for (;;) {
        uint32_t seen = atomic_load(&ring->room_word);
        /* Half a ring of room is worth a wake, one frame is not; but a reader that sleeps until
         * there are more frames may be the one that would make the room. */
        bool waited_for = atomic_load(&ring->wake_at) != RING_NEVER;
        uint64_t wanted = waited_for ? 1 : n_frames;
        atomic_store(&ring->room_at, ring_difference(head + wanted, ring->capacity));
        ring_fence_heavy(ring);
        bool stop = ring_difference(ring_find_limit(ring), head) >= wanted ||
                    ring_state(ring) != RING_OPEN ||
                    (!waited_for && atomic_load(&ring->wake_at) != RING_NEVER);
        bool in_time = stop || park_wait(&ring->room_word, seen, deadline_ns);
        atomic_store(&ring->room_at, RING_NEVER);
        if (ring_state(ring) != RING_OPEN) return true;
        if (ring_find_limit(ring) > head) return true;
        if (!in_time) return false;
    }
}

/* ---------------------------------------------------------------- the reader */

static bool reached_or_over(struct kodama_cursor *cursor, uint64_t target)
{
    struct kodama_ring *ring = cursor->ring;
    bool ended = ring_ended(ring);
    cursor->head = ring_head(ring);
    return cursor->head >= target || ended;
}

/* Look again, less and less often: every look takes the line of the head away from the writer. */
static bool spin(struct kodama_cursor *cursor, uint64_t target, uint64_t deadline_ns)
{
    uint64_t end = ring_min(clock_now_ns() + cursor->spin_ns, deadline_ns);
    unsigned n_pauses = SPIN_PAUSES_MIN;
    do {
        for (unsigned i = 0; i < n_pauses; i++) park_relax();
        if (n_pauses < SPIN_PAUSES_MAX) n_pauses *= 2;
        if (reached_or_over(cursor, target) || atomic_load(&cursor->interrupted)) return true;
    } while (clock_now_ns() < end);
    return false;
}

/* One sleep. Returns false when the deadline has passed. */
static bool park(struct kodama_cursor *cursor, uint64_t target, uint64_t deadline_ns)
{
    struct kodama_ring *ring = cursor->ring;
    uint32_t seen = atomic_load(&cursor->word);
    atomic_store(&cursor->park_at, target);
    ring_lower(&ring->wake_at, target);
    ring_fence_heavy(ring);
    bool in_time = true;
    if (!reached_or_over(cursor, target) && !atomic_load(&cursor->interrupted)) {
        if (atomic_load(&ring->room_at) != RING_NEVER) ring_wake_writer(ring);
        if (ring_state(ring) == RING_CLOSED) { /* the last write is still under way */
            park_wait(&cursor->word, seen,
                      ring_min(deadline_ns, clock_now_ns() + LAST_WRITE_NAP_NS));
            in_time = clock_now_ns() < deadline_ns;
        } else {
            in_time = park_wait(&cursor->word, seen, deadline_ns);
        }
    }
    atomic_store(&cursor->park_at, RING_NEVER);
    return in_time;
}

int cursor_wait_until(struct kodama_cursor *cursor, uint64_t target, int64_t timeout_ns,
                      uint64_t *deadline_ns)
{
    struct kodama_ring *ring = cursor->ring;
    bool in_time = true, spun = cursor->spin_ns == 0;
    for (;;) {
        if (timeout_ns != 0 &&
            atomic_load_explicit(&cursor->interrupted, memory_order_relaxed) != 0 &&
            atomic_exchange(&cursor->interrupted, 0) != 0) {
            return KODAMA_ERR_CANCELLED;
        }
        if (cursor->head >= target) return KODAMA_OK;
        bool ended = ring_ended(ring);
        cursor->head = ring_head(ring);
        if (cursor->head >= target) return KODAMA_OK;
        if (ended) return KODAMA_ERR_CLOSED;
        if (timeout_ns == 0) {
            /* Whoever polls for more than there is must not wait for a writer that sleeps. */
            if (atomic_load_explicit(&ring->room_at, memory_order_relaxed) != RING_NEVER) {
                ring_wake_writer(ring);
            }
            return KODAMA_ERR_EMPTY;
        }
        if (!in_time) return KODAMA_ERR_TIMEOUT;
        if (*deadline_ns == 0) *deadline_ns = clock_deadline(timeout_ns);
        if (!spun) {
            spun = true;
            if (spin(cursor, target, *deadline_ns)) continue;
        }
        in_time = park(cursor, target, *deadline_ns);
    }
}

void cursor_arm_waitable(struct kodama_cursor *cursor)
{
    struct kodama_ring *ring = cursor->ring;
    /* signal_at is RING_NEVER exactly while the waitable is signalled (or about to be). */
    uint64_t unused = RING_NEVER;
    if (cursor->view == RING_VIEW_NONE) cursor_catch_up(cursor);
    uint64_t target =
        cursor_position(cursor) + atomic_load_explicit(&cursor->watermark, memory_order_relaxed);
    cursor->head = ring_head(ring);
    if (cursor->head < target && ring_state(ring) == RING_OPEN) {
        uint64_t armed = atomic_load(&cursor->signal_at);
        if (armed == target) return;
        if (atomic_exchange(&cursor->signal_at, RING_NEVER) == RING_NEVER) {
            waitable_clear(cursor->waitable);
        }
        atomic_store(&cursor->signal_at, target);
        ring_lower(&ring->wake_at, target);
        ring_fence_heavy(ring);
        if (atomic_load(&ring->room_at) != RING_NEVER) ring_wake_writer(ring);
        cursor->head = ring_head(ring);
        if (cursor->head < target && ring_state(ring) == RING_OPEN) return;
    }
    if (take_if_reached(&cursor->signal_at, RING_NEVER - 1, &unused)) {
        waitable_signal(cursor->waitable);
    }
}
