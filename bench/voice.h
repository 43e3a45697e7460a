/* What the parts of bench_voice share: one run of one shifter over one sound, block by block. */
#ifndef BENCH_VOICE_H
#define BENCH_VOICE_H

#ifdef __cplusplus
extern "C" {
#else
#include <stdbool.h>
#endif
#include <stddef.h>
#include <stdint.h>

enum { VOICE_RATE = 48000, VOICE_BLOCK = VOICE_RATE / 100 };

/** A sound going through a shifter as it would live: a block every 10 ms, and what comes out is
 * taken at once. */
struct voice_run {
    const float *in;
    size_t n_in, n_fed;
    double pitch, formant; /* semitones */
    float *out;
    size_t room, n_out;
    size_t n_behind;  /* the most that the output was behind after a block was done */
    double states_ms; /* the delay that the shifter itself states; below 0: none */
    uint64_t cpu_ns;
};

/** The next block; NULL: that was all. Call it only when everything for the last one was given. */
const float *voice_next(struct voice_run *run, size_t *n_frames);

/** Hand over output. */
void voice_give(struct voice_run *run, const float *frames, size_t n_frames);

struct voice_contender {
    const char *name;
    bool moves_formants;                /* on their own */
    bool (*run)(struct voice_run *run); /* false: it cannot */
};

/* Each exists where its library was there to build with. */
extern const struct voice_contender voice_kodama, voice_rubberband_r2, voice_rubberband_r3,
    voice_rubberband_r3_short, voice_rubberband_live, voice_soundtouch, voice_sox;

/** Sessions in real time on some threads, each with a block of 10 ms to convert; how late. */
struct voice_sessions {
    int n_sessions, n_threads;
    double seconds;
    double p50_ms, p99_ms, max_ms; /* from when a block was there to when it was converted */
    double cpu;                    /* cores */
    bool failed;
};
void voice_run_sessions(struct voice_sessions *sessions);

/** Print how well Kodama's tracker follows synthetic speakers, and recordings at VOICE_RATE. */
void voice_judge_pitch(const char *const *names, const float *const *samples,
                       const size_t *n_frames, int n_recordings, double seconds);

#ifdef __cplusplus
}
#endif

#endif
