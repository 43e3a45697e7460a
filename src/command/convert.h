/* What `kodama convert` is asked for; between its table and its work. */
#ifndef COMMAND_CONVERT_H
#define COMMAND_CONVERT_H

#include "command/command.h"
#include "command/voice_options.h"

struct convert_options {
    struct voice_options voice;
    const char *type, *sample, *folder, *raw;
    double quality;
    uint32_t jobs;
    bool overwrite, json, progress;
};

int convert_run(const struct invocation *invocation);

#endif
