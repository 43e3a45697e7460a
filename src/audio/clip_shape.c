/* Clips made from clips: parts, joins, channels apart and together, other rates. */
#include <math.h>
#include <soxr.h>
#include <string.h>

#include "audio/clip.h"
#include "audio/convert.h"
#include "base/error.h"

int kodama_clip_slice(struct kodama_clip **part, const struct kodama_clip *clip, size_t first,
                      size_t n_frames, struct kodama_error *error)
{
    if (part) *part = NULL;
    if (!part || !clip) return error_set(error, KODAMA_ERR_ARGUMENT, "slice: there is no clip");
    if (first <= clip->n_frames && n_frames == KODAMA_CLIP_REST) n_frames = clip->n_frames - first;
    if (first > clip->n_frames || n_frames > clip->n_frames - first) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "slice: %zu frames from frame %zu on reach beyond the clip's %zu frames",
                         n_frames, first, clip->n_frames);
    }
    struct kodama_clip *made;
    int status = clip_new_like(&made, clip, n_frames, error);
    if (status < 0) return status;
    memcpy(made->samples, clip->samples + first * clip->format.channels,
           clip_samples_of(made) * sizeof *made->samples);
    if (n_frames == clip->n_frames) made->n_replaced = clip->n_replaced;
    *part = made;
    return KODAMA_OK;
}

/* Whether there are clips at all, and none of them is missing. */
static int check_clips(const char *what, const struct kodama_clip *const *clips, size_t n_clips,
                       struct kodama_error *error)
{
    if (!clips || n_clips == 0) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "%s: there are no clips", what);
    }
    for (size_t i = 0; i < n_clips; i++) {
        if (!clips[i])
            return error_set(error, KODAMA_ERR_ARGUMENT, "%s: clip %zu is NULL", what, i);
    }
    return KODAMA_OK;
}

/* Length of clips in a row; they must be of one format. */
static int concat_length(const struct kodama_clip *const *clips, size_t n_clips, uint64_t *n_frames,
                         struct kodama_error *error)
{
    const struct kodama_format a = clips[0]->format;
    *n_frames = 0;
    for (size_t i = 0; i < n_clips; i++) {
        const struct kodama_format b = clips[i]->format;
        if (a.rate_hz != b.rate_hz || a.channels != b.channels ||
            clip_channel_mask(clips[0]) != clip_channel_mask(clips[i])) {
            return error_set(error, KODAMA_ERR_FORMAT,
                             "concat: clip %zu has %u Hz, %u channels (mask %#x), the first has %u "
                             "Hz, %u channels (mask %#x); resample or remix it before",
                             i, b.rate_hz, b.channels, clip_channel_mask(clips[i]), a.rate_hz,
                             a.channels, clip_channel_mask(clips[0]));
        }
        *n_frames += clips[i]->n_frames; /* a clip has at most 2^33, and 2^31 pointers fit memory */
        if (*n_frames > KODAMA_CLIP_SAMPLES_MAX) {
            return error_set(error, KODAMA_ERR_LIMIT,
                             "concat: together the clips are longer than a clip may be (%llu "
                             "samples); write them to a file",
                             (unsigned long long)KODAMA_CLIP_SAMPLES_MAX);
        }
    }
    return KODAMA_OK;
}

int kodama_clip_concat(struct kodama_clip **whole, const struct kodama_clip *const *clips,
                       size_t n_clips, struct kodama_error *error)
{
    if (!whole) return error_set(error, KODAMA_ERR_ARGUMENT, "concat: no place for the result");
    *whole = NULL;
    int status = check_clips("concat", clips, n_clips, error);
    if (status < 0) return status;
    uint64_t n_frames;
    status = concat_length(clips, n_clips, &n_frames, error);
    if (status < 0) return status;
    struct kodama_clip *made;
    status = clip_new_like(&made, clips[0], n_frames, error);
    if (status < 0) return status;
    float *out = made->samples;
    for (size_t i = 0; i < n_clips; i++) {
        size_t n_samples = clip_samples_of(clips[i]);
        memcpy(out, clips[i]->samples, n_samples * sizeof *out);
        out += n_samples;
        made->origin = clip_origin_of(made->origin, clips[i]->origin);
        made->n_replaced += clips[i]->n_replaced;
    }
    *whole = made;
    return KODAMA_OK;
}

