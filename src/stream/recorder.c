/* Recorders: a ring on disk, as it arrives; what is asked of the thread that writes it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/waitable.h"
#include "stream/recorder_internal.h"

enum {
    WAKES_PER_S = 10,
    BUFFER_FRAMES_MIN = 4096,
    SPLIT_BYTES_MIN = 65536,
};

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
    watermark = recorder_least(watermark, kodama_ring_capacity(recorder->ring) / 4);
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
    return recorder_open_file(recorder, error);
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
    if (status == KODAMA_OK)
        status = thread_start(&made->thread, "recorder", recorder_run, made, error);
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
        stats->behind_ms = (uint32_t)recorder_least(behind_ms, UINT32_MAX);
    }
    mutex_unlock(&recorder->lock);
}
