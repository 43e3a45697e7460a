/* The clerk: a thread for what has to wait and belongs to sessions. */
#include "serve/clerk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/internal.h"
#include "serve/store.h"

struct clerk_job {
    struct clerk_job *next;
    void (*run)(struct kodama_server *server, struct clerk_job *job);
    struct session *session; /* with a reference */
    void *state;             /* of a session, to be closed */
    struct fetched *fetched;
};

/* Whoever knows both may have it. */
static void make_key(char *key, size_t n_bytes, const char *id, const char *token)
{
    snprintf(key, n_bytes, "%s.%s", id, token);
}

/* So long a durable store keeps the copy of a session that is alive: the time in which it is
 * renewed, and more than what its client has to come back. */
static uint32_t renewed_ms(const struct kodama_server *server)
{
    return server->config.resume_ms < UINT32_MAX / 2 ? 2 * server->config.resume_ms : UINT32_MAX;
}

static void run_job(struct kodama_server *server, struct clerk_job *job)
{
    job->run(server, job);
    if (job->session) session_unref(job->session);
    free(job);
}

/** Queue a job; a reference to its session is taken. False: no memory. */
static bool push(struct clerk *clerk, struct clerk_job order)
{
    struct clerk_job *job = malloc(sizeof *job);
    if (!job) return false;
    *job = order;
    if (job->session) session_ref(job->session);
    mutex_lock(&clerk->mutex);
    if (clerk->last) {
        clerk->last->next = job;
    } else {
        clerk->first = job;
    }
    clerk->last = job;
    condition_signal(&clerk->changed);
    mutex_unlock(&clerk->mutex);
    return true;
}

static void run_clerk(void *argument)
{
    struct clerk *clerk = argument;
    mutex_lock(&clerk->mutex);
    for (;;) {
        struct clerk_job *job = clerk->first;
        if (job) {
            clerk->first = job->next;
            if (!clerk->first) clerk->last = NULL;
            mutex_unlock(&clerk->mutex);
            run_job(clerk->server, job);
            mutex_lock(&clerk->mutex);
        } else if (clerk->ends) {
            break;
        } else {
            condition_wait(&clerk->changed, &clerk->mutex, CLOCK_NEVER);
        }
    }
    mutex_unlock(&clerk->mutex);
}

/* ------------------------------------------------------------------ loading */

static void run_begin(struct kodama_server *server, struct clerk_job *job)
{
    (void)server;
    job->session->dialect->work->begin(job->session);
    schedule_release(job->session, true);
}

void clerk_begin(struct session *session)
{
    struct clerk_job job = {.run = run_begin, .session = session};
    /* Without memory the worker does it. */
    if (push(&session->server->loader, job)) return;
    session->dialect->work->begin(session);
    schedule_release(session, true);
}

static void run_fetch_part(struct kodama_server *server, struct clerk_job *job)
{
    (void)server;
    job->session->dialect->work->fetch(job->session);
    schedule_session(job->session);
}

bool clerk_fetch_part(struct session *session)
{
    struct clerk_job job = {.run = run_fetch_part, .session = session};
    return push(&session->server->loader, job);
}

/* ------------------------------------------------------------------ closing */

static void run_close(struct kodama_server *server, struct clerk_job *job)
{
    (void)server;
    job->session->dialect->work->close(job->session, job->state);
}

void clerk_close(struct session *session)
{
    void *state = session->state;
    session->state = NULL;
    struct clerk_job job = {.run = run_close, .session = session, .state = state};
    /* Rather a worker held up than a recogniser lost. */
    if (!push(&session->server->clerk, job)) session->dialect->work->close(session, state);
}

/* ------------------------------------------------------------------- saving */

/* Put the session's record into the store. */
static int put(struct session *session, uint32_t keep_ms, struct session_saved *saved)
{
    const struct store *store = &session->server->store;
    struct record record = record_writer();
    char key[STORE_KEY_BYTES];
    make_key(key, sizeof key, session->id, session->token);
    int status = session_save(session, &record, saved);
    if (status == KODAMA_OK) {
        status = store->ops->put(store->state, key, record.data, record.n_bytes, keep_ms);
    }
    record_free(&record);
    return status;
}

/* And out of it. */
static void forget(const struct session *session)
{
    const struct store *store = &session->server->store;
    char key[STORE_KEY_BYTES];
    make_key(key, sizeof key, session->id, session->token);
    (void)store->ops->remove(store->state, key);
}

/* It was saved, or could not be. @return whether it has to be saved once more: its client came and
 * went in the meantime */
static bool note_saved(struct session *session, const struct session_saved *saved, int status,
                       uint32_t n_moves)
{
    const struct store *store = &session->server->store;
    bool is_saved = status == KODAMA_OK;
    mutex_lock(&session->mutex);
    session->saved_at = saved->frames;
    session->to_be_renewed = false;
    bool is_old = session->n_moves != n_moves;
    bool again = is_old && session->to_be_parked;
    session->parked = is_saved && !is_old && session->to_be_parked;
    session->to_be_parked = again;
    bool parked = session->parked;
    if (store->ops->durable && is_saved) {
        session->safe = saved->frames;
        outbox_release(&session->outbox, saved->seq);
    }
    mutex_unlock(&session->mutex);
    if (is_saved && !parked && !store->ops->durable) forget(session);
    schedule_notice(session);
    return again;
}

