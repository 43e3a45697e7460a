/*
 * The pitch tracker: normalised cross-correlation of neighbouring periods, and a Viterbi search
 * that goes forward only.
 *
 * 1. Decimation to 8..16 kHz by a short linear-phase low-pass that lets 2 kHz pass: enough
 * harmonics for a sharp peak, few enough for noise to be left out.
 * 2. For every lag the correlation of two stretches that lie one lag apart, both together centred
 * on the estimate's sample (after Talkin's RAPT, 1995, whose stretches begin there). So a gliding
 *    pitch has no bias, and no lag looks further ahead than the lowest pitch needs.
 * 3. Peaks become candidates, strongest first. Each is worth its correlation, less a little for
 *    every octave down (Boersma 1993), since what repeats after one period does so after two.
 * 4. Viterbi: paths of candidates and "unvoiced"; jumps and changes of voicing cost. That is the
 *    hysteresis. The best path up to now decides, or the one n_later estimates later.
 * 5. The pitch of a chosen candidate is refined on a multiple of its lag, where an error of the
 *    peak's place counts less.
 */
#include "voice/pitch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "voice/dot.h"

enum {
    PER_SECOND = 200,
    N_CANDIDATES = 8, /* and the state "unvoiced" */
    N_STATES = N_CANDIDATES + 1,
    LATER_MAX = 16,
    TAPS_PER_FACTOR = 8,
};

#define PASS 0.28f           /* of the decimated rate: where the low-pass is at -6 dB */
#define HIGH_PASS_HZ 40.0f   /* offset and rumble are below */
#define STRETCH_S 0.0125f    /* the most that is compared */
#define CANDIDATE_LEAST 0.3f /* correlation */
#define OCTAVE_HZ 250.0f
#define OCTAVE_LEAST 0.02f
#define OCTAVE_COST 0.5f /* of what the best candidate is short of 1 */
#define OCTAVE_MOST 0.06f
#define HIGH_HZ 350.0f
#define HIGH_LIKENESS 0.9f
#define HIGH_COST 1.5f
#define UNVOICED_WORTH 0.52f /* what "unvoiced" is worth */
#define UNVOICED_SILENT 0.5f /* and more in what is silent beside the voice heard last */
#define JUMP_COST 0.7f       /* per octave */
#define VOICING_COST 0.2f    /* of a change between voiced and unvoiced */
#define LEVEL_FALL 0.9966f   /* of the level that is remembered, per estimate: 6 dB/s */
#define LEVEL_SILENT 0.03f   /* of that level: -30 dB */
#define LEVEL_LEAST 3e-4f    /* -70 dBFS */
#define REFINE_S 0.012f      /* multiples of the lag up to here are looked at */

struct candidate {
    float lag; /* decimated samples; 0: unvoiced */
    float worth, likeness;
    float cost; /* of the best path that ends here */
    int from;   /* state before on that path */
    float f0_hz;
};

struct frame {
    struct candidate states[N_STATES]; /* the first is "unvoiced" */
    int n;
    float likeness; /* the highest of all */
};

struct pitch_tracker {
    /* Immutable after open. */
    uint32_t period, delay, factor, n_taps, n_later;
    float rate_hz; /* decimated */
    uint32_t extent, stretch;
    uint32_t lag_min, lag_max;
    float high_pass;
    float *taps; /* [n_taps] */

    /* What was heard. */
    float *recent;     /* [n_taps]: newest samples, oldest first, and the same again behind them */
    uint32_t n_recent; /* place of the next in the first half */
    float *line;       /* [2 * line_room]: decimated, oldest first */
    uint32_t line_room, n_line;
    uint64_t n_line_gone; /* decimated samples that lie before the line */
    float before_in, before_out;
    uint64_t n_in, n_given;
    float level;
    float *likeness;                    /* [lag_max + 2]: of the newest frame */
    struct frame frames[LATER_MAX + 1]; /* frame i is at i % (n_later + 1) */
    uint64_t n_frames;
};

static float larger(float a, float b)
{
    return a > b ? a : b;
}

static void fill_taps(struct pitch_tracker *p)
{
    const double pi = 3.14159265358979323846;
    double sum = 0.0, middle = 0.5 * (p->n_taps - 1), cut = (double)PASS / p->factor;
    for (uint32_t i = 0; i < p->n_taps; i++) {
        double t = i - middle;
        double sinc = t == 0.0 ? 2.0 * cut : sin(2.0 * pi * cut * t) / (pi * t);
        double taper = 0.5 + 0.5 * cos(pi * t / (middle + 1.0));
        p->taps[i] = (float)(sinc * taper);
        sum += sinc * taper;
    }
    for (uint32_t i = 0; i < p->n_taps; i++) p->taps[i] = (float)((double)p->taps[i] / sum);
}

