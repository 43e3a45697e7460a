/*
 * The source "mix": several sources as one.
 *
 * Inputs that keep time and say when their first frame was heard begin where they were heard; the
 * first of them is the reference, whose frames pass as they are, and the others are kept in step
 * with it. All other inputs are put together by position: frame n of the mix is the sum of frame n
 * of each.
 */
#include <math.h>
#include <stdlib.h>

#include "audio/convert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture/feed.h"
#include "capture/mix_input.h"
#include "ring/ring.h"

enum { INPUTS_MAX = KODAMA_CURSORS_MAX };

struct mix_state {
    struct feed feed;
    struct kodama_source *source;
    struct mix_input *inputs;
    size_t n_inputs;
    size_t block_frames;
    struct mix_kernel kernel;
    /* The feed's thread only. */
    float *sum;                        /* one block of the mix */
    bool in_block;                     /* some of it is made */
    bool aligned;                      /* the inputs have begun */
    const struct mix_input *reference; /* NULL: nobody says when it was heard */
    uint64_t position;                 /* of the block */
    struct mix_marks marks;            /* of the block */
};

/* ----------------------------------------------------------------- mixing */

/* Where the inputs begin: the one that was heard first at once, the others as much later as they
 * were heard. Rounded to frames, so that inputs of one clock stay as they are, bit for bit. */
static void place_inputs(struct mix_state *mix)
{
    double origin_ns = INFINITY;
    size_t begin = 0; /* a stop may have come in the middle of a block, between two inputs */
    mix->reference = NULL;
    for (size_t i = 0; i < mix->n_inputs; i++) {
        struct mix_input *input = &mix->inputs[i];
        input->tells_time = false;
        if (!input->timed) continue;
        if (!mix->reference) mix->reference = input;
        if (input->n_done > begin) begin = input->n_done;
        origin_ns = fmin(origin_ns, mix_clock_time(&input->clock, (double)input->place));
    }
    for (size_t i = 0; i < mix->n_inputs; i++) {
        struct mix_input *input = &mix->inputs[i];
        if (!input->timed) continue;
        double late_ns = mix_clock_time(&input->clock, (double)input->place) - origin_ns;
        input->lead = (uint64_t)llround(late_ns * mix->source->format.rate_hz / 1e9);
        input->lead += begin - input->n_done;
        log_write(mix->source->log, KODAMA_LOG_DEBUG, "input %lu of the mix begins %.1f ms later",
                  (unsigned long)i + 1, late_ns / 1e6);
    }
    /* The clock of one input is the mix's. */
    size_t teller = mix->reference ? (size_t)(mix->reference - mix->inputs) : 0;
    mix->inputs[teller].tells_time = true;
    if (mix->inputs[teller].lead > 0) {
        mix_marks_add(&mix->marks, (struct kodama_mark){.position = mix->position + begin,
                                                        .time_ns = (uint64_t)origin_ns,
                                                        .flags = KODAMA_MARK_TIME});
    }
}

/* Wait for the first frames of all, and put them in their places. */
static int align(struct mix_state *mix)
{
    for (size_t i = 0; i < mix->n_inputs; i++) {
        int status = mix_input_find_time(&mix->inputs[i]);
        if (status < 0) return status;
    }
    place_inputs(mix);
    for (size_t i = 0; i < mix->n_inputs; i++) {
        mix_input_enter(&mix->inputs[i], mix->position + mix->inputs[i].n_done, &mix->marks);
    }
    mix->aligned = true;
    return KODAMA_OK;
}

static int by_position(const void *left, const void *right)
{
    const struct kodama_mark *a = left, *b = right;
    return (a->position > b->position) - (a->position < b->position);
}

/* What was found in all inputs, in order. */
static void hand_on_marks(struct mix_state *mix)
{
    struct mix_marks *marks = &mix->marks;
    qsort(marks->marks, marks->n_marks, sizeof *marks->marks, by_position);
    for (size_t i = 0; i < marks->n_marks; i++) {
        int64_t offset = (int64_t)(marks->marks[i].position - mix->position);
        feed_mark_at(&mix->feed, offset, marks->marks[i]);
    }
    marks->n_marks = 0;
}

/* The mix has vanished while one of its inputs has. */
static void watch_targets(struct mix_state *mix)
{
    bool seen = false, gone = false;
    for (size_t i = 0; i < mix->n_inputs; i++) {
        if (mix_input_look(&mix->inputs[i])) seen = true;
        if (mix->inputs[i].gone) gone = true;
    }
    if (seen) source_vanished(mix->source);
    if (!gone) source_returned(mix->source);
}

/* All have ended: did one of them end badly? */
static int64_t ended(const struct mix_state *mix, struct kodama_error *error)
{
    for (size_t i = 0; i < mix->n_inputs; i++) {
        const struct mix_input *input = &mix->inputs[i];
        if (input->status >= 0) continue;
        if (error) *error = input->error;
        return error_prefix(error, input->status, "input %lu of the mix (%s)", (unsigned long)i + 1,
                            input->source->ops->name);
    }
    return 0;
}

