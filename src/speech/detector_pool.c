/*
 * The detector pool: many live detectors on few threads.
 *
 * Two kinds of locks. A seat's guards its inbox, its results and whether it is scheduled, that is
 * in the pool's queue or on a thread; the pool's guards the queue. A seat's may be held when the
 * pool's is taken, never the other way round. Only the thread that a seat is on touches its
 * detector and the windows that it took from the inbox: the writer does not overwrite them before
 * they are given back.
 */
#include <kodama/detector_pool.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "base/waitable.h"

enum {
    THREADS_MAX = 256,
    INBOX_MS_MAX = 60000,
    TURN_NS = 2000000, /* a seat with a backlog lets the others go after this time */
    TURN_WINDOWS = 32, /* taken from the inbox at once */
};

struct kodama_detector_seat {
    /* Immutable. */
    struct kodama_detector_pool *pool;
    struct kodama_detector_seat_config config;
    struct kodama_detector *detector; /* the thread's that it is on */

    struct mutex mutex;
    struct condition changed; /* room, results, no longer scheduled */
    /* With the seat's lock. */
    float *inbox;                 /* [pool->n_inbox] windows, in a circle */
    uint64_t n_written, n_judged; /* samples; samples of windows that were given back */
    bool scheduled, leaving;
    int n_sleepers;                      /* at `changed` */
    struct kodama_detector_result *kept; /* [n_kept] in a circle; NULL: callback */
    uint64_t n_put, n_read;
    struct kodama_waitable waitable;
    bool signalled;
    /* With the pool's lock. */
    struct kodama_detector_seat *next; /* in the queue */
    uint64_t queued_ns;
};

struct kodama_detector_pool {
    /* Immutable after open. */
    struct kodama_detector_config detector;
    char *name, *model, *runtime, *provider; /* of the configuration, owned */
    uint32_t window;
    size_t n_inbox; /* windows */
    struct thread *threads;
    uint32_t n_threads;

    struct mutex mutex;
    struct condition work;
    /* With the lock. */
    struct kodama_detector_seat *first, *last; /* queue */
    uint32_t n_idle;                           /* threads at `work` */
    bool closing;
    struct kodama_detector_pool_stats stats;
};

/* ------------------------------------------------------------------------ the queue */

/* The seat is scheduled already. */
static void enqueue(struct kodama_detector_seat *seat)
{
    struct kodama_detector_pool *pool = seat->pool;
    uint64_t now = clock_now_ns();
    mutex_lock(&pool->mutex);
    seat->next = NULL;
    seat->queued_ns = now;
    if (pool->last)
        pool->last->next = seat;
    else
        pool->first = seat;
    pool->last = seat;
    pool->stats.n_waiting++;
    if (pool->n_idle > 0) condition_signal(&pool->work);
    mutex_unlock(&pool->mutex);
}

/* The seat that waits for longest; NULL: closing. Lock held. */
static struct kodama_detector_seat *dequeue(struct kodama_detector_pool *pool)
{
    while (!pool->first && !pool->closing) {
        pool->n_idle++;
        condition_wait(&pool->work, &pool->mutex, CLOCK_NEVER);
        pool->n_idle--;
    }
    struct kodama_detector_seat *seat = pool->first;
    if (!seat) return NULL;
    pool->first = seat->next;
    if (!pool->first) pool->last = NULL;
    pool->stats.n_waiting--;
    uint64_t now = clock_now_ns(), waited = now > seat->queued_ns ? now - seat->queued_ns : 0;
    pool->stats.wait_ns += waited;
    pool->stats.turns++;
    if (waited > pool->stats.wait_most_ns) pool->stats.wait_most_ns = waited;
    return seat;
}

/* --------------------------------------------------------------------------- judging */

/* Windows that can be judged now. Seat's lock held. */
static size_t n_ready(const struct kodama_detector_seat *seat)
{
    size_t n = (size_t)((seat->n_written - seat->n_judged) / seat->pool->window);
    size_t room = seat->kept ? seat->config.n_kept - (size_t)(seat->n_put - seat->n_read) : n;
    if (seat->leaving) return 0;
    return n < room ? n : room;
}

static void wake(struct kodama_detector_seat *seat)
{
    if (seat->n_sleepers > 0) condition_broadcast(&seat->changed);
}

/* Judge n windows in a row; no lock held. */
static void judge(struct kodama_detector_seat *seat, uint64_t begin, size_t n,
                  struct kodama_detector_result *results)
{
    const uint32_t window = seat->pool->window;
    for (size_t i = 0; i < n; i++) {
        size_t place = (size_t)(begin / window % seat->pool->n_inbox);
        struct kodama_detector_result *result = &results[i];
        *result = (struct kodama_detector_result){
            .begin = begin,
            .n_samples = window,
            .probability = kodama_detector_process(seat->detector, seat->inbox + place * window),
        };
        if (!seat->kept) seat->config.on_result(seat->config.user, result);
        begin += window;
    }
}

