/*
 * What the parts of bench_capture share: applications that play frames which tell where and when
 * they were made, ways to capture them, and what was heard.
 *
 * Every frame that an application plays carries, in samples that floats hold exactly, its place
 * (left) and the time at which the application wrote it (right). Whoever captures it unchanged can
 * tell from any frame what is missing before it and how long it was on its way.
 */
#ifndef BENCH_CAPTURE_H
#define BENCH_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "latency.h"
#include "usage.h"

enum {
    RATE_HZ = 48000,
    CHANNELS = 2,
    COUNT_BITS = 22, /* of a place and of a time in us; both wrap, the time after 4.2 s */
    COUNT_MASK = (1 << COUNT_BITS) - 1,
    PLAYERS_MAX = 64,
};

/* ------------------------------------------------------------------- frames */

/** Microseconds of the monotonic clock, the same for all processes. */
uint64_t frame_now_us(void);

/** Write frames `place`, `place` + 1, ..., all written at `now_us`. Real-time safe: yes. */
void frame_write(float *frames, size_t n_frames, uint64_t place, uint64_t now_us);

/** What one capture has heard. */
struct heard {
    bool begun;
    uint32_t next;           /* place that comes next */
    uint64_t frames;         /* frames of the application */
    uint64_t silent;         /* frames of silence after the first one of the application */
    uint64_t missing;        /* frames of the application that never came */
    uint64_t foreign;        /* frames that are not the application's as it played them */
    struct latency *latency; /* of blocks; owned by the contender */
};

/** Take note of frames that have come just now. */
void heard_add(struct heard *heard, const float *frames, size_t n_frames, uint64_t now_us);

/* ------------------------------------------------------------------ players */

/** Play as an application called `name` until killed; does not return. `server` is "pipewire" or
 * "pulse". */
_Noreturn void player_run(const char *server, const char *name);

/** The name of player `index`. */
const char *player_name(char *name, size_t n_bytes, int index);

/* --------------------------------------------------------------- contenders */

/** What a contender is asked. */
struct task {
    const char *server; /* "pipewire" or "pulse" */
    int n_sources;
    const pid_t *players; /* [n_sources] */
    double seconds;
    unsigned quantum; /* frames; what a tool is asked to deliver at once */
    const pid_t *daemons;
    int n_daemons;
};

/** What it did; of all its sources together. */
struct result {
    bool done;
    uint64_t frames, silent, missing, foreign, reported;
    double cpu, daemon_cpu; /* cores */
    double pss_mb;
    struct latency_summary latency;
    char failure[200];
};

struct contender {
    const char *name;
    const char *program; /* that must be on PATH; NULL: none */
    bool on_pipewire, on_pulse;
    /** Run it, in a process of its own. */
    void (*run)(const struct task *task, struct result *result);
};

void contender_kodama(const struct task *task, struct result *result);
void contender_pw_record(const struct task *task, struct result *result);
void contender_parec(const struct task *task, struct result *result);

/** Fill in what `heard` [n] says. */
void result_add(struct result *result, const struct heard *heard, int n);

#endif
