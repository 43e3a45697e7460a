/* The pool of decoders: which thread does what, and when. */
#include "speech/decoder_pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"

enum {
    STEP_SAMPLES = 20 * ENGINE_HOP, /* heard between two looks at what else is waiting */
    /* A lease is begun at the utterance's beginning; catching up with more than this would cost
     * more than the partials are worth. */
    LATE_BEGIN_SAMPLES = 8 * ENGINE_RATE_HZ,
};

/** A lease whose utterance has stopped growing for so long may be taken by another utterance. */
static const uint64_t lease_idle_ns = CLOCK_NS_PER_S;

struct worker {
    struct decoder_pool *pool; /* constant */
    struct thread thread;      /* constant */
    void *decoder;             /* its own thread's; NULL: not opened yet */
    size_t heard;              /* its own thread's: samples of the leased utterance */
    float *samples;            /* its own thread's: STEP_SAMPLES */
    /* With the pool's lock. */
    bool open;                 /* decoder is there */
    bool busy;                 /* at work without the lock */
    bool broken;               /* its decoder could not be opened: it is gone */
    bool stale;                /* the decoder is in an utterance that nobody wants */
    struct decode_seat *lease; /* whose utterance the decoder is in; NULL: free */
    uint32_t lease_utterance;
    uint64_t last_heard_ns;
};

struct decode_seat {
    struct decoder_pool *pool;           /* constant */
    const struct decode_client_ops *ops; /* constant */
    void *user;                          /* constant */
    _Atomic bool stop_partial;           /* set by anybody, cleared when a partial begins */
    /* With the pool's lock. */
    struct decode_seat *next;
    struct decode_final *first, *last; /* confirmed finals in order, the running one included */
    struct decode_final *early;        /* not confirmed */
    bool running;                      /* a final that somebody wants is being decoded or told */
    uint64_t ready;                    /* order in which the first final became ready */
    uint32_t n_active;                 /* threads inside client_ops */
    uint32_t utterance;                /* in progress; 0: none */
    size_t available;                  /* its samples */
    bool due;                          /* a partial of them is due */
    uint64_t due_order;
    struct worker *lease;
    struct engine_context context;
};

struct decoder_pool {
    const struct engine_ops *ops; /* constant */
    void *model;                  /* constant */
    const struct kodama_log *log; /* constant */
    struct worker *workers;       /* constant */
    uint32_t n_workers;           /* constant once open */
    struct mutex mutex;
    struct condition work; /* something to do, or closing */
    struct condition done; /* a final was told, or a thread left client_ops */
    /* With the lock. */
    struct decode_seat *seats;
    uint64_t order; /* counts what became ready */
    bool closing;
    struct kodama_model_stats stats;
};

static void free_job(struct decode_final *job)
{
    if (!job) return;
    free(job->samples);
    free(job->context.data);
    engine_result_clear(&job->result);
    free(job);
}

static bool copy_context(struct engine_context *to, const struct engine_context *from)
{
    *to = (struct engine_context){0};
    if (!from->data) return true;
    to->data = memory_array(from->n_bytes, 1);
    if (!to->data) return false;
    memcpy(to->data, from->data, from->n_bytes);
    to->n_bytes = from->n_bytes;
    return true;
}

/* -------------------------------------------- what there is to do, lock held */

static struct decode_seat *ready_final(const struct decoder_pool *pool)
{
    struct decode_seat *best = NULL;
    for (struct decode_seat *seat = pool->seats; seat; seat = seat->next) {
        bool ready = seat->first && !seat->running;
        if (ready && (!best || seat->ready < best->ready)) best = seat;
    }
    return best;
}

static struct decode_seat *ready_early(const struct decoder_pool *pool)
{
    struct decode_seat *best = NULL;
    for (struct decode_seat *seat = pool->seats; seat; seat = seat->next) {
        bool ready =
            seat->early && seat->early->state == DECODE_WAITING && !seat->first && !seat->running;
        if (ready && (!best || seat->ready < best->ready)) best = seat;
    }
    return best;
}

