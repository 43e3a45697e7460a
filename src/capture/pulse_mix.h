/*
 * Adding up what several record streams hear, in step: each stream counts its own frames, and this
 * finds out which of them belong together. It knows nothing of PulseAudio.
 *
 * The first stream's count is the clock. One that joins is put where the monotonic clock says, and
 * stays there: frames that were heard in the same period of a sound card stay together. What has
 * arrived from all streams is added up and goes on. For the first frame of one that joins the
 * others wait PULSE_MIX_JOIN_MS at most, so that its place is not taken. A stream that falls behind
 * by more than PULSE_MIX_STALL_MS is no longer waited for, and put in place anew when it goes on.
 * No frame of any stream is ever left out.
 */
#ifndef CAPTURE_PULSE_MIX_H
#define CAPTURE_PULSE_MIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PULSE_MIX_JOIN_MS = 100, PULSE_MIX_STALL_MS = 500 };

/** One stream. */
struct pulse_mix_input {
    struct pulse_mix_input *next;
    bool placed;           /* its frames have a place on the clock */
    bool late;             /* it was waited for in vain; not again until it comes */
    bool ended;            /* nothing more will come; freed when all of it went on */
    uint64_t end;          /* tick after its newest frame */
    float *fifo;           /* frames that wait for other streams, the newest one at end - 1 */
    size_t first, n, room; /* frames */
};

/** Where the sum goes: floats of all channels, beginning at a tick of a clock. */
typedef void (*pulse_mix_function)(void *user, const float *frames, size_t n_frames, uint64_t clock,
                                   uint64_t tick, uint64_t time_ns);

struct pulse_mix {
    uint32_t rate_hz, channels;
    pulse_mix_function emit;
    void *user;
    struct pulse_mix_input *inputs;
    uint64_t clock;    /* another one each time that nobody was there */
    uint64_t tick;     /* the next one to go on */
    uint64_t last_ns;  /* when the newest frame of all ended */
    uint64_t last_end; /* its tick */
    float *block;
};

/** Prepare; false without memory. */
bool pulse_mix_init(struct pulse_mix *mix, uint32_t rate_hz, uint32_t channels,
                    pulse_mix_function emit, void *user);
void pulse_mix_free(struct pulse_mix *mix);

/** A new stream, NULL without memory. Owned by the mix. */
struct pulse_mix_input *pulse_mix_add(struct pulse_mix *mix);

/**
 * Frames of a stream have arrived. While it has no place they are kept.
 *
 * @param mix       the mix
 * @param input     one of its streams
 * @param frames    NULL: silence
 * @param n_frames  how many
 * @param time_ns   monotonic time at which the first one was heard, as far as it is known
 * @return false while it has no place: find out when its frames were heard, then pulse_mix_place()
 */
bool pulse_mix_push(struct pulse_mix *mix, struct pulse_mix_input *input, const float *frames,
                    size_t n_frames, uint64_t time_ns);

/** Give a stream its place: the frame after the newest one that has arrived was heard, or will be,
 * at time_ns. One that has a place keeps it. */
void pulse_mix_place(struct pulse_mix *mix, struct pulse_mix_input *input, uint64_t time_ns);

/** A stream has ended: what of it still waits goes on with the others. The input is not used any
 * more. */
void pulse_mix_end(struct pulse_mix *mix, struct pulse_mix_input *input);

#endif
