/* Who may come in: tokens, and the pages of browsers. */
#include "serve/gate.h"

#include <string.h>
#include <strings.h>

bool gate_same_secret(const char *given, const char *secret)
{
    size_t n = strlen(secret), n_given = strlen(given);
    unsigned char difference = n != n_given;
    for (size_t i = 0; i < n; i++) {
        difference |= (unsigned char)(secret[i] ^ (i < n_given ? given[i] : 0));
    }
    return difference == 0;
}

const char *gate_bearer(const char *authorization)
{
    if (strncasecmp(authorization, "Bearer ", 7) != 0) return "";
    authorization += 7;
    while (*authorization == ' ') authorization++;
    return authorization;
}

bool gate_is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0;
}

/* The host of "http://host:port" or "https://...", or "": a browser's origin has nothing else. */
static void origin_host(const char *origin, char *host, size_t n_bytes)
{
    host[0] = '\0';
    if (strncasecmp(origin, "http://", 7) != 0 && strncasecmp(origin, "https://", 8) != 0) return;
    const char *begin = strstr(origin, "://") + 3;
    size_t n = *begin == '[' ? strcspn(begin, "]") + 1 : strcspn(begin, ":");
    if (n >= n_bytes || n > strlen(begin)) return;
    const char *port = begin + n;
    if (*port == ':') port += 1 + strspn(port + 1, "0123456789");
    if (*port) return;
    memcpy(host, begin, n);
    host[n] = '\0';
}

/* Only whole addresses count: "127.0.0.1.example.org" is somebody else's name. */
static bool is_loopback_name(const char *host)
{
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) return true;
    return strncmp(host, "127.", 4) == 0 && host[strspn(host, "0123456789.")] == '\0';
}

bool gate_allows_origin(const char *origin, const char *const *origins, size_t n_origins)
{
    char host[256];
    if (origin[0] == '\0') return true;
    for (size_t i = 0; i < n_origins; i++) {
        if (strcasecmp(origin, origins[i]) == 0) return true;
    }
    origin_host(origin, host, sizeof host);
    return is_loopback_name(host);
}
