/* Secrets from files: a token on the command line can be read by everybody on the machine. */
#include "command/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "command/output.h"

bool secret_read(const char *command, const char *path, char secret[SECRET_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, secret, SECRET_BYTES - 1) : -1;
    int number = errno;
    if (fd >= 0) close(fd);
    if (n < 0) {
        complain(command, "cannot read the token from %s: %s", path, error_words(number));
        return false;
    }
    secret[n] = '\0';
    secret[strcspn(secret, "\r\n")] = '\0';
    if (secret[0]) return true;
    complain(command, "%s is empty; its first line is to be the token", path);
    return false;
}
