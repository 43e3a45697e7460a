/* Adding up what several record streams hear, in step. */
#include "capture/pulse_mix.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

enum { BLOCK_FRAMES = 1024, FIFO_FRAMES = 4096 };

bool pulse_mix_init(struct pulse_mix *mix, uint32_t rate_hz, uint32_t channels,
                    pulse_mix_function emit, void *user)
{
    *mix = (struct pulse_mix){.rate_hz = rate_hz, .channels = channels, .emit = emit, .user = user};
    mix->block = memory_array((size_t)BLOCK_FRAMES * channels, sizeof *mix->block);
    return mix->block != NULL;
}

static void free_input(struct pulse_mix_input *input)
{
    free(input->fifo);
    free(input);
}

void pulse_mix_free(struct pulse_mix *mix)
{
    while (mix->inputs) {
        struct pulse_mix_input *input = mix->inputs;
        mix->inputs = input->next;
        free_input(input);
    }
    free(mix->block);
    mix->block = NULL;
}

struct pulse_mix_input *pulse_mix_add(struct pulse_mix *mix)
{
    struct pulse_mix_input *input = memory_array(1, sizeof *input);
    if (!input) return NULL;
    input->next = mix->inputs;
    mix->inputs = input;
    return input;
}

/* --------------------------------------------------------------------- one stream */

/* Tick of the first frame that waits. */
static uint64_t begin_of(const struct pulse_mix_input *input)
{
    return input->end - input->n;
}

static bool make_room(struct pulse_mix *mix, struct pulse_mix_input *input, size_t n_frames)
{
    if (input->first + input->n + n_frames <= input->room) return true;
    if (input->n > 0 && input->first > 0) {
        memmove(input->fifo, input->fifo + input->first * mix->channels,
                input->n * mix->channels * sizeof *input->fifo);
    }
    input->first = 0;
    if (input->n + n_frames <= input->room) return true;
    size_t room = input->room ? input->room : FIFO_FRAMES;
    while (room < input->n + n_frames) room *= 2;
    float *fifo = memory_resize(input->fifo, room, mix->channels * sizeof *fifo);
    if (!fifo) return false;
    input->fifo = fifo;
    input->room = room;
    return true;
}

static void append(struct pulse_mix *mix, struct pulse_mix_input *input, const float *frames,
                   size_t n_frames)
{
    if (n_frames == 0) return;
    if (make_room(mix, input, n_frames)) {
        float *to = input->fifo + (input->first + input->n) * mix->channels;
        size_t n_bytes = n_frames * mix->channels * sizeof *to;
        if (frames) {
            memcpy(to, frames, n_bytes);
        } else {
            memset(to, 0, n_bytes);
        }
        input->n += n_frames;
    } else {
        /* Without memory they are missing, and what waited comes before its time by that much. */
        input->n = 0;
    }
    input->end += n_frames;
}

/* Add what waits in the block [tick, tick + n) to it. */
static void add_to_block(struct pulse_mix *mix, struct pulse_mix_input *input, size_t n_frames)
{
    if (!input->placed || input->n == 0) return;
    uint64_t begin = begin_of(input);
    if (begin >= mix->tick + n_frames) return;
    size_t at = begin > mix->tick ? (size_t)(begin - mix->tick) : 0;
    size_t n = n_frames - at < input->n ? n_frames - at : input->n;
    const float *from = input->fifo + input->first * mix->channels;
    float *to = mix->block + at * mix->channels;
    for (size_t i = 0; i < n * mix->channels; i++) to[i] += from[i];
    input->first += n;
    input->n -= n;
    if (input->n == 0) input->first = 0;
}

/* ------------------------------------------------------------------------ the sum */

/* Whether a stream says when the sum may go on. */
static bool leads(const struct pulse_mix_input *input)
{
    return input->placed && !input->ended;
}

/* Up to where all have arrived; streams that are too far behind lose their place. */
static uint64_t ready_until(struct pulse_mix *mix)
{
    uint64_t stall = (uint64_t)mix->rate_hz * PULSE_MIX_STALL_MS / 1000;
    uint64_t join = (uint64_t)mix->rate_hz * PULSE_MIX_JOIN_MS / 1000;
    uint64_t newest = mix->tick, until = UINT64_MAX, rest = mix->tick;
    bool waits = false;
    for (struct pulse_mix_input *input = mix->inputs; input; input = input->next) {
        if (leads(input) && input->end > newest) newest = input->end;
        if (input->ended && input->n > 0 && input->end > rest) rest = input->end;
    }
    for (struct pulse_mix_input *input = mix->inputs; input; input = input->next) {
        if (!input->placed && !input->ended && !input->late) {
            input->late = newest - mix->tick > join;
            waits = waits || !input->late;
        }
        if (!leads(input)) continue;
        if (input->end + stall < newest && input->n == 0) {
            input->placed = false;
            input->late = true;
        } else if (input->end < until) {
            until = input->end;
        }
    }
    if (waits) return mix->tick;
    return until == UINT64_MAX ? rest : until;
}

