#define _DEFAULT_SOURCE
/* Tests of subprotocols: who offers one gets in, and is told whether it is spoken. */
#include <strings.h>

#include "serve/material.h"

static struct kodama_model *model;
static struct kodama_server *server;

static int begin(void **state)
{
    struct kodama_server_config config = free_port();
    (void)state;
    script_reset();
    model = open_script(1);
    server = open_server(model, &config);
    return 0;
}

static int end(void **state)
{
    (void)state;
    kodama_server_close(server);
    kodama_model_close(model);
    return 0;
}

/* Shake hands with such lines and expect this subprotocol in the answer, NULL: none. The
 * conversation begins, whatever it is. */
static void expect(const char *path, const char *lines, const char *spoken)
{
    static const char header[] = "sec-websocket-protocol:";
    char line[200], answer[200] = "";
    struct client client = {.fd = client_dial(kodama_server_port(server)), .is_open = true};
    char request[1000];
    int n = snprintf(request, sizeof request,
                     "GET %s?rate=16000 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\n%s\r\n",
                     path, lines);
    assert_true(client_put(&client, request, (size_t)n));
    char *from = NULL;
    while (!from && client_fill(&client, CLIENT_LIMIT_MS)) {
        client.bytes[client.n_bytes] = '\0';
        from = strstr(client.bytes, "\r\n\r\n");
    }
    if (!from) fail_msg("no answer to %s", lines);
    size_t n_head = (size_t)(from + 4 - client.bytes);
    assert_non_null(strstr(client.bytes, " 101 "));
    int n_found = 0;
    for (char *at = client.bytes; at < from; at = strstr(at, "\r\n") + 2) {
        if (sscanf(at, "%199[^\r]", line) != 1) break;
        if (strncasecmp(line, header, sizeof header - 1) != 0) continue;
        sscanf(line + sizeof header - 1, " %199s", answer);
        n_found++;
    }
    assert_int_equal(n_found, spoken ? 1 : 0);
    assert_string_equal(answer, spoken ? spoken : "");
    client_drop(&client, n_head);
    json_t *ready = client_await(&client, "ready");
    assert_non_null(ready);
    json_decref(ready);
    client_close(&client);
}

static int status_of(const char *lines)
{
    struct client client = client_open(kodama_server_port(server), "/ws", lines);
    int status = client.status;
    client_close(&client);
    return status;
}

static void the_one_that_a_dialect_speaks_is_answered(void **state)
{
    (void)state;
    expect("/ws", "Sec-WebSocket-Protocol: kodama.v1\r\n", "kodama.v1");
    expect("/", "sec-websocket-protocol:kodama.v1\r\n", "kodama.v1");
    expect("/ws", "Sec-WebSocket-Protocol: realtime, kodama.v1\r\n", "kodama.v1");
    expect("/ws", "Sec-WebSocket-Protocol: kodama.v1,other\r\n", "kodama.v1");
    expect("/ws", "Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: kodama.v1\r\n",
           "kodama.v1");
    expect("/ws/voice", "Sec-WebSocket-Protocol: kodama.v1, kodama.voice.v1\r\n",
           "kodama.voice.v1");
}

static void others_are_let_in_without_an_answer(void **state)
{
    (void)state;
    expect("/ws", "Sec-WebSocket-Protocol: kodama\r\n", NULL);
    expect("/ws", "Sec-WebSocket-Protocol: kodama.v10, Kodama.v1, kodama.v\r\n", NULL);
    expect("/ws/voice", "Sec-WebSocket-Protocol: kodama.v1\r\n", NULL);
    expect("/ws",
           "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.sk-proj-0a_B9, "
           "openai-beta.realtime-v1\r\n",
           NULL);
    expect("/ws", "Sec-WebSocket-Protocol: a_b-c.d, a!b#c$d%e&f'g*h+i^j`k|l~m\r\n", NULL);
}

static void nothing_is_answered_to_who_offers_nothing(void **state)
{
    (void)state;
    expect("/ws", "", NULL);
    expect("/ws", "Sec-WebSocket-Protocol: kodama.v1\r\n", "kodama.v1");
    expect("/ws", "", NULL);
}

static void what_cannot_be_read_is_refused_with_a_reason(void **state)
{
    (void)state;
    char lines[400];
    snprintf(lines, sizeof lines, "Sec-WebSocket-Protocol: kodama.v1, %0200d\r\n", 0);
    assert_int_equal(status_of(lines), 400);
    snprintf(lines, sizeof lines, "Sec-WebSocket-Protocol: x%070d\r\n", 0);
    assert_int_equal(status_of(lines), 400);
    assert_int_equal(status_of("Sec-WebSocket-Protocol: ,\r\n"), 400);
    assert_int_equal(status_of("Sec-WebSocket-Protocol: a/b\r\n"), 400);
    assert_int_equal(status_of("Sec-WebSocket-Protocol: a!b#c\r\n"), 400);
    assert_int_equal(status_of("Sec-WebSocket-Protocol: 13, kodama.v1\r\n"), 400);
    assert_int_equal(status_of("Sec-WebSocket-Protocol: \"kodama.v1\"\r\n"), 400);
    expect("/ws", "Sec-WebSocket-Protocol: kodama.v1\r\n", "kodama.v1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_that_a_dialect_speaks_is_answered),
        cmocka_unit_test(others_are_let_in_without_an_answer),
        cmocka_unit_test(nothing_is_answered_to_who_offers_nothing),
        cmocka_unit_test(what_cannot_be_read_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
