/* The pitch effect of libsox in the comparison: a chain of its own that asks for blocks. */
#include <stdio.h>
#include <string.h>

#include <sox.h>

#include "voice.h"

struct ends {
    struct voice_run *run;
    const float *block;
    size_t n_left;
};

static int drain_input(sox_effect_t *effect, sox_sample_t *out, size_t *n_out)
{
    struct ends *ends = *(struct ends **)effect->priv;
    if (ends->n_left == 0) ends->block = voice_next(ends->run, &ends->n_left);
    if (!ends->block) {
        *n_out = 0;
        return SOX_EOF;
    }
    if (*n_out > ends->n_left) *n_out = ends->n_left;
    for (size_t i = 0; i < *n_out; i++) out[i] = (sox_sample_t)(ends->block[i] * 2147483520.0F);
    ends->block += *n_out;
    ends->n_left -= *n_out;
    return SOX_SUCCESS;
}

static int flow_output(sox_effect_t *effect, const sox_sample_t *in, sox_sample_t *out,
                       size_t *n_in, size_t *n_out)
{
    (void)out;
    struct ends *ends = *(struct ends **)effect->priv;
    for (size_t i = 0; i < *n_in; i++) {
        float sample = (float)in[i] / 2147483648.0F;
        voice_give(ends->run, &sample, 1);
    }
    *n_out = 0;
    return SOX_SUCCESS;
}

static bool add(sox_effects_chain_t *chain, const sox_effect_handler_t *handler, struct ends *ends,
                const char *argument, sox_signalinfo_t *signal, const sox_signalinfo_t *target)
{
    sox_effect_t *effect = handler ? sox_create_effect(handler) : NULL;
    if (!effect) return false;
    char copy[40];
    snprintf(copy, sizeof copy, "%s", argument ? argument : "");
    char *arguments[] = {copy};
    if (ends) {
        *(struct ends **)effect->priv = ends;
    } else if (sox_effect_options(effect, argument ? 1 : 0, arguments) != SOX_SUCCESS) {
        return false;
    }
    return sox_add_effect(chain, effect, signal, target) == SOX_SUCCESS;
}

static bool run_sox(struct voice_run *run)
{
    static const sox_effect_handler_t input = {.name = "input",
                                               .flags = SOX_EFF_MCHAN | SOX_EFF_MODIFY,
                                               .drain = drain_input,
                                               .priv_size = sizeof(struct ends *)};
    static const sox_effect_handler_t output = {.name = "output",
                                                .flags = SOX_EFF_MCHAN | SOX_EFF_MODIFY,
                                                .flow = flow_output,
                                                .priv_size = sizeof(struct ends *)};
    if (run->formant != 0 || sox_init() != SOX_SUCCESS) return false;
    sox_get_globals()->bufsiz = 2 * VOICE_BLOCK;
    sox_get_globals()->use_threads = sox_false;
    sox_encodinginfo_t encoding = {.encoding = SOX_ENCODING_SIGN2, .bits_per_sample = 32};
    sox_signalinfo_t signal = {.rate = VOICE_RATE, .channels = 1, .precision = 32};
    sox_signalinfo_t target = signal;
    sox_effects_chain_t *chain = sox_create_effects_chain(&encoding, &encoding);
    struct ends ends = {.run = run};
    char cents[40], rate[40];
    snprintf(cents, sizeof cents, "%.3f", 100 * run->pitch);
    snprintf(rate, sizeof rate, "%d", VOICE_RATE);
    run->states_ms = -1;
    bool whole = chain && add(chain, &input, &ends, NULL, &signal, &target) &&
                 add(chain, sox_find_effect("pitch"), NULL, cents, &signal, &target) &&
                 add(chain, sox_find_effect("rate"), NULL, rate, &signal, &target) &&
                 add(chain, &output, &ends, NULL, &signal, &target) &&
                 sox_flow_effects(chain, NULL, NULL) >= SOX_SUCCESS;
    if (chain) sox_delete_effects_chain(chain);
    sox_quit();
    return whole && run->n_out > 0;
}

const struct voice_contender voice_sox = {.name = "sox pitch", .run = run_sox};
