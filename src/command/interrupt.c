#define _DEFAULT_SOURCE
/* Signals, turned into something a loop can wait for: all are blocked and taken by one thread. */
#include "command/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "command/progress.h"

/* One press of Ctrl-C reaches a program twice when a parent (make, timeout, npm) passes it on as
 * well. Nobody means two by what comes this soon; on a busy machine the second was seen 50 ms late.
 */
static const double echo_s = 0.15;

/* There is one set of signals per process, hence one of these. */
static struct {
    pthread_t thread;
    sigset_t taken, before;
    int wake[2];
    bool open;
    bool takes_orders, takes_reloads; /* set before the thread is started */
    _Atomic bool armed, closing;
    _Atomic int signal;
    double signalled_s; /* when that came; the thread's own */
    _Atomic unsigned pauses, saves, reloads;
    void (*restore)(void *user, bool for_good);
    void *user;
} interrupts;

static void wake_loop(void)
{
    /* A full pipe is as good: the loop will wake. */
    ssize_t n = write(interrupts.wake[1], "", 1);
    (void)n;
}

static void end_now(int number)
{
    if (interrupts.restore) interrupts.restore(interrupts.user, true);
    _exit(128 + number);
}

static void suspend(void)
{
    if (interrupts.restore) interrupts.restore(interrupts.user, false);
    kill(getpid(), SIGSTOP);
    wake_loop();
}

/* End in order, or at once when told again. */
static void end(int number)
{
    double now_s = progress_now_s();
    bool first = atomic_load(&interrupts.signal) == 0;
    if (!first && now_s - interrupts.signalled_s < echo_s) return;
    if (!first || !atomic_load(&interrupts.armed)) end_now(number);
    interrupts.signalled_s = now_s;
    atomic_store(&interrupts.signal, number);
    wake_loop();
}

static void *take_signals(void *unused)
{
    (void)unused;
    for (;;) {
        int number = 0;
        if (sigwait(&interrupts.taken, &number) != 0) continue;
        if (atomic_load(&interrupts.closing)) return NULL;
        if (number == SIGTSTP) {
            suspend();
        } else if (number == SIGHUP && interrupts.takes_reloads) {
            atomic_fetch_add(&interrupts.reloads, 1);
            wake_loop();
        } else if (number == SIGUSR1) {
            atomic_fetch_add(&interrupts.pauses, 1);
            wake_loop();
        } else if (number == SIGUSR2) {
            atomic_fetch_add(&interrupts.saves, 1);
            wake_loop();
        } else if (number != SIGWINCH) {
            end(number);
        } else {
            wake_loop();
        }
    }
}

/* SIGINT is taken even where it was ignored at start (a shell script's background job): captions in
 * the background must be finishable, too. An ignored SIGHUP stays ignored: that is what nohup is
 * for. */
static void choose_signals(sigset_t *set)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH, SIGUSR2};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction action;
        bool ignored = sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN;
        if (ignored && numbers[i] != SIGINT) continue;
        if (ignored) signal(numbers[i], SIG_DFL);
        sigaddset(set, numbers[i]);
    }
    sigaddset(set, SIGUSR2); /* ends the thread */
    if (interrupts.takes_orders) sigaddset(set, SIGUSR1);
}

bool interrupt_open(void (*restore)(void *user, bool for_good), void *user)
{
    interrupts.restore = restore;
    interrupts.user = user;
    atomic_store(&interrupts.closing, false);
    if (pipe(interrupts.wake) < 0) return false;
    for (int i = 0; i < 2; i++) {
        fcntl(interrupts.wake[i], F_SETFD, FD_CLOEXEC);
        fcntl(interrupts.wake[i], F_SETFL, O_NONBLOCK);
    }
    choose_signals(&interrupts.taken);
    pthread_sigmask(SIG_BLOCK, &interrupts.taken, &interrupts.before);
    if (pthread_create(&interrupts.thread, NULL, take_signals, NULL) != 0) {
        pthread_sigmask(SIG_SETMASK, &interrupts.before, NULL);
        close(interrupts.wake[0]);
        close(interrupts.wake[1]);
        return false;
    }
    interrupts.open = true;
    return true;
}

void interrupt_take_orders(void)
{
    interrupts.takes_orders = true;
}

unsigned interrupt_pauses(void)
{
    return atomic_load(&interrupts.pauses);
}

unsigned interrupt_saves(void)
{
    return atomic_load(&interrupts.saves);
}

void interrupt_take_reloads(void)
{
    interrupts.takes_reloads = true;
}

unsigned interrupt_reloads(void)
{
    return atomic_load(&interrupts.reloads);
}

/* What is left of a program that was told to end is its exit: an echo that comes then must not cut
 * it short. */
static void ignore_echoes(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) signal(numbers[i], SIG_IGN);
}

void interrupt_close(void)
{
    if (!interrupts.open) return;
    fflush(stdout); /* who does not read it can still be left with a second signal */
    atomic_store(&interrupts.closing, true);
    pthread_kill(interrupts.thread, SIGUSR2);
    pthread_join(interrupts.thread, NULL);
    if (interrupt_signal()) ignore_echoes();
    pthread_sigmask(SIG_SETMASK, &interrupts.before, NULL);
    close(interrupts.wake[0]);
    close(interrupts.wake[1]);
    interrupts.open = false;
}

void interrupt_arm(void)
{
    atomic_store(&interrupts.armed, true);
}

int interrupt_signal(void)
{
    return atomic_load(&interrupts.signal);
}

int interrupt_descriptor(void)
{
    return interrupts.open ? interrupts.wake[0] : -1;
}

void interrupt_acknowledge(void)
{
    char bytes[64];
    while (interrupts.open && read(interrupts.wake[0], bytes, sizeof bytes) > 0) continue;
}
