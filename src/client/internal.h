/*
 * The client from the inside. Three threads meet here: the writer (write, finalize, finish), the
 * reader (next), and the network thread, which alone touches the connection.
 */
#ifndef CLIENT_INTERNAL_H
#define CLIENT_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/client.h>

#include "audio/resampler.h"
#include "base/thread.h"
#include "client/address.h"
#include "client/event.h"
#include "client/tape.h"

enum {
    CLIENT_NAME_BYTES = 128,
    CLIENT_ID_BYTES = 80,
    CLIENT_PENDING_MAX = 128,
};

struct line;

/** An utterance without its final. */
struct pending {
    uint32_t utterance;
    uint64_t start, stop; /* of the tape; UINT64_MAX: it has not stopped */
};

struct kodama_client {
    /* Immutable after open. */
    struct kodama_client_config config; /* its texts are not kept */
    struct address address;
    char *token, *ca;            /* owned */
    struct kodama_format format; /* of frames as they are written */
    struct kodama_format wire;   /* of frames on the tape and over the network */
    char engine[CLIENT_NAME_BYTES], model[CLIENT_NAME_BYTES]; /* network thread, before open is */
    struct line *line;
    struct thread thread;
    bool running;

    /* The writer's: for frames that do not go over the network as they are. */
    struct resampler *resampler; /* NULL: they do */
    float *mono, *resampled;     /* [block], what a block can become */
    size_t reserve;              /* frames of the tape that are kept free for the end */
    uint64_t margin;             /* frames of the tape that may be speech that was not told yet */

    /* With the lock. */
    struct mutex mutex;
    struct condition changed; /* room, an event, the beginning, the end */
    struct tape tape;
    uint64_t frames; /* written */
    bool finishing;  /* no more come */
    bool began;      /* the first session was ready */
    bool connected;  /* audio can flow */
    bool asleep;     /* the network thread has nothing to send and wants to be woken */
    bool closing;
    bool ended; /* nothing comes any more */
    struct kodama_error failure;
    struct event_queue events;
    struct client_event *delivered; /* the reader's, until its next call */
    struct kodama_waitable waitable;
    bool has_waitable;
    uint64_t heard;                   /* of the tape: the server's detector heard all before it */
    uint64_t decided;                 /* of the tape: what was spoken before it has its final */
    uint32_t decided_utterance;       /* the newest with a final */
    struct kodama_client_stats stats; /* counters only; the rest is filled in when asked for */

    /* Network thread only: the session. */
    char session[CLIENT_ID_BYTES], secret[CLIENT_ID_BYTES]; /* "": none */
    uint64_t last_seq;
    uint64_t base;           /* of the tape: the session's first frame */
    uint32_t base_utterance; /* utterances before the session's first */
    struct pending pending[CLIENT_PENDING_MAX];
    uint32_t n_pending;
    char words[300]; /* of the server's last error */
};

/* client.c */
/** Give an event to the reader; its pointers are borrowed. Network thread, without the lock. */
void client_tell(struct kodama_client *client, const struct kodama_client_event *event);
/** The end, in good order. Network thread, without the lock. */
void client_end(struct kodama_client *client);
/** The end, in words. Network thread, without the lock. */
void client_fail(struct kodama_client *client, int status, const char *format, ...)
    KODAMA_PRINTF(3, 4);
/** Log a line. */
void client_log(struct kodama_client *client, enum kodama_log_level level, const char *format, ...)
    KODAMA_PRINTF(3, 4);
/** A place on the tape in frames as they were written. With the lock. */
uint64_t client_written(const struct kodama_client *client, uint64_t position);
/** Seconds on the tape. */
double client_seconds(const struct kodama_client *client, uint64_t n_frames);

/* message.c: what the server says, and what it means for the connection. */
enum client_verdict {
    VERDICT_GO_ON,
    VERDICT_READY, /* audio can flow */
    VERDICT_CLOSE, /* this connection is no more use; what comes next depends on the session */
};
/** Take a message. `greeted`: this connection's `ready` has come. */
enum client_verdict client_message(struct kodama_client *client, const char *text, size_t n_bytes,
                                   bool greeted);
/** The session is no more: a new one, if that is wanted, begins at `from` of the tape. @return
 * whether it is; else the client has failed */
bool client_renew(struct kodama_client *client, uint64_t from, const char *words);
/** The first message of a new connection to an old session, into text. @return its bytes */
size_t client_resume_text(const struct kodama_client *client, char *text, size_t n_bytes);

/* query.c */
/** The path of a new session's connection. open() only: it needs the texts of the configuration. */
void query_write(const struct kodama_client *client, char *path, size_t room);

/* refusal.c: network thread. */
/** The server answered the handshake with an HTTP status; when it will do so again, the client has
 * failed. */
void refusal_http(struct kodama_client *client, unsigned status);
/** The handshake failed: words for a person, static or those given. When it will fail again, the
 * client has failed. */
const char *refusal_handshake(struct kodama_client *client, const char *words);

/* line.c: the connection, and its thread. */
int line_open(struct kodama_client *client, struct kodama_error *error);
void line_run(void *client);
/** Wake the network thread. Thread: any. */
void line_wake(struct kodama_client *client);
void line_close(struct kodama_client *client);

#endif
