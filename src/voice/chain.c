/*
 * One hop of a voice. The order matters for what is promised: the gate comes behind everything that
 * rings (bands, filters), so that a failed hop is silent to the sample, and before the bed, which
 * goes on.
 */
#include "voice/chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/level.h"
#include "base/error.h"
#include "base/memory.h"

#define GLIDE_S 0.02f
#define SAMPLE_ABSURD 64.0f /* louder is no voice but a converter that has gone astray */

static uint32_t power_of_two(uint64_t least)
{
    uint32_t power = 1;
    while (power < least) power *= 2;
    return power;
}

static int check_facts(const struct chain *c, struct kodama_error *error)
{
    const struct converter_facts *f = &c->facts;
    if (f->hop_in >= 1 && f->hop_in <= CONVERTER_HOP_MAX && f->hop_out >= 1 &&
        f->hop_out <= CONVERTER_HOP_MAX &&
        (uint64_t)f->hop_in * f->rate_out_hz == (uint64_t)f->hop_out * f->rate_in_hz)
        return KODAMA_OK;
    return error_set(error, KODAMA_ERR_ENGINE,
                     "the converter %s takes %u samples at %u Hz for %u at %u Hz: not as long",
                     c->ops->name, f->hop_in, f->rate_in_hz, f->hop_out, f->rate_out_hz);
}

static int open_parts(struct chain *c, const struct kodama_voice_config *config,
                      struct kodama_error *error)
{
    const struct converter_facts *f = &c->facts;
    int status = noise_bed_open(&c->bed, f->rate_out_hz, config->seed, config->noise_path, error);
    if (status < 0) return status;
    if (gate_init(&c->gate, f->rate_out_hz, f->hop_out) < 0) return KODAMA_ERR_MEMORY;
    radio_init(&c->radio, f->rate_out_hz);
    status = fluctuation_open(&c->fluctuation, f->rate_out_hz, f->hop_out, config->seed);
    if (status >= 0) status = limiter_open(&c->limiter, f->rate_out_hz);
    if (status < 0) return status;
    c->delay = f->delay + c->gate.fade + limiter_delay(c->limiter);
    c->dry_room = power_of_two((uint64_t)c->delay + 4ull * f->hop_out + f->rate_out_hz / 10);
    c->dry = memory_array(c->dry_room, sizeof *c->dry);
    if (!c->dry) return KODAMA_ERR_MEMORY;
    float hops = GLIDE_S * (float)f->rate_out_hz / (float)f->hop_out;
    c->glide_hops = hops < 1.0f ? 1 : (uint32_t)hops;
    return KODAMA_OK;
}

static void jump_to_settings(struct chain *c)
{
    bool fresh;
    const struct kodama_voice_settings *s = settings_handover_take(&c->settings, &fresh);
    glide_jump(&c->pitch, s->pitch);
    glide_jump(&c->formant, s->formant);
    glide_jump(&c->gain, s->gain);
    glide_jump(&c->drift_pitch, s->fluctuation ? s->drift_pitch : 0.0f);
    glide_jump(&c->drift_volume, s->fluctuation ? s->drift_volume : 0.0f);
    glide_jump(&c->drift_eq, s->fluctuation ? s->drift_eq : 0.0f);
    noise_bed_choose(c->bed, s->noise);
    c->noise_level = s->noise_level;
    glide_jump(&c->voice_level, s->mute || s->bypass ? 0.0f : 1.0f);
    glide_jump(&c->dry_level, s->bypass && !s->mute ? 1.0f : 0.0f);
    c->effect = s->effect;
    c->last_voice = c->voice_level.value * (float)level_factor((double)c->gain.value);
    c->last_dry = c->dry_level.value;
}

