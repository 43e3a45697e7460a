/* What a connection does for its dialect: its session begins, hears, goes on, and answers. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/clerk.h"
#include "serve/connection.h"
#include "serve/message.h"

void connection_refuse(struct connection *connection, const char *code, const char *words,
                       int close)
{
    if (!connection->farewell) connection->farewell = connection->dialect->error(code, words);
    if (!connection->farewell) connection->farewell = memory_text("");
    connection->close_code = close;
    lws_callback_on_writable(connection->wsi);
}

void connection_complain(struct connection *connection, const char *code, const char *words)
{
    METRICS_ADD(connection->server->metrics.refused[REFUSED_MESSAGE], 1);
    if (!connection->session || ++connection->n_errors >= CONNECTION_ERRORS_MAX) {
        connection_refuse(connection, code, words, 1008);
    } else {
        session_post(connection->session, connection->dialect->error(code, words), OUTBOX_KEPT);
    }
}

void connection_begin(struct connection *connection)
{
    if (connection->session || connection->farewell || connection->waits) return;
    (void)sessions_open(connection, &connection->settings);
}

int connection_gather(struct connection *connection, const void *bytes, size_t n_bytes, size_t most)
{
    size_t before = connection->n_text;
    if (n_bytes > most || before > most - n_bytes) return KODAMA_ERR_LIMIT;
    char *text = memory_resize(connection->text, before + n_bytes + 1, 1);
    if (!text) return KODAMA_ERR_MEMORY;
    if (n_bytes > 0) memcpy(text + before, bytes, n_bytes);
    connection->text = text;
    connection->n_text = before + n_bytes;
    return KODAMA_OK;
}

/* -------------------------------------------------------------------- audio */

static void pause_reading(struct connection *connection)
{
    if (connection->paused) return;
    connection->paused = true;
    METRICS_ADD(connection->server->metrics.paused, 1);
    METRICS_ADD(connection->server->metrics.pauses, 1);
    (void)lws_rx_flow_control(connection->wsi, 0);
}

/* An Opus packet is a message. One that is too long is damaged; its head says how long it is. */
static int receive_packet(struct connection *connection, const uint8_t *bytes, size_t n_bytes,
                          bool last)
{
    size_t at = connection->n_packet, room = INBOX_PACKET_BYTES_MAX;
    if (!connection->packet) connection->packet = memory_array(room, 1);
    if (!connection->packet) return -1;
    size_t n = at >= room ? 0 : n_bytes < room - at ? n_bytes : room - at;
    if (n > 0) memcpy(connection->packet + at, bytes, n);
    connection->n_packet = at + n_bytes > room ? room + 1 : at + n_bytes;
    if (!last) return 0;
    n_bytes = connection->n_packet;
    connection->n_packet = 0;
    return session_receive_packet(connection->session, connection->packet, n_bytes);
}

bool connection_audio(struct connection *connection, const void *bytes, size_t n_bytes, bool last)
{
    if (connection->farewell) return true;
    connection_begin(connection);
    struct session *session = connection->session;
    if (!session) return true; /* refused, and told */
    connection->has_audio = true;
    session->audio_ns = connection->heard_ns;
    int status = session->settings.encoding == ENCODING_OPUS
                     ? receive_packet(connection, bytes, n_bytes, last)
                     : session_receive(session, bytes, n_bytes);
    network_hear(connection->server->network, session);
    if (status > 0) pause_reading(connection);
    return status >= 0;
}

void connection_control(struct connection *connection, enum inbox_control what)
{
    connection_begin(connection);
    if (!connection->session) return;
    int status = session_control(connection->session, what, "stopped");
    if (status > 0) pause_reading(connection);
    if (status < 0) connection_complain(connection, "overflow", "too many messages at a time");
}

/* ------------------------------------------------------------------- resume */

/* Another connection has its session: when it is half dead it does not take its farewell, and the
 * heartbeat ends it. */
