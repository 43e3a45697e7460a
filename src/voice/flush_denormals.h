/* Numbers near zero are slow on many processors, and silence is full of them: while a chain runs,
 * they are zero. */
#ifndef VOICE_FLUSH_DENORMALS_H
#define VOICE_FLUSH_DENORMALS_H

#include <stdint.h>

#if defined(__SSE2__)
#include <xmmintrin.h>

/** Begin; give the result to flush_denormals_end() on the same thread. Real-time safe: yes. */
static inline uint64_t flush_denormals_begin(void)
{
    unsigned int before = _mm_getcsr();
    _mm_setcsr(before | 0x8040u); /* flush to zero, denormals are zero */
    return before;
}

static inline void flush_denormals_end(uint64_t before)
{
    _mm_setcsr((unsigned int)before);
}

#elif defined(__aarch64__)

static inline uint64_t flush_denormals_begin(void)
{
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" ::"r"(before | (UINT64_C(1) << 24)));
    return before;
}

static inline void flush_denormals_end(uint64_t before)
{
    __asm__ volatile("msr fpcr, %0" ::"r"(before));
}

#else

static inline uint64_t flush_denormals_begin(void)
{
    return 0;
}

static inline void flush_denormals_end(uint64_t before)
{
    (void)before;
}

#endif

#endif
