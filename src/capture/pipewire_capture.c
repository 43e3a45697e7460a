/* Captures and peak meters on PipeWire: streams that hear what they are linked to. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "capture/pipewire.h"

/* More than any late wake-up has brought at once. */
enum { BUFFERS_MAX = 32 };

/* "Low": 5 ms; servers round it to a power of two. "Battery": as long as any server goes. */
#define LATENCY_LOW_MS 5
#define LATENCY_BATTERY_FRAMES 8192

/* ------------------------------------------------------- the real-time thread */

/* What a cycle's clock says, in the frames that this stream is given. */
static struct timeline_period period_of(struct pw_listener *listener, size_t n_frames)
{
    struct timeline_period period = {.clock_hz = listener->format.rate_hz};
    const struct spa_io_position *position =
        atomic_load_explicit(&listener->position, memory_order_acquire);
    if (position && position->clock.rate.denom > 0 && position->clock.nsec > 0) {
        period.clock_id = position->clock.id;
        period.clock_hz = position->clock.rate.denom;
        period.ticks = position->clock.position;
        period.time_ns = position->clock.nsec;
        return period;
    }
    /* No driver has told its clock: count, so that at least what comes is in order. */
    period.clock_id = UINT64_MAX;
    period.ticks = listener->own_ticks;
    period.time_ns = clock_now_ns();
    listener->own_ticks += n_frames;
    return period;
}

/* With a gain, in pieces through the scratch. */
static void write_scaled(struct pw_listener *listener, struct timeline_period period, float gain)
{
    uint32_t channels = listener->format.channels;
    const float *frames = period.frames;
    size_t left = period.n_frames;
    uint64_t ticks = period.ticks, time_ns = period.time_ns;
    for (size_t done = 0; left > 0;) {
        size_t n = left < PW_SCRATCH_FRAMES ? left : PW_SCRATCH_FRAMES;
        for (size_t i = 0; i < n * channels; i++) {
            listener->scratch[i] = frames[done * channels + i] * gain;
        }
        period.frames = listener->scratch;
        period.n_frames = n;
        period.ticks = ticks + done * period.clock_hz / listener->format.rate_hz;
        period.time_ns = time_ns + done * CLOCK_NS_PER_S / listener->format.rate_hz;
        timeline_write(&listener->capture->timeline, &period);
        done += n;
        left -= n;
    }
}

static size_t frames_in(const struct pw_listener *listener, const struct pw_buffer *buffer,
                        const void **frames)
{
    const struct spa_data *data = &buffer->buffer->datas[0];
    uint32_t offset = SPA_MIN(data->chunk->offset, data->maxsize);
    uint32_t size = SPA_MIN(data->chunk->size, data->maxsize - offset);
    *frames = data->data ? SPA_PTROFF(data->data, offset, const void) : NULL;
    if (!data->data || ((uint32_t)data->chunk->flags & SPA_CHUNK_FLAG_CORRUPTED)) return 0;
    size_t frame_bytes = kodama_frame_bytes(listener->format);
    return frame_bytes > 0 ? size / frame_bytes : 0;
}

static void write_buffer(struct pw_listener *listener, const struct timeline_period *period)
{
    const struct capture *capture = listener->capture;
    float gain = atomic_load_explicit(&capture->gain, memory_order_relaxed) *
                 atomic_load_explicit(&listener->mono, memory_order_relaxed);
    bool is_scaled = gain < 1.0F || gain > 1.0F;
    if (is_scaled && listener->scratch && period->frames) {
        write_scaled(listener, *period, gain);
    } else {
        timeline_write(&listener->capture->timeline, period);
    }
}

