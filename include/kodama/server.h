/*
 * The recognition server: live captions for any client, over WebSocket and HTTP.
 *
 * One network thread moves bytes and never computes; session workers hear audio in short slices;
 * the decoders of the model make the text. What clients speak is in docs/server.md.
 */
#ifndef KODAMA_SERVER_H
#define KODAMA_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/log.h>
#include <kodama/model.h>
#include <kodama/status.h>

struct kodama_server;

/** What a server listens on, and what it allows. */
struct kodama_server_config {
    size_t size;       /**< sizeof this struct, set by KODAMA_SERVER_CONFIG_INIT */
    const char *host;  /**< address or interface; NULL: 127.0.0.1 */
    uint32_t port;     /**< 0: any free one, see kodama_server_port() */
    const char *token; /**< secret of every request; NULL: none, only for loopback addresses */
    const char *const *origins; /**< web pages that may use it, as "https://example.org"; pages of
                                     this machine always may; NULL: no others */
    size_t n_origins;
    const char *certificate;  /**< PEM file: speak TLS; NULL: do not */
    const char *key;          /**< PEM file of the certificate's key */
    const char *detector;     /**< voice activity detector; NULL: the default */
    uint32_t max_sessions;    /**< conversations at a time, with those that wait for their client */
    uint32_t max_per_address; /**< connections from one address; 0: no limit */
    uint32_t max_upload_mb;   /**< of one file in MB (10^6 bytes) */
    uint32_t resume_ms;       /**< so long a session waits for its client to come back */
    uint32_t park_ms;        /**< after so much of that it waits as a record in the session store */
    uint32_t idle_ms;        /**< a session without audio ends after this; 0: never */
    uint32_t max_session_ms; /**< no session is longer; 0: no limit */
    uint32_t heartbeat_ms;   /**< a silent connection is asked after this, and given up after
                                  three times as long */
    uint32_t n_workers;      /**< threads that hear audio; 0: one per processor, at most 4 */
    const struct kodama_log *log; /**< may be NULL; neither audio, text nor tokens are logged */
    struct kodama_model *partials_model; /**< makes partials (a fast one); must outlive the server;
                                              NULL: the model of the finals does */
    const char *voices; /**< folder of the store of voices; NULL: as kodama_voice_store_config */
    uint32_t voice_memory_mb; /**< of loaded voices; 0: no limit */
    const char *language;     /**< spoken where a client does not say; NULL: the model's setting */
    bool takes_models; /**< the server closes its models, also the first one, when nobody uses
                            them any more; not those of a server that did not open */
};
#define KODAMA_SERVER_CONFIG_INIT                                                          \
    {                                                                                      \
        .size = sizeof(struct kodama_server_config), .port = 8000, .max_sessions = 256,    \
        .max_per_address = 64, .max_upload_mb = 2000, .resume_ms = 60000, .park_ms = 5000, \
        .idle_ms = 300000, .heartbeat_ms = 15000                                           \
    }

/** What a server has done; a snapshot. */
struct kodama_server_stats {
    uint32_t sessions;         /**< conversations in progress, with those without a connection */
    uint32_t connections;      /**< open WebSockets */
    uint64_t sessions_opened;  /**< since the start */
    uint64_t resumes;          /**< connections that took up an older session */
    uint64_t parked;           /**< sessions that went from memory to the session store */
    uint64_t restored;         /**< sessions that came back from there */
    uint64_t refused;          /**< requests refused: limits, tokens, origins */
    uint64_t audio_ns;         /**< audio heard */
    uint64_t finals;           /**< finals made */
    uint64_t partials;         /**< partials made */
    uint64_t partials_shed;    /**< partials that were overtaken before they could be sent */
    uint64_t pauses;           /**< times that a socket was not read because its session was full */
    uint64_t packets_lost;     /**< Opus packets that were damaged or lost, and concealed */
    uint64_t longest_slice_ns; /**< longest time that one session held a worker */
};

/**
 * Start a server. It serves until it is stopped.
 *
 * @param[out] server  owned by the caller; NULL on error
 * @param model        recognises for all clients, until another one takes over
 *                     (kodama_server_swap_model()); must outlive the server, unless that takes it
 * @param config       borrowed for the call (log: for the server's life); NULL: defaults
 * @param[out] error   may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_PERMISSION (an address that others reach, and
 *         no token), KODAMA_ERR_BUSY (the port is taken), KODAMA_ERR_NOT_FOUND (certificate or
 * key), KODAMA_ERR_UNSUPPORTED (built without the server, or a part of it is not installed),
 *         KODAMA_ERR_SYSTEM, KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_server_open(struct kodama_server **server, struct kodama_model *model,
                                  const struct kodama_server_config *config,
                                  struct kodama_error *error) KODAMA_MUST_USE;

/** The port that it listens on. Thread: any. Real-time safe: yes. */
KODAMA_API uint32_t kodama_server_port(const struct kodama_server *server);

/**
 * Stop gracefully: no new sessions; what was heard is recognised and delivered.
 *
 * @param server      goes on existing, for kodama_server_close()
 * @param timeout_ns  how long to wait for that, KODAMA_FOREVER
 * @return KODAMA_OK, or KODAMA_ERR_TIMEOUT (something is undelivered; call again, or close)
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_server_stop(struct kodama_server *server, int64_t timeout_ns);

/** How another model takes over. */
enum kodama_swap_state {
    KODAMA_SWAP_NONE, /**< nobody asked for one */
    KODAMA_SWAP_LOADING,
    KODAMA_SWAP_DONE,
    KODAMA_SWAP_FAILED, /**< nothing has changed */
};

/** The newest change of model; a snapshot. */
struct kodama_swap {
    enum kodama_swap_state state;
    uint32_t number;    /**< counts them, from 1 */
    uint32_t n_retired; /**< older models that still have utterances to decide */
    char model[256];    /**< as it was asked for; DONE: its name */
    char message[500];  /**< FAILED: why */
};

/**
 * Recognise with another model, while serving. It is loaded beside the one in use; when it is
 * ready, new utterances are decoded by it, also those of sessions in progress, and those that were
 * begun end with the old model, which is closed after the last of them (takes_models). A session
 * that asked for the old model by its name keeps it. When it cannot be loaded nothing changes.
 *
 * @param server       borrowed
 * @param config       of the model; borrowed for the call. Its path may be a name of the user's
 *                     model store, or "default"; n_decoders, log and language are the server's
 * @param[out] error   may be NULL
 * @return KODAMA_OK (it is being loaded: see kodama_server_swap_wait()), KODAMA_ERR_BUSY (another
 *         one is), KODAMA_ERR_CLOSED (the server is being stopped), KODAMA_ERR_ARGUMENT,
 *         KODAMA_ERR_UNSUPPORTED, KODAMA_ERR_MEMORY
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_server_swap_model(struct kodama_server *server,
                                        const struct kodama_model_config *config,
                                        struct kodama_error *error);

/** Wait until no model is being loaded, and tell how it went. KODAMA_OK or KODAMA_ERR_TIMEOUT;
 * `swap` (may be NULL) is filled in either way. Thread: any. Real-time safe: no. */
KODAMA_API int kodama_server_swap_wait(struct kodama_server *server, struct kodama_swap *swap,
                                       int64_t timeout_ns);

/** Close a server; what was not stopped before is dropped. NULL is allowed. Thread: owner.
 * Real-time safe: no. */
KODAMA_API void kodama_server_close(struct kodama_server *server);

/** What it has done. Thread: any. Real-time safe: no. */
KODAMA_API void kodama_server_stats(struct kodama_server *server,
                                    struct kodama_server_stats *stats);

#endif
