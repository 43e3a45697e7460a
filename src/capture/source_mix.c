/* The source "mix": several sources as one; frame n of it is the sum of frame n of each. */
#include <math.h>
#include <stdlib.h>

#include "audio/convert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture/feed.h"

enum { INPUTS_MAX = KODAMA_CURSORS_MAX, MARKS_MAX = 64 };

struct input {
    /* Immutable after open. */
    struct mix_state *mix;
    struct kodama_source *source;
    float gain;
    /* Set by start, owner only. */
    struct kodama_ring *ring;
    struct kodama_cursor *cursor;
    bool started;
    /* Written by the input's thread before it closes the ring, read by the feed after it found the
     * ring closed. */
    int status;
    struct kodama_error error;
    /* The feed's thread only. */
    bool ended;
    uint8_t *frames; /* up to a block as read */
    size_t n_held, held_at;
    uint64_t silence; /* lost frames that are due before those held */
    uint64_t gap_end; /* where its latest gap ends, on the mix's timeline */
};

struct mix_state {
    struct feed feed;
    struct kodama_source *source;
    struct input *inputs;
    size_t n_inputs;
    size_t block_frames;
    float *sum;    /* one block of the mix */
    float *floats; /* one block of one input */
    uint64_t position;
    struct kodama_mark marks[MARKS_MAX]; /* of the block that is being made */
    size_t n_marks;
    bool was_started;
};

/* ----------------------------------------------------------------- reading */

static void add_mark(struct mix_state *mix, struct kodama_mark mark)
{
    if (mix->n_marks < MARKS_MAX) {
        mix->marks[mix->n_marks++] = mark;
        return;
    }
    if (!(mark.flags & KODAMA_MARK_GAP)) return;
    /* Rather one gap that is too long than one that nobody is told of. */
    struct kodama_mark *last = &mix->marks[MARKS_MAX - 1];
    uint64_t end = mark.position + mark.length, last_end = last->position + last->length;
    if (mark.position < last->position) last->position = mark.position;
    last->length = (end > last_end ? end : last_end) - last->position;
    last->flags = KODAMA_MARK_GAP;
}

static void add_gap(struct input *input, uint64_t position, uint64_t length)
{
    struct kodama_source *source = input->mix->source;
    uint64_t end = position + length;
    /* Frames lost on the way may lie in a gap that was told already. */
    if (position < input->gap_end) position = input->gap_end;
    if (position >= end) return;
    /* A gap in periods is one gap. */
    if (position != input->gap_end || position == 0) source_count(&source->counters.gaps, 1);
    source_count(&source->counters.gap_frames, end - position);
    input->gap_end = end;
    add_mark(input->mix, (struct kodama_mark){.position = position,
                                              .length = end - position,
                                              .flags = KODAMA_MARK_GAP});
}

/* The gaps that begin in the `n` frames just read from `first` on, where the mix stands at `at`; of
 * those that begin in the `lost` frames before, what reaches beyond them. */
static void copy_marks(struct input *input, uint64_t first, size_t n, uint64_t lost, uint64_t at)
{
    struct kodama_mark marks[MARKS_MAX];
    int found = kodama_ring_marks(input->ring, first, n, marks, MARKS_MAX, NULL);
    if (found > MARKS_MAX) found = MARKS_MAX;
    for (int i = 0; i < found; i++) {
        struct kodama_mark mark = marks[i];
        if (mark.position + lost < first) continue; /* was told with an earlier block */
        if (mark.flags & KODAMA_MARK_GAP) {
            uint64_t begin = mark.position > first ? mark.position : first;
            add_gap(input, at + (begin - first), mark.position + mark.length - begin);
        } else if ((mark.flags & KODAMA_MARK_TIME) && mark.position >= first &&
                   input == input->mix->inputs) {
            mark.position = at + (mark.position - first);
            add_mark(input->mix, mark); /* the first input's clock is the mix's */
        }
    }
}

