/* Mirrored memory: the same pages mapped twice in a row, so that a ring never shows where it wraps.
 */
#ifndef BASE_MIRROR_H
#define BASE_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/status.h>

/** Smallest unit of a mirrored mapping in bytes (page; allocation granularity on Windows). */
size_t mirror_granularity(void);

/**
 * Map `n_bytes` of new zeroed memory twice in a row.
 *
 * @param[out] base   n_bytes at base are the same memory as n_bytes at base + n_bytes
 * @param n_bytes     a multiple of mirror_granularity()
 * @param prefault    touch every page now
 * @param[out] error  may be NULL
 * @return KODAMA_OK, KODAMA_ERR_MEMORY or KODAMA_ERR_SYSTEM
 *
 * Thread: any. Real-time safe: no.
 */
int mirror_map(uint8_t **base, size_t n_bytes, bool prefault, struct kodama_error *error);

/** Undo mirror_map(); NULL is allowed. Thread: any. Real-time safe: no. */
void mirror_unmap(uint8_t *base, size_t n_bytes);

#endif
