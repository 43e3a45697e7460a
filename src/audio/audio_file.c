/* Reading audio files in their native format (libsndfile). */
#include "audio/audio_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sndfile.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/wav.h"
#include "base/error.h"
#include "base/memory.h"

enum { SCRATCH_FRAMES = 1024 };

struct audio_file {
    SNDFILE *native;
    struct kodama_format format;
    int64_t length;   /* frames, -1 not known */
    int64_t position; /* frames delivered */
    char *path;
    int *scratch; /* [SCRATCH_FRAMES][channels]: u8 and s24 come out of libsndfile as wider types */
    bool reorder; /* the channels do not lie in the order of the mask's bits */
    uint8_t order[KODAMA_CHANNELS_MAX]; /* with reorder: channel c is the file's channel order[c] */
};

/* The type in which nothing is lost: as stored, or f32 for what a codec computes. */
static enum kodama_sample native_sample(int format)
{
    switch (format & SF_FORMAT_SUBMASK) {
    case SF_FORMAT_PCM_U8: return KODAMA_SAMPLE_U8;
    case SF_FORMAT_PCM_S8:
    case SF_FORMAT_PCM_16:
    case SF_FORMAT_ULAW:
    case SF_FORMAT_ALAW:
    case SF_FORMAT_IMA_ADPCM:
    case SF_FORMAT_MS_ADPCM:
    case SF_FORMAT_GSM610:
    case SF_FORMAT_G721_32:
    case SF_FORMAT_ALAC_16:
    case SF_FORMAT_DPCM_8:
    case SF_FORMAT_DPCM_16:
    case SF_FORMAT_DWVW_12:
    case SF_FORMAT_DWVW_16: return KODAMA_SAMPLE_S16;
    case SF_FORMAT_PCM_24:
    case SF_FORMAT_ALAC_20:
    case SF_FORMAT_ALAC_24:
    case SF_FORMAT_DWVW_24: return KODAMA_SAMPLE_S24;
    case SF_FORMAT_PCM_32:
    case SF_FORMAT_ALAC_32: return KODAMA_SAMPLE_S32;
    default: return KODAMA_SAMPLE_F32;
    }
}

static uint32_t speaker_of(int place)
{
    switch (place) {
    case SF_CHANNEL_MAP_LEFT:
    case SF_CHANNEL_MAP_FRONT_LEFT: return KODAMA_CHANNEL_FL;
    case SF_CHANNEL_MAP_RIGHT:
    case SF_CHANNEL_MAP_FRONT_RIGHT: return KODAMA_CHANNEL_FR;
    case SF_CHANNEL_MAP_CENTER:
    case SF_CHANNEL_MAP_FRONT_CENTER: return KODAMA_CHANNEL_FC;
    case SF_CHANNEL_MAP_LFE: return KODAMA_CHANNEL_LFE;
    case SF_CHANNEL_MAP_REAR_LEFT: return KODAMA_CHANNEL_BL;
    case SF_CHANNEL_MAP_REAR_RIGHT: return KODAMA_CHANNEL_BR;
    case SF_CHANNEL_MAP_REAR_CENTER: return KODAMA_CHANNEL_BC;
    case SF_CHANNEL_MAP_SIDE_LEFT: return KODAMA_CHANNEL_SL;
    case SF_CHANNEL_MAP_SIDE_RIGHT: return KODAMA_CHANNEL_SR;
    default: return 0;
    }
}

