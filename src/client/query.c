/* What a client asks for: the path of its first connection, with the settings of its session in the
 * query, so that the session begins with them at once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/internal.h"

static void add_escaped(char *path, size_t room, size_t *at, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *text && *at + 4 < room; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.';
        if (plain) {
            path[(*at)++] = (char)c;
        } else {
            path[(*at)++] = '%';
            path[(*at)++] = digits[c >> 4];
            path[(*at)++] = digits[c & 15];
        }
    }
    path[*at] = '\0';
}

static void add_name(char *path, size_t room, size_t *at, const char *key, const char *value)
{
    if (!value || !value[0]) return;
    int n = snprintf(path + *at, room - *at, "&%s=", key);
    if (n < 0 || (size_t)n >= room - *at) return;
    *at += (size_t)n;
    add_escaped(path, room, at, value);
}

void query_write(const struct kodama_client *c, char *path, size_t room)
{
    const struct kodama_client_config *config = &c->config;
    /* Not printed as a real number: a locale may write it with a comma. */
    uint64_t threshold = (uint64_t)((double)config->threshold * 1e9 + 0.5);
    int n =
        snprintf(path, room,
                 "%s%crate=%u&encoding=%s&channels=1&partials=%d&words=%d&threshold=0.%09" PRIu64
                 "&prefix_padding_ms=%u&silence_duration_ms=%u",
                 c->address.path, strchr(c->address.path, '?') ? '&' : '?', c->wire.rate_hz,
                 c->wire.sample == KODAMA_SAMPLE_S16 ? "pcm_s16le" : "pcm_f32le", config->partials,
                 config->words, threshold, config->prefix_padding_ms, config->silence_duration_ms);
    size_t at = n > 0 ? (size_t)n : 0;
    add_name(path, room, &at, "engine", config->engine);
    add_name(path, room, &at, "model", config->model);
    add_name(path, room, &at, "language", config->language);
}
