/* Who may come in: tokens, and the pages of browsers. */
#ifndef SERVE_GATE_H
#define SERVE_GATE_H

#include <stdbool.h>
#include <stddef.h>

/** Whether two secrets are the same; takes as long when they are not. */
bool gate_same_secret(const char *given, const char *secret);

/** The token in an Authorization header, "" when it is of another kind. */
const char *gate_bearer(const char *authorization);

/** Whether an address of ours is reached by this machine only ("127.0.0.1", "localhost"). */
bool gate_is_loopback(const char *host);

/**
 * Whether a page may use the server. A page of this machine always may: its origin names a loopback
 * host. A foreign one may not, whatever name it has made this machine have (DNS rebinding).
 *
 * @param origin     of the request; "" (no browser): it may
 * @param origins    allowed ones, compared without regard to case
 */
bool gate_allows_origin(const char *origin, const char *const *origins, size_t n_origins);

#endif
