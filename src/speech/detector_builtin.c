/*
 * The detector without a model: 10 ms windows, how far the spectrum stands above a tracked noise
 * floor joined with how periodic it is, smoothed by a hidden Markov model with two states.
 *
 * 1. The power spectrum of the newest 32 ms, every 10 ms.
 * 2. Noise floor per bin: recursive averaging while nobody speaks (after Cohen's MCRA, 2002), held
 * up by the minimum of the last 1.2 s (Martin's minimum statistics, 2001), so that no mistake
 * lasts. It begins with a prior, so that a recording may begin with speech; a noise that is there
 * from the beginning is learnt from how little its bands change.
 * 3. Evidence: how far bands stand above the floor, and how periodic the part of the spectrum is
 *    that stands above the floor (its autocorrelation between 75 and 400 Hz, whitened by the
 * floor). Steady hum is part of the floor, so it has neither. Periodicity is remembered for some
 * 100 ms, which carries it over the consonants beside a vowel.
 * 4. The evidence is taken as a log likelihood ratio; the forward recursion of a Markov chain that
 *    rarely changes its state turns it into the probability.
 *
 * The constants were found by random search on mixtures of real speech with seven noises, a neural
 * detector's output on the clean speech being the reference. None was trained on anything else.
 */
#include "speech/detector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kiss_fftr.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    RATE_HZ = 16000,
    WINDOW = 160,
    FRAME = 512,
    N_BINS = FRAME / 2, /* without the last one, so that loops fit vectors */
    FIRST_BIN = 3,      /* below lie direct current and what Hann's window spreads of it */
    N_BANDS = 18,
    N_MINIMA = 8,
    MINIMUM_WINDOWS = 15, /* a minimum looks back 8 to 9 times 150 ms */
    /* Periodicity: the spectrum up to 3 kHz, as an autocorrelation with 8000 lags a second. */
    PITCH_BINS = 97,
    LAGS = FRAME / 2,
    LAG_MIN = 20,  /* 400 Hz */
    LAG_MAX = 106, /* 75 Hz */
};

/* Edges of the bands in bins of 31.25 Hz: 94 Hz to 7.6 kHz, wider towards the top. */
static const uint16_t edges[N_BANDS + 1] = {3,  6,  9,  12, 16,  20,  25,  30,  36, 43,
                                            51, 60, 71, 84, 100, 120, 150, 190, 243};

/* Power per bin is scaled so that white noise of variance v has v in every bin. */
#define FLOOR_PRIOR 4e-7f /* -64 dBFS: a quiet room */
#define FLOOR_LEAST 1e-8f /* -80 dBFS: quieter than this is nothing */
#define SILENT_PEAK 1e-4f /* three steps of 16 bits */

/* Smoothing of the power, per window. */
#define SMOOTHING 0.605f
/* Level: bands count from here on, relative to the floor; logarithms. */
#define LEVEL_LEAST 1.5f
#define LEVEL_MOST 1.2f
#define LEVEL_MIDDLE 0.213f
#define LEVEL_WEIGHT 0.434f
/* Periodicity: what a bin has above so many floors counts, up to a cap. */
#define PITCH_FLOOR 3.75f
#define PITCH_CAP 1080.0f
#define PITCH_NOISE 0.631f
#define VOICING_DECAY 0.95f
#define VOICING_MOST 0.74f
#define VOICING_MIDDLE 0.243f
#define VOICING_WEIGHT 6.2f
/* Belief. */
#define EVIDENCE_MOST 0.68f
#define SWITCHING 0.021f
/* Floor: rates per window; bins below so many floors follow quickly. */
#define RATE_QUICK 0.0345f
#define RATE_SLOW 0.0029f
#define RATE_NOISE 0.186f
#define QUICK_BELOW 0.915f
#define LOUD_WINDOWS 10 /* so long is nothing loud that is not noise */
#define ACCEPTED 0.5f   /* of the new noise at once; the rest follows at RATE_NOISE */
#define CALM_CHANGE 0.55f
#define CALM_WINDOWS 8
#define SILENT_WINDOWS 30
#define MINIMUM_BIAS 2.0f /* the mean of noise, in minima of its smoothed power */

