/* Taking parts of pauses out: where a pause is, how much is too much, and the crossfade. */
#include "stream/pause_cut.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/status.h>

#include "base/memory.h"

enum {
    STEPS_PER_SECOND = 400,
    QUIET_STEPS = 10, /* 25 ms: so much of every pause stays */
    FLOOR_STEPS = 200,
    SMOOTH_STEPS = 4,
    LEAST_PARTS = 5, /* of a second: the window is two of them */
    FORCED_PARTS = 25,
};
static const double SILENT = 1e-5;        /* mean square: -50 dBFS is always a pause */
static const double NEAR_FLOOR = 6.3;     /* 8 dB above the background */
static const double BELOW_SPEECH = 0.02;  /* 17 dB below what was loud */
static const double FAR_BELOW = 0.004;    /* 24 dB below it: whatever the background is */
static const double LOUD_KEEP = 0.99975;  /* of each step: forgets in 10 s */
static const double ONSET = 4;            /* times that in 2.5 ms: somebody begins to speak */
static const double HYSTERESIS_S = 0.004; /* less is not worth a cut */

int pause_cut_open(struct pause_cut *cut, uint32_t rate_hz, uint32_t channels, uint64_t reserve,
                   uint64_t most)
{
    *cut = (struct pause_cut){
        .rate_hz = rate_hz,
        .channels = channels,
        .step = rate_hz / STEPS_PER_SECOND,
        .fade = 2 * (rate_hz / STEPS_PER_SECOND),
        .reserve = reserve,
        .most = most,
        .floor_left = FLOOR_STEPS,
        .least = UINT64_MAX,
        .least_before = 0,
        .least_left = rate_hz / LEAST_PARTS,
    };
    for (int i = 0; i < 4; i++) cut->floors[i] = INFINITY;
    cut->tail = memory_array((size_t)(2 * cut->fade + cut->step) * channels, sizeof *cut->tail);
    if (!cut->tail) return KODAMA_ERR_MEMORY;
    cut->lead = cut->tail + (size_t)cut->fade * channels;
    return KODAMA_OK;
}

void pause_cut_close(struct pause_cut *cut)
{
    free(cut->tail);
    cut->tail = cut->lead = NULL;
}

size_t pause_cut_room(const struct pause_cut *cut, size_t n_in)
{
    return n_in + 2 * cut->fade + cut->step;
}

/* --------------------------------------------------------------- how much waits */

static void look_at_queue(struct pause_cut *cut, uint64_t queued, size_t n_in)
{
    if (queued < cut->least) cut->least = queued;
    if (cut->least_left > n_in) {
        cut->least_left -= (uint32_t)n_in;
        return;
    }
    cut->least_left = cut->rate_hz / LEAST_PARTS;
    cut->least_before = cut->least;
    cut->least = UINT64_MAX;
}

/* Frames that could do without. */
static uint64_t excess(const struct pause_cut *cut)
{
    uint64_t least = cut->least < cut->least_before ? cut->least : cut->least_before;
    uint64_t needed = cut->reserve + (uint64_t)(HYSTERESIS_S * cut->rate_hz);
    return least > needed ? least - cut->reserve : 0;
}

bool pause_cut_behind(const struct pause_cut *cut)
{
    return cut->cutting || excess(cut) > 0;
}

/* What was taken out does not wait any more. */
static void forget_excess(struct pause_cut *cut, uint64_t removed)
{
    cut->least_before = cut->least_before > removed ? cut->least_before - removed : 0;
    if (cut->least != UINT64_MAX) cut->least = cut->least > removed ? cut->least - removed : 0;
}

/* ------------------------------------------------------------- where a pause is */

static double floor_of(const struct pause_cut *cut)
{
    double least = cut->floors[0];
    for (int i = 1; i < 4; i++) least = cut->floors[i] < least ? cut->floors[i] : least;
    return least;
}

/* At the end of a step: whether it belongs to a pause. */
static bool end_step(struct pause_cut *cut)
{
    double energy = cut->energy / ((double)cut->step * cut->channels);
    cut->energy = 0;
    cut->in_step = 0;
    cut->smooth += (energy - cut->smooth) / SMOOTH_STEPS;
    cut->loud = fmax(cut->loud * LOUD_KEEP, cut->smooth);
    cut->floors[0] = fmin(cut->floors[0], cut->smooth);
    if (--cut->floor_left == 0) {
        cut->floor_left = FLOOR_STEPS;
        memmove(cut->floors + 1, cut->floors, 3 * sizeof *cut->floors);
        cut->floors[0] = cut->smooth;
    }
    double far_below = fmax(SILENT, FAR_BELOW * cut->loud);
    double near_floor = fmin(NEAR_FLOOR * floor_of(cut), BELOW_SPEECH * cut->loud);
    double most = fmax(far_below, near_floor);
    bool quiet = cut->smooth < most && energy < ONSET * most;
    cut->quiet = quiet ? cut->quiet + 1 : 0;
    return quiet;
}

