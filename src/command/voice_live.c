/* The way of a live voice: a stream, the chain, and the sinks that it goes to. */
#include "command/voice_live.h"

#include <stdlib.h>
#include <string.h>

#include "command/output.h"

/* Chunks of 5 ms: a shorter one would wake two processes more often than the sound server does. */
enum { CHUNKS_PER_SECOND = 200, WRITE_WAIT_NS = 100000000 };
static const int64_t drain_ns = INT64_C(2000000000);

/* ------------------------------------------------------------------ running */

/* Everything into a file, which is waited for. */
static int write_file(struct voice_live *live, const float *frames, size_t n_frames)
{
    size_t skipped = live->skip < n_frames ? (size_t)live->skip : n_frames;
    live->skip -= skipped;
    frames += skipped * live->channels;
    n_frames -= skipped;
    while (n_frames > 0) {
        if (atomic_load(&live->abandoned)) return KODAMA_ERR_CANCELLED;
        int64_t n = kodama_sink_write(live->target.sink, frames, n_frames, WRITE_WAIT_NS);
        if (n == KODAMA_ERR_TIMEOUT || n == KODAMA_ERR_FULL) continue;
        if (n < 0) return (int)n;
        frames += (size_t)n * live->channels;
        n_frames -= (size_t)n;
    }
    return KODAMA_OK;
}

static int give(struct voice_live *live, int64_t n)
{
    if (n < 0) return (int)n;
    int64_t status = live->target.player
                         ? kodama_player_write(live->target.player, live->block, (size_t)n)
                         : write_file(live, live->block, (size_t)n);
    /* Who listens along does not decide what becomes of the voice. */
    if (live->monitor.player) {
        (void)kodama_player_write(live->monitor.player, live->block, (size_t)n);
    }
    return status < 0 ? (int)status : KODAMA_OK;
}

/* What was lost on the way is silence in a file, so that it stays in step; live it is over. */
static int make_good(struct voice_live *live, uint64_t lost)
{
    int status = KODAMA_OK;
    while (lost > 0 && !live->target.player && status >= 0) {
        size_t n = lost < live->chunk_frames ? (size_t)lost : live->chunk_frames;
        status = give(live, kodama_voice_process(live->voice, NULL, n, live->block, live->room));
        lost -= n;
    }
    return status;
}

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct voice_live *live = user;
    size_t frame_bytes = kodama_frame_bytes(live->format);
    const uint8_t *frames = chunk->frames;
    int status = make_good(live, chunk->lost);
    for (uint32_t done = 0; done < chunk->n_frames && status >= 0;) {
        uint32_t n = chunk->n_frames - done;
        if (n > live->chunk_frames) n = live->chunk_frames;
        status = give(live, kodama_voice_process(live->voice, frames + done * frame_bytes, n,
                                                 live->block, live->room));
        done += n;
    }
    if (!chunk->is_last || status < 0) return status;
    return give(live, kodama_voice_flush(live->voice, live->block, live->room));
}

/* ------------------------------------------------------------------ opening */

static int fail(const struct kodama_error *error, int status)
{
    complain("voice", "%s", error->message[0] ? error->message : kodama_strerror(status));
    return EXIT_FAILED;
}

static int open_outlet(struct voice_live *live, struct voice_outlet *outlet, const char *kind,
                       const char *name, const struct voice_target *target)
{
    struct kodama_sink_config config = KODAMA_SINK_CONFIG_INIT;
    struct kodama_error error = {0};
    bool is_file = strcmp(kind, "file") == 0;
    config.format = (struct kodama_format){
        .sample = KODAMA_SAMPLE_F32, .rate_hz = live->format.rate_hz, .channels = live->channels};
    config.backend = target->backend;
    config.latency = target->latency;
    if (is_file) {
        config.path = name;
        config.overwrite = target->overwrite;
        config.sample = KODAMA_SAMPLE_S16;
    } else if (strcmp(kind, "mic") == 0) {
        config.name = name;
    } else {
        config.device = name;
    }
    int status = kodama_sink_open(&outlet->sink, kind, &config, &error);
    if (status >= 0 && !is_file) {
        status = kodama_player_open(&outlet->player, outlet->sink, NULL, &error);
    }
    return status < 0 ? fail(&error, status) : EXIT_DONE;
}

