/* Secrets from files: a token on the command line can be read by everybody on the machine. */
#ifndef COMMAND_SECRET_H
#define COMMAND_SECRET_H

#include <stdbool.h>

enum { SECRET_BYTES = 256 };

/** Read the first line of a file; complains. @return whether there is one */
bool secret_read(const char *command, const char *path, char secret[SECRET_BYTES]);

#endif
