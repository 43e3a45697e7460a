/*
 * Sample conversion: plain loops without branches, which compilers turn into vector code
 * (all but packed s24, whose three bytes no baseline instruction set can shuffle: 0.8 ns a sample).
 *
 * Rounding is done by adding and subtracting 1.5 * 2^mantissa: the sum has no room for a fraction,
 * so the addition itself rounds to nearest, ties to even, on every machine and without a call.
 */
#include "audio/convert.h"

#include <stdbool.h>
#include <string.h>

/* gcc vectorises loops of unknown length only from -O3 on, clang from -O2 on. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "samples are read as they lie in memory: this file needs a little-endian machine"
#endif

#define ROUND_F32 12582912.0f        /* 1.5 * 2^23: right for |x| <= 2^22 */
#define ROUND_F64 6755399441055744.0 /* 1.5 * 2^52: right for |x| <= 2^51 */

enum { MIX_FRAMES = 256 };

static void u8_to_float(const uint8_t *restrict in, float *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = (float)((int)in[i] - 128) * (1.0f / 128);
}

static void s16_to_float(const uint8_t *restrict in, float *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int16_t value;
        memcpy(&value, in + 2 * i, sizeof value);
        out[i] = (float)value * (1.0f / 32768);
    }
}

static void s24_to_float(const uint8_t *restrict in, float *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        /* In the upper three bytes, so that the sign is where it belongs. */
        uint32_t bits = (uint32_t)in[3 * i] << 8 | (uint32_t)in[3 * i + 1] << 16 |
                        (uint32_t)in[3 * i + 2] << 24;
        out[i] = (float)(int32_t)bits * (1.0f / 2147483648.0f);
    }
}

static void s32_to_float(const uint8_t *restrict in, float *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t value;
        memcpy(&value, in + 4 * i, sizeof value);
        out[i] = (float)value * (1.0f / 2147483648.0f);
    }
}

void convert_to_float(enum kodama_sample sample, const void *in, float *out, size_t n_samples)
{
    switch (sample) {
    case KODAMA_SAMPLE_U8: u8_to_float(in, out, n_samples); break;
    case KODAMA_SAMPLE_S16: s16_to_float(in, out, n_samples); break;
    case KODAMA_SAMPLE_S24: s24_to_float(in, out, n_samples); break;
    case KODAMA_SAMPLE_S32: s32_to_float(in, out, n_samples); break;
    case KODAMA_SAMPLE_F32:
        if (n_samples > 0) memcpy(out, in, n_samples * sizeof *out);
        break;
    }
}

/* Scale, clip to [low, high] and round a float; NaN becomes 0. For |low|, |high| <= 2^22. */
static inline int32_t quantise(float value, float scale, float low, float high)
{
    float scaled = value == value ? value * scale : 0.0f;
    scaled = scaled > high ? high : scaled;
    scaled = scaled < low ? low : scaled;
    return (int32_t)((scaled + ROUND_F32) - ROUND_F32);
}

/* The same for wider integers: a float's mantissa cannot hold their limits. */
static inline int32_t quantise_wide(float value, double scale, double low, double high)
{
    double scaled = value == value ? (double)value * scale : 0.0;
    scaled = scaled > high ? high : scaled;
    scaled = scaled < low ? low : scaled;
    return (int32_t)((scaled + ROUND_F64) - ROUND_F64);
}

static void float_to_u8(const float *restrict in, uint8_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)(quantise(in[i], 128.0f, -128.0f, 127.0f) + 128);
    }
}

static void float_to_s16(const float *restrict in, uint8_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int16_t value = (int16_t)quantise(in[i], 32768.0f, -32768.0f, 32767.0f);
        memcpy(out + 2 * i, &value, sizeof value);
    }
}

static void float_to_s24(const float *restrict in, uint8_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)quantise_wide(in[i], 8388608.0, -8388608.0, 8388607.0);
        out[3 * i] = (uint8_t)bits;
        out[3 * i + 1] = (uint8_t)(bits >> 8);
        out[3 * i + 2] = (uint8_t)(bits >> 16);
    }
}

