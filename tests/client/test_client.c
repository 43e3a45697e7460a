#define _DEFAULT_SOURCE
/* Tests of the client: it hears what a recogniser on this machine hears, and says in words what is
 * wrong with a server. */
#include "client/talker.h"

#include <pthread.h>

#include "client/address.h"

static struct heard expected, heard;
static struct talk told;

/* A server with the scripted engine, for all tests. */
static struct kodama_model *model;
static struct kodama_server *server;

static struct kodama_server *open_scripted(const struct kodama_server_config *config)
{
    script_reset();
    script.hash = true;
    model = open_script(2);
    server = open_server(model, config);
    return server;
}

static void close_scripted(void)
{
    kodama_server_close(server);
    kodama_model_close(model);
}

/* ------------------------------------------------------------------ what is heard */

/* Sound of another format: the samples of `mono` repeated, every channel and some noise apart. */
static struct sound widened(const struct sound *mono, struct kodama_format format)
{
    struct sound sound = {.format = format};
    const int16_t *samples = (const int16_t *)(const void *)mono->frames;
    struct test_random random = {9};
    size_t n_sample = kodama_sample_bytes(format.sample);
    sound.n_frames = (size_t)((double)mono->n_frames * format.rate_hz / mono->format.rate_hz) - 5;
    sound.frames = calloc(sound.n_frames * format.channels, n_sample);
    assert_non_null(sound.frames);
    for (size_t i = 0; i < sound.n_frames * format.channels; i++) {
        size_t at = i / format.channels * mono->format.rate_hz / format.rate_hz;
        float value = (float)samples[at] / 32768.0f + test_random_float(&random) * 0.0005f;
        int32_t s32 = (int32_t)(value * 2147483000.0f);
        uint8_t *to = sound.frames + i * n_sample;
        if (format.sample == KODAMA_SAMPLE_F32) {
            memcpy(to, &value, 4);
        } else if (format.sample == KODAMA_SAMPLE_U8) {
            *to = (uint8_t)((s32 >> 24) + 128);
        } else {
            memcpy(to, (uint8_t *)&s32 + 4 - n_sample, n_sample);
        }
    }
    return sound;
}

static void every_format_is_heard_as_on_this_machine(void **state)
{
    (void)state;
    static const struct kodama_format formats[] = {
        {KODAMA_SAMPLE_S16, 16000, 1, 0}, {KODAMA_SAMPLE_S16, 44100, 1, 0},
        {KODAMA_SAMPLE_F32, 48000, 2, 0}, {KODAMA_SAMPLE_S24, 96000, 2, 0},
        {KODAMA_SAMPLE_S16, 22050, 6, 0}, {KODAMA_SAMPLE_U8, 8000, 1, 0},
    };
    struct sound mono = two_sentences();
    struct kodama_server_config config = free_port();
    open_scripted(&config);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct sound sound = widened(&mono, formats[i]);
        heard_locally(&expected, model, &sound, true);
        assert_true(expected.n_finals > 0);
        struct kodama_client_config asked = talk_config(kodama_server_port(server), sound.format);
        struct kodama_client *client = talk_open(&asked);
        assert_int_equal(talk(client, &sound, i, &heard, &told), KODAMA_ERR_CLOSED);
        assert_string_equal(heard.finals, expected.finals);
        assert_string_equal(heard.positions, expected.positions);
        kodama_client_close(client);
        free(sound.frames);
    }
    close_scripted();
    free(mono.frames);
}

