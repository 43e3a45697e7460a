#define _DEFAULT_SOURCE
/* Tests of the session store, and of sessions that outlive their server in one that is durable. */
#include "serve/material.h"

#include "base/clock.h"
#include "serve/internal.h"
#include "serve/store.h"

static void expect(void *store, const char *key, const char *expected)
{
    void *data = NULL;
    size_t n_bytes = 0;
    int status = store_memory.take(store, key, &data, &n_bytes);
    if (!expected) {
        assert_int_equal(status, KODAMA_ERR_NOT_FOUND);
        return;
    }
    assert_int_equal(status, KODAMA_OK);
    assert_int_equal(n_bytes, strlen(expected));
    assert_memory_equal(data, expected, n_bytes);
    free(data);
}

static void what_was_put_is_taken_once(void **state)
{
    (void)state;
    void *store;
    assert_int_equal(store_memory.open(&store, NULL), KODAMA_OK);
    assert_int_equal(store_memory.put(store, "a.1", "old", 3, 60000), KODAMA_OK);
    assert_int_equal(store_memory.put(store, "b.1", "other", 5, 60000), KODAMA_OK);
    assert_int_equal(store_memory.put(store, "a.1", "newer", 5, 60000), KODAMA_OK);
    assert_int_equal(store_memory.count(store), 2);
    expect(store, "a.2", NULL);
    expect(store, "a.1", "newer");
    expect(store, "a.1", NULL);
    assert_int_equal(store_memory.remove(store, "b.1"), KODAMA_OK);
    assert_int_equal(store_memory.remove(store, "b.1"), KODAMA_OK);
    expect(store, "b.1", NULL);
    assert_int_equal(store_memory.put(store, "c.1", "left", 4, 60000), KODAMA_OK);
    store_memory.close(store);
}

static void what_nobody_took_in_time_is_gone(void **state)
{
    (void)state;
    void *store;
    assert_int_equal(store_memory.open(&store, NULL), KODAMA_OK);
    assert_int_equal(store_memory.put(store, "a", "x", 1, 0), KODAMA_OK);
    assert_int_equal(store_memory.put(store, "b", "y", 1, 3600000), KODAMA_OK);
    expect(store, "a", NULL);
    assert_int_equal(store_memory.put(store, "a", "x", 1, 1000), KODAMA_OK);
    store_memory.expire(store, clock_now_ns() + 2000 * CLOCK_NS_PER_MS);
    assert_int_equal(store_memory.count(store), 1);
    expect(store, "b", "y");
    store_memory.close(store);
}

/* A store that outlives servers: as one on another machine would. */
static struct {
    void *memory;
    _Atomic int n_put;
    _Atomic bool fails;
} ledger;

static int ledger_open(void **store, struct kodama_error *error)
{
    (void)error;
    *store = ledger.memory;
    return KODAMA_OK;
}

static void ledger_close(void *store)
{
    (void)store;
}

static int ledger_put(void *store, const char *key, const void *data, size_t n_bytes,
                      uint32_t keep_ms)
{
    atomic_fetch_add(&ledger.n_put, 1);
    if (atomic_load(&ledger.fails)) return KODAMA_ERR_SYSTEM;
    return store_memory.put(store, key, data, n_bytes, keep_ms);
}

static struct store_ops durable;

static struct kodama_server *open_durable(struct kodama_model *model)
{
    struct kodama_server_config config = free_port();
    struct kodama_error error = {0};
    struct kodama_server *server;
    durable = store_memory;
    durable.name = "ledger";
    durable.durable = true;
    durable.open = ledger_open;
    durable.close = ledger_close;
    durable.put = ledger_put;
    if (server_open(&server, model, &config, &durable, &error) < 0) fail_msg("%s", error.message);
    return server;
}

struct killing {
    struct thread thread;
    struct kodama_model *model;
    struct kodama_server *server;
    struct proxy *proxy;
    struct test_random random;
    _Atomic bool ends;
    int n_killed;
};

/* Servers end without a word, and others take their place. */
static void kill_servers(void *argument)
{
    struct killing *killing = argument;
    while (!atomic_load(&killing->ends)) {
        usleep(20000 + (useconds_t)test_random_below(&killing->random, 150000));
        if (atomic_load(&killing->ends)) break;
        kodama_server_close(killing->server);
        killing->server = open_durable(killing->model);
        atomic_store(&killing->proxy->server, kodama_server_port(killing->server));
        killing->n_killed++;
    }
}

static void a_durable_store_lets_sessions_outlive_their_server(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    static struct heard expected, heard;
    script_reset();
    script.hash = true;
    struct kodama_model *model = open_script(2);
    heard_locally(&expected, model, &sound, true);
    assert_int_equal(store_memory.open(&ledger.memory, NULL), KODAMA_OK);
    static struct killing killing; /* its thread goes on when a test fails */
    killing = (struct killing){.model = model, .random = {9}};
    killing.server = open_durable(model);
    static struct proxy proxy;
    proxy_start(&proxy, kodama_server_port(killing.server), 5, 100000);
    killing.proxy = &proxy;
    assert_int_equal(thread_start(&killing.thread, "killing", kill_servers, &killing, NULL), 0);
    int n_runs = (int)(6 * test_scale());
    for (int i = 0; i < (n_runs > 1 ? n_runs : 1); i++) {
        speak(&heard, proxy.port, &sound, "words=1", 3000, (uint64_t)i);
        assert_string_equal(heard.finals, expected.finals);
        assert_string_equal(heard.positions, expected.positions);
        assert_string_equal(heard.reason, "stopped");
        assert_int_equal(heard.n_errors, 0);
    }
    atomic_store(&killing.ends, true);
    thread_join(&killing.thread);
    proxy_end(&proxy);
    print_message("# %d servers were lost, %d records put\n", killing.n_killed,
                  atomic_load(&ledger.n_put));
    assert_true(killing.n_killed > 0);
    kodama_server_close(killing.server);
    store_memory.close(ledger.memory);
    kodama_model_close(model);
    free(sound.frames);
}

