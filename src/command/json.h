/* What subcommands print with --json: one object a line. */
#ifndef COMMAND_JSON_H
#define COMMAND_JSON_H

#include <jansson.h>

/** A string; what is no UTF-8 (a file name may be anything) is written with `?` for such bytes. */
json_t *json_words(const char *text);

/** A number rounded to so many decimals; null for what is no number or infinite. */
json_t *json_rounded(double value, int decimals);

/** Print an object as one line on a descriptor, and free it; complains. @return an exit code */
int json_print(const char *command, int fd, json_t *object);

#endif
