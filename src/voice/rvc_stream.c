/* The side of a stream of chunks that is called with each hop. */
#include "voice/rvc_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/park.h"
#include "voice/rvc_stream_internal.h"

/* Live, a caller waits for what is late as long as this per hop, saved up to a chunk. */
#define PATIENCE_NS (2 * CLOCK_NS_PER_MS)
#define HOP_NS (10 * CLOCK_NS_PER_MS)
#define END_NS (10 * CLOCK_NS_PER_S)
#define HANG_LIVE_NS (2 * CLOCK_NS_PER_S)
#define HANG_OFFLINE_NS (60 * CLOCK_NS_PER_S)

void rvc_speaker_release(struct rvc_speaker *speaker)
{
    rvc_pass_close(speaker->pass);
    if (speaker->release) speaker->release(speaker->owner);
    *speaker = (struct rvc_speaker){0};
}

/* --------------------------------------------------------------------- opening */

static bool make_rings(struct rvc_stream *s)
{
    size_t n = s->n_ring;
    s->samples = memory_array(n * PASS_HOP_IN, sizeof(float));
    s->semitones = memory_array(n, sizeof(float));
    s->formants = memory_array(n, sizeof(float));
    s->said = memory_array(n * PASS_HOP_OUT, sizeof(float));
    s->failed = memory_array(n, sizeof(bool));
    s->pitch = memory_array(n, sizeof(float));
    s->n_estimates = n * PASS_HOP_IN / pitch_period(s->tracker) + 1;
    s->estimates = memory_array(s->n_estimates, sizeof *s->estimates);
    s->piece = memory_array((PASS_SAID + STREAM_CHUNK_MOST) * PASS_HOP_OUT, sizeof(float));
    s->joined = memory_array(STREAM_CHUNK_MOST * PASS_HOP_OUT, sizeof(float));
    return s->samples && s->semitones && s->formants && s->said && s->failed && s->pitch &&
           s->estimates && s->piece && s->joined;
}

static int open_parts(struct rvc_stream *s, struct kodama_error *error)
{
    const struct rvc_stream_config *c = &s->config;
    int status = pitch_open(&s->tracker, PASS_RATE_IN, c->deep ? 50.0f : 80.0f, 2, error);
    if (status < 0) return status;
    /* The pitch of a frame is that of its middle. */
    s->lag = (pitch_delay(s->tracker) + PASS_HOP_IN - 1) / PASS_HOP_IN;
    /* The chunk is heard, the tracker is sure of it, and the models have as long as it lasts. */
    s->due = c->chunk_most + s->lag - 1 + (c->offline ? 0 : c->chunk_most);
    s->n_ring = STREAM_HISTORY + 2 * s->due + rvc_pass_window(s->speaker.pass);
    if (!make_rings(s) ||
        sola_open(&s->sola, PASS_FADE * PASS_HOP_OUT, PASS_SEARCH * PASS_HOP_OUT) < 0)
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a voice");
    return stream_make_room(s, s->speaker.pass);
}

static void begin(struct rvc_stream *s)
{
    memset(s->samples, 0, s->n_ring * PASS_HOP_IN * sizeof(float));
    memset(s->pitch, 0, s->n_ring * sizeof(float));
    pitch_reset(s->tracker);
    sola_reset(s->sola);
    rvc_pass_reset(s->speaker.pass);
    s->patience_ns = s->config.chunk_most * HOP_NS;
    s->n_heard = s->n_tracked = s->heard_from = s->next = s->n_late_seen = 0;
    memset(s->late, 0, sizeof s->late);
    atomic_store_explicit(&s->n_in, 0, memory_order_relaxed);
    atomic_store_explicit(&s->n_out, 0, memory_order_relaxed);
    atomic_store_explicit(&s->quit, false, memory_order_relaxed);
    atomic_store_explicit(&s->ended, false, memory_order_relaxed);
    atomic_store_explicit(&s->f0_hz, 0.0f, memory_order_relaxed);
    atomic_store_explicit(&s->voiced, 0.0f, memory_order_relaxed);
    s->stop_runs = false;
}

static int start(struct rvc_stream *s, struct kodama_error *error)
{
    begin(s);
    int status = thread_start(&s->thread, "kodama-voice", stream_thread, s, error);
    s->running = status == KODAMA_OK;
    return status;
}

