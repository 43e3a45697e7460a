/*
 * Sources: lists them, and pulls standard input (WAV, or raw PCM of a given format) frame by frame.
 *
 *     ./source < talk.wav
 *     arecord -t raw -f S16_LE -r 16000 | ./source s16:16000:1
 */
#include <stdio.h>

#include <kodama/kodama.h>

static int fail(const struct kodama_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    return 1;
}

int main(int argc, char **argv)
{
    struct kodama_error error = {0};
    for (size_t i = 0; kodama_source_name(i); i++) {
        printf("source %s\n", kodama_source_name(i));
    }

    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    struct kodama_format given = {.sample = KODAMA_SAMPLE_S16, .rate_hz = 16000, .channels = 1};
    if (argc > 1) {
        if (kodama_format_parse(argv[1], &given, &error) < 0) return fail(&error);
        config.format = given;
    }
    struct kodama_source *source;
    if (kodama_source_open(&source, "stdin", &config, &error) < 0) return fail(&error);
    char text[64];
    printf("%s\n", kodama_format_text(kodama_source_format(source), text, sizeof text));

    struct kodama_stream *stream; /* without a callback: who wants frames opens a cursor */
    if (kodama_stream_open(&stream, source, NULL, &error) < 0) {
        kodama_source_close(source);
        return fail(&error);
    }
    struct kodama_cursor_config lossless = KODAMA_CURSOR_CONFIG_INIT;
    lossless.lossless = true; /* a pipe can wait */
    struct kodama_cursor *cursor;
    int status = kodama_cursor_open(&cursor, kodama_stream_ring(stream), &lossless);
    if (status == KODAMA_OK) status = kodama_stream_start(stream, &error);
    static unsigned char frames[1000 * 4 * KODAMA_CHANNELS_MAX];
    long long n_frames = 0;
    int64_t n = 0;
    while (status == KODAMA_OK &&
           (n = kodama_cursor_read(cursor, frames, 1000, KODAMA_FOREVER, NULL)) > 0) {
        n_frames += n;
    }
    if (status == KODAMA_OK) status = kodama_stream_wait(stream, KODAMA_FOREVER, &error);
    printf("%lld frames\n", n_frames);
    kodama_cursor_close(cursor);
    kodama_stream_close(stream);
    return status == KODAMA_OK ? 0 : fail(&error);
}