/* The position that is called safe, once it is not 0. */
static int64_t await_safe(struct client *client)
{
    int64_t safe = 0;
    while (safe == 0) {
        uint8_t silence[3200] = {0};
        client_send(client, CLIENT_BINARY, silence, sizeof silence);
        json_t *message = client_message(client, 20);
        safe = json_integer_value(json_object_get(message, "safe"));
        json_decref(message);
    }
    return safe;
}

static void safe_is_what_a_durable_store_has_and_nothing_is_told_before(void **state)
{
    (void)state;
    char resume[300];
    script_reset();
    struct kodama_model *model = open_script(1);
    assert_int_equal(store_memory.open(&ledger.memory, NULL), KODAMA_OK);
    struct kodama_server *server = open_durable(model);
    atomic_store(&ledger.fails, true);
    int n_put = atomic_load(&ledger.n_put);
    struct client client = client_open(kodama_server_port(server), "/ws?rate=16000", NULL);
    /* It cannot be kept, so it is not told: the server tries again and again. */
    while (atomic_load(&ledger.n_put) < n_put + 3) usleep(1000);
    assert_false(client_fill(&client, 0));
    atomic_store(&ledger.fails, false);
    json_t *ready = client_await(&client, "ready");
    assert_non_null(ready);
    snprintf(resume, sizeof resume,
             "{\"type\":\"resume\",\"session\":\"%s\",\"token\":\"%s\",\"last_seq\":%d}",
             json_string_value(json_object_get(ready, "session")),
             json_string_value(json_object_get(ready, "token")), 1000);
    json_decref(ready);
    int64_t safe = await_safe(&client);
    kodama_server_close(server);
    client_close(&client);
    server = open_durable(model);
    client = client_open(kodama_server_port(server), "/ws", NULL);
    client_say(&client, resume);
    ready = client_await(&client, "ready");
    assert_non_null(ready);
    assert_true(json_integer_value(json_object_get(ready, "next_sample")) >= safe);
    json_decref(ready);
    client_close(&client);
    kodama_server_close(server);
    store_memory.close(ledger.memory);
    kodama_model_close(model);
}

static void nothing_is_called_safe_in_memory(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server_config config = free_port();
    struct kodama_server *server = open_server(model, &config);
    struct client client = client_open(kodama_server_port(server), "/ws?rate=16000", NULL);
    client_send(&client, CLIENT_BINARY, sound.frames, 2 * 40000);
    json_t *ack = client_await(&client, "ack");
    assert_int_equal(json_integer_value(json_object_get(ack, "safe")), 0);
    json_decref(ack);
    client_close(&client);
    kodama_server_close(server);
    kodama_model_close(model);
    free(sound.frames);
}

/* A record that was changed on its way must be refused, not believed. */
static void a_damaged_record_is_no_session(void **state)
{
    (void)state;
    struct sound sound = two_sentences();
    char key[STORE_KEY_BYTES];
    script_reset();
    struct kodama_model *model = open_script(1);
    assert_int_equal(store_memory.open(&ledger.memory, NULL), KODAMA_OK);
    struct kodama_server *server = open_durable(model);
    struct client client = client_open(kodama_server_port(server), "/ws?rate=16000", NULL);
    json_t *ready = client_await(&client, "ready");
    snprintf(key, sizeof key, "%s.%s", json_string_value(json_object_get(ready, "session")),
             json_string_value(json_object_get(ready, "token")));
    json_decref(ready);
    client_send(&client, CLIENT_BINARY, sound.frames, 2 * 40000);
    json_decref(client_await(&client, "speech_started"));
    client_close(&client);
    kodama_server_close(server);
    uint8_t *data = NULL;
    size_t n_bytes = 0;
    assert_int_equal(store_memory.take(ledger.memory, key, (void **)&data, &n_bytes), KODAMA_OK);
    server = open_durable(model);
    struct session *session = session_load(server, data, n_bytes);
    assert_non_null(session);
    session_unref(session);
    for (size_t n = 0; n < n_bytes; n += 1 + n / 16) assert_null(session_load(server, data, n));
    data[0] ^= 1;
    assert_null(session_load(server, data, n_bytes));
    kodama_server_close(server);
    store_memory.close(ledger.memory);
    kodama_model_close(model);
    free(data);
    free(sound.frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_taken_once),
        cmocka_unit_test(what_nobody_took_in_time_is_gone),
        cmocka_unit_test(a_durable_store_lets_sessions_outlive_their_server),
        cmocka_unit_test(safe_is_what_a_durable_store_has_and_nothing_is_told_before),
        cmocka_unit_test(nothing_is_called_safe_in_memory),
        cmocka_unit_test(a_damaged_record_is_no_session),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
