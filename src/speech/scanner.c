/*
 * The scanner: finished audio, cut into chunks that overlap, judged in parallel, told in order.
 *
 * The caller's thread fills one job after the other with the overlap and the chunk, threads judge
 * them, and the caller's thread takes the probabilities in the order of the chunks to one
 * segmenter. The jobs stand in a circle: from `oldest` on they are at work or done, then comes the
 * one that is being filled. With one thread there are no jobs: a relay of two detectors does the
 * same.
 */
#include <kodama/scanner.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "speech/detector.h"
#include "speech/detector_relay.h"
#include "speech/segmenter.h"

enum { RATE_HZ = 16000, THREADS_MAX = 256, CHUNK_MS_MAX = 3600000 };

enum job_state { JOB_FREE, JOB_WAITING, JOB_RUNNING, JOB_DONE };

/** A chunk with the overlap before it. */
struct job {
    enum job_state state; /* with the lock */
    float *samples;       /* [overlap + chunk]; the caller's while free, then the worker's */
    float *probabilities; /* [chunk] windows */
    size_t n_samples;     /* filled, the overlap included */
    size_t n_overlap;     /* of which before the chunk: 0 in the first one */
    size_t n_windows;     /* whole ones of the chunk */
};

struct worker {
    struct kodama_scanner *scanner;
    struct kodama_detector *detector;
    struct thread thread;
};

struct replay;

struct kodama_scanner {
    /* Immutable after open. */
    struct kodama_scanner_config config;
    uint32_t window;
    size_t chunk, overlap; /* samples, whole windows */
    struct worker *workers;
    uint32_t n_workers, n_started;
    struct job *jobs;
    size_t n_jobs;

    /* The caller's. */
    struct kodama_detector *relay; /* one thread: judges at once */
    float *partial;                /* one thread: the beginning of a window */
    size_t n_partial;
    struct kodama_segmenter *segmenter; /* over probabilities that are there already */
    struct replay *replay;              /* its detector */
    float *nothing;                     /* [window] of zeros: what it is given to hear */
    size_t filling, oldest;             /* jobs */
    uint64_t n_told;                    /* windows */
    bool finished;
    int status; /* the first failure; nothing is done after it */

    struct mutex mutex;
    struct condition work; /* a job waits, or closing */
    struct condition done; /* a job is done */
    bool closing;          /* with the lock */
};

/* ------------------------------------------- a detector that says what is known already */

struct replay {
    struct kodama_detector detector;
    float next; /* set before each window */
};

static void replay_close(struct kodama_detector *detector)
{
    free(detector);
}

static float replay_process(struct kodama_detector *detector, const float *samples)
{
    (void)samples;
    return ((struct replay *)detector)->next;
}

static void replay_reset(struct kodama_detector *detector)
{
    ((struct replay *)detector)->next = 0.0f;
}

static void replay_save(const struct kodama_detector *detector, struct record *record)
{
    (void)detector, (void)record; /* never asked */
}

static void replay_load(struct kodama_detector *detector, struct record *record)
{
    (void)detector, (void)record;
}

static const struct detector_ops replay_ops = {
    .name = "replay",
    .close = replay_close,
    .process = replay_process,
    .reset = replay_reset,
    .save = replay_save,
    .load = replay_load,
};

/* ---------------------------------------------------------------------- telling */

/* n_samples pass the segmenter, a window at most. */
static void tell_segments(struct kodama_scanner *s, size_t n_samples)
{
    struct kodama_segment segment;
    size_t used = 0;
    do {
        used += kodama_segmenter_process(s->segmenter, s->nothing, n_samples - used, &segment);
        if (segment.kind != 0 && s->config.on_segment)
            s->config.on_segment(s->config.user, &segment);
    } while (used < n_samples || segment.kind != 0);
}

static void tell(struct kodama_scanner *s, const float *probabilities, size_t n)
{
    if (n > 0 && s->config.on_probabilities)
        s->config.on_probabilities(s->config.user, s->n_told * s->window, probabilities, n);
    for (size_t i = 0; i < n; i++) {
        s->replay->next = probabilities[i];
        tell_segments(s, s->window);
    }
    s->n_told += n;
}

