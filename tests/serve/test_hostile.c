#define _DEFAULT_SOURCE
/* Tests of what comes from outside with bad intent: an error or a close, never more. */
#include "serve/material.h"

static struct kodama_model *model;
static struct kodama_server *server;

static uint32_t start(const struct kodama_server_config *config)
{
    script_reset();
    model = open_script(1);
    server = open_server(model, config);
    return kodama_server_port(server);
}

static void end(void)
{
    /* It is still well. */
    char *answer = client_get(kodama_server_port(server), "/healthz", NULL);
    assert_non_null(strstr(answer, " 200 "));
    free(answer);
    kodama_server_close(server);
    kodama_model_close(model);
}

static int status_of(uint32_t port, const char *path, const char *headers)
{
    struct client client = client_open(port, path, headers);
    int status = client.status;
    client_close(&client);
    return status;
}

static void a_token_is_asked_of_everybody_who_has_none(void **state)
{
    (void)state;
    struct kodama_server_config config = free_port();
    config.token = "secret";
    uint32_t port = start(&config);
    assert_int_equal(status_of(port, "/ws", NULL), 401);
    assert_int_equal(status_of(port, "/ws", "Authorization: Bearer Secret\r\n"), 401);
    assert_int_equal(status_of(port, "/ws?token=secre", NULL), 401);
    assert_int_equal(status_of(port, "/ws", "X-API-Key: secretsecret\r\n"), 401);
    assert_int_equal(status_of(port, "/ws", "Authorization: Bearer secret\r\n"), 101);
    assert_int_equal(status_of(port, "/ws", "X-API-Key: secret\r\n"), 101);
    assert_int_equal(status_of(port, "/ws?rate=8000&token=secret", NULL), 101);
    char *answer = client_get(port, "/status", NULL);
    assert_non_null(strstr(answer, " 401 "));
    free(answer);
    answer = client_get(port, "/metrics", "X-API-Key: secret\r\n");
    assert_non_null(strstr(answer, " 200 "));
    free(answer);
    end();
}

static void foreign_pages_are_refused(void **state)
{
    (void)state;
    static const char *const origins[] = {"https://captions.example"};
    struct kodama_server_config config = free_port();
    config.origins = origins;
    config.n_origins = 1;
    uint32_t port = start(&config);
    assert_int_equal(status_of(port, "/ws", "Origin: http://evil.example\r\n"), 403);
    assert_int_equal(status_of(port, "/ws", "Origin: https://captions.example\r\n"), 101);
    assert_int_equal(status_of(port, "/ws", "Origin: http://localhost:5000\r\n"), 101);
    char *answer = client_get(port, "/status", "Origin: http://evil.example\r\n");
    assert_non_null(strstr(answer, " 403 "));
    free(answer);
    end();
}

static void limits_are_kept_and_refusals_have_a_reason(void **state)
{
    (void)state;
    struct kodama_server_config config = free_port();
    config.max_sessions = 2;
    config.max_per_address = 4;
    uint32_t port = start(&config);
    struct client clients[4];
    for (int i = 0; i < 3; i++) clients[i] = client_open(port, "/ws?rate=16000", NULL);
    json_decref(client_await(&clients[0], "ready"));
    json_decref(client_await(&clients[1], "ready"));
    client_expect_error(&clients[2], "full");
    assert_int_equal(client_next(&clients[2], CLIENT_LIMIT_MS), CLIENT_CLOSE);
    assert_int_equal(clients[2].close_code, 1013);
    client_close(&clients[2]);
    struct kodama_server_stats stats;
    do {
        usleep(5000);
        kodama_server_stats(server, &stats);
    } while (stats.connections > 2);
    for (int i = 2; i < 4; i++) clients[i] = client_open(port, "/ws", NULL);
    assert_int_equal(status_of(port, "/ws", NULL), 429);
    for (int i = 0; i < 4; i++) client_close(&clients[i]);
    kodama_server_close(server);
    kodama_model_close(model);
}

static void bad_settings_are_refused_with_what_is_allowed(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/ws?rate=96000",
        "/ws?rate=1e3",
        "/ws?rate=-8000",
        "/ws?channels=0",
        "/ws?channels=9",
        "/ws?encoding=mp3",
        "/ws?threshold=nan",
        "/ws?threshold=2",
        "/ws?partials=maybe",
        "/ws?engine=whisper",
        "/ws?model=unknown",
        "/ws?silence_duration_ms=1",
        "/ws?rate=",
        ("/ws?language=0123456789012345678901234567890123456789012345678901234"
         "56789012345678901234567890"),
    };
    struct kodama_server_config config = free_port();
    uint32_t port = start(&config);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct client client = client_open(port, paths[i], NULL);
        json_t *error = client_await(&client, "error");
        if (!error) fail_msg("%s was not refused", paths[i]);
        assert_true(json_string_length(json_object_get(error, "message")) > 10);
        json_decref(error);
        assert_int_equal(client_next(&client, CLIENT_LIMIT_MS), CLIENT_CLOSE);
        client_close(&client);
    }
    end();
}

