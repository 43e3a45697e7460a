/* Fuzzing of what a server may say to a client: messages, one a line (an empty one is a cut of the
 * connection), with frames written and sent
 * in between. The client's tape must stay whole, and what it keeps must stay within its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { ROOM = 4000, FRAMES = 700 };

static bool begin(struct kodama_client *c, bool renews)
{
    *c = (struct kodama_client){.margin = 100};
    c->config.renew = renews;
    c->format = (struct kodama_format){KODAMA_SAMPLE_S16, 16000, 1, 0};
    c->wire = c->format;
    mutex_init(&c->mutex);
    condition_init(&c->changed);
    return tape_open(&c->tape, 2, ROOM);
}

static void end(struct kodama_client *c)
{
    event_queue_clear(&c->events);
    tape_free(&c->tape);
    condition_destroy(&c->changed);
    mutex_destroy(&c->mutex);
}

static void check(const struct kodama_client *c)
{
    const struct tape *tape = &c->tape;
    if (tape->confirmed > tape->end || tape->sent > tape->end || tape->sent_most > tape->end)
        abort();
    if (tape->confirmed < tape_oldest(tape) || tape->sent < tape_oldest(tape)) abort();
    if (tape->n_marks_sent > tape->n_marks || tape->n_marks > TAPE_MARKS_MAX) abort();
    if (c->decided > tape->end || c->heard > tape->end) abort();
    if (c->n_pending > CLIENT_PENDING_MAX) abort();
}

/* As the writer and the network thread do it. */
static void move(struct kodama_client *c, uint8_t kind)
{
    static const int16_t frames[FRAMES];
    static int16_t out[FRAMES];
    uint64_t n = kind % FRAMES;
    if (n > tape_free_frames(&c->tape)) n = tape_free_frames(&c->tape);
    tape_write(&c->tape, frames, n);
    c->frames = c->tape.end;
    if (kind % 5 == 0) (void)tape_mark(&c->tape);
    if (kind % 7 == 0) c->finishing = true;
    if (!tape_take_mark(&c->tape)) (void)tape_take(&c->tape, out, FRAMES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct kodama_client client;
    bool greeted = false;
    if (n_bytes == 0 || !begin(&client, data[0] != 'n')) return 0;
    const uint8_t *at = data, *stop = data + n_bytes;
    while (at < stop && !client.ended) {
        const uint8_t *line = memchr(at, '\n', (size_t)(stop - at));
        if (!line) line = stop;
        move(&client, (uint8_t)(line - at));
        enum client_verdict verdict =
            client_message(&client, (const char *)at, (size_t)(line - at), greeted);
        if (verdict == VERDICT_READY) {
            greeted = true;
            client.began = true;
        }
        if (verdict == VERDICT_CLOSE || line == at) {
            char text[300];
            greeted = false;
            if (client.session[0] && client_resume_text(&client, text, sizeof text) == 0) abort();
        }
        check(&client);
        at = line < stop ? line + 1 : stop;
    }
    end(&client);
    return 0;
}
