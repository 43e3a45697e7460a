/* Captions of a file by a server: source -> stream -> client -> finals. Lost connections are mended
 * behind the scenes; what is told about them goes to standard error. */
#include <kodama/kodama.h>
#include <stdio.h>

static int hear(void *client, const struct kodama_chunk *chunk)
{
    int64_t taken = kodama_client_write(client, chunk->frames, chunk->n_frames, KODAMA_FOREVER);
    return taken < 0 ? (int)taken : KODAMA_OK;
}

static int print_events(struct kodama_client *client, struct kodama_error *error)
{
    struct kodama_client_event event;
    int status;
    while ((status = kodama_client_next(client, &event, KODAMA_FOREVER)) == KODAMA_OK) {
        if (event.kind != KODAMA_CLIENT_HEARD) {
            fprintf(stderr, "%s\n", event.text);
        } else if (event.heard.kind == KODAMA_EVENT_FINAL) {
            printf("%7.2f s  %s\n", event.heard.start_s, event.heard.text);
        }
    }
    if (status == KODAMA_ERR_CLOSED) return KODAMA_OK;
    return kodama_client_failure(client, error);
}

static int caption(const char *url, struct kodama_source *source, struct kodama_error *error)
{
    struct kodama_client *client;
    struct kodama_client_config config = KODAMA_CLIENT_CONFIG_INIT;
    config.url = url;
    config.format = kodama_source_format(source);
    config.partials = false;
    int status = kodama_client_open(&client, &config, error);
    if (status < 0) {
        kodama_source_close(source);
        return status;
    }
    struct kodama_stream *stream;
    struct kodama_stream_config flow = KODAMA_STREAM_CONFIG_INIT;
    flow.on_chunk = hear;
    flow.user = client;
    status = kodama_stream_open(&stream, source, &flow, error);
    if (status < 0) kodama_source_close(source);
    if (status == KODAMA_OK) status = kodama_stream_start(stream, error);
    if (status == KODAMA_OK) status = kodama_stream_wait(stream, KODAMA_FOREVER, error);
    kodama_client_finish(client);
    if (status == KODAMA_OK) status = print_events(client, error);
    kodama_stream_close(stream);
    kodama_client_close(client);
    return status;
}

int main(int n_words, char **words)
{
    struct kodama_error error = {.message = "usage: client ws://HOST:PORT FILE"};
    struct kodama_source *source;
    struct kodama_source_config input = KODAMA_SOURCE_CONFIG_INIT;
    input.paths = (const char *const *)&words[2];
    input.n_paths = 1;
    int status =
        n_words == 3 ? kodama_source_open(&source, "file", &input, &error) : KODAMA_ERR_ARGUMENT;
    if (status == KODAMA_OK) status = caption(words[1], source, &error);
    if (status < 0) fprintf(stderr, "%s\n", error.message);
    if (status == KODAMA_ERR_UNSUPPORTED) return 77; /* built without the client */
    return status < 0;
}
