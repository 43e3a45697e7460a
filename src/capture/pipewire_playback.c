/*
 * Playing on PipeWire: a stream that is asked for frames in each cycle. Speakers are an ordinary
 * one, which the session manager links. A virtual microphone is one whose class makes it a source;
 * it is never linked by us and has no priority, so that no session manager makes it the default.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture/pipewire.h"
#include "capture/playback.h"

enum {
    LATENCY_LOW_MS = 5,
    LATENCY_BATTERY_FRAMES = 8192, /* as long as any server goes */
    TIMINGS_PER_S = 2,             /* how often the latency is looked at, counted in frames */
};

struct pipewire_playback {
    struct playback *playback; /* immutable */
    struct pipewire *pipewire; /* immutable */
    struct pw_stream *stream;
    struct spa_hook hook;
    uint32_t frame_bytes;   /* immutable */
    uint64_t pulled, timed; /* real-time thread only */
};

static const struct {
    enum kodama_sample sample;
    enum spa_audio_format spa;
} samples[] = {
    {KODAMA_SAMPLE_U8, SPA_AUDIO_FORMAT_U8},      {KODAMA_SAMPLE_S16, SPA_AUDIO_FORMAT_S16_LE},
    {KODAMA_SAMPLE_S24, SPA_AUDIO_FORMAT_S24_LE}, {KODAMA_SAMPLE_S32, SPA_AUDIO_FORMAT_S32_LE},
    {KODAMA_SAMPLE_F32, SPA_AUDIO_FORMAT_F32_LE},
};

static const struct {
    enum kodama_channel channel;
    enum spa_audio_channel spa;
} positions[] = {
    {KODAMA_CHANNEL_FL, SPA_AUDIO_CHANNEL_FL}, {KODAMA_CHANNEL_FR, SPA_AUDIO_CHANNEL_FR},
    {KODAMA_CHANNEL_FC, SPA_AUDIO_CHANNEL_FC}, {KODAMA_CHANNEL_LFE, SPA_AUDIO_CHANNEL_LFE},
    {KODAMA_CHANNEL_BL, SPA_AUDIO_CHANNEL_RL}, {KODAMA_CHANNEL_BR, SPA_AUDIO_CHANNEL_RR},
    {KODAMA_CHANNEL_BC, SPA_AUDIO_CHANNEL_RC}, {KODAMA_CHANNEL_SL, SPA_AUDIO_CHANNEL_SL},
    {KODAMA_CHANNEL_SR, SPA_AUDIO_CHANNEL_SR},
};

/* The usual layouts: KSAUDIO_SPEAKER_* of WAVEFORMATEXTENSIBLE for 1 to 8 channels. */
static const uint32_t usual_masks[KODAMA_CHANNELS_MAX + 1] = {0,    0x4,  0x3,   0x7,  0x33,
                                                              0x37, 0x3f, 0x13f, 0x63f};

static struct spa_audio_info_raw info_of(struct kodama_format format)
{
    struct spa_audio_info_raw info = {.rate = format.rate_hz, .channels = format.channels};
    for (size_t i = 0; i < SPA_N_ELEMENTS(samples); i++) {
        if (samples[i].sample == format.sample) info.format = samples[i].spa;
    }
    if (format.channels == 1) {
        info.position[0] = SPA_AUDIO_CHANNEL_MONO;
        return info;
    }
    uint32_t mask = format.channel_mask ? format.channel_mask : usual_masks[format.channels], n = 0;
    for (size_t i = 0; i < SPA_N_ELEMENTS(positions) && n < format.channels; i++) {
        if (mask & (uint32_t)positions[i].channel) info.position[n++] = positions[i].spa;
    }
    return info;
}

/* ------------------------------------------------------------- the real-time thread */

/* From here until it is heard: what the graph and the device say, and what waits before them. */
static void look_at_latency(struct pipewire_playback *state)
{
    struct pw_time time;
    state->timed = state->pulled + state->playback->format.rate_hz / TIMINGS_PER_S;
    if (pw_stream_get_time_n(state->stream, &time, sizeof time) < 0 || time.rate.denom == 0) return;
    uint64_t delay = time.delay > 0 ? (uint64_t)time.delay : 0;
    uint64_t latency = delay * CLOCK_NS_PER_S * time.rate.num / time.rate.denom;
    uint64_t waiting = time.queued / state->frame_bytes + time.buffered;
    latency += waiting * CLOCK_NS_PER_S / state->playback->format.rate_hz;
    atomic_store_explicit(&state->playback->latency_ns, latency, memory_order_relaxed);
}

static void on_process(void *data)
{
    struct pipewire_playback *state = data;
    struct pw_buffer *buffer = pw_stream_dequeue_buffer(state->stream);
    if (!buffer) return;
    struct spa_data *block = &buffer->buffer->datas[0];
    uint32_t n = block->data ? block->maxsize / state->frame_bytes : 0;
    /* What this cycle needs; 0 where the server does not say. */
    if (buffer->requested > 0 && buffer->requested < n) n = (uint32_t)buffer->requested;
    if (n > 0) state->playback->pull(state->playback->user, block->data, n);
    block->chunk->offset = 0;
    block->chunk->stride = (int32_t)state->frame_bytes;
    block->chunk->size = n * state->frame_bytes;
    pw_stream_queue_buffer(state->stream, buffer);
    state->pulled += n;
    if (state->pulled >= state->timed) look_at_latency(state);
}

