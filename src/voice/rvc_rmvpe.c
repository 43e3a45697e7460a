/* Pitch by an RMVPE export. */
#include "voice/rvc_rmvpe.h"

#include <kiss_fftr.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { HOP = 160, FRAME = 1024, FFT_BINS = FRAME / 2 + 1, MULTIPLE = 32 };
#define RATE 16000.0
#define LOWEST 30.0
#define HIGHEST 8000.0
#define THRESHOLD 0.03f
#define CENTS_FIRST 1997.3794084376191 /* of 10 Hz, of the first bin */
#define CENTS_STEP 20.0
#define FLOOR 1e-5f

struct rvc_rmvpe {
    struct binding *binding;
    const struct graph *graph;
    bool waveform;
    const char *output;
    enum tensor_type output_type;
    size_t n_frames, n_padded;
    float *values; /* what goes in */
    float threshold;
    float *room; /* what comes out, as floats */
    size_t n_room;
    kiss_fftr_cfg fft;
    float *window;   /* [FRAME] */
    float *weights;  /* [RMVPE_MELS][FFT_BINS] */
    float *extended; /* [n_frames * HOP + FRAME] */
};

int rvc_rmvpe_check(const struct graph *graph, struct kodama_error *error)
{
    const struct tensor_info *mel = graph_find_input(graph, "mel");
    const struct tensor_info *wave = graph_find_input(graph, "waveform");
    if (!mel && graph_n_inputs(graph) == 1 && !wave) mel = graph_input(graph, 0);
    bool good = mel && graph_n_inputs(graph) == 1 && mel->type == TENSOR_F32 &&
                mel->shape.n_dims == 3 &&
                (mel->shape.dims[1] == RMVPE_MELS || mel->shape.dims[1] == -1);
    good = good || (wave && wave->type == TENSOR_F32 && graph_n_inputs(graph) <= 2);
    if (good && graph_n_outputs(graph) > 0) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_FORMAT,
                     "%s is no RMVPE: expected is an input \"mel\" of 128 channels, or the inputs "
                     "\"waveform\" and \"threshold\"",
                     graph_path(graph));
}

/* ------------------------------------------------------------- the mel spectrum */

static double mel_of(double hz)
{
    return 2595.0 * log10(1.0 + hz / 700.0); /* as HTK has it */
}

static double hz_of(double mel)
{
    return 700.0 * (pow(10.0, mel / 2595.0) - 1.0);
}

/* Triangles of equal area (Slaney's norm), which is what the model was trained with. */
static void make_weights(float *weights)
{
    double edges[RMVPE_MELS + 2];
    for (size_t i = 0; i < RMVPE_MELS + 2; i++)
        edges[i] = hz_of(mel_of(LOWEST) +
                         (mel_of(HIGHEST) - mel_of(LOWEST)) * (double)i / (RMVPE_MELS + 1));
    for (size_t m = 0; m < RMVPE_MELS; m++) {
        for (size_t b = 0; b < FFT_BINS; b++) {
            double hz = RATE * (double)b / FRAME;
            double rise = (hz - edges[m]) / (edges[m + 1] - edges[m]);
            double fall = (edges[m + 2] - hz) / (edges[m + 2] - edges[m + 1]);
            double weight = rise < fall ? rise : fall;
            weights[m * FFT_BINS + b] =
                weight > 0.0 ? (float)(weight * 2.0 / (edges[m + 2] - edges[m])) : 0.0f;
        }
    }
}

/* [n][HOP] samples to values[mel][n_padded], frames centred, the ends mirrored. */
static void make_mel(struct rvc_rmvpe *r, const float *samples)
{
    const size_t n = r->n_frames * HOP, half = FRAME / 2;
    for (size_t i = 0; i < half; i++) r->extended[i] = samples[half - i];
    memcpy(r->extended + half, samples, n * sizeof *samples);
    for (size_t i = 0; i < half; i++) r->extended[half + n + i] = samples[n - 2 - i];
    for (size_t t = 0; t < r->n_frames; t++) {
        float tapered[FRAME], magnitudes[FFT_BINS];
        kiss_fft_cpx bins[FFT_BINS];
        for (size_t i = 0; i < FRAME; i++) tapered[i] = r->extended[t * HOP + i] * r->window[i];
        kiss_fftr(r->fft, tapered, bins);
        for (size_t b = 0; b < FFT_BINS; b++)
            magnitudes[b] = sqrtf(bins[b].r * bins[b].r + bins[b].i * bins[b].i);
        for (size_t m = 0; m < RMVPE_MELS; m++) {
            const float *weights = r->weights + m * FFT_BINS;
            float sum = 0.0f;
            for (size_t b = 0; b < FFT_BINS; b++) sum += weights[b] * magnitudes[b];
            r->values[m * r->n_padded + t] = logf(sum > FLOOR ? sum : FLOOR);
        }
    }
}

/* --------------------------------------------------------------------- running */

