/* The monotonic clock on Windows. */
#include "base/clock.h"

#include <windows.h>

uint64_t clock_now_ns(void)
{
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    uint64_t whole = (uint64_t)ticks.QuadPart / (uint64_t)per_second.QuadPart;
    uint64_t part = (uint64_t)ticks.QuadPart % (uint64_t)per_second.QuadPart;
    return whole * CLOCK_NS_PER_S + part * CLOCK_NS_PER_S / (uint64_t)per_second.QuadPart;
}

uint64_t clock_thread_cpu_ns(void)
{
    FILETIME created, ended, kernel, user;
    GetThreadTimes(GetCurrentThread(), &created, &ended, &kernel, &user);
    uint64_t k = ((uint64_t)kernel.dwHighDateTime << 32) | kernel.dwLowDateTime;
    uint64_t u = ((uint64_t)user.dwHighDateTime << 32) | user.dwLowDateTime;
    return (k + u) * 100;
}

void clock_sleep_until(uint64_t deadline_ns)
{
    uint64_t now;
    while ((now = clock_now_ns()) < deadline_ns) {
        uint64_t ms = (deadline_ns - now) / CLOCK_NS_PER_MS;
        Sleep(ms > 0x7fffffff ? 0x7fffffff : (DWORD)ms);
    }
}
