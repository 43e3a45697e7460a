/*
 * Alignment of a mix's inputs: when their frames were heard, and the slow resampling that keeps
 * clocks together which do not agree.
 */
#ifndef CAPTURE_MIX_ALIGN_H
#define CAPTURE_MIX_ALIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---------------------------------------------------------------- clocks */

/** When the frames of an input were heard: a line through its marks. Begin with zeros. */
struct mix_clock {
    uint32_t rate_hz;
    uint32_t n_marks; /* of the three that are kept: the oldest, one between, the newest */
    struct {
        uint64_t position, time_ns;
    } marks[3];
};

/** The frame at `position` was heard at `time_ns`; positions grow. */
void mix_clock_add(struct mix_clock *clock, uint64_t position, uint64_t time_ns);

/** Forget the marks: another clock begins. */
void mix_clock_reset(struct mix_clock *clock);

/** When a frame was heard, ns; there is a mark at least. */
double mix_clock_time(const struct mix_clock *clock, double position);

/** The frame that was heard at a time. */
double mix_clock_position(const struct mix_clock *clock, double time_ns);

/* ---------------------------------------------------------------- drift */

/** How much faster than its own clock an input is read. Begin with zeros. */
struct mix_drift {
    bool on;         /* it was out of step once */
    double speed;    /* input frames per frame of the mix, less 1 */
    double integral; /* the part of it that has been found to be the drift */
};

/**
 * Correct the speed.
 *
 * @param error_frames  input frames by which the input is read too late (positive) or too early
 * @param n_frames      frames of the mix since the last correction
 */
void mix_drift_update(struct mix_drift *drift, double error_frames, size_t n_frames,
                      uint32_t rate_hz);

/* ---------------------------------------------------------------- interpolation */

enum {
    MIX_TAPS = 32,   /* frames that make one between two */
    MIX_BEFORE = 15, /* of which before it or at it, beside the nearest */
    MIX_AFTER = 16,  /* of which after it */
    MIX_PHASES = 512,
};

/** A windowed sinc for each of MIX_PHASES places between two frames, and one more. */
struct mix_kernel {
    float rows[MIX_PHASES + 1][MIX_TAPS];
};

void mix_kernel_init(struct mix_kernel *kernel);

/**
 * A frame between two.
 *
 * @param frames    interleaved; [-MIX_BEFORE .. MIX_AFTER] around frame 0 can be read
 * @param between   place after frame 0, [0, 1)
 * @param[out] out  one frame
 */
void mix_kernel_apply(const struct mix_kernel *kernel, const float *frames, uint32_t channels,
                      double between, float *out);

#endif
