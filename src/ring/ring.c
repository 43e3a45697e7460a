/* Rings from birth to death: memory, closing, what can be asked of them. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/mirror.h"
#include "ring/internal.h"
#include "ring/ring.h"

#define CAPACITY_BYTES_MAX (UINT64_C(4) << 30)
#define DEFAULT_SECONDS 2.0
#define DEFAULT_MARKS 1024
#define MARKS_MAX (1u << 20)

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int check_format(const struct kodama_format *format, struct kodama_error *error)
{
    if (kodama_frame_bytes(*format) > 0 && format->rate_hz >= KODAMA_RATE_MIN_HZ &&
        format->rate_hz <= KODAMA_RATE_MAX_HZ) {
        return KODAMA_OK;
    }
    return error_set(error, KODAMA_ERR_FORMAT,
                     "cannot create a ring of sample type %d, %u Hz, %u channels: allowed are the "
                     "five sample types, %d to %d Hz, 1 to %d channels",
                     (int)format->sample, format->rate_hz, format->channels, KODAMA_RATE_MIN_HZ,
                     KODAMA_RATE_MAX_HZ, KODAMA_CHANNELS_MAX);
}

/* Bytes for the frames asked for: a whole number of mapping units and of frames. 0: too many. */
static uint64_t capacity_bytes(uint64_t n_frames, size_t frame_bytes)
{
    uint64_t unit = mirror_granularity();
    unit *= frame_bytes / greatest_common_divisor(unit, frame_bytes);
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): the format was checked */
    if (n_frames > CAPACITY_BYTES_MAX / frame_bytes) return 0;
    uint64_t n_bytes = (n_frames * frame_bytes + unit - 1) / unit * unit;
    return n_bytes > CAPACITY_BYTES_MAX ? 0 : n_bytes;
}

static int wanted_bytes(const struct kodama_ring_config *config, uint64_t *n_bytes,
                        struct kodama_error *error)
{
    uint64_t n_frames = config->capacity_frames;
    if (n_frames == 0) {
        double seconds = config->capacity_seconds;
        if (!(seconds >= 0.0)) {
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "cannot create a ring of %g seconds: give 0 or more", seconds);
        }
        if (seconds == 0.0) seconds = DEFAULT_SECONDS;
        double frames = seconds * config->format.rate_hz;
        if (frames < (double)CAPACITY_BYTES_MAX) {
            n_frames = (uint64_t)frames;
            if ((double)n_frames < frames) n_frames++;
        } else {
            n_frames = UINT64_MAX;
        }
    }
    *n_bytes = capacity_bytes(n_frames, kodama_frame_bytes(config->format));
    if (*n_bytes == 0) {
        return error_set(error, KODAMA_ERR_LIMIT,
                         "cannot create a ring of %llu frames: more than 4 GiB; ask for less",
                         (unsigned long long)n_frames);
    }
    return KODAMA_OK;
}

/* The ring itself, on a cache line of its own. */
static struct kodama_ring *allocate_ring(void)
{
    uint8_t *memory = memory_array(1, sizeof(struct kodama_ring) + RING_LINE);
    if (!memory) return NULL;
    uintptr_t misfit = (uintptr_t)memory % RING_LINE;
    struct kodama_ring *ring = (struct kodama_ring *)(void *)(memory + (RING_LINE - misfit));
    ring->allocation = memory;
    return ring;
}

static void init_ring(struct kodama_ring *ring, const struct kodama_ring_config *config,
                      uint64_t n_bytes)
{
    ring->format = config->format;
    ring->frame_bytes = kodama_frame_bytes(config->format);
    ring->capacity_bytes = (size_t)n_bytes;
    ring->capacity = n_bytes / ring->frame_bytes;
    ring->live = config->live;
    ring->asymmetric = park_fence_prepare();
    ring->silence = config->format.sample == KODAMA_SAMPLE_U8 ? 0x80 : 0;
    atomic_init(&ring->limit, RING_NEVER);
    atomic_init(&ring->wake_at, RING_NEVER);
    atomic_init(&ring->room_at, RING_NEVER);
    mutex_init(&ring->mutex);
    for (int i = 0; i < KODAMA_CURSORS_MAX; i++) {
        atomic_init(&ring->cursors[i].park_at, RING_NEVER);
        atomic_init(&ring->cursors[i].signal_at, RING_NEVER);
    }
}

