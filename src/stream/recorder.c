/*
 * The recorder: a thread that reads a cursor and writes files.
 *
 * Pauses, resumptions and the stop are positions of the timeline, noted by whoever asks and obeyed
 * by the thread when it gets there. A position noted is never before what the thread has decided
 * on, for nobody can read what is not written yet.
 */
#include <inttypes.h>
#include <kodama/recorder.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "base/waitable.h"
#include "stream/recorder_file.h"
#include "stream/recorder_marks.h"
#include "stream/recorder_shape.h"

enum {
    WAKES_PER_S = 10,
    BUFFER_FRAMES_MIN = 4096,
    ENCODED_STEP_FRAMES = 4096, /* between two looks at the size of an encoded file */
    SPLIT_BYTES_MIN = 65536,
    NUMBER_MAX = 999999,
};

enum turn_kind { TURN_PAUSE, TURN_RESUME, TURN_STOP };

/** A place where the recording changes. */
struct turn {
    uint64_t position;
    enum turn_kind kind;
};

struct kodama_recorder {
    /* immutable */
    struct kodama_ring *ring;
    struct kodama_format format;
    const struct kodama_log *log;
    char *path;
    uint64_t split_frames, split_bytes, max_frames, sync_ns;
    size_t buffer_frames;
    struct thread thread;

    /* the recorder's thread only */
    struct recorder_shape shape;
    struct recorder_file file;
    struct recorder_marks marks;
    uint8_t *buffer; /* frames read */
    bool paused;
    uint32_t number;      /* of the file; 0: names carry none */
    uint64_t done_frames; /* in files that are closed */
    uint64_t done_bytes;
    uint64_t sync_at_ns;

    /* lock */
    struct mutex lock;
    struct condition ended_condition;
    struct kodama_cursor *cursor; /* read by the thread; NULL from its end on */
    uint64_t next;                /* position of the next frame to record; changed by the thread */
    struct turn *turns;           /* to come, in order */
    size_t n_turns, turns_room;
    bool will_pause, will_stop; /* after all turns */
    struct kodama_recorder_stats stats;
    struct kodama_error failure;
    bool has_waitable;
    struct kodama_waitable waitable; /* signalled at the end */
};

/* ---------------------------------------------------------------- files */

/* The name of a file: "NAME-001.EXT" or just the path. Free it. */
static char *file_name(const char *path, uint32_t number)
{
    if (number == 0) return memory_text(path);
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    if (!dot || (slash && dot < slash) || dot == path || dot - 1 == slash)
        dot = path + strlen(path);
    size_t n_bytes = strlen(path) + sizeof "-999999";
    char *name = memory_array(n_bytes, 1);
    if (name) snprintf(name, n_bytes, "%.*s-%03" PRIu32 "%s", (int)(dot - path), path, number, dot);
    return name;
}

static int open_file(struct kodama_recorder *recorder, struct kodama_error *error)
{
    char *name = file_name(recorder->path, recorder->number);
    if (!name) return error_set(error, KODAMA_ERR_MEMORY, "no memory to record %s", recorder->path);
    int status = recorder_file_open(&recorder->file, &recorder->shape, name, error);
    if (status == KODAMA_OK) {
        recorder_marks_file(&recorder->marks, recorder->next, recorder->done_frames, name);
        log_write(recorder->log, KODAMA_LOG_DEBUG, "recording to %s", name);
    }
    free(name);
    return status;
}

static void publish_counters(struct kodama_recorder *recorder)
{
    mutex_lock(&recorder->lock);
    recorder->stats.frames = recorder->done_frames + recorder->file.n_frames;
    recorder->stats.bytes = recorder->done_bytes + recorder->file.n_bytes;
    mutex_unlock(&recorder->lock);
}

