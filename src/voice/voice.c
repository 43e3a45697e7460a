/*
 * A voice: formats, rates and latency around a chain of hops.
 *
 * Everything lies on the timeline of the input. The resamplers compensate their delay, and the
 * chain's is taken away at its end, so that what comes out of the last resampler is content[j], the
 * input at time j / rate_out. Output frame k is content[k - latency]; the first `latency` frames
 * are silence that lies in the queue from the beginning. The latency is the least number with which
 * the queue never runs empty, however the input is cut: see least_latency().
 */
#include "voice/voice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/convert.h"
#include "audio/resampler.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/record.h"
#include "voice/chain.h"
#include "voice/flush_denormals.h"

/* Frames that go through everything at a time. */
enum { CHUNK = 256 };
#define INPUT_MAX 8.0f /* samples outside of this are taken as this */

struct kodama_voice {
    /* Immutable after open. */
    struct kodama_format input, output;
    size_t input_bytes, output_bytes; /* of a frame */
    uint32_t latency;
    uint32_t queue_room;

    /* The owner's. */
    struct chain chain;
    struct resampler *to_chain, *to_dry, *to_output;
    float *hop_in;    /* [hop_in + what a chunk may add] */
    float *hop_out;   /* [hop_out] */
    float *resampled; /* what one call of to_dry or to_output may produce */
    float *queue;     /* [queue_room], circular: output, mono */
    uint32_t n_hop_in;
    uint32_t queue_first, n_queue;
    uint32_t n_skip; /* samples of the chain's delay that are still to be taken away */
    uint64_t phase;  /* what the division by the input's rate has left over */
    float mono[CHUNK];
    float spread[CHUNK * KODAMA_CHANNELS_MAX];

    /* Written by the owner, read by any; the peaks are taken away by kodama_voice_stats(). */
    _Atomic uint64_t frames_in, frames_out, busy_ns;
    _Atomic float input_peak, output_peak;
};

/* ---- opening ---- */

/*
 * After N frames of input the resampler has given at least (N - d) R / r samples, of which all but
 * hop - 1 went through the chain, which took its delay away, and of the rest the last resampler has
 * given all but its own look-ahead. What is missing to N * rate_out / r is at most this.
 */
static uint32_t least_latency(const struct kodama_voice *v)
{
    const struct converter_facts *f = &v->chain.facts;
    double seconds = (double)resampler_delay(v->to_chain) / v->input.rate_hz +
                     (double)(f->hop_in - 1) / f->rate_in_hz +
                     (double)(v->chain.delay + resampler_delay(v->to_output)) / f->rate_out_hz;
    return (uint32_t)(seconds * v->output.rate_hz + 1e-6);
}

static int open_resamplers(struct kodama_voice *v, struct kodama_error *error)
{
    const struct converter_facts *f = &v->chain.facts;
    uint32_t in = v->input.rate_hz;
    int status = resampler_open(&v->to_chain, in, f->rate_in_hz, 1, error);
    if (status >= 0) status = resampler_open(&v->to_dry, in, f->rate_out_hz, 1, error);
    if (status >= 0)
        status = resampler_open(&v->to_output, f->rate_out_hz, v->output.rate_hz, 1, error);
    return status;
}

static int open_buffers(struct kodama_voice *v, struct kodama_error *error)
{
    const struct converter_facts *f = &v->chain.facts;
    v->latency = least_latency(v);
    size_t hop = f->hop_in + resampler_output_max(v->to_chain, CHUNK);
    hop += resampler_output_max(v->to_chain, 0);
    size_t most = resampler_output_max(v->to_dry, CHUNK);
    const size_t others[] = {resampler_output_max(v->to_dry, 0),
                             resampler_output_max(v->to_output, f->hop_out),
                             resampler_output_max(v->to_output, 0)};
    for (int i = 0; i < 3; i++) most = others[i] > most ? others[i] : most;
    v->queue_room = v->latency + (uint32_t)kodama_voice_room(v, CHUNK) + 8;
    v->hop_in = memory_array(hop, sizeof(float));
    v->hop_out = memory_array(f->hop_out, sizeof(float));
    v->resampled = memory_array(most, sizeof(float));
    v->queue = memory_array(v->queue_room, sizeof(float));
    if (v->hop_in && v->hop_out && v->resampled && v->queue) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_MEMORY, "no memory for a voice");
}

