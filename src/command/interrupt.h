/*
 * Signals, turned into something a loop can wait for. The first request to end (SIGINT, SIGTERM,
 * SIGHUP) is remembered and wakes the loop, so that it can finish what was heard; the second ends
 * the program at once.
 */
#ifndef COMMAND_INTERRUPT_H
#define COMMAND_INTERRUPT_H

#include <stdbool.h>

/**
 * Begin to take signals; before any other thread is started.
 *
 * @param restore  may be NULL; called on another thread just before the program is ended (for good)
 * or suspended by a signal: puts the terminal in order
 * @return false when the system has no thread or pipe left (then signals act as usual)
 */
bool interrupt_open(void (*restore)(void *user, bool for_good), void *user);

/** Call it before interrupt_open(): SIGUSR1 (pause) and SIGUSR2 (save) are counted. */
void interrupt_take_orders(void);

/** How many SIGUSR1 and SIGUSR2 came. */
unsigned interrupt_pauses(void);
unsigned interrupt_saves(void);

/** Call it before interrupt_open(): SIGHUP does not end the program, but is counted. */
void interrupt_take_reloads(void);

/** How many SIGHUP came. */
unsigned interrupt_reloads(void);

/** Write out what was printed; signals act as usual again, or not at all after one that asked to
 * end. */
void interrupt_close(void);

/** Say that from now on the first request is waited for; before, it ends the program. */
void interrupt_arm(void);

/** The signal that asks to end, 0: none so far. */
int interrupt_signal(void);

/** Readable when a signal came or the terminal changed its size; -1: none. Take it with
 * interrupt_acknowledge(). */
int interrupt_descriptor(void);
void interrupt_acknowledge(void);

#endif
