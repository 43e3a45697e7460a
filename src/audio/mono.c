/* The public resampler: conversion, mix-down and resampling in one step. */
#include <stdlib.h>
#include <string.h>

#include <kodama/resampler.h>

#include "audio/convert.h"
#include "audio/resampler.h"
#include "base/error.h"

/* Frames mixed down at a time; what is converted stays in the first-level cache. */
enum { BLOCK_FRAMES = 1024 };

struct kodama_resampler {
    struct kodama_format format;
    size_t frame_bytes;
    struct resampler *rate;
    float block[BLOCK_FRAMES];
};

int kodama_resampler_open(struct kodama_resampler **resampler, struct kodama_format format,
                          uint32_t rate_hz, struct kodama_error *error)
{
    if (!resampler) return error_set(error, KODAMA_ERR_ARGUMENT, "no place for the resampler");
    *resampler = NULL;
    int status = kodama_format_check(format, error);
    if (status < 0) return status;
    struct kodama_resampler *made = calloc(1, sizeof *made);
    if (!made) return error_set(error, KODAMA_ERR_MEMORY, "opening a resampler: out of memory");
    made->format = format;
    made->frame_bytes = kodama_frame_bytes(format);
    status = resampler_open(&made->rate, format.rate_hz, rate_hz, 1, error);
    if (status < 0) {
        free(made);
        return status;
    }
    *resampler = made;
    return KODAMA_OK;
}

void kodama_resampler_close(struct kodama_resampler *resampler)
{
    if (!resampler) return;
    resampler_close(resampler->rate);
    free(resampler);
}

size_t kodama_resampler_room(const struct kodama_resampler *resampler, size_t n_frames)
{
    /* Each block may round up on its own. */
    return resampler_output_max(resampler->rate, n_frames) + n_frames / BLOCK_FRAMES + 1;
}

size_t kodama_resampler_process(struct kodama_resampler *resampler, const void *frames,
                                size_t n_frames, float *samples)
{
    const unsigned char *bytes = frames;
    size_t produced = 0;
    while (n_frames > 0) {
        size_t n = n_frames < BLOCK_FRAMES ? n_frames : BLOCK_FRAMES;
        if (bytes)
            convert_to_mono(resampler->format, bytes, resampler->block, n);
        else
            memset(resampler->block, 0, n * sizeof resampler->block[0]);
        produced += resampler_process(resampler->rate, resampler->block, n, samples + produced);
        if (bytes) bytes += n * resampler->frame_bytes;
        n_frames -= n;
    }
    return produced;
}

size_t kodama_resampler_flush(struct kodama_resampler *resampler, float *samples)
{
    return resampler_flush(resampler->rate, samples);
}
