/*
 * Records a stream to a file as it arrives: file source, stream, recorder.
 *
 *   recorder IN OUT       OUT ends in .wav, .flac, .ogg or .opus; "OUT.jsonl" lists the marks
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <kodama/kodama.h>

static void log_line(void *user, enum kodama_log_level level, const char *line)
{
    (void)user;
    (void)level;
    fprintf(stderr, "recorder: %s\n", line);
}

static const struct kodama_log log_to_stderr = {.write = log_line, .level = KODAMA_LOG_WARNING};

static int open_stream(struct kodama_stream **stream, const char *path, struct kodama_error *error)
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

/* The recorder first, so that it hears the stream from its first frame. */
static int record(struct kodama_stream *stream, const char *path, struct kodama_error *error)
{
    struct kodama_recorder *recorder;
    struct kodama_recorder_config config = KODAMA_RECORDER_CONFIG_INIT;
    config.path = path;
    config.lossless = true; /* a file can wait for the disk; a microphone could not */
    config.overwrite = true;
    config.marks = true;
    config.log = &log_to_stderr;
    int status = kodama_recorder_open(&recorder, kodama_stream_ring(stream), &config, error);
    if (status < 0) return status;
    status = kodama_stream_start(stream, error);
    if (status >= 0) status = kodama_stream_wait(stream, KODAMA_FOREVER, error);
    /* The stream has ended, and its ring with it: the recorder finishes by itself. */
    if (status >= 0) status = kodama_recorder_wait(recorder, KODAMA_FOREVER, error);
    struct kodama_recorder_stats stats;
    kodama_recorder_stats(recorder, &stats);
    printf("%s: %" PRIu64 " frames, %" PRIu64 " bytes, %" PRIu64 " lost, %" PRIu64 " in gaps\n",
           path, stats.frames, stats.bytes, stats.lost_frames, stats.gap_frames);
    kodama_recorder_close(recorder);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s IN OUT\n", argv[0]);
        return EXIT_FAILURE;
    }
    struct kodama_error error = {0};
    struct kodama_stream *stream = NULL;
    int status = open_stream(&stream, argv[1], &error);
    if (status >= 0) status = record(stream, argv[2], &error);
    kodama_stream_close(stream);
    if (status >= 0) return EXIT_SUCCESS;
    fprintf(stderr, "%s: %s\n", argv[0], error.message);
    return EXIT_FAILURE;
}
