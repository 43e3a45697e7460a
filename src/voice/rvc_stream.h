/*
 * A stream of chunks: hops of 10 ms in and out with a fixed delay, and between them a thread that
 * takes one chunk after another through the models.
 *
 * Frames (10 ms) are counted from 0 on both sides. Frame q of what is said is due with frame q + d
 * of the input. A chunk that is not there by then is silence, and never comes later; the thread
 * leaves out what nobody waits for any more, so no delay ever grows. With `offline` the caller
 * waits instead.
 *
 * When chunks come late again and again it helps itself in named steps: larger chunks, where the
 * delay was sized for them; the tracker's pitch instead of RMVPE's; then it stays silent while it
 * is behind. Each step is one line in the log.
 */
#ifndef VOICE_RVC_STREAM_H
#define VOICE_RVC_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/log.h>
#include <kodama/status.h>

#include "voice/rvc_pass.h"

/** Somebody who speaks: a pass, and who is told when it is not used any more. */
struct rvc_speaker {
    struct rvc_pass *pass;
    const struct rvc_weights *weights;
    struct rvc_manner manner;
    char name[64];
    void (*release)(void *owner); /**< after the pass was closed; NULL: nobody */
    void *owner;
};

struct rvc_stream_config {
    size_t context;    /**< frames, for passes that are opened later */
    size_t chunk_most; /**< frames: the delay is sized for it, at least the first pass's chunk */
    bool deep;         /**< voices down to 50 Hz */
    bool offline;      /**< wait for what is not there */
    uint64_t seed;
    uint64_t hang_ns;             /**< a run that takes longer is ended; 0: 2 s, or 60 s offline */
    const struct kodama_log *log; /**< may be NULL */
};

enum rvc_step { RVC_STEP_NONE, RVC_STEP_LARGER_CHUNK, RVC_STEP_CHEAPER_PITCH, RVC_STEP_SILENCE };

/** A snapshot. */
struct rvc_stream_stats {
    uint64_t frames;  /**< said, or left silent, so far */
    uint64_t chunks;  /**< said */
    uint64_t late;    /**< said too late, at least in part */
    uint64_t skipped; /**< left out because nobody waited for them any more */
    uint64_t failed;  /**< runs that failed, said something that is no sound, or hung */
    uint64_t swaps;   /**< speakers taken over */
    uint64_t refused; /**< speakers that failed at their first chunk; the old one went on */
    enum rvc_step step;
    size_t chunk; /**< frames, now */
    float f0_hz, voiced;
};

struct rvc_stream;

/**
 * Open a stream and its thread.
 *
 * @param speaker  taken over, also when this fails
 */
int rvc_stream_open(struct rvc_stream **stream, const struct rvc_speaker *speaker,
                    const struct rvc_stream_config *config, struct kodama_error *error);

/** Ends a run that goes on. A thread that cannot be ended (it hangs in one operation of a model)
 * is left behind with what it uses after 10 s. NULL is allowed. */
void rvc_stream_close(struct rvc_stream *stream);

/** Samples at 48 kHz by which what is said trails what was heard. */
uint32_t rvc_stream_delay(const struct rvc_stream *stream);
size_t rvc_stream_chunk_most(const struct rvc_stream *stream);

/**
 * One hop.
 *
 * @param in         160 samples
 * @param[out] out   480 samples
 * @param semitones  that the pitch is moved by
 * @param formant    semitones
 * @return KODAMA_OK, KODAMA_ERR_TIMEOUT (late), KODAMA_ERR_ENGINE (the chunk failed); then `out` is
 *         to be silence
 *
 * Live it waits for what is late 2 ms per hop, saved up to the length of a chunk, so that input
 * that comes in bursts is no reason for silence. Thread: one.
 */
int rvc_stream_hop(struct rvc_stream *stream, const float *in, float *out, float semitones,
                   float formant);

/** As after open; the thread begins anew. Thread: that of the hops. Real-time safe: no. */
void rvc_stream_reset(struct rvc_stream *stream);

/**
 * Let somebody else speak from the next chunk on, in a crossfade of 50 ms. When the first chunk
 * fails the old one goes on.
 *
 * @param speaker  taken over, also when this fails
 * @return KODAMA_OK, KODAMA_ERR_LIMIT (its chunks are larger than the delay allows),
 *         KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
int rvc_stream_swap(struct rvc_stream *stream, const struct rvc_speaker *speaker,
                    struct kodama_error *error);

/** Thread: any. Real-time safe: yes. */
void rvc_stream_stats(const struct rvc_stream *stream, struct rvc_stream_stats *stats);

/** Close a speaker's pass and tell its owner. */
void rvc_speaker_release(struct rvc_speaker *speaker);

#endif