static void what_is_no_message_is_told_and_at_last_closed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "null",
        "{\"type\":1}",
        "{\"type\":\"dance\"}",
        "\xff\xfe",
        "{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}",
        "{\"type\":\"start\",\"rate\":[]}",
    };
    struct kodama_server_config config = free_port();
    uint32_t port = start(&config);
    struct client client = client_open(port, "/ws?rate=16000", NULL);
    json_decref(client_await(&client, "ready"));
    int n_errors = 0;
    for (int i = 0; i < 100 && client.is_open; i++) {
        client_say(&client, texts[i % (int)(sizeof texts / sizeof texts[0])]);
    }
    client.is_open = true;
    json_t *error;
    while ((error = client_await(&client, "error"))) {
        json_decref(error);
        n_errors++;
    }
    /* The text that is no UTF-8 may close it earlier. */
    assert_in_range(n_errors, 1, 20);
    client_close(&client);
    end();
}

static void a_text_that_is_too_long_closes_the_connection(void **state)
{
    (void)state;
    struct kodama_server_config config = free_port();
    uint32_t port = start(&config);
    struct client client = client_open(port, "/ws?rate=16000", NULL);
    char *text = calloc(100001, 1);
    memset(text, ' ', 100000);
    client_say(&client, text);
    int opcode;
    do opcode = client_next(&client, CLIENT_LIMIT_MS);
    while (opcode == CLIENT_TEXT);
    assert_true(opcode == CLIENT_CLOSE || opcode == 0);
    free(text);
    client_close(&client);
    end();
}

static void frames_that_break_the_rules_harm_nobody(void **state)
{
    (void)state;
    struct kodama_server_config config = free_port();
    uint32_t port = start(&config);
    struct test_random random = {.state = 11};
    int n_runs = (int)(200 * test_scale());
    for (int i = 0; i < n_runs; i++) {
        struct client client = client_open(port, "/ws?rate=16000", NULL);
        uint8_t bytes[600];
        size_t n = 1 + (size_t)test_random_below(&random, sizeof bytes);
        for (size_t k = 0; k < n; k++) bytes[k] = (uint8_t)test_random_next(&random);
        if (i % 2) {
            client_put(&client, bytes, n); /* no frame at all */
        } else {
            client_frame(&client, (uint8_t)test_random_next(&random), bytes, n);
        }
        if (i % 3 == 0) client_say(&client, "{\"type\":\"stop\"}");
        if (i % 5 == 0) {
            client_cut(&client);
        } else {
            client_close(&client);
        }
    }
    end();
}

static void requests_that_break_the_rules_harm_nobody(void **state)
{
    (void)state;
    struct kodama_server_config config = free_port();
    uint32_t port = start(&config);
    char *request = calloc(40000, 1);
    assert_non_null(request);
    int n = snprintf(request, 40000, "GET /status HTTP/1.1\r\nHost: x\r\nX-Long: ");
    memset(request + n, 'y', 39000 - (size_t)n);
    char *answer = client_request(port, request, 39000);
    assert_null(strstr(answer, " 200 ")); /* headers have 8 KB at most */
    free(answer);
    static const char *const requests[] = {
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET /%zz HTTP/1.1\r\n\r\n",
        "PUT / HTTP/9.9\r\n\r\n",
        "POST /status HTTP/1.1\r\nContent-Length: -5\r\nConnection: close\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct client client = {.fd = client_dial(port), .is_open = true};
        client_put(&client, requests[i], strlen(requests[i]));
        (void)client_fill(&client, 300);
        client_cut(&client);
    }
    free(request);
    end();
}

/* The answer to a POST with these headers and this body. */
static char *post(uint32_t port, const char *headers, const char *body)
{
    char request[1024];
    int n = snprintf(request, sizeof request,
                     "POST /transcribe HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s", headers, body);
    return client_request(port, request, (size_t)n);
}

static void bodies_that_break_the_rules_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *headers, *body, *status;
    } cases[] = {
        {"Transfer-Encoding: chunked\r\n", "zz\r\n", " 400 "},
        {"Transfer-Encoding: chunked\r\n", "4\r\nRIFFand more", " 400 "},
        {"Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n", " 400 "},
        {"Transfer-Encoding: chunked\r\n", "0\r\n\r\n", " 400 "},
        {"Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n", " 501 "},
        {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", " 400 "},
        {"", "", " 411 "},
    };
    struct kodama_server_config config = free_port();
    uint32_t port = start(&config);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *answer = post(port, cases[i].headers, cases[i].body);
        if (!strstr(answer, cases[i].status)) fail_msg("%s: %s", cases[i].body, answer);
        free(answer);
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_asked_of_everybody_who_has_none),
        cmocka_unit_test(foreign_pages_are_refused),
        cmocka_unit_test(limits_are_kept_and_refusals_have_a_reason),
        cmocka_unit_test(bad_settings_are_refused_with_what_is_allowed),
        cmocka_unit_test(what_is_no_message_is_told_and_at_last_closed),
        cmocka_unit_test(a_text_that_is_too_long_closes_the_connection),
        cmocka_unit_test(frames_that_break_the_rules_harm_nobody),
        cmocka_unit_test(bodies_that_break_the_rules_are_refused),
        cmocka_unit_test(requests_that_break_the_rules_harm_nobody),
    };
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
