/* The source "null": noise with faults on demand, so that what a device does once a month can be
 * had in a test at the frame where it is wanted. */
#include <math.h>
#include <stdlib.h>

#include "audio/convert.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "capture/source_generator.h"

struct null_state {
    struct generator generator; /* first: the functions of generators work on it */
    bool paced;                 /* immutable, as are the faults */
    struct kodama_fault *faults;
    size_t n_faults;
    /* The feed's thread only. */
    size_t next;                       /* fault that was not reached yet */
    const struct kodama_fault *within; /* gap, burst or vanish that lasts, or NULL */
    uint64_t within_end;
    uint64_t next_time_mark; /* position */
    /* The source's clock: frame clock_position is due at clock_ns, and it ticks frame_ns a frame.
     */
    uint64_t clock_position, clock_ns;
    double frame_ns, drift_ppm;
    bool begun;
};

/* The monotonic time at which a frame is due, by the source's own clock. */
static uint64_t due_ns(const struct null_state *state, uint64_t position)
{
    return state->clock_ns +
           (uint64_t)((double)(position - state->clock_position) * state->frame_ns + 0.5);
}

/* From `position`, which is due at `time_ns`, the clock is off by this much. */
static void set_clock(struct null_state *state, uint64_t position, uint64_t time_ns,
                      double drift_ppm)
{
    state->clock_ns = time_ns;
    state->clock_position = position;
    state->drift_ppm = drift_ppm;
    state->frame_ns = (double)CLOCK_NS_PER_S /
                      (state->generator.source->format.rate_hz * (1.0 + drift_ppm * 1e-6));
    state->next_time_mark = position;
}

static void mark(struct null_state *state, uint64_t position, uint64_t length, uint32_t flags)
{
    feed_mark(&state->generator.feed, length, due_ns(state, position), flags);
}

/* Wait until a time; false when the source was stopped. */
static bool wait_until(struct null_state *state, uint64_t when_ns)
{
    uint64_t now = clock_now_ns();
    int64_t left = when_ns > now ? (int64_t)(when_ns - now) : 0;
    return kodama_waitable_wait(state->generator.feed.stop_signal, left) == KODAMA_ERR_TIMEOUT;
}

static bool keep_pace(struct null_state *state, uint64_t position)
{
    return !state->paced || wait_until(state, due_ns(state, position));
}

static bool stall(struct null_state *state, uint64_t position, uint32_t stall_ms)
{
    uint64_t from = state->paced ? due_ns(state, position) : clock_now_ns();
    return wait_until(state, from + stall_ms * CLOCK_NS_PER_MS);
}

/* A fault that lasts begins. */
static void enter(struct null_state *state, const struct kodama_fault *fault)
{
    struct kodama_source *source = state->generator.source;
    uint64_t left = state->generator.end - fault->position;
    uint64_t length = fault->length_frames < left ? fault->length_frames : left;
    state->within = fault;
    state->within_end = fault->position + length;
    if (fault->kind == KODAMA_FAULT_BURST) return;
    source_count(&source->counters.gaps, 1);
    if (fault->kind == KODAMA_FAULT_GAP) {
        /* Where frames may be refused, each block is marked: see make_block(). */
        if (!source->rejects) mark(state, fault->position, length, KODAMA_MARK_GAP);
    } else {
        log_write(source->log, KODAMA_LOG_WARNING, "the source null has vanished at frame %llu",
                  (unsigned long long)fault->position);
        mark(state, fault->position, 0, KODAMA_MARK_CLOCK);
        source_vanished(source);
    }
}

static void leave(struct null_state *state)
{
    if (state->within->kind == KODAMA_FAULT_VANISH) {
        log_write(state->generator.source->log, KODAMA_LOG_INFO,
                  "the source null has come back at frame %llu",
                  (unsigned long long)state->within_end);
        mark(state, state->within_end, 0, KODAMA_MARK_CLOCK);
        source_returned(state->generator.source);
    }
    state->within = NULL;
    state->next_time_mark = state->within_end; /* what has an effect on time shows it at once */
}

/* What happens at this very frame; KODAMA_OK or why nothing comes any more. */
static int meet_faults(struct null_state *state, uint64_t position, struct kodama_error *error)
{
    if (position == state->generator.end) return KODAMA_OK;
    if (state->within && position == state->within_end) leave(state);
    while (state->next < state->n_faults && state->faults[state->next].position == position) {
        const struct kodama_fault *fault = &state->faults[state->next++];
        switch (fault->kind) {
        case KODAMA_FAULT_GAP:
        case KODAMA_FAULT_BURST:
        case KODAMA_FAULT_VANISH: enter(state, fault); break;
        case KODAMA_FAULT_DRIFT:
            set_clock(state, position, due_ns(state, position), fault->drift_ppm);
            break;
        case KODAMA_FAULT_STALL:
            if (!stall(state, position, fault->stall_ms)) return KODAMA_ERR_CANCELLED;
            break;
        case KODAMA_FAULT_FORMAT:
            if (!keep_pace(state, position)) return KODAMA_ERR_CANCELLED;
            return error_set(error, KODAMA_ERR_FORMAT,
                             "the source null changed its format at frame %llu: a stream has one "
                             "format, open a new one",
                             (unsigned long long)position);
        }
    }
    return KODAMA_OK;
}

