/* Fuzzing of the files that a voice's index is made of: numpy's arrays, indexes of faiss, and plain
 * ones. What is made must open, and what opens must be searched within its bounds. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "voice/rvc_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { PATH_BYTES = 64, DIMS_MAX = 4096 };

static void search(const char *path)
{
    struct rvc_index *index;
    if (rvc_index_open(&index, path, 0, NULL) < 0) return;
    static float feature[DIMS_MAX];
    for (size_t i = 0; i < DIMS_MAX; i++) feature[i] = (float)(i % 7) - 3.0f;
    if (rvc_index_dims(index) > DIMS_MAX) abort();
    rvc_index_retrieve(index, feature, 1, 0.5f);
    rvc_index_close(index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    struct kodama_error error = {0};
    int file = memfd_create("index", MFD_CLOEXEC);
    if (file < 0) return 0;
    snprintf(from, sizeof from, "/proc/self/fd/%d", file);
    snprintf(to, sizeof to, "/dev/shm/kodama-fuzz-%ld", (long)getpid());
    if (write(file, data, n_bytes) == (ssize_t)n_bytes) {
        search(from);
        int status = rvc_index_write(from, to, &error);
        if (status < 0 && error.message[0] == '\0') abort();
        if (status == KODAMA_OK) {
            struct rvc_index *index;
            if (rvc_index_open(&index, to, 0, &error) < 0) abort();
            rvc_index_close(index);
            search(to);
        }
    }
    close(file);
    unlink(to);
    return 0;
}
