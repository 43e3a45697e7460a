/* The client of a recognition server: what its owner, its writer and its reader call. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/convert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/waitable.h"
#include "client/internal.h"

enum {
    BLOCK_FRAMES = 1024,
    WIRE_RATE_HZ = 16000, /* the engines' */
    WIRE_RATE_MAX_HZ = 48000,
    BUFFER_MS_MIN = 2000, /* the server confirms once a second */
    BUFFER_MS_MAX = 3600000,
    TEXT_BYTES_MAX = 2000,
    /* Speech is told later than it began: it has to be confirmed, and events come after acks. */
    ONSET_MS = 1000,
};

/* ------------------------------------------------------------ for its own files */

/* Signal or clear what event loops wait for. With the lock. */
static void signal_outside(struct kodama_client *c)
{
    if (!c->has_waitable) return;
    if (c->events.first || c->ended) {
        waitable_signal(c->waitable);
    } else {
        waitable_clear(c->waitable);
    }
}

static void unlock_and_wake(struct kodama_client *c, bool wake)
{
    condition_broadcast(&c->changed);
    if (wake) signal_outside(c);
    mutex_unlock(&c->mutex);
    if (wake && c->config.on_event) c->config.on_event(c->config.user);
}

void client_tell(struct kodama_client *c, const struct kodama_client_event *event)
{
    struct client_event *copy = client_event_create(event);
    if (!copy) {
        client_fail(c, KODAMA_ERR_MEMORY, "client: out of memory");
        return;
    }
    mutex_lock(&c->mutex);
    unlock_and_wake(c, event_queue_push(&c->events, &copy->node));
}

void client_end(struct kodama_client *c)
{
    mutex_lock(&c->mutex);
    bool first = !c->ended;
    c->ended = true;
    c->connected = false;
    unlock_and_wake(c, first);
}

void client_fail(struct kodama_client *c, int status, const char *format, ...)
{
    va_list arguments;
    mutex_lock(&c->mutex);
    if (!c->ended) {
        c->failure.status = status;
        va_start(arguments, format);
        vsnprintf(c->failure.message, sizeof c->failure.message, format, arguments);
        va_end(arguments);
    }
    mutex_unlock(&c->mutex);
    client_end(c);
}

