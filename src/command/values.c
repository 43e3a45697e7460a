/* Reads the values of options, wherever they were written. */
#include "command/values.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/output.h"
#include "command/suggest.h"
#include "command/text.h"

int value_complain(const struct place *place, const char *name, const char *format, ...)
{
    char words[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    if (place->file) {
        complain(place->command, "%s:%u: %s %s", place->file, place->line, name, words);
    } else {
        complain(place->command, "--%s %s", name, words);
    }
    return EXIT_USAGE;
}

static int wrong_choice(const struct place *place, const struct option_entry *entry,
                        const char *text)
{
    struct text names = {0};
    struct suggestion suggestion = {.typed = text};
    for (size_t i = 0; entry->choice(i); i++) {
        text_printf(&names, "%s%s", i ? ", " : "", entry->choice(i));
        suggest_consider(&suggestion, entry->choice(i));
    }
    if (suggestion.nearest) {
        value_complain(place, entry->name, "cannot be \"%s\"; did you mean %s? It can be: %s", text,
                       suggestion.nearest, names.bytes);
    } else {
        value_complain(place, entry->name, "cannot be \"%s\"; it can be: %s", text,
                       names.length ? names.bytes : "nothing in this build");
    }
    text_free(&names);
    return EXIT_USAGE;
}

static int read_choice(const struct place *place, const struct option_entry *entry,
                       const char *text, void *value)
{
    for (size_t i = 0; entry->choice(i); i++) {
        if (strcmp(entry->choice(i), text) == 0) {
            *(const char **)value = entry->choice(i);
            return EXIT_DONE;
        }
    }
    return wrong_choice(place, entry, text);
}

static int read_number(const struct place *place, const struct option_entry *entry,
                       const char *text, void *value)
{
    bool whole = entry->kind == OPTION_COUNT;
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    bool valid = end != text && *end == '\0' && errno == 0 && isfinite(number) &&
                 number >= entry->least && number <= entry->most &&
                 (!whole || number == floor(number));
    if (!valid) {
        return value_complain(place, entry->name,
                              "cannot be \"%s\"; it takes a %snumber from %g to %.10g", text,
                              whole ? "whole " : "", entry->least, entry->most);
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

static int read_time(const struct place *place, const struct option_entry *entry, const char *text,
                     void *value)
{
    double seconds;
    if (!parse_time(text, &seconds) || seconds < entry->least || seconds > entry->most) {
        return value_complain(
            place, entry->name,
            "cannot be \"%s\"; it takes seconds or [H:]M:SS, from %g to %.10g seconds", text,
            entry->least, entry->most);
    }
    *(double *)value = seconds;
    return EXIT_DONE;
}

static int read_list(const struct place *place, const struct option_entry *entry, const char *text,
                     void *value)
{
    struct option_list *list = value;
    if (list->n == OPTION_LIST_MAX) {
        return value_complain(place, entry->name, "was given more than %d times", OPTION_LIST_MAX);
    }
    list->values[list->n++] = text;
    return EXIT_DONE;
}

/* A switch stands alone on a command line, and has a value in a file. */
static int read_switch(const struct place *place, const struct option_entry *entry,
                       const char *text, void *value)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    bool given = !place->file;
    if (place->file) {
        size_t i = 0;
        while (i < sizeof words / sizeof words[0] && strcmp(words[i], text) != 0) i++;
        if (i == sizeof words / sizeof words[0]) {
            return value_complain(place, entry->name, "cannot be \"%s\"; it can be: yes, no", text);
        }
        given = i % 2 == 1;
    }
    *(bool *)value = entry->kind == OPTION_OFF ? !given : given;
    return EXIT_DONE;
}

int value_read(const struct place *place, const struct option_entry *entry, const char *text,
               void *options)
{
    void *value = (char *)options + entry->offset;
    switch (entry->kind) {
    case OPTION_ON:
    case OPTION_OFF: return read_switch(place, entry, text, value);
    case OPTION_TEXT: *(const char **)value = text; return EXIT_DONE;
    case OPTION_CHOICE: return read_choice(place, entry, text, value);
    case OPTION_COUNT:
    case OPTION_REAL: return read_number(place, entry, text, value);
    case OPTION_TIME: return read_time(place, entry, text, value);
    case OPTION_LIST: return read_list(place, entry, text, value);
    }
    return EXIT_USAGE;
}
