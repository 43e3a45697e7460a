/* Processes: who started whom, and which of them run the same program. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One process; a snapshot. */
struct process {
    uint32_t pid, parent;
    uint64_t start; /**< when it was started, in the system's own unit: tells a pid used again */
    char name[64];  /**< file name of its program; what the kernel calls it where that is secret */
    char path[512]; /**< its program, "" where that is secret */
};

/** Look a process up; false when there is none, or it has ended and waits to be reaped.
 *  Thread: any. Real-time safe: no. */
bool process_read(uint32_t pid, struct process *process);

/** Whether a process is `ancestor` or was started by it, directly or not. Thread: any. Real-time
 * safe: no. */
bool process_is_within(uint32_t pid, uint32_t ancestor);

/** The processes that a process comes from: its parent, whose parent and so on.
 *
 * @param pid             any process
 * @param[out] ancestors  up to `max` of them
 * @return how many were found; 0 also when there is no such process
 *
 * Thread: any. Real-time safe: no.
 */
size_t process_ancestors(uint32_t pid, uint32_t *ancestors, size_t max);

/**
 * Find the main process of a program that runs as several: the oldest ancestor in a row that runs
 * the same program, or another one of the same folder (unless that is a folder for everybody's
 * programs, such as /usr/bin).
 *
 * @param pid        any process
 * @param[out] root  that process; `pid` itself when its parent runs something else
 * @return false when there is no such process
 *
 * Thread: any. Real-time safe: no.
 */
bool process_family_root(uint32_t pid, struct process *root);

/** The same, for two processes: whether they run one program. */
bool process_is_family(const struct process *a, const struct process *b);

#endif
