/* What the server says: the messages of the native protocol, turned into events, and into what is
 * known of the session. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"

enum { WORDS_MAX = 100000 };

static const char *text_of(const json_t *message, const char *key)
{
    const char *text = json_string_value(json_object_get(message, key));
    return text ? text : "";
}

static uint64_t count_of(const json_t *message, const char *key)
{
    json_int_t count = json_integer_value(json_object_get(message, key));
    return count > 0 ? (uint64_t)count : 0;
}

static double real_of(const json_t *message, const char *key)
{
    return json_number_value(json_object_get(message, key));
}

/* ------------------------------------------------------------------ the session */

size_t client_resume_text(const struct kodama_client *c, char *text, size_t n_bytes)
{
    int n = snprintf(
        text, n_bytes,
        "{\"type\":\"resume\",\"session\":\"%s\",\"token\":\"%s\",\"last_seq\":%" PRIu64 "}",
        c->session, c->secret, c->last_seq);
    return n > 0 && (size_t)n < n_bytes ? (size_t)n : 0;
}

/* Names of sessions go into messages and are compared: nothing else than what they are made of. */
static bool is_name(const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n >= CLIENT_ID_BYTES) return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\') return false;
    }
    return true;
}

/* Frames of begun utterances that the tape does not have any more. */
static uint64_t lost_before(const struct kodama_client *c, uint64_t from)
{
    if (c->n_pending == 0 || c->pending[0].start >= from) return 0;
    return from - c->pending[0].start;
}

bool client_renew(struct kodama_client *c, uint64_t from, const char *words)
{
    mutex_lock(&c->mutex);
    uint64_t oldest = tape_oldest(&c->tape);
    uint64_t begin = from > oldest ? from : oldest;
    uint64_t lost = lost_before(c, begin);
    uint64_t end = c->tape.end;
    mutex_unlock(&c->mutex);
    c->session[0] = c->secret[0] = '\0';
    if (!c->config.renew) {
        client_fail(c, KODAMA_ERR_NOT_FOUND,
                    "client: %s; of %.1f s that were spoken, what came after %.1f s has no final",
                    words, client_seconds(c, end), client_seconds(c, from));
        return false;
    }
    char text[500];
    snprintf(text, sizeof text, "%s; a new session hears from %.1f s on, and %s%.1f s%s", words,
             client_seconds(c, begin), lost > 0 ? "" : "nothing is lost (",
             client_seconds(c, lost > 0 ? lost : end - begin),
             lost > 0 ? " of an utterance are lost" : " are sent again)");
    c->base = begin;
    c->n_pending = 0;
    c->last_seq = 0;
    mutex_lock(&c->mutex);
    c->base_utterance = c->decided_utterance;
    c->decided = c->heard = begin;
    c->tape.confirmed = begin;
    tape_rewind(&c->tape, begin);
    c->stats.renewals++;
    c->stats.lost_frames += client_written(c, begin) - client_written(c, begin - lost);
    struct kodama_client_event event = {.kind = KODAMA_CLIENT_RENEWED, .text = text};
    event.sample = client_written(c, begin);
    event.lost_frames = client_written(c, begin) - client_written(c, begin - lost);
    mutex_unlock(&c->mutex);
    client_tell(c, &event);
    return true;
}

/* ----------------------------------------------------------------- what is heard */

static struct pending *find_pending(struct kodama_client *c, uint32_t utterance)
{
    for (uint32_t i = 0; i < c->n_pending; i++) {
        if (c->pending[i].utterance == utterance) return &c->pending[i];
    }
    return NULL;
}

static void note_start(struct kodama_client *c, uint32_t utterance, uint64_t start)
{
    if (c->n_pending == CLIENT_PENDING_MAX) {
        memmove(c->pending, c->pending + 1, --c->n_pending * sizeof c->pending[0]);
    }
    c->pending[c->n_pending++] = (struct pending){utterance, start, UINT64_MAX};
}

