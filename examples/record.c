/*
 * Recording in one call: shows levels while it records, and says at the end what came of it.
 * Ctrl-C ends it, and what was heard is kept.
 *
 *     cc record.c $(pkg-config --cflags --libs kodama) -o record
 *     ./record talk.wav 2 talk.flac     two seconds of a file, as if it were live, into a file
 *     ./record - 0 | ...                standard input until it ends, into memory
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/kodama.h>

static struct kodama_record *volatile running;

static void on_interrupt(int number)
{
    (void)number;
    kodama_record_cancel(running); /* allowed in signal handlers */
}

/* Called for each tenth of a second: here one would stream it, draw it, look for speech. */
static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    const struct kodama_format *format = user;
    printf("\r%6.1f s", (double)(chunk->position + chunk->n_frames) / format->rate_hz);
    if (chunk->lost > 0) printf("  (%llu frames lost)", (unsigned long long)chunk->lost);
    fflush(stdout);
    return KODAMA_OK; /* KODAMA_RECORD_ENOUGH would end it here */
}

/* Called once, however it ended. */
static void on_complete(void *user, const struct kodama_record_result *result)
{
    (void)user;
    printf("\n%.2f s, %llu frames, peak %.1f dBFS, RMS %.1f dBFS, %llu frames of gaps\n",
           result->stats.duration_s, (unsigned long long)result->stats.frames,
           result->stats.peak_db, result->stats.rms_db,
           (unsigned long long)result->stats.gap_frames);
    if (result->path) printf("written to %s\n", result->path);
    if (result->status < 0) printf("ended early: %s\n", result->message);
}

/* The whole of it: a source, a length or 0, a file or NULL for a clip. */
static int record(struct kodama_source *source, double seconds, const char *path,
                  struct kodama_error *error)
{
    struct kodama_format format = kodama_source_format(source);
    struct kodama_record_config config = KODAMA_RECORD_CONFIG_INIT;
    config.duration_ns = (uint64_t)(seconds * 1e9);
    config.chunk_frames = format.rate_hz / 10;
    config.on_chunk = on_chunk;
    config.on_complete = on_complete;
    config.user = &format;
    config.path = path;
    config.overwrite = true;
    struct kodama_record *recording;
    int status = kodama_record_start(&recording, source, &config, error);
    if (status < 0) return status;
    running = recording;
    signal(SIGINT, on_interrupt);
    status = kodama_record_wait(recording, KODAMA_FOREVER, error);
    signal(SIGINT, SIG_DFL);
    running = NULL;
    struct kodama_clip *clip = kodama_record_take_clip(recording); /* NULL with a path */
    if (clip) printf("a clip of %zu frames is in memory\n", kodama_clip_frames(clip));
    kodama_clip_destroy(clip);
    kodama_record_close(recording);
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: %s FILE|- SECONDS [OUT]\n", argv[0]);
        return EXIT_FAILURE;
    }
    struct kodama_error error = {0};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.paths = (const char *const *)&argv[1];
    config.n_paths = 1;
    config.paced = true;
    struct kodama_source *source;
    const char *name = strcmp(argv[1], "-") == 0 ? "stdin" : "file";
    int status = kodama_source_open(&source, name, &config, &error);
    if (status >= 0) {
        status =
            record(source, fmax(0.0, strtod(argv[2], NULL)), argc > 3 ? argv[3] : NULL, &error);
    }
    if (status >= 0) return EXIT_SUCCESS;
    fprintf(stderr, "%s: %s\n", argv[0], error.message);
    return EXIT_FAILURE;
}
