/*
 * A session: one conversation with one client, which may outlive its connection.
 *
 * The network thread puts bytes into its inbox and takes messages from its outbox; one worker at a
 * time runs it in short slices; the decoders tell it that there are events. The clerk, in the place
 * of a worker, saves it. Its fields are grouped by who may touch them.
 */
#ifndef SERVE_SESSION_H
#define SERVE_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/record.h"
#include "base/thread.h"
#include "serve/dialect.h"
#include "serve/inbox.h"
#include "serve/outbox.h"
#include "serve/settings.h"

struct kodama_server;
struct connection;
struct session;

enum { SESSION_ID_BYTES = 33, SESSION_SLICE_BYTES = INBOX_PACKET_BYTES_MAX };

/** How a session stands with the workers. The clerk's turn is TURN_RUNNING, too. */
enum session_turn { TURN_NONE, TURN_QUEUED, TURN_RUNNING, TURN_AGAIN };

/** What is to be done with a session after a slice. */
enum session_next { SESSION_RESTS, SESSION_GOES_ON, SESSION_IS_SAVED, SESSION_IS_BEGUN };

/** What sessions can do with their audio: those of a kind wait in a queue of their own. */
enum session_kind { SESSION_HEARS, SESSION_CHANGES, SESSION_KINDS };

/** What a session does with its audio: one file each. All but `close` on its worker. */
struct session_work {
    enum session_kind kind; /* no other work has it */
    /** How late it may be: of those that wait the one goes first whose time is over first. */
    uint64_t deadline_ns;
    bool takes_packets; /* it hears Opus packets as well as frames */
    bool recognizes;    /* the engine and model of its settings are the server's own */
    /** Optional, both or none: whether beginning has something to wait for, and doing that, on the
     * loader; `open` follows. */
    bool (*waits)(const struct session *session);
    void (*begin)(struct session *session);
    /** Optional: get what was asked for later, on the loader, beside its worker, which is told. */
    void (*fetch)(struct session *session);
    /** Begin, and say so. False: it cannot; why was told. */
    bool (*open)(struct session *session);
    /** Hand on what has come of the audio. False: the conversation has ended. */
    bool (*deliver)(struct session *session);
    /** Hear a piece. @return how many of its frames were; fewer: it has enough to do now, and will
     * call schedule_session() */
    size_t (*hear)(struct session *session, const struct inbox_piece *piece);
    /** Optional: take session->asked, which came at this place. */
    void (*configure)(struct session *session);
    void (*finalize)(struct session *session);
    void (*finish)(struct session *session);
    /** Whether saving has nothing to wait for. */
    bool (*is_settled)(const struct session *session);
    /** Part of a session's record; may wait. The clerk. @return KODAMA_OK or an error */
    int (*save)(struct session *session, struct record *record);
    /** Begin as one that was saved. The clerk. */
    int (*load)(struct session *session, struct record *record);
    /** End; `state` was the session's. May wait. The clerk. */
    void (*close)(struct session *session, void *state);
};

/** Recognition. */
extern const struct session_work hearing;
/** Voice conversion. */
extern const struct session_work voicing;

struct session {
    _Atomic uint32_t references;

    /* Immutable. */
    struct kodama_server *server;
    const struct dialect_ops *dialect;
    char id[SESSION_ID_BYTES], token[SESSION_ID_BYTES];
    struct settings settings;

    /* The schedule's lock. */
    enum session_turn turn;
    struct session *next_turn;
    uint64_t queued_ns; /* when it began to wait; its worker reads it, too */
    bool noticed;       /* in the list that the network thread will look through */
    struct session *next_noticed;

    /* Worker only. */
    void *state;         /* the work's; NULL: not begun, or ended */
    void *dialect_state; /* owned */
    bool opened;         /* work was begun, or refused */
    uint32_t latency;    /* of a voice, frames */
    uint64_t heard;      /* frames */
    uint64_t acked_s;    /* whole seconds heard when it was told last */
    uint64_t saved_at;   /* frames received when it was saved last */

