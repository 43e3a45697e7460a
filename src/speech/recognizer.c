/*
 * The recogniser: frames in, events out.
 *
 * What is decoded for a final is [begin, end of speech + fast_silence_ms) of its utterance, also
 * when the utterance ends later: these samples are complete at the pause, so a final that is begun
 * there is the final, not a guess at it.
 */
#include "speech/recognizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/convert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/waitable.h"
#include "speech/model.h"

enum {
    BLOCK_FRAMES = 1024,                  /* converted at once, at the input's rate, */
    RESAMPLED_MAX = 2 * BLOCK_FRAMES + 1, /* and what it can become; a flush is shorter */
    INTERVAL_MS = 200,
    MAX_PENDING_MS = 60000,
    /* An early final of a long utterance costs more, if speech goes on, than the 0.3 s are worth
     * that it gains. */
    EARLY_SAMPLES_MAX = 10 * ENGINE_RATE_HZ,
    PER_MS = ENGINE_RATE_HZ / 1000,
};

_Static_assert(ENGINE_RATE_HZ <= 2 * KODAMA_RATE_MIN_HZ, "a block must fit");

/** A final that is not there so long after its utterance ended is worth a warning. */
static const uint64_t slow_ns = 2 * CLOCK_NS_PER_S;

uint64_t recognizer_to_input(const struct kodama_recognizer *recognizer, uint64_t position)
{
    uint64_t rate = recognizer->format.rate_hz;
    uint64_t frame = (position * rate + ENGINE_RATE_HZ / 2) / ENGINE_RATE_HZ;
    return frame < recognizer->frames ? frame : recognizer->frames;
}

/* ------------------------------------------------------------------- events */

/** Append an event. Lock held; *wake says that the reader is to be woken after it is let go. A lost
 * event (memory) is not told: there would be no memory to tell it. */
static void push(struct kodama_recognizer *r, struct recognizer_event *event, bool *wake)
{
    if (!event) return;
    if (event_queue_push(&r->events, &event->node)) *wake = true;
    condition_broadcast(&r->changed);
}

static bool ended(const struct kodama_recognizer *r)
{
    return r->finished && !r->first;
}

/** Tell whoever waits outside. Lock held for the waitable, so that clearing it cannot be lost. */
static void signal_outside(struct kodama_recognizer *r, bool wake)
{
    if (wake && r->has_waitable) waitable_signal(r->waitable);
}

static void unlock_and_wake(struct kodama_recognizer *r, bool wake)
{
    signal_outside(r, wake);
    mutex_unlock(&r->mutex);
    if (wake && r->on_event) r->on_event(r->user);
}

static void push_simple(struct kodama_recognizer *r, enum kodama_event_kind kind,
                        uint32_t utterance, uint64_t position, bool *wake)
{
    struct kodama_event event = {
        .kind = kind, .utterance = utterance, .sample = recognizer_to_input(r, position)};
    push(r, event_create(&event, NULL, 0, 0), wake);
}

/** Once per episode: the oldest utterance has waited too long. Not when the audio comes faster than
 * real time, for then nobody listens live. Lock held. */
static void check_slow(struct kodama_recognizer *r, uint64_t heard, bool *wake)
{
    const struct undecided *oldest = r->first;
    if (!oldest) {
        r->slow = false;
        return;
    }
    uint64_t waited = clock_now_ns() - oldest->since_ns;
    uint64_t audio = (heard - oldest->heard) * (CLOCK_NS_PER_S / ENGINE_RATE_HZ);
    if (r->slow || r->finished || waited < slow_ns || audio / 2 > waited) return;
    r->slow = true;
    struct kodama_event event = {.kind = KODAMA_EVENT_SLOW,
                                 .utterance = oldest->utterance,
                                 .lag_ms = (uint32_t)(waited / CLOCK_NS_PER_MS)};
    push(r, event_create(&event, NULL, 0, 0), wake);
}

/* ------------------------------------------------------- the decoders' side */

static size_t client_fetch(void *user, uint32_t utterance, size_t from, float *samples,
                           size_t max_samples)
{
    struct kodama_recognizer *r = user;
    size_t n = 0;
    mutex_lock(&r->mutex);
    if (r->speaking && r->utterance == utterance) {
        n = utterance_audio_read(&r->audio, r->begin + from, samples, max_samples);
    }
    mutex_unlock(&r->mutex);
    return n;
}

