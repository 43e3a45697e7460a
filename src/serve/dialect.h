/*
 * A dialect: the protocol that the clients of one address speak. One file each, which translates:
 * what a client sends becomes settings, audio and controls of a session; what happens in the
 * session becomes messages. Adding one is a file and a line in dialect.c.
 */
#ifndef SERVE_DIALECT_H
#define SERVE_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/recognizer.h>

struct connection;
struct session;
struct session_work;

/** What is not marked as optional is mandatory; optional members may be NULL or 0. */
struct dialect_ops {
    const char *name;                /* also in records: never changed */
    const char *const *paths;        /* of its WebSocket; ends with NULL */
    const char *subprotocol;         /* optional: what its clients may offer as such */
    const struct session_work *work; /* what a session does with audio */
    size_t text_bytes_max;           /* of a message */
    size_t state_bytes;              /* optional: its own, in each session, zeroed; worker only */
    bool plain;                      /* optional: messages carry no `seq` */
    bool resumes; /* optional: a session waits for its client when the connection breaks */

    /* What a client sends. Network thread; they use what connection.c offers. */
    /** A connection was made; its path and query can be read now. Settings that are in them begin a
     * session at once; without, connection_begin() is called when a second has passed. */
    void (*opened)(struct connection *connection);
    /** A whole text message. */
    void (*text)(struct connection *connection, const char *text, size_t n_bytes);
    /** A piece of a binary message; `last` ends it. @return false: close the connection */
    bool (*audio)(struct connection *connection, const void *bytes, size_t n_bytes, bool last);

    /* What is said. New text (it is freed), NULL: nothing is said. Any thread. */
    /** Optional: the session begins, or goes on at a frame after a resume. */
    char *(*ready)(const struct session *session, uint64_t next_sample);
    /** Something is wrong; `code` is one of the native protocol's. */
    char *(*error)(const char *code, const char *words);
    /** Optional: so many frames were received, so many heard, so many would survive the loss of
     * this process. */
    char *(*ack)(uint64_t received, uint64_t heard, uint64_t safe);
    /** Optional: the last message. */
    char *(*closed)(const char *reason, uint64_t samples, uint64_t utterances);

    /* What happens in a session: they post messages, or none. Worker. */
    void (*event)(struct session *session, const struct kodama_event *event);
    /** Optional: all was heard up to an INBOX_MARK, for clients that wait for an answer to each of
     * their messages. */
    void (*marked)(struct session *session);
};

/** The dialect of a path, NULL: there is none. */
const struct dialect_ops *dialect_find(const char *path);

/** The dialect of that name, NULL: there is none. */
const struct dialect_ops *dialect_named(const char *name);

extern const struct dialect_ops dialect_native;
/** The same messages around a voice: bytes in, bytes out. */
extern const struct dialect_ops dialect_voice;

#endif
