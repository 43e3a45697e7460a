/*
 * Capturing on PulseAudio: for each stream or device that is heard a record stream; their sum goes
 * to the timeline.
 *
 * One application is heard through the monitor of the sink that it plays to, restricted to its
 * stream (pa_stream_set_monitor_stream). When it is moved to another sink the server ends that
 * record stream, and another one is made.
 *
 * The server tells no position of a clock. Its record streams are complete: what the server itself
 * had to leave out comes as a hole. So frames are counted, and between two record streams the
 * monotonic clock tells what is missing.
 */
#include <stdlib.h>
#include <string.h>

#include "audio/convert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture/capture.h"
#include "capture/pulse.h"
#include "capture/pulse_mix.h"

enum { RATE_DEFAULT_HZ = 48000, CHANNELS_DEFAULT = 2, BLOCK_SAMPLES = 8192 };

/* How much audio the server may collect before it sends it, ms. */
static const unsigned fragment_ms[] = {
    [KODAMA_LATENCY_NORMAL] = 20,
    [KODAMA_LATENCY_LOW] = 5,
    [KODAMA_LATENCY_BATTERY] = 200,
};

struct link {
    struct link *next;
    struct pulse_capture *state;
    uint64_t id; /* of the stream or the device, in the model */
    bool is_microphone;
    pa_stream *stream;
    struct pulse_mix_input *input;
    pa_operation *question; /* when its first frames were heard; NULL: not asked */
};

struct pulse_capture {
    struct capture *capture;
    struct pulse *pulse;
    pa_sample_spec spec; /* f32, as the mix has it */
    pa_channel_map map;
    struct pulse_mix mix;
    struct link *links;
    uint8_t *block; /* the same in the source's format, with its gain */
};

/* ------------------------------------------------------------------------- format */

void pulse_capture_format(struct capture *capture)
{
    struct kodama_format *format = &capture->source->format;
    struct host_device device = {0};
    bool known = capture_device(capture, &device);
    const struct pulse *pulse = capture->host->state;
    for (size_t i = 0; i < pulse->n_devices && !known; i++) {
        /* An application: most likely it plays to the default sink. */
        struct host_device sink;
        if (!host_find_device(pulse->host, pulse->devices[i].id, &sink)) continue;
        if (sink.info.kind == KODAMA_DEVICE_SPEAKERS && sink.is_default) device = sink;
    }
    if (format->sample == 0) format->sample = KODAMA_SAMPLE_F32;
    if (format->rate_hz == 0) format->rate_hz = device.info.format.rate_hz;
    if (format->rate_hz == 0) format->rate_hz = RATE_DEFAULT_HZ;
    if (format->channels != 0) return;
    format->channels = CHANNELS_DEFAULT;
    if (known && capture->source->ops == &source_mic_ops) {
        uint32_t channels = device.info.format.channels;
        if (channels >= 1 && channels <= KODAMA_CHANNELS_MAX) format->channels = channels;
    }
}

/* -------------------------------------------------------------- frames that arrive */

/* The sum goes to the timeline. */
static void emit(void *user, const float *frames, size_t n_frames, uint64_t clock, uint64_t tick,
                 uint64_t time_ns)
{
    struct pulse_capture *state = user;
    struct capture *capture = state->capture;
    struct kodama_format format = capture->source->format;
    float gain = atomic_load_explicit(&capture->gain, memory_order_relaxed);
    struct timeline_period period = {.frames = frames,
                                     .n_frames = n_frames,
                                     .clock_id = clock,
                                     .ticks = tick,
                                     .clock_hz = format.rate_hz,
                                     .time_ns = time_ns};
    bool as_it_is = gain >= 1.0F && gain <= 1.0F;
    if (as_it_is && format.sample == KODAMA_SAMPLE_F32) {
        timeline_write(&capture->timeline, &period);
        return;
    }
    float scaled[BLOCK_SAMPLES];
    size_t step = BLOCK_SAMPLES / format.channels;
    while (n_frames > 0) {
        size_t n = n_frames < step ? n_frames : step;
        for (size_t i = 0; i < n * format.channels; i++) scaled[i] = frames[i] * gain;
        convert_from_float(format.sample, scaled, state->block, n * format.channels);
        period.frames = state->block;
        period.n_frames = n;
        timeline_write(&capture->timeline, &period);
        frames += n * format.channels;
        n_frames -= n;
        period.ticks += n;
        period.time_ns += n * CLOCK_NS_PER_S / format.rate_hz;
    }
}