int pitch_open(struct pitch_tracker **tracker, uint32_t rate_hz, float lowest_hz, uint32_t n_later,
               struct kodama_error *error)
{
    *tracker = NULL;
    if (rate_hz < 8000 || rate_hz > 192000 || !(lowest_hz >= PITCH_LOWEST_HZ) ||
        lowest_hz > 200.0f || n_later > LATER_MAX)
        return error_set(error, KODAMA_ERR_ARGUMENT, "cannot follow pitches from %g Hz at %lu Hz",
                         (double)lowest_hz, (unsigned long)rate_hz);
    struct pitch_tracker *p = memory_array(1, sizeof *p);
    if (!p) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a pitch tracker");
    p->factor = rate_hz / 8000;
    p->rate_hz = (float)rate_hz / (float)p->factor;
    p->period = (rate_hz + PER_SECOND / 2) / PER_SECOND;
    p->n_later = n_later;
    p->n_taps = TAPS_PER_FACTOR * p->factor + 1;
    p->lag_min = (uint32_t)(p->rate_hz / PITCH_HIGHEST_HZ) - 1;
    p->lag_max = (uint32_t)(p->rate_hz / larger(0.8f * lowest_hz, 0.98f * PITCH_LOWEST_HZ)) + 2;
    p->extent = 2 * (uint32_t)(p->rate_hz / lowest_hz + 0.5f) + 4;
    p->stretch = (uint32_t)(STRETCH_S * p->rate_hz);
    p->high_pass = expf(-6.2831853f * HIGH_PASS_HZ / p->rate_hz);
    /* The decimated samples that a frame needs are there, and those before them are filtered. */
    p->delay = (p->extent / 2 + 2) * p->factor + p->n_taps / 2 + n_later * p->period;
    p->line_room = p->extent + 64;
    p->taps = memory_array(p->n_taps, sizeof *p->taps);
    p->recent = memory_array(2 * (size_t)p->n_taps, sizeof *p->recent);
    p->line = memory_array(2 * (size_t)p->line_room, sizeof *p->line);
    p->likeness = memory_array(p->lag_max + 2, sizeof *p->likeness);
    if (!p->taps || !p->recent || !p->line || !p->likeness) {
        pitch_close(p);
        return error_set(error, KODAMA_ERR_MEMORY, "no memory for a pitch tracker");
    }
    fill_taps(p);
    pitch_reset(p);
    *tracker = p;
    return KODAMA_OK;
}

void pitch_close(struct pitch_tracker *tracker)
{
    if (!tracker) return;
    free(tracker->taps);
    free(tracker->recent);
    free(tracker->line);
    free(tracker->likeness);
    free(tracker);
}

void pitch_reset(struct pitch_tracker *tracker)
{
    struct pitch_tracker *p = tracker;
    memset(p->recent, 0, 2 * p->n_taps * sizeof *p->recent);
    memset(p->line, 0, 2 * p->line_room * sizeof *p->line);
    p->n_recent = 0;
    p->n_line = p->line_room; /* silence before the beginning */
    p->n_line_gone = 0;
    p->before_in = p->before_out = 0.0f;
    p->n_in = p->n_given = p->n_frames = 0;
    p->level = LEVEL_LEAST;
    memset(p->frames, 0, sizeof p->frames);
}

uint32_t pitch_period(const struct pitch_tracker *tracker)
{
    return tracker->period;
}

uint32_t pitch_delay(const struct pitch_tracker *tracker)
{
    return tracker->delay;
}

/* ---- hearing ---- */

static void put_line(struct pitch_tracker *p, float sample)
{
    if (p->n_line == 2 * p->line_room) {
        memmove(p->line, p->line + p->line_room, p->line_room * sizeof *p->line);
        p->n_line = p->line_room;
        p->n_line_gone += p->line_room;
    }
    p->before_out = sample - p->before_in + p->high_pass * p->before_out;
    p->before_in = sample;
    p->line[p->n_line++] = p->before_out;
}

/* Decimated sample k is the low-passed sample k * factor; its place in the line is line_room + k
 * less what is gone. */