static int close_file(struct kodama_recorder *recorder, struct kodama_error *error)
{
    int status = KODAMA_OK;
    if (recorder->sync_ns > 0 && recorder->file.failure == 0 && recorder->file.descriptor >= 0) {
        status = recorder_file_sync(&recorder->file, error);
    }
    int closed = recorder_file_close(&recorder->file, status < 0 ? NULL : error);
    recorder->done_frames += recorder->file.n_frames;
    recorder->done_bytes += recorder->file.n_bytes;
    recorder->file.n_frames = 0;
    recorder->file.n_bytes = 0;
    publish_counters(recorder);
    return status < 0 ? status : closed;
}

static int next_file(struct kodama_recorder *recorder, struct kodama_error *error)
{
    int status = close_file(recorder, error);
    if (status < 0) return status;
    do {
        if (recorder->number >= NUMBER_MAX) {
            return error_set(error, KODAMA_ERR_LIMIT, "%s has more than %d parts", recorder->path,
                             NUMBER_MAX);
        }
        recorder->number++;
        status = open_file(recorder, error);
    } while (status == KODAMA_ERR_BUSY);
    if (status < 0) return status;
    mutex_lock(&recorder->lock);
    recorder->stats.files++;
    mutex_unlock(&recorder->lock);
    return KODAMA_OK;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Frames that the file still takes before the next one begins. */
static uint64_t file_room(const struct kodama_recorder *recorder)
{
    const struct recorder_file *file = &recorder->file;
    uint64_t room = UINT64_MAX;
    if (recorder->split_frames > 0) room = recorder->split_frames - file->n_frames;
    if (recorder->split_bytes == 0) return room;
    if (file->native) {
        return least(room, file->n_bytes < recorder->split_bytes ? ENCODED_STEP_FRAMES : 0);
    }
    uint64_t data_bytes = recorder->split_bytes - recorder_file_header_bytes(&recorder->shape) - 1;
    uint64_t most = data_bytes / recorder->shape.to_bytes;
    return least(room, most > file->n_frames ? most - file->n_frames : 0);
}

/* Frames in the ring's format, or silence, into as many files as it takes. */
static int write_frames(struct kodama_recorder *recorder, const uint8_t *frames, uint64_t n_frames,
                        struct kodama_error *error)
{
    size_t frame_bytes = kodama_frame_bytes(recorder->format);
    int status = KODAMA_OK;
    while (n_frames > 0 && status == KODAMA_OK) {
        uint64_t n = least(n_frames, file_room(recorder));
        if (n == 0) {
            status = next_file(recorder, error);
            continue;
        }
        /* A long silence in steps, so that the counters move. */
        n = least(n, recorder->buffer_frames);
        status = recorder_file_write(&recorder->file, frames, n, error);
        if (frames) frames += n * frame_bytes;
        n_frames -= n;
        publish_counters(recorder);
    }
    if (status == KODAMA_OK && recorder->sync_ns > 0 && clock_now_ns() >= recorder->sync_at_ns) {
        status = recorder_file_sync(&recorder->file, error);
        recorder->sync_at_ns = clock_now_ns() + recorder->sync_ns;
    }
    return status;
}

/* ---------------------------------------------------------------- the timeline */

static uint64_t frames_so_far(const struct kodama_recorder *recorder)
{
    return recorder->done_frames + recorder->file.n_frames;
}

/* Note a turn at the newest frame. The lock is held. */
static void add_turn(struct kodama_recorder *recorder, enum turn_kind kind)
{
    uint64_t position = kodama_ring_position(recorder->ring);
    recorder->turns[recorder->n_turns++] = (struct turn){.position = position, .kind = kind};
    kodama_cursor_interrupt(recorder->cursor);
}

/* Room for two more turns: one is always kept for the stop, which cannot fail. The lock is held. */
static int make_room_for_turn(struct kodama_recorder *recorder)
{
    if (recorder->n_turns + 2 <= recorder->turns_room) return KODAMA_OK;
    size_t room = 2 * recorder->turns_room;
    struct turn *turns = memory_resize(recorder->turns, room, sizeof *turns);
    if (!turns) return KODAMA_ERR_MEMORY;
    recorder->turns = turns;
    recorder->turns_room = room;
    return KODAMA_OK;
}

/*
 * Take the turns that have come, and say how many of the next frames are alike.
 *
 * @return frames, at most `max_frames`; 0: the recording ends here
 */
static uint64_t take_turns(struct kodama_recorder *recorder, uint64_t max_frames)
{
    bool stop = false;
    mutex_lock(&recorder->lock);
    while (recorder->n_turns > 0 && recorder->turns[0].position <= recorder->next && !stop) {
        enum turn_kind kind = recorder->turns[0].kind;
        recorder->n_turns--;
        memmove(recorder->turns, recorder->turns + 1, recorder->n_turns * sizeof *recorder->turns);
        stop = kind == TURN_STOP;
        if (stop) break;
        recorder->paused = kind == TURN_PAUSE;
        recorder_marks_event(&recorder->marks, recorder->paused ? "pause" : "resume",
                             recorder->next, frames_so_far(recorder), "%s", "");
    }
    if (recorder->n_turns > 0 && !stop) {
        max_frames = least(max_frames, recorder->turns[0].position - recorder->next);
    }
    mutex_unlock(&recorder->lock);
    if (recorder->max_frames > 0) {
        uint64_t left = recorder->max_frames - frames_so_far(recorder);
        /* What a pause leaves out is not in the files. */
        if (left == 0 || !recorder->paused) max_frames = least(max_frames, left);
    }
    return stop ? 0 : max_frames;
}

static void count_loss(struct kodama_recorder *recorder, uint64_t n_frames)
{
    recorder_marks_event(&recorder->marks, "lost", recorder->next, frames_so_far(recorder),
                         ", \"length\": %" PRIu64, n_frames);
    mutex_lock(&recorder->lock);
    bool first = recorder->stats.lost_frames == 0;
    recorder->stats.lost_frames += n_frames;
    mutex_unlock(&recorder->lock);
    if (!first) return; /* one event, not a flood */
    log_write(recorder->log, KODAMA_LOG_WARNING,
              "recording %s: the disk is too slow or the ring too short: %" PRIu64
              " frames were lost and are written as silence; further losses are counted",
              recorder->path, n_frames);
}

/* Frames that are alike: `n_lost` that are gone, then `n_frames` in the buffer. */
static int record(struct kodama_recorder *recorder, uint64_t n_lost, const uint8_t *frames,
                  uint64_t n_frames, struct kodama_error *error)
{
    int status = KODAMA_OK;
    uint64_t gap_frames = 0, n_paused = 0;
    if (recorder->paused) {
        n_paused = n_lost + n_frames;
    } else {
        if (n_lost > 0) count_loss(recorder, n_lost);
        gap_frames = recorder_marks_scan(&recorder->marks, recorder->next, n_lost + n_frames,
                                         frames_so_far(recorder));
        status = write_frames(recorder, NULL, n_lost, error);
        if (status == KODAMA_OK) status = write_frames(recorder, frames, n_frames, error);
    }
    mutex_lock(&recorder->lock);
    recorder->next += n_lost + n_frames;
    recorder->stats.gap_frames += gap_frames;
    recorder->stats.paused_frames += n_paused;
    mutex_unlock(&recorder->lock);
    return status;
}

/*
 * What a read brought, in parts that are alike.
 *
 * @return KODAMA_OK, KODAMA_ERR_CANCELLED (the recording ends within) or why writing failed
 */
static int take(struct kodama_recorder *recorder, uint64_t n_lost, uint64_t n_frames,
                struct kodama_error *error)
{
    const uint8_t *frames = recorder->buffer;
    int status = KODAMA_OK;
    while (n_lost + n_frames > 0 && status == KODAMA_OK) {
        uint64_t n = take_turns(recorder, n_lost + n_frames);
        if (n == 0) return KODAMA_ERR_CANCELLED;
        uint64_t lost = least(n, n_lost);
        status = record(recorder, lost, frames, n - lost, error);
        frames += (n - lost) * kodama_frame_bytes(recorder->format);
        n_lost -= lost;
        n_frames -= n - lost;
    }
    return status;
}

/* Record until the end. KODAMA_OK, or why not to the end. */
static int record_all(struct kodama_recorder *recorder, struct kodama_error *error)
{
    int status = KODAMA_OK;
    while (status == KODAMA_OK) {
        uint64_t wanted = take_turns(recorder, recorder->buffer_frames);
        if (wanted == 0) return KODAMA_OK;
        struct kodama_read info;
        int64_t n = kodama_cursor_read(recorder->cursor, recorder->buffer, (size_t)wanted,
                                       KODAMA_FOREVER, &info);
        if (n == KODAMA_ERR_CANCELLED) continue;
        if (n > 0) {
            status = take(recorder, info.position - recorder->next, (uint64_t)n, error);
        } else if (n == KODAMA_ERR_CLOSED) {
            uint64_t end = kodama_cursor_position(recorder->cursor);
            status = take(recorder, end - recorder->next, 0, error);
            if (status == KODAMA_OK) return KODAMA_OK;
        } else {
            return error_set(error, (int)n, "recording %s: reading the ring failed: %s",
                             recorder->path, kodama_strerror((int)n));
        }
    }
    return status == KODAMA_ERR_CANCELLED ? KODAMA_OK : status;
}

static void run(void *argument)
{
    struct kodama_recorder *recorder = argument;
    struct kodama_error error = {0};
    int status = record_all(recorder, &error);
    /* First: a writer that waits for this reader must not wait for the disk any longer. */
    mutex_lock(&recorder->lock);
    kodama_cursor_close(recorder->cursor);
    recorder->cursor = NULL;
    mutex_unlock(&recorder->lock);

    int closed = close_file(recorder, status < 0 ? NULL : &error);
    if (status == KODAMA_OK) status = closed;
    recorder_marks_event(&recorder->marks, "end", recorder->next, recorder->done_frames,
                         ", \"status\": \"%s\"", kodama_status_name(status));
    if (status < 0) {
        log_write(recorder->log, KODAMA_LOG_ERROR, "the recording ends: %s", error.message);
    }
    mutex_lock(&recorder->lock);
    recorder->failure = error;
    recorder->stats.status = status;
    recorder->stats.ended = true;
    condition_broadcast(&recorder->ended_condition);
    if (recorder->has_waitable) waitable_signal(recorder->waitable);
    mutex_unlock(&recorder->lock);
}

/* ---------------------------------------------------------------- opening */

static int check_config(const struct kodama_recorder_config *config, struct kodama_error *error)
{
    const char *wrong = NULL;
    if (config->size != sizeof *config)
        wrong = "the config was not initialised";
    else if (!config->path || !config->path[0])
        wrong = "there is no path";
    else if (!(config->quality >= 0.0 && config->quality <= 1.0))
        wrong = "quality is from 0 to 1";
    else if (config->start < KODAMA_START_NOW || config->start > KODAMA_START_AT) {
        wrong = "there is no such start";
    } else if (config->split_bytes > 0 && config->split_bytes < SPLIT_BYTES_MIN) {
        wrong = "split_bytes is 65536 at least";
    }
    if (!wrong) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_ARGUMENT, "open a recorder: %s", wrong);
}

