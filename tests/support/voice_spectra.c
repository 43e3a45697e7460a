/* Distances between voices that are heard as colour: spectra in mel bands, formants. */
#include <complex.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <kiss_fftr.h>

#include "voice_measures.h"

static const double PI = 3.14159265358979323846;

/* ------------------------------------------------------------------ spectra */

enum { BANDS = 40, CEPSTRA = 13 };

struct spectrograph {
    size_t window, size;
    float *buffer;
    kiss_fft_cpx *bins;
    kiss_fftr_cfg forward;
};

static bool spectrograph_make(struct spectrograph *graph, size_t window)
{
    graph->window = window;
    graph->size = 2;
    while (graph->size < 2 * window) graph->size *= 2;
    graph->buffer = malloc(graph->size * sizeof *graph->buffer);
    graph->bins = malloc((graph->size / 2 + 1) * sizeof *graph->bins);
    graph->forward = kiss_fftr_alloc((int)graph->size, 0, NULL, NULL);
    return graph->buffer && graph->bins && graph->forward;
}

static void spectrograph_free(struct spectrograph *graph)
{
    free(graph->buffer);
    free(graph->bins);
    kiss_fftr_free(graph->forward);
}

/* The spectrum of a window around a frame, in `bins`; returns the mean square of what was seen. */
static double look(struct spectrograph *graph, struct measured sound, size_t at)
{
    double energy = 0;
    memset(graph->buffer, 0, graph->size * sizeof *graph->buffer);
    for (size_t i = 0; i < graph->window; i++) {
        size_t frame = at + i - graph->window / 2; /* wraps before the beginning */
        double x = ((double)i + 0.5) / (double)graph->window;
        double seen =
            frame < sound.n_frames ? sound.samples[frame] * (0.5 - 0.5 * cos(2 * PI * x)) : 0;
        graph->buffer[i] = (float)seen;
        energy += seen * seen;
    }
    kiss_fftr(graph->forward, graph->buffer, graph->bins);
    return energy / (double)graph->window;
}

static double power(const struct spectrograph *graph, size_t k)
{
    return (double)graph->bins[k].r * (double)graph->bins[k].r +
           (double)graph->bins[k].i * (double)graph->bins[k].i;
}

static double band_edge(int band, double top_hz)
{
    double low = 1127 * log(1 + 60 / 700.0), high = 1127 * log(1 + top_hz / 700);
    return 700 * (exp((low + (high - low) * band / (BANDS + 1)) / 1127) - 1);
}

/* Triangular mel bands, in dB, none more than 50 dB below the strongest. */
static void fill_bands(const struct spectrograph *graph, uint32_t rate_hz, double bands[BANDS])
{
    double top_hz = fmin(8000, 0.45 * rate_hz), most = -300;
    double width = (double)rate_hz / (double)graph->size;
    for (int band = 0; band < BANDS; band++) {
        double low = band_edge(band, top_hz), middle = band_edge(band + 1, top_hz);
        double high = band_edge(band + 2, top_hz), sum = 1e-20;
        for (size_t k = (size_t)(low / width); (double)k * width < high; k++) {
            double hz = (double)k * width;
            double weight =
                hz < middle ? (hz - low) / (middle - low) : (high - hz) / (high - middle);
            if (weight > 0) sum += weight * power(graph, k);
        }
        bands[band] = 10 * log10(sum);
        most = fmax(most, bands[band]);
    }
    for (int band = 0; band < BANDS; band++) bands[band] = fmax(bands[band], most - 50);
}

static double cepstral_distance(const double difference[BANDS])
{
    double sum = 0;
    for (int c = 1; c <= CEPSTRA; c++) {
        double coefficient = 0;
        for (int band = 0; band < BANDS; band++) {
            coefficient += difference[band] / 10 * log(10) * cos(PI * c * (band + 0.5) / BANDS);
        }
        coefficient *= 1.0 / BANDS; /* of a log power spectrum: half of 2 / BANDS */
        sum += coefficient * coefficient;
    }
    return 10 / log(10) * sqrt(2 * sum);
}

/* Which windows are judged: audible ones that are voiced, or not, or all. */
static size_t choose(struct spectrograph *graph, struct measured truth,
                     const struct pitch_track *track, int voiced, size_t *places, size_t n)
{
    double loudest = 0;
    size_t n_places = 0, hop = truth.rate_hz / 100;
    for (size_t i = 0; i < n; i++) loudest = fmax(loudest, look(graph, truth, i * hop));
    for (size_t i = 0; i < n; i++) {
        size_t entry = track ? (size_t)((double)i * 0.01 / track->hop_s + 0.5) : 0;
        bool sings = track && entry < track->n && track->f0_hz[entry] > 0;
        if (voiced > 0 ? !sings : voiced < 0 && sings) continue;
        if (look(graph, truth, i * hop) > loudest * 1e-5) places[n_places++] = i * hop;
    }
    return n_places;
}

