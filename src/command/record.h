/* kodama record: its options, as the table fills them in, and what runs them. */
#ifndef COMMAND_RECORD_H
#define COMMAND_RECORD_H

#include "command/capture.h"
#include "command/command.h"

struct record_options {
    struct option_list inputs;
    struct capture_options capture;
    const char *raw, *output, *type, *sample;
    double past_s, duration_s, split_s, split_mb, quality;
    bool marks, overwrite, fast, json, progress;
};

/** Record what the operands and --input name. @return an exit code */
int record_run(const struct invocation *invocation);

#endif
