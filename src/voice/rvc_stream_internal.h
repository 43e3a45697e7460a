/* A stream of chunks from the inside: the side of the hops (rvc_stream.c) and the thread's
 * (rvc_stream_thread.c). */
#ifndef VOICE_RVC_STREAM_INTERNAL_H
#define VOICE_RVC_STREAM_INTERNAL_H

#include <stdatomic.h>

#include "base/thread.h"
#include "voice/pitch.h"
#include "voice/rvc_stream.h"
#include "voice/sola.h"

enum {
    STREAM_HISTORY = 400, /* frames that both rings hold beyond what is in use: 4 s */
    STREAM_RECENT = 8,    /* chunks that are looked at to see whether it is behind */
    STREAM_LATE_MOST = 3, /* of which so many may be late */
    STREAM_CHUNK_MOST = 200,
};

struct rvc_stream {
    /* Immutable between the start of the thread and its end. */
    struct rvc_stream_config config;
    size_t lag;    /* frames that the tracker must have heard beyond those it describes */
    size_t due;    /* frame q is said with frame q + due of the input */
    size_t n_ring; /* frames */
    struct thread thread;
    bool running;

    /* The hops'; the thread reads what lies before n_in. */
    float *samples;        /* [n_ring * 160], circular */
    float *semitones;      /* [n_ring] */
    float *formants;       /* [n_ring] */
    uint64_t patience_ns;  /* that may be waited for what is late */
    _Atomic uint64_t n_in; /* frames; released by the hops, acquired by the thread */
    _Atomic uint32_t in_word;

    /* The thread's; the hops read what lies before n_out. */
    float *said;            /* [n_ring * 480], circular */
    bool *failed;           /* [n_ring] */
    _Atomic uint64_t n_out; /* frames; released by the thread, acquired by the hops */
    _Atomic uint32_t out_word;

    /* The thread's own. */
    struct rvc_speaker speaker;
    struct pitch_tracker *tracker;
    struct pitch_estimate *estimates; /* [n_estimates] */
    size_t n_estimates;
    float *pitch;        /* [n_ring], circular, by frame */
    uint64_t n_heard;    /* frames given to the tracker */
    uint64_t n_tracked;  /* estimates given by it */
    uint64_t heard_from; /* frame that it began with */
    struct sola *sola;
    uint64_t next;                                   /* first frame of the next chunk */
    float *window, *window_pitch, *window_semitones; /* of the largest pass */
    size_t window_room;
    float *piece;  /* [(PASS_SAID + STREAM_CHUNK_MOST) * 480] */
    float *joined; /* [STREAM_CHUNK_MOST * 480] */
    bool late[STREAM_RECENT];
    uint64_t n_late_seen, warned_ns;

    /* With the lock. */
    struct mutex lock;
    struct rvc_speaker incoming; /* pass NULL: nobody */
    struct rvc_pass *run;        /* in use by a run now */
    bool stop_runs;

    _Atomic bool quit, ended;
    _Atomic uint64_t run_began_ns; /* 0: none goes on */

    /* Written by the thread, read by any. */
    _Atomic uint64_t chunks, n_late, skipped, n_failed, swaps, refused, chunk;
    _Atomic int step;
    _Atomic float f0_hz, voiced;
};

void stream_thread(void *stream);

/** Room for what a pass needs. KODAMA_OK or KODAMA_ERR_MEMORY. */
int stream_make_room(struct rvc_stream *stream, const struct rvc_pass *pass);

#endif
