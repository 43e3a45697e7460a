/*
 * The two generations of PocketSphinx behind one set of names: 0.8/5prealpha with SphinxBase
 * (Debian 12 and 13) and 5.x. Everything else in Kodama is written once.
 *
 * The build defines POCKETSPHINX_5 when the header declares the newer one.
 */
#ifndef SPEECH_ENGINE_POCKETSPHINX_API_H
#define SPEECH_ENGINE_POCKETSPHINX_API_H

#include <math.h>
#include <pocketsphinx.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SPHINX_CEPSTRA = 13,
    SPHINX_PRIOR_FRAMES = 500, /* weight of a mean that was set, in frames */
};

#if defined(POCKETSPHINX_5)

#include <pocketsphinx/err.h>

typedef ps_config_t sphinx_config;

static inline sphinx_config *sphinx_config_open(void)
{
    return ps_config_init(NULL);
}

static inline void sphinx_config_close(sphinx_config *config)
{
    ps_config_free(config);
}

static inline void sphinx_set_text(sphinx_config *config, const char *name, const char *value)
{
    ps_config_set_str(config, name, value);
}

static inline void sphinx_set_number(sphinx_config *config, const char *name, long value)
{
    ps_config_set_int(config, name, value);
}

static inline void sphinx_set_switch(sphinx_config *config, const char *name, bool value)
{
    ps_config_set_bool(config, name, value);
}

/** 5.x never drops silent frames. */
static inline void sphinx_keep_silence(sphinx_config *config)
{
    (void)config;
}

static inline int sphinx_use_search(ps_decoder_t *decoder, const char *name)
{
    return ps_activate_search(decoder, name);
}

static inline int sphinx_add_model(ps_decoder_t *decoder, const char *name, ngram_model_t *model)
{
    return ps_add_lm(decoder, name, model);
}

static inline int sphinx_add_network(ps_decoder_t *decoder, const char *name, fsg_model_t *network)
{
    return ps_add_fsg(decoder, name, network);
}

static inline float sphinx_language_weight(sphinx_config *config)
{
    return (float)ps_config_float(config, "lw");
}

/** The cepstral mean. False when it cannot be had. */
static inline bool sphinx_get_mean(ps_decoder_t *decoder, float mean[SPHINX_CEPSTRA])
{
    const char *text = ps_get_cmn(decoder, 0);
    for (int i = 0; i < SPHINX_CEPSTRA; i++) {
        char *end = NULL;
        if (!text) return false;
        mean[i] = strtof(text, &end);
        if (end == text) return false;
        text = *end == ',' ? end + 1 : end;
    }
    return true;
}

static inline void sphinx_set_mean(ps_decoder_t *decoder, const float mean[SPHINX_CEPSTRA])
{
    char text[SPHINX_CEPSTRA * 24];
    size_t offset = 0;
    for (int i = 0; i < SPHINX_CEPSTRA; i++) {
        offset += (size_t)snprintf(text + offset, sizeof text - offset, "%s%.9g", i ? "," : "",
                                   (double)mean[i]);
    }
    ps_set_cmn(decoder, text);
}

/** Mean of the n_frames fed live since `prior` was set. */
static inline bool sphinx_heard_mean(ps_decoder_t *decoder, const float prior[SPHINX_CEPSTRA],
                                     int n_frames, float mean[SPHINX_CEPSTRA])
{
    ps_get_cmn(decoder, 1);
    if (n_frames <= 0 || !sphinx_get_mean(decoder, mean)) return false;
    for (int i = 0; i < SPHINX_CEPSTRA; i++) {
        float all = mean[i] * (float)(SPHINX_PRIOR_FRAMES + n_frames);
        mean[i] = (all - prior[i] * (float)SPHINX_PRIOR_FRAMES) / (float)n_frames;
    }
    return true;
}

/** Normalisation as the model wants it again; live feeding changes it for good. */
static inline void sphinx_restore_normalisation(ps_decoder_t *decoder, int kind)
{
    (void)kind;
    ps_reinit_feat(decoder, NULL);
}

static inline int sphinx_normalisation(ps_decoder_t *decoder)
{
    (void)decoder;
    return 0;
}

static inline const char *sphinx_version(void)
{
    return "5.x";
}

#else

#include <sphinxbase/cmn.h>
#include <sphinxbase/err.h>
#include <sphinxbase/fsg_model.h>
#include <sphinxbase/jsgf.h>
#include <sphinxbase/ngram_model.h>

