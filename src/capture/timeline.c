/* Timelines: from device clocks to exact positions, with everything that is missing in its place.
 */
#include "capture/timeline.h"

#include <string.h>

#include "base/clock.h"

enum { OWNER_NONE = 0, OWNER_DEVICE, OWNER_KEEPER };

/* Without a device for so long (and two of its periods) the keeper takes over: longer than machines
 * shared by many stall now and then. */
#define HOLD_NS (200 * CLOCK_NS_PER_MS)
/* The keeper stays so far behind the time (and two periods: what a device delivers late in a period
 * belongs to its beginning) that a device which comes back finds its place free. */
#define MARGIN_NS (30 * CLOCK_NS_PER_MS)
#define PERIOD_NS (10 * CLOCK_NS_PER_MS)
/* A keeper that itself was held up so long cannot blame the device: it waits once more. */
#define LATE_NS (20 * CLOCK_NS_PER_MS)
/* A clock that jumps back so far is another clock. */
enum { BACK_SECONDS = 1 };
/* Device seconds before a drift is told: by then jitter of 0.1 ms is below 100 ppm. */
#define FIT_SECONDS 2.0

static bool take(struct timeline *timeline, uint32_t owner)
{
    uint32_t nobody = OWNER_NONE;
    return atomic_compare_exchange_strong_explicit(&timeline->owner, &nobody, owner,
                                                   memory_order_acquire, memory_order_relaxed);
}

static void give(struct timeline *timeline)
{
    atomic_store_explicit(&timeline->owner, OWNER_NONE, memory_order_release);
}

/* n * to / from without overflow. */
static uint64_t scale(uint64_t n, uint64_t to, uint64_t from)
{
    return n / from * to + n % from * to / from;
}

static uint64_t rate_of(const struct timeline *timeline)
{
    return timeline->source->format.rate_hz;
}

void timeline_start(struct timeline *timeline, struct kodama_source *source)
{
    bool present = atomic_load_explicit(&timeline->present, memory_order_relaxed);
    uint64_t now = clock_now_ns();
    *timeline = (struct timeline){.source = source,
                                  .end_time_ns = now,
                                  .end_position = kodama_ring_position(source->ring),
                                  .next_stamp = kodama_ring_position(source->ring)};
    atomic_store_explicit(&timeline->driven_ns, now, memory_order_relaxed);
    atomic_store_explicit(&timeline->present, present, memory_order_relaxed);
}

void timeline_new_clock(struct timeline *timeline)
{
    atomic_store_explicit(&timeline->new_clock, true, memory_order_relaxed);
}

void timeline_set_present(struct timeline *timeline, bool present)
{
    atomic_store_explicit(&timeline->present, present, memory_order_relaxed);
}

/* ------------------------------------------------------------------- drift */

static void fit_add(struct timeline *timeline, const struct timeline_period *period)
{
    struct timeline_fit *fit = &timeline->fit;
    double x = (double)(period->ticks - timeline->anchor_ticks) / (double)period->clock_hz;
    double y = (double)(int64_t)(period->time_ns - timeline->anchor_time_ns) / 1e9 - x;
    fit->n += 1.0;
    fit->x += x;
    fit->y += y;
    fit->xx += x * x;
    fit->xy += x * y;
    double spread = fit->n * fit->xx - fit->x * fit->x;
    if (x < FIT_SECONDS || spread <= 0.0) return;
    double slope = (fit->n * fit->xy - fit->x * fit->y) / spread;
    /* A device that is fast takes less monotonic time for its seconds. */
    atomic_store_explicit(&timeline->source->counters.drift_ppm, -slope * 1e6,
                          memory_order_relaxed);
}

/* ------------------------------------------------------------ the device's side */

static void write_gap(struct timeline *timeline, uint64_t n_frames, uint64_t time_ns)
{
    /* Of a live ring nobody holds the writer back; closed: the stream is about to stop. */
    if (n_frames > 0) (void)source_write_gap(timeline->source, (size_t)n_frames, time_ns);
}