/* ---------------------------------------------------------------------- the cut */

static void begin(struct pause_cut *cut, uint64_t wanted, bool forced)
{
    cut->cutting = true;
    cut->forced = forced;
    cut->wanted = wanted > cut->fade ? wanted : cut->fade;
    cut->n_tail = cut->n_lead = 0;
    cut->taken = 0;
}

static size_t copy(const struct pause_cut *cut, float *out, const float *frames, size_t n_frames)
{
    memcpy(out, frames, n_frames * cut->channels * sizeof *out);
    return n_frames;
}

/* Put back what was kept; `n_loud` frames at its end are no pause. Equal power: the two ends are
 * different stretches of the background. */
static size_t end_cut(struct pause_cut *cut, uint32_t n_loud, float *out)
{
    cut->cutting = false;
    uint64_t before = cut->taken - n_loud; /* frames of lead before the loud ones */
    if (cut->n_tail < cut->fade || before < cut->fade) {
        /* Too short to take anything out. */
        size_t n = copy(cut, out, cut->tail, cut->n_tail);
        return n + copy(cut, out + n * cut->channels, cut->lead, cut->n_lead);
    }
    const float *lead = cut->lead + (size_t)(cut->n_lead - n_loud - cut->fade) * cut->channels;
    for (uint32_t i = 0; i < cut->fade; i++) {
        float angle = ((float)i + 0.5f) / (float)cut->fade * 1.57079633f;
        float down = cosf(angle), up = sinf(angle);
        for (uint32_t c = 0; c < cut->channels; c++) {
            size_t at = (size_t)i * cut->channels + c;
            out[at] = down * cut->tail[at] + up * lead[at];
        }
    }
    size_t n = cut->fade;
    n += copy(cut, out + n * cut->channels, lead + (size_t)cut->fade * cut->channels, n_loud);
    forget_excess(cut, before);
    uint64_t *frames = cut->forced ? &cut->dropped : &cut->shortened;
    *frames += before;
    *(cut->forced ? &cut->drops : &cut->shortenings) += 1;
    return n;
}

/* Keep a frame back. */
static void keep(struct pause_cut *cut, const float *frame)
{
    size_t bytes = cut->channels * sizeof *frame;
    if (cut->n_tail < cut->fade) {
        memcpy(cut->tail + (size_t)cut->n_tail++ * cut->channels, frame, bytes);
        return;
    }
    uint32_t room = cut->fade + cut->step;
    if (cut->n_lead == room) {
        /* A step at a time, so that nothing is moved for each frame. */
        memmove(cut->lead, cut->lead + (size_t)cut->step * cut->channels, cut->fade * bytes);
        cut->n_lead = cut->fade;
    }
    memcpy(cut->lead + (size_t)cut->n_lead++ * cut->channels, frame, bytes);
    cut->taken++;
}

/* At the end of a step while cutting: go on or end. */
static size_t look_at_cut(struct pause_cut *cut, bool quiet, bool room, float *out)
{
    if (cut->forced) return room && cut->taken >= cut->wanted ? end_cut(cut, 0, out) : 0;
    if (!quiet) {
        /* The loud step is at the end: as much of it as lead has. */
        uint32_t n_loud = cut->n_lead < cut->step ? cut->n_lead : cut->step;
        return end_cut(cut, n_loud, out);
    }
    return cut->taken >= cut->wanted ? end_cut(cut, 0, out) : 0;
}

size_t pause_cut_run(struct pause_cut *cut, uint64_t queued, const float *in, size_t n_in,
                     float *out)
{
    look_at_queue(cut, queued, n_in);
    size_t n_out = 0;
    if (queued + n_in > cut->most && !(cut->cutting && cut->forced)) {
        if (cut->cutting) n_out += end_cut(cut, 0, out);
        begin(cut, 0, true);
    }
    /* One drop of 40 ms rather than a crossfade for every block that comes. */
    uint64_t margin = cut->rate_hz / FORCED_PARTS;
    bool room = queued + cut->fade + margin <= cut->most;
    for (size_t i = 0; i < n_in; i++) {
        const float *frame = in + i * cut->channels;
        for (uint32_t c = 0; c < cut->channels; c++) {
            cut->energy += (double)frame[c] * (double)frame[c];
        }
        if (cut->cutting)
            keep(cut, frame);
        else
            n_out += copy(cut, out + n_out * cut->channels, frame, 1);
        if (++cut->in_step < cut->step) continue;
        bool quiet = end_step(cut);
        if (cut->cutting)
            n_out += look_at_cut(cut, quiet, room, out + n_out * cut->channels);
        else if (cut->quiet >= QUIET_STEPS && excess(cut) > 0)
            begin(cut, excess(cut), false);
    }
    return n_out;
}
