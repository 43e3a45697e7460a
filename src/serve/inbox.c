/* The inbox of a session: audio that came and was not heard yet, and what was asked for. */
#include "serve/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Before each packet: its bytes, and its frames. */
enum { PREFIX_BYTES = 4 };

bool inbox_open(struct inbox *inbox, size_t frame_bytes, size_t room)
{
    *inbox = (struct inbox){.frame_bytes = frame_bytes, .room = room};
    inbox->ring = memory_array(room, 1);
    return inbox->ring != NULL;
}

void inbox_close(struct inbox *inbox)
{
    free(inbox->ring);
    *inbox = (struct inbox){0};
}

static size_t free_bytes(const struct inbox *inbox)
{
    return inbox->room - (size_t)(inbox->received - inbox->consumed);
}

bool inbox_has_room(const struct inbox *inbox)
{
    return free_bytes(inbox) >= INBOX_MARGIN_BYTES && inbox->n_controls < INBOX_CONTROLS_MAX / 2;
}

/* Of a byte in the ring. */
static size_t place(const struct inbox *inbox, uint64_t position)
{
    return (size_t)((position - inbox->origin) % inbox->room);
}

/* There is room. */
static void append(struct inbox *inbox, const void *bytes, size_t n_bytes)
{
    /* An empty ring is filled from its beginning, so that little of it is ever touched. */
    if (inbox->received == inbox->consumed) inbox->origin = inbox->received;
    size_t at = place(inbox, inbox->received);
    size_t first = n_bytes < inbox->room - at ? n_bytes : inbox->room - at;
    if (n_bytes == 0) return;
    memcpy(inbox->ring + at, bytes, first);
    memcpy(inbox->ring, (const uint8_t *)bytes + first, n_bytes - first);
    inbox->received += n_bytes;
}

static void peek(const struct inbox *inbox, uint64_t from, uint8_t *bytes, size_t n_bytes)
{
    size_t at = place(inbox, from);
    size_t first = n_bytes < inbox->room - at ? n_bytes : inbox->room - at;
    memcpy(bytes, inbox->ring + at, first);
    memcpy(bytes + first, inbox->ring, n_bytes - first);
}

bool inbox_put(struct inbox *inbox, const void *bytes, size_t n_bytes)
{
    if (n_bytes > free_bytes(inbox)) return false;
    append(inbox, bytes, n_bytes);
    inbox->frames = inbox->received / inbox->frame_bytes;
    return true;
}

bool inbox_put_packet(struct inbox *inbox, const void *bytes, size_t n_bytes, size_t n_frames)
{
    if (n_bytes > INBOX_PACKET_BYTES_MAX || n_frames == 0 || n_frames > INBOX_PACKET_FRAMES_MAX ||
        PREFIX_BYTES + n_bytes > free_bytes(inbox)) {
        return false;
    }
    uint8_t prefix[PREFIX_BYTES] = {(uint8_t)n_bytes, (uint8_t)(n_bytes >> 8), (uint8_t)n_frames,
                                    (uint8_t)(n_frames >> 8)};
    append(inbox, prefix, sizeof prefix);
    append(inbox, bytes, n_bytes);
    inbox->frames += n_frames;
    return true;
}

bool inbox_ask(struct inbox *inbox, enum inbox_control what)
{
    if (inbox->n_controls == INBOX_CONTROLS_MAX) return false;
    /* Within a frame it is before it: that frame was not whole when it was asked. */
    uint64_t part = inbox->frame_bytes > 0 ? inbox->received % inbox->frame_bytes : 0;
    inbox->controls[inbox->n_controls].at = inbox->received - part;
    inbox->controls[inbox->n_controls++].what = what;
    return true;
}

void inbox_align(struct inbox *inbox)
{
    if (inbox->frame_bytes == 0) return;
    /* Whole frames are consumed only, so the part at the end is still in the ring. */
    inbox->received -= inbox->received % inbox->frame_bytes;
    for (uint32_t i = 0; i < inbox->n_controls; i++) {
        if (inbox->controls[i].at > inbox->received) inbox->controls[i].at = inbox->received;
    }
}

/* A packet is put as a whole, and its prefix is ours. */
static void next_packet(const struct inbox *inbox, struct inbox_piece *piece, uint8_t *buffer)
{
    uint8_t prefix[PREFIX_BYTES];
    peek(inbox, inbox->consumed, prefix, sizeof prefix);
    piece->n_bytes = (size_t)(prefix[0] | prefix[1] << 8);
    piece->n_frames = (size_t)(prefix[2] | prefix[3] << 8);
    peek(inbox, inbox->consumed + PREFIX_BYTES, buffer, piece->n_bytes);
}

