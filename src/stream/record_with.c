/*
 * Recording in one call: a stream that is pulled into a clip or a file by the calling thread or one
 * of its own.
 *
 * Frames are pulled by copy rather than dispatched, so that a callback that spends too long with a
 * chunk finds it whole: what a live source overwrites meanwhile is a loss between two chunks.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "audio/convert.h"
#include "audio/level.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "base/waitable.h"
#include "stream/record_target.h"

enum { MARKS_MAX = 1024 }; /* as many as a ring keeps */

struct kodama_record {
    /* immutable */
    struct kodama_record_config config;
    struct kodama_format format;
    struct kodama_stream *stream;
    struct kodama_cursor *cursor; /* its own lock for interrupts */
    uint32_t chunk_frames;
    struct kodama_waitable ended_signal;
    bool has_thread;
    struct thread thread;

    /* the recording's thread only, from the start on */
    struct record_target target; /* the clip: taken under the lock after the end */
    uint8_t *frames;             /* one chunk */
    float *floats;
    struct kodama_mark *marks;
    uint64_t next, end;     /* positions: of the next frame; where to end, UINT64_MAX: never */
    uint64_t counted_until; /* gaps before it are counted */
    uint64_t sequence;
    bool told_last;
    enum kodama_record_end ended_by;
    struct level_sums sums;

