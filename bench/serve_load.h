/*
 * A load of WebSocket clients for bench_serve: each sends 20 ms of audio every 20 ms, all from one
 * thread.
 *
 * Message lag, the same for every server: from the moment at which the message that completes a
 * second of audio was due to be sent, to the arrival of the `ack` that says that this second was
 * heard (`"heard"`, or `"received"` where a server has nothing else). It has in it the delay of the
 * generator, of the kernel, of the server's queues, and of the way back. An ack that never comes
 * counts with the time that it was waited for.
 */
#ifndef BENCH_SERVE_LOAD_H
#define BENCH_SERVE_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latency.h"

enum {
    LOAD_RATE_HZ = 16000,
    LOAD_MESSAGE_FRAMES = 320,
    LOAD_MESSAGE_BYTES = LOAD_MESSAGE_FRAMES * 2,
    LOAD_MESSAGES_PER_S = LOAD_RATE_HZ / LOAD_MESSAGE_FRAMES,
};

struct load_config {
    uint32_t port;
    const char *path; /* with the query */
    int n_clients;
    double warm_s; /* audio before anything is measured */
    double run_s;
    double quiet_s;         /* then, connected but silent */
    const int16_t *samples; /* sent over and over; each client begins elsewhere */
    size_t n_samples;       /* whole messages */
    bool even; /* the clients' beginnings are as far apart as they can be, and they begin at once */
    /* Called when the measuring begins, when it ends, and after the quiet. */
    void (*mark)(void *user, int what);
    void *user;
};

enum { LOAD_BEGINS, LOAD_ENDS, LOAD_WAS_QUIET };

struct load_result {
    int n_connected, n_refused;
    uint64_t n_sent;    /* messages while measuring */
    uint64_t n_acks;    /* expected while measuring; those that came */
    uint64_t n_missing; /* and those that did not */
    uint64_t n_lost;    /* connections that ended */
    uint64_t n_slow;    /* warnings that finals are late */
    uint64_t n_finals;
    struct latency_summary lag;
    struct latency_summary late;  /* the generator itself: due to sent, where the socket took it */
    struct latency_summary final; /* from `speech_stopped` to `final`, as they arrive */
};

/** Run it. @return whether all clients were connected */
bool load_run(const struct load_config *config, struct load_result *result);

#endif
