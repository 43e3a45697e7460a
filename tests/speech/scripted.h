/*
 * A recognition engine that does what a test says, for tests of everything around engines.
 *
 * What an utterance "says" is its first sample, a whole number. Its final's text is the numbers of
 * all finals of the conversation up to it ("1 2 3"): so text shows order and context. Or it says a
 * hash of its samples. Decoding can be held up at a gate, and fail.
 */
#ifndef TESTS_SPEECH_SCRIPTED_H
#define TESTS_SPEECH_SCRIPTED_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "speech/engine.h"
#include "speech/model.h"

static struct {
    struct mutex mutex;
    struct condition changed;
    bool gate_closed;    /* decode() waits */
    bool hash;           /* an utterance says a hash of its samples */
    int fail;            /* the utterance that fails */
    int n_open_allowed;  /* decoders that can be opened */
    int n_open;          /* decoders opened */
    int n_decoding;      /* now */
    int n_decoding_most; /* at once */
    int decoded[10000];  /* utterances in order of the beginning of their decoding */
    int n_decoded;
    int n_begun;     /* begin() */
    int n_abandoned; /* abandon() */
} script;

static void script_reset(void)
{
    static bool once;
    if (!once) {
        mutex_init(&script.mutex);
        condition_init(&script.changed);
    }
    once = true;
    mutex_lock(&script.mutex);
    script.gate_closed = script.hash = false;
    script.fail = -1;
    script.n_open_allowed = 1000;
    script.n_open = script.n_decoding = script.n_decoding_most = script.n_decoded = 0;
    script.n_begun = script.n_abandoned = 0;
    mutex_unlock(&script.mutex);
}

static inline void script_gate(bool closed)
{
    mutex_lock(&script.mutex);
    script.gate_closed = closed;
    condition_broadcast(&script.changed);
    mutex_unlock(&script.mutex);
}

/* FNV-1a (Fowler, Noll, Vo) of the samples' bits, in 24 bits. */
static int script_hash(const float *samples, size_t n_samples)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < n_samples; i++) {
        uint32_t bits;
        memcpy(&bits, &samples[i], sizeof bits);
        hash = (hash ^ bits) * 16777619u;
    }
    return (int)(hash & 0xffffff);
}

/** Wait until so many decodings have begun. */
static inline void script_await(const int *count, int n)
{
    uint64_t deadline = clock_deadline(20 * (int64_t)CLOCK_NS_PER_S);
    mutex_lock(&script.mutex);
    while (*count < n) {
        if (!condition_wait(&script.changed, &script.mutex, deadline)) {
            fail_msg("waited in vain: %d of %d", *count, n);
        }
    }
    mutex_unlock(&script.mutex);
}

static int script_model_open(void **model, const struct kodama_model_config *config, char *name,
                             size_t n_name_bytes, struct kodama_error *error)
{
    (void)config;
    (void)error;
    *model = &script;
    snprintf(name, n_name_bytes, "a script");
    return KODAMA_OK;
}

static void script_model_close(void *model)
{
    (void)model;
}

static int script_decoder_open(void **decoder, void *model, struct kodama_error *error)
{
    (void)model;
    *decoder = NULL;
    mutex_lock(&script.mutex);
    bool allowed = script.n_open < script.n_open_allowed;
    if (allowed) script.n_open++;
    condition_broadcast(&script.changed);
    mutex_unlock(&script.mutex);
    if (!allowed) return error_set(error, KODAMA_ERR_MEMORY, "no more decoders");
    *decoder = malloc(1); /* so that a leak is seen */
    return *decoder ? KODAMA_OK : KODAMA_ERR_MEMORY;
}

static void script_decoder_close(void *decoder)
{
    free(decoder);
}

static int script_decode(void *decoder, const float *samples, size_t n_samples,
                         struct engine_context *context, const _Atomic bool *cancel,
                         struct engine_result *result, struct kodama_error *error)
{
    (void)decoder;
    (void)cancel;
    int said = n_samples == 0 ? 0 : script.hash ? script_hash(samples, n_samples) : (int)samples[0];
    mutex_lock(&script.mutex);
    if (script.n_decoded < 10000) script.decoded[script.n_decoded++] = said;
    if (++script.n_decoding > script.n_decoding_most) script.n_decoding_most = script.n_decoding;
    condition_broadcast(&script.changed);
    while (script.gate_closed) condition_wait(&script.changed, &script.mutex, CLOCK_NEVER);
    script.n_decoding--;
    bool fails = script.fail == said;
    mutex_unlock(&script.mutex);
    if (fails) return error_set(error, KODAMA_ERR_ENGINE, "the script says so");

    size_t n_room = context->n_bytes + 16;
    char *text = calloc(n_room, 1);
    if (!text) return KODAMA_ERR_MEMORY;
    int n =
        snprintf(text, n_room, "%.*s%s%d", (int)context->n_bytes,
                 context->data ? (const char *)context->data : "", context->data ? " " : "", said);
    free(context->data);
    context->data = (uint8_t *)text;
    context->n_bytes = (size_t)n;
    bool added = engine_result_add(result, text, (size_t)n, 0, (uint32_t)n_samples, 0.5f);
    return added && engine_result_join(result) ? KODAMA_OK : KODAMA_ERR_MEMORY;
}

static int script_begin(void *decoder, const struct engine_context *context)
{
    (void)decoder;
    (void)context;
    mutex_lock(&script.mutex);
    script.n_begun++;
    mutex_unlock(&script.mutex);
    return KODAMA_OK;
}

static int script_hear(void *decoder, const float *samples, size_t n_samples)
{
    (void)decoder;
    (void)samples;
    return n_samples % ENGINE_HOP == 0 ? KODAMA_OK : KODAMA_ERR_ENGINE;
}

static int script_partial(void *decoder, struct engine_result *result)
{
    (void)decoder;
    bool added = engine_result_add(result, "hm", 2, 0, ENGINE_HOP, 0.5f);
    return added && engine_result_join(result) ? KODAMA_OK : KODAMA_ERR_MEMORY;
}

static void script_abandon(void *decoder)
{
    (void)decoder;
    mutex_lock(&script.mutex);
    script.n_abandoned++;
    mutex_unlock(&script.mutex);
}

static const struct engine_ops scripted_engine = {
    .name = "script",
    .streaming = true,
    .model_open = script_model_open,
    .model_close = script_model_close,
    .decoder_open = script_decoder_open,
    .decoder_close = script_decoder_close,
    .decode = script_decode,
    .begin = script_begin,
    .hear = script_hear,
    .partial = script_partial,
    .abandon = script_abandon,
};

static struct kodama_model *open_script(uint32_t n_decoders)
{
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_error error = {0};
    struct kodama_model *model;
    config.n_decoders = n_decoders;
    if (model_open_engine(&model, &scripted_engine, &config, &error) < 0) {
        fail_msg("%s", error.message);
    }
    return model;
}

#endif
