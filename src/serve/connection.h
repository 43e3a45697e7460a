/* One connection: a WebSocket with its session, or a request with its answer. Network thread only.
 */
#ifndef SERVE_CONNECTION_H
#define SERVE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <libwebsockets.h>

#include "serve/chunks.h"
#include "serve/internal.h"
#include "serve/settings.h"

enum {
    CONNECTION_ADDRESS_BYTES = 64,
    CONNECTION_ERRORS_MAX = 8,
    HTTP_PATH_BYTES = 64,
    /* As much of a name as libwebsockets compares. */
    SUBPROTOCOL_BYTES = 64,
};

struct siphon;
struct upload;

struct connection {
    struct lws *wsi;
    struct kodama_server *server;
    struct connection *next;
    char address[CONNECTION_ADDRESS_BYTES];

    /* A WebSocket's. */
    bool is_socket;
    uint64_t number; /* no other connection has it */
    const struct dialect_ops *dialect;
    struct session *session;  /* NULL: none yet, or it was taken away */
    struct settings settings; /* of the query */
    bool has_settings;        /* there were some: the session begins at once */
    bool has_audio;
    bool waits;  /* for its session, which the clerk fetches */
    bool paused; /* it is not read */
    bool pings;  /* a ping is due */
    bool greets; /* the answer to a resume is due */
    uint64_t greeting_seq, greeting_sample;
    char *farewell;  /* the last message; owned; then it is closed */
    bool closes;     /* it is to be closed */
    bool is_closing; /* that was begun */
    int close_code;
    char *text; /* of the message that is coming in; owned */
    size_t n_text;
    uint8_t *packet; /* that is coming in; owned */
    size_t n_packet; /* its bytes, of which those that fit are there */
    uint32_t n_errors;
    uint64_t opened_ns, heard_ns, pinged_ns;

    /* A request's. */
    char *body; /* of the answer; owned */
    size_t n_body;
    struct upload *upload;
    bool orders;     /* another model; its body is in `text` */
    bool whole;      /* its body came */
    bool is_chunked; /* its body has no length */
    struct chunks chunks;
    uint64_t n_wire;       /* bytes of it that libwebsockets has counted */
    struct siphon *siphon; /* NULL: libwebsockets reads */
    bool has_head;         /* the answer's was sent */
    int64_t n_due;         /* bytes of the answer that follow; < 0: until the socket is closed */
    bool ends;             /* the socket is closed after the answer: its body was not read */
    uint64_t lingers_ns;   /* until then what comes is read and not heard; 0: no answer yet */
    bool body_waits;       /* it is not read: its thread is behind */
};

/* Descriptors that a network holds until it ends: see spare(). */
enum { NETWORK_SPARES = 8 };

struct network {
    struct kodama_server *server;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_check_t check;
    bool has_loop, ticking, ended;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct lws_protocols protocols[2];   /* one, and the end */
    char subprotocol[SUBPROTOCOL_BYTES]; /* its name, during a handshake */
    const char *spoken;                  /* what is to be answered then; static */
    int spares[NETWORK_SPARES];
    struct connection *connections;
    struct session *sessions; /* each with a reference */
    struct session *heard;    /* got audio, each with a reference; linked by next_heard */
    uint32_t n_heard;
    bool closes;            /* there are connections that are to be closed */
    uint32_t n_uploads;     /* connections with one */
    uint64_t n_connections; /* since the beginning */
};

/* connection.c: what dialects have in common. */
/** Begin a session with the settings so far; nothing when there is one. */
void connection_begin(struct connection *connection);
/** A piece of a message of audio for its session, which begins with that; `last` ends it. @return
 * false: close the connection */
bool connection_audio(struct connection *connection, const void *bytes, size_t n_bytes, bool last);
/** A control for its session, which begins with that. */
void connection_control(struct connection *connection, enum inbox_control what);
/** Go on with a session, from after the message last_seq. */
void connection_resume(struct connection *connection, struct session *session, uint64_t last_seq);
/** Do so with one that is not in memory; the store may have it. */
void connection_fetch(struct connection *connection, const char *id, const char *token,
                      uint64_t last_seq);
