/* The address of a server: its parts, from what a person writes. */
#include "client/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"

enum { PORT_PLAIN = 8000, PORT_TLS = 443 };

static const struct scheme {
    const char *name;
    bool tls;
} schemes[] = {{"ws://", false}, {"wss://", true}, {"http://", false}, {"https://", true}};

static int refuse(const char *url, struct kodama_error *error)
{
    return error_set(error, KODAMA_ERR_ARGUMENT,
                     "client: %s is no address of a server; write one such as "
                     "ws://127.0.0.1:8000 (or wss, http, https)",
                     url);
}

/* @return what follows the host, or NULL */
static const char *read_host(struct address *address, const char *from)
{
    bool bracketed = from[0] == '[';
    if (bracketed) from++;
    size_t n = strcspn(from, bracketed ? "]/?#" : ":/?#");
    if (n == 0 || n >= sizeof address->host) return NULL;
    if (bracketed && from[n] != ']') return NULL;
    memcpy(address->host, from, n);
    address->host[n] = '\0';
    /* A password in an address would be shown to everybody; there is an option for tokens. */
    if (strpbrk(address->host, "@ \t\r\n\"\\")) return NULL;
    return from + n + (bracketed ? 1 : 0);
}

static const char *read_port(struct address *address, const char *from)
{
    if (*from != ':') return from;
    char *end;
    unsigned long port = strtoul(from + 1, &end, 10);
    if (end == from + 1 || from[1] < '0' || from[1] > '9' || port < 1 || port > 65535) return NULL;
    address->port = (uint32_t)port;
    return end;
}

int address_read(struct address *address, const char *url, struct kodama_error *error)
{
    struct address read = {0};
    const char *rest = NULL;
    if (!url || !url[0]) return refuse("an empty one", error);
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i].name);
        if (strncasecmp(url, schemes[i].name, n) != 0) continue;
        rest = url + n;
        read.tls = schemes[i].tls;
    }
    if (!rest && strstr(url, "://")) return refuse(url, error);
    if (!rest) rest = url; /* host:port alone */
    read.port = read.tls ? PORT_TLS : PORT_PLAIN;
    rest = read_host(&read, rest);
    if (rest) rest = read_port(&read, rest);
    if (!rest || (*rest && !strchr("/?#", *rest))) return refuse(url, error);
    size_t n = strcspn(rest, "# \r\n");
    bool bare = n == 0 || (n == 1 && rest[0] == '/');
    if (bare) {
        rest = "/ws";
        n = strlen(rest);
    }
    if (n + 2 > sizeof read.path) return refuse(url, error);
    snprintf(read.path, sizeof read.path, "%s%.*s", rest[0] == '?' ? "/ws" : "", (int)n, rest);
    *address = read;
    return KODAMA_OK;
}

bool address_is_loopback(const struct address *address)
{
    return strcmp(address->host, "localhost") == 0 || strncmp(address->host, "127.", 4) == 0 ||
           strcmp(address->host, "::1") == 0;
}