/* As after open, but for the chain. */
static void begin(struct kodama_voice *v)
{
    v->n_hop_in = 0;
    v->n_skip = v->chain.delay;
    v->phase = 0;
    v->queue_first = 0;
    v->n_queue = v->latency;
    memset(v->queue, 0, v->queue_room * sizeof *v->queue);
}

int voice_open_with(struct kodama_voice **voice, const struct kodama_voice_config *config,
                    const struct converter_ops *ops, struct kodama_error *error)
{
    if (!voice) return error_set(error, KODAMA_ERR_ARGUMENT, "no place for the voice");
    *voice = NULL;
    static const struct kodama_voice_config defaults = KODAMA_VOICE_CONFIG_INIT;
    struct kodama_voice_config wanted = config ? *config : defaults;
    if (wanted.output.sample == 0 && wanted.output.rate_hz == 0 && wanted.output.channels == 0)
        wanted.output = wanted.input;
    int status = kodama_format_check(wanted.input, error);
    if (status >= 0) status = kodama_format_check(wanted.output, error);
    if (status < 0) return status;
    struct kodama_voice *v = memory_array(1, sizeof *v);
    if (!v) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a voice");
    v->input = wanted.input;
    v->output = wanted.output;
    v->input_bytes = kodama_frame_bytes(wanted.input);
    v->output_bytes = kodama_frame_bytes(wanted.output);
    status = chain_open(&v->chain, &wanted, ops, error);
    if (status < 0) {
        free(v);
        return status;
    }
    status = open_resamplers(v, error);
    if (status >= 0) status = open_buffers(v, error);
    if (status < 0) {
        kodama_voice_close(v);
        return status;
    }
    begin(v);
    *voice = v;
    return KODAMA_OK;
}

int kodama_voice_open(struct kodama_voice **voice, const struct kodama_voice_config *config,
                      struct kodama_error *error)
{
    const struct converter_ops *ops =
        config && config->model ? config->model->ops : &converter_shifter;
    return voice_open_with(voice, config, ops, error);
}

void kodama_voice_close(struct kodama_voice *voice)
{
    if (!voice) return;
    chain_close(&voice->chain);
    resampler_close(voice->to_chain);
    resampler_close(voice->to_dry);
    resampler_close(voice->to_output);
    free(voice->hop_in);
    free(voice->hop_out);
    free(voice->resampled);
    free(voice->queue);
    free(voice);
}

int kodama_voice_use(struct kodama_voice *voice, struct kodama_voice_model *model,
                     struct kodama_error *error)
{
    const struct converter_ops *ops = voice->chain.ops;
    if (model && ops->use && model->ops == ops)
        return ops->use(voice->chain.converter, model, error);
    return error_set(error, KODAMA_ERR_UNSUPPORTED,
                     "this voice cannot change over from %s: open it anew with the model",
                     ops->name);
}

/* ---- running ---- */

size_t kodama_voice_room(const struct kodama_voice *voice, size_t n_in)
{
    if (n_in == 0) return voice->latency;
    uint64_t in = voice->input.rate_hz, out = voice->output.rate_hz;
    return (size_t)(n_in / in * out + (n_in % in * out + in - 1) / in);
}

uint32_t kodama_voice_latency(const struct kodama_voice *voice)
{
    return voice->latency;
}

/* Frames of output that are due when n more of input have come. */
static size_t take_due(struct kodama_voice *v, size_t n)
{
    v->phase += (uint64_t)n * v->output.rate_hz;
    size_t due = (size_t)(v->phase / v->input.rate_hz);
    v->phase %= v->input.rate_hz;
    return due;
}

static void put_queue(struct kodama_voice *v, const float *samples, size_t n)
{
    for (size_t i = 0; i < n && v->n_queue < v->queue_room; i++) {
        uint32_t at = v->queue_first + v->n_queue++;
        v->queue[at < v->queue_room ? at : at - v->queue_room] = samples[i];
    }
}

