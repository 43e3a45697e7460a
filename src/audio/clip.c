/* Clips: making them, looking inside, samples in and out. */
#include "audio/clip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/convert.h"
#include "base/error.h"
#include "base/memory.h"

/* Planar samples pass through a buffer of this many floats on the stack. */
enum { BLOCK_SAMPLES = 1024 };

int clip_new(struct kodama_clip **clip, struct kodama_format format, uint64_t n_frames,
             struct kodama_error *error)
{
    *clip = NULL;
    int status = kodama_format_check(format, error);
    if (status < 0) return status;
    if (n_frames > KODAMA_CLIP_SAMPLES_MAX / format.channels) {
        error_set(error, KODAMA_ERR_LIMIT,
                  "a clip of %llu frames is longer than clips may be (%llu samples); keep "
                  "it in a file",
                  (unsigned long long)n_frames, (unsigned long long)KODAMA_CLIP_SAMPLES_MAX);
        return KODAMA_ERR_LIMIT;
    }
    struct kodama_clip *made = memory_array(1, sizeof *made);
    float *samples =
        made ? memory_array((size_t)n_frames * format.channels, sizeof *samples) : NULL;
    if (!samples) {
        free(made);
        error_set(error, KODAMA_ERR_MEMORY, "no memory for a clip of %llu frames",
                  (unsigned long long)n_frames);
        return KODAMA_ERR_MEMORY;
    }
    made->format = format;
    made->format.sample = KODAMA_SAMPLE_F32;
    made->origin = format.sample;
    made->n_frames = made->room_frames = (size_t)n_frames;
    made->samples = samples;
    *clip = made;
    return KODAMA_OK;
}

int clip_new_like(struct kodama_clip **clip, const struct kodama_clip *like, uint64_t n_frames,
                  struct kodama_error *error)
{
    struct kodama_format format = like->format;
    format.sample = like->origin;
    return clip_new(clip, format, n_frames, error);
}

int clip_reserve(struct kodama_clip *clip, size_t n_more, struct kodama_error *error)
{
    if (n_more <= clip->room_frames - clip->n_frames) return KODAMA_OK;
    size_t max_frames = (size_t)(KODAMA_CLIP_SAMPLES_MAX / clip->format.channels);
    if (n_more > max_frames - clip->n_frames) {
        return error_set(error, KODAMA_ERR_LIMIT,
                         "%zu frames more would make the clip longer than clips may be (%llu "
                         "samples); keep it in a file",
                         n_more, (unsigned long long)KODAMA_CLIP_SAMPLES_MAX);
    }
    size_t room = clip->n_frames + n_more;
    size_t doubled = clip->room_frames < max_frames / 2 ? 2 * clip->room_frames : max_frames;
    if (room < doubled) room = doubled;
    float *samples =
        memory_resize(clip->samples, room, clip->format.channels * sizeof *clip->samples);
    if (!samples) {
        return error_set(error, KODAMA_ERR_MEMORY, "no memory to make the clip %zu frames long",
                         clip->n_frames + n_more);
    }
    clip->samples = samples;
    clip->room_frames = room;
    return KODAMA_OK;
}

void clip_fit(struct kodama_clip *clip)
{
    float *samples =
        memory_resize(clip->samples, clip->n_frames, clip->format.channels * sizeof *clip->samples);
    if (!samples) return; /* what is there stays, only larger than needed */
    clip->samples = samples;
    clip->room_frames = clip->n_frames;
}

uint64_t clip_repair(float *samples, size_t n_samples)
{
    uint64_t n_replaced = 0;
    for (size_t i = 0; i < n_samples; i++) {
        bool good = fabsf(samples[i]) <= KODAMA_CLIP_MAGNITUDE_MAX; /* false for NaN */
        if (!good) samples[i] = 0.0f;
        n_replaced += !good;
    }
    return n_replaced;
}

