/* The outbox of a session: messages to its client, numbered when they are sent, and kept. */
#include "serve/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "serve/message.h"

static void message_free(struct outbox_message *message)
{
    free(message->text);
    free(message);
}

void outbox_free(struct outbox *outbox)
{
    while (outbox->first) {
        struct outbox_message *next = outbox->first->next;
        message_free(outbox->first);
        outbox->first = next;
    }
    *outbox = (struct outbox){0};
}

/* Take a message out; `before` is the one in front of it. */
static void unlink_message(struct outbox *outbox, struct outbox_message *before,
                           struct outbox_message *message)
{
    if (before) {
        before->next = message->next;
    } else {
        outbox->first = message->next;
    }
    if (outbox->last == message) outbox->last = before;
    if (outbox->unsent == message) outbox->unsent = message->next;
    message_free(message);
}

/* Drop unsent messages that the new one overtakes. */
static int shed(struct outbox *outbox, enum outbox_kind kind)
{
    int n = 0;
    struct outbox_message *before = NULL;
    for (struct outbox_message *at = outbox->first; at;) {
        struct outbox_message *next = at->next;
        if (at->seq == 0 && at->kind == kind) {
            outbox->unsent_bytes -= at->n_bytes;
            unlink_message(outbox, before, at);
            n++;
        } else {
            before = at;
        }
        at = next;
    }
    return n;
}

static void append(struct outbox *outbox, struct outbox_message *message)
{
    if (outbox->last) {
        outbox->last->next = message;
    } else {
        outbox->first = message;
    }
    outbox->last = message;
}

int outbox_push_bytes(struct outbox *outbox, char *bytes, size_t n_bytes, enum outbox_kind kind)
{
    struct outbox_message *message = bytes ? memory_array(1, sizeof *message) : NULL;
    if (!message) {
        free(bytes);
        return -1;
    }
    int n_shed = 0;
    if (kind != OUTBOX_KEPT && kind != OUTBOX_BINARY) n_shed = shed(outbox, kind);
    if (kind == OUTBOX_PARTIAL && outbox_is_clogged(outbox)) {
        free(bytes);
        free(message);
        return n_shed + 1;
    }
    *message = (struct outbox_message){.text = bytes, .n_bytes = n_bytes, .kind = kind};
    append(outbox, message);
    if (!outbox->unsent) outbox->unsent = message;
    outbox->unsent_bytes += message->n_bytes;
    return n_shed;
}

int outbox_push(struct outbox *outbox, char *text, enum outbox_kind kind)
{
    return outbox_push_bytes(outbox, text, text ? strlen(text) : 0, kind);
}

static void forget_oldest(struct outbox *outbox)
{
    while (outbox->kept_bytes > OUTBOX_KEPT_MAX && outbox->first &&
           outbox->first != outbox->unsent) {
        outbox->kept_bytes -= outbox->first->n_bytes;
        outbox->dropped_seq = outbox->first->seq;
        unlink_message(outbox, NULL, outbox->first);
    }
}

/* What goes over the wire: a text with its number, or the bytes as they are. */
static char *wire(const struct outbox *outbox, const struct outbox_message *message, uint64_t seq,
                  size_t room, size_t *n_bytes)
{
    if (!outbox->plain && message->kind != OUTBOX_BINARY) {
        return message_numbered(message->text, seq, room, n_bytes);
    }
    char *bytes = memory_array(room + message->n_bytes + 1, 1);
    if (bytes && message->n_bytes > 0) memcpy(bytes + room, message->text, message->n_bytes);
    *n_bytes = message->n_bytes;
    return bytes;
}

static bool is_stored(const struct outbox *outbox, const struct outbox_message *message)
{
    if (!outbox->holds || message->kind != OUTBOX_KEPT) return true;
    return message->seq > 0 && message->seq <= outbox->stored_seq;
}

