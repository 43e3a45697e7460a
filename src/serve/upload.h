/*
 * A file to be transcribed. The network thread hands its bytes on; a thread of its own writes them
 * to a temporary file, has it recognised, and makes the answer. It is never held in memory.
 */
#ifndef SERVE_UPLOAD_H
#define SERVE_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/internal.h"

enum { UPLOADS_MAX = 8, UPLOAD_TYPE_BYTES = 256, UPLOAD_OPTION_BYTES = 32 };

struct upload;

/** What a client may choose. */
struct upload_options {
    char format[UPLOAD_OPTION_BYTES]; /* "" : json */
    bool words, segments, streams;
    bool openai; /* its shape of answers; else that of POST /transcribe */
};

/** What is to be sent; taken by the network thread. */
struct upload_answer {
    char *bytes; /* owned; NULL: nothing now */
    size_t n_bytes;
    unsigned status;  /* HTTP's */
    const char *type; /* static */
    bool streams;     /* more may follow */
    bool last;        /* nothing follows */
};

/** Begin. @return NULL: no memory, or as many as the server allows are at work */
struct upload *upload_start(struct kodama_server *server, const char *content_type,
                            const struct upload_options *options);

/** Hand on bytes of the body. @return 0, 1: do not read more now; < 0: it failed, or there was no
 * room. Network thread. */
int upload_write(struct upload *upload, const void *bytes, size_t n_bytes);

/** The body is whole. */
void upload_finish(struct upload *upload);

/** Whether more can be taken. */
bool upload_has_room(struct upload *upload);

struct upload_answer upload_take(struct upload *upload);

/** Nobody waits for it any more; it ends by itself. */
void upload_leave(struct upload *upload);

/** Wait for those that are still at work; all were left. */
void uploads_end(struct kodama_server *server);

/* upload_text.c */

/** One final, kept for the answer. */
struct upload_final {
    char *text;
    double start_s, end_s;
    float confidence;
    struct upload_word {
        char *text;
        double start_s, end_s;
    } * words;
    size_t n_words;
};

struct upload_result {
    struct upload_final *finals;
    size_t n_finals, room;
    double duration_s;
};

/** Keep a final. False: no memory. */
bool upload_keep(struct upload_result *result, const struct kodama_event *event);
void upload_result_free(struct upload_result *result);

/** The answer's text. New (free it); NULL: no memory. @param[out] type  static */
char *upload_text(const struct upload_result *result, const struct upload_options *options,
                  const char **type);
bool upload_knows_format(const char *format);

/** Server-sent events. */
char *upload_delta(const char *text, bool first);
char *upload_done(const struct upload_result *result);
char *upload_error(const char *words);

#endif