static int open_cursor(struct kodama_recorder *recorder,
                       const struct kodama_recorder_config *config, struct kodama_error *error)
{
    struct kodama_cursor_config cursor_config = KODAMA_CURSOR_CONFIG_INIT;
    uint64_t watermark = recorder->format.rate_hz / WAKES_PER_S;
    /* In a short ring sooner, to have time before it is lapped. */
    watermark = least(watermark, kodama_ring_capacity(recorder->ring) / 4);
    cursor_config.lossless = config->lossless;
    cursor_config.start = config->start;
    cursor_config.start_position = config->start_position;
    cursor_config.watermark_frames = watermark;
    int status = kodama_cursor_open(&recorder->cursor, recorder->ring, &cursor_config);
    if (status < 0) {
        return error_set(error, status, "cannot record %s: %s", config->path,
                         kodama_strerror(status));
    }
    recorder->next = kodama_cursor_position(recorder->cursor);
    size_t n_frames = watermark > BUFFER_FRAMES_MIN ? (size_t)watermark : BUFFER_FRAMES_MIN;
    recorder->buffer_frames = n_frames;
    recorder->buffer = memory_array(n_frames, kodama_frame_bytes(recorder->format));
    recorder->turns_room = 8;
    recorder->turns = memory_array(recorder->turns_room, sizeof *recorder->turns);
    recorder->path = memory_text(config->path);
    if (!recorder->buffer || !recorder->turns || !recorder->path) {
        return error_set(error, KODAMA_ERR_MEMORY, "no memory to record %s", config->path);
    }
    return KODAMA_OK;
}

