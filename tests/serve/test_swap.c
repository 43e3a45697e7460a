#define _DEFAULT_SOURCE
/* Tests of another model while serving: in the middle of speech, under load, from broken files,
 * over HTTP; and of one model for partials beside one for finals. Real speech and PocketSphinx. */
#include "serve/material.h"

#include <unistd.h>

#include "serve/served.h"
#include "support/whisper_model.h"

#define SPHINX_MODELS "/usr/share/pocketsphinx/model"

static const int64_t patience_ns = 240 * (int64_t)CLOCK_NS_PER_S; /* machines are busy */

/** A grammar whose words nobody in the test's sentences says, so that its finals are known. */
static const char *grammar_file(void)
{
    static const char *path;
    if (path) return path;
    path = test_scratch(".gram");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#JSGF V1.0;\ngrammar side;\npublic <side> = (front | rear | side) +;\n");
    fclose(file);
    return path;
}

static struct kodama_model_config sphinx_config(bool grammar)
{
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    config.engine = "pocketsphinx";
    config.n_decoders = 1;
    config.grammar = grammar ? grammar_file() : NULL;
    return config;
}

static struct kodama_model *sphinx(bool grammar)
{
    struct kodama_model_config config = sphinx_config(grammar);
    struct kodama_error error = {0};
    struct kodama_model *model;
    if (kodama_model_open(&model, &config, &error) < 0) {
        print_message("# skipped: %s\n", error.message);
        skip();
    }
    return model;
}

/** A server that takes its models. */
static struct kodama_server *open_taking(struct kodama_model *model, struct kodama_model *partials)
{
    struct kodama_server_config config = free_port();
    config.takes_models = true;
    config.partials_model = partials;
    return open_server(model, &config);
}

static void swap_to(struct kodama_server *server, const struct kodama_model_config *config,
                    enum kodama_swap_state expected, struct kodama_swap *swap)
{
    struct kodama_error error = {0};
    if (kodama_server_swap_model(server, config, &error) < 0) fail_msg("%s", error.message);
    assert_int_equal(kodama_server_swap_wait(server, swap, patience_ns), KODAMA_OK);
    if (swap->state != expected) fail_msg("state %d: %s", (int)swap->state, swap->message);
}

/** Wait until no older model is there any more. */
static void await_closed(struct kodama_server *server)
{
    struct kodama_swap swap = {.n_retired = 1};
    uint64_t deadline = clock_deadline(patience_ns);
    while (swap.n_retired > 0 && clock_now_ns() < deadline) {
        (void)kodama_server_swap_wait(server, &swap, 0);
        usleep(10000);
    }
    assert_int_equal(swap.n_retired, 0);
}

/** The finals of a conversation that changes its model after so many frames. */
static void expect_switched(struct heard *heard, const struct sound *sound, size_t at)
{
    struct kodama_model *models[] = {sphinx(false), sphinx(true)};
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *recognizer;
    struct kodama_event event;
    *heard = (struct heard){0};
    config.format = sound->format;
    config.partials = false;
    assert_int_equal(kodama_recognizer_open(&recognizer, models[0], &config, NULL), KODAMA_OK);
    assert_int_equal(kodama_recognizer_write(recognizer, sound->frames, at, KODAMA_FOREVER), at);
    assert_int_equal(kodama_recognizer_switch(recognizer, models[1], NULL), KODAMA_OK);
    size_t rest = sound->n_frames - at;
    assert_int_equal(
        kodama_recognizer_write(recognizer, sound->frames + 2 * at, rest, KODAMA_FOREVER), rest);
    assert_int_equal(kodama_recognizer_finish(recognizer), KODAMA_OK);
    while (kodama_recognizer_next(recognizer, &event, KODAMA_FOREVER) == KODAMA_OK) {
        char *text = message_event(&event, true);
        json_t *message = json_loads(text, 0, NULL);
        heard_note(heard, message);
        json_decref(message);
        free(text);
    }
    kodama_recognizer_close(recognizer);
    for (int i = 0; i < 2; i++) kodama_model_close(models[i]);
}

static void hear_all(struct client *client, struct heard *heard)
{
    json_t *message;
    while ((message = client_message(client, CLIENT_LIMIT_MS))) {
        heard_note(heard, message);
        bool last = heard->reason[0] != 0;
        json_decref(message);
        if (last) return;
    }
    fail_msg("the end did not come");
}