/* --------------------------------------------------------------------- workers */

static void judge(struct worker *worker, struct job *job)
{
    const size_t window = worker->scanner->window;
    kodama_detector_reset(worker->detector);
    const float *samples = job->samples;
    for (size_t i = 0; i < job->n_overlap; i += window)
        kodama_detector_process(worker->detector, samples + i);
    samples += job->n_overlap;
    for (size_t i = 0; i < job->n_windows; i++)
        job->probabilities[i] = kodama_detector_process(worker->detector, samples + i * window);
}

static struct job *waiting_job(struct kodama_scanner *s)
{
    for (size_t i = 0; i < s->n_jobs; i++) { /* the oldest first */
        struct job *job = &s->jobs[(s->oldest + i) % s->n_jobs];
        if (job->state == JOB_WAITING) return job;
    }
    return NULL;
}

static void run_worker(void *argument)
{
    struct worker *worker = argument;
    struct kodama_scanner *s = worker->scanner;
    mutex_lock(&s->mutex);
    while (!s->closing) {
        struct job *job = waiting_job(s);
        if (!job) {
            condition_wait(&s->work, &s->mutex, CLOCK_NEVER);
            continue;
        }
        job->state = JOB_RUNNING;
        mutex_unlock(&s->mutex);
        judge(worker, job);
        mutex_lock(&s->mutex);
        job->state = JOB_DONE;
        condition_signal(&s->done);
    }
    mutex_unlock(&s->mutex);
}

/* Tell about the oldest job when it is done, or wait for it. False: it was not to be waited for,
 * or there is none. */
static bool take_oldest(struct kodama_scanner *s, bool wait)
{
    struct job *job = &s->jobs[s->oldest];
    mutex_lock(&s->mutex);
    while (wait && job->state != JOB_DONE && job->state != JOB_FREE)
        condition_wait(&s->done, &s->mutex, CLOCK_NEVER);
    bool done = job->state == JOB_DONE;
    mutex_unlock(&s->mutex);
    if (!done) return false;
    tell(s, job->probabilities, job->n_windows);
    mutex_lock(&s->mutex);
    job->state = JOB_FREE;
    s->oldest = (s->oldest + 1) % s->n_jobs;
    mutex_unlock(&s->mutex);
    return true;
}

/* Memory comes when it is needed: a short recording never fills more than one. */
static int prepare_job(struct kodama_scanner *s, struct job *job)
{
    if (!job->samples) job->samples = memory_array(s->overlap + s->chunk, sizeof(float));
    if (!job->probabilities) job->probabilities = memory_array(s->chunk / s->window, sizeof(float));
    if (!job->samples || !job->probabilities) return KODAMA_ERR_MEMORY;
    job->n_samples = job->n_overlap = job->n_windows = 0;
    return KODAMA_OK;
}

/* Hand the filled job to the workers; the next one begins with its end. */
static int submit(struct kodama_scanner *s, bool last)
{
    struct job *job = &s->jobs[s->filling];
    job->n_windows = (job->n_samples - job->n_overlap) / s->window;
    mutex_lock(&s->mutex);
    job->state = JOB_WAITING;
    condition_signal(&s->work);
    mutex_unlock(&s->mutex);
    if (last) return KODAMA_OK;
    s->filling = (s->filling + 1) % s->n_jobs;
    if (s->filling == s->oldest) take_oldest(s, true);
    struct job *next = &s->jobs[s->filling];
    int status = prepare_job(s, next);
    if (status < 0) return status;
    /* Read only by whoever judges it meanwhile. It is free at the earliest when it was told about,
     * and filled again after all others. */
    memcpy(next->samples, job->samples + job->n_samples - s->overlap, s->overlap * sizeof(float));
    next->n_samples = next->n_overlap = s->overlap;
    while (take_oldest(s, false)) continue;
    return KODAMA_OK;
}

/* ------------------------------------------------------------------------ writing */

static int write_jobs(struct kodama_scanner *s, const float *samples, size_t n_samples)
{
    while (n_samples > 0) {
        struct job *job = &s->jobs[s->filling];
        size_t n = job->n_overlap + s->chunk - job->n_samples;
        if (n > n_samples) n = n_samples;
        memcpy(job->samples + job->n_samples, samples, n * sizeof *samples);
        job->n_samples += n;
        samples += n;
        n_samples -= n;
        if (job->n_samples < job->n_overlap + s->chunk) break;
        int status = submit(s, false);
        if (status < 0) return status;
    }
    return KODAMA_OK;
}

