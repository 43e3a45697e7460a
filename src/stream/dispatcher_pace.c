/* The pace of an adaptive dispatcher. */
#include "stream/dispatcher_pace.h"

#include <stdbool.h>

#include "base/clock.h"

static uint64_t duration_ns(uint32_t n_frames, uint32_t rate_hz)
{
    return (uint64_t)n_frames * CLOCK_NS_PER_S / rate_hz;
}

uint32_t pace_next(struct pace *pace, uint32_t chunk_frames, uint64_t queue_frames,
                   uint64_t calls_ns, uint32_t rate_hz)
{
    uint32_t least = rate_hz * PACE_LEAST_MS / 1000, most = rate_hz * PACE_MOST_MS / 1000;
    bool behind = queue_frames > 2 * (uint64_t)chunk_frames ||
                  calls_ns > duration_ns(chunk_frames, rate_hz) / 2;
    if (behind) {
        pace->calm = 0;
        if (chunk_frames >= most) return chunk_frames;
        return chunk_frames < most / 2 ? 2 * chunk_frames : most;
    }
    if (chunk_frames <= least) return chunk_frames;
    uint32_t shorter = chunk_frames - (chunk_frames + 7) / 8;
    if (shorter < least) shorter = least;
    bool calm = queue_frames < chunk_frames && calls_ns < duration_ns(shorter, rate_hz) / 4;
    pace->calm = calm ? pace->calm + 1 : 0;
    if (pace->calm < PACE_CALM_CHUNKS) return chunk_frames;
    pace->calm = 0;
    return shorter;
}