struct builtin {
    struct kodama_detector detector;

    /* Immutable after open. */
    kiss_fftr_cfg forward, inverse;
    float taper[FRAME];
    float lag_gain[LAG_MAX + 2]; /* makes up for the taper, which damps long lags */

    /* State. */
    float history[FRAME]; /* newest samples, oldest first */
    float smooth[N_BINS]; /* short-time power */
    float floor[N_BINS];
    float minima[N_MINIMA][N_BINS];
    float minimum[N_BINS]; /* of the running stretch */
    uint32_t n_windows;    /* of the running stretch */
    uint32_t n_minima;     /* stretches completed, counted up to N_MINIMA */
    uint32_t next_minimum;
    uint32_t n_loud;      /* windows in a row that are loud but not speech */
    uint32_t n_calm;      /* windows since the reset whose bands hardly changed, while it counts */
    uint32_t n_silent;    /* windows in a row of digital silence */
    float usual[N_BANDS]; /* logarithm of the bands' power, averaged over 100 ms */
    float change;         /* how far the bands are from there, averaged */
    float voicing;        /* periodicity, remembered */
    float belief;         /* probability that the newest window is speech */

    /* Of one window only. */
    float power[N_BINS];
};

/* fminf() and fmaxf() are calls, because of NaN; there is none here. */
static inline float smaller(float a, float b)
{
    return a < b ? a : b;
}

static inline float larger(float a, float b)
{
    return a > b ? a : b;
}

static void set_spectrum(float *spectrum, float value)
{
    for (int k = 0; k < N_BINS; k++) spectrum[k] = value;
}

/* What the noise was like before says nothing about the noise that begins now. */
static void expect_new_noise(struct builtin *b)
{
    set_spectrum(b->minimum, INFINITY);
    b->n_windows = b->n_minima = b->next_minimum = b->n_calm = 0;
    b->change = 0.7f;
}

static void builtin_reset(struct kodama_detector *detector)
{
    struct builtin *b = (struct builtin *)detector;
    memset(b->history, 0, sizeof b->history);
    set_spectrum(b->smooth, 0.0f);
    set_spectrum(b->floor, FLOOR_PRIOR);
    for (int i = 0; i < N_MINIMA; i++) set_spectrum(b->minima[i], 0.0f);
    b->n_loud = b->n_silent = 0;
    expect_new_noise(b);
    for (int band = 0; band < N_BANDS; band++) b->usual[band] = logf(FLOOR_PRIOR);
    b->voicing = 0.0f;
    b->belief = 0.1f;
}

static void builtin_close(struct kodama_detector *detector)
{
    struct builtin *b = (struct builtin *)detector;
    kiss_fftr_free(b->forward);
    kiss_fftr_free(b->inverse);
    free(b);
}

static void fill_tables(struct builtin *b)
{
    double energy = 0.0, full[FRAME];
    for (int i = 0; i < FRAME; i++) {
        full[i] = 0.5 - 0.5 * cos(2.0 * 3.14159265358979323846 * i / FRAME);
        energy += full[i] * full[i];
    }
    for (int i = 0; i < FRAME; i++) b->taper[i] = (float)(full[i] / sqrt(energy));
    for (int lag = 0; lag < LAG_MAX + 2; lag++) {
        double overlap = 0.0; /* circular, as the transform's */
        for (int i = 0; i < FRAME; i++) overlap += full[i] * full[(i + 2 * lag) % FRAME];
        b->lag_gain[lag] = (float)(energy / overlap);
    }
}

