/* The monotonic clock: nanoseconds that never go back. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_S UINT64_C(1000000000)
#define CLOCK_NS_PER_MS UINT64_C(1000000)

/** Deadline that never comes. */
#define CLOCK_NEVER UINT64_MAX

/** Monotonic time now, ns since some start. Thread: any. Real-time safe: yes. */
uint64_t clock_now_ns(void);

/** CPU time of the calling thread, ns. Thread: any. Real-time safe: no (a system call). */
uint64_t clock_thread_cpu_ns(void);

/** Sleep until a monotonic time; returns at once if it has passed. Thread: any. Real-time safe: no.
 */
void clock_sleep_until(uint64_t deadline_ns);

/** The deadline of a timeout: now + timeout, or CLOCK_NEVER for a negative one. */
static inline uint64_t clock_deadline(int64_t timeout_ns)
{
    if (timeout_ns < 0) return CLOCK_NEVER;
    return clock_now_ns() + (uint64_t)timeout_ns;
}

#endif
