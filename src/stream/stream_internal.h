/*
 * Streams from the inside: what the owner's side (stream.c), the dispatcher (dispatcher.c), the
 * callbacks (stream_callbacks.c) and the events (stream_events.c) share, and who may touch what.
 *
 * Locks, none of which is held while user code runs: `control` (starting and stopping), `mutex`
 * (how it stands), `callbacks.lock`, `events.lock`. They are taken in the order `control`, `mutex`,
 * `events.lock`; `callbacks.lock` with nothing but `control`.
 */
#ifndef STREAM_STREAM_INTERNAL_H
#define STREAM_STREAM_INTERNAL_H

#include <stdatomic.h>

#include <kodama/stream.h>

#include "base/thread.h"
#include "capture/source.h"
#include "stream/dispatcher_pace.h"
#include "stream/stream_histogram.h"

enum { EVENTS_KEPT = 64, GAPS_KEPT = 256 };

/* A callback in its list. */
struct callback {
    /* lock */
    struct callback *next; /* in order of priority */
    uint64_t born;         /* chunk that was being dispatched when it was added */
    uint32_t failures_in_row;
    struct kodama_callback_stats stats;
    bool removed; /* from within itself: the dispatcher frees it */
    /* immutable */
    kodama_chunk_function on_chunk;
    void *user;
    uint32_t failures_max;
};

struct callbacks {
    struct mutex lock;
    struct condition idle; /* a call has returned */
    /* lock */
    struct callback *first;
    struct callback *running; /* or NULL */
    uint64_t n_calls;         /* begun */
    uint64_t n_chunks;        /* begun */
    uint64_t from;            /* position at which the list stopped being empty */
    int last_id;
    /* anybody, atomic */
    _Atomic int n;
    _Atomic uint64_t thread; /* the dispatcher's, 0 while there is none */
};

/* Events that nobody has taken yet, and gaps. */
struct events {
    struct mutex lock;
    struct condition changed;
    /* lock */
    struct kodama_stream_event kept[EVENTS_KEPT];
    uint64_t first, end; /* sequence numbers of those kept: [first, end) */
    bool ended;
    bool has_waitable, signalled;
    struct kodama_waitable waitable;
    struct kodama_gap gaps[GAPS_KEPT];
    uint64_t n_gaps;
    /* counters, written by the dispatcher, under the lock or relaxed */
    _Atomic uint64_t told, missed, gaps_told;
};

/* What the dispatcher knows of lasting conditions, from one start to the next. */
struct conditions {
    bool queue, lag, lost;
    uint64_t lost_position, lost_frames; /* of the condition `lost` */
    bool gap;
    uint64_t gap_begin, gap_end;
    uint64_t silent_end;         /* silent frames before this are counted */
    uint64_t vanished, returned; /* told */
    uint64_t vanished_at;
};

enum phase { PHASE_NEW, PHASE_RUNNING, PHASE_STOPPED };

struct kodama_stream {
    /* Immutable after open. */
    struct kodama_source *source;
    struct kodama_ring *ring;
    struct kodama_cursor *cursor; /* the dispatcher's; others may interrupt it */
    const struct kodama_log *log;
    kodama_stream_event_function on_event;
    void *event_user;
    enum kodama_overflow overflow; /* never AUTO */
    bool adaptive;

    /* Starting and stopping the source, one at a time; `control` is held while its thread is
     * joined, so nothing that this thread waits for may take it. */
    struct mutex control;
    bool source_running; /* under control */
    bool dispatcher_started;
    struct thread dispatcher;

    /* How it stands; held briefly. */
    struct mutex mutex;
    struct condition changed;
    enum phase phase; /* written under both, read under either */
    bool source_done, dispatch_done;
    int status; /* the first thing that went wrong since the start */
    struct kodama_error error;

    _Atomic bool abandoned;        /* set by close: no callback any more */
    _Atomic uint32_t chunk_frames; /* set by hand, or by the dispatcher from what it was */
    _Atomic uint64_t starts;

    struct callbacks callbacks;
    struct events events;

    /* The dispatcher's, from one start to the next. */
    struct conditions conditions;
    struct pace pace;
    uint64_t sequence;   /* of the next chunk */
    uint64_t watched;    /* position up to which it has looked at marks */
    uint64_t next_stamp; /* place in the source's stamps */

    /* Counters, written by the dispatcher only, relaxed. */
    _Atomic uint64_t chunks, frames, silent_frames, lost_frames, wakeups, queue_most;
    _Atomic uint64_t callback_ns, callback_max_ns;
    struct histogram latency;
};

static inline uint64_t stream_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline void stream_set(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

/* --------------------------------------------------------------- stream.c */

/** Note a failure, unless there was one before. Any thread. */
void stream_fail(struct kodama_stream *stream, int status, const struct kodama_error *error);
/** Note that a part (source_done, dispatch_done) has ended. Any thread. */
void stream_note(struct kodama_stream *stream, bool *done);
/** What went wrong so far. Any thread. */
int stream_status(struct kodama_stream *stream, struct kodama_error *error);

/* ----------------------------------------------------------- dispatcher.c */

/** A thread_function: dispatch until the timeline ends. */
void dispatcher_run(void *stream);

/* ------------------------------------------------------ stream_callbacks.c */

void callbacks_init(struct callbacks *callbacks);
void callbacks_free(struct callbacks *callbacks);
/** Add the stream's own callback; KODAMA_OK or KODAMA_ERR_MEMORY. */
int callbacks_add_own(struct callbacks *callbacks, kodama_chunk_function on_chunk, void *user);
/** Give the stream's own callback another chance. */
void callbacks_restart(struct callbacks *callbacks);
/** Whether there is anybody to dispatch to. */
static inline bool callbacks_any(const struct callbacks *callbacks)
{
    return atomic_load_explicit(&callbacks->n, memory_order_acquire) > 0;
}

/** What came of the calls for one chunk. */
struct calls {
    uint64_t begin_ns; /* of the first one; 0: nobody was called */
    uint64_t total_ns;
    int own_status; /* of the stream's own callback */
};

/** Call whoever is enabled with a chunk. Dispatcher only. */
struct calls callbacks_call(struct kodama_stream *stream, const struct kodama_chunk *chunk);

/* --------------------------------------------------------- stream_events.c */

void events_init(struct events *events);
void events_free(struct events *events);
/** Between the end of a stream and its next start. */
void events_set_ended(struct events *events, bool ended);

/** Tell an event; sequence and time are filled in. Dispatcher only. */
void events_tell(struct kodama_stream *stream, struct kodama_stream_event *event,
                 const char *format, ...) KODAMA_PRINTF(3, 4);

/** Look for gaps and silence in frames. Dispatcher only; frames in order. */
void events_scan(struct kodama_stream *stream, uint64_t first, uint64_t n_frames);
/** Frames were lost by the dispatcher. */
void events_lost(struct kodama_stream *stream, uint64_t first, uint64_t n_frames);
/** How much waits for the dispatcher; `position` is where it is. */
void events_queue(struct kodama_stream *stream, uint64_t position, uint64_t queue_frames);
/** How old a chunk was. */
void events_lag(struct kodama_stream *stream, uint64_t position, uint64_t lag_ns);
/** Has the target gone, or come back? */
void events_target(struct kodama_stream *stream);
/** The timeline ends at `position`: conditions are over. */
void events_end(struct kodama_stream *stream, uint64_t position);

#endif
