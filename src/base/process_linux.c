/* Processes on Linux: /proc. */
#include "base/process.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than any real tree is deep; ends a walk through one that changes meanwhile. */
enum { DEPTH_MAX = 64 };

/* The fields of /proc/PID/stat that follow the name, which may hold anything: see proc(5). */
static bool parse_stat(char *text, struct process *process)
{
    char *name = strchr(text, '('), *end = strrchr(text, ')');
    if (!name || !end || end < name || end[1] != ' ') return false;
    *end = '\0';
    snprintf(process->name, sizeof process->name, "%s", name + 1);
    char state = end[2];
    if (state == 'Z' || state == 'X') return false;
    char *field = end + 3; /* before field 4, the parent */
    process->parent = (uint32_t)strtoul(field, &field, 10);
    for (int i = 5; i < 22; i++) (void)strtoll(field, &field, 10);
    process->start = strtoull(field, &field, 10); /* field 22, starttime */
    return true;
}

static bool read_stat(uint32_t pid, struct process *process)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%" PRIu32 "/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return false;
    text[n] = '\0';
    return parse_stat(text, process);
}

bool process_read(uint32_t pid, struct process *process)
{
    *process = (struct process){.pid = pid};
    if (pid == 0 || !read_stat(pid, process)) return false;
    char link[64];
    snprintf(link, sizeof link, "/proc/%" PRIu32 "/exe", pid);
    ssize_t n = readlink(link, process->path, sizeof process->path - 1);
    if (n <= 0) return true; /* somebody else's process, or the kernel's */
    process->path[n] = '\0';
    /* A program that was replaced while it runs, as updates do. */
    static const char deleted[] = " (deleted)";
    size_t length = (size_t)n, tail = sizeof deleted - 1;
    if (length > tail && strcmp(process->path + length - tail, deleted) == 0) {
        process->path[length - tail] = '\0';
    }
    const char *slash = strrchr(process->path, '/');
    if (slash && slash[1]) snprintf(process->name, sizeof process->name, "%.63s", slash + 1);
    return true;
}

size_t process_ancestors(uint32_t pid, uint32_t *ancestors, size_t max)
{
    struct process process;
    size_t n = 0;
    while (n < max && process_read(pid, &process) && process.parent != 0) {
        pid = ancestors[n++] = process.parent;
    }
    return n;
}

bool process_is_within(uint32_t pid, uint32_t ancestor)
{
    uint32_t ancestors[DEPTH_MAX];
    if (pid == 0 || ancestor == 0) return false;
    if (pid == ancestor) return true;
    size_t n = process_ancestors(pid, ancestors, DEPTH_MAX);
    for (size_t i = 0; i < n; i++) {
        if (ancestors[i] == ancestor) return true;
    }
    return false;
}

/* Bytes of the folder in a path, without the last slash. */
static size_t folder_bytes(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

/* A folder in which unrelated programs live side by side. */
static bool is_everybodys(const char *path, size_t n)
{
    return (n >= 4 && memcmp(path + n - 4, "/bin", 4) == 0) ||
           (n >= 5 && memcmp(path + n - 5, "/sbin", 5) == 0) || n == 0;
}

bool process_is_family(const struct process *a, const struct process *b)
{
    if (!a->path[0] || !b->path[0]) return strcmp(a->name, b->name) == 0;
    if (strcmp(a->path, b->path) == 0) return true;
    size_t n = folder_bytes(a->path);
    return n == folder_bytes(b->path) && memcmp(a->path, b->path, n) == 0 &&
           !is_everybodys(a->path, n);
}

bool process_family_root(uint32_t pid, struct process *root)
{
    if (!process_read(pid, root)) return false;
    for (int depth = 0; depth < DEPTH_MAX && root->parent > 1; depth++) {
        struct process parent;
        if (!process_read(root->parent, &parent) || !process_is_family(root, &parent)) break;
        *root = parent;
    }
    return true;
}