static void client_partial(void *user, uint32_t utterance, const struct engine_result *result,
                           size_t n_samples)
{
    struct kodama_recognizer *r = user;
    bool wake = false;
    mutex_lock(&r->mutex);
    struct stabilizer *stabilizer = &r->stabilizer;
    if (r->speaking && r->utterance == utterance) {
        char *before = memory_text(stabilizer->text ? stabilizer->text : "");
        size_t stable_before = stabilizer->stable_bytes;
        int heard = before ? stabilizer_hear(stabilizer, result, n_samples) : KODAMA_ERR_MEMORY;
        /* Another model than the finals': nothing of it is firm. */
        if (r->draft) stabilizer->n_firm = stabilizer->stable_bytes = 0;
        if (heard == KODAMA_OK &&
            (strcmp(before, stabilizer->text) != 0 || stable_before != stabilizer->stable_bytes)) {
            struct kodama_event event = {.kind = KODAMA_EVENT_PARTIAL,
                                         .utterance = utterance,
                                         .sample = recognizer_to_input(r, r->begin + n_samples),
                                         .text = stabilizer->text,
                                         .stable_bytes = stabilizer->stable_bytes};
            push(r, event_create(&event, NULL, 0, 0), &wake);
        }
        free(before);
    }
    unlock_and_wake(r, wake);
}

static void client_final(void *user, struct decode_final *job)
{
    struct kodama_recognizer *r = user;
    bool wake = false;
    mutex_lock(&r->mutex);
    struct undecided *undecided = r->first; /* finals of one conversation come in order */
    r->first = undecided->next;
    if (!r->first) r->last = NULL;
    r->pending -= undecided->n_samples;
    recognizer_decided(r);
    if (job->status < 0) {
        struct kodama_event failed = {.kind = KODAMA_EVENT_FAILED,
                                      .utterance = undecided->utterance,
                                      .text = job->error.message[0] ? job->error.message
                                                                    : kodama_strerror(job->status)};
        push(r, event_create(&failed, NULL, 0, 0), &wake);
    }
    const char *text = job->status >= 0 && job->result.text ? job->result.text : "";
    double rate = r->format.rate_hz;
    struct kodama_event event = {
        .kind = KODAMA_EVENT_FINAL,
        .utterance = undecided->utterance,
        .text = text,
        .start_s = (double)recognizer_to_input(r, undecided->begin) / rate,
        .end_s = (double)recognizer_to_input(r, undecided->end) / rate,
        .confidence = job->result.confidence,
        .revised = stabilizer_deviates(&undecided->stabilizer, text),
        .decode_ns = job->cpu_ns,
        .language = job->result.language,
    };
    push(r, event_create(&event, job->result.words, job->result.n_words, undecided->begin), &wake);
    stabilizer_reset(&undecided->stabilizer);
    free(undecided);
    if (!r->first) r->slow = false;
    condition_broadcast(&r->changed);
    unlock_and_wake(r, wake || ended(r));
}

const struct decode_client_ops recognizer_client = {
    .fetch = client_fetch, .partial = client_partial, .final = client_final};

/* -------------------------------------------------------- the writer's side */

static struct decode_final *create_job(struct kodama_recognizer *r, uint32_t utterance,
                                       uint64_t begin, uint64_t end)
{
    struct decode_final *job = memory_array(1, sizeof *job);
    if (!job) return NULL;
    job->utterance = utterance;
    job->n_samples = end > begin ? (size_t)(end - begin) : 0;
    job->samples = utterance_audio_copy(&r->audio, begin, end);
    if (job->samples) return job;
    free(job);
    return NULL;
}

/** Where the samples end that a final is made of. */
static uint64_t decoded_end(const struct kodama_recognizer *r, const struct kodama_segment *segment)
{
    uint64_t end = segment->speech_end + r->fast;
    if (end > segment->end) end = segment->end;
    return end > segment->begin ? end : segment->begin;
}

static void speech_started(struct kodama_recognizer *r, const struct kodama_segment *segment)
{
    bool wake = false;
    recognizer_take_over(r);
    mutex_lock(&r->mutex);
    r->speaking = true;
    r->utterance = segment->utterance;
    r->begin = segment->begin;
    r->next_partial = segment->begin + r->interval;
    stabilizer_reset(&r->stabilizer);
    push_simple(r, KODAMA_EVENT_SPEECH_STARTED, segment->utterance, segment->begin, &wake);
    unlock_and_wake(r, wake);
}

