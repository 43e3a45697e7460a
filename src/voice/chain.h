/*
 * The chain behind a voice, hop by hop: convert, drift, gate, level, bed, limiter. All of it has a
 * fixed delay, and runs at the converter's output rate.
 */
#ifndef VOICE_CHAIN_H
#define VOICE_CHAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/voice.h>

#include "base/record.h"
#include "voice/converter.h"
#include "voice/fluctuation.h"
#include "voice/gate.h"
#include "voice/limiter.h"
#include "voice/noise_bed.h"
#include "voice/radio.h"
#include "voice/voice_settings.h"

struct chain {
    /* Immutable after open. */
    const struct converter_ops *ops;
    void *converter; /* owned */
    struct converter_facts facts;
    uint32_t delay;      /* of everything, samples */
    uint32_t glide_hops; /* how long settings glide */
    bool has_file;       /* there is a bed "file" */
    struct settings_handover settings;

    /* The running thread's. */
    struct gate gate;
    struct radio radio;
    struct fluctuation *fluctuation;   /* owned */
    struct fluctuation_values drifted; /* at the end of this hop */
    struct noise_bed *bed;             /* owned */
    struct limiter *limiter;           /* owned */
    struct glide pitch, formant;
    struct glide drift_pitch, drift_volume, drift_eq; /* spreads, 0 without fluctuation */
    float noise_level;
    struct glide voice_level, dry_level, gain; /* factors; gain in dB */
    float last_voice, last_dry;                /* factors at the end of the hop before */
    enum kodama_voice_effect effect;
    float *dry; /* [dry_room], circular: the input on the output's timeline; for bypass only */
    uint32_t dry_room;
    uint64_t n_dry;
    uint64_t n_hops;

    /* Written by the running thread, read by any. */
    _Atomic uint64_t faults, silenced, limited;
    _Atomic float f0_hz, voiced;
};

/** Open a chain for input of config->input.rate_hz; the config was checked. On failure nothing is
 * left to close. */
int chain_open(struct chain *chain, const struct kodama_voice_config *config,
               const struct converter_ops *ops, struct kodama_error *error);
void chain_close(struct chain *chain);

/** The input itself, at facts.rate_out_hz, as far as it is there. Real-time safe: yes. */
void chain_take_dry(struct chain *chain, const float *samples, size_t n);

/** One hop: facts.hop_in samples in, facts.hop_out out. Real-time safe: as the converter. */
void chain_run(struct chain *chain, const float *in, float *out);

/** As after open, with the settings of now; `drift`: drift and bed begin anew, too. */
void chain_reset(struct chain *chain, bool drift);

void chain_save(const struct chain *chain, struct record *record);
/** The rest of a record: KODAMA_OK, or KODAMA_ERR_CORRUPT, KODAMA_ERR_MEMORY, and nothing changed.
 */
int chain_load(struct chain *chain, struct record *record);

#endif
