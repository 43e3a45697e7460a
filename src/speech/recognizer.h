/*
 * The recogniser from the inside: one conversation, and who may touch what of it.
 *
 * Three kinds of threads meet here: the writer (write, finalize, finish, save, load), the reader
 * (next), and the decoders' (the three client functions). The recogniser's lock is taken before
 * the pool's, never after it.
 */
#ifndef SPEECH_RECOGNIZER_H
#define SPEECH_RECOGNIZER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <kodama/recognizer.h>
#include <kodama/segmenter.h>

#include "audio/resampler.h"
#include "base/thread.h"
#include "speech/decoder_pool.h"
#include "speech/recognizer_events.h"
#include "speech/stabilizer.h"
#include "speech/utterance.h"

/** An utterance that has ended and has no final yet. */
struct undecided {
    struct undecided *next;
    uint32_t utterance;
    uint64_t begin, end; /* as told: hangover included */
    size_t n_samples;    /* to be decoded */
    uint64_t heard;      /* position when it ended, for the lag */
    uint64_t since_ns;   /* when it ended */
    struct stabilizer stabilizer;
};

struct kodama_recognizer {
    /* Constant after open. */
    struct kodama_model *partials_model; /* two passes: makes the partials; else NULL */
    struct decode_seat *draft;           /* its seat */
    char language[ENGINE_LANGUAGE_BYTES];
    struct kodama_format format;
    bool partials;
    uint64_t interval;    /* samples between two partials */
    uint64_t fast;        /* samples of silence that are decoded after speech */
    uint64_t max_pending; /* samples */
    void (*on_event)(void *user);
    void *user;

    /* Changed by the writer, with the lock; read by either. */
    struct kodama_model *model; /* makes the finals of the utterances to come, */
    struct decode_seat *seat;   /* with its seat */

    /* The writer's. */
    struct kodama_model *next_model; /* takes over when the utterance in progress is over */
    struct decode_seat *next;        /* NULL: there is none */
    struct kodama_model *old_model;  /* was taken over from, and may have finals to make */
    struct decode_seat *old;         /* NULL: there is none */
    struct resampler *resampler;
    struct kodama_segmenter *segmenter;
    uint64_t frames;        /* heard, at the input's rate */
    bool has_early;         /* an early final was submitted for ... */
    uint64_t early_end;     /* ... the samples up to here */
    _Atomic uint32_t meter; /* bits of the newest probability; read by any thread */

    /* With the lock. */
    struct mutex mutex;
    struct condition changed; /* an event came, or a final was decided, or the end */
    struct utterance_audio audio;
    bool speaking;
    uint32_t utterance; /* in progress */
    uint64_t begin;     /* its first sample */
    uint64_t next_partial;
    struct stabilizer stabilizer;
    struct undecided *first, *last;              /* in order */
    uint64_t pending;                            /* samples of the undecided */
    uint32_t n_old;                              /* of them, at the front, with the old seat */
    struct decode_final *held_first, *held_last; /* wait until these are decided */
    bool slow;                                   /* in an episode */
    bool finished;
    struct event_queue events;
    struct recognizer_event *delivered; /* the reader's, until its next call */
    struct kodama_waitable waitable;
    bool has_waitable;
};

/* recognizer_switch.c: which model an utterance is decoded by. */

/** Use models from the beginning: take seats in them. False: memory is out. */
bool recognizer_seat(struct kodama_recognizer *recognizer, struct kodama_model *model,
                     struct kodama_model *partials_model);

/** The model that waits takes over; between two utterances. Writer. */
void recognizer_take_over(struct kodama_recognizer *recognizer);

/** Leave the old model if its last final was told. @return whether there is none any more. Writer.
 */
bool recognizer_let_go(struct kodama_recognizer *recognizer);

/** The seat that makes partials. Writer. */
struct decode_seat *recognizer_partials(struct kodama_recognizer *recognizer);

/** Whether finals of an old model are undecided: the new one's have to wait. */
bool recognizer_is_switching(struct kodama_recognizer *recognizer);

/** Hand on a final in its order; the job is taken. Writer. */
void recognizer_submit(struct kodama_recognizer *recognizer, struct decode_final *job);

/** One more is decided. Lock held. */
void recognizer_decided(struct kodama_recognizer *recognizer);

/** Leave all seats, and let the models go. */
void recognizer_unseat(struct kodama_recognizer *recognizer);

/** What the seats call: recognizer.c. */
extern const struct decode_client_ops recognizer_client;

/** A 16 kHz position at the input's rate. */
uint64_t recognizer_to_input(const struct kodama_recognizer *recognizer, uint64_t position);

#endif