int rvc_stream_open(struct rvc_stream **stream, const struct rvc_speaker *speaker,
                    const struct rvc_stream_config *config, struct kodama_error *error)
{
    struct rvc_stream *s = memory_array(1, sizeof *s);
    *stream = NULL;
    if (!s) {
        struct rvc_speaker dropped = *speaker;
        rvc_speaker_release(&dropped);
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a voice");
    }
    s->config = *config;
    s->speaker = *speaker;
    mutex_init(&s->lock);
    size_t chunk = rvc_pass_chunk(speaker->pass);
    if (s->config.chunk_most < chunk) s->config.chunk_most = chunk;
    if (s->config.chunk_most > STREAM_CHUNK_MOST) s->config.chunk_most = STREAM_CHUNK_MOST;
    if (s->config.hang_ns == 0)
        s->config.hang_ns = config->offline ? HANG_OFFLINE_NS : HANG_LIVE_NS;
    atomic_store_explicit(&s->chunk, chunk, memory_order_relaxed);
    int status = open_parts(s, error);
    if (status == KODAMA_OK) status = start(s, error);
    if (status < 0) {
        rvc_stream_close(s);
        return status;
    }
    *stream = s;
    return KODAMA_OK;
}

/* --------------------------------------------------------------------- closing */

/* Ends a run that goes on. The others are refused until begin(). */
static void stop_runs(struct rvc_stream *s, bool for_good)
{
    mutex_lock(&s->lock);
    if (for_good) s->stop_runs = true;
    if (s->run) rvc_pass_stop(s->run, true);
    mutex_unlock(&s->lock);
}

/* False: the thread cannot be ended. */
static bool end_thread(struct rvc_stream *s)
{
    if (!s->running) return true;
    atomic_store_explicit(&s->quit, true, memory_order_release);
    atomic_fetch_add_explicit(&s->in_word, 1, memory_order_release);
    park_wake(&s->in_word);
    stop_runs(s, true);
    uint64_t deadline = clock_now_ns() + END_NS;
    for (;;) {
        uint32_t seen = atomic_load_explicit(&s->out_word, memory_order_acquire);
        if (atomic_load_explicit(&s->ended, memory_order_acquire)) break;
        if (!park_wait(&s->out_word, seen, deadline)) return false;
    }
    thread_join(&s->thread);
    s->running = false;
    return true;
}

void rvc_stream_close(struct rvc_stream *s)
{
    if (!s) return;
    if (!end_thread(s)) return; /* it goes on using all of this */
    rvc_speaker_release(&s->speaker);
    if (s->incoming.pass) rvc_speaker_release(&s->incoming);
    pitch_close(s->tracker);
    sola_close(s->sola);
    mutex_destroy(&s->lock);
    free(s->samples);
    free(s->semitones);
    free(s->formants);
    free(s->said);
    free(s->failed);
    free(s->pitch);
    free(s->estimates);
    free(s->piece);
    free(s->joined);
    free(s->window);
    free(s->window_pitch);
    free(s->window_semitones);
    free(s);
}

void rvc_stream_reset(struct rvc_stream *s)
{
    if (end_thread(s)) start(s, NULL); /* if not, no hop is ever said again */
}

uint32_t rvc_stream_delay(const struct rvc_stream *s)
{
    /* What is said with a chunk's first frame lies a fade and half of the search before it. */
    return (uint32_t)((s->due + PASS_FADE) * PASS_HOP_OUT + PASS_SEARCH * PASS_HOP_OUT / 2);
}

size_t rvc_stream_chunk_most(const struct rvc_stream *s)
{
    return s->config.chunk_most;
}

/* ------------------------------------------------------------------------ hops */

/* A run that takes too long is ended; its chunk is lost, the next one may do. */
static void look_after_run(struct rvc_stream *s)
{
    uint64_t began = atomic_load_explicit(&s->run_began_ns, memory_order_relaxed);
    if (began != 0 && clock_now_ns() - began > s->config.hang_ns) stop_runs(s, false);
}

/* Whether frame q comes before the deadline. */
static bool wait_until(struct rvc_stream *s, uint64_t q, uint64_t deadline)
{
    for (;;) {
        uint32_t seen = atomic_load_explicit(&s->out_word, memory_order_acquire);
        if (atomic_load_explicit(&s->n_out, memory_order_acquire) > q) return true;
        if (!park_wait(&s->out_word, seen, deadline)) return false;
    }
}

