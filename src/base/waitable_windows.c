/* Waitables on Windows: manual-reset events. */
#include "base/waitable.h"

#include <windows.h>

#include "base/clock.h"

int waitable_create(struct kodama_waitable *waitable)
{
    waitable->handle = CreateEventW(NULL, TRUE, FALSE, NULL);
    return waitable->handle ? KODAMA_OK : KODAMA_ERR_SYSTEM;
}

void waitable_destroy(struct kodama_waitable waitable)
{
    if (waitable.handle) CloseHandle(waitable.handle);
}

void waitable_signal(struct kodama_waitable waitable)
{
    SetEvent(waitable.handle);
}

void waitable_clear(struct kodama_waitable waitable)
{
    ResetEvent(waitable.handle);
}

int kodama_waitable_wait(struct kodama_waitable waitable, int64_t timeout_ns)
{
    if (!waitable.handle) return KODAMA_ERR_ARGUMENT;
    DWORD ms = INFINITE;
    if (timeout_ns >= 0) {
        uint64_t rounded = ((uint64_t)timeout_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
        ms = rounded > 0x7fffffff ? 0x7fffffff : (DWORD)rounded;
    }
    switch (WaitForSingleObject(waitable.handle, ms)) {
    case WAIT_OBJECT_0: return KODAMA_OK;
    case WAIT_TIMEOUT: return KODAMA_ERR_TIMEOUT;
    default: return KODAMA_ERR_ARGUMENT;
    }
}
