/* Requests: who is admitted, and the pages that are answered from memory. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/connection.h"
#include "serve/gate.h"
#include "serve/message.h"
#include "serve/siphon.h"
#include "serve/upload.h"

enum { HEADERS_BYTES = 1024, LINGER_MS = 2000 };

/* ------------------------------------------------------------------ admission */

static bool has_token(struct lws *wsi, const char *token)
{
    char given[512], argument[512], *value;
    if (lws_hdr_copy(wsi, given, sizeof given, WSI_TOKEN_HTTP_AUTHORIZATION) > 0 &&
        gate_same_secret(gate_bearer(given), token)) {
        return true;
    }
    int n = lws_hdr_custom_copy(wsi, given, sizeof given, "x-api-key:", 10);
    if (n > 0 && gate_same_secret(given, token)) return true;
    int at = 0;
    while ((n = query_next(wsi, &at, argument, sizeof argument, &value)) != 0) {
        if (n > 0 && strcmp(argument, "token") == 0 && gate_same_secret(value, token)) return true;
    }
    return false;
}

static uint32_t connections_from(struct network *network, const char *address)
{
    uint32_t n = 0;
    for (struct connection *c = network->connections; c; c = c->next) {
        if (strcmp(c->address, address) == 0) n++;
    }
    return n;
}

static const struct dialect_ops *dialect_of(struct lws *wsi)
{
    char path[HTTP_PATH_BYTES];
    bool has_path = lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI) > 0;
    return has_path ? dialect_find(path) : NULL;
}

static bool refuse(struct connection *connection, enum metrics_refusal kind, unsigned status,
                   const char *words, int *closes)
{
    METRICS_ADD(connection->server->metrics.refused[kind], 1);
    *closes = lws_return_http_status(connection->wsi, status, words) ? -1 : 1;
    return false;
}

bool http_admits(struct connection *connection, bool upgrade, int *closes)
{
    struct lws *wsi = connection->wsi;
    struct kodama_server *server = connection->server;
    const struct kodama_server_config *config = &server->config;
    char origin[512] = "", address[CONNECTION_ADDRESS_BYTES] = "";
    if (lws_hdr_copy(wsi, origin, sizeof origin, WSI_TOKEN_ORIGIN) < 0) {
        snprintf(origin, sizeof origin, "too long"); /* as foreign as it can be */
    }
    if (!gate_allows_origin(origin, config->origins, config->n_origins)) {
        return refuse(connection, REFUSED_ORIGIN, HTTP_STATUS_FORBIDDEN,
                      "This page may not use the server.", closes);
    }
    if (config->token && !has_token(wsi, config->token)) {
        return refuse(connection, REFUSED_TOKEN, HTTP_STATUS_UNAUTHORIZED,
                      "A token is needed: as Bearer, X-API-Key or ?token=.", closes);
    }
    if (!upgrade) return true;
    const struct dialect_ops *dialect = dialect_of(wsi);
    if (!dialect) {
        return refuse(connection, REFUSED_MESSAGE, HTTP_STATUS_NOT_FOUND,
                      "There is no WebSocket here; it is at /ws.", closes);
    }
    if (atomic_load(&server->stopping)) {
        return refuse(connection, REFUSED_STOPPING, HTTP_STATUS_SERVICE_UNAVAILABLE,
                      "The server is being stopped.", closes);
    }
    lws_get_peer_simple(wsi, address, sizeof address);
    if (config->max_per_address &&
        connections_from(server->network, address) >= config->max_per_address) {
        return refuse(connection, REFUSED_ADDRESS, 429, "Too many connections from this address.",
                      closes);
    }
    if (!subprotocol_offered(server->network, wsi, dialect->subprotocol)) {
        return refuse(connection, REFUSED_MESSAGE, HTTP_STATUS_BAD_REQUEST,
                      "Sec-WebSocket-Protocol is too long, or not as it should be.", closes);
    }
    return true;
}