/* Where the time says that the timeline should be. */
static int64_t position_at(const struct timeline *timeline, uint64_t time_ns)
{
    int64_t elapsed = (int64_t)(time_ns - timeline->end_time_ns);
    uint64_t n =
        scale((uint64_t)(elapsed < 0 ? -elapsed : elapsed), rate_of(timeline), CLOCK_NS_PER_S);
    int64_t frames = elapsed < 0 ? -(int64_t)n : (int64_t)n;
    return (int64_t)timeline->end_position + frames - (int64_t)timeline->ahead;
}

/* Another clock: the monotonic one tells how much lies between. Returns the position to write at.
 */
static uint64_t anchor(struct timeline *timeline, const struct timeline_period *period,
                       uint64_t position)
{
    bool first = !timeline->begun;
    /* Until something was written, the start takes as long as it takes. */
    if (!first || position > timeline->end_position) {
        int64_t expected = position_at(timeline, period->time_ns);
        int64_t missing = expected - (int64_t)position;
        timeline->ahead = missing < 0 ? (uint64_t)-missing : 0;
        if (missing > 0) {
            uint64_t length = scale((uint64_t)missing, CLOCK_NS_PER_S, rate_of(timeline));
            write_gap(timeline, (uint64_t)missing, period->time_ns - length);
            position += (uint64_t)missing;
        }
        struct kodama_mark mark = {
            .position = position, .time_ns = period->time_ns, .flags = KODAMA_MARK_CLOCK};
        (void)kodama_writer_mark(&timeline->source->writer, &mark);
        source_count(&timeline->source->counters.clock_changes, 1);
    }
    timeline->anchored = timeline->begun = true;
    timeline->clock_id = period->clock_id;
    timeline->clock_hz = period->clock_hz;
    timeline->anchor_ticks = period->ticks;
    timeline->anchor_time_ns = period->time_ns;
    timeline->anchor_position = position;
    timeline->fit = (struct timeline_fit){0};
    return position;
}

static bool is_known_clock(struct timeline *timeline, const struct timeline_period *period)
{
    if (atomic_load_explicit(&timeline->new_clock, memory_order_relaxed)) {
        atomic_store_explicit(&timeline->new_clock, false, memory_order_relaxed);
        return false;
    }
    uint64_t back = (uint64_t)BACK_SECONDS * period->clock_hz;
    return timeline->anchored && timeline->clock_id == period->clock_id &&
           timeline->clock_hz == period->clock_hz && period->ticks >= timeline->anchor_ticks &&
           (timeline->end_position <= timeline->anchor_position ||
            period->ticks + back >=
                timeline->anchor_ticks + scale(timeline->end_position - timeline->anchor_position,
                                               timeline->clock_hz, rate_of(timeline)));
}

/* Fill what the clock says is missing before this period; how many of its first frames are already
 * on the timeline, as a gap. */
static size_t align(struct timeline *timeline, const struct timeline_period *period)
{
    uint64_t position = kodama_ring_position(timeline->source->ring);
    if (!is_known_clock(timeline, period)) {
        anchor(timeline, period, position);
        return 0;
    }
    uint64_t rate = rate_of(timeline);
    uint64_t expected = timeline->anchor_position +
                        scale(period->ticks - timeline->anchor_ticks, rate, period->clock_hz);
    /* A resampler between gives a few frames more or fewer each time. */
    uint64_t slack = rate == period->clock_hz ? 0 : period->n_frames / 2 + 64;
    if (expected > position + slack) {
        uint64_t missing = expected - position;
        uint64_t length = scale(missing, CLOCK_NS_PER_S, rate);
        write_gap(timeline, missing, period->time_ns - length);
    } else if (position > expected + slack) {
        uint64_t over = position - expected;
        return over < period->n_frames ? (size_t)over : period->n_frames;
    }
    return 0;
}

static bool is_silence(const void *frames, size_t n_bytes)
{
    const uint8_t *bytes = frames;
    if (!bytes || n_bytes == 0) return true;
    /* The first byte is 0 and each one is as the one before it. */
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, n_bytes - 1) == 0;
}

