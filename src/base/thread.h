/* Threads, mutexes and condition variables: the few operations that the engine needs, on every
 * platform. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include <kodama/status.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
struct mutex {
    SRWLOCK native;
};
struct condition {
    CONDITION_VARIABLE native;
};
struct thread {
    HANDLE native;
};
#define MUTEX_STATIC \
    {                \
        SRWLOCK_INIT \
    }
#define CONDITION_STATIC        \
    {                           \
        CONDITION_VARIABLE_INIT \
    }
#else
#include <pthread.h>
struct mutex {
    pthread_mutex_t native;
};
struct condition {
    pthread_cond_t native;
};
struct thread {
    pthread_t native;
};
/** Instead of mutex_init() for the few that are static; such a condition takes no deadline. */
#define MUTEX_STATIC              \
    {                             \
        PTHREAD_MUTEX_INITIALIZER \
    }
#define CONDITION_STATIC         \
    {                            \
        PTHREAD_COND_INITIALIZER \
    }
#endif

typedef void (*thread_function)(void *argument);

/**
 * Start a thread.
 *
 * @param[out] thread  to be given to thread_join() exactly once
 * @param name         shown by debuggers and top, cut to 15 bytes
 * @param run          its function
 * @param argument     handed to run
 * @param[out] error   may be NULL
 * @return KODAMA_OK or KODAMA_ERR_SYSTEM
 */
int thread_start(struct thread *thread, const char *name, thread_function run, void *argument,
                 struct kodama_error *error);

/** Wait for a thread to end. */
void thread_join(struct thread *thread);

/** A number for the calling thread that no other living thread has; not 0. */
uint64_t thread_self(void);

/** Processors that this process may use, 1 or more. */
int thread_processors(void);

void mutex_init(struct mutex *mutex);
void mutex_destroy(struct mutex *mutex);
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

void condition_init(struct condition *condition);
void condition_destroy(struct condition *condition);

/** Wait with the mutex held; may return early for no reason. Returns false when the monotonic
 * deadline passed (CLOCK_NEVER: none). */
bool condition_wait(struct condition *condition, struct mutex *mutex, uint64_t deadline_ns);
void condition_signal(struct condition *condition);
void condition_broadcast(struct condition *condition);

#endif
