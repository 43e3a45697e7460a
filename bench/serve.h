/* What the parts of bench_serve share. */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve_load.h"
#include "serve_server.h"

enum { SERVER_PROCESSOR = 0, LOAD_PROCESSOR = 1 };

/** Read speech, and quiet noise to its right length; 16 kHz mono. */
struct speech {
    int16_t *samples;
    size_t n_samples; /* whole messages */
};

/** Sentences with pauses between them. False: they are not installed. */
bool speech_load(struct speech *speech);

/** What one run of a load cost its server. */
struct trial {
    struct load_result load;
    bool connected;
    double cpu;                  /* processors that it used */
    double network;              /* of these, its network thread */
    double busy_kb;              /* memory for a session that speaks */
    double idle_kb;              /* and for one that has spoken, and is silent */
    uint64_t cpu_ns, network_ns; /* of the run */
};

/** Start a server, load it, stop it. @return false: that server does not work here */
bool trial_run(struct trial *trial, enum server_kind kind, const struct load_config *config);

/** Costs of the server beside the bare engine's, and how late finals are. Prints. */
void costs_print(const struct speech *speech, bool longer);

#endif
