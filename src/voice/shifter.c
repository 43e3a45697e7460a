/*
 * The converter without a model: pitch and formants of a voice, each on its own, in the domain of
 * time (after TD-PSOLA, Moulines and Charpentier 1990).
 *
 * A voice is cut at its marks into grains of about two periods, which are the response of the mouth
 * to one pulse. Setting them closer or wider changes the pitch and keeps the formants; reading them
 * faster or slower moves the formants and keeps the pitch. Where there is no voice grains lie in
 * their places, so that with nothing to change the output is the input.
 *
 * Grains begin less than a period before their mark: what was excited before has nearly ended
 * there, and it is what makes the delay short. A grain is read while it is said, so that only its
 * beginning must have been heard, and the surroundings of its mark.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "voice/converter.h"
#include "voice/grain.h"
#include "voice/marks.h"
#include "voice/pitch.h"

enum { GRAINS_MAX = 96, ESTIMATES_MAX = 8 };

#define DELAY_S 0.0164f /* for voices from LOWEST_HZ on; 20 ms with the rest of the chain */
#define LOWEST_HZ 80.0f
#define DEEP_HZ 50.0f
#define HEARD_S 0.005f /* so much is heard behind the newest mark that is needed */
#define ROBOT_HZ 100.0f
#define FADE_MARGIN 1.15 /* the next one's fade may be longer */
#define WHISPER_GAIN 1.3f
#define WHISPER_BEFORE_S 0.0015f /* short grains: with an open glottis formants are broad */
#define WHISPER_AFTER_S 0.004f
#define WHISPER_TILT_HZ 700.0f
#define WHISPER_FADE_S 0.02f
#define WHISPER_S 0.0007f /* between grains, in the mean */

struct shifter {
    /* Immutable after open. */
    uint32_t rate_hz, hop, delay;
    float fade_most; /* samples of output before a mark that can be used */
    float tilt_keep; /* of the filter of whispering */
    uint64_t seed;
    struct grain_filters *filters;

    struct pitch_tracker *pitch;
    struct marks marks;
    struct pitch_estimate newest;
    uint64_t n_estimates;
    struct grain grains[GRAINS_MAX];
    uint32_t n_grains;
    int64_t begin;       /* of the hop that is being said, in the line */
    double last_to;      /* place of the newest grain in the output */
    uint64_t last_mark;  /* and its mark */
    double whisper_step; /* to the next grain of a whispering voice */
    uint64_t random;
    float tilt_in, tilt_out, whisper; /* the filter of whispering, and how much of it: 0..1 */
};

static void shifter_close(void *converter)
{
    struct shifter *s = converter;
    if (!s) return;
    pitch_close(s->pitch);
    marks_free(&s->marks);
    free(s->filters);
    free(s);
}

static void shifter_reset(void *converter)
{
    struct shifter *s = converter;
    pitch_reset(s->pitch);
    marks_reset(&s->marks);
    s->newest = (struct pitch_estimate){0};
    s->n_estimates = 0;
    s->n_grains = 0;
    s->last_mark = 0;
    s->last_to = mark_at(&s->marks, 0)->at;
    s->random = (s->seed * UINT64_C(0x9E3779B97F4A7C15)) | 1; /* never 0 */
    s->whisper_step = 1.0;
    s->tilt_in = s->tilt_out = s->whisper = 0.0f;
}

static int shifter_open(void **converter, const struct kodama_voice_config *config,
                        uint32_t rate_hz, struct converter_facts *facts, struct kodama_error *error)
{
    struct shifter *s = memory_array(1, sizeof *s);
    if (!s) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a shifter");
    float lowest = config->deep ? DEEP_HZ : LOWEST_HZ;
    s->rate_hz = rate_hz;
    s->seed = config->seed;
    s->hop = rate_hz / 1000;
    s->delay = (uint32_t)(DELAY_S * LOWEST_HZ / lowest * (float)rate_hz);
    s->tilt_keep = expf(-6.2831853f * WHISPER_TILT_HZ / (float)rate_hz);
    s->fade_most = (float)s->delay - HEARD_S * (float)rate_hz;
    s->filters = memory_array(1, sizeof *s->filters);
    int status = s->filters ? pitch_open(&s->pitch, rate_hz, lowest, 0, error) : KODAMA_ERR_MEMORY;
    if (status >= 0)
        status = marks_init(&s->marks, rate_hz, lowest, (uint32_t)(0.16f * (float)rate_hz));
    if (status < 0) {
        shifter_close(s);
        return error_set(error, status, "no memory for a shifter");
    }
    grain_filters_fill(s->filters);
    shifter_reset(s);
    *facts = (struct converter_facts){.rate_in_hz = rate_hz,
                                      .rate_out_hz = rate_hz,
                                      .hop_in = s->hop,
                                      .hop_out = s->hop,
                                      .delay = s->delay};
    *converter = s;
    return KODAMA_OK;
}

/* A number in [0, 1) (xorshift, Marsaglia 2003). */
static float random_number(struct shifter *s)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (float)(s->random >> 40) / 16777216.0f;
}

/* ---- which grain comes next ---- */

