/*
 * Events of a stream: conditions that are told once, and the list of its gaps.
 *
 * The dispatcher looks at every chunk that it passes; nobody else tells events, so that their order
 * is that of the timeline.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/waitable.h"
#include "stream/stream_internal.h"

/* Hysteresis: a condition begins above the first and is over below the second. */
enum { QUEUE_BEGIN_PERCENT = 80, QUEUE_OVER_PERCENT = 50, LAG_BEGIN_MS = 100, LAG_OVER_MS = 50 };

enum { MARKS_AT_ONCE = 32 };

void events_init(struct events *events)
{
    mutex_init(&events->lock);
    condition_init(&events->changed);
    events->waitable = WAITABLE_NONE;
}

void events_free(struct events *events)
{
    if (events->has_waitable) waitable_destroy(events->waitable);
    condition_destroy(&events->changed);
    mutex_destroy(&events->lock);
}

const char *kodama_stream_event_name(enum kodama_stream_event_kind kind)
{
    switch (kind) {
    case KODAMA_STREAM_QUEUE: return "queue";
    case KODAMA_STREAM_GAP: return "gap";
    case KODAMA_STREAM_LOST: return "lost";
    case KODAMA_STREAM_VANISHED: return "vanished";
    case KODAMA_STREAM_CALLBACK: return "callback";
    case KODAMA_STREAM_LAG: return "lag";
    case KODAMA_STREAM_ENDED: return "ended";
    }
    return "unknown";
}

/* ------------------------------------------------------- keeping and taking */

/* After every change. The lock is held. */
static void update_waitable(struct events *events)
{
    bool wanted = events->ended || events->first < events->end;
    condition_broadcast(&events->changed);
    if (!events->has_waitable || wanted == events->signalled) return;
    events->signalled = wanted;
    if (wanted) {
        waitable_signal(events->waitable);
    } else {
        waitable_clear(events->waitable);
    }
}

void events_set_ended(struct events *events, bool ended)
{
    mutex_lock(&events->lock);
    events->ended = ended;
    update_waitable(events);
    mutex_unlock(&events->lock);
}

static void keep(struct events *events, struct kodama_stream_event *event)
{
    mutex_lock(&events->lock);
    event->sequence = events->end++;
    if (events->end - events->first > EVENTS_KEPT) {
        events->first++;
        stream_set(&events->missed, stream_get(&events->missed) + 1);
    }
    events->kept[event->sequence % EVENTS_KEPT] = *event;
    stream_set(&events->told, events->end);
    update_waitable(events);
    mutex_unlock(&events->lock);
}

/* A warning where frames or calls are missing; what may still end well is only said. */
static enum kodama_log_level log_level(const struct kodama_stream_event *event)
{
    if (event->kind == KODAMA_STREAM_ENDED || event->over) return KODAMA_LOG_DEBUG;
    bool late = event->kind == KODAMA_STREAM_QUEUE || event->kind == KODAMA_STREAM_LAG;
    return late ? KODAMA_LOG_INFO : KODAMA_LOG_WARNING;
}

void events_tell(struct kodama_stream *stream, struct kodama_stream_event *event,
                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(event->text, sizeof event->text, format, arguments);
    va_end(arguments);
    event->time_ns = clock_now_ns();
    keep(&stream->events, event);
    log_write(stream->log, log_level(event), "%s", event->text);
    if (stream->on_event && !atomic_load(&stream->abandoned)) {
        stream->on_event(stream->event_user, event);
    }
}

int kodama_stream_next_event(struct kodama_stream *stream, struct kodama_stream_event *event,
                             int64_t timeout_ns)
{
    if (event) *event = (struct kodama_stream_event){0};
    if (!stream || !event) return KODAMA_ERR_ARGUMENT;
    struct events *events = &stream->events;
    uint64_t deadline = clock_deadline(timeout_ns);
    int status = KODAMA_OK;
    mutex_lock(&events->lock);
    bool in_time = timeout_ns != 0;
    while (events->first == events->end && status == KODAMA_OK) {
        if (events->ended) {
            status = KODAMA_ERR_CLOSED;
        } else if (!in_time) {
            status = timeout_ns == 0 ? KODAMA_ERR_EMPTY : KODAMA_ERR_TIMEOUT;
        } else {
            in_time = condition_wait(&events->changed, &events->lock, deadline);
        }
    }
    if (status == KODAMA_OK) {
        *event = events->kept[events->first++ % EVENTS_KEPT];
        update_waitable(events);
    }
    mutex_unlock(&events->lock);
    return status;
}

int kodama_stream_event_waitable(struct kodama_stream *stream, struct kodama_waitable *waitable)
{
    if (!waitable) return KODAMA_ERR_ARGUMENT;
    *waitable = WAITABLE_NONE;
    if (!stream) return KODAMA_ERR_ARGUMENT;
    struct events *events = &stream->events;
    int status = KODAMA_OK;
    mutex_lock(&events->lock);
    if (!events->has_waitable) {
        status = waitable_create(&events->waitable);
        events->has_waitable = status == KODAMA_OK;
        update_waitable(events);
    }
    *waitable = events->waitable;
    mutex_unlock(&events->lock);
    return status;
}

