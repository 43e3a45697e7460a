/* The tape of a client: audio that is kept until the server has confirmed it. */
#include "client/tape.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

bool tape_open(struct tape *tape, size_t frame_bytes, uint64_t room)
{
    *tape = (struct tape){.frame_bytes = frame_bytes, .room = room};
    tape->bytes = memory_array((size_t)room, frame_bytes);
    return tape->bytes != NULL;
}

void tape_free(struct tape *tape)
{
    free(tape->bytes);
    *tape = (struct tape){0};
}

void tape_write(struct tape *tape, const void *frames, uint64_t n_frames)
{
    uint64_t at = tape->end % tape->room;
    uint64_t first = n_frames < tape->room - at ? n_frames : tape->room - at;
    size_t n_first = (size_t)first * tape->frame_bytes;
    memcpy(tape->bytes + at * tape->frame_bytes, frames, n_first);
    memcpy(tape->bytes, (const uint8_t *)frames + n_first,
           (size_t)(n_frames - first) * tape->frame_bytes);
    tape->end += n_frames;
}

bool tape_mark(struct tape *tape)
{
    if (tape->n_marks > 0 && tape->marks[tape->n_marks - 1] == tape->end) return true;
    if (tape->n_marks == TAPE_MARKS_MAX) return false;
    tape->marks[tape->n_marks++] = tape->end;
    return true;
}

bool tape_take_mark(struct tape *tape)
{
    if (tape->n_marks_sent == tape->n_marks) return false;
    if (tape->marks[tape->n_marks_sent] > tape->sent) return false;
    tape->n_marks_sent++;
    return true;
}

uint64_t tape_take(struct tape *tape, void *frames, uint64_t n_most)
{
    bool marked = tape->n_marks_sent < tape->n_marks;
    uint64_t until = marked ? tape->marks[tape->n_marks_sent] : tape->end;
    uint64_t n = until - tape->sent < n_most ? until - tape->sent : n_most;
    uint64_t at = tape->sent % tape->room;
    uint64_t first = n < tape->room - at ? n : tape->room - at;
    size_t n_first = (size_t)first * tape->frame_bytes;
    memcpy(frames, tape->bytes + at * tape->frame_bytes, n_first);
    memcpy((uint8_t *)frames + n_first, tape->bytes, (size_t)(n - first) * tape->frame_bytes);
    tape->sent += n;
    if (tape->sent > tape->sent_most) tape->sent_most = tape->sent;
    return n;
}

/* Forget marks before a position. */
static void drop_marks(struct tape *tape, uint64_t position)
{
    uint32_t n = 0;
    while (n < tape->n_marks && tape->marks[n] < position) n++;
    tape->n_marks -= n;
    tape->n_marks_sent = tape->n_marks_sent > n ? tape->n_marks_sent - n : 0;
    memmove(tape->marks, tape->marks + n, tape->n_marks * sizeof tape->marks[0]);
}

void tape_confirm(struct tape *tape, uint64_t position)
{
    /* More than was sent cannot have arrived. */
    if (position <= tape->confirmed || position > tape->sent_most) return;
    tape->confirmed = position;
    drop_marks(tape, position); /* what came behind a mark came after it */
}

void tape_rewind(struct tape *tape, uint64_t position)
{
    tape->sent = position;
    /* A server may have lost what it had confirmed. */
    if (tape->confirmed > position) tape->confirmed = position;
    /* Whether a mark at the very position arrived cannot be known; to close twice is to close. */
    drop_marks(tape, position);
    tape->n_marks_sent = 0;
}
