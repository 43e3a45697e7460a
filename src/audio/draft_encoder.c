/* What a draft is encoded with: libsndfile, given floats. */
#include "audio/draft_encoder.h"

#include <stdio.h>

#include "audio/clip.h"
#include "audio/convert.h"
#include "base/error.h"

bool clip_needs_rf64(uint64_t n_bytes)
{
    return n_bytes > UINT32_MAX - 4096; /* room for the chunks before the samples */
}

static int subtype_of(enum kodama_sample sample)
{
    switch (sample) {
    case KODAMA_SAMPLE_S24: return SF_FORMAT_PCM_24;
    case KODAMA_SAMPLE_S32: return SF_FORMAT_PCM_32;
    case KODAMA_SAMPLE_F32: return SF_FORMAT_FLOAT;
    case KODAMA_SAMPLE_U8:
    case KODAMA_SAMPLE_S16: break;
    }
    return SF_FORMAT_PCM_16;
}

/* The format, and how many bytes of samples its header can count. */
static int native_format(struct draft_encoder *encoder, uint64_t n_frames)
{
    const struct clip_file_type *type = encoder->type;
    encoder->n_bytes_most = UINT64_MAX;
    if (type->subtype) return type->major | type->subtype;
    int major = type->major;
    if (type->type == KODAMA_FILE_WAV) {
        uint64_t frame_bytes = encoder->format.channels * kodama_sample_bytes(encoder->sample);
        if (n_frames > UINT64_MAX / frame_bytes || clip_needs_rf64(n_frames * frame_bytes)) {
            major = SF_FORMAT_RF64;
        } else {
            encoder->n_bytes_most = UINT32_MAX - 4096;
            if (encoder->format.channels > 2 || encoder->format.channel_mask != 0)
                major = SF_FORMAT_WAVEX; /* has a channel mask */
        }
    }
    return major | subtype_of(encoder->sample);
}

/* Write where the channels sit. Types that cannot say it refuse, and lose nothing by it. */
static void write_channel_map(SNDFILE *native, struct kodama_format format)
{
    static const struct {
        uint32_t speaker;
        int place;
    } places[] = {
        {KODAMA_CHANNEL_FL, SF_CHANNEL_MAP_LEFT},
        {KODAMA_CHANNEL_FR, SF_CHANNEL_MAP_RIGHT},
        {KODAMA_CHANNEL_FC, SF_CHANNEL_MAP_CENTER},
        {KODAMA_CHANNEL_LFE, SF_CHANNEL_MAP_LFE},
        {KODAMA_CHANNEL_BL, SF_CHANNEL_MAP_REAR_LEFT},
        {KODAMA_CHANNEL_BR, SF_CHANNEL_MAP_REAR_RIGHT},
        {KODAMA_CHANNEL_BC, SF_CHANNEL_MAP_REAR_CENTER},
        {KODAMA_CHANNEL_SL, SF_CHANNEL_MAP_SIDE_LEFT},
        {KODAMA_CHANNEL_SR, SF_CHANNEL_MAP_SIDE_RIGHT},
    };
    int map[KODAMA_CHANNELS_MAX] = {0};
    const struct kodama_clip places_of = {.format = format};
    uint32_t mask = clip_channel_mask(&places_of);
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (mask & places[i].speaker && n < format.channels) map[n++] = places[i].place;
    }
    if (n == format.channels) {
        sf_command(native, SFC_SET_CHANNEL_MAP_INFO, map, (int)(n * sizeof map[0]));
    }
}

