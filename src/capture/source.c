/* Sources: the list of backends, and what all of them share. */
#include "capture/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "ring/ring.h"

/* One line per backend. */
/* clang-format off */
static const struct source_ops *const backends[] = {
    &source_file_ops,
    &source_stdin_ops,
    &source_tone_ops,
    &source_noise_ops,
    &source_silence_ops,
    &source_null_ops,
    &source_mix_ops,
    &source_app_ops,
    &source_mic_ops,
    &source_system_ops,
};
/* clang-format on */

enum { N_BACKENDS = sizeof backends / sizeof backends[0] };

const char *kodama_source_name(size_t index)
{
    return index < N_BACKENDS ? backends[index]->name : NULL;
}

static const struct source_ops *find(const char *name)
{
    for (size_t i = 0; i < N_BACKENDS; i++) {
        if (strcmp(backends[i]->name, name) == 0) return backends[i];
    }
    return NULL;
}

static int unknown_name(const char *name, struct kodama_error *error)
{
    char names[200] = "";
    size_t n = 0;
    for (size_t i = 0; i < N_BACKENDS && n < sizeof names; i++) {
        n +=
            (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", backends[i]->name);
    }
    return error_set(error, KODAMA_ERR_NOT_FOUND, "there is no source \"%s\"; there are: %s", name,
                     names);
}

int kodama_source_open(struct kodama_source **source, const char *name,
                       const struct kodama_source_config *config, struct kodama_error *error)
{
    if (!source) return error_set(error, KODAMA_ERR_ARGUMENT, "nowhere to put the source");
    *source = NULL;
    if (!name || !config || config->size != sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "a source needs a name and a configuration begun with "
                         "KODAMA_SOURCE_CONFIG_INIT");
    }
    const struct source_ops *ops = find(name);
    if (!ops) return unknown_name(name, error);
    struct kodama_source *opened = memory_array(1, sizeof *opened);
    if (!opened) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    opened->ops = ops;
    opened->log = config->log;
    opened->length = -1;
    opened->live = ops->live;
    int status = ops->open(opened, config, error);
    if (status < 0) {
        free(opened);
        return status;
    }
    *source = opened;
    return KODAMA_OK;
}

void kodama_source_close(struct kodama_source *source)
{
    if (!source) return;
    source->ops->close(source);
    free(source);
}

struct kodama_format kodama_source_format(const struct kodama_source *source)
{
    return source->format;
}

bool kodama_source_is_live(const struct kodama_source *source)
{
    return source->live;
}

int64_t kodama_source_length(const struct kodama_source *source)
{
    return source->length;
}

void kodama_source_stats(const struct kodama_source *source, struct kodama_source_stats *stats)
{
    const struct source_counters *counters = &source->counters;
    *stats = (struct kodama_source_stats){
        .frames = atomic_load_explicit(&counters->frames, memory_order_relaxed),
        .silent_frames = atomic_load_explicit(&counters->silent_frames, memory_order_relaxed),
        .gap_frames = atomic_load_explicit(&counters->gap_frames, memory_order_relaxed),
        .gaps = atomic_load_explicit(&counters->gaps, memory_order_relaxed),
        .overruns = atomic_load_explicit(&counters->overruns, memory_order_relaxed),
        .latency_ns = atomic_load_explicit(&counters->latency_ns, memory_order_relaxed),
        .vanished = atomic_load_explicit(&counters->vanished, memory_order_relaxed),
        .returned = atomic_load_explicit(&counters->returned, memory_order_relaxed),
        .present = source_is_present(source),
        .clock_changes = atomic_load_explicit(&counters->clock_changes, memory_order_relaxed),
        .drift_ppm = atomic_load_explicit(&counters->drift_ppm, memory_order_relaxed),
    };
}

int source_start(struct kodama_source *source, struct kodama_ring *ring,
                 void (*on_end)(void *user, int status, const struct kodama_error *error),
                 void *user, struct kodama_error *error)
{
    int status = kodama_writer_claim(&source->writer, ring);
    if (status < 0) {
        return error_set(error, status, "source %s cannot write to its ring: %s", source->ops->name,
                         kodama_strerror(status));
    }
    source->ring = ring;
    source->on_end = on_end;
    source->user = user;
    if (source->n_starts > 0) {
        /* The time it was stopped for is missing from the timeline. */
        struct kodama_mark seam = {.position = kodama_ring_position(ring),
                                   .time_ns = clock_now_ns(),
                                   .flags = KODAMA_MARK_CLOCK};
        (void)kodama_writer_mark(&source->writer, &seam); /* closed: the first write will say so */
    }
    status = source->ops->start(source, error);
    if (status < 0) {
        kodama_writer_release(&source->writer);
    } else {
        source->n_starts++;
    }
    return status;
}

