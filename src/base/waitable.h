/* Waitables from the inside: creating, signalling and clearing them. */
#ifndef BASE_WAITABLE_H
#define BASE_WAITABLE_H

#include <stdbool.h>

#include <kodama/status.h>
#include <kodama/waitable.h>

#if defined(_WIN32)
#define WAITABLE_NONE ((struct kodama_waitable){.handle = NULL})
#else
#define WAITABLE_NONE ((struct kodama_waitable){.fd = -1})
#endif

/** Whether there is one. */
static inline bool waitable_exists(struct kodama_waitable waitable)
{
#if defined(_WIN32)
    return waitable.handle != NULL;
#else
    return waitable.fd >= 0;
#endif
}

/** Create a waitable that is not signalled. KODAMA_OK or KODAMA_ERR_SYSTEM (then *waitable is
 * none). */
int waitable_create(struct kodama_waitable *waitable);

/** Destroy it; none is allowed. */
void waitable_destroy(struct kodama_waitable waitable);

/** Signal it, also when it is signalled already. One system call. Real-time safe: yes, may wake. */
void waitable_signal(struct kodama_waitable waitable);

/** Make it not signalled. One system call. */
void waitable_clear(struct kodama_waitable waitable);

#endif