void client_log(struct kodama_client *c, enum kodama_log_level level, const char *format, ...)
{
    const struct kodama_log *log = c->config.log;
    if (!log || !log->write || level > log->level) return;
    char line[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    log->write(log->user, level, line);
}

/* As recogniser positions become frames of its input. */
uint64_t client_written(const struct kodama_client *c, uint64_t position)
{
    if (!c->resampler) return position;
    uint64_t frame = (position * c->format.rate_hz + WIRE_RATE_HZ / 2) / WIRE_RATE_HZ;
    return frame < c->frames ? frame : c->frames;
}

double client_seconds(const struct kodama_client *c, uint64_t n_frames)
{
    return (double)n_frames / (double)c->wire.rate_hz;
}

/* ---------------------------------------------------------- the writer's side */

/* Wait for room. Lock held. @return KODAMA_OK, or why not */
static int wait_for_room(struct kodama_client *c, uint64_t n_frames, uint64_t deadline_ns)
{
    for (;;) {
        if (c->failure.status < 0) return c->failure.status;
        if (c->ended || c->finishing) return KODAMA_ERR_CLOSED;
        if (tape_free_frames(&c->tape) >= n_frames) return KODAMA_OK;
        if (deadline_ns == 0) return KODAMA_ERR_FULL;
        bool in_time = condition_wait(&c->changed, &c->mutex, deadline_ns);
        if (!in_time && tape_free_frames(&c->tape) < n_frames) return KODAMA_ERR_TIMEOUT;
    }
}

/* Unlock, and wake the network thread if it sleeps. */
static void unlock_and_send(struct kodama_client *c)
{
    bool wake = c->asleep;
    c->asleep = false;
    mutex_unlock(&c->mutex);
    if (wake) line_wake(c);
}

/* Bytes of a block as they go over the network. @return frames of the tape */
static size_t convert_block(struct kodama_client *c, const void **frames, size_t n_frames)
{
    if (!c->resampler) {
        /* Silence of 16-bit samples is zeros. */
        if (!*frames) *frames = c->resampled;
        return n_frames;
    }
    if (*frames) {
        convert_to_mono(c->format, *frames, c->mono, n_frames);
    } else {
        memset(c->mono, 0, n_frames * sizeof *c->mono);
    }
    *frames = c->resampled;
    return resampler_process(c->resampler, c->mono, n_frames, c->resampled);
}

int64_t kodama_client_write(struct kodama_client *c, const void *frames, size_t n_frames,
                            int64_t timeout_ns)
{
    if (!c) return KODAMA_ERR_ARGUMENT;
    uint64_t deadline = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns);
    size_t done = 0, frame_bytes = kodama_frame_bytes(c->format);
    while (done < n_frames) {
        size_t n = n_frames - done < BLOCK_FRAMES ? n_frames - done : BLOCK_FRAMES;
        uint64_t needed = c->resampler ? resampler_output_max(c->resampler, n) : n;
        needed += c->reserve;
        mutex_lock(&c->mutex);
        int status = wait_for_room(c, needed, deadline);
        mutex_unlock(&c->mutex);
        bool waited = status == KODAMA_ERR_FULL || status == KODAMA_ERR_TIMEOUT;
        if (waited && done > 0) break;
        if (status < 0) return status;
        const void *block = frames ? (const uint8_t *)frames + done * frame_bytes : NULL;
        size_t n_tape = convert_block(c, &block, n);
        mutex_lock(&c->mutex);
        tape_write(&c->tape, block, n_tape);
        c->frames += n;
        unlock_and_send(c);
        done += n;
    }
    return (int64_t)done;
}

int kodama_client_finalize(struct kodama_client *c)
{
    if (!c) return KODAMA_ERR_ARGUMENT;
    mutex_lock(&c->mutex);
    int status = c->failure.status < 0      ? c->failure.status
                 : c->finishing || c->ended ? KODAMA_ERR_CLOSED
                 : tape_mark(&c->tape)      ? KODAMA_OK
                                            : KODAMA_ERR_FULL;
    unlock_and_send(c);
    return status;
}

int kodama_client_finish(struct kodama_client *c)
{
    if (!c) return KODAMA_ERR_ARGUMENT;
    mutex_lock(&c->mutex);
    bool finished = c->finishing;
    mutex_unlock(&c->mutex);
    if (finished) return KODAMA_OK;
    size_t n_rest = 0;
    if (c->resampler) n_rest = resampler_flush(c->resampler, c->resampled);
    mutex_lock(&c->mutex);
    if (n_rest > 0 && c->failure.status == 0) tape_write(&c->tape, c->resampled, n_rest);
    c->finishing = true;
    int status = c->failure.status;
    unlock_and_send(c);
    return status;
}

/* ---------------------------------------------------------- the reader's side */

static bool has_something(const struct kodama_client *c)
{
    return c->events.first || c->ended;
}

int kodama_client_next(struct kodama_client *c, struct kodama_client_event *event,
                       int64_t timeout_ns)
{
    if (!c || !event) return KODAMA_ERR_ARGUMENT;
    uint64_t deadline = timeout_ns == 0 ? 0 : clock_deadline(timeout_ns);
    mutex_lock(&c->mutex);
    free(c->delivered);
    c->delivered = NULL;
    while (!has_something(c)) {
        bool in_time = timeout_ns != 0 && condition_wait(&c->changed, &c->mutex, deadline);
        if (!in_time && !has_something(c)) {
            mutex_unlock(&c->mutex);
            return timeout_ns == 0 ? KODAMA_ERR_EMPTY : KODAMA_ERR_TIMEOUT;
        }
    }
    c->delivered = (struct client_event *)event_queue_pop(&c->events);
    if (!has_something(c)) signal_outside(c);
    int status = c->failure.status < 0 ? c->failure.status : KODAMA_ERR_CLOSED;
    mutex_unlock(&c->mutex);
    if (!c->delivered) return status;
    *event = c->delivered->event;
    return KODAMA_OK;
}