/* -------------------------------------------------------------------- gaps */

/* Add a gap, or let the newest one grow. */
static void note_gap(struct events *events, uint64_t position, uint64_t length, bool lost,
                     bool grows)
{
    mutex_lock(&events->lock);
    if (!grows) {
        events->gaps[events->n_gaps++ % GAPS_KEPT] = (struct kodama_gap){position, 0, lost};
        stream_set(&events->gaps_told, events->n_gaps);
    }
    /* A loss may have been noted while a gap of the source went on. */
    for (uint64_t i = events->n_gaps; i > 0 && events->n_gaps - i < GAPS_KEPT; i--) {
        struct kodama_gap *gap = &events->gaps[(i - 1) % GAPS_KEPT];
        if (gap->lost != lost) continue;
        gap->length += length;
        break;
    }
    mutex_unlock(&events->lock);
}

int64_t kodama_stream_gaps(const struct kodama_stream *stream, struct kodama_gap *gaps, size_t max)
{
    if (!stream || (!gaps && max > 0)) return KODAMA_ERR_ARGUMENT;
    struct events *events = &((struct kodama_stream *)(uintptr_t)stream)->events;
    mutex_lock(&events->lock);
    uint64_t all = events->n_gaps, n = all < GAPS_KEPT ? all : GAPS_KEPT;
    if (n > max) n = max;
    for (uint64_t i = 0; i < n; i++) gaps[i] = events->gaps[(all - n + i) % GAPS_KEPT];
    mutex_unlock(&events->lock);
    return (int64_t)all;
}

static void tell_gap(struct kodama_stream *stream)
{
    struct conditions *now = &stream->conditions;
    uint64_t length = now->gap_end - now->gap_begin;
    struct kodama_stream_event event = {
        .kind = KODAMA_STREAM_GAP, .position = now->gap_begin, .length = length};
    now->gap = false;
    events_tell(stream, &event, "%" PRIu64 " frames are missing from frame %" PRIu64 " on", length,
                now->gap_begin);
}

/* Missing frames [begin, end), none of which was looked at before. */
static void extend_gap(struct kodama_stream *stream, uint64_t begin, uint64_t end)
{
    struct conditions *now = &stream->conditions;
    if (now->gap && begin < now->gap_end) begin = now->gap_end; /* marks may overlap */
    if (begin >= end) return;
    bool grows = now->gap && begin == now->gap_end;
    if (now->gap && !grows) tell_gap(stream);
    if (!grows) now->gap_begin = begin;
    now->gap = true;
    now->gap_end = end;
    note_gap(&stream->events, begin, end - begin, false, grows);
}

void events_scan(struct kodama_stream *stream, uint64_t first, uint64_t n_frames)
{
    struct conditions *now = &stream->conditions;
    struct kodama_mark marks[MARKS_AT_ONCE];
    uint64_t end = first + n_frames;
    int found = kodama_ring_marks(stream->ring, first, n_frames, marks, MARKS_AT_ONCE, NULL);
    if (found > MARKS_AT_ONCE && n_frames > 1) {
        events_scan(stream, first, n_frames / 2);
        events_scan(stream, first + n_frames / 2, n_frames - n_frames / 2);
        return;
    }
    for (int i = 0; i < found && i < MARKS_AT_ONCE; i++) {
        const struct kodama_mark *mark = &marks[i];
        uint64_t mark_end = mark->position + mark->length;
        uint64_t from = mark->position > first ? mark->position : first;
        uint64_t to = mark_end < end ? mark_end : end;
        if (mark->flags & KODAMA_MARK_GAP) extend_gap(stream, from, to);
        if (!(mark->flags & (KODAMA_MARK_GAP | KODAMA_MARK_SILENT))) continue;
        if (from < now->silent_end) from = now->silent_end;
        if (from >= to) continue;
        stream_set(&stream->silent_frames, stream_get(&stream->silent_frames) + (to - from));
        now->silent_end = to;
    }
    if (now->gap && now->gap_end < end) tell_gap(stream);
}

/* ---------------------------------------------------- conditions that last */

void events_lost(struct kodama_stream *stream, uint64_t first, uint64_t n_frames)
{
    struct conditions *now = &stream->conditions;
    stream_set(&stream->lost_frames, stream_get(&stream->lost_frames) + n_frames);
    if (now->lost) {
        bool grows = now->lost_position + now->lost_frames == first;
        note_gap(&stream->events, first, n_frames, true, grows);
        now->lost_frames += n_frames;
        return;
    }
    note_gap(&stream->events, first, n_frames, true, false);
    now->lost = true;
    now->lost_position = first;
    now->lost_frames = n_frames;
    struct kodama_stream_event event = {
        .kind = KODAMA_STREAM_LOST, .position = first, .length = n_frames};
    events_tell(stream, &event,
                "the callbacks are too slow or the ring is too short: %" PRIu64
                " frames from frame %" PRIu64 " on were lost; further losses are counted",
                n_frames, first);
}