char *outbox_take(struct outbox *outbox, size_t room, size_t *n_bytes, enum outbox_kind *kind)
{
    struct outbox_message *message = outbox->unsent;
    if (!message || !is_stored(outbox, message)) return NULL;
    uint64_t seq = message->seq ? message->seq : outbox->seq + 1;
    char *text = wire(outbox, message, seq, room, n_bytes);
    if (!text) return NULL;
    if (kind) *kind = message->kind;
    outbox->unsent_bytes -= message->n_bytes;
    outbox->unsent = message->next;
    message->seq = seq;
    if (seq > outbox->seq) outbox->seq = seq;
    if (message->kind == OUTBOX_KEPT) {
        outbox->kept_bytes += message->n_bytes;
        forget_oldest(outbox);
        return text;
    }
    struct outbox_message *before = NULL;
    for (struct outbox_message *at = outbox->first; at != message; at = at->next) before = at;
    unlink_message(outbox, before, message);
    return text;
}

bool outbox_rewind(struct outbox *outbox, uint64_t last_seq)
{
    if (last_seq < outbox->dropped_seq || last_seq > outbox->seq) return false;
    for (struct outbox_message *at = outbox->first; at && at != outbox->unsent; at = at->next) {
        if (at->seq <= last_seq) continue;
        struct outbox_message *first = at;
        for (; at && at != outbox->unsent; at = at->next) {
            outbox->unsent_bytes += at->n_bytes;
            outbox->kept_bytes -= at->n_bytes;
        }
        outbox->unsent = first;
        return true;
    }
    return true;
}

/* ------------------------------------------------------------------ records */

bool outbox_is_held(const struct outbox *outbox)
{
    return outbox->unsent && !is_stored(outbox, outbox->unsent);
}

uint64_t outbox_save(struct outbox *outbox, struct record *record)
{
    uint64_t n = 0;
    for (struct outbox_message *at = outbox->first; at; at = at->next) {
        if (at->seq == 0) at->seq = ++outbox->seq;
        if (at->kind == OUTBOX_KEPT) n++;
    }
    record_put_tag(record, "OUTB", 1);
    record_put_u64(record, outbox->seq);
    record_put_u64(record, outbox->dropped_seq);
    record_put_u64(record, n);
    for (struct outbox_message *at = outbox->first; at; at = at->next) {
        if (at->kind != OUTBOX_KEPT) continue;
        record_put_u64(record, at->seq);
        record_put_text(record, at->text);
    }
    return outbox->seq;
}

void outbox_release(struct outbox *outbox, uint64_t stored_seq)
{
    if (stored_seq > outbox->stored_seq) outbox->stored_seq = stored_seq;
}

/* All count as sent: a resume says what has to be sent again. What was only of the moment had
 * numbers, too, after the record of a process that was lost: new ones begin behind them. */
void outbox_load(struct outbox *outbox, struct record *record)
{
    record_get_tag(record, "OUTB", 1);
    outbox->seq = record_get_u64(record);
    outbox->dropped_seq = record_get_u64(record);
    size_t n = record_get_count(record, OUTBOX_KEPT_MAX + OUTBOX_UNSENT_MAX);
    uint64_t before = outbox->dropped_seq;
    for (size_t i = 0; i < n && !record->failed; i++) {
        struct outbox_message *message = memory_array(1, sizeof *message);
        uint64_t seq = record_get_u64(record);
        char *text = record_get_text(record, OUTBOX_KEPT_MAX + OUTBOX_UNSENT_MAX);
        if (!message || !text || text[0] != '{' || seq <= before || seq > outbox->seq) {
            record->failed = true;
            free(message);
            free(text);
            return;
        }
        *message = (struct outbox_message){
            .text = text, .n_bytes = strlen(text), .seq = seq, .kind = OUTBOX_KEPT};
        append(outbox, message);
        outbox->kept_bytes += message->n_bytes;
        before = seq;
    }
    outbox->stored_seq = outbox->seq;
    if (outbox->holds) outbox->seq += OUTBOX_SEQ_LEAP;
    forget_oldest(outbox);
}
