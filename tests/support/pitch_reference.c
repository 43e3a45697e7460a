/* Pitch of a whole recording by normalised autocorrelation and the cheapest path. */
#include "pitch_reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kiss_fftr.h>

static const double PI = 3.14159265358979323846;
static const double HOP_S = 0.005;

/* Boersma's costs; those of transitions are for steps of 10 ms. */
static const double VOICING_THRESHOLD = 0.45, SILENCE_THRESHOLD = 0.03;
static const double OCTAVE_COST = 0.01, OCTAVE_JUMP_COST = 0.35, VOICING_COST = 0.14;

enum { CANDIDATES = 12, SINC_REACH = 24 };

struct candidate {
    double f0_hz; /* 0: not voiced */
    double strength, cost;
    int from; /* candidate of the frame before on the best path */
};

struct frame {
    int n;
    struct candidate candidates[CANDIDATES];
};

struct tracker {
    double rate_hz, low_hz, high_hz;
    size_t window, size; /* frames of the window, of the transform */
    float *taper, *buffer;
    double *shape, *sums; /* autocorrelation of the window, of the frame over it */
    kiss_fft_cpx *bins;
    kiss_fftr_cfg forward, inverse;
};

static void tracker_free(struct tracker *tracker)
{
    free(tracker->taper);
    free(tracker->buffer);
    free(tracker->shape);
    free(tracker->sums);
    free(tracker->bins);
    kiss_fftr_free(tracker->forward);
    kiss_fftr_free(tracker->inverse);
}

/* Autocorrelation of `buffer`, relative to lag 0; returns that of lag 0. */
static double correlate(struct tracker *tracker, double *sums)
{
    kiss_fftr(tracker->forward, tracker->buffer, tracker->bins);
    for (size_t k = 0; k <= tracker->size / 2; k++) {
        kiss_fft_cpx bin = tracker->bins[k];
        tracker->bins[k] = (kiss_fft_cpx){bin.r * bin.r + bin.i * bin.i, 0};
    }
    kiss_fftri(tracker->inverse, tracker->bins, tracker->buffer);
    double energy = tracker->buffer[0];
    for (size_t lag = 0; lag < tracker->window; lag++) {
        sums[lag] = energy > 0 ? tracker->buffer[lag] / energy : 0;
    }
    return energy;
}

static int tracker_make(struct tracker *tracker, double rate_hz, double low_hz, double high_hz)
{
    memset(tracker, 0, sizeof *tracker);
    tracker->rate_hz = rate_hz;
    tracker->low_hz = low_hz;
    tracker->high_hz = high_hz;
    tracker->window = (size_t)(3 * rate_hz / low_hz) / 2 * 2;
    tracker->size = 2;
    while (tracker->size < 2 * tracker->window) tracker->size *= 2;
    tracker->taper = malloc(tracker->window * sizeof *tracker->taper);
    tracker->buffer = malloc(tracker->size * sizeof *tracker->buffer);
    tracker->shape = malloc(tracker->window * sizeof *tracker->shape);
    tracker->sums = malloc(tracker->window * sizeof *tracker->sums);
    tracker->bins = malloc((tracker->size / 2 + 1) * sizeof *tracker->bins);
    tracker->forward = kiss_fftr_alloc((int)tracker->size, 0, NULL, NULL);
    tracker->inverse = kiss_fftr_alloc((int)tracker->size, 1, NULL, NULL);
    if (!tracker->taper || !tracker->buffer || !tracker->shape || !tracker->sums ||
        !tracker->bins || !tracker->forward || !tracker->inverse) {
        tracker_free(tracker);
        return -1;
    }
    memset(tracker->buffer, 0, tracker->size * sizeof *tracker->buffer);
    for (size_t i = 0; i < tracker->window; i++) {
        double x = ((double)i + 0.5) / (double)tracker->window;
        tracker->taper[i] = tracker->buffer[i] = (float)(0.5 - 0.5 * cos(2 * PI * x));
    }
    correlate(tracker, tracker->shape);
    return 0;
}

