/* What is made from a subcommand's table besides parsing: help, man pages, completions. */
#ifndef COMMAND_PAGES_H
#define COMMAND_PAGES_H

#include <stddef.h>

#include "command/command.h"
#include "command/text.h"

/** `kodama SUBCOMMAND --help`, or `kodama --help` for NULL. */
void help_page(struct text *page, const struct command *command);

/** Make a page and print it. @return an exit code */
int pages_print(void (*make)(struct text *page, const struct command *command),
                const struct command *command);

/** The manual page in roff (man macros): of a subcommand, or kodama(1) for NULL. */
void man_page(struct text *page, const struct command *command);

/** Write the completion script of a shell. Returns 0, or -1 when there is no such shell. */
int completion_script(struct text *script, const char *shell);

/** "--name=VALUE", as help, man page and messages write an option. */
void pages_option(struct text *text, const struct option_entry *entry);

/** What an option does, with its choices and default: "…: text, json (default: text)". */
void pages_option_help(struct text *text, const struct option_entry *entry);

/** What `kodama` is, in one line and in paragraphs. */
extern const char pages_summary[];
extern const char pages_description[];

/** Examples and exit codes of `kodama` itself. */
extern const struct example pages_examples[];

#endif
