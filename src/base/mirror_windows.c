/* Mirrored memory on Windows: a section mapped twice into a range that was reserved and given back.
 */
#include "base/mirror.h"

#include <string.h>
#include <windows.h>

#include "base/error.h"

/* Between giving the range back and mapping into it another thread may take it: then try elsewhere.
 */
enum { MIRROR_ATTEMPTS = 16 };

size_t mirror_granularity(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwAllocationGranularity;
}

static uint8_t *map_twice(HANDLE section, size_t n_bytes)
{
    uint8_t *range = VirtualAlloc(NULL, 2 * n_bytes, MEM_RESERVE, PAGE_NOACCESS);
    if (!range) return NULL;
    VirtualFree(range, 0, MEM_RELEASE);
    if (!MapViewOfFileEx(section, FILE_MAP_ALL_ACCESS, 0, 0, n_bytes, range)) return NULL;
    if (!MapViewOfFileEx(section, FILE_MAP_ALL_ACCESS, 0, 0, n_bytes, range + n_bytes)) {
        UnmapViewOfFile(range);
        return NULL;
    }
    return range;
}

int mirror_map(uint8_t **base, size_t n_bytes, bool prefault, struct kodama_error *error)
{
    *base = NULL;
    HANDLE section =
        CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE,
                           (DWORD)((uint64_t)n_bytes >> 32), (DWORD)(n_bytes & 0xffffffffu), NULL);
    if (!section) {
        return error_set(error, KODAMA_ERR_MEMORY,
                         "cannot map %llu bytes of ring memory: error %lu",
                         (unsigned long long)n_bytes, GetLastError());
    }
    uint8_t *range = NULL;
    for (int attempt = 0; attempt < MIRROR_ATTEMPTS && !range; attempt++) {
        range = map_twice(section, n_bytes);
    }
    DWORD number = GetLastError();
    CloseHandle(section); /* the views keep it alive */
    if (!range) {
        return error_set(error, KODAMA_ERR_SYSTEM,
                         "cannot mirror %llu bytes of ring memory: error %lu",
                         (unsigned long long)n_bytes, number);
    }
    if (prefault) memset(range, 0, n_bytes);
    *base = range;
    return KODAMA_OK;
}

void mirror_unmap(uint8_t *base, size_t n_bytes)
{
    if (!base) return;
    UnmapViewOfFile(base);
    UnmapViewOfFile(base + n_bytes);
}
