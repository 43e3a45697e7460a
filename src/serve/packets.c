/* Opus packets: a stream of them becomes frames. */
#include "serve/packets.h"

#include <opus.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/status.h>

#include "base/memory.h"

enum {
    IMAGE_BYTES_MAX = 1 << 20,
    /* What a decoder in another process begins with: a second of packets of 20 ms. CELT is exact
     * after that; SILK was seen to differ by up to 0.006 of full scale for seconds. */
    KEPT_MAX = 50,
    KEPT_BYTES = 500,
    RATE_MAX_HZ = 48000,
};

/* A packet that was decoded; long ones are not kept, music at 200 kb/s and more. */
struct kept {
    uint16_t n_bytes, n_frames;
    uint8_t bytes[KEPT_BYTES];
};

struct packets {
    OpusDecoder *decoder; /* of opus_decoder_get_size() bytes */
    uint32_t rate_hz, channels;
    struct kept kept[KEPT_MAX];
    uint64_t n_kept; /* since the beginning; the newest KEPT_MAX are there */
};

const char *packets_missing(void)
{
    return NULL;
}

size_t packets_frames(const void *bytes, size_t n_bytes, uint32_t rate_hz)
{
    opus_int16 sizes[48];
    if (n_bytes == 0 || n_bytes > INT16_MAX) return 0;
    opus_int32 n = (opus_int32)n_bytes;
    if (opus_packet_parse(bytes, n, NULL, NULL, sizes, NULL) < 1) return 0;
    int n_frames = opus_packet_get_nb_samples(bytes, n, (opus_int32)rate_hz);
    return n_frames > 0 ? (size_t)n_frames : 0;
}

int packets_open(struct packets **opened, uint32_t rate_hz, uint32_t channels)
{
    int error = OPUS_OK;
    struct packets *packets = memory_array(1, sizeof *packets);
    *opened = NULL;
    if (!packets) return KODAMA_ERR_MEMORY;
    packets->rate_hz = rate_hz;
    packets->channels = channels;
    packets->decoder = opus_decoder_create((opus_int32)rate_hz, (int)channels, &error);
    if (!packets->decoder) {
        free(packets);
        return error == OPUS_BAD_ARG ? KODAMA_ERR_ARGUMENT : KODAMA_ERR_MEMORY;
    }
    *opened = packets;
    return KODAMA_OK;
}

void packets_close(struct packets *packets)
{
    if (!packets) return;
    opus_decoder_destroy(packets->decoder);
    free(packets);
}

static void keep(struct packets *packets, const void *bytes, size_t n_bytes, size_t n_frames)
{
    struct kept *kept = &packets->kept[packets->n_kept++ % KEPT_MAX];
    bool fits = n_bytes <= KEPT_BYTES;
    kept->n_bytes = (uint16_t)(fits ? n_bytes : 0);
    kept->n_frames = (uint16_t)n_frames;
    if (kept->n_bytes > 0) memcpy(kept->bytes, bytes, n_bytes);
}

static bool decode(struct packets *packets, const void *bytes, size_t n_bytes, size_t n_frames,
                   float *frames)
{
    const unsigned char *packet = n_bytes > 0 ? bytes : NULL;
    int n =
        opus_decode_float(packets->decoder, packet, (opus_int32)n_bytes, frames, (int)n_frames, 0);
    return n >= 0 && (size_t)n == n_frames;
}

bool packets_decode(struct packets *packets, const void *bytes, size_t n_bytes, size_t n_frames,
                    float *frames)
{
    keep(packets, bytes, n_bytes, n_frames);
    memset(frames, 0, n_frames * packets->channels * sizeof *frames);
    if (decode(packets, bytes, n_bytes, n_frames, frames)) return n_bytes > 0;
    if (!decode(packets, NULL, 0, n_frames, frames)) {
        memset(frames, 0, n_frames * packets->channels * sizeof *frames);
    }
    return false;
}

/* ------------------------------------------------------------------ records */

void packets_save(const struct packets *packets, const uint8_t key[SEAL_KEY_BYTES],
                  struct record *record)
{
    size_t n = (size_t)opus_decoder_get_size((int)packets->channels);
    record_put_tag(record, "OPUS", 1);
    record_put_u64(record, n);
    record_put_bytes(record, packets->decoder, n);
    record_put_u64(record, seal(key, packets->decoder, n));
    uint64_t n_kept = packets->n_kept < KEPT_MAX ? packets->n_kept : KEPT_MAX;
    record_put_u64(record, n_kept);
    for (uint64_t i = packets->n_kept - n_kept; i < packets->n_kept; i++) {
        const struct kept *kept = &packets->kept[i % KEPT_MAX];
        record_put_u32(record, kept->n_frames);
        record_put_u32(record, kept->n_bytes);
        record_put_bytes(record, kept->bytes, kept->n_bytes);
    }
}

/* Take the image back when it is our own. */
static bool load_image(struct packets *packets, const uint8_t key[SEAL_KEY_BYTES],
                       struct record *record)
{
    size_t n = record_get_count(record, IMAGE_BYTES_MAX);
    if (record->failed || n > record->n_bytes - record->offset) {
        record->failed = true;
        return false;
    }
    const uint8_t *image = record->data + record->offset;
    record->offset += n;
    bool ours = record_get_u64(record) == seal(key, image, n) &&
                n == (size_t)opus_decoder_get_size((int)packets->channels);
    if (ours && !record->failed) memcpy(packets->decoder, image, n);
    return ours;
}

void packets_load(struct packets *packets, const uint8_t key[SEAL_KEY_BYTES], struct record *record)
{
    record_get_tag(record, "OPUS", 1);
    bool exact = load_image(packets, key, record);
    size_t n = record_get_count(record, KEPT_MAX);
    float *frames = memory_array((size_t)PACKETS_MAX_MS * RATE_MAX_HZ / 1000,
                                 PACKETS_CHANNELS_MAX * sizeof *frames);
    if (!frames) record->failed = true;
    for (size_t i = 0; i < n && !record->failed; i++) {
        uint8_t bytes[KEPT_BYTES];
        uint32_t n_frames = record_get_u32(record);
        size_t n_bytes = record_get_u32(record);
        if (n_bytes > KEPT_BYTES || n_frames == 0 ||
            n_frames > packets->rate_hz * PACKETS_MAX_MS / 1000) {
            record->failed = true;
            break;
        }
        record_get_bytes(record, bytes, n_bytes);
        if (exact) {
            keep(packets, bytes, n_bytes, n_frames);
        } else {
            (void)packets_decode(packets, bytes, n_bytes, n_frames, frames);
        }
    }
    free(frames);
}
