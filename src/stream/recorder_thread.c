/* The recorder's thread: reads a cursor and writes files. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/waitable.h"
#include "stream/recorder_internal.h"

enum {
    ENCODED_STEP_FRAMES = 4096, /* between two looks at the size of an encoded file */
    NUMBER_MAX = 999999,
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

int recorder_open_file(struct kodama_recorder *recorder, struct kodama_error *error)
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
        status = recorder_open_file(recorder, error);
    } while (status == KODAMA_ERR_BUSY);
    if (status < 0) return status;
    mutex_lock(&recorder->lock);
    recorder->stats.files++;
    mutex_unlock(&recorder->lock);
    return KODAMA_OK;
}

/* Frames that the file still takes before the next one begins. */
static uint64_t file_room(const struct kodama_recorder *recorder)
{
    const struct recorder_file *file = &recorder->file;
    uint64_t room = UINT64_MAX;
    if (recorder->split_frames > 0) room = recorder->split_frames - file->n_frames;
    if (recorder->split_bytes == 0) return room;
    if (file->native) {
        return recorder_least(room,
                              file->n_bytes < recorder->split_bytes ? ENCODED_STEP_FRAMES : 0);
    }
    uint64_t data_bytes = recorder->split_bytes - recorder_file_header_bytes(&recorder->shape) - 1;
    uint64_t most = data_bytes / recorder->shape.to_bytes;
    return recorder_least(room, most > file->n_frames ? most - file->n_frames : 0);
}

/* Frames in the ring's format, or silence, into as many files as it takes. */
static int write_frames(struct kodama_recorder *recorder, const uint8_t *frames, uint64_t n_frames,
                        struct kodama_error *error)
{
    size_t frame_bytes = kodama_frame_bytes(recorder->format);
    int status = KODAMA_OK;
    while (n_frames > 0 && status == KODAMA_OK) {
        uint64_t n = recorder_least(n_frames, file_room(recorder));
        if (n == 0) {
            status = next_file(recorder, error);
            continue;
        }
        /* A long silence in steps, so that the counters move. */
        n = recorder_least(n, recorder->buffer_frames);
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
        max_frames = recorder_least(max_frames, recorder->turns[0].position - recorder->next);
    }
    mutex_unlock(&recorder->lock);
    if (recorder->max_frames > 0) {
        uint64_t left = recorder->max_frames - frames_so_far(recorder);
        /* What a pause leaves out is not in the files. */
        if (left == 0 || !recorder->paused) max_frames = recorder_least(max_frames, left);
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
        uint64_t lost = recorder_least(n, n_lost);
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

void recorder_run(void *argument)
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
