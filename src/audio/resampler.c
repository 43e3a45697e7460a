/*
 * Live resampling with speexdsp, on the input's own timeline.
 *
 * What speexdsp computes depends on two things only: the last filter length of input, and the
 * phase, which comes back to zero every `period_in` input frames. So its state is rebuilt from a
 * short history: a new filter is fed silence from the last point of phase zero that lies a filter
 * length back, and then the history. That is what makes the state small and portable.
 *
 * Quality 5 of 0..10: measured at 48 -> 16 kHz (tests/audio/test_resampler.c prints it), the error
 * up to 86 % of the band (6.9 kHz, where speech features end) is 0.0001 dB, aliases from 9 kHz on
 * lie at -112 dB, and the delay is 2.5 ms. 6 and 7 are no better there and cost 3 and 4 ms of
 * delay.
 */
#include "audio/resampler.h"

#include <kodama/format.h>

#include <speex/speex_resampler.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { QUALITY = 5, SILENCE_FRAMES = 64 };

struct resampler {
    SpeexResamplerState *filter; /* NULL: equal rates */
    uint32_t rate_in_hz, rate_out_hz, channels;
    uint32_t period_in, period_out; /* rates without their common divisor */
    uint32_t delay;                 /* look-ahead = half the filter, input frames */
    uint32_t n_history;             /* filter length, frames */
    float *history;                 /* circular: input frame i is at i % n_history */
    float *discard;                 /* room for the output of SILENCE_FRAMES */
    uint64_t n_in, n_out;           /* frames since the beginning */
};

static const float silence[SILENCE_FRAMES * KODAMA_CHANNELS_MAX];

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int resampler_open(struct resampler **resampler, uint32_t rate_in_hz, uint32_t rate_out_hz,
                   uint32_t channels, struct kodama_error *error)
{
    *resampler = NULL;
    if (rate_in_hz < KODAMA_RATE_MIN_HZ || rate_in_hz > KODAMA_RATE_MAX_HZ ||
        rate_out_hz < KODAMA_RATE_MIN_HZ || rate_out_hz > KODAMA_RATE_MAX_HZ || channels < 1 ||
        channels > KODAMA_CHANNELS_MAX) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "cannot resample %lu Hz to %lu Hz with %lu channels: rates are %d to %d "
                         "Hz, channels 1 to %d",
                         (unsigned long)rate_in_hz, (unsigned long)rate_out_hz,
                         (unsigned long)channels, KODAMA_RATE_MIN_HZ, KODAMA_RATE_MAX_HZ,
                         KODAMA_CHANNELS_MAX);
    }
    struct resampler *r = memory_array(1, sizeof *r);
    if (!r) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a resampler");
    uint32_t divisor = common_divisor(rate_in_hz, rate_out_hz);
    r->rate_in_hz = rate_in_hz;
    r->rate_out_hz = rate_out_hz;
    r->channels = channels;
    r->period_in = rate_in_hz / divisor;
    r->period_out = rate_out_hz / divisor;
    *resampler = r;
    if (rate_in_hz == rate_out_hz) return KODAMA_OK;

    int status = RESAMPLER_ERR_SUCCESS;
    r->filter = speex_resampler_init(channels, rate_in_hz, rate_out_hz, QUALITY, &status);
    if (r->filter) {
        r->delay = (uint32_t)speex_resampler_get_input_latency(r->filter);
        r->n_history = 2 * r->delay;
        r->history = memory_array((size_t)r->n_history * channels, sizeof *r->history);
        r->discard =
            memory_array(resampler_output_max(r, SILENCE_FRAMES) * channels, sizeof *r->discard);
    }
    if (!r->filter || !r->history || !r->discard) {
        resampler_close(r);
        *resampler = NULL;
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a resampler");
    }
    speex_resampler_skip_zeros(r->filter); /* begin with the sample at time 0 */
    return KODAMA_OK;
}

void resampler_close(struct resampler *resampler)
{
    if (!resampler) return;
    if (resampler->filter) speex_resampler_destroy(resampler->filter);
    free(resampler->history);
    free(resampler->discard);
    free(resampler);
}

uint32_t resampler_delay(const struct resampler *resampler)
{
    return resampler->delay;
}

/* n * period_out / period_in, rounded up; cannot overflow before n itself does by that factor. */
static uint64_t scaled_up(const struct resampler *r, uint64_t n)
{
    uint64_t rest = n % r->period_in * r->period_out;
    return n / r->period_in * r->period_out + (rest + r->period_in - 1) / r->period_in;
}

/* The same, rounded to nearest, halves up. */
static uint64_t scaled_nearest(const struct resampler *r, uint64_t n)
{
    uint64_t rest = n % r->period_in * r->period_out;
    return n / r->period_in * r->period_out + (2 * rest + r->period_in) / (2 * r->period_in);
}

size_t resampler_output_max(const struct resampler *resampler, size_t n_in)
{
    if (!resampler->filter) return n_in;
    return (size_t)scaled_up(resampler, n_in > 0 ? n_in : resampler->delay) + 1;
}

/* Run the filter over a block of any length; `out` has room for all that comes. */
static size_t run_filter(struct resampler *r, const float *in, size_t n_in, float *out,
                         size_t max_out)
{
    size_t produced = 0;
    while (n_in > 0) {
        spx_uint32_t take = n_in < 1 << 20 ? (spx_uint32_t)n_in : 1 << 20;
        /* One more than can come: speexdsp leaves input behind when the room is used up. */
        size_t room = max_out - produced;
        spx_uint32_t give = room < 1u << 30 ? (spx_uint32_t)room : 1u << 30;
        if (speex_resampler_process_interleaved_float(r->filter, in, &take, out, &give) != 0) break;
        in += (size_t)take * r->channels;
        out += (size_t)give * r->channels;
        n_in -= take;
        produced += give;
        if (take == 0 && give == 0) break;
    }
    return produced;
}

