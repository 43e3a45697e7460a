#define _GNU_SOURCE
/* Reads a command line as a subcommand's table says; getopt_long underneath. */
#include "command/parse.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "command/output.h"
#include "command/suggest.h"
#include "command/text.h"

/* Values of getopt_long for options without a letter begin here. */
enum { LONG_ONLY = 256, OPTIONS_MAX = 48 };

/* The table in getopt's terms. */
struct reader {
    const struct command *command;
    const struct option_entry *entries[OPTIONS_MAX];
    struct option longs[OPTIONS_MAX + 1];
    char letters[2 + OPTIONS_MAX * 3];
    size_t n;
};

static void reader_add(struct reader *reader, const struct option_entry *entries)
{
    size_t letter = strlen(reader->letters);
    for (; entries && entries->name && reader->n < OPTIONS_MAX; entries++) {
        size_t index = reader->n++;
        int argument = !entries->argument        ? no_argument
                       : entries->value_optional ? optional_argument
                                                 : required_argument;
        reader->entries[index] = entries;
        reader->longs[index] = (struct option){
            .name = entries->name, .has_arg = argument, .val = LONG_ONLY + (int)index};
        if (!entries->letter) continue;
        reader->letters[letter++] = entries->letter;
        for (int colon = 0; colon < argument; colon++) reader->letters[letter++] = ':';
    }
    reader->letters[letter] = '\0';
}

static const struct option_entry *reader_entry(const struct reader *reader, int value)
{
    if (value >= LONG_ONLY) return reader->entries[value - LONG_ONLY];
    for (size_t i = 0; i < reader->n; i++) {
        if (reader->entries[i]->letter == value) return reader->entries[i];
    }
    return NULL;
}

static int wrong_choice(const char *command, const struct option_entry *entry, const char *text)
{
    struct text names = {0};
    struct suggestion suggestion = {.typed = text};
    for (size_t i = 0; entry->choice(i); i++) {
        text_printf(&names, "%s%s", i ? ", " : "", entry->choice(i));
        suggest_consider(&suggestion, entry->choice(i));
    }
    if (suggestion.nearest) {
        complain(command, "--%s cannot be \"%s\"; did you mean %s? It can be: %s", entry->name,
                 text, suggestion.nearest, names.bytes);
    } else {
        complain(command, "--%s cannot be \"%s\"; it can be: %s", entry->name, text,
                 names.length ? names.bytes : "nothing in this build");
    }
    text_free(&names);
    return EXIT_USAGE;
}

static int read_choice(const char *command, const struct option_entry *entry, const char *text,
                       void *value)
{
    for (size_t i = 0; entry->choice(i); i++) {
        if (strcmp(entry->choice(i), text) == 0) {
            *(const char **)value = entry->choice(i);
            return EXIT_DONE;
        }
    }
    return wrong_choice(command, entry, text);
}

static int read_number(const char *command, const struct option_entry *entry, const char *text,
                       void *value)
{
    bool whole = entry->kind == OPTION_COUNT;
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    bool valid = end != text && *end == '\0' && errno == 0 && isfinite(number) &&
                 number >= entry->least && number <= entry->most &&
                 (!whole || number == floor(number));
    if (!valid) {
        complain(command, "--%s cannot be \"%s\"; it takes a %snumber from %g to %.10g",
                 entry->name, text, whole ? "whole " : "", entry->least, entry->most);
        return EXIT_USAGE;
    }
    if (whole)
        *(uint32_t *)value = (uint32_t)number;
    else
        *(double *)value = number;
    return EXIT_DONE;
}

/* Seconds, or minutes and hours before them, divided by colons. False: it is no time. */
static bool parse_time(const char *text, double *seconds)
{
    *seconds = 0.0;
    for (int colons = 0; colons < 3; colons++) {
        char *end;
        if (!isdigit((unsigned char)text[0])) return false;
        double number = strtod(text, &end);
        bool last = *end == '\0';
        if (!isfinite(number) || (!last && (*end != ':' || number != floor(number)))) return false;
        if (colons > 0 && number >= 60.0) return false;
        *seconds = *seconds * 60.0 + number;
        if (last) return true;
        text = end + 1;
    }
    return false;
}

static int read_time(const char *command, const struct option_entry *entry, const char *text,
                     void *value)
{
    double seconds;
    if (!parse_time(text, &seconds) || seconds < entry->least || seconds > entry->most) {
        complain(command,
                 "--%s cannot be \"%s\"; it takes seconds or [H:]M:SS, from %g to %.10g seconds",
                 entry->name, text, entry->least, entry->most);
        return EXIT_USAGE;
    }
    *(double *)value = seconds;
    return EXIT_DONE;
}

static int read_list(const char *command, const struct option_entry *entry, const char *text,
                     void *value)
{
    struct option_list *list = value;
    if (list->n == OPTION_LIST_MAX) {
        complain(command, "--%s was given more than %d times", entry->name, OPTION_LIST_MAX);
        return EXIT_USAGE;
    }
    list->values[list->n++] = text;
    return EXIT_DONE;
}

