/*
 * A small WebSocket and HTTP client for tests (RFC 6455), and a proxy that cuts connections.
 * Blocking sockets with generous limits: no test depends on time being kept.
 */
#ifndef TESTS_SERVE_CLIENT_H
#define TESTS_SERVE_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/thread.h"
#include "support/support.h"

enum { CLIENT_TEXT = 1, CLIENT_BINARY = 2, CLIENT_CLOSE = 8, CLIENT_PING = 9, CLIENT_PONG = 10 };
enum { CLIENT_LIMIT_MS = 60000 };

struct client {
    int fd;
    int status;   /* of the handshake's answer; 101: a WebSocket */
    bool is_open; /* nothing failed and no close came */
    int close_code;
    char *bytes; /* received, not yet looked at */
    size_t n_bytes, room;
    char *message; /* the newest one, terminated */
    size_t n_message;
};

static inline int client_dial(uint32_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/** Send all; false when the connection is no more. */
static inline bool client_put(struct client *client, const void *bytes, size_t n_bytes)
{
    const char *at = bytes;
    while (client->is_open && n_bytes > 0) {
        ssize_t n = send(client->fd, at, n_bytes, MSG_NOSIGNAL);
        if (n <= 0) {
            client->is_open = false;
            break;
        }
        at += n;
        n_bytes -= (size_t)n;
    }
    return client->is_open;
}

/** More bytes; false at the end, or after timeout_ms. */
static inline bool client_fill(struct client *client, int timeout_ms)
{
    struct pollfd poller = {.fd = client->fd, .events = POLLIN};
    if (client->room - client->n_bytes < 65536) {
        client->room = client->n_bytes + 131072;
        client->bytes = realloc(client->bytes, client->room);
        assert_non_null(client->bytes);
    }
    if (poll(&poller, 1, timeout_ms) <= 0) return false;
    ssize_t n = recv(client->fd, client->bytes + client->n_bytes, 65536, 0);
    if (n <= 0) {
        client->is_open = false;
        return false;
    }
    client->n_bytes += (size_t)n;
    return true;
}

static inline void client_drop(struct client *client, size_t n_bytes)
{
    memmove(client->bytes, client->bytes + n_bytes, client->n_bytes - n_bytes);
    client->n_bytes -= n_bytes;
}

/** Connect and shake hands; `headers` are whole lines. is_open is false when it was not a
 * WebSocket that came of it; status then says what. */
static inline struct client client_open(uint32_t port, const char *path, const char *headers)
{
    struct client client = {.fd = client_dial(port)};
    char request[4096];
    client.is_open = client.fd >= 0;
    if (!client.is_open) return client;
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\n%s\r\n",
                     path, headers ? headers : "");
    client_put(&client, request, (size_t)n);
    char *end = NULL;
    while (!end && client_fill(&client, CLIENT_LIMIT_MS)) {
        client.bytes[client.n_bytes] = '\0';
        end = strstr(client.bytes, "\r\n\r\n");
    }
    if (!end) {
        client.is_open = false;
        return client;
    }
    client.status = (int)strtol(client.bytes + 9, NULL, 10);
    if (client.status == 101) {
        client_drop(&client, (size_t)(end + 4 - client.bytes));
    } else {
        client.is_open = false;
    }
    return client;
}

/** Send one frame, masked as clients must; `head` is its first byte. */
static inline bool client_frame(struct client *client, uint8_t head, const void *bytes,
                                size_t n_bytes)
{
    uint8_t *frame = malloc(n_bytes + 14);
    static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
    const uint8_t *from = bytes;
    size_t n = 0;
    assert_non_null(frame);
    frame[n++] = head;
    if (n_bytes < 126) {
        frame[n++] = (uint8_t)(0x80 | n_bytes);
    } else if (n_bytes < 65536) {
        frame[n++] = 0x80 | 126;
        frame[n++] = (uint8_t)(n_bytes >> 8);
        frame[n++] = (uint8_t)n_bytes;
    } else {
        frame[n++] = 0x80 | 127;
        for (int i = 7; i >= 0; i--) frame[n++] = (uint8_t)((uint64_t)n_bytes >> (8 * i));
    }
    memcpy(frame + n, mask, 4);
    n += 4;
    for (size_t i = 0; i < n_bytes; i++) frame[n + i] = from[i] ^ mask[i % 4];
    bool sent = client_put(client, frame, n + n_bytes);
    free(frame);
    return sent;
}

