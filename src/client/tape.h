/*
 * The tape of a client: the audio that was written, kept until the server has confirmed it and
 * longer while nothing newer needs the room; and the places at which an utterance is to be closed.
 * Positions are frames since the beginning. The owner locks.
 */
#ifndef CLIENT_TAPE_H
#define CLIENT_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TAPE_MARKS_MAX = 64 };

struct tape {
    uint8_t *bytes; /* owned; frame n is at n modulo room */
    size_t frame_bytes;
    uint64_t room;                  /* frames */
    uint64_t end;                   /* written */
    uint64_t confirmed;             /* the server has all before this */
    uint64_t sent;                  /* what is sent next */
    uint64_t sent_most;             /* nothing after this was ever sent */
    uint64_t marks[TAPE_MARKS_MAX]; /* in order, none twice */
    uint32_t n_marks, n_marks_sent;
};

/** @return false when memory is out */
bool tape_open(struct tape *tape, size_t frame_bytes, uint64_t room);
void tape_free(struct tape *tape);

/** Frames that can be written without losing what is not confirmed. */
static inline uint64_t tape_free_frames(const struct tape *tape)
{
    return tape->room - (tape->end - tape->confirmed);
}

/** The oldest frame that is still there. */
static inline uint64_t tape_oldest(const struct tape *tape)
{
    return tape->end > tape->room ? tape->end - tape->room : 0;
}

/** Append frames, at most tape_free_frames(). */
void tape_write(struct tape *tape, const void *frames, uint64_t n_frames);

/** Remember that an utterance is to be closed at the end. @return false when there are too many */
bool tape_mark(struct tape *tape);

/** Whether a mark is to be sent now; then it counts as sent. */
bool tape_take_mark(struct tape *tape);

/** Take the frames to be sent next, up to a mark. @return how many */
uint64_t tape_take(struct tape *tape, void *frames, uint64_t n_most);

/** The server has all frames before this one. */
void tape_confirm(struct tape *tape, uint64_t position);

/** Send again from this frame on, which must be there; with the marks at and behind it. */
void tape_rewind(struct tape *tape, uint64_t position);

#endif
