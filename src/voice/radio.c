/* The effect radio. Band limits of a hand-held transceiver (300 Hz to 3 kHz), filters after Robert
 * Bristow-Johnson's cookbook, overdrive by a soft saturation between them. */
#include "voice/radio.h"

#include <math.h>

#define LOW_HZ 350.0f
#define HIGH_HZ 2800.0f
#define DRIVE 5.0f
#define MAKE_UP 0.45f
#define FADE_S 0.02f

static const float pi = 3.14159265f;

static void design(struct radio_stage *stage, bool high_pass, float hz, float q, float rate_hz)
{
    float w = 2.0f * pi * fminf(hz, 0.45f * rate_hz) / rate_hz;
    float c = cosf(w), alpha = sinf(w) / (2.0f * q), a0 = 1.0f + alpha;
    float edge = (high_pass ? 1.0f + c : 1.0f - c) / a0;
    stage->b0 = stage->b2 = 0.5f * edge;
    stage->b1 = high_pass ? -edge : edge;
    stage->a1 = -2.0f * c / a0;
    stage->a2 = (1.0f - alpha) / a0;
}

void radio_init(struct radio *radio, uint32_t rate_hz)
{
    *radio = (struct radio){.step = 1.0f / (FADE_S * (float)rate_hz)};
    /* The qualities of a Butterworth filter of fourth order. */
    static const float qualities[2] = {0.54119610f, 1.3065630f};
    for (int i = 0; i < 2; i++) {
        design(&radio->stages[i], true, LOW_HZ, qualities[i], (float)rate_hz);
        design(&radio->stages[2 + i], false, HIGH_HZ, qualities[i], (float)rate_hz);
    }
}

void radio_reset(struct radio *radio)
{
    for (int i = 0; i < RADIO_STAGES; i++) radio->stages[i].s1 = radio->stages[i].s2 = 0.0f;
    radio->wet = 0.0f;
}

static inline float run_stage(struct radio_stage *s, float x)
{
    float y = s->b0 * x + s->s1;
    s->s1 = s->b1 * x - s->a1 * y + s->s2;
    s->s2 = s->b2 * x - s->a2 * y;
    return y;
}

void radio_run(struct radio *radio, bool on, float *samples, uint32_t n)
{
    if (!on && radio->wet == 0.0f) {
        radio_reset(radio);
        return;
    }
    float step = on ? radio->step : -radio->step;
    for (uint32_t i = 0; i < n; i++) {
        float x = run_stage(&radio->stages[1], run_stage(&radio->stages[0], samples[i]));
        x *= DRIVE;
        x = x / (1.0f + fabsf(x)); /* soft saturation */
        x = run_stage(&radio->stages[3], run_stage(&radio->stages[2], x)) * MAKE_UP;
        radio->wet = fminf(fmaxf(radio->wet + step, 0.0f), 1.0f);
        samples[i] += radio->wet * (x - samples[i]);
    }
}