static inline bool client_send(struct client *client, int opcode, const void *bytes, size_t n_bytes)
{
    return client_frame(client, (uint8_t)(0x80 | opcode), bytes, n_bytes);
}

static inline bool client_say(struct client *client, const char *text)
{
    return client_send(client, CLIENT_TEXT, text, strlen(text));
}

/** The next frame that is there already: its opcode, 0: none is. */
static inline int client_parse(struct client *client)
{
    const uint8_t *b = (const uint8_t *)client->bytes;
    size_t head = 2;
    if (client->n_bytes < 2) return 0;
    uint64_t n = b[1] & 127;
    if (n == 126) head = 4;
    if (n == 127) head = 10;
    if (client->n_bytes < head) return 0;
    if (n == 126) n = (uint64_t)b[2] << 8 | b[3];
    if (n == 127) {
        n = 0;
        for (int i = 0; i < 8; i++) n = n << 8 | b[2 + i];
    }
    if (client->n_bytes < head + n) return 0;
    int opcode = b[0] & 15;
    client->message = realloc(client->message, n + 1);
    assert_non_null(client->message);
    memcpy(client->message, b + head, n);
    client->message[n] = '\0';
    client->n_message = n;
    client_drop(client, head + n);
    return opcode;
}

/** The next frame; pings are answered. 0: none came in time, or the connection is no more. */
static inline int client_next(struct client *client, int timeout_ms)
{
    for (;;) {
        int opcode = client->bytes ? client_parse(client) : 0;
        if (opcode == CLIENT_PING) {
            client_send(client, CLIENT_PONG, client->message, client->n_message);
        } else if (opcode == CLIENT_CLOSE) {
            client->is_open = false;
            if (client->n_message >= 2) {
                client->close_code = (uint8_t)client->message[0] << 8 | (uint8_t)client->message[1];
            }
            return opcode;
        } else if (opcode) {
            return opcode;
        } else if (!client->is_open || !client_fill(client, timeout_ms)) {
            return 0;
        }
    }
}

/** The next text message as JSON, or NULL. */
static inline json_t *client_message(struct client *client, int timeout_ms)
{
    int opcode = client_next(client, timeout_ms);
    if (opcode != CLIENT_TEXT) return NULL;
    json_t *message = json_loads(client->message, 0, NULL);
    if (!message) fail_msg("no JSON: %s", client->message);
    return message;
}

/** Messages until one of that type; NULL when the connection ends before. */
static inline json_t *client_await(struct client *client, const char *type)
{
    for (;;) {
        json_t *message = client_message(client, CLIENT_LIMIT_MS);
        if (!message) return NULL;
        if (strcmp(json_string_value(json_object_get(message, "type")), type) == 0) return message;
        json_decref(message);
    }
}

/** Whether an error of that code, and then the end, comes. */
static inline void client_expect_error(struct client *client, const char *code)
{
    json_t *message = client_await(client, "error");
    assert_non_null(message);
    assert_string_equal(json_string_value(json_object_get(message, "code")), code);
    json_decref(message);
}

static inline void client_close(struct client *client)
{
    if (client->fd >= 0) close(client->fd);
    free(client->bytes);
    free(client->message);
    *client = (struct client){.fd = -1};
}

/** Cut it without a word: the other side gets a reset. */
static inline void client_cut(struct client *client)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    client_close(client);
}

