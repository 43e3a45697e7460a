/*
 * One file of a recording: WAV written by hand, everything else by libsndfile through functions of
 * our own.
 *
 * libsndfile could keep a WAV header right and become RF64 as well (SFC_RF64_AUTO_DOWNGRADE with
 * SFC_SET_UPDATE_HEADER_AUTO), but then every file is WAVE_FORMAT_EXTENSIBLE, also 16 bit mono, and
 * RF64 until its first block; and on a full disk the header must tell what was really written. Its
 * encoders drop errors of a full disk; our functions see them.
 */
#define _GNU_SOURCE /* fdatasync */
#include "stream/recorder_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/convert.h"
#include "base/error.h"
#include "base/memory.h"
#include "stream/recorder_wav.h"

/* Of Opus; libsndfile's own is 1 s. */
#define PAGE_LATENCY_MS 100.0
enum { SNDFILE_PAGE_LATENCY_MS = 0x1302 }; /* by value: came with libsndfile 1.1 */

int recorder_file_error(const char *what, const char *path, int number, struct kodama_error *error)
{
    char words[100];
    if (number == EEXIST) {
        return error_set(error, KODAMA_ERR_BUSY,
                         "cannot %s %s: there is such a file: choose another name, or allow "
                         "overwriting",
                         what, path);
    }
    if (number == EISDIR) {
        return error_set(error, KODAMA_ERR_UNSUPPORTED, "cannot %s %s: %s", what, path,
                         error_errno(number, words, sizeof words));
    }
    return error_set_file(error, what, path, number,
                          ": free some space; what was recorded until now is kept");
}

/* ---------------------------------------------------------------- bytes to the disk */

