/*
 * A converter that works as a model does: a thread computes, and a hop whose result is not there in
 * time has failed. In the hops of its script the thread hangs.
 */
#ifndef TESTS_VOICE_HANGING_H
#define TESTS_VOICE_HANGING_H

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "voice/converter.h"

enum { HANGING_HOP = 480 };

struct hanging {
    struct thread thread;
    struct mutex mutex;
    struct condition asked, answered;
    /* Under the mutex. */
    float hop[HANGING_HOP];
    uint64_t n_asked, n_answered;
    bool hangs, ends;
};

/* Hops that hang: first, first + 1, ... */
static uint64_t hanging_first, hanging_n;

static inline void hanging_work(void *user)
{
    struct hanging *h = user;
    mutex_lock(&h->mutex);
    while (!h->ends) {
        if (h->n_answered < h->n_asked && !h->hangs) {
            for (int i = 0; i < HANGING_HOP; i++) h->hop[i] = -h->hop[i];
            h->n_answered = h->n_asked;
            condition_broadcast(&h->answered);
        }
        condition_wait(&h->asked, &h->mutex, CLOCK_NEVER);
    }
    mutex_unlock(&h->mutex);
}

static inline int hanging_open(void **converter, const struct kodama_voice_config *config,
                               uint32_t rate_hz, struct converter_facts *facts,
                               struct kodama_error *error)
{
    (void)config;
    struct hanging *h = calloc(1, sizeof *h);
    mutex_init(&h->mutex);
    condition_init(&h->asked);
    condition_init(&h->answered);
    *facts = (struct converter_facts){rate_hz, rate_hz, HANGING_HOP, HANGING_HOP, 0};
    *converter = h;
    return thread_start(&h->thread, "hanging", hanging_work, h, error);
}

static inline void hanging_close(void *converter)
{
    struct hanging *h = converter;
    mutex_lock(&h->mutex);
    h->ends = true;
    condition_broadcast(&h->asked);
    mutex_unlock(&h->mutex);
    thread_join(&h->thread);
    condition_destroy(&h->asked);
    condition_destroy(&h->answered);
    mutex_destroy(&h->mutex);
    free(h);
}

/* The output is the input upside down; a hop in time waits for it as long as a busy machine needs.
 */
static inline int hanging_convert(void *converter, const float *in, float *out,
                                  const struct converter_control *control)
{
    (void)control;
    struct hanging *h = converter;
    mutex_lock(&h->mutex);
    h->hangs = h->n_asked >= hanging_first && h->n_asked < hanging_first + hanging_n;
    uint64_t wait_ns = (h->hangs ? 1 : 20000) * CLOCK_NS_PER_MS;
    uint64_t deadline_ns = clock_now_ns() + wait_ns;
    memcpy(h->hop, in, sizeof h->hop);
    h->n_asked++;
    condition_broadcast(&h->asked);
    bool in_time = true;
    while (h->n_answered < h->n_asked && in_time)
        in_time = condition_wait(&h->answered, &h->mutex, deadline_ns);
    memcpy(out, h->hop, sizeof h->hop); /* late: the input, as careless code would leave it */
    mutex_unlock(&h->mutex);
    return in_time ? KODAMA_OK : KODAMA_ERR_TIMEOUT;
}

static inline void hanging_reset(void *converter)
{
    (void)converter;
}

static const struct converter_ops hanging_ops = {
    .name = "hanging",
    .open = hanging_open,
    .close = hanging_close,
    .convert = hanging_convert,
    .reset = hanging_reset,
};

#endif