/* Stopped in the middle, the next call goes on where this one was. */
static int make_block(struct mix_state *mix, size_t n_frames)
{
    uint32_t channels = mix->source->format.channels;
    if (!mix->in_block) {
        for (size_t i = 0; i < n_frames * channels; i++) mix->sum[i] = 0.0f;
        for (size_t i = 0; i < mix->n_inputs; i++) mix->inputs[i].n_done = 0;
        mix->in_block = true;
    }
    if (!mix->aligned) {
        int status = align(mix);
        if (status < 0) return status;
    }
    for (size_t i = 0; i < mix->n_inputs; i++) {
        int status = mix_input_add(&mix->inputs[i], mix->sum, n_frames, channels, mix->position,
                                   &mix->marks);
        if (status < 0) return status;
    }
    mix->in_block = false;
    return KODAMA_OK;
}

static int64_t mix_read(void *argument, void *frames, size_t max_frames, struct kodama_error *error)
{
    struct mix_state *mix = argument;
    struct kodama_format format = mix->source->format;
    int status = make_block(mix, max_frames);
    if (status < 0) return status;
    size_t n = 0;
    for (size_t i = 0; i < mix->n_inputs; i++) {
        struct mix_input *input = &mix->inputs[i];
        if (input->n_done > n) n = input->n_done;
        if (mix->reference) mix_input_follow(input, mix->reference, max_frames);
    }
    if (n == 0) return ended(mix, error);
    hand_on_marks(mix);
    watch_targets(mix);
    convert_from_float(format.sample, mix->sum, frames, n * format.channels);
    mix->position += n;
    return (int64_t)n;
}

/* ------------------------------------------------- starting and stopping */

/* On the input's thread, last of all. */
static void on_input_end(void *user, int status, const struct kodama_error *error)
{
    struct mix_input *input = user;
    input->status = status;
    if (status < 0) {
        if (error) input->error = *error;
        log_write(input->source->log, KODAMA_LOG_WARNING,
                  "an input of the mix has ended: %s; the others go on",
                  error ? error->message : kodama_strerror(status));
    }
    kodama_ring_close(input->ring);
}

static int open_ring(struct mix_input *input, struct kodama_error *error)
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
    cursor.watermark_frames = input->block_frames;
    status = kodama_cursor_open(&input->cursor, input->ring, &cursor);
    if (status < 0) {
        return error_set(error, status, "cannot read an input of the mix: %s",
                         kodama_strerror(status));
    }
    return KODAMA_OK;
}

/* Started again, an input goes on with its ring and with what was not read of it. */
static int start_input(struct mix_input *input, struct kodama_error *error)
{
    int status = input->cursor ? KODAMA_OK : open_ring(input, error);
    if (status < 0) return status;
    if (input->status < 0) return KODAMA_OK; /* it has failed: its ring stays closed */
    ring_reopen(input->ring);
    /* The interrupt of a stop that nobody was waiting for. */
    (void)kodama_cursor_wait(input->cursor, 1);
    mix_input_begin(input);
    status = source_start(input->source, input->ring, on_input_end, input, error);
    input->started = status == KODAMA_OK;
    return status;
}

static void stop_inputs(struct mix_state *mix)
{
    for (size_t i = 0; i < mix->n_inputs; i++) {
        struct mix_input *input = &mix->inputs[i];
        if (input->ring) kodama_ring_close(input->ring); /* frees one that waits for room */
        if (input->started) source_stop(input->source);
        input->started = false;
    }
}

static int mix_start(struct kodama_source *source, struct kodama_error *error)
{
    struct mix_state *mix = source->state;
    int status = KODAMA_OK;
    mix->aligned = false;
    for (size_t i = 0; i < mix->n_inputs && status == KODAMA_OK; i++) {
        status = start_input(&mix->inputs[i], error);
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
    for (size_t i = 0; mix->inputs && i < mix->n_inputs; i++) {
        struct mix_input *input = &mix->inputs[i];
        kodama_cursor_close(input->cursor);
        kodama_ring_destroy(input->ring);
        mix_input_free(input);
    }
    free(mix->inputs);
    free(mix->sum);
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
    if (!mix->inputs || !mix->sum) {
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a mix");
    }
    mix_kernel_init(&mix->kernel);
    mix->n_inputs = config->n_inputs;
    source->length = 0;
    for (size_t i = 0; i < config->n_inputs; i++) {
        struct mix_input *input = &mix->inputs[i];
        input->source = config->inputs[i].source;
        input->gain = (float)config->inputs[i].gain;
        input->kernel = &mix->kernel;
        int status = mix_input_init(input, mix->block_frames, source->format.channels, error);
        if (status < 0) return status;
        int64_t length = input->source->length;
        /* Of those that keep time nobody knows yet how much later they begin. */
        bool known = length >= 0 && source->length >= 0 &&
                     (config->n_inputs == 1 || !source_keeps_time(input->source));
        if (!known) source->length = -1;
        if (known && length > source->length) source->length = length;
        source->live = source->live || input->source->live;
        source->paced = source->paced || input->source->paced;
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
    mix->marks.mix = source;
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
