/*
 * Saving clips: encoded into a new file beside the target, brought to the disk, renamed over it.
 *
 * libsndfile writes through our own functions, so that a full disk is seen at the write that met
 * it: some of its encoders drop that error, others lose memory over it. So they never hear of it;
 * what they write from then on goes nowhere.
 */
#define _GNU_SOURCE /* realpath */
#include <errno.h>
#include <fcntl.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/clip.h"
#include "audio/clip_file.h"
#include "audio/convert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

/* ---------------------------------------------------------------- the new file */

/** A file that becomes the target when all went well. */
struct draft {
    const char *shown; /* the path as the caller wrote it, for messages */
    char *target;      /* links resolved */
    char *path;        /* the new file beside it; NULL: there is none to remove */
    int descriptor;    /* -1: closed */
    int failure;       /* errno of the first write that failed */
};

static int system_error(const struct draft *draft, const char *what, int number,
                        struct kodama_error *error)
{
    return error_set_file(error, what, draft->shown, number,
                          ": free some space; what was there before is as it was");
}

static void draft_discard(struct draft *draft)
{
    if (draft->descriptor >= 0) close(draft->descriptor);
    if (draft->path) unlink(draft->path);
    free(draft->path);
    free(draft->target);
}

/* Create "FOLDER/.kodama-NUMBER.part"; the umask decides its permissions, as for any new file. */
static int create_beside(struct draft *draft, struct kodama_error *error)
{
    const char *slash = strrchr(draft->target, '/');
    int folder_bytes = slash ? (int)(slash - draft->target) + 1 : 0;
    size_t n_bytes = (size_t)folder_bytes + sizeof ".kodama-0123456789abcdef.part";
    char *path = memory_array(n_bytes, 1);
    if (!path) return error_set(error, KODAMA_ERR_MEMORY, "no memory to save %s", draft->shown);
    uint64_t number = clock_now_ns() * 1000003 + (uint64_t)getpid();
    for (int attempt = 0; draft->descriptor < 0 && attempt < 100; attempt++) {
        snprintf(path, n_bytes, "%.*s.kodama-%016llx.part", folder_bytes, draft->target,
                 (unsigned long long)number++);
        draft->descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (draft->descriptor < 0 && errno != EEXIST) break;
    }
    if (draft->descriptor < 0) {
        int number_of_error = errno;
        free(path);
        return system_error(draft, "save", number_of_error, error);
    }
    draft->path = path;
    return KODAMA_OK;
}

static int draft_open(struct draft *draft, const char *path, struct kodama_error *error)
{
    *draft = (struct draft){.shown = path, .descriptor = -1};
    struct stat about;
    bool exists = stat(path, &about) == 0;
    if (exists && !S_ISREG(about.st_mode)) {
        return error_set(error, KODAMA_ERR_UNSUPPORTED, "cannot save %s: it is no regular file",
                         path);
    }
    if (exists && access(path, W_OK) != 0) return system_error(draft, "replace", errno, error);
    draft->target = exists ? realpath(path, NULL) : memory_text(path);
    if (!draft->target) return system_error(draft, "save", exists ? errno : ENOMEM, error);
    int status = create_beside(draft, error);
    if (status < 0) return status;
    if (exists && fchmod(draft->descriptor, about.st_mode & 07777) != 0) {
        return system_error(draft, "keep the permissions of", errno, error);
    }
    return KODAMA_OK;
}

/* Put the new file in the place of the target. */
static int draft_commit(struct draft *draft, struct kodama_error *error)
{
    if (draft->failure) return system_error(draft, "write", draft->failure, error);
    /* Without it a crash of the machine could leave the new name on an empty file. */
    if (fsync(draft->descriptor) != 0) return system_error(draft, "write", errno, error);
    int failure = close(draft->descriptor) != 0 ? errno : 0;
    draft->descriptor = -1;
    if (failure) return system_error(draft, "write", failure, error);
    if (rename(draft->path, draft->target) != 0) return system_error(draft, "save", errno, error);
    free(draft->path);
    draft->path = NULL;
    return KODAMA_OK;
}

static sf_count_t draft_length(void *user)
{
    struct draft *draft = user;
    struct stat about;
    return fstat(draft->descriptor, &about) == 0 ? about.st_size : -1;
}

static sf_count_t draft_seek(sf_count_t offset, int whence, void *user)
{
    return lseek(((struct draft *)user)->descriptor, offset, whence);
}