struct inbox_piece inbox_next(struct inbox *inbox, uint8_t *buffer, size_t n_bytes)
{
    struct inbox_piece piece = {.bytes = buffer};
    uint64_t until = inbox->n_controls > 0 ? inbox->controls[0].at : inbox->received;
    uint64_t n = until - inbox->consumed;
    if (n > 0 && inbox->frame_bytes == 0) {
        next_packet(inbox, &piece, buffer);
        return piece;
    }
    if (n > n_bytes) n = n_bytes;
    if (inbox->frame_bytes > 0) piece.n_frames = (size_t)n / inbox->frame_bytes;
    piece.n_bytes = piece.n_frames * inbox->frame_bytes;
    peek(inbox, inbox->consumed, buffer, piece.n_bytes);
    if (piece.n_frames == 0 && inbox->n_controls > 0) {
        piece.control = inbox->controls[0].what;
        inbox->n_controls--;
        memmove(inbox->controls, inbox->controls + 1,
                inbox->n_controls * sizeof inbox->controls[0]);
    }
    return piece;
}

void inbox_consume(struct inbox *inbox, const struct inbox_piece *piece, size_t n_frames)
{
    if (inbox->frame_bytes > 0) {
        inbox->consumed += n_frames * inbox->frame_bytes;
    } else {
        inbox->consumed += PREFIX_BYTES + piece->n_bytes;
    }
}

uint64_t inbox_waiting(const struct inbox *inbox)
{
    uint64_t n_frames = 0, at = inbox->consumed;
    if (inbox->frame_bytes > 0) return (inbox->received - at) / inbox->frame_bytes;
    while (at < inbox->received) {
        uint8_t prefix[PREFIX_BYTES];
        peek(inbox, at, prefix, sizeof prefix);
        n_frames += (uint64_t)(prefix[2] | prefix[3] << 8);
        at += PREFIX_BYTES + (uint64_t)(prefix[0] | prefix[1] << 8);
    }
    return n_frames;
}

/* ------------------------------------------------------------------ records */

void inbox_save(const struct inbox *inbox, struct record *record)
{
    uint64_t n = inbox->received - inbox->consumed;
    if (inbox->frame_bytes > 0) n -= inbox->received % inbox->frame_bytes;
    record_put_tag(record, "INBX", 1);
    record_put_u64(record, inbox->frames);
    record_put_u64(record, n);
    for (uint64_t done = 0; done < n;) {
        size_t at = place(inbox, inbox->consumed + done);
        uint64_t piece = n - done < inbox->room - at ? n - done : inbox->room - at;
        record_put_bytes(record, inbox->ring + at, (size_t)piece);
        done += piece;
    }
    record_put_u64(record, inbox->n_controls);
    for (uint32_t i = 0; i < inbox->n_controls; i++) {
        uint64_t at = inbox->controls[i].at - inbox->consumed;
        record_put_u64(record, at < n ? at : n);
        record_put_u32(record, (uint32_t)inbox->controls[i].what);
    }
}

/* Whether a packet begins, or all ends, so many bytes after what was heard. */
static bool is_boundary(const struct inbox *inbox, uint64_t at)
{
    uint64_t n = inbox->received - inbox->consumed, from = 0;
    if (inbox->frame_bytes > 0) return at % inbox->frame_bytes == 0;
    while (from < at && n - from >= PREFIX_BYTES) {
        uint8_t prefix[PREFIX_BYTES];
        peek(inbox, inbox->consumed + from, prefix, sizeof prefix);
        size_t n_bytes = (size_t)(prefix[0] | prefix[1] << 8);
        if (n_bytes > INBOX_PACKET_BYTES_MAX || n - from < PREFIX_BYTES + n_bytes) return false;
        if (prefix[2] == 0 && prefix[3] == 0) return false;
        from += PREFIX_BYTES + n_bytes;
    }
    return from == at;
}

static void load_controls(struct inbox *inbox, struct record *record)
{
    uint64_t before = 0, n = inbox->received - inbox->consumed;
    inbox->n_controls = (uint32_t)record_get_count(record, INBOX_CONTROLS_MAX);
    for (uint32_t i = 0; i < inbox->n_controls; i++) {
        uint64_t at = record_get_u64(record);
        uint32_t what = record_get_u32(record);
        if (at < before || at > n || !is_boundary(inbox, at) || what < INBOX_FINALIZE ||
            what > INBOX_MARK) {
            record->failed = true;
        }
        inbox->controls[i].at = inbox->consumed + at;
        inbox->controls[i].what = (enum inbox_control)what;
        before = at;
    }
    if (record->failed) inbox->n_controls = 0;
}

void inbox_load(struct inbox *inbox, struct record *record)
{
    record_get_tag(record, "INBX", 1);
    inbox->frames = record_get_u64(record);
    size_t n = record_get_count(record, inbox->room);
    if (record->failed || inbox->frames > UINT64_MAX / 1024) {
        record->failed = true;
        return;
    }
    /* Bytes of frames are counted from the conversation's beginning. */
    uint64_t end = inbox->frame_bytes > 0 ? inbox->frames * inbox->frame_bytes : n;
    if (n > end) {
        record->failed = true;
        return;
    }
    inbox->received = end;
    inbox->consumed = inbox->origin = end - n;
    size_t at = place(inbox, inbox->consumed);
    size_t first = n < inbox->room - at ? n : inbox->room - at;
    record_get_bytes(record, inbox->ring + at, first);
    record_get_bytes(record, inbox->ring, n - first);
    if (!record->failed && !is_boundary(inbox, n)) record->failed = true;
    load_controls(inbox, record);
}
