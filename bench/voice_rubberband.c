/* Rubber Band (GPL: here only, never installed) in the comparison: its engines in real-time mode
 * with formants kept, and its live shifter where the version has one. */
#include <math.h>
#include <stdlib.h>

#include <rubberband/rubberband-c.h>

#include "voice.h"

static void give_available(struct voice_run *run, RubberBandState state)
{
    float out[4096], *const channels[] = {out};
    for (int n; (n = rubberband_available(state)) > 0;) {
        unsigned int wanted = n < 4096 ? (unsigned int)n : 4096;
        voice_give(run, out, rubberband_retrieve(state, channels, wanted));
    }
}

static bool run_with(struct voice_run *run, RubberBandOptions options)
{
    options |= RubberBandOptionProcessRealTime | RubberBandOptionFormantPreserved |
               RubberBandOptionPitchHighConsistency | RubberBandOptionThreadingNever;
    RubberBandState state = rubberband_new(VOICE_RATE, 1, options, 1.0, exp2(run->pitch / 12));
    if (!state) return false;
    rubberband_set_max_process_size(state, VOICE_BLOCK);
    /* The envelope is scaled before the pitch is; by itself it is scaled by 1 / pitch. */
    if (run->formant != 0) {
        rubberband_set_formant_scale(state, exp2((run->formant - run->pitch) / 12));
    }
    run->states_ms = 1e3 * rubberband_get_start_delay(state) / VOICE_RATE;
    size_t n;
    for (const float *in; (in = voice_next(run, &n));) {
        rubberband_process(state, &in, (unsigned int)n, 0);
        give_available(run, state);
    }
    rubberband_delete(state);
    return true;
}

static bool run_r2(struct voice_run *run)
{
    return run->formant == 0 && run_with(run, RubberBandOptionEngineFaster);
}

static bool run_r3(struct voice_run *run)
{
    return run_with(run, RubberBandOptionEngineFiner);
}

static bool run_r3_short(struct voice_run *run)
{
    return run_with(run, RubberBandOptionEngineFiner | RubberBandOptionWindowShort);
}

const struct voice_contender voice_rubberband_r2 = {.name = "Rubber Band R2", .run = run_r2};
const struct voice_contender voice_rubberband_r3 = {
    .name = "Rubber Band R3", .moves_formants = true, .run = run_r3};
const struct voice_contender voice_rubberband_r3_short = {
    .name = "Rubber Band R3 short", .moves_formants = true, .run = run_r3_short};

#if RUBBERBAND_API_MAJOR_VERSION >= 3
static bool run_live(struct voice_run *run)
{
    RubberBandLiveState state = rubberband_live_new(
        VOICE_RATE, 1, RubberBandLiveOptionWindowShort | RubberBandLiveOptionFormantPreserved);
    if (!state) return false;
    rubberband_live_set_pitch_scale(state, exp2(run->pitch / 12));
    if (run->formant != 0) {
        rubberband_live_set_formant_scale(state, exp2((run->formant - run->pitch) / 12));
    }
    size_t block = rubberband_live_get_block_size(state), n_waiting = 0, n;
    float *waiting = malloc((block + VOICE_BLOCK) * sizeof *waiting);
    float *out = malloc(block * sizeof *out);
    run->states_ms = 1e3 * rubberband_live_get_start_delay(state) / VOICE_RATE;
    for (const float *in; waiting && out && (in = voice_next(run, &n));) {
        for (size_t i = 0; i < n; i++) {
            waiting[n_waiting++] = in[i];
            if (n_waiting < block) continue;
            const float *const from[] = {waiting};
            float *const to[] = {out};
            rubberband_live_shift(state, from, to);
            voice_give(run, out, block);
            n_waiting = 0;
        }
    }
    bool whole = waiting && out;
    free(waiting);
    free(out);
    rubberband_live_delete(state);
    return whole;
}
#else
static bool run_live(struct voice_run *run)
{
    (void)run;
    return false;
}
#endif
const struct voice_contender voice_rubberband_live = {
    .name = "Rubber Band live", .moves_formants = true, .run = run_live};
