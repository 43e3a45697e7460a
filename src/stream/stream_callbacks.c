/*
 * Callbacks of a stream: a list in order of priority that changes while it is gone through.
 *
 * The dispatcher holds the lock only between calls. It remembers its place not as a pointer but as
 * the priority and the id of whom it called last, so the list may change as it likes meanwhile.
 * Whoever takes a callback away from another thread waits until it is not the one that is running.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "stream/stream_internal.h"

enum { FAILURES_MAX_DEFAULT = 3, CALLBACKS_MAX = 10000 };

void callbacks_init(struct callbacks *callbacks)
{
    mutex_init(&callbacks->lock);
    condition_init(&callbacks->idle);
}

void callbacks_free(struct callbacks *callbacks)
{
    while (callbacks->first) {
        struct callback *callback = callbacks->first;
        callbacks->first = callback->next;
        free(callback);
    }
    condition_destroy(&callbacks->idle);
    mutex_destroy(&callbacks->lock);
}

/* Whether `a` is called before one of this priority and id. */
static bool is_before(const struct callback *a, int priority, int id)
{
    if (a->stats.priority != priority) return a->stats.priority > priority;
    return a->stats.id < id;
}

/* Put it where it belongs. The lock is held. */
static void insert(struct callbacks *callbacks, struct callback *callback)
{
    struct callback **place = &callbacks->first;
    while (*place && is_before(*place, callback->stats.priority, callback->stats.id)) {
        place = &(*place)->next;
    }
    callback->next = *place;
    *place = callback;
    callback->born = callbacks->n_chunks;
    atomic_fetch_add_explicit(&callbacks->n, 1, memory_order_release);
}

/* The place of a callback in the list, or NULL. The lock is held. */
static struct callback **find(struct callbacks *callbacks, int id)
{
    struct callback **place = &callbacks->first;
    while (*place && (*place)->stats.id != id) place = &(*place)->next;
    return *place ? place : NULL;
}

static bool is_dispatcher(const struct callbacks *callbacks)
{
    return atomic_load_explicit(&callbacks->thread, memory_order_relaxed) == thread_self();
}

/* Wait until a callback does not run any more, unless this is called from within it. The lock is
 * held; the callback may be gone after it. */
static void wait_idle(struct callbacks *callbacks, const struct callback *callback)
{
    if (is_dispatcher(callbacks)) return;
    uint64_t call = callbacks->n_calls;
    while (callbacks->running == callback && callbacks->n_calls == call) {
        condition_wait(&callbacks->idle, &callbacks->lock, CLOCK_NEVER);
    }
}

int callbacks_add_own(struct callbacks *callbacks, kodama_chunk_function on_chunk, void *user)
{
    struct callback *own = memory_array(1, sizeof *own);
    if (!own) return KODAMA_ERR_MEMORY;
    own->on_chunk = on_chunk;
    own->user = user;
    own->failures_max = 1;
    own->stats.enabled = true;
    insert(callbacks, own);
    own->born = 0;
    return KODAMA_OK;
}

void callbacks_restart(struct callbacks *callbacks)
{
    mutex_lock(&callbacks->lock);
    struct callback **own = find(callbacks, 0);
    if (own && (*own)->stats.failed) {
        (*own)->stats.failed = false;
        (*own)->stats.enabled = true;
        (*own)->failures_in_row = 0;
    }
    mutex_unlock(&callbacks->lock);
}

/* ----------------------------------------------------------------- calling */

/* The next one to call after the place given. The lock is held. */
static struct callback *next_due(struct callbacks *callbacks, bool begin, int priority, int id)
{
    struct callback *callback = callbacks->first;
    for (; callback; callback = callback->next) {
        bool passed = !begin && (is_before(callback, priority, id) || callback->stats.id == id);
        if (!passed && callback->stats.enabled && callback->born < callbacks->n_chunks) break;
    }
    return callback;
}