/* Samples as libsndfile takes them: 24 bits come in the upper three bytes of an int. */
static sf_count_t write_block(SNDFILE *native, enum kodama_sample sample, const float *in,
                              sf_count_t n_frames, size_t n_samples, int32_t *block)
{
    if (sample == KODAMA_SAMPLE_F32) return sf_writef_float(native, in, n_frames);
    convert_from_float(sample, in, block, n_samples);
    if (sample == KODAMA_SAMPLE_S16) return sf_writef_short(native, (void *)block, n_frames);
    if (sample == KODAMA_SAMPLE_S24) {
        const uint8_t *bytes = (const uint8_t *)block;
        for (size_t i = n_samples; i-- > 0;) { /* backwards: in place, three bytes become four */
            const uint8_t *b = bytes + 3 * i;
            uint32_t bits = (uint32_t)b[0] << 8 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 24;
            block[i] = (int32_t)bits;
        }
    }
    return sf_writef_int(native, block, n_frames);
}

int draft_encoder_open(struct draft_encoder *encoder, double quality, uint64_t n_frames,
                       struct kodama_error *error)
{
    struct draft_file *file = encoder->file;
    SF_VIRTUAL_IO io = draft_file_io();
    SF_INFO info = {
        .samplerate = (int)encoder->format.rate_hz,
        .channels = (int)encoder->format.channels,
        .format = native_format(encoder, n_frames),
    };
    encoder->native = sf_open_virtual(&io, SFM_WRITE, &info, file);
    if (!encoder->native) {
        if (file->failure) return draft_file_error(file, "write", file->failure, error);
        int status = kodama_file_check(encoder->type->type, error);
        if (status < 0) return error_prefix(error, status, "cannot save %s", file->shown);
        return error_set(error, KODAMA_ERR_FORMAT, "cannot save %s as %s: %s", file->shown,
                         encoder->type->name, sf_strerror(NULL));
    }
    /* The PEAK chunk has the time of day in it: the same sound would give another file each time.
     */
    sf_command(encoder->native, SFC_SET_ADD_PEAK_CHUNK, NULL, SF_FALSE);
    /* What turns out to be short becomes a plain WAV at the end. */
    if (n_frames == UINT64_MAX) sf_command(encoder->native, SFC_RF64_AUTO_DOWNGRADE, NULL, SF_TRUE);
    if (!encoder->type->lossy) write_channel_map(encoder->native, encoder->format);
    if (quality > 0.0) {
        sf_command(encoder->native, SFC_SET_VBR_ENCODING_QUALITY, &quality, (int)sizeof quality);
    }
    return KODAMA_OK;
}

static int complain_of(const struct draft_encoder *encoder, const char *words,
                       struct kodama_error *error)
{
    const struct draft_file *file = encoder->file;
    if (file->failure) return draft_file_error(file, "write", file->failure, error);
    return error_set(error, KODAMA_ERR_IO, "cannot write %s: %s", file->shown, words);
}

int draft_encoder_write(struct draft_encoder *encoder, const float *frames, size_t n_frames,
                        struct kodama_error *error)
{
    uint32_t channels = encoder->format.channels;
    uint64_t frame_bytes = channels * kodama_sample_bytes(encoder->sample);
    if (encoder->n_frames + n_frames > encoder->n_bytes_most / frame_bytes) {
        return error_set(error, KODAMA_ERR_LIMIT,
                         "cannot write %s: it is longer than was said, and its header cannot count "
                         "more than 4 GiB",
                         encoder->file->shown);
    }
    sf_count_t n = (sf_count_t)n_frames;
    sf_count_t written = write_block(encoder->native, encoder->sample, frames, n,
                                     n_frames * channels, encoder->block);
    encoder->n_frames += n_frames;
    if (written == n && !encoder->file->failure) return KODAMA_OK;
    /* Some encoders set numbers that sf_error_number() does not know, and then it prints. */
    int number = written == n ? 0 : sf_error(encoder->native);
    return complain_of(encoder, number > 0 ? sf_error_number(number) : "the encoder failed", error);
}

int draft_encoder_close(struct draft_encoder *encoder, struct kodama_error *error)
{
    if (!encoder->native) return KODAMA_OK;
    bool closed = sf_close(encoder->native) == 0;
    encoder->native = NULL;
    if (closed && !encoder->file->failure) return KODAMA_OK;
    return complain_of(encoder, "the encoder failed", error);
}
