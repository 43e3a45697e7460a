/*
 * The client of a recognition server: frames go in on this machine, captions come back from that
 * one, and a connection that breaks is mended without a word being lost.
 *
 * It has the shape of a recogniser: write, finalize, finish, next. One thread of its own holds the
 * connection. Audio is kept until the server has confirmed it, so that after a cut the server can
 * ask for it again: what is recognised is then exactly what it would have been without the cut.
 * Positions and times are those of the frames that were written, whatever goes over the network.
 */
#ifndef KODAMA_CLIENT_H
#define KODAMA_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/format.h>
#include <kodama/log.h>
#include <kodama/recognizer.h>
#include <kodama/status.h>
#include <kodama/waitable.h>

struct kodama_client;

/** Where a client connects, and what it asks for. */
struct kodama_client_config {
    size_t size;       /**< sizeof this struct, set by KODAMA_CLIENT_CONFIG_INIT */
    const char *url;   /**< "ws://host:8000", also wss, http, https; the path is /ws when there is
                            none; the port 8000, or 443 with TLS, when there is none */
    const char *token; /**< what the server demands; NULL: nothing */
    const char *ca;    /**< PEM file of the authorities to trust; NULL: the system's */
    struct kodama_format format;  /**< of the frames that will be written */
    bool partials;                /**< tentative text while somebody speaks */
    bool words;                   /**< finals have their words with times */
    float threshold;              /**< speech begins at this probability */
    uint32_t prefix_padding_ms;   /**< audio before speech that belongs to the utterance */
    uint32_t silence_duration_ms; /**< so much silence ends an utterance */
    const char *engine;           /**< the server's must be this one; NULL: any */
    const char *model;            /**< the server's must be this one; NULL: any */
    const char *language;         /**< spoken here; NULL: the server's setting */
    uint32_t buffer_ms;  /**< audio that is kept: how far writing may run ahead of the server, also
                              while the connection is broken */
    uint32_t connect_ms; /**< one attempt to connect takes no longer */
    uint32_t retry_ms;   /**< a broken connection is tried again for so long; then it has failed */
    uint32_t heartbeat_ms; /**< a silent connection is asked after this, and given up after three
                                times as long */
    bool renew; /**< when the server has forgotten the session, begin another one, with all audio
                     that is kept and has no final */
    void (*on_event)(void *user); /**< may be NULL: the queue of events is no longer empty; the
                                       client's thread, must not block, must not call the client */
    void *user;                   /**< handed to on_event */
    const struct kodama_log *log; /**< may be NULL; neither audio, text nor tokens are logged */
};
#define KODAMA_CLIENT_CONFIG_INIT                                                         \
    {                                                                                     \
        .size = sizeof(struct kodama_client_config), .partials = true, .threshold = 0.5f, \
        .prefix_padding_ms = 300, .silence_duration_ms = 500, .buffer_ms = 30000,         \
        .connect_ms = 10000, .retry_ms = 120000, .heartbeat_ms = 5000                     \
    }

enum kodama_client_event_kind {
    KODAMA_CLIENT_HEARD = 1, /**< `heard`: what a recogniser would say */
    KODAMA_CLIENT_AWAY,      /**< the connection is broken and will be tried again: `text` */
    KODAMA_CLIENT_BACK,      /**< it is mended: audio goes on from `sample`; nothing is lost */
    KODAMA_CLIENT_RENEWED, /**< there is a new session, which hears from `sample` on; of utterances
                                without a final, `lost_frames` are lost; `text` */
};

/** Something heard, or something about the connection. Pointers live until the next
 * kodama_client_next(). */
struct kodama_client_event {
    enum kodama_client_event_kind kind;
    struct kodama_event heard; /**< HEARD */
    const char *text;          /**< AWAY, BACK, RENEWED: in words, for a person */
    uint64_t sample;           /**< BACK, RENEWED: frame at the rate that is written */
    uint64_t lost_frames;      /**< RENEWED */
};

/** What a client has done; a snapshot. */
struct kodama_client_stats {
    bool connected;          /**< audio can flow now */
    uint32_t reconnects;     /**< connections after the first that came about */
    uint32_t renewals;       /**< sessions after the first */
    uint64_t frames;         /**< written, at the rate that is written */
    uint64_t lost_frames;    /**< of utterances that no session could hear whole */
    uint64_t frames_sent;    /**< over the network, at the rate that goes over it */
    uint64_t frames_again;   /**< of these: sent before already */
    uint64_t bytes_sent;     /**< of audio and messages, without their envelopes */
    uint64_t bytes_received; /**< of messages, without their envelopes */
    uint64_t events;         /**< messages taken */
    uint64_t duplicates;     /**< messages that came twice, and were dropped */
    uint32_t lag_ms; /**< audio written that the server's detector has not heard, as far as told */
    uint32_t unconfirmed_ms; /**< audio written that the server has not confirmed */
    uint32_t buffer_ms;      /**< so much of that can be kept */
    uint32_t undecided_ms;   /**< audio written after the last utterance that has its final */
    uint32_t round_trip_ms;  /**< of the last question and answer; 0: none yet */
};