/* All of it, or the errno. */
static int write_all(int descriptor, const void *bytes, size_t n_bytes, uint64_t offset,
                     size_t *done)
{
    *done = 0;
    while (*done < n_bytes) {
        ssize_t n = pwrite(descriptor, (const uint8_t *)bytes + *done, n_bytes - *done,
                           (off_t)(offset + *done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? errno : EIO;
        *done += (size_t)n;
    }
    return 0;
}

/* A file that shrinks needs no room, so what fails here has no words of its own. */
static void cut(struct recorder_file *file, uint64_t n_bytes)
{
    if (ftruncate(file->descriptor, (off_t)n_bytes) == 0) file->n_bytes = n_bytes;
}

static sf_count_t native_length(void *user)
{
    return (sf_count_t)((struct recorder_file *)user)->n_bytes;
}

static sf_count_t native_seek(sf_count_t offset, int whence, void *user)
{
    struct recorder_file *file = user;
    uint64_t from = whence == SEEK_CUR ? file->offset : whence == SEEK_END ? file->n_bytes : 0;
    file->offset = from + (uint64_t)offset;
    return (sf_count_t)file->offset;
}

static sf_count_t native_read(void *data, sf_count_t n_bytes, void *user)
{
    struct recorder_file *file = user;
    ssize_t n = pread(file->descriptor, data, (size_t)n_bytes, (off_t)file->offset);
    if (n <= 0) return 0;
    file->offset += (uint64_t)n;
    return n;
}

/*
 * The encoders hand over whole FLAC blocks and Ogg pages. One that does not fit is taken back, and
 * after it the file does not grow any more, so that it ends with a whole one.
 */
static sf_count_t native_write(const void *data, sf_count_t n_bytes, void *user)
{
    struct recorder_file *file = user;
    uint64_t before = file->n_bytes, end = file->offset + (uint64_t)n_bytes;
    if (file->failure && end > before) return 0;
    bool body = n_bytes < 4 || memcmp(data, "OggS", 4) != 0; /* of an Ogg page: its second write */
    if (file->offset == before && !body) file->page_at = before;
    size_t done;
    int failure = write_all(file->descriptor, data, (size_t)n_bytes, file->offset, &done);
    if (failure) {
        bool ogg = file->shape->type->major == SF_FORMAT_OGG;
        file->failure = failure;
        cut(file, ogg && body ? file->page_at : before);
        return 0;
    }
    const uint8_t *bytes = data;
    bool packet = n_bytes > 2 && bytes[0] == 0xff && (bytes[1] & 0xfc) == 0xf8;
    if (file->offset == before && packet) file->n_packets++;
    file->offset = end;
    if (end > before) file->n_bytes = end;
    return n_bytes;
}

static sf_count_t native_tell(void *user)
{
    return (sf_count_t)((struct recorder_file *)user)->offset;
}

/* ---------------------------------------------------------------- encoders */

static int open_native(struct recorder_file *file, struct kodama_error *error)
{
    const struct recorder_shape *shape = file->shape;
    const struct clip_file_type *type = shape->type;
    int subtype = type->subtype;
    if (!subtype)
        subtype = shape->to.sample == KODAMA_SAMPLE_S16 ? SF_FORMAT_PCM_16 : SF_FORMAT_PCM_24;
    SF_VIRTUAL_IO io = {native_length, native_seek, native_read, native_write, native_tell};
    SF_INFO info = {
        .samplerate = (int)shape->to.rate_hz,
        .channels = (int)shape->to.channels,
        .format = type->major | subtype,
    };
    file->native = sf_open_virtual(&io, SFM_WRITE, &info, file);
    if (!file->native) {
        if (file->failure) return recorder_file_error("record", file->path, file->failure, error);
        int status = kodama_file_check(type->type, error);
        if (status < 0) return error_prefix(error, status, "cannot record %s", file->path);
        return error_set(error, KODAMA_ERR_FORMAT, "cannot record %s as %s: %s", file->path,
                         type->name, sf_strerror(NULL));
    }
    double quality = shape->quality, latency_ms = PAGE_LATENCY_MS;
    if (quality > 0.0) {
        sf_command(file->native, SFC_SET_VBR_ENCODING_QUALITY, &quality, (int)sizeof quality);
    }
    if (type->type == KODAMA_FILE_OPUS) {
        sf_command(file->native, SNDFILE_PAGE_LATENCY_MS, &latency_ms, (int)sizeof latency_ms);
    }
    return KODAMA_OK;
}

/*
 * Say in the header of a FLAC file how many frames have come so far, so that players can show and
 * seek it when nobody finishes it. STREAMINFO is the first chunk: the block length at 10, the count
 * in the low 36 bits of the 8 bytes at 18 (RFC 9639, section 8.2).
 */
static void publish_flac(struct recorder_file *file)
{
    uint8_t head[26];
    if (file->n_packets == 0 || pread(file->descriptor, head, sizeof head, 0) != sizeof head)
        return;
    if (memcmp(head, "fLaC", 4) != 0) return;
    uint64_t n = file->n_packets * ((uint64_t)head[10] << 8 | head[11]);
    if (n > file->n_frames) n = file->n_frames; /* the last block is shorter */
    head[21] = (uint8_t)((head[21] & 0xf0) | (n >> 32 & 0x0f));
    for (int i = 0; i < 4; i++) head[22 + i] = (uint8_t)(n >> (24 - 8 * i));
    size_t done;
    write_all(file->descriptor, head + 21, 5, 21, &done);
}

static sf_count_t write_native(struct recorder_file *file, size_t n_frames)
{
    const struct recorder_shape *shape = file->shape;
    size_t n_samples = n_frames * shape->to.channels;
    sf_count_t n = (sf_count_t)n_frames;
    if (shape->type->lossy) return sf_writef_float(file->native, shape->floats, n);
    if (shape->to.sample == KODAMA_SAMPLE_S16) {
        return sf_writef_short(file->native, (const short *)shape->block, n);
    }
    /* libsndfile takes 24 bits in the upper three bytes of an int. */
    const uint8_t *bytes = (const uint8_t *)shape->block;
    for (size_t i = n_samples; i-- > 0;) { /* backwards: in place, three bytes become four */
        const uint8_t *b = bytes + 3 * i;
        uint32_t bits = (uint32_t)b[0] << 8 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 24;
        shape->block[i] = (int32_t)bits;
    }
    return sf_writef_int(file->native, shape->block, n);
}

/* What a reader finds in a file that could not be finished. */
static uint64_t frames_readable(const struct recorder_file *file)
{
    SF_INFO info = {0};
    SNDFILE *native = sf_open(file->path, SFM_READ, &info);
    if (!native) return 0;
    uint64_t n_frames = info.frames > 0 ? (uint64_t)info.frames : 0;
    if (n_frames > file->n_frames) { /* the length is not known: only reading tells */
        sf_count_t n;
        n_frames = 0;
        while ((n = sf_readf_float(native, file->shape->floats, RECORDER_BLOCK_FRAMES)) > 0) {
            n_frames += (uint64_t)n;
        }
    }
    sf_close(native);
    return n_frames;
}

/* ---------------------------------------------------------------- WAV */

uint64_t recorder_file_header_bytes(const struct recorder_shape *shape)
{
    uint8_t header[RECORDER_WAV_HEADER_MAX];
    return recorder_wav_header(header, shape->to, 0);
}

/* The header last: until it is there, it tells of fewer frames than there are. It lies in one page,
 * which is written at once or not at all. */
static int publish_wav(struct recorder_file *file)
{
    uint8_t header[RECORDER_WAV_HEADER_MAX];
    uint64_t data_bytes = file->n_frames * file->shape->to_bytes;
    size_t done, n_bytes = recorder_wav_header(header, file->shape->to, file->n_frames);
    int failure = write_all(file->descriptor, header, n_bytes, 0, &done);
    if (failure && !file->failure) file->failure = failure;
    if (done == n_bytes) file->n_bytes = n_bytes + data_bytes + (data_bytes & 1);
    return failure;
}

static int write_wav(struct recorder_file *file, size_t n_frames)
{
    const struct recorder_shape *shape = file->shape;
    size_t frame_bytes = shape->to_bytes, done;
    uint64_t data_bytes = file->n_frames * frame_bytes;
    size_t n_bytes = n_frames * frame_bytes, pad = (data_bytes + n_bytes) & 1;
    ((uint8_t *)shape->block)[n_bytes] = 0; /* the next block overwrites the pad byte */
    uint64_t offset = recorder_file_header_bytes(shape) + data_bytes;
    int failure = write_all(file->descriptor, shape->block, n_bytes + pad, offset, &done);
    if (failure) file->failure = failure;
    file->n_frames += (done < n_bytes ? done : n_bytes) / frame_bytes;
    return failure;
}

/* ---------------------------------------------------------------- all types */

static int create(struct recorder_file *file, struct kodama_error *error)
{
    struct stat about;
    bool overwrite = file->shape->overwrite;
    if (overwrite && stat(file->path, &about) == 0 && !S_ISREG(about.st_mode)) {
        return error_set(error, KODAMA_ERR_UNSUPPORTED, "cannot record %s: it is no regular file",
                         file->path);
    }
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL);
    file->descriptor = open(file->path, flags, 0666);
    if (file->descriptor >= 0) return KODAMA_OK;
    return recorder_file_error("record", file->path, errno, error);
}

int recorder_file_open(struct recorder_file *file, struct recorder_shape *shape, const char *path,
                       struct kodama_error *error)
{
    *file = (struct recorder_file){.shape = shape, .descriptor = -1};
    file->path = memory_text(path);
    if (!file->path) return error_set(error, KODAMA_ERR_MEMORY, "no memory to record %s", path);
    int status = create(file, error);
    if (status == KODAMA_OK && shape->type->type != KODAMA_FILE_WAV) {
        status = open_native(file, error);
    } else if (status == KODAMA_OK) {
        int failure = publish_wav(file);
        if (failure) status = recorder_file_error("record", file->path, failure, error);
    }
    if (status == KODAMA_OK) return KODAMA_OK;
    if (file->descriptor >= 0) {
        close(file->descriptor);
        unlink(file->path);
    }
    free(file->path);
    *file = (struct recorder_file){.descriptor = -1};
    return status;
}

/* The next block as the file wants it. NULL is silence. */
static void convert(const struct recorder_shape *shape, const void *frames, size_t n_frames)
{
    size_t n_samples = n_frames * shape->from.channels;
    if (!frames) {
        memset(shape->floats, 0, n_samples * sizeof *shape->floats);
        memset(shape->block, 0, n_samples * sizeof *shape->block);
    } else if (shape->from.sample == shape->to.sample && !shape->type->lossy) {
        memcpy(shape->block, frames, n_frames * shape->from_bytes);
    } else {
        convert_to_float(shape->from.sample, frames, shape->floats, n_samples);
        if (!shape->type->lossy) {
            convert_from_float(shape->to.sample, shape->floats, shape->block, n_samples);
        }
    }
}

static int write_block(struct recorder_file *file, size_t n_frames, struct kodama_error *error)
{
    if (!file->native) {
        int failure = write_wav(file, n_frames);
        return failure ? recorder_file_error("write", file->path, failure, error) : KODAMA_OK;
    }
    sf_count_t written = write_native(file, n_frames);
    if (file->failure) return recorder_file_error("write", file->path, file->failure, error);
    if (written != (sf_count_t)n_frames) {
        return error_set(error, KODAMA_ERR_IO, "cannot write %s: the encoder failed", file->path);
    }
    file->n_frames += n_frames;
    return KODAMA_OK;
}

int recorder_file_write(struct recorder_file *file, const void *frames, uint64_t n_frames,
                        struct kodama_error *error)
{
    const uint8_t *bytes = frames;
    size_t frame_bytes = file->shape->from_bytes;
    int status = KODAMA_OK;
    while (n_frames > 0 && status == KODAMA_OK) {
        size_t n = n_frames < RECORDER_BLOCK_FRAMES ? (size_t)n_frames : RECORDER_BLOCK_FRAMES;
        convert(file->shape, bytes, n);
        status = write_block(file, n, error);
        if (bytes) bytes += n * frame_bytes;
        n_frames -= n;
    }
    if (!file->native) {
        int failure = publish_wav(file);
        if (failure && status == KODAMA_OK) {
            status = recorder_file_error("write", file->path, failure, error);
        }
        if (status < 0) cut(file, file->n_bytes); /* a piece of a frame */
    } else if (file->shape->type->type == KODAMA_FILE_FLAC) {
        publish_flac(file);
    }
    return status;
}

int recorder_file_sync(struct recorder_file *file, struct kodama_error *error)
{
    if (fdatasync(file->descriptor) == 0) return KODAMA_OK;
    file->failure = errno;
    return recorder_file_error("write", file->path, file->failure, error);
}

int recorder_file_close(struct recorder_file *file, struct kodama_error *error)
{
    if (file->descriptor < 0) return KODAMA_OK;
    bool failed_before = file->failure != 0, encoded = file->native != NULL;
    bool finished = true;
    if (encoded) {
        if (file->n_frames == 0) file->failure = EIO; /* it will be removed: nothing to write */
        finished = sf_close(file->native) == 0;
        file->native = NULL;
        bool flac = file->shape->type->type == KODAMA_FILE_FLAC;
        if (file->failure && flac) publish_flac(file);
    }
    int failure = file->failure;
    if (close(file->descriptor) != 0 && !failure) failure = errno;
    file->descriptor = -1;
    int status = KODAMA_OK;
    if (encoded && file->n_frames == 0) {
        unlink(file->path);
        file->n_bytes = 0;
    } else if (failure && !failed_before) {
        status = recorder_file_error("finish", file->path, failure, error);
    } else if (!finished && !failure) {
        status =
            error_set(error, KODAMA_ERR_IO, "cannot finish %s: the encoder failed", file->path);
    }
    if (encoded && file->n_frames > 0 && (failure || !finished)) {
        file->n_frames = frames_readable(file);
    }
    free(file->path);
    file->path = NULL;
    return status;
}
