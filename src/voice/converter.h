/*
 * Converters: the table behind which the chain changes a voice. The built-in shifter is one, neural
 * models are others; adding one is one new file plus what opens it.
 *
 * The chain gives a converter hops of a fixed length, and takes as many back: hop k of the output
 * is asked for with hop k of the input, and trails it by a fixed delay. Nothing else is ever asked
 * of it, so that a converter need not know of blocks, formats or latency.
 *
 * A converter that can be late (a model) runs on a thread of its own and answers
 * KODAMA_ERR_TIMEOUT when its result is not there in time; only with config->offline does it wait.
 * The chain puts silence in the place of a failed hop.
 */
#ifndef VOICE_CONVERTER_H
#define VOICE_CONVERTER_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/voice.h>

/** What an opened converter works with; fixed from open to close. hop_in at rate_in_hz and hop_out
 * at rate_out_hz last equally long. */
struct converter_facts {
    uint32_t rate_in_hz;  /* of what it hears */
    uint32_t rate_out_hz; /* of what it says */
    uint32_t hop_in;      /* samples, 1..CONVERTER_HOP_MAX */
    uint32_t hop_out;     /* samples, 1..CONVERTER_HOP_MAX */
    uint32_t delay;       /* output samples: out[delay + t * rate_out_hz] is in[t * rate_in_hz] */
};

enum { CONVERTER_HOP_MAX = 192000 };

/** What the chain wants of a hop, gliding, with the drift in it. */
struct converter_control {
    float pitch;   /* semitones */
    float formant; /* semitones */
    enum kodama_voice_effect effect;
};

/** What a converter knows of the newest hop's input. */
struct converter_heard {
    float f0_hz;  /* 0: no pitch */
    float voiced; /* 0..1 */
};

struct converter_ops {
    const char *name;
    /** Open one. `rate_hz` is the stream's own rate; a converter that can work at any takes that
     * one. Messages say what failed; the chain puts nothing before them. */
    int (*open)(void **converter, const struct kodama_voice_config *config, uint32_t rate_hz,
                struct converter_facts *facts, struct kodama_error *error);
    void (*close)(void *converter);
    /** Exactly one hop in, one hop out. `in` is finite and within -8..8. < 0: failed, `out` is not
     * looked at; output that is not finite counts as failed, too. in and out never overlap. */
    int (*convert)(void *converter, const float *in, float *out,
                   const struct converter_control *control);
    /** As after open. */
    void (*reset)(void *converter);
    /** Optional: pitch of what was heard last. */
    void (*heard)(const void *converter, struct converter_heard *heard);
    /** Optional: go on with another model, in a crossfade, the delay as it is. On failure the one
     * that was goes on. Thread: any. */
    int (*use)(void *converter, struct kodama_voice_model *model, struct kodama_error *error);
};

/** Beginning of every model; immutable after it was loaded, shared by voices. */
struct kodama_voice_model {
    const struct converter_ops *ops; /* open() finds the model in config->model */
};

extern const struct converter_ops converter_shifter;

#endif
