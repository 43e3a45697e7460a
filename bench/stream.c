/*
 * Streams: Kodama beside the ways of the older tools, with the same sources and the same work in
 * the callback, in the same run. Measures and prints; only the counts of frames must be right.
 *
 *     bench_stream [--seconds S] [SOURCES ...]
 *
 * SOURCES sources (10 and 100 by default) of 48 kHz stereo float deliver a block every 10 ms for S
 * seconds (5 by default) to a callback that measures the energy of each block:
 *   kodama       the source "null" as a live device, a ring of 2 s, a dispatcher each
 *   poll 100 ms  a vector behind a mutex, looked at every 100 ms
 *   poll 10 ms   the same, looked at in a loop that sleeps 10 ms
 * Latency is from the write of a block to the callback's call. CPU and context switches are those
 * of everything, making the noise included, which is the same for all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <kodama/kodama.h>

#include "base/clock.h"
#include "stream.h"
#include "usage.h"

enum { COUNTS_MAX = 8 };

double stream_work(const float *frames, size_t n_frames)
{
    double energy = 0.0;
    for (size_t i = 0; i < n_frames * CHANNELS; i++) {
        energy += (double)frames[i] * (double)frames[i];
    }
    return energy;
}

/* What this process has used so far: seconds of CPU, voluntary context switches. */
static void usage_now(double *cpu_s, double *switches)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    *cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    *switches = (double)usage.ru_nvcsw;
}

/* ------------------------------------------------------------------- Kodama */

struct listener {
    struct kodama_stream *stream;
    uint64_t received;
    double energy;
};

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct listener *listener = user;
    listener->received += chunk->n_frames;
    listener->energy += stream_work(chunk->frames, chunk->n_frames);
    return KODAMA_OK;
}

static int open_one(struct listener *listener, const struct stream_task *task, uint64_t seed,
                    struct kodama_error *error)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.format = (struct kodama_format){
        .sample = KODAMA_SAMPLE_F32, .rate_hz = RATE_HZ, .channels = CHANNELS};
    config.paced = config.live = true;
    config.length_frames = task->n_frames;
    config.seed = seed;
    struct kodama_source *source;
    int status = kodama_source_open(&source, "null", &config, error);
    if (status < 0) return status;
    struct kodama_stream_config stream = KODAMA_STREAM_CONFIG_INIT;
    stream.on_chunk = on_chunk;
    stream.user = listener;
    status = kodama_stream_open(&listener->stream, source, &stream, error);
    if (status < 0) kodama_source_close(source);
    return status < 0 ? status : kodama_stream_start(listener->stream, error);
}

static void run_kodama(const struct stream_task *task, struct stream_result *result)
{
    static struct listener listeners[SOURCES_MAX];
    struct kodama_error error = {0};
    for (int i = 0; i < task->n_sources; i++) {
        if (open_one(&listeners[i], task, (uint64_t)i, &error) >= 0) continue;
        snprintf(result->failure, sizeof result->failure, "%.190s", error.message);
        return;
    }
    for (int i = 0; i < task->n_sources; i++) {
        struct kodama_stream_stats stats;
        if (kodama_stream_wait(listeners[i].stream, KODAMA_FOREVER, &error) < 0) {
            snprintf(result->failure, sizeof result->failure, "%.190s", error.message);
        }
        kodama_stream_stats(listeners[i].stream, &stats);
        result->received += listeners[i].received - stats.source.gap_frames;
        result->gaps += stats.source.gap_frames;
        result->lost += stats.lost_frames;
        /* Percentiles of several are not to be had from percentiles: the mean of the medians, and
         * the worst of the rest. */
        result->latency.p50_us += (double)stats.latency_p50_ns * 1e-3 / task->n_sources;
        double p99 = (double)stats.latency_p99_ns * 1e-3, max = (double)stats.latency_max_ns * 1e-3;
        if (p99 > result->latency.p99_us) result->latency.p99_us = p99;
        if (max > result->latency.max_us) result->latency.max_us = max;
    }
}

/* -------------------------------------------------------------------- table */

struct contender {
    const char *name;
    void (*run)(const struct stream_task *task, struct stream_result *result);
    int64_t poll_ns;
};