typedef cmd_ln_t sphinx_config;

static inline sphinx_config *sphinx_config_open(void)
{
    return cmd_ln_init(NULL, ps_args(), 0, NULL);
}

static inline void sphinx_config_close(sphinx_config *config)
{
    cmd_ln_free_r(config);
}

/** Options of this generation are written with a dash. */
struct sphinx_option {
    char name[32];
};

static inline struct sphinx_option sphinx_option(const char *name)
{
    struct sphinx_option option;
    snprintf(option.name, sizeof option.name, "-%s", name);
    return option;
}

static inline void sphinx_set_text(sphinx_config *config, const char *name, const char *value)
{
    cmd_ln_set_str_r(config, sphinx_option(name).name, value);
}

static inline void sphinx_set_number(sphinx_config *config, const char *name, long value)
{
    cmd_ln_set_int_r(config, sphinx_option(name).name, value);
}

static inline void sphinx_set_switch(sphinx_config *config, const char *name, bool value)
{
    cmd_ln_set_int_r(config, sphinx_option(name).name, value);
}

/** Silent frames stay, so that frame k is at k * 10 ms. */
static inline void sphinx_keep_silence(sphinx_config *config)
{
    sphinx_set_switch(config, "remove_silence", false);
}

static inline int sphinx_use_search(ps_decoder_t *decoder, const char *name)
{
    return ps_set_search(decoder, name);
}

static inline int sphinx_add_model(ps_decoder_t *decoder, const char *name, ngram_model_t *model)
{
    return ps_set_lm(decoder, name, model);
}

static inline int sphinx_add_network(ps_decoder_t *decoder, const char *name, fsg_model_t *network)
{
    return ps_set_fsg(decoder, name, network);
}

static inline float sphinx_language_weight(sphinx_config *config)
{
    return (float)cmd_ln_float_r(config, "-lw");
}

/** The cepstral mean. False when it cannot be had. */
static inline bool sphinx_get_mean(ps_decoder_t *decoder, float mean[SPHINX_CEPSTRA])
{
    cmn_t *cmn = ps_get_feat(decoder)->cmn_struct;
    if (!cmn || cmn->veclen != SPHINX_CEPSTRA) return false;
    mfcc_t values[SPHINX_CEPSTRA];
    cmn_live_get(cmn, values);
    for (int i = 0; i < SPHINX_CEPSTRA; i++) mean[i] = (float)values[i];
    return true;
}

static inline void sphinx_set_mean(ps_decoder_t *decoder, const float mean[SPHINX_CEPSTRA])
{
    cmn_t *cmn = ps_get_feat(decoder)->cmn_struct;
    if (!cmn || cmn->veclen != SPHINX_CEPSTRA) return;
    mfcc_t values[SPHINX_CEPSTRA];
    for (int i = 0; i < SPHINX_CEPSTRA; i++) values[i] = (mfcc_t)mean[i];
    cmn_live_set(cmn, values);
}

/** Mean of the n_frames fed live since `prior` was set. */
static inline bool sphinx_heard_mean(ps_decoder_t *decoder, const float prior[SPHINX_CEPSTRA],
                                     int n_frames, float mean[SPHINX_CEPSTRA])
{
    const cmn_t *cmn = ps_get_feat(decoder)->cmn_struct;
    (void)n_frames; /* it leaves out frames without energy */
    if (!cmn || cmn->veclen != SPHINX_CEPSTRA || cmn->nframe <= SPHINX_PRIOR_FRAMES) return false;
    for (int i = 0; i < SPHINX_CEPSTRA; i++) {
        mean[i] = ((float)cmn->sum[i] - prior[i] * (float)SPHINX_PRIOR_FRAMES) /
                  (float)(cmn->nframe - SPHINX_PRIOR_FRAMES);
    }
    return true;
}

/** Normalisation as the model wants it again; live feeding changes it for good. */
static inline void sphinx_restore_normalisation(ps_decoder_t *decoder, int kind)
{
    ps_get_feat(decoder)->cmn = (cmn_type_t)kind;
}

static inline int sphinx_normalisation(ps_decoder_t *decoder)
{
    return (int)ps_get_feat(decoder)->cmn;
}

static inline const char *sphinx_version(void)
{
    return "0.8";
}

#endif

#endif
