/* Single keys from the terminal, without Return. */
#include "command/keys.h"

#include <poll.h>
#include <stdatomic.h>
#include <termios.h>
#include <unistd.h>

#include "command/screen.h"

/* There is one terminal per process, hence one of these. */
static struct {
    struct termios before;
    _Atomic bool known; /* `before` is set, and not restored */
} terminal;

bool keys_open(void)
{
    struct termios now;
    if (atomic_load(&terminal.known)) return true;
    /* Changing the terminal in the background would stop the program. */
    if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp()) return false;
    if (tcgetattr(STDIN_FILENO, &now) < 0) return false;
    terminal.before = now;
    atomic_store(&terminal.known, true);
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    return tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0;
}

int keys_descriptor(void)
{
    return atomic_load(&terminal.known) ? STDIN_FILENO : -1;
}

char keys_read(void)
{
    struct pollfd poller = {.fd = keys_descriptor(), .events = POLLIN};
    char key;
    if (poller.fd < 0 || poll(&poller, 1, 0) <= 0) return 0;
    if (read(STDIN_FILENO, &key, 1) == 1) return key;
    keys_close(); /* it has hung up */
    return 0;
}

void keys_close(void)
{
    if (atomic_exchange(&terminal.known, false)) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
    }
}

void keys_restore(void *screen, bool for_good)
{
    keys_close();
    screen_restore(screen, for_good);
}
