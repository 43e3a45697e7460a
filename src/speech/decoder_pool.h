/*
 * The pool of decoders: threads that each own one decoder and run the work of all conversations.
 *
 * Order of work. Finals first: of the conversations that have one ready, the one that has been
 * ready for longest goes first, and a conversation's next final becomes ready when the one before
 * it is decided; so finals of one conversation run one after the other, and none starves. Then
 * early finals (begun at a pause, on a decoder that nobody leases). Then partials. A streaming
 * partial leases its decoder until the utterance ends; when finals wait and no decoder is free, the
 * lease is revoked. A partial that is not made before the next one is due is shed and counted.
 *
 * The first decoder is opened with the pool, so that a model that does not work is told at once;
 * each further one when all before it are in use, so that a final seldom waits for its loading.
 *
 * Locks: the pool's own is a leaf. Calls into the pool may be made with the caller's lock held;
 * calls out of it (decode_client_ops) are made with no lock held.
 */
#ifndef SPEECH_DECODER_POOL_H
#define SPEECH_DECODER_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/model.h>

#include "speech/engine.h"

struct decoder_pool;
struct decode_seat;

/** Where a final stands. Changed with the pool's lock held. */
enum decode_state {
    DECODE_WAITING,
    DECODE_RUNNING,
    DECODE_HELD,   /* decoded early, not yet confirmed */
    DECODE_ORPHAN, /* running, but nobody wants it any more */
};

/** An utterance on its way to its final. */
struct decode_final {
    /* Filled in by the owner before it is submitted, then constant. */
    uint32_t utterance;
    float *samples; /* owned by the job */
    size_t n_samples;

    /* Written by the decoder's thread; to be read in client_ops.final. */
    struct engine_result result;
    int status;
    struct kodama_error error;
    uint64_t cpu_ns;

    /* The pool's. */
    struct decode_final *next;
    enum decode_state state;
    bool early;
    _Atomic bool cancel;
    struct engine_context context; /* after this utterance */
};

/** How the pool speaks to a conversation. No lock is held. */
struct decode_client_ops {
    /** Copy up to max_samples of an utterance in progress, from its sample `from` on; returns how
     * many. 0 for another utterance. Thread: decoder. */
    size_t (*fetch)(void *user, uint32_t utterance, size_t from, float *samples,
                    size_t max_samples);
    /** A hypothesis of the first n_samples of an utterance. Thread: decoder. */
    void (*partial)(void *user, uint32_t utterance, const struct engine_result *result,
                    size_t n_samples);
    /** A final is decided; the job is freed after the call. Thread: decoder, or that which called
     * decode_seat_confirm(). */
    void (*final)(void *user, struct decode_final *job);
};

/**
 * Open a pool.
 *
 * @param[out] pool   owned by the caller
 * @param ops, model  the engine and its model; must outlive the pool
 * @param n_decoders  1 or more
 * @param log         may be NULL
 * @return KODAMA_OK, why the first decoder did not open, KODAMA_ERR_MEMORY or KODAMA_ERR_SYSTEM
 */
int decoder_pool_open(struct decoder_pool **pool, const struct engine_ops *ops, void *model,
                      uint32_t n_decoders, const struct kodama_log *log,
                      struct kodama_error *error);

/** Close it; all seats must have been left. NULL is allowed. */
void decoder_pool_close(struct decoder_pool *pool);

void decoder_pool_stats(struct decoder_pool *pool, struct kodama_model_stats *stats);

/** Take a seat: one conversation. NULL when memory is out. */
struct decode_seat *decode_seat_take(struct decoder_pool *pool, const struct decode_client_ops *ops,
                                     void *user);

/** Leave: work that has not begun is dropped, work that has begun is waited for. The seat is freed.
 * NULL is allowed. */
void decode_seat_leave(struct decode_seat *seat);

/** Leave, unless a thread is inside client_ops just now. False: not yet. */
bool decode_seat_try_leave(struct decode_seat *seat);

/** Submit a final; the job and its samples are taken. */
void decode_seat_submit(struct decode_seat *seat, struct decode_final *job);

/** Submit what will be a final if nobody goes on speaking. It may be decoded at once, but is told
 * only when it is confirmed. The seat has at most one, and submits no other final before it was
 * confirmed or discarded. */
void decode_seat_submit_early(struct decode_seat *seat, struct decode_final *job);

/** The early final is the final. When it is decoded already, client_ops.final is called from here.
 */
void decode_seat_confirm(struct decode_seat *seat);

/** The early final is void; nothing happens when there is none. */
void decode_seat_discard(struct decode_seat *seat);

/** Say that an utterance in progress has n_samples, and that a partial of them is due. */
void decode_seat_hear(struct decode_seat *seat, uint32_t utterance, size_t n_samples);

/** The utterance in progress is over, or wants no more partials. A hypothesis that is being made
 * may still be told. */
void decode_seat_hush(struct decode_seat *seat);

/** Wait until no confirmed final waits or runs. */
void decode_seat_drain(struct decode_seat *seat);

/** A copy of what the conversation carries on; seat drained. False when memory is out. */
bool decode_seat_get_context(struct decode_seat *seat, struct engine_context *context);

/** Set what the conversation carries on; the data is taken. Without a language the seat keeps its
 * own. */
void decode_seat_set_context(struct decode_seat *seat, struct engine_context context);

#endif
