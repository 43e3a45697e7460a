/* Makes plain index files of numpy's arrays and of faiss' IVF-Flat indexes. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kodama/voice_model.h>

#include "base/error.h"
#include "base/memory.h"
#include "neural/graph.h"
#include "voice/rvc_index.h"
#include "voice/rvc_index_file.h"

/* Lists that a trainer makes of n vectors, and how many of them are looked through here. */
enum { VECTORS_PER_LIST = 39, PROBES = 4, ROUNDS = 8 };

/** What a foreign file has in it. */
struct content {
    uint32_t dims, n_lists, n_probes;
    uint64_t n_vectors;
    float *centres; /* [n_lists][dims] */
    uint64_t *ends; /* [n_lists] */
    float *vectors; /* [n_vectors][dims], list by list */
};

static void drop(struct content *c)
{
    free(c->centres);
    free(c->ends);
    free(c->vectors);
}

/** A file, mapped, and where reading it is. */
struct reader {
    const uint8_t *bytes;
    size_t n, at;
    bool failed;
};

static const uint8_t *take(struct reader *r, uint64_t n)
{
    if (r->failed || n > r->n - r->at) {
        r->failed = true;
        return NULL;
    }
    r->at += (size_t)n;
    return r->bytes + r->at - n;
}

static uint64_t take_number(struct reader *r, size_t n_bytes)
{
    const uint8_t *bytes = take(r, n_bytes);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < n_bytes; i++) value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static bool take_tag(struct reader *r, const char *tag)
{
    const uint8_t *bytes = take(r, 4);
    return bytes && memcmp(bytes, tag, 4) == 0;
}

/* --------------------------------------------------------------------- writing */

static int write_all(FILE *file, const struct content *c)
{
    struct index_head head = {.version = INDEX_VERSION,
                              .dims = c->dims,
                              .n_lists = c->n_lists,
                              .n_probes = c->n_probes,
                              .n_vectors = c->n_vectors};
    memcpy(head.magic, INDEX_MAGIC, sizeof head.magic);
    size_t row = c->dims * sizeof(float);
    if (fwrite(&head, sizeof head, 1, file) != 1 ||
        fwrite(c->centres, row, c->n_lists, file) != c->n_lists ||
        fwrite(c->ends, sizeof *c->ends, c->n_lists, file) != c->n_lists ||
        fwrite(c->vectors, row, (size_t)c->n_vectors, file) != c->n_vectors)
        return -1;
    return fflush(file) == 0 && fsync(fileno(file)) == 0 ? 0 : -1;
}

static int write_file(const char *to, const struct content *c, struct kodama_error *error)
{
    char part[4096];
    int n = snprintf(part, sizeof part, "%s.part", to);
    if (n < 0 || (size_t)n >= sizeof part)
        return error_set(error, KODAMA_ERR_ARGUMENT, "the path %s is too long", to);
    FILE *file = fopen(part, "wb");
    int failed = file ? write_all(file, c) : -1, number = errno;
    if (file && fclose(file) != 0 && failed == 0) {
        failed = -1;
        number = errno;
    }
    if (failed == 0 && rename(part, to) != 0) {
        failed = -1;
        number = errno;
    }
    if (failed == 0) return KODAMA_OK;
    if (file) unlink(part);
    return error_set_file(error, "write the index", to, number,
                          ": free some space, or import without the index");
}

/* -------------------------------------------------------------------- grouping */

static size_t nearest_centre(const struct content *c, const float *vector)
{
    size_t best = 0;
    float least = INFINITY;
    for (size_t i = 0; i < c->n_lists; i++) {
        float distance = index_distance(vector, c->centres + i * c->dims, c->dims);
        if (!(distance < least)) continue;
        least = distance;
        best = i;
    }
    return best;
}

/* One round of Lloyd's; the last one only assigns. */
static void round_of(struct content *c, uint32_t *list, double *sums, uint64_t *counts, bool move)
{
    memset(sums, 0, (size_t)c->n_lists * c->dims * sizeof *sums);
    memset(counts, 0, c->n_lists * sizeof *counts);
    for (uint64_t i = 0; i < c->n_vectors; i++) {
        const float *vector = c->vectors + i * c->dims;
        list[i] = (uint32_t)nearest_centre(c, vector);
        counts[list[i]]++;
        for (size_t d = 0; d < c->dims; d++) sums[list[i] * (size_t)c->dims + d] += vector[d];
    }
    for (size_t i = 0; i < c->n_lists && move; i++)
        for (size_t d = 0; d < c->dims && counts[i] > 0; d++)
            c->centres[i * c->dims + d] = (float)(sums[i * c->dims + d] / (double)counts[i]);
}

