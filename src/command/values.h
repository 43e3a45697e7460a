/* Reads the values of options, wherever they were written: on a command line, or in a file. */
#ifndef COMMAND_VALUES_H
#define COMMAND_VALUES_H

#include <kodama/api.h>

#include "command/command.h"

/** Where a value stands. */
struct place {
    const char *command; /**< the subcommand's name, for messages */
    const char *file;    /**< NULL: the command line */
    unsigned line;
};

/**
 * Put one value where the table says; complains when it is not valid.
 *
 * @param place    where it was written
 * @param entry    the option
 * @param text     the value, "" for switches on a command line; kept by options of text
 * @param options  the command's struct of options
 * @return EXIT_DONE or EXIT_USAGE
 */
int value_read(const struct place *place, const struct option_entry *entry, const char *text,
               void *options);

/** Complain of an option: "--NAME SENTENCE", or "FILE:LINE: NAME SENTENCE". @return EXIT_USAGE */
int value_complain(const struct place *place, const char *name, const char *format, ...)
    KODAMA_PRINTF(3, 4);

#endif