static int open_files(struct kodama_recorder *recorder, const struct kodama_recorder_config *config,
                      struct kodama_error *error)
{
    recorder->number = config->split_frames > 0 || config->split_bytes > 0 ? 1 : 0;
    int status =
        recorder_marks_open(&recorder->marks, recorder->ring, config->marks ? config->path : NULL,
                            config->overwrite, config->log, error);
    if (status < 0) return status;
    recorder_marks_event(&recorder->marks, "start", recorder->next, 0,
                         ", \"version\": 1, \"rate_hz\": %u, \"channels\": %u",
                         (unsigned)recorder->format.rate_hz, (unsigned)recorder->format.channels);
    recorder->stats.files = 1;
    return open_file(recorder, error);
}

/* Free what is there; the thread has ended or was never started. */
static void destroy(struct kodama_recorder *recorder)
{
    kodama_cursor_close(recorder->cursor);
    recorder_file_close(&recorder->file, NULL);
    recorder_marks_close(&recorder->marks);
    recorder_shape_free(&recorder->shape);
    if (recorder->has_waitable) waitable_destroy(recorder->waitable);
    condition_destroy(&recorder->ended_condition);
    mutex_destroy(&recorder->lock);
    free(recorder->buffer);
    free(recorder->turns);
    free(recorder->path);
    free(recorder);
}

