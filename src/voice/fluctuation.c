/* Fluctuation: seven smooth random curves, and the volume and EQ that two kinds of them drive. */
#include "voice/fluctuation.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/status.h>

#include "base/memory.h"
#include "base/random.h"

enum { PITCH, VOLUME, EQ, N_CURVES = EQ + FLUCTUATION_BANDS };
enum { KNOTS_PER_SECOND = 100, VERSION = 1 };

static const double SMOOTHNESS_DEFAULT_S = 1.12;
static const double BAND_HZ[FLUCTUATION_BANDS] = {150, 400, 1000, 2500, 6000};
static const double BAND_Q = 0.9;
static const double BAND_RATE_MAX = 0.45;

/* Value and slope (per T) of a curve of deviation 1. */
struct place {
    double value, slope;
};

/* One knot further: place = a * place + noise, noise = lower triangle * two normal numbers. */
struct transition {
    double a[2][2];
    double noise_value, noise_slope_shared, noise_slope;
};

/* A band-pass with gain 1 at its centre (Bristow-Johnson, "Cookbook formulae for audio EQ biquad
 * filter coefficients"), direct form II transposed. */
struct band {
    float b0, a1, a2;
    float s1, s2;
};

struct fluctuation {
    uint32_t rate_hz, hop;
    uint64_t key;
    double smoothness_s;
    struct transition transition;
    uint64_t frames;               /* since the beginning */
    uint64_t knot;                 /* the last one at or before frames */
    struct place before[N_CURVES]; /* at that knot */
    struct place after[N_CURVES];  /* at the next one */
    bool begun;                    /* applied means something */
    struct fluctuation_values applied;
    struct band bands[FLUCTUATION_BANDS];
};

/* Of the covariance's state-space form in units of T: d(value) = slope dt, d(slope) = -value dt -
 * 2 slope dt + noise; stationary deviations 1 and 1. The step's noise is what keeps them so:
 * Q = I - A A^T, here as its Cholesky factor. */
static struct transition transition_of(double smoothness_s)
{
    double t = 1.0 / KNOTS_PER_SECOND / smoothness_s;
    double decay = exp(-t);
    struct transition made = {
        .a = {{decay * (1 + t), decay * t}, {-decay * t, decay * (1 - t)}},
    };
    double vv = 1 - made.a[0][0] * made.a[0][0] - made.a[0][1] * made.a[0][1];
    double vs = -made.a[0][0] * made.a[1][0] - made.a[0][1] * made.a[1][1];
    double ss = 1 - made.a[1][0] * made.a[1][0] - made.a[1][1] * made.a[1][1];
    made.noise_value = sqrt(vv > 0 ? vv : 0);
    made.noise_slope_shared = made.noise_value > 0 ? vs / made.noise_value : 0;
    double rest = ss - made.noise_slope_shared * made.noise_slope_shared;
    made.noise_slope = sqrt(rest > 0 ? rest : 0);
    return made;
}

/* Two nearly normal numbers of a curve's knot. */
static void draw(const struct fluctuation *fluctuation, uint64_t knot, size_t curve,
                 double normal[2])
{
    uint64_t first = (knot * N_CURVES + curve) * 4;
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t at = first + 2 * i;
        float sum = random_bell(random_at(fluctuation->key, at)) +
                    random_bell(random_at(fluctuation->key, at + 1));
        normal[i] = (double)sum * 0.70710678118654752;
    }
}

static struct place next_place(const struct fluctuation *fluctuation, struct place place,
                               uint64_t knot, size_t curve)
{
    const struct transition *step = &fluctuation->transition;
    double normal[2];
    draw(fluctuation, knot, curve, normal);
    return (struct place){
        .value = step->a[0][0] * place.value + step->a[0][1] * place.slope +
                 step->noise_value * normal[0],
        .slope = step->a[1][0] * place.value + step->a[1][1] * place.slope +
                 step->noise_slope_shared * normal[0] + step->noise_slope * normal[1],
    };
}

static void begin_curves(struct fluctuation *fluctuation)
{
    fluctuation->frames = 0;
    fluctuation->knot = 0;
    for (size_t c = 0; c < N_CURVES; c++) {
        double normal[2];
        draw(fluctuation, 0, c, normal);
        fluctuation->before[c] = (struct place){normal[0], normal[1]};
        fluctuation->after[c] = next_place(fluctuation, fluctuation->before[c], 1, c);
    }
}

static void design_bands(struct fluctuation *fluctuation)
{
    for (size_t b = 0; b < FLUCTUATION_BANDS; b++) {
        struct band *band = &fluctuation->bands[b];
        *band = (struct band){0};
        double part = BAND_HZ[b] / fluctuation->rate_hz;
        if (part > BAND_RATE_MAX) continue;
        double w = 2 * 3.14159265358979323846 * part;
        double alpha = sin(w) / (2 * BAND_Q);
        band->b0 = (float)(alpha / (1 + alpha));
        band->a1 = (float)(-2 * cos(w) / (1 + alpha));
        band->a2 = (float)((1 - alpha) / (1 + alpha));
    }
}