static int open_voice(struct voice_live *live, struct kodama_voice_config *config)
{
    struct kodama_error error = {0};
    config->input = live->format;
    config->output = (struct kodama_format){
        .sample = KODAMA_SAMPLE_F32, .rate_hz = live->format.rate_hz, .channels = live->channels};
    int status = kodama_voice_open(&live->voice, config, &error);
    if (status < 0) return fail(&error, status);
    live->room = kodama_voice_room(live->voice, live->chunk_frames);
    size_t rest = kodama_voice_room(live->voice, 0);
    if (rest > live->room) live->room = rest;
    live->skip = kodama_voice_latency(live->voice);
    live->block = calloc(live->room * live->channels, sizeof *live->block);
    if (live->block) return EXIT_DONE;
    return fail(&error, KODAMA_ERR_MEMORY);
}

int voice_live_open(struct voice_live *live, struct kodama_source *source,
                    struct kodama_voice_config *config, const struct voice_target *target,
                    const struct kodama_log *log)
{
    struct kodama_stream_config stream = KODAMA_STREAM_CONFIG_INIT;
    struct kodama_error error = {0};
    *live = (struct voice_live){.format = kodama_source_format(source)};
    /* A voice is one; programs that record a microphone expect one channel. */
    live->channels = strcmp(target->kind, "speakers") == 0 ? 2 : 1;
    live->chunk_frames = live->format.rate_hz / CHUNKS_PER_SECOND;
    int code = open_voice(live, config);
    if (code == EXIT_DONE)
        code = open_outlet(live, &live->target, target->kind, target->name, target);
    if (code == EXIT_DONE && target->monitor) {
        code = open_outlet(live, &live->monitor, "speakers", NULL, target);
    }
    if (code == EXIT_DONE) {
        stream.on_chunk = on_chunk;
        stream.user = live;
        stream.chunk_frames = live->chunk_frames;
        capture_tell(&live->teller, &stream, log);
        int status = kodama_stream_open(&live->stream, source, &stream, &error);
        if (status < 0) code = fail(&error, status);
    }
    if (code != EXIT_DONE) kodama_source_close(source);
    return code;
}

int voice_live_start(struct voice_live *live, struct kodama_error *error)
{
    return kodama_stream_start(live->stream, error);
}

int voice_live_finish(struct voice_live *live, struct kodama_error *error)
{
    kodama_stream_stop(live->stream);
    int status = kodama_stream_wait(live->stream, drain_ns, error);
    if (status == KODAMA_ERR_TIMEOUT) atomic_store(&live->abandoned, true);
    int drained = kodama_sink_drain(live->target.sink, drain_ns, error);
    /* A device that is away, or that nobody takes from, has nothing to be kept whole. */
    if (live->target.player && drained == KODAMA_ERR_TIMEOUT) drained = KODAMA_OK;
    if (live->monitor.sink) (void)kodama_sink_drain(live->monitor.sink, drain_ns, NULL);
    return status < 0 && status != KODAMA_ERR_TIMEOUT ? status : drained;
}

void voice_live_close(struct voice_live *live)
{
    atomic_store(&live->abandoned, true);
    kodama_stream_close(live->stream);
    kodama_player_close(live->target.player);
    kodama_player_close(live->monitor.player);
    kodama_sink_close(live->target.sink);
    kodama_sink_close(live->monitor.sink);
    kodama_voice_close(live->voice);
    free(live->block);
}

struct voice_delay voice_live_delay(const struct voice_live *live)
{
    struct kodama_stream_stats stream;
    kodama_stream_stats(live->stream, &stream);
    uint64_t rate_hz = live->format.rate_hz;
    struct voice_delay delay = {
        .capture_ns = stream.source.latency_ns + stream.latency_p50_ns +
                      stream.chunk_frames * UINT64_C(1000000000) / rate_hz,
        .voice_ns = kodama_voice_latency(live->voice) * UINT64_C(1000000000) / rate_hz,
    };
    if (live->target.player) {
        struct kodama_player_stats player;
        kodama_player_stats(live->target.player, &player);
        delay.sink_ns = player.delay_ns;
    }
    return delay;
}