static void speech_paused(struct kodama_recognizer *r, const struct kodama_segment *segment)
{
    uint64_t end = decoded_end(r, segment);
    if (end - segment->begin > EARLY_SAMPLES_MAX || recognizer_is_switching(r)) return;
    struct decode_final *job = create_job(r, segment->utterance, segment->begin, end);
    if (!job) return; /* it was only an attempt */
    r->has_early = true;
    r->early_end = end;
    decode_seat_submit_early(r->seat, job);
}

static void speech_resumed(struct kodama_recognizer *r)
{
    if (r->has_early) decode_seat_discard(r->seat);
    r->has_early = false;
}

static int speech_stopped(struct kodama_recognizer *r, const struct kodama_segment *segment)
{
    uint64_t end = decoded_end(r, segment);
    bool is_final_early = r->has_early && r->early_end == end;
    struct undecided *undecided = memory_array(1, sizeof *undecided);
    struct decode_final *job = NULL;
    if (!is_final_early) {
        speech_resumed(r);
        job = create_job(r, segment->utterance, segment->begin, end);
    }
    decode_seat_hush(recognizer_partials(r));
    bool wake = false;
    mutex_lock(&r->mutex);
    r->speaking = false;
    push_simple(r, KODAMA_EVENT_SPEECH_STOPPED, segment->utterance, segment->end, &wake);
    bool kept = undecided && (job || is_final_early);
    if (kept) {
        *undecided = (struct undecided){.utterance = segment->utterance,
                                        .begin = segment->begin,
                                        .end = segment->end,
                                        .n_samples = (size_t)(end - segment->begin),
                                        .heard = segment->decided_at,
                                        .since_ns = clock_now_ns(),
                                        .stabilizer = r->stabilizer};
        r->stabilizer = (struct stabilizer){0};
        if (r->last) {
            r->last->next = undecided;
        } else {
            r->first = undecided;
        }
        r->last = undecided;
        r->pending += undecided->n_samples;
    }
    unlock_and_wake(r, wake);
    if (!kept) {
        speech_resumed(r);
        free(undecided);
        if (job) free(job->samples);
        free(job);
        return KODAMA_ERR_MEMORY;
    }
    r->has_early = false;
    if (is_final_early) {
        decode_seat_confirm(r->seat);
    } else {
        recognizer_submit(r, job);
    }
    recognizer_take_over(r);
    return KODAMA_OK;
}

static int decide(struct kodama_recognizer *r, const struct kodama_segment *segment)
{
    switch (segment->kind) {
    case KODAMA_SEGMENT_START: speech_started(r, segment); break;
    case KODAMA_SEGMENT_PAUSE: speech_paused(r, segment); break;
    case KODAMA_SEGMENT_RESUME: speech_resumed(r); break;
    case KODAMA_SEGMENT_STOP: return speech_stopped(r, segment);
    }
    return KODAMA_OK;
}

/** Hear samples at 16 kHz; room for them was reserved. */
static int hear(struct kodama_recognizer *r, const float *samples, size_t n_samples)
{
    mutex_lock(&r->mutex);
    utterance_audio_append(&r->audio, samples, n_samples);
    mutex_unlock(&r->mutex);
    int status = KODAMA_OK;
    size_t used = 0;
    struct kodama_segment segment;
    do {
        used += kodama_segmenter_process(r->segmenter, samples + used, n_samples - used, &segment);
        int decided = decide(r, &segment);
        if (decided < 0) status = decided;
    } while (used < n_samples || segment.kind);

    uint32_t bits;
    float probability = kodama_segmenter_probability(r->segmenter);
    memcpy(&bits, &probability, sizeof bits);
    atomic_store_explicit(&r->meter, bits, memory_order_relaxed);

    (void)recognizer_let_go(r);
    bool wake = false;
    uint64_t heard = kodama_segmenter_position(r->segmenter);
    mutex_lock(&r->mutex);
    utterance_audio_trim(&r->audio, kodama_segmenter_horizon(r->segmenter));
    bool due = r->partials && r->speaking && heard >= r->next_partial;
    if (due) {
        r->next_partial = heard + r->interval;
        decode_seat_hear(recognizer_partials(r), r->utterance, (size_t)(heard - r->begin));
    }
    check_slow(r, heard, &wake);
    unlock_and_wake(r, wake);
    return status;
}

/** Wait until there is little enough to decide. Lock held. */
static bool wait_for_room(struct kodama_recognizer *r, uint64_t deadline_ns)
{
    while (r->pending >= r->max_pending) {
        if (!condition_wait(&r->changed, &r->mutex, deadline_ns)) {
            return r->pending < r->max_pending;
        }
    }
    return true;
}