/* ------------------------------------------------------------------- the loop thread */

static void on_state_changed(void *data, enum pw_stream_state old, enum pw_stream_state state,
                             const char *error)
{
    struct pipewire_playback *playing = data;
    (void)old;
    atomic_store_explicit(&playing->playback->present, state == PW_STREAM_STATE_STREAMING,
                          memory_order_relaxed);
    if (state == PW_STREAM_STATE_ERROR) {
        log_write(playing->pipewire->host->log, KODAMA_LOG_WARNING, "PipeWire: cannot play: %s",
                  error ? error : "unknown reason");
        playing->playback->broken = true;
    } else if (state == PW_STREAM_STATE_UNCONNECTED) {
        playing->playback->broken = true; /* its device has gone */
    }
    pw_thread_loop_signal(playing->pipewire->loop, false);
}

static const struct pw_stream_events events = {
    PW_VERSION_STREAM_EVENTS,
    .state_changed = on_state_changed,
    .process = on_process,
};

static struct pw_properties *properties_of(const struct playback *playback)
{
    struct pw_properties *properties =
        pw_properties_new(PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_APP_NAME, playback->host->name, NULL);
    if (!properties) return NULL;
    if (playback->is_mic) {
        pw_properties_set(properties, PW_KEY_MEDIA_CLASS, "Audio/Source");
        pw_properties_set(properties, PW_KEY_NODE_NAME, playback->name);
        pw_properties_set(properties, PW_KEY_NODE_DESCRIPTION, playback->label);
        pw_properties_set(properties, PW_KEY_NODE_VIRTUAL, "true");
        pw_properties_set(properties, "priority.session", "0");
        pw_properties_setf(properties, "audio.channels", "%u", playback->format.channels);
        /* Frames are taken in real time also while nobody listens. */
        pw_properties_set(properties, PW_KEY_NODE_ALWAYS_PROCESS, "true");
        pw_properties_set(properties, PW_KEY_NODE_WANT_DRIVER, "true");
    } else {
        pw_properties_set(properties, PW_KEY_MEDIA_CATEGORY, "Playback");
        pw_properties_set(properties, PW_KEY_NODE_NAME, "kodama.speakers");
        pw_properties_set(properties, PW_KEY_MEDIA_NAME, playback->host->name);
    }
    if (!playback->is_mic && playback->device) {
        pw_properties_set(properties, "target.object", playback->device);
        /* To this device or not at all: WirePlumber 0.4 knows the first, 0.5 the second. */
        pw_properties_set(properties, "node.dont-reconnect", "true");
        pw_properties_set(properties, "node.dont-fallback", "true");
    }
    uint32_t rate = playback->format.rate_hz;
    if (playback->latency == KODAMA_LATENCY_LOW) {
        pw_properties_setf(properties, PW_KEY_NODE_LATENCY, "%u/%u", rate * LATENCY_LOW_MS / 1000,
                           rate);
    } else if (playback->latency == KODAMA_LATENCY_BATTERY) {
        pw_properties_setf(properties, PW_KEY_NODE_LATENCY, "%d/%u", LATENCY_BATTERY_FRAMES, rate);
    }
    return properties;
}

static void close_playback(struct playback *playback)
{
    struct pipewire_playback *state = playback->state;
    if (state->stream) {
        spa_hook_remove(&state->hook);
        pw_stream_destroy(state->stream); /* waits for the real-time thread */
    }
    free(state);
    playback->state = NULL;
}

static int open_playback(struct playback *playback, struct kodama_error *error)
{
    struct pipewire *pipewire = playback->host->state;
    if (!pipewire->core) return error_set(error, KODAMA_ERR_STATE, "the sound server is away");
    struct pipewire_playback *state = memory_array(1, sizeof *state);
    if (!state) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a sink");
    state->playback = playback;
    state->pipewire = pipewire;
    state->frame_bytes = (uint32_t)kodama_frame_bytes(playback->format);
    playback->state = state;
    state->stream = pw_stream_new(pipewire->core, playback->is_mic ? playback->label : "playback",
                                  properties_of(playback));
    if (!state->stream) {
        close_playback(playback);
        return error_set(error, KODAMA_ERR_SYSTEM, "PipeWire cannot make a stream");
    }
    pw_stream_add_listener(state->stream, &state->hook, &events, state);
    uint8_t bytes[1024];
    struct spa_pod_builder builder;
    spa_pod_builder_init(&builder, bytes, sizeof bytes);
    struct spa_audio_info_raw info = info_of(playback->format);
    const struct spa_pod *parameters[] = {
        spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &info)};
    enum pw_stream_flags flags = PW_STREAM_FLAG_MAP_BUFFERS | PW_STREAM_FLAG_RT_PROCESS;
    if (!playback->is_mic) flags |= PW_STREAM_FLAG_AUTOCONNECT;
    int status =
        pw_stream_connect(state->stream, PW_DIRECTION_OUTPUT, PW_ID_ANY, flags, parameters, 1);
    if (status < 0) {
        close_playback(playback);
        return error_set(error, KODAMA_ERR_SYSTEM, "PipeWire refused a stream: %s",
                         spa_strerror(status));
    }
    return KODAMA_OK;
}

const struct playback_ops pipewire_playback_ops = {
    .open = open_playback,
    .close = close_playback,
};