    /* lock */
    struct mutex lock;
    struct condition ended_condition;
    struct kodama_record_stats stats; /* written by the recording's thread */
    struct kodama_error failure;
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---------------------------------------------------------------- what is heard */

/* Marks of frames that will be recorded: count gaps, tell the file. */
static void take_marks(struct kodama_record *record, uint64_t first, uint64_t n_frames)
{
    uint64_t end = first + n_frames, gap_frames = 0, gaps = 0;
    int n = kodama_ring_marks(kodama_stream_ring(record->stream), first, n_frames, record->marks,
                              MARKS_MAX, NULL);
    if (n > MARKS_MAX) n = MARKS_MAX;
    for (int i = 0; i < n; i++) {
        const struct kodama_mark *mark = &record->marks[i];
        if (mark->position >= first) record_target_mark(&record->target, mark);
        if (!(mark->flags & KODAMA_MARK_GAP)) continue;
        uint64_t from = mark->position > first ? mark->position : first;
        uint64_t until = mark->length < end - mark->position ? mark->position + mark->length : end;
        /* Gaps may overlap, and one that is told in periods is one. */
        if (from > record->counted_until || from == 0) gaps++;
        if (from < record->counted_until) from = record->counted_until;
        if (until <= from) continue;
        gap_frames += until - from;
        record->counted_until = until;
    }
    mutex_lock(&record->lock);
    record->stats.gap_frames += gap_frames;
    record->stats.gaps += gaps;
    mutex_unlock(&record->lock);
}

static void measure(struct kodama_record *record, uint64_t n_frames)
{
    uint32_t channels = record->format.channels;
    convert_to_float(record->format.sample, record->frames, record->floats, n_frames * channels);
    level_add(&record->sums, record->floats, n_frames, channels,
              level_full_scale(record->format.sample));
}

static void publish(struct kodama_record *record, uint64_t n_lost, uint64_t n_frames)
{
    float peak = 0.0f;
    double energy = 0.0;
    uint64_t clipped = 0;
    for (uint32_t c = 0; c < record->format.channels; c++) {
        if (record->sums.peak[c] > peak) peak = record->sums.peak[c];
        energy += record->sums.energy[c];
        clipped += record->sums.clipped[c];
    }
    double n_samples = (double)record->next * record->format.channels;
    mutex_lock(&record->lock);
    struct kodama_record_stats *stats = &record->stats;
    stats->frames = record->next;
    stats->duration_s = (double)record->next / record->format.rate_hz;
    stats->lost_frames += n_lost;
    stats->chunks += n_frames > 0;
    stats->peak_db = level_db((double)peak);
    stats->rms_db = n_samples > 0.0 ? level_db(sqrt(energy / n_samples)) : -(double)INFINITY;
    stats->clipped = clipped;
    mutex_unlock(&record->lock);
}

static int tell_chunk(struct kodama_record *record, uint64_t n_lost, uint64_t n_frames,
                      bool is_last)
{
    if (record->told_last || !record->config.on_chunk) return KODAMA_OK;
    record->told_last = is_last;
    struct kodama_chunk chunk = {.frames = record->frames,
                                 .sequence = record->sequence++,
                                 .position = record->next - n_frames,
                                 .n_frames = (uint32_t)n_frames,
                                 .lost = n_lost,
                                 .is_last = is_last};
    return record->config.on_chunk(record->config.user, &chunk);
}

/* Record `n_lost` frames of silence and `n_frames` from the buffer, and tell the callback. */
static int take(struct kodama_record *record, uint64_t n_lost, uint64_t n_frames, bool is_last,
                struct kodama_error *error)
{
    enum kodama_record_end by =
        record->target.clip ? KODAMA_RECORD_BY_MEMORY : KODAMA_RECORD_BY_FILE;
    if (n_lost > 0) {
        struct kodama_mark gap = {
            .position = record->next, .length = n_lost, .flags = KODAMA_MARK_GAP};
        record_target_mark(&record->target, &gap);
    }
    int status = record_target_append(&record->target, NULL, n_lost, error);
    if (status == KODAMA_OK && n_frames > 0) {
        take_marks(record, record->next + n_lost, n_frames);
        measure(record, n_frames);
        status = record_target_append(&record->target, record->frames, n_frames, error);
    }
    record->next += n_lost + n_frames;
    publish(record, n_lost, n_frames);
    if (status == KODAMA_OK) {
        by = is_last && record->next == record->end ? KODAMA_RECORD_BY_LENGTH
                                                    : KODAMA_RECORD_BY_CALLBACK;
        status = tell_chunk(record, n_lost, n_frames, is_last);
        if (status < 0) {
            by = KODAMA_RECORD_BY_CALLBACK;
            error_set(error, status, "the chunk callback failed: %s", kodama_strerror(status));
        }
        if (status == KODAMA_OK && by == KODAMA_RECORD_BY_CALLBACK) return KODAMA_OK;
    }
    if (record->ended_by == KODAMA_RECORD_RUNNING) record->ended_by = by;
    return status < 0 ? status : KODAMA_RECORD_ENOUGH;
}

/* ---------------------------------------------------------------- the thread */

static int source_ended_here(struct kodama_record *record, struct kodama_error *error)
{
    /* Frames may be lost at the very end, too. */
    uint64_t end = least(kodama_cursor_position(record->cursor), record->end);
    int status = take(record, end - record->next, 0, true, error);
    if (record->ended_by != KODAMA_RECORD_RUNNING) return status;
    record->ended_by = KODAMA_RECORD_BY_SOURCE;
    status = kodama_stream_wait(record->stream, KODAMA_FOREVER, error);
    return status < 0 ? status : KODAMA_RECORD_ENOUGH;
}

/* One chunk. KODAMA_OK to go on, KODAMA_RECORD_ENOUGH, or an error. */
static int step(struct kodama_record *record, struct kodama_error *error)
{
    if (record->next >= record->end) return KODAMA_RECORD_ENOUGH;
    struct kodama_ring *ring = kodama_stream_ring(record->stream);
    uint64_t wanted = least(record->chunk_frames, record->end - record->next);
    struct kodama_read info;
    int64_t n =
        kodama_cursor_read(record->cursor, record->frames, (size_t)wanted, KODAMA_FOREVER, &info);
    if (n == KODAMA_ERR_CANCELLED) {
        /* What has arrived still counts. */
        uint64_t position = kodama_ring_position(ring);
        if (position < record->end) {
            record->end = position;
            record->ended_by = KODAMA_RECORD_BY_CANCEL;
        }
        return KODAMA_OK;
    }
    if (n == KODAMA_ERR_CLOSED) return source_ended_here(record, error);
    if (n < 0) {
        record->ended_by = KODAMA_RECORD_BY_SOURCE;
        return error_set(error, (int)n, "reading a stream failed: %s", kodama_strerror((int)n));
    }
    uint64_t left = record->end - record->next;
    uint64_t n_lost = least(info.position - record->next, left);
    uint64_t n_frames = least((uint64_t)n, left - n_lost);
    uint64_t after = record->next + n_lost + n_frames;
    bool is_last = after == record->end ||
                   (kodama_ring_is_closed(ring) && after == kodama_ring_position(ring));
    return take(record, n_lost, n_frames, is_last, error);
}

/* Everything is written: tell how it went. */
static void complete(struct kodama_record *record, int status, const struct kodama_error *error)
{
    struct kodama_record_result result = {
        .status = status,
        .message = status < 0 ? error->message : "",
        .clip = record->target.clip,
        .path = record->target.path,
    };
    mutex_lock(&record->lock);
    /* Of a file that failed: what can be read back. */
    record->stats.frames = record_target_frames(&record->target);
    record->stats.duration_s = (double)record->stats.frames / record->format.rate_hz;
    record->stats.bytes = record->target.file.bytes;
    record->stats.status = status;
    result.stats = record->stats;
    result.stats.ended_by = record->ended_by;
    mutex_unlock(&record->lock);
    if (record->config.on_complete) record->config.on_complete(record->config.user, &result);
    mutex_lock(&record->lock);
    if (status < 0) record->failure = *error;
    record->stats.ended_by = record->ended_by;
    condition_broadcast(&record->ended_condition);
    mutex_unlock(&record->lock);
    waitable_signal(record->ended_signal);
}

static void run(void *argument)
{
    struct kodama_record *record = argument;
    struct kodama_error error = {0}, file_error = {0};
    int status = KODAMA_OK;
    while (status == KODAMA_OK) status = step(record, &error);
    kodama_stream_stop(record->stream);
    if (status > 0) status = KODAMA_OK;
    int finished = record_target_finish(&record->target, &file_error);
    if (status == KODAMA_OK && finished < 0) {
        status = finished;
        error = file_error;
        record->ended_by = KODAMA_RECORD_BY_FILE;
    }
    if (status < 0 && error.status == 0) error_set(&error, status, "%s", kodama_strerror(status));
    complete(record, status, &error);
}

/* ---------------------------------------------------------------- beginning */

static int check_config(const struct kodama_record_config *config, struct kodama_error *error)
{
    const char *wrong = NULL;
    if (config->size != sizeof *config) {
        wrong = "the configuration was not begun with KODAMA_RECORD_CONFIG_INIT";
    } else if (config->duration_ns > 0 && config->n_frames > 0) {
        wrong = "its length is given twice, in nanoseconds and in frames";
    }
    if (!wrong) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_ARGUMENT, "record: %s", wrong);
}

