/* The gate: silence in the place of failed hops, with short fades beside it, never within it. */
#ifndef VOICE_GATE_H
#define VOICE_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct gate {
    float *block;      /* [fade + hop]: what is held back, then the newest hop; owned */
    uint32_t hop;      /* samples */
    uint32_t fade;     /* of the fade out, samples; how much the gate delays */
    uint32_t fade_in;  /* samples */
    uint32_t n_opened; /* samples since the gate opened, up to fade_in */
    bool open;
};

/** Prepare a gate for hops of `hop` samples: KODAMA_OK or KODAMA_ERR_MEMORY. */
int gate_init(struct gate *gate, uint32_t rate_hz, uint32_t hop);
void gate_free(struct gate *gate);

/** As after init. Real-time safe: yes. */
void gate_reset(struct gate *gate);

/**
 * One hop in place, delayed by gate->fade samples. The samples of a hop that failed are zero, the
 * end of the one before it fades out, the beginning of the one after it fades in.
 *
 * Real-time safe: yes.
 */
void gate_run(struct gate *gate, float *samples, bool failed);

#endif
