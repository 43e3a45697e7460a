#define _DEFAULT_SOURCE
/*
 * The network thread: libwebsockets on a libuv loop of its own. It moves bytes, parses, and answers
 * from memory; it never computes and never waits. Other threads reach it only with network_wake().
 *
 * The loop is ours and not that of libwebsockets, which would take over the process's signals.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "serve/clerk.h"
#include "serve/connection.h"
#include "serve/gate.h"

enum {
    TICK_MS = 200,
    READ_BYTES = 4096,
    PING_BYTES = 4,
    HEADER_BYTES_MAX = 8192,
    /* A request whose next bytes come later than this is given up. */
    SILENT_S = 30,
    /* A client that says nothing gets its session after this; one that says something, at once. */
    GRACE_MS = 1000,
    /* Sessions that get audio before their workers are told. libuv may look at many more sockets
     * before it lets us know. */
    HEARD_MAX = 128,
};

static struct network *network_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

void network_wake(struct network *network)
{
    lws_cancel_service(network->context);
}

void network_random(struct network *network, char *text, size_t n_bytes)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[32];
    size_t n = (n_bytes - 1) / 2;
    if (n > sizeof random) n = sizeof random;
    (void)lws_get_random(network->context, random, n);
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digits[random[i] >> 4];
        text[2 * i + 1] = digits[random[i] & 15];
    }
    text[2 * n] = '\0';
}

/* --------------------------------------------------------------------- time */