/* Count a call that has returned; true when it was one failure too many. The lock is held. */
static bool account(struct callback *callback, const struct kodama_chunk *chunk, uint64_t spent_ns,
                    int status)
{
    struct kodama_callback_stats *stats = &callback->stats;
    stats->calls++;
    stats->frames += chunk->n_frames;
    stats->total_ns += spent_ns;
    if (spent_ns > stats->max_ns) stats->max_ns = spent_ns;
    if (status >= 0) {
        callback->failures_in_row = 0;
        return false;
    }
    stats->failures++;
    callback->failures_in_row++;
    if (callback->failures_in_row < callback->failures_max || !stats->enabled) return false;
    stats->enabled = false;
    stats->failed = true;
    return true;
}

static void tell_failed(struct kodama_stream *stream, const struct kodama_callback_stats *stats,
                        uint64_t position, int status)
{
    struct kodama_stream_event event = {.kind = KODAMA_STREAM_CALLBACK,
                                        .position = position,
                                        .callback = stats->id,
                                        .status = status};
    events_tell(stream, &event, "callback %d%s%s%s is disabled: it failed %llu times, now with: %s",
                stats->id, stats->name[0] ? " (" : "", stats->name, stats->name[0] ? ")" : "",
                (unsigned long long)stats->failures, kodama_strerror(status));
}

/* Call one; with the lock held before and after, not meanwhile. */
static void call(struct kodama_stream *stream, struct callback *callback,
                 const struct kodama_chunk *chunk, struct calls *calls)
{
    struct callbacks *callbacks = &stream->callbacks;
    callbacks->running = callback;
    callbacks->n_calls++;
    mutex_unlock(&callbacks->lock);
    uint64_t begin = clock_now_ns();
    if (calls->begin_ns == 0) calls->begin_ns = begin;
    int status = callback->on_chunk(callback->user, chunk);
    uint64_t spent = clock_now_ns() - begin;
    calls->total_ns += spent;
    stream_set(&stream->callback_ns, stream_get(&stream->callback_ns) + spent);
    if (spent > stream_get(&stream->callback_max_ns)) stream_set(&stream->callback_max_ns, spent);

    mutex_lock(&callbacks->lock);
    callbacks->running = NULL;
    condition_broadcast(&callbacks->idle);
    bool failed = account(callback, chunk, spent, status);
    struct kodama_callback_stats stats = callback->stats;
    if (stats.id == 0 && status < 0) calls->own_status = status;
    if (callback->removed) free(callback);
    if (!failed || stats.id == 0) return;
    mutex_unlock(&callbacks->lock);
    tell_failed(stream, &stats, chunk->position, status);
    mutex_lock(&callbacks->lock);
}

struct calls callbacks_call(struct kodama_stream *stream, const struct kodama_chunk *chunk)
{
    struct callbacks *callbacks = &stream->callbacks;
    struct calls calls = {0};
    mutex_lock(&callbacks->lock);
    callbacks->n_chunks++;
    struct callback *callback = next_due(callbacks, true, 0, 0);
    while (callback && !atomic_load(&stream->abandoned)) {
        int priority = callback->stats.priority, id = callback->stats.id;
        call(stream, callback, chunk, &calls);
        callback = next_due(callbacks, false, priority, id);
    }
    mutex_unlock(&callbacks->lock);
    return calls;
}

/* -------------------------------------------------------------- the public */