static void end_lost(struct kodama_stream *stream)
{
    struct conditions *now = &stream->conditions;
    struct kodama_stream_event event = {.kind = KODAMA_STREAM_LOST,
                                        .over = true,
                                        .position = now->lost_position,
                                        .length = now->lost_frames};
    now->lost = false;
    events_tell(stream, &event, "the callbacks keep up again: %" PRIu64 " frames were lost",
                now->lost_frames);
}

static void tell_queue(struct kodama_stream *stream, bool over, uint64_t position,
                       uint64_t queue_frames)
{
    struct kodama_stream_event event = {
        .kind = KODAMA_STREAM_QUEUE, .over = over, .position = position, .length = queue_frames};
    stream->conditions.queue = !over;
    events_tell(stream, &event,
                over ? "the queue is below %d %% of the ring again (%" PRIu64 " frames)"
                     : "the queue is above %d %% of the ring (%" PRIu64
                       " frames): the callbacks are too slow",
                over ? QUEUE_OVER_PERCENT : QUEUE_BEGIN_PERCENT, queue_frames);
}

void events_queue(struct kodama_stream *stream, uint64_t position, uint64_t queue_frames)
{
    struct conditions *now = &stream->conditions;
    uint64_t capacity = kodama_ring_capacity(stream->ring);
    if (queue_frames > stream_get(&stream->queue_most)) {
        stream_set(&stream->queue_most, queue_frames);
    }
    bool low = queue_frames * 100 < capacity * QUEUE_OVER_PERCENT;
    if (now->lost && low) end_lost(stream);
    /* A source that runs ahead as far as it can fills its queue by design. */
    if (stream->overflow == KODAMA_OVERFLOW_WAIT && !source_keeps_time(stream->source)) return;
    if (!now->queue && queue_frames * 100 > capacity * QUEUE_BEGIN_PERCENT) {
        tell_queue(stream, false, position, queue_frames);
    } else if (now->queue && low) {
        tell_queue(stream, true, position, queue_frames);
    }
}

static void tell_lag(struct kodama_stream *stream, bool over, uint64_t position, uint64_t lag_ns)
{
    struct kodama_stream_event event = {
        .kind = KODAMA_STREAM_LAG, .over = over, .position = position};
    stream->conditions.lag = !over;
    events_tell(stream, &event,
                over ? "chunks are dispatched in time again (%.1f ms after they were written)"
                     : "chunks are dispatched late (%.1f ms after they were written)",
                (double)lag_ns / (double)CLOCK_NS_PER_MS);
}

void events_lag(struct kodama_stream *stream, uint64_t position, uint64_t lag_ns)
{
    struct conditions *now = &stream->conditions;
    if (!source_keeps_time(stream->source)) return;
    if (!now->lag && lag_ns > LAG_BEGIN_MS * CLOCK_NS_PER_MS) {
        tell_lag(stream, false, position, lag_ns);
    } else if (now->lag && lag_ns < LAG_OVER_MS * CLOCK_NS_PER_MS) {
        tell_lag(stream, true, position, lag_ns);
    }
}

void events_target(struct kodama_stream *stream)
{
    struct conditions *now = &stream->conditions;
    struct source_counters *counters = &stream->source->counters;
    /* In this order: it cannot have come back more often than it has gone. */
    uint64_t returned = atomic_load_explicit(&counters->returned, memory_order_acquire);
    uint64_t vanished = atomic_load_explicit(&counters->vanished, memory_order_acquire);
    while (now->vanished < vanished || now->returned < returned) {
        struct kodama_stream_event event = {.kind = KODAMA_STREAM_VANISHED};
        event.over = now->vanished > now->returned;
        if (event.over) {
            uint64_t at = stream_get(&counters->returned_at);
            now->returned++;
            event.position = at;
            event.length = at > now->vanished_at ? at - now->vanished_at : 0;
            events_tell(stream, &event, "what is captured is back at frame %" PRIu64, at);
        } else {
            now->vanished_at = stream_get(&counters->vanished_at);
            now->vanished++;
            event.position = now->vanished_at;
            events_tell(stream, &event, "what is captured has gone at frame %" PRIu64,
                        now->vanished_at);
        }
    }
}

void events_end(struct kodama_stream *stream, uint64_t position)
{
    struct conditions *now = &stream->conditions;
    events_target(stream);
    if (now->gap) tell_gap(stream);
    if (now->lost) end_lost(stream);
    if (now->queue) tell_queue(stream, true, position, 0);
    if (now->lag) tell_lag(stream, true, position, 0);
    struct kodama_error error = {0};
    struct kodama_stream_event event = {.kind = KODAMA_STREAM_ENDED, .position = position};
    event.status = stream_status(stream, &error);
    events_tell(stream, &event, "the stream has ended at frame %" PRIu64 "%s%.120s", position,
                event.status < 0 ? ": " : "", event.status < 0 ? error.message : "");
}