static void heartbeat(struct connection *connection, uint64_t now_ns)
{
    uint64_t beat_ns = connection->server->config.heartbeat_ms * CLOCK_NS_PER_MS;
    if (beat_ns == 0) return;
    /* What it says cannot be heard while it is not read. */
    if (connection->paused) connection->heard_ns = now_ns;
    uint64_t silent_ns = now_ns - connection->heard_ns;
    if (silent_ns > 3 * beat_ns) {
        METRICS_ADD(connection->server->metrics.errors[ERROR_HEARTBEAT], 1);
        lws_set_timeout(connection->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    } else if (silent_ns > beat_ns && now_ns - connection->pinged_ns > beat_ns) {
        connection->pinged_ns = now_ns;
        connection->pings = true;
        lws_callback_on_writable(connection->wsi);
    }
}

static void check_drained(struct network *network)
{
    struct kodama_server *server = network->server;
    if (!atomic_load(&server->stopping) || !sessions_drained(network)) return;
    mutex_lock(&server->mutex);
    server->drained = true;
    condition_broadcast(&server->changed);
    mutex_unlock(&server->mutex);
}

static void on_looked(uv_check_t *check);

static void on_tick(uv_timer_t *timer)
{
    struct network *network = timer->data;
    uint64_t now_ns = clock_now_ns();
    sessions_tick(network, now_ns);
    struct connection *next;
    for (struct connection *c = network->connections; c; c = next) {
        next = c->next;
        if (!c->is_socket) {
            body_tick(c, now_ns);
            continue;
        }
        if (now_ns - c->opened_ns > GRACE_MS * CLOCK_NS_PER_MS) connection_begin(c);
        heartbeat(c, now_ns);
    }
    check_drained(network);
    uint32_t n_voices = voices_expire(&network->server->voices, now_ns);
    if (!network->sessions && !network->connections && n_voices == 0) {
        uv_timer_stop(&network->timer);
        network->ticking = false;
    }
}

void network_tick_on(struct network *network)
{
    if (network->ticking) return;
    network->ticking = true;
    uv_timer_start(&network->timer, on_tick, TICK_MS, TICK_MS);
    uv_check_start(&network->check, on_looked);
}

/* -------------------------------------------------------------------- audio */

static void tell_workers(struct network *network)
{
    struct session *first = network->heard;
    network->heard = NULL;
    network->n_heard = 0;
    if (first) schedule_heard(network->server, first);
}

static void on_looked(uv_check_t *check)
{
    tell_workers(check->data);
}

void network_hear(struct network *network, struct session *session)
{
    if (session->has_heard) return;
    session->has_heard = true;
    session_ref(session);
    session->next_heard = network->heard;
    network->heard = session;
    if (++network->n_heard == HEARD_MAX) tell_workers(network);
}

/* ------------------------------------------------------------------ sockets */

static void look_at(struct session *session)
{
    struct connection *connection = session->connection;
    sessions_look_at(session->server->network, session);
    if (!connection) return;
    lws_callback_on_writable(connection->wsi);
    if (connection->paused && !connection->waits && session_has_room(session)) {
        connection->paused = false;
        METRICS_SUB(connection->server->metrics.paused, 1);
        (void)lws_rx_flow_control(connection->wsi, 1);
    }
}

/* Have it closed with a close frame. Not by returning -1 while it is writable: libwebsockets takes
 * that for a failed write, and then sends none. */
static void close_later(struct connection *connection, int code)
{
    if (connection->closes) return;
    connection->closes = true;
    connection->close_code = code;
    connection->server->network->closes = true;
    network_wake(connection->server->network);
}

static void close_now(struct network *network)
{
    struct connection *next;
    if (!network->closes) return;
    network->closes = false;
    for (struct connection *c = network->connections; c; c = next) {
        next = c->next;
        if (!c->closes || c->is_closing) continue;
        c->is_closing = true;
        lws_close_reason(c->wsi, (enum lws_close_status)c->close_code, NULL, 0);
        lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    }
}

/* Sessions that the clerk brings; a client that has gone in the meantime may come back. */
static void take_fetched(struct network *network)
{
    struct fetched *next;
    for (struct fetched *f = clerk_fetched(network->server); f; f = next) {
        next = f->next;
        struct connection *c = network->connections;
        while (c && c->number != f->connection) c = c->next;
        if (f->session) {
            METRICS_ADD(network->server->metrics.restored, 1);
            sessions_add(network, f->session);
        }
        /* When two ask for it one after the other, the first brought it. */
        struct session *session = sessions_find(network, f->id);
        if (session && !gate_same_secret(f->token, session->token)) session = NULL;
        if (c) connection_fetched(c, session, f->last_seq);
        free(f);
    }
}

/* Somebody called network_wake(). */
static void on_wake(struct network *network)
{
    struct kodama_server *server = network->server;
    if (atomic_load(&server->closing)) {
        network->ended = true;
        uv_stop(&network->loop);
        return;
    }
    struct session *next;
    for (struct session *s = schedule_noticed(server); s; s = next) {
        next = schedule_noticed_next(s);
        look_at(s);
        session_unref(s);
    }
    take_fetched(network);
    close_now(network);
    if (atomic_load(&server->stopping)) {
        sessions_stop(network);
        check_drained(network);
    }
    if (network->n_uploads == 0) return;
    for (struct connection *c = network->connections; c; c = c->next) {
        if (c->upload) http_wake(c);
    }
}

static void add_connection(struct connection *connection, struct lws *wsi, bool is_socket)
{
    struct network *network = network_of(wsi);
    *connection =
        (struct connection){.wsi = wsi, .server = network->server, .is_socket = is_socket};
    connection->number = ++network->n_connections;
    connection->opened_ns = connection->heard_ns = connection->pinged_ns = clock_now_ns();
    lws_get_peer_simple(wsi, connection->address, sizeof connection->address);
    connection->next = network->connections;
    network->connections = connection;
    if (is_socket) METRICS_ADD(network->server->metrics.connections, 1);
    network_tick_on(network);
}

static void remove_connection(struct connection *connection)
{
    if (!connection->server) return; /* it never was one */
    struct network *network = connection->server->network;
    if (connection->is_socket) METRICS_SUB(connection->server->metrics.connections, 1);
    for (struct connection **at = &network->connections; *at; at = &(*at)->next) {
        if (*at != connection) continue;
        *at = connection->next;
        break;
    }
    connection->server = NULL;
}

static int receive(struct connection *connection, const char *bytes, size_t n_bytes)
{
    struct lws *wsi = connection->wsi;
    connection->heard_ns = clock_now_ns();
    bool last = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
    if (lws_frame_is_binary(wsi)) {
        if (connection->dialect->audio(connection, bytes, n_bytes, last)) return 0;
        lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
        return -1;
    }
    int status = connection_gather(connection, bytes, n_bytes, connection->dialect->text_bytes_max);
    if (status == KODAMA_ERR_LIMIT) {
        METRICS_ADD(connection->server->metrics.refused[REFUSED_MESSAGE], 1);
        lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
    }
    if (status < 0) return -1;
    if (!last) return 0;
    size_t n = connection->n_text;
    connection->n_text = 0;
    connection->dialect->text(connection, connection->text, n);
    return 0;
}

static int say_farewell(struct connection *connection)
{
    size_t n_bytes;
    struct outbox only = {.plain = connection->dialect->plain};
    (void)outbox_push(&only, memory_text(connection->farewell), OUTBOX_KEPT);
    char *message = connection->farewell[0] ? outbox_take(&only, LWS_PRE, &n_bytes, NULL) : NULL;
    if (message) {
        (void)lws_write(connection->wsi, (unsigned char *)message + LWS_PRE, n_bytes,
                        LWS_WRITE_TEXT);
    }
    free(message);
    outbox_free(&only);
    close_later(connection, connection->close_code);
    return 0;
}

/* All that its session had to say was sent. */
static bool is_over(struct connection *connection)
{
    struct session *session = connection->session;
    if (!session) return false;
    mutex_lock(&session->mutex);
    bool over = session->ended && !session->outbox.unsent;
    mutex_unlock(&session->mutex);
    return over;
}

static int writable(struct connection *connection)
{
    struct lws *wsi = connection->wsi;
    if (connection->closes) return 0;
    if (connection->farewell) return say_farewell(connection);
    if (connection->pings) {
        /* Not an empty one: libwebsockets (4.1) does not tell of the answer to that. */
        unsigned char ping[LWS_PRE + PING_BYTES] = {0};
        memcpy(ping + LWS_PRE, "ping", PING_BYTES);
        connection->pings = false;
        if (lws_write(wsi, ping + LWS_PRE, PING_BYTES, LWS_WRITE_PING) < 0) return -1;
        lws_callback_on_writable(wsi);
        return 0;
    }
    size_t n_bytes;
    bool binary;
    char *message = connection_message(connection, &n_bytes, &binary);
    if (message) {
        int written = lws_write(wsi, (unsigned char *)message + LWS_PRE, n_bytes,
                                binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
        free(message);
        if (written < (int)n_bytes) return -1;
        lws_callback_on_writable(wsi);
        return 0;
    }
    if (is_over(connection)) close_later(connection, LWS_CLOSE_STATUS_NORMAL);
    return 0;
}

/* Its path was looked at before it was let in. */
static int begin_dialect(struct connection *connection)
{
    char path[HTTP_PATH_BYTES];
    int n = lws_hdr_copy(connection->wsi, path, sizeof path, WSI_TOKEN_GET_URI);
    connection->dialect = n > 0 ? dialect_find(path) : NULL;
    if (!connection->dialect) return -1;
    connection->settings = settings_default();
    connection->dialect->opened(connection);
    return 0;
}

static int on_socket(struct connection *connection, enum lws_callback_reasons reason,
                     struct lws *wsi, void *bytes, size_t n_bytes)
{
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        add_connection(connection, wsi, true);
        return begin_dialect(connection);
    case LWS_CALLBACK_RECEIVE: return receive(connection, bytes, n_bytes);
    case LWS_CALLBACK_RECEIVE_PONG: connection->heard_ns = clock_now_ns(); return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return writable(connection);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        if (connection->session) connection->session->left = true;
        return 0;
    case LWS_CALLBACK_CLOSED:
        if (connection->server) connection_closed(connection);
        remove_connection(connection);
        return 0;
    default: return 0;
    }
}

static int on_request(struct connection *connection, enum lws_callback_reasons reason,
                      struct lws *wsi, void *bytes, size_t n_bytes)
{
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        if (connection->server) {
            http_closed(connection);
            remove_connection(connection);
        }
        add_connection(connection, wsi, false);
        return http_request(connection, bytes);
    case LWS_CALLBACK_HTTP_BODY: return http_body(connection, bytes, n_bytes);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION: return http_body_end(connection);
    case LWS_CALLBACK_HTTP_WRITEABLE: return connection->server ? http_writable(connection) : 0;
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL: /* answered; its memory goes, the socket stays */
    case LWS_CALLBACK_CLOSED_HTTP:
        if (connection && connection->server && !connection->is_socket) {
            http_closed(connection);
            remove_connection(connection);
        }
        return 0;
    default: return 0;
    }
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *bytes,
                  size_t n_bytes)
{
    struct connection *connection = user;
    int closes;
    switch (reason) {
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED: on_wake(network_of(wsi)); return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: {
        struct connection asking = {.wsi = wsi, .server = network_of(wsi)->server};
        return http_admits(&asking, true, &closes) ? 0 : closes;
    }
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: subprotocol_answer(network_of(wsi)); return 0;
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    case LWS_CALLBACK_HTTP_WRITEABLE:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
    case LWS_CALLBACK_CLOSED_HTTP: return on_request(connection, reason, wsi, bytes, n_bytes);
    default: return on_socket(connection, reason, wsi, bytes, n_bytes);
    }
}

