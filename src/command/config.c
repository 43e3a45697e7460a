/* A file of settings: what a command line can say, one option a line; inih underneath. */
#include "command/config.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/output.h"
#include "command/suggest.h"
#include "command/values.h"

enum { FILE_BYTES_MAX = 65536 };

struct config_text {
    struct config_text *next;
    char bytes[];
};

void config_free(struct config *config)
{
    while (config->texts) {
        struct config_text *next = config->texts->next;
        free(config->texts);
        config->texts = next;
    }
    *config = (struct config){0};
}

#ifdef KODAMA_INIH

#include <ini.h>

/** Where reading stands. The first mistake ends it. */
struct reading {
    struct config *config;
    const struct command *command;
    struct place place;
    const char *text;
    size_t n_bytes, at;
    void *options;
    int status;
};

static const char *keep(struct reading *reading, const char *text)
{
    size_t n = strlen(text) + 1;
    struct config_text *kept = malloc(sizeof *kept + n);
    if (!kept) {
        complain(reading->command->name, "out of memory");
        reading->status = EXIT_FAILED;
        return NULL;
    }
    memcpy(kept->bytes, text, n);
    kept->next = reading->config->texts;
    reading->config->texts = kept;
    return kept->bytes;
}

static void refuse(struct reading *reading, const char *words)
{
    if (reading->status != EXIT_DONE) return;
    complain(reading->command->name, "%s:%u: %s", reading->place.file, reading->place.line, words);
    reading->status = EXIT_USAGE;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* What inih would take for something else than it says: it divides long lines, and goes on with a
 * value on a line that begins with blanks. */
static void check_line(struct reading *reading, const char *line, size_t n, bool whole)
{
    size_t blanks = 0;
    while (blanks < n && is_blank(line[blanks])) blanks++;
    if (memchr(line, '\0', n)) refuse(reading, "this is no text");
    if (!whole) refuse(reading, "the line is too long");
    bool is_empty = blanks == n || strchr("\r\n;#", line[blanks]);
    if (blanks > 0 && !is_empty) refuse(reading, "blanks are in front of this");
}

/* Hands inih line after line, and counts them. */
static char *next_line(char *line, int n_room, void *user)
{
    struct reading *reading = user;
    const char *from = reading->text + reading->at;
    size_t n_left = reading->n_bytes - reading->at;
    if (n_left == 0 || reading->status != EXIT_DONE) return NULL;
    const char *end = memchr(from, '\n', n_left);
    size_t n = end ? (size_t)(end - from) + 1 : n_left;
    bool whole = n < (size_t)n_room - 1;
    if (!whole) n = (size_t)n_room - 1;
    reading->place.line++;
    reading->at += n;
    check_line(reading, from, n, whole);
    if (reading->status != EXIT_DONE) return NULL;
    memcpy(line, from, n);
    line[n] = '\0';
    return line;
}

static const struct option_entry *find(const struct reading *reading, const char *name)
{
    const struct option_entry *entry = reading->command->options;
    for (; entry && entry->name; entry++) {
        if (!entry->not_in_file && strcmp(entry->name, name) == 0) return entry;
    }
    return NULL;
}

static int unknown_key(struct reading *reading, const char *name)
{
    struct suggestion suggestion = {.typed = name};
    const struct option_entry *entry = reading->command->options;
    for (; entry && entry->name; entry++) {
        if (!entry->not_in_file) suggest_consider(&suggestion, entry->name);
    }
    if (suggestion.nearest) {
        return value_complain(&reading->place, name, "is no setting; did you mean %s?",
                              suggestion.nearest);
    }
    return value_complain(&reading->place, name, "is no setting; `kodama %s --help` lists all",
                          reading->command->name);
}

static bool note_key(struct reading *reading, const struct option_entry *entry)
{
    struct config *config = reading->config;
    for (size_t i = 0; i < config->n_keys; i++) {
        if (config->keys[i] == entry) return entry->kind == OPTION_LIST;
    }
    if (config->n_keys == CONFIG_KEYS_MAX) return false;
    config->keys[config->n_keys++] = entry;
    return true;
}

/* inih's: 0 is an error. */
static int on_setting(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    if (reading->status != EXIT_DONE) return 0;
    const struct option_entry *entry = find(reading, name);
    if (section[0] && strcmp(section, reading->command->name) != 0) {
        reading->status =
            value_complain(&reading->place, name, "is in the section [%s]; this reads [%s] only",
                           section, reading->command->name);
    } else if (!entry) {
        reading->status = unknown_key(reading, name);
    } else if (!note_key(reading, entry)) {
        reading->status = value_complain(&reading->place, name, "is there already");
    } else if (!value[0]) {
        reading->status = value_complain(&reading->place, name, "needs a value");
    } else {
        const char *kept = keep(reading, value);
        if (kept) {
            reading->status = value_read(&reading->place, entry, kept, reading->options);
        }
    }
    return reading->status == EXIT_DONE;
}

int config_parse(struct config *config, const struct command *command, const char *path,
                 const char *text, size_t n_bytes, void *options)
{
    struct reading reading = {.config = config,
                              .command = command,
                              .place = {.command = command->name, .file = path},
                              .text = text,
                              .n_bytes = n_bytes,
                              .options = options,
                              .status = EXIT_DONE};
    int line = ini_parse_stream(next_line, &reading, on_setting, &reading);
    if (line != 0 && reading.status == EXIT_DONE) {
        if (line > 0) reading.place.line = (unsigned)line;
        refuse(&reading, "this is neither a setting (NAME = VALUE) nor a comment");
    }
    return reading.status;
}

int config_read(struct config *config, const struct command *command, const char *path,
                void *options)
{
    static const char *const too_long = "is too long for a file of settings";
    FILE *file = fopen(path, "rb");
    if (!file) {
        complain(command->name, "cannot read %s: %s", path, error_words(errno));
        return EXIT_FAILED;
    }
    char *text = malloc(FILE_BYTES_MAX + 1);
    size_t n = text ? fread(text, 1, FILE_BYTES_MAX + 1, file) : 0;
    int status = EXIT_FAILED;
    if (ferror(file) || !text) {
        complain(command->name, "cannot read %s: %s", path, error_words(errno));
    } else if (n > FILE_BYTES_MAX) {
        complain(command->name, "%s %s", path, too_long);
        status = EXIT_USAGE;
    } else {
        status = config_parse(config, command, path, text, n, options);
    }
    fclose(file);
    free(text);
    return status;
}

#else

int config_read(struct config *config, const struct command *command, const char *path,
                void *options)
{
    return config_parse(config, command, path, "", 0, options);
}

int config_parse(struct config *config, const struct command *command, const char *path,
                 const char *text, size_t n_bytes, void *options)
{
    (void)config;
    (void)text;
    (void)n_bytes;
    (void)options;
    complain(
        command->name,
        "%s: this build reads no files of settings; install libinih-dev and build Kodama again",
        path);
    return EXIT_FAILED;
}

#endif