static struct spectral_distance judge(struct spectrograph *graph, struct measured sound,
                                      struct measured truth, const size_t *places, size_t n,
                                      double (*differences)[BANDS])
{
    struct spectral_distance distance = {.n = n};
    double gain = 0;
    for (size_t i = 0; i < n; i++) {
        double is[BANDS], should[BANDS];
        look(graph, sound, places[i]);
        fill_bands(graph, sound.rate_hz, is);
        look(graph, truth, places[i]);
        fill_bands(graph, truth.rate_hz, should);
        for (int band = 0; band < BANDS; band++) {
            differences[i][band] = is[band] - should[band];
            gain += differences[i][band] / (BANDS * (double)n);
        }
    }
    for (size_t i = 0; i < n; i++) {
        double square = 0;
        for (int band = 0; band < BANDS; band++) {
            differences[i][band] -= gain;
            square += differences[i][band] * differences[i][band] / BANDS;
        }
        distance.lsd_db += sqrt(square) / (double)n;
        distance.mcd_db += cepstral_distance(differences[i]) / (double)n;
    }
    return distance;
}

struct spectral_distance measure_spectrum(struct measured sound, struct measured truth,
                                          const struct pitch_track *track, int voiced)
{
    struct spectral_distance distance = {.lsd_db = NAN, .mcd_db = NAN};
    size_t n = truth.n_frames / (truth.rate_hz / 100);
    struct spectrograph graph;
    size_t *places = malloc((n + 1) * sizeof *places);
    double(*differences)[BANDS] = malloc((n + 1) * sizeof *differences);
    if (spectrograph_make(&graph, truth.rate_hz / 40) && places && differences) {
        size_t n_places = choose(&graph, truth, track, voiced, places, n);
        if (n_places > 0) {
            distance = judge(&graph, sound, truth, places, n_places, differences);
        }
    }
    spectrograph_free(&graph);
    free(places);
    free(differences);
    return distance;
}

/* ----------------------------------------------------------------- formants */

enum { ORDER = 12, GRID = 256, HARMONICS_MAX = 160 };

/* Log power at harmonics, from the strongest bin near each. Returns how many. */
static int find_harmonics(const struct spectrograph *graph, double rate_hz, double f0_hz,
                          double top_hz, double tops[HARMONICS_MAX])
{
    double width = rate_hz / (double)graph->size;
    int n = 0;
    for (int h = 1; h < HARMONICS_MAX && (h - 0.5) * f0_hz < top_hz; h++) {
        double most = 1e-20;
        size_t last = (size_t)((h + 0.25) * f0_hz / width);
        for (size_t k = (size_t)((h - 0.25) * f0_hz / width); k <= last; k++) {
            if (k <= graph->size / 2) most = fmax(most, power(graph, k));
        }
        tops[n++] = log(most);
    }
    return n;
}