static void times_are_those_of_a_recogniser_to_the_last_bit(void **state)
{
    (void)state;
    struct sound mono = two_sentences();
    struct sound sound = widened(&mono, (struct kodama_format){KODAMA_SAMPLE_F32, 44100, 2, 0});
    struct kodama_server_config config = free_port();
    open_scripted(&config);
    struct kodama_recognizer *recognizer;
    struct kodama_recognizer_config local = KODAMA_RECOGNIZER_CONFIG_INIT;
    local.format = sound.format;
    assert_int_equal(kodama_recognizer_open(&recognizer, model, &local, NULL), KODAMA_OK);
    assert_int_equal(
        kodama_recognizer_write(recognizer, sound.frames, sound.n_frames, KODAMA_FOREVER),
        sound.n_frames);
    assert_int_equal(kodama_recognizer_finish(recognizer), KODAMA_OK);
    struct kodama_client_config asked = talk_config(kodama_server_port(server), sound.format);
    struct kodama_client *client = talk_open(&asked);
    assert_int_equal(kodama_client_write(client, sound.frames, sound.n_frames, KODAMA_FOREVER),
                     sound.n_frames);
    assert_int_equal(kodama_client_finish(client), KODAMA_OK);
    struct kodama_client_event far;
    struct kodama_event near;
    int n = 0;
    while (kodama_client_next(client, &far, KODAMA_FOREVER) == KODAMA_OK) {
        if (far.heard.kind != KODAMA_EVENT_FINAL) continue;
        do {
            assert_int_equal(kodama_recognizer_next(recognizer, &near, KODAMA_FOREVER), KODAMA_OK);
        } while (near.kind != KODAMA_EVENT_FINAL);
        assert_memory_equal(&far.heard.start_s, &near.start_s, sizeof near.start_s);
        assert_memory_equal(&far.heard.end_s, &near.end_s, sizeof near.end_s);
        n++;
    }
    assert_true(n >= 2);
    kodama_client_close(client);
    kodama_recognizer_close(recognizer);
    close_scripted();
    free(sound.frames);
    free(mono.frames);
}

static void finalize_closes_the_utterance_where_it_was_asked_for(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    struct kodama_server_config config = free_port();
    open_scripted(&config);
    struct kodama_recognizer_config local = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_client_config asked = talk_config(kodama_server_port(server), sound.format);
    struct kodama_recognizer *recognizer;
    local.format = sound.format;
    local.partials = false;
    assert_int_equal(kodama_recognizer_open(&recognizer, model, &local, NULL), KODAMA_OK);
    struct kodama_client *client = talk_open(&asked);
    for (size_t at = 0; at < sound.n_frames;) {
        size_t n = sound.n_frames - at < 32000 ? sound.n_frames - at : 32000;
        const uint8_t *frames = sound.frames + 2 * at;
        assert_int_equal(kodama_client_write(client, frames, n, KODAMA_FOREVER), n);
        assert_int_equal(kodama_client_finalize(client), KODAMA_OK);
        assert_int_equal(kodama_client_finalize(client), KODAMA_OK); /* twice is once */
        assert_int_equal(kodama_recognizer_write(recognizer, frames, n, KODAMA_FOREVER), n);
        assert_int_equal(kodama_recognizer_finalize(recognizer), KODAMA_OK);
        at += n;
    }
    kodama_client_finish(client);
    kodama_recognizer_finish(recognizer);
    static struct heard near;
    struct kodama_event event;
    while (kodama_recognizer_next(recognizer, &event, KODAMA_FOREVER) == KODAMA_OK) {
        struct kodama_client_event as = {.kind = KODAMA_CLIENT_HEARD, .heard = event};
        talk_hear(&near, &told, &as);
    }
    static struct heard far;
    assert_int_equal(talk_listen(client, &far, &told, KODAMA_FOREVER), KODAMA_ERR_CLOSED);
    assert_true(near.n_finals >= 4);
    assert_string_equal(far.finals, near.finals);
    assert_string_equal(far.positions, near.positions);
    kodama_client_close(client);
    kodama_recognizer_close(recognizer);
    close_scripted();
    free(sound.frames);
}

static void silence_is_written_without_frames(void **state)
{
    (void)state;
    struct kodama_server_config config = free_port();
    open_scripted(&config);
    struct kodama_client_config asked = talk_config(
        kodama_server_port(server), (struct kodama_format){KODAMA_SAMPLE_F32, 48000, 2, 0});
    struct kodama_client *client = talk_open(&asked);
    assert_int_equal(kodama_client_write(client, NULL, 48000, KODAMA_FOREVER), 48000);
    assert_int_equal(kodama_client_finish(client), KODAMA_OK);
    assert_int_equal(kodama_client_finish(client), KODAMA_OK);
    assert_int_equal(kodama_client_write(client, NULL, 1, 0), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_client_finalize(client), KODAMA_ERR_CLOSED);
    struct kodama_client_event event;
    assert_int_equal(kodama_client_next(client, &event, KODAMA_FOREVER), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_client_failure(client, NULL), KODAMA_OK);
    kodama_client_close(client);
    close_scripted();
}

