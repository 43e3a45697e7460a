/* Opus packets where this build has no libopus. */
#include <kodama/status.h>

#include "serve/packets.h"

const char *packets_missing(void)
{
    return "this server was built without Opus; send pcm_s16le or pcm_f32le";
}

size_t packets_frames(const void *bytes, size_t n_bytes, uint32_t rate_hz)
{
    (void)bytes;
    (void)n_bytes;
    (void)rate_hz;
    return 0;
}

int packets_open(struct packets **packets, uint32_t rate_hz, uint32_t channels)
{
    (void)rate_hz;
    (void)channels;
    *packets = NULL;
    return KODAMA_ERR_UNSUPPORTED;
}

void packets_close(struct packets *packets)
{
    (void)packets;
}

bool packets_decode(struct packets *packets, const void *bytes, size_t n_bytes, size_t n_frames,
                    float *frames)
{
    (void)packets;
    (void)bytes;
    (void)n_bytes;
    (void)n_frames;
    (void)frames;
    return false;
}

void packets_save(const struct packets *packets, const uint8_t key[SEAL_KEY_BYTES],
                  struct record *record)
{
    (void)packets;
    (void)key;
    (void)record;
}

void packets_load(struct packets *packets, const uint8_t key[SEAL_KEY_BYTES], struct record *record)
{
    (void)packets;
    (void)key;
    record->failed = true;
}
