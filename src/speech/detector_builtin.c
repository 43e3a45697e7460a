/*
 * The detector without a model: 10 ms windows, a likelihood ratio of speech against a tracked noise
 * floor, joined with periodicity, smoothed by a hidden Markov model with two states.
 *
 * 1. The power spectrum of the newest 32 ms, every 10 ms.
 * 2. Noise floor per bin: recursive averaging while nobody speaks (after Cohen's MCRA, 2002), held
 * up by the minimum of the last 1.2 s (Martin's minimum statistics, 2001), so that no mistake
 * lasts. It begins with a prior, so that a recording may begin with speech.
 * 3. Evidence: how far bands stand above the floor, and how periodic the part of the spectrum that
 *    stands above the floor is (its autocorrelation between 75 and 400 Hz). Steady hum is part of
 *    the floor, so it has neither.
 * 4. The evidence is a log likelihood ratio; the forward recursion of a Markov chain that rarely
 *    changes its state turns it into the probability.
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
    uint32_t n_steady; /* windows in a row that are loud but not speech */
    float belief;      /* probability that the newest window is speech */
    float periodicity;

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

static void builtin_reset(struct kodama_detector *detector)
{
    struct builtin *b = (struct builtin *)detector;
    memset(b->history, 0, sizeof b->history);
    set_spectrum(b->smooth, 0.0f);
    set_spectrum(b->floor, FLOOR_PRIOR);
    set_spectrum(b->minimum, INFINITY);
    for (int i = 0; i < N_MINIMA; i++) set_spectrum(b->minima[i], INFINITY);
    b->n_windows = b->n_minima = b->next_minimum = b->n_steady = 0;
    b->belief = 0.1f;
    b->periodicity = 0.0f;
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

static int builtin_open(struct kodama_detector **detector, uint32_t rate_hz,
                        struct kodama_error *error)
{
    if (rate_hz != RATE_HZ)
        return error_set(error, KODAMA_ERR_FORMAT, "it hears %d Hz, not %u Hz", RATE_HZ, rate_hz);
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
    for (int k = 0; k < N_BINS; k++) raw[k] = bins[k].r * bins[k].r + bins[k].i * bins[k].i;
    /* Neighbours are averaged a little: less variance, which is what fools a floor. */
    b->power[0] = raw[0];
    b->power[N_BINS - 1] = raw[N_BINS - 1];
    for (int k = 1; k < N_BINS - 1; k++)
        b->power[k] = 0.25f * raw[k - 1] + 0.5f * raw[k] + 0.25f * raw[k + 1];
    for (int k = 0; k < N_BINS; k++) b->smooth[k] += 0.4f * (b->power[k] - b->smooth[k]);
}

/* How far the bands stand above the floor: mean logarithm, noise alone giving about 0. */
static float level_evidence(const struct builtin *b)
{
    float sum = 0.0f;
    for (int band = 0; band < N_BANDS; band++) {
        float power = 0.0f, floor = 0.0f;
        for (int k = edges[band]; k < edges[band + 1]; k++) {
            power += b->smooth[k];
            floor += b->floor[k];
        }
        float ratio = power / floor;
        if (ratio > 1.5f) sum += smaller(logf(ratio / 1.5f), 4.0f);
    }
    return sum / N_BANDS;
}

/* How periodic the part above the floor is, 0..1. */
static float periodic_evidence(const struct builtin *b)
{
    kiss_fft_cpx bins[LAGS / 2 + 1] = {{0}};
    float clean = 0.0f, noise = 0.0f;
    for (int k = FIRST_BIN; k < PITCH_BINS; k++) {
        float above = larger(b->power[k] - 2.0f * b->floor[k], 0.0f);
        float magnitude = sqrtf(above);
        bins[k].r = magnitude;
        clean += magnitude;
        noise += sqrtf(b->floor[k]);
    }
    if (clean <= 0.0f) return 0.0f;
    float lags[LAGS];
    kiss_fftri(b->inverse, bins, lags);
    float best = 0.0f;
    for (int lag = LAG_MIN; lag <= LAG_MAX; lag++)
        best = larger(best, lags[lag] * b->lag_gain[lag]);
    return smaller(best / (2.0f * (clean + noise)), 1.0f);
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
        b->floor[k] = larger(b->floor[k], 2.0f * least);
    }
}

static void track_floor(struct builtin *b, float level)
{
    b->n_steady = b->belief < 0.3f && level > 0.3f ? b->n_steady + 1 : 0;
    float quick = 0.05f * (1.0f - b->belief);
    float slow = b->n_steady > 15 ? 0.1f : 0.005f * (1.0f - b->belief);
    for (int k = 0; k < N_BINS; k++) {
        float rate = b->smooth[k] < 4.0f * b->floor[k] ? larger(quick, slow) : slow;
        b->floor[k] += rate * (b->smooth[k] - b->floor[k]);
        b->floor[k] = larger(b->floor[k], FLOOR_LEAST);
    }
    track_minimum(b);
}

static float believe(float belief, float evidence)
{
    float expected = belief * 0.98f + (1.0f - belief) * 0.02f;
    float likely = expected * expf(evidence);
    return likely / (likely + 1.0f - expected);
}

static float builtin_process(struct kodama_detector *detector, const float *samples)
{
    struct builtin *b = (struct builtin *)detector;
    bool silent = take_window(b, samples);
    transform(b);
    float level = level_evidence(b);
    b->periodicity = periodic_evidence(b);
    float evidence = 1.2f * (level - 0.6f) + 6.0f * (b->periodicity - 0.25f);
    evidence = smaller(larger(evidence, -1.0f), 1.0f);
    /* Digital silence says nothing about the noise that will come after it. */
    if (silent) evidence = -1.0f;
    b->belief = believe(b->belief, evidence);
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
    record_put_u32(record, b->n_steady);
    record_put_f32(record, b->belief);
    record_put_f32(record, b->periodicity);
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
    b->n_steady = record_get_u32(record);
    get_within(record, &b->belief, 1, 0.0f, 1.0f);
    get_within(record, &b->periodicity, 1, 0.0f, 1.0f);
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
