/* What a client asks of its session: the keys of the query and of the first message. */
#ifndef SERVE_SETTINGS_H
#define SERVE_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <kodama/format.h>
#include <kodama/status.h>

#include "serve/voice_options.h"

/** How audio comes. */
enum settings_encoding {
    ENCODING_PCM,  /* frames, in settings' format */
    ENCODING_OPUS, /* packets, one a message; decoded to settings' format */
};

enum { SETTINGS_NAME_BYTES = 64, SETTINGS_RATE_MAX_HZ = 48000 };

struct settings {
    enum settings_encoding encoding;
    struct kodama_format format;
    float threshold;
    uint32_t prefix_padding_ms;
    uint32_t silence_duration_ms;
    bool partials;
    bool words;
    char engine[SETTINGS_NAME_BYTES]; /* "": whatever the server has */
    char model[SETTINGS_NAME_BYTES];
    char language[SETTINGS_NAME_BYTES];
    struct voice_options voice; /* of a session that changes voices */
};

/** What holds when the client says nothing. */
struct settings settings_default(void);

/** Whether there is such a key. */
bool settings_knows(const char *key);

/**
 * Set one key.
 *
 * @param value        as text
 * @param[out] error   says what is allowed
 * @return KODAMA_OK or KODAMA_ERR_ARGUMENT (nothing was changed; also for a key that is not known)
 */
int settings_set(struct settings *settings, const char *key, const char *value,
                 struct kodama_error *error);

/** Set every key of a message but "type"; stops at the first that is wrong. */
int settings_set_all(struct settings *settings, const json_t *message, struct kodama_error *error);

/** Whether they go together: what holds for each alone settings_set() has seen to. KODAMA_OK or
 * KODAMA_ERR_ARGUMENT. */
int settings_check(const struct settings *settings, struct kodama_error *error);

/** Whether all of them are what settings_set() would have let in. */
bool settings_are_allowed(const struct settings *settings);

#endif
