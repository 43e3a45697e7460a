/*
 * The schedule: sessions that have something to do wait in one queue for a worker; one slice, then
 * they go to its end. A session is with at most one worker; what comes in while it runs lets it run
 * once more.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "serve/internal.h"

/* Lock held. @return whether it was put into the queue */
static bool queue(struct schedule *schedule, struct session *session)
{
    if (session->turn == TURN_RUNNING) session->turn = TURN_AGAIN;
    if (session->turn != TURN_NONE || schedule->workers_ended) return false;
    session->turn = TURN_QUEUED;
    session->next_turn = NULL;
    session_ref(session);
    if (schedule->last) {
        schedule->last->next_turn = session;
    } else {
        schedule->first = session;
    }
    schedule->last = session;
    return true;
}

void schedule_session(struct session *session)
{
    struct schedule *schedule = &session->server->schedule;
    mutex_lock(&schedule->mutex);
    if (queue(schedule, session)) condition_signal(&schedule->changed);
    mutex_unlock(&schedule->mutex);
}

void schedule_heard(struct kodama_server *server, struct session *first)
{
    struct schedule *schedule = &server->schedule;
    uint32_t n = 0;
    mutex_lock(&schedule->mutex);
    for (struct session *s = first; s; s = s->next_heard) {
        s->has_heard = false;
        if (queue(schedule, s) && n++ < schedule->n_workers) condition_signal(&schedule->changed);
    }
    mutex_unlock(&schedule->mutex);
    struct session *next;
    for (struct session *s = first; s; s = next) {
        next = s->next_heard;
        session_unref(s);
    }
}

static struct session *take(struct schedule *schedule)
{
    struct session *session = schedule->first;
    if (!session) return NULL;
    schedule->first = session->next_turn;
    if (!schedule->first) schedule->last = NULL;
    session->turn = TURN_RUNNING;
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
        bool more = session_run(session);
        uint64_t took = clock_now_ns() - began;
        METRICS_ADD(server->metrics.worker_ns, took);
        metrics_most(&server->metrics.longest_slice_ns, took);
        mutex_lock(&schedule->mutex);
        more = more || session->turn == TURN_AGAIN;
        session->turn = TURN_NONE;
        mutex_unlock(&schedule->mutex);
        if (more) schedule_session(session);
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

/* ------------------------------------------------------- closing recognisers */

/** One to be closed: the recogniser is taken from its session, which it may still call until it is
 * closed. */
struct closing {
    struct closing *next;
    struct kodama_recognizer *recognizer;
    struct session *session;
};

static void close_one(struct closing *closing)
{
    kodama_recognizer_close(closing->recognizer);
    session_unref(closing->session);
    free(closing);
}

void schedule_close(struct session *session)
{
    struct schedule *schedule = &session->server->schedule;
    struct closing *closing = malloc(sizeof *closing);
    session_ref(session);
    struct closing now = {.recognizer = session->recognizer, .session = session};
    session->recognizer = NULL;
    if (!closing) { /* rather a worker held up than a recogniser lost */
        kodama_recognizer_close(now.recognizer);
        session_unref(session);
        return;
    }
    *closing = now;
    mutex_lock(&schedule->mutex);
    closing->next = schedule->to_be_closed;
    schedule->to_be_closed = closing;
    condition_signal(&schedule->close);
    mutex_unlock(&schedule->mutex);
}

static void run_closer(void *argument)
{
    struct schedule *schedule = &((struct kodama_server *)argument)->schedule;
    mutex_lock(&schedule->mutex);
    for (;;) {
        struct closing *closing = schedule->to_be_closed;
        if (closing) {
            schedule->to_be_closed = closing->next;
            mutex_unlock(&schedule->mutex);
            close_one(closing);
            mutex_lock(&schedule->mutex);
        } else if (schedule->workers_ended) {
            break;
        } else {
            condition_wait(&schedule->close, &schedule->mutex, CLOCK_NEVER);
        }
    }
    mutex_unlock(&schedule->mutex);
}

int schedule_start(struct kodama_server *server, uint32_t n_workers, struct kodama_error *error)
{
    struct schedule *schedule = &server->schedule;
    int status = thread_start(&schedule->closer, "kodama-closer", run_closer, server, error);
    if (status < 0) return status;
    schedule->has_closer = true;
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
    condition_broadcast(&schedule->close);
    mutex_unlock(&schedule->mutex);
    if (schedule->has_closer) thread_join(&schedule->closer);
    /* A decoder may have had a session queued after the last worker looked. */
    struct session *left;
    while ((left = take(schedule))) session_unref(left);
}
