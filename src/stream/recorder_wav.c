/* The header of a WAV file that is being written: valid at any moment, RF64 when it gets large. */
#include "stream/recorder_wav.h"

#include <stdbool.h>
#include <string.h>

#include "audio/clip.h"

enum {
    TAG_PCM = 1,
    TAG_FLOAT = 3,
    TAG_EXTENSIBLE = 0xfffe,
    DS64_BYTES = 28, /* riff, data and sample count of 64 bits each, and an empty table */
};

/* Behind the tag in a WAVE_FORMAT_EXTENSIBLE's GUID. */
static const uint8_t guid_rest[14] = {0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80,
                                      0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71};

struct output {
    uint8_t *bytes;
    size_t n;
};

static void put(struct output *out, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++) out->bytes[out->n++] = (uint8_t)(value >> 8 * i);
}

static void put_name(struct output *out, const char *name)
{
    for (int i = 0; i < 4; i++) out->bytes[out->n++] = (uint8_t)name[i];
}

static void put_format(struct output *out, struct kodama_format format)
{
    bool is_float = format.sample == KODAMA_SAMPLE_F32;
    bool extensible = format.channels > 2 || format.channel_mask != 0;
    uint32_t frame_bytes = (uint32_t)kodama_frame_bytes(format);
    uint32_t bits = (uint32_t)kodama_sample_bytes(format.sample) * 8;
    uint32_t tag = is_float ? TAG_FLOAT : TAG_PCM;
    put_name(out, "fmt ");
    put(out, extensible ? 40 : is_float ? 18 : 16, 4);
    put(out, extensible ? TAG_EXTENSIBLE : tag, 2);
    put(out, format.channels, 2);
    put(out, format.rate_hz, 4);
    put(out, (uint64_t)format.rate_hz * frame_bytes, 4);
    put(out, frame_bytes, 2);
    put(out, bits, 2);
    if (extensible) {
        struct kodama_clip places = {.format = format};
        put(out, 22, 2);
        put(out, bits, 2);
        put(out, clip_channel_mask(&places), 4);
        put(out, tag, 2);
        memcpy(out->bytes + out->n, guid_rest, sizeof guid_rest);
        out->n += sizeof guid_rest;
    } else if (is_float) {
        put(out, 0, 2);
    }
}

size_t recorder_wav_header(uint8_t *bytes, struct kodama_format format, uint64_t n_frames)
{
    struct output out = {.bytes = bytes};
    uint64_t data_bytes = n_frames * kodama_frame_bytes(format);
    bool large = clip_needs_rf64(data_bytes);
    put_name(&out, large ? "RF64" : "RIFF");
    size_t riff_at = out.n;
    put(&out, UINT32_MAX, 4);
    put_name(&out, "WAVE");
    put_name(&out, large ? "ds64" : "JUNK");
    put(&out, DS64_BYTES, 4);
    size_t ds64_at = out.n;
    memset(out.bytes + out.n, 0, DS64_BYTES);
    out.n += DS64_BYTES;
    put_format(&out, format);
    if (format.sample == KODAMA_SAMPLE_F32) { /* what is not PCM has it */
        put_name(&out, "fact");
        put(&out, 4, 4);
        put(&out, large ? UINT32_MAX : n_frames, 4);
    }
    put_name(&out, "data");
    put(&out, large ? UINT32_MAX : data_bytes, 4);
    size_t n_bytes = out.n;

    uint64_t riff_bytes = n_bytes - 8 + data_bytes + (data_bytes & 1);
    if (large) {
        out.n = ds64_at;
        put(&out, riff_bytes, 8);
        put(&out, data_bytes, 8);
        put(&out, n_frames, 8);
    } else {
        out.n = riff_at;
        put(&out, riff_bytes, 4);
    }
    return n_bytes;
}