/* -------------------------------------------------------------------- answers */

static bool add_header(struct lws *wsi, const char *name, const char *value, uint8_t **at,
                       uint8_t *end)
{
    return lws_add_http_header_by_name(wsi, (const unsigned char *)name,
                                       (const unsigned char *)value, (int)strlen(value), at,
                                       end) == 0;
}

/* Answer a request; the body is taken. NULL: out of memory. */
static int answer(struct connection *connection, unsigned status, const char *type, char *body)
{
    struct lws *wsi = connection->wsi;
    uint8_t headers[LWS_PRE + HEADERS_BYTES], *at = headers + LWS_PRE, *begin = at,
                                              *end = headers + sizeof headers - 1;
    if (!body) return -1;
    free(connection->body);
    connection->body = body;
    connection->n_body = strlen(body);
    if (lws_add_http_common_headers(wsi, status, type, connection->n_body, &at, end) ||
        !add_header(wsi, "cache-control:", "no-store", &at, end) ||
        (connection->ends && !add_header(wsi, "connection:", "close", &at, end)) ||
        lws_finalize_write_http_header(wsi, begin, &at, end)) {
        return -1;
    }
    lws_callback_on_writable(wsi);
    return 0;
}

/* Send bytes; they are freed. */
static int send_bytes(struct connection *connection, char *body, size_t n_bytes, bool last)
{
    unsigned char *bytes = memory_array(LWS_PRE + n_bytes + 1, 1);
    int n = -1;
    if (bytes) {
        memcpy(bytes + LWS_PRE, body, n_bytes);
        n = lws_write(connection->wsi, bytes + LWS_PRE, n_bytes,
                      last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP);
    }
    free(bytes);
    free(body);
    return n < (int)n_bytes ? -1 : 0;
}

/* To close while bytes are unread would take the answer away from a client that still sends (RFC
 * 9112, 9.6): for a moment they are read. */
static int complete(struct connection *connection)
{
    if (!connection->ends) return lws_http_transaction_completed(connection->wsi) ? -1 : 0;
    if (connection->whole) return -1;
    connection->lingers_ns = clock_now_ns() + LINGER_MS * CLOCK_NS_PER_MS;
    if (connection->body_waits) body_go_on(connection);
    return 0;
}

static void leave_upload(struct connection *connection)
{
    upload_leave(connection->upload);
    connection->upload = NULL;
    connection->server->network->n_uploads--;
}

static bool add_headers(struct lws *wsi, const struct upload_header *headers, uint8_t **at,
                        uint8_t *end)
{
    for (int i = 0; i < UPLOAD_HEADERS_MAX && headers[i].name; i++) {
        if (!add_header(wsi, headers[i].name, headers[i].value, at, end)) return false;
    }
    return true;
}

/* The head of an answer that comes in pieces; one without a length until the connection is closed.
 */
static int begin_pieces(struct connection *connection, const struct upload_answer *a)
{
    uint8_t headers[LWS_PRE + HEADERS_BYTES], *at = headers + LWS_PRE, *begin = at,
                                              *end = headers + sizeof headers - 1;
    struct lws *wsi = connection->wsi;
    bool has_length = a->length >= 0;
    connection->has_head = true;
    connection->n_due = a->length;
    connection->ends = connection->ends || !has_length;
    if (lws_add_http_header_status(wsi, a->status, &at, end) ||
        !add_header(wsi, "content-type:", a->type, &at, end) ||
        !add_header(wsi, "cache-control:", "no-store", &at, end) ||
        !add_headers(wsi, a->headers, &at, end) ||
        (has_length &&
         lws_add_http_header_content_length(wsi, (lws_filepos_t)a->length, &at, end)) ||
        (connection->ends && !add_header(wsi, "connection:", "close", &at, end))) {
        return -1;
    }
    return lws_finalize_write_http_header(wsi, begin, &at, end) ? -1 : 0;
}

