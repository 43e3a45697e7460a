/* The list of sessions: opening, resuming and forgetting them, and what time does to them. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
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
        mutex_unlock(&session->mutex);
        schedule_session(session);
        session_unref(session);
        return;
    }
}

/* Make room for a new session: one that has ended, or whose client took its leave, is not waited
 * for any longer. */
static bool make_room(struct network *network)
{
    struct session *oldest = NULL;
    uint32_t n = 0;
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
    struct kodama_model *model = connection->server->model;
    if (settings->engine[0] && strcmp(settings->engine, kodama_model_engine(model)) != 0) {
        native_refuse(connection, "not_found", "that engine is not served here", 1008);
        return false;
    }
    if (settings->model[0] && strcmp(settings->model, "default") != 0 &&
        strcmp(settings->model, kodama_model_name(model)) != 0) {
        native_refuse(connection, "not_found", "that model is not served here", 1008);
        return false;
    }
    return true;
}

struct session *sessions_open(struct connection *connection, const struct settings *settings)
{
    struct kodama_server *server = connection->server;
    struct network *network = server->network;
    if (!is_served(connection, settings)) return NULL;
    if (atomic_load(&server->stopping)) {
        METRICS_ADD(server->metrics.refused[REFUSED_STOPPING], 1);
        native_refuse(connection, "shutdown", "the server is being stopped", 1001);
        return NULL;
    }
    if (!make_room(network)) {
        METRICS_ADD(server->metrics.refused[REFUSED_SESSIONS], 1);
        native_refuse(connection, "full", "there are as many sessions as the server allows", 1013);
        return NULL;
    }
    struct session *session = session_create(server, settings);
    if (!session) {
        native_refuse(connection, "memory", "the server is out of memory", 1013);
        return NULL;
    }
    network_random(network, session->id, sizeof session->id);
    network_random(network, session->token, sizeof session->token);
    session->opened_ns = session->audio_ns = clock_now_ns();
    session->connection = connection;
    connection->session = session;
    session->next = network->sessions;
    network->sessions = session;
    METRICS_ADD(server->metrics.sessions, 1);
    METRICS_ADD(server->metrics.sessions_opened, 1);
    network_tick_on(network);
    schedule_session(session);
    return session;
}

void sessions_leave(struct connection *connection)
{
    struct session *session = connection->session;
    if (!session) return;
    connection->session = NULL;
    session->connection = NULL;
    session->away_ns = clock_now_ns();
}

/* The longest lag is reported; a session that hears nothing, or hears for too long, ends. */
void sessions_tick(struct network *network, uint64_t now_ns)
{
    struct kodama_server *server = network->server;
    const struct kodama_server_config *config = &server->config;
    uint32_t lag_ms = 0;
    struct session *next;
    for (struct session *s = network->sessions; s; s = next) {
        next = s->next;
        uint32_t lag = atomic_load_explicit(&s->lag_ms, memory_order_relaxed);
        if (lag > lag_ms) lag_ms = lag;
        if (!s->connection) {
            if (now_ns - s->away_ns > config->resume_ms * CLOCK_NS_PER_MS)
                sessions_drop(network, s);
            continue;
        }
        if (config->idle_ms && now_ns - s->audio_ns > config->idle_ms * CLOCK_NS_PER_MS) {
            (void)session_control(s, SESSION_STOP, "idle");
        }
        if (config->max_session_ms &&
            now_ns - s->opened_ns > config->max_session_ms * CLOCK_NS_PER_MS) {
            (void)session_control(s, SESSION_STOP, "limit");
        }
    }
    atomic_store_explicit(&server->metrics.lag_ms, lag_ms, memory_order_relaxed);
}

void sessions_stop(struct network *network)
{
    for (struct session *s = network->sessions; s; s = s->next) {
        (void)session_control(s, SESSION_STOP, "shutdown");
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
