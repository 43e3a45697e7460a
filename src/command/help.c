/* --help: from a subcommand's table to a page of text. */
#include <string.h>

#include <kodama/api.h>

#include "command/columns.h"
#include "command/pages.h"

enum { PAGE_COLUMNS = 80, INDENT = 2, OPTION_COLUMNS = 26 };

const char pages_summary[] = "hears a voice and answers: live captions, recording, voice activity";
const char pages_description[] =
    "Kodama is a local engine for live voice. It hears applications, microphones, recordings and "
    "pipes, keeps every sample, "
    "and turns speech into text while it is spoken; it records, measures and converts sound. "
    "Nothing leaves this machine.";

const struct example pages_examples[] = {
    {"kodama listen talk.wav", "Caption a recording as it plays"},
    {"kodama info talk.wav", "See what is in a sound file"},
    {"kodama doctor", "See what this machine can do, and what is missing"},
    {"kodama help listen", "Read about one subcommand"},
    {NULL, NULL},
};

void pages_option(struct text *text, const struct option_entry *entry)
{
    text_printf(text, "--%s", entry->name);
    if (!entry->argument) return;
    text_printf(text, entry->value_optional ? "[=%s]" : "=%s", entry->argument);
}

void pages_option_help(struct text *text, const struct option_entry *entry)
{
    text_add(text, entry->help);
    for (size_t i = 0; entry->choice && entry->choice(i); i++) {
        text_printf(text, "%s%s", i ? ", " : ": ", entry->choice(i));
    }
    if (entry->fallback) text_printf(text, " (default: %s)", entry->fallback);
}

/* Add words, wrapped, the first line continuing at column `at`, the others at `indent`. */
static void add_wrapped(struct text *page, const char *words, size_t n_bytes, size_t indent,
                        size_t at)
{
    if (at < indent) text_add_repeated(page, ' ', indent - at);
    while (n_bytes > 0) {
        size_t next, line = columns_line(words, n_bytes, PAGE_COLUMNS - indent, &next);
        text_add_bytes(page, words, line);
        text_add(page, "\n");
        words += next;
        n_bytes -= next;
        if (n_bytes > 0) text_add_repeated(page, ' ', indent);
    }
}

/* Paragraphs; lines that begin with two spaces are kept. */
static void add_passage(struct text *page, const char *passage, size_t indent)
{
    while (*passage) {
        size_t length = strcspn(passage, "\n");
        if (length == 0)
            text_add(page, "\n");
        else if (passage[0] == ' ') {
            text_add_repeated(page, ' ', indent);
            text_add_bytes(page, passage, length);
            text_add(page, "\n");
        } else
            add_wrapped(page, passage, length, indent, 0);
        passage += length + (passage[length] == '\n');
    }
}

static void add_options(struct text *page, const struct option_entry *entry)
{
    for (; entry && entry->name; entry++) {
        struct text left = {0}, right = {0};
        if (entry->group) text_printf(page, "\n%s:\n", entry->group);
        if (entry->letter)
            text_printf(&left, "  -%c, ", entry->letter);
        else
            text_add(&left, "      ");
        pages_option(&left, entry);
        pages_option_help(&right, entry);
        text_add_bytes(page, left.bytes, left.length);
        size_t at = left.length;
        if (at + 2 > OPTION_COLUMNS) {
            text_add(page, "\n");
            at = 0;
        }
        add_wrapped(page, right.bytes, right.length, OPTION_COLUMNS, at);
        text_free(&left);
        text_free(&right);
    }
}

static void add_examples(struct text *page, const struct example *example)
{
    text_add(page, "\nExamples:\n");
    for (; example->line; example++) {
        text_printf(page, "  %s\n", example->line);
        add_wrapped(page, example->what, strlen(example->what), 6, 0);
    }
}

static void add_exits(struct text *page, const struct exit_entry *exit)
{
    if (!exit) return;
    text_add(page, "\nExit codes:\n");
    for (; exit->when; exit++) {
        size_t before = page->length;
        text_printf(page, "  %-4d", exit->code);
        add_wrapped(page, exit->when, strlen(exit->when), 8, page->length - before);
    }
}

static void help_top(struct text *page)
{
    text_printf(page, "kodama %s - %s\n\nUsage: kodama SUBCOMMAND [OPTION...] [OPERAND...]\n\n",
                kodama_version(), pages_summary);
    add_passage(page, pages_description, 0);
    text_add(page, "\nSubcommands:\n");
    for (size_t i = 0; commands[i]; i++) {
        text_printf(page, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
    }
    text_add(page, "\nOptions:\n"
                   "  -h, --help     Show this help and exit\n"
                   "  -V, --version  Show the version and exit\n");
    add_examples(page, pages_examples);
    text_add(page, "\n`kodama SUBCOMMAND --help` and `man kodama-SUBCOMMAND` tell the rest.\n");
}

void help_page(struct text *page, const struct command *command)
{
    if (!command) {
        help_top(page);
        return;
    }
    text_printf(page, "kodama %s - %s\n\nUsage: kodama %s%s%s%s\n\n", command->name,
                command->summary, command->name, command->options ? " [OPTION...]" : "",
                command->operand ? " " : "", command->operand ? command->operand : "");
    add_passage(page, command->description, 0);
    if (command->operand_help) {
        text_add(page, "\n");
        add_passage(page, command->operand_help, 0);
    }
    bool grouped = command->options && command->options[0].group;
    if (!grouped) text_add(page, "\nOptions:\n");
    add_options(page, command->options);
    if (grouped) text_add(page, "\nOther:\n");
    add_options(page, common_options);
    for (const struct section *section = command->sections; section && section->title; section++) {
        text_printf(page, "\n%s:\n", section->title);
        add_passage(page, section->text, INDENT);
    }
    add_examples(page, command->examples);
    add_exits(page, command->exits);
}
