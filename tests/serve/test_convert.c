#define _GNU_SOURCE
/* Tests of answers that are files, where the file itself is tampered with. */
#include <dirent.h>
#include <sys/stat.h>

#include "serve/material.h"

enum { RATE_HZ = 48000, SECONDS = 20, HEAD_BYTES = 44 };

static void put(uint8_t *at, uint32_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
}

/* A WAV of silence, mono, 32 bit. Free. */
static uint8_t *silent_wav(size_t *n_bytes)
{
    uint32_t n_data = RATE_HZ * SECONDS * 4;
    uint8_t *wav = calloc(HEAD_BYTES + n_data, 1);
    assert_non_null(wav);
    memcpy(wav, "RIFF    WAVEfmt ", 16);
    put(wav + 4, n_data + HEAD_BYTES - 8, 4);
    put(wav + 16, 16, 4);
    put(wav + 20, 1, 2);
    put(wav + 22, 1, 2);
    put(wav + 24, RATE_HZ, 4);
    put(wav + 28, RATE_HZ * 4, 4);
    put(wav + 32, 4, 2);
    put(wav + 34, 32, 2);
    memcpy(wav + 36, "data", 4);
    put(wav + 40, n_data, 4);
    *n_bytes = HEAD_BYTES + n_data;
    return wav;
}

/* Cut the file that this process has open without a name, and that has so many bytes. @return how
 * many such files there were */
static int cut_answer(long long n_bytes)
{
    DIR *folder = opendir("/proc/self/fd");
    int n = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[300], target[400] = "";
        struct stat about;
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        if (readlink(path, target, sizeof target - 1) < 0 || !strstr(target, "/kodama-")) continue;
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (fstat(fd, &about) < 0 || about.st_size != n_bytes) continue;
        assert_int_equal(ftruncate(fd, 0), 0);
        n++;
    }
    closedir(folder);
    return n;
}

static void an_answer_that_cannot_be_read_to_its_end_is_ended_by_a_close(void **state)
{
    (void)state;
    struct kodama_server_config config = free_port();
    script_reset();
    struct kodama_model *model = open_script(1);
    struct kodama_server *server = open_server(model, &config);
    struct client client = {.fd = client_dial(kodama_server_port(server)), .is_open = true};
    int small = 65536;
    setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    size_t n_wav;
    uint8_t *wav = silent_wav(&n_wav);
    char request[200];
    int n = snprintf(request, sizeof request,
                     "POST /convert HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     n_wav);
    assert_true(client_put(&client, request, (size_t)n));
    assert_true(client_put(&client, wav, n_wav));
    free(wav);
    char *body = NULL;
    while (!body && client_fill(&client, CLIENT_LIMIT_MS)) {
        client.bytes[client.n_bytes] = '\0';
        body = strstr(client.bytes, "\r\n\r\n");
    }
    assert_non_null(body);
    assert_non_null(strstr(client.bytes, " 200 "));
    const char *length = strcasestr(client.bytes, "content-length: ");
    assert_non_null(length);
    long long n_promised = strtoll(length + strlen("content-length: "), NULL, 10);
    assert_true((size_t)n_promised > n_wav / 2);
    assert_int_equal(cut_answer(n_promised), 1);
    static const char next[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_true(client_put(&client, next, sizeof next - 1));
    size_t n_head = (size_t)(body + 4 - client.bytes);
    while (client_fill(&client, CLIENT_LIMIT_MS)) continue;
    assert_true(client.n_bytes - n_head < (size_t)n_promised);
    assert_false(client.is_open); /* it does not wait for the rest */
    /* Nor is the next answer taken for it. */
    assert_null(memmem(client.bytes + n_head, client.n_bytes - n_head, "HTTP/1.1", 8));
    client_close(&client);
    kodama_server_close(server);
    kodama_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_that_cannot_be_read_to_its_end_is_ended_by_a_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
