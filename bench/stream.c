/*
 * Streams: Kodama beside the ways of the older tools, with the same sources and the same work in
 * the callback, in the same run. Measures and prints; only the counts of frames must be right.
 *
 *     bench_stream [--seconds S] [--sources N,N...] [--rounds N] [--json]
 *
 * N sources (10 and 100 by default) of 48 kHz stereo float deliver a block every 10 ms for S
 * seconds (2 by default) to a callback that measures the energy of each block. Each source loses
 * one block in the middle of each second. Medians of the rounds (3 by default):
 *   kodama       the source "null" as a live device, a ring of 2 s, a dispatcher each
 *   poll 100 ms  a vector behind a mutex, looked at every 100 ms
 *   poll 10 ms   the same, looked at in a loop that sleeps 10 ms
 * Latency is from the write of a block to the callback's call. CPU and context switches are those
 * of everything, making the noise included, which is the same for all. Memory is the proportional
 * set size of the process, which is one of its own for each line.
 */
#define _GNU_SOURCE /* getopt_long */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <kodama/kodama.h>

#include "base/clock.h"
#include "help.h"
#include "stream.h"
#include "usage.h"

enum { COUNTS_MAX = 8, ROUNDS_MAX = 25 };

double stream_work(const float *frames, size_t n_frames)
{
    double energy = 0.0;
    for (size_t i = 0; i < n_frames * CHANNELS; i++) {
        energy += (double)frames[i] * (double)frames[i];
    }
    return energy;
}

void stream_watch(const struct stream_task *task, struct stream_result *result)
{
    clock_sleep_until(clock_now_ns() + task->n_frames * CLOCK_NS_PER_S / RATE_HZ * 9 / 10);
    pid_t self = getpid();
    result->pss_mb = usage_pss_mb(&self, 1);
}

void stream_add_latency(const struct stream_task *task, struct stream_result *result,
                        struct latency_summary one)
{
    result->latency.p50_us += one.p50_us / task->n_sources;
    if (one.p99_us > result->latency.p99_us) result->latency.p99_us = one.p99_us;
    if (one.max_us > result->latency.max_us) result->latency.max_us = one.max_us;
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
    uint64_t received, lost;
    double energy;
};

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct listener *listener = user;
    listener->lost += chunk->lost;
    if (chunk->n_frames == 0) return KODAMA_OK;
    listener->received += chunk->n_frames;
    listener->energy += stream_work(chunk->frames, chunk->n_frames);
    return KODAMA_OK;
}

/* The frames that each source loses. */
static uint64_t missing_of(const struct stream_task *task)
{
    return (task->n_frames + RATE_HZ / 2 - 1) / RATE_HZ * BLOCK_FRAMES;
}

static int open_source(struct kodama_source **source, const struct stream_task *task, uint64_t seed,
                       struct kodama_error *error)
{
    size_t n_faults = 0;
    struct kodama_fault *faults = calloc(task->n_frames / RATE_HZ + 1, sizeof *faults);
    if (!faults) return KODAMA_ERR_MEMORY;
    for (uint64_t place = 0; place < task->n_frames; place += BLOCK_FRAMES) {
        if (!stream_loses(place)) continue;
        faults[n_faults++] = (struct kodama_fault){
            .kind = KODAMA_FAULT_GAP, .position = place, .length_frames = BLOCK_FRAMES};
    }
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.format = (struct kodama_format){
        .sample = KODAMA_SAMPLE_F32, .rate_hz = RATE_HZ, .channels = CHANNELS};
    config.paced = config.live = true;
    config.length_frames = task->n_frames;
    config.seed = seed;
    config.faults = faults;
    config.n_faults = n_faults;
    int status = kodama_source_open(source, "null", &config, error);
    free(faults);
    return status;
}

static int open_one(struct listener *listener, const struct stream_task *task, uint64_t seed,
                    struct kodama_error *error)
{
    struct kodama_source *source;
    int status = open_source(&source, task, seed, error);
    if (status < 0) return status;
    struct kodama_stream_config stream = KODAMA_STREAM_CONFIG_INIT;
    stream.on_chunk = on_chunk;
    stream.user = listener;
    status = kodama_stream_open(&listener->stream, source, &stream, error);
    if (status < 0) kodama_source_close(source);
    return status < 0 ? status : kodama_stream_start(listener->stream, error);
}