/* The correlation between two lags, by a windowed sinc. */
static double between(const double *sums, double lag)
{
    int64_t middle = (int64_t)floor(lag);
    double sum = 0;
    for (int64_t i = middle - SINC_REACH + 1; i <= middle + SINC_REACH; i++) {
        double x = lag - (double)i, y = PI * x;
        double window = 0.5 + 0.5 * cos(PI * x / SINC_REACH);
        sum += sums[i < 0 ? -i : i] * window * (fabs(y) < 1e-12 ? 1 : sin(y) / y);
    }
    return sum;
}

/* The top near a lag: golden section between its neighbours. */
static double climb(const double *sums, double lag, double *height)
{
    static const double GOLDEN = 0.6180339887498949;
    double low = lag - 1, high = lag + 1;
    double a = high - GOLDEN * (high - low), b = low + GOLDEN * (high - low);
    double at_a = between(sums, a), at_b = between(sums, b);
    while (high - low > 1e-4) {
        if (at_a > at_b) {
            high = b;
            b = a;
            at_b = at_a;
            a = high - GOLDEN * (high - low);
            at_a = between(sums, a);
        } else {
            low = a;
            a = b;
            at_a = at_b;
            b = low + GOLDEN * (high - low);
            at_b = between(sums, b);
        }
    }
    *height = fmax(at_a, at_b);
    return (low + high) / 2;
}

static void keep(struct frame *frame, struct candidate candidate)
{
    if (frame->n < CANDIDATES) {
        frame->candidates[frame->n++] = candidate;
        return;
    }
    int weakest = 1; /* 0 is "not voiced" */
    for (int i = 2; i < CANDIDATES; i++) {
        if (frame->candidates[i].strength < frame->candidates[weakest].strength) weakest = i;
    }
    if (candidate.strength > frame->candidates[weakest].strength) {
        frame->candidates[weakest] = candidate;
    }
}

/* Voiced candidates: tops of the correlation, the short lags a little preferred. */
static void look(struct tracker *tracker, struct frame *frame)
{
    double *sums = tracker->sums;
    for (size_t lag = 0; lag < tracker->window; lag++) {
        sums[lag] = lag < tracker->window * 9 / 10 ? sums[lag] / tracker->shape[lag] : 0;
    }
    size_t first = (size_t)(tracker->rate_hz / tracker->high_hz);
    size_t last = (size_t)(tracker->rate_hz / tracker->low_hz) + 1;
    for (size_t lag = first < 2 ? 2 : first; lag <= last; lag++) {
        if (sums[lag] < 0.25 || sums[lag] < sums[lag - 1] || sums[lag] <= sums[lag + 1]) continue;
        double height, place = climb(sums, (double)lag, &height);
        if (height > 1) height = 1 / height;
        double cost = OCTAVE_COST * log2(tracker->low_hz * place / tracker->rate_hz);
        keep(frame,
             (struct candidate){.f0_hz = tracker->rate_hz / place, .strength = height - cost});
    }
}

static void analyse(struct tracker *tracker, const float *samples, size_t n_frames, double peak,
                    size_t centre, struct frame *frame)
{
    double mean = 0, loudest = 0;
    memset(tracker->buffer, 0, tracker->size * sizeof *tracker->buffer);
    for (size_t i = 0; i < tracker->window; i++) {
        size_t at = centre + i - tracker->window / 2; /* wraps before the beginning */
        tracker->buffer[i] = at < n_frames ? samples[at] : 0;
        mean += (double)tracker->buffer[i] / (double)tracker->window;
    }
    for (size_t i = 0; i < tracker->window; i++) {
        double x = (double)tracker->buffer[i] - mean;
        loudest = fmax(loudest, fabs(x));
        tracker->buffer[i] = (float)x * tracker->taper[i];
    }
    double silence = peak > 0 ? loudest / peak / (SILENCE_THRESHOLD / (1 + VOICING_THRESHOLD)) : 0;
    frame->n = 1;
    frame->candidates[0] = (struct candidate){.strength = VOICING_THRESHOLD + fmax(0, 2 - silence)};
    if (correlate(tracker, tracker->sums) > 0) look(tracker, frame);
}

