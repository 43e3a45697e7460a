#define _DEFAULT_SOURCE
/* Tests of the server: what is heard over the network is what is heard without one; limits,
 * backpressure, heartbeat, pages, and a graceful end. */
#include "base/memory.h"
#include "serve/material.h"

#include <fcntl.h>

static struct kodama_model *sphinx(void)
{
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_error error = {0};
    struct kodama_model *model;
    config.n_decoders = 2;
    if (kodama_model_open(&model, &config, &error) < 0) {
        print_message("# skipped: %s\n", error.message);
        skip();
    }
    return model;
}

static void real_speech_is_heard_as_without_a_server(void **state)
{
    (void)state;
    static struct heard expected, heard;
    struct sound sound = two_sentences();
    struct kodama_model *model = sphinx();
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    heard_locally(&expected, model, &sound, true);
    assert_true(expected.n_finals >= 2);
    speak(&heard, kodama_server_port(server), &sound, "words=1", 640, 1);
    assert_string_equal(heard.finals, expected.finals);
    assert_string_equal(heard.positions, expected.positions);
    assert_string_equal(heard.reason, "stopped");
    kodama_server_close(server);
    kodama_model_close(model);
    free(sound.frames);
}

/* The same sound with every sample several times over: another rate, and several channels. */
static struct sound widened(const struct sound *mono, struct kodama_format format)
{
    struct sound sound = {.format = format};
    const int16_t *samples = (const int16_t *)(const void *)mono->frames;
    uint32_t times = format.rate_hz / mono->format.rate_hz;
    size_t n = mono->n_frames * times * format.channels;
    size_t n_sample = kodama_sample_bytes(format.sample);
    sound.n_frames = mono->n_frames * times;
    sound.frames = calloc(n, n_sample);
    assert_non_null(sound.frames);
    for (size_t i = 0; i < n; i++) {
        int16_t s16 = samples[i / format.channels / times];
        float f32 = (float)s16 / 32768.0f;
        memcpy(sound.frames + i * n_sample, n_sample == 2 ? (void *)&s16 : (void *)&f32, n_sample);
    }
    return sound;
}

static void every_encoding_rate_and_number_of_channels_is_heard(void **state)
{
    (void)state;
    static const struct {
        struct kodama_format format;
        const char *query;
    } cases[] = {
        {{KODAMA_SAMPLE_F32, 16000, 1, 0}, "words=1&encoding=pcm_f32le"},
        {{KODAMA_SAMPLE_S16, 48000, 2, 0}, "words=1&encoding=pcm_s16le&rate=48000&channels=2"},
        {{KODAMA_SAMPLE_F32, 32000, 3, 0}, "words=1&rate=32000&encoding=pcm_f32le&channels=3"},
    };
    static struct heard expected, heard;
    struct sound mono = two_sentences();
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sound sound = widened(&mono, cases[i].format);
        heard_locally(&expected, model, &sound, true);
        /* Messages of any size: they need not end with a frame. */
        speak(&heard, kodama_server_port(server), &sound, cases[i].query, 20000, i);
        assert_true(heard.n_finals > 0);
        assert_string_equal(heard.finals, expected.finals);
        assert_string_equal(heard.positions, expected.positions);
        free(sound.frames);
    }
    kodama_server_close(server);
    kodama_model_close(model);
    free(mono.frames);
}

struct talk {
    struct thread thread;
    uint32_t port;
    const struct sound *sound;
    struct heard heard;
};

static void run_talk(void *argument)
{
    struct talk *talk = argument;
    speak(&talk->heard, talk->port, talk->sound, "words=1", 3000, (uint64_t)(uintptr_t)talk);
}

static void many_speak_at_once_and_none_hears_of_another(void **state)
{
    (void)state;
    enum { TALKS = 12 };
    static struct talk talks[TALKS];
    static struct heard expected;
    struct sound sound = two_sentences();
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    heard_locally(&expected, model, &sound, true);
    for (int i = 0; i < TALKS; i++) {
        talks[i] = (struct talk){.port = kodama_server_port(server), .sound = &sound};
        assert_int_equal(thread_start(&talks[i].thread, "talk", run_talk, &talks[i], NULL), 0);
    }
    for (int i = 0; i < TALKS; i++) {
        thread_join(&talks[i].thread);
        assert_string_equal(talks[i].heard.finals, expected.finals);
        assert_string_equal(talks[i].heard.positions, expected.positions);
    }
    kodama_server_close(server);
    kodama_model_close(model);
    free(sound.frames);
}

