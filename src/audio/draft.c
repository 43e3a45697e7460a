/* Drafts: brought into the shape that the type holds, encoded, put in their place at the end. */
#include <kodama/draft.h>

#include <math.h>
#include <soxr.h>
#include <stdlib.h>
#include <string.h>

#include "audio/clip.h"
#include "audio/convert.h"
#include "audio/draft_encoder.h"
#include "base/error.h"
#include "base/memory.h"

struct kodama_draft {
    struct kodama_format format; /* of what is written */
    size_t frame_bytes;
    struct draft_file file;
    struct draft_encoder encoder;
    soxr_t soxr;   /* NULL: the rate stays */
    uint64_t n_in; /* frames that were written */
    int failed;    /* status of the first failure */
    bool finished;
    float taken[ENCODER_BLOCK * KODAMA_CHANNELS_MAX];  /* as they came, floats */
    float shaped[ENCODER_BLOCK * KODAMA_CHANNELS_MAX]; /* as many channels as the file has */
    float moved[ENCODER_BLOCK * KODAMA_CHANNELS_MAX];  /* at its rate */
};

/* ---------------------------------------------------------------- beginning */

static int check(const struct clip_file_type *type, const char *path, struct kodama_format format,
                 const struct kodama_draft_config *config, enum kodama_sample origin,
                 struct kodama_error *error)
{
    if (!type && config->type == KODAMA_FILE_AUTO) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "cannot tell from its name what %s shall be: end it in .wav, .flac, .ogg, "
                         ".opus or .mp3, or say the type",
                         path);
    }
    if (!type) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "there is no file type %d", (int)config->type);
    }
    if (!(config->quality >= 0.0 && config->quality <= 1.0)) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "a quality of %g is outside 0 to 1",
                         config->quality);
    }
    if (clip_file_sample(type, config->sample, origin) == 0) {
        return error_set(error, KODAMA_ERR_FORMAT, "%s cannot store %s samples: use %s", type->name,
                         kodama_sample_name(config->sample),
                         type->type == KODAMA_FILE_FLAC ? "s16 or s24" : "s16, s24, s32 or f32");
    }
    if (!config->fit && format.channels > type->max_channels) {
        return error_set(error, KODAMA_ERR_FORMAT,
                         "%s is saved with at most %u channels, these are %u: mix them down, or "
                         "save FLAC or WAV",
                         type->name, type->max_channels, format.channels);
    }
    uint32_t rate_hz = clip_file_rate(type, format.rate_hz);
    if (config->fit || rate_hz == format.rate_hz) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_FORMAT,
                     "%s cannot hold %u Hz: resample it to %u Hz, or save FLAC or WAV", type->name,
                     format.rate_hz, rate_hz);
}

/* Frames that n of them become at another rate. */
static uint64_t scaled(uint64_t n, uint32_t from_hz, uint32_t to_hz)
{
    return n / from_hz * to_hz + (n % from_hz * to_hz + from_hz / 2) / from_hz;
}

static int open_parts(struct kodama_draft *d, const char *path,
                      const struct kodama_draft_config *config, struct kodama_error *error)
{
    struct draft_encoder *encoder = &d->encoder;
    struct kodama_format shape = d->format;
    shape.sample = KODAMA_SAMPLE_F32;
    if (shape.channels > encoder->type->max_channels) {
        shape.channels = 1;
        shape.channel_mask = 0;
    }
    shape.rate_hz = clip_file_rate(encoder->type, d->format.rate_hz);
    encoder->format = shape;
    encoder->file = &d->file;
    uint64_t n = config->n_frames;
    if (shape.rate_hz != d->format.rate_hz) {
        soxr_error_t failure = NULL;
        /* As kodama_clip_resample(). */
        const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_VHQ, SOXR_HI_PREC_CLOCK);
        const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
        d->soxr = soxr_create(d->format.rate_hz, shape.rate_hz, shape.channels, &failure, &io,
                              &quality, NULL);
        if (!d->soxr || failure)
            return error_set(error, KODAMA_ERR_MEMORY, "cannot save %s: %s", path,
                             failure ? failure : "out of memory");
        if (n < UINT64_MAX / KODAMA_RATE_MAX_HZ) n = scaled(n, d->format.rate_hz, shape.rate_hz);
    }
    int status = draft_file_open(&d->file, path, config->keep, error);
    if (status < 0) return status;
    return draft_encoder_open(encoder, encoder->type->lossy ? config->quality : 0.0, n, error);
}

int kodama_draft_open(struct kodama_draft **draft, const char *path, struct kodama_format format,
                      const struct kodama_draft_config *config, struct kodama_error *error)
{
    static const struct kodama_draft_config defaults = KODAMA_DRAFT_CONFIG_INIT;
    if (!config) config = &defaults;
    if (draft) *draft = NULL;
    if (!draft || !path || config->size < sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "begin a file: %s",
                         draft && path ? "the config was not initialised" : "no path");
    }
    int status = kodama_format_check(format, error);
    if (status < 0) return status;
    enum kodama_sample origin = config->origin != 0 ? config->origin : format.sample;
    const struct clip_file_type *type =
        clip_file_type(config->type != KODAMA_FILE_AUTO ? config->type : kodama_file_of(path));
    status = check(type, path, format, config, origin, error);
    if (status < 0) return status;
    struct kodama_draft *d = memory_array(1, sizeof *d);
    if (!d) return error_set(error, KODAMA_ERR_MEMORY, "no memory to save %s", path);
    d->file.descriptor = -1;
    d->format = format;
    d->frame_bytes = kodama_frame_bytes(format);
    d->encoder.type = type;
    d->encoder.sample = clip_file_sample(type, config->sample, origin);
    status = open_parts(d, path, config, error);
    if (status < 0) {
        kodama_draft_close(d);
        return status;
    }
    *draft = d;
    return KODAMA_OK;
}