/**
 * Connect to a server and begin a session. Waits until the server is ready for audio.
 *
 * @param[out] client  owned by the caller; NULL on error
 * @param config       borrowed for the call (log: for the client's life)
 * @param[out] error   may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT (also: a setting that the server refuses),
 *         KODAMA_ERR_FORMAT, KODAMA_ERR_IO (nobody answers), KODAMA_ERR_TIMEOUT,
 *         KODAMA_ERR_PERMISSION (the token is wrong, or the certificate is not trusted),
 *         KODAMA_ERR_LIMIT (the server is full), KODAMA_ERR_BUSY (it is being stopped),
 *         KODAMA_ERR_NOT_FOUND (no Kodama server there, or not that engine or model),
 *         KODAMA_ERR_UNSUPPORTED (built without the client), KODAMA_ERR_SYSTEM, KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_client_open(struct kodama_client **client,
                                  const struct kodama_client_config *config,
                                  struct kodama_error *error) KODAMA_MUST_USE;

/** Close the connection; what was not finished before is dropped. NULL is allowed. Thread: owner.
 * Real-time safe: no. */
KODAMA_API void kodama_client_close(struct kodama_client *client);

/**
 * Give frames to the server. They are copied; the network is never waited for, except that there
 * must be room: the server confirms what it has about once a second.
 *
 * @param client      written by one thread at a time
 * @param frames      interleaved, in the configured format; NULL: silence
 * @param n_frames    how many
 * @param timeout_ns  how long to wait while buffer_ms of audio is not confirmed
 * @return frames taken: n_frames, or fewer when the time passed in between; or KODAMA_ERR_FULL
 * (timeout_ns is 0) / KODAMA_ERR_TIMEOUT (nothing was taken: try again), KODAMA_ERR_CLOSED (after
 * finish), or how the client has failed, as kodama_client_failure() says
 *
 * Thread: writer. Real-time safe: no.
 */
KODAMA_API int64_t kodama_client_write(struct kodama_client *client, const void *frames,
                                       size_t n_frames, int64_t timeout_ns);

/** Close the utterance in progress here, as if silence had followed. KODAMA_OK, KODAMA_ERR_FULL
 * (too many of these are on their way), KODAMA_ERR_CLOSED or how the client has failed. Thread:
 * writer. Real-time safe: no. */
KODAMA_API int kodama_client_finalize(struct kodama_client *client);

/** No more frames come: the last words are recognised; then kodama_client_next() ends with
 * KODAMA_ERR_CLOSED. Thread: writer. Real-time safe: no. */
KODAMA_API int kodama_client_finish(struct kodama_client *client);

/**
 * The next event, in order and once, however often the connection broke.
 *
 * @param client      read by one thread at a time
 * @param[out] event  filled in; its pointers live until the next call
 * @param timeout_ns  how long to wait
 * @return KODAMA_OK, KODAMA_ERR_EMPTY (timeout_ns is 0), KODAMA_ERR_TIMEOUT, KODAMA_ERR_CLOSED
 * (finished, and all was delivered), or how the client has failed, after what it had heard before
 *
 * Thread: reader. Real-time safe: no.
 */
KODAMA_API int kodama_client_next(struct kodama_client *client, struct kodama_client_event *event,
                                  int64_t timeout_ns);

/** A waitable that is signalled while an event can be taken or the client has ended. Valid until
 * close. Thread: reader. Real-time safe: no. */
KODAMA_API int kodama_client_waitable(struct kodama_client *client,
                                      struct kodama_waitable *waitable);

/** How the client has failed, in words with what was lost; KODAMA_OK: it has not. Thread: any.
 * Real-time safe: no. */
KODAMA_API int kodama_client_failure(struct kodama_client *client, struct kodama_error *error);

/** The server's engine, as it said at the beginning. Thread: any. Real-time safe: yes. */
KODAMA_API const char *kodama_client_engine(const struct kodama_client *client);

/** The server's model, as it said at the beginning. Thread: any. Real-time safe: yes. */
KODAMA_API const char *kodama_client_model(const struct kodama_client *client);

/** What it has done. Thread: any. Real-time safe: no. */
KODAMA_API void kodama_client_stats(struct kodama_client *client,
                                    struct kodama_client_stats *stats);

#endif