/* Real-time: as a rule one buffer, after a late wake-up several, the last one of this cycle. */
static void on_capture_process(void *data)
{
    struct pw_listener *listener = data;
    struct pw_buffer *buffers[BUFFERS_MAX];
    const void *frames = NULL;
    size_t n = 0, total = 0;
    while (n < BUFFERS_MAX && (buffers[n] = pw_stream_dequeue_buffer(listener->stream)) != NULL) {
        total += frames_in(listener, buffers[n], &frames);
        n++;
    }
    if (total > 0) {
        struct timeline_period period = period_of(listener, total);
        uint64_t rate = listener->format.rate_hz, before = 0;
        struct timeline_period base = period;
        size_t last = frames_in(listener, buffers[n - 1], &frames);
        for (size_t i = 0; i < n; i++) {
            size_t n_frames = frames_in(listener, buffers[i], &frames);
            /* Counted back from the cycle that is now. */
            uint64_t back = total - last - before;
            if (i == n - 1) back = 0;
            period.ticks = base.ticks - SPA_MIN(base.ticks, back * base.clock_hz / rate);
            period.time_ns = base.time_ns - back * CLOCK_NS_PER_S / rate;
            period.frames = frames;
            period.n_frames = n_frames;
            if (n_frames > 0) write_buffer(listener, &period);
            before += n_frames;
        }
    }
    for (size_t i = 0; i < n; i++) pw_stream_queue_buffer(listener->stream, buffers[i]);
}

static void on_io_changed(void *data, uint32_t id, void *area, uint32_t size)
{
    struct pw_listener *listener = data;
    if (id != SPA_IO_Position) return;
    bool whole = area && size >= sizeof(struct spa_io_position);
    atomic_store_explicit(&listener->position, whole ? area : NULL, memory_order_release);
}

static void on_state_changed(void *data, enum pw_stream_state old, enum pw_stream_state state,
                             const char *error)
{
    struct pw_listener *listener = data;
    (void)old;
    if (state == PW_STREAM_STATE_ERROR) {
        log_write(listener->pipewire->host->log, KODAMA_LOG_WARNING,
                  "PipeWire: a stream failed: %s", error ? error : "unknown reason");
    } else if (state == PW_STREAM_STATE_PAUSED || state == PW_STREAM_STATE_STREAMING) {
        /* It has a node, and perhaps ports, from now on. */
        host_try_links(listener->pipewire->host);
    }
}

static const struct pw_stream_events capture_events = {
    PW_VERSION_STREAM_EVENTS,
    .state_changed = on_state_changed,
    .io_changed = on_io_changed,
    .process = on_capture_process,
};

/* -------------------------------------------------------------------- captures */

void pipewire_capture_format(struct capture *capture)
{
    struct pipewire *pipewire = capture->host->state;
    struct kodama_format *format = &capture->source->format;
    uint32_t rate = pipewire->forced_rate_hz ? pipewire->forced_rate_hz : pipewire->rate_hz;
    if (format->sample == 0) format->sample = KODAMA_SAMPLE_F32;
    if (format->rate_hz == 0) format->rate_hz = rate ? rate : 48000;
    if (format->channels != 0) return;
    struct host_device device;
    format->channels = 2;
    if (capture->source->ops == &source_mic_ops && capture_device(capture, &device)) {
        uint32_t channels = device.info.format.channels;
        if (channels >= 1 && channels <= KODAMA_CHANNELS_MAX) format->channels = channels;
    }
}

