/* The messages of the native protocol as JSON, without their `seq`, which they get when sent; and
 * what HTTP refuses. */
#include "serve/message.h"
#include "base/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits that hold milliseconds of any recording and hide what binary fractions add. */
enum { REAL_DIGITS = 12 };

static json_t *thousandths(double value)
{
    return json_real(round(value * 1000.0) / 1000.0);
}

/* Text from outside that is no UTF-8 must not take the message with it. */
static json_t *string(const char *text)
{
    json_t *value = json_string(text ? text : "");
    return value ? value : json_string("");
}

static json_t *begin(const char *type)
{
    json_t *message = json_object();
    json_object_set_new(message, "type", json_string(type));
    return message;
}

static char *end(json_t *message)
{
    char *text =
        message ? json_dumps(message, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)) : NULL;
    json_decref(message);
    return text;
}

static void set_count(json_t *message, const char *key, uint64_t count)
{
    json_object_set_new(message, key, json_integer((json_int_t)count));
}

static void set_final(json_t *message, const struct kodama_event *event, bool with_words)
{
    json_object_set_new(message, "text", string(event->text));
    json_object_set_new(message, "start", thousandths(event->start_s));
    json_object_set_new(message, "end", thousandths(event->end_s));
    json_object_set_new(message, "confidence", thousandths((double)event->confidence));
    if (with_words) {
        json_t *words = json_array();
        for (size_t i = 0; i < event->n_words; i++) {
            const struct kodama_word *word = &event->words[i];
            json_t *entry = json_object();
            json_object_set_new(entry, "word", string(word->text));
            json_object_set_new(entry, "start", thousandths(word->start_s));
            json_object_set_new(entry, "end", thousandths(word->end_s));
            json_object_set_new(entry, "confidence", thousandths((double)word->confidence));
            json_array_append_new(words, entry);
        }
        json_object_set_new(message, "words", words);
    }
    json_object_set_new(message, "revised", json_boolean(event->revised));
}

char *message_event(const struct kodama_event *event, bool words)
{
    static const char *const types[] = {
        [KODAMA_EVENT_SPEECH_STARTED] = "speech_started",
        [KODAMA_EVENT_PARTIAL] = "partial",
        [KODAMA_EVENT_SPEECH_STOPPED] = "speech_stopped",
        [KODAMA_EVENT_FINAL] = "final",
        [KODAMA_EVENT_SLOW] = "warning",
        [KODAMA_EVENT_FAILED] = "error",
    };
    json_t *message = begin(types[event->kind]);
    if (event->kind != KODAMA_EVENT_SLOW) set_count(message, "utterance", event->utterance);
    switch (event->kind) {
    case KODAMA_EVENT_SPEECH_STARTED:
    case KODAMA_EVENT_SPEECH_STOPPED: set_count(message, "sample", event->sample); break;
    case KODAMA_EVENT_PARTIAL:
        json_object_set_new(message, "text", string(event->text));
        set_count(message, "stable", event->stable_bytes);
        break;
    case KODAMA_EVENT_FINAL: set_final(message, event, words); break;
    case KODAMA_EVENT_SLOW:
        json_object_set_new(message, "code", json_string("slow"));
        set_count(message, "lag_ms", event->lag_ms);
        break;
    case KODAMA_EVENT_FAILED:
        json_object_set_new(message, "code", json_string("decode_failed"));
        json_object_set_new(message, "message", string(event->text));
        break;
    }
    return end(message);
}

static json_t *ready(const char *session, const char *token, uint64_t next_sample, uint32_t rate_hz,
                     const char *engine, const char *model)
{
    json_t *message = begin("ready");
    json_object_set_new(message, "session", string(session));
    json_object_set_new(message, "token", string(token));
    set_count(message, "next_sample", next_sample);
    set_count(message, "rate", rate_hz);
    json_object_set_new(message, "engine", string(engine));
    json_object_set_new(message, "model", string(model));
    return message;
}

char *message_ready(const char *session, const char *token, uint64_t next_sample, uint32_t rate_hz,
                    const char *engine, const char *model)
{
    return end(ready(session, token, next_sample, rate_hz, engine, model));
}

char *message_ready_voice(const char *session, const char *token, uint32_t rate_hz,
                          uint32_t latency, const char *engine, const char *model)
{
    json_t *message = ready(session, token, 0, rate_hz, engine, model);
    set_count(message, "latency", latency);
    return end(message);
}

char *message_model(const char *model)
{
    json_t *message = begin("model");
    json_object_set_new(message, "model", string(model));
    return end(message);
}

char *message_ack(uint64_t received, uint64_t heard, uint64_t safe)
{
    json_t *message = begin("ack");
    set_count(message, "received", received);
    set_count(message, "heard", heard);
    set_count(message, "safe", safe);
    return end(message);
}

char *message_pong(json_int_t t)
{
    json_t *message = begin("pong");
    json_object_set_new(message, "t", json_integer(t));
    return end(message);
}

char *message_error(const char *code, const char *words)
{
    json_t *message = begin("error");
    json_object_set_new(message, "code", json_string(code));
    json_object_set_new(message, "message", string(words));
    return end(message);
}

char *message_refusal(const char *words)
{
    json_t *inner = json_object(), *object = json_object();
    json_object_set_new(inner, "message", string(words));
    json_object_set_new(inner, "type", json_string("invalid_request_error"));
    json_object_set_new(inner, "param", json_null());
    json_object_set_new(inner, "code", json_null());
    json_object_set_new(object, "error", inner);
    return end(object);
}

char *message_closed(const char *reason, uint64_t samples, uint64_t utterances)
{
    json_t *message = begin("closed");
    json_object_set_new(message, "reason", json_string(reason));
    set_count(message, "samples", samples);
    set_count(message, "utterances", utterances);
    return end(message);
}

char *message_numbered(const char *message, uint64_t seq, size_t room, size_t *n_bytes)
{
    char number[40];
    int n = snprintf(number, sizeof number, "{\"seq\":%" PRIu64 ",", seq);
    size_t rest = strlen(message) - 1; /* its own brace is replaced */
    *n_bytes = (size_t)n + rest;
    char *text = memory_array(room + *n_bytes + 1, 1);
    if (!text) return NULL;
    memcpy(text + room, number, (size_t)n);
    memcpy(text + room + n, message + 1, rest + 1);
    return text;
}

/* Strings are skipped, so that brackets in them do not count; what is malformed the parser finds.
 */
static bool is_shallow(const char *text, size_t n_bytes)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < n_bytes; i++) {
        if (quoted) {
            if (text[i] == '\\') {
                i++;
            } else if (text[i] == '"') {
                quoted = false;
            }
        } else if (text[i] == '"') {
            quoted = true;
        } else if (text[i] == '{' || text[i] == '[') {
            if (++depth > MESSAGE_DEPTH_MAX) return false;
        } else if (text[i] == '}' || text[i] == ']') {
            depth--;
        }
    }
    return true;
}

json_t *message_read(const char *text, size_t n_bytes, const char **why)
{
    json_error_t error;
    *why = "a message must be a JSON object";
    if (n_bytes > MESSAGE_BYTES_MAX) {
        *why = "a message must be shorter";
        return NULL;
    }
    if (!is_shallow(text, n_bytes)) {
        *why = "a message must not be nested so deeply";
        return NULL;
    }
    json_t *message = json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(message)) return message;
    json_decref(message);
    return NULL;
}