/** A partial that is due and that no decoder is at. */
static struct decode_seat *due_partial(const struct decoder_pool *pool)
{
    struct decode_seat *best = NULL;
    for (struct decode_seat *seat = pool->seats; seat; seat = seat->next) {
        bool late = pool->ops->streaming && seat->available > LATE_BEGIN_SAMPLES;
        bool due = seat->due && !seat->lease && !late;
        if (due && (!best || seat->due_order < best->due_order)) best = seat;
    }
    return best;
}

/** Whether a worker other than this one could begin something at once. */
static bool is_free_elsewhere(const struct decoder_pool *pool, const struct worker *except,
                              bool open_only)
{
    for (uint32_t i = 0; i < pool->n_workers; i++) {
        const struct worker *worker = &pool->workers[i];
        if (worker == except || worker->busy || worker->broken || worker->lease) continue;
        if (worker->open || !open_only) return true;
    }
    return false;
}

enum work { WORK_NONE, WORK_FINAL, WORK_EARLY, WORK_PARTIAL, WORK_OPEN };

static void end_lease(struct worker *worker)
{
    if (!worker->lease) return;
    worker->lease->lease = NULL;
    worker->lease = NULL;
    worker->stale = true;
}

/** Whether all open decoders are in use and no further one is being opened: then the next final
 * shall not have to wait for that. */
static bool is_spare_wanted(const struct decoder_pool *pool)
{
    bool in_use = false;
    for (uint32_t i = 0; i < pool->n_workers; i++) {
        const struct worker *worker = &pool->workers[i];
        if (worker->busy && !worker->open) return false;
        if (worker->open && !worker->busy && !worker->lease) return false;
        if (worker->open) in_use = true;
    }
    return in_use;
}

static enum work pick(struct worker *worker, struct decode_seat **seat)
{
    struct decoder_pool *pool = worker->pool;
    bool open_elsewhere = is_free_elsewhere(pool, worker, true);
    if ((*seat = ready_final(pool))) {
        if (!worker->lease && (worker->open || !open_elsewhere)) return WORK_FINAL;
        if (worker->lease && !is_free_elsewhere(pool, worker, false)) {
            pool->stats.partials_shed++;
            end_lease(worker);
            return WORK_FINAL;
        }
    }
    struct decode_seat *partial = due_partial(pool);
    if (worker->lease) {
        *seat = worker->lease;
        if ((*seat)->due) return WORK_PARTIAL;
        if (!partial || clock_now_ns() - worker->last_heard_ns < lease_idle_ns) return WORK_NONE;
        end_lease(worker);
    }
    if (!worker->open && open_elsewhere) return WORK_NONE;
    if ((*seat = ready_early(pool))) return WORK_EARLY;
    *seat = partial;
    if (partial) return WORK_PARTIAL;
    return !worker->open && is_spare_wanted(pool) ? WORK_OPEN : WORK_NONE;
}

/* ------------------------------------------------------------------- finals */

/** Tell a final and forget it. Lock held, and again on return; let go in between. */
static void tell(struct decode_seat *seat, struct decode_final *job)
{
    struct decoder_pool *pool = seat->pool;
    if (job->status == KODAMA_OK) {
        free(seat->context.data);
        seat->context = job->context;
        job->context = (struct engine_context){0};
    }
    pool->stats.finals++;
    pool->stats.audio_ns += job->n_samples * (CLOCK_NS_PER_S / ENGINE_RATE_HZ);
    seat->n_active++;
    mutex_unlock(&pool->mutex);
    seat->ops->final(seat->user, job);
    mutex_lock(&pool->mutex);
    seat->n_active--;
    if (seat->first == job) {
        seat->first = job->next;
        if (!seat->first) seat->last = NULL;
    }
    seat->running = false;
    seat->ready = ++pool->order;
    free_job(job);
    condition_broadcast(&pool->work);
    condition_broadcast(&pool->done);
}

