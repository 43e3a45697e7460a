/*
 * Sinks: plays a file to the speakers, into a virtual microphone, or into another file.
 *
 *   sink IN speakers [DEVICE]     sink IN mic [NAME]     sink IN file OUT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/kodama.h>

static int open_source(struct kodama_stream **stream, const char *path, struct kodama_error *error)
{
    struct kodama_source *source;
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.paths = &path;
    config.n_paths = 1;
    int status = kodama_source_open(&source, "file", &config, error);
    if (status < 0) return status;
    status = kodama_stream_open(stream, source, NULL, error);
    if (status < 0) kodama_source_close(source);
    return status;
}

static int open_sink(struct kodama_sink **sink, struct kodama_format format, const char *kind,
                     const char *name, struct kodama_error *error)
{
    struct kodama_sink_config config = KODAMA_SINK_CONFIG_INIT;
    config.format = format; /* the sound server converts what it has to */
    config.device = strcmp(kind, "speakers") == 0 ? name : NULL;
    config.name = name;
    config.path = name;
    config.overwrite = true;
    return kodama_sink_open(sink, kind, &config, error);
}

/* From the stream's ring into the sink: the sink's own pace holds the file back. */
static int play(struct kodama_stream *stream, struct kodama_sink *sink, struct kodama_error *error)
{
    struct kodama_cursor *cursor;
    struct kodama_cursor_config lossless = KODAMA_CURSOR_CONFIG_INIT;
    lossless.lossless = true;
    int64_t n = kodama_cursor_open(&cursor, kodama_stream_ring(stream), &lossless);
    if (n >= 0) n = kodama_stream_start(stream, error);
    static unsigned char frames[1000 * 4 * KODAMA_CHANNELS_MAX];
    while (n >= 0) {
        n = kodama_cursor_read(cursor, frames, 1000, KODAMA_FOREVER, NULL);
        if (n < 0) break;
        n = kodama_sink_write(sink, frames, (size_t)n, KODAMA_FOREVER);
    }
    kodama_cursor_close(cursor);
    if (n != KODAMA_ERR_CLOSED) return (int)n;
    int status = kodama_stream_wait(stream, KODAMA_FOREVER, error);
    return status < 0 ? status : kodama_sink_drain(sink, KODAMA_FOREVER, error);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s IN speakers|mic|file [NAME]\n", argv[0]);
        return EXIT_FAILURE;
    }
    struct kodama_error error = {0};
    struct kodama_stream *stream = NULL;
    struct kodama_sink *sink = NULL;
    int status = open_source(&stream, argv[1], &error);
    if (status >= 0) {
        struct kodama_format format = kodama_stream_format(stream);
        status = open_sink(&sink, format, argv[2], argc > 3 ? argv[3] : NULL, &error);
    }
    if (status >= 0) status = play(stream, sink, &error);
    if (status >= 0) {
        struct kodama_sink_stats stats;
        kodama_sink_stats(sink, &stats);
        printf("%" PRIu64 " of %" PRIu64 " frames, %" PRIu64 " underruns\n", stats.frames,
               stats.frames_written, stats.underruns);
    }
    kodama_sink_close(sink);
    kodama_stream_close(stream);
    if (status >= 0) return EXIT_SUCCESS;
    fprintf(stderr, "%s: %s\n", argv[0],
            error.message[0] ? error.message : kodama_strerror(status));
    return EXIT_FAILURE;
}
