/* Sources: the list of backends, and what all of them share. */
#include "capture/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

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
    source->on_end = on_end;
    source->user = user;
    status = source->ops->start(source, error);
    if (status < 0) kodama_writer_release(&source->writer);
    return status;
}

void source_stop(struct kodama_source *source)
{
    source->ops->stop(source);
    kodama_writer_release(&source->writer);
}

void source_ended(struct kodama_source *source, int status, const struct kodama_error *error)
{
    source->on_end(source->user, status, error);
}