int fluctuation_open(struct fluctuation **fluctuation, uint32_t rate_hz, uint32_t hop,
                     uint64_t seed)
{
    *fluctuation = NULL;
    if (rate_hz < 8000 || rate_hz > 192000 || hop == 0) return KODAMA_ERR_ARGUMENT;
    struct fluctuation *made = memory_array(1, sizeof *made);
    if (!made) return KODAMA_ERR_MEMORY;
    made->rate_hz = rate_hz;
    made->hop = hop;
    made->key = random_key(seed);
    fluctuation_set_smoothness(made, SMOOTHNESS_DEFAULT_S);
    fluctuation_reset(made);
    *fluctuation = made;
    return KODAMA_OK;
}

void fluctuation_close(struct fluctuation *fluctuation)
{
    free(fluctuation);
}

void fluctuation_set_smoothness(struct fluctuation *fluctuation, double seconds)
{
    seconds = seconds >= 0.05 ? seconds : 0.05;
    fluctuation->smoothness_s = seconds <= 60 ? seconds : 60;
    fluctuation->transition = transition_of(fluctuation->smoothness_s);
}

void fluctuation_clear(struct fluctuation *fluctuation)
{
    fluctuation->begun = false;
    design_bands(fluctuation);
}

void fluctuation_reset(struct fluctuation *fluctuation)
{
    fluctuation_clear(fluctuation);
    begin_curves(fluctuation);
}

/* -------------------------------------------------------------------- stepping */

/* Straight up to 2 deviations, then bent towards 3. That takes 0.6 % of the deviation away, which
 * is given back. */
static double bend(double value)
{
    double magnitude = fabs(value) * 1.006;
    if (magnitude > 2) magnitude = 2 + tanh(magnitude - 2);
    return copysign(magnitude, value);
}

static float factor(double value, float spread)
{
    spread = spread > 0 ? spread : 0; /* NaN, too */
    spread = spread < 0.5f ? spread : 0.5f;
    return (float)exp((double)spread * value);
}

static void advance(struct fluctuation *fluctuation)
{
    fluctuation->frames += fluctuation->hop;
    uint64_t knot =
        fluctuation->frames / fluctuation->rate_hz * KNOTS_PER_SECOND +
        fluctuation->frames % fluctuation->rate_hz * KNOTS_PER_SECOND / fluctuation->rate_hz;
    for (; fluctuation->knot < knot; fluctuation->knot++) {
        for (size_t c = 0; c < N_CURVES; c++) {
            fluctuation->before[c] = fluctuation->after[c];
            fluctuation->after[c] =
                next_place(fluctuation, fluctuation->before[c], fluctuation->knot + 2, c);
        }
    }
}

void fluctuation_step(struct fluctuation *fluctuation, float spread_pitch, float spread_volume,
                      float spread_eq, struct fluctuation_values *values)
{
    advance(fluctuation);
    uint64_t parts = fluctuation->frames % fluctuation->rate_hz * KNOTS_PER_SECOND;
    double between = (double)(parts % fluctuation->rate_hz) / fluctuation->rate_hz;
    double bent[N_CURVES];
    for (size_t c = 0; c < N_CURVES; c++) {
        double from = fluctuation->before[c].value;
        bent[c] = bend(from + between * (fluctuation->after[c].value - from));
    }
    values->pitch_ratio = factor(bent[PITCH], spread_pitch);
    values->gain = factor(bent[VOLUME], spread_volume);
    for (size_t b = 0; b < FLUCTUATION_BANDS; b++) {
        values->eq_gain[b] = factor(bent[EQ + b], spread_eq);
    }
}

/* -------------------------------------------------------------------- the sound */

static void add_band(struct band *band, float from, float to, const float *in, float *out,
                     size_t n_samples)
{
    float gain = from - 1;
    float slope = (to - from) / (float)n_samples;
    float s1 = band->s1, s2 = band->s2;
    for (size_t i = 0; i < n_samples; i++) {
        float push = band->b0 * in[i];
        float y = push + s1;
        s1 = s2 - band->a1 * y;
        s2 = -push - band->a2 * y;
        gain += slope;
        out[i] += gain * y;
    }
    /* What has died away shall not go on as denormal numbers, which are slow. */
    band->s1 = fabsf(s1) > 1e-20f ? s1 : 0;
    band->s2 = fabsf(s2) > 1e-20f ? s2 : 0;
}

/* All bands hear the sound itself, so they are side by side and what none of them changes is
 * untouched. */
static void apply_part(struct fluctuation *fluctuation, const struct fluctuation_values *from,
                       const struct fluctuation_values *to, float *samples, size_t n_samples)
{
    float in[256];
    memcpy(in, samples, n_samples * sizeof *in);
    for (size_t b = 0; b < FLUCTUATION_BANDS; b++) {
        add_band(&fluctuation->bands[b], from->eq_gain[b], to->eq_gain[b], in, samples, n_samples);
    }
    if (from->gain == 1.0f && to->gain == 1.0f) return;
    float gain = from->gain;
    float slope = (to->gain - from->gain) / (float)n_samples;
    for (size_t i = 0; i < n_samples; i++) {
        gain += slope;
        samples[i] *= gain;
    }
}