/* Frames to record, UINT64_MAX: without end. */
static uint64_t length(const struct kodama_record_config *config, uint32_t rate_hz)
{
    if (config->n_frames > 0) return config->n_frames;
    if (config->duration_ns == 0) return UINT64_MAX;
    uint64_t whole = config->duration_ns / CLOCK_NS_PER_S;
    uint64_t rest = config->duration_ns % CLOCK_NS_PER_S;
    uint64_t n = whole * rate_hz + (rest * rate_hz + CLOCK_NS_PER_S / 2) / CLOCK_NS_PER_S;
    return n > 0 ? n : 1; /* less than a frame was asked for, not all there is */
}

static int open_stream(struct kodama_record *record, struct kodama_source **source,
                       struct kodama_error *error)
{
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = record->config.ring_seconds > 0.0 ? record->config.ring_seconds : 10.0;
    config.chunk_frames = record->chunk_frames;
    config.log = record->config.log;
    bool live = kodama_source_is_live(*source);
    int status = kodama_stream_open(&record->stream, *source, &config, error);
    if (status < 0) return status;
    *source = NULL; /* the stream's */
    struct kodama_cursor_config cursor = KODAMA_CURSOR_CONFIG_INIT;
    cursor.lossless = !live;
    cursor.watermark_frames = record->chunk_frames;
    status = kodama_cursor_open(&record->cursor, kodama_stream_ring(record->stream), &cursor);
    if (status < 0) return error_set(error, status, "cannot open a recording's cursor");
    return KODAMA_OK;
}

static int prepare(struct kodama_record *record, struct kodama_source **source,
                   struct kodama_error *error)
{
    const struct kodama_record_config *config = &record->config;
    record->format = kodama_source_format(*source);
    record->chunk_frames =
        config->chunk_frames > 0 ? config->chunk_frames : record->format.rate_hz / 100;
    record->end = length(config, record->format.rate_hz);
    int status = waitable_create(&record->ended_signal);
    if (status < 0) return error_set(error, status, "cannot create a descriptor: too many open?");
    record->frames = memory_array(record->chunk_frames, kodama_frame_bytes(record->format));
    record->floats =
        memory_array(record->chunk_frames, record->format.channels * sizeof *record->floats);
    record->marks = memory_array(MARKS_MAX, sizeof *record->marks);
    if (!record->frames || !record->floats || !record->marks) {
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a recording");
    }
    status = open_stream(record, source, error);
    if (status < 0) return status;
    return record_target_open(&record->target, record->format, config,
                              record->end == UINT64_MAX ? 0 : record->end, error);
}

static void destroy(struct kodama_record *record)
{
    kodama_cursor_close(record->cursor);
    kodama_stream_close(record->stream);
    record_target_free(&record->target);
    waitable_destroy(record->ended_signal);
    condition_destroy(&record->ended_condition);
    mutex_destroy(&record->lock);
    free(record->frames);
    free(record->floats);
    free(record->marks);
    free(record);
}

static struct kodama_record *create(const struct kodama_record_config *config)
{
    struct kodama_record *made = memory_array(1, sizeof *made);
    if (!made) return NULL;
    made->config = *config;
    made->ended_signal = WAITABLE_NONE;
    mutex_init(&made->lock);
    condition_init(&made->ended_condition);
    made->stats.peak_db = made->stats.rms_db = -(double)INFINITY;
    return made;
}

