/* Text that grows. */
#include "command/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/columns.h"
#include "command/command.h"

static void text_reserve(struct text *text, size_t more)
{
    if (more < text->room - text->length) return;
    size_t room = text->room ? text->room : 256;
    while (room - text->length <= more && room <= SIZE_MAX / 2) room *= 2;
    char *bytes = room - text->length > more ? realloc(text->bytes, room) : NULL;
    if (!bytes) {
        fputs("kodama: out of memory\n", stderr);
        exit(EXIT_FAILED);
    }
    text->bytes = bytes;
    text->room = room;
}

void text_add_bytes(struct text *text, const char *bytes, size_t n_bytes)
{
    text_reserve(text, n_bytes);
    if (n_bytes) memcpy(text->bytes + text->length, bytes, n_bytes);
    text->length += n_bytes;
    text->bytes[text->length] = '\0';
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_add_repeated(struct text *text, char byte, size_t times)
{
    text_reserve(text, times);
    if (times) memset(text->bytes + text->length, byte, times);
    text->length += times;
    text->bytes[text->length] = '\0';
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n_bytes = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n_bytes > 0) {
        text_reserve(text, (size_t)n_bytes);
        vsnprintf(text->bytes + text->length, (size_t)n_bytes + 1, format, arguments);
        text->length += (size_t)n_bytes;
    }
    va_end(arguments);
}

void text_add_size(struct text *text, uint64_t n_bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    double size = (double)n_bytes / 1000.0;
    size_t unit = 0;
    if (n_bytes < 1000) {
        text_printf(text, "%u bytes", (unsigned)n_bytes);
        return;
    }
    while (size >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        size /= 1000.0;
        unit++;
    }
    text_printf(text, size < 9.95 ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

void text_add_clean(struct text *text, const char *string, size_t columns)
{
    size_t n_bytes = strlen(string), used = 0;
    for (size_t i = 0; i < n_bytes;) {
        size_t wide, n = columns_character(string + i, n_bytes - i, &wide);
        if (columns > 0 && used + wide > columns) break;
        if ((unsigned char)string[i] < 0x20 || string[i] == 0x7F)
            text_add(text, "?");
        else
            text_add_bytes(text, string + i, n);
        used += wide;
        i += n;
    }
    if (used < columns) text_add_repeated(text, ' ', columns - used);
}

void text_clear(struct text *text)
{
    text->length = 0;
    if (text->bytes) text->bytes[0] = '\0';
}

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

const char *text_string(const struct text *text)
{
    return text->bytes ? text->bytes : "";
}
