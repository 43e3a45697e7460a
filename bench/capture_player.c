/* An application that plays: a stream of its own on PipeWire or PulseAudio. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <pipewire/pipewire.h>
#include <pulse/pulseaudio.h>
#include <spa/param/audio/format-utils.h>

#include "capture.h"

/* In PipeWire's macros. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-empty-initializer"
#endif

const char *player_name(char *name, size_t n_bytes, int index)
{
    snprintf(name, n_bytes, "bench-player-%02d", index);
    return name;
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "bench_capture: a player %s\n", what);
    _exit(1);
}

/* ----------------------------------------------------------------- PipeWire */

struct pw_player {
    struct pw_stream *stream;
    uint64_t place;
};

static void on_process(void *user)
{
    struct pw_player *player = user;
    struct pw_buffer *buffer = pw_stream_dequeue_buffer(player->stream);
    if (!buffer) return;
    struct spa_data *data = &buffer->buffer->datas[0];
    size_t n = data->maxsize / (CHANNELS * sizeof(float));
    if (buffer->requested > 0 && buffer->requested < n) n = (size_t)buffer->requested;
    if (data->data) {
        frame_write(data->data, n, player->place, frame_now_us());
        player->place += n;
        data->chunk->offset = 0;
        data->chunk->stride = (int32_t)(CHANNELS * sizeof(float));
        data->chunk->size = (uint32_t)(n * CHANNELS * sizeof(float));
    }
    pw_stream_queue_buffer(player->stream, buffer);
}

static _Noreturn void play_pipewire(const char *name)
{
    static const struct pw_stream_events events = {.version = PW_VERSION_STREAM_EVENTS,
                                                   .process = on_process};
    struct pw_player player = {0};
    pw_init(NULL, NULL);
    struct pw_main_loop *loop = pw_main_loop_new(NULL);
    if (!loop) fail("has no loop");
    struct pw_properties *properties = pw_properties_new(
        PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CATEGORY, "Playback", PW_KEY_APP_NAME, name,
        PW_KEY_NODE_NAME, name, PW_KEY_MEDIA_NAME, name, NULL);
    player.stream =
        pw_stream_new_simple(pw_main_loop_get_loop(loop), name, properties, &events, &player);
    if (!player.stream) fail("cannot open a stream");
    uint8_t bytes[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(bytes, sizeof bytes);
    struct spa_audio_info_raw info = SPA_AUDIO_INFO_RAW_INIT(.format = SPA_AUDIO_FORMAT_F32,
                                                             .channels = CHANNELS, .rate = RATE_HZ);
    info.position[0] = SPA_AUDIO_CHANNEL_FL;
    info.position[1] = SPA_AUDIO_CHANNEL_FR;
    const struct spa_pod *format =
        spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &info);
    int status = pw_stream_connect(player.stream, PW_DIRECTION_OUTPUT, PW_ID_ANY,
                                   PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS |
                                       PW_STREAM_FLAG_RT_PROCESS,
                                   &format, 1);
    if (status < 0) fail("cannot connect");
    pw_main_loop_run(loop);
    fail("was left by PipeWire");
}

/* --------------------------------------------------------------- PulseAudio */

static uint64_t pulse_place;

static void on_write(pa_stream *stream, size_t n_bytes, void *user)
{
    (void)user;
    void *frames;
    if (pa_stream_begin_write(stream, &frames, &n_bytes) < 0 || !frames) return;
    size_t n = n_bytes / (CHANNELS * sizeof(float));
    frame_write(frames, n, pulse_place, frame_now_us());
    pulse_place += n;
    (void)pa_stream_write(stream, frames, n * CHANNELS * sizeof(float), NULL, 0, PA_SEEK_RELATIVE);
}

static void on_context(pa_context *context, void *user)
{
    if (!PA_CONTEXT_IS_GOOD(pa_context_get_state(context))) fail("was left by PulseAudio");
    if (pa_context_get_state(context) != PA_CONTEXT_READY) return;
    static const pa_sample_spec spec = {
        .format = PA_SAMPLE_FLOAT32NE, .rate = RATE_HZ, .channels = CHANNELS};
    pa_buffer_attr buffer = {.maxlength = UINT32_MAX,
                             .tlength = RATE_HZ / 50 * CHANNELS * sizeof(float), /* 20 ms */
                             .prebuf = UINT32_MAX,
                             .minreq = UINT32_MAX,
                             .fragsize = UINT32_MAX};
    pa_stream *stream = pa_stream_new(context, user, &spec, NULL);
    if (!stream) fail("cannot open a stream");
    pa_stream_set_write_callback(stream, on_write, NULL);
    if (pa_stream_connect_playback(stream, NULL, &buffer, PA_STREAM_ADJUST_LATENCY, NULL, NULL) <
        0) {
        fail("cannot connect");
    }
}

static _Noreturn void play_pulse(const char *name)
{
    static char copy[64];
    snprintf(copy, sizeof copy, "%s", name);
    pa_mainloop *loop = pa_mainloop_new();
    pa_context *context = loop ? pa_context_new(pa_mainloop_get_api(loop), name) : NULL;
    if (!context) fail("has no loop");
    pa_context_set_state_callback(context, on_context, copy);
    if (pa_context_connect(context, NULL, PA_CONTEXT_NOAUTOSPAWN, NULL) < 0) fail("is alone");
    pa_mainloop_run(loop, NULL);
    fail("was left by PulseAudio");
}

void player_run(const char *server, const char *name)
{
    if (server[1] == 'i') play_pipewire(name);
    play_pulse(name);
}
