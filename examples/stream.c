/*
 * Streams: plays a file as if it were live and shows how loud it is, every 100 ms.
 *
 *     cc stream.c $(pkg-config --cflags --libs kodama) -lm -o stream && ./stream talk.wav
 */
#include <math.h>
#include <stdio.h>

#include <kodama/kodama.h>

/* Called ten times a second with one chunk of s16 frames; the frames are the ring's own memory. */
static int show_level(void *user, const struct kodama_chunk *chunk)
{
    const struct kodama_format *format = user;
    const int16_t *samples = chunk->frames;
    double energy = 1e-9;
    for (size_t i = 0; i < (size_t)chunk->n_frames * format->channels; i++) {
        energy += (double)samples[i] * samples[i] / (32768.0 * 32768.0);
    }
    double db = 10.0 * log10(energy / (chunk->n_frames * format->channels + 1e-9));
    int width = db > -60.0 ? (int)(db + 60.0) : 0;
    printf("%7.2f s %6.1f dB %.*s\n", (double)chunk->position / format->rate_hz, db, width,
           "############################################################");
    return KODAMA_OK; /* an error would end the stream */
}

int main(int argc, char **argv)
{
    struct kodama_error error = {0};
    struct kodama_source_config file = KODAMA_SOURCE_CONFIG_INIT;
    file.paths = (const char *const *)&argv[1];
    file.n_paths = argc > 1 ? (size_t)argc - 1 : 0;
    file.paced = true;
    struct kodama_source *source;
    if (kodama_source_open(&source, "file", &file, &error) < 0) goto failed;

    struct kodama_format format = kodama_source_format(source);
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.chunk_frames = format.rate_hz / 10;
    config.on_chunk = show_level;
    config.user = &format;
    struct kodama_stream *stream = NULL;
    int status = format.sample == KODAMA_SAMPLE_S16 ? KODAMA_OK : KODAMA_ERR_FORMAT;
    if (status == KODAMA_OK) status = kodama_stream_open(&stream, source, &config, &error);
    if (status < 0) kodama_source_close(source); /* from here on it belongs to the stream */
    if (status == KODAMA_OK) status = kodama_stream_start(stream, &error);
    if (status == KODAMA_OK) status = kodama_stream_wait(stream, KODAMA_FOREVER, &error);
    kodama_stream_close(stream);
    if (status == KODAMA_OK) return 0;
    if (status == KODAMA_ERR_FORMAT) fprintf(stderr, "only 16-bit files can be shown here\n");
failed:
    if (error.status < 0) fprintf(stderr, "%s\n", error.message);
    return 1;
}