static void run_hop(struct kodama_voice *v, const float *in)
{
    const uint32_t n = v->chain.facts.hop_out;
    chain_run(&v->chain, in, v->hop_out);
    uint32_t skip = v->n_skip < n ? v->n_skip : n;
    v->n_skip -= skip;
    size_t got = resampler_process(v->to_output, v->hop_out + skip, n - skip, v->resampled);
    put_queue(v, v->resampled, got);
}

/* Mono samples of the input's rate go through everything that is complete by them. */
static void feed(struct kodama_voice *v, const float *mono, size_t n)
{
    const uint32_t hop = v->chain.facts.hop_in;
    size_t n_dry = resampler_process(v->to_dry, mono, n, v->resampled);
    chain_take_dry(&v->chain, v->resampled, n_dry);
    v->n_hop_in += (uint32_t)resampler_process(v->to_chain, mono, n, v->hop_in + v->n_hop_in);
    if (v->n_hop_in < hop) return;
    uint32_t at = 0;
    for (; v->n_hop_in - at >= hop; at += hop) run_hop(v, v->hop_in + at);
    v->n_hop_in -= at;
    memmove(v->hop_in, v->hop_in + at, v->n_hop_in * sizeof *v->hop_in);
}

static void raise_peak(_Atomic float *peak, float value)
{
    float now = atomic_load_explicit(peak, memory_order_relaxed);
    while (value > now && !atomic_compare_exchange_weak_explicit(
                              peak, &now, value, memory_order_relaxed, memory_order_relaxed))
        continue;
}

/* Take n frames out of the queue: what is not there is silence. */
static void emit(struct kodama_voice *v, size_t n, unsigned char *out)
{
    const uint32_t channels = v->output.channels;
    float peak = 0.0f;
    while (n > 0) {
        size_t now = n < CHUNK ? n : CHUNK;
        for (size_t i = 0; i < now; i++) {
            float sample = 0.0f;
            if (v->n_queue > 0) {
                sample = v->queue[v->queue_first];
                v->queue_first = v->queue_first + 1 < v->queue_room ? v->queue_first + 1 : 0;
                v->n_queue--;
            }
            peak = fmaxf(peak, fabsf(sample));
            for (uint32_t k = 0; k < channels; k++) v->spread[i * channels + k] = sample;
        }
        convert_from_float(v->output.sample, v->spread, out, now * channels);
        out += now * v->output_bytes;
        n -= now;
    }
    raise_peak(&v->output_peak, peak);
}

/* Read up to CHUNK frames as mono samples that can be calculated with. */
static void read_mono(struct kodama_voice *v, const unsigned char *in, size_t n)
{
    if (!in) {
        memset(v->mono, 0, n * sizeof v->mono[0]);
        return;
    }
    convert_to_mono(v->input, in, v->mono, n);
    float peak = 0.0f;
    for (size_t i = 0; i < n; i++) {
        v->mono[i] = fminf(fmaxf(v->mono[i], -INPUT_MAX), INPUT_MAX);
        peak = fmaxf(peak, fabsf(v->mono[i]));
    }
    raise_peak(&v->input_peak, peak);
}

/* Time by the monotonic clock: the thread's own clock would be a system call. */
static void add_busy(struct kodama_voice *v, uint64_t began_ns)
{
    atomic_fetch_add_explicit(&v->busy_ns, clock_now_ns() - began_ns, memory_order_relaxed);
}

int64_t kodama_voice_process(struct kodama_voice *voice, const void *in, size_t n_in, void *out,
                             size_t room_out)
{
    struct kodama_voice *v = voice;
    if (n_in == 0) return 0;
    if (!out || room_out < kodama_voice_room(v, n_in)) return KODAMA_ERR_ARGUMENT;
    const unsigned char *bytes_in = in;
    unsigned char *bytes_out = out;
    size_t n_out = 0;
    uint64_t began_ns = clock_now_ns(), mode = flush_denormals_begin();
    for (size_t left = n_in; left > 0;) {
        size_t n = left < CHUNK ? left : CHUNK;
        read_mono(v, bytes_in, n);
        if (bytes_in) bytes_in += n * v->input_bytes;
        feed(v, v->mono, n);
        size_t due = take_due(v, n);
        emit(v, due, bytes_out);
        bytes_out += due * v->output_bytes;
        n_out += due;
        left -= n;
    }
    flush_denormals_end(mode);
    atomic_fetch_add_explicit(&v->frames_in, n_in, memory_order_relaxed);
    atomic_fetch_add_explicit(&v->frames_out, n_out, memory_order_relaxed);
    add_busy(v, began_ns);
    return (int64_t)n_out;
}

