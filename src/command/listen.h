/* kodama listen: its options, as the table fills them in, and what runs them. */
#ifndef COMMAND_LISTEN_H
#define COMMAND_LISTEN_H

#include "command/capture.h"
#include "command/command.h"
#include "command/input.h"

struct listen_options {
    struct input_options input;
    struct capture_options capture;
    const char *format;
    const char *save;
    const char *engine;
    const char *model;
    const char *finals;
    const char *drafts; /* --partials */
    const char *language;
    const char *grammar;
    const char *detector;
    double threshold;
    uint32_t silence_ms;
    uint32_t n_decoders;
    bool fast, partials, verbose;
};

/** Caption what the operands name. @return an exit code */
int listen_run(const struct invocation *invocation);

#endif
