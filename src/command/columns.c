#define _GNU_SOURCE
/* How wide UTF-8 text is on a terminal (wcwidth in the current locale), and where a line ends. */
#include "command/columns.h"

#include <stdint.h>
#include <wchar.h>

/* Bytes of a well-formed sequence as its first byte says, 0 for none. */
static size_t sequence_bytes(unsigned char first)
{
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first < 0xE0) return 2;
    if (first >= 0xE0 && first < 0xF0) return 3;
    if (first >= 0xF0 && first < 0xF5) return 4;
    return 0;
}

size_t columns_character(const char *text, size_t n_bytes, size_t *columns)
{
    static const unsigned char first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned char first = (unsigned char)text[0];
    size_t n = sequence_bytes(first);
    if (columns) *columns = 1;
    if (n == 0 || n > n_bytes) return 1;
    uint32_t code = first & first_bits[n];
    for (size_t i = 1; i < n; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte & 0xC0) != 0x80) return 1;
        code = code << 6 | (byte & 0x3F);
    }
    int width = wcwidth((wchar_t)code);
    if (columns && width >= 0) *columns = (size_t)width;
    return n;
}

size_t columns_of(const char *text, size_t n_bytes)
{
    size_t sum = 0, columns;
    for (size_t i = 0; i < n_bytes; sum += columns) {
        i += columns_character(text + i, n_bytes - i, &columns);
    }
    return sum;
}

size_t columns_line(const char *text, size_t n_bytes, size_t width, size_t *next)
{
    size_t used = 0, space = 0, i = 0;
    while (i < n_bytes) {
        size_t columns, n = columns_character(text + i, n_bytes - i, &columns);
        if (text[i] == ' ') space = i;
        if (used + columns > width && !(text[i] == ' ')) break;
        used += columns;
        i += n;
    }
    size_t end = i;
    if (i < n_bytes) {
        if (space > 0)
            end = space;
        else if (end == 0)
            end = columns_character(text, n_bytes, NULL);
    }
    size_t begin = end;
    while (end > 0 && text[end - 1] == ' ') end--;
    while (begin < n_bytes && text[begin] == ' ') begin++;
    *next = begin;
    return end;
}
