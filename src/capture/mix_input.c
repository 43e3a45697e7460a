/* Inputs of a mix: read, put in their place on the mix's timeline, added to a sum. */
#include "capture/mix_input.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/convert.h"
#include "base/error.h"
#include "base/memory.h"

/* ---------------------------------------------------------------- marks */

void mix_marks_add(struct mix_marks *marks, struct kodama_mark mark)
{
    if (marks->n_marks < MIX_MARKS_MAX) {
        marks->marks[marks->n_marks++] = mark;
        return;
    }
    if (!(mark.flags & KODAMA_MARK_GAP)) return;
    /* Rather one gap that is too long than one that nobody is told of. */
    struct kodama_mark *last = &marks->marks[MIX_MARKS_MAX - 1];
    uint64_t end = mark.position + mark.length, last_end = last->position + last->length;
    if (mark.position < last->position) last->position = mark.position;
    last->length = (end > last_end ? end : last_end) - last->position;
    last->flags = KODAMA_MARK_GAP;
}

/* Where a frame of the input lies on the mix's timeline, when the next one is at `next`. */
static uint64_t to_mix(const struct mix_input *input, uint64_t position, uint64_t next)
{
    int64_t ahead = (int64_t)position - input->place;
    if (input->drift.on) {
        ahead = llround(((double)ahead - input->between) / (1.0 + input->drift.speed));
    }
    int64_t at = (int64_t)(next + input->lead) + ahead;
    return at > 0 ? (uint64_t)at : 0;
}

static void add_gap(struct mix_input *input, uint64_t position, uint64_t end,
                    struct mix_marks *marks)
{
    struct source_counters *counters = &marks->mix->counters;
    /* Frames lost on the way may lie in a gap that was told already; and what is resampled may be a
     * frame off: a gap in periods is one gap. */
    bool goes_on = input->gap_end > 0 && position <= input->gap_end + input->drift.on;
    if (goes_on) position = input->gap_end;
    if (position >= end) return;
    if (!goes_on) source_count(&counters->gaps, 1);
    source_count(&counters->gap_frames, end - position);
    input->gap_end = end;
    mix_marks_add(marks, (struct kodama_mark){.position = position,
                                              .length = end - position,
                                              .flags = KODAMA_MARK_GAP});
}

/* What is told of the frames just read, where the mix stands at `next`; and of those that began in
 * lost ones before, what reaches beyond them. */
static void take_marks(struct mix_input *input, uint64_t next, struct mix_marks *marks)
{
    struct kodama_mark found[MIX_MARKS_MAX];
    uint64_t first = input->first_held;
    if (input->n_lost > 0) { /* it is live, and the mix was too slow */
        add_gap(input, to_mix(input, first - input->n_lost, next), to_mix(input, first, next),
                marks);
    }
    int n = kodama_ring_marks(input->ring, first, input->n_held, found, MIX_MARKS_MAX, NULL);
    if (n > MIX_MARKS_MAX) n = MIX_MARKS_MAX;
    for (int i = 0; i < n; i++) {
        struct kodama_mark mark = found[i];
        if (mark.position + input->n_lost < first) continue; /* was told with an earlier block */
        if (mark.flags & KODAMA_MARK_CLOCK) mix_clock_reset(&input->clock);
        if ((mark.flags & (KODAMA_MARK_TIME | KODAMA_MARK_CLOCK)) && mark.time_ns > 0) {
            mix_clock_add(&input->clock, mark.position, mark.time_ns);
        }
        if (mark.flags & KODAMA_MARK_GAP) {
            uint64_t begin = mark.position > first ? mark.position : first;
            add_gap(input, to_mix(input, begin, next),
                    to_mix(input, mark.position + mark.length, next), marks);
        } else if ((mark.flags & KODAMA_MARK_TIME) && mark.position >= first && input->tells_time) {
            mark.position = to_mix(input, mark.position, next);
            mix_marks_add(marks, mark);
        }
    }
}

/* ---------------------------------------------------------------- reading */

/* Read a block into `frames`; KODAMA_OK also when it has ended. */
static int read_block(struct mix_input *input)
{
    struct kodama_read info;
    int64_t n = kodama_cursor_read(input->cursor, input->frames, input->block_frames,
                                   KODAMA_FOREVER, &info);
    if (n == KODAMA_ERR_CLOSED) {
        input->ended = true;
        return KODAMA_OK;
    }
    if (n < 0) return (int)n;
    input->n_held = (size_t)n;
    input->first_held = info.position;
    input->n_lost = info.lost;
    return KODAMA_OK;
}

static float *window_at(const struct mix_input *input, int64_t position)
{
    return input->window + (size_t)(position - input->window_first) * input->channels;
}

