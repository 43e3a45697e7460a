#define _DEFAULT_SOURCE
/* A load of WebSocket clients: one thread, one epoll, frames masked before the clock runs. */
#include "serve_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    HEAD_BYTES = 8, /* of a frame with a mask and 16 bits of length */
    FRAME_BYTES = HEAD_BYTES + LOAD_MESSAGE_BYTES,
    CARRY_BYTES = 2048, /* no text of a server is longer */
    READ_BYTES = 65536,
    EVENTS = 256,
    CONNECTING_MAX = 64,
    TRIES_MAX = 100,
    CONNECT_LIMIT_S = 60,
};

static const uint64_t tick_ns = CLOCK_NS_PER_S / LOAD_MESSAGES_PER_S;

enum state { STATE_CLOSED, STATE_CONNECTING, STATE_SHAKING, STATE_OPEN };

struct client {
    int fd;
    enum state state;
    uint64_t origin_ns;  /* its first message is due one tick later */
    uint32_t frame;      /* the next one, of the load's */
    uint32_t n_sent;     /* whole messages */
    uint32_t n_due;      /* messages */
    uint32_t at;         /* bytes of the next one that were sent */
    uint32_t acked_s;    /* seconds of its audio */
    uint64_t stopped_ns; /* when the newest speech_stopped arrived */
    bool waits;          /* for its socket to take more */
    char carry[CARRY_BYTES];
    size_t n_carry;
};

struct load {
    const struct load_config *config;
    struct load_result *result;
    struct client *clients;
    int epoll;
    uint8_t *frames;
    uint32_t n_frames;
    uint64_t measure_ns, end_ns; /* between these it is measured */
    struct latency lag, late, final;
    char *bytes; /* [CARRY_BYTES + READ_BYTES] */
};

/* ------------------------------------------------------------------- frames */

/* Numbers as in MMIX (Knuth). */
static uint32_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

static bool make_frames(struct load *load)
{
    const struct load_config *config = load->config;
    uint64_t state = 1;
    load->n_frames = (uint32_t)(config->n_samples / LOAD_MESSAGE_FRAMES);
    load->frames = malloc((size_t)load->n_frames * FRAME_BYTES);
    if (!load->frames) return false;
    for (uint32_t i = 0; i < load->n_frames; i++) {
        uint8_t *frame = load->frames + (size_t)i * FRAME_BYTES;
        const uint8_t *from = (const uint8_t *)(config->samples + (size_t)i * LOAD_MESSAGE_FRAMES);
        uint32_t mask = random_next(&state);
        frame[0] = 0x82;
        frame[1] = 0x80 | 126;
        frame[2] = LOAD_MESSAGE_BYTES >> 8;
        frame[3] = LOAD_MESSAGE_BYTES & 255;
        memcpy(frame + 4, &mask, 4);
        for (int k = 0; k < LOAD_MESSAGE_BYTES; k++) {
            frame[HEAD_BYTES + k] = from[k] ^ frame[4 + k % 4];
        }
    }
    return true;
}

/* -------------------------------------------------------------- connections */

static void watch(struct load *load, struct client *client, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.ptr = client};
    (void)epoll_ctl(load->epoll, how, client->fd, &event);
}

static void lose(struct load *load, struct client *client)
{
    if (client->state == STATE_CLOSED) return;
    if (client->state == STATE_OPEN) load->result->n_lost++;
    client->state = STATE_CLOSED;
    close(client->fd);
}

static bool begin_connect(struct load *load, struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)load->config->port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int on = 1;
    struct linger linger = {.l_onoff = 1}; /* thousands in TIME_WAIT would be in the way */
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) return false;
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) < 0 &&
        errno != EINPROGRESS) {
        close(client->fd);
        return false;
    }
    client->state = STATE_CONNECTING;
    watch(load, client, EPOLLOUT, EPOLL_CTL_ADD);
    return true;
}

