/* What processes cost: read from the kernel, to the nanosecond, for all of their threads. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "usage.h"

static uint64_t thread_cpu_ns(pid_t pid, const char *thread)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, thread);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    uint64_t ns = 0;
    if (fscanf(file, "%" SCNu64, &ns) != 1) ns = 0;
    fclose(file);
    return ns;
}

uint64_t usage_cpu_ns(const pid_t *pids, int n_pids)
{
    uint64_t sum = 0;
    for (int i = 0; i < n_pids; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/task", (int)pids[i]);
        DIR *folder = opendir(path);
        if (!folder) continue;
        for (struct dirent *entry; (entry = readdir(folder));) {
            if (entry->d_name[0] != '.') sum += thread_cpu_ns(pids[i], entry->d_name);
        }
        closedir(folder);
    }
    return sum;
}

double usage_pss_mb(const pid_t *pids, int n_pids)
{
    double sum = 0.0;
    for (int i = 0; i < n_pids; i++) {
        char path[64], line[200];
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pids[i]);
        FILE *file = fopen(path, "r");
        if (!file) continue;
        unsigned long kib;
        while (fgets(line, sizeof line, file)) {
            if (sscanf(line, "Pss: %lu kB", &kib) == 1) sum += (double)kib * 1024.0 * 1e-6;
        }
        fclose(file);
    }
    return sum;
}

bool usage_run(void (*work)(const void *task, void *result), const void *task, void *result,
               size_t n_bytes)
{
    int ends[2];
    if (pipe(ends) < 0) return false;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        work(task, result);
        _exit(write(ends[1], result, n_bytes) == (ssize_t)n_bytes ? 0 : 1);
    }
    close(ends[1]);
    bool whole = child > 0 && read(ends[0], result, n_bytes) == (ssize_t)n_bytes;
    close(ends[0]);
    if (child > 0) waitpid(child, NULL, 0);
    return whole;
}
