/* Settings of a voice: presets, what is allowed, and how they reach the running chain. */
#include "voice/voice_settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "voice/noise_bed.h"

#define HANDOVER_FRESH 4u

static const struct preset {
    const char *name;
    float pitch, formant;
    enum kodama_voice_effect effect;
} presets[] = {
    {"deeper", -4.0f, -2.0f, KODAMA_EFFECT_NONE}, {"brighter", 4.0f, 2.0f, KODAMA_EFFECT_NONE},
    {"child", 8.0f, 4.0f, KODAMA_EFFECT_NONE},    {"giant", -9.0f, -6.0f, KODAMA_EFFECT_NONE},
    {"robot", 0.0f, 0.0f, KODAMA_EFFECT_ROBOT},   {"whisper", 0.0f, 1.0f, KODAMA_EFFECT_WHISPER},
    {"radio", 0.0f, 0.0f, KODAMA_EFFECT_RADIO},   {"helium", 4.0f, 9.0f, KODAMA_EFFECT_NONE},
};
enum { N_PRESETS = sizeof presets / sizeof presets[0] };

static const char noise_file[] = "file";

int kodama_voice_preset(const char *name, struct kodama_voice_settings *settings)
{
    for (int i = 0; name && settings && i < N_PRESETS; i++) {
        if (strcmp(presets[i].name, name) != 0) continue;
        settings->pitch = presets[i].pitch;
        settings->formant = presets[i].formant;
        settings->effect = presets[i].effect;
        return KODAMA_OK;
    }
    return KODAMA_ERR_NOT_FOUND;
}

const char *kodama_voice_preset_name(size_t index)
{
    return index < N_PRESETS ? presets[index].name : NULL;
}

const char *kodama_voice_noise_name(size_t index)
{
    return noise_bed_name(index);
}

/* ---- what is allowed ---- */

static int check_noise(struct kodama_voice_settings *settings, bool file,
                       struct kodama_error *error)
{
    const char *wanted = settings->noise;
    settings->noise = NULL;
    if (!wanted || strcmp(wanted, "none") == 0) return KODAMA_OK;
    for (size_t i = 0; noise_bed_name(i); i++)
        if (strcmp(wanted, noise_bed_name(i)) == 0) settings->noise = noise_bed_name(i);
    if (strcmp(wanted, noise_file) == 0) {
        if (!file)
            return error_set(error, KODAMA_ERR_ARGUMENT,
                             "the noise bed \"file\" needs a file, and none was given");
        settings->noise = noise_file;
    }
    if (settings->noise) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_ARGUMENT,
                     "there is no noise bed \"%.40s\"; there are cafe, street, room, rain, white, "
                     "pink, file and none",
                     wanted);
}

int voice_settings_check(struct kodama_voice_settings *settings, bool file,
                         struct kodama_error *error)
{
    const struct {
        const char *name;
        float value, least, most;
    } ranges[] = {
        {"pitch", settings->pitch, -24.0f, 24.0f},
        {"formant", settings->formant, -12.0f, 12.0f},
        {"noise level", settings->noise_level, 0.0f, 1.0f},
        {"drift of the pitch", settings->drift_pitch, 0.0f, 0.5f},
        {"drift of the volume", settings->drift_volume, 0.0f, 0.5f},
        {"drift of the bands", settings->drift_eq, 0.0f, 0.5f},
        {"gain", settings->gain, -60.0f, 24.0f},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (ranges[i].value >= ranges[i].least && ranges[i].value <= ranges[i].most) continue;
        return error_set(error, KODAMA_ERR_ARGUMENT, "the %s cannot be %g: it is %g to %g",
                         ranges[i].name, (double)ranges[i].value, (double)ranges[i].least,
                         (double)ranges[i].most);
    }
    if ((unsigned)settings->effect > KODAMA_EFFECT_RADIO)
        return error_set(error, KODAMA_ERR_ARGUMENT, "there is no effect %d", settings->effect);
    return check_noise(settings, file, error);
}

