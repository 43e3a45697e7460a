/* The keeper: the thread of a host that writes silence where no device drives a timeline. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "capture/capture.h"

struct keeper {
    struct mutex mutex;
    struct condition changed;
    struct thread thread;
    bool started, stop;
    struct capture *captures; /* linked by next_kept */
};

static void run(void *argument)
{
    struct keeper *keeper = argument;
    mutex_lock(&keeper->mutex);
    while (!keeper->stop) {
        uint64_t now = clock_now_ns(), next = CLOCK_NEVER;
        for (struct capture *capture = keeper->captures; capture; capture = capture->next_kept) {
            uint64_t look = timeline_keep(&capture->timeline, now);
            if (look < next) next = look;
        }
        condition_wait(&keeper->changed, &keeper->mutex, next);
    }
    mutex_unlock(&keeper->mutex);
}

int keeper_create(struct keeper **keeper, struct kodama_error *error)
{
    struct keeper *created = memory_array(1, sizeof *created);
    if (!created) return error_set(error, KODAMA_ERR_MEMORY, "no memory for a host");
    mutex_init(&created->mutex);
    condition_init(&created->changed);
    *keeper = created;
    return KODAMA_OK;
}

void keeper_destroy(struct keeper *keeper)
{
    if (!keeper) return;
    mutex_lock(&keeper->mutex);
    keeper->stop = true;
    condition_broadcast(&keeper->changed);
    mutex_unlock(&keeper->mutex);
    if (keeper->started) thread_join(&keeper->thread);
    condition_destroy(&keeper->changed);
    mutex_destroy(&keeper->mutex);
    free(keeper);
}

int keeper_add(struct keeper *keeper, struct capture *capture, struct kodama_error *error)
{
    mutex_lock(&keeper->mutex);
    int status = KODAMA_OK;
    if (!keeper->started) {
        status = thread_start(&keeper->thread, "kodama-keeper", run, keeper, error);
        keeper->started = status == KODAMA_OK;
    }
    if (status == KODAMA_OK) {
        capture->next_kept = keeper->captures;
        keeper->captures = capture;
        condition_broadcast(&keeper->changed);
    }
    mutex_unlock(&keeper->mutex);
    return status;
}

void keeper_remove(struct keeper *keeper, struct capture *capture)
{
    mutex_lock(&keeper->mutex);
    for (struct capture **at = &keeper->captures; *at; at = &(*at)->next_kept) {
        if (*at == capture) {
            *at = capture->next_kept;
            break;
        }
    }
    mutex_unlock(&keeper->mutex);
}
