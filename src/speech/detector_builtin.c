/*
 * The detector without a model: every 10 ms, how far the spectrum stands above a tracked noise
 * floor, how periodic it is and how much it changes, joined by a hidden Markov model.
 *
 * 1. Spectrum: the power of the newest 64 ms. So long a frame resolves the harmonics of a deep
 *    voice: balanced accuracy in white noise of 0 dB was .75 with 32 ms, .83 with 48, .84 with 64.
 * 2. Level: mean logarithm of the bands' ratio to the noise floor.
 * 3. Periodicity: the part of each bin that stands above its floor, transformed back: an
 *    autocorrelation whitened by the noise. Its peak between 73 and 400 Hz counts once it has
 *    stayed at its lag, or moved by one, for some windows: a voice glides, chance jumps.
 * 4. What has a pitch and is no voice: mains hum repeats exactly after a period of 50 or 60 Hz;
 *    strokes and clicks have their energy in two windows out of six.
 * 5. Hidden Markov model: noise, voice, and what is between voices, consonants and short pauses.
 *    The last is entered from voice only, so that loudness alone never becomes speech.
 * 6. Floor: recursive averaging, slow while somebody may be speaking (after Cohen's MCRA, 2002).
 *    Speech changes its spectrum all the time; a noise, however loud, however suddenly begun,
 *    does not. What is loud, hardly changes and has no pitch is taken into the floor at once, and
 *    so is what does not change at all.
 *
 * No constant was trained. They were found by random search on mixtures of three of the six groups
 * of speakers in bench/vad_speech.c with the noises in bench/vad_signals.c, and checked on the
 * other three; docs/performance.md has the results.
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
    FRAME = 1024,
    N_BINS = FRAME / 2, /* without the last one, so that loops fit vectors */
    FIRST_BIN = 6,      /* 94 Hz: below are rumble and the offset, as Hann's window spreads it */
    N_BANDS = 18,
    /* Periodicity: the spectrum up to 3 kHz, as an autocorrelation with 8000 lags a second. */
    PITCH_BINS = 193,
    HALF = FRAME / 4,
    LAG_MIN = 20,         /* 400 Hz */
    LAG_MAX = 110,        /* 73 Hz */
    N_LAGS = LAG_MAX + 2, /* with a neighbour on either side */
    /* Bursts: the energy of six windows, most of a frame. */
    N_ENERGIES = 6,
    /* Mains: the newest 20 ms beside what was one and two periods before. */
    MAINS_SAMPLES = 320,
};

/* Edges of the bands in bins of 15.6 Hz: 94 Hz to 7.6 kHz, wider towards the top. */
static const uint16_t edges[N_BANDS + 1] = {6,   12,  18,  24,  32,  40,  50,  60,  72, 86,
                                            102, 120, 142, 168, 200, 240, 300, 380, 486};

/* Power per bin is scaled so that white noise of variance v has v in every bin. */
#define FLOOR_PRIOR 4e-7f /* -64 dBFS: a quiet room */
#define FLOOR_LEAST 1e-8f /* -80 dBFS: quieter than this is nothing */
#define SILENT_PEAK 1e-4f /* three steps of 16 bits */

/* Level. */
#define SMOOTHING 0.6f   /* of the power, per window */
#define LEVEL_LEAST 1.5f /* a band counts from this ratio to its floor on */
#define LEVEL_MOST 2.0f  /* and up to this logarithm */
#define LEVEL_MIDDLE 0.12f
#define LEVEL_SHARE 0.22f /* of the voice's usual level: what is below is rather a pause */
#define LEVEL_SLOPE 1.2f
#define LEVEL_FOR 0.5f /* the most that it says for a voice, and against it */
#define LEVEL_FOR_REST 0.1f
#define LEVEL_AGAINST 1.0f
#define USUAL_LEVEL 1.0f /* of a voice, until it is known */
/* Periodicity. */
#define PITCH_FLOOR 2.0f /* what a bin has above so many floors counts, up to a cap */
#define PITCH_CAP 750.0f
#define PITCH_NOISE 0.6f /* what a bin of noise would have */
#define PITCH_MEMORY 0.25f
#define PITCH_MIDDLE 0.21f
#define PITCH_SLOPE 8.0f
#define PITCH_FOR 2.0f
#define PITCH_AGAINST 0.64f
#define BURST_SHARE 0.95f
#define MAINS_LIKENESS 0.95f
/* Change of the spectrum: noise of any level has about 0.25, speech about 1. */
#define CHANGE_WINDOW 0.22f
#define CHANGE_SMOOTHING 0.15f
#define CHANGE_NOISE 0.42f
#define CHANGE_LEVEL 2.0f /* at levels below 1 / this less change is asked for */
#define CHANGE_PITCH 0.24f
#define CHANGE_STEADY 0.13f
#define STEADY_WINDOWS 10 /* 100 ms without any change: longer than a voice holds still */
/* Floor: rates per window. */
#define RATE_NOISE 0.14f
#define RATE_UP 0.004f
#define RATE_DOWN 0.06f
#define RATE_LEAST 0.002f