static const struct contender contenders[] = {
    {"kodama", run_kodama, 0},
    {"poll 100 ms", stream_run_poller, 100000000},
    {"poll 10 ms", stream_run_poller, 10000000},
};

struct run {
    const struct contender *contender;
    struct stream_task task;
};

/* In a process of its own. */
static void measure(const void *argument, void *result)
{
    const struct run *run = argument;
    struct stream_result *measured = result;
    uint64_t begin = clock_now_ns();
    double cpu_before, cpu, switches_before, switches;
    usage_now(&cpu_before, &switches_before);
    run->contender->run(&run->task, measured);
    double spent_s = (double)(clock_now_ns() - begin) * 1e-9;
    usage_now(&cpu, &switches);
    pid_t self = getpid();
    measured->cpu = (cpu - cpu_before) / spent_s;
    measured->switches = (switches - switches_before) / spent_s;
    measured->pss_mb = usage_pss_mb(&self, 1); /* the streams are still open */
}

/* Whether every frame is accounted for. */
static bool compare(const struct contender *contender, int n_sources, double seconds)
{
    struct run run = {.contender = contender,
                      .task = {.n_sources = n_sources,
                               .n_frames = (uint64_t)(seconds * 100.0) * BLOCK_FRAMES,
                               .poll_ns = contender->poll_ns}};
    struct stream_result result = {0};
    if (!usage_run(measure, &run, &result, sizeof result)) {
        snprintf(result.failure, sizeof result.failure, "it ended without a result");
    }
    if (result.failure[0]) {
        printf("%7d  %-11s  %s\n", n_sources, contender->name, result.failure);
        return false;
    }
    uint64_t expected = run.task.n_frames * (uint64_t)n_sources;
    bool exact = result.received + result.gaps + result.lost == expected;
    printf("%7d  %-11s %9.3f %9.3f %9.3f %8.3f %9.1f %8.1f  %llu + %llu + %llu %s %llu\n",
           n_sources, contender->name, result.latency.p50_us * 1e-3, result.latency.p99_us * 1e-3,
           result.latency.max_us * 1e-3, result.cpu / n_sources * 100.0,
           result.switches / n_sources, result.pss_mb, (unsigned long long)result.received,
           (unsigned long long)result.gaps, (unsigned long long)result.lost, exact ? "=" : "IS NOT",
           (unsigned long long)expected);
    fflush(stdout);
    return exact;
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_stream [--seconds S] [SOURCES 1..%d ...]\n", SOURCES_MAX);
    return 2;
}

int main(int n_arguments, char **arguments)
{
    int counts[COUNTS_MAX] = {10, 100}, n_counts = 0;
    double seconds = 5.0;
    for (int i = 1; i < n_arguments; i++) {
        int count = (int)strtol(arguments[i], NULL, 10);
        if (strcmp(arguments[i], "--seconds") == 0 && i + 1 < n_arguments) {
            seconds = strtod(arguments[++i], NULL);
        } else if (count >= 1 && count <= SOURCES_MAX && n_counts < COUNTS_MAX) {
            counts[n_counts++] = count;
        } else {
            return usage();
        }
    }
    if (!(seconds > 0.0 && seconds <= 86400.0)) return usage();
    if (n_counts == 0) n_counts = 2;
    printf("48 kHz stereo f32, a block of 10 ms, %g s; rings of 2 s: 0.77 MB each\n", seconds);
    printf("%7s  %-11s %9s %9s %9s %8s %9s %8s  %s\n", "sources", "", "p50 ms", "p99 ms", "max ms",
           "CPU %", "switches", "PSS MB", "received + gaps + lost = expected");
    printf("%7s  %-11s %9s %9s %9s %8s %9s %8s\n", "", "", "", "", "", "/source", "/s/source",
           "all");
    bool exact = true;
    for (int i = 0; i < n_counts; i++) {
        for (size_t j = 0; j < sizeof contenders / sizeof contenders[0]; j++) {
            exact = compare(&contenders[j], counts[i], seconds) && exact;
        }
    }
    return exact ? 0 : 1;
}
