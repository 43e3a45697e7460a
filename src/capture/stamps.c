/* Stamps: when which frames were written. */
#include "capture/stamps.h"

void stamps_add(struct stamps *stamps, uint64_t position, uint64_t time_ns)
{
    uint64_t index = atomic_load_explicit(&stamps->head, memory_order_relaxed);
    struct stamp *stamp = &stamps->lane[index % STAMPS_KEPT];
    atomic_store_explicit(&stamp->version, 2 * index + 1, memory_order_relaxed);
    /* release: who loads one of these also sees the odd version */
    atomic_store_explicit(&stamp->position, position, memory_order_release);
    atomic_store_explicit(&stamp->time_ns, time_ns, memory_order_release);
    atomic_store_explicit(&stamp->version, 2 * index + 2, memory_order_release);
    atomic_store_explicit(&stamps->head, index + 1, memory_order_release);
}

/* Read one stamp; false when it is overwritten by now. */
static bool read_stamp(const struct stamps *stamps, uint64_t index, uint64_t *position,
                       uint64_t *time_ns)
{
    const struct stamp *stamp = &stamps->lane[index % STAMPS_KEPT];
    if (atomic_load_explicit(&stamp->version, memory_order_acquire) != 2 * index + 2) return false;
    *position = atomic_load_explicit(&stamp->position, memory_order_acquire);
    *time_ns = atomic_load_explicit(&stamp->time_ns, memory_order_acquire);
    return atomic_load_explicit(&stamp->version, memory_order_relaxed) == 2 * index + 2;
}

uint64_t stamps_find(const struct stamps *stamps, uint64_t position, uint64_t *next)
{
    uint64_t found_ns = 0, index = *next;
    for (;;) {
        uint64_t head = atomic_load_explicit(&stamps->head, memory_order_acquire);
        /* One less: the writer may be in the middle of the oldest. */
        uint64_t oldest = head >= STAMPS_KEPT ? head - STAMPS_KEPT + 1 : 0;
        if (index < oldest) index = oldest;
        bool whole = true;
        while (index < head && whole) {
            uint64_t at, time_ns;
            whole = read_stamp(stamps, index, &at, &time_ns);
            if (!whole) break;
            if (at > position && found_ns != 0) return found_ns;
            found_ns = time_ns; /* the oldest one, too, if it is after the frame */
            *next = index;
            if (at > position) return found_ns;
            index++;
        }
        if (whole) return found_ns;
        found_ns = 0; /* lapped by the writer: again, from further on */
    }
}
