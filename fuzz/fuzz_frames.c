/* Fuzzing of the way of the frames: settings from a query, then bytes, packets and controls into a
 * session's inbox, and out of it in pieces, through records in between. Whatever comes out must be
 * what went in, in order, with each control at its place. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/inbox.h"
#include "serve/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { ROOM = 20000, MODEL_BYTES = 1 << 20 };

/* What went in: bytes of a known sequence, and how much of it came out. */
struct model {
    uint64_t in, out; /* bytes of payload */
    uint64_t frames_in, frames_out;
    uint64_t controls[64]; /* where, in frames */
    size_t n_controls, n_seen;
};

struct input {
    const uint8_t *bytes;
    size_t n;
};

static uint8_t take(struct input *input)
{
    if (input->n == 0) return 0;
    input->n--;
    return *input->bytes++;
}

static uint8_t byte_at(uint64_t position)
{
    return (uint8_t)(position * 31 + (position >> 8));
}

static void fill(uint8_t *bytes, size_t n, uint64_t from)
{
    for (size_t i = 0; i < n; i++) bytes[i] = byte_at(from + i);
}

/* "key=value" pieces up to a zero, as a query has them. */
static struct settings read_query(struct input *input)
{
    struct settings settings = settings_default();
    struct kodama_error error;
    char text[300];
    size_t n = 0;
    for (uint8_t c; (c = take(input)) != 0;) {
        if (n < sizeof text - 1) text[n++] = (char)c;
    }
    text[n] = '\0';
    for (char *at = text, *next; at; at = next) {
        next = strchr(at, '&');
        if (next) *next++ = '\0';
        char *value = strchr(at, '=');
        if (!value) continue;
        *value++ = '\0';
        (void)settings_set(&settings, at, value, &error);
    }
    return settings;
}

static void put(struct inbox *inbox, struct model *model, struct input *input)
{
    static uint8_t bytes[65536];
    size_t n = (size_t)take(input) << 5 | (take(input) & 31);
    fill(bytes, n, model->in);
    if (inbox->frame_bytes > 0) {
        if (!inbox_put(inbox, bytes, n)) return;
        model->in += n;
        model->frames_in = model->in / inbox->frame_bytes;
    } else {
        size_t n_frames = (size_t)take(input) * 23;
        if (!inbox_put_packet(inbox, bytes, n, n_frames)) return;
        model->in += n;
        model->frames_in += n_frames;
    }
}

static void ask(struct inbox *inbox, struct model *model)
{
    if (model->n_controls == 64 || !inbox_ask(inbox, INBOX_FINALIZE)) return;
    model->controls[model->n_controls++] = model->frames_in;
}

static void hear(struct inbox *inbox, struct model *model, struct input *input)
{
    static uint8_t buffer[INBOX_PACKET_BYTES_MAX];
    struct inbox_piece piece = inbox_next(inbox, buffer, sizeof buffer);
    for (size_t i = 0; i < piece.n_bytes; i++) {
        if (buffer[i] != byte_at(model->out + i)) abort();
    }
    if (piece.n_frames > 0) {
        size_t n = piece.n_frames;
        if (inbox->frame_bytes > 0) n = 1 + take(input) * n / 256;
        if (n > piece.n_frames) n = piece.n_frames;
        inbox_consume(inbox, &piece, n);
        model->out += inbox->frame_bytes > 0 ? n * inbox->frame_bytes : piece.n_bytes;
        model->frames_out += n;
        return;
    }
    if (piece.control == INBOX_NONE) return;
    if (model->n_seen == model->n_controls) abort();
    if (model->controls[model->n_seen++] != model->frames_out) abort();
}

/* Its client comes back: a part of a frame is sent again. */
static void align(struct inbox *inbox, struct model *model)
{
    inbox_align(inbox);
    if (inbox->frame_bytes > 0) model->in -= model->in % inbox->frame_bytes;
}

static void move(struct inbox *inbox, struct model *model)
{
    struct record record = record_writer();
    struct inbox next;
    align(inbox, model);
    inbox_save(inbox, &record);
    struct record reader = record_reader(record.data, record.n_bytes);
    if (!inbox_open(&next, inbox->frame_bytes, ROOM)) abort();
    inbox_load(&next, &reader);
    if (record.failed || reader.failed || reader.offset != reader.n_bytes) abort();
    if (next.frames != inbox->frames) abort();
    record_free(&record);
    inbox_close(inbox);
    *inbox = next;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct input input = {data, n_bytes};
    struct model model = {0};
    struct inbox inbox;
    struct settings settings = read_query(&input);
    struct kodama_error error;
    if (settings_check(&settings, &error) < 0) return 0;
    if (!settings_are_allowed(&settings)) abort();
    size_t n_frame = settings.encoding == ENCODING_OPUS ? 0 : kodama_frame_bytes(settings.format);
    if (!inbox_open(&inbox, n_frame, ROOM)) abort();
    while (input.n > 0 && model.in < MODEL_BYTES) {
        switch (take(&input) % 8) {
        case 0:
        case 1:
        case 2: put(&inbox, &model, &input); break;
        case 3: ask(&inbox, &model); break;
        case 4: move(&inbox, &model); break;
        case 5: align(&inbox, &model); break;
        default: hear(&inbox, &model, &input); break;
        }
        if (inbox.frames != model.frames_in) abort();
        if (inbox_has_room(&inbox) && inbox.received - inbox.consumed + INBOX_MARGIN_BYTES > ROOM)
            abort();
    }
    inbox_close(&inbox);
    struct record record = record_reader(data, n_bytes);
    if (!inbox_open(&inbox, n_frame, ROOM)) abort();
    inbox_load(&inbox, &record);
    static uint8_t buffer[INBOX_PACKET_BYTES_MAX];
    for (int i = 0; i < 100 && !record.failed; i++) {
        struct inbox_piece piece = inbox_next(&inbox, buffer, sizeof buffer);
        if (piece.n_frames > 0) inbox_consume(&inbox, &piece, piece.n_frames);
    }
    inbox_close(&inbox);
    return 0;
}
