/* Somebody who talks to a server through a kodama_client, and keeps what it was told. */
#ifndef TESTS_CLIENT_TALKER_H
#define TESTS_CLIENT_TALKER_H

#include "client/proxy.h"
#include "serve/material.h"

enum { TALK_LIMIT_S = 250 };

static inline struct kodama_client_config talk_config(uint32_t port, struct kodama_format format)
{
    static char urls[8][64];
    static int n;
    char *url = urls[n++ % 8];
    struct kodama_client_config config = KODAMA_CLIENT_CONFIG_INIT;
    snprintf(url, sizeof urls[0], "ws://127.0.0.1:%u", port);
    config.url = url;
    config.format = format;
    config.words = true;
    return config;
}

static inline struct kodama_client *talk_open(const struct kodama_client_config *config)
{
    struct kodama_client *client;
    struct kodama_error error = {0};
    if (kodama_client_open(&client, config, &error) < 0) fail_msg("%s", error.message);
    return client;
}

/** What else came. */
struct talk {
    int n_away, n_back, n_renewed;
    uint64_t lost_frames, renewed_at;
    char words[500]; /* of the newest of these */
};

static inline void talk_hear(struct heard *heard, struct talk *talk,
                             const struct kodama_client_event *event)
{
    if (event->kind != KODAMA_CLIENT_HEARD) {
        assert_non_null(event->text);
        snprintf(talk->words, sizeof talk->words, "%s", event->text);
        talk->n_away += event->kind == KODAMA_CLIENT_AWAY;
        talk->n_back += event->kind == KODAMA_CLIENT_BACK;
        talk->n_renewed += event->kind == KODAMA_CLIENT_RENEWED;
        talk->lost_frames += event->lost_frames;
        if (event->kind == KODAMA_CLIENT_RENEWED) talk->renewed_at = event->sample;
        return;
    }
    char *text = message_event(&event->heard, true);
    json_t *message = json_loads(text, 0, NULL);
    assert_non_null(message);
    heard_note(heard, message);
    json_decref(message);
    free(text);
}

/** All that is there, or comes within the time. @return of the last kodama_client_next() */
static inline int talk_listen(struct kodama_client *client, struct heard *heard, struct talk *talk,
                              int64_t timeout_ns)
{
    struct kodama_client_event event;
    int status;
    while ((status = kodama_client_next(client, &event, timeout_ns)) == KODAMA_OK) {
        talk_hear(heard, talk, &event);
    }
    return status;
}

/** Say all of it in blocks of random size, and wait for the end. @return how it ended */
static inline int talk(struct kodama_client *client, const struct sound *sound, uint64_t seed,
                       struct heard *heard, struct talk *talk)
{
    struct test_random random = {seed};
    size_t frame_bytes = kodama_frame_bytes(sound->format);
    *heard = (struct heard){0};
    *talk = (struct talk){0};
    for (size_t at = 0; at < sound->n_frames;) {
        size_t n = 1 + (size_t)test_random_below(&random, 3000);
        if (n > sound->n_frames - at) n = sound->n_frames - at;
        int64_t written = kodama_client_write(client, sound->frames + at * frame_bytes, n,
                                              TALK_LIMIT_S * (int64_t)CLOCK_NS_PER_S);
        if (written < 0) return (int)written;
        at += (size_t)written;
        (void)talk_listen(client, heard, talk, 0);
    }
    int status = kodama_client_finish(client);
    if (status < 0) return status;
    return talk_listen(client, heard, talk, TALK_LIMIT_S * (int64_t)CLOCK_NS_PER_S);
}

#endif
