/* The servers that bench_serve loads, each a process of its own on one processor. */
#ifndef BENCH_SERVE_SERVER_H
#define BENCH_SERVE_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** What a server does with what it gets. */
enum server_kind {
    SERVER_WEBSOCKETS, /* python3-websockets: receives, acknowledges */
    SERVER_NONE,       /* Kodama with a detector that never hears speech */
    SERVER_BUILTIN,    /* with the detector `builtin`, and an engine that hears nothing */
    SERVER_SPHINX,     /* with `builtin` and PocketSphinx */
    SERVER_KINDS,
};

struct server {
    pid_t pid;
    uint32_t port;
};

/** The words for a table. */
const char *server_name(enum server_kind kind);

/** Keep this process, and what it will start, on one processor. */
void server_pin(int processor);

/** Start one on a processor and wait for its port. @return false: it does not work here */
bool server_start(struct server *server, enum server_kind kind, int processor);
void server_stop(struct server *server);

/** Processor time of its threads, by the beginning of their name; "" is all. */
uint64_t server_cpu_ns(const struct server *server, const char *thread);

struct kodama_model;

/** The model of a kind, as its server has it; NULL: it does not work here. Close it. */
struct kodama_model *server_model(enum server_kind kind);

/** Its detector. */
const char *server_detector(enum server_kind kind);

#endif