/* Order of a Vorbis stream's channels (Vorbis I specification, 4.3.9); libsndfile does not tell. */
static const uint16_t vorbis_order[KODAMA_CHANNELS_MAX + 1][KODAMA_CHANNELS_MAX] = {
#define FL KODAMA_CHANNEL_FL
#define FR KODAMA_CHANNEL_FR
#define FC KODAMA_CHANNEL_FC
#define LFE KODAMA_CHANNEL_LFE
#define BL KODAMA_CHANNEL_BL
#define BR KODAMA_CHANNEL_BR
#define BC KODAMA_CHANNEL_BC
#define SL KODAMA_CHANNEL_SL
#define SR KODAMA_CHANNEL_SR
    [2] = {FL, FR},
    [3] = {FL, FC, FR},
    [4] = {FL, FR, BL, BR},
    [5] = {FL, FC, FR, BL, BR},
    [6] = {FL, FC, FR, BL, BR, LFE},
    [7] = {FL, FC, FR, SL, SR, BC, LFE},
    [8] = {FL, FC, FR, SL, SR, BL, BR, LFE},
};

/* Which speaker each channel of the file is; 0 where nobody knows. */
static void read_speakers(struct audio_file *file, int native_format,
                          uint32_t speakers[KODAMA_CHANNELS_MAX])
{
    int places[KODAMA_CHANNELS_MAX];
    uint32_t channels = file->format.channels;
    bool known = sf_command(file->native, SFC_GET_CHANNEL_MAP_INFO, places,
                            (int)(channels * sizeof places[0])) == SF_TRUE;
    bool vorbis = (native_format & SF_FORMAT_SUBMASK) == SF_FORMAT_VORBIS;
    for (uint32_t c = 0; c < channels; c++) {
        speakers[c] = known ? speaker_of(places[c]) : vorbis ? vorbis_order[channels][c] : 0;
    }
}

/* Bring the channels into the order of the mask's bits (Vorbis has the LFE last, WAV has it
 * fourth). A map that is not complete leaves everything as it lies. */
static void read_channel_map(struct audio_file *file, int native_format)
{
    uint32_t speakers[KODAMA_CHANNELS_MAX], channels = file->format.channels, mask = 0;
    if (channels < 2) return;
    read_speakers(file, native_format, speakers);
    for (uint32_t c = 0; c < channels; c++) {
        if (speakers[c] == 0 || (mask & speakers[c])) return;
        mask |= speakers[c];
    }
    for (uint32_t c = 0; c < channels; c++) {
        uint32_t place = 0;
        for (uint32_t bit = 1; bit < speakers[c]; bit <<= 1) place += (mask & bit) != 0;
        file->order[place] = (uint8_t)c;
        if (place != c) file->reorder = true;
    }
    file->format.channel_mask = mask;
}

static int open_descriptor(const char *path, int *descriptor, struct kodama_error *error)
{
    char words[100];
    *descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (*descriptor < 0) {
        int status = errno == ENOENT || errno == ENOTDIR ? KODAMA_ERR_NOT_FOUND
                     : errno == EACCES                   ? KODAMA_ERR_PERMISSION
                                                         : KODAMA_ERR_IO;
        return error_set(error, status, "cannot open %s: %s", path,
                         error_errno(errno, words, sizeof words));
    }
    struct stat about;
    int status = KODAMA_OK;
    if (fstat(*descriptor, &about) != 0) {
        status = error_set(error, KODAMA_ERR_IO, "cannot open %s: %s", path,
                           error_errno(errno, words, sizeof words));
    } else if (S_ISDIR(about.st_mode)) {
        status = error_set(error, KODAMA_ERR_FORMAT,
                           "%s is a directory: give the audio files in it by name", path);
    } else if (S_ISREG(about.st_mode) && about.st_size == 0) {
        status = error_set(error, KODAMA_ERR_CORRUPT, "%s is empty: there is no audio in it", path);
    }
    if (status < 0) close(*descriptor);
    return status;
}