/* The decoders stand still: the server must take only so much, and lose nothing. */
static void a_full_session_is_not_read_and_loses_nothing(void **state)
{
    (void)state;
    static struct heard expected;
    static struct talk talk;
    struct sound two = two_sentences(), sound = two;
    enum { TIMES = 6 };
    size_t n_bytes = two.n_frames * 2;
    sound.frames = calloc(TIMES, n_bytes);
    assert_non_null(sound.frames);
    sound.n_frames *= TIMES;
    for (size_t i = 0; i < TIMES; i++) memcpy(sound.frames + i * n_bytes, two.frames, n_bytes);
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    heard_locally(&expected, model, &sound, true);
    script_gate(true);
    talk = (struct talk){.port = kodama_server_port(server), .sound = &sound};
    assert_int_equal(thread_start(&talk.thread, "talk", run_talk, &talk, NULL), 0);
    struct kodama_server_stats stats = {0}, later = {0};
    do {
        usleep(20000);
        later = stats;
        kodama_server_stats(server, &stats);
    } while (stats.pauses == 0 || stats.audio_ns != later.audio_ns);
    /* 60 s of audio are undecided at most, and the utterance in progress. */
    assert_true(stats.audio_ns < 100 * UINT64_C(1000000000));
    script_gate(false);
    thread_join(&talk.thread);
    assert_string_equal(talk.heard.finals, expected.finals);
    assert_string_equal(talk.heard.positions, expected.positions);
    kodama_server_close(server);
    kodama_model_close(model);
    free(sound.frames);
    free(two.frames);
}

static void every_second_that_was_heard_is_acknowledged(void **state)
{
    (void)state;
    enum { SECONDS = 5 };
    static int16_t silence[8000];
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    config.detector = "none";
    struct kodama_server *server = open_server(model, &config);
    struct client client = client_open(kodama_server_port(server), "/ws?rate=16000", NULL);
    for (int64_t second = 1; second <= SECONDS; second++) {
        for (int half = 0; half < 2; half++) {
            client_send(&client, CLIENT_BINARY, silence, sizeof silence);
        }
        json_t *ack = client_await(&client, "ack");
        assert_non_null(ack);
        assert_int_equal(json_integer_value(json_object_get(ack, "heard")), second * 16000);
        assert_int_equal(json_integer_value(json_object_get(ack, "received")), second * 16000);
        assert_int_equal(json_integer_value(json_object_get(ack, "safe")), 0);
        json_decref(ack);
    }
    client_close(&client);
    kodama_server_close(server);
    kodama_model_close(model);
}

/* Nothing ticks while nobody is connected; what was stopped for that must begin again. */
static void a_client_after_a_long_silence_is_heard(void **state)
{
    (void)state;
    static int16_t silence[16000];
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server_stats stats;
    config.resume_ms = 0;
    struct kodama_server *server = open_server(model, &config);
    for (int i = 0; i < 2; i++) {
        struct client client = client_open(kodama_server_port(server), "/ws?rate=16000", NULL);
        json_decref(client_await(&client, "ready")); /* or its first run would hear it */
        client_send(&client, CLIENT_BINARY, silence, sizeof silence);
        json_decref(client_await(&client, "ack"));
        client_say(&client, "{\"type\":\"stop\"}");
        json_t *closed = client_await(&client, "closed");
        assert_non_null(closed);
        assert_int_equal(json_integer_value(json_object_get(closed, "samples")), 16000);
        json_decref(closed);
        client_close(&client);
        do {
            usleep(20000);
            kodama_server_stats(server, &stats);
        } while (stats.sessions > 0 || stats.connections > 0);
        usleep(500000); /* longer than a tick */
    }
    kodama_server_close(server);
    kodama_model_close(model);
}

