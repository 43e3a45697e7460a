/* A meter's levels in words, and on the meter of a status line. */
#ifndef COMMAND_LEVELS_TEXT_H
#define COMMAND_LEVELS_TEXT_H

#include <stdbool.h>

#include <kodama/meter.h>

#include "command/screen.h"

/** Look at a meter, move the screen's meter on, and add "  peak -12.3  rms -20.1 dBFS". @param lit
 * whether the meter is bright */
void levels_text(struct text *status, struct kodama_meter *meter, struct screen *screen, bool lit);

/** Add decibels of a fixed width: " -12.3", "  -inf". */
void levels_db(struct text *text, double db);

#endif