/* How far the next block may go: to the next thing that happens. */
static size_t block_length(const struct null_state *state, uint64_t position, size_t max_frames)
{
    uint64_t end = state->generator.end;
    if (state->within && state->within_end < end) end = state->within_end;
    if (state->next < state->n_faults && state->faults[state->next].position < end) {
        end = state->faults[state->next].position;
    }
    return end - position < max_frames ? (size_t)(end - position) : max_frames;
}

/* Wait until a block is to be written. */
static bool wait_for_turn(struct null_state *state, uint64_t position)
{
    if (!state->within) return keep_pace(state, position);
    switch (state->within->kind) {
    case KODAMA_FAULT_BURST: return true;
    case KODAMA_FAULT_GAP: return keep_pace(state, state->within_end); /* only then is it known */
    default: return keep_pace(state, position);
    }
}

static void make_block(struct null_state *state, uint64_t position, void *frames, size_t n_frames)
{
    struct kodama_source *source = state->generator.source;
    if (!state->within || state->within->kind == KODAMA_FAULT_BURST) {
        if (position >= state->next_time_mark) {
            mark(state, position, 0, KODAMA_MARK_TIME);
            state->next_time_mark = position + source->format.rate_hz;
        }
        generator_make(&state->generator, position, frames, n_frames);
        return;
    }
    if (state->within->kind == KODAMA_FAULT_VANISH || source->rejects) {
        mark(state, position, n_frames, KODAMA_MARK_GAP);
    }
    convert_silence(source->format.sample, frames, n_frames * source->format.channels);
    feed_say(&state->generator.feed, FEED_MISSING);
}

/* The feed is not the one that keeps the pace: it knows nothing of this source's clock. */
static int64_t null_read(void *argument, void *frames, size_t max_frames,
                         struct kodama_error *error)
{
    struct null_state *state = argument;
    uint64_t position = state->generator.position;
    if (!state->begun) set_clock(state, position, clock_now_ns(), state->drift_ppm);
    state->begun = true;
    int status = meet_faults(state, position, error);
    if (status < 0) return status;
    size_t n = block_length(state, position, max_frames);
    if (n == 0) { /* the last block lasts as long as it is */
        return keep_pace(state, position) ? 0 : KODAMA_ERR_CANCELLED;
    }
    if (!wait_for_turn(state, position)) return KODAMA_ERR_CANCELLED;
    make_block(state, position, frames, n);
    state->generator.position += n;
    return (int64_t)n;
}

static bool lasts(enum kodama_fault_kind kind)
{
    return kind == KODAMA_FAULT_GAP || kind == KODAMA_FAULT_BURST || kind == KODAMA_FAULT_VANISH;
}

static int check_fault(const struct kodama_fault *fault, size_t index, uint64_t not_before,
                       struct kodama_error *error)
{
    unsigned long n = (unsigned long)index + 1;
    if (fault->kind < KODAMA_FAULT_GAP || fault->kind > KODAMA_FAULT_DRIFT) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "source null: fault %lu is of no known kind",
                         n);
    }
    if (fault->position < not_before || fault->position > INT64_MAX) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "source null: fault %lu at frame %llu lies before the end of the one "
                         "before it, or nowhere: give them in order",
                         n, (unsigned long long)fault->position);
    }
    if (lasts(fault->kind) != (fault->length_frames > 0) || fault->length_frames > INT64_MAX) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "source null: fault %lu has a length of %llu frames: gap, burst and "
                         "vanish need one, others have none",
                         n, (unsigned long long)fault->length_frames);
    }
    if (fault->kind == KODAMA_FAULT_DRIFT && !(fabs(fault->drift_ppm) <= 100000.0)) {
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "source null: fault %lu drifts by %g ppm: -100000 to 100000 are allowed",
                         n, fault->drift_ppm);
    }
    return KODAMA_OK;
}

static int take_faults(struct null_state *state, const struct kodama_source_config *config,
                       struct kodama_error *error)
{
    if (config->n_faults > 0 && !config->faults) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "source null: faults are counted but missing");
    }
    state->faults = memory_array(config->n_faults, sizeof *state->faults);
    if (!state->faults) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    state->n_faults = config->n_faults;
    uint64_t end = 0;
    for (size_t i = 0; i < config->n_faults; i++) {
        int status = check_fault(&config->faults[i], i, end, error);
        if (status < 0) return status;
        state->faults[i] = config->faults[i];
        end = state->faults[i].position + state->faults[i].length_frames;
    }
    return KODAMA_OK;
}

static void null_close(struct kodama_source *source)
{
    struct null_state *state = source->state;
    free(state->faults);
    generator_close(source);
}

static int null_open(struct kodama_source *source, const struct kodama_source_config *config,
                     struct kodama_error *error)
{
    struct null_state *state = memory_array(1, sizeof *state);
    if (!state) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a source");
    source->state = state;
    state->paced = config->paced;
    int status = take_faults(state, config, error);
    if (status == KODAMA_OK) {
        status = generator_init(&state->generator, source, config, generator_noise, null_read,
                                false, error);
    }
    if (status < 0) null_close(source);
    return status;
}

static int null_start(struct kodama_source *source, struct kodama_error *error)
{
    struct null_state *state = source->state;
    state->begun = false; /* the time it was stopped for has not passed for its frames */
    return generator_start(source, error);
}

const struct source_ops source_null_ops = {
    .name = "null",
    .live = false,
    .open = null_open,
    .start = null_start,
    .stop = generator_stop,
    .close = null_close,
};
