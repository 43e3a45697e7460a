/* The plain index file from the inside, for those that read (rvc_index.c) and write it
 * (rvc_index_write.c). */
#ifndef VOICE_RVC_INDEX_FILE_H
#define VOICE_RVC_INDEX_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_MAGIC "KODAMAVI"

enum {
    INDEX_VERSION = 1,
    INDEX_DIMS_MOST = 4096,
    INDEX_LISTS_MOST = 1 << 20,
    INDEX_VECTORS_MOST = 1 << 26,
};

struct index_head {
    char magic[8];
    uint32_t version, dims, n_lists, n_probes;
    uint64_t n_vectors;
};

/** Squared distance of two vectors, in eight sums at once. */
static inline float index_distance(const float *a, const float *b, size_t dims)
{
    float sums[8] = {0};
    size_t i = 0;
    for (; i + 8 <= dims; i += 8) {
        for (size_t j = 0; j < 8; j++) {
            float d = a[i + j] - b[i + j];
            sums[j] += d * d;
        }
    }
    for (; i < dims; i++) sums[0] += (a[i] - b[i]) * (a[i] - b[i]);
    float sum = 0.0f;
    for (size_t j = 0; j < 8; j++) sum += sums[j];
    return sum;
}

#endif
