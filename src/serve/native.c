/* The native protocol: what a WebSocket's messages ask of its session, and what is sent back. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/connection.h"
#include "serve/gate.h"
#include "serve/message.h"

void native_refuse(struct connection *connection, const char *code, const char *words, int close)
{
    if (!connection->farewell) connection->farewell = message_error(code, words);
    connection->close_code = close;
    lws_callback_on_writable(connection->wsi);
}

/* What is wrong is told; who goes on like that is closed. */
static void complain(struct connection *connection, const char *code, const char *words)
{
    METRICS_ADD(connection->server->metrics.refused[REFUSED_MESSAGE], 1);
    if (!connection->session || ++connection->n_errors >= CONNECTION_ERRORS_MAX) {
        native_refuse(connection, code, words, 1008);
    } else {
        session_post(connection->session, message_error(code, words), OUTBOX_KEPT);
    }
}

/* ------------------------------------------------------------- the beginning */

void native_opened(struct connection *connection)
{
    struct lws *wsi = connection->wsi;
    char argument[256];
    struct kodama_error error = {0};
    connection->settings = settings_default();
    for (int i = 0;; i++) {
        int n = lws_hdr_copy_fragment(wsi, argument, sizeof argument, WSI_TOKEN_HTTP_URI_ARGS, i);
        if (n == -2) { /* longer than any that is known */
            native_refuse(connection, "bad_setting", "a setting must be shorter", 1008);
            return;
        }
        if (n < 0) break;
        char *value = strchr(argument, '=');
        if (!value) continue;
        *value++ = '\0';
        if (!settings_knows(argument)) continue;
        connection->has_settings = true;
        if (settings_set(&connection->settings, argument, value, &error) < 0) {
            native_refuse(connection, "bad_setting", error.message, 1008);
            return;
        }
    }
    if (connection->has_settings) native_begin(connection);
}

void native_begin(struct connection *connection)
{
    if (connection->session || connection->farewell) return;
    (void)sessions_open(connection, &connection->settings);
}

/* A session that was begun without need, since the first message came later than its settings. */
static bool withdraw(struct connection *connection)
{
    struct session *session = connection->session;
    if (connection->has_audio) {
        complain(connection, "state", "this is possible only before any audio");
        return false;
    }
    if (session) {
        sessions_leave(connection);
        sessions_drop(connection->server->network, session);
    }
    return true;
}

static void on_start(struct connection *connection, const json_t *message)
{
    struct settings settings = connection->settings;
    struct kodama_error error = {0};
    if (settings_set_all(&settings, message, &error) < 0) {
        complain(connection, "bad_setting", error.message);
        return;
    }
    if (!withdraw(connection)) return;
    connection->settings = settings;
    native_begin(connection);
}

static void resume(struct connection *connection, struct session *session, uint64_t last_seq)
{
    struct connection *older = session->connection;
    if (older) {
        sessions_leave(older);
        free(older->farewell);
        older->farewell = message_closed("superseded", session_position(session, false), 0);
        older->close_code = 1000;
        lws_callback_on_writable(older->wsi);
        /* When it is half dead it does not take that; the heartbeat ends it. */
    }
    session->connection = connection;
    session->left = false;
    session->audio_ns = clock_now_ns();
    connection->session = session;
    connection->has_audio = true; /* it is no beginning any more */
    connection->greets = true;
    connection->greeting_seq = last_seq;
    connection->greeting_sample = session_position(session, true);
    METRICS_ADD(connection->server->metrics.resumes, 1);
    lws_callback_on_writable(connection->wsi);
    schedule_session(session);
}

static void on_resume(struct connection *connection, const json_t *message)
{
    const char *id = json_string_value(json_object_get(message, "session"));
    const char *token = json_string_value(json_object_get(message, "token"));
    json_int_t last_seq = json_integer_value(json_object_get(message, "last_seq"));
    if (!withdraw(connection)) return;
    struct session *session = id ? sessions_find(connection->server->network, id) : NULL;
    const char *words = "there is no such session, or it was not resumed in time";
    bool found = session && token && gate_same_secret(token, session->token);
    if (found) {
        mutex_lock(&session->mutex);
        found = last_seq >= 0 && outbox_rewind(&session->outbox, (uint64_t)last_seq);
        mutex_unlock(&session->mutex);
        words = "messages after that one are not there any more";
    }
    if (found) {
        resume(connection, session, (uint64_t)last_seq);
    } else {
        METRICS_ADD(connection->server->metrics.refused[REFUSED_RESUME], 1);
        native_refuse(connection, "gone", words, 1008);
    }
}

