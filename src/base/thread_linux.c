/* Threads on Linux: pthreads. */
#define _GNU_SOURCE /* pthread_setname_np, sched_getaffinity */
#include "base/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"

struct start {
    thread_function run;
    void *argument;
    char name[16]; /* the kernel's limit, with the NUL */
};

static void *run_thread(void *argument)
{
    struct start start = *(struct start *)argument;
    free(argument);
    pthread_setname_np(pthread_self(), start.name);
    start.run(start.argument);
    return NULL;
}

int thread_start(struct thread *thread, const char *name, thread_function run, void *argument,
                 struct kodama_error *error)
{
    struct start *start = malloc(sizeof *start);
    if (!start)
        return error_set(error, KODAMA_ERR_MEMORY, "cannot start thread %s: out of memory", name);
    start->run = run;
    start->argument = argument;
    snprintf(start->name, sizeof start->name, "%s", name);
    /* Signals belong to the application's own threads: a handler must not run on ours. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int number = pthread_create(&thread->native, NULL, run_thread, start);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (number != 0) {
        free(start);
        char words[100];
        return error_set(error, KODAMA_ERR_SYSTEM, "cannot start thread %s: %s", name,
                         error_errno(number, words, sizeof words));
    }
    return KODAMA_OK;
}

void thread_join(struct thread *thread)
{
    pthread_join(thread->native, NULL);
}

uint64_t thread_self(void)
{
    return (uint64_t)(uintptr_t)pthread_self();
}

int thread_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

void mutex_init(struct mutex *mutex)
{
    pthread_mutex_init(&mutex->native, NULL);
}

void mutex_destroy(struct mutex *mutex)
{
    pthread_mutex_destroy(&mutex->native);
}

void mutex_lock(struct mutex *mutex)
{
    pthread_mutex_lock(&mutex->native);
}

void mutex_unlock(struct mutex *mutex)
{
    pthread_mutex_unlock(&mutex->native);
}

void condition_init(struct condition *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&condition->native, &attributes);
    pthread_condattr_destroy(&attributes);
}

void condition_destroy(struct condition *condition)
{
    pthread_cond_destroy(&condition->native);
}

bool condition_wait(struct condition *condition, struct mutex *mutex, uint64_t deadline_ns)
{
    if (deadline_ns == CLOCK_NEVER) {
        pthread_cond_wait(&condition->native, &mutex->native);
        return true;
    }
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / CLOCK_NS_PER_S),
                                .tv_nsec = (long)(deadline_ns % CLOCK_NS_PER_S)};
    return pthread_cond_timedwait(&condition->native, &mutex->native, &deadline) != ETIMEDOUT;
}

void condition_signal(struct condition *condition)
{
    pthread_cond_signal(&condition->native);
}

void condition_broadcast(struct condition *condition)
{
    pthread_cond_broadcast(&condition->native);
}
