/* boost::lockfree::spsc_queue in the comparison of rings. */
#include "ring_contender.h"

#include <boost/lockfree/spsc_queue.hpp>

typedef boost::lockfree::spsc_queue<bench_frame,
                                    boost::lockfree::capacity<BENCH_CAPACITY / BENCH_FRAME>>
    queue;

static void *create(int)
{
    return new queue;
}

static void destroy(void *context)
{
    delete static_cast<queue *>(context);
}

/* As the others: all n bytes or none. */
static inline size_t read_all(queue *ring, uint8_t *to, size_t n)
{
    if (ring->read_available() < n / BENCH_FRAME) return 0;
    return ring->pop(reinterpret_cast<bench_frame *>(to), n / BENCH_FRAME) * BENCH_FRAME;
}

BENCH_LOOPS(boost_queue, queue,
            ring->push(reinterpret_cast<const bench_frame *>(from), n / BENCH_FRAME) * BENCH_FRAME,
            read_all(ring, to, n))

extern const struct contender bench_boost = {"boost::lockfree::spsc_queue",
                                             "",
                                             "none: spins",
                                             1,
                                             create,
                                             destroy,
                                             boost_queue_write,
                                             boost_queue_read};
