/* The native dialect: what a WebSocket's messages ask of its session, and what is sent back. */
#include <stdlib.h>
#include <string.h>

#include "serve/clerk.h"
#include "serve/connection.h"
#include "serve/gate.h"
#include "serve/message.h"
#include "serve/voice_open.h"

static void opened(struct connection *connection)
{
    char argument[256], *value;
    struct kodama_error error = {0};
    int n, at = 0;
    while ((n = query_next(connection->wsi, &at, argument, sizeof argument, &value)) != 0) {
        if (n < 0) { /* longer than any that is known */
            connection_refuse(connection, "bad_setting", "a setting must be shorter", 1008);
            return;
        }
        if (!settings_knows(argument)) continue;
        connection->has_settings = true;
        if (settings_set(&connection->settings, argument, value, &error) < 0) {
            connection_refuse(connection, "bad_setting", error.message, 1008);
            return;
        }
    }
    if (connection->has_settings) connection_begin(connection);
}

/* A session that was begun without need, since the first message came later than its settings. */
static bool withdraw(struct connection *connection)
{
    struct session *session = connection->session;
    if (connection->has_audio) {
        connection_complain(connection, "state", "this is possible only before any audio");
        return false;
    }
    if (session) {
        sessions_leave(connection);
        sessions_drop(connection->server->network, session);
    }
    return true;
}

/* Whether only the sound of the voice is another, which can change while it runs. */
static bool is_same_session(const struct settings *a, const struct settings *b)
{
    return a->encoding == b->encoding && a->format.sample == b->format.sample &&
           a->format.rate_hz == b->format.rate_hz && a->format.channels == b->format.channels &&
           a->voice.deep == b->voice.deep && a->voice.seed == b->voice.seed &&
           a->voice.captions == b->voice.captions;
}

static void configure(struct connection *connection, const struct settings *settings)
{
    struct session *session = connection->session;
    bool same = strcmp(settings->voice.model, connection->settings.voice.model) == 0;
    if (!same && !voice_open_waits(&settings->voice)) {
        connection_complain(connection, "state", "a voice with a model goes on with models");
        return;
    }
    connection->settings = *settings;
    if (!same) {
        mutex_lock(&session->mutex);
        memcpy(session->asked_model, settings->voice.model, sizeof session->asked_model);
        mutex_unlock(&session->mutex);
        if (!clerk_fetch_part(session)) {
            connection_complain(connection, "memory", "the server is out of memory");
        }
    }
    if (session_configure(session, &settings->voice.settings) < 0) {
        connection_complain(connection, "overflow", "too many messages at a time");
    }
}

static void on_start(struct connection *connection, const json_t *message)
{
    struct settings settings = connection->settings;
    struct kodama_error error = {0};
    if (settings_set_all(&settings, message, &error) < 0) {
        connection_complain(connection, "bad_setting", error.message);
        return;
    }
    bool changes = connection->session && connection->dialect->work->configure;
    if (changes && is_same_session(&settings, &connection->settings)) {
        configure(connection, &settings);
        return;
    }
    if (!withdraw(connection)) return;
    connection->settings = settings;
    connection_begin(connection);
}

static void on_resume(struct connection *connection, const json_t *message)
{
    const char *id = json_string_value(json_object_get(message, "session"));
    const char *token = json_string_value(json_object_get(message, "token"));
    json_int_t last_seq = json_integer_value(json_object_get(message, "last_seq"));
    if (!id || !token || last_seq < 0) {
        connection_complain(connection, "bad_message",
                            "a resume needs session, token and last_seq");
        return;
    }
    if (!connection->dialect->resumes) {
        connection_refuse(connection, "gone", "a voice cannot be taken up again", 1008);
        return;
    }
    if (!withdraw(connection)) return;
    struct session *session = sessions_find(connection->server->network, id);
    if (session && gate_same_secret(token, session->token)) {
        connection_resume(connection, session, (uint64_t)last_seq);
    } else {
        connection_fetch(connection, id, token, (uint64_t)last_seq);
    }
}

static void on_ping(struct connection *connection, const json_t *message)
{
    json_int_t t = json_integer_value(json_object_get(message, "t"));
    connection_begin(connection);
    if (connection->session) session_post(connection->session, message_pong(t), OUTBOX_PONG);
}

static void on_text(struct connection *connection, const char *text, size_t n_bytes)
{
    const char *why;
    if (connection->farewell) return;
    json_t *message = message_read(text, n_bytes, &why);
    const char *type = json_string_value(json_object_get(message, "type"));
    if (!message) {
        connection_complain(connection, "bad_message", why);
    } else if (!type) {
        connection_complain(connection, "bad_message", "a message must have a type");
    } else if (strcmp(type, "start") == 0 || strcmp(type, "configure") == 0) {
        on_start(connection, message);
    } else if (strcmp(type, "resume") == 0) {
        on_resume(connection, message);
    } else if (strcmp(type, "finalize") == 0) {
        connection_control(connection, INBOX_FINALIZE);
    } else if (strcmp(type, "stop") == 0) {
        connection_control(connection, INBOX_STOP);
    } else if (strcmp(type, "ping") == 0) {
        on_ping(connection, message);
    } else {
        connection_complain(connection, "bad_message", "there is no message of that type");
    }
    json_decref(message);
}

static char *ready(const struct session *session, uint64_t next_sample)
{
    struct kodama_model *model = served_hold(session->server);
    char *text =
        message_ready(session->id, session->token, next_sample, session->settings.format.rate_hz,
                      kodama_model_engine(model), kodama_model_name(model));
    served_release(model);
    return text;
}

static void on_event(struct session *session, const struct kodama_event *event)
{
    session_post(session, message_event(event, session->settings.words),
                 event->kind == KODAMA_EVENT_PARTIAL ? OUTBOX_PARTIAL : OUTBOX_KEPT);
}

/* A voice without a model is the built-in shifter's, and says so. */
static char *ready_voice(const struct session *session, uint64_t next_sample)
{
    (void)next_sample;
    const struct voice_options *options = &session->settings.voice;
    bool is_model = voice_open_waits(options);
    return message_ready_voice(session->id, session->token, session->settings.format.rate_hz,
                               session->latency, is_model ? "rvc" : "shifter",
                               is_model ? options->model : "default");
}

static const char *const paths[] = {"/ws", "/", NULL};
static const char *const voice_paths[] = {"/ws/voice", NULL};

const struct dialect_ops dialect_native = {
    .name = "native",
    .paths = paths,
    .subprotocol = "kodama.v1",
    .work = &hearing,
    .text_bytes_max = MESSAGE_BYTES_MAX,
    .resumes = true,
    .opened = opened,
    .text = on_text,
    .audio = connection_audio,
    .ready = ready,
    .error = message_error,
    .ack = message_ack,
    .closed = message_closed,
    .event = on_event,
};

/* It does not resume: what it had to say was sound, and its time is over. */
const struct dialect_ops dialect_voice = {
    .name = "voice",
    .paths = voice_paths,
    .subprotocol = "kodama.voice.v1",
    .work = &voicing,
    .text_bytes_max = MESSAGE_BYTES_MAX,
    .opened = opened,
    .text = on_text,
    .audio = connection_audio,
    .ready = ready_voice,
    .error = message_error,
    .ack = message_ack,
    .closed = message_closed,
    .event = on_event,
};
