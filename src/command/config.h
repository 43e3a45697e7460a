/*
 * A file of settings: what a command line can say, one option a line.
 *
 *     # a comment
 *     [serve]                 may be left out
 *     port = 8000
 *     origin = https://example.org
 *     origin = https://example.com
 *     verbose = yes
 *
 * Keys are the long names of the subcommand's options. What is not understood is refused with its
 * line: unknown keys and sections, keys given twice, bad values, lines that are no setting.
 */
#ifndef COMMAND_CONFIG_H
#define COMMAND_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "command/command.h"

enum { CONFIG_KEYS_MAX = 64 };

/** What was read: the texts that options point to. Zeroed to begin with. */
struct config {
    struct config_text *texts; /**< owned */
    const struct option_entry *keys[CONFIG_KEYS_MAX];
    size_t n_keys;
};

/**
 * Read a file into a struct of options; complains of the first mistake.
 *
 * @param config    keeps what options point to: free it after them
 * @param command   whose options these are
 * @param path      the file
 * @param options   its struct
 * @return EXIT_DONE, EXIT_USAGE (a mistake in it), EXIT_FAILED (it cannot be read)
 */
int config_read(struct config *config, const struct command *command, const char *path,
                void *options);

/** The same for its text; `path` is for messages. */
int config_parse(struct config *config, const struct command *command, const char *path,
                 const char *text, size_t n_bytes, void *options);

void config_free(struct config *config);

#endif
