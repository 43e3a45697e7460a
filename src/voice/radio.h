/* The effect radio: a narrow band, a little overdriven, fading in and out. */
#ifndef VOICE_RADIO_H
#define VOICE_RADIO_H

#include <stdbool.h>
#include <stdint.h>

enum { RADIO_STAGES = 4 };

/** One second-order filter (transposed direct form II). */
struct radio_stage {
    float b0, b1, b2, a1, a2; /* immutable */
    float s1, s2;
};

struct radio {
    struct radio_stage stages[RADIO_STAGES]; /* two high-passes, two low-passes */
    float step;                              /* of the fade, per sample */
    float wet;                               /* 0..1 */
};

void radio_init(struct radio *radio, uint32_t rate_hz);
void radio_reset(struct radio *radio);

/** Samples in place; fades between them and the effect within 20 ms. Real-time safe: yes. */
void radio_run(struct radio *radio, bool on, float *samples, uint32_t n);

#endif