static void float_to_s32(const float *restrict in, uint8_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t value = quantise_wide(in[i], 2147483648.0, -2147483648.0, 2147483647.0);
        memcpy(out + 4 * i, &value, sizeof value);
    }
}

/* Floats are not clipped. */
static void float_to_float(const float *restrict in, uint8_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float value = in[i] == in[i] ? in[i] : 0.0f;
        memcpy(out + 4 * i, &value, sizeof value);
    }
}

void convert_from_float(enum kodama_sample sample, const float *in, void *out, size_t n_samples)
{
    switch (sample) {
    case KODAMA_SAMPLE_U8: float_to_u8(in, out, n_samples); break;
    case KODAMA_SAMPLE_S16: float_to_s16(in, out, n_samples); break;
    case KODAMA_SAMPLE_S24: float_to_s24(in, out, n_samples); break;
    case KODAMA_SAMPLE_S32: float_to_s32(in, out, n_samples); break;
    case KODAMA_SAMPLE_F32: float_to_float(in, out, n_samples); break;
    }
}

void convert_silence(enum kodama_sample sample, void *out, size_t n_samples)
{
    if (n_samples == 0) return;
    memset(out, sample == KODAMA_SAMPLE_U8 ? 0x80 : 0, n_samples * kodama_sample_bytes(sample));
}

/* Channel that is the LFE, -1 for none. Without a mask 6, 7 and 8 channels are 5.1, 6.1 and 7.1,
 * where it is the fourth. */
static int lfe_channel(struct kodama_format format)
{
    if (format.channels < 2) return -1;
    if (format.channel_mask == 0) return format.channels >= 6 ? 3 : -1;
    if (!(format.channel_mask & KODAMA_CHANNEL_LFE)) return -1;
    int index = 0;
    for (uint32_t bit = 1; bit < KODAMA_CHANNEL_LFE; bit <<= 1) {
        if (format.channel_mask & bit) index++;
    }
    return index;
}

static void mix_stereo(const float *restrict in, float *restrict out, size_t n_frames)
{
    for (size_t i = 0; i < n_frames; i++) out[i] = (in[2 * i] + in[2 * i + 1]) * 0.5f;
}

static void mix_any(const float *restrict in, float *restrict out, size_t n_frames, size_t channels,
                    int lfe)
{
    for (size_t i = 0; i < n_frames; i++) out[i] = 0.0f;
    for (size_t c = 0; c < channels; c++) {
        if ((int)c == lfe) continue;
        for (size_t i = 0; i < n_frames; i++) out[i] += in[i * channels + c];
    }
    float n = (float)(lfe < 0 ? channels : channels - 1);
    for (size_t i = 0; i < n_frames; i++) out[i] /= n;
}

/* One number that is not finite would stay in every filter and mean behind for ever. */
static void silence_what_is_not_finite(float *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) samples[i] = samples[i] - samples[i] == 0.0f ? samples[i] : 0.0f;
}

void convert_to_mono(struct kodama_format format, const void *in, float *out, size_t n_frames)
{
    if (format.channels == 1) {
        convert_to_float(format.sample, in, out, n_frames);
        if (format.sample == KODAMA_SAMPLE_F32) silence_what_is_not_finite(out, n_frames);
        return;
    }
    const uint8_t *bytes = in;
    size_t frame_bytes = kodama_frame_bytes(format);
    if (frame_bytes == 0) return;
    int lfe = lfe_channel(format);
    float block[MIX_FRAMES * KODAMA_CHANNELS_MAX];
    for (size_t done = 0; done < n_frames;) {
        size_t n = n_frames - done < MIX_FRAMES ? n_frames - done : MIX_FRAMES;
        convert_to_float(format.sample, bytes + done * frame_bytes, block, n * format.channels);
        if (format.sample == KODAMA_SAMPLE_F32) {
            silence_what_is_not_finite(block, n * format.channels);
        }
        if (format.channels == 2 && lfe < 0) {
            mix_stereo(block, out + done, n);
        } else {
            mix_any(block, out + done, n, format.channels, lfe);
        }
        done += n;
    }
}