int kodama_recorder_open(struct kodama_recorder **recorder, struct kodama_ring *ring,
                         const struct kodama_recorder_config *config, struct kodama_error *error)
{
    if (recorder) *recorder = NULL;
    if (!recorder || !ring || !config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "open a recorder: no recorder, ring or config");
    }
    struct recorder_shape shape;
    int status = check_config(config, error);
    if (status == KODAMA_OK)
        status = recorder_shape_choose(&shape, kodama_ring_format(ring), config, error);
    if (status < 0) return status;
    struct kodama_recorder *made = memory_array(1, sizeof *made);
    if (!made) return error_set(error, KODAMA_ERR_MEMORY, "no memory to record %s", config->path);
    made->ring = ring;
    made->format = kodama_ring_format(ring);
    made->log = config->log;
    made->split_frames = config->split_frames;
    made->split_bytes = config->split_bytes;
    made->max_frames = config->max_frames;
    made->sync_ns = config->sync_ms * CLOCK_NS_PER_MS;
    made->shape = shape;
    made->file.descriptor = -1;
    made->marks.descriptor = -1;
    mutex_init(&made->lock);
    condition_init(&made->ended_condition);
    status = recorder_shape_init(&made->shape);
    if (status < 0) error_set(error, status, "no memory to record %s", config->path);
    if (status == KODAMA_OK) status = open_cursor(made, config, error);
    if (status == KODAMA_OK) status = open_files(made, config, error);
    if (status == KODAMA_OK) status = thread_start(&made->thread, "recorder", run, made, error);
    if (status < 0) {
        if (made->file.descriptor >= 0) remove(made->file.path);
        if (made->marks.descriptor >= 0) remove(made->marks.path);
        destroy(made);
        return status;
    }
    *recorder = made;
    return KODAMA_OK;
}

