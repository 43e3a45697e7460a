/* The thread of a stream of chunks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/park.h"
#include "voice/rvc_stream_internal.h"

#define WARN_NS (10 * CLOCK_NS_PER_S)

static uint64_t n_in(const struct rvc_stream *s)
{
    return atomic_load_explicit(&s->n_in, memory_order_acquire);
}

static bool ends(const struct rvc_stream *s)
{
    return atomic_load_explicit(&s->quit, memory_order_acquire);
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

int stream_make_room(struct rvc_stream *s, const struct rvc_pass *pass)
{
    size_t n = rvc_pass_window(pass);
    if (n <= s->window_room) return KODAMA_OK;
    float *window = memory_array(n * PASS_HOP_IN, sizeof *window);
    float *pitch = memory_array(n, sizeof *pitch), *semitones = memory_array(n, sizeof *semitones);
    if (!window || !pitch || !semitones) {
        free(window);
        free(pitch);
        free(semitones);
        return KODAMA_ERR_MEMORY;
    }
    free(s->window);
    free(s->window_pitch);
    free(s->window_semitones);
    s->window = window;
    s->window_pitch = pitch;
    s->window_semitones = semitones;
    s->window_room = n;
    return KODAMA_OK;
}

/* ----------------------------------------------------------------------- input */

/* Let the tracker hear everything up to frame `end`. */
static void track(struct rvc_stream *s, uint64_t end)
{
    if (s->n_heard + s->n_ring / 2 < end) { /* it was away for long: begin anew */
        pitch_reset(s->tracker);
        s->n_tracked = 0;
        s->heard_from = s->n_heard = end - s->n_ring / 2;
        memset(s->pitch, 0, s->n_ring * sizeof *s->pitch);
    }
    const uint64_t per_frame = PASS_HOP_IN / pitch_period(s->tracker);
    for (; s->n_heard < end; s->n_heard++) {
        size_t at = (size_t)(s->n_heard % s->n_ring);
        size_t n =
            pitch_process(s->tracker, s->samples + at * PASS_HOP_IN, PASS_HOP_IN, s->estimates);
        for (size_t i = 0; i < n; i++, s->n_tracked++) {
            uint64_t frame = s->heard_from + s->n_tracked / per_frame;
            if (s->n_tracked % per_frame != per_frame / 2) continue;
            s->pitch[frame % s->n_ring] = s->estimates[i].f0_hz;
            atomic_store_explicit(&s->f0_hz, s->estimates[i].f0_hz, memory_order_relaxed);
            atomic_store_explicit(&s->voiced, s->estimates[i].voiced, memory_order_relaxed);
        }
    }
}

/* What a pass hears that ends with frame `end`; false: it was overwritten meanwhile. */
static bool copy_window(struct rvc_stream *s, const struct rvc_pass *pass, uint64_t end,
                        struct rvc_input *input)
{
    size_t n = rvc_pass_window(pass);
    for (size_t i = 0; i < n; i++) {
        bool before = end + i < n; /* before the beginning */
        size_t at = before ? 0 : (size_t)((end + i - n) % s->n_ring);
        float *to = s->window + i * PASS_HOP_IN;
        if (before)
            memset(to, 0, PASS_HOP_IN * sizeof *to);
        else
            memcpy(to, s->samples + at * PASS_HOP_IN, PASS_HOP_IN * sizeof *to);
        s->window_pitch[i] = before ? 0.0f : s->pitch[at];
        s->window_semitones[i] = before ? 0.0f : s->semitones[at];
    }
    *input = (struct rvc_input){.samples = s->window,
                                .pitch_hz = s->window_pitch,
                                .semitones = s->window_semitones,
                                .formant = s->formants[(end - 1) % s->n_ring]};
    return n_in(s) + n < end + s->n_ring;
}

/* ------------------------------------------------------------------------ runs */

