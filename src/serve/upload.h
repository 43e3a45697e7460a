/*
 * A file that comes in and what is made of it. The network thread hands its bytes on; a thread of
 * its own writes them to a temporary file, does the work, and makes the answer. Neither is ever
 * held in memory.
 */
#ifndef SERVE_UPLOAD_H
#define SERVE_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/internal.h"
#include "serve/settings.h"

enum {
    UPLOADS_MAX = 8, /* files at a time */
    CHUNKS_MAX = 64, /* short pieces of voices at a time */
    UPLOAD_TYPE_BYTES = 256,
    UPLOAD_OPTION_BYTES = 128,
    UPLOAD_HEADERS_MAX = 3,
    UPLOAD_HEADER_BYTES = 128,
};

struct upload;
struct upload_options;

/** What is made of a file. */
struct upload_work {
    const char *file;    /* the form's field with the file */
    const char *no_file; /* said when there is none */
    bool is_short;       /* takes next to no time: CHUNKS_MAX, else UPLOADS_MAX */
    /** Set an option, from the query or a field of the form. @return KODAMA_OK, also for one that
     * does not matter, or an error */
    int (*option)(struct upload_options *options, const char *name, const char *value,
                  struct kodama_error *error);
    /** The file is there. Its own thread. */
    void (*run)(struct upload *upload);
};

/** POST /transcribe and /v1/audio/transcriptions. */
extern const struct upload_work upload_transcribe;
/** POST /convert and /convert-chunk. */
extern const struct upload_work upload_convert, upload_convert_chunk;

/** What a client may choose. */
struct upload_options {
    const struct upload_work *work;
    char owner[64]; /* who asks: for what belongs to one client only */

    /* Of a transcription. */
    char format[UPLOAD_OPTION_BYTES];   /* "" : json */
    char language[UPLOAD_OPTION_BYTES]; /* "": the server's */
    bool words, segments, streams;
    bool openai; /* its shape of answers; else that of POST /transcribe */

    /* Of a voice. */
    struct voice_options voice;
    char session[UPLOAD_OPTION_BYTES]; /* "": none */
};

/** A header that only some answers have. */
struct upload_header {
    const char *name; /* static, with its colon; NULL: there are no more */
    char value[UPLOAD_HEADER_BYTES];
};

/** What is to be sent; taken by the network thread. */
struct upload_answer {
    char *bytes; /* owned; NULL: nothing now */
    size_t n_bytes;
    unsigned status;                     /* HTTP's */
    const char *type;                    /* static */
    const struct upload_header *headers; /* [UPLOAD_HEADERS_MAX]; live as long as the upload */
    int64_t length; /* bytes of the whole answer; -1: it goes on until the connection ends */
    bool last;      /* nothing follows */
};

/** Begin what options->work says. @return NULL: no memory, or as many as the server allows are at
 * work */
struct upload *upload_start(struct kodama_server *server, const char *content_type,
                            const struct upload_options *options);

/** Hand on bytes of the body. @return 0, 1: do not read more now; < 0: it failed, or there was no
 * room. Network thread. */
int upload_write(struct upload *upload, const void *bytes, size_t n_bytes);

/** The body is whole. */
void upload_finish(struct upload *upload);

/** Whether more can be taken. */
bool upload_has_room(struct upload *upload);

/** Whether all of the answer is there, or was taken. */
bool upload_is_answered(struct upload *upload);

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
    char language[UPLOAD_OPTION_BYTES]; /* as it was heard; "": not known */
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

#endif
