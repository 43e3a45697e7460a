/* The other rings: JACK's, SPA's, a mutex with condition variables, and plain memcpy. */
#include "ring_others.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if HAVE_JACK
#include <jack/ringbuffer.h>
#endif
#if HAVE_SPA
#include <spa/utils/ringbuffer.h>
#endif

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* -------------------------------------------------------------------- memcpy */

struct plain {
    uint8_t bytes[BENCH_CAPACITY];
};

static void *plain_create(int n_readers)
{
    (void)n_readers;
    return calloc(1, sizeof(struct plain));
}

/* One copy into memory as large as the rings are; nobody reads. */
static void plain_write(void *context, const uint8_t *block, size_t n_bytes, uint64_t n_writes)
{
    struct plain *plain = context;
    size_t offset = 0;
    for (uint64_t i = 0; i < n_writes; i++) {
        memcpy(plain->bytes + offset, block, n_bytes);
        __asm__ volatile("" ::: "memory");
        offset += n_bytes;
        if (offset + n_bytes > BENCH_CAPACITY) offset = 0;
    }
}

static void plain_read(void *context, uint8_t *to, size_t max_bytes, uint64_t n_bytes_total)
{
    (void)context, (void)to, (void)max_bytes, (void)n_bytes_total;
}

const struct contender bench_memcpy = {"memcpy",     "",   "-",         1,
                                       plain_create, free, plain_write, plain_read};

/* ----------------------------------------------------------- mutex + condition */

struct locked {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t head, tail; /* bytes */
    uint8_t bytes[BENCH_CAPACITY];
};

static void *locked_create(int n_readers)
{
    (void)n_readers;
    struct locked *locked = calloc(1, sizeof *locked);
    if (!locked) return NULL;
    pthread_mutex_init(&locked->mutex, NULL);
    pthread_cond_init(&locked->changed, NULL);
    return locked;
}

static void locked_destroy(void *context)
{
    struct locked *locked = context;
    pthread_cond_destroy(&locked->changed);
    pthread_mutex_destroy(&locked->mutex);
    free(locked);
}

size_t bench_locked_write(struct locked *locked, const uint8_t *from, size_t n)
{
    pthread_mutex_lock(&locked->mutex);
    while (locked->head - locked->tail == BENCH_CAPACITY) {
        pthread_cond_wait(&locked->changed, &locked->mutex);
    }
    n = least(n, BENCH_CAPACITY - (size_t)(locked->head - locked->tail));
    size_t at = (size_t)(locked->head % BENCH_CAPACITY), first = least(n, BENCH_CAPACITY - at);
    memcpy(locked->bytes + at, from, first);
    memcpy(locked->bytes, from + first, n - first);
    locked->head += n;
    pthread_cond_signal(&locked->changed);
    pthread_mutex_unlock(&locked->mutex);
    return n;
}

size_t bench_locked_read(struct locked *locked, uint8_t *to, size_t n)
{
    pthread_mutex_lock(&locked->mutex);
    while (locked->head - locked->tail < n) pthread_cond_wait(&locked->changed, &locked->mutex);
    size_t at = (size_t)(locked->tail % BENCH_CAPACITY), first = least(n, BENCH_CAPACITY - at);
    memcpy(to, locked->bytes + at, first);
    memcpy(to + first, locked->bytes, n - first);
    locked->tail += n;
    pthread_cond_signal(&locked->changed);
    pthread_mutex_unlock(&locked->mutex);
    return n;
}

BENCH_LOOPS(locked, struct locked, bench_locked_write(ring, from, n),
            bench_locked_read(ring, to, n))

const struct contender bench_mutex = {
    "mutex + condition", "",           "condition", 1, locked_create,
    locked_destroy,      locked_write, locked_read};

/* ---------------------------------------------------------------------- JACK */

#if HAVE_JACK
static void *jack_create(int n_readers)
{
    (void)n_readers;
    return jack_ringbuffer_create(BENCH_CAPACITY);
}

static void jack_destroy(void *context)
{
    jack_ringbuffer_free(context);
}

BENCH_LOOPS(jack, jack_ringbuffer_t, jack_ringbuffer_write(ring, (const char *)from, n),
            jack_ringbuffer_read_space(ring) < n ? 0 : jack_ringbuffer_read(ring, (char *)to, n))

const struct contender bench_jack = {"jack_ringbuffer", "",           "none: spins", 1,
                                     jack_create,       jack_destroy, jack_write,    jack_read};
#endif

/* ----------------------------------------------------------------------- SPA */

#if HAVE_SPA
struct spa {
    struct spa_ringbuffer indexes;
    uint8_t bytes[BENCH_CAPACITY];
};

static void *spa_create(int n_readers)
{
    (void)n_readers;
    struct spa *spa = calloc(1, sizeof *spa);
    if (spa) spa_ringbuffer_init(&spa->indexes);
    return spa;
}

static inline size_t spa_write_some(struct spa *spa, const uint8_t *from, size_t n)
{
    uint32_t index;
    int32_t filled = spa_ringbuffer_get_write_index(&spa->indexes, &index);
    n = least(n, (size_t)(BENCH_CAPACITY - filled));
    if (n == 0) return 0;
    spa_ringbuffer_write_data(&spa->indexes, spa->bytes, BENCH_CAPACITY,
                              index & (BENCH_CAPACITY - 1), from, (uint32_t)n);
    spa_ringbuffer_write_update(&spa->indexes, (int32_t)(index + (uint32_t)n));
    return n;
}

static inline size_t spa_read_some(struct spa *spa, uint8_t *to, size_t n)
{
    uint32_t index;
    int32_t filled = spa_ringbuffer_get_read_index(&spa->indexes, &index);
    if ((size_t)filled < n) return 0;
    spa_ringbuffer_read_data(&spa->indexes, spa->bytes, BENCH_CAPACITY,
                             index & (BENCH_CAPACITY - 1), to, (uint32_t)n);
    spa_ringbuffer_read_update(&spa->indexes, (int32_t)(index + (uint32_t)n));
    return n;
}

BENCH_LOOPS(spa, struct spa, spa_write_some(ring, from, n), spa_read_some(ring, to, n))

const struct contender bench_spa = {"spa_ringbuffer", "",   "none: spins", 1,
                                    spa_create,       free, spa_write,     spa_read};
#endif