/* ----------------------------------------------------------- open and close */

/* libwebsockets says on its log only why it could not listen. */
static int check_address(const char *host, uint32_t port, struct kodama_error *error)
{
    char words[128];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "server: %s is no address; give one such as 127.0.0.1 or 0.0.0.0", host);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd >= 0) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool bound =
        fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0;
    int number = errno;
    if (fd >= 0) close(fd);
    if (bound) return KODAMA_OK;
    int status = number == EADDRINUSE ? KODAMA_ERR_BUSY
                 : number == EACCES   ? KODAMA_ERR_PERMISSION
                                      : KODAMA_ERR_SYSTEM;
    return error_set(error, status, "server: cannot listen on %s port %u: %s", host, port,
                     error_errno(number, words, sizeof words));
}

static int create_vhost(struct network *network, struct lws_context_creation_info *info,
                        struct kodama_error *error)
{
    network->vhost = lws_create_vhost(network->context, info);
    if (!network->vhost) {
        return error_set(error, KODAMA_ERR_SYSTEM,
                         info->ssl_cert_filepath
                             ? "server: cannot listen, or certificate and key do not fit together"
                             : "server: cannot listen");
    }
    network->server->port = (uint32_t)lws_get_vhost_listen_port(network->vhost);
    return KODAMA_OK;
}

