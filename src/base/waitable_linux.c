/* Waitables on Linux: eventfd(2). */
#define _GNU_SOURCE /* ppoll */
#include "base/waitable.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

int waitable_create(struct kodama_waitable *waitable)
{
    waitable->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return waitable->fd < 0 ? KODAMA_ERR_SYSTEM : KODAMA_OK;
}

void waitable_destroy(struct kodama_waitable waitable)
{
    if (waitable.fd >= 0) close(waitable.fd);
}

void waitable_signal(struct kodama_waitable waitable)
{
    uint64_t one = 1;
    /* EAGAIN means that the counter is at its limit, and so signalled. */
    ssize_t ignored = write(waitable.fd, &one, sizeof one);
    (void)ignored;
}

void waitable_clear(struct kodama_waitable waitable)
{
    uint64_t count;
    /* EAGAIN means that it was not signalled. */
    ssize_t ignored = read(waitable.fd, &count, sizeof count);
    (void)ignored;
}

int kodama_waitable_wait(struct kodama_waitable waitable, int64_t timeout_ns)
{
    if (waitable.fd < 0) return KODAMA_ERR_ARGUMENT;
    uint64_t deadline = clock_deadline(timeout_ns);
    struct pollfd entry = {.fd = waitable.fd, .events = POLLIN};
    for (;;) {
        uint64_t now = clock_now_ns();
        uint64_t left = deadline > now ? deadline - now : 0;
        struct timespec limit = {.tv_sec = (time_t)(left / CLOCK_NS_PER_S),
                                 .tv_nsec = (long)(left % CLOCK_NS_PER_S)};
        int result = ppoll(&entry, 1, deadline == CLOCK_NEVER ? NULL : &limit, NULL);
        if (result > 0) return KODAMA_OK;
        if (result == 0) return KODAMA_ERR_TIMEOUT;
        if (errno != EINTR) return KODAMA_ERR_ARGUMENT;
    }
}
