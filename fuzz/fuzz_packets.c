/* Fuzzing of Opus packets: the first byte says rate and channels; then packets, each behind a byte
 * with its length. Half-way the decoder is saved and a new one loaded, which must hear alike. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/status.h>

#include "serve/packets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static const uint8_t key[SEAL_KEY_BYTES] = "not a secret";

static struct packets *moved(struct packets *packets, uint32_t rate_hz, uint32_t channels)
{
    struct record record = record_writer();
    struct packets *next;
    packets_save(packets, key, &record);
    packets_close(packets);
    struct record reader = record_reader(record.data, record.n_bytes);
    if (packets_open(&next, rate_hz, channels) < 0) abort();
    packets_load(next, key, &reader);
    if (record.failed || reader.failed || reader.offset != reader.n_bytes) abort();
    record_free(&record);
    return next;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static const uint32_t rates[] = {8000, 12000, 16000, 24000, 48000};
    static float frames[48000 / 1000 * PACKETS_MAX_MS * PACKETS_CHANNELS_MAX];
    if (n_bytes < 1 || packets_missing()) return 0;
    uint32_t rate_hz = rates[data[0] % 5], channels = 1 + data[0] / 5 % 2;
    struct packets *packets;
    if (packets_open(&packets, rate_hz, channels) < 0) abort();
    bool was_moved = false;
    for (size_t at = 1; at < n_bytes;) {
        size_t n = data[at++];
        if (n > n_bytes - at) n = n_bytes - at;
        size_t n_frames = packets_frames(data + at, n, rate_hz);
        if (n_frames > (size_t)rate_hz * PACKETS_MAX_MS / 1000) abort();
        /* As a session does: what is damaged is concealed. */
        bool damaged = n_frames == 0;
        if (damaged) n_frames = rate_hz * PACKETS_LOST_MS / 1000;
        (void)packets_decode(packets, data + at, damaged ? 0 : n, n_frames, frames);
        at += n;
        if (at > n_bytes / 2 && !was_moved) {
            packets = moved(packets, rate_hz, channels);
            was_moved = true;
        }
    }
    packets_close(packets);
    struct record reader = record_reader(data, n_bytes);
    if (packets_open(&packets, rate_hz, channels) < 0) abort();
    packets_load(packets, key, &reader);
    packets_close(packets);
    return 0;
}
