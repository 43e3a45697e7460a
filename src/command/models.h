/* kodama models: its options, as the table fills them in, and what runs them. */
#ifndef COMMAND_MODELS_H
#define COMMAND_MODELS_H

#include <stdbool.h>

#include "command/command.h"

struct models_options {
    const char *folder;
    const char *name;
    const char *sha256;
    const char *mirror;
    bool json, all, link, unset, progress;
};

/** For completion: what can be done with models, then the names of known ones; index 0, 1, ...
 * until NULL. */
const char *models_operand(size_t index);

/** Do what the first operand says. @return an exit code */
int models_run(const struct invocation *invocation);

#endif