/* ---------------------------------------------------------------- waiting for it */

static void count_call(void *user)
{
    atomic_fetch_add((_Atomic int *)user, 1);
}

static void an_event_loop_can_wait_for_events(void **state)
{
    (void)state;
    _Atomic int n_calls = 0;
    struct sound sound = two_sentences();
    struct kodama_server_config config = free_port();
    open_scripted(&config);
    struct kodama_client_config asked = talk_config(kodama_server_port(server), sound.format);
    asked.on_event = count_call;
    asked.user = &n_calls;
    struct kodama_client *client = talk_open(&asked);
    struct kodama_waitable waitable;
    struct kodama_client_event event;
    assert_int_equal(kodama_client_waitable(client, &waitable), KODAMA_OK);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_client_next(client, &event, 0), KODAMA_ERR_EMPTY);
    assert_int_equal(kodama_client_next(client, &event, 1000000), KODAMA_ERR_TIMEOUT);
    kodama_client_write(client, sound.frames, sound.n_frames, KODAMA_FOREVER);
    kodama_client_finish(client);
    int status, n_events = 0;
    do {
        assert_int_equal(kodama_waitable_wait(waitable, KODAMA_FOREVER), KODAMA_OK);
        while ((status = kodama_client_next(client, &event, 0)) == KODAMA_OK) n_events++;
    } while (status == KODAMA_ERR_EMPTY);
    assert_int_equal(status, KODAMA_ERR_CLOSED);
    assert_true(n_events >= 6);
    assert_true(atomic_load(&n_calls) > 0);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_OK); /* the end stays signalled */
    kodama_client_close(client);
    close_scripted();
    free(sound.frames);
}

static void a_writer_waits_for_room_and_is_told_when_there_is_none(void **state)
{
    (void)state;
    static struct net net;
    struct kodama_server_config config = free_port();
    open_scripted(&config);
    net_start(&net, kodama_server_port(server), 1, (struct net_plan){0});
    struct kodama_client_config asked =
        talk_config(net.port, (struct kodama_format){KODAMA_SAMPLE_S16, 16000, 1, 0});
    asked.buffer_ms = 2000;
    struct kodama_client *client = talk_open(&asked);
    atomic_store(&net.refuses, true);
    atomic_store(&net.cuts_all, true);
    struct kodama_client_event event;
    assert_int_equal(kodama_client_next(client, &event, KODAMA_FOREVER), KODAMA_OK);
    assert_int_equal(event.kind, KODAMA_CLIENT_AWAY);
    int64_t n = kodama_client_write(client, NULL, 100000, 0);
    assert_in_range(n, 30000, 33100);
    assert_int_equal(kodama_client_write(client, NULL, 2000, 0), KODAMA_ERR_FULL);
    assert_int_equal(kodama_client_write(client, NULL, 2000, 1000000), KODAMA_ERR_TIMEOUT);
    struct kodama_client_stats stats;
    kodama_client_stats(client, &stats);
    assert_false(stats.connected);
    assert_in_range(stats.unconfirmed_ms, 1800, 2100);
    atomic_store(&net.refuses, false);
    assert_int_equal(kodama_client_write(client, NULL, 100000 - (size_t)n, KODAMA_FOREVER),
                     100000 - n);
    kodama_client_finish(client);
    assert_int_equal(kodama_client_next(client, &event, KODAMA_FOREVER), KODAMA_OK);
    assert_int_equal(event.kind, KODAMA_CLIENT_BACK);
    assert_int_equal(kodama_client_next(client, &event, KODAMA_FOREVER), KODAMA_ERR_CLOSED);
    kodama_client_stats(client, &stats);
    assert_int_equal(stats.frames, 100000);
    assert_int_equal(stats.reconnects, 1);
    kodama_client_close(client);
    net_end(&net);
    close_scripted();
}