/* s->piece. */
static int run(struct rvc_stream *s, struct rvc_speaker *speaker, uint64_t end,
               struct kodama_error *error)
{
    struct rvc_input input;
    if (!copy_window(s, speaker->pass, end, &input)) return KODAMA_ERR_LAPPED;
    mutex_lock(&s->lock);
    bool stop = s->stop_runs;
    rvc_pass_stop(speaker->pass, stop);
    s->run = stop ? NULL : speaker->pass;
    mutex_unlock(&s->lock);
    if (stop) return KODAMA_ERR_CANCELLED;
    atomic_store_explicit(&s->run_began_ns, clock_now_ns(), memory_order_relaxed);
    int status = rvc_pass_run(speaker->pass, &input, s->piece, error);
    atomic_store_explicit(&s->run_began_ns, 0, memory_order_relaxed);
    mutex_lock(&s->lock);
    s->run = NULL;
    mutex_unlock(&s->lock);
    return status;
}

/* Frames from s->next on: what was joined, or silence after a fade. */
static void say(struct rvc_stream *s, size_t n, bool good, size_t n_good)
{
    if (good)
        sola_process(s->sola, s->piece, n * PASS_HOP_OUT, s->joined);
    else
        sola_miss(s->sola, n * PASS_HOP_OUT, s->joined);
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)((s->next + i) % s->n_ring);
        memcpy(s->said + at * PASS_HOP_OUT, s->joined + i * PASS_HOP_OUT,
               PASS_HOP_OUT * sizeof *s->said);
        s->failed[at] = i >= n_good;
    }
    s->next += n;
    atomic_store_explicit(&s->n_out, s->next, memory_order_release);
    atomic_fetch_add_explicit(&s->out_word, 1, memory_order_release);
    park_wake(&s->out_word);
}

/* Somebody new speaks the chunk if they can; then they are the speaker. */
static bool try_incoming(struct rvc_stream *s, size_t n)
{
    mutex_lock(&s->lock);
    struct rvc_speaker speaker = s->incoming;
    s->incoming = (struct rvc_speaker){0};
    mutex_unlock(&s->lock);
    if (!speaker.pass) return false;
    struct kodama_error error = {0};
    int status = stream_make_room(s, speaker.pass);
    /* Chunks of another length: the first one is spoken when that much has come. */
    if (status == KODAMA_OK && rvc_pass_chunk(speaker.pass) == n)
        status = run(s, &speaker, s->next + n, &error);
    if (status < 0 && ends(s)) {
        rvc_speaker_release(&speaker);
        return true;
    }
    if (status < 0) {
        log_write(s->config.log, KODAMA_LOG_ERROR, "%s cannot speak (%s); %s goes on", speaker.name,
                  error.message[0] ? error.message : kodama_strerror(status), s->speaker.name);
        count(&s->refused);
        rvc_speaker_release(&speaker);
        return false;
    }
    bool said = rvc_pass_chunk(speaker.pass) == n;
    if (said) say(s, n, true, n);
    struct rvc_speaker old = s->speaker;
    s->speaker = speaker;
    count(&s->swaps);
    rvc_speaker_release(&old);
    return said;
}

/* ------------------------------------------------------------- when it is behind */

static bool use_larger_chunk(struct rvc_stream *s)
{
    size_t chunk = rvc_pass_chunk(s->speaker.pass), larger = s->config.chunk_most;
    struct rvc_pass *pass;
    if (chunk >= larger) return false;
    bool dear = rvc_pass_dear(s->speaker.pass);
    if (rvc_pass_open(&pass, s->speaker.weights, &s->speaker.manner, s->config.context, larger,
                      s->config.seed, NULL) < 0)
        return false;
    if (stream_make_room(s, pass) < 0) {
        rvc_pass_close(pass);
        return false;
    }
    rvc_pass_cheap(pass, !dear);
    rvc_pass_close(s->speaker.pass);
    s->speaker.pass = pass;
    log_write(s->config.log, KODAMA_LOG_WARNING,
              "%s falls behind: it speaks in chunks of %zu ms instead of %zu ms from now on",
              s->speaker.name, larger * 10, chunk * 10);
    return true;
}

