#define _DEFAULT_SOURCE
/* Tests of sessions that outlive their connections: whatever is cut, the same is heard. */
#include "serve/material.h"

static void whatever_is_cut_finals_and_positions_are_the_same(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    static struct heard expected, heard;
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    heard_locally(&expected, model, &sound, true);
    assert_true(expected.n_finals >= 2);
    int n_runs = (int)(10 * test_scale());
    int n_cuts = 0;
    for (int i = 0; i < (n_runs > 1 ? n_runs : 1); i++) {
        struct proxy proxy;
        proxy_start(&proxy, kodama_server_port(server), 77 + (uint64_t)i, 100000);
        speak(&heard, proxy.port, &sound, "words=1", 6000, (uint64_t)i);
        proxy_end(&proxy);
        n_cuts += atomic_load(&proxy.n_cuts);
        assert_string_equal(heard.finals, expected.finals);
        assert_string_equal(heard.positions, expected.positions);
        assert_string_equal(heard.reason, "stopped");
        assert_int_equal(heard.n_errors, 0);
    }
    print_message("# %d cuts in %d runs\n", n_cuts, n_runs);
    assert_true(n_cuts > 2);
    kodama_server_close(server);
    kodama_model_close(model);
    free(sound.frames);
}

/* Each time its client is away the session is a record, and nothing else of it is in memory. */
static void a_session_from_the_store_goes_on_to_the_sample(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    static struct heard expected, heard;
    struct kodama_server_stats stats;
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    struct kodama_server_config config = free_port();
    config.park_ms = 0;
    struct kodama_server *server = open_server(model, &config);
    heard_locally(&expected, model, &sound, true);
    int n_runs = (int)(4 * test_scale()), n_cuts = 0;
    for (int i = 0; i < (n_runs > 1 ? n_runs : 1); i++) {
        struct proxy proxy;
        proxy_start(&proxy, kodama_server_port(server), 177 + (uint64_t)i, 100000);
        struct speaker speaker = {.port = proxy.port,
                                  .sound = &sound,
                                  .query = "words=1",
                                  .block = 6000,
                                  .random = {(uint64_t)i},
                                  .parks = server};
        kodama_server_stats(server, &stats);
        speaker.n_parked = stats.parked;
        speak_on(&speaker, &heard);
        proxy_end(&proxy);
        n_cuts += atomic_load(&proxy.n_cuts);
        assert_string_equal(heard.finals, expected.finals);
        assert_string_equal(heard.positions, expected.positions);
        assert_string_equal(heard.reason, "stopped");
        assert_int_equal(heard.n_errors, 0);
    }
    kodama_server_stats(server, &stats);
    print_message("# %d cuts, %d sessions from the store\n", n_cuts, (int)stats.restored);
    assert_true(n_cuts > 2 && stats.restored > 2);
    kodama_server_close(server);
    kodama_model_close(model);
    free(sound.frames);
}

static struct client open_session(uint32_t port, char *resume, size_t n_bytes)
{
    struct client client = client_open(port, "/ws?rate=16000", NULL);
    json_t *ready = client_await(&client, "ready");
    assert_non_null(ready);
    snprintf(resume, n_bytes,
             "{\"type\":\"resume\",\"session\":\"%s\",\"token\":\"%s\",\"last_seq\":1}",
             json_string_value(json_object_get(ready, "session")),
             json_string_value(json_object_get(ready, "token")));
    json_decref(ready);
    return client;
}

static void an_older_connection_is_closed_as_superseded(void **state)
{
    (void)state;
    char resume[300];
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    struct client first = open_session(kodama_server_port(server), resume, sizeof resume);
    uint8_t bytes[1001] = {0}; /* half a frame is not counted */
    client_send(&first, CLIENT_BINARY, bytes, sizeof bytes);
    client_say(&first, "{\"type\":\"ping\",\"t\":5}");
    json_decref(client_await(&first, "pong"));
    struct client second = client_open(kodama_server_port(server), "/ws", NULL);
    client_say(&second, resume);
    json_t *ready = client_await(&second, "ready");
    assert_int_equal(json_integer_value(json_object_get(ready, "next_sample")), 500);
    json_decref(ready);
    json_t *closed = client_await(&first, "closed");
    assert_non_null(closed);
    assert_string_equal(json_string_value(json_object_get(closed, "reason")), "superseded");
    json_decref(closed);
    client_say(&second, "{\"type\":\"stop\"}");
    closed = client_await(&second, "closed");
    assert_int_equal(json_integer_value(json_object_get(closed, "samples")), 500);
    json_decref(closed);
    assert_int_equal(client_next(&second, CLIENT_LIMIT_MS), CLIENT_CLOSE);
    assert_int_equal(second.close_code, 1000);
    client_close(&first);
    client_close(&second);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void a_session_is_resumed_only_with_its_token_and_in_time(void **state)
{
    (void)state;
    char resume[300], forged[300];
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    config.resume_ms = 100;
    struct kodama_server *server = open_server(model, &config);
    struct client first = open_session(kodama_server_port(server), resume, sizeof resume);
    memcpy(forged, resume, sizeof forged);
    char *token = strstr(forged, "\"token\":\"") + 9;
    token[0] = token[0] == 'a' ? 'b' : 'a';
    struct client thief = client_open(kodama_server_port(server), "/ws", NULL);
    client_say(&thief, forged);
    client_expect_error(&thief, "gone");
    client_close(&thief);
    client_cut(&first);
    struct kodama_server_stats stats;
    do {
        usleep(10000);
        kodama_server_stats(server, &stats);
    } while (stats.sessions > 0);
    struct client late = client_open(kodama_server_port(server), "/ws", NULL);
    client_say(&late, resume);
    client_expect_error(&late, "gone");
    client_close(&late);
    kodama_server_close(server);
    kodama_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_cut_finals_and_positions_are_the_same),
        cmocka_unit_test(a_session_from_the_store_goes_on_to_the_sample),
        cmocka_unit_test(an_older_connection_is_closed_as_superseded),
        cmocka_unit_test(a_session_is_resumed_only_with_its_token_and_in_time),
    };
    return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}
