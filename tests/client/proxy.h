/*
 * A bad network for tests: hands bytes on between clients and a server on this machine, and cuts,
 * closes, freezes (half open: nothing is handed on, nothing is closed), delays and throttles at
 * random places, also within a frame, a handshake or the answer to a resume.
 */
#ifndef TESTS_CLIENT_PROXY_H
#define TESTS_CLIENT_PROXY_H

#include "base/clock.h"
#include "serve/client.h"

enum { NET_PAIRS_MAX = 64, NET_PIECE_BYTES = 4096 };

/** How a connection ends. */
enum net_fate { NET_CUT, NET_CLOSE, NET_FREEZE, NET_FATES };

/** What a network does to connections. */
struct net_plan {
    size_t bytes_most; /* a connection carries fewer, both ways together; 0: it is left alone */
    uint32_t bytes_few_percent; /* of the connections: fewer than 600, within the beginning */
    bool freezes;               /* some are frozen instead of cut */
    uint32_t delay_most_us;     /* before each piece */
    size_t piece_bytes;         /* handed on at a time; 0: NET_PIECE_BYTES */
};

struct net_pair {
    int fds[2]; /* client, server; -1: free */
    bool limited, frozen;
    size_t left;
    enum net_fate fate;
    uint64_t quiet_until_ns;
};

struct net {
    int listener;
    uint32_t port;
    _Atomic uint32_t server;
    struct net_plan plan;
    struct test_random random;
    struct net_pair pairs[NET_PAIRS_MAX];
    struct thread thread;
    _Atomic bool ends, refuses, cuts_all;
    _Atomic int n_cuts[NET_FATES], n_connections;
    _Atomic uint64_t n_bytes;
};

static inline void net_drop(struct net_pair *pair, bool reset)
{
    for (int i = 0; i < 2; i++) {
        if (reset) {
            proxy_reset(pair->fds[i]);
        } else {
            close(pair->fds[i]);
        }
        pair->fds[i] = -1;
    }
}

static inline void net_end_pair(struct net *net, struct net_pair *pair)
{
    atomic_fetch_add(&net->n_cuts[pair->fate], 1);
    if (pair->fate == NET_FREEZE) {
        pair->frozen = true;
    } else {
        net_drop(pair, pair->fate == NET_CUT);
    }
}

/* One piece from one side to the other. */
static inline void net_move(struct net *net, struct net_pair *pair, int from)
{
    char bytes[NET_PIECE_BYTES];
    size_t most = net->plan.piece_bytes ? net->plan.piece_bytes : sizeof bytes;
    if (pair->limited && most > pair->left) most = pair->left;
    ssize_t n = recv(pair->fds[from], bytes, most, 0);
    if (n <= 0) {
        net_drop(pair, n < 0);
        return;
    }
    for (ssize_t sent = 0; sent < n;) {
        ssize_t m = send(pair->fds[1 - from], bytes + sent, (size_t)(n - sent), MSG_NOSIGNAL);
        if (m <= 0) {
            net_drop(pair, true);
            return;
        }
        sent += m;
    }
    atomic_fetch_add(&net->n_bytes, (uint64_t)n);
    if (net->plan.delay_most_us > 0) {
        uint64_t us = test_random_below(&net->random, net->plan.delay_most_us);
        pair->quiet_until_ns = clock_now_ns() + us * 1000;
    }
    if (!pair->limited) return;
    pair->left -= (size_t)n;
    if (pair->left == 0) net_end_pair(net, pair);
}

static inline void net_accept(struct net *net)
{
    int client = accept(net->listener, NULL, NULL);
    if (client < 0) return;
    atomic_fetch_add(&net->n_connections, 1);
    int server = atomic_load(&net->refuses) ? -1 : client_dial(atomic_load(&net->server));
    struct net_pair *pair = NULL;
    for (int i = 0; i < NET_PAIRS_MAX && !pair; i++) {
        if (net->pairs[i].fds[0] < 0) pair = &net->pairs[i];
    }
    if (server < 0 || !pair) {
        proxy_reset(client);
        if (server >= 0) close(server);
        return;
    }
    *pair = (struct net_pair){.fds = {client, server}, .limited = net->plan.bytes_most > 0};
    if (!pair->limited) return;
    bool few = test_random_below(&net->random, 100) < net->plan.bytes_few_percent;
    pair->left = 1 + (size_t)test_random_below(&net->random, few ? 600 : net->plan.bytes_most);
    pair->fate = (enum net_fate)test_random_below(&net->random, net->plan.freezes ? 3 : 2);
}

/* Wait for bytes, for the end of a delay, or for a word from the test. */
static inline void net_step(struct net *net)
{
    struct pollfd pollers[1 + 2 * NET_PAIRS_MAX] = {{.fd = net->listener, .events = POLLIN}};
    int owner[1 + 2 * NET_PAIRS_MAX] = {0}, n = 1, timeout_ms = 50;
    uint64_t now_ns = clock_now_ns();
    for (int i = 0; i < NET_PAIRS_MAX; i++) {
        struct net_pair *pair = &net->pairs[i];
        if (pair->fds[0] < 0 || pair->frozen) continue;
        if (pair->quiet_until_ns > now_ns) {
            int ms = (int)((pair->quiet_until_ns - now_ns) / CLOCK_NS_PER_MS) + 1;
            if (ms < timeout_ms) timeout_ms = ms;
            continue;
        }
        for (int k = 0; k < 2; k++) {
            owner[n] = 2 * i + k;
            pollers[n++] = (struct pollfd){.fd = pair->fds[k], .events = POLLIN};
        }
    }
    if (poll(pollers, (nfds_t)n, timeout_ms) <= 0) return;
    for (int i = 1; i < n; i++) {
        struct net_pair *pair = &net->pairs[owner[i] / 2];
        if (pollers[i].revents && pair->fds[0] >= 0 && !pair->frozen) {
            net_move(net, pair, owner[i] % 2);
        }
    }
    if (pollers[0].revents) net_accept(net);
}

static inline void net_run(void *argument)
{
    struct net *net = argument;
    while (!atomic_load(&net->ends)) {
        net_step(net);
        if (!atomic_exchange(&net->cuts_all, false)) continue;
        for (int i = 0; i < NET_PAIRS_MAX; i++) {
            if (net->pairs[i].fds[0] >= 0) net_drop(&net->pairs[i], true);
        }
    }
    for (int i = 0; i < NET_PAIRS_MAX; i++) {
        if (net->pairs[i].fds[0] >= 0) net_drop(&net->pairs[i], true);
    }
}

static inline void net_start(struct net *net, uint32_t server, uint64_t seed, struct net_plan plan)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n_bytes = sizeof address;
    *net = (struct net){.plan = plan, .random = {seed}};
    atomic_store(&net->server, server);
    for (int i = 0; i < NET_PAIRS_MAX; i++) net->pairs[i].fds[0] = -1;
    net->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(net->listener, (struct sockaddr *)&address, n_bytes), 0);
    assert_int_equal(listen(net->listener, 16), 0);
    assert_int_equal(getsockname(net->listener, (struct sockaddr *)&address, &n_bytes), 0);
    net->port = ntohs(address.sin_port);
    assert_int_equal(thread_start(&net->thread, "network", net_run, net, NULL), KODAMA_OK);
}

static inline int net_cuts(struct net *net)
{
    int n = 0;
    for (int i = 0; i < NET_FATES; i++) n += atomic_load(&net->n_cuts[i]);
    return n;
}

static inline void net_end(struct net *net)
{
    atomic_store(&net->ends, true);
    thread_join(&net->thread);
    close(net->listener);
}

#endif