/* The times of a final are those of its positions: exact, where the message has milliseconds. */
static void note_final(struct kodama_client *c, struct kodama_event *event)
{
    struct pending *pending = find_pending(c, event->utterance);
    mutex_lock(&c->mutex);
    c->decided_utterance = event->utterance;
    if (pending && pending->stop != UINT64_MAX) {
        double rate_hz = c->format.rate_hz;
        event->start_s = (double)client_written(c, pending->start) / rate_hz;
        event->end_s = (double)client_written(c, pending->stop) / rate_hz;
        if (pending->stop > c->decided && pending->stop <= c->tape.end) {
            c->decided = pending->stop;
        }
    }
    mutex_unlock(&c->mutex);
    if (!pending) return;
    /* Finals come in order: what began before has its own. */
    uint32_t n = (uint32_t)(pending - c->pending) + 1;
    c->n_pending -= n;
    memmove(c->pending, c->pending + n, c->n_pending * sizeof c->pending[0]);
}

static void tell(struct kodama_client *c, const struct kodama_event *heard)
{
    struct kodama_client_event event = {.kind = KODAMA_CLIENT_HEARD, .heard = *heard};
    client_tell(c, &event);
}

/* @return new words, or NULL: none, or no memory */
static struct kodama_word *read_words(const struct kodama_client *c, const json_t *list, size_t *n)
{
    *n = json_array_size(list);
    if (*n > WORDS_MAX) *n = WORDS_MAX;
    struct kodama_word *words = *n > 0 ? calloc(*n, sizeof *words) : NULL;
    if (!words) *n = 0;
    double base_s = client_seconds(c, c->base);
    for (size_t i = 0; i < *n; i++) {
        const json_t *word = json_array_get(list, i);
        words[i] = (struct kodama_word){.text = text_of(word, "word"),
                                        .start_s = base_s + real_of(word, "start"),
                                        .end_s = base_s + real_of(word, "end"),
                                        .confidence = (float)real_of(word, "confidence")};
    }
    return words;
}

static void on_final(struct kodama_client *c, const json_t *message, struct kodama_event *event)
{
    double base_s = client_seconds(c, c->base);
    struct kodama_word *words = read_words(c, json_object_get(message, "words"), &event->n_words);
    const char *language = text_of(message, "language");
    event->kind = KODAMA_EVENT_FINAL;
    event->text = text_of(message, "text");
    event->start_s = base_s + real_of(message, "start");
    event->end_s = base_s + real_of(message, "end");
    event->confidence = (float)real_of(message, "confidence");
    event->revised = json_is_true(json_object_get(message, "revised"));
    event->words = words;
    event->language = language[0] ? language : NULL;
    note_final(c, event);
    tell(c, event);
    free(words);
}

static uint64_t written_sample(struct kodama_client *c, uint64_t position)
{
    mutex_lock(&c->mutex);
    uint64_t sample = client_written(c, position);
    mutex_unlock(&c->mutex);
    return sample;
}

/* @return whether it was something heard */
static bool on_heard(struct kodama_client *c, const json_t *message, const char *type)
{
    struct kodama_event event = {.utterance =
                                     c->base_utterance + (uint32_t)count_of(message, "utterance")};
    uint64_t position = c->base + count_of(message, "sample");
    event.sample = written_sample(c, position);
    if (strcmp(type, "partial") == 0) {
        event.kind = KODAMA_EVENT_PARTIAL;
        event.text = text_of(message, "text");
        event.stable_bytes = (size_t)count_of(message, "stable");
        size_t most = strlen(event.text);
        if (event.stable_bytes > most) event.stable_bytes = most;
        event.sample = 0;
    } else if (strcmp(type, "speech_started") == 0) {
        event.kind = KODAMA_EVENT_SPEECH_STARTED;
        note_start(c, event.utterance, position);
    } else if (strcmp(type, "speech_stopped") == 0) {
        struct pending *pending = find_pending(c, event.utterance);
        event.kind = KODAMA_EVENT_SPEECH_STOPPED;
        if (pending) pending->stop = position;
    } else if (strcmp(type, "final") == 0) {
        event.sample = 0;
        on_final(c, message, &event);
        return true;
    } else {
        return false;
    }
    tell(c, &event);
    return true;
}

/* ------------------------------------------------------------- what else is said */