static void an_utterance_ends_with_the_model_that_it_was_begun_with(void **state)
{
    (void)state;
    static struct heard expected, heard;
    struct sound sound = two_sentences();
    size_t at = 2 * 16000; /* in the middle of the first sentence */
    expect_switched(&expected, &sound, at);
    assert_int_equal(expected.n_finals, 2);
    struct kodama_server *server = open_taking(sphinx(false), NULL);
    struct kodama_model_config config = sphinx_config(true);
    struct kodama_swap swap;
    struct client client = client_open(kodama_server_port(server), "/ws?words=1", NULL);
    client_send(&client, CLIENT_BINARY, sound.frames, 2 * at);
    json_t *started = client_await(&client, "speech_started");
    assert_non_null(started);
    heard = (struct heard){0};
    heard_note(&heard, started);
    json_decref(started);
    swap_to(server, &config, KODAMA_SWAP_DONE, &swap);
    assert_int_equal(swap.n_retired, 1);
    for (size_t i = at; i < sound.n_frames; i += 1600) {
        size_t n = sound.n_frames - i < 1600 ? sound.n_frames - i : 1600;
        client_send(&client, CLIENT_BINARY, sound.frames + 2 * i, 2 * n);
    }
    client_say(&client, "{\"type\":\"stop\"}");
    hear_all(&client, &heard);
    client_close(&client);
    assert_string_equal(heard.finals, expected.finals);
    assert_string_equal(heard.positions, expected.positions);
    await_closed(server);
    kodama_server_close(server);
    free(sound.frames);
}

static void a_silent_session_does_not_keep_the_old_model(void **state)
{
    (void)state;
    struct kodama_server *server = open_taking(sphinx(false), NULL);
    struct kodama_model_config config = sphinx_config(true);
    struct kodama_swap swap;
    struct client client = client_open(kodama_server_port(server), "/ws?words=0", NULL);
    json_t *ready = client_await(&client, "ready");
    assert_non_null(ready);
    json_decref(ready);
    swap_to(server, &config, KODAMA_SWAP_DONE, &swap);
    await_closed(server);
    client_close(&client);
    kodama_server_close(server);
}

static void a_session_that_named_its_model_keeps_it(void **state)
{
    (void)state;
    static struct heard expected, heard;
    struct sound sound = two_sentences();
    struct kodama_model *model = sphinx(false);
    char path[200];
    heard_locally(&expected, model, &sound, false);
    snprintf(path, sizeof path, "/ws?model=%s", kodama_model_name(model));
    struct kodama_server *server = open_taking(model, NULL);
    struct kodama_model_config config = sphinx_config(true);
    struct kodama_swap swap;
    struct client client = client_open(kodama_server_port(server), path, NULL);
    json_t *ready = client_await(&client, "ready");
    assert_non_null(ready);
    json_decref(ready);
    swap_to(server, &config, KODAMA_SWAP_DONE, &swap);
    client_send(&client, CLIENT_BINARY, sound.frames, 2 * sound.n_frames);
    client_say(&client, "{\"type\":\"stop\"}");
    heard = (struct heard){0};
    hear_all(&client, &heard);
    assert_string_equal(heard.finals, expected.finals);
    client_close(&client);
    kodama_server_close(server);
    free(sound.frames);
}

static void a_broken_file_changes_nothing(void **state)
{
    (void)state;
    static struct heard expected, heard;
    struct sound sound = two_sentences();
    struct kodama_model *model = sphinx(false);
    heard_locally(&expected, model, &sound, false);
    struct kodama_server *server = open_taking(model, NULL);
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_swap swap;
    const char *whole = test_scratch(".bin"), *cut = test_scratch(".bin");
    whisper_model_write(whole, "<0.00> never heard <1.00>", false);
    char *command = NULL;
    int n = snprintf(NULL, 0, "head -c 100000 '%s' > '%s'", whole, cut);
    command = malloc((size_t)n + 1);
    snprintf(command, (size_t)n + 1, "head -c 100000 '%s' > '%s'", whole, cut);
    assert_int_equal(system(command), 0);
    free(command);
    const char *const paths[] = {"/nowhere/at/all", "/dev/null", cut, "nobody-has-this-one"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        config.path = paths[i];
        swap_to(server, &config, KODAMA_SWAP_FAILED, &swap);
        assert_int_equal(swap.number, i + 1);
        assert_true(swap.message[0] != 0);
        assert_int_equal(swap.n_retired, 0);
    }
    config = sphinx_config(false);
    config.grammar = "/nowhere.gram";
    swap_to(server, &config, KODAMA_SWAP_FAILED, &swap);
    speak(&heard, kodama_server_port(server), &sound, "partials=0", 6400, 1);
    assert_string_equal(heard.finals, expected.finals);
    kodama_server_close(server);
    free(sound.frames);
}