void voice_settings_save(const struct kodama_voice_settings *settings, struct record *record)
{
    record_put_tag(record, "VSET", 1);
    const float values[] = {settings->pitch,       settings->formant,      settings->noise_level,
                            settings->drift_pitch, settings->drift_volume, settings->drift_eq,
                            settings->gain};
    record_put_floats(record, values, sizeof values / sizeof values[0]);
    record_put_u32(record, (uint32_t)settings->effect);
    record_put_u32(record, (settings->mute ? 1u : 0u) | (settings->bypass ? 2u : 0u) |
                               (settings->fluctuation ? 4u : 0u));
    record_put_text(record, settings->noise ? settings->noise : "none");
}

void voice_settings_load(struct kodama_voice_settings *settings, bool file, struct record *record)
{
    record_get_tag(record, "VSET", 1);
    float values[7] = {0};
    record_get_floats(record, values, 7);
    uint32_t effect = record_get_u32(record), flags = record_get_u32(record);
    char *noise = record_get_text(record, 16);
    *settings = (struct kodama_voice_settings){
        .size = sizeof *settings,
        .pitch = values[0],
        .formant = values[1],
        .noise_level = values[2],
        .drift_pitch = values[3],
        .drift_volume = values[4],
        .drift_eq = values[5],
        .gain = values[6],
        .effect = (enum kodama_voice_effect)effect,
        .mute = flags & 1,
        .bypass = flags & 2,
        .fluctuation = flags & 4,
        .noise = noise,
    };
    if (flags > 7 || voice_settings_check(settings, file, NULL) < 0) record->failed = true;
    free(noise);
}

/* ---- hand-over ---- */

void settings_handover_init(struct settings_handover *handover,
                            const struct kodama_voice_settings *settings)
{
    mutex_init(&handover->mutex);
    for (int i = 0; i < 3; i++) handover->slots[i] = *settings;
    handover->newest = *settings;
    handover->front = 0;
    atomic_init(&handover->middle, 1);
    handover->back = 2;
}

void settings_handover_destroy(struct settings_handover *handover)
{
    mutex_destroy(&handover->mutex);
}

void settings_handover_set(struct settings_handover *handover,
                           const struct kodama_voice_settings *settings)
{
    mutex_lock(&handover->mutex);
    handover->newest = *settings;
    handover->slots[handover->back] = *settings;
    uint32_t old = atomic_exchange_explicit(&handover->middle, handover->back | HANDOVER_FRESH,
                                            memory_order_acq_rel);
    handover->back = old & 3;
    mutex_unlock(&handover->mutex);
}

void settings_handover_get(struct settings_handover *handover,
                           struct kodama_voice_settings *settings)
{
    mutex_lock(&handover->mutex);
    *settings = handover->newest;
    mutex_unlock(&handover->mutex);
}

const struct kodama_voice_settings *settings_handover_take(struct settings_handover *handover,
                                                           bool *fresh)
{
    *fresh = atomic_load_explicit(&handover->middle, memory_order_relaxed) & HANDOVER_FRESH;
    if (*fresh) {
        uint32_t old =
            atomic_exchange_explicit(&handover->middle, handover->front, memory_order_acq_rel);
        handover->front = old & 3;
    }
    return &handover->slots[handover->front];
}

/* ---- gliding ---- */

void glide_to(struct glide *glide, float target, uint32_t n_steps)
{
    if (target == glide->target) return;
    glide->target = target;
    glide->n_left = n_steps > 0 ? n_steps : 1;
    glide->step = (target - glide->value) / (float)glide->n_left;
}

void glide_jump(struct glide *glide, float target)
{
    glide->value = glide->target = target;
    glide->n_left = 0;
}

float glide_step(struct glide *glide)
{
    if (glide->n_left > 0) {
        glide->n_left--;
        glide->value = glide->n_left > 0 ? glide->value + glide->step : glide->target;
    }
    return glide->value;
}
