/*
 * The json format: the messages of Kodama's own network protocol, one a line. A local run has
 * nothing to resume, so `session` is "local" and there is no `token`.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "command/transcript.h"

/* Digits that hold milliseconds of any recording and hide what binary fractions add. */
enum { REAL_DIGITS = 12 };

static json_t *seconds(double time_s)
{
    return json_real(round(time_s * 1000.0) / 1000.0);
}

static json_t *likelihood(double value)
{
    return json_real(round(value * 1000.0) / 1000.0);
}

/* Text from outside that is no UTF-8 must not take the message with it. */
static json_t *string(const char *text)
{
    json_t *value = json_string(text ? text : "");
    return value ? value : json_string("");
}

static json_t *message_new(struct transcript *transcript, const char *type)
{
    json_t *message = json_object();
    json_object_set_new(message, "type", json_string(type));
    json_object_set_new(message, "seq", json_integer((json_int_t)++transcript->counter));
    return message;
}

static void message_add(struct transcript *transcript, json_t *message)
{
    char *line = json_dumps(message, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    if (line) {
        text_add(&transcript->text, line);
        text_add(&transcript->text, "\n");
    }
    free(line);
    json_decref(message);
}

static void messages_begin(struct transcript *transcript)
{
    json_t *message = message_new(transcript, "ready");
    json_object_set_new(message, "session", json_string("local"));
    json_object_set_new(message, "next_sample", json_integer(0));
    json_object_set_new(message, "rate", json_integer(transcript->facts.rate_hz));
    json_object_set_new(message, "engine", string(transcript->facts.engine));
    json_object_set_new(message, "model", string(transcript->facts.model));
    message_add(transcript, message);
}

static json_t *final_words(const struct kodama_event *event)
{
    json_t *words = json_array();
    for (size_t i = 0; i < event->n_words; i++) {
        const struct kodama_word *word = &event->words[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "word", string(word->text));
        json_object_set_new(entry, "start", seconds(word->start_s));
        json_object_set_new(entry, "end", seconds(word->end_s));
        json_object_set_new(entry, "confidence", likelihood((double)word->confidence));
        json_array_append_new(words, entry);
    }
    return words;
}

static void set_final(json_t *message, const struct kodama_event *event)
{
    json_object_set_new(message, "text", string(event->text));
    json_object_set_new(message, "start", seconds(event->start_s));
    json_object_set_new(message, "end", seconds(event->end_s));
    json_object_set_new(message, "confidence", likelihood((double)event->confidence));
    json_object_set_new(message, "words", final_words(event));
    json_object_set_new(message, "revised", json_boolean(event->revised));
}

static void messages_event(struct transcript *transcript, const struct kodama_event *event)
{
    static const char *const types[] = {
        [KODAMA_EVENT_SPEECH_STARTED] = "speech_started",
        [KODAMA_EVENT_PARTIAL] = "partial",
        [KODAMA_EVENT_SPEECH_STOPPED] = "speech_stopped",
        [KODAMA_EVENT_FINAL] = "final",
        [KODAMA_EVENT_SLOW] = "warning",
        [KODAMA_EVENT_FAILED] = "error",
    };
    json_t *message = message_new(transcript, types[event->kind]);
    if (event->kind != KODAMA_EVENT_SLOW) {
        json_object_set_new(message, "utterance", json_integer(event->utterance));
    }
    switch (event->kind) {
    case KODAMA_EVENT_SPEECH_STARTED:
    case KODAMA_EVENT_SPEECH_STOPPED:
        json_object_set_new(message, "sample", json_integer((json_int_t)event->sample));
        break;
    case KODAMA_EVENT_PARTIAL:
        json_object_set_new(message, "text", string(event->text));
        json_object_set_new(message, "stable", json_integer((json_int_t)event->stable_bytes));
        break;
    case KODAMA_EVENT_FINAL: set_final(message, event); break;
    case KODAMA_EVENT_SLOW:
        json_object_set_new(message, "code", json_string("slow"));
        json_object_set_new(message, "lag_ms", json_integer(event->lag_ms));
        break;
    case KODAMA_EVENT_FAILED:
        json_object_set_new(message, "code", json_string("decode_failed"));
        json_object_set_new(message, "message", string(event->text));
        break;
    }
    message_add(transcript, message);
}

static void messages_end(struct transcript *transcript, const char *reason, uint64_t samples)
{
    json_t *message = message_new(transcript, "closed");
    json_object_set_new(message, "reason", json_string(reason));
    json_object_set_new(message, "samples", json_integer((json_int_t)samples));
    json_object_set_new(message, "utterances", json_integer(transcript->finals));
    message_add(transcript, message);
}

static const char *const messages_extensions[] = {".json", ".jsonl", ".ndjson", NULL};

const struct transcript_format transcript_json = {
    .name = "json",
    .extensions = messages_extensions,
    .begin = messages_begin,
    .event = messages_event,
    .end = messages_end,
};
