/* Log handles: where an object sends what a person may want to read. There is no global log. */
#ifndef KODAMA_LOG_H
#define KODAMA_LOG_H

#include <kodama/api.h>

enum kodama_log_level {
    KODAMA_LOG_ERROR = 1,
    KODAMA_LOG_WARNING,
    KODAMA_LOG_INFO,
    KODAMA_LOG_DEBUG,
};

/**
 * A place for messages, given to objects in their configuration and borrowed for their life.
 * A NULL handle, or one without `write`, is silent. Real-time threads never log.
 */
struct kodama_log {
    /** Called with one line without newline, from any thread but a real-time one, possibly
     * concurrently. */
    void (*write)(void *user, enum kodama_log_level level, const char *line);
    void *user;                  /**< handed to `write` */
    enum kodama_log_level level; /**< messages above this level are not formatted */
};

#endif
