/*
 * The schedule: sessions that have something to do wait for a worker; of them the one goes first
 * whose deadline is first. One slice, then they wait again. A session is with at most one worker;
 * what comes in while it runs lets it run once more.
 *
 * Deadlines are the beginning of the wait and as much as a kind of work allows, so the queue of
 * each kind is in order by itself, and only the first ones have to be compared.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "serve/internal.h"

/* Lock held. @return whether it was put into the queue */
static bool enqueue(struct schedule *schedule, struct session *session)
{
    if (session->turn == TURN_RUNNING) session->turn = TURN_AGAIN;
    if (session->turn != TURN_NONE || schedule->workers_ended) return false;
    struct queue *queue = &schedule->queues[session->dialect->work->kind];
    session->turn = TURN_QUEUED;
    METRICS_ADD(session->server->metrics.waiting, 1);
    session->next_turn = NULL;
    session->queued_ns = clock_now_ns();
    session_ref(session);
    if (queue->last) {
        queue->last->next_turn = session;
    } else {
        queue->first = session;
    }
    queue->last = session;
    return true;
}

void schedule_session(struct session *session)
{
    struct schedule *schedule = &session->server->schedule;
    mutex_lock(&schedule->mutex);
    bool queued = enqueue(schedule, session);
    mutex_unlock(&schedule->mutex);
    /* With the lock held the worker would wake up only to wait for it. */
    if (queued) condition_signal(&schedule->changed);
}

void schedule_heard(struct kodama_server *server, struct session *first)
{
    struct schedule *schedule = &server->schedule;
    uint32_t n = 0;
    mutex_lock(&schedule->mutex);
    for (struct session *s = first; s; s = s->next_heard) {
        s->has_heard = false;
        if (enqueue(schedule, s)) n++;
    }
    mutex_unlock(&schedule->mutex);
    if (n > schedule->n_workers) n = schedule->n_workers;
    while (n-- > 0) condition_signal(&schedule->changed);
    struct session *next;
    for (struct session *s = first; s; s = next) {
        next = s->next_heard;
        session_unref(s);
    }
}

void schedule_release(struct session *session, bool more)
{
    struct schedule *schedule = &session->server->schedule;
    mutex_lock(&schedule->mutex);
    more = more || session->turn == TURN_AGAIN;
    session->turn = TURN_NONE;
    mutex_unlock(&schedule->mutex);
    if (more) schedule_session(session);
}

static struct session *take(struct schedule *schedule)
{
    struct queue *first = NULL;
    uint64_t first_ns = CLOCK_NEVER;
    for (size_t i = 0; i < SESSION_KINDS; i++) {
        const struct session *session = schedule->queues[i].first;
        uint64_t due_ns =
            session ? session->queued_ns + session->dialect->work->deadline_ns : CLOCK_NEVER;
        if (due_ns >= first_ns) continue;
        first = &schedule->queues[i];
        first_ns = due_ns;
    }
    if (!first) return NULL;
    struct session *session = first->first;
    first->first = session->next_turn;
    if (!first->first) first->last = NULL;
    session->turn = TURN_RUNNING;
    METRICS_SUB(session->server->metrics.waiting, 1);
    return session;
}

static void run_worker(void *argument)
{
    struct kodama_server *server = argument;
    struct schedule *schedule = &server->schedule;
    mutex_lock(&schedule->mutex);
    for (;;) {
        struct session *session = take(schedule);
        if (!session) {
            if (schedule->closing) break;
            condition_wait(&schedule->changed, &schedule->mutex, CLOCK_NEVER);
            continue;
        }
        mutex_unlock(&schedule->mutex);
        uint64_t began = clock_now_ns();
        enum session_next next = session_run(session, began);
        uint64_t took = clock_now_ns() - began;
        METRICS_ADD(server->metrics.worker_ns, took);
        metrics_most(&server->metrics.longest_slice_ns, took);
        if (next == SESSION_IS_SAVED) {
            clerk_save(session); /* the turn is its */
        } else if (next == SESSION_IS_BEGUN) {
            clerk_begin(session); /* likewise */
        } else {
            schedule_release(session, next == SESSION_GOES_ON);
        }
        session_unref(session);
        mutex_lock(&schedule->mutex);
    }
    mutex_unlock(&schedule->mutex);
}

void schedule_notice(struct session *session)
{
    struct kodama_server *server = session->server;
    struct schedule *schedule = &server->schedule;
    mutex_lock(&schedule->mutex);
    bool wake = false;
    if (!session->noticed) {
        session->noticed = true;
        session->next_noticed = schedule->noticed;
        schedule->noticed = session;
        session_ref(session);
        wake = !schedule->noticing;
        schedule->noticing = true;
    }
    mutex_unlock(&schedule->mutex);
    if (wake) network_wake(server->network);
}

struct session *schedule_noticed(struct kodama_server *server)
{
    struct schedule *schedule = &server->schedule;
    mutex_lock(&schedule->mutex);
    struct session *first = schedule->noticed;
    schedule->noticed = NULL;
    schedule->noticing = false;
    mutex_unlock(&schedule->mutex);
    return first;
}

struct session *schedule_noticed_next(struct session *session)
{
    struct schedule *schedule = &session->server->schedule;
    mutex_lock(&schedule->mutex);
    struct session *next = session->next_noticed;
    session->noticed = false;
    mutex_unlock(&schedule->mutex);
    return next;
}

int schedule_start(struct kodama_server *server, uint32_t n_workers, struct kodama_error *error)
{
    struct schedule *schedule = &server->schedule;
    int status = KODAMA_OK;
    while (status == KODAMA_OK && schedule->n_workers < n_workers) {
        status = thread_start(&schedule->workers[schedule->n_workers], "kodama-session", run_worker,
                              server, error);
        if (status == KODAMA_OK) schedule->n_workers++;
    }
    return status;
}

void schedule_stop(struct kodama_server *server)
{
    struct schedule *schedule = &server->schedule;
    mutex_lock(&schedule->mutex);
    schedule->closing = true;
    condition_broadcast(&schedule->changed);
    mutex_unlock(&schedule->mutex);
    for (uint32_t i = 0; i < schedule->n_workers; i++) thread_join(&schedule->workers[i]);
    mutex_lock(&schedule->mutex);
    schedule->workers_ended = true;
    mutex_unlock(&schedule->mutex);
    clerk_stop(server);
    /* A decoder may have had a session queued after the last worker looked. */
    struct session *left;
    while ((left = take(schedule))) session_unref(left);
}