/* ---------------------------------------------------------------- what goes wrong */

static void refused(const struct kodama_client_config *config, int expected_status,
                    const char *words)
{
    struct kodama_client *client = (void *)&words;
    struct kodama_error error = {0};
    int status = kodama_client_open(&client, config, &error);
    if (status != expected_status || !strstr(error.message, words)) {
        fail_msg("%s: \"%s\" has no \"%s\"", kodama_status_name(status), error.message, words);
    }
    assert_int_equal(error.status, status);
    assert_null(client);
}

static const struct kodama_format plain = {KODAMA_SAMPLE_S16, 16000, 1, 0};

static void what_is_refused_is_said_in_words(void **state)
{
    (void)state;
    struct kodama_server_config config = free_port();
    config.token = "s3cret";
    config.max_sessions = 1;
    open_scripted(&config);
    uint32_t port = kodama_server_port(server);
    struct kodama_client_config asked = talk_config(port, plain);
    refused(&asked, KODAMA_ERR_PERMISSION, "demands a token");
    asked.token = "guess";
    refused(&asked, KODAMA_ERR_PERMISSION, "the token is not the server's");
    asked.token = "s3cret";
    asked.model = "a better one";
    refused(&asked, KODAMA_ERR_NOT_FOUND, "that model is not served here");
    asked.model = NULL;
    asked.silence_duration_ms = 3;
    refused(&asked, KODAMA_ERR_ARGUMENT, "silence_duration_ms");
    asked.silence_duration_ms = 500;
    struct kodama_client *first = talk_open(&asked);
    assert_string_equal(kodama_client_engine(first), "script");
    assert_string_equal(kodama_client_model(first), "a script");
    refused(&asked, KODAMA_ERR_LIMIT, "as many sessions as the server allows");
    kodama_client_close(first);
    close_scripted();
    refused(&asked, KODAMA_ERR_IO, "cannot connect to 127.0.0.1 port");
}

/* A server of something else: answers every connection with the same bytes. */
struct other {
    const char *answer;
    int fd;
};

static void *answer_once(void *argument)
{
    struct other *other = argument;
    char request[4096];
    int fd = accept(other->fd, NULL, NULL);
    if (recv(fd, request, sizeof request, 0) > 0 && other->answer[0]) {
        send(fd, other->answer, strlen(other->answer), MSG_NOSIGNAL);
    }
    while (recv(fd, request, sizeof request, 0) > 0) continue;
    close(fd);
    return NULL;
}

static void is_no_server(const char *answer, int status, const char *words)
{
    struct other other = {.answer = answer};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n_bytes = sizeof address;
    pthread_t thread;
    other.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(other.fd, (struct sockaddr *)&address, n_bytes), 0);
    assert_int_equal(listen(other.fd, 1), 0);
    assert_int_equal(getsockname(other.fd, (struct sockaddr *)&address, &n_bytes), 0);
    assert_int_equal(pthread_create(&thread, NULL, answer_once, &other), 0);
    struct kodama_client_config asked = talk_config(ntohs(address.sin_port), plain);
    asked.connect_ms = 500;
    refused(&asked, status, words);
    pthread_join(thread, NULL);
    close(other.fd);
}

static void what_is_no_kodama_server_is_said_to_be_none(void **state)
{
    (void)state;
    is_no_server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", KODAMA_ERR_NOT_FOUND,
                 "is no Kodama server (HTTP 200)");
    is_no_server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", KODAMA_ERR_NOT_FOUND,
                 "is no Kodama server (HTTP 404)");
    is_no_server("HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n", KODAMA_ERR_LIMIT,
                 "too many connections");
    is_no_server("SSH-2.0-OpenSSH_9.2\r\n", KODAMA_ERR_IO, "cannot connect");
    is_no_server("", KODAMA_ERR_IO, "there was no answer in time");
}