static void hear(struct pitch_tracker *p, const float *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p->recent[p->n_recent] = p->recent[p->n_recent + p->n_taps] = samples[i];
        p->n_recent = p->n_recent + 1 < p->n_taps ? p->n_recent + 1 : 0;
        p->n_in++;
        uint64_t half = p->n_taps / 2;
        if (p->n_in > half && (p->n_in - 1 - half) % p->factor == 0)
            put_line(p, dot(p->taps, p->recent + p->n_recent, p->n_taps));
    }
}

/* ---- judging a frame ---- */

/* Correlations of all lags around `middle`, which has extent / 2 samples on either side. */
static void correlate(struct pitch_tracker *p, const float *middle)
{
    const float least = LEVEL_LEAST * LEVEL_LEAST;
    for (uint32_t lag = p->lag_min; lag <= p->lag_max; lag++) {
        uint32_t n = p->extent - 2 > lag ? p->extent - 2 - lag : 0;
        if (n > p->stretch) n = p->stretch;
        const float *a = middle - (lag + n) / 2, *b = a + lag;
        float energy = dot(a, a, n) * dot(b, b, n);
        float floor = least * (float)n;
        p->likeness[lag] = dot(a, b, n) / sqrtf(energy + floor * floor);
    }
}

/* The top of a parabola through three values: its offset from the middle one, and its height. */
static float top_of(const float *values, float *height)
{
    float slope = 0.5f * (values[1] - values[-1]);
    float bend = 2.0f * values[0] - values[-1] - values[1];
    float offset = bend > 1e-9f ? slope / bend : 0.0f;
    if (!(fabsf(offset) <= 0.5f)) offset = 0.0f;
    *height = values[0] + 0.5f * slope * offset;
    return offset;
}

/* The lag again, from the peak near a multiple of it. */
static float refine(const struct pitch_tracker *p, float lag, float likeness)
{
    float best = lag;
    for (int multiple = 2; (float)multiple * lag <= REFINE_S * p->rate_hz; multiple++) {
        uint32_t near = (uint32_t)((float)multiple * best + 0.5f);
        if (near + 2 > p->lag_max) break;
        if (p->likeness[near + 1] > p->likeness[near])
            near++;
        else if (p->likeness[near - 1] > p->likeness[near])
            near--;
        const float *at = p->likeness + near;
        if (near + 2 > p->lag_max || at[0] < at[1] || at[0] < at[-1]) break;
        float height, offset = top_of(at, &height);
        float now = ((float)near + offset) / (float)multiple;
        if (height < 0.9f * likeness || fabsf(now - best) > 0.03f * best) break;
        best = now;
    }
    return best;
}

static void add_candidate(struct frame *frame, struct candidate candidate)
{
    int at = frame->n < N_STATES ? frame->n++ : N_STATES;
    while (at > 1 && frame->states[at - 1].worth < candidate.worth) {
        if (at < N_STATES) frame->states[at] = frame->states[at - 1];
        at--;
    }
    if (at < N_STATES) frame->states[at] = candidate;
}

/*
 * What a candidate is worth beside others. What repeats after one period does so after two: so less
 * for every octave down, and the less, the more exactly the best one repeats, since then a period
 * that is only one of a formant shows. A voice this high is rare, and never hoarse.
 */
static float worth_of(float likeness, float best, float hz)
{
    float octave = OCTAVE_LEAST + OCTAVE_COST * (1.0f - best);
    if (octave > OCTAVE_MOST) octave = OCTAVE_MOST;
    float high = larger(log2f(hz / HIGH_HZ), 0.0f) * larger(HIGH_LIKENESS - likeness, 0.0f);
    return likeness + octave * log2f(hz / OCTAVE_HZ) - HIGH_COST * high;
}

static void find_candidates(struct pitch_tracker *p, struct frame *frame, float unvoiced)
{
    frame->n = 1;
    frame->states[0] = (struct candidate){.worth = unvoiced};
    frame->likeness = 0.0f;
    for (uint32_t lag = p->lag_min + 1; lag < p->lag_max; lag++)
        frame->likeness = larger(frame->likeness, p->likeness[lag]);
    if (frame->likeness > 1.0f) frame->likeness = 1.0f;
    for (uint32_t lag = p->lag_min + 1; lag < p->lag_max; lag++) {
        const float *at = p->likeness + lag;
        if (at[0] < CANDIDATE_LEAST || at[0] < at[-1] || at[0] <= at[1]) continue;
        float height, offset = top_of(at, &height);
        float exact = (float)lag + offset;
        float hz = p->rate_hz / exact;
        if (hz > 1.02f * PITCH_HIGHEST_HZ || hz < 0.98f * PITCH_LOWEST_HZ) continue;
        if (height > 1.0f) height = 1.0f;
        struct candidate candidate = {.lag = exact, .likeness = height};
        candidate.worth = worth_of(height, frame->likeness, hz);
        add_candidate(frame, candidate);
    }
    for (int k = 1; k < frame->n; k++) {
        struct candidate *c = &frame->states[k];
        c->f0_hz = p->rate_hz / refine(p, c->lag, c->likeness);
    }
}