static int builtin_open(struct kodama_detector **detector,
                        const struct kodama_detector_config *config, struct kodama_error *error)
{
    if (config->rate_hz != RATE_HZ)
        return error_set(error, KODAMA_ERR_FORMAT, "it hears %d Hz, not %u Hz", RATE_HZ,
                         config->rate_hz);
    struct builtin *b = memory_array(1, sizeof *b);
    if (!b) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    b->forward = kiss_fftr_alloc(FRAME, 0, NULL, NULL);
    b->inverse = kiss_fftr_alloc(LAGS, 1, NULL, NULL);
    if (!b->forward || !b->inverse) {
        builtin_close(&b->detector);
        return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    }
    fill_tables(b);
    b->detector.window = WINDOW;
    *detector = &b->detector;
    return KODAMA_OK;
}

/* The newest window joins the history; whether it is digital silence. */
static bool take_window(struct builtin *b, const float *samples)
{
    memmove(b->history, b->history + WINDOW, (FRAME - WINDOW) * sizeof b->history[0]);
    float *newest = b->history + FRAME - WINDOW;
    float low = detector_sane(samples[0]), high = low;
    for (int i = 0; i < WINDOW; i++) {
        float sample = detector_sane(samples[i]);
        newest[i] = sample;
        low = smaller(low, sample);
        high = larger(high, sample);
    }
    return high - low < SILENT_PEAK;
}

static void transform(struct builtin *b)
{
    float tapered[FRAME];
    kiss_fft_cpx bins[N_BINS + 1];
    for (int i = 0; i < FRAME; i++) tapered[i] = b->history[i] * b->taper[i];
    kiss_fftr(b->forward, tapered, bins);
    float raw[N_BINS];
    /* The least that is added keeps a long silence from becoming slow denormal numbers. */
    for (int k = 0; k < N_BINS; k++)
        raw[k] = bins[k].r * bins[k].r + bins[k].i * bins[k].i + 1e-15f;
    /* Neighbours are averaged a little: less variance, which is what fools a floor. */
    b->power[0] = raw[0];
    b->power[N_BINS - 1] = raw[N_BINS - 1];
    for (int k = 1; k < N_BINS - 1; k++)
        b->power[k] = 0.25f * raw[k - 1] + 0.5f * raw[k] + 0.25f * raw[k + 1];
    for (int k = 0; k < N_BINS; k++) b->smooth[k] += SMOOTHING * (b->power[k] - b->smooth[k]);
}

static void band_powers(const float *spectrum, float *bands)
{
    for (int band = 0; band < N_BANDS; band++) {
        bands[band] = 0.0f;
        for (int k = edges[band]; k < edges[band + 1]; k++) bands[band] += spectrum[k];
    }
}

/* How far the bands stand above the floor: mean logarithm, noise alone giving about 0. */
static float level_evidence(const struct builtin *b)
{
    float powers[N_BANDS], floors[N_BANDS], sum = 0.0f;
    band_powers(b->smooth, powers);
    band_powers(b->floor, floors);
    for (int band = 0; band < N_BANDS; band++) {
        float ratio = powers[band] / floors[band];
        if (ratio > LEVEL_LEAST) sum += smaller(logf(ratio / LEVEL_LEAST), 4.0f);
    }
    return sum / N_BANDS;
}

/* How periodic the part above the floor is, 0..1. */
static float periodic_evidence(const struct builtin *b)
{
    kiss_fft_cpx bins[LAGS / 2 + 1] = {{0}};
    float sum = 0.0f;
    for (int k = FIRST_BIN; k < PITCH_BINS; k++) {
        float above = larger(b->power[k] / b->floor[k] - PITCH_FLOOR, 0.0f);
        /* To the power of 3/4: between the noise's robustness and the tone's dominance. */
        float root = sqrtf(smaller(above, PITCH_CAP));
        bins[k].r = root * sqrtf(root);
        sum += bins[k].r;
    }
    if (sum <= 0.0f) return 0.0f;
    float lags[LAGS], best = 0.0f;
    kiss_fftri(b->inverse, bins, lags);
    for (int lag = LAG_MIN; lag <= LAG_MAX; lag++)
        best = larger(best, lags[lag] * b->lag_gain[lag]);
    return smaller(best / (2.0f * (sum + PITCH_NOISE * (PITCH_BINS - FIRST_BIN))), 1.0f);
}