static void run_final(struct worker *worker, struct decode_seat *seat, struct decode_final *job)
{
    struct decoder_pool *pool = worker->pool;
    job->state = DECODE_RUNNING;
    seat->running = true;
    worker->busy = true;
    bool copied = copy_context(&job->context, &seat->context);
    condition_broadcast(&pool->work); /* others look whether there is more, or a lease to end */
    mutex_unlock(&pool->mutex);

    /* The seat may be left meanwhile: from here on only the job is looked at. */
    uint64_t begin = clock_thread_cpu_ns();
    if (copied) {
        job->status = pool->ops->decode(worker->decoder, job->samples, job->n_samples,
                                        &job->context, &job->cancel, &job->result, &job->error);
    } else {
        job->status = error_set(&job->error, KODAMA_ERR_MEMORY, "out of memory for an utterance");
    }
    job->cpu_ns = clock_thread_cpu_ns() - begin;

    mutex_lock(&pool->mutex);
    worker->busy = false;
    pool->stats.final_cpu_ns += job->cpu_ns;
    if (job->state == DECODE_ORPHAN) {
        pool->stats.finals_discarded++;
        free_job(job);
    } else if (job->early) {
        job->state = DECODE_HELD;
        seat->running = false;
    } else {
        tell(seat, job);
    }
}

/* ----------------------------------------------------------------- partials */

/** Whether the partial being made shall stop: its utterance is over, or a final needs the decoder.
 */
static bool shall_stop(struct decoder_pool *pool, struct decode_seat *seat)
{
    if (atomic_load_explicit(&seat->stop_partial, memory_order_relaxed)) return true;
    mutex_lock(&pool->mutex);
    bool stop = pool->closing || (ready_final(pool) && !is_free_elsewhere(pool, NULL, false));
    mutex_unlock(&pool->mutex);
    return stop;
}

/** Hear what there is and take the hypothesis. KODAMA_ERR_CANCELLED when told to stop. */
static int hear(struct worker *worker, struct decode_seat *seat, uint32_t utterance, size_t target,
                struct engine_result *result)
{
    struct decoder_pool *pool = worker->pool;
    target -= target % ENGINE_HOP;
    while (worker->heard < target) {
        if (shall_stop(pool, seat)) return KODAMA_ERR_CANCELLED;
        size_t n = target - worker->heard < STEP_SAMPLES ? target - worker->heard : STEP_SAMPLES;
        n = seat->ops->fetch(seat->user, utterance, worker->heard, worker->samples, n);
        n -= n % ENGINE_HOP;
        if (n == 0) return KODAMA_ERR_CANCELLED;
        int status = pool->ops->hear(worker->decoder, worker->samples, n);
        if (status < 0) return status;
        worker->heard += n;
    }
    return pool->ops->partial(worker->decoder, result);
}

/** Decode all of the growing utterance, as segment engines do. */
static int decode_again(struct worker *worker, struct decode_seat *seat, uint32_t utterance,
                        size_t target, struct engine_context *context, struct engine_result *result)
{
    float *samples = memory_array(target, sizeof *samples);
    if (!samples) return KODAMA_ERR_MEMORY;
    int status = KODAMA_ERR_CANCELLED;
    worker->heard = seat->ops->fetch(seat->user, utterance, 0, samples, target);
    if (worker->heard > 0) {
        status = worker->pool->ops->decode(worker->decoder, samples, worker->heard, context,
                                           &seat->stop_partial, result, NULL);
    }
    free(samples);
    return status;
}