static void finalize_ends_the_utterance_now(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    struct client client = client_open(kodama_server_port(server), "/ws", NULL);
    client_say(&client, "{\"type\":\"start\",\"rate\":16000,\"words\":false}");
    client_send(&client, CLIENT_BINARY, sound.frames, 2 * 32000);
    client_say(&client, "{\"type\":\"finalize\"}");
    json_t *stopped = client_await(&client, "speech_stopped");
    assert_non_null(stopped);
    assert_true(json_integer_value(json_object_get(stopped, "sample")) <= 32000);
    json_decref(stopped);
    json_t *final = client_await(&client, "final");
    assert_non_null(final);
    assert_null(json_object_get(final, "words"));
    json_decref(final);
    client_close(&client);
    kodama_server_close(server);
    kodama_model_close(model);
    free(sound.frames);
}

static void a_stopped_server_delivers_what_was_heard(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    uint32_t port = kodama_server_port(server);
    struct client client = client_open(port, "/ws?rate=16000", NULL);
    client_send(&client, CLIENT_BINARY, sound.frames, 2 * 32000);
    json_decref(client_await(&client, "speech_started"));
    script_gate(true);
    assert_int_equal(kodama_server_stop(server, 50000000), KODAMA_ERR_TIMEOUT);
    struct client late = client_open(port, "/ws", NULL);
    assert_int_equal(late.status, 503);
    client_close(&late);
    char *answer = client_get(port, "/healthz", NULL);
    assert_non_null(strstr(answer, " 503 "));
    free(answer);
    script_gate(false);
    json_t *final = client_await(&client, "final");
    assert_non_null(final);
    json_decref(final);
    json_t *closed = client_await(&client, "closed");
    assert_non_null(closed);
    assert_string_equal(json_string_value(json_object_get(closed, "reason")), "shutdown");
    json_decref(closed);
    assert_int_equal(kodama_server_stop(server, KODAMA_FOREVER), KODAMA_OK);
    client_close(&client);
    kodama_server_close(server);
    kodama_model_close(model);
    free(sound.frames);
}

