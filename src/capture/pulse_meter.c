/* Meters on PulseAudio: the server itself finds the peaks of one stream, 25 a second. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "capture/pulse.h"

enum { PEAKS_PER_S = 25 };

struct pulse_meter {
    struct pulse *pulse;
    uint64_t id; /* of the stream, in the model */
    pa_stream *stream;
};

static void on_read(pa_stream *stream, size_t n_bytes, void *user)
{
    struct pulse_meter *meter = user;
    float peak = -1;
    (void)n_bytes;
    while (pa_stream_readable_size(stream) > 0) {
        const void *data;
        size_t n;
        if (pa_stream_peek(stream, &data, &n) < 0 || n == 0) break;
        const float *values = data;
        for (size_t i = 0; values && i < n / sizeof *values; i++)
            peak = fmaxf(peak, fabsf(values[i]));
        pa_stream_drop(stream);
    }
    if (peak >= 0) host_stream_peak(meter->pulse->host, meter->id, peak);
}

struct pulse_meter *pulse_meter_open(struct pulse *pulse, const struct pulse_input *input)
{
    const struct pulse_device *sink = pulse_find_sink(pulse, input->sink);
    if (!sink) return NULL;
    struct pulse_meter *meter = memory_array(1, sizeof *meter);
    if (!meter) return NULL;
    meter->pulse = pulse;
    meter->id = input->id;
    pa_sample_spec spec = {
        .format = PA_SAMPLE_FLOAT32LE, .rate = PEAKS_PER_S, .channels = input->volume.channels};
    pa_buffer_attr attributes = {.maxlength = (uint32_t)-1,
                                 .fragsize = (uint32_t)pa_frame_size(&spec)};
    meter->stream = pa_stream_new(pulse->context, "Peak detect", &spec, NULL);
    if (!meter->stream) {
        free(meter);
        return NULL;
    }
    pa_stream_set_monitor_stream(meter->stream, input->index);
    pa_stream_set_read_callback(meter->stream, on_read, meter);
    if (pa_stream_connect_record(meter->stream, sink->listen, &attributes,
                                 PA_STREAM_PEAK_DETECT | PA_STREAM_ADJUST_LATENCY |
                                     PA_STREAM_DONT_MOVE | PA_STREAM_DONT_INHIBIT_AUTO_SUSPEND) <
        0) {
        pa_stream_unref(meter->stream);
        free(meter);
        return NULL;
    }
    return meter;
}

void pulse_meter_close(struct pulse_meter *meter)
{
    if (!meter) return;
    pa_stream_set_read_callback(meter->stream, NULL, NULL);
    pa_stream_disconnect(meter->stream);
    pa_stream_unref(meter->stream);
    free(meter);
}