int chain_open(struct chain *chain, const struct kodama_voice_config *config,
               const struct converter_ops *ops, struct kodama_error *error)
{
    struct chain *c = chain;
    *c = (struct chain){.ops = ops, .has_file = config->noise_path != NULL};
    struct kodama_voice_settings settings = config->settings;
    int status = voice_settings_check(&settings, c->has_file, error);
    if (status < 0) return status;
    status = ops->open(&c->converter, config, config->input.rate_hz, &c->facts, error);
    if (status < 0) return status;
    settings_handover_init(&c->settings, &settings);
    status = check_facts(c, error);
    if (status >= 0) {
        status = open_parts(c, config, error);
        if (status == KODAMA_ERR_MEMORY) error_set(error, status, "no memory for a voice");
    }
    if (status < 0) {
        chain_close(c);
        return status;
    }
    jump_to_settings(c);
    return KODAMA_OK;
}

void chain_close(struct chain *chain)
{
    chain->ops->close(chain->converter);
    fluctuation_close(chain->fluctuation);
    noise_bed_close(chain->bed);
    limiter_close(chain->limiter);
    gate_free(&chain->gate);
    free(chain->dry);
    settings_handover_destroy(&chain->settings);
}

void chain_reset(struct chain *chain, bool drift)
{
    chain->ops->reset(chain->converter);
    gate_reset(&chain->gate);
    radio_reset(&chain->radio);
    limiter_reset(chain->limiter);
    fluctuation_clear(chain->fluctuation);
    if (drift) {
        fluctuation_reset(chain->fluctuation);
        noise_bed_reset(chain->bed);
    }
    memset(chain->dry, 0, chain->dry_room * sizeof *chain->dry);
    chain->n_dry = 0;
    chain->n_hops = 0;
    jump_to_settings(chain);
}

void chain_take_dry(struct chain *chain, const float *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) chain->dry[chain->n_dry++ & (chain->dry_room - 1)] = samples[i];
}

/* New settings begin to glide here. */
static void take_settings(struct chain *c)
{
    bool fresh;
    const struct kodama_voice_settings *s = settings_handover_take(&c->settings, &fresh);
    if (fresh) {
        glide_to(&c->pitch, s->pitch, c->glide_hops);
        glide_to(&c->formant, s->formant, c->glide_hops);
        glide_to(&c->gain, s->gain, c->glide_hops);
        glide_to(&c->drift_pitch, s->fluctuation ? s->drift_pitch : 0.0f, c->glide_hops);
        glide_to(&c->drift_volume, s->fluctuation ? s->drift_volume : 0.0f, c->glide_hops);
        glide_to(&c->drift_eq, s->fluctuation ? s->drift_eq : 0.0f, c->glide_hops);
        noise_bed_choose(c->bed, s->noise);
        c->noise_level = s->noise_level;
        glide_to(&c->voice_level, s->mute || s->bypass ? 0.0f : 1.0f, c->glide_hops);
        glide_to(&c->dry_level, s->bypass && !s->mute ? 1.0f : 0.0f, c->glide_hops);
        c->effect = s->effect;
    }
}

static bool is_sane(const float *samples, uint32_t n)
{
    uint32_t n_sane = 0;
    for (uint32_t i = 0; i < n; i++) n_sane += fabsf(samples[i]) <= SAMPLE_ABSURD;
    return n_sane == n;
}

/* The hop out of the converter; false: it failed, and the hop is silent. */
static bool convert(struct chain *c, const float *in, float *out)
{
    float drift_pitch = glide_step(&c->drift_pitch), drift_volume = glide_step(&c->drift_volume);
    fluctuation_step(c->fluctuation, drift_pitch, drift_volume, glide_step(&c->drift_eq),
                     &c->drifted);
    float drift = c->drifted.pitch_ratio != 1.0f ? 12.0f * log2f(c->drifted.pitch_ratio) : 0.0f;
    struct converter_control control = {.pitch = glide_step(&c->pitch) + drift,
                                        .formant = glide_step(&c->formant),
                                        .effect = c->effect};
    int status = c->ops->convert(c->converter, in, out, &control);
    if (c->ops->heard) {
        struct converter_heard heard;
        c->ops->heard(c->converter, &heard);
        atomic_store_explicit(&c->f0_hz, heard.f0_hz, memory_order_relaxed);
        atomic_store_explicit(&c->voiced, heard.voiced, memory_order_relaxed);
    }
    if (status >= 0 && is_sane(out, c->facts.hop_out)) return true;
    memset(out, 0, c->facts.hop_out * sizeof *out);
    atomic_fetch_add_explicit(&c->faults, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->silenced, c->facts.hop_out, memory_order_relaxed);
    return false;
}

