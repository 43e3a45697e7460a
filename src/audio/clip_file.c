/* Types of audio files, and loading clips from them. */
#include "audio/clip_file.h"

#include <sndfile.h>
#include <string.h>
#include <strings.h>

#include "audio/audio_file.h"
#include "audio/clip.h"
#include "audio/convert.h"
#include "base/error.h"

/* Numbers of libsndfile's ABI, by value: headers before 1.1 do not name MPEG. */
enum { SNDFILE_MPEG = 0x230000, SNDFILE_LAYER_3 = 0x0082, SNDFILE_OPUS = 0x0064 };

static const uint32_t opus_rates[] = {8000, 12000, 16000, 24000, 48000, 0};
static const uint32_t mp3_rates[] = {8000,  11025, 12000, 16000, 22050,
                                     24000, 32000, 44100, 48000, 0};

/* Ogg types could hold more channels, but libsndfile neither sorts them into Vorbis's order nor
 * names their places: players would swap centre and right. */
static const struct clip_file_type types[] = {
    {KODAMA_FILE_WAV, "WAV", {"wav", NULL}, SF_FORMAT_WAV, 0, false, KODAMA_CHANNELS_MAX, NULL},
    {KODAMA_FILE_FLAC, "FLAC", {"flac", NULL}, SF_FORMAT_FLAC, 0, false, KODAMA_CHANNELS_MAX, NULL},
    {KODAMA_FILE_VORBIS,
     "Ogg Vorbis",
     {"ogg", "oga"},
     SF_FORMAT_OGG,
     SF_FORMAT_VORBIS,
     true,
     2,
     NULL},
    {KODAMA_FILE_OPUS, "Opus", {"opus", NULL}, SF_FORMAT_OGG, SNDFILE_OPUS, true, 2, opus_rates},
    {KODAMA_FILE_MP3, "MP3", {"mp3", NULL}, SNDFILE_MPEG, SNDFILE_LAYER_3, true, 2, mp3_rates},
};
enum { N_TYPES = sizeof types / sizeof types[0] };

const struct clip_file_type *clip_file_type(enum kodama_file type)
{
    for (size_t i = 0; i < N_TYPES; i++) {
        if (types[i].type == type) return &types[i];
    }
    return NULL;
}

uint32_t clip_file_rate(const struct clip_file_type *type, uint32_t rate_hz)
{
    const uint32_t *rate = type->rates_hz;
    if (!rate) return rate_hz;
    while (rate[0] < rate_hz && rate[1] != 0) rate++;
    return rate[0];
}

enum kodama_sample clip_file_sample(const struct clip_file_type *type, enum kodama_sample wanted,
                                    enum kodama_sample origin)
{
    if (type->lossy) return KODAMA_SAMPLE_F32;
    bool flac = type->type == KODAMA_FILE_FLAC;
    enum kodama_sample sample = wanted != 0 ? wanted : origin;
    switch (sample) {
    case KODAMA_SAMPLE_U8: return wanted != 0 ? 0 : KODAMA_SAMPLE_S16;
    case KODAMA_SAMPLE_S16:
    case KODAMA_SAMPLE_S24: return sample;
    case KODAMA_SAMPLE_S32:
    case KODAMA_SAMPLE_F32: break;
    default: return 0;
    }
    if (!flac) return sample;
    return wanted != 0 ? 0 : KODAMA_SAMPLE_S24;
}

const char *kodama_file_name(enum kodama_file type)
{
    const struct clip_file_type *row = clip_file_type(type);
    return row ? row->name : "?";
}

enum kodama_file kodama_file_of(const char *path)
{
    const char *dot = path ? strrchr(path, '.') : NULL;
    if (!dot) return KODAMA_FILE_AUTO;
    for (size_t i = 0; i < N_TYPES; i++) {
        for (int k = 0; k < 2; k++) {
            const char *ending = types[i].endings[k];
            if (ending && strcasecmp(dot + 1, ending) == 0) return types[i].type;
        }
    }
    return KODAMA_FILE_AUTO;
}

/* A file that takes everything and keeps nothing but its length. */
struct nowhere {
    sf_count_t position;
    sf_count_t n_bytes;
};

static sf_count_t nowhere_length(void *user)
{
    return ((struct nowhere *)user)->n_bytes;
}

