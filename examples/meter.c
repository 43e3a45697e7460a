/*
 * Meters: shows how loud a file, standard input or a tone is, ten times a second, as it plays.
 *
 *     cc meter.c $(pkg-config --cflags --libs kodama) -o meter
 *     ./meter talk.wav
 */
#include <stdio.h>
#include <string.h>

#include <kodama/kodama.h>

/* A bar up to `fall` with a mark at `hold`, from -60 to 0 dBFS. */
static void show(const struct kodama_levels *levels, uint32_t rate_hz)
{
    char bar[] = "............................................................";
    for (int i = 0; i < 60; i++) {
        if (levels->all.fall_db > i - 60) bar[i] = '#';
    }
    int mark = levels->all.hold_db > -60.0 ? (int)(levels->all.hold_db + 59.5) : -1;
    if (mark >= 0 && mark < 60) bar[mark] = '|';
    printf("%7.2f s  %s  peak %6.1f  RMS %6.1f dBFS", (double)levels->position / rate_hz, bar,
           levels->all.peak_db, levels->all.rms_db);
    if (levels->all.clipped > 0) printf("  CLIPPED %llu", (unsigned long long)levels->all.clipped);
    if (levels->silence_s >= 1.0) printf("  silent for %.1f s", levels->silence_s);
    if (levels->lost_frames > 0) {
        printf("  (looked too late: %llu frames were not heard)",
               (unsigned long long)levels->lost_frames);
    }
    printf("\n");
}

static int watch(struct kodama_stream *stream, struct kodama_error *error)
{
    struct kodama_meter *meter;
    uint32_t rate_hz = kodama_stream_format(stream).rate_hz;
    int status = kodama_meter_open(&meter, kodama_stream_ring(stream), NULL, error);
    if (status < 0) return status;
    status = kodama_stream_start(stream, error);
    struct kodama_levels levels = {.ended = status < 0};
    while (!levels.ended) {
        /* A display has its own clock; here, the end of the stream or a tenth of a second. */
        status = kodama_stream_wait(stream, 100000000, error);
        kodama_meter_read(meter, &levels);
        show(&levels, rate_hz);
    }
    kodama_meter_close(meter);
    return kodama_stream_wait(stream, KODAMA_FOREVER, error);
}

int main(int argc, char **argv)
{
    struct kodama_error error = {0};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    const char *name = argc > 1 ? "file" : "tone";
    if (argc == 2 && strcmp(argv[1], "-") == 0) name = "stdin";
    if (argc == 2 && strcmp(argv[1], "tone") == 0) name = "tone";
    config.paths = (const char *const *)&argv[1];
    config.n_paths = (size_t)argc - 1;
    config.length_frames = 48000; /* of the tone: a second */
    config.paced = true;
    struct kodama_source *source;
    struct kodama_stream *stream = NULL;
    int status = kodama_source_open(&source, name, &config, &error);
    if (status >= 0) {
        status = kodama_stream_open(&stream, source, NULL, &error);
        if (status < 0) kodama_source_close(source);
    }
    if (status >= 0) status = watch(stream, &error);
    kodama_stream_close(stream);
    if (status >= 0) return 0;
    fprintf(stderr, "%s: %s\n", argv[0], error.message);
    return 1;
}
