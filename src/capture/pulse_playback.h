/* Playing on PulseAudio, inside: one playback and its steps until it plays. */
#ifndef CAPTURE_PULSE_PLAYBACK_H
#define CAPTURE_PULSE_PLAYBACK_H

#include "capture/pulse.h"

struct pulse_playback {
    struct pulse *pulse;       /* immutable */
    struct playback *playback; /* immutable */
    pa_stream *stream;
    pa_operation *pending;  /* the answer that the next step waits for */
    int status;             /* 1: being opened; KODAMA_OK: it plays; else why not */
    char words[200];        /* the same for a person */
    size_t frame_bytes;     /* immutable */
    uint64_t pulled, timed; /* frames pulled; when the latency was asked for last */
    /* Microphones only. */
    bool on_pipewire; /* the server is pipewire-pulse */
    uint32_t sink_module, source_module;
    char sink[256]; /* that we play to, as the server has named it */
};

/** A step has failed; `what` was tried. Takes the server's words. */
void pulse_playback_fail(struct pulse_playback *state, const char *what);
/** Play to a sink (NULL: the default one). */
void pulse_playback_connect(struct pulse_playback *state, const char *sink);
/** The answer of the next step; NULL is a failure. */
void pulse_playback_expect(struct pulse_playback *state, pa_operation *operation, const char *what);

/** pulse_mic.c: make the microphone, then connect. */
void pulse_mic_begin(struct pulse_playback *state);
/** Remove it; waits for the server where it may. */
void pulse_mic_end(struct pulse_playback *state);

#endif