int kodama_clip_mono(struct kodama_clip **mono, const struct kodama_clip *clip,
                     struct kodama_error *error)
{
    if (mono) *mono = NULL;
    if (!mono || !clip) return error_set(error, KODAMA_ERR_ARGUMENT, "mono: there is no clip");
    if (clip->format.channels == 1) {
        return kodama_clip_slice(mono, clip, 0, KODAMA_CLIP_REST, error);
    }
    struct kodama_format format = clip->format;
    format.sample = clip->origin;
    format.channels = 1;
    format.channel_mask = 0;
    struct kodama_clip *made;
    int status = clip_new(&made, format, clip->n_frames, error);
    if (status < 0) return status;
    convert_to_mono(clip->format, clip->samples, made->samples, clip->n_frames);
    *mono = made;
    return KODAMA_OK;
}

int kodama_clip_split(struct kodama_clip **channels, size_t max_channels,
                      const struct kodama_clip *clip, struct kodama_error *error)
{
    if (!channels || !clip) return error_set(error, KODAMA_ERR_ARGUMENT, "split: there is no clip");
    memset(channels, 0, max_channels * sizeof(struct kodama_clip *));
    uint32_t n_channels = clip->format.channels;
    if (n_channels > max_channels) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "split: the clip has %u channels, there is room for %zu", n_channels,
                         max_channels);
    }
    struct kodama_format format = clip->format;
    format.sample = clip->origin;
    format.channels = 1;
    format.channel_mask = 0;
    for (uint32_t c = 0; c < n_channels; c++) {
        int status = clip_new(&channels[c], format, clip->n_frames, error);
        if (status < 0) {
            for (uint32_t made = 0; made < c; made++) {
                kodama_clip_destroy(channels[made]);
                channels[made] = NULL;
            }
            return status;
        }
        const float *in = clip->samples + c;
        for (size_t i = 0; i < clip->n_frames; i++) channels[c]->samples[i] = in[i * n_channels];
    }
    return (int)n_channels;
}

/* Channels of all clips together; rates and lengths must agree. */
static int merge_channels(const struct kodama_clip *const *clips, size_t n_clips,
                          uint32_t *n_channels, struct kodama_error *error)
{
    *n_channels = 0;
    for (size_t i = 0; i < n_clips; i++) {
        if (clips[i]->format.rate_hz != clips[0]->format.rate_hz) {
            return error_set(error, KODAMA_ERR_FORMAT,
                             "merge: clip %zu has %u Hz, the first has %u Hz; resample it before",
                             i, clips[i]->format.rate_hz, clips[0]->format.rate_hz);
        }
        if (clips[i]->n_frames != clips[0]->n_frames) {
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "merge: clip %zu has %zu frames, the first has %zu; cut it, or append "
                             "silence",
                             i, clips[i]->n_frames, clips[0]->n_frames);
        }
        *n_channels += clips[i]->format.channels;
        if (*n_channels > KODAMA_CHANNELS_MAX) {
            return error_set(error, KODAMA_ERR_FORMAT, "merge: more than %d channels together",
                             KODAMA_CHANNELS_MAX);
        }
    }
    return KODAMA_OK;
}