int pipewire_capture_open(struct capture *capture, struct kodama_error *error)
{
    struct pipewire *pipewire = capture->host->state;
    struct kodama_format format = capture->source->format;
    struct pw_properties *properties = pw_properties_new(
        PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CATEGORY, "Capture", PW_KEY_APP_NAME,
        capture->host->name, PW_KEY_NODE_NAME, "kodama.capture", PW_KEY_MEDIA_NAME,
        capture->source->ops->name,
        /* Time goes on also while nothing is linked, as silence. */
        PW_KEY_NODE_ALWAYS_PROCESS, "true", PW_KEY_NODE_WANT_DRIVER, "true",
        /* Nobody remembers a volume for it: what is heard is what was played. */
        "state.restore-props", "false", "state.restore-target", "false",
        /* If a session manager should link it after all, then never to something else. */
        "node.autoconnect", "false", "node.dont-reconnect", "true", "node.dont-fallback", "true",
        NULL);
    if (properties && capture->latency == KODAMA_LATENCY_LOW) {
        pw_properties_setf(properties, PW_KEY_NODE_LATENCY, "%u/%u",
                           format.rate_hz * LATENCY_LOW_MS / 1000, format.rate_hz);
    } else if (properties && capture->latency == KODAMA_LATENCY_BATTERY) {
        pw_properties_setf(properties, PW_KEY_NODE_LATENCY, "%u/%u", LATENCY_BATTERY_FRAMES,
                           format.rate_hz);
    }
    capture->state = listener_open(pipewire, format, properties,
                                   PW_STREAM_FLAG_MAP_BUFFERS | PW_STREAM_FLAG_RT_PROCESS,
                                   &capture_events, capture, error);
    return capture->state ? KODAMA_OK : KODAMA_ERR_SYSTEM;
}

void pipewire_capture_close(struct capture *capture)
{
    listener_close(capture->state);
}

int pipewire_capture_link(struct capture *capture, uint64_t id)
{
    return listener_link(capture->state, id);
}

bool pipewire_capture_hears(struct capture *capture)
{
    return listener_hears(capture->state);
}

void pipewire_capture_unlink(struct capture *capture, uint64_t id)
{
    listener_unlink(capture->state, id);
}

/* ---------------------------------------------------------------------- meters */

/* On the loop thread. */
static void on_meter_process(void *data)
{
    struct pw_listener *meter = data;
    struct pw_buffer *buffer;
    float peak = -1.0F;
    while ((buffer = pw_stream_dequeue_buffer(meter->stream)) != NULL) {
        const void *data_of = NULL;
        size_t n = frames_in(meter, buffer, &data_of);
        const float *samples = data_of;
        for (size_t i = 0; i < n * meter->format.channels; i++) {
            peak = fmaxf(peak, fabsf(samples[i]));
        }
        pw_stream_queue_buffer(meter->stream, buffer);
    }
    if (peak >= 0.0F) host_stream_peak(meter->pipewire->host, meter->metered, peak);
}

static void on_meter_state(void *data, enum pw_stream_state old, enum pw_stream_state state,
                           const char *error)
{
    struct pw_listener *meter = data;
    (void)old;
    (void)error;
    if (state == PW_STREAM_STATE_PAUSED) meters_link(meter->pipewire);
}

static const struct pw_stream_events meter_events = {
    PW_VERSION_STREAM_EVENTS,
    .state_changed = on_meter_state,
    .process = on_meter_process,
};

void meter_open(struct pw_node_entry *node)
{
    struct kodama_format format = {
        .sample = KODAMA_SAMPLE_F32, .rate_hz = PW_METER_HZ, .channels = 2};
    struct pw_properties *properties = pw_properties_new(
        PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CATEGORY, "Monitor", PW_KEY_APP_NAME,
        node->pipewire->host->name, PW_KEY_NODE_NAME, "kodama.meter", PW_KEY_STREAM_MONITOR, "true",
        "resample.peaks", "true", "node.autoconnect", "false", "node.dont-reconnect", "true",
        "node.dont-fallback", "true", NULL);
    node->meter = listener_open(node->pipewire, format, properties, PW_STREAM_FLAG_MAP_BUFFERS,
                                &meter_events, NULL, NULL);
    if (!node->meter) return;
    node->meter->metered = node->model_id;
    listener_link(node->meter, node->model_id);
}

void meters_link(struct pipewire *pipewire)
{
    struct pw_node_entry *node;
    spa_list_for_each(node, &pipewire->nodes, link)
    {
        if (node->meter) listener_link(node->meter, node->model_id);
    }
}
