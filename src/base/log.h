/* Formats messages for a kodama_log handle. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <kodama/log.h>

/**
 * Send one line to a log handle.
 *
 * @param log    may be NULL, then nothing happens
 * @param level  how serious; above the handle's level nothing is formatted
 * @param format printf-style, without newline
 *
 * Thread: any but real-time. Real-time safe: no.
 */
void log_write(const struct kodama_log *log, enum kodama_log_level level, const char *format, ...)
    KODAMA_PRINTF(3, 4);

#endif
