/* Single keys from the terminal, without Return. */
#ifndef COMMAND_KEYS_H
#define COMMAND_KEYS_H

#include <stdbool.h>

/** Begin to read keys, if standard input is a terminal and this program is in its foreground. Call
 * it again when the program was suspended. @return whether there are keys to read */
bool keys_open(void);

/** Readable when a key was pressed; -1: there are none. */
int keys_descriptor(void);

/** The key that was pressed; 0: none. */
char keys_read(void);

/** The terminal is as it was before. May be called on another thread, and twice. */
void keys_close(void);

/** The same and the screen's part, for interrupt_open(). @param screen  a struct screen */
void keys_restore(void *screen, bool for_good);

#endif