static void a_configuration_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct kodama_client_config asked = talk_config(1, plain);
    asked.url = "ftp://example.org";
    refused(&asked, KODAMA_ERR_ARGUMENT, "is no address of a server");
    asked.url = "ws://[::1";
    refused(&asked, KODAMA_ERR_ARGUMENT, "is no address of a server");
    asked.url = "ws://localhost:99999";
    refused(&asked, KODAMA_ERR_ARGUMENT, "is no address of a server");
    asked = talk_config(1, (struct kodama_format){KODAMA_SAMPLE_S16, 7, 1, 0});
    refused(&asked, KODAMA_ERR_FORMAT, "");
    asked = talk_config(1, plain);
    asked.token = "two\r\nlines";
    refused(&asked, KODAMA_ERR_ARGUMENT, "control characters");
    asked = talk_config(1, plain);
    asked.buffer_ms = 10;
    refused(&asked, KODAMA_ERR_ARGUMENT, "buffer_ms");
    asked = talk_config(1, plain);
    asked.threshold = 0;
    refused(&asked, KODAMA_ERR_ARGUMENT, "threshold");
    asked = talk_config(1, plain);
    asked.url = "wss://127.0.0.1:1";
    asked.ca = "/nowhere/ca.pem";
    refused(&asked, KODAMA_ERR_NOT_FOUND, "/nowhere/ca.pem");
}

/* A server that is started again on the port of the one before, which a network hides. */
static void restart(struct net *net, const struct kodama_server_config *config)
{
    kodama_server_close(server);
    server = open_server(model, config);
    atomic_store(&net->server, kodama_server_port(server));
}

/* Half of the sound, until an utterance has begun; then another server. @return how many frames */
static size_t say_half(struct kodama_client *client, const struct sound *sound, struct net *net,
                       const struct kodama_server_config *config)
{
    struct kodama_client_event event;
    size_t half = sound->n_frames / 2;
    assert_int_equal(kodama_client_write(client, sound->frames, half, KODAMA_FOREVER), half);
    do {
        assert_int_equal(kodama_client_next(client, &event, KODAMA_FOREVER), KODAMA_OK);
    } while (event.kind != KODAMA_CLIENT_HEARD);
    restart(net, config);
    return half;
}

static void a_server_that_was_started_again_is_given_what_it_needs(void **state)
{
    (void)state;
    static struct net net;
    struct sound sound = two_sentences();
    struct kodama_server_config config = free_port();
    open_scripted(&config);
    heard_locally(&expected, model, &sound, true);
    net_start(&net, kodama_server_port(server), 1, (struct net_plan){0});
    struct kodama_client_config asked = talk_config(net.port, sound.format);
    asked.renew = true;
    struct kodama_client *client = talk_open(&asked);
    size_t half = say_half(client, &sound, &net, &config);
    kodama_client_write(client, sound.frames + 2 * half, sound.n_frames - half, KODAMA_FOREVER);
    kodama_client_finish(client);
    heard = (struct heard){0};
    told = (struct talk){0};
    assert_int_equal(talk_listen(client, &heard, &told, KODAMA_FOREVER), KODAMA_ERR_CLOSED);
    assert_int_equal(told.n_renewed, 1);
    assert_int_equal(told.lost_frames, 0);
    assert_int_equal(heard.n_finals, expected.n_finals);
    struct kodama_client_stats stats;
    kodama_client_stats(client, &stats);
    assert_int_equal(stats.renewals, 1);
    assert_int_equal(stats.lost_frames, 0);
    kodama_client_close(client);
    net_end(&net);
    close_scripted();
    free(sound.frames);
}

