/* The marks of a recording: gaps are counted, and all is listed in a file where asked for. */
#define _GNU_SOURCE
#include "stream/recorder_marks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "stream/recorder_file.h"

enum { MARKS_AT_FIRST = 64 };

static int create_list(struct recorder_marks *marks, const char *path, bool overwrite,
                       struct kodama_error *error)
{
    size_t n_bytes = strlen(path) + sizeof ".jsonl";
    marks->path = memory_array(n_bytes, 1);
    if (!marks->path) return error_set(error, KODAMA_ERR_MEMORY, "no memory to record %s", path);
    snprintf(marks->path, n_bytes, "%s.jsonl", path);
    struct stat about;
    if (overwrite && stat(marks->path, &about) == 0 && !S_ISREG(about.st_mode)) {
        return error_set(error, KODAMA_ERR_UNSUPPORTED, "cannot write %s: it is no regular file",
                         marks->path);
    }
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL);
    marks->descriptor = open(marks->path, flags, 0666);
    if (marks->descriptor >= 0) return KODAMA_OK;
    return recorder_file_error("write", marks->path, errno, error);
}

int recorder_marks_open(struct recorder_marks *marks, const struct kodama_ring *ring,
                        const char *path, bool overwrite, const struct kodama_log *log,
                        struct kodama_error *error)
{
    *marks = (struct recorder_marks){
        .ring = ring,
        .log = log,
        .descriptor = -1,
        .room = MARKS_AT_FIRST,
        .found = memory_array(MARKS_AT_FIRST, sizeof *marks->found),
    };
    if (!marks->found) return error_set(error, KODAMA_ERR_MEMORY, "no memory for marks");
    return path ? create_list(marks, path, overwrite, error) : KODAMA_OK;
}

void recorder_marks_close(struct recorder_marks *marks)
{
    if (marks->descriptor >= 0) close(marks->descriptor);
    marks->descriptor = -1;
    free(marks->path);
    free(marks->found);
    marks->path = NULL;
    marks->found = NULL;
}

/* A line that does not fit on the disk ends the list, not the recording. */
static void write_line(struct recorder_marks *marks, const char *line, size_t n_bytes)
{
    ssize_t n;
    do {
        n = write(marks->descriptor, line, n_bytes);
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)n_bytes) return;
    struct kodama_error error;
    recorder_file_error("write", marks->path, n < 0 ? errno : ENOSPC, &error);
    log_write(marks->log, KODAMA_LOG_WARNING, "%s; the list of marks ends here", error.message);
    close(marks->descriptor);
    marks->descriptor = -1;
}

void recorder_marks_event(struct recorder_marks *marks, const char *event, uint64_t position,
                          uint64_t frame, const char *more, ...)
{
    char line[512];
    if (marks->descriptor < 0) return;
    int n = snprintf(line, sizeof line,
                     "{\"event\": \"%s\", \"position\": %" PRIu64 ", \"frame\": %" PRIu64, event,
                     position, frame);
    va_list arguments;
    va_start(arguments, more);
    n += vsnprintf(line + n, sizeof line - (size_t)n, more, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n + 3 > sizeof line) return; /* no event is that long */
    n += snprintf(line + n, sizeof line - (size_t)n, "}\n");
    write_line(marks, line, (size_t)n);
}

void recorder_marks_file(struct recorder_marks *marks, uint64_t position, uint64_t frame,
                         const char *path)
{
    if (marks->descriptor < 0) return;
    size_t room = 6 * strlen(path) + 128; /* a byte becomes six at the most */
    char *line = memory_array(room, 1);
    if (!line) return;
    int head = snprintf(line, room,
                        "{\"event\": \"file\", \"position\": %" PRIu64 ", \"frame\": %" PRIu64
                        ", \"path\": \"",
                        position, frame);
    size_t n = (size_t)head;
    for (const char *c = path; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte < 0x20) {
            n += (size_t)snprintf(line + n, room - n, "\\u%04x", byte);
            continue;
        }
        if (byte == '"' || byte == '\\') line[n++] = '\\';
        line[n++] = *c;
    }
    n += (size_t)snprintf(line + n, room - n, "\"}\n");
    write_line(marks, line, n);
    free(line);
}

static void tell(struct recorder_marks *marks, const struct kodama_mark *mark, uint64_t frame)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {
        {KODAMA_MARK_GAP, "\"gap\""},
        {KODAMA_MARK_SILENT, "\"silent\""},
        {KODAMA_MARK_CLOCK, "\"clock\""},
        {KODAMA_MARK_TIME, "\"time\""},
    };
    char flags[64] = "";
    size_t n = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!(mark->flags & names[i].flag)) continue;
        n +=
            (size_t)snprintf(flags + n, sizeof flags - n, "%s%s", n > 0 ? ", " : "", names[i].name);
    }
    recorder_marks_event(marks, "mark", mark->position, frame,
                         ", \"length\": %" PRIu64 ", \"time_ns\": %" PRIu64 ", \"flags\": [%s]",
                         mark->length, mark->time_ns, flags);
}

/* All marks about some frames; fewer when memory is out. */
static size_t find(struct recorder_marks *marks, uint64_t first, uint64_t n_frames,
                   uint64_t *n_lost)
{
    for (;;) {
        int n = kodama_ring_marks(marks->ring, first, n_frames, marks->found, marks->room, n_lost);
        if (n <= 0) return 0;
        if ((size_t)n <= marks->room) return (size_t)n;
        size_t room = 2 * (size_t)n;
        struct kodama_mark *more = memory_resize(marks->found, room, sizeof *more);
        if (!more) return marks->room;
        marks->found = more;
        marks->room = room;
    }
}

uint64_t recorder_marks_scan(struct recorder_marks *marks, uint64_t first, uint64_t n_frames,
                             uint64_t frame)
{
    uint64_t n_lost, end = first + n_frames, gap_frames = 0;
    size_t n = find(marks, first, n_frames, &n_lost);
    if (n_lost > 0) {
        recorder_marks_event(marks, "unknown", first, frame, ", \"length\": %" PRIu64, n_frames);
    }
    for (size_t i = 0; i < n; i++) {
        const struct kodama_mark *mark = &marks->found[i];
        uint64_t from = mark->position > first ? mark->position : first;
        if (mark->position >= marks->told_until) tell(marks, mark, frame + (from - first));
        if (!(mark->flags & KODAMA_MARK_GAP)) continue;
        /* Gaps may overlap; a frame counts once. */
        uint64_t until = mark->length < end - mark->position ? mark->position + mark->length : end;
        if (from < marks->counted_until) from = marks->counted_until;
        if (until <= from) continue;
        gap_frames += until - from;
        marks->counted_until = until;
    }
    marks->told_until = end;
    return gap_frames;
}
