/* A speaker for tests: streams a sound to a server, comes back when its connection is cut, and
 * keeps what it was told. */
#ifndef TESTS_SERVE_SPEAKER_H
#define TESTS_SERVE_SPEAKER_H

#include <kodama/kodama.h>

#include "serve/client.h"
#include "serve/message.h"

enum { HEARD_BYTES = 40000 };

struct sound {
    struct kodama_format format;
    uint8_t *frames;
    size_t n_frames;
    /* The same as packets of a client, all as long; NULL: it sends the frames. */
    struct packet {
        uint8_t bytes[1500];
        size_t n_bytes;
    } * packets;
    size_t n_packets, packet_frames;
};

/** What was told: finals and positions, a line each, in order. */
struct heard {
    char finals[HEARD_BYTES], positions[HEARD_BYTES];
    int n_finals, n_partials, n_errors;
    char reason[32]; /* of the end */
    int n_connections;
};

/** Keep a message. `revised` depends on which partials there were. */
static inline void heard_note(struct heard *heard, json_t *message)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    char *out = NULL;
    if (strcmp(type, "final") == 0) {
        out = heard->finals;
        heard->n_finals++;
    } else if (strncmp(type, "speech_", 7) == 0) {
        out = heard->positions;
    } else if (strcmp(type, "partial") == 0) {
        heard->n_partials++;
    } else if (strcmp(type, "error") == 0) {
        heard->n_errors++;
        print_message("# error: %s\n", json_string_value(json_object_get(message, "message")));
    } else if (strcmp(type, "closed") == 0) {
        snprintf(heard->reason, sizeof heard->reason, "%s",
                 json_string_value(json_object_get(message, "reason")));
    }
    if (!out) return;
    json_object_del(message, "seq");
    json_object_del(message, "revised");
    char *line = json_dumps(message, JSON_COMPACT | JSON_SORT_KEYS);
    assert_non_null(line);
    size_t n = strlen(out);
    snprintf(out + n, HEARD_BYTES - n, "%s\n", line);
    free(line);
}

/** What a recogniser without any server says. */
static inline void heard_locally(struct heard *heard, struct kodama_model *model,
                                 const struct sound *sound, bool words)
{
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *recognizer;
    struct kodama_event event;
    *heard = (struct heard){0};
    config.format = sound->format;
    config.partials = false;
    assert_int_equal(kodama_recognizer_open(&recognizer, model, &config, NULL), KODAMA_OK);
    assert_int_equal(
        kodama_recognizer_write(recognizer, sound->frames, sound->n_frames, KODAMA_FOREVER),
        sound->n_frames);
    assert_int_equal(kodama_recognizer_finish(recognizer), KODAMA_OK);
    while (kodama_recognizer_next(recognizer, &event, KODAMA_FOREVER) == KODAMA_OK) {
        char *text = message_event(&event, words);
        json_t *message = json_loads(text, 0, NULL);
        heard_note(heard, message);
        json_decref(message);
        free(text);
    }
    kodama_recognizer_close(recognizer);
}

struct speaker {
    uint32_t port;
    const struct sound *sound;
    const char *query; /* "words=1" */
    size_t block;      /* bytes of a message, random up to this */
    struct test_random random;

    char session[40], token[40];
    uint64_t last_seq, next_sample;
    bool has_session, stopped, done;
    struct heard *heard;
    struct kodama_server *parks; /* before it comes back its session is to be in the store */
    uint64_t n_parked;
};

static inline void speaker_hear(struct speaker *speaker, json_t *message)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(message, "seq"));
    if (strcmp(type, "ready") == 0) {
        speaker->next_sample =
            (uint64_t)json_integer_value(json_object_get(message, "next_sample"));
        snprintf(speaker->session, sizeof speaker->session, "%s",
                 json_string_value(json_object_get(message, "session")));
        snprintf(speaker->token, sizeof speaker->token, "%s",
                 json_string_value(json_object_get(message, "token")));
        if (speaker->has_session) {
            assert_int_equal(seq, speaker->last_seq);
        }
        speaker->has_session = true;
        speaker->last_seq = seq;
        speaker->stopped = false;
        return;
    }
    /* In order, none twice. */
    if (seq <= speaker->last_seq) {
        fail_msg("%s %d comes after %d", type, (int)seq, (int)speaker->last_seq);
    }
    speaker->last_seq = seq;
    if (strcmp(type, "closed") == 0) speaker->done = true;
    heard_note(speaker->heard, message);
}

