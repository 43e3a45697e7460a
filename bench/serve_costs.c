#define _DEFAULT_SOURCE
/* Costs of the server beside the bare engine's: the same audio, at the same pace, once through
 * recognisers in a process and once through the server. And how late finals are. */
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <kodama/kodama.h>

#include "base/clock.h"
#include "serve.h"
#include "usage.h"

#define READ "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-"

enum { PAUSE_SAMPLES = 24000, ROUNDS = 3, SESSIONS_MAX = 100 };

/* --------------------------------------------------------------------- speech */

static bool speech_add(struct speech *speech, const char *path)
{
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    if (!file) return false;
    size_t n = (size_t)info.frames + PAUSE_SAMPLES;
    int16_t *samples = realloc(speech->samples, (speech->n_samples + n) * sizeof *samples);
    if (samples) {
        speech->samples = samples;
        samples += speech->n_samples;
        size_t n_read = (size_t)sf_read_short(file, samples, info.frames);
        for (size_t i = n_read; i < n; i++) samples[i] = (int16_t)(i * 7919 % 13) - 6;
        speech->n_samples += n;
    }
    sf_close(file);
    return samples != NULL;
}

bool speech_load(struct speech *speech)
{
    static const char *const names[] = {READ "0870.wav", READ "0880.wav", READ "0890.wav",
                                        READ "0920.wav", READ "0930.wav"};
    bool loaded = true;
    *speech = (struct speech){0};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && loaded; i++) {
        loaded = speech_add(speech, names[i]);
    }
    speech->n_samples -= speech->n_samples % LOAD_MESSAGE_FRAMES;
    return loaded;
}

/* ------------------------------------------------------------------ the bare engine */

struct bare {
    const struct speech *speech;
    enum server_kind kind;
    int n_sessions;
    double run_s;
};

struct bare_result {
    double cpu_s;
};

static double cpu_now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void sleep_until(uint64_t when_ns)
{
    struct timespec time = {.tv_sec = (time_t)(when_ns / CLOCK_NS_PER_S),
                            .tv_nsec = (long)(when_ns % CLOCK_NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void hear(struct kodama_recognizer *recognizer, const int16_t *samples)
{
    struct kodama_event event;
    (void)kodama_recognizer_write(recognizer, samples, LOAD_MESSAGE_FRAMES, KODAMA_FOREVER);
    while (kodama_recognizer_next(recognizer, &event, 0) == KODAMA_OK) continue;
}

/* A child's. */
static void run_bare(const void *task, void *result)
{
    const struct bare *bare = task;
    struct bare_result *costs = result;
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *recognizers[SESSIONS_MAX];
    server_pin(SERVER_PROCESSOR);
    struct kodama_model *model = server_model(bare->kind);
    config.format = (struct kodama_format){KODAMA_SAMPLE_S16, LOAD_RATE_HZ, 1, 0};
    config.partials = false;
    config.segmenter.detector = server_detector(bare->kind);
    for (int i = 0; i < bare->n_sessions; i++) {
        if (!model || kodama_recognizer_open(&recognizers[i], model, &config, NULL) < 0) _exit(1);
    }
    uint64_t n_frames = bare->speech->n_samples / LOAD_MESSAGE_FRAMES;
    uint64_t n_ticks = (uint64_t)(bare->run_s * LOAD_MESSAGES_PER_S);
    uint64_t begin_ns = clock_now_ns();
    double begin_s = cpu_now_s();
    for (uint64_t tick = 0; tick < n_ticks; tick++) {
        for (int i = 0; i < bare->n_sessions; i++) {
            uint64_t n = (uint64_t)bare->n_sessions;
            uint64_t frame = (tick + (uint64_t)i * n_frames / n) % n_frames;
            sleep_until(begin_ns +
                        (tick * n + (uint64_t)i) * CLOCK_NS_PER_S / LOAD_MESSAGES_PER_S / n);
            hear(recognizers[i], bare->speech->samples + frame * LOAD_MESSAGE_FRAMES);
        }
    }
    costs->cpu_s = cpu_now_s() - begin_s;
}

/* ------------------------------------------------------------------- the report */

static double median(double *values, int n)
{
    for (int i = 1; i < n; i++) {
        for (int k = i; k > 0 && values[k] < values[k - 1]; k--) {
            double value = values[k];
            values[k] = values[k - 1];
            values[k - 1] = value;
        }
    }
    return values[n / 2];
}

/* A session's thousandths of a processor, the bare engine's and the server's. */
static void compare(const struct speech *speech, enum server_kind kind, int n_sessions,
                    double run_s, int rounds)
{
    double bare_ms[ROUNDS], server_ms[ROUNDS], network_ms[ROUNDS];
    for (int i = 0; i < rounds; i++) {
        struct bare bare = {speech, kind, n_sessions, run_s};
        struct bare_result costs = {0};
        struct load_config config = {.path = "/ws?partials=0",
                                     .n_clients = n_sessions,
                                     .run_s = run_s,
                                     .samples = speech->samples,
                                     .n_samples = speech->n_samples,
                                     .even = true};
        struct trial trial;
        if (!usage_run(run_bare, &bare, &costs, sizeof costs)) return;
        if (!trial_run(&trial, kind, &config) || !trial.connected) return;
        double audio_s = run_s * n_sessions;
        bare_ms[i] = costs.cpu_s * 1000.0 / audio_s;
        server_ms[i] = (double)trial.cpu_ns * 1e-6 / audio_s;
        network_ms[i] = (double)trial.network_ns * 1e-6 / audio_s;
    }
    double b = median(bare_ms, rounds), s = median(server_ms, rounds);
    double w = median(network_ms, rounds);
    printf("%s, %d sessions: bare engine %.2f ms a second of audio, server %.2f ms (%+.1f %%), of "
           "which its network thread %.2f ms (%.1f %% of the bare engine)\n",
           server_name(kind), n_sessions, b, s, (s / b - 1.0) * 100.0, w, w / b * 100.0);
    fflush(stdout);
}

static void print_finals(const struct speech *speech, enum server_kind kind, int n_sessions,
                         double run_s)
{
    struct load_config config = {.path = "/ws?rate=16000",
                                 .n_clients = n_sessions,
                                 .run_s = run_s,
                                 .samples = speech->samples,
                                 .n_samples = speech->n_samples};
    struct trial trial;
    if (!trial_run(&trial, kind, &config) || !trial.connected) return;
    printf("%s, %d sessions: final after speech_stopped, %lu of them: p50 %.1f ms, p99 %.1f ms, "
           "most %.1f ms\n",
           server_name(kind), n_sessions, (unsigned long)trial.load.n_finals,
           trial.load.final.p50_us / 1000, trial.load.final.p99_us / 1000,
           trial.load.final.max_us / 1000);
    fflush(stdout);
}

void costs_print(const struct speech *speech, bool longer)
{
    double length_s = (double)speech->n_samples / LOAD_RATE_HZ;
    double run_s = longer ? 2.0 * length_s : 10.0;
    int rounds = longer ? ROUNDS : 1;
    compare(speech, SERVER_BUILTIN, SESSIONS_MAX, run_s, rounds);
    compare(speech, SERVER_SPHINX, 2, run_s, rounds);
    /* An engine that takes no time shows what is the server's. */
    print_finals(speech, SERVER_BUILTIN, SESSIONS_MAX, run_s);
    print_finals(speech, SERVER_SPHINX, 1, longer ? 2.0 * length_s : length_s);
}