/* Hidden Markov model: the chance to change from a state into another, per window. */
enum state { NOISE, VOICE, REST, N_STATES };
static const float chances[N_STATES][N_STATES] = {
    {0.993f, 0.007f, 0.0f}, {0.01f, 0.91f, 0.08f}, {0.04f, 0.07f, 0.89f}};

struct builtin {
    struct kodama_detector detector;

    /* Immutable after open. */
    kiss_fftr_cfg forward, inverse;
    float taper[FRAME];
    float lag_gain[N_LAGS]; /* makes up for the taper, which damps long lags */
    float odd_gain[N_LAGS]; /* of the odd part of the cosine transform */

    /* State. */
    float history[FRAME];       /* newest samples, oldest first */
    float smooth[N_BINS];       /* short-time power */
    float floor[N_BINS];        /* of the noise */
    float likeness[N_LAGS];     /* autocorrelation, smoothed along gliding pitches */
    float energies[N_ENERGIES]; /* of the newest windows, oldest first */
    float usual[N_BANDS];       /* logarithm of the bands' power, averaged over 50 ms */
    float change;               /* how far the bands are from there, averaged */
    float pitch;                /* periodicity, remembered for 200 ms */
    float voice_level;          /* level of the voice when it was last certain */
    float beliefs[N_STATES];    /* probability of each state; their sum is 1 */
    uint32_t n_steady;          /* windows in a row without change */

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

static inline float within(float value, float least, float most)
{
    return smaller(larger(value, least), most);
}

static void builtin_reset(struct kodama_detector *detector)
{
    struct builtin *b = (struct builtin *)detector;
    memset(b->history, 0, sizeof b->history);
    memset(b->smooth, 0, sizeof b->smooth);
    memset(b->likeness, 0, sizeof b->likeness);
    memset(b->energies, 0, sizeof b->energies);
    for (int k = 0; k < N_BINS; k++) b->floor[k] = FLOOR_PRIOR;
    for (int band = 0; band < N_BANDS; band++) b->usual[band] = logf(FLOOR_PRIOR);
    b->change = 1.0f;
    b->pitch = 0.0f;
    b->voice_level = USUAL_LEVEL;
    b->beliefs[NOISE] = 0.9f;
    b->beliefs[VOICE] = b->beliefs[REST] = 0.05f;
    b->n_steady = 0;
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
    const double pi = 3.14159265358979323846;
    double energy = 0.0, full[FRAME];
    for (int i = 0; i < FRAME; i++) {
        full[i] = 0.5 - 0.5 * cos(2.0 * pi * (i + 0.5) / FRAME);
        energy += full[i] * full[i];
    }
    for (int i = 0; i < FRAME; i++) b->taper[i] = (float)(full[i] / sqrt(energy));
    for (int lag = 0; lag < N_LAGS; lag++) {
        double overlap = 0.0; /* circular, as the transform's */
        for (int i = 0; i < FRAME; i++) overlap += full[i] * full[(i + 2 * lag) % FRAME];
        b->lag_gain[lag] = (float)(energy / overlap);
        if (lag > 0) b->odd_gain[lag] = (float)(0.25 / sin(2.0 * pi * lag / (2 * HALF)));
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
    b->inverse = kiss_fftr_alloc(HALF, 1, NULL, NULL);
    if (!b->forward || !b->inverse) {
        builtin_close(&b->detector);
        return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    }
    fill_tables(b);
    b->detector.window = WINDOW;
    *detector = &b->detector;
    return KODAMA_OK;
}

/* ---- what is heard ---- */

/* The newest window joins the history; whether it is digital silence. */
static bool take_window(struct builtin *b, const float *samples)
{
    memmove(b->history, b->history + WINDOW, (FRAME - WINDOW) * sizeof b->history[0]);
    float *newest = b->history + FRAME - WINDOW;
    float low = detector_sane(samples[0]), high = low, before = newest[-1];
    float energy = 0.0f;
    for (int i = 0; i < WINDOW; i++) {
        float sample = detector_sane(samples[i]);
        newest[i] = sample;
        low = smaller(low, sample);
        high = larger(high, sample);
        energy += (sample - before) * (sample - before); /* differences: rumble hides nothing */
        before = sample;
    }
    memmove(b->energies, b->energies + 1, (N_ENERGIES - 1) * sizeof b->energies[0]);
    b->energies[N_ENERGIES - 1] = energy;
    return high - low < SILENT_PEAK;
}

static void transform(struct builtin *b)
{
    float tapered[FRAME];
    kiss_fft_cpx bins[N_BINS + 1];
    for (int i = 0; i < FRAME; i++) tapered[i] = b->history[i] * b->taper[i];
    kiss_fftr(b->forward, tapered, bins);
    /* The least that is added keeps a long silence from becoming slow denormal numbers. */
    for (int k = 0; k < N_BINS; k++)
        b->power[k] = bins[k].r * bins[k].r + bins[k].i * bins[k].i + 1e-15f;
    for (int k = 0; k < N_BINS; k++) b->smooth[k] += SMOOTHING * (b->power[k] - b->smooth[k]);
}

/* Sums over the bands. All their edges are even: two sums at a time do not wait for each other. */
static void band_powers(const float *spectrum, float *bands)
{
    for (int band = 0; band < N_BANDS; band++) {
        float even = 0.0f, odd = 0.0f;
        for (int k = edges[band]; k < edges[band + 1]; k += 2) {
            even += spectrum[k];
            odd += spectrum[k + 1];
        }
        bands[band] = even + odd;
    }
}

/* How far the bands stand above the floor: mean logarithm, noise alone giving about 0. */
static float level_of(const struct builtin *b, const float *powers)
{
    float floors[N_BANDS], sum = 0.0f;
    band_powers(b->floor, floors);
    for (int band = 0; band < N_BANDS; band++) {
        float ratio = powers[band] / floors[band];
        if (ratio > LEVEL_LEAST) sum += smaller(logf(ratio / LEVEL_LEAST), LEVEL_MOST);
    }
    return sum / N_BANDS;
}

/* Follow how much the bands differ from what they have just been. */
static void track_change(struct builtin *b, const float *powers)
{
    float change = 0.0f;
    for (int band = 0; band < N_BANDS; band++) {
        float difference = logf(powers[band] + FLOOR_LEAST) - b->usual[band];
        change += smaller(fabsf(difference), 2.0f);
        b->usual[band] += CHANGE_WINDOW * difference;
    }
    b->change += CHANGE_SMOOTHING * (change / N_BANDS - b->change);
    b->n_steady = b->change < CHANGE_STEADY ? b->n_steady + 1 : 0;
}

/* A stroke or a click: two windows have all the energy. */
static bool is_burst(const struct builtin *b)
{
    float sum = 1e-12f, first = 0.0f, second = 0.0f;
    for (int i = 0; i < N_ENERGIES; i++) {
        float energy = b->energies[i];
        sum += energy;
        second = larger(second, smaller(first, energy));
        first = larger(first, energy);
    }
    return first + second > BURST_SHARE * sum;
}

/*
 * The cosine transform of `shares` at the lags that matter. Of the 512
 * points that it has, the half with even numbers is the even part of an inverse transform of 256
 * points, and the half with odd numbers, by 2 sin x cos(2 j + 1) x = sin(2 j + 2) x - sin 2 j x,
 * is the odd part of the same one.
 */
static void cosine_transform(const struct builtin *b, const float *shares, float *lags)
{
    kiss_fft_cpx bins[HALF / 2 + 1] = {{0}};
    float sums[HALF];
    for (int j = 1; j <= PITCH_BINS / 2 + 1; j++) {
        bins[j].r = shares[2 * j];
        bins[j].i = shares[2 * j + 1] - shares[2 * j - 1];
    }
    kiss_fftri(b->inverse, bins, sums);
    for (int lag = LAG_MIN; lag <= LAG_MAX; lag++) {
        float here = sums[lag], mirrored = sums[HALF - lag];
        lags[lag] = 0.5f * (here + mirrored) + (here - mirrored) * b->odd_gain[lag];
    }
}

/* How periodic the part above the floor is, 0..1. */
static float periodicity_of(struct builtin *b)
{
    float shares[HALF] = {0}, lags[N_LAGS], sum = 0.0f, best = 0.0f;
    for (int k = FIRST_BIN; k < PITCH_BINS; k++) {
        float above = within(b->power[k] / b->floor[k] - PITCH_FLOOR, 0.0f, PITCH_CAP);
        /* To the power of 3/4: between the noise's robustness and the tone's dominance. */
        float root = sqrtf(above);
        shares[k] = root * sqrtf(root);
        sum += shares[k];
    }
    cosine_transform(b, shares, lags);
    float scale = is_burst(b) ? 0.0f : 0.5f / (sum + PITCH_NOISE * (PITCH_BINS - FIRST_BIN));
    float before = 0.0f; /* what the lag below was, which is overwritten already */
    for (int lag = LAG_MIN; lag <= LAG_MAX; lag++) {
        float here = b->likeness[lag];
        float near = larger(here, larger(before, b->likeness[lag + 1]));
        float now = lags[lag] * b->lag_gain[lag] * scale;
        b->likeness[lag] = now + PITCH_MEMORY * (near - now);
        best = larger(best, b->likeness[lag]);
        before = here;
    }
    return smaller(best, 1.0f);
}

/* How alike the newest 20 ms are to those `lag` samples before, whatever offset they have: their
 * correlation. Every other sample will do. */
static float likeness_after(const struct builtin *b, int lag)
{
    const float *now = b->history + FRAME - MAINS_SAMPLES, *then = now - lag;
    const float share = 2.0f / MAINS_SAMPLES;
    float mean_now = 0.0f, mean_then = 0.0f, product = 0.0f, energy = 1e-9f;
    for (int i = 0; i < MAINS_SAMPLES; i += 2) {
        mean_now += now[i] * share;
        mean_then += then[i] * share;
    }
    for (int i = 0; i < MAINS_SAMPLES; i += 2) {
        float x = now[i] - mean_now, y = then[i] - mean_then;
        product += x * y;
        energy += x * x + y * y;
    }
    return 2.0f * product / energy;
}

/* Hum and buzz of the mains repeat with 50 or 60 Hz for as long as they last; no voice does. */
static bool is_mains(const struct builtin *b)
{
    return (likeness_after(b, 320) > MAINS_LIKENESS && likeness_after(b, 640) > MAINS_LIKENESS) ||
           (likeness_after(b, 267) > MAINS_LIKENESS && likeness_after(b, 533) > MAINS_LIKENESS);
}

/* ---- what is made of it ---- */

/* Forward recursion of the Markov chain; voice and rest are as many times likelier than noise. */
static void believe(struct builtin *b, float voice, float rest)
{
    const float likely[N_STATES] = {1.0f, voice, rest};
    float beliefs[N_STATES], sum = 0.0f;
    for (int to = 0; to < N_STATES; to++) {
        beliefs[to] = 0.0f;
        for (int from = 0; from < N_STATES; from++)
            beliefs[to] += b->beliefs[from] * chances[from][to];
        beliefs[to] *= likely[to];
        sum += beliefs[to];
    }
    for (int k = 0; k < N_STATES; k++) b->beliefs[k] = larger(beliefs[k] / sum, 1e-6f);
}

static void judge(struct builtin *b, float level, float periodicity)
{
    float middle = larger(LEVEL_MIDDLE, LEVEL_SHARE * b->voice_level);
    float loud = within(LEVEL_SLOPE * (level - middle), -LEVEL_AGAINST, LEVEL_FOR);
    float voiced = within(PITCH_SLOPE * (periodicity - PITCH_MIDDLE), -PITCH_AGAINST, PITCH_FOR);
    believe(b, expf(voiced + loud), expf(smaller(loud, LEVEL_FOR_REST)));
    if (b->beliefs[VOICE] > 0.8f)
        b->voice_level += 0.05f * (level - b->voice_level);
    else
        b->voice_level += 0.002f * (USUAL_LEVEL - b->voice_level);
}

static void track_floor(struct builtin *b, float level, bool mains)
{
    float noise = 1.0f - smaller(b->beliefs[VOICE] + b->beliefs[REST], 1.0f);
    bool unchanged = b->change < CHANGE_NOISE * smaller(1.0f, CHANGE_LEVEL * level);
    bool sure = mains || b->n_steady > STEADY_WINDOWS || (unchanged && b->pitch < CHANGE_PITCH);
    float up = sure ? RATE_NOISE : RATE_UP * noise;
    float down = larger(up, RATE_DOWN * noise + RATE_LEAST);
    for (int k = 0; k < N_BINS; k++) {
        float rate = b->smooth[k] < b->floor[k] ? down : up;
        b->floor[k] = larger(b->floor[k] + rate * (b->smooth[k] - b->floor[k]), FLOOR_LEAST);
    }
}

static float builtin_process(struct kodama_detector *detector, const float *samples)
{
    struct builtin *b = (struct builtin *)detector;
    bool silent = take_window(b, samples);
    transform(b);
    float powers[N_BANDS];
    band_powers(b->smooth, powers);
    float level = level_of(b, powers);
    float periodicity = periodicity_of(b);
    bool mains = periodicity > PITCH_MIDDLE && is_mains(b);
    if (mains) periodicity = 0.0f;
    b->pitch = larger(periodicity, 0.95f * b->pitch);
    track_change(b, powers);
    if (silent) { /* no speech, and nothing about the noise that will come after it */
        believe(b, 0.1f, 0.1f);
    } else {
        judge(b, level, periodicity);
        track_floor(b, level, mains);
    }
    return b->beliefs[VOICE] + b->beliefs[REST];
}

/* ---- the state ---- */

static void builtin_save(const struct kodama_detector *detector, struct record *record)
{
    const struct builtin *b = (const struct builtin *)detector;
    record_put_tag(record, "VADB", 2);
    record_put_floats(record, b->history, FRAME);
    record_put_floats(record, b->smooth, N_BINS);
    record_put_floats(record, b->floor, N_BINS);
    record_put_floats(record, b->likeness, N_LAGS);
    record_put_floats(record, b->energies, N_ENERGIES);
    record_put_floats(record, b->usual, N_BANDS);
    record_put_f32(record, b->change);
    record_put_f32(record, b->pitch);
    record_put_f32(record, b->voice_level);
    record_put_floats(record, b->beliefs, N_STATES);
    record_put_u32(record, b->n_steady);
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
    record_get_tag(record, "VADB", 2);
    get_within(record, b->history, FRAME, -DETECTOR_SAMPLE_MAX, DETECTOR_SAMPLE_MAX);
    get_within(record, b->smooth, N_BINS, 0.0f, 1e9f);
    get_within(record, b->floor, N_BINS, FLOOR_LEAST, 1e9f);
    get_within(record, b->likeness, N_LAGS, -100.0f, 100.0f);
    get_within(record, b->energies, N_ENERGIES, 0.0f, 1e9f);
    get_within(record, b->usual, N_BANDS, -100.0f, 100.0f);
    get_within(record, &b->change, 1, 0.0f, 1000.0f);
    get_within(record, &b->pitch, 1, 0.0f, 1.0f);
    get_within(record, &b->voice_level, 1, 0.0f, LEVEL_MOST);
    get_within(record, b->beliefs, N_STATES, 0.0f, 1.0f);
    b->n_steady = record_get_u32(record);
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
