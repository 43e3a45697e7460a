/* The other rings that the comparison knows. */
#ifndef BENCH_RING_OTHERS_H
#define BENCH_RING_OTHERS_H

#include "ring_contender.h"

extern const struct contender bench_memcpy, bench_mutex;
#if HAVE_JACK
extern const struct contender bench_jack;
#endif
#if HAVE_SPA
extern const struct contender bench_spa;
#endif

struct locked;
size_t bench_locked_write(struct locked *locked, const uint8_t *from, size_t n);
size_t bench_locked_read(struct locked *locked, uint8_t *to, size_t n);

#endif
