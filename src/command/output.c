/* Where text goes: a descriptor that remembers its first failure, and sentences for people. */
#include "command/output.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/command.h"
#include "command/text.h"

struct output output_standard(void)
{
    return (struct output){.fd = STDOUT_FILENO, .name = "standard output"};
}

bool output_create(struct output *output, const char *path)
{
    *output = (struct output){.name = path};
    output->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (output->fd < 0) output->error = errno;
    return output->error == 0;
}

/* A shell may share its terminal or pipe as non-blocking. */
static bool wait_writable(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    return poll(&poller, 1, -1) >= 0 || errno == EINTR;
}

bool output_write(struct output *output, const char *bytes, size_t n_bytes)
{
    if (output->error || output->fd < 0) return false;
    size_t done = 0;
    while (done < n_bytes) {
        ssize_t n = write(output->fd, bytes + done, n_bytes - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN && wait_writable(output->fd)) {
            continue;
        } else if (errno != EINTR) {
            output->error = errno;
            break;
        }
    }
    if (output->error == 0) {
        output->length += (int64_t)n_bytes;
        return true;
    }
    struct stat file;
    if (done > 0 && fstat(output->fd, &file) == 0 && S_ISREG(file.st_mode) &&
        file.st_size == (off_t)(output->length + (int64_t)done)) {
        /* Best effort: what counts is already reported. */
        if (ftruncate(output->fd, (off_t)output->length) < 0) return false;
    }
    return false;
}

bool output_close(struct output *output)
{
    if (output->fd < 0) return output->error == 0;
    if (close(output->fd) < 0 && errno != EINTR && output->error == 0) output->error = errno;
    output->fd = -1;
    return output->error == 0;
}

const char *error_words(int number)
{
    static _Thread_local char words[128];
    char native[128];
    if (strerror_r(number, native, sizeof native) != 0) native[0] = '\0';
    snprintf(words, sizeof words, "%s", native[0] ? native : "unknown error");
    /* "No such file" reads on as part of a sentence; "I/O error" stays as it is. */
    if (islower((unsigned char)words[1])) words[0] = (char)tolower((unsigned char)words[0]);
    return words;
}

void complain(const char *command, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    /* File names come from outside: they must not speak to the terminal. */
    for (char *byte = message; *byte; byte++) {
        if ((unsigned char)*byte < 0x20 || *byte == 0x7F) *byte = '?';
    }
    struct text line = {0};
    text_printf(&line, "kodama%s%s: %s\n", command ? " " : "", command ? command : "", message);
    struct output output = {.fd = STDERR_FILENO, .name = "standard error"};
    (void)output_write(&output, line.bytes, line.length);
    text_free(&line);
}

void output_claim_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        /* The other way round on purpose: using it still fails, as it should. */
        int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (opened < 0) return;
    }
}

int output_code(const char *command, const struct output *output)
{
    if (output->error == 0) return EXIT_DONE;
    if (output->error == EPIPE) return EXIT_UNREAD;
    complain(command, "cannot write to %s: %s", output->name, error_words(output->error));
    return EXIT_FAILED;
}

int output_whole(const char *command, const char *bytes, size_t n_bytes)
{
    struct output output = output_standard();
    (void)output_write(&output, bytes, n_bytes);
    return output_code(command, &output);
}
