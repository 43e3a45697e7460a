/* The source "stdin": raw PCM of a given format, or WAV, from a pipe, a file or a terminal. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/wav.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture/feed.h"

enum { BLOCK_BYTES_MIN = 4096, HEAD_BYTES = 12 };

struct stdin_state {
    struct feed feed;
    struct kodama_source *source;
    int descriptor;
    int64_t
        n_left; /* frames that the header promised and that are still to come; -1: until the end */
    uint8_t rest[KODAMA_CHANNELS_MAX * 4]; /* the beginning of a frame whose end is still to come */
    size_t n_rest;
    uint8_t head[HEAD_BYTES]; /* what the stream began with, for the words of an error */
    size_t n_head;
};

/* Wait until the descriptor can be read. KODAMA_ERR_CANCELLED: stopped, or, before there is
 * anything to stop, interrupted by a signal that the application handles. */
static int wait_readable(struct stdin_state *state, struct kodama_error *error)
{
    struct pollfd entries[2] = {{.fd = state->descriptor, .events = POLLIN},
                                {.fd = -1, .events = POLLIN}};
    bool running = state->feed.block != NULL;
    if (running) entries[1].fd = state->feed.stop_signal.fd;
    for (;;) {
        int n = poll(entries, 2, -1);
        if (n < 0 && errno == EINTR) {
            if (running) continue; /* the feed's thread blocks signals: nothing is meant by it */
            return error_set(error, KODAMA_ERR_CANCELLED, "interrupted before any audio came");
        }
        if (n < 0 || (entries[0].revents & POLLNVAL)) {
            return error_set(error, KODAMA_ERR_IO, "descriptor %d is not open for reading",
                             state->descriptor);
        }
        if (entries[1].revents) return KODAMA_ERR_CANCELLED;
        if (entries[0].revents) return KODAMA_OK;
    }
}

/* What can be read now, up to max_bytes; waits for the first byte. 0 at the end. */
static int64_t read_some(struct stdin_state *state, void *bytes, size_t max_bytes,
                         struct kodama_error *error)
{
    for (;;) {
        int status = wait_readable(state, error);
        if (status < 0) return status;
        ssize_t n = read(state->descriptor, bytes, max_bytes);
        if (n >= 0) return n;
        /* EAGAIN: somebody made the descriptor non-blocking, and somebody else was faster. */
        if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK) continue;
        char words[100];
        return error_set(error, KODAMA_ERR_IO, "reading standard input failed: %s",
                         error_errno(errno, words, sizeof words));
    }
}

/* For the WAV header: all of n_bytes unless the stream ends. */
static int64_t read_header_bytes(void *user, void *bytes, size_t n_bytes,
                                 struct kodama_error *error)
{
    struct stdin_state *state = user;
    size_t done = 0;
    while (done < n_bytes) {
        int64_t n = read_some(state, (uint8_t *)bytes + done, n_bytes - done, error);
        if (n < 0) return n;
        if (n == 0) break;
        done += (size_t)n;
    }
    for (size_t i = 0; i < done && state->n_head < HEAD_BYTES; i++) {
        state->head[state->n_head++] = ((uint8_t *)bytes)[i];
    }
    return (int64_t)done;
}

static const char *guess(const uint8_t *head, size_t n)
{
    if (n >= 4 && memcmp(head, "fLaC", 4) == 0) return "FLAC";
    if (n >= 4 && memcmp(head, "OggS", 4) == 0) return "Ogg";
    if (n >= 3 && memcmp(head, "ID3", 3) == 0) return "MP3";
    if (n >= 2 && head[0] == 0xff && (head[1] & 0xe6) == 0xe2) return "MP3";
    if (n >= 4 && memcmp(head, "FORM", 4) == 0) return "AIFF";
    if (n >= 8 && memcmp(head + 4, "ftyp", 4) == 0) return "MP4";
    return NULL;
}

