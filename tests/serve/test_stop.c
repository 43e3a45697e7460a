#define _DEFAULT_SOURCE
/* Tests of the end: the command is told to end while somebody speaks. */
#include "serve/client.h"

#include <signal.h>
#include <sys/wait.h>

#define SPEECH \
    "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0880.wav"

struct program {
    pid_t pid;
    uint32_t port;
};

/* The command itself, with real recognition. */
static struct program start_program(void)
{
    struct program program;
    char path[1024], line[256] = "";
    int ends[2];
    snprintf(path, sizeof path, "%s/src/command/kodama", getenv("KODAMA_BUILD"));
    assert_int_equal(pipe(ends), 0);
    program.pid = fork();
    assert_true(program.pid >= 0);
    if (program.pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        execl(path, "kodama", "serve", "--port", "0", NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    if (!fgets(line, sizeof line, out)) fail_msg("%s did not start", path);
    fclose(out);
    const char *colon = strrchr(line, ':');
    assert_non_null(colon);
    program.port = (uint32_t)strtoul(colon + 1, NULL, 10);
    return program;
}

static int end_code(struct program *program)
{
    int status = 0;
    for (int i = 0; i < 6000; i++) {
        if (waitpid(program->pid, &status, WNOHANG) == program->pid) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
        }
        usleep(10000);
    }
    kill(program->pid, SIGKILL);
    waitpid(program->pid, &status, 0);
    return -1;
}

/* Until the server says no more: what it said last. */
static void listen_to_the_end(struct client *client, char *text, size_t n_bytes, char *reason)
{
    json_t *message;
    text[0] = reason[0] = '\0';
    while ((message = client_message(client, CLIENT_LIMIT_MS))) {
        const char *type = json_string_value(json_object_get(message, "type"));
        const char *value = NULL;
        if (strcmp(type, "final") == 0) {
            value = json_string_value(json_object_get(message, "text"));
            snprintf(text, n_bytes, "%s", value);
        } else if (strcmp(type, "closed") == 0) {
            value = json_string_value(json_object_get(message, "reason"));
            snprintf(reason, 32, "%s", value);
        }
        json_decref(message);
    }
}

static void what_was_said_before_a_sigterm_is_delivered(void **state)
{
    (void)state;
    char text[2000], reason[32];
    size_t n;
    float *samples = test_read_audio(test_installed(SPEECH), &n, NULL, NULL);
    int16_t *speech = calloc(n, sizeof *speech);
    assert_non_null(speech);
    for (size_t i = 0; i < n; i++) speech[i] = (int16_t)(samples[i] * 32767.0f);
    struct program program = start_program();
    struct client client = client_open(program.port, "/ws?rate=16000", NULL);
    assert_int_equal(client.status, 101);
    /* In the middle of the sentence. */
    size_t n_said = n * 2 / 3;
    client_send(&client, CLIENT_BINARY, speech, n_said * sizeof *speech);
    json_decref(client_await(&client, "speech_started"));
    for (size_t heard = 0; heard < n_said / 16000;) {
        json_t *ack = client_await(&client, "ack");
        assert_non_null(ack);
        heard = (size_t)json_integer_value(json_object_get(ack, "heard")) / 16000;
        json_decref(ack);
    }
    kill(program.pid, SIGTERM);
    /* A second client is refused, as long as it can be reached at all. */
    struct client late = client_open(program.port, "/ws?rate=16000", NULL);
    assert_true(late.status == 503 || late.status == 0 || late.status == 101);
    if (late.status == 101) {
        json_t *message = client_message(&late, CLIENT_LIMIT_MS);
        if (message) {
            const char *type = json_string_value(json_object_get(message, "type"));
            assert_true(strcmp(type, "error") == 0 || strcmp(type, "ready") == 0);
        }
        json_decref(message);
    }
    client_close(&late);
    listen_to_the_end(&client, text, sizeof text, reason);
    print_message("# %s\n", text);
    assert_true(strlen(text) > 10);
    assert_string_equal(reason, "shutdown");
    assert_int_equal(client.close_code, 1000);
    client_close(&client);
    assert_int_equal(end_code(&program), 0);
    free(speech);
    free(samples);
}

static void a_second_signal_ends_it_at_once(void **state)
{
    (void)state;
    static int16_t silence[16000];
    struct program program = start_program();
    struct client client = client_open(program.port, "/ws?rate=16000", NULL);
    client_send(&client, CLIENT_BINARY, silence, sizeof silence);
    json_decref(client_await(&client, "ready"));
    kill(program.pid, SIGTERM);
    usleep(200000);
    kill(program.pid, SIGTERM);
    int code = end_code(&program);
    assert_true(code == 0 || code == 143); /* it may have been done */
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_said_before_a_sigterm_is_delivered),
        cmocka_unit_test(a_second_signal_ends_it_at_once),
    };
    return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