/* Put one value where the table says. */
static int read_value(const char *command, const struct option_entry *entry, const char *text,
                      void *options)
{
    void *value = (char *)options + entry->offset;
    switch (entry->kind) {
    case OPTION_ON: *(bool *)value = true; return EXIT_DONE;
    case OPTION_OFF: *(bool *)value = false; return EXIT_DONE;
    case OPTION_TEXT: *(const char **)value = text; return EXIT_DONE;
    case OPTION_CHOICE: return read_choice(command, entry, text, value);
    case OPTION_COUNT:
    case OPTION_REAL: return read_number(command, entry, text, value);
    case OPTION_TIME: return read_time(command, entry, text, value);
    case OPTION_LIST: return read_list(command, entry, text, value);
    }
    return EXIT_USAGE;
}

static int apply_fallbacks(const struct command *command, void *options)
{
    int status = EXIT_DONE;
    for (const struct option_entry *entry = command->options; entry && entry->name; entry++) {
        if (entry->kind == OPTION_OFF) *(bool *)((char *)options + entry->offset) = true;
        if (!entry->fallback || status != EXIT_DONE) continue;
        status = read_value(command->name, entry, entry->fallback, options);
    }
    return status;
}

static int unknown_option(const struct reader *reader, const char *word, int letter)
{
    const char *name = reader->command->name;
    if (letter) {
        complain(name, "there is no option -%c; `kodama %s --help` lists all", letter, name);
        return EXIT_USAGE;
    }
    struct text typed = {0};
    text_add_bytes(&typed, word + 2, strcspn(word + 2, "="));
    struct suggestion suggestion = {.typed = typed.bytes};
    size_t beginnings = 0;
    for (size_t i = 0; i < reader->n; i++) {
        if (strncmp(reader->entries[i]->name, typed.bytes, typed.length) == 0) beginnings++;
        suggest_consider(&suggestion, reader->entries[i]->name);
    }
    if (beginnings > 1) {
        complain(name, "--%s is the beginning of several options; `kodama %s --help` lists all",
                 typed.bytes, name);
    } else if (suggestion.nearest) {
        complain(name, "there is no option --%s; did you mean --%s?", typed.bytes,
                 suggestion.nearest);
    } else {
        complain(name, "there is no option --%s; `kodama %s --help` lists all", typed.bytes, name);
    }
    text_free(&typed);
    return EXIT_USAGE;
}

/* What getopt_long stumbled over: optopt is the option's value, or 0 for an unknown long one. */
static int stumbled(const struct reader *reader, int what, const char *word)
{
    const struct option_entry *entry = optopt ? reader_entry(reader, optopt) : NULL;
    const char *name = reader->command->name;
    if (what == ':' && entry) {
        complain(name, "--%s needs a value: --%s=%s", entry->name, entry->name, entry->argument);
        return EXIT_USAGE;
    }
    if (entry && optopt >= LONG_ONLY) {
        complain(name, "--%s takes no value", entry->name);
        return EXIT_USAGE;
    }
    return unknown_option(reader, word, optopt >= LONG_ONLY ? 0 : optopt);
}

static int check_operands(const struct command *command, const struct invocation *invocation)
{
    if (invocation->n_operands < command->operands_least) {
        complain(command->name, "%s is missing; try: %s", command->operand,
                 command->examples[0].line);
        return EXIT_USAGE;
    }
    if (invocation->n_operands > command->operands_most) {
        complain(command->name, "\"%s\" is one too many; `kodama %s --help` shows what it takes",
                 invocation->operands[command->operands_most], command->name);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* Put words like "-10%" behind the others, where getopt does not see them. @return how many */
static int set_numbers_apart(int n_words, char **words)
{
    int n_numbers = 0;
    for (int i = 1; i < n_words - n_numbers;) {
        char *word = words[i];
        if (word[0] != '-' || !isdigit((unsigned char)word[1])) {
            i++;
            continue;
        }
        memmove(words + i, words + i + 1, (size_t)(n_words - i - 1) * sizeof *words);
        words[n_words - 1] = word;
        n_numbers++;
    }
    return n_numbers;
}

int parse(struct parsed *parsed, const struct command *command, int n_words, char **words)
{
    struct reader reader = {.command = command, .letters = ":"};
    reader_add(&reader, command->options);
    reader_add(&reader, common_options);

    *parsed = (struct parsed){.invocation.command = command};
    parsed->options = calloc(1, command->options_bytes + 1);
    if (!parsed->options) {
        complain(command->name, "out of memory");
        return EXIT_FAILED;
    }
    int status = apply_fallbacks(command, parsed->options);
    int n_seen = n_words - (command->signed_operands ? set_numbers_apart(n_words, words) : 0);
    opterr = 0;
    optind = 1;
    while (status == EXIT_DONE) {
        int value = getopt_long(n_seen, words, reader.letters, reader.longs, NULL);
        if (value < 0) break;
        const struct option_entry *entry = reader_entry(&reader, value);
        if (value == '?' || value == ':' || !entry) {
            status = stumbled(&reader, value, words[optind - 1]);
        } else if (entry == &common_options[0]) {
            parsed->help = true;
            return EXIT_DONE;
        } else if (entry->argument && !optarg) {
            status = read_value(command->name, entry, "", parsed->options);
        } else {
            status = read_value(command->name, entry, optarg, parsed->options);
        }
    }
    if (status != EXIT_DONE) return status;
    parsed->invocation.options = parsed->options;
    parsed->invocation.operands = words + optind;
    parsed->invocation.n_operands = (size_t)(n_words - optind);
    return check_operands(command, &parsed->invocation);
}

void parse_free(struct parsed *parsed)
{
    free(parsed->options);
    parsed->options = NULL;
}