static sf_count_t draft_read(void *data, sf_count_t n_bytes, void *user)
{
    ssize_t n = read(((struct draft *)user)->descriptor, data, (size_t)n_bytes);
    return n > 0 ? n : 0;
}

static sf_count_t draft_write(const void *data, sf_count_t n_bytes, void *user)
{
    struct draft *draft = user;
    const uint8_t *bytes = data;
    for (sf_count_t done = 0; done < n_bytes && !draft->failure;) {
        ssize_t n = write(draft->descriptor, bytes + done, (size_t)(n_bytes - done));
        if (n > 0) {
            done += n;
        } else if (n == 0 || errno != EINTR) {
            draft->failure = n < 0 ? errno : EIO;
        }
    }
    return n_bytes;
}

static sf_count_t draft_tell(void *user)
{
    return lseek(((struct draft *)user)->descriptor, 0, SEEK_CUR);
}

/* ---------------------------------------------------------------- the encoding */

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

static int native_format(const struct clip_file_type *type, enum kodama_sample sample,
                         const struct kodama_clip *clip)
{
    if (type->subtype) return type->major | type->subtype;
    int major = type->major;
    if (type->type == KODAMA_FILE_WAV) {
        uint64_t n_bytes = (uint64_t)clip_samples_of(clip) * kodama_sample_bytes(sample);
        if (clip_needs_rf64(n_bytes)) {
            major = SF_FORMAT_RF64;
        } else if (clip->format.channels > 2 || clip->format.channel_mask != 0) {
            major = SF_FORMAT_WAVEX; /* has a channel mask */
        }
    }
    return major | subtype_of(sample);
}

/* Write where the channels sit. Types that cannot say it refuse, and lose nothing by it. */
static void write_channel_map(SNDFILE *native, const struct kodama_clip *clip)
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
    uint32_t mask = clip_channel_mask(clip);
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (mask & places[i].speaker && n < clip->format.channels) map[n++] = places[i].place;
    }
    if (n == clip->format.channels) {
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

static bool write_frames(SNDFILE *native, enum kodama_sample sample, const struct kodama_clip *clip,
                         const struct draft *draft)
{
    enum { BLOCK_FRAMES = 1024 }; /* libvorbis takes all that it gets onto the stack */
    int32_t block[BLOCK_FRAMES * KODAMA_CHANNELS_MAX];
    size_t channels = clip->format.channels;
    for (size_t done = 0; done < clip->n_frames && !draft->failure;) {
        size_t n = clip->n_frames - done;
        if (n > BLOCK_FRAMES) n = BLOCK_FRAMES;
        sf_count_t written = write_block(native, sample, clip->samples + done * channels,
                                         (sf_count_t)n, n * channels, block);
        if (written != (sf_count_t)n) return false;
        done += n;
    }
    return true;
}

static int encode(struct draft *draft, const struct kodama_clip *clip,
                  const struct clip_file_type *type, enum kodama_sample sample, double quality,
                  struct kodama_error *error)
{
    SF_VIRTUAL_IO io = {draft_length, draft_seek, draft_read, draft_write, draft_tell};
    SF_INFO info = {
        .samplerate = (int)clip->format.rate_hz,
        .channels = (int)clip->format.channels,
        .format = native_format(type, sample, clip),
    };
    SNDFILE *native = sf_open_virtual(&io, SFM_WRITE, &info, draft);
    if (!native) {
        if (draft->failure) return system_error(draft, "write", draft->failure, error);
        int status = kodama_file_check(type->type, error);
        if (status < 0) return error_prefix(error, status, "cannot save %s", draft->shown);
        return error_set(error, KODAMA_ERR_FORMAT, "cannot save %s as %s: %s", draft->shown,
                         type->name, sf_strerror(NULL));
    }
    /* The PEAK chunk has the time of day in it: the same clip would give another file each time. */
    sf_command(native, SFC_SET_ADD_PEAK_CHUNK, NULL, SF_FALSE);
    if (!type->lossy) write_channel_map(native, clip);
    if (quality > 0.0) {
        sf_command(native, SFC_SET_VBR_ENCODING_QUALITY, &quality, (int)sizeof quality);
    }
    bool good = write_frames(native, sample, clip, draft);
    char words[200] = "the encoder failed";
    /* Some encoders set numbers that sf_error_number() does not know, and then it prints. */
    if (!good && sf_error(native) > 0) {
        snprintf(words, sizeof words, "%s", sf_error_number(sf_error(native)));
    }
    bool closed = sf_close(native) == 0;
    if (draft->failure) return system_error(draft, "write", draft->failure, error);
    if (good && closed) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_IO, "cannot write %s: %s", draft->shown, words);
}