static int answer_upload(struct connection *connection)
{
    /* An answer that came earlier waits: the client is still sending. But without a length it might
     * never end. */
    if (!connection->whole && !connection->is_chunked) return 0;
    struct upload_answer a = upload_take(connection->upload);
    if (!a.bytes && !a.last) return 0;
    if (!connection->whole) connection->ends = true;
    if (!connection->has_head) {
        if (begin_pieces(connection, &a)) {
            free(a.bytes);
            return -1;
        }
        lws_callback_on_writable(connection->wsi);
    }
    connection->n_due -= (int64_t)a.n_bytes;
    /* Only by a close its client learns that bytes are missing of what was promised. */
    bool is_whole = a.last && connection->n_due == 0;
    int sent = a.bytes ? send_bytes(connection, a.bytes, a.n_bytes, is_whole) : 0;
    if (!a.last) return sent;
    leave_upload(connection);
    connection->has_head = false;
    return sent || !is_whole ? -1 : complete(connection);
}

int http_writable(struct connection *connection)
{
    /* It waits for the rest of a chunked body that is whole. */
    if (connection->is_chunked && connection->whole) {
        lws_set_timeout(connection->wsi, NO_PENDING_TIMEOUT, 0);
    }
    if (connection->upload) return answer_upload(connection);
    if (!connection->body) return 0;
    char *body = connection->body;
    connection->body = NULL;
    return send_bytes(connection, body, connection->n_body, true) ? -1 : complete(connection);
}

