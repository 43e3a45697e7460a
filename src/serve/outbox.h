/*
 * The outbox of a session: messages to its client, numbered when they are sent, and kept for a
 * client that lost its connection. What is only of the moment (partials, acknowledgements) is shed
 * first and not kept. The owner locks.
 */
#ifndef SERVE_OUTBOX_H
#define SERVE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"

/** What becomes of a message when there is a newer one, or once it was sent. */
enum outbox_kind {
    OUTBOX_KEPT,    /* kept, for it may have been sent into a dead socket */
    OUTBOX_PARTIAL, /* overtaken by the next partial and by any final */
    OUTBOX_ACK,     /* overtaken by the next one */
    OUTBOX_PONG,    /* overtaken by the next one */
    OUTBOX_BINARY,  /* bytes, no text; neither shed nor kept */
};

enum {
    /* Unsent bytes from which on the session hears no more audio. */
    OUTBOX_UNSENT_MAX = 256 * 1024,
    /* Sent bytes that are kept: an hour of fast speech with the times of its words. */
    OUTBOX_KEPT_MAX = 1024 * 1024,
    /* More numbers than a session gives between two records. */
    OUTBOX_SEQ_LEAP = 1 << 20,
};

struct outbox_message {
    struct outbox_message *next;
    char *text; /* owned */
    size_t n_bytes;
    uint64_t seq; /* 0: not sent yet */
    enum outbox_kind kind;
};

struct outbox {
    struct outbox_message *first, *last;
    struct outbox_message *unsent; /* first one to be sent; NULL: none */
    size_t unsent_bytes, kept_bytes;
    uint64_t seq;         /* given last */
    uint64_t dropped_seq; /* of the newest that was kept and is no more */
    bool plain;           /* messages are sent without their number */
    /* With a durable store: what is kept is sent once the store has it, so that whoever takes the
     * session up after a crash knows all that its client was told. */
    bool holds;
    uint64_t stored_seq; /* the store has it up to this number */
};

void outbox_free(struct outbox *outbox);

/** Append a message; the text is taken, also on failure. @return how many were shed for it, < 0
 * when memory is out */
int outbox_push(struct outbox *outbox, char *text, enum outbox_kind kind);

/** The same for bytes. */
int outbox_push_bytes(struct outbox *outbox, char *bytes, size_t n_bytes, enum outbox_kind kind);

/** The next message to be sent, in a new buffer with `room` free bytes before it. NULL: there is
 * none, or no memory. `kind` may be NULL. */
char *outbox_take(struct outbox *outbox, size_t room, size_t *n_bytes, enum outbox_kind *kind);

/** Send again all that is kept and newer than last_seq. @return false when some of it is no more,
 * or was never sent */
bool outbox_rewind(struct outbox *outbox, uint64_t last_seq);

/** Whether there is something that waits for the store. */
bool outbox_is_held(const struct outbox *outbox);

/** Part of a session's record: what is kept. All that is unsent gets its number by it, which is
 * the answer: to be given to outbox_release() once the record is stored. */
uint64_t outbox_save(struct outbox *outbox, struct record *record);
void outbox_release(struct outbox *outbox, uint64_t stored_seq);
/** Into an empty one, whose `holds` is set. */
void outbox_load(struct outbox *outbox, struct record *record);

static inline bool outbox_is_clogged(const struct outbox *outbox)
{
    return outbox->unsent_bytes > OUTBOX_UNSENT_MAX;
}

#endif