static void keep(struct kodama_detector_seat *seat, const struct kodama_detector_result *results,
                 size_t n)
{
    for (size_t i = 0; i < n; i++) seat->kept[seat->n_put++ % seat->config.n_kept] = results[i];
    if (n == 0 || seat->signalled || !waitable_exists(seat->waitable)) return;
    seat->signalled = true;
    waitable_signal(seat->waitable);
}

/* One turn of a seat on a thread. Returns the windows judged. */
static size_t take_turn(struct kodama_detector_seat *seat)
{
    struct kodama_detector_result results[TURN_WINDOWS];
    uint64_t end = clock_now_ns() + TURN_NS;
    size_t n_judged = 0, n;
    mutex_lock(&seat->mutex);
    while ((n = n_ready(seat)) > 0) {
        if (n_judged > 0 && clock_now_ns() >= end) break;
        if (n > TURN_WINDOWS) n = TURN_WINDOWS;
        uint64_t begin = seat->n_judged;
        mutex_unlock(&seat->mutex);
        judge(seat, begin, n, results);
        mutex_lock(&seat->mutex);
        if (seat->kept) keep(seat, results, n);
        seat->n_judged += (uint64_t)n * seat->pool->window;
        n_judged += n;
        wake(seat);
    }
    if (n > 0) {
        enqueue(seat);
    } else {
        seat->scheduled = false;
        wake(seat);
    }
    mutex_unlock(&seat->mutex); /* from here on the seat may be gone */
    return n_judged;
}

static void run_thread(void *argument)
{
    struct kodama_detector_pool *pool = argument;
    mutex_lock(&pool->mutex);
    for (;;) {
        struct kodama_detector_seat *seat = dequeue(pool);
        if (!seat) break;
        mutex_unlock(&pool->mutex);
        uint64_t cpu = clock_thread_cpu_ns();
        size_t n = take_turn(seat);
        cpu = clock_thread_cpu_ns() - cpu;
        mutex_lock(&pool->mutex);
        pool->stats.windows += n;
        pool->stats.busy_ns += cpu;
    }
    mutex_unlock(&pool->mutex);
}

/* A seat that can be judged, and is not scheduled, is. Seat's lock held. */
static void schedule(struct kodama_detector_seat *seat)
{
    if (seat->scheduled || n_ready(seat) == 0) return;
    seat->scheduled = true;
    enqueue(seat);
}

/* ------------------------------------------------------------------ writing and reading */

/* Sleep until something changed. False: the deadline has passed. Seat's lock held. */
static bool sleep_on(struct kodama_detector_seat *seat, uint64_t deadline_ns)
{
    seat->n_sleepers++;
    bool in_time = condition_wait(&seat->changed, &seat->mutex, deadline_ns);
    seat->n_sleepers--;
    return in_time;
}

static size_t put(struct kodama_detector_seat *seat, const float *samples, size_t n_samples)
{
    const size_t room = seat->pool->n_inbox * seat->pool->window;
    size_t free_samples = room - (size_t)(seat->n_written - seat->n_judged);
    size_t n = n_samples < free_samples ? n_samples : free_samples;
    size_t at = (size_t)(seat->n_written % room);
    size_t first = n < room - at ? n : room - at;
    memcpy(seat->inbox + at, samples, first * sizeof *samples);
    memcpy(seat->inbox, samples + first, (n - first) * sizeof *samples);
    seat->n_written += n;
    return n;
}

int64_t kodama_detector_seat_write(struct kodama_detector_seat *seat, const float *samples,
                                   size_t n_samples, int64_t timeout_ns)
{
    size_t taken = 0;
    uint64_t deadline_ns = 0;
    if (n_samples == 0) return 0;
    mutex_lock(&seat->mutex);
    for (;;) {
        size_t n = put(seat, samples + taken, n_samples - taken);
        taken += n;
        if (n > 0) schedule(seat);
        if (taken == n_samples || timeout_ns == 0) break;
        if (deadline_ns == 0) deadline_ns = clock_deadline(timeout_ns);
        if (!sleep_on(seat, deadline_ns)) break;
    }
    mutex_unlock(&seat->mutex);
    if (taken > 0) return (int64_t)taken;
    return timeout_ns == 0 ? KODAMA_ERR_FULL : KODAMA_ERR_TIMEOUT;
}