static void on_ack(struct kodama_client *c, const json_t *message)
{
    uint64_t heard = c->base + count_of(message, "heard");
    uint64_t margin = c->margin;
    mutex_lock(&c->mutex);
    tape_confirm(&c->tape, c->base + count_of(message, "received"));
    if (heard > c->heard && heard <= c->tape.confirmed) c->heard = heard;
    /* Where nobody spoke there will be no final; what may be the beginning of speech is kept. */
    if (c->n_pending == 0 && heard > c->decided + margin && heard <= c->tape.confirmed) {
        c->decided = heard - margin;
    }
    condition_broadcast(&c->changed);
    mutex_unlock(&c->mutex);
}

static void on_warning(struct kodama_client *c, const json_t *message)
{
    struct kodama_event event = {.kind = KODAMA_EVENT_SLOW,
                                 .lag_ms = (uint32_t)count_of(message, "lag_ms")};
    if (strcmp(text_of(message, "code"), "slow") == 0) {
        tell(c, &event);
    } else {
        client_log(c, KODAMA_LOG_WARNING, "client: the server warns: %s", text_of(message, "code"));
    }
}

/* Errors that go away: the server is full, or is being started again. */
static bool passes(const char *code)
{
    return strcmp(code, "full") == 0 || strcmp(code, "shutdown") == 0 ||
           strcmp(code, "memory") == 0;
}

static int status_of(const char *code)
{
    if (strcmp(code, "full") == 0) return KODAMA_ERR_LIMIT;
    if (strcmp(code, "shutdown") == 0) return KODAMA_ERR_BUSY;
    if (strcmp(code, "not_found") == 0) return KODAMA_ERR_NOT_FOUND;
    if (strcmp(code, "bad_setting") == 0) return KODAMA_ERR_ARGUMENT;
    if (strcmp(code, "memory") == 0) return KODAMA_ERR_MEMORY;
    return KODAMA_ERR_ENGINE;
}

static enum client_verdict on_error(struct kodama_client *c, const json_t *message, bool greeted)
{
    const char *code = text_of(message, "code");
    snprintf(c->words, sizeof c->words, "%s", text_of(message, "message"));
    if (json_object_get(message, "utterance")) {
        struct kodama_event event = {.kind = KODAMA_EVENT_FAILED,
                                     .utterance = c->base_utterance +
                                                  (uint32_t)count_of(message, "utterance"),
                                     .text = c->words};
        tell(c, &event);
        return VERDICT_GO_ON;
    }
    if (greeted) { /* about a message of ours; when it is serious, the connection ends */
        client_log(c, KODAMA_LOG_WARNING, "client: the server complains: %s (%s)", c->words, code);
        return VERDICT_GO_ON;
    }
    if (c->session[0] && strcmp(code, "gone") == 0) {
        mutex_lock(&c->mutex);
        uint64_t decided = c->decided;
        mutex_unlock(&c->mutex);
        (void)client_renew(c, decided,
                           "the server has forgotten the session: it was started again, or the "
                           "connection was broken for too long");
        return VERDICT_CLOSE;
    }
    mutex_lock(&c->mutex);
    bool began = c->began;
    mutex_unlock(&c->mutex);
    if (!began || !passes(code)) {
        client_fail(c, status_of(code), "client: the server refuses the session: %s", c->words);
    }
    return VERDICT_CLOSE;
}

static enum client_verdict on_closed(struct kodama_client *c, const json_t *message)
{
    const char *reason = text_of(message, "reason");
    mutex_lock(&c->mutex);
    uint64_t heard = c->base + count_of(message, "samples");
    if (heard > c->tape.end) heard = c->tape.end;
    if (c->decided < heard) c->decided = heard;
    if (c->heard < heard) c->heard = heard;
    bool whole = c->finishing && heard == c->tape.end;
    mutex_unlock(&c->mutex);
    char words[200];
    if (whole) {
        client_end(c);
    } else if (strcmp(reason, "failed") == 0) {
        client_fail(c, KODAMA_ERR_ENGINE, "client: the server could not hear: %s",
                    c->words[0] ? c->words : "it gives no reason");
    } else if (strcmp(reason, "superseded") == 0) {
        client_fail(c, KODAMA_ERR_STATE,
                    "client: somebody else has taken up this session of the server");
    } else {
        snprintf(words, sizeof words, "the server has ended the session (%.40s)", reason);
        (void)client_renew(c, heard, words);
    }
    return VERDICT_CLOSE;
}

