/*
 * How marks are set. The next mark of a voice is where its surroundings are most alike those of the
 * mark before: one period later, to a fraction of a sample. Where in the period the first one is,
 * its strength says: the short-time energy of the differences rises with the closing of the
 * glottis. Marks that have come away from there move back slowly.
 */
#include "voice/marks.h"

#include <math.h>

#include <kodama/status.h>

#include "voice/dot.h"

#define SPACING_S 0.004f /* of unvoiced marks */
#define SMOOTH_S 0.0006f /* strength */
#define SEARCH 0.2f      /* how far the next period may be from the last one */
#define ALIKE_LEAST 0.4f /* correlation below which a voice has ended */
#define AFTER_S 0.004f   /* what is compared behind a mark, at the most */
#define PULL_FROM 0.06f  /* of a period: nearer is near enough */
#define PULL 0.01f       /* of a period, per period */

int marks_init(struct marks *marks, uint32_t rate_hz, float lowest_hz, uint32_t room)
{
    *marks = (struct marks){.rate_hz = rate_hz};
    marks->spacing = SPACING_S * (float)rate_hz;
    marks->period_min = (float)rate_hz / (1.05f * PITCH_HIGHEST_HZ);
    marks->period_max = (float)rate_hz / (0.75f * lowest_hz);
    marks->n_smooth = (uint32_t)(SMOOTH_S * (float)rate_hz) + 1;
    marks->sound = line_make(room);
    marks->strength = line_make(room);
    if (!marks->sound.samples || !marks->strength.samples) {
        marks_free(marks);
        return KODAMA_ERR_MEMORY;
    }
    marks_reset(marks);
    return KODAMA_OK;
}

void marks_free(struct marks *marks)
{
    line_free(&marks->sound);
    line_free(&marks->strength);
}

void marks_reset(struct marks *marks)
{
    line_clear(&marks->sound);
    line_clear(&marks->strength);
    marks->energy = 0.0;
    marks->pitch_hz = 0.0f;
    marks->pitch_at = 0;
    marks->n = 1;
    marks->kept[0] = (struct mark){
        .at = 0.5 * (double)marks->sound.room, .period = marks->spacing, .fade = marks->spacing};
}

void marks_hear(struct marks *marks, float sample)
{
    line_put(&marks->sound, sample);
    int64_t newest = (int64_t)marks->sound.n - 1, oldest = newest - marks->n_smooth;
    float in = sample - *line_at(&marks->sound, newest - 1);
    float out = *line_at(&marks->sound, oldest) - *line_at(&marks->sound, oldest - 1);
    marks->energy += (double)(in * in) - (double)(out * out);
    line_put(&marks->strength, (float)marks->energy);
}

/* Where strength is highest in [first, last], as a mark: before the rise. */
static double strongest(const struct marks *marks, double first, double last)
{
    int64_t from = (int64_t)ceil(first) + marks->n_smooth, to = (int64_t)last + marks->n_smooth;
    int64_t newest = (int64_t)marks->sound.n - 1;
    if (to > newest) to = newest;
    if (from > to) return first;
    const float *strength = line_at(&marks->strength, from);
    int64_t best = 0;
    for (int64_t i = 1; i <= to - from; i++)
        if (strength[i] > strength[best]) best = i;
    return (double)(from + best - marks->n_smooth);
}

/* How alike the surroundings of two whole positions are. */
static float alike(const struct marks *marks, int64_t a, int64_t b, uint32_t before, uint32_t after)
{
    const float *x = line_at(&marks->sound, a - before), *y = line_at(&marks->sound, b - before);
    size_t n = before + after;
    float energy = dot(x, x, n) * dot(y, y, n);
    return dot(x, y, n) / sqrtf(energy + 1e-16f);
}

/*
 * The place one period after a mark, within `search` periods of it; *likeness is its correlation.
 * The mark's own fraction is kept: only whole samples are compared.
 */