int kodama_client_waitable(struct kodama_client *c, struct kodama_waitable *waitable)
{
    if (!c || !waitable) return KODAMA_ERR_ARGUMENT;
    int status = KODAMA_OK;
    mutex_lock(&c->mutex);
    if (!c->has_waitable) {
        status = waitable_create(&c->waitable);
        c->has_waitable = status == KODAMA_OK;
        signal_outside(c);
    }
    *waitable = c->waitable;
    mutex_unlock(&c->mutex);
    return status;
}

int kodama_client_failure(struct kodama_client *c, struct kodama_error *error)
{
    if (!c) return KODAMA_ERR_ARGUMENT;
    mutex_lock(&c->mutex);
    int status = c->failure.status;
    if (error) *error = c->failure;
    mutex_unlock(&c->mutex);
    return status;
}

const char *kodama_client_engine(const struct kodama_client *c)
{
    return c->engine;
}

const char *kodama_client_model(const struct kodama_client *c)
{
    return c->model;
}

void kodama_client_stats(struct kodama_client *c, struct kodama_client_stats *stats)
{
    mutex_lock(&c->mutex);
    const struct tape *tape = &c->tape;
    uint64_t rate_hz = c->wire.rate_hz;
    *stats = c->stats;
    stats->connected = c->connected;
    stats->frames = c->frames;
    stats->unconfirmed_ms = (uint32_t)((tape->end - tape->confirmed) * 1000 / rate_hz);
    stats->lag_ms = (uint32_t)((tape->end - c->heard) * 1000 / rate_hz);
    stats->buffer_ms = (uint32_t)(tape->room * 1000 / rate_hz);
    stats->undecided_ms = (uint32_t)((tape->end - c->decided) * 1000 / rate_hz);
    mutex_unlock(&c->mutex);
}

/* ------------------------------------------------------------ open and close */

void kodama_client_close(struct kodama_client *c)
{
    if (!c) return;
    if (c->running) {
        mutex_lock(&c->mutex);
        c->closing = true;
        mutex_unlock(&c->mutex);
        line_wake(c);
        thread_join(&c->thread);
    }
    line_close(c);
    event_queue_clear(&c->events);
    free(c->delivered);
    if (c->has_waitable) waitable_destroy(c->waitable);
    tape_free(&c->tape);
    resampler_close(c->resampler);
    free(c->mono);
    free(c->resampled);
    free(c->token);
    free(c->ca);
    condition_destroy(&c->changed);
    mutex_destroy(&c->mutex);
    free(c);
}

/*
 * What goes over the network: 16-bit mono as it is. All else is mixed down and resampled here, by
 * the same code and to the same samples as the recogniser would, so that it hears the same.
 */
static int open_tape(struct kodama_client *c, struct kodama_error *error)
{
    size_t most = BLOCK_FRAMES;
    c->wire = c->format;
    bool plain = c->format.sample == KODAMA_SAMPLE_S16 && c->format.channels == 1 &&
                 c->format.rate_hz <= WIRE_RATE_MAX_HZ;
    if (!plain) {
        c->wire = (struct kodama_format){KODAMA_SAMPLE_F32, WIRE_RATE_HZ, 1, 0};
        int status = resampler_open(&c->resampler, c->format.rate_hz, WIRE_RATE_HZ, 1, error);
        if (status < 0) return status;
        most = resampler_output_max(c->resampler, BLOCK_FRAMES);
        size_t flushed = resampler_output_max(c->resampler, 0);
        if (flushed > most) most = flushed;
        c->reserve = flushed;
        c->mono = memory_array(BLOCK_FRAMES, sizeof *c->mono);
    }
    c->resampled = memory_array(most, sizeof *c->resampled);
    c->margin = (uint64_t)(c->config.prefix_padding_ms + ONSET_MS) * c->wire.rate_hz / 1000;
    uint64_t room = (uint64_t)c->config.buffer_ms * c->wire.rate_hz / 1000;
    bool opened = c->resampled && (plain || c->mono) &&
                  tape_open(&c->tape, kodama_frame_bytes(c->wire), room + most);
    return opened ? KODAMA_OK : error_set(error, KODAMA_ERR_MEMORY, "client: out of memory");
}

