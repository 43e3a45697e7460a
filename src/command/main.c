/* kodama: finds the subcommand and runs it. */
#include <locale.h>
#include <signal.h>
#include <string.h>

#include <kodama/api.h>

#include "command/command.h"
#include "command/output.h"
#include "command/pages.h"
#include "command/parse.h"
#include "command/suggest.h"
#include "command/voices.h"

static int unknown_option(const char *word)
{
    static const char *const names[] = {"--help", "--version"};
    struct suggestion suggestion = {.typed = word};
    for (size_t i = 0; i < 2; i++) suggest_consider(&suggestion, names[i]);
    if (suggestion.nearest) {
        complain(NULL, "there is no option %s; did you mean %s?", word, suggestion.nearest);
    } else {
        complain(NULL, "there is no option %s before a subcommand; `kodama --help` lists all",
                 word);
    }
    return EXIT_USAGE;
}

/* For the build: `kodama --man=NAME`, `kodama --completion=SHELL`. */
static int print_generated(const char *word)
{
    const char *value = strchr(word, '=') + 1;
    struct text script = {0};
    int code = EXIT_USAGE;
    if (strncmp(word, "--man=", 6) == 0) {
        const char *name = strncmp(value, "kodama-", 7) == 0 ? value + 7 : value;
        const struct command *command = command_find(name);
        if (command || strcmp(value, "kodama") == 0) return pages_print(man_page, command);
        complain(NULL, "there is no manual page \"%s\"", value);
    } else if (completion_script(&script, value) == 0) {
        code = output_whole(NULL, script.bytes, script.length);
    } else {
        complain(NULL, "there is no completion for \"%s\"; there is bash, zsh and fish", value);
    }
    text_free(&script);
    return code;
}

static int print_version(void)
{
    struct text line = {0};
    text_printf(&line, "kodama %s\n", kodama_version());
    int code = output_whole(NULL, line.bytes, line.length);
    text_free(&line);
    return code;
}

static int run_option(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return pages_print(help_page, NULL);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) return print_version();
    if (strncmp(word, "--man=", 6) == 0 || strncmp(word, "--completion=", 13) == 0) {
        return print_generated(word);
    }
    return unknown_option(word);
}

/* `kodama voice import` is about voices, `kodama voice` itself changes one. */
static bool means_voices(const char *command, const char *action)
{
    if (strcmp(command, "voice") != 0) return false;
    for (size_t i = 0; voices_action(i); i++)
        if (strcmp(voices_action(i), action) == 0) return true;
    return false;
}

int main(int n_words, char **words)
{
    static char voices_word[] = "voices";
    output_claim_standard();
    /* A reader that has gone away, or a file that may not grow, is an error of write(), not the
     * end. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    /* Widths of characters follow the locale; numbers are written the same everywhere. */
    setlocale(LC_CTYPE, "");

    if (n_words < 2) {
        complain(NULL, "a subcommand is missing; `kodama --help` lists all, and "
                       "`kodama listen FILE` captions a recording");
        return EXIT_USAGE;
    }
    if (words[1][0] == '-') return run_option(words[1]);
    if (n_words > 2 && means_voices(words[1], words[2])) words[1] = voices_word;
    const struct command *command = command_find(words[1]);
    if (!command) return command_unknown(words[1]);

    struct parsed parsed;
    int code = parse(&parsed, command, n_words - 1, words + 1);
    if (code == EXIT_DONE) {
        code = parsed.help ? pages_print(help_page, command) : command->run(&parsed.invocation);
    }
    parse_free(&parsed);
    return code;
}