static uint64_t bytes_ns(const struct pulse_capture *state, uint64_t n_bytes)
{
    return (uint64_t)pa_bytes_to_usec(n_bytes, &state->spec) * 1000;
}

/*
 * What arrives may have waited in the server, and a server that was held up sends much at once:
 * when it arrived says little. So the server is asked how much is still with it.
 */
static void on_timing(pa_stream *stream, int success, void *user)
{
    struct link *link = user;
    struct pulse_capture *state = link->state;
    const pa_timing_info *timing = success ? pa_stream_get_timing_info(stream) : NULL;
    pa_operation_unref(link->question);
    link->question = NULL;
    if (!link->input) return;
    uint64_t age = 0;
    if (timing && timing->write_index > timing->read_index) {
        age = bytes_ns(state, (uint64_t)(timing->write_index - timing->read_index));
    }
    /* The sound card's own delay; of a monitor it would be that of the speakers. */
    if (timing && link->is_microphone) age += (uint64_t)timing->source_usec * 1000;
    pulse_mix_place(&state->mix, link->input, clock_now_ns() - age);
}

static void on_read(pa_stream *stream, size_t n_bytes, void *user)
{
    struct link *link = user;
    struct pulse_capture *state = link->state;
    size_t frame_bytes = pa_frame_size(&state->spec);
    uint64_t now = clock_now_ns();
    bool placed = true;
    (void)n_bytes;
    for (;;) {
        size_t waiting = pa_stream_readable_size(stream);
        const void *data;
        size_t n;
        if (waiting == 0 || waiting == (size_t)-1) break;
        if (pa_stream_peek(stream, &data, &n) < 0 || n == 0) break;
        placed = pulse_mix_push(&state->mix, link->input, data, n / frame_bytes,
                                now - bytes_ns(state, waiting));
        pa_stream_drop(stream);
    }
    if (!placed && !link->question) {
        link->question = pa_stream_update_timing_info(stream, on_timing, link);
    }
}

/* ------------------------------------------------------------------------- links */

/* Stop hearing; what has arrived goes on. */
static void silence(struct link *link)
{
    if (link->stream) {
        pa_stream_set_read_callback(link->stream, NULL, NULL);
        pa_stream_set_state_callback(link->stream, NULL, NULL);
        pa_stream_disconnect(link->stream);
        if (link->question) {
            pa_operation_cancel(link->question);
            pa_operation_unref(link->question);
            link->question = NULL;
        }
        pa_stream_unref(link->stream);
        link->stream = NULL;
    }
    if (link->input) pulse_mix_end(&link->state->mix, link->input);
    link->input = NULL;
}

static void on_state(pa_stream *stream, void *user)
{
    struct link *link = user;
    pa_stream_state_t now = pa_stream_get_state(stream);
    if (now != PA_STREAM_FAILED && now != PA_STREAM_TERMINATED) return;
    /* Its sink has gone, or it was moved: the change of the stream will say where it is now. */
    if (link->input) pulse_mix_end(&link->state->mix, link->input);
    link->input = NULL;
    pa_stream_set_read_callback(stream, NULL, NULL);
    log_write(link->state->pulse->host->log, KODAMA_LOG_DEBUG, "PulseAudio ended a capture: %s",
              pulse_words(link->state->pulse));
}