static sf_count_t nowhere_seek(sf_count_t offset, int whence, void *user)
{
    struct nowhere *file = user;
    sf_count_t from = whence == SEEK_CUR ? file->position : whence == SEEK_END ? file->n_bytes : 0;
    return file->position = from + offset;
}

static sf_count_t nowhere_read(void *data, sf_count_t n_bytes, void *user)
{
    (void)data, (void)n_bytes, (void)user;
    return 0;
}

static sf_count_t nowhere_write(const void *data, sf_count_t n_bytes, void *user)
{
    struct nowhere *file = user;
    (void)data;
    file->position += n_bytes;
    if (file->position > file->n_bytes) file->n_bytes = file->position;
    return n_bytes;
}

static sf_count_t nowhere_tell(void *user)
{
    return ((struct nowhere *)user)->position;
}

int kodama_file_check(enum kodama_file type, struct kodama_error *error)
{
    const struct clip_file_type *row = clip_file_type(type);
    if (!row) return error_set(error, KODAMA_ERR_ARGUMENT, "there is no file type %d", (int)type);
    SF_VIRTUAL_IO io = {nowhere_length, nowhere_seek, nowhere_read, nowhere_write, nowhere_tell};
    struct nowhere file = {0};
    SF_INFO info = {
        .samplerate = 48000,
        .channels = 1,
        .format = row->major | (row->subtype ? row->subtype : SF_FORMAT_PCM_16),
    };
    /* libsndfile's list of formats names also those that it was built without: only trying tells.
     */
    SNDFILE *native = sf_open_virtual(&io, SFM_WRITE, &info, &file);
    if (native) {
        sf_close(native);
        return KODAMA_OK;
    }
    return error_set(error, KODAMA_ERR_UNSUPPORTED,
                     "%s files are missing in this system's %s: install a newer one, or use WAV",
                     row->name, sf_version_string());
}

/* Read until the end of the file or the limit of a clip. */
static int read_all(struct kodama_clip *clip, struct audio_file *file, void *block,
                    size_t block_frames, struct kodama_error *error)
{
    struct kodama_format format = audio_file_format(file);
    for (;;) {
        int64_t n = audio_file_read(file, block, block_frames, error);
        if (n <= 0) return (int)n;
        int status = kodama_clip_append(clip, format, block, (size_t)n, error);
        if (status < 0) return status;
    }
}

static int load(struct kodama_clip **clip, struct audio_file *file, bool partial,
                struct kodama_error *error)
{
    enum { BLOCK_FRAMES = 1024, TRUSTED_FRAMES = 1 << 22 };
    struct kodama_format format = audio_file_format(file);
    struct kodama_clip *made;
    int status = clip_new(&made, format, 0, error);
    if (status < 0) return status;
    /* The header says how much comes. It is believed as far as a lie would do no harm. */
    int64_t length = audio_file_length(file);
    if (length > TRUSTED_FRAMES) length = TRUSTED_FRAMES;
    if (length > 0) status = clip_reserve(made, (size_t)length, error);
    if (status == KODAMA_OK) {
        uint8_t block[BLOCK_FRAMES * KODAMA_CHANNELS_MAX * sizeof(float)];
        status = read_all(made, file, block, BLOCK_FRAMES, error);
    }
    bool damaged = status == KODAMA_ERR_CORRUPT || status == KODAMA_ERR_IO;
    if (status < 0 && !(partial && damaged)) {
        kodama_clip_destroy(made);
        return status;
    }
    clip_fit(made);
    *clip = made;
    return KODAMA_OK;
}

int kodama_clip_load(struct kodama_clip **clip, const char *path,
                     const struct kodama_clip_load_config *config, struct kodama_error *error)
{
    const struct kodama_clip_load_config defaults = KODAMA_CLIP_LOAD_CONFIG_INIT;
    if (clip) *clip = NULL;
    if (!config) config = &defaults;
    if (!clip || !path || config->size < sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "load a clip: %s",
                         clip && path ? "the config was not initialised" : "no clip or no path");
    }
    struct audio_file *file;
    int status = audio_file_open(&file, path, error);
    if (status < 0) return status;
    status = load(clip, file, config->partial, error);
    audio_file_close(file);
    return status;
}
