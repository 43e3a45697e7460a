/* Something that an event loop can wait for: a descriptor here, a HANDLE on Windows. */
#ifndef KODAMA_WAITABLE_H
#define KODAMA_WAITABLE_H

#include <stdint.h>

#include <kodama/api.h>

/**
 * A level-triggered wake-up. It belongs to the object that handed it out and lives as long as that
 * object: poll it (POLLIN; WaitForSingleObject), never read, write or close it.
 */
struct kodama_waitable {
#if defined(_WIN32)
    void *handle; /**< an event HANDLE, NULL when there is none */
#else
    int fd; /**< a file descriptor, -1 when there is none */
#endif
};

/**
 * Wait until a waitable is signalled; what poll() or WaitForSingleObject would do.
 *
 * @param waitable    handed out by a Kodama object
 * @param timeout_ns  nanoseconds, 0 to look only, KODAMA_FOREVER
 * @return KODAMA_OK, or
 *         KODAMA_ERR_TIMEOUT   not signalled in time
 *         KODAMA_ERR_ARGUMENT  there is no such waitable
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_waitable_wait(struct kodama_waitable waitable, int64_t timeout_ns);

#endif