/* The values at a part of the way. */
static struct fluctuation_values mixed(const struct fluctuation_values *from,
                                       const struct fluctuation_values *to, float part)
{
    struct fluctuation_values values = {
        .gain = from->gain + part * (to->gain - from->gain),
    };
    for (size_t b = 0; b < FLUCTUATION_BANDS; b++) {
        values.eq_gain[b] = from->eq_gain[b] + part * (to->eq_gain[b] - from->eq_gain[b]);
    }
    return values;
}

void fluctuation_apply(struct fluctuation *fluctuation, const struct fluctuation_values *values,
                       float *samples, size_t n_samples)
{
    enum { PART = 256 };
    if (!fluctuation->begun) fluctuation->applied = *values;
    fluctuation->begun = true;
    struct fluctuation_values from = fluctuation->applied;
    for (size_t done = 0; done < n_samples;) {
        size_t n = n_samples - done < PART ? n_samples - done : PART;
        float part = (float)(done + n) / (float)n_samples;
        struct fluctuation_values to = mixed(&fluctuation->applied, values, part);
        apply_part(fluctuation, &from, &to, samples + done, n);
        from = to;
        done += n;
    }
    fluctuation->applied = *values;
}

/* -------------------------------------------------------------------- keeping */

static void put_places(struct record *record, const struct place *places)
{
    for (size_t c = 0; c < N_CURVES; c++) {
        record_put_f64(record, places[c].value);
        record_put_f64(record, places[c].slope);
    }
}

static void get_places(struct record *record, struct place *places)
{
    for (size_t c = 0; c < N_CURVES; c++) {
        places[c].value = record_get_f64(record);
        places[c].slope = record_get_f64(record);
        /* Infinity minus itself is no number. */
        if (!isfinite(places[c].value) || !isfinite(places[c].slope)) record->failed = true;
    }
}

void fluctuation_save(const struct fluctuation *fluctuation, struct record *record)
{
    record_put_tag(record, "FLUC", VERSION);
    record_put_u32(record, fluctuation->rate_hz);
    record_put_u32(record, fluctuation->hop);
    record_put_u64(record, fluctuation->key);
    record_put_f64(record, fluctuation->smoothness_s);
    record_put_u64(record, fluctuation->frames);
    record_put_u64(record, fluctuation->knot);
    put_places(record, fluctuation->before);
    put_places(record, fluctuation->after);
    record_put_u32(record, fluctuation->begun);
    record_put_f32(record, fluctuation->applied.gain);
    record_put_floats(record, fluctuation->applied.eq_gain, FLUCTUATION_BANDS);
    for (size_t b = 0; b < FLUCTUATION_BANDS; b++) {
        record_put_f32(record, fluctuation->bands[b].s1);
        record_put_f32(record, fluctuation->bands[b].s2);
    }
}

static bool sound_is_sane(const struct fluctuation *fluctuation)
{
    bool sane = isfinite(fluctuation->applied.gain);
    for (size_t b = 0; b < FLUCTUATION_BANDS; b++) {
        sane = sane && isfinite(fluctuation->applied.eq_gain[b]) &&
               isfinite(fluctuation->bands[b].s1) && isfinite(fluctuation->bands[b].s2);
    }
    return sane;
}

void fluctuation_load(struct fluctuation *fluctuation, struct record *record)
{
    struct fluctuation loaded = *fluctuation;
    record_get_tag(record, "FLUC", VERSION);
    if (record_get_u32(record) != loaded.rate_hz || record_get_u32(record) != loaded.hop) {
        record->failed = true;
    }
    loaded.key = record_get_u64(record);
    double smoothness_s = record_get_f64(record);
    if (!(smoothness_s >= 0.05 && smoothness_s <= 60)) record->failed = true;
    loaded.frames = record_get_u64(record);
    loaded.knot = record_get_u64(record);
    get_places(record, loaded.before);
    get_places(record, loaded.after);
    loaded.begun = record_get_u32(record) != 0;
    loaded.applied.gain = record_get_f32(record);
    record_get_floats(record, loaded.applied.eq_gain, FLUCTUATION_BANDS);
    for (size_t b = 0; b < FLUCTUATION_BANDS; b++) {
        loaded.bands[b].s1 = record_get_f32(record);
        loaded.bands[b].s2 = record_get_f32(record);
    }
    /* A knot far behind would be caught up with in one step. */
    if (loaded.knot != loaded.frames / loaded.rate_hz * KNOTS_PER_SECOND +
                           loaded.frames % loaded.rate_hz * KNOTS_PER_SECOND / loaded.rate_hz ||
        !sound_is_sane(&loaded)) {
        record->failed = true;
    }
    if (record->failed) return;
    *fluctuation = loaded;
    fluctuation_set_smoothness(fluctuation, smoothness_s);
}