/* ---------------------------------------------------------------- writing */

/* Frames of the file's channels through the resampler; `in` NULL: the end. */
static int resample(struct kodama_draft *d, const float *in, size_t n_in,
                    struct kodama_error *error)
{
    const struct kodama_format *to = &d->encoder.format;
    uint64_t due = scaled(d->n_in, d->format.rate_hz, to->rate_hz);
    for (size_t done = 0;;) {
        size_t n_used = 0, n = 0;
        soxr_error_t failure = soxr_process(d->soxr, in ? in + done * to->channels : NULL,
                                            n_in - done, &n_used, d->moved, ENCODER_BLOCK, &n);
        if (failure)
            return error_set(error, KODAMA_ERR_MEMORY, "cannot write %s: %s", d->file.shown,
                             failure);
        done += n_used;
        /* What is still missing at the end is silence. */
        if (!in && n == 0) {
            n = ENCODER_BLOCK;
            memset(d->moved, 0, sizeof d->moved);
        }
        uint64_t left = due > d->encoder.n_frames ? due - d->encoder.n_frames : 0;
        if (!in && n > left) n = (size_t)left;
        if (n == 0 && done == n_in) return KODAMA_OK;
        for (size_t i = 0; i < n * to->channels; i++) { /* the filter overshoots */
            d->moved[i] =
                fmaxf(-KODAMA_CLIP_MAGNITUDE_MAX, fminf(d->moved[i], KODAMA_CLIP_MAGNITUDE_MAX));
        }
        int status = draft_encoder_write(&d->encoder, d->moved, n, error);
        if (status < 0) return status;
    }
}

/* Up to a block of frames as they came. */
static int write_block(struct kodama_draft *d, const void *frames, size_t n,
                       struct kodama_error *error)
{
    size_t n_samples = n * d->format.channels;
    const float *shaped = d->taken;
    if (frames) {
        convert_to_float(d->format.sample, frames, d->taken, n_samples);
        clip_repair(d->taken, n_samples);
    } else {
        memset(d->taken, 0, n_samples * sizeof *d->taken);
    }
    if (d->encoder.format.channels != d->format.channels) {
        struct kodama_format taken = d->format;
        taken.sample = KODAMA_SAMPLE_F32;
        convert_to_mono(taken, d->taken, d->shaped, n);
        shaped = d->shaped;
    }
    d->n_in += n;
    if (d->soxr) return resample(d, shaped, n, error);
    return draft_encoder_write(&d->encoder, shaped, n, error);
}

static int check_running(const struct kodama_draft *d, struct kodama_error *error)
{
    if (d->failed < 0)
        return error_set(error, d->failed, "writing %s has failed before", d->file.shown);
    if (!d->finished) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_STATE, "%s is finished", d->file.shown);
}

int kodama_draft_write(struct kodama_draft *draft, const void *frames, size_t n_frames,
                       struct kodama_error *error)
{
    struct kodama_draft *d = draft;
    if (!d) return error_set(error, KODAMA_ERR_ARGUMENT, "write: there is no draft");
    int status = check_running(d, error);
    if (status < 0) return status;
    const unsigned char *bytes = frames;
    while (n_frames > 0 && status >= 0) {
        size_t n = n_frames < ENCODER_BLOCK ? n_frames : ENCODER_BLOCK;
        status = write_block(d, bytes, n, error);
        if (bytes) bytes += n * d->frame_bytes;
        n_frames -= n;
    }
    d->failed = status;
    return status;
}

uint64_t kodama_draft_frames(const struct kodama_draft *draft)
{
    return draft ? draft->n_in : 0;
}

/* ---------------------------------------------------------------- ending */

static int check_frames(const struct kodama_draft *d, struct kodama_error *error)
{
    if (d->encoder.n_frames > 0) return KODAMA_OK;
    if (d->n_in > 0)
        return error_set(error, KODAMA_ERR_EMPTY, "cannot save %s: at %u Hz no frame is left",
                         d->file.shown, d->encoder.format.rate_hz);
    if (d->encoder.type->type == KODAMA_FILE_WAV) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_EMPTY,
                     "cannot save %s: %s cannot be without frames, only WAV can", d->file.shown,
                     d->encoder.type->name);
}

int kodama_draft_finish(struct kodama_draft *draft, struct kodama_error *error)
{
    struct kodama_draft *d = draft;
    if (!d) return error_set(error, KODAMA_ERR_ARGUMENT, "finish: there is no draft");
    int status = check_running(d, error);
    if (status < 0) return status;
    if (d->soxr) status = resample(d, NULL, 0, error);
    if (status >= 0) status = check_frames(d, error);
    if (status >= 0) status = draft_encoder_close(&d->encoder, error);
    if (status >= 0) status = draft_file_commit(&d->file, error);
    d->failed = status;
    d->finished = true;
    return status;
}

void kodama_draft_close(struct kodama_draft *draft)
{
    if (!draft) return;
    (void)draft_encoder_close(&draft->encoder, NULL);
    draft_file_discard(&draft->file);
    soxr_delete(draft->soxr);
    free(draft);
}
