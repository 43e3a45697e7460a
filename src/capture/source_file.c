/* The source "file": audio files, one after the other as one timeline, in real time or as fast as
 * they are read. */
#include <stdlib.h>

#include "audio/audio_file.h"
#include "audio/convert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture/feed.h"

struct file_state {
    struct feed feed;
    struct kodama_source *source;
    char **paths; /* copies */
    size_t n_paths;
    size_t current;          /* index of the open file; feed's thread only after start */
    struct audio_file *file; /* NULL between two files and at the end */
    void *scratch;           /* one block in a file's own sample type, where types differ */
};

static void file_close(struct kodama_source *source)
{
    struct file_state *state = source->state;
    feed_free(&state->feed);
    audio_file_close(state->file);
    for (size_t i = 0; state->paths && i < state->n_paths; i++) free(state->paths[i]);
    free(state->paths);
    free(state->scratch);
    free(state);
}

/* Sample types may differ: what is joined is then float. */
static int join_format(struct kodama_source *source, size_t index, struct kodama_format format,
                       struct kodama_error *error)
{
    const struct file_state *state = source->state;
    if (index == 0) {
        source->format = format;
        return KODAMA_OK;
    }
    if (format.rate_hz != source->format.rate_hz || format.channels != source->format.channels) {
        char first[64], other[64];
        return error_set(error, KODAMA_ERR_FORMAT,
                         "files played one after the other must agree in rate and channels: %s is "
                         "%s, %s is %s",
                         state->paths[0], kodama_format_text(source->format, first, sizeof first),
                         state->paths[index], kodama_format_text(format, other, sizeof other));
    }
    if (format.sample != source->format.sample) source->format.sample = KODAMA_SAMPLE_F32;
    if (format.channel_mask != source->format.channel_mask) source->format.channel_mask = 0;
    return KODAMA_OK;
}

/* Look at every file before the first one plays: a wrong name shall not be found out in an hour. */
static int examine(struct kodama_source *source, const struct kodama_source_config *config,
                   struct kodama_error *error)
{
    struct file_state *state = source->state;
    source->length = 0;
    for (size_t i = 0; i < config->n_paths; i++) {
        struct audio_file *file;
        state->paths[i] = memory_text(config->paths[i]);
        if (!state->paths[i]) {
            return error_set(error, config->paths[i] ? KODAMA_ERR_MEMORY : KODAMA_ERR_ARGUMENT,
                             "file %lu of %lu has no name", (unsigned long)i + 1,
                             (unsigned long)config->n_paths);
        }
        int status = audio_file_open(&file, state->paths[i], error);
        if (status < 0) return status;
        status = join_format(source, i, audio_file_format(file), error);
        int64_t length = audio_file_length(file);
        bool known = length >= 0 && source->length >= 0;
        source->length = known ? source->length + length : -1;
        /* The first one stays open: a pipe cannot be opened twice. */
        if (i == 0 && status == KODAMA_OK) {
            state->file = file;
        } else {
            audio_file_close(file);
        }
        if (status < 0) return status;
    }
    return KODAMA_OK;
}

static int64_t read_converted(struct file_state *state, void *frames, size_t max_frames,
                              struct kodama_error *error)
{
    struct kodama_format format = audio_file_format(state->file);
    if (format.sample == state->source->format.sample) {
        return audio_file_read(state->file, frames, max_frames, error);
    }
    int64_t n = audio_file_read(state->file, state->scratch, max_frames, error);
    if (n > 0) convert_to_float(format.sample, state->scratch, frames, (size_t)n * format.channels);
    return n;
}

/* The next file; it was there when the source was opened, but that may be long ago. */
static int open_next(struct file_state *state, struct kodama_error *error)
{
    const char *path = state->paths[state->current];
    int status = audio_file_open(&state->file, path, error);
    if (status < 0) return status;
    struct kodama_format now = audio_file_format(state->file), joined = state->source->format;
    bool fits = now.rate_hz == joined.rate_hz && now.channels == joined.channels &&
                (now.sample == joined.sample || state->scratch);
    if (fits) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_FORMAT, "%s has changed its format since it was opened",
                     path);
}

static int64_t file_read(void *argument, void *frames, size_t max_frames,
                         struct kodama_error *error)
{
    struct file_state *state = argument;
    while (state->current < state->n_paths) {
        if (!state->file) {
            int status = open_next(state, error);
            if (status < 0) return status;
            log_write(state->source->log, KODAMA_LOG_INFO, "playing %s",
                      state->paths[state->current]);
        }
        int64_t n = read_converted(state, frames, max_frames, error);
        if (n != 0) return n;
        audio_file_close(state->file);
        state->file = NULL;
        state->current++;
    }
    return 0;
}

static int file_open(struct kodama_source *source, const struct kodama_source_config *config,
                     struct kodama_error *error)
{
    if (config->n_paths == 0 || !config->paths) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "source file: no file was given");
    }
    struct file_state *state = memory_array(1, sizeof *state);
    if (!state) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    source->state = state;
    state->source = source;
    source->paced = config->paced;
    state->n_paths = config->n_paths;
    state->paths = memory_array(config->n_paths, sizeof *state->paths);
    int status = state->paths ? examine(source, config, error)
                              : error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    size_t block_frames = source->format.rate_hz / 100; /* 10 ms */
    if (status == KODAMA_OK && config->n_paths > 1) {
        state->scratch = memory_array(block_frames * source->format.channels, sizeof(float));
        if (!state->scratch) {
            status = error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
        }
    }
    if (status == KODAMA_OK) {
        status =
            feed_init(&state->feed, source, block_frames, config->paced, file_read, state, error);
    }
    if (status < 0) file_close(source);
    return status;
}

static int file_start(struct kodama_source *source, struct kodama_error *error)
{
    struct file_state *state = source->state;
    return feed_start(&state->feed, error);
}

static void file_stop(struct kodama_source *source)
{
    struct file_state *state = source->state;
    feed_stop(&state->feed);
}

const struct source_ops source_file_ops = {
    .name = "file",
    .live = false,
    .open = file_open,
    .start = file_start,
    .stop = file_stop,
    .close = file_close,
};