/** One HTTP request; the whole answer, terminated (free it). */
static inline char *client_request(uint32_t port, const void *request, size_t n_bytes)
{
    struct client client = {.fd = client_dial(port)};
    assert_true(client.fd >= 0);
    client.is_open = true;
    client_put(&client, request, n_bytes);
    client.is_open = true; /* a refusal may come before all was sent */
    while (client_fill(&client, CLIENT_LIMIT_MS)) continue;
    char *answer = calloc(client.n_bytes + 1, 1);
    assert_non_null(answer);
    if (client.n_bytes) memcpy(answer, client.bytes, client.n_bytes);
    client_close(&client);
    return answer;
}

static inline char *client_get(uint32_t port, const char *path, const char *headers)
{
    char request[2048];
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", path,
                     headers ? headers : "");
    return client_request(port, request, (size_t)n);
}

/* --------------------------------------------------------------------- proxy */

/** Hands bytes on between clients and a server, and cuts each connection after some of them. */
struct proxy {
    int listener;
    uint32_t port;
    _Atomic uint32_t server; /* its port; it may move */
    struct test_random random;
    size_t bytes_most; /* a connection lives for less; 0: it is not cut */
    struct thread thread;
    _Atomic bool ends;
    _Atomic int n_cuts;
};

static inline void proxy_reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

/** Hand on until `left` bytes have gone through. */
static inline void proxy_serve(struct proxy *proxy, int client, int server, size_t left)
{
    bool cut = left > 0;
    char bytes[2048];
    for (;;) {
        struct pollfd pollers[] = {{.fd = client, .events = POLLIN},
                                   {.fd = server, .events = POLLIN}};
        if (poll(pollers, 2, 100) <= 0) {
            if (atomic_load(&proxy->ends)) return;
            continue;
        }
        for (int i = 0; i < 2; i++) {
            if (!pollers[i].revents) continue;
            ssize_t n = recv(pollers[i].fd, bytes, sizeof bytes, 0);
            if (n <= 0) return;
            if (cut && (size_t)n > left) n = (ssize_t)left;
            if (send(pollers[1 - i].fd, bytes, (size_t)n, MSG_NOSIGNAL) < n) return;
            if (!cut) continue;
            left -= (size_t)n;
            if (left == 0) {
                atomic_fetch_add(&proxy->n_cuts, 1);
                return;
            }
        }
    }
}

static inline void proxy_run(void *argument)
{
    struct proxy *proxy = argument;
    while (!atomic_load(&proxy->ends)) {
        struct pollfd poller = {.fd = proxy->listener, .events = POLLIN};
        if (poll(&poller, 1, 100) <= 0) continue;
        int client = accept(proxy->listener, NULL, NULL);
        int server = client_dial(atomic_load(&proxy->server));
        size_t most = proxy->bytes_most;
        size_t left = most ? 200 + (size_t)test_random_below(&proxy->random, most) : 0;
        if (client >= 0 && server >= 0) proxy_serve(proxy, client, server, left);
        if (client >= 0) proxy_reset(client);
        if (server >= 0) proxy_reset(server);
    }
}

static inline void proxy_start(struct proxy *proxy, uint32_t server, uint64_t seed,
                               size_t bytes_most)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n_bytes = sizeof address;
    *proxy = (struct proxy){.server = server, .random = {seed}, .bytes_most = bytes_most};
    proxy->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&address, n_bytes), 0);
    assert_int_equal(listen(proxy->listener, 16), 0);
    assert_int_equal(getsockname(proxy->listener, (struct sockaddr *)&address, &n_bytes), 0);
    proxy->port = ntohs(address.sin_port);
    assert_int_equal(thread_start(&proxy->thread, "proxy", proxy_run, proxy, NULL), KODAMA_OK);
}

static inline void proxy_end(struct proxy *proxy)
{
    atomic_store(&proxy->ends, true);
    thread_join(&proxy->thread);
    close(proxy->listener);
}

#endif