int kodama_ring_create(struct kodama_ring **ring, const struct kodama_ring_config *config,
                       struct kodama_error *error)
{
    if (!ring) return error_set(error, KODAMA_ERR_ARGUMENT, "no place to put the ring");
    *ring = NULL;
    if (!config || config->size != sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "the ring's configuration was not filled by KODAMA_RING_CONFIG_INIT");
    }
    uint64_t n_bytes = 0;
    int status = check_format(&config->format, error);
    if (status < 0) return status;
    status = wanted_bytes(config, &n_bytes, error);
    if (status < 0) return status;
    uint64_t n_marks = 1;
    while (n_marks < (config->n_marks > 0 ? config->n_marks : DEFAULT_MARKS)) n_marks *= 2;
    if (n_marks > MARKS_MAX) {
        return error_set(error, KODAMA_ERR_LIMIT, "cannot keep %u marks: at most %u",
                         config->n_marks, MARKS_MAX);
    }
    struct kodama_ring *made = allocate_ring();
    struct ring_mark *marks = memory_array((size_t)n_marks, sizeof *marks);
    uint8_t *base = NULL;
    if (!made || !marks) {
        status = error_set(error, KODAMA_ERR_MEMORY, "cannot create a ring: out of memory");
    } else {
        status = mirror_map(&base, (size_t)n_bytes, config->prefault, error);
    }
    if (status < 0) {
        if (made) free(made->allocation);
        free(marks);
        return status;
    }
    init_ring(made, config, n_bytes);
    made->base = base;
    made->marks = marks;
    made->n_marks = n_marks;
    *ring = made;
    return KODAMA_OK;
}

void kodama_ring_destroy(struct kodama_ring *ring)
{
    if (!ring) return;
    mirror_unmap(ring->base, ring->capacity_bytes);
    mutex_destroy(&ring->mutex);
    free(ring->marks);
    free(ring->allocation);
}

void kodama_ring_close(struct kodama_ring *ring)
{
    if (!ring) return;
    uint32_t open = RING_OPEN;
    if (!atomic_compare_exchange_strong(&ring->state, &open, RING_CLOSING)) return;
    /* The writer looks at the limit alone: closed is a limit of 0. See ring_find_limit(). */
    atomic_fetch_add(&ring->epoch, 1);
    atomic_store(&ring->limit, 0);
    /* After this a writer either is seen as `writing` or sees the limit: now the end is defined. */
    ring_fence_heavy(ring);
    atomic_store(&ring->state, RING_CLOSED);
    atomic_fetch_add(&ring->room_word, 1);
    park_wake(&ring->room_word);
    for (uint64_t set = atomic_load(&ring->open); set != 0; set &= set - 1) {
        ring_wake_cursor(ring, &ring->cursors[__builtin_ctzll(set)]);
    }
}

void ring_reopen(struct kodama_ring *ring)
{
    if (ring_state(ring) != RING_CLOSED) return;
    /* The limit stays 0 and makes the next writer look at all lossless cursors. */
    atomic_fetch_add(&ring->epoch, 1);
    atomic_store(&ring->state, RING_OPEN);
}

struct kodama_format kodama_ring_format(const struct kodama_ring *ring)
{
    return ring->format;
}

uint64_t kodama_ring_capacity(const struct kodama_ring *ring)
{
    return ring->capacity;
}

uint64_t kodama_ring_position(const struct kodama_ring *ring)
{
    return ring_head(ring);
}

uint64_t kodama_ring_oldest(const struct kodama_ring *ring)
{
    uint64_t head = ring_head(ring);
    return ring_min(ring_safe_from(ring), head);
}

bool kodama_ring_is_closed(const struct kodama_ring *ring)
{
    return ring_state(ring) != RING_OPEN;
}

static uint64_t load_count(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

void kodama_ring_stats(const struct kodama_ring *ring, struct kodama_ring_stats *stats)
{
    *stats = (struct kodama_ring_stats){
        .capacity_frames = ring->capacity,
        .capacity_bytes = ring->capacity_bytes,
        .frames_written = ring_head(ring),
        .writes = load_count(&ring->writes),
        .wakes = load_count(&ring->wakes),
        .marks_written = atomic_load_explicit(&ring->mark_head, memory_order_acquire),
        .gap_frames = load_count(&ring->gap_frames),
        .silent_frames = load_count(&ring->silent_frames),
        .n_cursors = (uint32_t)__builtin_popcountll(atomic_load(&ring->open)),
        .n_lossless = (uint32_t)__builtin_popcountll(atomic_load(&ring->lossless)),
    };
}
