/* Where a recording goes: a clip in memory, or a file through a recorder. */
#include "stream/record_target.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

#define MAX_BYTES_DEFAULT (UINT64_C(1) << 30)

static int open_clip(struct record_target *target, const struct kodama_record_config *config,
                     uint64_t n_frames, struct kodama_error *error)
{
    uint64_t max_bytes = config->max_bytes > 0 ? config->max_bytes : MAX_BYTES_DEFAULT;
    target->max_frames = max_bytes / sizeof(float) / target->format.channels;
    if (n_frames > target->max_frames) {
        return error_set(error, KODAMA_ERR_LIMIT,
                         "a clip of %llu frames would exceed the %llu MiB that it may take: record "
                         "to a file, or raise max_bytes",
                         (unsigned long long)n_frames, (unsigned long long)(max_bytes >> 20));
    }
    return kodama_clip_create(&target->clip, target->format, NULL, 0, error);
}

static int open_file(struct record_target *target, const struct kodama_record_config *config,
                     struct kodama_error *error)
{
    target->path = memory_text(config->path);
    if (!target->path) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a recording");
    struct kodama_ring_config ring = KODAMA_RING_CONFIG_INIT;
    ring.format = target->format;
    int status = kodama_ring_create(&target->ring, &ring, error);
    if (status < 0) return status;
    /* The role passes to the recording's thread when that is started. */
    status = kodama_writer_claim(&target->writer, target->ring);
    if (status < 0) return error_set(error, status, "a new ring cannot be written");
    struct kodama_recorder_config recorder = KODAMA_RECORDER_CONFIG_INIT;
    recorder.path = config->path;
    recorder.type = config->type;
    recorder.sample = config->sample;
    recorder.quality = config->quality;
    recorder.lossless = true;
    recorder.overwrite = config->overwrite;
    recorder.marks = config->marks;
    recorder.log = config->log;
    return kodama_recorder_open(&target->recorder, target->ring, &recorder, error);
}

int record_target_open(struct record_target *target, struct kodama_format format,
                       const struct kodama_record_config *config, uint64_t n_frames,
                       struct kodama_error *error)
{
    target->format = format;
    return config->path ? open_file(target, config, error)
                        : open_clip(target, config, n_frames, error);
}

void record_target_discard(struct record_target *target)
{
    if (!target->recorder) return;
    kodama_recorder_close(target->recorder);
    target->recorder = NULL;
    remove(target->path);
    char list[4096];
    int n = snprintf(list, sizeof list, "%s.jsonl", target->path);
    if (n > 0 && (size_t)n < sizeof list) remove(list);
}

void record_target_mark(struct record_target *target, const struct kodama_mark *mark)
{
    if (target->ring) (void)kodama_writer_mark(&target->writer, mark);
}

static int append_to_clip(struct record_target *target, const void *frames, uint64_t n_frames,
                          struct kodama_error *error)
{
    uint64_t room = target->max_frames - kodama_clip_frames(target->clip);
    uint64_t n = n_frames < room ? n_frames : room;
    int status = kodama_clip_append(target->clip, target->format, frames, (size_t)n, error);
    if (status < 0 || n == n_frames) return status;
    return error_set(error, KODAMA_ERR_LIMIT,
                     "the clip is as long as it may be, %llu frames: what was captured is kept; "
                     "record to a file, or raise max_bytes",
                     (unsigned long long)target->max_frames);
}

static int append_to_file(struct record_target *target, const void *frames, uint64_t n_frames,
                          struct kodama_error *error)
{
    const uint8_t *from = frames;
    while (n_frames > 0) {
        /* Waits while the disk does; not when the recorder has failed, for it has let go then. */
        int64_t n = kodama_writer_write(&target->writer, from, (size_t)n_frames, KODAMA_FOREVER);
        if (n < 0) return error_set(error, (int)n, "writing to a recorder failed");
        if (from) from += (size_t)n * kodama_frame_bytes(target->format);
        n_frames -= (uint64_t)n;
    }
    struct kodama_recorder_stats stats;
    kodama_recorder_stats(target->recorder, &stats);
    return stats.ended ? kodama_recorder_wait(target->recorder, 0, error) : KODAMA_OK;
}

int record_target_append(struct record_target *target, const void *frames, uint64_t n_frames,
                         struct kodama_error *error)
{
    if (n_frames == 0) return KODAMA_OK;
    return target->clip ? append_to_clip(target, frames, n_frames, error)
                        : append_to_file(target, frames, n_frames, error);
}

int record_target_finish(struct record_target *target, struct kodama_error *error)
{
    if (!target->recorder) return KODAMA_OK;
    kodama_ring_close(target->ring);
    int status = kodama_recorder_wait(target->recorder, KODAMA_FOREVER, error);
    kodama_recorder_stats(target->recorder, &target->file);
    return status;
}

uint64_t record_target_frames(const struct record_target *target)
{
    return target->clip ? kodama_clip_frames(target->clip) : target->file.frames;
}

void record_target_free(struct record_target *target)
{
    kodama_recorder_close(target->recorder);
    kodama_writer_release(&target->writer);
    kodama_ring_destroy(target->ring);
    kodama_clip_destroy(target->clip);
    free(target->path);
}