/* A smooth line through the harmonics (Catmull-Rom), at a place counted in harmonics. */
static double line_through(const double *tops, int n, double place)
{
    double x = place - 1;
    if (x <= 0) return tops[0];
    if (x >= n - 1) return tops[n - 1];
    int i = (int)x;
    double t = x - i, b = tops[i], c = tops[i + 1];
    double a = i > 0 ? tops[i - 1] : b, d = i + 2 < n ? tops[i + 2] : c;
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

/* Levinson and Durbin: the all-pole filter of an autocorrelation. */
static bool predict(const double r[ORDER + 1], double a[ORDER + 1])
{
    double error = r[0];
    a[0] = 1;
    for (int i = 1; i <= ORDER; i++) {
        if (error <= 0) return false;
        double k = r[i], old[ORDER + 1];
        memcpy(old, a, sizeof old);
        for (int j = 1; j < i; j++) k += old[j] * r[i - j];
        k = -k / error;
        for (int j = 1; j < i; j++) a[j] = old[j] + k * old[i - j];
        a[i] = k;
        error *= 1 - k * k;
    }
    return true;
}

/* All roots at once (Durand and Kerner). */
static void find_roots(const double a[ORDER + 1], double complex roots[ORDER])
{
    for (int i = 0; i < ORDER; i++) roots[i] = 0.9 * cexp(I * (2 * PI * (i + 0.37) / ORDER));
    for (int round = 0; round < 200; round++) {
        double moved = 0;
        for (int i = 0; i < ORDER; i++) {
            double complex value = 1, others = 1;
            for (int j = 0; j < ORDER; j++) {
                value = value * roots[i] + a[j + 1];
                if (j != i) others *= roots[i] - roots[j];
            }
            double complex step = value / others;
            roots[i] -= step;
            moved = fmax(moved, cabs(step));
        }
        if (moved < 1e-10) break;
    }
}

static int pick(const double complex roots[ORDER], double top_hz, double hz[MEASURED_FORMANTS])
{
    int n = 0;
    double all[ORDER];
    for (int i = 0; i < ORDER; i++) {
        double place = carg(roots[i]) / PI * top_hz;
        double width = -log(cabs(roots[i])) / PI * 2 * top_hz;
        if (place < 120 || place > top_hz - 100 || width > 700) continue;
        int at = n++;
        for (; at > 0 && all[at - 1] > place; at--) all[at] = all[at - 1];
        all[at] = place;
    }
    if (n > MEASURED_FORMANTS) n = MEASURED_FORMANTS;
    memcpy(hz, all, (size_t)n * sizeof *hz);
    return n;
}

/* `graph` is made for windows of any pitch; this one's is four periods. */
static int formants_at(struct spectrograph *graph, struct measured sound, size_t at, double f0_hz,
                       double top_hz, double hz[MEASURED_FORMANTS])
{
    double tops[HARMONICS_MAX], r[ORDER + 1] = {0}, a[ORDER + 1] = {0};
    size_t window = (size_t)(fmax(0.02, 4 / f0_hz) * sound.rate_hz);
    graph->window = window < graph->size / 2 ? window : graph->size / 2;
    look(graph, sound, at);
    int n = find_harmonics(graph, sound.rate_hz, f0_hz, top_hz, tops);
    if (n < 4) return 0;
    for (int i = 0; i < GRID; i++) {
        double x = (i + 0.5) / GRID;
        /* Lifted by 6 dB an octave, which the glottis takes. */
        double lift = 2 * log(0.05 + x);
        double level = exp(line_through(tops, n, x * top_hz / f0_hz) + lift);
        for (int lag = 0; lag <= ORDER; lag++) r[lag] += level * cos(PI * x * lag);
    }
    double complex roots[ORDER];
    r[0] *= 1 + 1e-7;
    if (!predict(r, a)) return 0;
    find_roots(a, roots);
    return pick(roots, top_hz, hz);
}

static const double LOWEST_HZ = 50; /* whose four periods a window holds */

int measure_formants(struct measured sound, size_t at, double f0_hz, double top_hz,
                     double hz[MEASURED_FORMANTS])
{
    struct spectrograph graph;
    int n = 0;
    if (spectrograph_make(&graph, (size_t)(4 / LOWEST_HZ * sound.rate_hz))) {
        n = formants_at(&graph, sound, at, f0_hz, top_hz, hz);
    }
    spectrograph_free(&graph);
    return n;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Relative errors at one place, of those formants that both have. */
static size_t compare_at(struct spectrograph *graph, struct measured sound, struct measured truth,
                         const struct formant_task *task, size_t entry, double *errors)
{
    double is[MEASURED_FORMANTS], should[MEASURED_FORMANTS], f0_hz = task->track->f0_hz[entry];
    size_t at = (size_t)((double)entry * task->track->hop_s * truth.rate_hz), n = 0;
    int n_true = formants_at(graph, truth, at, f0_hz, task->top_hz, should);
    int n_found = formants_at(graph, sound, at, f0_hz * task->pitch_ratio,
                              task->top_hz * task->formant_ratio, is);
    for (int k = 0; k < n_true && k < n_found; k++) {
        errors[n++] = fabs(is[k] / (should[k] * task->formant_ratio) - 1);
    }
    return n;
}

double measure_formant_error(struct measured sound, struct measured truth,
                             const struct formant_task *task)
{
    const struct pitch_track *track = task->track;
    double *errors = malloc((track->n * MEASURED_FORMANTS + 1) * sizeof *errors), median = -1;
    struct spectrograph graph;
    size_t n = 0;
    if (spectrograph_make(&graph, (size_t)(4 / LOWEST_HZ * truth.rate_hz)) && errors) {
        for (size_t i = 2; i + 2 < track->n; i += 2) {
            if (track->f0_hz[i - 2] <= 0 || track->f0_hz[i] <= 0 || track->f0_hz[i + 2] <= 0) {
                continue;
            }
            n += compare_at(&graph, sound, truth, task, i, errors + n);
        }
    }
    spectrograph_free(&graph);
    if (n > 0) {
        qsort(errors, n, sizeof *errors, compare);
        median = errors[n / 2];
    }
    free(errors);
    return median;
}