static void remove_ended(struct pulse_mix *mix)
{
    for (struct pulse_mix_input **at = &mix->inputs; *at;) {
        struct pulse_mix_input *input = *at;
        if (input->ended && input->n == 0) {
            *at = input->next;
            free_input(input);
        } else {
            at = &input->next;
        }
    }
}

static uint64_t frames_ns(const struct pulse_mix *mix, uint64_t n_frames)
{
    return n_frames * CLOCK_NS_PER_S / mix->rate_hz;
}

/* When the frame at a tick was heard. */
static uint64_t time_of(const struct pulse_mix *mix, uint64_t tick)
{
    return tick < mix->last_end ? mix->last_ns - frames_ns(mix, mix->last_end - tick)
                                : mix->last_ns + frames_ns(mix, tick - mix->last_end);
}

/* Frames up to a tick have been heard until now. */
static void note_newest(struct pulse_mix *mix, uint64_t end, uint64_t time_ns)
{
    if (end < mix->last_end) return;
    mix->last_end = end;
    mix->last_ns = time_ns;
}

static void flush(struct pulse_mix *mix)
{
    uint64_t until = ready_until(mix);
    while (mix->tick < until) {
        size_t n = until - mix->tick < BLOCK_FRAMES ? (size_t)(until - mix->tick) : BLOCK_FRAMES;
        memset(mix->block, 0, n * mix->channels * sizeof *mix->block);
        for (struct pulse_mix_input *input = mix->inputs; input; input = input->next) {
            add_to_block(mix, input, n);
        }
        mix->emit(mix->user, mix->block, n, mix->clock, mix->tick, time_of(mix, mix->tick));
        mix->tick += n;
    }
    remove_ended(mix);
}

void pulse_mix_place(struct pulse_mix *mix, struct pulse_mix_input *input, uint64_t time_ns)
{
    if (input->placed || input->ended) return;
    bool alone = true;
    for (struct pulse_mix_input *other = mix->inputs; other; other = other->next) {
        if (other != input && (leads(other) || (other->ended && other->n > 0))) alone = false;
    }
    uint64_t waited = frames_ns(mix, input->n);
    time_ns -= time_ns < waited ? time_ns : waited; /* of its first frame */
    if (alone) {
        /* Nobody to be in step with: a new clock. */
        mix->clock++;
        mix->tick = mix->last_end = 0;
        mix->last_ns = time_ns;
        input->end = 0;
    } else {
        uint64_t elapsed = time_ns > mix->last_ns ? time_ns - mix->last_ns : 0;
        uint64_t before = time_ns < mix->last_ns ? mix->last_ns - time_ns : 0;
        uint64_t ahead = elapsed * mix->rate_hz / CLOCK_NS_PER_S;
        uint64_t behind = before * mix->rate_hz / CLOCK_NS_PER_S;
        uint64_t at = mix->last_end + ahead;
        at = at > behind ? at - behind : 0;
        input->end = at > mix->tick ? at : mix->tick; /* what has gone on has gone on */
    }
    input->end += input->n;
    note_newest(mix, input->end, time_ns + waited);
    input->placed = true;
    input->late = false;
    flush(mix);
}

/* Whether a block can go on as it is: it is all there is. */
static bool is_alone(const struct pulse_mix *mix, const struct pulse_mix_input *input)
{
    return mix->inputs == input && !input->next && input->n == 0 && input->end == mix->tick;
}

bool pulse_mix_push(struct pulse_mix *mix, struct pulse_mix_input *input, const float *frames,
                    size_t n_frames, uint64_t time_ns)
{
    if (!input->placed) {
        append(mix, input, frames, n_frames);
        return false;
    }
    if (n_frames == 0) return true;
    uint64_t end = input->end + n_frames;
    note_newest(mix, end, time_ns + frames_ns(mix, n_frames));
    if (frames && is_alone(mix, input)) {
        mix->emit(mix->user, frames, n_frames, mix->clock, mix->tick, time_ns);
        mix->tick = input->end = end;
        return true;
    }
    append(mix, input, frames, n_frames);
    flush(mix);
    return true;
}

void pulse_mix_end(struct pulse_mix *mix, struct pulse_mix_input *input)
{
    /* Without a place, what it has kept goes on now. */
    if (!input->placed && input->n > 0) pulse_mix_place(mix, input, mix->last_ns);
    input->ended = true;
    flush(mix);
}