struct talk {
    struct thread thread;
    uint32_t port;
    const struct sound *sound;
    uint64_t seed;
    struct heard heard;
};

static void run_talk(void *argument)
{
    struct talk *talk = argument;
    speak(&talk->heard, talk->port, talk->sound, "partials=1", 3200, talk->seed);
}

/** Many speak while the model goes back and forth. No utterance is lost, and each final is what one
 * of the two models makes of it. */
static void under_load_no_final_is_lost(void **state)
{
    (void)state;
    enum { N_TALKS = 6, N_SWAPS = 5 };
    static struct talk talks[N_TALKS];
    static struct heard dictated;
    struct sound sound = two_sentences();
    struct kodama_model *model = sphinx(false);
    heard_locally(&dictated, model, &sound, false);
    struct kodama_server *server = open_taking(model, NULL);
    for (int i = 0; i < N_TALKS; i++) {
        talks[i] = (struct talk){
            .port = kodama_server_port(server), .sound = &sound, .seed = (uint64_t)i + 1};
        assert_int_equal(thread_start(&talks[i].thread, "talk", run_talk, &talks[i], NULL),
                         KODAMA_OK);
    }
    for (int i = 0; i < N_SWAPS; i++) {
        struct kodama_model_config config = sphinx_config(i % 2 == 0);
        struct kodama_swap swap;
        swap_to(server, &config, KODAMA_SWAP_DONE, &swap);
    }
    for (int i = 0; i < N_TALKS; i++) {
        struct heard *heard = &talks[i].heard;
        thread_join(&talks[i].thread);
        assert_int_equal(heard->n_finals, dictated.n_finals);
        assert_int_equal(heard->n_errors, 0);
        assert_string_equal(heard->positions, dictated.positions);
        char *rest = NULL, *line = strtok_r(heard->finals, "\n", &rest);
        for (; line; line = strtok_r(NULL, "\n", &rest)) {
            json_t *final = json_loads(line, 0, NULL);
            const char *text = json_string_value(json_object_get(final, "text"));
            size_t n = strspn(text, "frontreasid "); /* front, rear, side */
            /* Dictation depends on what was said before, so its words are not compared here. */
            assert_true(text[n] == 0 || strlen(text) > 10);
            json_decref(final);
        }
    }
    await_closed(server);
    kodama_server_close(server);
    free(sound.frames);
}

/* ------------------------------------------------------------------- over HTTP */

static char *post(uint32_t port, const char *headers, const char *body)
{
    char request[4096];
    int n =
        snprintf(request, sizeof request,
                 "POST /v1/models/default HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
                 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 headers, strlen(body), body);
    return client_request(port, request, (size_t)n);
}

static void assert_post(uint32_t port, const char *headers, const char *body, const char *has)
{
    char *answer = post(port, headers, body);
    if (!strstr(answer, has)) fail_msg("%s: %s", body, answer);
    free(answer);
}

static void assert_page(uint32_t port, const char *path, const char *has)
{
    char *answer = client_get(port, path, NULL);
    if (!strstr(answer, has)) fail_msg("%s: %s", path, answer);
    free(answer);
}

/** A store with a model of PocketSphinx, `ours`. */
static void make_store(void)
{
    char folder[] = "/tmp/kodama-swap-XXXXXX", command[500];
    assert_non_null(mkdtemp(folder));
    setenv("XDG_DATA_HOME", folder, 1);
    snprintf(command, sizeof command,
             "mkdir -p '%s/kodama/models' && ln -s " SPHINX_MODELS
             "/en-us '%s/kodama/models/ours' && echo ours > '%s/kodama/models/.default'",
             folder, folder, folder);
    assert_int_equal(system(command), 0);
}

static void remove_store(void)
{
    char command[500];
    snprintf(command, sizeof command, "rm -r '%s'", getenv("XDG_DATA_HOME"));
    assert_int_equal(system(command), 0);
    unsetenv("XDG_DATA_HOME");
}