/* Put the vectors list by list. */
static bool sort(struct content *c, const uint32_t *list, const uint64_t *counts)
{
    float *sorted = memory_array((size_t)c->n_vectors * c->dims, sizeof *sorted);
    uint64_t *next = memory_array(c->n_lists, sizeof *next);
    for (uint64_t i = 0, end = 0; sorted && next && i < c->n_lists; i++) {
        next[i] = end;
        c->ends[i] = end += counts[i];
    }
    for (uint64_t i = 0; sorted && next && i < c->n_vectors; i++)
        memcpy(sorted + next[list[i]]++ * c->dims, c->vectors + i * c->dims,
               c->dims * sizeof *sorted);
    bool done = sorted && next;
    free(next);
    if (done) {
        free(c->vectors);
        c->vectors = sorted;
    } else {
        free(sorted);
    }
    return done;
}

/* Groups vectors (k-means, Lloyd 1982) as the trainers' faiss does: 16 √n lists, but of at least 39
 * vectors each. */
static bool group(struct content *c)
{
    uint64_t by_root = (uint64_t)(16.0 * sqrt((double)c->n_vectors));
    uint64_t by_size = c->n_vectors / VECTORS_PER_LIST;
    uint64_t n_lists = by_root < by_size ? by_root : by_size;
    c->n_lists = n_lists > 0 ? (uint32_t)n_lists : 1;
    c->n_probes = PROBES;
    c->centres = memory_array((size_t)c->n_lists * c->dims, sizeof *c->centres);
    c->ends = memory_array(c->n_lists, sizeof *c->ends);
    uint32_t *list = memory_array((size_t)c->n_vectors, sizeof *list);
    double *sums = memory_array((size_t)c->n_lists * c->dims, sizeof *sums);
    uint64_t *counts = memory_array(c->n_lists, sizeof *counts);
    bool done = c->centres && c->ends && list && sums && counts;
    for (uint64_t i = 0; done && i < c->n_lists; i++)
        memcpy(c->centres + i * c->dims, c->vectors + i * c->n_vectors / c->n_lists * c->dims,
               c->dims * sizeof(float));
    for (int round = 0; done && round <= ROUNDS; round++)
        round_of(c, list, sums, counts, round < ROUNDS);
    done = done && sort(c, list, counts);
    free(list);
    free(sums);
    free(counts);
    return done;
}

/* --------------------------------------------------------------------- reading */

static int memory_out(struct kodama_error *error)
{
    return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
}

static bool sizes_fit(const struct content *c)
{
    return c->dims >= 2 && c->dims <= INDEX_DIMS_MOST && c->dims % 2 == 0 && c->n_vectors >= 1 &&
           c->n_vectors <= INDEX_VECTORS_MOST;
}

/* "N, DIMS)" */
static bool read_shape(const char *text, unsigned long long *n, unsigned long long *dims)
{
    char *end;
    *n = strtoull(text, &end, 10);
    if (strncmp(end, ", ", 2) != 0) return false;
    *dims = strtoull(end + 2, &end, 10);
    return *end == ')';
}