/* What is wanted of the grains of one hop. */
struct wish {
    float ratio;  /* of the pitch */
    double speed; /* of reading: the formants' ratio */
    bool robot, whisper;
};

/* How long before its mark a grain begins, in samples of the input. */
static float fade_of(const struct shifter *s, const struct mark *mark, double speed)
{
    return fminf(mark->fade, s->fade_most * (float)speed);
}

/* The period of a voice at a place, between those that end at the marks around it. */
static double period_at(const struct shifter *s, double at)
{
    uint64_t i = s->marks.n - 1;
    const struct mark *later = mark_at(&s->marks, i), *mark = later;
    while (i > s->last_mark && mark->at - 0.5 * (double)mark->period > at) {
        later = mark;
        mark = mark_at(&s->marks, --i);
    }
    if (!mark->voiced || !later->voiced || later == mark)
        return (double)(mark->voiced || !later->voiced ? mark->period : later->period);
    double from = mark->at - 0.5 * (double)mark->period;
    double way = (at - from) / (later->at - 0.5 * (double)later->period - from);
    return (double)mark->period +
           fmin(fmax(way, 0.0), 1.0) * (double)(later->period - mark->period);
}

/* From the newest grain of a voice to the next one. */
static double step_of(const struct shifter *s, const struct mark *mark, const struct wish *wish)
{
    if (wish->robot) return (double)((float)s->rate_hz / (ROBOT_HZ * wish->ratio));
    if (wish->whisper) return s->whisper_step;
    double step = (double)(mark->period / wish->ratio);
    return period_at(s, s->last_to + 0.5 * step) / (double)wish->ratio;
}

/* The mark whose grain fits a place best, rather one before than one that is not there yet. */
static uint64_t mark_near(struct shifter *s, double to, float period)
{
    float lead = 0.5f * period;
    float possible = (float)s->delay - MARKS_FADE * period - HEARD_S * (float)s->rate_hz;
    if (lead > possible) lead = possible > 0.1f * period ? possible : 0.1f * period;
    marks_set(&s->marks, to + (double)lead);
    uint64_t i = s->marks.n - 1;
    while (i > 0 && i + MARKS_KEPT > s->marks.n + 2 &&
           mark_at(&s->marks, i)->at > to + (double)lead)
        i--;
    return i;
}

/* By what a grain is louder, so that the level stays: pulses that come as often as before, and are
 * as long, need nothing. */
static float gain_of(struct shifter *s, const struct mark *mark, const struct wish *wish)
{
    if (!mark->voiced) return 1.0f;
    float step = mark->period / wish->ratio;
    if (wish->robot) step = (float)step_of(s, mark, wish);
    if (wish->whisper) step = WHISPER_GAIN * WHISPER_S * (float)s->rate_hz;
    float gain = sqrtf((float)wish->speed * step / mark->period);
    return wish->whisper && random_number(s) < 0.5f ? -gain : gain;
}

static void start_grain(struct shifter *s, uint64_t i, double to, const struct wish *wish)
{
    const struct mark *mark = mark_at(&s->marks, i);
    s->last_mark = i;
    s->last_to = to;
    s->whisper_step = (0.5 + (double)random_number(s)) * (double)(WHISPER_S * (float)s->rate_hz);
    if (s->n_grains == GRAINS_MAX) return;
    struct grain *grain = &s->grains[s->n_grains++];
    float time = (float)(to - (double)s->begin) * (float)wish->speed; /* before it: gone */
    *grain = (struct grain){
        .from = mark->at,
        .to = to,
        .speed = wish->speed,
        .gain = gain_of(s, mark, wish),
        .fade_in = fminf(fade_of(s, mark, wish->speed), fmaxf(time, 1.0f)),
        .mark = i,
    };
    if (wish->whisper && mark->voiced) {
        grain->fade_in = fminf(grain->fade_in, WHISPER_BEFORE_S * (float)s->rate_hz);
        grain->end = fminf(mark->period, WHISPER_AFTER_S * (float)s->rate_hz);
        grain->fade_out = 0.2f * grain->end;
    }
}

/* How far behind a mark the next one is to be known: its grain's fade may begin there. */
static double settled_after(const struct shifter *s, const struct mark *mark)
{
    if (!mark->voiced) return 0.0;
    return 0.75 * (1.0 - (double)MARKS_FADE) * (double)fminf(s->marks.spacing, mark->period);
}

/* The next grain in its own place, at or behind `after`: false when it begins behind the hop. */
static bool start_in_place(struct shifter *s, double after, const struct wish *wish)
{
    uint64_t i = s->last_mark + 1;
    for (;; i++) {
        while (i >= s->marks.n) marks_add(&s->marks);
        if (mark_at(&s->marks, i)->at >= after) break;
    }
    const struct mark *mark = mark_at(&s->marks, i);
    double fade = (double)fade_of(s, mark, wish->speed) / wish->speed;
    if (mark->at - fade >= (double)(s->begin + s->hop)) return false;
    start_grain(s, i, mark->at, wish);
    return true;
}