/* libwebsockets 4.1 on libuv closes the descriptor of its event pipe twice, the second time when
 * the loop runs after lws_context_destroy() (its issue 2514). What another thread of this process
 * opens in between must not get that number. The lowest free one is given first: so some lower ones
 * are held from before the pipe is made, and become free right before it is closed. */
static void spare(struct network *network)
{
    for (int i = 0; i < NETWORK_SPARES; i++)
        network->spares[i] = fcntl(uv_backend_fd(&network->loop), F_DUPFD_CLOEXEC, 0);
}

static void spare_no_more(struct network *network)
{
    for (int i = 0; i < NETWORK_SPARES; i++)
        if (network->spares[i] >= 0) close(network->spares[i]);
}

int network_open(struct kodama_server *server, struct kodama_error *error)
{
    const struct kodama_server_config *config = &server->config;
    int status = check_address(config->host, config->port, error);
    if (status < 0) return status;
    struct network *network = memory_array(1, sizeof *network);
    if (!network) return error_set(error, KODAMA_ERR_MEMORY, "server: out of memory");
    server->network = network;
    network->server = server;
    if (uv_loop_init(&network->loop) < 0) {
        return error_set(error, KODAMA_ERR_SYSTEM, "server: cannot make an event loop");
    }
    network->has_loop = true;
    spare(network);
    uv_timer_init(&network->loop, &network->timer);
    network->timer.data = network;
    uv_check_init(&network->loop, &network->check);
    network->check.data = network;
    network->protocols[0] =
        (struct lws_protocols){.name = network->subprotocol,
                               .callback = on_lws,
                               .per_session_data_size = sizeof(struct connection),
                               .rx_buffer_size = READ_BYTES};
    /* Its log is one for the whole process; ours has no such thing. */
    lws_set_log_level(0, NULL);
    void *loops[] = {&network->loop};
    struct lws_context_creation_info info = {
        .port = (int)config->port,
        .iface = config->host,
        .protocols = network->protocols,
        .user = network,
        .foreign_loops = loops,
        .max_http_header_data = HEADER_BYTES_MAX,
        .timeout_secs = SILENT_S,
        .alpn = "http/1.1",
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND,
    };
    if (config->certificate) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = config->certificate;
        info.ssl_private_key_filepath = config->key;
    }
    network->context = lws_create_context(&info);
    if (!network->context) {
        return error_set(error, KODAMA_ERR_UNSUPPORTED,
                         "server: libwebsockets does not work with libuv here; install the package "
                         "libwebsockets-evlib-uv");
    }
    if (lws_get_random(network->context, server->seal_key, sizeof server->seal_key) !=
        sizeof server->seal_key) {
        return error_set(error, KODAMA_ERR_SYSTEM, "server: the system has no random numbers");
    }
    return create_vhost(network, &info, error);
}

void network_run(void *argument)
{
    struct kodama_server *server = argument;
    struct network *network = server->network;
    while (!network->ended) uv_run(&network->loop, UV_RUN_DEFAULT);
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void network_drop_all(struct network *network)
{
    if (!network) return;
    while (network->sessions) {
        network->sessions->connection = NULL;
        sessions_drop(network, network->sessions);
    }
    for (struct connection *c = network->connections; c; c = c->next) {
        c->session = NULL;
        if (!c->is_socket) http_closed(c);
    }
}

void network_free(struct network *network)
{
    if (!network) return;
    struct session *next;
    for (struct session *s = schedule_noticed(network->server); s; s = next) {
        next = schedule_noticed_next(s);
        session_unref(s);
    }
    tell_workers(network);
    if (network->has_loop) {
        /* On a foreign loop libwebsockets is destroyed in two steps, the loop running in between
         * (its README.event-libs). */
        uv_timer_stop(&network->timer);
        uv_check_stop(&network->check);
        spare_no_more(network);
        if (network->context) {
            lws_context_destroy(network->context);
            for (int i = 0; i < 100 && uv_run(&network->loop, UV_RUN_NOWAIT); i++) continue;
            lws_context_destroy(network->context);
        }
        uv_walk(&network->loop, close_handle, NULL);
        while (uv_run(&network->loop, UV_RUN_NOWAIT)) continue;
        uv_loop_close(&network->loop);
    }
    free(network);
}
