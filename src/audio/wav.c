/* The header of a WAV stream. */
#include "audio/wav.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"

enum {
    WAV_PCM = 1,
    WAV_FLOAT = 3,
    WAV_EXTENSIBLE = 0xfffe,
    FMT_BYTES = 40,              /* of the extensible kind; more is skipped */
    SKIP_MAX = 64 * 1024 * 1024, /* a chunk before the audio that is larger is damage, not text */
};

/* Sizes from here on stand for "not known": 0xffffffff (ffmpeg), 0x7ffff000 (SoX), 0x80000000
 * (arecord). */
static const uint32_t size_unknown = 0x7fff0000;

struct parser {
    wav_read_function read;
    void *user;
    struct wav_header *header;
    struct kodama_error *error;
    uint64_t offset;
    uint64_t data_bytes_64; /* from the ds64 chunk; 0 when there is none */
    bool has_format;
};

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static uint32_t get_u16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

/* Exactly n bytes, or an error. */
static int take(struct parser *parser, void *bytes, size_t n_bytes)
{
    int64_t n = parser->read(parser->user, bytes, n_bytes, parser->error);
    if (n < 0) return (int)n;
    parser->offset += (uint64_t)n;
    if ((size_t)n < n_bytes) {
        return error_set(parser->error, KODAMA_ERR_CORRUPT,
                         "the WAV header is cut off after %llu bytes: save or send it again",
                         (unsigned long long)parser->offset);
    }
    return KODAMA_OK;
}

static int skip(struct parser *parser, uint32_t n_bytes)
{
    uint8_t bytes[4096];
    if (n_bytes > SKIP_MAX) {
        return error_set(parser->error, KODAMA_ERR_CORRUPT,
                         "the WAV header is damaged: a chunk of %lu bytes before the audio",
                         (unsigned long)n_bytes);
    }
    while (n_bytes > 0) {
        size_t n = n_bytes < sizeof bytes ? n_bytes : sizeof bytes;
        int status = take(parser, bytes, n);
        if (status < 0) return status;
        n_bytes -= (uint32_t)n;
    }
    return KODAMA_OK;
}

static int parse_fmt(struct parser *parser, const uint8_t *fmt, size_t n_bytes)
{
    uint32_t tag = get_u16(fmt), channels = get_u16(fmt + 2), frame_bytes = get_u16(fmt + 12);
    struct kodama_format format = {.rate_hz = get_u32(fmt + 4), .channels = channels};
    uint32_t mask = 0;
    if (tag == WAV_EXTENSIBLE && n_bytes >= FMT_BYTES) {
        mask = get_u32(fmt + 20);
        tag = get_u16(fmt + 24); /* the first bytes of the sub-format's GUID */
    }
    /* The bytes that a sample takes count, not its valid bits: 20 bits lie in the upper part of 3
     * bytes. */
    uint32_t sample_bytes = channels > 0 ? frame_bytes / channels : 0;
    if (tag == WAV_PCM && sample_bytes == 1) format.sample = KODAMA_SAMPLE_U8;
    if (tag == WAV_PCM && sample_bytes == 2) format.sample = KODAMA_SAMPLE_S16;
    if (tag == WAV_PCM && sample_bytes == 3) format.sample = KODAMA_SAMPLE_S24;
    if (tag == WAV_PCM && sample_bytes == 4) format.sample = KODAMA_SAMPLE_S32;
    if (tag == WAV_FLOAT && sample_bytes == 4) format.sample = KODAMA_SAMPLE_F32;
    if (kodama_sample_bytes(format.sample) * channels != frame_bytes || frame_bytes == 0) {
        return error_set(parser->error, KODAMA_ERR_FORMAT,
                         "WAV of kind %lu with %lu bits a sample is not supported here: PCM of 8 "
                         "to 32 bits and 32-bit float are",
                         (unsigned long)tag, (unsigned long)get_u16(fmt + 14));
    }
    format.channel_mask = mask;
    /* Many writers leave a mask that does not fit the channels. */
    if (kodama_format_check(format, NULL) < 0) format.channel_mask = 0;
    int status = kodama_format_check(format, parser->error);
    if (status < 0) return status;
    parser->header->format = format;
    parser->has_format = true;
    return KODAMA_OK;
}

static int take_fmt(struct parser *parser, uint32_t size)
{
    uint8_t fmt[FMT_BYTES] = {0};
    if (size < 16) {
        return error_set(parser->error, KODAMA_ERR_CORRUPT,
                         "the WAV header is damaged: its format chunk has %lu bytes",
                         (unsigned long)size);
    }
    uint32_t n = size < FMT_BYTES ? size : FMT_BYTES;
    int status = take(parser, fmt, n);
    if (status == KODAMA_OK) status = parse_fmt(parser, fmt, n);
    if (status == KODAMA_OK) status = skip(parser, size - n + (size & 1));
    return status;
}

static int take_ds64(struct parser *parser, uint32_t size)
{
    uint8_t sizes[16]; /* of the file, of the data */
    if (size < sizeof sizes) return skip(parser, size + (size & 1));
    int status = take(parser, sizes, sizeof sizes);
    if (status < 0) return status;
    parser->data_bytes_64 = get_u32(sizes + 8) | (uint64_t)get_u32(sizes + 12) << 32;
    return skip(parser, size - (uint32_t)sizeof sizes + (size & 1));
}

static int finish(struct parser *parser, uint32_t data_bytes)
{
    struct wav_header *header = parser->header;
    if (!parser->has_format) {
        return error_set(parser->error, KODAMA_ERR_CORRUPT,
                         "the WAV header is damaged: the audio comes before its format");
    }
    uint64_t n_bytes = data_bytes;
    bool known = data_bytes != 0 && data_bytes < size_unknown;
    if (data_bytes == UINT32_MAX && parser->data_bytes_64 != 0) {
        n_bytes = parser->data_bytes_64;
        known = n_bytes < (uint64_t)INT64_MAX;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): the format was checked */
    header->n_frames = known ? (int64_t)(n_bytes / kodama_frame_bytes(header->format)) : -1;
    header->header_bytes = parser->offset;
    return KODAMA_OK;
}

int wav_read_header(wav_read_function read, void *user, struct wav_header *header,
                    struct kodama_error *error)
{
    *header = (struct wav_header){.n_frames = -1};
    struct parser parser = {.read = read, .user = user, .header = header, .error = error};
    uint8_t head[12] = {0};
    int64_t n = read(user, head, sizeof head, error);
    if (n < 0) return (int)n;
    parser.offset = (uint64_t)n;
    if (n == 0) return error_set(error, KODAMA_ERR_CORRUPT, "there is no audio: not a single byte");
    bool wav = n == (int64_t)sizeof head && memcmp(head + 8, "WAVE", 4) == 0 &&
               (memcmp(head, "RIFF", 4) == 0 || memcmp(head, "RF64", 4) == 0);
    if (!wav) return error_set(error, KODAMA_ERR_UNSUPPORTED, "this is not WAV");
    for (;;) {
        uint8_t chunk[8];
        int status = take(&parser, chunk, sizeof chunk);
        if (status < 0) return status;
        uint32_t size = get_u32(chunk + 4);
        if (memcmp(chunk, "data", 4) == 0) return finish(&parser, size);
        if (memcmp(chunk, "fmt ", 4) == 0) {
            status = take_fmt(&parser, size);
        } else if (memcmp(chunk, "ds64", 4) == 0) {
            status = take_ds64(&parser, size);
        } else {
            status = size > SKIP_MAX ? skip(&parser, size) : skip(&parser, size + (size & 1));
        }
        if (status < 0) return status;
    }
}
