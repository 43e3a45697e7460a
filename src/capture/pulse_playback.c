/* Playing on PulseAudio: a stream that pulls frames when the server asks for them. */
#include "capture/pulse_playback.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

enum { TIMINGS_PER_S = 2 }; /* how often the latency is asked for, counted in frames */

/* How much audio the server may hold, ms: enough for the wakes of a busy machine, and a voice that
 * answers soon. */
static const unsigned buffer_ms[] = {
    [KODAMA_LATENCY_NORMAL] = 60,
    [KODAMA_LATENCY_LOW] = 15,
    [KODAMA_LATENCY_BATTERY] = 500,
};

void pulse_playback_fail(struct pulse_playback *state, const char *what)
{
    state->status = KODAMA_ERR_SYSTEM;
    if (pa_context_errno(state->pulse->context) == PA_ERR_NOENTITY) {
        state->status = KODAMA_ERR_NOT_FOUND;
    }
    snprintf(state->words, sizeof state->words, "PulseAudio refused to %s: %s", what,
             pulse_words(state->pulse));
    atomic_store_explicit(&state->playback->present, false, memory_order_relaxed);
    pulse_wake(state->pulse);
}

void pulse_playback_expect(struct pulse_playback *state, pa_operation *operation, const char *what)
{
    pulse_forget(state->pending);
    state->pending = operation;
    if (!operation) pulse_playback_fail(state, what);
}

static void on_timing(pa_stream *stream, int success, void *user)
{
    struct pulse_playback *state = user;
    pa_usec_t latency;
    int negative = 0;
    if (!success || pa_stream_get_latency(stream, &latency, &negative) < 0) return;
    atomic_store_explicit(&state->playback->latency_ns, negative ? 0 : latency * 1000,
                          memory_order_relaxed);
}

static void on_write(pa_stream *stream, size_t n_bytes, void *user)
{
    struct pulse_playback *state = user;
    struct playback *playback = state->playback;
    while (n_bytes >= state->frame_bytes) {
        void *frames;
        size_t room = n_bytes;
        if (pa_stream_begin_write(stream, &frames, &room) < 0) return;
        size_t n = room / state->frame_bytes;
        if (n == 0) {
            pa_stream_cancel_write(stream);
            return;
        }
        playback->pull(playback->user, frames, n);
        room = n * state->frame_bytes;
        if (pa_stream_write(stream, frames, room, NULL, 0, PA_SEEK_RELATIVE) < 0) return;
        n_bytes = n_bytes > room ? n_bytes - room : 0;
        state->pulled += n;
    }
    if (state->pulled >= state->timed) {
        state->timed = state->pulled + playback->format.rate_hz / TIMINGS_PER_S;
        pulse_forget(pa_stream_update_timing_info(stream, on_timing, state));
    }
}

static void on_underflow(pa_stream *stream, void *user)
{
    struct pulse_playback *state = user;
    (void)stream;
    atomic_fetch_add_explicit(&state->playback->underruns, 1, memory_order_relaxed);
}

static void on_state(pa_stream *stream, void *user)
{
    struct pulse_playback *state = user;
    switch (pa_stream_get_state(stream)) {
    case PA_STREAM_READY:
        state->status = KODAMA_OK;
        atomic_store_explicit(&state->playback->present, true, memory_order_relaxed);
        pulse_wake(state->pulse);
        break;
    case PA_STREAM_FAILED:
    case PA_STREAM_TERMINATED:
        state->playback->broken = true;
        pulse_playback_fail(state, "play");
        break;
    default: break;
    }
}