/* The next grain of a voice that is moved. */
static bool start_moved(struct shifter *s, const struct mark *last, const struct wish *wish)
{
    double step = step_of(s, last, wish);
    double fade = (double)fade_of(s, last, wish->speed) / wish->speed;
    if (s->last_to + step - FADE_MARGIN * fade >= (double)(s->begin + s->hop)) return false;
    mark_near(s, s->last_to + step, last->period);
    step = step_of(s, last, wish); /* by the marks that are there now */
    uint64_t i = mark_near(s, s->last_to + step, last->period);
    if (mark_at(&s->marks, i)->voiced) {
        start_grain(s, i, s->last_to + step, wish);
        return true;
    }
    /* The voice has ended: what follows lies in its place again, with time to fade in. */
    double spacing = (double)s->marks.spacing, after = s->last_to + 0.5 * fmin(step, spacing);
    return start_in_place(s, fmax(after, (double)s->begin + 0.5 * spacing), wish);
}

/* The grain after the newest one: false when it begins behind the hop. */
static bool start_next(struct shifter *s, const struct wish *wish)
{
    const struct mark *last = mark_at(&s->marks, s->last_mark);
    if (last->voiced && (wish->robot || wish->whisper || wish->ratio != 1.0f))
        return start_moved(s, last, wish);
    if (s->last_to + settled_after(s, last) >= (double)(s->begin + s->hop)) return false;
    return start_in_place(s, s->last_to + 0.3 * (double)last->period, wish);
}

/* ---- saying them ---- */

/* Where a grain ends, as soon as its end comes near: at the mark after its own. */
static void find_end(struct shifter *s, struct grain *g, double heard_to)
{
    const struct mark *mark = mark_at(&s->marks, g->mark);
    if (g->end > 0.0f || heard_to < g->from + settled_after(s, mark)) return;
    while (g->mark + 1 >= s->marks.n) marks_add(&s->marks);
    const struct mark *next = mark_at(&s->marks, g->mark + 1);
    g->end = (float)(next->at - g->from);
    float fade = fade_of(s, next, g->speed);
    g->fade_out = g->end > fade ? g->end - fade : 0.0f;
}

static void say(struct shifter *s, float *out)
{
    uint32_t n_left = 0;
    for (uint32_t k = 0; k < s->n_grains; k++) {
        struct grain *g = &s->grains[k];
        find_end(s, g, g->from + ((double)(s->begin + s->hop) - g->to) * g->speed);
        if (!grain_add(g, s->filters, &s->marks.sound, s->begin, s->hop, out))
            s->grains[n_left++] = *g;
    }
    s->n_grains = n_left;
}

static void hear(struct shifter *s, const float *in)
{
    for (uint32_t i = 0; i < s->hop; i++) marks_hear(&s->marks, in[i]);
    struct pitch_estimate estimates[ESTIMATES_MAX];
    size_t n = pitch_process(s->pitch, in, s->hop, estimates);
    if (n == 0) return;
    s->n_estimates += n;
    s->newest = estimates[n - 1];
    s->marks.pitch_hz = s->newest.f0_hz;
    s->marks.pitch_at = s->marks.sound.room + (s->n_estimates - 1) * pitch_period(s->pitch);
}

/* A whisper has no deep sounds: without the pulses of the glottis the spectrum does not fall. */
static void tilt(struct shifter *s, bool whisper, float *samples)
{
    if (!whisper && s->whisper == 0.0f) return;
    float keep = s->tilt_keep,
          step = (whisper ? 1.0f : -1.0f) / (WHISPER_FADE_S * (float)s->rate_hz);
    for (uint32_t i = 0; i < s->hop; i++) {
        s->tilt_out = keep * (s->tilt_out + samples[i] - s->tilt_in);
        s->tilt_in = samples[i];
        s->whisper = fminf(fmaxf(s->whisper + step, 0.0f), 1.0f);
        samples[i] += s->whisper * (s->tilt_out - samples[i]);
    }
}

static int shifter_convert(void *converter, const float *in, float *out,
                           const struct converter_control *control)
{
    struct shifter *s = converter;
    struct wish wish = {
        .ratio = control->pitch == 0.0f ? 1.0f : exp2f(control->pitch / 12.0f),
        .speed = control->formant == 0.0f ? 1.0 : (double)exp2f(control->formant / 12.0f),
        .robot = control->effect == KODAMA_EFFECT_ROBOT,
        .whisper = control->effect == KODAMA_EFFECT_WHISPER,
    };
    hear(s, in);
    s->begin = (int64_t)(s->marks.sound.n - s->hop - s->delay);
    memset(out, 0, s->hop * sizeof *out);
    while (start_next(s, &wish)) continue;
    say(s, out);
    tilt(s, wish.whisper, out);
    return KODAMA_OK;
}

static void shifter_heard(const void *converter, struct converter_heard *heard)
{
    const struct shifter *s = converter;
    *heard = (struct converter_heard){.f0_hz = s->newest.f0_hz, .voiced = s->newest.voiced};
}

const struct converter_ops converter_shifter = {
    .name = "shifter",
    .open = shifter_open,
    .close = shifter_close,
    .convert = shifter_convert,
    .reset = shifter_reset,
    .heard = shifter_heard,
};
