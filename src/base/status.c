/* Names and words of status codes, and how errors in words are made. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *kodama_version(void)
{
    return KODAMA_VERSION;
}

const char *kodama_strerror(int status)
{
    if (status > 0) return "success";
    switch (status) {
#define STATUS_TEXT(name, value, text) \
    case (value): return (text);
        KODAMA_STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
    default: return "unknown status";
    }
}

const char *kodama_status_name(int status)
{
    if (status > 0) return "KODAMA_OK";
    switch (status) {
#define STATUS_NAME(name, value, text) \
    case (value): return #name;
        KODAMA_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    default: return "KODAMA_ERR_UNKNOWN";
    }
}

/* One line only: a newline in a file name must not forge a second message. */
static void make_one_line(char *text)
{
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
    }
}

/* The names are in brackets because of what error.h has for the analyser. */
int(error_set)(struct kodama_error *error, int status, const char *format, ...)
{
    if (!error) return status;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    make_one_line(error->message);
    return status;
}

int(error_prefix)(struct kodama_error *error, int status, const char *format, ...)
{
    if (!error) return status;
    char prefix[sizeof error->message];
    char joined[2 * sizeof error->message + 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    snprintf(joined, sizeof joined, "%s: %s", prefix, error->message);
    return error_set(error, status, "%s", joined);
}

const char *error_errno(int number, char *text, size_t n_bytes)
{
#if defined(_WIN32)
    if (strerror_s(text, n_bytes, number) != 0) snprintf(text, n_bytes, "error %d", number);
#else
    /* The XSI function: _POSIX_C_SOURCE is set and _GNU_SOURCE is not, see meson.build. */
    if (strerror_r(number, text, n_bytes) != 0) snprintf(text, n_bytes, "error %d", number);
#endif
    return text;
}

int(error_set_file)(struct kodama_error *error, const char *what, const char *path, int number,
                    const char *full_hint)
{
    char words[100];
    int status = KODAMA_ERR_IO;
    const char *hint = "";
    switch (number) {
    case ENOENT:
        if (full_hint[0]) hint = ": make its folder first";
        status = KODAMA_ERR_NOT_FOUND;
        break;
    case ENOTDIR: status = KODAMA_ERR_NOT_FOUND; break;
    case EACCES:
    case EPERM:
    case EROFS: status = KODAMA_ERR_PERMISSION; break;
    case ENOMEM: status = KODAMA_ERR_MEMORY; break;
#if defined(EDQUOT)
    case EDQUOT:
#endif
    case ENOSPC:
    case EFBIG: hint = full_hint; break;
    }
    return error_set(error, status, "cannot %s %s: %s%s", what, path,
                     error_errno(number, words, sizeof words), hint);
}
