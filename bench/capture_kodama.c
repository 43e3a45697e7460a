/* Kodama: one process, one stream with one callback a source. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <kodama/kodama.h>
#include <stdatomic.h>

#include "capture.h"

enum { SETTLE_US = 2000000 };

struct listener {
    struct kodama_stream *stream;
    struct heard heard;
    uint64_t gaps_before, gaps_after;
};

static _Atomic bool counting;

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct listener *listener = user;
    if (atomic_load_explicit(&counting, memory_order_relaxed)) {
        heard_add(&listener->heard, chunk->frames, chunk->n_frames, frame_now_us());
    }
    return KODAMA_OK;
}

static int open_one(struct listener *listener, struct kodama_host *host, const struct task *task,
                    int index, struct kodama_error *error)
{
    struct kodama_app_match match = {.pid = (uint32_t)task->players[index]};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.host = host;
    config.apps = &match;
    config.n_apps = 1;
    config.format = (struct kodama_format){
        .sample = KODAMA_SAMPLE_F32, .rate_hz = RATE_HZ, .channels = CHANNELS};
    struct kodama_source *source;
    int status = kodama_source_open(&source, "app", &config, error);
    if (status < 0) return status;
    struct kodama_stream_config stream = KODAMA_STREAM_CONFIG_INIT;
    stream.chunk_frames = task->quantum;
    stream.on_chunk = on_chunk;
    stream.user = listener;
    listener->heard.latency = calloc(1, sizeof(struct latency));
    status = kodama_stream_open(&listener->stream, source, &stream, error);
    if (status < 0) {
        kodama_source_close(source);
        return status;
    }
    return kodama_stream_start(listener->stream, error);
}

static uint64_t gap_frames(const struct listener *listener)
{
    struct kodama_stream_stats stats;
    kodama_stream_stats(listener->stream, &stats);
    return stats.source.gap_frames + stats.lost_frames;
}

static void sleep_us(uint64_t us)
{
    for (uint64_t until = frame_now_us() + us, now; (now = frame_now_us()) < until;) {
        usleep((useconds_t)(until - now < 500000 ? until - now : 500000));
    }
}

static void measure(const struct task *task, struct listener *listeners, struct result *result)
{
    struct heard heard[PLAYERS_MAX];
    pid_t self = getpid();
    sleep_us(SETTLE_US);
    for (int i = 0; i < task->n_sources; i++) listeners[i].gaps_before = gap_frames(&listeners[i]);
    uint64_t begin = frame_now_us(), cpu = usage_cpu_ns(&self, 1),
             daemon_cpu = usage_cpu_ns(task->daemons, task->n_daemons);
    atomic_store(&counting, true);
    sleep_us((uint64_t)(task->seconds * 1e6));
    atomic_store(&counting, false);
    double spent_ns = (double)(frame_now_us() - begin) * 1e3;
    result->cpu = (double)(usage_cpu_ns(&self, 1) - cpu) / spent_ns;
    result->daemon_cpu =
        (double)(usage_cpu_ns(task->daemons, task->n_daemons) - daemon_cpu) / spent_ns;
    result->pss_mb = usage_pss_mb(&self, 1);
    for (int i = 0; i < task->n_sources; i++) {
        result->reported += gap_frames(&listeners[i]) - listeners[i].gaps_before;
        kodama_stream_stop(listeners[i].stream); /* nothing writes to `heard` any more */
        heard[i] = listeners[i].heard;
    }
    result_add(result, heard, task->n_sources);
    result->done = true;
}

void contender_kodama(const struct task *task, struct result *result)
{
    static struct listener listeners[PLAYERS_MAX];
    struct kodama_error error = {0};
    struct kodama_host_config config = KODAMA_HOST_CONFIG_INIT;
    struct kodama_host *host;
    config.backend = task->server;
    int status = kodama_host_open(&host, &config, &error);
    for (int i = 0; status >= 0 && i < task->n_sources; i++) {
        status = open_one(&listeners[i], host, task, i, &error);
    }
    if (status < 0) {
        snprintf(result->failure, sizeof result->failure, "%.190s", error.message);
        return;
    }
    measure(task, listeners, result);
}
