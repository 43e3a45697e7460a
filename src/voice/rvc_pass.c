/* Takes one chunk through content encoder, retrieval, pitch and generator. */
#include "voice/rvc_pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "voice/rvc_features.h"
#include "voice/rvc_loudness.h"
#include "voice/rvc_piece.h"
#include "voice/rvc_rmvpe.h"
#include "voice/rvc_run.h"

/* The formant is moved by at most this factor. */
#define STRETCH_MOST 2.0
/* What is beyond it is a model gone wrong, not a voice. */
#define LOUDEST 100.0f

struct rvc_pass {
    const struct rvc_weights *weights; /* borrowed */
    struct rvc_manner manner;
    size_t window, chunk; /* frames */
    struct rvc_encoder *encoder;
    struct rvc_generator *generator;
    struct rvc_rmvpe *rmvpe; /* NULL: none */
    bool cheap;
    struct rvc_times times;
    /* Of `window` frames, but `stretched` of twice what is generated. */
    float *features, *before, *stretched;
    float *pitch, *stretched_pitch;
};

/* Frames that are generated, and said. */
static size_t n_generated(const struct rvc_pass *p)
{
    return PASS_LEAD + PASS_SAID + p->chunk;
}

static size_t n_said(const struct rvc_pass *p)
{
    return PASS_SAID + p->chunk;
}

static int warm_up(struct rvc_pass *p, struct kodama_error *error)
{
    float *zeros = memory_array(p->window * PASS_HOP_IN, sizeof *zeros);
    float *said = memory_array(n_said(p) * PASS_HOP_OUT, sizeof *said);
    struct rvc_input input = {.samples = zeros, .pitch_hz = zeros, .semitones = zeros};
    int status = zeros && said ? rvc_pass_run(p, &input, said, error)
                               : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    free(zeros);
    free(said);
    rvc_pass_reset(p);
    return status;
}

static bool make_room(struct rvc_pass *p)
{
    size_t dims = p->weights->signature.dims,
           most = (size_t)(STRETCH_MOST * (double)n_generated(p)) + 1;
    p->features = memory_array(p->window * dims, sizeof(float));
    p->before = memory_array(p->window * dims, sizeof(float));
    p->stretched = memory_array(most * dims, sizeof(float));
    p->pitch = memory_array(p->window, sizeof(float));
    p->stretched_pitch = memory_array(most, sizeof(float));
    return p->features && p->before && p->stretched && p->pitch && p->stretched_pitch;
}

int rvc_pass_open(struct rvc_pass **pass, const struct rvc_weights *weights,
                  const struct rvc_manner *manner, size_t context, size_t chunk, uint64_t seed,
                  struct kodama_error *error)
{
    struct rvc_pass *p = memory_array(1, sizeof *p);
    *pass = NULL;
    if (!p) return error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    p->weights = weights;
    p->manner = *manner;
    p->chunk = chunk;
    p->window = context + n_generated(p);
    p->window += p->window % 2; /* the encoder's step is two frames */
    size_t most = (size_t)(STRETCH_MOST * (double)n_generated(p)) + 1;
    int status = make_room(p) ? KODAMA_OK : error_set(error, KODAMA_ERR_MEMORY, "out of memory");
    if (status == KODAMA_OK)
        status = rvc_encoder_open(&p->encoder, weights->encoder, &weights->encoder_signature,
                                  p->window * PASS_HOP_IN, error);
    if (status == KODAMA_OK)
        status = rvc_generator_open(&p->generator, weights->generator, &weights->signature, most,
                                    manner->speaker, seed, error);
    if (status == KODAMA_OK && weights->rmvpe)
        status = rvc_rmvpe_open(&p->rmvpe, weights->rmvpe, p->window, error);
    if (status == KODAMA_OK) status = warm_up(p, error);
    if (status < 0) {
        rvc_pass_close(p);
        return status;
    }
    *pass = p;
    return KODAMA_OK;
}

void rvc_pass_close(struct rvc_pass *p)
{
    if (!p) return;
    rvc_encoder_close(p->encoder);
    rvc_generator_close(p->generator);
    rvc_rmvpe_close(p->rmvpe);
    free(p->features);
    free(p->before);
    free(p->stretched);
    free(p->pitch);
    free(p->stretched_pitch);
    free(p);
}

size_t rvc_pass_window(const struct rvc_pass *p)
{
    return p->window;
}

size_t rvc_pass_chunk(const struct rvc_pass *p)
{
    return p->chunk;
}

void rvc_pass_cheap(struct rvc_pass *p, bool cheap)
{
    p->cheap = cheap;
}

bool rvc_pass_dear(const struct rvc_pass *p)
{
    return p->rmvpe && !p->cheap;
}

void rvc_pass_times(const struct rvc_pass *p, struct rvc_times *times)
{
    *times = p->times;
}

void rvc_pass_stop(struct rvc_pass *p, bool stop)
{
    rvc_encoder_stop(p->encoder, stop);
    rvc_generator_stop(p->generator, stop);
    if (p->rmvpe) rvc_rmvpe_stop(p->rmvpe, stop);
}

void rvc_pass_reset(struct rvc_pass *p)
{
    rvc_generator_reset(p->generator);
}

/* --------------------------------------------------------------------- a chunk */

static uint64_t lap(uint64_t *since)
{
    uint64_t now = clock_now_ns(), taken = now - *since;
    *since = now;
    return taken;
}