/* Begin to hear; the source is the monitor of a sink, or a microphone. */
static int listen(struct link *link, const char *source, uint32_t sink_input)
{
    struct pulse_capture *state = link->state;
    pa_proplist *properties = pa_proplist_new();
    pa_proplist_sets(properties, PA_PROP_MEDIA_NAME, "capture");
    link->stream = pa_stream_new_with_proplist(state->pulse->context, NULL, &state->spec,
                                               &state->map, properties);
    pa_proplist_free(properties);
    link->input = pulse_mix_add(&state->mix);
    if (!link->stream || !link->input) return KODAMA_ERR_MEMORY;
    if (sink_input != PA_INVALID_INDEX &&
        pa_stream_set_monitor_stream(link->stream, sink_input) < 0) {
        return KODAMA_ERR_SYSTEM;
    }
    pa_stream_set_read_callback(link->stream, on_read, link);
    pa_stream_set_state_callback(link->stream, on_state, link);
    pa_usec_t fragment = (pa_usec_t)fragment_ms[state->capture->latency] * PA_USEC_PER_MSEC;
    pa_buffer_attr attributes = {.maxlength = (uint32_t)-1,
                                 .fragsize = (uint32_t)pa_usec_to_bytes(fragment, &state->spec)};
    /* DONT_MOVE: this one or none. Else the server would put another source in its place. */
    int status = pa_stream_connect_record(link->stream, source, &attributes,
                                          PA_STREAM_ADJUST_LATENCY | PA_STREAM_DONT_MOVE);
    return status < 0 ? KODAMA_ERR_SYSTEM : KODAMA_OK;
}

/* Find what is to be heard under a number of the model, and hear it. */
static int listen_to(struct link *link)
{
    struct pulse *pulse = link->state->pulse;
    const struct pulse_input *input = pulse_find_input(pulse, link->id);
    const struct pulse_device *device =
        input ? pulse_find_sink(pulse, input->sink) : pulse_find_device(pulse, link->id);
    if (!device || !pulse->context) return KODAMA_ERR_NOT_FOUND;
    link->is_microphone = device->kind == KODAMA_DEVICE_MICROPHONE;
    int status = listen(link, device->listen, input ? input->index : PA_INVALID_INDEX);
    if (status < 0) silence(link);
    return status;
}

int pulse_capture_link(struct capture *capture, uint64_t id)
{
    struct pulse_capture *state = capture->state;
    struct link *link = memory_array(1, sizeof *link);
    if (!link) return KODAMA_ERR_MEMORY;
    link->state = state;
    link->id = id;
    int status = listen_to(link);
    if (status < 0) {
        free(link);
        return status;
    }
    link->next = state->links;
    state->links = link;
    return KODAMA_OK;
}

void pulse_capture_unlink(struct capture *capture, uint64_t id)
{
    struct pulse_capture *state = capture->state;
    for (struct link **at = &state->links; *at; at = &(*at)->next) {
        struct link *link = *at;
        if (link->id != id) continue;
        *at = link->next;
        silence(link);
        free(link);
        return;
    }
}

void pulse_capture_moved(struct pulse *pulse, uint64_t id)
{
    for (struct capture *capture = pulse->host->captures; capture; capture = capture->next) {
        struct pulse_capture *state = capture->state;
        for (struct link *link = state ? state->links : NULL; link; link = link->next) {
            if (link->id != id) continue;
            silence(link);
            int status = listen_to(link);
            if (status < 0) {
                log_write(pulse->host->log, KODAMA_LOG_WARNING,
                          "an application that was moved cannot be heard: %s",
                          kodama_strerror(status));
            }
        }
    }
}

/* ------------------------------------------------------------- opening and closing */

void pulse_capture_close(struct capture *capture)
{
    struct pulse_capture *state = capture->state;
    while (state->links) {
        struct link *link = state->links;
        state->links = link->next;
        silence(link);
        free(link);
    }
    pulse_mix_free(&state->mix);
    free(state->block);
    free(state);
    capture->state = NULL;
}

int pulse_capture_open(struct capture *capture, struct kodama_error *error)
{
    struct pulse_capture *state = memory_array(1, sizeof *state);
    if (!state) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a capture");
    struct kodama_format format = capture->source->format;
    format.sample = KODAMA_SAMPLE_F32;
    state->capture = capture;
    state->pulse = capture->host->state;
    capture->state = state;
    state->block = memory_array(BLOCK_SAMPLES, sizeof(float));
    bool whole = pulse_mix_init(&state->mix, format.rate_hz, format.channels, emit, state);
    if (!whole || !state->block || !pulse_spec(format, &state->spec, &state->map)) {
        pulse_capture_close(capture);
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a capture");
    }
    return KODAMA_OK;
}
