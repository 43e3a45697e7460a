/*
 * Conversion: any audio file becomes raw mono float at 16 kHz, which is what recognisers hear.
 *
 *     ./convert talk.flac talk.f32
 */
#include <stdio.h>
#include <stdlib.h>

#include <kodama/kodama.h>

struct conversion {
    struct kodama_resampler *resampler;
    float *samples; /* room for one chunk, and for what the resampler still holds at the end */
    FILE *out;
};

static int write_samples(struct conversion *conversion, size_t n)
{
    size_t written = fwrite(conversion->samples, sizeof(float), n, conversion->out);
    return written == n ? KODAMA_OK : KODAMA_ERR_IO;
}

static int convert(void *user, const struct kodama_chunk *chunk)
{
    struct conversion *conversion = user;
    size_t n = kodama_resampler_process(conversion->resampler, chunk->frames, chunk->n_frames,
                                        conversion->samples);
    int status = write_samples(conversion, n);
    if (status < 0 || !chunk->is_last) return status;
    return write_samples(conversion,
                         kodama_resampler_flush(conversion->resampler, conversion->samples));
}

static int run(struct kodama_source *source, struct conversion *conversion,
               struct kodama_error *error)
{
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.on_chunk = convert;
    config.user = conversion;
    struct kodama_stream *stream;
    int status = kodama_stream_open(&stream, source, &config, error);
    if (status < 0) {
        kodama_source_close(source);
        return status;
    }
    status = kodama_stream_start(stream, error);
    if (status == KODAMA_OK) status = kodama_stream_wait(stream, KODAMA_FOREVER, error);
    kodama_stream_close(stream);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: convert FILE OUTPUT\n");
        return 2;
    }
    struct kodama_error error = {0};
    struct kodama_source_config file =
        KODAMA_SOURCE_CONFIG_INIT; /* not paced: as fast as it goes */
    file.paths = (const char *const *)&argv[1];
    file.n_paths = 1;
    struct kodama_source *source;
    int status = kodama_source_open(&source, "file", &file, &error);
    if (status < 0) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    struct kodama_format format = kodama_source_format(source);
    struct conversion conversion = {.out = fopen(argv[2], "wb")};
    if (conversion.out)
        status = kodama_resampler_open(&conversion.resampler, format, 16000, &error);
    if (conversion.resampler) { /* room for a second: more than a chunk */
        size_t room = kodama_resampler_room(conversion.resampler, format.rate_hz);
        conversion.samples = calloc(room, sizeof(float));
    }
    if (conversion.samples) {
        status = run(source, &conversion, &error); /* takes the source */
    } else {
        kodama_source_close(source);
    }
    if (!conversion.out || fclose(conversion.out) != 0 || !conversion.samples) {
        status = status < 0 ? status : KODAMA_ERR_IO;
    }
    kodama_resampler_close(conversion.resampler);
    free(conversion.samples);
    if (status < 0) {
        fprintf(stderr, "%s\n", error.status < 0 ? error.message : kodama_strerror(status));
    }
    return status < 0;
}
