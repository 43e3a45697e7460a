/* The list of sessions: opening, resuming and forgetting them, and what time does to them. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/clerk.h"
#include "serve/connection.h"

struct session *sessions_find(struct network *network, const char *id)
{
    for (struct session *s = network->sessions; s; s = s->next) {
        if (strcmp(s->id, id) == 0) return s;
    }
    return NULL;
}

static bool has_ended(struct session *s)
{
    mutex_lock(&s->mutex);
    bool ended = s->ended;
    mutex_unlock(&s->mutex);
    return ended;
}

void sessions_drop(struct network *network, struct session *session)
{
    for (struct session **at = &network->sessions; *at; at = &(*at)->next) {
        if (*at != session) continue;
        *at = session->next;
        METRICS_SUB(network->server->metrics.sessions, 1);
        mutex_lock(&session->mutex);
        session->dropped = true;
        bool parked = session->parked;
        mutex_unlock(&session->mutex);
        const struct store_ops *store = network->server->store.ops;
        if (store && store->durable && !parked && !atomic_load(&network->server->closing)) {
            clerk_remove(session);
        }
        schedule_session(session);
        session_unref(session);
        return;
    }
}

void sessions_add(struct network *network, struct session *session)
{
    session->next = network->sessions;
    network->sessions = session;
    METRICS_ADD(network->server->metrics.sessions, 1);
    session->away_ns = session->store_ns = clock_now_ns();
    network_tick_on(network);
}

/* Make room for a new session: one that has ended, or whose client took its leave, is not waited
 * for any longer. */
bool sessions_make_room(struct network *network)
{
    struct session *oldest = NULL;
    uint32_t n = store_count(&network->server->store);
    for (struct session *s = network->sessions; s; s = s->next) {
        n++;
        if (s->connection || (!s->left && !has_ended(s))) continue;
        if (!oldest || s->away_ns < oldest->away_ns) oldest = s;
    }
    if (n < network->server->config.max_sessions) return true;
    if (!oldest) return false;
    sessions_drop(network, oldest);
    return true;
}

static bool is_served(struct connection *connection, const struct settings *settings)
{
    if (!connection->dialect->work->recognizes) return true; /* the loader will see */
    if (!served_is(connection->server, settings->engine, "")) {
        connection_refuse(connection, "not_found", "that engine is not served here", 1008);
        return false;
    }
    if (!served_is(connection->server, "", settings->model)) {
        connection_refuse(connection, "not_found", "that model is not served here", 1008);
        return false;
    }
    return true;
}

struct session *sessions_open(struct connection *connection, const struct settings *settings)
{
    struct kodama_server *server = connection->server;
    struct network *network = server->network;
    struct kodama_error error = {0};
    if (settings_check(settings, &error) < 0) {
        connection_refuse(connection, "bad_setting", error.message, 1008);
        return NULL;
    }
    if (settings->encoding == ENCODING_OPUS && !connection->dialect->work->takes_packets) {
        connection_refuse(connection, "bad_setting", "opus is not heard here; send frames", 1008);
        return NULL;
    }
    if (!is_served(connection, settings)) return NULL;
    if (atomic_load(&server->stopping)) {
        METRICS_ADD(server->metrics.refused[REFUSED_STOPPING], 1);
        connection_refuse(connection, "shutdown", "the server is being stopped", 1001);
        return NULL;
    }
    if (!sessions_make_room(network)) {
        METRICS_ADD(server->metrics.refused[REFUSED_SESSIONS], 1);
        connection_refuse(connection, "full", "there are as many sessions as the server allows",
                          1013);
        return NULL;
    }
    struct session *session = session_create(server, connection->dialect, settings);
    if (!session) {
        connection_refuse(connection, "memory", "the server is out of memory", 1013);
        return NULL;
    }
    network_random(network, session->id, sizeof session->id);
    network_random(network, session->token, sizeof session->token);
    session->opened_ns = session->audio_ns = clock_now_ns();
    session->connection = connection;
    connection->session = session;
    sessions_add(network, session);
    METRICS_ADD(server->metrics.sessions_opened, 1);
    schedule_session(session);
    return session;
}