/** Hear a block, NULL: of silence. */
static int hear_block(struct kodama_recognizer *r, const void *frames, size_t n_frames)
{
    /* Here and not in the recogniser: most of them wait. */
    float mono[BLOCK_FRAMES], resampled[RESAMPLED_MAX];
    if (frames) {
        convert_to_mono(r->format, frames, mono, n_frames);
    } else {
        memset(mono, 0, n_frames * sizeof *mono);
    }
    mutex_lock(&r->mutex);
    r->frames += n_frames; /* decoders map positions with it */
    mutex_unlock(&r->mutex);
    return hear(r, resampled, resampler_process(r->resampler, mono, n_frames, resampled));
}

int64_t kodama_recognizer_write(struct kodama_recognizer *r, const void *frames, size_t n_frames,
                                int64_t timeout_ns)
{
    if (!r) return KODAMA_ERR_ARGUMENT;
    uint64_t deadline = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns);
    const uint8_t *bytes = frames;
    size_t done = 0;
    while (done < n_frames) {
        size_t n = n_frames - done < BLOCK_FRAMES ? n_frames - done : BLOCK_FRAMES;
        mutex_lock(&r->mutex);
        bool finished = r->finished;
        bool room = finished || wait_for_room(r, deadline);
        bool reserved =
            room && utterance_audio_reserve(&r->audio, resampler_output_max(r->resampler, n));
        mutex_unlock(&r->mutex);
        if (finished) return KODAMA_ERR_CLOSED;
        if (!room && done > 0) break;
        if (!room) return timeout_ns == 0 ? KODAMA_ERR_FULL : KODAMA_ERR_TIMEOUT;
        if (!reserved) return KODAMA_ERR_MEMORY;
        int status = hear_block(r, bytes, n);
        if (status < 0) return status;
        if (bytes) bytes += n * kodama_frame_bytes(r->format);
        done += n;
    }
    return (int64_t)done;
}

int kodama_recognizer_finalize(struct kodama_recognizer *r)
{
    if (!r) return KODAMA_ERR_ARGUMENT;
    int status = KODAMA_OK;
    struct kodama_segment segment;
    do {
        kodama_segmenter_cut(r->segmenter, &segment);
        int decided = decide(r, &segment);
        if (decided < 0) status = decided;
    } while (segment.kind);
    return status;
}

int kodama_recognizer_finish(struct kodama_recognizer *r)
{
    if (!r) return KODAMA_ERR_ARGUMENT;
    mutex_lock(&r->mutex);
    bool finished = r->finished;
    bool reserved = utterance_audio_reserve(&r->audio, resampler_output_max(r->resampler, 0));
    mutex_unlock(&r->mutex);
    if (finished) return KODAMA_OK;
    if (!reserved) return KODAMA_ERR_MEMORY;
    float rest[RESAMPLED_MAX];
    int status = hear(r, rest, resampler_flush(r->resampler, rest));
    struct kodama_segment segment;
    do {
        kodama_segmenter_finish(r->segmenter, &segment);
        int decided = decide(r, &segment);
        if (decided < 0) status = decided;
    } while (segment.kind);
    mutex_lock(&r->mutex);
    r->finished = true;
    condition_broadcast(&r->changed);
    unlock_and_wake(r, ended(r));
    return status;
}

/* -------------------------------------------------------- the reader's side */

int kodama_recognizer_next(struct kodama_recognizer *r, struct kodama_event *event,
                           int64_t timeout_ns)
{
    if (!r || !event) return KODAMA_ERR_ARGUMENT;
    uint64_t deadline = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns);
    mutex_lock(&r->mutex);
    free(r->delivered);
    r->delivered = NULL;
    while (!r->events.first && !ended(r)) {
        if (timeout_ns == 0) {
            mutex_unlock(&r->mutex);
            return KODAMA_ERR_EMPTY;
        }
        bool in_time = condition_wait(&r->changed, &r->mutex, deadline);
        if (!in_time && !r->events.first && !ended(r)) {
            mutex_unlock(&r->mutex);
            return KODAMA_ERR_TIMEOUT;
        }
    }
    r->delivered = (struct recognizer_event *)event_queue_pop(&r->events);
    if (!r->events.first && !ended(r) && r->has_waitable) waitable_clear(r->waitable);
    mutex_unlock(&r->mutex);
    if (!r->delivered) return KODAMA_ERR_CLOSED;
    *event = r->delivered->event;
    return KODAMA_OK;
}

