/* What beds are put together from: slow random curves, and things that ring. */
#include "voice/noise_kind.h"

void noise_slow_begin(struct noise_slow *slow, float seconds, uint32_t rate_hz, uint64_t *random)
{
    float blocks = seconds * (float)rate_hz / NOISE_BLOCK;
    slow->keep = expf(-1 / blocks);
    slow->push = sqrtf(1 - slow->keep * slow->keep);
    slow->part = 1 - expf(-5 / blocks);
    slow->raw = slow->y = noise_bell(random);
}

float noise_slow_next(struct noise_slow *slow, uint64_t *random)
{
    slow->raw = slow->keep * slow->raw + slow->push * noise_bell(random);
    slow->y += slow->part * (slow->raw - slow->y);
    return slow->y;
}

void noise_rings_strike(struct noise_rings *rings, uint32_t offset, float hz, float decay_s,
                        float amplitude, uint32_t rate_hz)
{
    if (hz > 0.45f * (float)rate_hz) return;
    uint32_t free = 0;
    while (free < rings->n_used && rings->rings[free].left > 0) free++;
    if (free == NOISE_RINGS) return;
    if (free == rings->n_used) rings->n_used++;
    float w = 2 * (float)NOISE_PI * hz / (float)rate_hz;
    float r = expf(-1 / (decay_s * (float)rate_hz));
    /* The two samples before the first one, which is 0. */
    rings->rings[free] = (struct noise_ring){
        .c1 = 2 * r * cosf(w),
        .c2 = r * r,
        .y1 = -amplitude * sinf(w) / r,
        .y2 = -amplitude * sinf(2 * w) / (r * r),
        .begin = offset,
        .left = (uint32_t)(8 * decay_s * (float)rate_hz) + 1,
    };
}

static void ring_add(struct noise_ring *ring, float *out)
{
    float y1 = ring->y1, y2 = ring->y2;
    for (uint32_t i = ring->begin; i < NOISE_BLOCK; i++) {
        float y = ring->c1 * y1 - ring->c2 * y2;
        out[i] += y;
        y2 = y1;
        y1 = y;
    }
    uint32_t n = NOISE_BLOCK - ring->begin;
    ring->y1 = y1;
    ring->y2 = y2;
    ring->begin = 0;
    ring->left = ring->left > n ? ring->left - n : 0;
}

void noise_rings_add(struct noise_rings *rings, float *out)
{
    for (uint32_t i = 0; i < rings->n_used; i++) {
        if (rings->rings[i].left > 0) ring_add(&rings->rings[i], out);
    }
    while (rings->n_used > 0 && rings->rings[rings->n_used - 1].left == 0) rings->n_used--;
}