void source_stop(struct kodama_source *source)
{
    source->ops->stop(source);
    kodama_writer_release(&source->writer);
}

int64_t source_write(struct kodama_source *source, const void *frames, size_t n_frames,
                     int64_t timeout_ns)
{
    const uint8_t *bytes = frames;
    size_t frame_bytes = kodama_frame_bytes(source->format), done = 0;
    uint64_t deadline = 0;
    for (;;) {
        stamps_add(&source->stamps, kodama_ring_position(source->ring), clock_now_ns());
        int64_t n = kodama_writer_write(&source->writer, bytes ? bytes + done * frame_bytes : NULL,
                                        n_frames - done, 0);
        if (n > 0) {
            source_count(&source->counters.frames, (uint64_t)n);
            done += (size_t)n;
            if (done == n_frames) return (int64_t)done;
            n = KODAMA_ERR_FULL;
        }
        if (n == KODAMA_ERR_FULL && timeout_ns != 0) {
            if (deadline == 0) deadline = clock_deadline(timeout_ns);
            /* Waited for here, not in the write: what is written after it is stamped after it. */
            if (ring_writer_wait(&source->writer, n_frames - done, deadline)) continue;
            n = KODAMA_ERR_TIMEOUT;
        }
        return done > 0 ? (int64_t)done : n;
    }
}

int64_t source_write_gap(struct kodama_source *source, size_t n_frames, uint64_t time_ns)
{
    uint64_t room = kodama_writer_space(&source->writer);
    uint64_t position = kodama_ring_position(source->ring);
    /* A ring without lossless readers takes everything, also more than it can keep. */
    struct kodama_ring_stats stats;
    kodama_ring_stats(source->ring, &stats);
    size_t n = n_frames;
    if (stats.n_lossless > 0 && room < n) n = (size_t)room;
    if (n_frames == 0) return KODAMA_ERR_ARGUMENT;
    if (kodama_ring_is_closed(source->ring)) return KODAMA_ERR_CLOSED; /* nor is there room */
    if (n == 0) return KODAMA_ERR_FULL;
    struct kodama_mark mark = {
        .position = position, .length = n, .time_ns = time_ns, .flags = KODAMA_MARK_GAP};
    int status = kodama_writer_mark(&source->writer, &mark);
    if (status < 0) return status;
    int64_t written = source_write(source, NULL, n, 0);
    if (written < 0) return written;
    if (position != source->gap_end || position == 0) source_count(&source->counters.gaps, 1);
    source->gap_end = position + (uint64_t)written;
    source_count(&source->counters.gap_frames, (uint64_t)written);
    source_count(&source->counters.silent_frames, (uint64_t)written);
    return written;
}

bool source_is_present(const struct kodama_source *source)
{
    const struct source_counters *counters = &source->counters;
    uint64_t returned = atomic_load_explicit(&counters->returned, memory_order_acquire);
    return atomic_load_explicit(&counters->vanished, memory_order_acquire) <= returned;
}

/* Count where it happened, then that it happened, then tell the stream. */
static void notice(struct kodama_source *source, _Atomic uint64_t *at, _Atomic uint64_t *count)
{
    atomic_store_explicit(at, source->ring ? kodama_ring_position(source->ring) : 0,
                          memory_order_relaxed);
    /* release: pairs with the acquire of whoever asks where */
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
                          memory_order_release);
    if (source->on_notice) source->on_notice(source->notice_user);
}

void source_vanished(struct kodama_source *source)
{
    struct source_counters *counters = &source->counters;
    if (source_is_present(source)) notice(source, &counters->vanished_at, &counters->vanished);
}

void source_returned(struct kodama_source *source)
{
    struct source_counters *counters = &source->counters;
    if (!source_is_present(source)) notice(source, &counters->returned_at, &counters->returned);
}

void source_ended(struct kodama_source *source, int status, const struct kodama_error *error)
{
    source->on_end(source->user, status, error);
}