int kodama_recognizer_waitable(struct kodama_recognizer *r, struct kodama_waitable *waitable)
{
    if (!r || !waitable) return KODAMA_ERR_ARGUMENT;
    int status = KODAMA_OK;
    mutex_lock(&r->mutex);
    if (!r->has_waitable) {
        status = waitable_create(&r->waitable);
        r->has_waitable = status == KODAMA_OK;
        signal_outside(r, r->events.first || ended(r));
    }
    *waitable = r->waitable;
    mutex_unlock(&r->mutex);
    return status;
}

uint32_t kodama_recognizer_pending_ms(struct kodama_recognizer *r)
{
    mutex_lock(&r->mutex);
    uint64_t samples = r->pending;
    if (r->speaking) samples += utterance_audio_end(&r->audio) - r->begin;
    mutex_unlock(&r->mutex);
    return (uint32_t)(samples / PER_MS);
}

float kodama_recognizer_probability(struct kodama_recognizer *r)
{
    uint32_t bits = atomic_load_explicit(&r->meter, memory_order_relaxed);
    float probability;
    memcpy(&probability, &bits, sizeof probability);
    return probability;
}

/* ------------------------------------------------------------ open and close */

void kodama_recognizer_close(struct kodama_recognizer *r)
{
    if (!r) return;
    recognizer_unseat(r);
    kodama_segmenter_close(r->segmenter);
    resampler_close(r->resampler);
    while (r->first) {
        struct undecided *next = r->first->next;
        stabilizer_reset(&r->first->stabilizer);
        free(r->first);
        r->first = next;
    }
    stabilizer_reset(&r->stabilizer);
    event_queue_clear(&r->events);
    free(r->delivered);
    utterance_audio_free(&r->audio);
    if (r->has_waitable) waitable_destroy(r->waitable);
    condition_destroy(&r->changed);
    mutex_destroy(&r->mutex);
    free(r);
}

static int fill(struct kodama_recognizer *r, struct kodama_model *model,
                const struct kodama_recognizer_config *config, struct kodama_error *error)
{
    const struct kodama_segmenter_config *rules = &config->segmenter;
    uint32_t interval_ms = config->partial_interval_ms;
    uint32_t pending_ms = config->max_pending_ms;
    r->format = config->format;
    r->partials = config->partials;
    r->interval = (uint64_t)(interval_ms ? interval_ms : INTERVAL_MS) * PER_MS;
    r->fast = (uint64_t)rules->fast_silence_ms * PER_MS;
    r->max_pending = (uint64_t)(pending_ms ? pending_ms : MAX_PENDING_MS) * PER_MS;
    r->on_event = config->on_event;
    r->user = config->user;
    r->waitable = WAITABLE_NONE;
    int status = kodama_format_check(config->format, error);
    if (status < 0) return status;
    status = kodama_segmenter_open(&r->segmenter, rules, error);
    if (status < 0) return status;
    status = resampler_open(&r->resampler, config->format.rate_hz, ENGINE_RATE_HZ, 1, error);
    if (status < 0) return status;
    status = model_check_language(model, config->language, error);
    if (status == KODAMA_OK && config->partials_model) {
        status = model_check_language(config->partials_model, config->language, error);
    }
    if (status < 0) return status;
    if (config->language) snprintf(r->language, sizeof r->language, "%s", config->language);
    bool seated = recognizer_seat(r, model, config->partials_model);
    return seated ? KODAMA_OK : error_set(error, KODAMA_ERR_MEMORY, "recogniser: out of memory");
}

int kodama_recognizer_open(struct kodama_recognizer **opened, struct kodama_model *model,
                           const struct kodama_recognizer_config *config,
                           struct kodama_error *error)
{
    if (opened) *opened = NULL;
    if (!opened || !model || !config || config->size < sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "recogniser: needs a model, and a configuration filled with "
                         "KODAMA_RECOGNIZER_CONFIG_INIT");
    }
    struct kodama_recognizer *r = memory_array(1, sizeof *r);
    if (!r) return error_set(error, KODAMA_ERR_MEMORY, "recogniser: out of memory");
    mutex_init(&r->mutex);
    condition_init(&r->changed);
    int status = fill(r, model, config, error);
    if (status < 0) {
        kodama_recognizer_close(r);
        return status;
    }
    *opened = r;
    return KODAMA_OK;
}

void kodama_free(void *data)
{
    free(data);
}
