/*
 * The ring from the inside: what the writer, the cursors and the marks share, and who may touch
 * what.
 *
 * Three protocols meet here; each is explained where its first half is written:
 *   - claimed (writer.c, racy_copy in read.c): how a lossy reader knows that what it copied is
 * whole;
 *   - limit (writer.c, cursor_place in cursor.c): how far the writer may go without looking at the
 *     lossless cursors, and how a cursor takes that back;
 *   - wake_at, room_at (wake.c): who sleeps, and from which position on it is to be woken.
 */
#ifndef RING_INTERNAL_H
#define RING_INTERNAL_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <kodama/ring.h>

#include "base/park.h"
#include "base/thread.h"

/* Two lines: x86 prefetches lines in pairs, so neighbours would still share. */
#define RING_LINE 128

/** A position that is never reached. */
#define RING_NEVER UINT64_MAX

#if defined(__SANITIZE_THREAD__)
#define RING_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RING_TSAN 1
#endif
#endif
#ifndef RING_TSAN
#define RING_TSAN 0
#endif

enum ring_state {
    RING_OPEN = 0,
    RING_CLOSING, /* writers refuse from now on, but one may be in the middle of a write */
    RING_CLOSED,  /* every writer that is not `writing` will refuse */
};

enum ring_view {
    RING_VIEW_NONE = 0,
    RING_VIEW_ACQUIRED,
    RING_VIEW_CHUNK,
};

struct kodama_cursor {
    /* Written by the reader; read by the writer (lossless) and by whoever asks. */
    alignas(RING_LINE) _Atomic uint64_t position;
    _Atomic uint64_t lost;         /* all that were lost, but not yet those nobody has noticed */
    _Atomic uint32_t lost_version; /* odd while position and lost change together */

    /* The reader's own. */
    alignas(RING_LINE) struct kodama_ring *ring; /* immutable while open */
    size_t offset;                               /* bytes: position modulo capacity */
    uint64_t head;                               /* newest position of the writer seen */
    uint64_t untold; /* frames [position - untold, position) were lost and nobody told */
    uint64_t n_chunks;
    uint64_t spin_ns;
    uint64_t view_frames;  /* of the view, without overlap */
    uint64_t view_overlap; /* of the chunk */
    uint64_t view_lost;    /* told with the chunk */
    enum ring_view view;   /* what is being looked at, from `position` on */
    bool view_is_last;
    bool lossless; /* immutable while open */
    bool has_waitable;
    _Atomic uint64_t watermark; /* >= 1; atomic only for a reader that is asked while it waits */

    /* How this reader is woken: armed by the reader, taken by whoever wakes. */
    alignas(RING_LINE) _Atomic uint64_t park_at; /* the reader sleeps until the writer is here */
    _Atomic uint64_t signal_at;      /* the waitable is signalled when the writer is here */
    _Atomic uint32_t word;           /* parked on; changed before each wake */
    _Atomic uint32_t interrupted;    /* set by anybody, cleared by the reader */
    _Atomic uint32_t signalling;     /* threads that may be using `waitable` now */
    struct kodama_waitable waitable; /* written before signal_at is armed for the first time */
};

/* A mark in the lane; relaxed atomics, validated by mark_claimed. */
struct ring_mark {
    _Atomic uint64_t position, length, time_ns, flags;
    _Atomic uint64_t reach; /* largest end of this mark and all before it */
    _Atomic uint64_t reach_before;
};

struct kodama_ring {
    /* Immutable. */
    uint8_t *base;
    uint64_t capacity; /* frames */
    size_t capacity_bytes;
    size_t frame_bytes;
    struct kodama_format format;
    struct ring_mark *marks;
    uint64_t n_marks; /* a power of two */
    void *allocation; /* what to free */
    bool live;
    bool asymmetric; /* heavy fences order light ones */
    int silence;     /* the byte that silence is made of */

    /* Changed rarely, by anybody. */
    alignas(RING_LINE) _Atomic uint64_t ticket; /* odd: the writer role is taken */
    _Atomic uint32_t state;                     /* enum ring_state */

    /* Written by the writer after every write; polled by the readers. */
    alignas(RING_LINE) _Atomic uint64_t head; /* frames published */

    /* Written by the writer before every write; not beside `head`, or every write would fetch that
     * line back from a polling reader twice. */
    alignas(RING_LINE) _Atomic uint64_t claimed; /* before claimed - capacity: overwritten */
    _Atomic uint32_t writing; /* the writer looked at `limit` and has not yet published */

    /* The writer's own (of whoever has the ticket). */
    alignas(RING_LINE) uint64_t writer_head; /* = head */
    uint64_t writer_claimed;                 /* = claimed */
    size_t writer_offset;                    /* bytes: head modulo capacity */
    uint64_t reserved;                       /* frames that may be committed */
    uint64_t last_mark;                      /* position of the newest mark */
    uint64_t mark_reach;                     /* largest end of any mark */
    _Atomic uint64_t limit;  /* the writer may go so far without looking; others only lower it */
    _Atomic uint64_t writes; /* statistics: written by the writer only */
    _Atomic uint64_t gap_frames, silent_frames;

    /* Lowered by readers that go to sleep, read by the writer with every write. */
    alignas(RING_LINE) _Atomic uint64_t wake_at;
    _Atomic uint64_t wakes; /* statistics: written by whoever wakes */

    /* Set by a writer that goes to sleep, read by lossless readers with every step. */
    alignas(RING_LINE) _Atomic uint64_t room_at;
    _Atomic uint32_t room_word;

    /* The marks lane, written by the writer. */
    alignas(RING_LINE) _Atomic uint64_t mark_head;
    _Atomic uint64_t mark_claimed;

