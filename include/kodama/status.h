/* What went wrong: one list of status codes shared by C, Python and JavaScript, and errors in
 * words. */
#ifndef KODAMA_STATUS_H
#define KODAMA_STATUS_H

#include <stddef.h>

#include <kodama/api.h>

/**
 * Every status the library can return. Results are `>= 0`, errors are negative.
 * Numbers are part of the ABI: append, never renumber.
 */
#define KODAMA_STATUS_LIST(X)                                                        \
    X(KODAMA_OK, 0, "success")                                                       \
    X(KODAMA_ERR_ARGUMENT, -1, "invalid argument")                                   \
    X(KODAMA_ERR_MEMORY, -2, "out of memory")                                        \
    X(KODAMA_ERR_FULL, -3, "no space: a lossless reader is behind")                  \
    X(KODAMA_ERR_EMPTY, -4, "nothing to read yet")                                   \
    X(KODAMA_ERR_TIMEOUT, -5, "the time limit passed")                               \
    X(KODAMA_ERR_CLOSED, -6, "closed: no more data will come")                       \
    X(KODAMA_ERR_LAPPED, -7, "the data was overwritten while it was in use")         \
    X(KODAMA_ERR_LIVE, -8, "a live source cannot be held back by a lossless reader") \
    X(KODAMA_ERR_BUSY, -9, "in use by somebody else")                                \
    X(KODAMA_ERR_LIMIT, -10, "a limit was reached")                                  \
    X(KODAMA_ERR_FORMAT, -11, "unsupported or mismatched audio format")              \
    X(KODAMA_ERR_UNSUPPORTED, -12, "not supported here")                             \
    X(KODAMA_ERR_NOT_FOUND, -13, "not found")                                        \
    X(KODAMA_ERR_PERMISSION, -14, "permission denied")                               \
    X(KODAMA_ERR_IO, -15, "input or output failed")                                  \
    X(KODAMA_ERR_CORRUPT, -16, "damaged or truncated data")                          \
    X(KODAMA_ERR_STATE, -17, "not possible in this state")                           \
    X(KODAMA_ERR_SYSTEM, -18, "the operating system refused")                        \
    X(KODAMA_ERR_ENGINE, -19, "a recognition or model engine failed")                \
    X(KODAMA_ERR_CANCELLED, -20, "cancelled")

enum kodama_status {
#define KODAMA_STATUS_ENUM(name, value, text) name = (value),
    KODAMA_STATUS_LIST(KODAMA_STATUS_ENUM)
#undef KODAMA_STATUS_ENUM
};

/** An error in words, for a person: what was tried, what happened, what to do. */
struct kodama_error {
    int status;        /**< a KODAMA_ERR_*, or KODAMA_OK when nothing was reported */
    char message[500]; /**< NUL-terminated, one line, no trailing newline */
};

/**
 * Describe a status code.
 *
 * @param status  any value returned by this library
 * @return a static English sentence fragment; "success" for every value >= 0, "unknown status" for
 * a foreign one
 *
 * Thread: any. Real-time safe: yes.
 */
KODAMA_API const char *kodama_strerror(int status);

/**
 * Name a status code, for logs and machine-readable output.
 *
 * @param status  any value returned by this library
 * @return its identifier, such as "KODAMA_ERR_FULL"; "KODAMA_ERR_UNKNOWN" for a foreign one
 *
 * Thread: any. Real-time safe: yes.
 */
KODAMA_API const char *kodama_status_name(int status);

#endif