static bool is_plain(const char *text)
{
    if (!text) return true;
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < ' ' || *at == 127) return false;
    }
    return strlen(text) <= TEXT_BYTES_MAX;
}

static int check(const struct kodama_client_config *config, struct kodama_error *error)
{
    int status = kodama_format_check(config->format, error);
    if (status < 0) return status;
    if (config->buffer_ms < BUFFER_MS_MIN || config->buffer_ms > BUFFER_MS_MAX) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "client: buffer_ms must be %d to %d: the server confirms what it has once "
                         "a second",
                         BUFFER_MS_MIN, BUFFER_MS_MAX);
    }
    if (!(config->threshold > 0.0f && config->threshold < 1.0f)) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "client: threshold must be between 0 and 1");
    }
    if (!is_plain(config->token) || !is_plain(config->engine) || !is_plain(config->model) ||
        !is_plain(config->language)) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "client: a token or name must have no control characters and at most %d "
                         "bytes",
                         TEXT_BYTES_MAX);
    }
    return KODAMA_OK;
}

static int fill(struct kodama_client *c, struct kodama_error *error)
{
    struct kodama_client_config *config = &c->config;
    int status = check(config, error);
    if (status < 0) return status;
    status = address_read(&c->address, config->url, error);
    if (status < 0) return status;
    c->format = config->format;
    c->token = memory_text(config->token);
    c->ca = memory_text(config->ca);
    if ((config->token && !c->token) || (config->ca && !c->ca)) {
        return error_set(error, KODAMA_ERR_MEMORY, "client: out of memory");
    }
    status = open_tape(c, error);
    if (status == KODAMA_OK) status = line_open(c, error);
    /* Borrowed for the call only. */
    config->url = config->token = config->ca = NULL;
    config->engine = config->model = config->language = NULL;
    return status;
}

static int await_beginning(struct kodama_client *c, struct kodama_error *error)
{
    mutex_lock(&c->mutex);
    while (!c->began && !c->ended) condition_wait(&c->changed, &c->mutex, CLOCK_NEVER);
    int status = c->failure.status;
    if (status < 0 && error) *error = c->failure;
    mutex_unlock(&c->mutex);
    return status;
}

int kodama_client_open(struct kodama_client **opened, const struct kodama_client_config *config,
                       struct kodama_error *error)
{
    if (opened) *opened = NULL;
    if (!opened || !config || config->size < sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "client: needs a configuration filled with KODAMA_CLIENT_CONFIG_INIT");
    }
    struct kodama_client *c = memory_array(1, sizeof *c);
    if (!c) return error_set(error, KODAMA_ERR_MEMORY, "client: out of memory");
    mutex_init(&c->mutex);
    condition_init(&c->changed);
    c->config = *config;
    c->waitable = WAITABLE_NONE;
    int status = fill(c, error);
    if (status == KODAMA_OK) status = thread_start(&c->thread, "kodama-client", line_run, c, error);
    c->running = status == KODAMA_OK;
    if (status == KODAMA_OK) status = await_beginning(c, error);
    if (status < 0) {
        kodama_client_close(c);
        return status;
    }
    *opened = c;
    return KODAMA_OK;
}