static void run_save(struct kodama_server *server, struct clerk_job *job)
{
    struct session *session = job->session;
    struct session_saved saved = {0};
    mutex_lock(&session->mutex);
    uint32_t n_moves = session->n_moves;
    uint32_t keep_ms = session->to_be_parked ? session->keep_ms : renewed_ms(server);
    bool dropped = session->dropped;
    mutex_unlock(&session->mutex);
    int status = dropped ? KODAMA_ERR_CANCELLED : put(session, keep_ms, &saved);
    bool again = note_saved(session, &saved, status, n_moves);
    schedule_release(session, again);
}

void clerk_save(struct session *session)
{
    struct clerk_job job = {.run = run_save, .session = session};
    if (!push(&session->server->clerk, job)) schedule_release(session, false);
}

static void run_remove(struct kodama_server *server, struct clerk_job *job)
{
    (void)server;
    forget(job->session);
}

void clerk_remove(struct session *session)
{
    (void)push(&session->server->clerk, (struct clerk_job){.run = run_remove, .session = session});
}

/* ----------------------------------------------------------------- fetching */

/* So that it can be taken up again should this process be lost now; as it is here, with the numbers
 * that this process gives, so that the next one begins behind them. */
static void keep_fetched(struct session *session)
{
    struct session_saved saved = {0};
    if (put(session, renewed_ms(session->server), &saved) == KODAMA_OK) {
        session->safe = saved.frames;
    }
}

static void run_fetch(struct kodama_server *server, struct clerk_job *job)
{
    struct clerk *clerk = &server->clerk;
    const struct store *store = &server->store;
    struct fetched *fetched = job->fetched;
    char key[STORE_KEY_BYTES];
    void *data = NULL;
    size_t n_bytes = 0;
    make_key(key, sizeof key, fetched->id, fetched->token);
    if (store->ops->take(store->state, key, &data, &n_bytes) == KODAMA_OK) {
        fetched->session = session_load(server, data, n_bytes);
    }
    if (fetched->session && store->ops->durable) keep_fetched(fetched->session);
    if (fetched->session) schedule_release(fetched->session, false);
    free(data);
    mutex_lock(&clerk->mutex);
    if (clerk->last_fetched) {
        clerk->last_fetched->next = fetched;
    } else {
        clerk->fetched = fetched;
    }
    clerk->last_fetched = fetched;
    mutex_unlock(&clerk->mutex);
    network_wake(server->network);
}

bool clerk_fetch(struct kodama_server *server, const char *id, const char *token,
                 uint64_t connection, uint64_t last_seq)
{
    if (!server->store.ops || strlen(id) >= SESSION_ID_BYTES || strlen(token) >= SESSION_ID_BYTES) {
        return false;
    }
    struct fetched *fetched = memory_array(1, sizeof *fetched);
    if (!fetched) return false;
    *fetched = (struct fetched){.connection = connection, .last_seq = last_seq};
    snprintf(fetched->id, sizeof fetched->id, "%s", id);
    snprintf(fetched->token, sizeof fetched->token, "%s", token);
    if (push(&server->clerk, (struct clerk_job){.run = run_fetch, .fetched = fetched})) return true;
    free(fetched);
    return false;
}

struct fetched *clerk_fetched(struct kodama_server *server)
{
    struct clerk *clerk = &server->clerk;
    mutex_lock(&clerk->mutex);
    struct fetched *first = clerk->fetched;
    clerk->fetched = clerk->last_fetched = NULL;
    mutex_unlock(&clerk->mutex);
    return first;
}

/* ------------------------------------------------------------ begin and end */

int clerk_start(struct kodama_server *server, struct kodama_error *error)
{
    struct clerk *clerks[] = {&server->clerk, &server->loader};
    int status = KODAMA_OK;
    for (int i = 0; i < 2 && status == KODAMA_OK; i++) {
        clerks[i]->server = server;
        status = thread_start(&clerks[i]->thread, i ? "kodama-loader" : "kodama-clerk", run_clerk,
                              clerks[i], error);
        clerks[i]->running = status == KODAMA_OK;
    }
    return status;
}

static void end_clerk(struct clerk *clerk)
{
    mutex_lock(&clerk->mutex);
    clerk->ends = true;
    condition_broadcast(&clerk->changed);
    mutex_unlock(&clerk->mutex);
    if (clerk->running) thread_join(&clerk->thread);
}

void clerk_stop(struct kodama_server *server)
{
    end_clerk(&server->loader);
    end_clerk(&server->clerk);
}

void clerk_free(struct kodama_server *server)
{
    struct fetched *next;
    for (struct fetched *f = clerk_fetched(server); f; f = next) {
        next = f->next;
        if (f->session) session_unref(f->session);
        free(f);
    }
}