static void write_relay(struct kodama_scanner *s, const float *samples, size_t n_samples)
{
    while (n_samples > 0) {
        const float *window = samples;
        size_t n = s->window - s->n_partial;
        if (n > n_samples) n = n_samples;
        if (n < s->window) {
            memcpy(s->partial + s->n_partial, samples, n * sizeof *samples);
            window = s->partial;
        }
        s->n_partial += n;
        samples += n;
        n_samples -= n;
        if (s->n_partial < s->window) return;
        s->n_partial = 0;
        float probability = kodama_detector_process(s->relay, window);
        tell(s, &probability, 1);
    }
}

int kodama_scanner_write(struct kodama_scanner *s, const float *samples, size_t n_samples)
{
    if (s->status < 0) return s->status;
    if (s->finished) return KODAMA_ERR_CLOSED;
    if (s->relay)
        write_relay(s, samples, n_samples);
    else
        s->status = write_jobs(s, samples, n_samples);
    return s->status;
}

int kodama_scanner_finish(struct kodama_scanner *s)
{
    if (s->status < 0 || s->finished) return s->status;
    s->finished = true;
    size_t rest = s->n_partial;
    if (!s->relay) {
        const struct job *job = &s->jobs[s->filling];
        rest = (job->n_samples - job->n_overlap) % s->window;
        submit(s, true);
        while (take_oldest(s, true)) continue;
    }
    if (rest > 0) tell_segments(s, rest);
    struct kodama_segment segment;
    for (;;) {
        kodama_segmenter_finish(s->segmenter, &segment);
        if (segment.kind == 0) return KODAMA_OK;
        if (s->config.on_segment) s->config.on_segment(s->config.user, &segment);
    }
}

uint64_t kodama_scanner_position(const struct kodama_scanner *s)
{
    return s->n_told * s->window;
}

uint32_t kodama_scanner_window(const struct kodama_scanner *s)
{
    return s->window;
}

uint32_t kodama_scanner_threads(const struct kodama_scanner *s)
{
    return s->relay ? 1 : s->n_started;
}

/* ------------------------------------------------------------------------ opening */

static int open_alone(struct kodama_scanner *s, struct kodama_detector *first,
                      struct kodama_error *error)
{
    s->partial = memory_array(s->window, sizeof *s->partial);
    if (!s->partial) {
        kodama_detector_close(first);
        return error_set(error, KODAMA_ERR_MEMORY, "scanner: out of memory");
    }
    if (s->chunk == 0) {
        s->relay = first;
        return KODAMA_OK;
    }
    struct kodama_detector *second;
    int status = segmenter_open_detector(&second, &s->config.segmenter, error);
    if (status < 0) {
        kodama_detector_close(first);
        return status;
    }
    status = detector_relay_open_take(&s->relay, first, second, s->chunk / s->window,
                                      s->overlap / s->window);
    return status < 0 ? error_set(error, status, "scanner: out of memory") : status;
}

static int open_workers(struct kodama_scanner *s, struct kodama_detector *first, uint32_t n_threads,
                        struct kodama_error *error)
{
    s->workers = memory_array(n_threads, sizeof *s->workers);
    s->n_jobs = (size_t)n_threads + 2; /* one is being filled, one is ready for whoever is first */
    s->jobs = memory_array(s->n_jobs, sizeof *s->jobs);
    if (!s->workers || !s->jobs || prepare_job(s, &s->jobs[0]) < 0) {
        kodama_detector_close(first);
        return error_set(error, KODAMA_ERR_MEMORY, "scanner: out of memory");
    }
    int status = KODAMA_OK;
    for (uint32_t i = 0; i < n_threads && status == KODAMA_OK; i++) {
        struct worker *worker = &s->workers[i];
        worker->scanner = s;
        worker->detector = first;
        if (i > 0) status = segmenter_open_detector(&worker->detector, &s->config.segmenter, error);
        if (status < 0) break;
        s->n_workers++;
        status = thread_start(&worker->thread, "scanner", run_worker, worker, error);
        if (status == KODAMA_OK) s->n_started++;
    }
    return status;
}