int64_t kodama_detector_seat_read(struct kodama_detector_seat *seat,
                                  struct kodama_detector_result *results, size_t max_results,
                                  int64_t timeout_ns)
{
    uint64_t deadline_ns = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns);
    if (!seat->kept || !results || max_results == 0) return KODAMA_ERR_ARGUMENT;
    mutex_lock(&seat->mutex);
    while (seat->n_put == seat->n_read && timeout_ns != 0)
        if (!sleep_on(seat, deadline_ns)) break;
    size_t n = (size_t)(seat->n_put - seat->n_read);
    if (n > max_results) n = max_results;
    for (size_t i = 0; i < n; i++) results[i] = seat->kept[seat->n_read++ % seat->config.n_kept];
    if (seat->signalled && seat->n_put == seat->n_read) {
        seat->signalled = false;
        waitable_clear(seat->waitable);
    }
    if (n > 0) schedule(seat); /* it may have waited for room */
    mutex_unlock(&seat->mutex);
    if (n > 0) return (int64_t)n;
    return timeout_ns == 0 ? KODAMA_ERR_EMPTY : KODAMA_ERR_TIMEOUT;
}

struct kodama_waitable kodama_detector_seat_waitable(struct kodama_detector_seat *seat)
{
    mutex_lock(&seat->mutex);
    if (seat->kept && !waitable_exists(seat->waitable) &&
        waitable_create(&seat->waitable) == KODAMA_OK && seat->n_put > seat->n_read) {
        seat->signalled = true;
        waitable_signal(seat->waitable);
    }
    struct kodama_waitable waitable = seat->waitable;
    mutex_unlock(&seat->mutex);
    return waitable;
}

int kodama_detector_seat_drain(struct kodama_detector_seat *seat, int64_t timeout_ns)
{
    uint64_t deadline_ns = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns);
    mutex_lock(&seat->mutex);
    bool done;
    do {
        done = seat->n_written - seat->n_judged < seat->pool->window;
    } while (!done && timeout_ns != 0 && sleep_on(seat, deadline_ns));
    mutex_unlock(&seat->mutex);
    return done ? KODAMA_OK : KODAMA_ERR_TIMEOUT;
}

/* ------------------------------------------------------------------- taking and leaving */

static void free_seat(struct kodama_detector_seat *seat)
{
    kodama_detector_close(seat->detector);
    waitable_destroy(seat->waitable);
    condition_destroy(&seat->changed);
    mutex_destroy(&seat->mutex);
    free(seat->inbox);
    free(seat->kept);
    free(seat);
}

int kodama_detector_seat_take(struct kodama_detector_seat **taken,
                              struct kodama_detector_pool *pool,
                              const struct kodama_detector_seat_config *config,
                              struct kodama_error *error)
{
    const struct kodama_detector_seat_config defaults = KODAMA_DETECTOR_SEAT_CONFIG_INIT;
    if (!taken) return error_set(error, KODAMA_ERR_ARGUMENT, "detector pool: no place for a seat");
    *taken = NULL;
    if (!config) config = &defaults;
    if (config->size < sizeof *config)
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "detector pool: fill the configuration with "
                         "KODAMA_DETECTOR_SEAT_CONFIG_INIT");
    struct kodama_detector_seat *seat = memory_array(1, sizeof *seat);
    if (!seat) return error_set(error, KODAMA_ERR_MEMORY, "detector pool: out of memory");
    seat->pool = pool;
    seat->config = *config;
    seat->waitable = WAITABLE_NONE;
    if (seat->config.n_kept == 0) seat->config.n_kept = (uint32_t)pool->n_inbox;
    mutex_init(&seat->mutex);
    condition_init(&seat->changed);
    seat->inbox = memory_array(pool->n_inbox * pool->window, sizeof *seat->inbox);
    if (!config->on_result) seat->kept = memory_array(seat->config.n_kept, sizeof *seat->kept);
    int status = seat->inbox && (seat->kept || config->on_result)
                     ? kodama_detector_open_with(&seat->detector, &pool->detector, error)
                     : error_set(error, KODAMA_ERR_MEMORY, "detector pool: out of memory");
    if (status < 0) {
        free_seat(seat);
        return status;
    }
    mutex_lock(&pool->mutex);
    pool->stats.n_seats++;
    mutex_unlock(&pool->mutex);
    *taken = seat;
    return KODAMA_OK;
}

void kodama_detector_seat_leave(struct kodama_detector_seat *seat)
{
    if (!seat) return;
    struct kodama_detector_pool *pool = seat->pool;
    mutex_lock(&seat->mutex);
    seat->leaving = true;
    while (seat->scheduled) sleep_on(seat, CLOCK_NEVER);
    mutex_unlock(&seat->mutex);
    mutex_lock(&pool->mutex);
    pool->stats.n_seats--;
    mutex_unlock(&pool->mutex);
    free_seat(seat);
}