uint32_t clip_channel_mask(const struct kodama_clip *clip)
{
    enum {
        FRONT = KODAMA_CHANNEL_FL | KODAMA_CHANNEL_FR,
        BACK = KODAMA_CHANNEL_BL | KODAMA_CHANNEL_BR,
        SIDE = KODAMA_CHANNEL_SL | KODAMA_CHANNEL_SR,
        CENTRE = KODAMA_CHANNEL_FC,
        LFE = KODAMA_CHANNEL_LFE,
    };
    static const uint32_t usual[KODAMA_CHANNELS_MAX + 1] = {
        0,
        CENTRE,
        FRONT,
        FRONT | CENTRE,
        FRONT | BACK,
        FRONT | CENTRE | BACK,
        FRONT | CENTRE | LFE | BACK,
        FRONT | CENTRE | LFE | KODAMA_CHANNEL_BC | SIDE,
        FRONT | CENTRE | LFE | BACK | SIDE,
    };
    uint32_t mask = clip->format.channel_mask;
    return mask != 0 ? mask : usual[clip->format.channels];
}

enum kodama_sample clip_origin_of(enum kodama_sample a, enum kodama_sample b)
{
    return a > b ? a : b; /* enum kodama_sample is in order of precision */
}

/* Samples to floats of a clip; returns how many were no numbers. convert_to_float() would make
 * silence of those too, but not count them. */
static uint64_t take(enum kodama_sample sample, const void *in, float *out, size_t n_samples)
{
    if (sample != KODAMA_SAMPLE_F32) {
        convert_to_float(sample, in, out, n_samples);
        return 0;
    }
    memcpy(out, in, n_samples * sizeof *out);
    return clip_repair(out, n_samples);
}

int kodama_clip_create(struct kodama_clip **clip, struct kodama_format format, const void *frames,
                       size_t n_frames, struct kodama_error *error)
{
    if (!clip) return error_set(error, KODAMA_ERR_ARGUMENT, "create a clip: no place for it");
    int status = clip_new(clip, format, n_frames, error);
    if (status < 0 || !frames) return status;
    struct kodama_clip *made = *clip;
    made->n_replaced = take(format.sample, frames, made->samples, clip_samples_of(made));
    return KODAMA_OK;
}

/* One plane into its channel of the interleaved frames. */
static void weave(struct kodama_clip *clip, uint32_t channel, enum kodama_sample sample,
                  const uint8_t *plane)
{
    float block[BLOCK_SAMPLES];
    size_t step = clip->format.channels;
    for (size_t done = 0; done < clip->n_frames;) {
        size_t n = clip->n_frames - done;
        if (n > BLOCK_SAMPLES) n = BLOCK_SAMPLES;
        clip->n_replaced += take(sample, plane + done * kodama_sample_bytes(sample), block, n);
        float *out = clip->samples + done * step + channel;
        for (size_t i = 0; i < n; i++) out[i * step] = block[i];
        done += n;
    }
}

int kodama_clip_create_planar(struct kodama_clip **clip, struct kodama_format format,
                              const void *const *planes, size_t n_frames,
                              struct kodama_error *error)
{
    if (!clip) return error_set(error, KODAMA_ERR_ARGUMENT, "create a clip: no place for it");
    int status = clip_new(clip, format, n_frames, error);
    if (status < 0) return status;
    for (uint32_t c = 0; planes && c < format.channels; c++) {
        if (planes[c]) weave(*clip, c, format.sample, planes[c]);
    }
    return KODAMA_OK;
}