static void supersede(struct connection *older, struct session *session)
{
    const struct dialect_ops *dialect = session->dialect;
    sessions_leave(older);
    free(older->farewell);
    older->farewell =
        dialect->closed ? dialect->closed("superseded", session_position(session, false), 0) : NULL;
    if (!older->farewell) older->farewell = memory_text("");
    older->close_code = 1000;
    lws_callback_on_writable(older->wsi);
}

void connection_resume(struct connection *connection, struct session *session, uint64_t last_seq)
{
    const struct store_ops *store = session->server->store.ops;
    bool is_durable = store && store->durable;
    mutex_lock(&session->mutex);
    bool has_messages = outbox_rewind(&session->outbox, last_seq);
    bool was_parked = has_messages && session->parked;
    if (has_messages) {
        session->n_moves++;
        session->parked = session->to_be_parked = false;
    }
    /* It is kept for as long as its client could have been away, no longer. */
    if (was_parked && is_durable) session->to_be_renewed = true;
    mutex_unlock(&session->mutex);
    /* What the store has would soon be too old. */
    if (was_parked && !is_durable) clerk_remove(session);
    if (!has_messages) {
        METRICS_ADD(connection->server->metrics.refused[REFUSED_RESUME], 1);
        connection_refuse(connection, "gone", "messages after that one are not there any more",
                          1008);
        return;
    }
    if (session->connection) supersede(session->connection, session);
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

static void refuse_resume(struct connection *connection)
{
    METRICS_ADD(connection->server->metrics.refused[REFUSED_RESUME], 1);
    connection_refuse(connection, "gone", "there is no such session, or it was not resumed in time",
                      1008);
}

void connection_fetch(struct connection *connection, const char *id, const char *token,
                      uint64_t last_seq)
{
    if (atomic_load(&connection->server->stopping) ||
        !clerk_fetch(connection->server, id, token, connection->number, last_seq)) {
        refuse_resume(connection);
        return;
    }
    /* Nothing is read until it is known where the audio goes. */
    connection->waits = true;
    pause_reading(connection);
}

void connection_fetched(struct connection *connection, struct session *session, uint64_t last_seq)
{
    connection->waits = false;
    if (session) {
        connection_resume(connection, session, last_seq);
    } else {
        refuse_resume(connection);
    }
    if (session && !session_has_room(session)) return;
    connection->paused = false;
    METRICS_SUB(connection->server->metrics.paused, 1);
    (void)lws_rx_flow_control(connection->wsi, 1);
}

/* ----------------------------------------------------------------- messages */

/* The answer to a resume. It has the number of the last message that the client has, so that what
 * is replayed follows it. */
static char *greeting(struct connection *connection, size_t *n_bytes)
{
    struct session *s = connection->session;
    char *text = s->dialect->ready ? s->dialect->ready(s, connection->greeting_sample) : NULL;
    char *message =
        text ? message_numbered(text, connection->greeting_seq, LWS_PRE, n_bytes) : NULL;
    free(text);
    connection->greets = false;
    return message;
}

char *connection_message(struct connection *connection, size_t *n_bytes, bool *binary)
{
    struct session *session = connection->session;
    enum outbox_kind kind = OUTBOX_KEPT;
    *binary = false;
    if (connection->farewell || !session) return NULL;
    if (connection->greets) return greeting(connection, n_bytes);
    mutex_lock(&session->mutex);
    bool was_clogged = outbox_is_clogged(&session->outbox);
    char *message = outbox_take(&session->outbox, LWS_PRE, n_bytes, &kind);
    bool is_free = was_clogged && !outbox_is_clogged(&session->outbox);
    mutex_unlock(&session->mutex);
    if (is_free) schedule_session(session);
    *binary = kind == OUTBOX_BINARY;
    return message;
}

void connection_closed(struct connection *connection)
{
    if (connection->paused) METRICS_SUB(connection->server->metrics.paused, 1);
    sessions_leave(connection);
    free(connection->farewell);
    free(connection->text);
    free(connection->packet);
    connection->farewell = NULL;
    connection->text = NULL;
    connection->packet = NULL;
}