/* Give up what lies behind the place, but for what interpolation looks back at. */
static void trim(struct mix_input *input)
{
    int64_t keep = input->place - MIX_BEFORE;
    if (keep <= input->window_first) return;
    size_t n_gone = (size_t)(keep - input->window_first);
    if (n_gone > input->n_window) n_gone = input->n_window;
    input->n_window -= n_gone;
    input->window_first += (int64_t)n_gone;
    memmove(input->window, input->window + n_gone * input->channels,
            input->n_window * input->channels * sizeof(float));
}

static void append_silence(struct mix_input *input, size_t n_frames)
{
    float *out = window_at(input, input->window_first + (int64_t)input->n_window);
    memset(out, 0, n_frames * input->channels * sizeof(float));
    input->n_window += n_frames;
}

/* A block more in the window: lost frames, frames read, or silence behind the end. */
static int extend(struct mix_input *input, uint64_t next, struct mix_marks *marks)
{
    trim(input);
    if (input->n_held == 0 && !input->ended) {
        int status = read_block(input);
        if (status < 0) return status;
        if (!input->ended) take_marks(input, next, marks);
    }
    if (input->n_lost > 0) {
        size_t n =
            input->n_lost < input->block_frames ? (size_t)input->n_lost : input->block_frames;
        append_silence(input, n);
        input->n_lost -= n;
    } else if (input->n_held > 0) {
        struct kodama_format format = input->source->format;
        float *out = window_at(input, input->window_first + (int64_t)input->n_window);
        if (input->channels == 1) {
            convert_to_mono(format, input->frames, out, input->n_held);
        } else {
            convert_to_float(format.sample, input->frames, out, input->n_held * input->channels);
        }
        input->n_window += input->n_held;
        input->n_held = 0;
    } else if (input->end == INT64_MAX) {
        input->end = input->window_first + (int64_t)input->n_window;
        append_silence(input, MIX_TAPS);
    }
    return KODAMA_OK;
}

/* ---------------------------------------------------------------- adding */

static void add_frame(const float *frame, uint32_t channels, float gain, float *sum,
                      uint32_t mix_channels)
{
    for (uint32_t c = 0; c < mix_channels; c++) {
        sum[c] += gain * frame[channels == mix_channels ? c : 0];
    }
}

/* Add frames as they are; how many. */
static size_t add_exact(struct mix_input *input, float *sum, size_t n_frames, uint32_t mix_channels)
{
    int64_t until = input->window_first + (int64_t)input->n_window;
    if (until > input->end) until = input->end;
    if (until <= input->place) return 0;
    size_t n =
        (size_t)(until - input->place) < n_frames ? (size_t)(until - input->place) : n_frames;
    const float *from = window_at(input, input->place);
    if (input->channels == mix_channels) {
        for (size_t i = 0; i < n * mix_channels; i++) sum[i] += input->gain * from[i];
    } else {
        for (size_t i = 0; i < n; i++) {
            add_frame(from + i, 1, input->gain, sum + i * mix_channels, mix_channels);
        }
    }
    input->place += (int64_t)n;
    return n;
}

/* Add frames at another speed; how many. */
static size_t add_resampled(struct mix_input *input, float *sum, size_t n_frames,
                            uint32_t mix_channels)
{
    int64_t until = input->window_first + (int64_t)input->n_window - MIX_AFTER;
    if (until > input->end) until = input->end;
    size_t n = 0;
    while (n < n_frames && input->place < until) {
        float frame[KODAMA_CHANNELS_MAX];
        mix_kernel_apply(input->kernel, window_at(input, input->place), input->channels,
                         input->between, frame);
        add_frame(frame, input->channels, input->gain, sum + n * mix_channels, mix_channels);
        input->between += 1.0 + input->drift.speed;
        double whole = floor(input->between);
        input->place += (int64_t)whole;
        input->between -= whole;
        n++;
    }
    return n;
}

int mix_input_add(struct mix_input *input, float *sum, size_t n_frames, uint32_t mix_channels,
                  uint64_t mix_position, struct mix_marks *marks)
{
    while (input->n_done < n_frames) {
        size_t left = n_frames - input->n_done, n;
        float *at = sum + input->n_done * mix_channels;
        if (input->lead > 0) {
            n = input->lead < left ? (size_t)input->lead : left;
            input->lead -= n;
        } else if (input->place >= input->end) {
            break;
        } else if (input->drift.on) {
            n = add_resampled(input, at, left, mix_channels);
        } else {
            n = add_exact(input, at, left, mix_channels);
        }
        input->n_done += n;
        if (n > 0) continue;
        int status = extend(input, mix_position + input->n_done, marks);
        if (status < 0) return status;
    }
    return KODAMA_OK;
}

/* ---------------------------------------------------------------- beginning, keeping step */

