/* The sink "file": a recorder that holds the writer back, so that the file gets every frame. */
#include <kodama/recorder.h>

#include "base/clock.h"
#include "base/error.h"
#include "stream/sink.h"

static int file_open(struct kodama_sink *sink, const struct kodama_sink_config *config,
                     struct kodama_error *error)
{
    if (!config->path || !config->path[0]) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "the sink \"file\" needs a path");
    }
    struct kodama_recorder_config recorder = KODAMA_RECORDER_CONFIG_INIT;
    recorder.path = config->path;
    recorder.type = config->type;
    recorder.sample = config->sample;
    recorder.quality = config->quality;
    recorder.overwrite = config->overwrite;
    recorder.lossless = true;
    recorder.log = config->log;
    struct kodama_recorder *opened = NULL;
    int status = kodama_recorder_open(&opened, sink->ring, &recorder, error);
    sink->state = opened;
    return status;
}

/* A recorder that has failed has let go of the ring: what is written from then on goes nowhere. */
static int file_check(struct kodama_sink *sink)
{
    struct kodama_recorder_stats stats;
    kodama_recorder_stats(sink->state, &stats);
    if (!stats.ended) return KODAMA_OK;
    return stats.status < 0 ? stats.status : KODAMA_ERR_CLOSED;
}

static int file_drain(struct kodama_sink *sink, uint64_t deadline_ns, struct kodama_error *error)
{
    kodama_ring_close(sink->ring);
    uint64_t now = clock_now_ns();
    int64_t left = deadline_ns > now ? (int64_t)(deadline_ns - now) : 0;
    if (deadline_ns == CLOCK_NEVER) left = KODAMA_FOREVER;
    return kodama_recorder_wait(sink->state, left, error);
}

static void file_stats(const struct kodama_sink *sink, struct kodama_sink_stats *stats)
{
    struct kodama_recorder_stats recorder;
    kodama_recorder_stats(sink->state, &recorder);
    stats->frames = recorder.frames;
    stats->queue_frames =
        stats->frames_written > recorder.frames ? stats->frames_written - recorder.frames : 0;
    stats->present = !recorder.ended;
}

static void file_close(struct kodama_sink *sink)
{
    kodama_recorder_close(sink->state);
}

const struct sink_ops sink_file_ops = {
    .name = "file",
    .channels = 2,
    .open = file_open,
    .check = file_check,
    .drain = file_drain,
    .stats = file_stats,
    .close = file_close,
};