/* Whether frame q is there. */
static bool wait_for(struct rvc_stream *s, uint64_t q)
{
    const uint64_t most = s->config.chunk_most * HOP_NS;
    s->patience_ns = s->patience_ns + PATIENCE_NS < most ? s->patience_ns + PATIENCE_NS : most;
    if (atomic_load_explicit(&s->n_out, memory_order_acquire) > q) return true;
    if (!s->running) return false;
    uint64_t began = clock_now_ns();
    look_after_run(s);
    if (!s->config.offline) {
        bool came = wait_until(s, q, began + s->patience_ns);
        uint64_t took = clock_now_ns() - began;
        s->patience_ns = took < s->patience_ns ? s->patience_ns - took : 0;
        return came;
    }
    /* A run that hangs is ended by this, and comes back with a failure. */
    while (!wait_until(s, q, clock_now_ns() + s->config.hang_ns)) look_after_run(s);
    return true;
}

int rvc_stream_hop(struct rvc_stream *s, const float *in, float *out, float semitones,
                   float formant)
{
    uint64_t k = atomic_load_explicit(&s->n_in, memory_order_relaxed);
    size_t at = (size_t)(k % s->n_ring);
    memcpy(s->samples + at * PASS_HOP_IN, in, PASS_HOP_IN * sizeof *in);
    s->semitones[at] = semitones;
    s->formants[at] = formant;
    atomic_store_explicit(&s->n_in, k + 1, memory_order_release);
    atomic_fetch_add_explicit(&s->in_word, 1, memory_order_release);
    park_wake(&s->in_word);
    memset(out, 0, PASS_HOP_OUT * sizeof *out);
    if (k < s->due) return KODAMA_OK;
    uint64_t q = k - s->due;
    if (!wait_for(s, q)) return KODAMA_ERR_TIMEOUT;
    at = (size_t)(q % s->n_ring);
    if (s->failed[at]) return KODAMA_ERR_ENGINE;
    memcpy(out, s->said + at * PASS_HOP_OUT, PASS_HOP_OUT * sizeof *out);
    return KODAMA_OK;
}

/* ---------------------------------------------------------------------- others */

int rvc_stream_swap(struct rvc_stream *s, const struct rvc_speaker *speaker,
                    struct kodama_error *error)
{
    struct rvc_speaker dropped = *speaker;
    size_t chunk = rvc_pass_chunk(speaker->pass);
    if (chunk > s->config.chunk_most) {
        rvc_speaker_release(&dropped);
        return error_set(error, KODAMA_ERR_LIMIT,
                         "%s needs chunks of %zu ms here, this voice was opened for %zu ms: open "
                         "it anew",
                         speaker->name, chunk * 10, s->config.chunk_most * 10);
    }
    mutex_lock(&s->lock);
    dropped = s->incoming; /* one that waited, and is overtaken */
    s->incoming = *speaker;
    mutex_unlock(&s->lock);
    if (dropped.pass) rvc_speaker_release(&dropped);
    return KODAMA_OK;
}

void rvc_stream_stats(const struct rvc_stream *s, struct rvc_stream_stats *stats)
{
    *stats = (struct rvc_stream_stats){
        .frames = atomic_load_explicit(&s->n_out, memory_order_acquire),
        .chunks = atomic_load_explicit(&s->chunks, memory_order_relaxed),
        .late = atomic_load_explicit(&s->n_late, memory_order_relaxed),
        .skipped = atomic_load_explicit(&s->skipped, memory_order_relaxed),
        .failed = atomic_load_explicit(&s->n_failed, memory_order_relaxed),
        .swaps = atomic_load_explicit(&s->swaps, memory_order_relaxed),
        .refused = atomic_load_explicit(&s->refused, memory_order_relaxed),
        .step = (enum rvc_step)atomic_load_explicit(&s->step, memory_order_relaxed),
        .chunk = (size_t)atomic_load_explicit(&s->chunk, memory_order_relaxed),
        .f0_hz = atomic_load_explicit(&s->f0_hz, memory_order_relaxed),
        .voiced = atomic_load_explicit(&s->voiced, memory_order_relaxed)};
}