/* Read what comes next of an input; KODAMA_OK also when it has ended. */
static int refill(struct input *input, uint64_t at, size_t n_frames)
{
    struct kodama_read info;
    int64_t n = kodama_cursor_read(input->cursor, input->frames, n_frames, KODAMA_FOREVER, &info);
    if (n == KODAMA_ERR_CLOSED) {
        input->ended = true;
        return KODAMA_OK;
    }
    if (n < 0) return (int)n;
    input->n_held = (size_t)n;
    input->held_at = 0;
    input->silence = info.lost;
    if (info.lost > 0) add_gap(input, at, info.lost); /* it is live, and the mix was too slow */
    copy_marks(input, info.position, (size_t)n, info.lost, at + info.lost);
    return KODAMA_OK;
}

/* Add frames of an input to the sum: each channel to its own, mono to all, the mean to mono. */
static void add_frames(struct input *input, float *sum, size_t n)
{
    struct mix_state *mix = input->mix;
    struct kodama_format from = input->source->format;
    uint32_t channels = mix->source->format.channels;
    const uint8_t *frames = input->frames + input->held_at * kodama_frame_bytes(from);
    if (channels == 1) {
        convert_to_mono(from, frames, mix->floats, n);
    } else {
        convert_to_float(from.sample, frames, mix->floats, n * from.channels);
    }
    if (from.channels == channels || channels == 1) {
        for (size_t i = 0; i < n * channels; i++) sum[i] += input->gain * mix->floats[i];
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float value = input->gain * mix->floats[i];
        for (uint32_t c = 0; c < channels; c++) sum[i * channels + c] += value;
    }
}

/* Add `n_frames` of an input, fewer only when it ends; how many, or an error. */
static int64_t add_input(struct input *input, size_t n_frames)
{
    struct mix_state *mix = input->mix;
    size_t done = 0;
    while (done < n_frames) {
        size_t n = n_frames - done;
        if (input->silence > 0) {
            if (input->silence < n) n = (size_t)input->silence;
            input->silence -= n;
            done += n;
        } else if (input->n_held > 0) {
            if (input->n_held < n) n = input->n_held;
            add_frames(input, mix->sum + done * mix->source->format.channels, n);
            input->n_held -= n;
            input->held_at += n;
            done += n;
        } else {
            if (!input->ended) {
                int status = refill(input, mix->position + done, n);
                if (status < 0) return status;
            }
            if (input->ended) break;
        }
    }
    return (int64_t)done;
}

static int by_position(const void *left, const void *right)
{
    const struct kodama_mark *a = left, *b = right;
    return (a->position > b->position) - (a->position < b->position);
}

/* What was found in all inputs, in order. */
static void write_marks(struct mix_state *mix)
{
    qsort(mix->marks, mix->n_marks, sizeof *mix->marks, by_position);
    uint64_t shift = kodama_ring_position(mix->source->writer.ring) - mix->position;
    for (size_t i = 0; i < mix->n_marks; i++) {
        mix->marks[i].position += shift;
        kodama_writer_mark(&mix->source->writer, &mix->marks[i]);
    }
    mix->n_marks = 0;
}

/* All have ended: did one of them end badly? */
static int64_t ended(const struct mix_state *mix, struct kodama_error *error)
{
    for (size_t i = 0; i < mix->n_inputs; i++) {
        const struct input *input = &mix->inputs[i];
        if (input->status >= 0) continue;
        if (error) *error = input->error;
        return error_prefix(error, input->status, "input %lu of the mix (%s)", (unsigned long)i + 1,
                            input->source->ops->name);
    }
    return 0;
}

static int64_t mix_read(void *argument, void *frames, size_t max_frames, struct kodama_error *error)
{
    struct mix_state *mix = argument;
    struct kodama_format format = mix->source->format;
    for (size_t i = 0; i < max_frames * format.channels; i++) mix->sum[i] = 0.0f;
    int64_t n = 0;
    for (size_t i = 0; i < mix->n_inputs; i++) {
        int64_t added = add_input(&mix->inputs[i], max_frames);
        if (added < 0) return added;
        if (added > n) n = added;
    }
    if (n == 0) return ended(mix, error);
    write_marks(mix);
    convert_from_float(format.sample, mix->sum, frames, (size_t)n * format.channels);
    mix->position += (uint64_t)n;
    return n;
}

