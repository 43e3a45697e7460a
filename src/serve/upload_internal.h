/* An upload from the inside: what its works share. Own thread only, but for upload.c. */
#ifndef SERVE_UPLOAD_INTERNAL_H
#define SERVE_UPLOAD_INTERNAL_H

#include "serve/form.h"
#include "serve/upload.h"

enum { UPLOAD_PATH_BYTES = 128 };

struct upload {
    _Atomic uint32_t references; /* the network thread's and the own one's */
    struct kodama_server *server;
    struct thread thread;
    struct upload *next; /* the server's list */
    _Atomic bool ended;  /* its thread is to be joined */

    /* Own thread only, once it runs. */
    struct upload_options options;
    struct form form;
    bool is_form;
    char field[FORM_NAME_BYTES];     /* that is being read */
    char value[UPLOAD_OPTION_BYTES]; /* of it, so far */
    size_t n_value;
    char path[UPLOAD_PATH_BYTES];
    int fd;
    uint64_t n_written;
    bool has_file;
    struct kodama_error why; /* it is refused, if there are words */
    unsigned failure_status;
    struct upload_result result; /* of a transcription */

    /* Lock. */
    struct mutex mutex;
    struct condition changed;
    char *ring;
    uint64_t received, consumed;
    bool whole, left;
    struct upload_header headers[UPLOAD_HEADERS_MAX]; /* constant once there is an answer */
    struct upload_answer answer;                      /* bytes: what was not taken yet */
};

/** Answer with a whole text, which is taken; NULL: out of memory. */
void upload_answer(struct upload *upload, unsigned status, const char *type, char *text);

/** Answer piece by piece, until the last; the text is taken. */
void upload_stream(struct upload *upload, const char *type, char *text, bool last);

/** Answer with a file, read from its beginning; waits for the client. @return whether it was sent
 */
bool upload_send_file(struct upload *upload, int fd, const char *type);

/** Answer that it failed. */
void upload_fail(struct upload *upload, unsigned status, const char *words);

/** Whether nobody waits for it any more. */
bool upload_is_left(struct upload *upload);

/** A new file without a name. @return its descriptor, < 0: there is no room */
int upload_temporary(char *path);

#endif