/* ---------------------------------------------------------------- from outside */

void kodama_recorder_close(struct kodama_recorder *recorder)
{
    if (!recorder) return;
    kodama_recorder_stop(recorder);
    thread_join(&recorder->thread);
    destroy(recorder);
}

static int change_pause(struct kodama_recorder *recorder, bool pause)
{
    if (!recorder) return KODAMA_ERR_ARGUMENT;
    int status = KODAMA_ERR_STATE;
    mutex_lock(&recorder->lock);
    if (recorder->cursor && !recorder->will_stop && recorder->will_pause != pause) {
        status = make_room_for_turn(recorder);
    }
    if (status == KODAMA_OK) {
        add_turn(recorder, pause ? TURN_PAUSE : TURN_RESUME);
        recorder->will_pause = pause;
    }
    mutex_unlock(&recorder->lock);
    return status;
}

int kodama_recorder_pause(struct kodama_recorder *recorder)
{
    return change_pause(recorder, true);
}

int kodama_recorder_resume(struct kodama_recorder *recorder)
{
    return change_pause(recorder, false);
}

void kodama_recorder_stop(struct kodama_recorder *recorder)
{
    if (!recorder) return;
    mutex_lock(&recorder->lock);
    if (recorder->cursor && !recorder->will_stop) {
        add_turn(recorder, TURN_STOP);
        recorder->will_stop = true;
    }
    mutex_unlock(&recorder->lock);
}

int kodama_recorder_wait(struct kodama_recorder *recorder, int64_t timeout_ns,
                         struct kodama_error *error)
{
    if (!recorder) return error_set(error, KODAMA_ERR_ARGUMENT, "wait for a recorder: no recorder");
    uint64_t deadline_ns = clock_deadline(timeout_ns);
    bool in_time = true;
    mutex_lock(&recorder->lock);
    while (!recorder->stats.ended && in_time) {
        in_time = condition_wait(&recorder->ended_condition, &recorder->lock, deadline_ns);
    }
    int status = recorder->stats.ended ? recorder->stats.status : KODAMA_ERR_TIMEOUT;
    if (status == KODAMA_ERR_TIMEOUT && !recorder->stats.ended) {
        error_set(error, status, "still recording %s", recorder->path);
    } else if (status < 0 && error) {
        *error = recorder->failure;
    }
    mutex_unlock(&recorder->lock);
    return status;
}

int kodama_recorder_waitable(struct kodama_recorder *recorder, struct kodama_waitable *waitable)
{
    if (!waitable) return KODAMA_ERR_ARGUMENT;
    *waitable = WAITABLE_NONE;
    if (!recorder) return KODAMA_ERR_ARGUMENT;
    int status = KODAMA_OK;
    mutex_lock(&recorder->lock);
    if (!recorder->has_waitable) {
        status = waitable_create(&recorder->waitable);
        recorder->has_waitable = status == KODAMA_OK;
        if (recorder->has_waitable && recorder->stats.ended) waitable_signal(recorder->waitable);
    }
    if (recorder->has_waitable) *waitable = recorder->waitable;
    mutex_unlock(&recorder->lock);
    return status;
}

void kodama_recorder_stats(struct kodama_recorder *recorder, struct kodama_recorder_stats *stats)
{
    if (!stats) return;
    *stats = (struct kodama_recorder_stats){0};
    if (!recorder) return;
    mutex_lock(&recorder->lock);
    *stats = recorder->stats;
    uint64_t position = kodama_ring_position(recorder->ring);
    if (!stats->ended && position > recorder->next) {
        uint64_t behind_ms = (position - recorder->next) * 1000 / recorder->format.rate_hz;
        stats->behind_ms = (uint32_t)least(behind_ms, UINT32_MAX);
    }
    mutex_unlock(&recorder->lock);
}
