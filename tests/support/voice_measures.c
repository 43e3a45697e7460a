/* Distances between voices that are heard as pitch, colour, time and dirt; spectra and formants are
 * next door. */
#include "voice_measures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kiss_fftr.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double share_of(double *values, size_t n, double share)
{
    if (n == 0) return NAN;
    qsort(values, n, sizeof *values, compare);
    return values[(size_t)(share * (double)(n - 1) + 0.5)];
}

/* -------------------------------------------------------------------- pitch */

struct pitch_errors measure_pitch(const struct pitch_track *judged, const struct pitch_track *truth,
                                  double ratio)
{
    size_t n = judged->n < truth->n ? judged->n : truth->n, n_fine = 0;
    struct pitch_errors errors = {0};
    double *distances = malloc((n + 1) * sizeof *distances);
    double *signs = malloc((n + 1) * sizeof *signs);
    for (size_t i = 0; distances && signs && i < n; i++) {
        double is = judged->f0_hz[i], should = truth->f0_hz[i] * ratio;
        errors.missed += (is <= 0 && should > 0) / (double)n;
        errors.invented += (is > 0 && should <= 0) / (double)n;
        if (is <= 0 || should <= 0) continue;
        errors.n_voiced++;
        if (fabs(is / should - 1) > 0.2) {
            errors.gross++;
            continue;
        }
        signs[n_fine] = 1200 * log2(is / should);
        distances[n_fine] = fabs(signs[n_fine]);
        n_fine++;
    }
    if (errors.n_voiced > 0) errors.gross /= (double)errors.n_voiced;
    errors.median_cents = share_of(distances, n_fine, 0.5);
    errors.p95_cents = share_of(distances, n_fine, 0.95);
    errors.bias_cents = share_of(signs, n_fine, 0.5);
    free(distances);
    free(signs);
    return errors;
}

/* --------------------------------------------------------------------- dirt */

static double between(struct measured sound, double at)
{
    enum { REACH = 16 };
    static const double PI = 3.14159265358979323846;
    int64_t middle = (int64_t)floor(at);
    double sum = 0;
    for (int64_t i = middle - REACH + 1; i <= middle + REACH; i++) {
        if (i < 0 || i >= (int64_t)sound.n_frames) continue;
        double x = at - (double)i, y = PI * x;
        double window = 0.5 + 0.5 * cos(PI * x / REACH);
        sum += sound.samples[i] * window * (fabs(y) < 1e-12 ? 1 : sin(y) / y);
    }
    return sum;
}

double measure_roughness_db(struct measured sound, double f0_hz)
{
    double period = sound.rate_hz / f0_hz, change = 0, energy = 0;
    for (size_t i = (size_t)period + 17; i + 17 < sound.n_frames; i++) {
        double is = sound.samples[i], was = between(sound, (double)i - period);
        change += (is - was) * (is - was) / 2;
        energy += is * is;
    }
    return 10 * log10(change / energy + 1e-12);
}

static double second_difference(struct measured sound, size_t i)
{
    const float *x = sound.samples + i;
    return fabs((double)x[-1] - 2 * (double)x[0] + (double)x[1]);
}

double measure_borders(struct measured sound, size_t period_frames, size_t phase)
{
    double at_borders = 0, all = 0;
    size_t n_borders = 0, n = 0;
    for (size_t i = 2; i + 2 < sound.n_frames; i++) {
        double d = second_difference(sound, i);
        all += d;
        n++;
        /* A step between two blocks shows on both of its sides. */
        if ((i + 1) % period_frames != phase && i % period_frames != phase) continue;
        at_borders += d;
        n_borders++;
    }
    return n_borders && all > 0 ? at_borders / (double)n_borders / (all / (double)n) : NAN;
}

static double rms(struct measured sound)
{
    double energy = 0;
    for (size_t i = 0; i < sound.n_frames; i++) {
        energy += (double)sound.samples[i] * (double)sound.samples[i];
    }
    return sqrt(energy / (double)(sound.n_frames ? sound.n_frames : 1));
}

static double sharpest(struct measured sound)
{
    double *values = malloc(sound.n_frames * sizeof *values);
    size_t n = 0;
    for (size_t i = 1; values && i + 1 < sound.n_frames; i++) {
        values[n++] = second_difference(sound, i);
    }
    double most = share_of(values, n, 0.9995);
    free(values);
    return most;
}

double measure_crackle(struct measured sound, struct measured truth)
{
    return sharpest(sound) / rms(sound) * rms(truth) / sharpest(truth);
}

double measure_clicks(struct measured sound)
{
    enum { NEAR = 6 };
    double least = 0.03 * rms(sound);
    size_t n = 0;
    for (size_t i = NEAR + 1; i + NEAR < sound.n_frames; i++) {
        const float *x = sound.samples + i;
        double step = fabs((double)x[0] - (double)x[-1]), around = 0;
        if (step <= least) continue;
        for (int k = 1; k <= NEAR; k++) {
            around = fmax(around, fabs((double)x[-k] - (double)x[-k - 1]));
            around = fmax(around, fabs((double)x[k] - (double)x[k - 1]));
        }
        n += step > 2.5 * around;
    }
    return (double)n * sound.rate_hz / (double)(sound.n_frames ? sound.n_frames : 1);
}

/* --------------------------------------------------------------------- time */

enum { SMOOTH_MS = 26 };