static int bind(struct rvc_rmvpe *r, struct graph *graph, struct kodama_error *error)
{
    int status = binding_open(&r->binding, graph, error);
    if (status < 0) return status;
    if (r->waveform) {
        const struct tensor_info *wave = graph_find_input(graph, "waveform");
        struct tensor_shape shape = {2, {1, (int64_t)(r->n_frames * HOP)}};
        if (wave->shape.n_dims == 1)
            shape = (struct tensor_shape){1, {(int64_t)(r->n_frames * HOP)}};
        status = binding_input(r->binding, "waveform", r->values, &shape, error);
        const struct tensor_info *threshold = graph_find_input(graph, "threshold");
        if (status == KODAMA_OK && threshold) {
            struct tensor_shape one = threshold->shape;
            for (size_t i = 0; i < one.n_dims; i++) one.dims[i] = 1;
            status = binding_input(r->binding, "threshold", &r->threshold, &one, error);
        }
    } else {
        struct tensor_shape shape = {3, {1, RMVPE_MELS, (int64_t)r->n_padded}};
        status = binding_input(r->binding, graph_input(graph, 0)->name, r->values, &shape, error);
    }
    if (status == KODAMA_OK) status = binding_output(r->binding, r->output, NULL, NULL, error);
    return status;
}

int rvc_rmvpe_open(struct rvc_rmvpe **rmvpe, struct graph *graph, size_t n_frames,
                   struct kodama_error *error)
{
    *rmvpe = NULL;
    int status = rvc_rmvpe_check(graph, error);
    struct rvc_rmvpe *r = status == KODAMA_OK ? memory_array(1, sizeof *r) : NULL;
    if (status < 0) return status;
    if (!r) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    r->graph = graph;
    r->threshold = THRESHOLD;
    r->waveform = graph_find_input(graph, "waveform") != NULL;
    const struct tensor_info *output = graph_find_output(graph, "pitchf");
    if (!output || !r->waveform) output = graph_output(graph, 0);
    r->output = output->name;
    r->output_type = output->type;
    r->n_frames = n_frames;
    r->n_padded = (n_frames + MULTIPLE - 1) / MULTIPLE * MULTIPLE;
    size_t n = r->waveform ? n_frames * HOP : RMVPE_MELS * r->n_padded;
    r->values = memory_array(n, sizeof *r->values);
    r->n_room = n_frames * HOP > RMVPE_BINS * (r->n_padded + 2) ? n_frames * HOP
                                                                : RMVPE_BINS * (r->n_padded + 2);
    r->room = memory_array(r->n_room, sizeof *r->room);
    r->window = memory_array(FRAME, sizeof *r->window);
    r->weights = memory_array((size_t)RMVPE_MELS * FFT_BINS, sizeof *r->weights);
    r->extended = memory_array(n_frames * HOP + FRAME, sizeof *r->extended);
    r->fft = kiss_fftr_alloc(FRAME, 0, NULL, NULL);
    bool memory = r->values && r->room && r->window && r->weights && r->extended && r->fft;
    status = memory ? bind(r, graph, error) : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    if (status < 0) {
        rvc_rmvpe_close(r);
        return status;
    }
    for (size_t i = 0; i < FRAME; i++)
        r->window[i] = (float)(0.5 - 0.5 * cos(2.0 * acos(-1.0) * (double)i / FRAME));
    make_weights(r->weights);
    *rmvpe = r;
    return KODAMA_OK;
}

void rvc_rmvpe_close(struct rvc_rmvpe *r)
{
    if (!r) return;
    binding_close(r->binding);
    kiss_fftr_free(r->fft);
    free(r->values);
    free(r->room);
    free(r->window);
    free(r->weights);
    free(r->extended);
    free(r);
}

float rvc_rmvpe_decode(const float *salience)
{
    size_t best = 0;
    for (size_t i = 1; i < RMVPE_BINS; i++)
        if (salience[i] > salience[best]) best = i;
    if (!(salience[best] > THRESHOLD)) return 0.0f;
    size_t from = best < 4 ? 0 : best - 4, to = best + 4 < RMVPE_BINS ? best + 4 : RMVPE_BINS - 1;
    double sum = 0.0, cents = 0.0;
    for (size_t i = from; i <= to; i++) {
        sum += (double)salience[i];
        cents += (double)salience[i] * (CENTS_FIRST + CENTS_STEP * (double)i);
    }
    return (float)(10.0 * exp2(cents / sum / 1200.0));
}

static int wrong_shape(const struct rvc_rmvpe *r, struct kodama_error *error)
{
    return error_set(error, KODAMA_ERR_FORMAT, "%s gives less than one pitch per 10 ms",
                     graph_path(r->graph));
}

int rvc_rmvpe_run(struct rvc_rmvpe *r, const float *samples, float *pitch_hz,
                  struct kodama_error *error)
{
    if (r->waveform)
        memcpy(r->values, samples, r->n_frames * HOP * sizeof *samples);
    else
        make_mel(r, samples);
    const void *data;
    struct tensor_shape shape;
    int status = binding_run(r->binding, error);
    if (status == KODAMA_OK) status = binding_result(r->binding, r->output, &data, &shape, error);
    if (status != KODAMA_OK) return status;
    size_t n = tensor_elements(&shape);
    if (n > r->n_room) n = r->n_room;
    tensor_to_floats(r->room, data, r->output_type, n);
    size_t each = r->waveform ? 1 : RMVPE_BINS;
    if (!r->waveform && (shape.n_dims != 3 || shape.dims[2] != RMVPE_BINS))
        return wrong_shape(r, error);
    if (n / each + 1 < r->n_frames) return wrong_shape(r, error);
    for (size_t i = 0; i < r->n_frames; i++) {
        size_t at = (i < n / each ? i : n / each - 1) * each;
        pitch_hz[i] = r->waveform ? r->room[at] : rvc_rmvpe_decode(r->room + at);
        if (!(pitch_hz[i] > 0.0f)) pitch_hz[i] = 0.0f;
    }
    return KODAMA_OK;
}

void rvc_rmvpe_stop(struct rvc_rmvpe *r, bool stop)
{
    binding_stop(r->binding, stop);
}