    /* Any thread. */
    _Atomic uint32_t lag_ms;

    /* Lock. */
    struct mutex mutex;
    struct inbox inbox;
    bool full;          /* the network thread was told not to read */
    const char *reason; /* of the end; static words */
    struct outbox outbox;
    uint32_t n_finals;
    struct kodama_voice_settings asked;  /* of a voice, by the newest INBOX_CONFIGURE */
    char asked_model[VOICE_MODEL_BYTES]; /* of it, to be fetched */
    struct kodama_voice_model *fetched;  /* and this it is; owned until its worker takes it */
    struct kodama_error fetch_error;     /* or why it is not */
    bool finishing;                      /* no more audio is taken */
    bool ended;                          /* `closed` is in the outbox */
    bool dropped;                        /* nobody wants it any more */
    uint32_t n_moves;                    /* how often its client came and went */
    bool to_be_parked;                   /* save it, for its client is away */
    bool to_be_renewed;                  /* save it, before the store forgets it */
    bool parked;                         /* it was saved, and its client is still away */
    uint32_t keep_ms;                    /* so long it waits in the store */
    uint64_t safe;                       /* frames that a durable store has */

    /* Network thread only. */
    struct connection *connection; /* NULL: its client is away */
    struct session *next;
    bool has_heard; /* in the list of those that got audio and whose workers do not know yet */
    struct session *next_heard;
    uint64_t opened_ns, audio_ns, away_ns;
    uint64_t store_ns;    /* when it was last asked to be saved */
    size_t packet_frames; /* of the Opus packet that came last */
    bool left;            /* its client closed the connection in good order */
};

/** A new session with one reference. NULL: no memory. */
struct session *session_create(struct kodama_server *server, const struct dialect_ops *dialect,
                               const struct settings *settings);
void session_ref(struct session *session);
void session_unref(struct session *session);

/** Take bytes of audio; its worker is told with network_hear(). @return 0, 1 when it is full now
 * and its socket must not be read, < 0 when there was no room. Network thread. */
int session_receive(struct session *session, const void *bytes, size_t n_bytes);

/** The same for an Opus packet. One that has no bytes was lost, one that is damaged is told; both
 * are concealed, for as long as the one before was. */
int session_receive_packet(struct session *session, const void *bytes, size_t n_bytes);

/** Ask for something at this point of the audio; `reason` is kept for INBOX_STOP. Results as
 * session_receive(). */
int session_control(struct session *session, enum inbox_control what, const char *reason);

/** Ask for other settings of its voice at this point of the audio. Results as session_receive(). */
int session_configure(struct session *session, const struct kodama_voice_settings *settings);

/** Whether a socket that is not read may be read again; then it is no longer full. */
bool session_has_room(struct session *session);

/** Frames received whole. A part of a frame is forgotten when `forget` is set: its client will send
 * it again. */
uint64_t session_position(struct session *session, bool forget);

/** Put a message into its outbox; the text is taken, NULL: there is none. Any thread. */
void session_post(struct session *session, char *text, enum outbox_kind kind);

/** End it with an error. Worker. */
void session_fail(struct session *session, const char *code, const char *words);

/** Run it for one slice, that begins at now_ns. Worker. */
enum session_next session_run(struct session *session, uint64_t now_ns);

/* session_record.c: what a resume needs, as one record. */

/** How far a record reaches. */
struct session_saved {
    uint64_t seq;    /* of the last message in it */
    uint64_t frames; /* received */
};

/** Write it. Its turn is the caller's; may wait. @return KODAMA_OK or an error */
int session_save(struct session *session, struct record *record, struct session_saved *saved);
/** The session of a record, ready to go on; its turn is the caller's, who gives it back with
 * schedule_release(). NULL: the record is damaged, or of another engine. */
struct session *session_load(struct kodama_server *server, const void *data, size_t n_bytes);

#endif
