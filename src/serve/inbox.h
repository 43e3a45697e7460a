/*
 * The inbox of a session: audio that came and was not heard yet, and what was asked for at places
 * in between. It is a stream of frames, or one of packets, each of which is so many frames.
 * Bounded. The owner locks.
 */
#ifndef SERVE_INBOX_H
#define SERVE_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"

enum {
    INBOX_CONTROLS_MAX = 16,
    /* What may still come after its socket is no longer read: what libwebsockets has read. */
    INBOX_MARGIN_BYTES = 16384,
    INBOX_PACKET_BYTES_MAX = 8192,
    INBOX_PACKET_FRAMES_MAX = 65535,
};

/** What a client asked for at a place of its audio. */
enum inbox_control {
    INBOX_NONE,
    INBOX_FINALIZE,  /* end the utterance in progress */
    INBOX_STOP,      /* no more audio comes */
    INBOX_CONFIGURE, /* take the settings asked for */
    INBOX_MARK,      /* a message ended here; for protocols that answer each */
};

struct inbox {
    uint8_t *ring;               /* owned */
    size_t room;                 /* bytes in ring */
    size_t frame_bytes;          /* 0: packets */
    uint64_t received, consumed; /* bytes, since the beginning */
    uint64_t origin;             /* the one that is at the ring's beginning */
    uint64_t frames;             /* received whole, since the beginning */
    struct {
        uint64_t at; /* of received */
        enum inbox_control what;
    } controls[INBOX_CONTROLS_MAX];
    uint32_t n_controls;
};

/** What comes next: frames, or a packet, or a control, or nothing. */
struct inbox_piece {
    const uint8_t *bytes; /* borrowed: the buffer that was handed in */
    size_t n_bytes;       /* of frames, or of the packet; a lost packet has none */
    size_t n_frames;      /* 0: there is no audio */
    enum inbox_control control;
};

/** An empty one; frame_bytes 0: of packets. False: no memory. */
bool inbox_open(struct inbox *inbox, size_t frame_bytes, size_t room);
void inbox_close(struct inbox *inbox);

/** Whether what libwebsockets has read already still finds room. */
bool inbox_has_room(const struct inbox *inbox);

/** Whether there is neither a whole frame nor a control. */
static inline bool inbox_is_empty(const struct inbox *inbox)
{
    uint64_t n = inbox->received - inbox->consumed;
    return inbox->n_controls == 0 && n < (inbox->frame_bytes ? inbox->frame_bytes : 1);
}

/** Take bytes of frames; they need not end with a whole one. False: no room, nothing was taken. */
bool inbox_put(struct inbox *inbox, const void *bytes, size_t n_bytes);

/** Take a packet; none of n_bytes: it was lost. False: no room, or it is too long. */
bool inbox_put_packet(struct inbox *inbox, const void *bytes, size_t n_bytes, size_t n_frames);

/** Note a control at this place. False: no room. */
bool inbox_ask(struct inbox *inbox, enum inbox_control what);

/** Forget a part of a frame at the end: its client will send it again. */
void inbox_align(struct inbox *inbox);

/** What comes next, copied into a buffer of at least INBOX_PACKET_BYTES_MAX. A control is taken
 * with that; audio only by inbox_consume(). */
struct inbox_piece inbox_next(struct inbox *inbox, uint8_t *buffer, size_t n_bytes);

/** The first n_frames of the piece were heard; of a packet all are. */
void inbox_consume(struct inbox *inbox, const struct inbox_piece *piece, size_t n_frames);

/** Whole frames that are in it. */
uint64_t inbox_waiting(const struct inbox *inbox);

/** Part of a session's record: what was not heard yet, without a part of a frame. */
void inbox_save(const struct inbox *inbox, struct record *record);
/** Into an empty one. */
void inbox_load(struct inbox *inbox, struct record *record);

#endif