static enum client_verdict refuse(struct kodama_client *c)
{
    client_fail(c, KODAMA_ERR_NOT_FOUND,
                "client: what answers at %s port %u is no Kodama server, or one that is too new",
                c->address.host, c->address.port);
    return VERDICT_CLOSE;
}

/* Where to go on. What the server wants must be there: it is, unless the server lost what it had
 * confirmed; and it cannot have more than it was sent. */
static enum client_verdict on_ready(struct kodama_client *c, const json_t *message, bool resumes)
{
    uint64_t next = c->base + count_of(message, "next_sample");
    mutex_lock(&c->mutex);
    bool is_kept = next >= tape_oldest(&c->tape), was_sent = next <= c->tape.sent_most;
    bool there = is_kept && was_sent;
    uint64_t decided = c->decided;
    if (there) {
        tape_rewind(&c->tape, next);
        tape_confirm(&c->tape, next);
        c->connected = true;
        if (c->began && resumes) c->stats.reconnects++;
    }
    mutex_unlock(&c->mutex);
    if (!there) {
        (void)client_renew(c, decided,
                           is_kept ? "the server says that it has audio which was never sent"
                                   : "the server asks for audio that is not kept any more");
        return VERDICT_CLOSE;
    }
    c->last_seq = count_of(message, "seq");
    return VERDICT_READY;
}

static enum client_verdict greet(struct kodama_client *c, const json_t *message, const char *type)
{
    const char *session = text_of(message, "session"), *token = text_of(message, "token");
    bool resumes = c->session[0] != '\0';
    if (strcmp(type, "ready") != 0) return resumes ? VERDICT_GO_ON : refuse(c);
    /* A resume that was slow on its way finds a session with defaults begun for it; it goes. */
    if (resumes && strcmp(session, c->session) != 0) return VERDICT_GO_ON;
    if (!is_name(session) || !is_name(token) || count_of(message, "rate") != c->wire.rate_hz) {
        return refuse(c);
    }
    if (!resumes) {
        snprintf(c->session, sizeof c->session, "%s", session);
        snprintf(c->secret, sizeof c->secret, "%s", token);
    }
    mutex_lock(&c->mutex);
    bool began = c->began;
    mutex_unlock(&c->mutex);
    if (!began) { /* open() waits; others do not look yet */
        snprintf(c->engine, sizeof c->engine, "%s", text_of(message, "engine"));
        snprintf(c->model, sizeof c->model, "%s", text_of(message, "model"));
    }
    return on_ready(c, message, resumes);
}

static bool is_duplicate(struct kodama_client *c, const json_t *message)
{
    uint64_t seq = count_of(message, "seq");
    bool duplicate = seq > 0 && seq <= c->last_seq;
    if (seq > c->last_seq) c->last_seq = seq;
    mutex_lock(&c->mutex);
    c->stats.events++;
    c->stats.duplicates += duplicate;
    mutex_unlock(&c->mutex);
    return duplicate;
}

static enum client_verdict handle(struct kodama_client *c, const json_t *message, bool greeted)
{
    const char *type = text_of(message, "type");
    if (strcmp(type, "error") == 0 && !greeted) return on_error(c, message, false);
    if (strcmp(type, "closed") == 0 && !greeted) return VERDICT_GO_ON; /* of a stray session */
    if (!greeted) return greet(c, message, type);
    if (is_duplicate(c, message)) return VERDICT_GO_ON;
    if (on_heard(c, message, type)) return VERDICT_GO_ON;
    if (strcmp(type, "ack") == 0) on_ack(c, message);
    if (strcmp(type, "warning") == 0) on_warning(c, message);
    if (strcmp(type, "error") == 0) return on_error(c, message, true);
    if (strcmp(type, "closed") == 0) return on_closed(c, message);
    return VERDICT_GO_ON; /* what a newer server says besides */
}

enum client_verdict client_message(struct kodama_client *c, const char *text, size_t n_bytes,
                                   bool greeted)
{
    json_t *message = json_loadb(text, n_bytes, 0, NULL);
    enum client_verdict verdict = json_is_object(message) ? handle(c, message, greeted)
                                  : greeted               ? VERDICT_GO_ON
                                                          : refuse(c);
    json_decref(message);
    return verdict;
}