int kodama_stream_add(struct kodama_stream *stream, const struct kodama_callback_config *config,
                      struct kodama_error *error)
{
    if (!stream || !config || config->size != sizeof *config || !config->on_chunk) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "a callback needs a stream, a function and a configuration begun with "
                         "KODAMA_CALLBACK_CONFIG_INIT");
    }
    struct callback *added = memory_array(1, sizeof *added);
    if (!added) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a callback");
    added->on_chunk = config->on_chunk;
    added->user = config->user;
    added->failures_max = config->failures_max > 0 ? config->failures_max : FAILURES_MAX_DEFAULT;
    added->stats.priority = config->priority;
    added->stats.enabled = !config->disabled;
    if (config->name) snprintf(added->stats.name, sizeof added->stats.name, "%s", config->name);

    struct callbacks *callbacks = &stream->callbacks;
    mutex_lock(&callbacks->lock);
    bool first = !callbacks_any(callbacks);
    int id = atomic_load(&callbacks->n) < CALLBACKS_MAX && callbacks->last_id < INT32_MAX
                 ? ++callbacks->last_id
                 : KODAMA_ERR_LIMIT;
    if (id > 0) {
        added->stats.id = id;
        if (first) callbacks->from = kodama_ring_position(stream->ring);
        insert(callbacks, added);
    }
    mutex_unlock(&callbacks->lock);
    if (id < 0) {
        free(added);
        return error_set(error, id, "a stream has %d callbacks at most", CALLBACKS_MAX);
    }
    /* A dispatcher that had nobody to call sleeps longer. */
    if (first) kodama_cursor_interrupt(stream->cursor);
    return id;
}

int kodama_stream_enable(struct kodama_stream *stream, int id)
{
    if (!stream) return KODAMA_ERR_ARGUMENT;
    struct callbacks *callbacks = &stream->callbacks;
    mutex_lock(&callbacks->lock);
    struct callback **place = find(callbacks, id);
    if (place) {
        (*place)->stats.enabled = true;
        (*place)->stats.failed = false;
        (*place)->failures_in_row = 0;
    }
    mutex_unlock(&callbacks->lock);
    return place ? KODAMA_OK : KODAMA_ERR_NOT_FOUND;
}

int kodama_stream_disable(struct kodama_stream *stream, int id)
{
    if (!stream) return KODAMA_ERR_ARGUMENT;
    struct callbacks *callbacks = &stream->callbacks;
    mutex_lock(&callbacks->lock);
    struct callback **place = find(callbacks, id);
    if (place) {
        (*place)->stats.enabled = false;
        wait_idle(callbacks, *place);
    }
    mutex_unlock(&callbacks->lock);
    return place ? KODAMA_OK : KODAMA_ERR_NOT_FOUND;
}

int kodama_stream_remove(struct kodama_stream *stream, int id)
{
    if (!stream) return KODAMA_ERR_ARGUMENT;
    struct callbacks *callbacks = &stream->callbacks;
    mutex_lock(&callbacks->lock);
    struct callback **place = find(callbacks, id);
    struct callback *callback = place ? *place : NULL;
    if (callback) {
        *place = callback->next;
        atomic_fetch_sub_explicit(&callbacks->n, 1, memory_order_release);
        wait_idle(callbacks, callback);
        callback->removed = callbacks->running == callback; /* by itself */
        if (!callback->removed) free(callback);
    }
    mutex_unlock(&callbacks->lock);
    return callback ? KODAMA_OK : KODAMA_ERR_NOT_FOUND;
}

int kodama_stream_callback_stats(const struct kodama_stream *stream, int id,
                                 struct kodama_callback_stats *stats)
{
    if (!stats) return KODAMA_ERR_ARGUMENT;
    *stats = (struct kodama_callback_stats){0};
    if (!stream) return KODAMA_ERR_ARGUMENT;
    struct callbacks *callbacks = &((struct kodama_stream *)(uintptr_t)stream)->callbacks;
    mutex_lock(&callbacks->lock);
    struct callback **place = find(callbacks, id);
    if (place) *stats = (*place)->stats;
    mutex_unlock(&callbacks->lock);
    return place ? KODAMA_OK : KODAMA_ERR_NOT_FOUND;
}

int kodama_stream_callbacks(const struct kodama_stream *stream, int *ids, size_t max)
{
    if (!stream || (!ids && max > 0)) return KODAMA_ERR_ARGUMENT;
    struct callbacks *callbacks = &((struct kodama_stream *)(uintptr_t)stream)->callbacks;
    int n = 0;
    mutex_lock(&callbacks->lock);
    for (const struct callback *callback = callbacks->first; callback; callback = callback->next) {
        if ((size_t)n < max) ids[n] = callback->stats.id;
        n++;
    }
    mutex_unlock(&callbacks->lock);
    return n;
}
