/* What is said in a recording: source -> stream -> recogniser, in twenty lines. */
#include <kodama/kodama.h>
#include <stdio.h>

static int hear(void *recognizer, const struct kodama_chunk *chunk)
{
    return (int)kodama_recognizer_write(recognizer, chunk->frames, chunk->n_frames, KODAMA_FOREVER);
}

int main(int argc, char **argv)
{
    struct kodama_model *model = NULL;
    struct kodama_source *source = NULL;
    struct kodama_recognizer *recognizer = NULL;
    struct kodama_stream *stream = NULL;
    struct kodama_error error = {.message = "usage: hello FILE"};
    struct kodama_source_config input = KODAMA_SOURCE_CONFIG_INIT;
    struct kodama_recognizer_config hearing = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_stream_config flow = KODAMA_STREAM_CONFIG_INIT;
    input.paths = (const char *const *)&argv[1];
    input.n_paths = (size_t)argc - 1;
    if (kodama_source_open(&source, "file", &input, &error) < 0) goto failed;
    if (kodama_model_open(&model, NULL, &error) < 0) goto failed;
    hearing.format = kodama_source_format(source);
    if (kodama_recognizer_open(&recognizer, model, &hearing, &error) < 0) goto failed;
    flow.on_chunk = hear;
    flow.user = recognizer;
    if (kodama_stream_open(&stream, source, &flow, &error) < 0) goto failed;
    source = NULL; /* the stream has taken it */
    if (kodama_stream_start(stream, &error) < 0) goto failed;
    if (kodama_stream_wait(stream, KODAMA_FOREVER, &error) < 0) goto failed;
    kodama_recognizer_finish(recognizer);
    struct kodama_event event;
    while (kodama_recognizer_next(recognizer, &event, KODAMA_FOREVER) == KODAMA_OK) {
        if (event.kind == KODAMA_EVENT_FINAL) printf("%6.2f  %s\n", event.start_s, event.text);
    }
    error.message[0] = '\0';
failed:
    if (error.message[0]) fprintf(stderr, "%s\n", error.message);
    kodama_stream_close(stream);
    kodama_source_close(source);
    kodama_recognizer_close(recognizer);
    kodama_model_close(model);
    return error.message[0] ? 1 : 0;
}
