/*
 * A session: one conversation with one client, which may outlive its connection.
 *
 * The network thread puts bytes into its inbox and takes messages from its outbox; one worker at a
 * time runs it in short slices; the decoders tell it that there are events. Its fields are grouped
 * by who may touch them.
 */
#ifndef SERVE_SESSION_H
#define SERVE_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/recognizer.h>

#include "base/thread.h"
#include "serve/outbox.h"
#include "serve/settings.h"

struct kodama_server;
struct connection;

enum {
    SESSION_ID_BYTES = 33,
    SESSION_CONTROLS_MAX = 16,
    /* What may still come after its socket is no longer read: what libwebsockets has read. */
    SESSION_MARGIN_BYTES = 16384,
    SESSION_SLICE_BYTES = 4096,
};

/** What a client asked for at a point of its audio. */
enum session_control { SESSION_FINALIZE = 1, SESSION_STOP };

/** How a session stands with the workers. */
enum session_turn { TURN_NONE, TURN_QUEUED, TURN_RUNNING, TURN_AGAIN };

struct session {
    _Atomic uint32_t references;

    /* Immutable. */
    struct kodama_server *server;
    char id[SESSION_ID_BYTES], token[SESSION_ID_BYTES];
    struct settings settings;
    size_t frame_bytes;

    /* The schedule's lock. */
    enum session_turn turn;
    struct session *next_turn;
    bool noticed; /* in the list that the network thread will look through */
    struct session *next_noticed;

    /* Worker only. */
    struct kodama_recognizer *recognizer;
    uint8_t slice[SESSION_SLICE_BYTES];
    bool opened;         /* the recogniser was opened, or refused */
    uint64_t heard;      /* frames */
    uint64_t acked_s;    /* whole seconds heard when it was told last */
    uint64_t stopped_ns; /* when the last utterance ended */

    /* Any thread. */
    _Atomic uint32_t lag_ms;

    /* Lock. */
    struct mutex mutex;
    uint8_t *ring;
    size_t room;                 /* bytes in ring */
    uint64_t received, consumed; /* bytes of audio, since the beginning */
    struct {
        uint64_t at; /* of received */
        enum session_control what;
    } controls[SESSION_CONTROLS_MAX];
    uint32_t n_controls;
    bool full;          /* the network thread was told not to read */
    const char *reason; /* of the end; static words */
    struct outbox outbox;
    uint32_t n_finals;
    bool finishing; /* no more audio is taken */
    bool ended;     /* `closed` is in the outbox */
    bool dropped;   /* nobody wants it any more */

    /* Network thread only. */
    struct connection *connection; /* NULL: its client is away */
    struct session *next;
    bool has_heard; /* in the list of those that got audio and whose workers do not know yet */
    struct session *next_heard;
    uint64_t opened_ns, audio_ns, away_ns;
    bool left; /* its client closed the connection in good order */
};

/** A new session with one reference. NULL: no memory. */
struct session *session_create(struct kodama_server *server, const struct settings *settings);
void session_ref(struct session *session);
void session_unref(struct session *session);

/** Take bytes of audio; its worker is told with network_hear(). @return 0, 1 when it is full now
 * and its socket must not be read, < 0 when there was no room. Network thread. */
int session_receive(struct session *session, const void *bytes, size_t n_bytes);

/** Ask for something at this point of the audio; `reason` is kept for SESSION_STOP. Results as
 * session_receive(). */
int session_control(struct session *session, enum session_control what, const char *reason);

/** Whether a socket that is not read may be read again; then it is no longer full. */
bool session_has_room(struct session *session);

/** Frames received whole. A part of a frame is forgotten when `forget` is set: its client will send
 * it again. */
uint64_t session_position(struct session *session, bool forget);

/** Put a message into its outbox; the text is taken. Any thread. */
void session_post(struct session *session, char *text, enum outbox_kind kind);

/** Run it for one slice. @return whether there is more to do now. Worker. */
bool session_run(struct session *session);

#endif
