/*
 * Opus packets (RFC 6716): a stream of them becomes frames. Built without libopus, nothing can be
 * opened and packets_missing() says so.
 */
#ifndef SERVE_PACKETS_H
#define SERVE_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"
#include "serve/seal.h"

enum { PACKETS_MAX_MS = 120, PACKETS_LOST_MS = 20, PACKETS_CHANNELS_MAX = 2 };

struct packets;

/** NULL, or words that say why there are none here; static. */
const char *packets_missing(void);

/** Frames of a packet, by its head and how it is divided; 0: it is damaged. Nothing is decoded. */
size_t packets_frames(const void *bytes, size_t n_bytes, uint32_t rate_hz);

/** A decoder. @return KODAMA_OK, KODAMA_ERR_ARGUMENT (rate or channels), KODAMA_ERR_UNSUPPORTED or
 * KODAMA_ERR_MEMORY */
int packets_open(struct packets **packets, uint32_t rate_hz, uint32_t channels);
void packets_close(struct packets *packets);

/**
 * Decode one packet.
 *
 * @param n_bytes      0: it was lost, and is concealed
 * @param n_frames     what packets_frames() said; of a lost one, what it was most likely
 * @param[out] frames  interleaved, room for n_frames
 * @return whether it was sound; if not it was concealed
 */
bool packets_decode(struct packets *packets, const void *bytes, size_t n_bytes, size_t n_frames,
                    float *frames);

/**
 * Part of a session's record. The decoder's state is an image of its memory, which only the process
 * that sealed it can take back, exactly; and its last second of packets, of which any other makes a
 * decoder that is nearly the same.
 */
void packets_save(const struct packets *packets, const uint8_t key[SEAL_KEY_BYTES],
                  struct record *record);
/** Into a new one. */
void packets_load(struct packets *packets, const uint8_t key[SEAL_KEY_BYTES],
                  struct record *record);

#endif
