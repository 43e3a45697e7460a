/* kodama record --past: sound that is remembered, and saved when somebody asks for it. */
#ifndef COMMAND_PAST_H
#define COMMAND_PAST_H

#include <kodama/recorder.h>
#include <kodama/source.h>

#include "command/progress.h"

struct past_config {
    struct kodama_recorder_config recorder; /**< how files are written; its path and places are set
                                                 here */
    const char *path;                       /**< of the first file; NULL: named by date and time */
    const char *extension;                  /**< of files without such a path */
    double past_s;                          /**< how much is remembered */
    double duration_s;                      /**< end after so much; 0: never */
    bool json;                              /**< one line of JSON for each file */
};

/**
 * Remember, and save on SIGUSR2 or the key `s`, until the input ends or a signal comes.
 *
 * @param source    taken
 * @param progress  open; closed at the end
 * @return an exit code; complains
 */
int past_record(struct kodama_source *source, const struct past_config *config,
                struct progress *progress);

/** "recording-20260131-235959.wav", or the first such name that is free. Free it; NULL: no memory.
 */
char *past_free_name(const char *extension);

#endif