static void a_client_can_ask_for_a_model_of_the_store(void **state)
{
    (void)state;
    test_installed(SPHINX_MODELS "/en-us/en-us/mdef");
    make_store();
    struct kodama_model *model = sphinx(true);
    struct kodama_server *server = open_taking(model, NULL);
    uint32_t port = kodama_server_port(server);
    struct kodama_swap swap;
    uint64_t deadline = clock_deadline(patience_ns);
    char *list = client_get(port, "/v1/models", NULL);
    while (!strstr(list, "\"ours\"") && clock_now_ns() < deadline) { /* looked up on the way */
        free(list);
        usleep(10000);
        list = client_get(port, "/v1/models", NULL);
    }
    assert_non_null(strstr(list, "\"loaded\":true,\"default\":false"));
    assert_non_null(strstr(list, "\"id\":\"ours\""));
    assert_non_null(strstr(list, "\"loaded\":false,\"default\":true"));
    assert_non_null(strstr(list, "\"state\":\"none\""));
    free(list);
    assert_post(port, "", "{\"model\":\"ours\"}", " 202 ");
    assert_post(port, "", "{\"model\":\"ours\"}", " 409 ");
    assert_int_equal(kodama_server_swap_wait(server, &swap, patience_ns), KODAMA_OK);
    assert_int_equal(swap.state, KODAMA_SWAP_DONE);
    assert_page(port, "/status", "\"state\":\"done\"");
    assert_page(port, "/v1/models", "\"state\":\"done\"");
    static const char *const good[] = {"{\"model\":\"default\"}", "{\"model\":\"pocketsphinx\"}",
                                       "{\"model\":\"" SPHINX_MODELS "/en-us\"}"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_post(port, "", good[i], "\"state\":\"loading\"");
        assert_int_equal(kodama_server_swap_wait(server, &swap, patience_ns), KODAMA_OK);
        if (swap.state != KODAMA_SWAP_DONE) fail_msg("%s: %s", good[i], swap.message);
        await_closed(server);
    }
    assert_post(port, "", "{\"model\":\"nobody-has-it\"}", " 202 ");
    assert_int_equal(kodama_server_swap_wait(server, &swap, patience_ns), KODAMA_OK);
    assert_int_equal(swap.state, KODAMA_SWAP_FAILED);
    assert_page(port, "/v1/models", "nobody-has-it");
    kodama_server_close(server);
    remove_store();
}