/* Have it saved and then taken from memory. Not one that has ended, or that nobody will ask for. */
static void park(struct session *session, uint64_t now_ns)
{
    struct kodama_server *server = session->server;
    if (!server->store.ops || !session->dialect->resumes || session->left) return;
    uint64_t gone_ns = now_ns - session->away_ns;
    uint64_t wait_ns = server->config.resume_ms * CLOCK_NS_PER_MS;
    session->store_ns = now_ns;
    mutex_lock(&session->mutex);
    session->to_be_parked = !session->ended && gone_ns < wait_ns;
    session->keep_ms = (uint32_t)((wait_ns - gone_ns) / CLOCK_NS_PER_MS);
    mutex_unlock(&session->mutex);
    schedule_session(session);
}

/* Have a durable store not forget one that says nothing; try again when it could not be saved. */
static void renew(struct session *session, uint64_t now_ns)
{
    const struct kodama_server *server = session->server;
    if (!server->store.ops || !server->store.ops->durable || !session->dialect->resumes) return;
    bool due = now_ns - session->store_ns > server->config.resume_ms * CLOCK_NS_PER_MS / 2;
    mutex_lock(&session->mutex);
    due = due || outbox_is_held(&session->outbox);
    if (due) session->to_be_renewed = true;
    mutex_unlock(&session->mutex);
    if (!due) return;
    session->store_ns = now_ns;
    schedule_session(session);
}

void sessions_leave(struct connection *connection)
{
    struct session *session = connection->session;
    if (!session) return;
    connection->session = NULL;
    session->connection = NULL;
    session->away_ns = clock_now_ns();
    mutex_lock(&session->mutex);
    session->n_moves++;
    mutex_unlock(&session->mutex);
    if (connection->server->config.park_ms == 0) park(session, session->away_ns);
}

void sessions_look_at(struct network *network, struct session *session)
{
    mutex_lock(&session->mutex);
    bool parked = session->parked && !session->dropped;
    mutex_unlock(&session->mutex);
    if (!parked || session->connection) return;
    METRICS_ADD(network->server->metrics.parked, 1);
    sessions_drop(network, session);
}

/* The longest lag is reported; a session that hears nothing, or hears for too long, ends. */
void sessions_tick(struct network *network, uint64_t now_ns)
{
    struct kodama_server *server = network->server;
    const struct kodama_server_config *config = &server->config;
    uint32_t lag_ms = 0, queued_ms = 0;
    struct session *next;
    bool lets_go = atomic_load(&server->served.n_retired) > 0;
    if (lets_go) served_tidy(server);
    for (struct session *s = network->sessions; s; s = next) {
        next = s->next;
        uint32_t lag = atomic_load_explicit(&s->lag_ms, memory_order_relaxed);
        if (lag > lag_ms) lag_ms = lag;
        queued_ms += lag;
        if (lets_go) schedule_session(s); /* that hears nothing: an older model waits for it */
        if (!s->connection) {
            if (!s->dialect->resumes || now_ns - s->away_ns > config->resume_ms * CLOCK_NS_PER_MS) {
                sessions_drop(network, s);
            } else if (now_ns - s->away_ns >= config->park_ms * CLOCK_NS_PER_MS &&
                       now_ns - s->store_ns >= config->park_ms * CLOCK_NS_PER_MS) {
                park(s, now_ns);
            }
            continue;
        }
        renew(s, now_ns);
        if (config->idle_ms && now_ns - s->audio_ns > config->idle_ms * CLOCK_NS_PER_MS) {
            (void)session_control(s, INBOX_STOP, "idle");
        }
        if (config->max_session_ms &&
            now_ns - s->opened_ns > config->max_session_ms * CLOCK_NS_PER_MS) {
            (void)session_control(s, INBOX_STOP, "limit");
        }
    }
    atomic_store_explicit(&server->metrics.lag_ms, lag_ms, memory_order_relaxed);
    atomic_store_explicit(&server->metrics.queued_ms, queued_ms, memory_order_relaxed);
    store_expire(&server->store, now_ns);
}

void sessions_stop(struct network *network)
{
    for (struct session *s = network->sessions; s; s = s->next) {
        (void)session_control(s, INBOX_STOP, "shutdown");
    }
}

bool sessions_drained(struct network *network)
{
    for (struct session *s = network->sessions; s; s = s->next) {
        if (s->connection || !has_ended(s)) return false;
    }
    for (struct connection *c = network->connections; c; c = c->next) {
        if (c->farewell || c->upload) return false;
    }
    return true;
}
