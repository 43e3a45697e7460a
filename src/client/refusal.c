/* What it means, in words, when a connection is refused; and whether to try again has any sense. */
#include <string.h>

#include "client/internal.h"

void refusal_http(struct kodama_client *c, unsigned status)
{
    const char *host = c->address.host;
    uint32_t port = c->address.port;
    mutex_lock(&c->mutex);
    bool began = c->began;
    mutex_unlock(&c->mutex);
    if (status == 401 || status == 403) {
        client_fail(c, KODAMA_ERR_PERMISSION,
                    "client: the server at %s port %u refuses this client (%u): %s", host, port,
                    status,
                    status == 403 ? "it may not use this server"
                    : c->token    ? "the token is not the server's"
                                  : "it demands a token");
    } else if (began) {
        return; /* it is being started again, or is full for the moment */
    } else if (status == 429) {
        client_fail(c, KODAMA_ERR_LIMIT,
                    "client: the server at %s port %u has too many connections from this address",
                    host, port);
    } else if (status == 503) {
        client_fail(c, KODAMA_ERR_BUSY, "client: the server at %s port %u is being stopped", host,
                    port);
    } else {
        client_fail(c, KODAMA_ERR_NOT_FOUND,
                    "client: what answers at %s port %u is no Kodama server (HTTP %u)", host, port,
                    status);
    }
}

/* What libwebsockets says, and what it means to a person. */
static const struct phrase {
    const char *part, *words;
} phrases[] = {
    {"Unable to connect", "nobody answers there; is the server running?"},
    {"read failed", "it hung up; is it a Kodama server, and is it wss or ws that it speaks?"},
    {"hung up", "it hung up; is it a Kodama server, and is it wss or ws that it speaks?"},
};

static bool is_about_tls(const char *words)
{
    return strstr(words, "SSL") || strstr(words, "X509") || strstr(words, "cert");
}

const char *refusal_handshake(struct kodama_client *c, const char *words)
{
    mutex_lock(&c->mutex);
    bool began = c->began;
    mutex_unlock(&c->mutex);
    if (!began && is_about_tls(words)) {
        client_fail(c, KODAMA_ERR_PERMISSION,
                    "client: TLS with %s port %u failed (%s): its certificate is not trusted, or "
                    "it speaks no TLS; name the file of its authority if it is your own",
                    c->address.host, c->address.port, words);
    }
    if (began) return words;
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        if (strstr(words, phrases[i].part)) return phrases[i].words;
    }
    return words;
}