/* ------------------------------------------------- starting and stopping */

/* On the input's thread, last of all. */
static void on_input_end(void *user, int status, const struct kodama_error *error)
{
    struct input *input = user;
    input->status = status;
    if (status < 0) {
        if (error) input->error = *error;
        log_write(input->mix->source->log, KODAMA_LOG_WARNING,
                  "an input of the mix has ended: %s; the others go on",
                  error ? error->message : kodama_strerror(status));
    }
    kodama_ring_close(input->ring);
}

static int start_input(struct input *input, struct kodama_error *error)
{
    struct kodama_ring_config ring = KODAMA_RING_CONFIG_INIT;
    ring.format = input->source->format;
    ring.live = input->source->live;
    /* A live input goes on while the others are waited for. */
    ring.capacity_seconds = input->source->live ? 2.0 : 0.1;
    int status = kodama_ring_create(&input->ring, &ring, error);
    if (status < 0) return status;
    struct kodama_cursor_config cursor = KODAMA_CURSOR_CONFIG_INIT;
    cursor.lossless = !input->source->live;
    cursor.watermark_frames = input->mix->block_frames;
    status = kodama_cursor_open(&input->cursor, input->ring, &cursor);
    if (status < 0) {
        return error_set(error, status, "cannot read an input of the mix: %s",
                         kodama_strerror(status));
    }
    status = source_start(input->source, input->ring, on_input_end, input, error);
    input->started = status == KODAMA_OK;
    return status;
}

static void stop_inputs(struct mix_state *mix)
{
    for (size_t i = 0; i < mix->n_inputs; i++) {
        struct input *input = &mix->inputs[i];
        if (input->ring) kodama_ring_close(input->ring); /* frees one that waits for room */
        if (input->started) source_stop(input->source);
        input->started = false;
        kodama_cursor_close(input->cursor);
        kodama_ring_destroy(input->ring);
        input->cursor = NULL;
        input->ring = NULL;
    }
}

static int mix_start(struct kodama_source *source, struct kodama_error *error)
{
    struct mix_state *mix = source->state;
    if (mix->was_started) {
        return error_set(error, KODAMA_ERR_STATE,
                         "a mix runs once: stopped, its inputs have come to different places");
    }
    int status = KODAMA_OK;
    for (size_t i = 0; i < mix->n_inputs && status == KODAMA_OK; i++) {
        status = start_input(&mix->inputs[i], error);
        mix->was_started = mix->was_started || mix->inputs[i].started;
    }
    if (status == KODAMA_OK) status = feed_start(&mix->feed, error);
    if (status < 0) stop_inputs(mix);
    return status;
}

static void mix_stop(struct kodama_source *source)
{
    struct mix_state *mix = source->state;
    for (size_t i = 0; i < mix->n_inputs; i++) kodama_cursor_interrupt(mix->inputs[i].cursor);
    feed_stop(&mix->feed);
    stop_inputs(mix);
}

/* ------------------------------------------------------ opening and closing */

static void free_mix(struct mix_state *mix)
{
    feed_free(&mix->feed);
    for (size_t i = 0; mix->inputs && i < mix->n_inputs; i++) free(mix->inputs[i].frames);
    free(mix->inputs);
    free(mix->sum);
    free(mix->floats);
    free(mix);
}

static void mix_close(struct kodama_source *source)
{
    struct mix_state *mix = source->state;
    for (size_t i = 0; i < mix->n_inputs; i++) kodama_source_close(mix->inputs[i].source);
    free_mix(mix);
}

static int check_inputs(const struct kodama_source_config *config, struct kodama_error *error)
{
    if (config->n_inputs < 1 || config->n_inputs > INPUTS_MAX || !config->inputs) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "source mix: %lu inputs were given: 1 to %d are allowed",
                         (unsigned long)config->n_inputs, INPUTS_MAX);
    }
    for (size_t i = 0; i < config->n_inputs; i++) {
        const struct kodama_mix_input *input = &config->inputs[i];
        if (!input->source) {
            return error_set(error, KODAMA_ERR_ARGUMENT, "source mix: input %lu is missing",
                             (unsigned long)i + 1);
        }
        if (!isfinite(input->gain)) {
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "source mix: the gain of input %lu is no finite number",
                             (unsigned long)i + 1);
        }
        for (size_t j = 0; j < i; j++) {
            if (config->inputs[j].source != input->source) continue;
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "source mix: inputs %lu and %lu are one source", (unsigned long)j + 1,
                             (unsigned long)i + 1);
        }
    }
    return KODAMA_OK;
}