static void without_renewal_it_is_said_what_has_no_final(void **state)
{
    (void)state;
    static struct net net;
    struct sound sound = two_sentences();
    struct kodama_server_config config = free_port();
    struct kodama_client_event event;
    struct kodama_error error;
    open_scripted(&config);
    net_start(&net, kodama_server_port(server), 1, (struct net_plan){0});
    struct kodama_client_config asked = talk_config(net.port, sound.format);
    struct kodama_client *client = talk_open(&asked);
    (void)say_half(client, &sound, &net, &config);
    int status;
    while ((status = kodama_client_next(client, &event, KODAMA_FOREVER)) == KODAMA_OK) continue;
    assert_int_equal(status, KODAMA_ERR_NOT_FOUND);
    assert_int_equal(kodama_client_failure(client, &error), status);
    assert_non_null(strstr(error.message, "has no final"));
    assert_int_equal(kodama_client_write(client, NULL, 1, 0), status);
    kodama_client_close(client);
    net_end(&net);
    close_scripted();
    free(sound.frames);
}

static void a_session_that_the_server_ends_is_renewed_only_when_there_is_more(void **state)
{
    (void)state;
    struct kodama_server_config config = free_port();
    config.idle_ms = 300;
    open_scripted(&config);
    struct kodama_client_config asked = talk_config(kodama_server_port(server), plain);
    struct kodama_client_event event;
    asked.renew = true;
    struct kodama_client *client = talk_open(&asked);
    assert_int_equal(kodama_client_write(client, NULL, 16000, KODAMA_FOREVER), 16000);
    assert_int_equal(kodama_client_next(client, &event, KODAMA_FOREVER), KODAMA_OK);
    assert_int_equal(event.kind, KODAMA_CLIENT_RENEWED);
    assert_int_equal(event.sample, 16000);
    assert_int_equal(event.lost_frames, 0);
    struct kodama_client_stats stats;
    do {
        usleep(10000);
        kodama_client_stats(client, &stats);
    } while (stats.connected);
    assert_int_equal(kodama_client_write(client, NULL, 16000, KODAMA_FOREVER), 16000);
    do {
        usleep(10000);
        kodama_client_stats(client, &stats);
    } while (!stats.connected && stats.renewals == 1);
    assert_int_equal(kodama_client_finish(client), KODAMA_OK);
    int status;
    while ((status = kodama_client_next(client, &event, KODAMA_FOREVER)) == KODAMA_OK) continue;
    assert_int_equal(status, KODAMA_ERR_CLOSED);
    kodama_client_close(client);
    close_scripted();
}

static void addresses_are_read_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host, *path;
        uint32_t port;
        bool tls;
    } cases[] = {
        {"ws://127.0.0.1:8123", "127.0.0.1", "/ws", 8123, false},
        {"http://localhost", "localhost", "/ws", 8000, false},
        {"HTTPS://example.org/", "example.org", "/ws", 443, true},
        {"wss://example.org:9/captions/ws?x=1#y", "example.org", "/captions/ws?x=1", 9, true},
        {"ws://[::1]:8000?x=1", "::1", "/ws?x=1", 8000, false},
        {"localhost:8001", "localhost", "/ws", 8001, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address address;
        assert_int_equal(address_read(&address, cases[i].url, NULL), KODAMA_OK);
        assert_string_equal(address.host, cases[i].host);
        assert_string_equal(address.path, cases[i].path);
        assert_int_equal(address.port, cases[i].port);
        assert_int_equal(address.tls, cases[i].tls);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_is_heard_as_on_this_machine),
        cmocka_unit_test(times_are_those_of_a_recogniser_to_the_last_bit),
        cmocka_unit_test(finalize_closes_the_utterance_where_it_was_asked_for),
        cmocka_unit_test(silence_is_written_without_frames),
        cmocka_unit_test(an_event_loop_can_wait_for_events),
        cmocka_unit_test(a_writer_waits_for_room_and_is_told_when_there_is_none),
        cmocka_unit_test(what_is_refused_is_said_in_words),
        cmocka_unit_test(what_is_no_kodama_server_is_said_to_be_none),
        cmocka_unit_test(a_configuration_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_server_that_was_started_again_is_given_what_it_needs),
        cmocka_unit_test(without_renewal_it_is_said_what_has_no_final),
        cmocka_unit_test(a_session_that_the_server_ends_is_renewed_only_when_there_is_more),
        cmocka_unit_test(addresses_are_read_as_people_write_them),
    };
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