int kodama_clip_append(struct kodama_clip *clip, struct kodama_format format, const void *frames,
                       size_t n_frames, struct kodama_error *error)
{
    if (!clip) return error_set(error, KODAMA_ERR_ARGUMENT, "append to a clip: there is none");
    int status = kodama_format_check(format, error);
    if (status < 0) return status;
    if (format.rate_hz != clip->format.rate_hz || format.channels != clip->format.channels) {
        char theirs[64];
        char ours[64];
        return error_set(error, KODAMA_ERR_FORMAT, "cannot append %s to a clip of %s",
                         kodama_format_text(format, theirs, sizeof theirs),
                         kodama_format_text(clip->format, ours, sizeof ours));
    }
    status = clip_reserve(clip, n_frames, error);
    if (status < 0) return status;
    float *end = clip->samples + clip_samples_of(clip);
    size_t n_samples = n_frames * clip->format.channels;
    if (frames) {
        clip->n_replaced += take(format.sample, frames, end, n_samples);
    } else {
        convert_silence(KODAMA_SAMPLE_F32, end, n_samples);
    }
    clip->n_frames += n_frames;
    clip->origin = clip_origin_of(clip->origin, format.sample);
    return KODAMA_OK;
}

void kodama_clip_destroy(struct kodama_clip *clip)
{
    if (!clip) return;
    free(clip->samples);
    free(clip);
}

struct kodama_format kodama_clip_format(const struct kodama_clip *clip)
{
    return clip ? clip->format : (struct kodama_format){0};
}

enum kodama_sample kodama_clip_origin(const struct kodama_clip *clip)
{
    return clip ? clip->origin : KODAMA_SAMPLE_F32;
}

size_t kodama_clip_frames(const struct kodama_clip *clip)
{
    return clip ? clip->n_frames : 0;
}

double kodama_clip_duration(const struct kodama_clip *clip)
{
    return clip ? (double)clip->n_frames / (double)clip->format.rate_hz : 0.0;
}

const float *kodama_clip_samples(const struct kodama_clip *clip)
{
    static const float nothing[1];
    return clip ? clip->samples : nothing;
}

/* Frames that a read from `first` gives, or KODAMA_ERR_ARGUMENT. */
static int64_t readable(const struct kodama_clip *clip, size_t first, enum kodama_sample sample,
                        const void *out, size_t n_frames)
{
    if (!clip || first > clip->n_frames || kodama_sample_bytes(sample) == 0) {
        return KODAMA_ERR_ARGUMENT;
    }
    size_t left = clip->n_frames - first;
    if (n_frames > left) n_frames = left;
    if (!out && n_frames > 0) return KODAMA_ERR_ARGUMENT;
    return (int64_t)n_frames;
}

int64_t kodama_clip_read(const struct kodama_clip *clip, size_t first, enum kodama_sample sample,
                         void *frames, size_t n_frames)
{
    int64_t n = readable(clip, first, sample, frames, n_frames);
    if (n <= 0) return n;
    size_t channels = clip->format.channels;
    convert_from_float(sample, clip->samples + first * channels, frames, (size_t)n * channels);
    return n;
}

/* One channel of the interleaved frames into its plane. */
static void unweave(const struct kodama_clip *clip, size_t first, uint32_t channel,
                    enum kodama_sample sample, uint8_t *plane, size_t n_frames)
{
    float block[BLOCK_SAMPLES];
    size_t step = clip->format.channels;
    for (size_t done = 0; done < n_frames;) {
        size_t n = n_frames - done;
        if (n > BLOCK_SAMPLES) n = BLOCK_SAMPLES;
        const float *in = clip->samples + (first + done) * step + channel;
        for (size_t i = 0; i < n; i++) block[i] = in[i * step];
        convert_from_float(sample, block, plane + done * kodama_sample_bytes(sample), n);
        done += n;
    }
}

int64_t kodama_clip_read_planar(const struct kodama_clip *clip, size_t first,
                                enum kodama_sample sample, void *const *planes, size_t n_frames)
{
    int64_t n = readable(clip, first, sample, planes, n_frames);
    if (n <= 0) return n;
    for (uint32_t c = 0; c < clip->format.channels; c++) {
        if (planes[c]) unweave(clip, first, c, sample, planes[c], (size_t)n);
    }
    return n;
}
