/* What processes cost, and work in a process of its own so that its costs are its own. */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Nanoseconds that all threads of processes have run so far; threads that have ended excluded. */
uint64_t usage_cpu_ns(const pid_t *pids, int n_pids);

/** Proportional set size of processes, MB (10^6 bytes). */
double usage_pss_mb(const pid_t *pids, int n_pids);

/**
 * Do work in a child and wait for it.
 *
 * @param work         fills in `result`, in the child
 * @param task         handed to work
 * @param[out] result  [n_bytes], copied from the child; no pointers
 * @return whether the child came to its end with a result
 */
bool usage_run(void (*work)(const void *task, void *result), const void *task, void *result,
               size_t n_bytes);

#endif