static void run_partial(struct worker *worker, struct decode_seat *seat)
{
    struct decoder_pool *pool = worker->pool;
    bool streaming = pool->ops->streaming;
    uint32_t utterance = seat->utterance;
    size_t target = seat->available;
    bool begin = worker->lease != seat || worker->lease_utterance != utterance;
    struct engine_context context = {0};
    int status = KODAMA_OK;
    if (begin && !copy_context(&context, &seat->context)) status = KODAMA_ERR_MEMORY;
    worker->lease = seat; /* a segment engine's lasts for one hypothesis */
    worker->lease_utterance = utterance;
    seat->lease = worker;
    seat->due = false;
    seat->n_active++;
    worker->busy = true;
    atomic_store_explicit(&seat->stop_partial, false, memory_order_relaxed);
    mutex_unlock(&pool->mutex);

    struct engine_result result = {0};
    uint64_t cpu = clock_thread_cpu_ns();
    if (status == KODAMA_OK && streaming && begin) {
        status = pool->ops->begin(worker->decoder, &context);
        worker->heard = 0;
    }
    if (status == KODAMA_OK) {
        status = streaming ? hear(worker, seat, utterance, target, &result)
                           : decode_again(worker, seat, utterance, target, &context, &result);
    }
    cpu = clock_thread_cpu_ns() - cpu;
    if (status == KODAMA_OK) seat->ops->partial(seat->user, utterance, &result, worker->heard);
    engine_result_clear(&result);
    free(context.data);

    mutex_lock(&pool->mutex);
    worker->busy = false;
    worker->last_heard_ns = clock_now_ns();
    pool->stats.partial_cpu_ns += cpu;
    if (status == KODAMA_OK) pool->stats.partials++;
    bool wanted = seat->utterance == utterance;
    if (status == KODAMA_ERR_CANCELLED && wanted && !seat->due) {
        seat->due = true; /* interrupted for a final: still to be made */
        seat->due_order = ++pool->order;
    }
    if ((!streaming || status != KODAMA_OK) && status != KODAMA_ERR_CANCELLED) end_lease(worker);
    if (!streaming) {
        end_lease(worker);
        worker->stale = false;
    }
    seat->n_active--;
    condition_broadcast(&pool->work);
    condition_broadcast(&pool->done);
}

/* ------------------------------------------------------------------ threads */

/** Open the worker's decoder. Lock held, and again on return; let go in between. */
static bool open_decoder(struct worker *worker)
{
    struct decoder_pool *pool = worker->pool;
    struct kodama_error error = {0};
    worker->busy = true;
    mutex_unlock(&pool->mutex);
    int status = pool->ops->decoder_open(&worker->decoder, pool->model, &error);
    if (status < 0) {
        log_write(pool->log, KODAMA_LOG_WARNING, "one decoder less: %s", error.message);
    }
    mutex_lock(&pool->mutex);
    worker->busy = false;
    worker->open = status >= 0;
    worker->broken = status < 0;
    condition_broadcast(&pool->work);
    return worker->open;
}

static void work(void *argument)
{
    struct worker *worker = argument;
    struct decoder_pool *pool = worker->pool;
    mutex_lock(&pool->mutex);
    while (!pool->closing) {
        struct decode_seat *seat = NULL;
        if (worker->stale) {
            worker->stale = false;
            worker->busy = true;
            mutex_unlock(&pool->mutex);
            pool->ops->abandon(worker->decoder);
            mutex_lock(&pool->mutex);
            worker->busy = false;
            continue;
        }
        enum work kind = pick(worker, &seat);
        if (kind == WORK_NONE) {
            if (!worker->stale) condition_wait(&pool->work, &pool->mutex, CLOCK_NEVER);
            continue;
        }
        if (!worker->open) {
            if (!open_decoder(worker)) break;
            continue;
        }
        switch (kind) {
        case WORK_FINAL: run_final(worker, seat, seat->first); break;
        case WORK_EARLY: run_final(worker, seat, seat->early); break;
        case WORK_PARTIAL: run_partial(worker, seat); break;
        case WORK_OPEN:
        case WORK_NONE: break;
        }
    }
    mutex_unlock(&pool->mutex);
    if (worker->decoder) pool->ops->decoder_close(worker->decoder);
}