/* p->features and p->pitch, of the whole window. */
static int hear(struct rvc_pass *p, const struct rvc_input *input, uint64_t *since,
                struct kodama_error *error)
{
    const float *frames;
    size_t n = 0, dims = p->weights->signature.dims;
    int status = rvc_encoder_run(p->encoder, input->samples, &frames, &n, error);
    if (status < 0) return status;
    rvc_features_double(frames, n, dims, p->features, p->window);
    p->times.encoder_ns = lap(since);
    if (rvc_pass_dear(p))
        status = rvc_rmvpe_run(p->rmvpe, input->samples, p->pitch, error);
    else
        memcpy(p->pitch, input->pitch_hz, p->window * sizeof(float));
    for (size_t i = 0; i < p->window; i++)
        p->pitch[i] *= exp2f((input->semitones[i] + p->manner.transpose) / 12.0f);
    p->times.pitch_ns = lap(since);
    return status;
}

/* What the generator is given, from the frame `from` of the window on. */
static void retrieve(struct rvc_pass *p, size_t from)
{
    size_t dims = p->weights->signature.dims, n = n_generated(p);
    float *features = p->features + from * dims;
    if (!p->weights->index || !(p->manner.index_rate > 0.0f)) return;
    memcpy(p->before, features, n * dims * sizeof(float));
    rvc_index_retrieve(p->weights->index, features, n, p->manner.index_rate);
    /* Without a pitch there is nothing to tell breath by. */
    if (p->weights->signature.has_pitch)
        rvc_features_protect(features, p->before, p->pitch + from, n, dims, p->manner.protect);
}

/* Frames' worth of sound that n of them are made of, to move the formants by that factor. */
static size_t stretched_length(size_t n, float semitones)
{
    double factor = exp2((double)semitones / 12.0);
    if (!(factor <= STRETCH_MOST)) factor = STRETCH_MOST;
    if (!(factor >= 1.0 / STRETCH_MOST)) factor = 1.0 / STRETCH_MOST;
    return (size_t)llrint((double)n * factor);
}

/* Dialects A and B know nothing of formants: they are told of a slower talk in a lower voice, which
 * is then played faster. C does the same inside. */
static int generate(struct rvc_pass *p, const struct rvc_input *input, size_t from,
                    const float **audio, size_t *n_audio, struct kodama_error *error)
{
    const struct rvc_signature *s = &p->weights->signature;
    const size_t n = n_generated(p);
    const float *features = p->features + from * s->dims, *pitch = p->pitch + from;
    if (s->dialect == RVC_DIALECT_C) {
        struct rvc_slice slice = {n, PASS_LEAD, stretched_length(n_said(p), input->formant)};
        return rvc_generator_run(p->generator, &slice, features, pitch, audio, n_audio, error);
    }
    size_t longer = stretched_length(n, input->formant);
    struct rvc_slice slice = {longer, 0, longer};
    if (longer != n) {
        rvc_features_stretch(features, n, s->dims, p->stretched, longer);
        rvc_pitch_stretch(pitch, n, p->stretched_pitch, longer);
        for (size_t i = 0; i < longer; i++) p->stretched_pitch[i] *= (float)n / (float)longer;
        features = p->stretched;
        pitch = p->stretched_pitch;
    }
    return rvc_generator_run(p->generator, &slice, features, pitch, audio, n_audio, error);
}

/* The end of what was generated, at 48 kHz. */
static int finish(struct rvc_pass *p, const struct rvc_input *input, const float *audio,
                  size_t n_audio, float *said, struct kodama_error *error)
{
    const struct rvc_signature *s = &p->weights->signature;
    const bool all = s->dialect != RVC_DIALECT_C;
    size_t n_frames = all ? n_generated(p) : n_said(p), n = n_said(p);
    size_t expected = stretched_length(n_frames, input->formant) * (s->rate_hz / 100);
    if (n_audio < expected - expected / 20 || n_audio > expected + expected / 20)
        return error_set(error, KODAMA_ERR_FORMAT, "%s made %zu samples, expected are %zu at %u Hz",
                         graph_path(p->weights->generator), n_audio, expected, s->rate_hz);
    for (size_t i = 0; i < n_audio; i++)
        if (!(fabsf(audio[i]) <= LOUDEST))
            return error_set(
                error, KODAMA_ERR_ENGINE,
                "%s made something that is no sound (not finite, or beyond all bounds)",
                graph_path(p->weights->generator));
    /* Where it begins is a fraction of a sample for a few lengths: less than 0.02 ms. */
    size_t from = all ? (size_t)llrint((double)n_audio * PASS_LEAD / (double)n_frames) : 0;
    rvc_piece_resample(audio + from, n_audio - from, said, n * PASS_HOP_OUT);
    rvc_loudness_mix(said, PASS_HOP_OUT, input->samples + (p->window - n) * PASS_HOP_IN,
                     PASS_HOP_IN, n, p->manner.own_volume);
    return KODAMA_OK;
}

int rvc_pass_run(struct rvc_pass *p, const struct rvc_input *input, float *said,
                 struct kodama_error *error)
{
    uint64_t since = clock_now_ns();
    const size_t from = p->window - n_generated(p);
    const float *audio = NULL;
    size_t n_audio = 0;
    int status = hear(p, input, &since, error);
    if (status < 0) return status;
    retrieve(p, from);
    p->times.index_ns = lap(&since);
    status = generate(p, input, from, &audio, &n_audio, error);
    p->times.generator_ns = lap(&since);
    if (status == KODAMA_OK) status = finish(p, input, audio, n_audio, said, error);
    p->times.rest_ns = lap(&since);
    return status;
}
