/* Where text goes: a descriptor that remembers its first failure, and sentences for people. */
#ifndef COMMAND_OUTPUT_H
#define COMMAND_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>

struct output {
    int fd;           /**< -1: none */
    const char *name; /**< for messages (borrowed) */
    int error;        /**< errno of the first failure, 0: none; nothing is written after it */
    int64_t length;   /**< bytes written so far */
};

/** Standard output. */
struct output output_standard(void);

/** Create or empty a file. False: output->error says why. */
bool output_create(struct output *output, const char *path);

/**
 * Write all of it, in one system call as a rule. When a file takes only a part (full disk), that
 * part is taken back, so that the file ends where it was still well formed.
 *
 * @return false once something failed
 */
bool output_write(struct output *output, const char *bytes, size_t n_bytes);

/** Close a file that was created. False: what was written may not be on disk; output->error says
 * why. */
bool output_close(struct output *output);

/** Say on standard error what went wrong: "kodama listen: SENTENCE". @param command may be NULL */
void complain(const char *command, const char *format, ...) KODAMA_PRINTF(2, 3);

/** Words for an errno value, in small letters: "no space left on device". Static buffer per
 * thread. */
const char *error_words(int number);

/** Make sure that descriptors 0, 1 and 2 are open, so that no file takes their place. A missing
 * output stays unusable. */
void output_claim_standard(void);

/** The exit code for how writing went; complains of a failure, but not of a reader that has gone.
 */
int output_code(const char *command, const struct output *output);

/** Write a command's whole output; complains. @return an exit code */
int output_whole(const char *command, const char *bytes, size_t n_bytes);

#endif
