/* What main.c knows of kodama voices: that `kodama voice ACTION` means it. */
#ifndef COMMAND_VOICES_H
#define COMMAND_VOICES_H

#include <stddef.h>

/** Names of what can be done with voices: index 0, 1, ... until NULL. */
const char *voices_action(size_t index);

#endif
