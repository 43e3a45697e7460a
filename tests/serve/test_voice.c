#define _DEFAULT_SOURCE
/* Tests of voices over the network: what comes back is what the voice gives without one, however
 * the audio was cut; settings change at their place; captions on the way are those of /ws. */
#include <sys/stat.h>

#include <kodama/voice_store.h>

#include "serve/material.h"
#include "voice/rvc_graphs.h"

/* What a voice gives for a sound, its end included; `change` settings from frame `at` on. Free. */
static uint8_t *changed_locally(const struct sound *sound, struct kodama_voice_settings settings,
                                const struct kodama_voice_settings *change, size_t at,
                                size_t *n_bytes, uint32_t *latency)
{
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    struct kodama_voice *voice;
    size_t n_frame = kodama_frame_bytes(sound->format);
    config.input = sound->format;
    config.settings = settings;
    assert_int_equal(kodama_voice_open(&voice, &config, NULL), KODAMA_OK);
    *latency = kodama_voice_latency(voice);
    size_t n = sound->n_frames + *latency;
    uint8_t *out = calloc(n + 1, n_frame);
    assert_non_null(out);
    if (!change) at = sound->n_frames;
    assert_int_equal(kodama_voice_process(voice, sound->frames, at, out, n), at);
    if (change) {
        assert_int_equal(kodama_voice_set(voice, change), KODAMA_OK);
        assert_int_equal(kodama_voice_process(voice, sound->frames + at * n_frame,
                                              sound->n_frames - at, out + at * n_frame, n - at),
                         sound->n_frames - at);
    }
    assert_int_equal(kodama_voice_flush(voice, out + sound->n_frames * n_frame, *latency),
                     *latency);
    kodama_voice_close(voice);
    *n_bytes = n * n_frame;
    return out;
}

/* A conversation with /ws/voice. */
struct talk {
    struct client client;
    uint8_t *bytes; /* what came back */
    size_t n_bytes;
    struct heard heard;
    uint32_t latency;
    char error[32]; /* code of the newest */
    char engine[16], model[32];
    bool done;
};

static void talk_take(struct talk *talk, int timeout_ms)
{
    int opcode;
    while ((opcode = client_next(&talk->client, timeout_ms))) {
        if (opcode == CLIENT_BINARY) {
            talk->bytes = realloc(talk->bytes, talk->n_bytes + talk->client.n_message + 1);
            assert_non_null(talk->bytes);
            memcpy(talk->bytes + talk->n_bytes, talk->client.message, talk->client.n_message);
            talk->n_bytes += talk->client.n_message;
        } else if (opcode == CLIENT_TEXT) {
            json_t *message = json_loads(talk->client.message, 0, NULL);
            const char *type = json_string_value(json_object_get(message, "type"));
            if (strcmp(type, "ready") == 0) {
                talk->latency = (uint32_t)json_integer_value(json_object_get(message, "latency"));
                snprintf(talk->engine, sizeof talk->engine, "%s",
                         json_string_value(json_object_get(message, "engine")));
            }
            if (strcmp(type, "model") == 0) {
                snprintf(talk->model, sizeof talk->model, "%s",
                         json_string_value(json_object_get(message, "model")));
            }
            if (strcmp(type, "error") == 0) {
                snprintf(talk->error, sizeof talk->error, "%s",
                         json_string_value(json_object_get(message, "code")));
            }
            talk->done = talk->done || strcmp(type, "closed") == 0;
            heard_note(&talk->heard, message);
            json_decref(message);
        } else {
            return;
        }
        timeout_ms = 0;
    }
}

static void talk_send(struct talk *talk, const uint8_t *bytes, size_t n_bytes, size_t block,
                      struct test_random *random)
{
    while (n_bytes > 0) {
        size_t n = 1 + (size_t)test_random_below(random, block);
        if (n > n_bytes) n = n_bytes;
        assert_true(client_send(&talk->client, CLIENT_BINARY, bytes, n));
        bytes += n;
        n_bytes -= n;
        talk_take(talk, 0);
    }
}

static void talk_open(struct talk *talk, uint32_t port, const char *query)
{
    char path[200];
    snprintf(path, sizeof path, "/ws/voice?%s", query);
    *talk = (struct talk){.client = client_open(port, path, NULL)};
    assert_true(talk->client.is_open);
}

static void talk_stop(struct talk *talk)
{
    client_say(&talk->client, "{\"type\":\"stop\"}");
    while (talk->client.is_open && !talk->done) talk_take(talk, CLIENT_LIMIT_MS);
    assert_true(talk->done);
}

static void talk_expect_error(struct talk *talk, const char *code)
{
    int n = talk->heard.n_errors;
    while (talk->client.is_open && talk->heard.n_errors == n) talk_take(talk, CLIENT_LIMIT_MS);
    assert_string_equal(talk->error, code);
}

static void talk_close(struct talk *talk)
{
    client_close(&talk->client);
    free(talk->bytes);
}

static struct kodama_server *scripted_server(struct kodama_model **model)
{
    struct kodama_server_config config = free_port();
    script_reset();
    script.hash = true;
    *model = open_script(2);
    return open_server(*model, &config);
}