static void take_step(struct rvc_stream *s)
{
    memset(s->late, 0, sizeof s->late);
    int step = atomic_load_explicit(&s->step, memory_order_relaxed);
    if (step < RVC_STEP_LARGER_CHUNK && use_larger_chunk(s)) {
        step = RVC_STEP_LARGER_CHUNK;
    } else if (step < RVC_STEP_CHEAPER_PITCH && rvc_pass_dear(s->speaker.pass)) {
        rvc_pass_cheap(s->speaker.pass, true);
        step = RVC_STEP_CHEAPER_PITCH;
        log_write(s->config.log, KODAMA_LOG_WARNING,
                  "%s falls behind: its pitch is the tracker's instead of RMVPE's from now on",
                  s->speaker.name);
    } else {
        uint64_t now = clock_now_ns();
        step = RVC_STEP_SILENCE;
        if (s->warned_ns == 0 || now - s->warned_ns > WARN_NS)
            log_write(s->config.log, KODAMA_LOG_WARNING,
                      "%s is silent in places: this machine is too slow for it, or busy",
                      s->speaker.name);
        s->warned_ns = now;
    }
    atomic_store_explicit(&s->step, step, memory_order_relaxed);
}

static void note(struct rvc_stream *s, bool late)
{
    if (s->config.offline) return;
    s->late[s->n_late_seen++ % STREAM_RECENT] = late;
    if (!late) return;
    count(&s->n_late);
    size_t n = 0;
    for (size_t i = 0; i < STREAM_RECENT; i++) n += s->late[i];
    if (n >= STREAM_LATE_MOST) take_step(s);
}

/* Leave out what nobody waits for any more. */
static void skip(struct rvc_stream *s, size_t n)
{
    uint64_t now = n_in(s), due = s->due;
    if (s->config.offline || now <= s->next + n + due) return;
    count(&s->skipped);
    while (now > s->next + n + due) say(s, n, false, 0);
    note(s, true);
}

/* ------------------------------------------------------------------------ life */

static void speak(struct rvc_stream *s, size_t n)
{
    track(s, s->next + n + s->lag);
    if (try_incoming(s, n) || rvc_pass_chunk(s->speaker.pass) != n) return;
    struct kodama_error error = {0};
    const uint64_t first = s->next;
    int status = run(s, &s->speaker, first + n, &error);
    if (status < 0 && ends(s)) return; /* it was stopped for that */
    if (status < 0) {
        count(&s->n_failed);
        log_write(s->config.log, KODAMA_LOG_ERROR, "%s failed: %s", s->speaker.name,
                  error.message[0] ? error.message : kodama_strerror(status));
        /* What was kept of the chunk before fades out; that is no failure. */
        say(s, n, false, n < PASS_FADE ? 0 : PASS_FADE);
    } else {
        say(s, n, true, n);
        count(&s->chunks);
    }
    note(s, n_in(s) > first + s->due);
}

void stream_thread(void *stream)
{
    struct rvc_stream *s = stream;
    while (!ends(s)) {
        uint32_t seen = atomic_load_explicit(&s->in_word, memory_order_acquire);
        size_t n = rvc_pass_chunk(s->speaker.pass);
        atomic_store_explicit(&s->chunk, n, memory_order_relaxed);
        skip(s, n);
        n = rvc_pass_chunk(s->speaker.pass); /* of another length, perhaps, from now on */
        if (n_in(s) >= s->next + n + s->lag)
            speak(s, n);
        else if (!ends(s))
            park_wait(&s->in_word, seen, CLOCK_NEVER);
    }
    atomic_store_explicit(&s->ended, true, memory_order_release);
    atomic_fetch_add_explicit(&s->out_word, 1, memory_order_release);
    park_wake(&s->out_word);
}
