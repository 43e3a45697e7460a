/* The limiter: look-ahead, sliding minimum, slow release, mean. */
#include "voice/limiter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/status.h>

#include "base/memory.h"

static const double LOOK_AHEAD_S = 0.0015;
static const double RELEASE_S = 0.08;

enum { UNITY_BITS = 30 };
static const uint32_t UNITY = UINT32_C(1) << UNITY_BITS;

/* A gain that may still be the smallest of the window. */
struct candidate {
    uint64_t at;
    uint32_t gain;
};

struct limiter {
    uint32_t n_window; /* samples of look-ahead */
    uint32_t n_delay;  /* of the whole */
    uint32_t release;  /* part of the way back to 1 that one sample goes, in units of 2^-32 */
    uint64_t at;       /* samples so far */
    float newest[4];   /* the last samples, for what lies between them */
    float between;     /* magnitude between newest[0] and newest[1] */
    /* Increasing gains, a ring of n_window + 1. */
    struct candidate *candidates;
    uint32_t first, n_candidates;
    uint32_t held;   /* gain after release */
    uint32_t *gains; /* ring of n_window: what the mean is of */
    uint64_t sum;    /* of gains */
    uint32_t gain_at;
    float *delayed; /* ring of n_delay */
    uint32_t delayed_at;
};

int limiter_open(struct limiter **limiter, uint32_t rate_hz)
{
    *limiter = NULL;
    if (rate_hz < 8000 || rate_hz > 192000) return KODAMA_ERR_ARGUMENT;
    struct limiter *made = memory_array(1, sizeof *made);
    if (!made) return KODAMA_ERR_MEMORY;
    made->n_window = (uint32_t)ceil(LOOK_AHEAD_S * rate_hz);
    made->n_delay = made->n_window + 2;
    made->release = (uint32_t)(0x1p32 * (1 - exp(-1 / (RELEASE_S * rate_hz))));
    made->candidates = memory_array(made->n_window + 1, sizeof *made->candidates);
    made->gains = memory_array(made->n_window, sizeof *made->gains);
    made->delayed = memory_array(made->n_delay, sizeof *made->delayed);
    if (!made->candidates || !made->gains || !made->delayed) {
        limiter_close(made);
        return KODAMA_ERR_MEMORY;
    }
    limiter_reset(made);
    *limiter = made;
    return KODAMA_OK;
}

void limiter_close(struct limiter *limiter)
{
    if (!limiter) return;
    free(limiter->candidates);
    free(limiter->gains);
    free(limiter->delayed);
    free(limiter);
}

uint32_t limiter_delay(const struct limiter *limiter)
{
    return limiter->n_delay;
}

void limiter_reset(struct limiter *limiter)
{
    limiter->at = 0;
    memset(limiter->newest, 0, sizeof limiter->newest);
    limiter->between = 0;
    limiter->first = limiter->n_candidates = 0;
    limiter->held = UNITY;
    for (uint32_t i = 0; i < limiter->n_window; i++) limiter->gains[i] = UNITY;
    limiter->sum = (uint64_t)limiter->n_window * UNITY;
    limiter->gain_at = limiter->delayed_at = 0;
    memset(limiter->delayed, 0, limiter->n_delay * sizeof *limiter->delayed);
}

static inline uint32_t wrapped(uint32_t place, uint32_t room)
{
    return place < room ? place : place - room;
}

/* Magnitude of the sample before last with what lies on both sides of it. */
static inline float peak_of(struct limiter *limiter, float sample)
{
    float *newest = limiter->newest;
    newest[0] = newest[1];
    newest[1] = newest[2];
    newest[2] = newest[3];
    newest[3] = sample;
    float before = limiter->between;
    limiter->between = fabsf(0.5625f * (newest[1] + newest[2]) - 0.0625f * (newest[0] + newest[3]));
    float peak = fabsf(newest[1]);
    if (before > peak) peak = before;
    return limiter->between > peak ? limiter->between : peak;
}

/* The gain that keeps a peak below the ceiling, rounded down. */
static inline uint32_t gain_for(float peak)
{
    if (peak <= LIMITER_CEILING) return UNITY;
    return (uint32_t)((double)LIMITER_CEILING / (double)peak * (double)UNITY * (1 - 1e-7));
}

/* The smallest gain of the last n_window + 1, this one included (Lemire, "Streaming maximum-minimum
 * filter using no more than three comparisons per element", 2006). Gains of 1 are not kept: where
 * no candidate is, the gain is 1. */
static inline uint32_t smallest(struct limiter *limiter, uint32_t gain)
{
    uint32_t room = limiter->n_window + 1;
    struct candidate *candidates = limiter->candidates;
    if (limiter->n_candidates > 0 && candidates[limiter->first].at + room <= limiter->at) {
        limiter->first = wrapped(limiter->first + 1, room);
        limiter->n_candidates--;
    }
    if (gain < UNITY) {
        while (limiter->n_candidates > 0) {
            uint32_t last = wrapped(limiter->first + limiter->n_candidates - 1, room);
            if (candidates[last].gain < gain) break;
            limiter->n_candidates--;
        }
        uint32_t place = wrapped(limiter->first + limiter->n_candidates, room);
        candidates[place] = (struct candidate){limiter->at, gain};
        limiter->n_candidates++;
    }
    return limiter->n_candidates > 0 ? candidates[limiter->first].gain : UNITY;
}

/* The next sample's gain into the mean. */
static inline void step(struct limiter *limiter, float sample, uint64_t unity)
{
    uint32_t wanted = smallest(limiter, gain_for(peak_of(limiter, sample)));
    limiter->at++;
    uint32_t held = limiter->held;
    if (wanted == UNITY && held == UNITY && limiter->sum == unity) return;
    if (wanted <= held) {
        held = wanted;
    } else {
        /* At least 1, so that it arrives. */
        uint64_t way = (uint64_t)(UNITY - held) * limiter->release >> 32;
        held += (uint32_t)way + 1;
        if (held > wanted) held = wanted;
    }
    limiter->held = held;
    uint32_t *oldest = &limiter->gains[limiter->gain_at];
    limiter->sum += held;
    limiter->sum -= *oldest;
    *oldest = held;
    limiter->gain_at = wrapped(limiter->gain_at + 1, limiter->n_window);
}

size_t limiter_process(struct limiter *limiter, float *samples, size_t n_samples)
{
    size_t limited = 0;
    uint64_t unity = (uint64_t)limiter->n_window * UNITY;
    double scale = 1.0 / (double)unity;
    for (size_t i = 0; i < n_samples; i++) {
        float sample = isfinite(samples[i]) ? samples[i] : 0;
        float *place = &limiter->delayed[limiter->delayed_at];
        float out = *place;
        *place = sample;
        limiter->delayed_at = wrapped(limiter->delayed_at + 1, limiter->n_delay);
        step(limiter, sample, unity);
        if (limiter->sum != unity) {
            out *= (float)((double)limiter->sum * scale);
            limited++;
        }
        samples[i] = out;
    }
    return limited;
}