/* As after open: the resamplers, then the rest. */
static void renew(struct kodama_voice *v, bool drift)
{
    resampler_flush(v->to_chain, v->hop_in + v->n_hop_in);
    resampler_flush(v->to_dry, v->resampled);
    resampler_flush(v->to_output, v->resampled);
    chain_reset(&v->chain, drift);
    begin(v);
}

int64_t kodama_voice_flush(struct kodama_voice *voice, void *out, size_t room_out)
{
    struct kodama_voice *v = voice;
    if (room_out < v->latency || (!out && v->latency > 0)) return KODAMA_ERR_ARGUMENT;
    unsigned char *bytes = out;
    uint64_t began_ns = clock_now_ns(), mode = flush_denormals_begin();
    for (size_t left = v->latency; left > 0;) {
        read_mono(v, NULL, CHUNK);
        feed(v, v->mono, CHUNK);
        size_t due = take_due(v, CHUNK);
        if (due > left) due = left;
        emit(v, due, bytes);
        bytes += due * v->output_bytes;
        left -= due;
    }
    flush_denormals_end(mode);
    renew(v, false);
    atomic_fetch_add_explicit(&v->frames_out, v->latency, memory_order_relaxed);
    add_busy(v, began_ns);
    return v->latency;
}

void kodama_voice_reset(struct kodama_voice *voice)
{
    renew(voice, true);
}

/* ---- settings, statistics, state ---- */

int kodama_voice_set(struct kodama_voice *voice, const struct kodama_voice_settings *settings)
{
    if (!voice || !settings) return KODAMA_ERR_ARGUMENT;
    struct kodama_voice_settings checked = *settings;
    int status = voice_settings_check(&checked, voice->chain.has_file, NULL);
    if (status >= 0) settings_handover_set(&voice->chain.settings, &checked);
    return status;
}

void kodama_voice_get(const struct kodama_voice *voice, struct kodama_voice_settings *settings)
{
    struct kodama_voice *v = (struct kodama_voice *)voice; /* the mutex of the hand-over changes */
    settings_handover_get(&v->chain.settings, settings);
}

void kodama_voice_stats(struct kodama_voice *voice, struct kodama_voice_stats *stats)
{
    struct kodama_voice *v = voice;
    struct chain *c = &v->chain;
    uint64_t silenced = atomic_load_explicit(&c->silenced, memory_order_relaxed);
    uint64_t limited = atomic_load_explicit(&c->limited, memory_order_relaxed);
    *stats = (struct kodama_voice_stats){
        .frames_in = atomic_load_explicit(&v->frames_in, memory_order_relaxed),
        .frames_out = atomic_load_explicit(&v->frames_out, memory_order_relaxed),
        .faults = atomic_load_explicit(&c->faults, memory_order_relaxed),
        .silenced_frames = silenced * v->output.rate_hz / c->facts.rate_out_hz,
        .limited_frames = limited * v->output.rate_hz / c->facts.rate_out_hz,
        .f0_hz = atomic_load_explicit(&c->f0_hz, memory_order_relaxed),
        .voiced = atomic_load_explicit(&c->voiced, memory_order_relaxed),
        .input_peak = atomic_exchange_explicit(&v->input_peak, 0.0f, memory_order_relaxed),
        .output_peak = atomic_exchange_explicit(&v->output_peak, 0.0f, memory_order_relaxed),
        .busy_ns = atomic_load_explicit(&v->busy_ns, memory_order_relaxed),
    };
}

int64_t kodama_voice_save(const struct kodama_voice *voice, void *data, size_t n_bytes)
{
    struct record record = record_writer();
    record_put_tag(&record, "VOIC", 1);
    chain_save(&voice->chain, &record);
    return record_deliver(&record, data, n_bytes);
}

int kodama_voice_load(struct kodama_voice *voice, const void *data, size_t n_bytes)
{
    struct record record = record_reader(data, n_bytes);
    record_get_tag(&record, "VOIC", 1);
    int status = chain_load(&voice->chain, &record);
    if (status >= 0) renew(voice, false);
    return status;
}
