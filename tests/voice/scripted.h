/*
 * A converter for tests: the input as it is, delayed, until a script says otherwise. Its facts and
 * its script are set before a voice is opened with it.
 */
#ifndef TESTS_VOICE_SCRIPTED_H
#define TESTS_VOICE_SCRIPTED_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "voice/converter.h"

enum scripted_fault {
    SCRIPTED_FINE,
    SCRIPTED_FAILS,   /* says so, and leaves the input in the output */
    SCRIPTED_NAN,     /* gives one sample that is none */
    SCRIPTED_INFINITE /* gives the input, and one sample that is infinite */
};

struct scripted {
    struct converter_facts facts;
    enum scripted_fault fault; /* what happens in hops fault_first .. fault_first + n_fault - 1 */
    uint64_t fault_first, n_fault;
    uint64_t random_seed; /* not 0: in a third of all hops instead */
    /* Of the running converter. */
    float *line; /* [delay], circular */
    uint64_t n_hops, n_samples;
};

static struct scripted scripted_setup;
/** What the chain asked of the last hop. */
static struct converter_control scripted_control;

/* Whether something happens in a hop. */
static inline bool scripted_is_due(const struct scripted *s, uint64_t hop)
{
    if (s->random_seed)
        return ((hop + s->random_seed) * UINT64_C(0x9E3779B97F4A7C15) >> 40) % 3 == 0;
    return hop >= s->fault_first && hop < s->fault_first + s->n_fault;
}

static inline void scripted_reset(void *converter)
{
    struct scripted *s = converter;
    memset(s->line, 0, (s->facts.delay + 1) * sizeof *s->line);
    s->n_hops = s->n_samples = 0;
}

static inline int scripted_open(void **converter, const struct kodama_voice_config *config,
                                uint32_t rate_hz, struct converter_facts *facts,
                                struct kodama_error *error)
{
    (void)config;
    (void)error;
    struct scripted *s = malloc(sizeof *s);
    *s = scripted_setup;
    if (s->facts.rate_in_hz == 0) s->facts.rate_in_hz = s->facts.rate_out_hz = rate_hz;
    s->line = calloc(s->facts.delay + 1, sizeof *s->line);
    scripted_reset(s);
    *facts = s->facts;
    *converter = s;
    return KODAMA_OK;
}

static inline void scripted_close(void *converter)
{
    struct scripted *s = converter;
    free(s->line);
    free(s);
}

/* With different rates each input sample is repeated or left out: enough to see where it is. */
static inline int scripted_convert(void *converter, const float *in, float *out,
                                   const struct converter_control *control)
{
    scripted_control = *control;
    struct scripted *s = converter;
    const uint32_t n = s->facts.hop_out, length = s->facts.delay + 1;
    for (uint32_t i = 0; i < n; i++) {
        s->line[s->n_samples % length] = in[(uint64_t)i * s->facts.hop_in / n];
        s->n_samples++;
        out[i] = s->line[s->n_samples % length];
    }
    bool due = scripted_is_due(s, s->n_hops++);
    if (!due || s->fault == SCRIPTED_FINE) return KODAMA_OK;
    if (s->fault == SCRIPTED_FAILS) return KODAMA_ERR_ENGINE;
    out[n / 2] = s->fault == SCRIPTED_NAN ? NAN : INFINITY;
    return KODAMA_OK;
}

static const struct converter_ops scripted_ops = {
    .name = "scripted",
    .open = scripted_open,
    .close = scripted_close,
    .convert = scripted_convert,
    .reset = scripted_reset,
};

#endif