/* ------------------------------------------------------------------ the clip */

/* What of the clip the type cannot hold, and what to do. */
static int refuse(const struct kodama_clip *clip, const struct clip_file_type *type,
                  struct kodama_error *error)
{
    if (clip->format.channels > type->max_channels) {
        return error_set(error, KODAMA_ERR_FORMAT,
                         "%s is saved with at most %u channels, the clip has %u: mix it down, or "
                         "save FLAC or WAV",
                         type->name, type->max_channels, clip->format.channels);
    }
    return error_set(error, KODAMA_ERR_FORMAT,
                     "%s cannot hold %u Hz: resample the clip to %u Hz, or save FLAC or WAV",
                     type->name, clip->format.rate_hz, clip_file_rate(type, clip->format.rate_hz));
}

/* The clip in a shape that the type holds: itself, or a new one in *made. */
static int fit_to_type(const struct kodama_clip *clip, const struct clip_file_type *type, bool fit,
                       struct kodama_clip **made, struct kodama_error *error)
{
    *made = NULL;
    bool channels_fit = clip->format.channels <= type->max_channels;
    uint32_t rate_hz = clip_file_rate(type, clip->format.rate_hz);
    if (channels_fit && rate_hz == clip->format.rate_hz) return KODAMA_OK;
    if (!fit) return refuse(clip, type, error);
    struct kodama_clip *mono = NULL;
    if (!channels_fit) {
        int status = kodama_clip_mono(&mono, clip, error);
        if (status < 0) return status;
    }
    int status = kodama_clip_resample(made, mono ? mono : clip, rate_hz, error);
    kodama_clip_destroy(mono);
    return status;
}

static int check_save(const struct kodama_clip *clip, const char *path,
                      const struct kodama_clip_save_config *config,
                      const struct clip_file_type *type, struct kodama_error *error)
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
    if (clip_file_sample(type, config->sample, clip->origin) == 0) {
        return error_set(error, KODAMA_ERR_FORMAT, "%s cannot store %s samples: use %s", type->name,
                         kodama_sample_name(config->sample),
                         type->type == KODAMA_FILE_FLAC ? "s16 or s24" : "s16, s24, s32 or f32");
    }
    if (clip->n_frames == 0 && type->type != KODAMA_FILE_WAV) {
        return error_set(error, KODAMA_ERR_EMPTY,
                         "cannot save %s: %s cannot be without frames, only WAV can", path,
                         type->name);
    }
    return KODAMA_OK;
}

static int save(const struct kodama_clip *clip, const char *path,
                const struct kodama_clip_save_config *config, const struct clip_file_type *type,
                struct kodama_error *error)
{
    enum kodama_sample sample = clip_file_sample(type, config->sample, clip->origin);
    double quality = type->lossy ? config->quality : 0.0;
    struct draft draft;
    int status = draft_open(&draft, path, error);
    if (status == KODAMA_OK) status = encode(&draft, clip, type, sample, quality, error);
    if (status == KODAMA_OK) status = draft_commit(&draft, error);
    draft_discard(&draft);
    return status;
}

int kodama_clip_save(const struct kodama_clip *clip, const char *path,
                     const struct kodama_clip_save_config *config, struct kodama_error *error)
{
    const struct kodama_clip_save_config defaults = KODAMA_CLIP_SAVE_CONFIG_INIT;
    if (!config) config = &defaults;
    if (!clip || !path || config->size < sizeof *config) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "save a clip: %s",
                         clip && path ? "the config was not initialised" : "no clip or no path");
    }
    enum kodama_file wanted =
        config->type != KODAMA_FILE_AUTO ? config->type : kodama_file_of(path);
    const struct clip_file_type *type = clip_file_type(wanted);
    int status = check_save(clip, path, config, type, error);
    if (status < 0) return status;
    struct kodama_clip *made;
    status = fit_to_type(clip, type, config->fit, &made, error);
    if (status < 0) return status;
    /* What was made to fit can be shorter than a frame. */
    if (made && made->n_frames == 0 && clip->n_frames > 0) {
        status = error_set(error, KODAMA_ERR_EMPTY, "cannot save %s: at %u Hz no frame is left",
                           path, made->format.rate_hz);
    } else {
        status = save(made ? made : clip, path, config, type, error);
    }
    kodama_clip_destroy(made);
    return status;
}
