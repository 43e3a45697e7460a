/* Formats: checking them, and reading and writing them as text. */
#include <kodama/format.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

static const enum kodama_sample samples[] = {KODAMA_SAMPLE_U8, KODAMA_SAMPLE_S16, KODAMA_SAMPLE_S24,
                                             KODAMA_SAMPLE_S32, KODAMA_SAMPLE_F32};

static unsigned count_bits(uint32_t bits)
{
    unsigned n = 0;
    for (; bits; bits &= bits - 1) n++;
    return n;
}

int kodama_format_check(struct kodama_format format, struct kodama_error *error)
{
    if (kodama_sample_bytes(format.sample) == 0) {
        return error_set(error, KODAMA_ERR_FORMAT,
                         "unknown sample type %d: allowed are u8, s16, s24, s32 and f32",
                         (int)format.sample);
    }
    if (format.rate_hz < KODAMA_RATE_MIN_HZ || format.rate_hz > KODAMA_RATE_MAX_HZ) {
        return error_set(error, KODAMA_ERR_FORMAT,
                         "a rate of %lu Hz is not supported: allowed are %d to %d Hz",
                         (unsigned long)format.rate_hz, KODAMA_RATE_MIN_HZ, KODAMA_RATE_MAX_HZ);
    }
    if (format.channels < 1 || format.channels > KODAMA_CHANNELS_MAX) {
        return error_set(error, KODAMA_ERR_FORMAT,
                         "%lu channels are not supported: allowed are 1 to %d",
                         (unsigned long)format.channels, KODAMA_CHANNELS_MAX);
    }
    if (format.channel_mask != 0 && count_bits(format.channel_mask) != format.channels) {
        return error_set(error, KODAMA_ERR_FORMAT,
                         "the channel mask 0x%lx names %u speakers for %lu channels: give one bit "
                         "for each channel, or 0",
                         (unsigned long)format.channel_mask, count_bits(format.channel_mask),
                         (unsigned long)format.channels);
    }
    return KODAMA_OK;
}

const char *kodama_sample_name(enum kodama_sample sample)
{
    switch (sample) {
    case KODAMA_SAMPLE_U8: return "u8";
    case KODAMA_SAMPLE_S16: return "s16";
    case KODAMA_SAMPLE_S24: return "s24";
    case KODAMA_SAMPLE_S32: return "s32";
    case KODAMA_SAMPLE_F32: return "f32";
    }
    return "?";
}

/* The field that ends at the next colon or at the end of the text. */
static size_t field_bytes(const char *text)
{
    return strcspn(text, ":");
}

static bool parse_sample(const char *text, size_t n_bytes, enum kodama_sample *sample)
{
    if (n_bytes == 0) return true;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const char *name = kodama_sample_name(samples[i]);
        size_t n = strlen(name);
        bool plain = n_bytes == n;
        bool with_order = n_bytes == n + 2 && strncmp(text + n, "le", 2) == 0;
        if ((plain || with_order) && strncmp(text, name, n) == 0) {
            *sample = samples[i];
            return true;
        }
    }
    return false;
}

/* Digits only: strtoul would take signs, spaces and hexadecimal. */
static bool parse_number(const char *text, size_t n_bytes, uint32_t *number)
{
    if (n_bytes == 0) return true;
    uint32_t value = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        if (text[i] < '0' || text[i] > '9' || value > 100000000) return false;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    *number = value;
    return true;
}

int kodama_format_parse(const char *text, struct kodama_format *format, struct kodama_error *error)
{
    if (!text || !format) return error_set(error, KODAMA_ERR_FORMAT, "no format was given");
    struct kodama_format result = *format;
    const char *field = text;
    for (int i = 0; i < 3; i++) {
        size_t n_bytes = field_bytes(field);
        bool good = i == 0   ? parse_sample(field, n_bytes, &result.sample)
                    : i == 1 ? parse_number(field, n_bytes, &result.rate_hz)
                             : parse_number(field, n_bytes, &result.channels);
        if (!good) break;
        field += n_bytes;
        if (*field == '\0') {
            /* A mask that was meant for another number of channels means nothing now. */
            if (result.channels != format->channels) result.channel_mask = 0;
            int status = kodama_format_check(result, error);
            if (status < 0) return error_prefix(error, status, "format \"%s\"", text);
            *format = result;
            return KODAMA_OK;
        }
        field++;
    }
    return error_set(error, KODAMA_ERR_FORMAT,
                     "format \"%s\" cannot be read: write SAMPLE[:RATE[:CHANNELS]] with u8, s16, "
                     "s24, s32 or f32, for example s16:16000:1",
                     text);
}

char *kodama_format_text(struct kodama_format format, char *text, size_t n_bytes)
{
    if (n_bytes == 0) return text;
    snprintf(text, n_bytes, "%s, %lu Hz, %lu channel%s", kodama_sample_name(format.sample),
             (unsigned long)format.rate_hz, (unsigned long)format.channels,
             format.channels == 1 ? "" : "s");
    return text;
}
