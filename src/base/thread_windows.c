/* Threads on Windows: the native ones. */
#include "base/thread.h"

#include <process.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"

struct start {
    thread_function run;
    void *argument;
};

static unsigned __stdcall run_thread(void *argument)
{
    struct start start = *(struct start *)argument;
    free(argument);
    start.run(start.argument);
    return 0;
}

int thread_start(struct thread *thread, const char *name, thread_function run, void *argument,
                 struct kodama_error *error)
{
    struct start *start = malloc(sizeof *start);
    if (!start)
        return error_set(error, KODAMA_ERR_MEMORY, "cannot start thread %s: out of memory", name);
    start->run = run;
    start->argument = argument;
    thread->native = (HANDLE)_beginthreadex(NULL, 0, run_thread, start, 0, NULL);
    if (!thread->native) {
        free(start);
        return error_set(error, KODAMA_ERR_SYSTEM, "cannot start thread %s", name);
    }
    return KODAMA_OK;
}

void thread_join(struct thread *thread)
{
    WaitForSingleObject(thread->native, INFINITE);
    CloseHandle(thread->native);
}

uint64_t thread_self(void)
{
    return GetCurrentThreadId();
}

int thread_processors(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return (int)info.dwNumberOfProcessors;
}

void mutex_init(struct mutex *mutex)
{
    InitializeSRWLock(&mutex->native);
}

void mutex_destroy(struct mutex *mutex)
{
    (void)mutex;
}

void mutex_lock(struct mutex *mutex)
{
    AcquireSRWLockExclusive(&mutex->native);
}

void mutex_unlock(struct mutex *mutex)
{
    ReleaseSRWLockExclusive(&mutex->native);
}

void condition_init(struct condition *condition)
{
    InitializeConditionVariable(&condition->native);
}

void condition_destroy(struct condition *condition)
{
    (void)condition;
}

bool condition_wait(struct condition *condition, struct mutex *mutex, uint64_t deadline_ns)
{
    DWORD ms = INFINITE;
    if (deadline_ns != CLOCK_NEVER) {
        uint64_t now = clock_now_ns();
        uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
        uint64_t rounded = (left + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
        ms = rounded > 0x7fffffff ? 0x7fffffff : (DWORD)rounded;
    }
    return SleepConditionVariableSRW(&condition->native, &mutex->native, ms, 0) ||
           GetLastError() != ERROR_TIMEOUT;
}

void condition_signal(struct condition *condition)
{
    WakeConditionVariable(&condition->native);
}

void condition_broadcast(struct condition *condition)
{
    WakeAllConditionVariable(&condition->native);
}
