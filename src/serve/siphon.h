/*
 * A siphon: reads the rest of a long chunked body from its socket, past libwebsockets. That takes
 * any body without a length for one of 100 MiB, and calls us without end when that many bytes came
 * (seen with 4.1.6). It has handed on all that it has read, and is told to read no more.
 */
#ifndef SERVE_SIPHON_H
#define SERVE_SIPHON_H

#include <stdbool.h>

struct connection;

enum {
    /* Bytes on the wire after which it begins. */
    SIPHON_AFTER_BYTES = 64 * 1024 * 1024,
    /* Where a body ends that cannot be read so: over TLS. */
    SIPHON_LIMIT_BYTES = 100 * 1024 * 1024 - 64 * 1024,
    /* A client that sends nothing for so long is given up. */
    SIPHON_SILENT_MS = 30000,
};

/** Begin. False: it cannot. Network thread, as all of it. */
bool siphon_begin(struct connection *connection);

/** Read on, or no more for now. */
void siphon_go_on(struct connection *connection);
void siphon_wait(struct connection *connection);

/** Let go of the socket; nothing when it was not begun. */
void siphon_end(struct connection *connection);

#endif