static int64_t read_descriptor(void *user, void *bytes, size_t n_bytes, struct kodama_error *error)
{
    const int *descriptor = user;
    size_t done = 0;
    while (done < n_bytes) {
        ssize_t n = read(*descriptor, (uint8_t *)bytes + done, n_bytes - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_set(error, KODAMA_ERR_IO, "reading failed");
        if (n == 0) break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

/* Frames that a WAV file should have by its header: libsndfile quietly believes the file's size
 * instead, so that a recording that was cut off would look whole. -1 when nothing is to be said,
 * KODAMA_ERR_CORRUPT when even the header is cut. */
static int64_t promised_frames(int descriptor)
{
    struct stat about;
    struct wav_header header;
    if (fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode)) return -1;
    int status = wav_read_header(read_descriptor, &descriptor, &header, NULL);
    if (lseek(descriptor, 0, SEEK_SET) != 0) return -1;
    if (status == KODAMA_ERR_CORRUPT) return status;
    return status == KODAMA_OK ? header.n_frames : -1;
}

/* libsndfile's own words end in a period or newline; ours go on. */
static int open_native(struct audio_file *file, int descriptor, SF_INFO *info,
                       struct kodama_error *error)
{
    file->native = sf_open_fd(descriptor, SFM_READ, info, SF_TRUE);
    if (file->native) return KODAMA_OK;
    int number = sf_error(NULL);
    char words[200];
    size_t n = 0;
    for (const char *c = sf_error_number(number); *c && n < sizeof words - 1; c++) words[n++] = *c;
    while (n > 0 && (words[n - 1] == '.' || words[n - 1] == '\n' || words[n - 1] == ' ')) n--;
    words[n] = '\0';
    if (number == SF_ERR_MALFORMED_FILE) {
        return error_set(error, KODAMA_ERR_CORRUPT,
                         "%s is damaged or cut off in its header (%s): save or fetch it again",
                         file->path, words);
    }
    return error_set(error, KODAMA_ERR_FORMAT,
                     "%s is not an audio file that can be read (%s): WAV, FLAC, Ogg, Opus, MP3 and "
                     "AIFF can",
                     file->path, words);
}

static int describe(struct audio_file *file, const SF_INFO *info, int64_t promised,
                    struct kodama_error *error)
{
    file->length = info->frames >= 0 && info->frames < SF_COUNT_MAX ? info->frames : -1;
    if (promised == KODAMA_ERR_CORRUPT && file->length <= 0) {
        return error_set(error, KODAMA_ERR_CORRUPT,
                         "%s is cut off in its header: save or fetch it again", file->path);
    }
    if (promised > file->length) file->length = promised;
    file->format.sample = native_sample(info->format);
    file->format.rate_hz = info->samplerate > 0 ? (uint32_t)info->samplerate : 0;
    file->format.channels = info->channels > 0 ? (uint32_t)info->channels : 0;
    int status = kodama_format_check(file->format, error);
    if (status < 0) return error_prefix(error, status, "%s", file->path);
    read_channel_map(file, info->format);
    file->scratch = memory_array((size_t)SCRATCH_FRAMES * file->format.channels, sizeof(int));
    if (!file->scratch) return error_set(error, KODAMA_ERR_MEMORY, "no memory for %s", file->path);
    return KODAMA_OK;
}

int audio_file_open(struct audio_file **file, const char *path, struct kodama_error *error)
{
    *file = NULL;
    int descriptor;
    int status = open_descriptor(path, &descriptor, error);
    if (status < 0) return status;
    struct audio_file *opened = memory_array(1, sizeof *opened);
    if (opened) opened->path = memory_text(path);
    if (!opened || !opened->path) {
        close(descriptor);
        audio_file_close(opened);
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for %s", path);
    }
    SF_INFO info = {0};
    int64_t promised = promised_frames(descriptor);
    status = open_native(opened, descriptor, &info, error);
    if (status == KODAMA_OK) status = describe(opened, &info, promised, error);
    if (status < 0) {
        audio_file_close(opened);
        return status;
    }
    *file = opened;
    return KODAMA_OK;
}

void audio_file_close(struct audio_file *file)
{
    if (!file) return;
    if (file->native) sf_close(file->native);
    free(file->scratch);
    free(file->path);
    free(file);
}

struct kodama_format audio_file_format(const struct audio_file *file)
{
    return file->format;
}

int64_t audio_file_length(const struct audio_file *file)
{
    return file->length;
}

static sf_count_t read_s24(struct audio_file *file, uint8_t *out, sf_count_t n_frames)
{
    sf_count_t n = sf_readf_int(file->native, file->scratch, n_frames);
    for (sf_count_t i = 0; i < n * (sf_count_t)file->format.channels; i++) {
        uint32_t bits = (uint32_t)file->scratch[i]; /* the sample in the upper three bytes */
        out[3 * i] = (uint8_t)(bits >> 8);
        out[3 * i + 1] = (uint8_t)(bits >> 16);
        out[3 * i + 2] = (uint8_t)(bits >> 24);
    }
    return n;
}

static sf_count_t read_u8(struct audio_file *file, uint8_t *out, sf_count_t n_frames)
{
    short *scratch = (short *)file->scratch; /* malloc'd: any type may live there */
    sf_count_t n = sf_readf_short(file->native, scratch, n_frames);
    for (sf_count_t i = 0; i < n * (sf_count_t)file->format.channels; i++) {
        out[i] = (uint8_t)((scratch[i] >> 8) + 128);
    }
    return n;
}

static sf_count_t read_block(struct audio_file *file, uint8_t *out, sf_count_t n_frames)
{
    switch (file->format.sample) {
    case KODAMA_SAMPLE_U8: return read_u8(file, out, n_frames);
    case KODAMA_SAMPLE_S16: return sf_readf_short(file->native, (void *)out, n_frames);
    case KODAMA_SAMPLE_S24: return read_s24(file, out, n_frames);
    case KODAMA_SAMPLE_S32: return sf_readf_int(file->native, (void *)out, n_frames);
    case KODAMA_SAMPLE_F32: return sf_readf_float(file->native, (void *)out, n_frames);
    }
    return 0;
}

static void reorder(const struct audio_file *file, uint8_t *frames, size_t n_frames)
{
    size_t bytes = kodama_sample_bytes(file->format.sample);
    size_t channels = file->format.channels;
    uint8_t frame[KODAMA_CHANNELS_MAX * 4];
    for (size_t i = 0; i < n_frames; i++, frames += channels * bytes) {
        memcpy(frame, frames, channels * bytes);
        for (size_t c = 0; c < channels; c++) {
            memcpy(frames + c * bytes, frame + file->order[c] * bytes, bytes);
        }
    }
}

/* Nothing more came: was that the end? */
static int64_t end_of_file(struct audio_file *file, struct kodama_error *error)
{
    int number = sf_error(file->native);
    if (number == SF_ERR_SYSTEM) {
        return error_set(error, KODAMA_ERR_IO, "%s: reading failed after %lld frames", file->path,
                         (long long)file->position);
    }
    if (number != SF_ERR_NO_ERROR) {
        return error_set(error, KODAMA_ERR_CORRUPT, "%s is damaged after %lld frames: %s",
                         file->path, (long long)file->position, sf_error_number(number));
    }
    if (file->length > file->position) {
        return error_set(error, KODAMA_ERR_CORRUPT,
                         "%s ends after %lld of %lld frames: the file is cut off", file->path,
                         (long long)file->position, (long long)file->length);
    }
    return 0;
}

int64_t audio_file_read(struct audio_file *file, void *frames, size_t max_frames,
                        struct kodama_error *error)
{
    size_t frame_bytes = kodama_frame_bytes(file->format);
    uint8_t *out = frames;
    size_t done = 0;
    while (done < max_frames) {
        size_t want = max_frames - done < SCRATCH_FRAMES ? max_frames - done : SCRATCH_FRAMES;
        sf_count_t n = read_block(file, out + done * frame_bytes, (sf_count_t)want);
        if (n <= 0) break;
        if (file->reorder) reorder(file, out + done * frame_bytes, (size_t)n);
        done += (size_t)n;
        file->position += n;
    }
    if (done > 0 || max_frames == 0) return (int64_t)done;
    return end_of_file(file, error);
}
