/* Frames that tell where and when they were made, and what is heard of them. */
#include <math.h>
#include <time.h>

#include "capture.h"

/* 2^-23: COUNT_MASK + 1 becomes 0.5, and every count is a float exactly. */
static const float unit = 0x1p-23f;

uint64_t frame_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void frame_write(float *frames, size_t n_frames, uint64_t place, uint64_t now_us)
{
    float time = (float)(now_us & COUNT_MASK) * unit;
    for (size_t i = 0; i < n_frames; i++) {
        frames[2 * i] = (float)(((place + i) & COUNT_MASK) + 1) * unit; /* never 0: no silence */
        frames[2 * i + 1] = time;
    }
}

/* The count in a sample, or -1 when there is none: it was scaled, mixed or resampled. */
static int64_t count_of(float sample, int least)
{
    float count = sample / unit;
    if (!(count >= (float)least && count <= (float)(COUNT_MASK + least))) return -1;
    return count == floorf(count) ? (int64_t)count - least : -1;
}

static void add_frame(struct heard *heard, const float *frame)
{
    if (frame[0] == 0.0f && frame[1] == 0.0f) {
        heard->silent += heard->begun;
        return;
    }
    int64_t place = count_of(frame[0], 1);
    if (place < 0) {
        heard->foreign++;
        return;
    }
    if (heard->begun) heard->missing += ((uint32_t)place - heard->next) & COUNT_MASK;
    heard->begun = true;
    heard->next = ((uint32_t)place + 1) & COUNT_MASK;
    heard->frames++;
}

/* The usual case, at the price of two looks: nothing but what was expected. */
static bool is_whole(const struct heard *heard, const float *frames, size_t n_frames)
{
    return heard->begun && count_of(frames[0], 1) == (int64_t)heard->next &&
           count_of(frames[2 * (n_frames - 1)], 1) ==
               (int64_t)((heard->next + n_frames - 1) & COUNT_MASK);
}

void heard_add(struct heard *heard, const float *frames, size_t n_frames, uint64_t now_us)
{
    if (n_frames == 0) return;
    if (is_whole(heard, frames, n_frames)) {
        heard->frames += n_frames;
        heard->next = (uint32_t)(heard->next + n_frames) & COUNT_MASK;
    } else {
        for (size_t i = 0; i < n_frames; i++) add_frame(heard, frames + 2 * i);
    }
    const float *last = frames + 2 * (n_frames - 1);
    int64_t time = last[0] == 0.0f ? -1 : count_of(last[1], 0);
    if (time < 0) return;
    latency_add(heard->latency, (uint32_t)(now_us - (uint64_t)time) & COUNT_MASK);
}

void result_add(struct result *result, const struct heard *heard, int n)
{
    const struct latency *latencies[PLAYERS_MAX];
    for (int i = 0; i < n; i++) {
        result->frames += heard[i].frames;
        result->silent += heard[i].silent;
        result->missing += heard[i].missing;
        result->foreign += heard[i].foreign;
        latencies[i] = heard[i].latency;
    }
    result->latency = latency_summarise(latencies, n);
}
