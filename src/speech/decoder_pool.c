/* The pool of decoders: which thread does what, and when. */
#include "speech/decoder_pool_internal.h"

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

/** Segment engines decode all of an utterance for each partial, so partials cost more and more:
 * the audio must have grown by so many times what the last one took. Three leaves two thirds of a
 * decoder to others. */
enum { PACE = 3 };

/** A lease whose utterance has stopped growing for so long may be taken by another utterance. */
static const uint64_t lease_idle_ns = CLOCK_NS_PER_S;

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

bool decoder_is_free(const struct decoder_pool *pool, const struct worker *except, bool open_only)
{
    for (uint32_t i = 0; i < pool->n_workers; i++) {
        const struct worker *worker = &pool->workers[i];
        if (worker == except || worker->busy || worker->broken || worker->lease) continue;
        if (worker->open || !open_only) return true;
    }
    return false;
}

void decoder_end_lease(struct worker *worker)
{
    if (!worker->lease) return;
    worker->lease->lease = NULL;
    worker->lease = NULL;
    worker->stale = true;
}

enum work { WORK_NONE, WORK_FINAL, WORK_EARLY, WORK_PARTIAL, WORK_OPEN };

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
    bool open_elsewhere = decoder_is_free(pool, worker, true);
    if ((*seat = ready_final(pool))) {
        if (!worker->lease && (worker->open || !open_elsewhere)) return WORK_FINAL;
        if (worker->lease && !decoder_is_free(pool, worker, false)) {
            pool->stats.partials_shed++;
            decoder_end_lease(worker);
            return WORK_FINAL;
        }
    }
    struct decode_seat *partial = due_partial(pool);
    if (worker->lease) {
        *seat = worker->lease;
        if ((*seat)->due) return WORK_PARTIAL;
        if (!partial || clock_now_ns() - worker->last_heard_ns < lease_idle_ns) return WORK_NONE;
        decoder_end_lease(worker);
    }
    if (!worker->open && open_elsewhere) return WORK_NONE;
    if ((*seat = ready_early(pool))) return WORK_EARLY;
    *seat = partial;
    if (partial) return WORK_PARTIAL;
    return !worker->open && is_spare_wanted(pool) ? WORK_OPEN : WORK_NONE;
}

/* ------------------------------------------------------------------- finals */

static void run_final(struct worker *worker, struct decode_seat *seat, struct decode_final *job)
{
    struct decoder_pool *pool = worker->pool;
    job->state = DECODE_RUNNING;
    seat->running = true;
    worker->busy = true;
    bool copied = decode_context_copy(&job->context, &seat->context);
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
        decode_job_free(job);
    } else if (job->early) {
        job->state = DECODE_HELD;
        seat->running = false;
    } else {
        decode_seat_tell(seat, job);
    }
}

/* ----------------------------------------------------------------- partials */

/** Whether the partial being made shall stop: its utterance is over, or a final needs the decoder.
 */
static bool shall_stop(struct decoder_pool *pool, struct decode_seat *seat)
{
    if (atomic_load_explicit(&seat->stop_partial, memory_order_relaxed)) return true;
    mutex_lock(&pool->mutex);
    bool stop = pool->closing || (ready_final(pool) && !decoder_is_free(pool, NULL, false));
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
    const struct engine_ops *ops = worker->pool->ops;
    if (worker->heard > 0 && ops->guess) {
        status = ops->guess(worker->decoder, samples, worker->heard, context, &seat->stop_partial,
                            result);
    } else if (worker->heard > 0) {
        status = ops->decode(worker->decoder, samples, worker->heard, context, &seat->stop_partial,
                             result, NULL);
    }
    free(samples);
    return status;
}

/** When the next partial of an utterance is worth its cost. Wall time, so that a machine with much
 * else to do makes fewer. Lock held. */
static void pace(struct worker *worker, struct decode_seat *seat, uint32_t utterance,
                 uint64_t took_ns)
{
    if (worker->pool->ops->streaming) return;
    seat->paced = utterance;
    seat->pace = worker->heard + (size_t)(took_ns * PACE / (CLOCK_NS_PER_S / ENGINE_RATE_HZ));
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
    if (begin && !decode_context_copy(&context, &seat->context)) status = KODAMA_ERR_MEMORY;
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
    uint64_t since = clock_now_ns();
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
    if (status == KODAMA_OK) {
        pool->stats.partials++;
        pace(worker, seat, utterance, worker->last_heard_ns - since);
    }
    bool wanted = seat->utterance == utterance;
    if (status == KODAMA_ERR_CANCELLED && wanted && !seat->due) {
        seat->due = true; /* interrupted for a final: still to be made */
        seat->due_order = ++pool->order;
    }
    if ((!streaming || status != KODAMA_OK) && status != KODAMA_ERR_CANCELLED)
        decoder_end_lease(worker);
    if (!streaming) {
        decoder_end_lease(worker);
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
        if (worker->open && (worker->busy || worker->lease)) stats->n_leased++;
    }
    for (const struct decode_seat *seat = pool->seats; seat; seat = seat->next) {
        for (const struct decode_final *job = seat->first; job; job = job->next) {
            if (job->state == DECODE_WAITING) stats->finals_waiting++;
        }
        if (seat->due) stats->partials_waiting++;
    }
    mutex_unlock(&pool->mutex);
}