static void remember(struct resampler *r, const float *in, size_t n_in)
{
    size_t skip = n_in > r->n_history ? n_in - r->n_history : 0;
    while (skip < n_in) {
        size_t at = (size_t)((r->n_in + skip) % r->n_history);
        size_t n = r->n_history - at;
        if (n > n_in - skip) n = n_in - skip;
        memcpy(r->history + at * r->channels, in + skip * r->channels,
               n * r->channels * sizeof *in);
        skip += n;
    }
}

size_t resampler_process(struct resampler *resampler, const float *in, size_t n_in, float *out)
{
    if (n_in == 0) return 0;
    size_t produced = n_in;
    if (resampler->filter) {
        remember(resampler, in, n_in);
        produced = run_filter(resampler, in, n_in, out, resampler_output_max(resampler, n_in));
    } else {
        memcpy(out, in, n_in * resampler->channels * sizeof *in);
    }
    resampler->n_in += n_in;
    resampler->n_out += produced;
    return produced;
}

/* Feed silence and throw away what comes. */
static void run_silence(struct resampler *r, uint64_t n_frames)
{
    while (n_frames > 0) {
        size_t n = n_frames < SILENCE_FRAMES ? (size_t)n_frames : SILENCE_FRAMES;
        run_filter(r, silence, n, r->discard, resampler_output_max(r, SILENCE_FRAMES));
        n_frames -= n;
    }
}

/* As after open. */
static void reset(struct resampler *r)
{
    r->n_in = 0;
    r->n_out = 0;
    if (!r->filter) return;
    /* speex_resampler_reset_mem() clears only part of the memory of many channels (its channels do
     * not lie back to back), so silence goes through the whole filter first. */
    run_silence(r, r->n_history);
    speex_resampler_reset_mem(r->filter);
    speex_resampler_skip_zeros(r->filter);
}

size_t resampler_flush(struct resampler *resampler, float *out)
{
    struct resampler *r = resampler;
    size_t produced = 0;
    if (r->filter) {
        size_t wanted = (size_t)(scaled_nearest(r, r->n_in) - r->n_out);
        while (produced < wanted) {
            size_t n = run_filter(r, silence, SILENCE_FRAMES, r->discard,
                                  resampler_output_max(r, SILENCE_FRAMES));
            if (n > wanted - produced) n = wanted - produced;
            memcpy(out + produced * r->channels, r->discard, n * r->channels * sizeof *out);
            produced += n;
        }
    }
    reset(r);
    return produced;
}

void resampler_save(const struct resampler *resampler, struct record *record)
{
    const struct resampler *r = resampler;
    record_put_tag(record, "RSMP", 1);
    record_put_u32(record, r->rate_in_hz);
    record_put_u32(record, r->rate_out_hz);
    record_put_u32(record, r->channels);
    record_put_u64(record, r->n_in);
    record_put_u64(record, r->n_out);
    if (!r->filter) return;
    record_put_u32(record, r->n_history);
    uint64_t n = r->n_in < r->n_history ? r->n_in : r->n_history;
    for (uint64_t i = r->n_in - n; i < r->n_in; i++) {
        record_put_floats(record, r->history + (i % r->n_history) * r->channels, r->channels);
    }
}

/* Bring a fresh filter to where it was: n_history frames at most lie in `history`, oldest first. */
static void replay(struct resampler *r, uint64_t n_in, const float *history, size_t n_kept)
{
    reset(r);
    uint64_t before = n_in - n_kept;                 /* frames that the filter no longer sees */
    uint64_t start = before - before % r->period_in; /* the last point of phase zero */
    run_silence(r, before - start);
    for (size_t done = 0; done < n_kept;) {
        size_t n = n_kept - done < SILENCE_FRAMES ? n_kept - done : SILENCE_FRAMES;
        run_filter(r, history + done * r->channels, n, r->discard,
                   resampler_output_max(r, SILENCE_FRAMES));
        done += n;
    }
    r->n_in = before;
    remember(r, history, n_kept);
    r->n_in = n_in;
}

/* Output frames that n_in frames of input have produced: those whose look-ahead is there. */
static uint64_t output_of(const struct resampler *r, uint64_t n_in)
{
    if (!r->filter) return n_in;
    return n_in > r->delay ? scaled_up(r, n_in - r->delay) : 0;
}

void resampler_load(struct resampler *resampler, struct record *record)
{
    struct resampler *r = resampler;
    record_get_tag(record, "RSMP", 1);
    bool same = record_get_u32(record) == r->rate_in_hz;
    same = record_get_u32(record) == r->rate_out_hz && same;
    same = record_get_u32(record) == r->channels && same;
    uint64_t n_in = record_get_u64(record);
    uint64_t n_out = record_get_u64(record);
    if (!same || n_in > UINT64_MAX / KODAMA_RATE_MAX_HZ || n_out != output_of(r, n_in)) {
        record->failed = true;
    }
    if (r->filter && record_get_u32(record) != r->n_history) record->failed = true;
    if (record->failed) {
        reset(r);
        return;
    }
    if (r->filter) {
        size_t n_kept = n_in < r->n_history ? (size_t)n_in : r->n_history;
        float *history = memory_array(n_kept * r->channels, sizeof *history);
        if (history) record_get_floats(record, history, n_kept * r->channels);
        if (!history || record->failed) {
            free(history);
            record->failed = true;
            reset(r);
            return;
        }
        replay(r, n_in, history, n_kept);
        free(history);
    }
    r->n_in = n_in;
    r->n_out = n_out;
}
