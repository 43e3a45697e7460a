/* What `kodama voice` is asked for; between its table and its work. */
#ifndef COMMAND_VOICE_COMMAND_H
#define COMMAND_VOICE_COMMAND_H

#include "command/capture.h"
#include "command/command.h"
#include "command/voice_options.h"

struct voice_command_options {
    struct capture_options capture;
    struct voice_options voice;
    const char *file, *to, *save_preset, *show_preset;
    struct option_list remove_presets;
    double duration_s, interval_s;
    bool monitor, overwrite, list_presets, json;
};

int voice_run(const struct invocation *invocation);

#endif