int decoder_pool_open(struct decoder_pool **opened, const struct engine_ops *ops, void *model,
                      uint32_t n_decoders, const struct kodama_log *log, struct kodama_error *error)
{
    *opened = NULL;
    struct decoder_pool *pool = memory_array(1, sizeof *pool);
    if (!pool) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    mutex_init(&pool->mutex);
    condition_init(&pool->work);
    condition_init(&pool->done);
    pool->ops = ops;
    pool->model = model;
    pool->log = log;
    pool->workers = memory_array(n_decoders, sizeof *pool->workers);
    int status = pool->workers ? KODAMA_OK : KODAMA_ERR_MEMORY;
    if (status < 0) error_set(error, status, "out of memory");
    if (status == KODAMA_OK) status = ops->decoder_open(&pool->workers[0].decoder, model, error);
    mutex_lock(&pool->mutex); /* n_workers is for those who have started */
    for (uint32_t i = 0; i < n_decoders && status == KODAMA_OK; i++) {
        struct worker *worker = &pool->workers[i];
        worker->pool = pool;
        worker->open = i == 0;
        worker->samples = memory_array(STEP_SAMPLES, sizeof *worker->samples);
        status = worker->samples ? KODAMA_OK : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
        if (status == KODAMA_OK) {
            status = thread_start(&worker->thread, "decoder", work, worker, error);
        }
        if (status == KODAMA_OK) pool->n_workers++;
    }
    bool started = pool->n_workers > 0;
    mutex_unlock(&pool->mutex);
    if (status != KODAMA_OK) {
        if (!started && pool->workers && pool->workers[0].decoder) {
            ops->decoder_close(pool->workers[0].decoder);
        }
        if (pool->workers) {
            for (uint32_t i = pool->n_workers; i < n_decoders; i++) free(pool->workers[i].samples);
        }
        decoder_pool_close(pool);
        return status;
    }
    *opened = pool;
    return KODAMA_OK;
}

void decoder_pool_close(struct decoder_pool *pool)
{
    if (!pool) return;
    mutex_lock(&pool->mutex);
    pool->closing = true;
    condition_broadcast(&pool->work);
    mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < pool->n_workers; i++) {
        thread_join(&pool->workers[i].thread);
        free(pool->workers[i].samples);
    }
    free(pool->workers);
    condition_destroy(&pool->done);
    condition_destroy(&pool->work);
    mutex_destroy(&pool->mutex);
    free(pool);
}

void decoder_pool_stats(struct decoder_pool *pool, struct kodama_model_stats *stats)
{
    mutex_lock(&pool->mutex);
    *stats = pool->stats;
    for (uint32_t i = 0; i < pool->n_workers; i++) {
        const struct worker *worker = &pool->workers[i];
        if (!worker->broken) stats->n_decoders++;
        if (worker->busy || worker->lease) stats->n_leased++;
    }
    for (const struct decode_seat *seat = pool->seats; seat; seat = seat->next) {
        for (const struct decode_final *job = seat->first; job; job = job->next) {
            if (job->state == DECODE_WAITING) stats->finals_waiting++;
        }
        if (seat->due) stats->partials_waiting++;
    }
    mutex_unlock(&pool->mutex);
}

/* -------------------------------------------------------------------- seats */

struct decode_seat *decode_seat_take(struct decoder_pool *pool, const struct decode_client_ops *ops,
                                     void *user)
{
    struct decode_seat *seat = memory_array(1, sizeof *seat);
    if (!seat) return NULL;
    seat->pool = pool;
    seat->ops = ops;
    seat->user = user;
    mutex_lock(&pool->mutex);
    seat->next = pool->seats;
    pool->seats = seat;
    mutex_unlock(&pool->mutex);
    return seat;
}

/** Give up a job that may be running: then its thread frees it. Lock held. */
static void drop(struct decode_final *job)
{
    if (job->state == DECODE_RUNNING) {
        atomic_store_explicit(&job->cancel, true, memory_order_relaxed);
        job->state = DECODE_ORPHAN;
    } else {
        free_job(job);
    }
}

static void hush(struct decode_seat *seat)
{
    seat->utterance = 0;
    seat->available = 0;
    seat->due = false;
    atomic_store_explicit(&seat->stop_partial, true, memory_order_relaxed);
    if (seat->lease) end_lease(seat->lease);
    condition_broadcast(&seat->pool->work);
}

void decode_seat_leave(struct decode_seat *seat)
{
    if (!seat) return;
    struct decoder_pool *pool = seat->pool;
    mutex_lock(&pool->mutex);
    hush(seat);
    struct decode_seat **link = &pool->seats;
    while (*link != seat) link = &(*link)->next;
    *link = seat->next;
    /* A job that is being told has a thread in client_ops: tell() frees it. */
    while (seat->n_active > 0) condition_wait(&pool->done, &pool->mutex, CLOCK_NEVER);
    while (seat->first) {
        struct decode_final *next = seat->first->next;
        drop(seat->first);
        seat->first = next;
    }
    if (seat->early) drop(seat->early);
    mutex_unlock(&pool->mutex);
    free(seat->context.data);
    free(seat);
}

