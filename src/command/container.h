/* What kind of file a sound is in, as its first bytes say. */
#ifndef COMMAND_CONTAINER_H
#define COMMAND_CONTAINER_H

#include <stdint.h>

struct container {
    const char *name;  /**< "WAV", "Ogg", ...; NULL: not known */
    const char *codec; /**< "PCM", "Opus", ...; NULL: not known */
    int64_t n_bytes;   /**< of the file; -1: not known (a pipe) */
};

/** Look at a file. A pipe is not looked at: its bytes can be read only once. */
struct container container_of_file(const char *path);

#endif
