/* What a client asks of a voice. */
#include "serve/voice_options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "serve/values.h"

#define PITCH_MAX 24.0f
#define FORMANT_MAX 12.0f
#define DRIFT_MAX 0.5f
#define GAIN_MIN (-60.0f)
#define GAIN_MAX 24.0f

struct voice_options voice_options_default(void)
{
    return (struct voice_options){.settings = KODAMA_VOICE_SETTINGS_INIT};
}

static int set_noise(struct voice_options *o, const char *name, struct kodama_error *error)
{
    const char *known;
    if (strcmp(name, "none") == 0 || !name[0]) {
        o->settings.noise = NULL;
        return KODAMA_OK;
    }
    for (size_t i = 0; (known = kodama_voice_noise_name(i)); i++) {
        if (strcmp(known, name) != 0) continue;
        o->settings.noise = known;
        return KODAMA_OK;
    }
    return error_set(error, KODAMA_ERR_ARGUMENT,
                     "noise must be cafe, street, room, rain, white, pink or none");
}

static int set_preset(struct voice_options *o, const char *name, struct kodama_error *error)
{
    char names[160] = "";
    const char *known;
    if (kodama_voice_preset(name, &o->settings) == KODAMA_OK) return KODAMA_OK;
    for (size_t i = 0; (known = kodama_voice_preset_name(i)); i++) {
        size_t n = strlen(names);
        snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", known);
    }
    return error_set(error, KODAMA_ERR_ARGUMENT, "preset must be one of %s", names);
}

static int set_model(struct voice_options *o, const char *name, struct kodama_error *error)
{
    if (strlen(name) >= sizeof o->model) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "model must be shorter than %zu bytes",
                         sizeof o->model);
    }
    snprintf(o->model, sizeof o->model, "%s", name);
    return KODAMA_OK;
}

static int set_seed(struct voice_options *o, const char *value, struct kodama_error *error)
{
    uint32_t seed;
    int status = value_number(&seed, "seed", value, 0, UINT32_MAX, error);
    if (status == KODAMA_OK) o->seed = seed;
    return status;
}

/* Keys, and what they are; the numbers and switches with their place. */
enum option_kind {
    OPTION_REAL,
    OPTION_SWITCH,
    OPTION_NOISE,
    OPTION_PRESET,
    OPTION_SEED,
    OPTION_MODEL
};

static const struct option {
    const char *key, *alias;
    enum option_kind kind;
    size_t offset;
    float least, most;
} table[] = {
#define AT(field) offsetof(struct voice_options, field)
    {"pitch", "pitch_shift", OPTION_REAL, AT(settings.pitch), -PITCH_MAX, PITCH_MAX},
    {"formant", "formant_shift", OPTION_REAL, AT(settings.formant), -FORMANT_MAX, FORMANT_MAX},
    {"gain", NULL, OPTION_REAL, AT(settings.gain), GAIN_MIN, GAIN_MAX},
    {"noise", "noise_type", OPTION_NOISE, 0, 0, 0},
    {"noise_level", NULL, OPTION_REAL, AT(settings.noise_level), 0, 1},
    {"preset", NULL, OPTION_PRESET, 0, 0, 0},
    {"fluctuation", "enable_fluctuation", OPTION_SWITCH, AT(settings.fluctuation), 0, 0},
    {"drift_pitch", NULL, OPTION_REAL, AT(settings.drift_pitch), 0, DRIFT_MAX},
    {"drift_volume", NULL, OPTION_REAL, AT(settings.drift_volume), 0, DRIFT_MAX},
    {"drift_eq", NULL, OPTION_REAL, AT(settings.drift_eq), 0, DRIFT_MAX},
    {"mute", NULL, OPTION_SWITCH, AT(settings.mute), 0, 0},
    {"bypass", NULL, OPTION_SWITCH, AT(settings.bypass), 0, 0},
    {"deep", NULL, OPTION_SWITCH, AT(deep), 0, 0},
    {"captions", NULL, OPTION_SWITCH, AT(captions), 0, 0},
    {"seed", NULL, OPTION_SEED, 0, 0, 0},
    {"model", NULL, OPTION_MODEL, 0, 0, 0},
#undef AT
};

static const struct option *find(const char *key)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct option *option = &table[i];
        if (strcmp(option->key, key) == 0) return option;
        if (option->alias && strcmp(option->alias, key) == 0) return option;
    }
    return NULL;
}

bool voice_options_knows(const char *key)
{
    return find(key) != NULL;
}

int voice_options_set(struct voice_options *o, const char *key, const char *value,
                      struct kodama_error *error)
{
    const struct option *option = find(key);
    if (!option) {
        return error_set(error, KODAMA_ERR_ARGUMENT, "there is no setting of that name");
    }
    void *place = (char *)o + option->offset;
    switch (option->kind) {
    case OPTION_REAL: return value_real(place, key, value, option->least, option->most, error);
    case OPTION_SWITCH: return value_switch(place, key, value, error);
    case OPTION_NOISE: return set_noise(o, value, error);
    case OPTION_PRESET: return set_preset(o, value, error);
    case OPTION_SEED: return set_seed(o, value, error);
    case OPTION_MODEL: return set_model(o, value, error);
    }
    return KODAMA_ERR_ARGUMENT;
}