/** Whatever is there now, or comes within the time. */
static inline void speaker_listen(struct speaker *speaker, struct client *client, int timeout_ms)
{
    json_t *message;
    while ((message = client_message(client, timeout_ms))) {
        speaker_hear(speaker, message);
        json_decref(message);
        timeout_ms = 0;
    }
}

/** Wait until its session is in the store; one that has ended does not go there. */
static inline void speaker_stay_away(struct speaker *speaker)
{
    struct kodama_server_stats stats;
    for (int i = 0; i < 1000; i++) {
        kodama_server_stats(speaker->parks, &stats);
        if (stats.parked > speaker->n_parked) break;
        usleep(1000);
    }
    speaker->n_parked = stats.parked;
}

/** Send from a byte of the frames on, or the packet that begins there. @return bytes of frames that
 * it was */
static inline size_t speaker_send(struct speaker *speaker, struct client *client, uint64_t at)
{
    const struct sound *sound = speaker->sound;
    size_t n_frame = kodama_frame_bytes(sound->format);
    if (sound->packets) {
        size_t n_packet = sound->packet_frames * n_frame;
        assert_int_equal(at % n_packet, 0);
        const struct packet *packet = &sound->packets[at / n_packet];
        client_send(client, CLIENT_BINARY, packet->bytes, packet->n_bytes);
        return n_packet;
    }
    size_t n = 1 + (size_t)test_random_below(&speaker->random, speaker->block);
    if (n > sound->n_frames * n_frame - at) n = (size_t)(sound->n_frames * n_frame - at);
    client_send(client, CLIENT_BINARY, sound->frames + at, n);
    return n;
}

/** One connection's life. */
static inline void speaker_connect(struct speaker *speaker)
{
    char path[200], text[300];
    size_t n_frame = kodama_frame_bytes(speaker->sound->format);
    if (speaker->has_session && speaker->parks) speaker_stay_away(speaker);
    snprintf(path, sizeof path, "/ws%s%s", speaker->has_session ? "" : "?",
             speaker->has_session ? "" : speaker->query);
    struct client client = client_open(speaker->port, path, NULL);
    speaker->heard->n_connections++;
    if (!client.is_open) usleep(1000); /* the server may be busy beginning */
    if (client.is_open && speaker->has_session) {
        snprintf(text, sizeof text,
                 "{\"type\":\"resume\",\"session\":\"%s\",\"token\":\"%s\",\"last_seq\":%llu}",
                 speaker->session, speaker->token, (unsigned long long)speaker->last_seq);
        client_say(&client, text);
    }
    json_t *ready = client.is_open ? client_message(&client, CLIENT_LIMIT_MS) : NULL;
    if (ready) speaker_hear(speaker, ready);
    json_decref(ready);
    uint64_t at = speaker->next_sample * n_frame, end = speaker->sound->n_frames * n_frame;
    while (ready && client.is_open && !speaker->done) {
        if (at < end) {
            at += speaker_send(speaker, &client, at);
            speaker_listen(speaker, &client, 0);
        } else {
            if (!speaker->stopped) client_say(&client, "{\"type\":\"stop\"}");
            speaker->stopped = true;
            speaker_listen(speaker, &client, 1000);
        }
    }
    client_close(&client);
}

/** Speak until all was heard, coming back as often as need be. */
static inline void speak_on(struct speaker *speaker, struct heard *heard)
{
    *heard = (struct heard){0};
    speaker->heard = heard;
    for (int i = 0; i < 10000 && !speaker->done; i++) speaker_connect(speaker);
    assert_true(speaker->done);
}

static inline void speak(struct heard *heard, uint32_t port, const struct sound *sound,
                         const char *query, size_t block, uint64_t seed)
{
    struct speaker speaker = {
        .port = port, .sound = sound, .query = query, .block = block, .random = {seed}};
    speak_on(&speaker, heard);
}

#endif