static int open_scanner(struct kodama_scanner *s, struct kodama_error *error)
{
    const struct kodama_scanner_config *config = &s->config;
    if (config->chunk_ms > CHUNK_MS_MAX || config->overlap_ms > config->chunk_ms)
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "scanner: chunk_ms is at most %d, and overlap_ms at most chunk_ms",
                         CHUNK_MS_MAX);
    uint32_t n_threads = config->n_threads ? config->n_threads : (uint32_t)thread_processors();
    if (n_threads > THREADS_MAX) n_threads = THREADS_MAX;
    struct kodama_detector *first;
    int status = segmenter_open_detector(&first, &config->segmenter, error);
    if (status < 0) return status;
    s->window = kodama_detector_window(first);
    s->chunk = (size_t)config->chunk_ms * RATE_HZ / 1000 / s->window * s->window;
    s->overlap = (size_t)config->overlap_ms * RATE_HZ / 1000 / s->window * s->window;
    if (config->chunk_ms > 0 && s->chunk == 0) s->chunk = s->window;
    if (s->overlap > s->chunk) s->overlap = s->chunk;
    struct replay *replay = memory_array(1, sizeof *replay);
    s->nothing = memory_array(s->window, sizeof *s->nothing);
    if (!replay || !s->nothing) {
        free(replay);
        kodama_detector_close(first);
        return error_set(error, KODAMA_ERR_MEMORY, "scanner: out of memory");
    }
    replay->detector = (struct kodama_detector){
        .ops = &replay_ops, .window = s->window, .delay = kodama_detector_delay(first)};
    s->replay = replay;
    status = segmenter_open_take(&s->segmenter, &config->segmenter, &replay->detector, error);
    if (status < 0) {
        kodama_detector_close(first);
        return status;
    }
    return n_threads == 1 || s->chunk == 0 ? open_alone(s, first, error)
                                           : open_workers(s, first, n_threads, error);
}

int kodama_scanner_open(struct kodama_scanner **scanner, const struct kodama_scanner_config *config,
                        struct kodama_error *error)
{
    const struct kodama_scanner_config defaults = KODAMA_SCANNER_CONFIG_INIT;
    if (!scanner) return error_set(error, KODAMA_ERR_ARGUMENT, "scanner: no place for it");
    *scanner = NULL;
    if (!config) config = &defaults;
    if (config->size < sizeof *config)
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "scanner: fill the configuration with KODAMA_SCANNER_CONFIG_INIT");
    struct kodama_scanner *s = memory_array(1, sizeof *s);
    if (!s) return error_set(error, KODAMA_ERR_MEMORY, "scanner: out of memory");
    mutex_init(&s->mutex);
    condition_init(&s->work);
    condition_init(&s->done);
    s->config = *config;
    int status = open_scanner(s, error);
    if (status < 0) {
        kodama_scanner_close(s);
        return status;
    }
    /* Borrowed for the call only. */
    s->config.segmenter.detector = NULL;
    s->config.segmenter.detector_config = NULL;
    *scanner = s;
    return KODAMA_OK;
}

void kodama_scanner_close(struct kodama_scanner *s)
{
    if (!s) return;
    mutex_lock(&s->mutex);
    s->closing = true;
    condition_broadcast(&s->work);
    mutex_unlock(&s->mutex);
    for (uint32_t i = 0; i < s->n_started; i++) thread_join(&s->workers[i].thread);
    for (uint32_t i = 0; i < s->n_workers; i++) kodama_detector_close(s->workers[i].detector);
    for (size_t i = 0; s->jobs && i < s->n_jobs; i++) {
        free(s->jobs[i].samples);
        free(s->jobs[i].probabilities);
    }
    kodama_detector_close(s->relay);
    kodama_segmenter_close(s->segmenter);
    free(s->jobs);
    free(s->workers);
    free(s->partial);
    free(s->nothing);
    condition_destroy(&s->work);
    condition_destroy(&s->done);
    mutex_destroy(&s->mutex);
    free(s);
}
