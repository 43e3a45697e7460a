/* Parking on Windows: WaitOnAddress and FlushProcessWriteBuffers. */
#include "base/park.h"

#include <windows.h>

#include "base/clock.h"

bool park_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns)
{
    DWORD ms = INFINITE;
    if (deadline_ns != CLOCK_NEVER) {
        uint64_t now = clock_now_ns();
        uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
        uint64_t rounded = (left + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
        ms = rounded > 0x7fffffff ? 0x7fffffff : (DWORD)rounded;
    }
    return WaitOnAddress((volatile VOID *)word, &expected, sizeof expected, ms) ||
           GetLastError() != ERROR_TIMEOUT;
}

void park_wake(_Atomic uint32_t *word)
{
    WakeByAddressAll((PVOID)word);
}

bool park_fence_prepare(void)
{
    return true;
}

void park_fence_heavy(bool asymmetric)
{
    (void)asymmetric;
    FlushProcessWriteBuffers();
}
