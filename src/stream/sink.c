/* Sinks: the list of kinds, and what all of them share. */
#include "stream/sink.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

enum { RATE_DEFAULT_HZ = 48000, RING_SECONDS_MAX = 3600 };
static const double RING_SECONDS_DEFAULT = 0.5;

/* One line per kind. */
/* clang-format off */
static const struct sink_ops *const kinds[] = {
    &sink_speakers_ops,
    &sink_mic_ops,
    &sink_file_ops,
};
/* clang-format on */

enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

const char *kodama_sink_name(size_t index)
{
    return index < N_KINDS ? kinds[index]->name : NULL;
}

static const struct sink_ops *find(const char *name)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        if (strcmp(kinds[i]->name, name) == 0) return kinds[i];
    }
    return NULL;
}

/* The ring and the right to write to it. */
static int prepare(struct kodama_sink *sink, const struct kodama_sink_config *config,
                   struct kodama_error *error)
{
    sink->format = config->format;
    if (sink->format.sample == 0) sink->format.sample = KODAMA_SAMPLE_F32;
    if (sink->format.rate_hz == 0) sink->format.rate_hz = RATE_DEFAULT_HZ;
    if (sink->format.channels == 0) sink->format.channels = sink->ops->channels;
    int status = kodama_format_check(sink->format, error);
    if (status < 0) return status;
    if (!(config->ring_seconds >= 0 && config->ring_seconds <= RING_SECONDS_MAX)) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "a sink's ring can hold 0 to %d seconds",
                         RING_SECONDS_MAX);
    }
    struct kodama_ring_config ring = KODAMA_RING_CONFIG_INIT;
    ring.format = sink->format;
    ring.capacity_seconds = config->ring_seconds > 0 ? config->ring_seconds : RING_SECONDS_DEFAULT;
    ring.prefault = true; /* its reader is a real-time thread */
    status = kodama_ring_create(&sink->ring, &ring, error);
    if (status < 0) return status;
    status = kodama_writer_claim(&sink->writer, sink->ring);
    return status < 0 ? error_set(error, status, "a new ring cannot be written") : status;
}

static void discard(struct kodama_sink *sink)
{
    kodama_writer_release(&sink->writer);
    kodama_ring_destroy(sink->ring);
    free(sink);
}

int kodama_sink_open(struct kodama_sink **sink, const char *kind,
                     const struct kodama_sink_config *config, struct kodama_error *error)
{
    if (!sink) return error_set(error, KODAMA_ERR_ARGUMENT, "nowhere to put the sink");
    *sink = NULL;
    if (!kind || !config || config->size != sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "a sink needs a name and a configuration begun with "
                         "KODAMA_SINK_CONFIG_INIT");
    }
    const struct sink_ops *ops = find(kind);
    if (!ops) {
        return error_set(error, KODAMA_ERR_NOT_FOUND,
                         "there is no sink \"%s\"; there are: speakers, mic, file", kind);
    }
    struct kodama_sink *opened = memory_array(1, sizeof *opened);
    if (!opened) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a sink");
    opened->ops = ops;
    opened->log = config->log;
    int status = prepare(opened, config, error);
    if (status >= 0) status = ops->open(opened, config, error);
    if (status < 0) {
        discard(opened);
        return status;
    }
    *sink = opened;
    return KODAMA_OK;
}

int64_t kodama_sink_write(struct kodama_sink *sink, const void *frames, size_t n_frames,
                          int64_t timeout_ns)
{
    if (!sink) return KODAMA_ERR_ARGUMENT;
    int64_t n = kodama_writer_write(&sink->writer, frames, n_frames, timeout_ns);
    if (n > 0) atomic_store_explicit(&sink->flowing, true, memory_order_relaxed);
    int status = sink->ops->check ? sink->ops->check(sink) : KODAMA_OK;
    return status < 0 ? status : n;
}

int kodama_sink_drain(struct kodama_sink *sink, int64_t timeout_ns, struct kodama_error *error)
{
    if (!sink) return error_set(error, KODAMA_ERR_ARGUMENT, "no sink");
    atomic_store_explicit(&sink->flowing, false, memory_order_relaxed);
    return sink->ops->drain(sink, clock_deadline(timeout_ns), error);
}

void kodama_sink_clear(struct kodama_sink *sink)
{
    if (!sink || !sink->ops->clear) return;
    atomic_store_explicit(&sink->flowing, false, memory_order_relaxed);
    sink->ops->clear(sink);
}

void kodama_sink_close(struct kodama_sink *sink)
{
    if (!sink) return;
    sink->ops->close(sink);
    discard(sink);
}

struct kodama_format kodama_sink_format(const struct kodama_sink *sink)
{
    return sink->format;
}

void kodama_sink_stats(const struct kodama_sink *sink, struct kodama_sink_stats *stats)
{
    *stats = (struct kodama_sink_stats){.frames_written = kodama_ring_position(sink->ring)};
    sink->ops->stats(sink, stats);
}
