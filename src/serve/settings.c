/* What a client asks of its session: the keys of the query and of the first message. */
#include "serve/settings.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <kodama/segmenter.h>

#include "base/error.h"
#include "serve/packets.h"
#include "serve/values.h"

static const float threshold_min = 0.01f, threshold_max = 0.99f;

struct settings settings_default(void)
{
    struct kodama_segmenter_config rules = KODAMA_SEGMENTER_CONFIG_INIT;
    return (struct settings){
        .format = {.sample = KODAMA_SAMPLE_S16, .rate_hz = 16000, .channels = 1},
        .threshold = rules.threshold,
        .prefix_padding_ms = rules.prefix_padding_ms,
        .silence_duration_ms = rules.silence_duration_ms,
        .partials = true,
        .voice = voice_options_default(),
    };
}

static int set_name(char *name, const char *key, const char *value, struct kodama_error *error)
{
    if (strlen(value) >= SETTINGS_NAME_BYTES) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "%s must be shorter than %d bytes", key,
                         SETTINGS_NAME_BYTES);
    }
    snprintf(name, SETTINGS_NAME_BYTES, "%s", value);
    return KODAMA_OK;
}

static int set_encoding(struct settings *settings, const char *value, struct kodama_error *error)
{
    bool opus = strcmp(value, "opus") == 0;
    if (opus && packets_missing()) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "%s", packets_missing());
    }
    if (strcmp(value, "pcm_s16le") == 0) {
        settings->format.sample = KODAMA_SAMPLE_S16;
    } else if (opus || strcmp(value, "pcm_f32le") == 0) {
        settings->format.sample = KODAMA_SAMPLE_F32;
    } else {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "encoding must be pcm_s16le, pcm_f32le or opus");
    }
    settings->encoding = opus ? ENCODING_OPUS : ENCODING_PCM;
    return KODAMA_OK;
}

enum {
    PREFIX_PADDING_MAX_MS = 5000,
    SILENCE_DURATION_MIN_MS = 50,
    SILENCE_DURATION_MAX_MS = 10000,
};

static const char *const keys[] = {
    "rate",      "encoding", "channels", "language",          "engine",
    "model",     "partials", "words",    "prefix_padding_ms", "silence_duration_ms",
    "threshold", NULL,
};

bool settings_knows(const char *key)
{
    for (size_t i = 0; keys[i]; i++) {
        if (strcmp(keys[i], key) == 0) return true;
    }
    return voice_options_knows(key);
}

int settings_set(struct settings *s, const char *key, const char *value, struct kodama_error *error)
{
    if (strcmp(key, "rate") == 0) {
        return value_number(&s->format.rate_hz, key, value, KODAMA_RATE_MIN_HZ,
                            SETTINGS_RATE_MAX_HZ, error);
    }
    if (strcmp(key, "channels") == 0) {
        return value_number(&s->format.channels, key, value, 1, KODAMA_CHANNELS_MAX, error);
    }
    if (strcmp(key, "encoding") == 0) return set_encoding(s, value, error);
    if (strcmp(key, "language") == 0) return set_name(s->language, key, value, error);
    if (strcmp(key, "engine") == 0) return set_name(s->engine, key, value, error);
    if (strcmp(key, "model") == 0) {
        int status = set_name(s->model, key, value, error);
        return status < 0 ? status : voice_options_set(&s->voice, key, value, error);
    }
    if (strcmp(key, "partials") == 0) return value_switch(&s->partials, key, value, error);
    if (strcmp(key, "words") == 0) return value_switch(&s->words, key, value, error);
    if (strcmp(key, "threshold") == 0) {
        return value_real(&s->threshold, key, value, threshold_min, threshold_max, error);
    }
    if (strcmp(key, "prefix_padding_ms") == 0) {
        return value_number(&s->prefix_padding_ms, key, value, 0, PREFIX_PADDING_MAX_MS, error);
    }
    if (strcmp(key, "silence_duration_ms") == 0) {
        return value_number(&s->silence_duration_ms, key, value, SILENCE_DURATION_MIN_MS,
                            SILENCE_DURATION_MAX_MS, error);
    }
    return voice_options_set(&s->voice, key, value, error);
}

int settings_check(const struct settings *s, struct kodama_error *error)
{
    if (s->encoding != ENCODING_OPUS) return KODAMA_OK;
    uint32_t rate_hz = s->format.rate_hz;
    if (rate_hz != 8000 && rate_hz != 12000 && rate_hz != 16000 && rate_hz != 24000 &&
        rate_hz != 48000) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "with opus, rate must be 8000, 12000, 16000, 24000 or 48000");
    }
    if (s->format.channels > PACKETS_CHANNELS_MAX) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "with opus, channels must be 1 or 2");
    }
    return KODAMA_OK;
}

bool settings_are_allowed(const struct settings *s)
{
    bool sounds =
        (s->format.sample == KODAMA_SAMPLE_S16 || s->format.sample == KODAMA_SAMPLE_F32) &&
        s->format.rate_hz >= KODAMA_RATE_MIN_HZ && s->format.rate_hz <= SETTINGS_RATE_MAX_HZ &&
        s->format.channels >= 1 && s->format.channels <= KODAMA_CHANNELS_MAX;
    if (s->encoding != ENCODING_PCM && s->encoding != ENCODING_OPUS) return false;
    if (s->encoding == ENCODING_OPUS && s->format.sample != KODAMA_SAMPLE_F32) return false;
    return sounds && settings_check(s, NULL) == KODAMA_OK && s->threshold >= threshold_min &&
           s->threshold <= threshold_max && s->prefix_padding_ms <= PREFIX_PADDING_MAX_MS &&
           s->silence_duration_ms >= SILENCE_DURATION_MIN_MS &&
           s->silence_duration_ms <= SILENCE_DURATION_MAX_MS;
}

int settings_set_all(struct settings *settings, const json_t *message, struct kodama_error *error)
{
    const char *key;
    json_t *value;
    /* jansson's iteration takes no const, but changes nothing. */
    json_object_foreach((json_t *)message, key, value)
    {
        char number[32];
        const char *text = number;
        if (strcmp(key, "type") == 0) continue;
        if (json_is_string(value)) {
            text = json_string_value(value);
        } else if (json_is_integer(value)) {
            snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        } else if (json_is_real(value)) {
            snprintf(number, sizeof number, "%.9g", json_real_value(value));
        } else if (json_is_boolean(value)) {
            text = json_is_true(value) ? "1" : "0";
        } else {
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "a setting must be a number, a text, true or false");
        }
        int status = settings_set(settings, key, text, error);
        if (status < 0) return status;
    }
    return KODAMA_OK;
}