/* Volume, mute and bypass: each sample between the factors before and those of now. */
static void set_levels(struct chain *c, float *samples)
{
    uint32_t n = c->facts.hop_out;
    float voice = glide_step(&c->voice_level), dry = glide_step(&c->dry_level);
    voice *= (float)level_factor((double)glide_step(&c->gain));
    if (voice != 1.0f || c->last_voice != 1.0f) {
        float step = (voice - c->last_voice) / (float)n;
        for (uint32_t i = 0; i < n; i++)
            samples[i] *= i + 1 < n ? c->last_voice + step * (float)(i + 1) : voice;
    }
    if (dry != 0.0f || c->last_dry != 0.0f) {
        float step = (dry - c->last_dry) / (float)n;
        uint64_t delay = (uint64_t)c->facts.delay + c->gate.fade, first = c->n_hops * n;
        for (uint32_t i = 0; i < n; i++) {
            if (first + i < delay || first + i - delay >= c->n_dry) continue;
            float factor = i + 1 < n ? c->last_dry + step * (float)(i + 1) : dry;
            samples[i] += factor * c->dry[(first + i - delay) & (c->dry_room - 1)];
        }
    }
    c->last_voice = voice;
    c->last_dry = dry;
}

void chain_run(struct chain *chain, const float *in, float *out)
{
    struct chain *c = chain;
    take_settings(c);
    bool failed = !convert(c, in, out);
    radio_run(&c->radio, c->effect == KODAMA_EFFECT_RADIO, out, c->facts.hop_out);
    fluctuation_apply(c->fluctuation, &c->drifted, out, c->facts.hop_out);
    gate_run(&c->gate, out, failed);
    set_levels(c, out);
    noise_bed_add(c->bed, out, c->facts.hop_out, c->noise_level);
    size_t limited = limiter_process(c->limiter, out, c->facts.hop_out);
    if (limited > 0) atomic_fetch_add_explicit(&c->limited, limited, memory_order_relaxed);
    c->n_hops++;
}

void chain_save(const struct chain *chain, struct record *record)
{
    struct chain *c = (struct chain *)chain; /* the mutex of the hand-over changes */
    struct kodama_voice_settings settings;
    settings_handover_get(&c->settings, &settings);
    voice_settings_save(&settings, record);
    fluctuation_save(c->fluctuation, record);
    noise_bed_save(c->bed, record);
}

int chain_load(struct chain *chain, struct record *record)
{
    struct kodama_voice_settings settings;
    struct fluctuation *fluctuation;
    struct noise_bed_place bed;
    int status = fluctuation_open(&fluctuation, chain->facts.rate_out_hz, chain->facts.hop_out, 0);
    if (status < 0) return status;
    voice_settings_load(&settings, chain->has_file, record);
    fluctuation_load(fluctuation, record);
    noise_bed_place_load(&bed, record);
    if (record->failed || record->offset != record->n_bytes) {
        fluctuation_close(fluctuation);
        return KODAMA_ERR_CORRUPT;
    }
    fluctuation_close(chain->fluctuation);
    chain->fluctuation = fluctuation;
    noise_bed_go_on(chain->bed, &bed);
    settings_handover_set(&chain->settings, &settings);
    return KODAMA_OK;
}
