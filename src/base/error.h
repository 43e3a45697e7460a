/* Fills a kodama_error: how an error in words is made. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <kodama/status.h>

/**
 * Report an error in words.
 *
 * @param[out] error  may be NULL; the message is cut to its room
 * @param status      a KODAMA_ERR_*
 * @param format      printf-style: what was tried, what happened, what to do
 * @return status, so that a failing function can end with `return error_set(...)`
 *
 * Thread: any. Real-time safe: no.
 */
int error_set(struct kodama_error *error, int status, const char *format, ...) KODAMA_PRINTF(3, 4);

/**
 * Put what was being done in front of a message that is already there: "PREFIX: message".
 *
 * @param[in,out] error  may be NULL
 * @param status         returned
 * @param format         printf-style prefix
 * @return status
 *
 * Thread: any. Real-time safe: no.
 */
int error_prefix(struct kodama_error *error, int status, const char *format, ...)
    KODAMA_PRINTF(3, 4);

/**
 * The words for an errno value, thread-safe.
 *
 * @param number     an errno value
 * @param[out] text  room for the words
 * @param n_bytes    size of text
 * @return text
 *
 * Thread: any. Real-time safe: no.
 */
const char *error_errno(int number, char *text, size_t n_bytes);

/**
 * Report that something failed with a file: "cannot WHAT PATH: words", with what to do where that
 * is known.
 *
 * @param[out] error  may be NULL
 * @param what        what was tried, such as "write"
 * @param path        the file, as the caller named it
 * @param number      the errno value
 * @param full_hint   what to say when the disk is full, beginning with ": "; "" where nothing was
 *                    to be written: then nobody is told to make a folder, either
 * @return KODAMA_ERR_NOT_FOUND, _PERMISSION, _MEMORY or _IO
 *
 * Thread: any. Real-time safe: no.
 */
int error_set_file(struct kodama_error *error, const char *what, const char *path, int number,
                   const char *full_hint);

/* The analyser does not see into other files: it would go on as if an error were none. */
#ifdef __clang_analyzer__
#define error_set(error, status, ...) (error_set(error, status, __VA_ARGS__), (status))
#define error_prefix(error, status, ...) (error_prefix(error, status, __VA_ARGS__), (status))
#define error_set_file(error, what, ...) (error_set_file(error, what, __VA_ARGS__), KODAMA_ERR_IO)
#endif

#endif
