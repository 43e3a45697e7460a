/* The gate of the voice chain. To fade out before a fault it keeps the last millisecond back. */
#include "voice/gate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/status.h>

#include "base/memory.h"

static const float pi = 3.14159265f;

int gate_init(struct gate *gate, uint32_t rate_hz, uint32_t hop)
{
    uint32_t fade = rate_hz / 1000;
    *gate = (struct gate){.hop = hop, .fade = fade < hop ? fade : hop, .fade_in = rate_hz / 200};
    gate->block = memory_array((size_t)gate->fade + hop, sizeof *gate->block);
    if (!gate->block) return KODAMA_ERR_MEMORY;
    gate_reset(gate);
    return KODAMA_OK;
}

void gate_free(struct gate *gate)
{
    free(gate->block);
    gate->block = NULL;
}

void gate_reset(struct gate *gate)
{
    memset(gate->block, 0, ((size_t)gate->fade + gate->hop) * sizeof *gate->block);
    gate->open = true;
    gate->n_opened = gate->fade_in;
}

static void close_gate(struct gate *gate)
{
    if (!gate->open) return;
    gate->open = false;
    for (uint32_t i = 0; i < gate->fade; i++)
        gate->block[i] *= 0.5f + 0.5f * cosf(pi * (float)(i + 1) / (float)(gate->fade + 1));
}

static void open_gate(struct gate *gate, float *samples)
{
    if (!gate->open) gate->n_opened = 0;
    gate->open = true;
    for (uint32_t i = 0; i < gate->hop && gate->n_opened < gate->fade_in; i++)
        samples[i] *=
            0.5f - 0.5f * cosf(pi * (float)(++gate->n_opened) / (float)(gate->fade_in + 1));
}

void gate_run(struct gate *gate, float *samples, bool failed)
{
    if (failed) {
        close_gate(gate);
        memset(samples, 0, gate->hop * sizeof *samples);
    } else {
        open_gate(gate, samples);
    }
    memcpy(gate->block + gate->fade, samples, gate->hop * sizeof *samples);
    memcpy(samples, gate->block, gate->hop * sizeof *samples);
    memmove(gate->block, gate->block + gate->hop, gate->fade * sizeof *samples);
}
