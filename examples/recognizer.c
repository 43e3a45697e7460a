/* Captions of a file in some twenty lines: source -> stream -> recogniser -> finals. */
#include <kodama/kodama.h>
#include <stdio.h>

static int hear(void *recognizer, const struct kodama_chunk *chunk)
{
    int64_t heard =
        kodama_recognizer_write(recognizer, chunk->frames, chunk->n_frames, KODAMA_FOREVER);
    return heard < 0 ? (int)heard : KODAMA_OK;
}

static int caption(struct kodama_model *model, struct kodama_source *source,
                   struct kodama_error *error)
{
    struct kodama_recognizer *recognizer;
    struct kodama_recognizer_config hearing = KODAMA_RECOGNIZER_CONFIG_INIT;
    hearing.format = kodama_source_format(source);
    hearing.partials = false;
    int status = kodama_recognizer_open(&recognizer, model, &hearing, error);
    if (status < 0) {
        kodama_source_close(source);
        return status;
    }
    struct kodama_stream *stream;
    struct kodama_stream_config flow = KODAMA_STREAM_CONFIG_INIT;
    flow.on_chunk = hear;
    flow.user = recognizer;
    status = kodama_stream_open(&stream, source, &flow, error);
    if (status < 0) kodama_source_close(source);
    if (status == KODAMA_OK) status = kodama_stream_start(stream, error);
    if (status == KODAMA_OK) status = kodama_stream_wait(stream, KODAMA_FOREVER, error);
    kodama_recognizer_finish(recognizer);
    struct kodama_event event;
    while (kodama_recognizer_next(recognizer, &event, KODAMA_FOREVER) == KODAMA_OK) {
        if (event.kind != KODAMA_EVENT_FINAL) continue;
        printf("%7.2f s  %s\n", event.start_s, event.text);
    }
    kodama_stream_close(stream);
    kodama_recognizer_close(recognizer);
    return status;
}

int main(int argc, char **argv)
{
    struct kodama_error error = {.message = "usage: recognizer FILE"};
    struct kodama_model *model = NULL;
    struct kodama_source *source;
    struct kodama_source_config input = KODAMA_SOURCE_CONFIG_INIT;
    input.paths = (const char *const *)&argv[1];
    input.n_paths = 1;
    int status = argc == 2 ? kodama_model_open(&model, NULL, &error) : KODAMA_ERR_ARGUMENT;
    if (status == KODAMA_OK) status = kodama_source_open(&source, "file", &input, &error);
    if (status == KODAMA_OK) status = caption(model, source, &error);
    kodama_model_close(model);
    if (status < 0) fprintf(stderr, "%s\n", error.message);
    if (status == KODAMA_ERR_NOT_FOUND) return 77; /* no engine, no model or no file */
    return status < 0;
}