/* What "unvoiced" is worth here: more where it is silent beside what was heard before. */
static float worth_of_unvoiced(struct pitch_tracker *p, const float *middle)
{
    uint32_t n = p->stretch;
    float level = sqrtf(dot(middle - n / 2, middle - n / 2, n) / (float)n);
    p->level = larger(larger(level, LEVEL_FALL * p->level), LEVEL_LEAST);
    float silent = 1.0f - level / (LEVEL_SILENT * p->level);
    return UNVOICED_WORTH + UNVOICED_SILENT * larger(silent, 0.0f);
}

static float cost_of_step(const struct candidate *from, const struct candidate *to)
{
    if (from->lag == 0.0f && to->lag == 0.0f) return 0.0f;
    if (from->lag == 0.0f || to->lag == 0.0f) return VOICING_COST;
    return JUMP_COST * fabsf(log2f(to->lag / from->lag));
}

/* Join a frame to the best paths of the one before; costs are counted from the least of them. */
static void join(const struct frame *before, struct frame *frame)
{
    float least = INFINITY;
    for (int to = 0; to < frame->n; to++) {
        struct candidate *c = &frame->states[to];
        c->cost = INFINITY;
        for (int from = 0; from < before->n; from++) {
            float cost = before->states[from].cost + cost_of_step(&before->states[from], c);
            if (cost >= c->cost) continue;
            c->cost = cost;
            c->from = from;
        }
        if (before->n == 0) c->cost = 0.0f;
        c->cost += 1.0f - c->worth;
        if (c->cost < least) least = c->cost;
    }
    for (int to = 0; to < frame->n; to++) frame->states[to].cost -= least;
}

static struct frame *frame_at(struct pitch_tracker *p, uint64_t i)
{
    return &p->frames[i % (p->n_later + 1)];
}

/* The newest frame, and what the best path says of the one n_later before. */
static struct pitch_estimate judge(struct pitch_tracker *p, const float *middle)
{
    struct frame *newest = frame_at(p, p->n_frames);
    struct frame none = {.n = 0};
    struct frame before = p->n_frames > 0 ? *frame_at(p, p->n_frames - 1) : none;
    correlate(p, middle);
    find_candidates(p, newest, worth_of_unvoiced(p, middle));
    join(&before, newest);
    p->n_frames++;
    int state = 0;
    for (int k = 1; k < newest->n; k++)
        if (newest->states[k].cost < newest->states[state].cost) state = k;
    struct frame *frame = newest;
    for (uint32_t back = 0; back < p->n_later && back + 1 < p->n_frames; back++) {
        state = frame->states[state].from;
        frame = frame_at(p, p->n_frames - 2 - back);
    }
    return (struct pitch_estimate){.f0_hz = frame->states[state].f0_hz,
                                   .voiced =
                                       state ? frame->states[state].likeness : frame->likeness};
}

size_t pitch_process(struct pitch_tracker *tracker, const float *samples, size_t n_samples,
                     struct pitch_estimate *estimates)
{
    struct pitch_tracker *p = tracker;
    size_t n_given = 0;
    uint64_t early = (uint64_t)p->n_later * p->period;
    for (;;) {
        /* Frame f is judged as soon as its own look-ahead is there; estimates come later. */
        uint64_t due = p->n_frames * p->period + p->delay - early;
        size_t n = due - p->n_in < n_samples ? (size_t)(due - p->n_in) : n_samples;
        hear(p, samples, n);
        samples += n;
        n_samples -= n;
        if (p->n_in < due) return n_given;
        uint64_t centre = (p->n_frames * p->period + p->factor / 2) / p->factor;
        const float *middle = p->line + (p->line_room + centre - p->n_line_gone);
        struct pitch_estimate estimate = judge(p, middle);
        if (p->n_frames > p->n_later) estimates[n_given++] = estimate;
    }
}