static void a_silent_client_is_asked_and_given_up(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    config.heartbeat_ms = 300;
    struct kodama_server *server = open_server(model, &config);
    uint32_t port = kodama_server_port(server);
    struct client mute = client_open(port, "/ws?rate=16000", NULL);
    struct kodama_server_stats stats;
    int pings = 0;
    for (;;) { /* reads, but does not answer */
        int opcode = mute.bytes ? client_parse(&mute) : 0;
        if (opcode == CLIENT_PING) pings++;
        if (!opcode && !client_fill(&mute, CLIENT_LIMIT_MS)) break;
    }
    assert_true(pings > 0);
    do {
        usleep(5000);
        kodama_server_stats(server, &stats);
    } while (stats.connections > 0);
    assert_int_equal(stats.sessions, 1); /* it may come back */
    client_close(&mute);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void a_silent_client_that_answers_is_kept(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    config.heartbeat_ms = 1000;
    struct kodama_server *server = open_server(model, &config);
    struct client client = client_open(kodama_server_port(server), "/ws?rate=16000", NULL);
    /* It would have been given up after three. */
    for (int pings = 0; pings < 5;) {
        int opcode = client.bytes ? client_parse(&client) : 0;
        if (!opcode && !client_fill(&client, CLIENT_LIMIT_MS)) break;
        if (opcode != CLIENT_PING) continue;
        client_send(&client, CLIENT_PONG, client.message, client.n_message);
        pings++;
    }
    assert_true(client.is_open);
    client_say(&client, "{\"type\":\"stop\"}");
    json_t *closed = client_await(&client, "closed");
    assert_non_null(closed);
    json_decref(closed);
    client_close(&client);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void an_idle_session_ends_and_says_so(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    config.idle_ms = 50;
    struct kodama_server *server = open_server(model, &config);
    struct client client = client_open(kodama_server_port(server), "/ws?rate=16000", NULL);
    json_t *closed = client_await(&client, "closed");
    assert_non_null(closed);
    assert_string_equal(json_string_value(json_object_get(closed, "reason")), "idle");
    json_decref(closed);
    client_close(&client);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void no_session_is_longer_than_the_limit_and_its_end_says_so(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    config.max_session_ms = 50;
    struct kodama_server *server = open_server(model, &config);
    struct client client = client_open(kodama_server_port(server), "/ws?rate=16000", NULL);
    json_t *closed = client_await(&client, "closed");
    assert_non_null(closed);
    assert_string_equal(json_string_value(json_object_get(closed, "reason")), "limit");
    json_decref(closed);
    client_close(&client);
    kodama_server_close(server);
    kodama_model_close(model);
}

/* It speaks, and does not read what it is told: then it is heard no more, and the server holds no
 * more of it than it allows itself. When it reads, all goes on and nothing was lost. */
static void whoever_does_not_read_costs_little_memory_and_loses_nothing(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    size_t n_bytes = sound.n_frames * 2;
    script_reset();
    script.hash = true; /* its texts grow with each final */
    struct kodama_model *model = open_script(2);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    struct kodama_server_stats stats = {0};
    struct client client = client_open(kodama_server_port(server), "/ws?words=1", NULL);
    int small = 4096;
    setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    json_decref(client_await(&client, "ready"));
    uint64_t before = memory_proportional_bytes();
    /* As much as goes without waiting for long. */
    struct timeval limit = {.tv_sec = 3};
    setsockopt(client.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    int n_times = 0;
    while (n_times < 2000 && client_send(&client, CLIENT_BINARY, sound.frames, n_bytes)) n_times++;
    int64_t more = (int64_t)memory_proportional_bytes() - (int64_t)before;
    kodama_server_stats(server, &stats);
    print_message("# heard %d s, %d finals, %d kB more\n", (int)(stats.audio_ns / 1000000000),
                  (int)stats.finals, (int)(more / 1000));
    assert_true(n_times < 2000 && stats.pauses > 0);
    assert_true(more < 30 * 1000000);
    client.is_open = true; /* only its last message was not sent to its end */
    int n_finals = 0;
    uint64_t last_seq = 0;
    json_t *message;
    while ((message = client_message(&client, 3000))) {
        uint64_t seq = (uint64_t)json_integer_value(json_object_get(message, "seq"));
        assert_true(seq > last_seq);
        last_seq = seq;
        if (strcmp(json_string_value(json_object_get(message, "type")), "final") == 0) {
            assert_int_equal(json_integer_value(json_object_get(message, "utterance")), ++n_finals);
        }
        json_decref(message);
    }
    kodama_server_stats(server, &stats);
    assert_int_equal(n_finals, stats.finals);
    client_close(&client);
    kodama_server_close(server);
    kodama_model_close(model);
    free(sound.frames);
}

static void pages_are_answered_from_memory(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    uint32_t port = kodama_server_port(server);
    static const struct {
        const char *path, *has;
    } pages[] = {
        {"/healthz", "ok\n"},
        {"/status", "\"engines\":[\"script\"]"},
        {"/v1/models", "\"id\":\"a script\""},
        {"/metrics", "\nkodama_sessions 0\n"},
        {"/metrics", "\nkodama_sessions_waiting 0\n"},
        {"/metrics", "\nkodama_errors_total{kind=\"decode\"} 0\n"},
        {"/metrics", "\nkodama_partial_latency_seconds_count 0\n"},
        {"/metrics", "\nkodama_final_latency_seconds_bucket{le=\"+Inf\"} 0\n"},
    };
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        char *answer = client_get(port, pages[i].path, NULL);
        assert_non_null(strstr(answer, " 200 "));
        if (!strstr(answer, pages[i].has)) fail_msg("%s: %s", pages[i].path, answer);
        free(answer);
    }
    char *answer = client_get(port, "/nothing", NULL);
    assert_non_null(strstr(answer, " 404 "));
    free(answer);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void a_configuration_that_cannot_work_is_refused_in_words(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server *server, *other;
    struct kodama_error error = {0};
    config.host = "0.0.0.0";
    assert_int_equal(kodama_server_open(&server, model, &config, &error), KODAMA_ERR_PERMISSION);
    assert_non_null(strstr(error.message, "token"));
    config.host = "nowhere";
    config.token = "x";
    assert_int_equal(kodama_server_open(&server, model, &config, &error), KODAMA_ERR_ARGUMENT);
    assert_null(server);
    config.host = NULL;
    config.certificate = "cert.pem";
    assert_int_equal(kodama_server_open(&server, model, &config, &error), KODAMA_ERR_ARGUMENT);
    config.key = "key.pem";
    assert_int_equal(kodama_server_open(&server, model, &config, &error), KODAMA_ERR_NOT_FOUND);
    config.certificate = config.key = NULL;
    server = open_server(model, &config);
    config.port = kodama_server_port(server);
    assert_int_equal(kodama_server_open(&other, model, &config, &error), KODAMA_ERR_BUSY);
    kodama_server_close(server);
    assert_int_equal(kodama_server_open(&server, NULL, &config, &error), KODAMA_ERR_ARGUMENT);
    kodama_server_close(NULL);
    kodama_model_close(model);
}

static void a_server_that_was_idle_hears_again(void **state)
{
    (void)state;
    static struct heard expected, heard;
    struct sound sound = two_sentences();
    struct kodama_server_stats stats;
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    struct kodama_server_config config = free_port();
    config.resume_ms = 1; /* nothing is left of a session that has ended */
    struct kodama_server *server = open_server(model, &config);
    heard_locally(&expected, model, &sound, true);
    for (int i = 0; i < 2; i++) {
        speak(&heard, kodama_server_port(server), &sound, "words=1", 6000, 1);
        assert_string_equal(heard.finals, expected.finals);
        do {
            usleep(300000); /* its timer stops at the first tick without sessions */
            kodama_server_stats(server, &stats);
        } while (stats.sessions > 0 || stats.connections > 0);
    }
    kodama_server_close(server);
    kodama_model_close(model);
    free(sound.frames);
}

/* Somebody else in this process, who opens and closes until `ends`. */
struct stranger {
    struct thread thread;
    _Atomic bool ends;
    int n_lost;
};

static void open_and_close(void *argument)
{
    struct stranger *stranger = argument;
    while (!atomic_load(&stranger->ends)) {
        int fd = open("/dev/null", O_RDONLY);
        usleep(20);
        if (close(fd) != 0) stranger->n_lost++;
    }
}

static void a_server_that_ends_closes_nothing_that_is_not_its_own(void **state)
{
    (void)state;
    struct stranger stranger = {.n_lost = 0};
    script_reset();
    struct kodama_model *model = open_script(1);
    for (int i = 0; i < 200; i++) {
        struct kodama_server_config config = free_port();
        struct kodama_server *server = open_server(model, &config);
        atomic_store(&stranger.ends, false);
        assert_int_equal(
            thread_start(&stranger.thread, "stranger", open_and_close, &stranger, NULL), KODAMA_OK);
        kodama_server_close(server);
        atomic_store(&stranger.ends, true);
        thread_join(&stranger.thread);
    }
    assert_int_equal(stranger.n_lost, 0);
    kodama_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_speech_is_heard_as_without_a_server),
        cmocka_unit_test(every_encoding_rate_and_number_of_channels_is_heard),
        cmocka_unit_test(many_speak_at_once_and_none_hears_of_another),
        cmocka_unit_test(a_full_session_is_not_read_and_loses_nothing),
        cmocka_unit_test(every_second_that_was_heard_is_acknowledged),
        cmocka_unit_test(a_client_after_a_long_silence_is_heard),
        cmocka_unit_test(finalize_ends_the_utterance_now),
        cmocka_unit_test(a_stopped_server_delivers_what_was_heard),
        cmocka_unit_test(a_silent_client_is_asked_and_given_up),
        cmocka_unit_test(a_silent_client_that_answers_is_kept),
        cmocka_unit_test(an_idle_session_ends_and_says_so),
        cmocka_unit_test(no_session_is_longer_than_the_limit_and_its_end_says_so),
        cmocka_unit_test(whoever_does_not_read_costs_little_memory_and_loses_nothing),
        cmocka_unit_test(pages_are_answered_from_memory),
        cmocka_unit_test(a_server_that_was_idle_hears_again),
        cmocka_unit_test(a_server_that_ends_closes_nothing_that_is_not_its_own),
        cmocka_unit_test(a_configuration_that_cannot_work_is_refused_in_words),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