static void stamp(struct timeline *timeline, uint64_t time_ns)
{
    uint64_t position = kodama_ring_position(timeline->source->ring);
    if (position < timeline->next_stamp) return;
    struct kodama_mark mark = {.position = position, .time_ns = time_ns, .flags = KODAMA_MARK_TIME};
    (void)kodama_writer_mark(&timeline->source->writer, &mark);
    timeline->next_stamp = position + rate_of(timeline) / 100;
}

void timeline_write(struct timeline *timeline, const struct timeline_period *period)
{
    if (!take(timeline, OWNER_DEVICE)) return; /* the clock will tell what was lost */
    struct kodama_source *source = timeline->source;
    size_t frame_bytes = kodama_frame_bytes(source->format);
    size_t skip = align(timeline, period), n = period->n_frames - skip;
    const uint8_t *frames = period->frames;
    if (frames) frames += skip * frame_bytes;
    if (n > 0) {
        uint64_t offset = scale(skip, CLOCK_NS_PER_S, rate_of(timeline));
        bool present = atomic_load_explicit(&timeline->present, memory_order_relaxed);
        if (!present && is_silence(frames, n * frame_bytes)) {
            write_gap(timeline, n, period->time_ns + offset);
        } else {
            stamp(timeline, period->time_ns + offset);
            (void)source_write(source, frames, n, 0);
        }
    }
    uint64_t length = scale(period->n_frames, CLOCK_NS_PER_S, rate_of(timeline));
    timeline->end_position = kodama_ring_position(source->ring);
    timeline->end_time_ns = period->time_ns + length;
    uint64_t now = clock_now_ns();
    atomic_store_explicit(&source->counters.latency_ns,
                          now > period->time_ns ? now - period->time_ns : 0, memory_order_relaxed);
    atomic_store_explicit(&timeline->period_ns, length, memory_order_relaxed);
    /* What comes late was not missing: the keeper counts from when it came. */
    atomic_store_explicit(&timeline->driven_ns,
                          now > timeline->end_time_ns ? now : timeline->end_time_ns,
                          memory_order_relaxed);
    fit_add(timeline, period);
    give(timeline);
}

/* -------------------------------------------------------------- the keeper's side */

static void keep(struct timeline *timeline, uint64_t now_ns)
{
    uint64_t margin =
        MARGIN_NS + 2 * atomic_load_explicit(&timeline->period_ns, memory_order_relaxed);
    int64_t expected = position_at(timeline, now_ns - margin);
    uint64_t period = rate_of(timeline) / 100;
    for (;;) {
        uint64_t position = kodama_ring_position(timeline->source->ring);
        if ((int64_t)(position + period) > expected) return;
        uint64_t length = scale(position - timeline->end_position + timeline->ahead, CLOCK_NS_PER_S,
                                rate_of(timeline));
        if (source_write_gap(timeline->source, period, timeline->end_time_ns + length) < 0) return;
    }
}

uint64_t timeline_keep(struct timeline *timeline, uint64_t now_ns)
{
    uint64_t hold = HOLD_NS + 2 * atomic_load_explicit(&timeline->period_ns, memory_order_relaxed);
    uint64_t driven = atomic_load_explicit(&timeline->driven_ns, memory_order_relaxed);
    bool late = timeline->look_at != 0 && now_ns > timeline->look_at + LATE_NS;
    if (now_ns < driven + hold) {
        timeline->look_at = driven + hold;
    } else if (late && timeline->spared != driven) {
        timeline->spared = driven;
        timeline->look_at = now_ns + HOLD_NS;
    } else {
        if (take(timeline, OWNER_KEEPER)) {
            /* The device may have come just now. */
            if (atomic_load_explicit(&timeline->driven_ns, memory_order_relaxed) == driven) {
                keep(timeline, now_ns);
            }
            give(timeline);
        }
        timeline->look_at = now_ns + PERIOD_NS;
    }
    return timeline->look_at;
}