void pulse_playback_connect(struct pulse_playback *state, const char *sink)
{
    struct playback *playback = state->playback;
    pa_sample_spec spec;
    pa_channel_map map;
    (void)pulse_spec(playback->format, &spec, &map); /* looked at when it was opened */
    pa_proplist *properties = pa_proplist_new();
    pa_proplist_sets(properties, PA_PROP_MEDIA_NAME,
                     playback->is_mic ? playback->label : state->pulse->host->name);
    if (playback->is_mic) pa_proplist_sets(properties, PULSE_INSIDE, "1");
    state->stream =
        pa_stream_new_with_proplist(state->pulse->context, NULL, &spec, &map, properties);
    pa_proplist_free(properties);
    if (!state->stream) {
        pulse_playback_fail(state, "make a stream");
        return;
    }
    pa_stream_set_state_callback(state->stream, on_state, state);
    pa_stream_set_write_callback(state->stream, on_write, state);
    pa_stream_set_underflow_callback(state->stream, on_underflow, state);
    uint32_t bytes = (uint32_t)pa_usec_to_bytes(
        (pa_usec_t)buffer_ms[playback->latency] * PA_USEC_PER_MSEC, &spec);
    /* prebuf: after an underrun the server waits for data. Without that it would skip what comes
     * late. */
    pa_buffer_attr attributes = {.maxlength = (uint32_t)-1,
                                 .tlength = bytes,
                                 .prebuf = bytes / 4,
                                 .minreq = (uint32_t)-1,
                                 .fragsize = (uint32_t)-1};
    /* A microphone is exact whatever was remembered for us; speakers are as the user left them. */
    pa_cvolume full;
    pa_cvolume_set(&full, spec.channels, PA_VOLUME_NORM);
    pa_stream_flags_t flags = PA_STREAM_ADJUST_LATENCY;
    if (sink) flags |= PA_STREAM_DONT_MOVE; /* to this device or not at all */
    if (pa_stream_connect_playback(state->stream, sink, &attributes, flags,
                                   playback->is_mic ? &full : NULL, NULL) < 0) {
        pulse_playback_fail(state, "play");
    }
}

/* ------------------------------------------------------------------- the table */

static void close_playback(struct playback *playback)
{
    struct pulse_playback *state = playback->state;
    if (state->pending) {
        pa_operation_cancel(state->pending);
        pa_operation_unref(state->pending);
    }
    if (state->stream) {
        pa_stream_set_state_callback(state->stream, NULL, NULL);
        pa_stream_set_write_callback(state->stream, NULL, NULL);
        pa_stream_set_underflow_callback(state->stream, NULL, NULL);
        pa_stream_disconnect(state->stream);
        pa_stream_unref(state->stream);
    }
    if (playback->is_mic) pulse_mic_end(state);
    free(state);
    playback->state = NULL;
}

static int open_playback(struct playback *playback, struct kodama_error *error)
{
    struct pulse *pulse = playback->host->state;
    pa_sample_spec spec;
    pa_channel_map map;
    if (!pulse_spec(playback->format, &spec, &map)) {
        return error_set(error, KODAMA_ERR_FORMAT, "PulseAudio does not play this format");
    }
    if (!pulse->context || pa_context_get_state(pulse->context) != PA_CONTEXT_READY) {
        return error_set(error, KODAMA_ERR_STATE, "the sound server is away");
    }
    struct pulse_playback *state = memory_array(1, sizeof *state);
    if (!state) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a sink");
    state->pulse = pulse;
    state->playback = playback;
    state->status = 1;
    state->frame_bytes = kodama_frame_bytes(playback->format);
    state->sink_module = state->source_module = PA_INVALID_INDEX;
    playback->state = state;
    atomic_store_explicit(&playback->latency_ns,
                          2 * (uint64_t)buffer_ms[playback->latency] * 1000000,
                          memory_order_relaxed);
    if (playback->is_mic) {
        pulse_mic_begin(state);
    } else {
        pulse_playback_connect(state, playback->device);
    }
    /* On the loop thread nobody can wait: the server is back, and the rest follows. */
    if (pa_threaded_mainloop_in_thread(pulse->loop)) return KODAMA_OK;
    pa_context *context = pulse->context;
    while (state->status == 1 && PA_CONTEXT_IS_GOOD(pa_context_get_state(context))) {
        pa_threaded_mainloop_wait(pulse->loop);
    }
    if (state->status == KODAMA_OK) return KODAMA_OK;
    if (state->status == 1) pulse_playback_fail(state, "play");
    int status = error_set(error, state->status, "%s", state->words);
    close_playback(playback);
    return status;
}

const struct playback_ops pulse_playback_ops = {
    .open = open_playback,
    .close = close_playback,
};
