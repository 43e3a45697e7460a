/*
 * Parking: a thread sleeps in the kernel until a 32-bit word changes (futex, WaitOnAddress), and
 * the asymmetric fence that lets the side that publishes data pay nothing for sleepers that are not
 * there.
 *
 * The pattern:
 *     sleeper                          waker
 *     store "I sleep"                  publish data
 *     park_fence_heavy()               park_fence_light()
 *     data there? then do not sleep    somebody sleeps? then change the word and park_wake()
 *     park_wait(word, old value)
 */
#ifndef BASE_PARK_H
#define BASE_PARK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * Sleep while *word == expected. May return early for no reason: look again.
 *
 * @param word         in this process only
 * @param expected     value seen before the decision to sleep
 * @param deadline_ns  monotonic, or CLOCK_NEVER
 * @return false when the deadline has passed, true otherwise
 *
 * Thread: any. Real-time safe: no (it sleeps).
 */
bool park_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline_ns);

/** Wake everybody who sleeps on the word; the caller changed it before. One system call.
 *  Thread: any. Real-time safe: yes, may wake. */
void park_wake(_Atomic uint32_t *word);

/**
 * Prepare the asymmetric fence. Call it once before the others are used, for example when an object
 * is created.
 *
 * @return true when heavy fences order light ones (membarrier, FlushProcessWriteBuffers); false
 * when both sides must use a full fence: pass it to park_fence_light()
 *
 * Thread: any. Real-time safe: no.
 */
bool park_fence_prepare(void);

/** The sleeper's side: orders its stores before its following loads, on all cores. One system call.
 */
void park_fence_heavy(bool asymmetric);

/** The waker's side: free when `asymmetric`, else a full fence. Real-time safe: yes. */
static inline void park_fence_light(bool asymmetric)
{
    if (asymmetric) {
        atomic_signal_fence(memory_order_seq_cst);
    } else {
        atomic_thread_fence(memory_order_seq_cst);
    }
}

/** Tell the core that this is a spinning loop. */
static inline void park_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