/* What the mix becomes. */
static int choose_format(struct kodama_source *source, const struct kodama_source_config *config,
                         struct kodama_error *error)
{
    struct kodama_format format = config->format;
    if (format.sample == 0) format.sample = KODAMA_SAMPLE_F32;
    if (format.rate_hz == 0) format.rate_hz = config->inputs[0].source->format.rate_hz;
    for (size_t i = 0; config->format.channels == 0 && i < config->n_inputs; i++) {
        struct kodama_format input = config->inputs[i].source->format;
        if (input.channels <= format.channels) continue;
        format.channels = input.channels;
        if (config->format.channel_mask == 0) format.channel_mask = input.channel_mask;
    }
    int status = kodama_format_check(format, error);
    if (status < 0) return status;
    for (size_t i = 0; i < config->n_inputs; i++) {
        struct kodama_format input = config->inputs[i].source->format;
        bool fits =
            input.rate_hz == format.rate_hz &&
            (input.channels == format.channels || input.channels == 1 || format.channels == 1);
        if (fits) continue;
        char is[64], wanted[64];
        return error_set(error, KODAMA_ERR_FORMAT,
                         "source mix: input %lu is %s and cannot become %s: the rates must agree, "
                         "the channels too unless one is mono",
                         (unsigned long)i + 1, kodama_format_text(input, is, sizeof is),
                         kodama_format_text(format, wanted, sizeof wanted));
    }
    source->format = format;
    return KODAMA_OK;
}

static int take_inputs(struct mix_state *mix, const struct kodama_source_config *config,
                       struct kodama_error *error)
{
    struct kodama_source *source = mix->source;
    mix->block_frames = source->format.rate_hz / 100; /* 10 ms */
    mix->inputs = memory_array(config->n_inputs, sizeof *mix->inputs);
    mix->sum = memory_array(mix->block_frames * source->format.channels, sizeof(float));
    mix->floats = memory_array(mix->block_frames * KODAMA_CHANNELS_MAX, sizeof(float));
    if (!mix->inputs || !mix->sum || !mix->floats) {
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a mix");
    }
    mix->n_inputs = config->n_inputs;
    source->length = 0;
    for (size_t i = 0; i < config->n_inputs; i++) {
        struct input *input = &mix->inputs[i];
        input->mix = mix;
        input->source = config->inputs[i].source;
        input->gain = (float)config->inputs[i].gain;
        input->frames = memory_array(mix->block_frames, kodama_frame_bytes(input->source->format));
        if (!input->frames) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a mix");
        int64_t length = input->source->length;
        bool known = length >= 0 && source->length >= 0;
        if (!known) source->length = -1;
        if (known && length > source->length) source->length = length;
        source->live = source->live || input->source->live;
    }
    return KODAMA_OK;
}

static int mix_open(struct kodama_source *source, const struct kodama_source_config *config,
                    struct kodama_error *error)
{
    int status = check_inputs(config, error);
    if (status == KODAMA_OK) status = choose_format(source, config, error);
    if (status < 0) return status;
    struct mix_state *mix = memory_array(1, sizeof *mix);
    if (!mix) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a mix");
    source->state = mix;
    mix->source = source;
    status = take_inputs(mix, config, error);
    if (status == KODAMA_OK) {
        status = feed_init(&mix->feed, source, mix->block_frames, false, mix_read, mix, error);
    }
    if (status < 0) free_mix(mix); /* the inputs stay the caller's */
    return status;
}

const struct source_ops source_mix_ops = {
    .name = "mix",
    .live = false,
    .open = mix_open,
    .start = mix_start,
    .stop = mix_stop,
    .close = mix_close,
};
