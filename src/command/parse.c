#define _GNU_SOURCE
/* Reads a command line as a subcommand's table says; getopt_long underneath. */
#include "command/parse.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "command/output.h"
#include "command/suggest.h"
#include "command/text.h"
#include "command/values.h"

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

static int apply_fallbacks(const struct command *command, void *options)
{
    struct place place = {.command = command->name};
    int status = EXIT_DONE;
    for (const struct option_entry *entry = command->options; entry && entry->name; entry++) {
        if (entry->kind == OPTION_OFF) *(bool *)((char *)options + entry->offset) = true;
        if (!entry->fallback || status != EXIT_DONE) continue;
        status = value_read(&place, entry, entry->fallback, options);
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

/* The file of settings that the words name, NULL: none. Whatever is wrong is found later. */
static const char *find_config(const struct reader *reader, int n_words, char **words)
{
    const char *path = NULL;
    char **copy = calloc((size_t)n_words + 1, sizeof *copy);
    if (!copy) return NULL;
    memcpy(copy, words, (size_t)n_words * sizeof *copy);
    opterr = 0;
    optind = 1;
    for (int value;
         (value = getopt_long(n_words, copy, reader->letters, reader->longs, NULL)) >= 0;) {
        const struct option_entry *entry = reader_entry(reader, value);
        if (value != '?' && value != ':' && entry && entry->is_config) path = optarg;
    }
    free(copy);
    return path;
}

/* One word of the command line. What is listed there takes the place of what a file lists. */
static int read_word(struct parsed *parsed, const struct option_entry *entry, const char *text)
{
    struct place place = {.command = parsed->invocation.command->name};
    struct config *config = &parsed->config;
    for (size_t i = 0; i < config->n_keys; i++) {
        if (config->keys[i] != entry || entry->kind != OPTION_LIST) continue;
        ((struct option_list *)((char *)parsed->options + entry->offset))->n = 0;
        config->keys[i] = config->keys[--config->n_keys];
        break;
    }
    return value_read(&place, entry, text ? text : "", parsed->options);
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
    const char *path = status == EXIT_DONE ? find_config(&reader, n_seen, words) : NULL;
    if (path) status = config_read(&parsed->config, command, path, parsed->options);
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
        } else {
            status = read_word(parsed, entry, optarg);
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
    config_free(&parsed->config);
    parsed->options = NULL;
}
