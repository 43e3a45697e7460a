/* Voices from the inside: with a converter of one's own. */
#ifndef VOICE_VOICE_H
#define VOICE_VOICE_H

#include <kodama/voice.h>

#include "voice/converter.h"

/** kodama_voice_open() with a converter that the caller names instead of the model's or the
 * shifter. */
int voice_open_with(struct kodama_voice **voice, const struct kodama_voice_config *config,
                    const struct converter_ops *ops, struct kodama_error *error);

#endif
