/* Loudness of audio that comes piece by piece: libebur128, told where the channels sit. */
#include <kodama/loudness.h>

#include <ebur128.h>
#include <math.h>
#include <stdlib.h>

#include "audio/clip.h"
#include "base/error.h"
#include "base/memory.h"

/* Frames handed over at once: libebur128 counts what it gets in 32 bits here and there. */
enum { BLOCK_FRAMES = 4096 };

struct kodama_loudness {
    ebur128_state *meter;
    struct kodama_format format;
    bool failed; /* memory was out: what is missing would make the result wrong */
};

/* Where BS.1770 has a speaker: it weighs those between 60 and 120 degrees 1.41 times. Back speakers
 * are the surrounds of 5.1, at 110 degrees, unless there are side speakers as well. */
static int place(uint32_t speaker, bool with_sides)
{
    switch (speaker) {
    case KODAMA_CHANNEL_FL: return EBUR128_Mp030;
    case KODAMA_CHANNEL_FR: return EBUR128_Mm030;
    case KODAMA_CHANNEL_FC: return EBUR128_Mp000;
    case KODAMA_CHANNEL_LFE: return EBUR128_UNUSED;
    case KODAMA_CHANNEL_BL: return with_sides ? EBUR128_Mp135 : EBUR128_Mp110;
    case KODAMA_CHANNEL_BR: return with_sides ? EBUR128_Mm135 : EBUR128_Mm110;
    case KODAMA_CHANNEL_BC: return EBUR128_Mp180;
    case KODAMA_CHANNEL_SL: return EBUR128_Mp090;
    case KODAMA_CHANNEL_SR: return EBUR128_Mm090;
    }
    return EBUR128_Mp000; /* heights and the like count once */
}

static void place_channels(ebur128_state *meter, struct kodama_format format)
{
    const struct kodama_clip places = {.format = format};
    uint32_t mask = clip_channel_mask(&places);
    bool with_sides = (mask & (KODAMA_CHANNEL_SL | KODAMA_CHANNEL_SR)) != 0;
    uint32_t channel = 0;
    for (int bit = 0; bit < 32 && channel < format.channels; bit++) {
        uint32_t speaker = UINT32_C(1) << bit;
        if (!(mask & speaker)) continue;
        ebur128_set_channel(meter, channel++, place(speaker, with_sides));
    }
}

int kodama_loudness_open(struct kodama_loudness **loudness, struct kodama_format format,
                         struct kodama_error *error)
{
    if (!loudness) return error_set(error, KODAMA_ERR_ARGUMENT, "loudness: nowhere to open it");
    *loudness = NULL;
    format.sample = KODAMA_SAMPLE_F32;
    int status = kodama_format_check(format, error);
    if (status < 0) return status;
    struct kodama_loudness *made = memory_array(1, sizeof *made);
    const int mode = EBUR128_MODE_I | EBUR128_MODE_LRA | EBUR128_MODE_TRUE_PEAK;
    if (made) made->meter = ebur128_init(format.channels, format.rate_hz, mode);
    if (!made || !made->meter) {
        free(made);
        return error_set(error, KODAMA_ERR_MEMORY, "no memory to measure loudness");
    }
    made->format = format;
    place_channels(made->meter, format);
    *loudness = made;
    return KODAMA_OK;
}

void kodama_loudness_close(struct kodama_loudness *loudness)
{
    if (!loudness) return;
    ebur128_destroy(&loudness->meter);
    free(loudness);
}

int kodama_loudness_add(struct kodama_loudness *loudness, const float *frames, size_t n_frames)
{
    if (!loudness || (!frames && n_frames > 0)) return KODAMA_ERR_ARGUMENT;
    while (n_frames > 0 && !loudness->failed) {
        size_t n = n_frames < BLOCK_FRAMES ? n_frames : BLOCK_FRAMES;
        loudness->failed = ebur128_add_frames_float(loudness->meter, frames, n) != EBUR128_SUCCESS;
        frames += n * loudness->format.channels;
        n_frames -= n;
    }
    return loudness->failed ? KODAMA_ERR_MEMORY : KODAMA_OK;
}

static int read_all(struct kodama_loudness *loudness, struct kodama_clip_loudness *result)
{
    for (uint32_t c = 0; c < loudness->format.channels; c++) {
        double peak = 0.0;
        int failure = ebur128_true_peak(loudness->meter, c, &peak);
        if (failure) return failure;
        if (peak > result->true_peak) result->true_peak = peak;
    }
    if (result->true_peak > 0.0) result->true_peak_db = 20.0 * log10(result->true_peak);
    int failure = ebur128_loudness_global(loudness->meter, &result->integrated_lufs);
    if (failure) return failure;
    return ebur128_loudness_range(loudness->meter, &result->range_lu);
}

int kodama_loudness_read(struct kodama_loudness *loudness, struct kodama_clip_loudness *result)
{
    const struct kodama_clip_loudness silence = {
        .integrated_lufs = -INFINITY,
        .true_peak_db = -INFINITY,
    };
    if (result) *result = silence;
    if (!loudness || !result) return KODAMA_ERR_ARGUMENT;
    if (!loudness->failed && read_all(loudness, result) == EBUR128_SUCCESS) return KODAMA_OK;
    *result = silence;
    return KODAMA_ERR_MEMORY;
}