/* The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (n, d), } */
static int read_npy(struct reader *r, struct content *c, const char *path,
                    struct kodama_error *error)
{
    char head[512] = "";
    r->at = 6;
    uint64_t version = take_number(r, 2) & 255;
    uint64_t length = take_number(r, version == 1 ? 2 : 4);
    const uint8_t *text = take(r, length);
    if (text) memcpy(head, text, length < sizeof head ? (size_t)length : sizeof head - 1);
    static const char key[] = "'shape': (";
    const char *shape = strstr(head, key);
    unsigned long long n = 0, dims = 0;
    bool half = strstr(head, "'<f2'") != NULL;
    if (!shape || !read_shape(shape + sizeof key - 1, &n, &dims) ||
        !strstr(head, "'fortran_order': False") || (!half && !strstr(head, "'<f4'")))
        return error_set(error, KODAMA_ERR_UNSUPPORTED,
                         "%s is an array of numpy, but not of two dimensions of float32 or "
                         "float16, row by row",
                         path);
    c->dims = dims <= INDEX_DIMS_MOST ? (uint32_t)dims : 0;
    c->n_vectors = n;
    if (!sizes_fit(c))
        return error_set(error, KODAMA_ERR_UNSUPPORTED, "%s has %llu vectors of %llu numbers", path,
                         n, dims);
    size_t count = (size_t)n * c->dims;
    const uint8_t *values = take(r, (uint64_t)count * (half ? 2 : 4));
    if (!values) return error_set(error, KODAMA_ERR_CORRUPT, "%s is cut short: get it again", path);
    c->vectors = memory_array(count, sizeof *c->vectors);
    if (!c->vectors) return memory_out(error);
    if (half) {
        /* Not aligned in the file, perhaps. */
        uint16_t *halves = memory_array(count, sizeof *halves);
        if (!halves) return memory_out(error);
        memcpy(halves, values, count * sizeof *halves);
        tensor_to_floats(c->vectors, halves, TENSOR_F16, count);
        free(halves);
    } else {
        memcpy(c->vectors, values, count * sizeof *c->vectors);
    }
    return group(c) ? KODAMA_OK : memory_out(error);
}

/** Head of every index of faiss, after its tag. */
struct faiss_head {
    uint64_t dims, n, metric;
};

static struct faiss_head read_faiss_head(struct reader *r)
{
    struct faiss_head head = {.dims = take_number(r, 4), .n = take_number(r, 8)};
    take(r, 2 * 8 + 1); /* twice nothing; whether it is trained */
    head.metric = take_number(r, 4);
    if (head.metric > 1) take(r, 4);
    return head;
}

/* The quantiser: centres, one per list. */
static bool read_faiss_centres(struct reader *r, struct content *c)
{
    const uint8_t *tag = take(r, 4);
    if (!tag || (memcmp(tag, "IxF2", 4) != 0 && memcmp(tag, "IxFl", 4) != 0)) return false;
    struct faiss_head head = read_faiss_head(r);
    uint64_t count = take_number(r, 8);
    if (head.dims != c->dims || head.n != c->n_lists || count != head.n * head.dims) return false;
    const uint8_t *values = take(r, count * sizeof(float));
    c->centres = values ? memory_array((size_t)count, sizeof *c->centres) : NULL;
    if (c->centres) memcpy(c->centres, values, (size_t)count * sizeof *c->centres);
    return c->centres != NULL;
}

static bool read_faiss_sizes(struct reader *r, struct content *c)
{
    const uint8_t *kind = take(r, 4);
    uint64_t total = 0;
    c->ends = memory_array(c->n_lists, sizeof *c->ends);
    if (!kind || !c->ends) return false;
    if (memcmp(kind, "full", 4) == 0) {
        if (take_number(r, 8) != c->n_lists) return false;
        for (uint32_t i = 0; i < c->n_lists; i++) c->ends[i] = total += take_number(r, 8);
    } else if (memcmp(kind, "sprs", 4) == 0) { /* pairs of list and size, of those not empty */
        uint64_t n = take_number(r, 8);
        for (uint64_t i = 0; i < n && !r->failed; i += 2) {
            uint64_t list = take_number(r, 8), size = take_number(r, 8);
            if (list >= c->n_lists) return false;
            c->ends[list] = size;
        }
        for (uint32_t i = 0; i < c->n_lists; i++) c->ends[i] = total += c->ends[i];
    } else {
        return false;
    }
    /* A sum that overflowed on its way may end right. */
    for (uint32_t i = 0; i < c->n_lists; i++)
        if (c->ends[i] > c->n_vectors || (i > 0 && c->ends[i] < c->ends[i - 1])) return false;
    return !r->failed && total == c->n_vectors;
}

static bool read_faiss_lists(struct reader *r, struct content *c)
{
    size_t row = c->dims * sizeof(float);
    if (!take_tag(r, "ilar") || take_number(r, 8) != c->n_lists || take_number(r, 8) != row ||
        !read_faiss_sizes(r, c) || c->n_vectors * row > r->n)
        return false;
    c->vectors = memory_array((size_t)c->n_vectors * c->dims, sizeof *c->vectors);
    for (uint32_t i = 0; c->vectors && i < c->n_lists; i++) {
        uint64_t from = i > 0 ? c->ends[i - 1] : 0, n = c->ends[i] - from;
        const uint8_t *values = take(r, n * row);
        if (values && n > 0) memcpy(c->vectors + from * c->dims, values, (size_t)n * row);
        take(r, n * 8); /* which vectors they are */
    }
    return c->vectors && !r->failed;
}