int kodama_clip_merge(struct kodama_clip **merged, const struct kodama_clip *const *clips,
                      size_t n_clips, struct kodama_error *error)
{
    if (!merged) return error_set(error, KODAMA_ERR_ARGUMENT, "merge: no place for the result");
    *merged = NULL;
    int status = check_clips("merge", clips, n_clips, error);
    if (status < 0) return status;
    struct kodama_format format = clips[0]->format;
    status = merge_channels(clips, n_clips, &format.channels, error);
    if (status < 0) return status;
    format.sample = clips[0]->origin;
    if (n_clips > 1) format.channel_mask = 0; /* positions of the parts say nothing of the whole */
    struct kodama_clip *made;
    status = clip_new(&made, format, clips[0]->n_frames, error);
    if (status < 0) return status;
    float *out = made->samples;
    for (size_t k = 0; k < n_clips; k++) {
        size_t step = clips[k]->format.channels;
        const float *in = clips[k]->samples;
        for (size_t i = 0; i < made->n_frames; i++) {
            for (size_t c = 0; c < step; c++) out[i * format.channels + c] = in[i * step + c];
        }
        out += step;
        made->origin = clip_origin_of(made->origin, clips[k]->origin);
        made->n_replaced += clips[k]->n_replaced;
    }
    *merged = made;
    return KODAMA_OK;
}

/* Run all of a clip through soxr; gives the frames produced, at most room. */
static soxr_error_t run_soxr(soxr_t soxr, const struct kodama_clip *clip, struct kodama_clip *out)
{
    enum { BLOCK_FRAMES = 16384 }; /* keeps soxr's own buffers small; does not change its output */
    size_t channels = clip->format.channels;
    size_t done = 0;
    size_t made = 0;
    soxr_error_t failure = NULL;
    while (!failure && made < out->n_frames) {
        size_t n = clip->n_frames - done;
        if (n > BLOCK_FRAMES) n = BLOCK_FRAMES;
        const float *in = n > 0 ? clip->samples + done * channels : NULL; /* NULL: the end */
        size_t n_used = 0;
        size_t n_out = 0;
        failure = soxr_process(soxr, in, n, &n_used, out->samples + made * channels,
                               out->n_frames - made, &n_out);
        done += n_used;
        made += n_out;
        if (n == 0 && n_out == 0) break; /* nothing more comes; what is missing stays silent */
    }
    return failure;
}

int kodama_clip_resample(struct kodama_clip **result, const struct kodama_clip *clip,
                         uint32_t rate_hz, struct kodama_error *error)
{
    if (result) *result = NULL;
    if (!result || !clip) return error_set(error, KODAMA_ERR_ARGUMENT, "resample: no clip");
    uint32_t rate_in_hz = clip->format.rate_hz;
    if (rate_hz == rate_in_hz) return kodama_clip_slice(result, clip, 0, KODAMA_CLIP_REST, error);
    struct kodama_format format = clip->format;
    format.sample = clip->origin;
    format.rate_hz = rate_hz;
    /* 2^33 frames times 192000 is below 2^51. */
    uint64_t n_out = ((uint64_t)clip->n_frames * rate_hz + rate_in_hz / 2) / rate_in_hz;
    struct kodama_clip *made;
    int status = clip_new(&made, format, n_out, error);
    if (status < 0) return status;
    /* Without the precise clock, ratios that soxr cannot express exactly drift: 8001 to 8000 Hz by
     * 0.4 ns per 25 s. */
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_VHQ, SOXR_HI_PREC_CLOCK);
    const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    soxr_error_t failure = NULL;
    soxr_t soxr = soxr_create(rate_in_hz, rate_hz, format.channels, &failure, &io, &quality, NULL);
    if (soxr && !failure) failure = run_soxr(soxr, clip, made);
    soxr_delete(soxr);
    if (!soxr || failure) {
        kodama_clip_destroy(made);
        return error_set(error, KODAMA_ERR_MEMORY, "resample from %u to %u Hz: %s", rate_in_hz,
                         rate_hz, failure ? failure : "out of memory");
    }
    size_t n_samples = clip_samples_of(made);
    for (size_t i = 0; i < n_samples; i++) { /* the filter overshoots, also at the largest value */
        made->samples[i] =
            fmaxf(-KODAMA_CLIP_MAGNITUDE_MAX, fminf(made->samples[i], KODAMA_CLIP_MAGNITUDE_MAX));
    }
    *result = made;
    return KODAMA_OK;
}
