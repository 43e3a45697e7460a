/* Opens plain index files, and finds what is nearest. */
#include "voice/rvc_index.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "voice/rvc_index_file.h"

struct rvc_index {
    /* Immutable. */
    const uint8_t *mapped;
    size_t n_bytes;
    struct index_head head;
    const float *centres;
    const uint64_t *ends;
    const float *vectors;
};

static int damaged(const char *path, struct kodama_error *error)
{
    return error_set(error, KODAMA_ERR_CORRUPT,
                     "%s is no index of a voice, or is cut short: import it again", path);
}

/* Sizes and ends; a file that passes is never read beyond its end. */
static bool check(struct rvc_index *x)
{
    if (x->n_bytes < sizeof x->head) return false;
    memcpy(&x->head, x->mapped, sizeof x->head);
    const struct index_head *h = &x->head;
    if (memcmp(h->magic, INDEX_MAGIC, sizeof h->magic) != 0 || h->version != INDEX_VERSION ||
        h->dims < 1 || h->dims > INDEX_DIMS_MOST || h->n_lists < 1 ||
        h->n_lists > INDEX_LISTS_MOST || h->n_probes < 1 || h->n_vectors < 1 ||
        h->n_vectors > INDEX_VECTORS_MOST)
        return false;
    uint64_t row = (uint64_t)h->dims * sizeof(float);
    uint64_t lists = h->n_lists * row + h->n_lists * sizeof(uint64_t);
    if (x->n_bytes != sizeof *h + lists + h->n_vectors * row) return false;
    /* The ends are at a multiple of 8 bytes: the writer sees to that. */
    if (row % 8 != 0) return false;
    x->centres = (const float *)(const void *)(x->mapped + sizeof *h);
    x->ends = (const uint64_t *)(const void *)(x->mapped + sizeof *h + h->n_lists * row);
    x->vectors = (const float *)(const void *)(x->mapped + sizeof *h + lists);
    for (uint32_t i = 0; i < h->n_lists; i++)
        if (x->ends[i] > h->n_vectors || (i > 0 && x->ends[i] < x->ends[i - 1])) return false;
    return x->ends[h->n_lists - 1] == h->n_vectors;
}

int rvc_index_open(struct rvc_index **index, const char *path, uint32_t dims,
                   struct kodama_error *error)
{
    *index = NULL;
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &info) != 0) {
        int number = errno;
        if (file >= 0) close(file);
        return error_set_file(error, "read the index", path, number, "");
    }
    struct rvc_index *x = memory_array(1, sizeof *x);
    if (!x) {
        close(file);
        return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    }
    x->n_bytes = info.st_size > 0 ? (size_t)info.st_size : 0;
    void *mapped =
        x->n_bytes > 0 ? mmap(NULL, x->n_bytes, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
    close(file);
    x->mapped = mapped == MAP_FAILED ? NULL : mapped;
    int status = x->mapped && check(x) ? KODAMA_OK : damaged(path, error);
    if (status == KODAMA_OK && dims > 0 && x->head.dims != dims)
        status = error_set(error, KODAMA_ERR_FORMAT,
                           "the index %s has %u dimensions, the model has %u: it was made for "
                           "another model",
                           path, x->head.dims, dims);
    if (status < 0) {
        rvc_index_close(x);
        return status;
    }
    *index = x;
    return KODAMA_OK;
}

void rvc_index_close(struct rvc_index *x)
{
    if (!x) return;
    if (x->mapped) munmap((void *)(uintptr_t)x->mapped, x->n_bytes);
    free(x);
}

uint32_t rvc_index_dims(const struct rvc_index *x)
{
    return x->head.dims;
}

uint64_t rvc_index_vectors(const struct rvc_index *x)
{
    return x->head.n_vectors;
}

uint64_t rvc_index_bytes(const struct rvc_index *x)
{
    return x->n_bytes;
}

/* ------------------------------------------------------------------- searching */

enum { PROBES_MOST = 64 };

/** The nearest so far, the nearest first. */
struct nearest {
    float distance[PROBES_MOST];
    uint64_t what[PROBES_MOST];
    size_t n, most;
};

static void take(struct nearest *best, float distance, uint64_t what)
{
    if (best->n == best->most && !(distance < best->distance[best->n - 1])) return;
    size_t at = best->n < best->most ? best->n++ : best->n - 1;
    for (; at > 0 && best->distance[at - 1] > distance; at--) {
        best->distance[at] = best->distance[at - 1];
        best->what[at] = best->what[at - 1];
    }
    best->distance[at] = distance;
    best->what[at] = what;
}

static void retrieve(const struct rvc_index *x, float *feature, float rate)
{
    const size_t dims = x->head.dims;
    struct nearest lists = {.most =
                                x->head.n_probes < PROBES_MOST ? x->head.n_probes : PROBES_MOST};
    for (uint32_t i = 0; i < x->head.n_lists; i++)
        take(&lists, index_distance(feature, x->centres + i * dims, dims), i);
    struct nearest best = {.most = RVC_NEIGHBOURS};
    for (size_t i = 0; i < lists.n; i++) {
        uint64_t list = lists.what[i], from = list > 0 ? x->ends[list - 1] : 0;
        for (uint64_t j = from; j < x->ends[list]; j++)
            take(&best, index_distance(feature, x->vectors + j * dims, dims), j);
    }
    /* A vector that is hit exactly has all the weight that a float can give it. */
    double weights[RVC_NEIGHBOURS], sum = 0.0;
    for (size_t i = 0; i < best.n; i++) {
        double distance = best.distance[i] > 1e-9f ? (double)best.distance[i] : 1e-9;
        weights[i] = 1.0 / (distance * distance);
        sum += weights[i];
    }
    if (!(sum > 0.0) || !isfinite(sum)) return; /* empty lists, or no numbers: as it was */
    for (size_t c = 0; c < dims; c++) feature[c] *= 1.0f - rate;
    for (size_t i = 0; i < best.n; i++) {
        const float *vector = x->vectors + best.what[i] * dims;
        float weight = rate * (float)(weights[i] / sum);
        for (size_t c = 0; c < dims; c++) feature[c] += weight * vector[c];
    }
}

void rvc_index_retrieve(const struct rvc_index *x, float *features, size_t n_frames, float rate)
{
    for (size_t i = 0; i < n_frames && rate > 0.0f; i++)
        retrieve(x, features + i * x->head.dims, rate);
}