/* A noise that was there from the beginning: whether the bands have hardly changed for a while. */
static bool begins_with_noise(struct builtin *b)
{
    if (b->n_minima == N_MINIMA) return false; /* from here on the minima know */
    float powers[N_BANDS], change = 0.0f;
    band_powers(b->smooth, powers);
    bool filling = b->n_minima == 0 && b->n_windows < 4; /* the frame is not full of it yet */
    float rate = filling ? 1.0f : 0.1f;
    for (int band = 0; band < N_BANDS; band++) {
        float level = logf(powers[band] + FLOOR_LEAST);
        change += fabsf(level - b->usual[band]);
        b->usual[band] += rate * (level - b->usual[band]);
    }
    if (!filling) b->change += 0.1f * (change / N_BANDS - b->change);
    return b->change < CALM_CHANGE && ++b->n_calm > CALM_WINDOWS;
}

static void track_minimum(struct builtin *b)
{
    for (int k = 0; k < N_BINS; k++) b->minimum[k] = smaller(b->minimum[k], b->smooth[k]);
    if (++b->n_windows < MINIMUM_WINDOWS) return;
    b->n_windows = 0;
    memcpy(b->minima[b->next_minimum], b->minimum, sizeof b->minimum);
    b->next_minimum = (b->next_minimum + 1) % N_MINIMA;
    if (b->n_minima < N_MINIMA) b->n_minima++;
    set_spectrum(b->minimum, INFINITY);
    if (b->n_minima < N_MINIMA) return;
    for (int k = 0; k < N_BINS; k++) {
        float least = INFINITY;
        for (int i = 0; i < N_MINIMA; i++) least = smaller(least, b->minima[i][k]);
        b->floor[k] = larger(b->floor[k], MINIMUM_BIAS * least);
    }
}

/* A noise has begun: take its bands for the floor at once. Bins alone would scatter too much. */
static void accept_noise(struct builtin *b)
{
    float powers[N_BANDS];
    band_powers(b->smooth, powers);
    for (int band = 0; band < N_BANDS; band++) {
        float mean = powers[band] / (float)(edges[band + 1] - edges[band]);
        for (int k = edges[band]; k < edges[band + 1]; k++)
            b->floor[k] = larger(b->floor[k], ACCEPTED * larger(mean, b->smooth[k]));
    }
}

static void track_floor(struct builtin *b, float level)
{
    b->n_loud = b->belief < 0.3f && level > 0.3f ? b->n_loud + 1 : 0;
    bool noise = begins_with_noise(b) || b->n_loud > LOUD_WINDOWS;
    if (b->n_loud == LOUD_WINDOWS + 1) accept_noise(b);
    float slow = noise ? RATE_NOISE : RATE_SLOW * (1.0f - b->belief);
    float quick = larger(slow, RATE_QUICK * (1.0f - b->belief));
    for (int k = 0; k < N_BINS; k++) {
        float rate = b->smooth[k] < QUICK_BELOW * b->floor[k] ? quick : slow;
        float floor = b->floor[k] + rate * (b->smooth[k] - b->floor[k]);
        b->floor[k] = larger(floor, FLOOR_LEAST);
    }
    track_minimum(b);
}

/* Forward recursion of the Markov chain. */
static float believe(float belief, float evidence)
{
    float expected = belief * (1.0f - SWITCHING) + (1.0f - belief) * SWITCHING;
    float likely = expected * expf(evidence);
    return likely / (likely + 1.0f - expected);
}