    /* Opening and closing cursors. */
    alignas(RING_LINE) struct mutex mutex; /* for changes of the two sets */
    _Atomic uint64_t open;                 /* set of cursors in use */
    _Atomic uint64_t lossless;             /* set of those that hold the writer back */
    _Atomic uint32_t
        epoch; /* changes when a lossless cursor comes, goes back, or the ring closes */

    struct kodama_cursor cursors[KODAMA_CURSORS_MAX];
};

/* ------------------------------------------------------------------ fences */

/*
 * TSan knows no fences: there the store before one or the load after one is sequentially
 * consistent, which on the machines that TSan runs on is the stronger thing.
 */
#define RING_BEFORE_FENCE (RING_TSAN ? memory_order_seq_cst : memory_order_relaxed)

static inline void ring_fence_release(void)
{
#if !RING_TSAN
    atomic_thread_fence(memory_order_release);
#endif
}

static inline void ring_fence_acquire(void)
{
#if !RING_TSAN
    atomic_thread_fence(memory_order_acquire);
#endif
}

static inline void ring_fence_light(const struct kodama_ring *ring)
{
#if RING_TSAN
    (void)ring;
    _Atomic int nobody = 0; /* a full barrier that orders nothing else in the eyes of TSan */
    atomic_exchange_explicit(&nobody, 1, memory_order_seq_cst);
#else
    park_fence_light(ring->asymmetric);
#endif
}

static inline void ring_fence_heavy(const struct kodama_ring *ring)
{
    park_fence_heavy(ring->asymmetric);
}

/* --------------------------------------------------------------- positions */

static inline uint64_t ring_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/** a - b, 0 when b is larger. */
static inline uint64_t ring_difference(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/** Newest position; what is before it may be read. */
static inline uint64_t ring_head(const struct kodama_ring *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_acquire);
}

/** Position before which frames may be overwritten; follows an acquire fence or load. */
static inline uint64_t ring_safe_from(const struct kodama_ring *ring)
{
    return ring_difference(atomic_load_explicit(&ring->claimed, RING_BEFORE_FENCE), ring->capacity);
}

/** Lower an atomic position. */
static inline void ring_lower(_Atomic uint64_t *value, uint64_t to)
{
    uint64_t now = atomic_load(value);
    while (to < now && !atomic_compare_exchange_weak(value, &now, to)) continue;
}

static inline uint32_t ring_state(const struct kodama_ring *ring)
{
    return atomic_load(&ring->state);
}

/** Whether no frame will ever come any more. Look at the head again after this. */
static inline bool ring_ended(const struct kodama_ring *ring)
{
    return ring_state(ring) == RING_CLOSED &&
           !atomic_load_explicit(&ring->writing, memory_order_acquire);
}

static inline uint64_t cursor_position(const struct kodama_cursor *cursor)
{
    return atomic_load_explicit(&cursor->position, memory_order_relaxed);
}

/* ------------------------------------------------------------------- wake.c */

/** Wake every reader that waits for a position up to `head`. Writer only. */
void ring_wake_readers(struct kodama_ring *ring, uint64_t head);
/** Wake one reader, whatever it waits for. */
void ring_wake_cursor(struct kodama_ring *ring, struct kodama_cursor *cursor);
/** Wake the writer if it sleeps. */
void ring_wake_writer(struct kodama_ring *ring);

/** After a lossless cursor moved: wake a writer that waits for the room. */
static inline void ring_made_room(struct kodama_ring *ring, uint64_t position)
{
    ring_fence_light(ring);
    if (position >= atomic_load_explicit(&ring->room_at, memory_order_relaxed)) {
        ring_wake_writer(ring);
    }
}

/**
 * Sleep until there is room. Returns false when the deadline has passed.
 *
 * @param n_frames  wanted; settles for less while a reader waits for frames
 */
bool ring_wait_room(struct kodama_ring *ring, uint64_t n_frames, uint64_t deadline_ns);

/**
 * Wait until the writer has reached `target`; refreshes cursor->head.
 *
 * @param deadline_ns  in/out: 0 until the first call that needed it
 * @return KODAMA_OK, or why there is less: EMPTY (no timeout), TIMEOUT, CLOSED, CANCELLED
 */
int cursor_wait_until(struct kodama_cursor *cursor, uint64_t target, int64_t timeout_ns,
                      uint64_t *deadline_ns);

/** Bring the waitable in line with what there is; after everything a reader does. */
void cursor_arm_waitable(struct kodama_cursor *cursor);

static inline void cursor_done(struct kodama_cursor *cursor)
{
    if (cursor->has_waitable) cursor_arm_waitable(cursor);
}

/* ----------------------------------------------------------------- writer.c */

/** Look at all lossless cursors, set the limit, and return it. Writer only. */
uint64_t ring_find_limit(struct kodama_ring *ring);

/* ----------------------------------------------------------------- cursor.c */

/** Count frames as lost and step over them: position and counter change as one. */
void cursor_lose(struct kodama_cursor *cursor, uint64_t n_frames);
/** Step over readable frames, and wake the writer if that makes room. */
static inline void cursor_move(struct kodama_cursor *cursor, uint64_t n_frames)
{
    struct kodama_ring *ring = cursor->ring;
    size_t offset = cursor->offset + (size_t)n_frames * ring->frame_bytes;
    cursor->offset = offset >= ring->capacity_bytes ? offset - ring->capacity_bytes : offset;
    uint64_t position = cursor_position(cursor) + n_frames;
    /* release: the writer overwrites only what has been read; pairs with ring_find_limit() */
    atomic_store_explicit(&cursor->position, position, memory_order_release);
    if (cursor->lossless) ring_made_room(ring, position);
}
/** Frames that can be read now; steps over (and counts) those that are overwritten. */
uint64_t cursor_catch_up(struct kodama_cursor *cursor);

#endif
