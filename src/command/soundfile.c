#define _DEFAULT_SOURCE
/* Sound that subcommands write: types of files by name, and WAV on standard output. */
#include "command/soundfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/command.h"

/* Lengths that are not known are written as the largest number: what sox, ffmpeg and arecord do
 * on pipes, and what their readers take for "until the end". */
#define LENGTH_UNKNOWN UINT32_MAX

enum { HEADER_BYTES_MAX = 64, TAG_PCM = 1, TAG_FLOAT = 3, BLOCK_FRAMES = 4096 };

static const char *const type_names[] = {"wav", "flac", "ogg", "opus", "mp3", NULL};
static const enum kodama_file types[] = {KODAMA_FILE_WAV, KODAMA_FILE_FLAC, KODAMA_FILE_VORBIS,
                                         KODAMA_FILE_OPUS, KODAMA_FILE_MP3};
static const char *const sample_names[] = {"s16", "s24", "s32", "f32", NULL};
static const enum kodama_sample samples[] = {KODAMA_SAMPLE_S16, KODAMA_SAMPLE_S24,
                                             KODAMA_SAMPLE_S32, KODAMA_SAMPLE_F32};

const char *soundfile_converted(size_t index)
{
    return type_names[index];
}

const char *soundfile_recorded(size_t index)
{
    return types[index] == KODAMA_FILE_MP3 ? NULL : type_names[index];
}

const char *soundfile_sample_name(size_t index)
{
    return sample_names[index];
}

enum kodama_file soundfile_type(const char *name)
{
    for (size_t i = 0; name && type_names[i]; i++) {
        if (strcmp(type_names[i], name) == 0) return types[i];
    }
    return KODAMA_FILE_AUTO;
}

enum kodama_sample soundfile_sample(const char *name)
{
    for (size_t i = 0; name && sample_names[i]; i++) {
        if (strcmp(sample_names[i], name) == 0) return samples[i];
    }
    return (enum kodama_sample)0;
}

bool soundfile_is_standard(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

/* ------------------------------------------------------------- WAV on a pipe */

struct header {
    char bytes[HEADER_BYTES_MAX];
    size_t n;
};

static void put(struct header *header, uint32_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++) header->bytes[header->n++] = (char)(value >> 8 * i & 0xFF);
}

static void put_name(struct header *header, const char *name)
{
    memcpy(header->bytes + header->n, name, 4);
    header->n += 4;
}

static bool write_header(struct soundfile_stream *stream, uint64_t n_frames)
{
    struct kodama_format format = stream->format;
    uint32_t frame_bytes = (uint32_t)kodama_frame_bytes(format);
    bool is_float = format.sample == KODAMA_SAMPLE_F32;
    bool known = n_frames < (LENGTH_UNKNOWN - HEADER_BYTES_MAX) / frame_bytes;
    uint32_t data_bytes = known ? (uint32_t)n_frames * frame_bytes : LENGTH_UNKNOWN;
    struct header header = {.n = 0};
    put_name(&header, "RIFF");
    put(&header, known ? data_bytes + (data_bytes & 1) + (is_float ? 50 : 36) : LENGTH_UNKNOWN, 4);
    put_name(&header, "WAVE");
    put_name(&header, "fmt ");
    put(&header, is_float ? 18 : 16, 4);
    put(&header, is_float ? TAG_FLOAT : TAG_PCM, 2);
    put(&header, format.channels, 2);
    put(&header, format.rate_hz, 4);
    put(&header, format.rate_hz * frame_bytes, 4);
    put(&header, frame_bytes, 2);
    put(&header, (uint32_t)kodama_sample_bytes(format.sample) * 8, 2);
    if (is_float) {
        put(&header, 0, 2);
        put_name(&header, "fact");
        put(&header, 4, 4);
        put(&header, known ? (uint32_t)n_frames : LENGTH_UNKNOWN, 4);
    }
    put_name(&header, "data");
    put(&header, data_bytes, 4);
    return output_write(&stream->output, header.bytes, header.n);
}

int soundfile_begin(struct soundfile_stream *stream, const char *command, enum kodama_file type,
                    struct kodama_format format, enum kodama_sample sample, uint64_t n_frames)
{
    *stream = (struct soundfile_stream){.output = output_standard(), .format = format};
    if (type != KODAMA_FILE_AUTO && type != KODAMA_FILE_WAV) {
        complain(command, "only WAV can be written to standard output; name a file for %s",
                 kodama_file_name(type));
        return EXIT_USAGE;
    }
    if (isatty(STDOUT_FILENO)) {
        complain(command, "standard output is a terminal, and sound is no text; redirect it to a "
                          "file or another program");
        return EXIT_USAGE;
    }
    if (sample != 0) stream->format.sample = sample;
    if (stream->format.sample == KODAMA_SAMPLE_U8) stream->format.sample = KODAMA_SAMPLE_S16;
    stream->room = BLOCK_FRAMES;
    stream->block = calloc(stream->room, KODAMA_CHANNELS_MAX * sizeof(float));
    if (!stream->block) {
        complain(command, "out of memory");
        return EXIT_FAILED;
    }
    (void)write_header(stream, n_frames);
    return output_code(command, &stream->output);
}

bool soundfile_write(struct soundfile_stream *stream, const struct kodama_clip *clip)
{
    size_t first = 0, n_frames = kodama_clip_frames(clip);
    while (first < n_frames) {
        int64_t n =
            kodama_clip_read(clip, first, stream->format.sample, stream->block, stream->room);
        if (n <= 0) return false;
        size_t n_bytes = (size_t)n * kodama_frame_bytes(stream->format);
        if (!output_write(&stream->output, stream->block, n_bytes)) return false;
        stream->n_frames += (uint64_t)n;
        first += (size_t)n;
    }
    return true;
}

void soundfile_end(struct soundfile_stream *stream)
{
    /* Chunks of a WAV file are even. */
    if (stream->block && stream->n_frames * kodama_frame_bytes(stream->format) % 2 == 1) {
        (void)output_write(&stream->output, "", 1);
    }
    free(stream->block);
    stream->block = NULL;
}