/* ----------------------------------------------------------------- messages */

static void pause_reading(struct connection *connection)
{
    if (connection->paused) return;
    connection->paused = true;
    METRICS_ADD(connection->server->metrics.paused, 1);
    METRICS_ADD(connection->server->metrics.pauses, 1);
    (void)lws_rx_flow_control(connection->wsi, 0);
}

static void on_control(struct connection *connection, enum session_control what)
{
    native_begin(connection);
    if (!connection->session) return;
    int status = session_control(connection->session, what, "stopped");
    if (status > 0) pause_reading(connection);
    if (status < 0) complain(connection, "overflow", "too many messages at a time");
}

void native_text(struct connection *connection, const char *text, size_t n_bytes)
{
    const char *why;
    if (connection->farewell) return;
    json_t *message = message_read(text, n_bytes, &why);
    const char *type = json_string_value(json_object_get(message, "type"));
    if (!message) {
        complain(connection, "bad_message", why);
    } else if (!type) {
        complain(connection, "bad_message", "a message must have a type");
    } else if (strcmp(type, "start") == 0 || strcmp(type, "configure") == 0) {
        on_start(connection, message);
    } else if (strcmp(type, "resume") == 0) {
        on_resume(connection, message);
    } else if (strcmp(type, "finalize") == 0) {
        on_control(connection, SESSION_FINALIZE);
    } else if (strcmp(type, "stop") == 0) {
        on_control(connection, SESSION_STOP);
    } else if (strcmp(type, "ping") == 0) {
        native_begin(connection);
        json_int_t t = json_integer_value(json_object_get(message, "t"));
        if (connection->session) session_post(connection->session, message_pong(t), OUTBOX_PONG);
    } else {
        complain(connection, "bad_message", "there is no message of that type");
    }
    json_decref(message);
}

bool native_audio(struct connection *connection, const void *bytes, size_t n_bytes)
{
    if (connection->farewell) return true;
    native_begin(connection);
    struct session *session = connection->session;
    if (!session) return true; /* refused, and told */
    connection->has_audio = true;
    session->audio_ns = clock_now_ns();
    int status = session_receive(session, bytes, n_bytes);
    network_hear(connection->server->network, session);
    if (status > 0) pause_reading(connection);
    return status >= 0;
}

/* The answer to a resume. It has the number of the last message that the client has, so that what
 * is replayed follows it. */
static char *greeting(struct connection *connection, size_t *n_bytes)
{
    struct session *s = connection->session;
    struct kodama_model *model = connection->server->model;
    char *text =
        message_ready(s->id, s->token, connection->greeting_sample, s->settings.format.rate_hz,
                      kodama_model_engine(model), kodama_model_name(model));
    char *message =
        text ? message_numbered(text, connection->greeting_seq, LWS_PRE, n_bytes) : NULL;
    free(text);
    connection->greets = false;
    return message;
}

char *native_message(struct connection *connection, size_t *n_bytes)
{
    struct session *session = connection->session;
    if (connection->farewell) return NULL;
    if (!session) return NULL;
    if (connection->greets) return greeting(connection, n_bytes);
    mutex_lock(&session->mutex);
    bool was_clogged = outbox_is_clogged(&session->outbox);
    char *message = outbox_take(&session->outbox, LWS_PRE, n_bytes);
    bool is_free = was_clogged && !outbox_is_clogged(&session->outbox);
    mutex_unlock(&session->mutex);
    if (is_free) schedule_session(session);
    return message;
}

void native_closed(struct connection *connection)
{
    if (connection->paused) METRICS_SUB(connection->server->metrics.paused, 1);
    sessions_leave(connection);
    free(connection->farewell);
    free(connection->text);
    connection->farewell = NULL;
    connection->text = NULL;
}
