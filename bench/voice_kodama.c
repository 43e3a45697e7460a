/* Kodama's shifter, in the comparison and many at once. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <kodama/kodama.h>

#include "base/clock.h"
#include "latency.h"
#include "tests/support/voice_synth.h"
#include "voice.h"

static struct kodama_voice *open_voice(double pitch, double formant)
{
    struct kodama_voice_config config = KODAMA_VOICE_CONFIG_INIT;
    struct kodama_error error;
    struct kodama_voice *voice;
    config.settings.pitch = (float)pitch;
    config.settings.formant = (float)formant;
    config.settings.fluctuation = false;
    int status = kodama_voice_open(&voice, &config, &error);
    if (status < 0) fprintf(stderr, "kodama: %s\n", error.message);
    return status < 0 ? NULL : voice;
}

static bool run(struct voice_run *run)
{
    struct kodama_voice *voice = open_voice(run->pitch, run->formant);
    if (!voice) return false;
    size_t room = kodama_voice_room(voice, VOICE_BLOCK), n;
    if (room < kodama_voice_room(voice, 0)) room = kodama_voice_room(voice, 0);
    float *out = malloc(room * sizeof *out);
    int64_t given = out ? 0 : -1;
    run->states_ms = 1e3 * kodama_voice_latency(voice) / VOICE_RATE;
    for (const float *in; given >= 0 && (in = voice_next(run, &n));) {
        given = kodama_voice_process(voice, in, n, out, room);
        if (given > 0) voice_give(run, out, (size_t)given);
    }
    if (given >= 0) given = kodama_voice_flush(voice, out, room);
    if (given > 0) voice_give(run, out, (size_t)given);
    free(out);
    kodama_voice_close(voice);
    return given >= 0;
}

const struct voice_contender voice_kodama = {.name = "Kodama", .moves_formants = true, .run = run};

/* ----------------------------------------------------------------- sessions */

struct worker {
    pthread_t thread;
    const struct synth_sound *speech;
    struct kodama_voice **voices;
    int n_voices;
    uint64_t begin_ns, n_blocks, cpu_ns;
    struct latency latency;
    bool failed;
};

/* One thread's voices. Their blocks come at different moments of the 10 ms, as they do in life. */
static void *work(void *user)
{
    struct worker *worker = user;
    float out[2 * VOICE_BLOCK];
    size_t n_blocks_of_speech = worker->speech->n_frames / VOICE_BLOCK;
    for (uint64_t block = 0; block < worker->n_blocks; block++) {
        for (int i = 0; i < worker->n_voices; i++) {
            uint64_t due_ns = worker->begin_ns + block * 10000000U +
                              10000000U * (uint64_t)i / (uint64_t)worker->n_voices;
            clock_sleep_until(due_ns);
            size_t at = (block + 37U * (uint64_t)i) % n_blocks_of_speech * VOICE_BLOCK;
            if (kodama_voice_process(worker->voices[i], worker->speech->samples + at, VOICE_BLOCK,
                                     out, sizeof out / sizeof *out) < 0) {
                worker->failed = true;
            }
            latency_add(&worker->latency, (clock_now_ns() - due_ns) / 1000);
        }
    }
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    worker->cpu_ns = (uint64_t)used.tv_sec * CLOCK_NS_PER_S + (uint64_t)used.tv_nsec;
    return NULL;
}

static void run_workers(struct voice_sessions *sessions, struct worker *workers, int n)
{
    const struct latency *latencies[16];
    uint64_t begin_ns = clock_now_ns() + 20000000U, cpu_ns = 0;
    int n_started = 0;
    for (int i = 0; i < n; i++) {
        workers[i].begin_ns = begin_ns;
        latencies[i] = &workers[i].latency;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) break;
        n_started++;
    }
    sessions->failed = n_started < n;
    for (int i = 0; i < n_started; i++) {
        pthread_join(workers[i].thread, NULL);
        sessions->failed |= workers[i].failed;
        cpu_ns += workers[i].cpu_ns;
    }
    struct latency_summary summary = latency_summarise(latencies, n_started);
    sessions->p50_ms = summary.p50_us * 1e-3;
    sessions->p99_ms = summary.p99_us * 1e-3;
    sessions->max_ms = summary.max_us * 1e-3;
    sessions->cpu = (double)cpu_ns * 1e-9 / sessions->seconds;
}

void voice_run_sessions(struct voice_sessions *sessions)
{
    static struct synth_utterance utterance;
    synth_speech(&utterance, SYNTH_WOMAN, 1, 10);
    struct synth_sound *speech = synth_say(&utterance);
    int n = sessions->n_sessions, n_threads = sessions->n_threads < 16 ? sessions->n_threads : 16;
    struct kodama_voice **voices = calloc((size_t)n, sizeof *voices);
    struct worker *workers = calloc((size_t)n_threads, sizeof *workers);
    sessions->failed = !speech || !voices || !workers;
    for (int i = 0; i < n && !sessions->failed; i++) {
        voices[i] = open_voice(i % 2 ? 5 : -5, 0);
        sessions->failed = !voices[i];
    }
    for (int i = 0, first = 0; i < n_threads && !sessions->failed; i++) {
        workers[i].speech = speech;
        workers[i].voices = voices + first;
        workers[i].n_voices = n / n_threads + (i < n % n_threads);
        workers[i].n_blocks = (uint64_t)(sessions->seconds * 100);
        first += workers[i].n_voices;
    }
    if (!sessions->failed) run_workers(sessions, workers, n_threads);
    for (int i = 0; voices && i < n; i++) kodama_voice_close(voices[i]);
    free(voices);
    free(workers);
    synth_sound_free(speech);
}