static void hostile_orders_are_refused(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    config.token = "secret";
    struct kodama_server *server = open_server(model, &config);
    uint32_t port = kodama_server_port(server);
    static const char key[] = "X-API-Key: secret\r\n";
    assert_post(port, "", "{\"model\":\"x\"}", " 401 ");
    assert_post(port, "Origin: https://example.org\r\nX-API-Key: secret\r\n", "{\"model\":\"x\"}",
                " 403 ");
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "7",
                                      "{\"model\":7}",
                                      "{\"model\":\"\"}",
                                      "{\"model\":\"a\",\"model\":\"b\"}",
                                      "\xff\xfe"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_post(port, key, bad[i], " 400 ");
    static char large[SERVED_ORDER_BYTES_MAX + 2000];
    memset(large, ' ', sizeof large - 1);
    struct client client = {.fd = client_dial(port), .is_open = true};
    char head[200];
    int n = snprintf(head, sizeof head,
                     "POST /v1/models/default HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: "
                     "%zu\r\n\r\n",
                     key, sizeof large - 1);
    client_put(&client, head, (size_t)n);
    client_put(&client, large, sizeof large - 1);
    while (client_fill(&client, CLIENT_LIMIT_MS)) continue;
    assert_false(client.is_open);
    client_close(&client);
    /* It goes on. */
    char *answer = client_get(port, "/status", key);
    assert_non_null(strstr(answer, " 200 "));
    free(answer);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void a_model_that_the_server_does_not_take_stays_the_callers(void **state)
{
    (void)state;
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    struct kodama_model_config next = sphinx_config(false);
    struct kodama_swap swap;
    struct kodama_error error = {0};
    if (kodama_server_swap_model(server, &next, &error) < 0) fail_msg("%s", error.message);
    assert_int_equal(kodama_server_swap_wait(server, &swap, patience_ns), KODAMA_OK);
    if (swap.state != KODAMA_SWAP_DONE) skip(); /* no PocketSphinx here */
    await_closed(server);
    assert_int_equal(kodama_model_wait_unused(model, 0), KODAMA_OK);
    kodama_model_close(model);
    kodama_server_close(server);
}

/* ------------------------------------------------------------------ two passes */

/* A counter of /metrics, -1: there is none. */
static double counted(const char *page, const char *name)
{
    const char *line = strstr(page, name);
    return line ? strtod(line + strlen(name), NULL) : -1;
}

static void partials_of_a_fast_model_are_never_stable(void **state)
{
    (void)state;
    static struct heard expected;
    struct sound sound = two_sentences();
    struct kodama_model *finals = sphinx(true), *partials = sphinx(false);
    heard_locally(&expected, finals, &sound, false);
    struct kodama_server *server = open_taking(finals, partials);
    struct client client = client_open(kodama_server_port(server), "/ws?partials=1", NULL);
    json_t *message;
    static struct heard heard;
    bool tentative = false, sent = false;
    heard = (struct heard){0};
    client_send(&client, CLIENT_BINARY, sound.frames, 4 * 32000); /* into the first sentence */
    while (!heard.reason[0] && (message = client_message(&client, CLIENT_LIMIT_MS))) {
        const char *type = json_string_value(json_object_get(message, "type"));
        if (strcmp(type, "partial") == 0) {
            assert_int_equal(json_integer_value(json_object_get(message, "stable")), 0);
            if (json_string_length(json_object_get(message, "text")) > 0) tentative = true;
        }
        if (strcmp(type, "final") == 0) {
            assert_false(json_is_true(json_object_get(message, "revised")));
        }
        heard_note(&heard, message);
        json_decref(message);
        if (!tentative || sent) continue;
        sent = true;
        client_send(&client, CLIENT_BINARY, sound.frames + 4 * 32000,
                    2 * sound.n_frames - 4 * 32000);
        client_say(&client, "{\"type\":\"stop\"}");
    }
    assert_true(tentative);
    assert_string_equal(heard.finals, expected.finals);
    client_close(&client);
    char *page = client_get(kodama_server_port(server), "/metrics", NULL);
    assert_true(counted(page, "kodama_decoded_seconds_total{role=\"finals\"}") > 1);
    assert_true(counted(page, "kodama_decoder_cpu_seconds_total{role=\"finals\"}") > 0);
    assert_true(counted(page, "kodama_decoder_cpu_seconds_total{role=\"partials\"}") > 0);
    free(page);
    kodama_server_close(server);
    free(sound.frames);
}

static void each_model_is_counted_in_its_role(void **state)
{
    (void)state;
    struct kodama_server_config config = free_port();
    script_reset();
    struct kodama_model *finals = open_script(2), *partials = open_script(3);
    for (int i = 0; i < 2; i++) {
        config.partials_model = i ? partials : NULL;
        struct kodama_server *server = open_server(finals, &config);
        char *page = client_get(kodama_server_port(server), "/metrics", NULL);
        assert_true(counted(page, "kodama_decoders{role=\"all\"}") == (i ? -1 : 2));
        assert_true(counted(page, "kodama_decoders{role=\"finals\"}") == (i ? 2 : -1));
        assert_true(counted(page, "kodama_decoders{role=\"partials\"}") == (i ? 3 : -1));
        free(page);
        kodama_server_close(server);
    }
    kodama_model_close(partials);
    kodama_model_close(finals);
}

int main(void)
{
    unsetenv("XDG_DATA_HOME");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_utterance_ends_with_the_model_that_it_was_begun_with),
        cmocka_unit_test(a_silent_session_does_not_keep_the_old_model),
        cmocka_unit_test(a_session_that_named_its_model_keeps_it),
        cmocka_unit_test(a_broken_file_changes_nothing),
        cmocka_unit_test(under_load_no_final_is_lost),
        cmocka_unit_test(a_client_can_ask_for_a_model_of_the_store),
        cmocka_unit_test(hostile_orders_are_refused),
        cmocka_unit_test(a_model_that_the_server_does_not_take_stays_the_callers),
        cmocka_unit_test(partials_of_a_fast_model_are_never_stable),
        cmocka_unit_test(each_model_is_counted_in_its_role),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
