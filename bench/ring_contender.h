/* What takes part in the comparison of rings: two loops, so that nothing is called through a
 * pointer inside of them. */
#ifndef BENCH_RING_CONTENDER_H
#define BENCH_RING_CONTENDER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes that every ring holds: 1 MiB, 2.7 s of stereo float at 48 kHz. */
enum { BENCH_CAPACITY = 1 << 20, BENCH_FRAME = 8, BENCH_BATCH = 1 << 18 };

/** A stereo float frame, moved as one number. */
typedef uint64_t bench_frame;

struct contender {
    const char *name;
    const char *group;
    const char *waking; /* how a waiting reader is woken */
    int n_readers;      /* cursors on the one reading thread */
    void *(*create)(int n_readers);
    void (*destroy)(void *context);
    /** Write n_writes blocks of n_bytes, however often it must be tried. */
    void (*write)(void *context, const uint8_t *block, size_t n_bytes, uint64_t n_writes);
    /** Read n_bytes_total in calls of at most max_bytes. */
    void (*read)(void *context, uint8_t *to, size_t max_bytes, uint64_t n_bytes_total);
};

/** Try again later: everybody waits longer and longer, up to about a microsecond. */
static inline void bench_relax(unsigned *n_pauses)
{
    for (unsigned i = 0; i < *n_pauses; i++) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
    if (*n_pauses < 64) *n_pauses *= 2;
}

/**
 * Loops of a contender whose WRITE and READ say how many bytes they moved; 0: try again. READ moves
 * all n bytes or, while they are not there, none.
 */
#define BENCH_LOOPS(prefix, TYPE, WRITE, READ)                                        \
    static void prefix##_write(void *context, const uint8_t *block, size_t n_bytes,   \
                               uint64_t n_writes)                                     \
    {                                                                                 \
        TYPE *ring = (TYPE *)context;                                                 \
        for (uint64_t i = 0; i < n_writes; i++) {                                     \
            const uint8_t *from = block;                                              \
            size_t n = n_bytes;                                                       \
            for (unsigned n_pauses = 1;;) {                                           \
                size_t n_moved = (WRITE);                                             \
                if (n_moved == n) break;                                              \
                from += n_moved;                                                      \
                n -= n_moved;                                                         \
                bench_relax(&n_pauses);                                               \
            }                                                                         \
        }                                                                             \
    }                                                                                 \
    static void prefix##_read(void *context, uint8_t *to, size_t max_bytes,           \
                              uint64_t n_bytes_total)                                 \
    {                                                                                 \
        TYPE *ring = (TYPE *)context;                                                 \
        unsigned n_pauses = 1;                                                        \
        while (n_bytes_total > 0) {                                                   \
            size_t n = n_bytes_total < max_bytes ? (size_t)n_bytes_total : max_bytes; \
            size_t n_moved = (READ);                                                  \
            if (n_moved == 0)                                                         \
                bench_relax(&n_pauses);                                               \
            else                                                                      \
                n_pauses = 1;                                                         \
            n_bytes_total -= n_moved;                                                 \
        }                                                                             \
    }

/** The C++ contender, compiled only where Boost is. */
extern const struct contender bench_boost;

#ifdef __cplusplus
}
#endif

#endif