static void a_voice_comes_back_as_without_a_server_however_it_was_cut(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    struct kodama_model *model;
    struct kodama_server *server = scripted_server(&model);
    struct kodama_voice_settings settings = KODAMA_VOICE_SETTINGS_INIT;
    settings.pitch = 5;
    settings.formant = -2;
    settings.noise = "rain";
    settings.noise_level = 0.1f;
    size_t n_bytes;
    uint32_t latency;
    uint8_t *expected = changed_locally(&sound, settings, NULL, 0, &n_bytes, &latency);
    for (uint64_t i = 0; i < 3; i++) {
        struct test_random random = {i + 1};
        struct talk talk;
        talk_open(&talk, kodama_server_port(server),
                  "pitch=5&formant=-2&noise=rain&noise_level=0.1");
        talk_send(&talk, sound.frames, sound.n_frames * 2, (size_t[]){641, 20000, 60000}[i],
                  &random);
        talk_stop(&talk);
        assert_int_equal(talk.latency, latency);
        assert_string_equal(talk.engine, "shifter");
        assert_int_equal(talk.n_bytes, n_bytes);
        assert_memory_equal(talk.bytes, expected, n_bytes);
        assert_string_equal(talk.heard.reason, "stopped");
        assert_int_equal(talk.heard.n_finals, 0);
        talk_close(&talk);
    }
    free(expected);
    free(sound.frames);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void settings_change_at_their_place_in_the_audio(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    struct kodama_model *model;
    struct kodama_server *server = scripted_server(&model);
    struct kodama_voice_settings settings = KODAMA_VOICE_SETTINGS_INIT, change;
    change = settings;
    change.pitch = -7;
    change.mute = false;
    change.fluctuation = settings.fluctuation = false;
    size_t n_bytes, at = sound.n_frames / 2;
    uint32_t latency;
    uint8_t *expected = changed_locally(&sound, settings, &change, at, &n_bytes, &latency);
    struct test_random random = {7};
    struct talk talk;
    talk_open(&talk, kodama_server_port(server), "fluctuation=0");
    talk_send(&talk, sound.frames, at * 2, 5000, &random);
    client_say(&talk.client, "{\"type\":\"configure\",\"pitch\":-7}");
    talk_send(&talk, sound.frames + at * 2, (sound.n_frames - at) * 2, 5000, &random);
    talk_stop(&talk);
    assert_int_equal(talk.n_bytes, n_bytes);
    assert_memory_equal(talk.bytes, expected, n_bytes);
    talk_close(&talk);
    free(expected);
    free(sound.frames);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void captions_on_the_way_are_those_of_recognition_alone(void **state)
{
    (void)state;
    static struct heard expected;
    struct sound sound = two_sentences();
    struct kodama_model *model;
    struct kodama_server *server = scripted_server(&model);
    heard_locally(&expected, model, &sound, true);
    assert_true(expected.n_finals > 0);
    struct test_random random = {3};
    struct talk talk;
    talk_open(&talk, kodama_server_port(server), "preset=robot&captions=1&words=1");
    talk_send(&talk, sound.frames, sound.n_frames * 2, 3000, &random);
    talk_stop(&talk);
    assert_string_equal(talk.heard.finals, expected.finals);
    assert_string_equal(talk.heard.positions, expected.positions);
    assert_int_equal(talk.n_bytes, (sound.n_frames + talk.latency) * 2);
    talk_close(&talk);
    free(sound.frames);
    kodama_server_close(server);
    kodama_model_close(model);
}

/* Each as if it were alone, though all are fed in turns. */
static void many_voices_at_once_are_each_continuous(void **state)
{
    (void)state;
    enum { VOICES = 20 };
    static struct talk talks[VOICES];
    struct sound sound = two_sentences();
    sound.n_frames = 48000;
    struct kodama_model *model;
    struct kodama_server *server = scripted_server(&model);
    char query[64];
    for (int i = 0; i < VOICES; i++) {
        snprintf(query, sizeof query, "pitch=%d", i - 10);
        talk_open(&talks[i], kodama_server_port(server), query);
    }
    struct test_random random = {11};
    for (size_t at = 0; at < sound.n_frames * 2; at += 640) {
        for (int i = 0; i < VOICES; i++) {
            talk_send(&talks[i], sound.frames + at, 640, 640, &random);
        }
    }
    /* All at once: who is silent while others are looked at is given up on a slow machine. */
    for (int i = 0; i < VOICES; i++) talk_stop(&talks[i]);
    for (int i = 0; i < VOICES; i++) {
        struct kodama_voice_settings settings = KODAMA_VOICE_SETTINGS_INIT;
        settings.pitch = (float)(i - 10);
        size_t n_bytes;
        uint32_t latency;
        uint8_t *expected = changed_locally(&sound, settings, NULL, 0, &n_bytes, &latency);
        assert_int_equal(talks[i].n_bytes, n_bytes);
        assert_memory_equal(talks[i].bytes, expected, n_bytes);
        talk_close(&talks[i]);
        free(expected);
    }
    free(sound.frames);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void wrong_settings_are_refused_in_words(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "pitch=25",      "pitch=nan",    "preset=nobody", "noise=fire",
        "noise_level=2", "mute=perhaps", "formant=-13",
    };
    struct kodama_model *model;
    struct kodama_server *server = scripted_server(&model);
    char path[80];
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        snprintf(path, sizeof path, "/ws/voice?%s", queries[i]);
        struct client client = client_open(kodama_server_port(server), path, NULL);
        client_expect_error(&client, "bad_setting");
        client_close(&client);
    }
    struct client client =
        client_open(kodama_server_port(server), "/ws/voice?model=somebody", NULL);
    client_expect_error(&client, "not_found");
    client_close(&client);
    struct talk talk;
    talk_open(&talk, kodama_server_port(server), "pitch=1");
    static const uint8_t silence[640];
    client_send(&talk.client, CLIENT_BINARY, silence, sizeof silence);
    client_say(&talk.client, "{\"type\":\"configure\",\"rate\":8000}");
    talk_expect_error(&talk, "state");
    client_say(&talk.client, "{\"type\":\"configure\",\"pitch\":99}");
    talk_expect_error(&talk, "bad_setting");
    client_say(&talk.client,
               "{\"type\":\"resume\",\"session\":\"x\",\"token\":\"y\",\"last_seq\":0}");
    talk_expect_error(&talk, "gone");
    talk_close(&talk);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void take_in(struct kodama_voice_store *store, const char *name, const char *generator)
{
    struct kodama_voice_import import = KODAMA_VOICE_IMPORT_INIT;
    struct kodama_error error = {0};
    import.name = name;
    import.generator = rvc_graph(generator);
    import.encoder = rvc_graph("content-768");
    import.replace = true;
    if (kodama_voice_store_import(store, &import, &error) < 0) fail_msg("%s", error.message);
}

/* Loaded beside the workers; one that is not there changes nothing. */
static void a_model_speaks_and_another_takes_over(void **state)
{
    (void)state;
    const char *folder = test_scratch(".voices");
    struct kodama_voice_store_config places = KODAMA_VOICE_STORE_CONFIG_INIT;
    struct kodama_voice_store *store;
    places.folder = folder;
    (void)rvc_graph("A-sine");
    unlink(folder);
    mkdir(folder, 0700);
    assert_int_equal(kodama_voice_store_open(&store, &places, NULL), KODAMA_OK);
    take_in(store, "one", "A-sine");
    take_in(store, "two", "A-echo");
    kodama_voice_store_close(store);
    struct kodama_server_config config = free_port();
    config.voices = folder;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server *server = open_server(model, &config);
    struct sound sound = two_sentences();
    struct test_random random = {5};
    struct talk talk;
    size_t half = sound.n_frames / 2 * 2;
    struct client robot =
        client_open(kodama_server_port(server), "/ws/voice?model=one&preset=robot", NULL);
    client_expect_error(&robot, "bad_setting");
    client_close(&robot);
    talk_open(&talk, kodama_server_port(server), "model=one");
    talk_send(&talk, sound.frames, half, 3000, &random);
    client_say(&talk.client, "{\"type\":\"configure\",\"model\":\"nobody\"}");
    talk_expect_error(&talk, "unavailable");
    client_say(&talk.client, "{\"type\":\"configure\",\"model\":\"two\"}");
    while (talk.client.is_open && strcmp(talk.model, "two") != 0) {
        talk_take(&talk, CLIENT_LIMIT_MS);
    }
    talk_send(&talk, sound.frames + half, sound.n_frames * 2 - half, 3000, &random);
    talk_stop(&talk);
    assert_string_equal(talk.engine, "rvc");
    assert_int_equal(talk.n_bytes, (sound.n_frames + talk.latency) * 2);
    talk_close(&talk);
    free(sound.frames);
    kodama_server_close(server);
    kodama_model_close(model);
    char command[700];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

/* Its answers pile up to a bound, then its audio is not read any more: memory stays. */
static void a_client_that_does_not_read_its_voice_is_not_read(void **state)
{
    (void)state;
    struct kodama_model *model;
    struct kodama_server *server = scripted_server(&model);
    struct client client = client_open(kodama_server_port(server), "/ws/voice?rate=48000", NULL);
    struct timeval limit = {.tv_sec = 1};
    int small = 65536;
    setsockopt(client.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    static const uint8_t silence[9600];
    size_t sent = 0;
    while (sent < 64000000 && client_send(&client, CLIENT_BINARY, silence, sizeof silence)) {
        sent += sizeof silence;
    }
    assert_true(sent < 64000000); /* it was not taken */
    client_cut(&client);
    kodama_server_close(server);
    kodama_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_voice_comes_back_as_without_a_server_however_it_was_cut),
        cmocka_unit_test(settings_change_at_their_place_in_the_audio),
        cmocka_unit_test(captions_on_the_way_are_those_of_recognition_alone),
        cmocka_unit_test(many_voices_at_once_are_each_continuous),
        cmocka_unit_test(a_model_speaks_and_another_takes_over),
        cmocka_unit_test(wrong_settings_are_refused_in_words),
        cmocka_unit_test(a_client_that_does_not_read_its_voice_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
