/* kodama help: prints what a subcommand does. */
#include "command/command.h"
#include "command/output.h"
#include "command/pages.h"
#include "command/suggest.h"

int pages_print(void (*make)(struct text *, const struct command *), const struct command *command)
{
    struct text page = {0};
    make(&page, command);
    int code = output_whole(command ? command->name : NULL, page.bytes, page.length);
    text_free(&page);
    return code;
}

int command_unknown(const char *word)
{
    struct suggestion suggestion = {.typed = word};
    for (size_t i = 0; commands[i]; i++) suggest_consider(&suggestion, commands[i]->name);
    if (suggestion.nearest) {
        complain(NULL, "there is no subcommand \"%s\"; did you mean `kodama %s`?", word,
                 suggestion.nearest);
    } else {
        complain(NULL, "there is no subcommand \"%s\"; `kodama --help` lists all", word);
    }
    return EXIT_USAGE;
}

static int help_run(const struct invocation *invocation)
{
    if (invocation->n_operands == 0) return pages_print(help_page, NULL);
    const struct command *command = command_find(invocation->operands[0]);
    if (!command) return command_unknown(invocation->operands[0]);
    return pages_print(help_page, command);
}

static const struct example help_examples[] = {
    {"kodama help listen", "Read about `kodama listen`"},
    {NULL, NULL},
};

static const struct exit_entry help_exits[] = {
    {EXIT_DONE, "The help was printed"},
    {EXIT_USAGE, "There is no such subcommand"},
    {0, NULL},
};

const struct command command_help = {
    .name = "help",
    .summary = "read about a subcommand",
    .description = "Prints what a subcommand does, its options and examples; without SUBCOMMAND, "
                   "the list of subcommands.",
    .operand = "[SUBCOMMAND]",
    .operands_most = 1,
    .operand_choice = command_name,
    .examples = help_examples,
    .exits = help_exits,
    .run = help_run,
};
