/* Where a recording goes: a recorder's files, or a WAV stream on standard output. */
#include "command/taking.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command/command.h"

/* So long may the disk sleep before frames of a live source are lost. */
static const double history_s = 10.0;

/* --------------------------------------------------------- standard output */

static int write_pipe(struct taking *taking, const void *frames, uint64_t n_frames)
{
    struct kodama_clip *clip;
    if (taking->max_frames > 0) {
        uint64_t left = taking->max_frames - taking->pipe.n_frames;
        if (n_frames > left) n_frames = left;
    }
    int status = kodama_clip_create(&clip, taking->format, frames, (size_t)n_frames, NULL);
    if (status < 0) return status;
    bool written = soundfile_write(&taking->pipe, clip);
    kodama_clip_destroy(clip);
    atomic_store(&taking->pipe_frames, taking->pipe.n_frames);
    if (!written) return KODAMA_ERR_IO;
    taking->full = taking->max_frames > 0 && taking->pipe.n_frames == taking->max_frames;
    return taking->full ? KODAMA_ERR_CANCELLED : KODAMA_OK;
}

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct taking *taking = user;
    if (atomic_load(&taking->paused)) {
        taking->paused_frames += chunk->lost + chunk->n_frames;
        return KODAMA_OK;
    }
    int status = KODAMA_OK;
    taking->lost_frames += chunk->lost;
    /* What was lost is silence, in steps that memory holds. */
    for (uint64_t lost = chunk->lost; lost > 0 && status == KODAMA_OK;) {
        uint64_t n = lost < taking->format.rate_hz ? lost : taking->format.rate_hz;
        status = write_pipe(taking, NULL, n);
        lost -= n;
    }
    if (status == KODAMA_OK && chunk->n_frames > 0) {
        status = write_pipe(taking, chunk->frames, chunk->n_frames);
    }
    return status;
}

/* ------------------------------------------------------------------- open */

static int open_recorder(struct taking *taking, const char *command, bool live,
                         struct kodama_recorder_config *config)
{
    struct kodama_error error = {0};
    config->lossless = !live;
    int status =
        kodama_recorder_open(&taking->recorder, kodama_stream_ring(taking->stream), config, &error);
    if (status == KODAMA_OK) return EXIT_DONE;
    complain(command, "%s%s", error.message, status == KODAMA_ERR_BUSY ? " with --overwrite" : "");
    return EXIT_FAILED;
}

int taking_open(struct taking *taking, const char *command, struct kodama_source *source,
                struct kodama_recorder_config *config)
{
    struct kodama_stream_config stream = KODAMA_STREAM_CONFIG_INIT;
    struct kodama_error error = {0};
    bool standard = soundfile_is_standard(config->path), live = kodama_source_is_live(source);
    *taking = (struct taking){
        .format = kodama_source_format(source), .max_frames = config->max_frames, .wake = {-1, -1}};
    int code = EXIT_DONE;
    if (standard) {
        code = soundfile_begin(&taking->pipe, command, config->type, taking->format, config->sample,
                               config->max_frames ? config->max_frames : UINT64_MAX);
        stream.on_chunk = on_chunk;
        stream.user = taking;
    }
    stream.ring_seconds = live ? history_s : 0.0;
    capture_tell(&taking->teller, &stream, config->log);
    int status = KODAMA_OK;
    if (code == EXIT_DONE) status = kodama_stream_open(&taking->stream, source, &stream, &error);
    if (code != EXIT_DONE || status < 0) kodama_source_close(source);
    if (status < 0) {
        complain(command, "%s", error.message);
        code = EXIT_FAILED;
    }
    if (code == EXIT_DONE && pipe(taking->wake) < 0) {
        complain(command, "the system has no pipe left");
        code = EXIT_FAILED;
    }
    if (code == EXIT_DONE && !standard) code = open_recorder(taking, command, live, config);
    if (code != EXIT_DONE) taking_close(taking);
    return code;
}

static void *run_waiter(void *argument)
{
    struct taking *taking = argument;
    taking->status = taking->recorder
                         ? kodama_recorder_wait(taking->recorder, KODAMA_FOREVER, &taking->error)
                         : kodama_stream_wait(taking->stream, KODAMA_FOREVER, &taking->error);
    atomic_store(&taking->ended, true);
    ssize_t n = write(taking->wake[1], "", 1);
    (void)n;
    return NULL;
}

int taking_start(struct taking *taking, struct kodama_error *error)
{
    int status = kodama_stream_start(taking->stream, error);
    if (status < 0) return status;
    if (pthread_create(&taking->waiter, NULL, run_waiter, taking) == 0) {
        taking->waiting = true;
        return KODAMA_OK;
    }
    if (error) *error = (struct kodama_error){KODAMA_ERR_SYSTEM, "cannot start a thread"};
    return KODAMA_ERR_SYSTEM;
}

int taking_descriptor(const struct taking *taking)
{
    return taking->wake[0];
}

bool taking_has_ended(struct taking *taking)
{
    return atomic_load(&taking->ended);
}

void taking_pause(struct taking *taking, bool paused)
{
    atomic_store(&taking->paused, paused);
    if (!taking->recorder) return;
    /* Refused when the recording is ending: nothing is left to pause. */
    if (paused)
        (void)kodama_recorder_pause(taking->recorder);
    else
        (void)kodama_recorder_resume(taking->recorder);
}

void taking_stop(struct taking *taking)
{
    kodama_stream_stop(taking->stream);
}

int taking_wait(struct taking *taking, struct kodama_error *error)
{
    if (taking->waiting) pthread_join(taking->waiter, NULL);
    taking->waiting = false;
    int status = taking->status;
    *error = taking->error;
    if (taking->recorder) {
        /* The recorder may have ended first: the source has nobody to write for. */
        struct kodama_error source = {0};
        kodama_stream_stop(taking->stream);
        int ended = kodama_stream_wait(taking->stream, KODAMA_FOREVER, &source);
        if (status < 0 || ended == KODAMA_OK) return status;
        *error = source;
        return ended;
    }
    return taking->full ? KODAMA_OK : status;
}

struct taken taking_stats(struct taking *taking)
{
    struct kodama_stream_stats stream;
    struct kodama_recorder_stats recorder;
    kodama_stream_stats(taking->stream, &stream);
    struct taken taken = {.gaps = stream.source.gaps};
    if (!taking->recorder) {
        taken.frames = atomic_load(&taking->pipe_frames);
        taken.bytes = taken.frames * kodama_frame_bytes(taking->pipe.format);
        taken.gap_frames = stream.source.gap_frames;
        taken.files = 1;
        if (!taking->waiting) { /* the dispatcher's before */
            taken.lost_frames = taking->lost_frames;
            taken.paused_frames = taking->paused_frames;
        }
        return taken;
    }
    kodama_recorder_stats(taking->recorder, &recorder);
    taken.frames = recorder.frames;
    taken.bytes = recorder.bytes;
    taken.lost_frames = recorder.lost_frames;
    taken.paused_frames = recorder.paused_frames;
    taken.gap_frames = recorder.gap_frames;
    taken.files = recorder.files;
    return taken;
}

void taking_close(struct taking *taking)
{
    struct kodama_error ignored;
    if (taking->waiting) {
        taking_stop(taking);
        (void)taking_wait(taking, &ignored);
    }
    kodama_recorder_close(taking->recorder);
    kodama_stream_close(taking->stream);
    soundfile_end(&taking->pipe);
    for (int i = 0; i < 2; i++) {
        if (taking->wake[i] >= 0) close(taking->wake[i]);
    }
    *taking = (struct taking){.wake = {-1, -1}};
}
