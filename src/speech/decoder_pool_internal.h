/*
 * The pool of decoders from the inside, shared by its threads (decoder_pool.c) and its seats
 * (decoder_seat.c). Everything here is called with the pool's lock held.
 */
#ifndef SPEECH_DECODER_POOL_INTERNAL_H
#define SPEECH_DECODER_POOL_INTERNAL_H

#include "base/thread.h"
#include "speech/decoder_pool.h"

struct worker {
    struct decoder_pool *pool; /* constant */
    struct thread thread;      /* constant */
    void *decoder;             /* its own thread's; NULL: not opened yet */
    size_t heard;              /* its own thread's: samples of the leased utterance */
    float *samples;            /* its own thread's: STEP_SAMPLES */
    /* With the pool's lock. */
    bool open;                 /* decoder is there */
    bool busy;                 /* at work without the lock */
    bool broken;               /* its decoder could not be opened: it is gone */
    bool stale;                /* the decoder is in an utterance that nobody wants */
    struct decode_seat *lease; /* whose utterance the decoder is in; NULL: free */
    uint32_t lease_utterance;
    uint64_t last_heard_ns;
};

struct decode_seat {
    struct decoder_pool *pool;           /* constant */
    const struct decode_client_ops *ops; /* constant */
    void *user;                          /* constant */
    _Atomic bool stop_partial;           /* set by anybody, cleared when a partial begins */
    /* With the pool's lock. */
    struct decode_seat *next;
    struct decode_final *first, *last; /* confirmed finals in order, the running one included */
    struct decode_final *early;        /* not confirmed */
    bool running;                      /* a final that somebody wants is being decoded or told */
    uint64_t ready;                    /* order in which the first final became ready */
    uint32_t n_active;                 /* threads inside client_ops */
    uint32_t utterance;                /* in progress; 0: none */
    size_t available;                  /* its samples */
    bool due;                          /* a partial of them is due */
    uint64_t due_order;
    struct worker *lease;
    uint32_t paced; /* segment engines: the utterance that ... */
    size_t pace;    /* ... has no partial before it has so many samples */
    struct engine_context context;
};

struct decoder_pool {
    const struct engine_ops *ops; /* constant */
    void *model;                  /* constant */
    const struct kodama_log *log; /* constant */
    struct worker *workers;       /* constant */
    uint32_t n_workers;           /* constant once open */
    struct mutex mutex;
    struct condition work; /* something to do, or closing */
    struct condition done; /* a final was told, or a thread left client_ops */
    /* With the lock. */
    struct decode_seat *seats;
    uint64_t order; /* counts what became ready */
    bool closing;
    struct kodama_model_stats stats;
};

void decode_job_free(struct decode_final *job);

/** False when memory is out. */
bool decode_context_copy(struct engine_context *to, const struct engine_context *from);

/** Whether a worker other than this one could begin something at once. */
bool decoder_is_free(const struct decoder_pool *pool, const struct worker *except, bool open_only);

/** The worker's decoder is nobody's any more. */
void decoder_end_lease(struct worker *worker);

/** Tell a final and forget it. The lock is let go in between. */
void decode_seat_tell(struct decode_seat *seat, struct decode_final *job);

#endif