/* --------------------------------------------------------------------------- the pool */

static int copy_config(struct kodama_detector_pool *pool,
                       const struct kodama_detector_config *config, struct kodama_error *error)
{
    const struct kodama_detector_config defaults = KODAMA_DETECTOR_CONFIG_INIT;
    if (!config) config = &defaults;
    if (config->size < sizeof *config)
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "detector: fill the configuration with KODAMA_DETECTOR_CONFIG_INIT");
    pool->detector = *config;
    pool->detector.size = sizeof pool->detector;
    pool->detector.name = pool->name = memory_text(config->name);
    pool->detector.model = pool->model = memory_text(config->model);
    pool->detector.runtime = pool->runtime = memory_text(config->runtime);
    pool->detector.provider = pool->provider = memory_text(config->provider);
    if ((config->name && !pool->name) || (config->model && !pool->model) ||
        (config->runtime && !pool->runtime) || (config->provider && !pool->provider))
        return error_set(error, KODAMA_ERR_MEMORY, "detector pool: out of memory");
    return KODAMA_OK;
}

static int fill(struct kodama_detector_pool *pool, const struct kodama_detector_pool_config *config,
                struct kodama_error *error)
{
    if (config->size < sizeof *config || config->inbox_ms == 0 || config->inbox_ms > INBOX_MS_MAX)
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "detector pool: fill the configuration with "
                         "KODAMA_DETECTOR_POOL_CONFIG_INIT; inbox_ms is 1 to %d",
                         INBOX_MS_MAX);
    int status = copy_config(pool, config->detector, error);
    if (status < 0) return status;
    struct kodama_detector *detector;
    status = kodama_detector_open_with(&detector, &pool->detector, error);
    if (status < 0) return status;
    pool->window = kodama_detector_window(detector);
    kodama_detector_close(detector);
    uint64_t inbox = (uint64_t)config->inbox_ms * pool->detector.rate_hz / 1000;
    pool->n_inbox = (size_t)(inbox / pool->window) + 1;
    uint32_t n_threads = config->n_threads ? config->n_threads : (uint32_t)thread_processors();
    if (n_threads > THREADS_MAX) n_threads = THREADS_MAX;
    pool->threads = memory_array(n_threads, sizeof *pool->threads);
    if (!pool->threads) return error_set(error, KODAMA_ERR_MEMORY, "detector pool: out of memory");
    for (uint32_t i = 0; i < n_threads && status == KODAMA_OK; i++) {
        status = thread_start(&pool->threads[i], "detectors", run_thread, pool, error);
        if (status == KODAMA_OK) pool->n_threads++;
    }
    return status;
}

int kodama_detector_pool_open(struct kodama_detector_pool **opened,
                              const struct kodama_detector_pool_config *config,
                              struct kodama_error *error)
{
    const struct kodama_detector_pool_config defaults = KODAMA_DETECTOR_POOL_CONFIG_INIT;
    if (!opened) return error_set(error, KODAMA_ERR_ARGUMENT, "detector pool: no place for it");
    *opened = NULL;
    struct kodama_detector_pool *pool = memory_array(1, sizeof *pool);
    if (!pool) return error_set(error, KODAMA_ERR_MEMORY, "detector pool: out of memory");
    mutex_init(&pool->mutex);
    condition_init(&pool->work);
    int status = fill(pool, config ? config : &defaults, error);
    if (status < 0) {
        kodama_detector_pool_close(pool);
        return status;
    }
    *opened = pool;
    return KODAMA_OK;
}

void kodama_detector_pool_close(struct kodama_detector_pool *pool)
{
    if (!pool) return;
    mutex_lock(&pool->mutex);
    pool->closing = true;
    condition_broadcast(&pool->work);
    mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < pool->n_threads; i++) thread_join(&pool->threads[i]);
    condition_destroy(&pool->work);
    mutex_destroy(&pool->mutex);
    free(pool->threads);
    free(pool->name);
    free(pool->model);
    free(pool->runtime);
    free(pool->provider);
    free(pool);
}

void kodama_detector_pool_stats(struct kodama_detector_pool *pool,
                                struct kodama_detector_pool_stats *stats)
{
    mutex_lock(&pool->mutex);
    *stats = pool->stats;
    stats->n_threads = pool->n_threads;
    mutex_unlock(&pool->mutex);
}

uint32_t kodama_detector_pool_window(const struct kodama_detector_pool *pool)
{
    return pool->window;
}
