/* Mirrored memory on Linux: an anonymous file (memfd) mapped twice into one reserved range. */
#define _GNU_SOURCE /* memfd_create, MAP_POPULATE */
#include "base/mirror.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"

size_t mirror_granularity(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static int map_failed(struct kodama_error *error, const char *what, size_t n_bytes)
{
    int number = errno;
    int status = number == ENOMEM ? KODAMA_ERR_MEMORY : KODAMA_ERR_SYSTEM;
    return error_set(error, status, "cannot map %zu bytes of ring memory: %s failed (errno %d)%s",
                     n_bytes, what, number,
                     number == EMFILE ? "; too many open files: raise `ulimit -n`" : "");
}

int mirror_map(uint8_t **base, size_t n_bytes, bool prefault, struct kodama_error *error)
{
    *base = NULL;
    int file = memfd_create("kodama-ring", MFD_CLOEXEC);
    if (file < 0) return map_failed(error, "memfd_create", n_bytes);
    if (ftruncate(file, (off_t)n_bytes) < 0) {
        int status = map_failed(error, "ftruncate", n_bytes);
        close(file);
        return status;
    }
    uint8_t *range = mmap(NULL, 2 * n_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (range == MAP_FAILED) {
        int status = map_failed(error, "mmap", n_bytes);
        close(file);
        return status;
    }
    int flags = MAP_SHARED | MAP_FIXED | (prefault ? MAP_POPULATE : 0);
    for (size_t half = 0; half < 2; half++) {
        if (mmap(range + half * n_bytes, n_bytes, PROT_READ | PROT_WRITE, flags, file, 0) ==
            MAP_FAILED) {
            int status = map_failed(error, "mmap", n_bytes);
            munmap(range, 2 * n_bytes);
            close(file);
            return status;
        }
    }
    close(file); /* the mappings keep it alive */
    *base = range;
    return KODAMA_OK;
}

void mirror_unmap(uint8_t *base, size_t n_bytes)
{
    if (base) munmap(base, 2 * n_bytes);
}
