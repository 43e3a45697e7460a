/* The messages of the native protocol as JSON, without their `seq`, which they get when sent; and
 * what HTTP refuses. */
#ifndef SERVE_MESSAGE_H
#define SERVE_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/recognizer.h>

/** What a client may send as text is no longer and no deeper nested than this. */
enum { MESSAGE_BYTES_MAX = 8192, MESSAGE_DEPTH_MAX = 8 };

/** One event; `words` says whether a final has its words. New text (free it); NULL: no memory. */
char *message_event(const struct kodama_event *event, bool words);

char *message_ready(const char *session, const char *token, uint64_t next_sample, uint32_t rate_hz,
                    const char *engine, const char *model);
/** The same of a voice: `latency` frames lie between a frame and its answer. */
char *message_ready_voice(const char *session, const char *token, uint32_t rate_hz,
                          uint32_t latency, const char *engine, const char *model);
/** Another model of a voice has taken over. */
char *message_model(const char *model);
char *message_ack(uint64_t received, uint64_t heard, uint64_t safe);
char *message_pong(json_int_t t);
char *message_error(const char *code, const char *words);
char *message_closed(const char *reason, uint64_t samples, uint64_t utterances);

/** The body of an HTTP answer that refuses something, of the shape that OpenAI's clients read. */
char *message_refusal(const char *words);

/** The same message with its number in front. New text (free it); NULL: no memory. `room` bytes are
 * kept free before it, as libwebsockets wants. */
char *message_numbered(const char *message, uint64_t seq, size_t room, size_t *n_bytes);

/**
 * Read what a client sent.
 *
 * @param text       not terminated
 * @param[out] why   static words when it is not an object, too long, or nested too deeply
 * @return new object, or NULL
 */
json_t *message_read(const char *text, size_t n_bytes, const char **why);

#endif