/* A recording whose source runs; NULL with *status when it cannot begin. The source is taken. */
static struct kodama_record *begin(struct kodama_source *source,
                                   const struct kodama_record_config *config, int *status,
                                   struct kodama_error *error)
{
    static const struct kodama_record_config defaults = KODAMA_RECORD_CONFIG_INIT;
    if (!config) config = &defaults;
    *status = source ? check_config(config, error)
                     : error_set(error, KODAMA_ERR_ARGUMENT, "record: there is no source");
    struct kodama_record *made = *status == KODAMA_OK ? create(config) : NULL;
    if (!made) {
        if (*status == KODAMA_OK) {
            *status = error_set(error, KODAMA_ERR_MEMORY, "no memory for a recording");
        }
        kodama_source_close(source);
        return NULL;
    }
    *status = prepare(made, &source, error);
    if (*status == KODAMA_OK) {
        if (config->on_start) config->on_start(config->user, made);
        *status = kodama_stream_start(made->stream, error);
    }
    if (*status == KODAMA_OK) return made;
    record_target_discard(&made->target);
    destroy(made);
    kodama_source_close(source); /* NULL when the stream has it */
    return NULL;
}

int kodama_record_start(struct kodama_record **record, struct kodama_source *source,
                        const struct kodama_record_config *config, struct kodama_error *error)
{
    if (!record) {
        kodama_source_close(source);
        return error_set(error, KODAMA_ERR_ARGUMENT, "record: nowhere to put the recording");
    }
    int status;
    *record = NULL;
    struct kodama_record *made = begin(source, config, &status, error);
    if (!made) return status;
    status = thread_start(&made->thread, "kodama-record", run, made, error);
    if (status < 0) {
        kodama_stream_stop(made->stream);
        record_target_discard(&made->target);
        destroy(made);
        return status;
    }
    made->has_thread = true;
    *record = made;
    return KODAMA_OK;
}

int kodama_record_with(struct kodama_clip **clip, struct kodama_source *source,
                       const struct kodama_record_config *config, struct kodama_record_stats *stats,
                       struct kodama_error *error)
{
    if (clip) *clip = NULL;
    if (stats) *stats = (struct kodama_record_stats){0};
    int status;
    struct kodama_record *record = begin(source, config, &status, error);
    if (!record) return status;
    run(record);
    status = kodama_record_wait(record, 0, error);
    kodama_record_stats(record, stats);
    if (clip) *clip = kodama_record_take_clip(record);
    kodama_record_close(record);
    return status;
}

/* ---------------------------------------------------------------- from outside */

void kodama_record_cancel(struct kodama_record *record)
{
    if (record) kodama_cursor_interrupt(record->cursor);
}

int kodama_record_wait(struct kodama_record *record, int64_t timeout_ns, struct kodama_error *error)
{
    if (!record)
        return error_set(error, KODAMA_ERR_ARGUMENT, "wait for a recording: there is none");
    uint64_t deadline_ns = clock_deadline(timeout_ns);
    bool in_time = true;
    mutex_lock(&record->lock);
    while (record->stats.ended_by == KODAMA_RECORD_RUNNING && in_time) {
        in_time = condition_wait(&record->ended_condition, &record->lock, deadline_ns);
    }
    int status = record->stats.status;
    if (record->stats.ended_by == KODAMA_RECORD_RUNNING) {
        status = error_set(error, KODAMA_ERR_TIMEOUT, "the recording still runs");
    } else if (status < 0 && error) {
        *error = record->failure;
    }
    mutex_unlock(&record->lock);
    return status;
}

int kodama_record_waitable(struct kodama_record *record, struct kodama_waitable *waitable)
{
    if (!waitable) return KODAMA_ERR_ARGUMENT;
    *waitable = record ? record->ended_signal : WAITABLE_NONE;
    return record ? KODAMA_OK : KODAMA_ERR_ARGUMENT;
}

struct kodama_clip *kodama_record_take_clip(struct kodama_record *record)
{
    if (!record) return NULL;
    struct kodama_clip *clip = NULL;
    mutex_lock(&record->lock);
    if (record->stats.ended_by != KODAMA_RECORD_RUNNING) {
        clip = record->target.clip;
        record->target.clip = NULL;
    }
    mutex_unlock(&record->lock);
    return clip;
}

void kodama_record_stats(struct kodama_record *record, struct kodama_record_stats *stats)
{
    if (!stats) return;
    *stats = (struct kodama_record_stats){0};
    if (!record) return;
    mutex_lock(&record->lock);
    *stats = record->stats;
    mutex_unlock(&record->lock);
}

void kodama_record_close(struct kodama_record *record)
{
    if (!record) return;
    kodama_record_cancel(record);
    if (record->has_thread) thread_join(&record->thread);
    destroy(record);
}
