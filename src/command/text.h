/* Text that grows: what is put together before it is written at once. */
#ifndef COMMAND_TEXT_H
#define COMMAND_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>

/** Starts as {0}. When memory is out the program ends with a sentence. */
struct text {
    char *bytes; /**< NUL-terminated once something was added; may be NULL before */
    size_t length;
    size_t room;
};

void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const char *bytes, size_t n_bytes);
void text_add_repeated(struct text *text, char byte, size_t times);
void text_printf(struct text *text, const char *format, ...) KODAMA_PRINTF(2, 3);

/** Bytes for a person: "512 bytes", "1.2 MB". */
void text_add_size(struct text *text, uint64_t n_bytes);

/** Text from outside, so that it does not speak to the terminal: control characters become `?`. Cut
 * to so many columns, and filled up with spaces to them; 0: as it is. */
void text_add_clean(struct text *text, const char *string, size_t columns);

/** Forget the content, keep the memory. */
void text_clear(struct text *text);
void text_free(struct text *text);

/** The content, "" when there is none. */
const char *text_string(const struct text *text);

#endif