/** The clerk has fetched it. NULL: there is none. */
void connection_fetched(struct connection *connection, struct session *session, uint64_t last_seq);
/** Tell what is wrong; who goes on like that is closed. */
void connection_complain(struct connection *connection, const char *code, const char *words);
/** End it with an error and a close. */
void connection_refuse(struct connection *connection, const char *code, const char *words,
                       int close);
/** The next message to be sent, with LWS_PRE bytes before it; NULL: none. */
char *connection_message(struct connection *connection, size_t *n_bytes, bool *binary);
/** Add to the text that is coming in, which may have so many bytes. @return KODAMA_OK,
 * KODAMA_ERR_LIMIT, KODAMA_ERR_MEMORY */
int connection_gather(struct connection *connection, const void *bytes, size_t n_bytes,
                      size_t most);
/** It has gone. */
void connection_closed(struct connection *connection);

/* sessions.c: the list of sessions. */
/** A new session for a connection. NULL: it was refused, and told why. */
struct session *sessions_open(struct connection *connection, const struct settings *settings);
struct session *sessions_find(struct network *network, const char *id);
/** Put one that was fetched into the list; its reference is taken. */
void sessions_add(struct network *network, struct session *session);
/** Whether one more may be there. */
bool sessions_make_room(struct network *network);
/** Take a session from its connection: its client is away. */
void sessions_leave(struct connection *connection);
/** Forget a session. */
void sessions_drop(struct network *network, struct session *session);
/** What a worker or the clerk may have done to one. */
void sessions_look_at(struct network *network, struct session *session);
/** What time brings: limits, ends. */
void sessions_tick(struct network *network, uint64_t now_ns);
/** Whether all that can be delivered was delivered. */
bool sessions_drained(struct network *network);
void sessions_stop(struct network *network);

/* query.c */
/** The next NAME=VALUE of a query; what is not of that form is passed over.
 * @param[in,out] at     0 to begin with
 * @param[out] text      [room]: the name
 * @param[out] value     in `text`
 * @return 1, 0: there are no more, KODAMA_ERR_LIMIT: one is longer than that and was passed */
int query_next(struct lws *wsi, int *at, char *text, size_t room, char **value);

/* subprotocol.c */
/** A handshake begins: have it accepted whatever is offered. @param spoken  what the dialect
 * speaks, may be NULL @return false: libwebsockets could not read it */
bool subprotocol_offered(struct network *network, struct lws *wsi, const char *spoken);
/** It goes on: have it answered with what is spoken, if that was offered. */
void subprotocol_answer(struct network *network);

/* http.c: requests. */
/** Whether a request may be served; answers it when not. `closes` says what to return to
 * libwebsockets. */
bool http_admits(struct connection *connection, bool upgrade, int *closes);
int http_request(struct connection *connection, const char *path);
int http_body(struct connection *connection, const void *bytes, size_t n_bytes);
int http_body_end(struct connection *connection);
int http_writable(struct connection *connection);
void http_closed(struct connection *connection);

/* body.c: the body of a request that brings a file. */
/** Why a body is not taken; status 0: it is. */
struct body_refusal {
    unsigned status;
    const char *words; /* static */
};
struct body_refusal body_begin(struct connection *connection);
enum body_status { BODY_GOES_ON, BODY_ENDED, BODY_BROKEN, BODY_TOO_LONG, BODY_FAILED };
/** Hand on a piece to its upload. */
enum body_status body_read(struct connection *connection, const char *bytes, size_t n_bytes);
/** Its upload has room again. */
void body_go_on(struct connection *connection);
/** What time brings. */
void body_tick(struct connection *connection, uint64_t now_ns);

/* network.c */
void network_tick_on(struct network *network);
/** A session got audio: its worker is told when all sockets were looked at that have something, so
 * that a busy server switches threads once for many messages. */
void network_hear(struct network *network, struct session *session);
/** Let an upload's connection go on. */
void http_wake(struct connection *connection);
/** Words that no one can guess. */
void network_random(struct network *network, char *text, size_t n_bytes);

#endif