static void shake(struct load *load, struct client *client)
{
    char request[512];
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\n\r\n",
                     load->config->path);
    client->state = STATE_SHAKING;
    watch(load, client, EPOLLIN, EPOLL_CTL_MOD);
    if (send(client->fd, request, (size_t)n, MSG_NOSIGNAL) != n) lose(load, client);
}

/* ----------------------------------------------------------------- messages */

static uint64_t number_after(const char *text, const char *key, bool *found)
{
    const char *at = strstr(text, key);
    *found = at != NULL;
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void on_ack(struct load *load, struct client *client, const char *text, uint64_t now_ns)
{
    bool found;
    uint64_t heard = number_after(text, "\"heard\":", &found);
    if (!found) heard = number_after(text, "\"received\":", &found);
    /* One sample for each whole second, however few acks tell of them. */
    while (client->acked_s < heard / LOAD_RATE_HZ) {
        uint64_t due_ns = client->origin_ns + ++client->acked_s * CLOCK_NS_PER_S;
        if (due_ns < load->measure_ns || due_ns > load->end_ns) continue;
        load->result->n_acks++;
        latency_add(&load->lag, now_ns > due_ns ? (now_ns - due_ns) / 1000 : 0);
    }
}

static void on_text(struct load *load, struct client *client, const char *text, uint64_t now_ns)
{
    if (strstr(text, "\"type\":\"ack\"")) {
        on_ack(load, client, text, now_ns);
    } else if (strstr(text, "\"type\":\"speech_stopped\"")) {
        client->stopped_ns = now_ns;
    } else if (strstr(text, "\"type\":\"final\"")) {
        load->result->n_finals++;
        if (client->stopped_ns) latency_add(&load->final, (now_ns - client->stopped_ns) / 1000);
    } else if (strstr(text, "\"code\":\"slow\"")) {
        load->result->n_slow++;
    }
}

static void answer_ping(struct client *client, const char *bytes, size_t n_bytes)
{
    uint8_t pong[6 + 125] = {0x8a, (uint8_t)(0x80 | n_bytes)}; /* the mask is 0 */
    memcpy(pong + 6, bytes, n_bytes);
    (void)send(client->fd, pong, 6 + n_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Take the whole frames at the beginning of bytes. @return how many bytes they had */
static size_t take_frames(struct load *load, struct client *client, char *bytes, size_t n_bytes)
{
    uint64_t now_ns = clock_now_ns();
    size_t at = 0;
    while (n_bytes - at >= 2) {
        const uint8_t *head = (const uint8_t *)bytes + at;
        size_t n_head = (head[1] & 127) == 126 ? 4 : 2;
        if (n_bytes - at < n_head) break;
        size_t n = n_head == 4 ? (size_t)(head[2] << 8 | head[3]) : head[1] & 127;
        if (n_bytes - at < n_head + n) break;
        char *text = bytes + at + n_head;
        int opcode = head[0] & 15;
        if (opcode == 1) {
            char after = text[n]; /* there is room for one more */
            text[n] = '\0';
            on_text(load, client, text, now_ns);
            text[n] = after;
        } else if (opcode == 9 && n <= 125) {
            answer_ping(client, text, n);
        } else if (opcode == 8) {
            lose(load, client);
            return n_bytes;
        }
        at += n_head + n;
    }
    return at;
}

static void on_readable(struct load *load, struct client *client)
{
    char *bytes = load->bytes;
    memcpy(bytes, client->carry, client->n_carry);
    ssize_t n = recv(client->fd, bytes + client->n_carry, READ_BYTES, 0);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) lose(load, client);
        return;
    }
    size_t n_bytes = client->n_carry + (size_t)n, taken = 0;
    if (client->state == STATE_SHAKING) {
        bytes[n_bytes] = '\0';
        char *end = strstr(bytes, "\r\n\r\n");
        if (end && strncmp(bytes, "HTTP/1.1 101", 12) != 0) {
            load->result->n_refused++;
            lose(load, client);
            return;
        }
        if (end) {
            client->state = STATE_OPEN;
            load->result->n_connected++;
            taken = (size_t)(end + 4 - bytes);
        }
    }
    if (client->state == STATE_OPEN) {
        taken += take_frames(load, client, bytes + taken, n_bytes - taken);
    }
    client->n_carry = n_bytes - taken;
    if (client->n_carry > CARRY_BYTES) {
        lose(load, client);
        return;
    }
    memcpy(client->carry, bytes + taken, client->n_carry);
}

/* Send what is due, as far as the socket takes it. */
static void send_due(struct load *load, struct client *client)
{
    while (client->n_sent < client->n_due) {
        const uint8_t *frame = load->frames + (size_t)client->frame * FRAME_BYTES;
        ssize_t n = send(client->fd, frame + client->at, FRAME_BYTES - client->at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            if (!client->waits) watch(load, client, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            client->waits = true;
            return;
        }
        if (n < 0) {
            lose(load, client);
            return;
        }
        client->at += (uint32_t)n;
        if (client->at < FRAME_BYTES) continue;
        client->at = 0;
        client->n_sent++;
        client->frame = (client->frame + 1) % load->n_frames;
    }
    if (client->waits) watch(load, client, EPOLLIN, EPOLL_CTL_MOD);
    client->waits = false;
}

static void wait_for_events(struct load *load, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(load->epoll, events, EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct client *client = events[i].data.ptr;
        if (client->state == STATE_CLOSED) continue;
        if (client->state == STATE_CONNECTING) {
            shake(load, client);
            continue;
        }
        if (events[i].events & EPOLLOUT) send_due(load, client);
        if (client->state != STATE_CLOSED && (events[i].events & ~(uint32_t)EPOLLOUT)) {
            on_readable(load, client);
        }
    }
}

/* ----------------------------------------------------------------- the load */

static bool connect_all(struct load *load)
{
    int n = load->config->n_clients, n_begun = 0, n_failed = 0;
    uint64_t deadline_ns = clock_now_ns() + CONNECT_LIMIT_S * CLOCK_NS_PER_S;
    while (load->result->n_connected < n && clock_now_ns() < deadline_ns) {
        int n_done = load->result->n_connected + load->result->n_refused;
        while (n_begun < n && n_begun - n_done < CONNECTING_MAX) {
            if (!begin_connect(load, &load->clients[n_begun])) {
                if (++n_failed > TRIES_MAX) return false;
                break;
            }
            n_begun++;
        }
        if (load->result->n_refused > 0) return false;
        wait_for_events(load, 10);
    }
    return load->result->n_connected == n;
}

/* Client i speaks first i/n of a second after the others, so that neither messages nor acks come
 * all at once; within a tick, they send in this order. */
static void set_origins(struct load *load, uint64_t begin_ns)
{
    uint64_t n = (uint64_t)load->config->n_clients;
    uint64_t state = 2;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t tick = random_next(&state) % LOAD_MESSAGES_PER_S;
        uint32_t frame = random_next(&state) % load->n_frames;
        if (load->config->even) {
            tick = LOAD_MESSAGES_PER_S - 1; /* when the measuring begins */
            frame = (uint32_t)(i * load->n_frames / n);
        }
        load->clients[i].origin_ns = begin_ns + tick * tick_ns + i * tick_ns / n;
        load->clients[i].frame = frame;
    }
}

static void send_one(struct load *load, struct client *client, uint64_t due_ns, uint64_t now_ns)
{
    if (client->state != STATE_OPEN || due_ns < client->origin_ns + tick_ns) return;
    client->n_due++;
    bool measured = due_ns >= load->measure_ns;
    if (!client->waits) {
        send_due(load, client);
        if (measured && !client->waits) latency_add(&load->late, (now_ns - due_ns) / 1000);
    }
    if (measured) load->result->n_sent++;
}

/* Send until end_ns: in each tick every client once, in order. */
static void speak(struct load *load, uint64_t begin_ns, uint64_t *tick, int *next, uint64_t end_ns)
{
    uint64_t n = (uint64_t)load->config->n_clients;
    for (;;) {
        uint64_t due_ns = begin_ns + *tick * tick_ns + (uint64_t)*next * tick_ns / n;
        if (due_ns >= end_ns) return;
        uint64_t now_ns = clock_now_ns();
        /* Also when there is much to send, what came is looked at. */
        bool looks = due_ns > now_ns || (*next & 31) == 0;
        if (looks) {
            int64_t ahead_ns = (int64_t)(due_ns - now_ns);
            wait_for_events(load, ahead_ns > 1500000 ? (int)(ahead_ns / 1000000) : 0);
            if (due_ns > (now_ns = clock_now_ns())) continue;
        }
        send_one(load, &load->clients[*next], due_ns, now_ns);
        if (++*next == (int)n) {
            *next = 0;
            ++*tick;
        }
    }
}

static void listen_until(struct load *load, uint64_t end_ns)
{
    for (uint64_t now_ns; (now_ns = clock_now_ns()) < end_ns;) {
        wait_for_events(load, (int)((end_ns - now_ns) / 1000000) + 1);
    }
}

/* Acks that should have come, and have not. */
static void count_missing(struct load *load)
{
    uint64_t now_ns = clock_now_ns();
    for (int i = 0; i < load->config->n_clients; i++) {
        struct client *client = &load->clients[i];
        for (;;) {
            uint64_t due_ns = client->origin_ns + ++client->acked_s * CLOCK_NS_PER_S;
            if (due_ns > load->end_ns) break;
            if (due_ns < load->measure_ns) continue;
            load->result->n_missing++;
            latency_add(&load->lag, (now_ns - due_ns) / 1000);
        }
    }
}

static void mark(struct load *load, int what)
{
    if (load->config->mark) load->config->mark(load->config->user, what);
}

static void run(struct load *load)
{
    const struct load_config *config = load->config;
    uint64_t begin_ns = clock_now_ns() + CLOCK_NS_PER_S / 10, tick = 1;
    int next = 0;
    set_origins(load, begin_ns);
    /* Everybody speaks one second after the first. */
    load->measure_ns = begin_ns + (uint64_t)((1.0 + config->warm_s) * 1e9);
    load->end_ns = load->measure_ns + (uint64_t)(config->run_s * 1e9);
    speak(load, begin_ns, &tick, &next, load->measure_ns);
    mark(load, LOAD_BEGINS);
    speak(load, begin_ns, &tick, &next, load->end_ns);
    mark(load, LOAD_ENDS);
    listen_until(load,
                 load->end_ns + (uint64_t)((config->quiet_s > 0.3 ? config->quiet_s : 0.3) * 1e9));
    mark(load, LOAD_WAS_QUIET);
    count_missing(load);
}

bool load_run(const struct load_config *config, struct load_result *result)
{
    static struct load load; /* large */
    bool connected = false;
    load = (struct load){.config = config, .result = result};
    *result = (struct load_result){0};
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.clients = calloc((size_t)config->n_clients, sizeof *load.clients);
    load.bytes = malloc(CARRY_BYTES + READ_BYTES + 1);
    if (load.epoll >= 0 && load.clients && load.bytes && make_frames(&load)) {
        connected = connect_all(&load);
        if (connected) run(&load);
    }
    result->lag = latency_summarise((const struct latency *const[]){&load.lag}, 1);
    result->late = latency_summarise((const struct latency *const[]){&load.late}, 1);
    result->final = latency_summarise((const struct latency *const[]){&load.final}, 1);
    for (int i = 0; load.clients && i < config->n_clients; i++) {
        if (load.clients[i].state != STATE_CLOSED) close(load.clients[i].fd);
    }
    if (load.epoll >= 0) close(load.epoll);
    free(load.clients);
    free(load.frames);
    free(load.bytes);
    return connected;
}
