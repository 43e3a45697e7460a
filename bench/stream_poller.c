/*
 * How the tools before did it, after their description: the source appends its blocks to a vector
 * behind a mutex, and a thread sleeps, looks, takes what is there, and calls back block by block.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "capture/source_generator.h"
#include "stream.h"

/* A vector of blocks. */
struct vector {
    float *frames;
    uint64_t *written_ns; /* of each block */
    size_t n_blocks, room;
};

struct line {
    const struct stream_task *task;
    pthread_t writer, reader;
    pthread_mutex_t mutex;
    struct vector vector; /* under the mutex */
    bool ended;           /* under the mutex */
    uint64_t seed;
    /* The reader's. */
    uint64_t received;
    double energy;
    struct latency latency;
};

static bool append(struct vector *vector, const float *block, uint64_t now_ns)
{
    if (vector->n_blocks == vector->room) {
        size_t room = vector->room > 0 ? vector->room * 2 : 16;
        float *frames = realloc(vector->frames, room * BLOCK_FRAMES * CHANNELS * sizeof(float));
        if (!frames) return false;
        vector->frames = frames;
        uint64_t *written_ns = realloc(vector->written_ns, room * sizeof(uint64_t));
        if (!written_ns) return false;
        vector->written_ns = written_ns;
        vector->room = room;
    }
    memcpy(vector->frames + vector->n_blocks * BLOCK_FRAMES * CHANNELS, block,
           BLOCK_FRAMES * CHANNELS * sizeof(float));
    vector->written_ns[vector->n_blocks++] = now_ns;
    return true;
}

/* The same noise at the same pace as the source "null". */
static void *write_blocks(void *argument)
{
    struct line *line = argument;
    uint64_t begin = clock_now_ns();
    float block[BLOCK_FRAMES * CHANNELS];
    for (uint64_t place = 0; place < line->task->n_frames; place += BLOCK_FRAMES) {
        if (stream_loses(place)) continue; /* nothing in a vector can say so */
        for (size_t i = 0; i < BLOCK_FRAMES * CHANNELS; i++) {
            block[i] = 0.5f * generator_noise_sample(line->seed, place * CHANNELS + i);
        }
        clock_sleep_until(begin + place * CLOCK_NS_PER_S / RATE_HZ);
        uint64_t now = clock_now_ns();
        pthread_mutex_lock(&line->mutex);
        bool done = append(&line->vector, block, now);
        pthread_mutex_unlock(&line->mutex);
        if (!done) break;
    }
    pthread_mutex_lock(&line->mutex);
    line->ended = true;
    pthread_mutex_unlock(&line->mutex);
    return NULL;
}

static void *read_blocks(void *argument)
{
    struct line *line = argument;
    const struct timespec pause = {
        .tv_sec = (time_t)(line->task->poll_ns / (int64_t)CLOCK_NS_PER_S),
        .tv_nsec = (long)(line->task->poll_ns % (int64_t)CLOCK_NS_PER_S)};
    bool ended = false;
    while (!ended) {
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&line->mutex);
        struct vector taken = line->vector;
        line->vector = (struct vector){0};
        ended = line->ended;
        pthread_mutex_unlock(&line->mutex);
        for (size_t i = 0; i < taken.n_blocks; i++) {
            latency_add(&line->latency, (clock_now_ns() - taken.written_ns[i]) / 1000);
            line->energy += stream_work(taken.frames + i * BLOCK_FRAMES * CHANNELS, BLOCK_FRAMES);
            line->received += BLOCK_FRAMES;
        }
        free(taken.frames);
        free(taken.written_ns);
    }
    return NULL;
}

void stream_run_poller(const struct stream_task *task, struct stream_result *result)
{
    static struct line lines[SOURCES_MAX];
    for (int i = 0; i < task->n_sources; i++) {
        lines[i].task = task;
        lines[i].seed = (uint64_t)i;
        pthread_mutex_init(&lines[i].mutex, NULL);
        if (pthread_create(&lines[i].reader, NULL, read_blocks, &lines[i]) != 0 ||
            pthread_create(&lines[i].writer, NULL, write_blocks, &lines[i]) != 0) {
            strncpy(result->failure, "cannot start a thread", sizeof result->failure - 1);
            return;
        }
    }
    stream_watch(task, result);
    for (int i = 0; i < task->n_sources; i++) {
        pthread_join(lines[i].writer, NULL);
        pthread_join(lines[i].reader, NULL);
        result->received += lines[i].received;
        const struct latency *latency = &lines[i].latency;
        stream_add_latency(task, result, latency_summarise(&latency, 1));
    }
}
