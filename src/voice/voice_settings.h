/* Settings of a voice: checked, handed over to the running chain without waiting, and gliding. */
#ifndef VOICE_SETTINGS_H
#define VOICE_SETTINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kodama/voice.h>

#include "base/record.h"
#include "base/thread.h"

/** Check settings; the name of the bed is replaced by one that lasts. `file`: there is a bed of
 * that name. KODAMA_OK or KODAMA_ERR_ARGUMENT. */
int voice_settings_check(struct kodama_voice_settings *settings, bool file,
                         struct kodama_error *error);

void voice_settings_save(const struct kodama_voice_settings *settings, struct record *record);
/** Fails the record for settings that cannot have been saved. */
void voice_settings_load(struct kodama_voice_settings *settings, bool file, struct record *record);

/** Hand-over from any threads to one that never waits: three slots, of which each side owns one and
 * the third changes hands (triple buffer). */
struct settings_handover {
    struct mutex mutex; /* between those who set */
    struct kodama_voice_settings slots[3];
    _Atomic uint32_t middle; /* index of the third slot, and HANDOVER_FRESH: set by the writer with
                                release, taken by the reader with acquire */
    uint32_t back;           /* writer's slot; under the mutex */
    struct kodama_voice_settings newest; /* what was set last; under the mutex */
    uint32_t front;                      /* reader's slot; its thread only */
};

void settings_handover_init(struct settings_handover *handover,
                            const struct kodama_voice_settings *settings);
void settings_handover_destroy(struct settings_handover *handover);
void settings_handover_set(struct settings_handover *handover,
                           const struct kodama_voice_settings *settings);
void settings_handover_get(struct settings_handover *handover,
                           struct kodama_voice_settings *settings);
/** The newest settings, valid until the next call; *fresh says whether they are new.
 * Real-time safe: yes. */
const struct kodama_voice_settings *settings_handover_take(struct settings_handover *handover,
                                                           bool *fresh);

/** A value on its way to another, in steps of a hop. */
struct glide {
    float value, target, step;
    uint32_t n_left; /* steps */
};

/** Go to `target` in n steps. */
void glide_to(struct glide *glide, float target, uint32_t n_steps);
/** Be there at once. */
void glide_jump(struct glide *glide, float target);
/** One step; returns the value after it, which in the end is the target exactly. */
float glide_step(struct glide *glide);

#endif