static float builtin_process(struct kodama_detector *detector, const float *samples)
{
    struct builtin *b = (struct builtin *)detector;
    bool silent = take_window(b, samples);
    transform(b);
    float level = level_evidence(b);
    float periodicity = periodic_evidence(b);
    b->voicing = larger(periodicity, b->voicing * VOICING_DECAY);
    float evidence = LEVEL_WEIGHT * (smaller(level, LEVEL_MOST) - LEVEL_MIDDLE) +
                     VOICING_WEIGHT * (smaller(b->voicing, VOICING_MOST) - VOICING_MIDDLE);
    /* Digital silence is no speech, and says nothing about the noise that will come after it. */
    if (silent) evidence = -EVIDENCE_MOST;
    b->n_silent = silent ? b->n_silent + 1 : 0;
    if (b->n_silent == SILENT_WINDOWS) expect_new_noise(b);
    b->belief = believe(b->belief, smaller(larger(evidence, -EVIDENCE_MOST), EVIDENCE_MOST));
    if (!silent) track_floor(b, level);
    return b->belief;
}

static void builtin_save(const struct kodama_detector *detector, struct record *record)
{
    const struct builtin *b = (const struct builtin *)detector;
    record_put_tag(record, "VADB", 1);
    record_put_floats(record, b->history, FRAME);
    record_put_floats(record, b->smooth, N_BINS);
    record_put_floats(record, b->floor, N_BINS);
    record_put_floats(record, b->minima[0], (size_t)N_MINIMA * N_BINS);
    record_put_floats(record, b->minimum, N_BINS);
    record_put_u64(record, b->n_windows);
    record_put_u64(record, b->n_minima);
    record_put_u64(record, b->next_minimum);
    record_put_u32(record, b->n_loud);
    record_put_u32(record, b->n_calm);
    record_put_u32(record, b->n_silent);
    record_put_floats(record, b->usual, N_BANDS);
    record_put_f32(record, b->change);
    record_put_f32(record, b->voicing);
    record_put_f32(record, b->belief);
}

/* Numbers that process() cannot have made would never leave the state again. */
static void get_within(struct record *record, float *values, size_t n, float least, float most)
{
    record_get_floats(record, values, n);
    for (size_t i = 0; i < n; i++)
        if (!(values[i] >= least && values[i] <= most)) record->failed = true;
}

static void builtin_load(struct kodama_detector *detector, struct record *record)
{
    struct builtin *b = (struct builtin *)detector;
    record_get_tag(record, "VADB", 1);
    get_within(record, b->history, FRAME, -DETECTOR_SAMPLE_MAX, DETECTOR_SAMPLE_MAX);
    get_within(record, b->smooth, N_BINS, 0.0f, 1e9f);
    get_within(record, b->floor, N_BINS, FLOOR_LEAST, 1e9f);
    get_within(record, b->minima[0], (size_t)N_MINIMA * N_BINS, 0.0f, INFINITY);
    get_within(record, b->minimum, N_BINS, 0.0f, INFINITY);
    b->n_windows = (uint32_t)record_get_count(record, MINIMUM_WINDOWS - 1);
    b->n_minima = (uint32_t)record_get_count(record, N_MINIMA);
    b->next_minimum = (uint32_t)record_get_count(record, N_MINIMA - 1);
    b->n_loud = record_get_u32(record);
    b->n_calm = record_get_u32(record);
    b->n_silent = record_get_u32(record);
    get_within(record, b->usual, N_BANDS, -100.0f, 100.0f);
    get_within(record, &b->change, 1, 0.0f, 1000.0f);
    get_within(record, &b->voicing, 1, 0.0f, 1.0f);
    get_within(record, &b->belief, 1, 0.0f, 1.0f);
}

const struct detector_ops detector_builtin = {
    .name = "builtin",
    .open = builtin_open,
    .close = builtin_close,
    .process = builtin_process,
    .reset = builtin_reset,
    .save = builtin_save,
    .load = builtin_load,
};
