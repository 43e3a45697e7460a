/* Reads a command line as a subcommand's table says. */
#ifndef COMMAND_PARSE_H
#define COMMAND_PARSE_H

#include <stdbool.h>

#include "command/command.h"
#include "command/config.h"

struct parsed {
    struct invocation invocation;
    void *options;        /**< owned: the struct of options */
    bool help;            /**< --help was given; nothing else was checked after it */
    struct config config; /**< owned: what options point to that came from a file */
};

/**
 * Read the words after the subcommand's name. What is wrong is said on standard error.
 *
 * @param[out] parsed  free with parse_free(), also on failure
 * @param command      the table
 * @param n_words      of words
 * @param words        words[0] is the subcommand's name; reordered: options first
 * @return EXIT_DONE or EXIT_USAGE
 */
int parse(struct parsed *parsed, const struct command *command, int n_words, char **words);
void parse_free(struct parsed *parsed);

#endif