static int read_faiss(struct reader *r, struct content *c, const char *path,
                      struct kodama_error *error)
{
    r->at = 4;
    struct faiss_head head = read_faiss_head(r);
    uint64_t n_lists = take_number(r, 8), n_probes = take_number(r, 8);
    c->dims = head.dims <= INDEX_DIMS_MOST ? (uint32_t)head.dims : 0;
    c->n_vectors = head.n;
    c->n_lists = n_lists <= INDEX_LISTS_MOST ? (uint32_t)n_lists : 0;
    c->n_probes = n_probes < 1 ? 1 : n_probes < c->n_lists ? (uint32_t)n_probes : c->n_lists;
    if (head.metric != 1)
        return error_set(error, KODAMA_ERR_UNSUPPORTED,
                         "the index %s measures by another distance than the squared one (L2)",
                         path);
    bool good = sizes_fit(c) && c->n_lists > 0 && read_faiss_centres(r, c);
    if (good) {
        uint64_t map = take_number(r, 1); /* where each vector is: not needed */
        uint64_t n = take_number(r, 8);
        take(r, n < r->n ? n * 8 : UINT64_MAX);
        if (map == 2) {
            n = take_number(r, 8);
            take(r, n < r->n ? n * 16 : UINT64_MAX);
        }
        good = read_faiss_lists(r, c);
    }
    return good ? KODAMA_OK
                : error_set(error, KODAMA_ERR_CORRUPT,
                            "the index %s is damaged, cut short, or of a faiss that is not known "
                            "here: get it again, or import the vectors it was made of (.npy)",
                            path);
}

static int read_plain(const char *path, const uint8_t *bytes, size_t n, const char *to,
                      struct kodama_error *error)
{
    struct rvc_index *index;
    int status = rvc_index_open(&index, path, 0, error);
    if (status < 0) return status;
    rvc_index_close(index);
    struct content c = {0};
    const struct index_head *head = (const struct index_head *)(const void *)bytes;
    (void)n;
    c.dims = head->dims;
    c.n_lists = head->n_lists;
    c.n_probes = head->n_probes;
    c.n_vectors = head->n_vectors;
    size_t row = c.dims * sizeof(float);
    const uint8_t *at = bytes + sizeof *head;
    c.centres = (float *)(uintptr_t)(const void *)at;
    c.ends = (uint64_t *)(uintptr_t)(const void *)(at + c.n_lists * row);
    c.vectors = (float *)(uintptr_t)(const void *)(at + c.n_lists * (row + 8));
    return write_file(to, &c, error);
}

int rvc_index_write(const char *from, const char *to, struct kodama_error *error)
{
    struct stat info;
    int file = open(from, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &info) != 0) {
        int number = errno;
        if (file >= 0) close(file);
        return error_set_file(error, "read the index", from, number, "");
    }
    size_t n = info.st_size > 0 ? (size_t)info.st_size : 0;
    void *mapped = n > 0 ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    close(file);
    struct reader r = {.bytes = mapped == MAP_FAILED ? NULL : mapped, .n = n};
    struct content c = {0};
    int status;
    if (!r.bytes || n < 16) {
        status = error_set(error, KODAMA_ERR_CORRUPT, "%s is empty: get it again", from);
    } else if (memcmp(r.bytes, INDEX_MAGIC, 8) == 0) {
        status = read_plain(from, r.bytes, n, to, error);
    } else {
        bool npy = memcmp(r.bytes, "\x93NUMPY", 6) == 0, faiss = memcmp(r.bytes, "IwFl", 4) == 0;
        status = npy     ? read_npy(&r, &c, from, error)
                 : faiss ? read_faiss(&r, &c, from, error)
                         : error_set(error, KODAMA_ERR_UNSUPPORTED,
                                     "%s is neither an array of numpy (.npy) nor an index of faiss "
                                     "of the kind IVF-Flat",
                                     from);
        if (status == KODAMA_OK) status = write_file(to, &c, error);
        drop(&c);
    }
    if (r.bytes) munmap(mapped, n);
    return status;
}

int kodama_voice_index_import(const char *from, const char *to, struct kodama_error *error)
{
    if (!from || !to) return error_set(error, KODAMA_ERR_ARGUMENT, "no index is named");
    return rvc_index_write(from, to, error);
}