/* The n-th difference of a sound: 0, 1 or 2. */
static double difference(const float *x, int order)
{
    double x0 = x[0], x1 = order > 0 ? x[-1] : 0, x2 = order > 1 ? x[-2] : 0;
    return order == 0 ? x0 : order == 1 ? x0 - x1 : x0 - 2 * x1 + x2;
}

/* Loudness every millisecond, smoothed until glottal pulses do not show, of a sound's n-th
 * difference: lows, all, highs. */
static double *loudness(struct measured sound, int order, size_t *n)
{
    size_t step = sound.rate_hz / 1000;
    *n = sound.n_frames / step;
    double *raw = calloc(*n + 1, sizeof *raw), *smooth = calloc(*n + 1, sizeof *smooth);
    for (size_t i = 0; raw && smooth && i < *n; i++) {
        for (size_t k = i == 0 ? 2 : 0; k < step; k++) {
            double x = difference(sound.samples + i * step + k, order);
            raw[i] += x * x / (double)step;
        }
    }
    for (size_t i = 0; raw && smooth && i < *n; i++) {
        double sum = 0, weights = 0;
        for (int k = -SMOOTH_MS; k <= SMOOTH_MS; k++) {
            double weight = 1 + cos(3.14159265358979 * k / SMOOTH_MS);
            int64_t at = (int64_t)i + k;
            if (at >= 0 && at < (int64_t)*n) sum += weight * raw[at];
            weights += weight;
        }
        smooth[i] = pow(sum / weights, 0.25);
    }
    free(raw);
    return smooth;
}

/* Correlation of loudness with the second one `lag` ms later. */
static double likeness(const double *before, size_t n_before, const double *after, size_t n_after,
                       size_t lag)
{
    size_t n = n_after > lag ? n_after - lag : 0;
    if (n > n_before) n = n_before;
    double sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0, count = (double)n;
    for (size_t i = 0; i < n; i++) {
        double a = before[i], b = after[i + lag];
        sum_a += a;
        sum_b += b;
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    double spread = (aa - sum_a * sum_a / count) * (bb - sum_b * sum_b / count);
    return n > 1 && spread > 0 ? (ab - sum_a * sum_b / count) / sqrt(spread) : -1;
}

double measure_delay(struct measured before, struct measured after, double max_s)
{
    size_t best = 0, n_lags = (size_t)(max_s * 1000) + 2;
    double *scores = calloc(n_lags, sizeof *scores), place = NAN;
    for (int order = 0; scores && order < 3; order++) {
        size_t n_before, n_after;
        double *a = loudness(before, order, &n_before), *b = loudness(after, order, &n_after);
        for (size_t lag = 0; a && b && lag < n_lags; lag++) {
            scores[lag] += likeness(a, n_before, b, n_after, lag);
        }
        free(a);
        free(b);
    }
    for (size_t lag = 0; scores && lag < n_lags; lag++) {
        if (scores[lag] > scores[best]) best = lag;
    }
    if (scores) {
        place = (double)best;
        if (best > 0 && best + 1 < n_lags) {
            double left = scores[best - 1], top = scores[best], right = scores[best + 1];
            double bend = left - 2 * top + right;
            if (bend < 0) place += 0.5 * (left - right) / bend;
        }
    }
    free(scores);
    return place * before.rate_hz / 1000;
}

/* sums[lag] of output[i + lag] * input[i], for all lags at once. */
static int cross_correlate(struct measured input, struct measured output, float *sums, size_t size)
{
    size_t n_bins = size / 2 + 1;
    kiss_fftr_cfg forward = kiss_fftr_alloc((int)size, 0, NULL, NULL);
    kiss_fftr_cfg inverse = kiss_fftr_alloc((int)size, 1, NULL, NULL);
    kiss_fft_cpx *a = malloc(n_bins * sizeof *a), *b = malloc(n_bins * sizeof *b);
    int status = forward && inverse && a && b ? 0 : -1;
    if (status == 0) {
        memset(sums, 0, size * sizeof *sums);
        memcpy(sums, input.samples, input.n_frames * sizeof *sums);
        kiss_fftr(forward, sums, a);
        memset(sums, 0, size * sizeof *sums);
        memcpy(sums, output.samples, output.n_frames * sizeof *sums);
        kiss_fftr(forward, sums, b);
        for (size_t k = 0; k < n_bins; k++) {
            kiss_fft_cpx x = a[k], y = b[k];
            b[k] = (kiss_fft_cpx){x.r * y.r + x.i * y.i, x.r * y.i - x.i * y.r};
        }
        kiss_fftri(inverse, b, sums);
    }
    kiss_fftr_free(forward);
    kiss_fftr_free(inverse);
    free(a);
    free(b);
    return status;
}

double measure_leakage(struct measured input, struct measured output, double max_s)
{
    size_t size = 2;
    while (size < input.n_frames + output.n_frames) size *= 2;
    float *sums = malloc(size * sizeof *sums);
    double most = NAN;
    if (sums && cross_correlate(input, output, sums, size) == 0) {
        double energy =
            rms(input) * rms(output) * sqrt((double)input.n_frames * (double)output.n_frames);
        size_t n_lags = (size_t)(max_s * input.rate_hz);
        most = 0;
        for (size_t lag = 0; lag <= n_lags && lag < size; lag++) {
            most = fmax(most, fabs((double)sums[lag]) / (double)size);
        }
        most = energy > 0 ? most / energy : 0;
    }
    free(sums);
    return most;
}