static char *json_text(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

static int answer_status(struct connection *connection)
{
    struct kodama_server *server = connection->server;
    json_t *engines = json_array(), *models = json_array(), *object = json_object();
    struct kodama_model *model = served_hold(server);
    json_array_append_new(engines, json_string(kodama_model_engine(model)));
    json_array_append_new(models, json_string(kodama_model_name(model)));
    served_release(model);
    json_object_set_new(object, "status",
                        json_string(atomic_load(&server->stopping) ? "stopping" : "ok"));
    json_object_set_new(object, "version", json_string(kodama_version()));
    json_object_set_new(object, "engines", engines);
    json_object_set_new(object, "models", models);
    json_object_set_new(object, "swap", served_swap_json(server));
    json_object_set_new(object, "sessions", json_integer(METRICS_GET(server->metrics.sessions)));
    json_object_set_new(
        object, "uptime_seconds",
        json_integer((json_int_t)((clock_now_ns() - server->started_ns) / CLOCK_NS_PER_S)));
    return answer(connection, HTTP_STATUS_OK, "application/json", json_text(object));
}

static int answer_models(struct connection *connection)
{
    return answer(connection, HTTP_STATUS_OK, "application/json",
                  served_list_text(connection->server));
}

/* The body is short and is kept until it is whole. */
static int begin_order(struct connection *connection)
{
    connection->orders = true;
    connection->n_text = 0;
    return 0;
}

static int answer_order(struct connection *connection)
{
    static const char mapped[] = "::ffff:"; /* IPv4 as IPv6 */
    char address[CONNECTION_ADDRESS_BYTES] = "", *text = NULL;
    lws_get_peer_simple(connection->wsi, address, sizeof address);
    bool is_mapped = strncmp(address, mapped, sizeof mapped - 1) == 0;
    bool here = gate_is_loopback(address + (is_mapped ? sizeof mapped - 1 : 0));
    unsigned status =
        served_take_order(connection->server, connection->text ? connection->text : "",
                          connection->n_text, here, &text);
    connection->orders = false;
    return answer(connection, status, "application/json", text);
}

static int answer_metrics(struct connection *connection)
{
    struct kodama_server *server = connection->server;
    struct kodama_model *partials = server->served.partials_model, *now = served_hold(server);
    struct metrics_model models[2] = {{.role = partials ? "finals" : "all"}, {.role = "partials"}};
    kodama_model_stats(now, &models[0].stats);
    served_release(now);
    if (partials) kodama_model_stats(partials, &models[1].stats);
    char *text = metrics_text(&server->metrics, models, partials ? 2 : 1,
                              clock_now_ns() - server->started_ns, server->schedule.n_workers);
    return answer(connection, HTTP_STATUS_OK, "text/plain; version=0.0.4", text);
}

static int answer_error(struct connection *connection, unsigned status, const char *words)
{
    return answer(connection, status, "application/json", message_refusal(words));
}

/* Options in the query; those of a form are its own fields. */
static int read_options(struct lws *wsi, struct upload_options *options, struct kodama_error *error)
{
    char argument[UPLOAD_OPTION_BYTES + 32], *value;
    int n, at = 0, status = KODAMA_OK;
    while (status >= 0 && (n = query_next(wsi, &at, argument, sizeof argument, &value)) != 0) {
        /* One that is longer is none that matters. */
        if (n > 0) status = options->work->option(options, argument, value, error);
    }
    return status;
}

/* Who asks: those who know the token are one, others are told apart by their address. */
static void name_owner(const struct connection *connection, char *owner, size_t n_bytes)
{
    snprintf(owner, n_bytes, "%s",
             connection->server->config.token ? "token" : connection->address);
}

static int refuse_upload(struct connection *connection, unsigned status, const char *words)
{
    METRICS_ADD(connection->server->metrics.refused[REFUSED_UPLOAD], 1);
    connection->ends = true;
    return answer_error(connection, status, words);
}

static int begin_upload(struct connection *connection, const struct upload_work *work, bool openai)
{
    struct lws *wsi = connection->wsi;
    struct kodama_server *server = connection->server;
    struct upload_options options = {
        .work = work, .openai = openai, .voice = voice_options_default()};
    struct kodama_error error = {0};
    char type[UPLOAD_TYPE_BYTES] = "";
    if (atomic_load(&server->stopping)) {
        return refuse_upload(connection, 503, "The server is being stopped.");
    }
    struct body_refusal refusal = body_begin(connection);
    if (refusal.status) return refuse_upload(connection, refusal.status, refusal.words);
    if (lws_hdr_copy(wsi, type, sizeof type, WSI_TOKEN_HTTP_CONTENT_TYPE) < 0) {
        return refuse_upload(connection, 400, "The Content-Type is too long.");
    }
    if (read_options(wsi, &options, &error) < 0) {
        return refuse_upload(connection, 400, error.message);
    }
    name_owner(connection, options.owner, sizeof options.owner);
    connection->upload = upload_start(server, type, &options);
    if (!connection->upload) {
        return refuse_upload(connection, 503, "As many files as the server allows are at work.");
    }
    server->network->n_uploads++;
    return 0;
}

static int reset_session(struct connection *connection)
{
    struct upload_options options = {.work = &upload_convert, .voice = voice_options_default()};
    struct kodama_error error = {0};
    connection->ends = true; /* a body, if there is one, is not read */
    if (read_options(connection->wsi, &options, &error) < 0) {
        return answer_error(connection, 400, error.message);
    }
    if (!options.session[0]) return answer_error(connection, 400, "Which? ?session_id= says it.");
    name_owner(connection, options.owner, sizeof options.owner);
    bool was_there = voices_forget(&connection->server->voices, options.owner, options.session);
    json_t *object = json_object();
    json_object_set_new(object, "status", json_string("ok"));
    json_object_set_new(object, "session_id", json_string(options.session));
    json_object_set_new(object, "was_there", json_boolean(was_there));
    return answer(connection, HTTP_STATUS_OK, "application/json", json_text(object));
}

int http_request(struct connection *connection, const char *path)
{
    int closes;
    bool posts = lws_hdr_total_length(connection->wsi, WSI_TOKEN_POST_URI) > 0;
    /* Whether it lives anybody may ask. */
    if (!posts && strcmp(path, "/healthz") == 0) {
        bool stopping = atomic_load(&connection->server->stopping);
        return answer(connection, stopping ? HTTP_STATUS_SERVICE_UNAVAILABLE : HTTP_STATUS_OK,
                      "text/plain", memory_text(stopping ? "stopping\n" : "ok\n"));
    }
    if (!http_admits(connection, false, &closes)) {
        return lws_http_transaction_completed(connection->wsi) ? -1 : 0;
    }
    if (!posts && strcmp(path, "/status") == 0) return answer_status(connection);
    if (!posts && strcmp(path, "/metrics") == 0) return answer_metrics(connection);
    if (!posts && strcmp(path, "/v1/models") == 0) return answer_models(connection);
    if (posts && strcmp(path, "/v1/models/default") == 0) return begin_order(connection);
    if (posts && strcmp(path, "/transcribe") == 0) {
        return begin_upload(connection, &upload_transcribe, false);
    }
    if (posts && strcmp(path, "/v1/audio/transcriptions") == 0) {
        return begin_upload(connection, &upload_transcribe, true);
    }
    if (posts && strcmp(path, "/convert") == 0) {
        return begin_upload(connection, &upload_convert, false);
    }
    if (posts && strcmp(path, "/convert-chunk") == 0) {
        return begin_upload(connection, &upload_convert_chunk, false);
    }
    if (posts && strcmp(path, "/reset-session") == 0) return reset_session(connection);
    connection->ends = posts;
    return answer_error(connection, HTTP_STATUS_NOT_FOUND, "There is nothing here.");
}

static int end_body(struct connection *connection)
{
    connection->whole = true;
    siphon_end(connection);
    upload_finish(connection->upload);
    lws_callback_on_writable(connection->wsi);
    return 0;
}

/* Answer now; what still comes is not read. */
static int give_up(struct connection *connection, unsigned status, const char *words)
{
    siphon_end(connection);
    leave_upload(connection);
    return refuse_upload(connection, status, words);
}

int http_body(struct connection *connection, const void *bytes, size_t n_bytes)
{
    if (connection->orders) {
        return connection_gather(connection, bytes, n_bytes, SERVED_ORDER_BYTES_MAX) < 0 ? -1 : 0;
    }
    if (!connection->upload || connection->whole) return 0; /* refused, or it was whole */
    switch (body_read(connection, bytes, n_bytes)) {
    case BODY_GOES_ON: return 0;
    case BODY_ENDED:
        /* libwebsockets does not know, so the connection serves no other request. */
        connection->ends = true;
        return end_body(connection);
    case BODY_BROKEN: return give_up(connection, 400, "The chunks of the body are broken.");
    case BODY_TOO_LONG:
        return give_up(connection, 413,
                       "Over TLS a body of more than 100 MiB needs a Content-Length.");
    case BODY_FAILED: break;
    }
    return -1;
}

int http_body_end(struct connection *connection)
{
    if (connection->orders) return answer_order(connection);
    /* Of a chunked body it knows no end: this is where its own count is. */
    if (connection->is_chunked) return 0;
    if (connection->upload) return end_body(connection);
    connection->whole = true;
    return connection->lingers_ns ? -1 : 0;
}

void http_wake(struct connection *connection)
{
    if (connection->body_waits && upload_has_room(connection->upload)) body_go_on(connection);
    if (connection->siphon && upload_is_answered(connection->upload)) siphon_end(connection);
    /* What is not read is not written to either: libwebsockets would ask for it without end. */
    if (!connection->body_waits && !connection->siphon) lws_callback_on_writable(connection->wsi);
}

void http_closed(struct connection *connection)
{
    siphon_end(connection);
    if (connection->upload) leave_upload(connection);
    free(connection->body);
    free(connection->text);
    connection->body = connection->text = NULL;
    connection->orders = false;
}
