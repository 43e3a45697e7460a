#define _DEFAULT_SOURCE
/* A siphon: reads the rest of a long chunked body from its socket, past libwebsockets. */
#include "serve/siphon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/connection.h"

enum { PIECE_BYTES = 16384 };

/* libuv wants a descriptor of its own; both are one socket. */
struct siphon {
    uv_poll_t poll;
    struct connection *connection; /* NULL: it has gone */
    int fd;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct siphon *siphon = poll->data;
    struct connection *connection = siphon->connection;
    char piece[PIECE_BYTES];
    (void)events;
    ssize_t n = status < 0 ? 0 : recv(siphon->fd, piece, sizeof piece, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    connection->heard_ns = clock_now_ns();
    if (n > 0 && http_body(connection, piece, (size_t)n) == 0) return;
    struct lws *wsi = connection->wsi;
    siphon_end(connection);
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

bool siphon_begin(struct connection *connection)
{
    struct siphon *siphon = memory_array(1, sizeof *siphon);
    if (!siphon) return false;
    siphon->fd = fcntl((int)lws_get_socket_fd(connection->wsi), F_DUPFD_CLOEXEC, 0);
    if (siphon->fd < 0 ||
        uv_poll_init(&connection->server->network->loop, &siphon->poll, siphon->fd) < 0) {
        if (siphon->fd >= 0) close(siphon->fd);
        free(siphon);
        return false;
    }
    siphon->poll.data = siphon;
    siphon->connection = connection;
    connection->siphon = siphon;
    (void)lws_rx_flow_control(connection->wsi, 0);
    siphon_go_on(connection);
    return true;
}

void siphon_go_on(struct connection *connection)
{
    uv_poll_start(&connection->siphon->poll, UV_READABLE, on_readable);
}

void siphon_wait(struct connection *connection)
{
    uv_poll_stop(&connection->siphon->poll);
}

static void on_closed(uv_handle_t *handle)
{
    struct siphon *siphon = handle->data;
    close(siphon->fd);
    free(siphon);
}

void siphon_end(struct connection *connection)
{
    if (!connection->siphon) return;
    connection->siphon->connection = NULL;
    uv_close((uv_handle_t *)&connection->siphon->poll, on_closed);
    connection->siphon = NULL;
    (void)lws_rx_flow_control(connection->wsi, 1);
}