void mix_input_begin(struct mix_input *input)
{
    if (source_keeps_time(input->source)) {
        kodama_cursor_clear(input->cursor);
        input->n_held = 0;
        input->n_lost = 0;
        input->n_window = 0;
        input->end = INT64_MAX;
        input->clock.rate_hz = input->source->format.rate_hz;
        mix_clock_reset(&input->clock);
        input->drift = (struct mix_drift){0};
        input->between = 0.0;
    }
    input->ended = false;
    input->timed = false;
    input->lead = 0;
    if (input->n_window > 0 || input->n_held > 0) return; /* it goes on where it was */
    input->end = INT64_MAX;
    input->place = (int64_t)kodama_cursor_position(input->cursor);
    input->window_first = input->place - MIX_BEFORE;
    append_silence(input, MIX_BEFORE);
}

int mix_input_find_time(struct mix_input *input)
{
    if (input->n_held == 0 && !input->ended) {
        int status = read_block(input);
        if (status < 0 || input->ended) return status;
    }
    if (!source_keeps_time(input->source)) return KODAMA_OK;
    struct kodama_mark found[MIX_MARKS_MAX];
    int n = kodama_ring_marks(input->ring, input->first_held, input->n_held, found, MIX_MARKS_MAX,
                              NULL);
    if (n > MIX_MARKS_MAX) n = MIX_MARKS_MAX;
    for (int i = 0; i < n; i++) {
        if (!(found[i].flags & (KODAMA_MARK_TIME | KODAMA_MARK_CLOCK))) continue;
        if (found[i].time_ns == 0) continue;
        if (found[i].flags & KODAMA_MARK_CLOCK) mix_clock_reset(&input->clock);
        mix_clock_add(&input->clock, found[i].position, found[i].time_ns);
        input->timed = true;
    }
    return KODAMA_OK;
}

void mix_input_enter(struct mix_input *input, uint64_t mix_position, struct mix_marks *marks)
{
    mix_clock_reset(&input->clock); /* they come again */
    if (input->n_held > 0) take_marks(input, mix_position, marks);
}

void mix_input_follow(struct mix_input *input, const struct mix_input *reference, size_t n_frames)
{
    bool both = input->timed && reference->timed && input->clock.n_marks > 0 &&
                reference->clock.n_marks > 0;
    if (input == reference || !both || input->lead > 0 || reference->lead > 0) return;
    /* An input that has ended keeps nobody in step; the others go on at the speed they had. */
    if (input->ended || reference->ended) return;
    double now_ns = mix_clock_time(&reference->clock, (double)reference->place);
    double wanted = mix_clock_position(&input->clock, now_ns);
    mix_drift_update(&input->drift, wanted - ((double)input->place + input->between), n_frames,
                     input->source->format.rate_hz);
}

/* Whether the place is behind the next change of `count` changes, of which the last was at `at`;
 * where those before it were nobody knows any more. */
static bool has_come(const struct mix_input *input, uint64_t told, uint64_t count, uint64_t at)
{
    return told < count && (told + 1 < count || (int64_t)at < input->place);
}

bool mix_input_look(struct mix_input *input)
{
    const struct source_counters *counters = &input->source->counters;
    /* acquire: what is counted has its position already */
    uint64_t returned = atomic_load_explicit(&counters->returned, memory_order_acquire);
    uint64_t vanished = atomic_load_explicit(&counters->vanished, memory_order_acquire);
    uint64_t vanished_at = atomic_load_explicit(&counters->vanished_at, memory_order_relaxed);
    uint64_t returned_at = atomic_load_explicit(&counters->returned_at, memory_order_relaxed);
    bool seen = input->gone;
    for (;;) {
        if (!input->gone && has_come(input, input->vanished, vanished, vanished_at)) {
            input->vanished++;
            seen = input->gone = true;
        } else if (input->gone && has_come(input, input->returned, returned, returned_at)) {
            input->returned++;
            input->gone = false;
        } else {
            return seen;
        }
    }
}

/* ---------------------------------------------------------------- opening and closing */

int mix_input_init(struct mix_input *input, size_t block_frames, uint32_t mix_channels,
                   struct kodama_error *error)
{
    struct kodama_format format = input->source->format;
    input->block_frames = block_frames;
    input->channels = mix_channels == 1 ? 1 : format.channels;
    input->frames = memory_array(block_frames, kodama_frame_bytes(format));
    /* A block, what is looked back at and ahead to, and the silence behind the end. */
    input->window = memory_array(2 * block_frames + 3 * MIX_TAPS, input->channels * sizeof(float));
    if (input->frames && input->window) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_MEMORY, "no memory for a mix");
}

void mix_input_free(struct mix_input *input)
{
    free(input->frames);
    free(input->window);
}