/** Lock held. */
static void append(struct decode_seat *seat, struct decode_final *job)
{
    job->next = NULL;
    job->early = false;
    if (seat->last) {
        seat->last->next = job;
    } else {
        seat->first = job;
        if (!seat->running) seat->ready = ++seat->pool->order;
    }
    seat->last = job;
    condition_broadcast(&seat->pool->work);
}

void decode_seat_submit(struct decode_seat *seat, struct decode_final *job)
{
    struct decoder_pool *pool = seat->pool;
    mutex_lock(&pool->mutex);
    job->state = DECODE_WAITING;
    append(seat, job);
    if (!pool->ops->streaming && !is_free_elsewhere(pool, NULL, false)) {
        /* Segment engines look at this flag inside a hypothesis. */
        for (struct decode_seat *other = pool->seats; other; other = other->next) {
            if (!other->lease) continue;
            atomic_store_explicit(&other->stop_partial, true, memory_order_relaxed);
            pool->stats.partials_shed++;
            break;
        }
    }
    mutex_unlock(&pool->mutex);
}

void decode_seat_submit_early(struct decode_seat *seat, struct decode_final *job)
{
    mutex_lock(&seat->pool->mutex);
    job->state = DECODE_WAITING;
    job->early = true;
    seat->early = job;
    if (!seat->first && !seat->running) seat->ready = ++seat->pool->order;
    condition_broadcast(&seat->pool->work);
    mutex_unlock(&seat->pool->mutex);
}

void decode_seat_confirm(struct decode_seat *seat)
{
    struct decoder_pool *pool = seat->pool;
    mutex_lock(&pool->mutex);
    struct decode_final *job = seat->early;
    seat->early = NULL;
    if (job && job->state == DECODE_HELD) {
        seat->running = true; /* nothing of this seat overtakes it */
        tell(seat, job);
    } else if (job) {
        append(seat, job);
    }
    mutex_unlock(&pool->mutex);
}

void decode_seat_discard(struct decode_seat *seat)
{
    struct decoder_pool *pool = seat->pool;
    mutex_lock(&pool->mutex);
    struct decode_final *job = seat->early;
    seat->early = NULL;
    if (job) {
        if (job->state == DECODE_RUNNING) seat->running = false;
        if (job->state == DECODE_HELD) pool->stats.finals_discarded++;
        drop(job);
        condition_broadcast(&pool->work);
    }
    mutex_unlock(&pool->mutex);
}

void decode_seat_hear(struct decode_seat *seat, uint32_t utterance, size_t n_samples)
{
    struct decoder_pool *pool = seat->pool;
    mutex_lock(&pool->mutex);
    if (seat->due) {
        pool->stats.partials_shed++; /* overtaken before it was made */
    } else {
        seat->due_order = ++pool->order;
    }
    seat->utterance = utterance;
    seat->available = n_samples;
    seat->due = true;
    condition_broadcast(&pool->work);
    mutex_unlock(&pool->mutex);
}

void decode_seat_hush(struct decode_seat *seat)
{
    mutex_lock(&seat->pool->mutex);
    hush(seat);
    mutex_unlock(&seat->pool->mutex);
}

void decode_seat_drain(struct decode_seat *seat)
{
    struct decoder_pool *pool = seat->pool;
    mutex_lock(&pool->mutex);
    while (seat->first || (seat->running && !seat->early)) {
        condition_wait(&pool->done, &pool->mutex, CLOCK_NEVER);
    }
    mutex_unlock(&pool->mutex);
}

bool decode_seat_get_context(struct decode_seat *seat, struct engine_context *context)
{
    mutex_lock(&seat->pool->mutex);
    bool copied = copy_context(context, &seat->context);
    mutex_unlock(&seat->pool->mutex);
    return copied;
}

void decode_seat_set_context(struct decode_seat *seat, struct engine_context context)
{
    mutex_lock(&seat->pool->mutex);
    free(seat->context.data);
    seat->context = context;
    mutex_unlock(&seat->pool->mutex);
}