static int detect(struct stdin_state *state, struct kodama_error *error)
{
    if (isatty(state->descriptor)) {
        return error_set(error, KODAMA_ERR_FORMAT,
                         "standard input is a terminal: pipe audio into it, or give a file's name");
    }
    struct wav_header header;
    int status = wav_read_header(read_header_bytes, state, &header, error);
    if (status == KODAMA_ERR_UNSUPPORTED) {
        const char *kind = guess(state->head, state->n_head);
        if (kind) {
            return error_set(
                error, KODAMA_ERR_FORMAT,
                "standard input is %s, and only WAV and raw PCM can be piped: give the "
                "file's name instead, or decode it before",
                kind);
        }
        return error_set(error, KODAMA_ERR_FORMAT,
                         "standard input does not begin with a WAV header: for raw PCM say what it "
                         "is, for example --rate 16000 --channels 1");
    }
    if (status == KODAMA_ERR_CANCELLED || status == KODAMA_ERR_IO) return status;
    if (status < 0) return error_prefix(error, status, "standard input");
    state->source->format = header.format;
    state->source->length = header.n_frames;
    state->n_left = header.n_frames;
    return KODAMA_OK;
}

/* The stream has ended: was all of it there? */
static int64_t ended(struct stdin_state *state, struct kodama_error *error)
{
    if (state->n_rest > 0) {
        log_write(state->source->log, KODAMA_LOG_WARNING,
                  "the last %lu bytes of standard input are no whole frame and were left out",
                  (unsigned long)state->n_rest);
    }
    if (state->n_left > 0) {
        return error_set(error, KODAMA_ERR_CORRUPT,
                         "standard input ended %lld frames before the end that its WAV header "
                         "promised",
                         (long long)state->n_left);
    }
    return 0;
}

static int64_t stdin_read(void *argument, void *frames, size_t max_frames,
                          struct kodama_error *error)
{
    struct stdin_state *state = argument;
    size_t frame_bytes = kodama_frame_bytes(state->source->format);
    if (state->n_left >= 0 && (uint64_t)state->n_left < max_frames) {
        max_frames = (size_t)state->n_left; /* what comes after the audio is no audio */
        if (max_frames == 0) return ended(state, error);
    }
    uint8_t *bytes = frames;
    size_t have = state->n_rest;
    memcpy(bytes, state->rest, have);
    while (have < frame_bytes) { /* until there is one frame: then what there is goes on its way */
        int64_t n = read_some(state, bytes + have, max_frames * frame_bytes - have, error);
        if (n <= 0) {
            state->n_rest = have;
            memcpy(state->rest, bytes, have);
            return n < 0 ? n : ended(state, error);
        }
        have += (size_t)n;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): the format was checked */
    size_t n_frames = have / frame_bytes;
    state->n_rest = have % frame_bytes;
    memcpy(state->rest, bytes + n_frames * frame_bytes, state->n_rest);
    if (state->n_left > 0) state->n_left -= (int64_t)n_frames;
    return (int64_t)n_frames;
}

static void stdin_close(struct kodama_source *source)
{
    struct stdin_state *state = source->state;
    feed_free(&state->feed);
    free(state);
}

static int stdin_open(struct kodama_source *source, const struct kodama_source_config *config,
                      struct kodama_error *error)
{
    struct stdin_state *state = memory_array(1, sizeof *state);
    if (!state) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    source->state = state;
    state->source = source;
    state->descriptor = config->descriptor;
    state->n_left = -1;
    int status;
    if (config->format.sample == 0) {
        status = detect(state, error);
    } else {
        status = kodama_format_check(config->format, error);
        source->format = config->format;
    }
    if (status == KODAMA_OK) {
        size_t frame_bytes = kodama_frame_bytes(source->format);
        size_t block_frames = source->format.rate_hz / 100; /* 10 ms, but worth a system call */
        if (block_frames * frame_bytes < BLOCK_BYTES_MIN) {
            /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): the format was checked */
            block_frames = BLOCK_BYTES_MIN / frame_bytes;
        }
        status = feed_init(&state->feed, source, block_frames, false, stdin_read, state, error);
    }
    if (status < 0) stdin_close(source);
    return status;
}

static int stdin_start(struct kodama_source *source, struct kodama_error *error)
{
    struct stdin_state *state = source->state;
    return feed_start(&state->feed, error);
}

static void stdin_stop(struct kodama_source *source)
{
    struct stdin_state *state = source->state;
    feed_stop(&state->feed);
}

const struct source_ops source_stdin_ops = {
    .name = "stdin",
    .live = false,
    .open = stdin_open,
    .start = stdin_start,
    .stop = stdin_stop,
    .close = stdin_close,
};
