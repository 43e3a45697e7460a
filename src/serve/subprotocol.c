/*
 * The subprotocol of a WebSocket: what its client offers, and what its dialect speaks.
 *
 * libwebsockets (4.1) hangs up on a client that offers only names that are not in its table, and
 * answers with the name of the row that fits, unless that is empty. There is one row, whose
 * name is ours to write: before the table is looked through it is what the client offers, and
 * before the answer is written it is what the dialect speaks. All of that is one call of the
 * network thread.
 */
#include <stdio.h>
#include <string.h>

#include "serve/connection.h"

/* What libwebsockets reads of such a list. */
enum { LIST_BYTES = 127 };

static const char between[] = " \t,"; /* tokens */
/* Of what a token may have (RFC 9110, 5.6.2) what every libwebsockets takes for a part of one: 4.3
 * hangs up on others. */
static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

/* The token at *at, which moves behind it. @return its bytes, 0: there are no more */
static size_t next_token(const char **at, const char **token)
{
    *token = *at + strspn(*at, between);
    size_t n_bytes = strcspn(*token, between);
    *at = *token + n_bytes;
    return n_bytes;
}

bool subprotocol_offered(struct network *network, struct lws *wsi, const char *spoken)
{
    char list[LIST_BYTES], *name = network->subprotocol;
    const char *at = list, *token;
    network->spoken = "";
    int n = lws_hdr_copy(wsi, list, sizeof list, WSI_TOKEN_PROTOCOL);
    if (n == 0) return true; /* nothing is offered, nothing is answered */
    if (n < 0) return false;
    size_t n_bytes = next_token(&at, &token);
    if (n_bytes == 0 || n_bytes >= sizeof network->subprotocol) return false;
    memcpy(name, token, n_bytes);
    name[n_bytes] = '\0';
    /* A number is no token to it. */
    if (strspn(name, letters) < n_bytes || strspn(name, "0123456789.") == n_bytes) return false;
    for (; n_bytes > 0; n_bytes = next_token(&at, &token)) {
        bool is_it = spoken && strlen(spoken) == n_bytes && memcmp(token, spoken, n_bytes) == 0;
        if (is_it) network->spoken = spoken;
    }
    return true;
}

void subprotocol_answer(struct network *network)
{
    snprintf(network->subprotocol, sizeof network->subprotocol, "%s", network->spoken);
}