/* What a stream says of itself, held against what its callback saw and what was to come. */
static void count_one(const struct listener *listener, const struct stream_task *task,
                      struct stream_result *result)
{
    struct kodama_stream_stats stats;
    kodama_stream_stats(listener->stream, &stats);
    /* Frames of a gap are handed over as silence of its length. */
    uint64_t received = listener->received - stats.source.gap_frames;
    result->received += received;
    result->gaps += stats.source.gap_frames;
    result->lost += stats.lost_frames;
    result->rings_mb += (double)stats.ring.capacity_bytes * 1e-6;
    stream_add_latency(task, result,
                       (struct latency_summary){.p50_us = (double)stats.latency_p50_ns * 1e-3,
                                                .p99_us = (double)stats.latency_p99_ns * 1e-3,
                                                .max_us = (double)stats.latency_max_ns * 1e-3});
    if (stats.source.gap_frames != missing_of(task) || stats.lost_frames != listener->lost ||
        received + stats.source.gap_frames + listener->lost != task->n_frames) {
        snprintf(result->failure, sizeof result->failure,
                 "of %llu frames %llu came, %llu were told as gaps and %llu as lost",
                 (unsigned long long)task->n_frames, (unsigned long long)received,
                 (unsigned long long)stats.source.gap_frames, (unsigned long long)listener->lost);
    }
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
    stream_watch(task, result);
    for (int i = 0; i < task->n_sources; i++) {
        if (kodama_stream_wait(listeners[i].stream, KODAMA_FOREVER, &error) < 0) {
            snprintf(result->failure, sizeof result->failure, "%.190s", error.message);
            return;
        }
        count_one(&listeners[i], task, result);
        kodama_stream_close(listeners[i].stream);
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

enum metric { P50_MS, P99_MS, MAX_MS, CPU_PERCENT, SWITCHES, PSS_MB, N_METRICS };

/* One line: a contender under a load, in all rounds. */
struct row {
    const struct contender *contender;
    struct stream_task task;
    struct stream_result last;
    double metrics[N_METRICS][ROUNDS_MAX];
    double medians[N_METRICS];
};

/* In a process of its own. */
static void measure(const void *argument, void *result)
{
    const struct row *row = argument;
    struct stream_result *measured = result;
    uint64_t begin = clock_now_ns();
    double cpu_before, cpu, switches_before, switches;
    usage_now(&cpu_before, &switches_before);
    row->contender->run(&row->task, measured);
    double spent_s = (double)(clock_now_ns() - begin) * 1e-9;
    usage_now(&cpu, &switches);
    measured->cpu = (cpu - cpu_before) / spent_s;
    measured->switches = (switches - switches_before) / spent_s;
}

static bool run_row(struct row *row, int round)
{
    struct stream_result *last = &row->last;
    memset(last, 0, sizeof *last);
    if (!usage_run(measure, row, last, sizeof *last)) {
        snprintf(last->failure, sizeof last->failure, "it ended without a result");
    }
    const double values[N_METRICS] = {
        [P50_MS] = last->latency.p50_us * 1e-3,
        [P99_MS] = last->latency.p99_us * 1e-3,
        [MAX_MS] = last->latency.max_us * 1e-3,
        [CPU_PERCENT] = last->cpu / row->task.n_sources * 100.0,
        [SWITCHES] = last->switches / row->task.n_sources,
        [PSS_MB] = last->pss_mb,
    };
    for (int i = 0; i < N_METRICS; i++) row->metrics[i][round] = values[i];
    if (last->failure[0]) {
        fprintf(stderr, "bench_stream: %s, %d sources: %s\n", row->contender->name,
                row->task.n_sources, last->failure);
    }
    return !last->failure[0];
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void take_medians(struct row *row, int n_rounds)
{
    for (int i = 0; i < N_METRICS; i++) {
        qsort(row->metrics[i], (size_t)n_rounds, sizeof(double), compare_doubles);
        row->medians[i] = row->metrics[i][n_rounds / 2];
    }
}

static void print_heading(double seconds, int n_rounds)
{
    printf("48 kHz stereo f32, a block of 10 ms, %g s, medians of %d\n", seconds, n_rounds);
    printf("%7s  %-11s %9s %9s %9s %8s %9s %8s  %s\n", "", "", "p50", "p99", "max", "CPU %",
           "switches", "memory", "frames: received + told as");
    printf("%7s  %-11s %9s %9s %9s %8s %9s %8s  %s\n", "sources", "", "ms", "worst", "worst",
           "/source", "/s/source", "PSS MB", "gaps + lost; not told");
}

static void print_row(const struct row *row)
{
    const struct stream_result *last = &row->last;
    uint64_t expected = row->task.n_frames * (uint64_t)row->task.n_sources;
    const double *medians = row->medians;
    printf("%7d  %-11s %9.3f %9.3f %9.3f %8.3f %9.1f %8.1f  %llu + %llu + %llu; %llu\n",
           row->task.n_sources, row->contender->name, medians[P50_MS], medians[P99_MS],
           medians[MAX_MS], medians[CPU_PERCENT], medians[SWITCHES], medians[PSS_MB],
           (unsigned long long)last->received, (unsigned long long)last->gaps,
           (unsigned long long)last->lost,
           (unsigned long long)(expected - last->received - last->gaps - last->lost));
    if (last->rings_mb > 0.0) {
        printf("%7s  of that %d rings of %.2f MB\n", "", row->task.n_sources,
               last->rings_mb / row->task.n_sources);
    }
}

static void print_json(const struct row *row)
{
    static const char *const names[N_METRICS] = {"p50_ms",      "p99_ms",   "max_ms",
                                                 "cpu_percent", "switches", "pss_mb"};
    const struct stream_result *last = &row->last;
    printf("{\"contender\":\"%s\",\"sources\":%d,\"frames\":%llu,\"received\":%llu,"
           "\"gaps\":%llu,\"lost\":%llu,\"rings_mb\":%.2f",
           row->contender->name, row->task.n_sources,
           (unsigned long long)(row->task.n_frames * (uint64_t)row->task.n_sources),
           (unsigned long long)last->received, (unsigned long long)last->gaps,
           (unsigned long long)last->lost, last->rings_mb);
    for (int i = 0; i < N_METRICS; i++) printf(",\"%s\":%.4f", names[i], row->medians[i]);
    puts("}");
}

/* -------------------------------------------------------------- command line */

struct options {
    double seconds;
    int counts[COUNTS_MAX], n_counts, n_rounds;
    bool json;
};

static bool read_counts(char *text, struct options *options)
{
    options->n_counts = 0;
    for (char *word = text, *comma; word; word = comma) {
        comma = strchr(word, ',');
        if (comma) *comma++ = 0;
        long count = strtol(word, NULL, 10);
        if (options->n_counts == COUNTS_MAX || count < 1 || count > SOURCES_MAX) return false;
        options->counts[options->n_counts++] = (int)count;
    }
    return true;
}

static bool read_options(int n_arguments, char **arguments, struct options *options)
{
    static const struct option known[] = {{"seconds", required_argument, NULL, 's'},
                                          {"sources", required_argument, NULL, 'n'},
                                          {"rounds", required_argument, NULL, 'r'},
                                          {"json", no_argument, NULL, 'j'},
                                          {NULL, 0, NULL, 0}};
    bool good = true;
    for (int letter; (letter = getopt_long(n_arguments, arguments, "", known, NULL)) != -1;) {
        switch (letter) {
        case 's': options->seconds = strtod(optarg, NULL); break;
        case 'n': good = good && read_counts(optarg, options); break;
        case 'r': options->n_rounds = (int)strtol(optarg, NULL, 10); break;
        case 'j': options->json = true; break;
        default: good = false;
        }
    }
    return good && optind == n_arguments && options->seconds >= 0.1 &&
           options->seconds <= 86400.0 && options->n_rounds >= 1 && options->n_rounds <= ROUNDS_MAX;
}

static const char page[] =
    "usage: bench_stream [--seconds S] [--sources N,N...] [--rounds N] [--json]\n"
    "\n"
    "Streams beside the ways of the older tools (a vector behind a mutex that is looked at\n"
    "every 100 or 10 ms): delay, processor time, context switches, memory, frames lost.\n"
    "Measures and prints; only the counts of frames must be right.\n"
    "\n"
    "  --seconds S        how long each runs; 2 when not given\n"
    "  --sources N,N...   how many sources at a time; 10,100 when not given\n"
    "  --rounds N         of which the median is printed; 3 when not given\n"
    "  --json             print JSON\n";

int main(int n_arguments, char **arguments)
{
    int code = bench_answer(n_arguments, arguments, NULL, page);
    if (code >= 0) return code;
    struct options options = {.seconds = 2.0, .counts = {10, 100}, .n_counts = 2, .n_rounds = 3};
    if (!read_options(n_arguments, arguments, &options)) return bench_usage(page);
    enum { N_CONTENDERS = sizeof contenders / sizeof contenders[0] };
    static struct row rows[COUNTS_MAX * N_CONTENDERS];
    int n_rows = options.n_counts * N_CONTENDERS;
    for (int i = 0; i < n_rows; i++) {
        rows[i].contender = &contenders[i % N_CONTENDERS];
        rows[i].task = (struct stream_task){
            .n_sources = options.counts[i / N_CONTENDERS],
            .n_frames = (uint64_t)(options.seconds * 100.0) * BLOCK_FRAMES,
            .poll_ns = rows[i].contender->poll_ns,
        };
    }
    bool good = true;
    for (int round = 0; round < options.n_rounds; round++) {
        for (int i = 0; i < n_rows; i++) good = run_row(&rows[i], round) && good;
    }
    if (!options.json) print_heading(options.seconds, options.n_rounds);
    for (int i = 0; i < n_rows; i++) {
        take_medians(&rows[i], options.n_rounds);
        (options.json ? print_json : print_row)(&rows[i]);
    }
    return good ? 0 : 1;
}