static double step_cost(const struct candidate *from, const struct candidate *to)
{
    double scale = 0.01 / HOP_S;
    if (from->f0_hz == 0 && to->f0_hz == 0) return 0;
    if (from->f0_hz == 0 || to->f0_hz == 0) return VOICING_COST * scale;
    return OCTAVE_JUMP_COST * scale * fabs(log2(from->f0_hz / to->f0_hz));
}

static void find_path(struct frame *frames, size_t n, float *f0_hz)
{
    for (size_t i = 0; i < n; i++) {
        for (int to = 0; to < frames[i].n; to++) {
            struct candidate *here = &frames[i].candidates[to];
            here->cost = i == 0 ? -here->strength : INFINITY;
            for (int from = 0; i > 0 && from < frames[i - 1].n; from++) {
                const struct candidate *there = &frames[i - 1].candidates[from];
                double cost = there->cost + step_cost(there, here) - here->strength;
                if (cost >= here->cost) continue;
                here->cost = cost;
                here->from = from;
            }
        }
    }
    int at = 0;
    for (int k = 1; n > 0 && k < frames[n - 1].n; k++) {
        if (frames[n - 1].candidates[k].cost < frames[n - 1].candidates[at].cost) at = k;
    }
    for (size_t i = n; i-- > 0;) {
        f0_hz[i] = (float)frames[i].candidates[at].f0_hz;
        at = frames[i].candidates[at].from;
    }
}

static int track_make(struct pitch_track *track, size_t n_frames, uint32_t rate_hz)
{
    track->hop_s = HOP_S;
    track->n = (size_t)((double)n_frames / rate_hz / HOP_S);
    track->f0_hz = calloc(track->n + 1, sizeof *track->f0_hz);
    return track->f0_hz ? 0 : -1;
}

static size_t place_of(const struct pitch_track *track, size_t i, uint32_t rate_hz)
{
    return (size_t)llround((double)i * track->hop_s * rate_hz);
}

int pitch_reference(const float *samples, size_t n_frames, uint32_t rate_hz, double low_hz,
                    double high_hz, struct pitch_track *track)
{
    struct tracker tracker;
    if (tracker_make(&tracker, rate_hz, low_hz, high_hz) < 0) return -1;
    int status = track_make(track, n_frames, rate_hz);
    struct frame *frames = calloc(track->n + 1, sizeof *frames);
    if (status == 0 && frames) {
        double peak = 0;
        for (size_t i = 0; i < n_frames; i++) peak = fmax(peak, fabs((double)samples[i]));
        for (size_t i = 0; i < track->n; i++) {
            analyse(&tracker, samples, n_frames, peak, place_of(track, i, rate_hz), &frames[i]);
        }
        find_path(frames, track->n, track->f0_hz);
    } else if (status == 0) {
        pitch_track_free(track);
        status = -1;
    }
    free(frames);
    tracker_free(&tracker);
    return status;
}

int pitch_of_synth(const struct synth_sound *sound, struct pitch_track *track)
{
    if (track_make(track, sound->n_frames, sound->rate_hz) < 0) return -1;
    for (size_t i = 0; i < track->n; i++) {
        size_t at = place_of(track, i, sound->rate_hz);
        track->f0_hz[i] = sound->level[at] > 0.1F ? sound->f0_hz[at] : 0;
    }
    return 0;
}

void pitch_track_free(struct pitch_track *track)
{
    free(track->f0_hz);
    track->f0_hz = NULL;
    track->n = 0;
}
