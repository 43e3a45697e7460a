/* The pool of decoders as a conversation sees it: its seat, what it submits, and how it is told. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "speech/decoder_pool_internal.h"

void decode_job_free(struct decode_final *job)
{
    if (!job) return;
    free(job->samples);
    free(job->context.data);
    engine_result_clear(&job->result);
    free(job);
}

bool decode_context_copy(struct engine_context *to, const struct engine_context *from)
{
    *to = (struct engine_context){0};
    memcpy(to->language, from->language, sizeof to->language);
    if (!from->data) return true;
    to->data = memory_array(from->n_bytes, 1);
    if (!to->data) return false;
    memcpy(to->data, from->data, from->n_bytes);
    to->n_bytes = from->n_bytes;
    return true;
}

/** Tell a final and forget it. Lock held, and again on return; let go in between. */
void decode_seat_tell(struct decode_seat *seat, struct decode_final *job)
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
    decode_job_free(job);
    condition_broadcast(&pool->work);
    condition_broadcast(&pool->done);
}

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
        decode_job_free(job);
    }
}

static void hush(struct decode_seat *seat)
{
    seat->utterance = 0;
    seat->available = 0;
    seat->due = false;
    atomic_store_explicit(&seat->stop_partial, true, memory_order_relaxed);
    if (seat->lease) decoder_end_lease(seat->lease);
    condition_broadcast(&seat->pool->work);
}

/** The end of a seat that no thread is inside of. Lock held. */
static void dissolve(struct decode_seat *seat)
{
    while (seat->first) {
        struct decode_final *next = seat->first->next;
        drop(seat->first);
        seat->first = next;
    }
    if (seat->early) drop(seat->early);
}

static void take_out(struct decode_seat *seat)
{
    struct decode_seat **link = &seat->pool->seats;
    while (*link != seat) link = &(*link)->next;
    *link = seat->next;
}

void decode_seat_leave(struct decode_seat *seat)
{
    if (!seat) return;
    struct decoder_pool *pool = seat->pool;
    mutex_lock(&pool->mutex);
    hush(seat);
    take_out(seat);
    /* A job that is being told has a thread in client_ops: decode_seat_tell() frees it. */
    while (seat->n_active > 0) condition_wait(&pool->done, &pool->mutex, CLOCK_NEVER);
    dissolve(seat);
    mutex_unlock(&pool->mutex);
    free(seat->context.data);
    free(seat);
}

bool decode_seat_try_leave(struct decode_seat *seat)
{
    struct decoder_pool *pool = seat->pool;
    mutex_lock(&pool->mutex);
    hush(seat);
    bool leaves = seat->n_active == 0;
    if (leaves) {
        take_out(seat);
        dissolve(seat);
    }
    mutex_unlock(&pool->mutex);
    if (!leaves) return false;
    free(seat->context.data);
    free(seat);
    return true;
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
    if (!pool->ops->streaming && !decoder_is_free(pool, NULL, false)) {
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
        decode_seat_tell(seat, job);
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
    if (seat->paced == utterance && n_samples < seat->pace) {
        seat->available = n_samples; /* not yet: see pace() */
        mutex_unlock(&pool->mutex);
        return;
    }
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
    bool copied = decode_context_copy(context, &seat->context);
    mutex_unlock(&seat->pool->mutex);
    return copied;
}

void decode_seat_set_context(struct decode_seat *seat, struct engine_context context)
{
    mutex_lock(&seat->pool->mutex);
    if (!context.language[0]) {
        memcpy(context.language, seat->context.language, sizeof context.language);
    }
    free(seat->context.data);
    seat->context = context;
    mutex_unlock(&seat->pool->mutex);
}
