/* What a frame is made of: sample type, rate, channels and where they sit. */
#ifndef KODAMA_FORMAT_H
#define KODAMA_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/status.h>

/** Sample types, little-endian, interleaved. Full scale of the integer types is 1.0 in float. */
enum kodama_sample {
    KODAMA_SAMPLE_U8 = 1, /**< unsigned 8 bit, silence is 128 */
    KODAMA_SAMPLE_S16,    /**< signed 16 bit */
    KODAMA_SAMPLE_S24,    /**< signed 24 bit, packed in 3 bytes */
    KODAMA_SAMPLE_S32,    /**< signed 32 bit */
    KODAMA_SAMPLE_F32,    /**< 32-bit float, nominal range -1..1 */
};

enum {
    KODAMA_RATE_MIN_HZ = 8000,
    KODAMA_RATE_MAX_HZ = 192000,
    KODAMA_CHANNELS_MAX = 8,
};

/** Speaker positions, the bits of WAVEFORMATEXTENSIBLE's dwChannelMask. */
enum kodama_channel {
    KODAMA_CHANNEL_FL = 0x1,
    KODAMA_CHANNEL_FR = 0x2,
    KODAMA_CHANNEL_FC = 0x4,
    KODAMA_CHANNEL_LFE = 0x8,
    KODAMA_CHANNEL_BL = 0x10,
    KODAMA_CHANNEL_BR = 0x20,
    KODAMA_CHANNEL_BC = 0x100,
    KODAMA_CHANNEL_SL = 0x200,
    KODAMA_CHANNEL_SR = 0x400,
};

/** An audio format; passed by value or by borrowed pointer. */
struct kodama_format {
    enum kodama_sample sample; /**< sample type */
    uint32_t rate_hz;          /**< frames per second, 8000..192000 */
    uint32_t channels;         /**< samples per frame, 1..8 */
    uint32_t channel_mask; /**< bits of enum kodama_channel in frame order; 0 = the usual layout for
                              `channels` */
};

/** Bytes of one sample; 0 for a value that is no sample type. Thread: any. Real-time safe: yes. */
static inline size_t kodama_sample_bytes(enum kodama_sample sample)
{
    switch (sample) {
    case KODAMA_SAMPLE_U8: return 1;
    case KODAMA_SAMPLE_S16: return 2;
    case KODAMA_SAMPLE_S24: return 3;
    case KODAMA_SAMPLE_S32: return 4;
    case KODAMA_SAMPLE_F32: return 4;
    }
    return 0;
}

/** Bytes of one frame: sample bytes times channels; 0 for a format that is not valid. Thread: any.
 * Real-time safe: yes. */
static inline size_t kodama_frame_bytes(struct kodama_format format)
{
    if (format.channels < 1 || format.channels > KODAMA_CHANNELS_MAX) return 0;
    return kodama_sample_bytes(format.sample) * format.channels;
}

/**
 * Check that a format is one the library works with.
 *
 * @param format      the format
 * @param[out] error  may be NULL; says which field is wrong and what is allowed
 * @return KODAMA_OK or KODAMA_ERR_FORMAT
 *
 * Thread: any. Real-time safe: no (formats a message).
 */
KODAMA_API int kodama_format_check(struct kodama_format format, struct kodama_error *error);

/**
 * Name a sample type.
 *
 * @return "u8", "s16", "s24", "s32", "f32", or "?" for a value that is none
 *
 * Thread: any. Real-time safe: yes.
 */
KODAMA_API const char *kodama_sample_name(enum kodama_sample sample);

/**
 * Read a format from text, as on the command line: SAMPLE[:RATE[:CHANNELS]], for example
 * "s16:16000:1". Sample names may end in "le". What is left out keeps the value it has in *format.
 *
 * @param text             NUL-terminated (borrowed)
 * @param[in,out] format   defaults in, result out; unchanged on error
 * @param[out] error       may be NULL
 * @return KODAMA_OK or KODAMA_ERR_FORMAT
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_format_parse(const char *text, struct kodama_format *format,
                                   struct kodama_error *error);

/**
 * Write a format for a person, for example "s16, 48000 Hz, 2 channels".
 *
 * @param format     any format, also an invalid one
 * @param[out] text  NUL-terminated, cut to `n_bytes`
 * @param n_bytes    room in `text`; 64 is always enough
 * @return text
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API char *kodama_format_text(struct kodama_format format, char *text, size_t n_bytes);

#endif
