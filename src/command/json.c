/* What subcommands print with --json: one object a line. */
#include "command/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/columns.h"
#include "command/command.h"
#include "command/output.h"
#include "command/text.h"

/* Digits that hold what was rounded and hide what binary fractions add. */
enum { REAL_DIGITS = 12 };

json_t *json_words(const char *text)
{
    json_t *value = json_string(text);
    if (value) return value;
    struct text words = {0};
    size_t length = strlen(text);
    for (size_t i = 0; i < length;) {
        size_t n = columns_character(text + i, length - i, NULL);
        json_t *one = json_stringn(text + i, n);
        text_add_bytes(&words, one ? text + i : "?", one ? n : 1);
        json_decref(one);
        i += n;
    }
    value = json_string(text_string(&words));
    text_free(&words);
    return value;
}

json_t *json_rounded(double value, int decimals)
{
    double scale = pow(10.0, decimals);
    return isfinite(value) ? json_real(round(value * scale) / scale) : json_null();
}

int json_print(const char *command, int fd, json_t *object)
{
    char *words = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    struct text line = {0};
    json_decref(object);
    if (!words) {
        complain(command, "out of memory");
        return EXIT_FAILED;
    }
    text_printf(&line, "%s\n", words);
    struct output output = {.fd = fd, .name = fd == STDOUT_FILENO ? "standard output" : "output"};
    (void)output_write(&output, line.bytes, line.length);
    int code = output_code(command, &output);
    text_free(&line);
    free(words);
    return code;
}
