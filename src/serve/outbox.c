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

int outbox_push(struct outbox *outbox, char *text, enum outbox_kind kind)
{
    struct outbox_message *message = text ? memory_array(1, sizeof *message) : NULL;
    if (!message) {
        free(text);
        return -1;
    }
    int n_shed = 0;
    if (kind != OUTBOX_KEPT) n_shed = shed(outbox, kind);
    if (kind == OUTBOX_PARTIAL && outbox_is_clogged(outbox)) {
        free(text);
        free(message);
        return n_shed + 1;
    }
    *message = (struct outbox_message){.text = text, .n_bytes = strlen(text), .kind = kind};
    if (outbox->last) {
        outbox->last->next = message;
    } else {
        outbox->first = message;
    }
    outbox->last = message;
    if (!outbox->unsent) outbox->unsent = message;
    outbox->unsent_bytes += message->n_bytes;
    return n_shed;
}

static void forget_oldest(struct outbox *outbox)
{
    while (outbox->kept_bytes > OUTBOX_KEPT_MAX && outbox->first != outbox->unsent) {
        outbox->kept_bytes -= outbox->first->n_bytes;
        outbox->dropped_seq = outbox->first->seq;
        unlink_message(outbox, NULL, outbox->first);
    }
}

char *outbox_take(struct outbox *outbox, size_t room, size_t *n_bytes)
{
    struct outbox_message *message = outbox->unsent;
    if (!message) return NULL;
    uint64_t seq = message->seq ? message->seq : outbox->seq + 1;
    char *text = message_numbered(message->text, seq, room, n_bytes);
    if (!text) return NULL;
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