static double next_alike(const struct marks *marks, const struct mark *mark, float period,
                         float search, float *likeness)
{
    int64_t newest = (int64_t)marks->sound.n - 1, at = (int64_t)mark->at;
    double fraction = mark->at - (double)at;
    int64_t first = (int64_t)(period * (1.0f - search)),
            last = (int64_t)(period * (1.0f + search)) + 1;
    uint32_t least = (uint32_t)(0.1f * period) + 2;
    if (at + last + least > newest) last = newest - at - least;
    *likeness = 0.0f;
    if (last - first < 2) return mark->at + (double)period;
    int64_t after = newest - at - last;
    int64_t most = (int64_t)fminf(0.5f * period, AFTER_S * (float)marks->rate_hz);
    if (after > most) after = most;
    uint32_t before =
        (uint32_t)(period - (float)after > 0.5f * period ? period - (float)after : 0.5f * period);
    float values[3] = {-1.0f, -1.0f, -1.0f}, best = -1.0f, last_value = -1.0f;
    int64_t best_lag = first;
    bool take_next = false;
    for (int64_t lag = first; lag <= last; lag++) {
        float value = alike(marks, at, at + lag, before, (uint32_t)after);
        if (take_next) values[2] = value;
        take_next = value > best;
        if (take_next) {
            best = value;
            best_lag = lag;
            values[0] = last_value;
            values[1] = value;
            values[2] = -1.0f;
        }
        last_value = value;
    }
    *likeness = best;
    double offset = 0.0;
    float bend = 2.0f * values[1] - values[0] - values[2];
    if (values[0] > -1.0f && values[2] > -1.0f && bend > 1e-9f)
        offset = (double)(0.5f * (values[2] - values[0]) / bend);
    return (double)(at + best_lag) + fraction + offset;
}

static struct mark unvoiced_after(const struct marks *marks, const struct mark *last)
{
    return (struct mark){.at = last->at + (double)marks->spacing, .period = marks->spacing};
}

/* Whether the tracker has said that there is no voice at a place. */
static bool is_known_unvoiced(const struct marks *marks, double at)
{
    return marks->pitch_hz == 0.0f && (double)marks->pitch_at >= at;
}

static struct mark first_of_voice(const struct marks *marks, const struct mark *last, float period)
{
    double first = last->at + 0.35 * (double)marks->spacing;
    double at = strongest(marks, first, first + (double)period);
    return (struct mark){.at = at, .period = period, .voiced = true};
}

static struct mark next_of_voice(const struct marks *marks, const struct mark *last)
{
    float period = last->period, search = SEARCH, likeness;
    if (marks->pitch_hz > 0.0f) {
        float told = (float)marks->rate_hz / marks->pitch_hz;
        if (told > 1.3f * period || told < 0.77f * period) period = told;
    }
    double at = next_alike(marks, last, period, search, &likeness);
    float found = (float)(at - last->at);
    if (likeness < ALIKE_LEAST || found < marks->period_min || found > marks->period_max ||
        is_known_unvoiced(marks, at - 0.5 * (double)period))
        return unvoiced_after(marks, last);
    double strong = strongest(marks, at - 0.25 * (double)found, at + 0.25 * (double)found);
    double away = (strong - at) / (double)found;
    if (fabs(away) > (double)PULL_FROM) at += copysign((double)(PULL * found), away);
    return (struct mark){.at = at, .period = found, .voiced = true};
}

void marks_add(struct marks *marks)
{
    const struct mark *last = mark_at(marks, marks->n - 1);
    struct mark next;
    if (last->voiced)
        next = next_of_voice(marks, last);
    else if (marks->pitch_hz > 0.0f)
        next = first_of_voice(marks, last, (float)marks->rate_hz / marks->pitch_hz);
    else
        next = unvoiced_after(marks, last);
    float way = (float)(next.at - last->at);
    if (next.voiced)
        next.fade = fminf(MARKS_FADE * next.period, way);
    else
        next.fade = last->voiced ? MARKS_FADE * way : way;
    marks->kept[marks->n % MARKS_KEPT] = next;
    marks->n++;
}

void marks_set(struct marks *marks, double until)
{
    for (;;) {
        const struct mark *last = mark_at(marks, marks->n - 1);
        if (last->at + (double)last->period > until) return;
        marks_add(marks);
    }
}
