#define _DEFAULT_SOURCE
/* A file that comes in: received into a temporary file, handed to its work, answered. */
#include "serve/upload_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "serve/message.h"

enum {
    RING_BYTES = 512 * 1024,
    MARGIN_BYTES = 128 * 1024,
    PIECE_BYTES = 64 * 1024,        /* of an answer that is a file */
    WAITING_BYTES_MAX = 256 * 1024, /* of it, not sent yet */
};

static void upload_unref(struct upload *u)
{
    if (atomic_fetch_sub_explicit(&u->references, 1, memory_order_acq_rel) != 1) return;
    condition_destroy(&u->changed);
    mutex_destroy(&u->mutex);
    free(u->answer.bytes);
    free(u->ring);
    free(u);
}

/* ------------------------------------------------------- the network's side */

int upload_write(struct upload *u, const void *bytes, size_t n_bytes)
{
    const char *from = bytes;
    int status = -1;
    mutex_lock(&u->mutex);
    size_t used = (size_t)(u->received - u->consumed);
    if (u->answer.last) { /* it failed and was answered: the rest is of no use */
        status = 0;
    } else if (n_bytes <= RING_BYTES - used) {
        size_t at = (size_t)(u->received % RING_BYTES);
        size_t first = n_bytes < RING_BYTES - at ? n_bytes : RING_BYTES - at;
        memcpy(u->ring + at, from, first);
        memcpy(u->ring, from + first, n_bytes - first);
        u->received += n_bytes;
        status = RING_BYTES - used - n_bytes < MARGIN_BYTES;
        condition_signal(&u->changed);
    }
    mutex_unlock(&u->mutex);
    return status;
}

bool upload_has_room(struct upload *u)
{
    mutex_lock(&u->mutex);
    bool room = u->answer.last || RING_BYTES - (u->received - u->consumed) >= 2 * MARGIN_BYTES;
    mutex_unlock(&u->mutex);
    return room;
}

bool upload_is_answered(struct upload *u)
{
    mutex_lock(&u->mutex);
    bool answered = u->answer.last;
    mutex_unlock(&u->mutex);
    return answered;
}

void upload_finish(struct upload *u)
{
    mutex_lock(&u->mutex);
    u->whole = true;
    condition_signal(&u->changed);
    mutex_unlock(&u->mutex);
}

struct upload_answer upload_take(struct upload *u)
{
    mutex_lock(&u->mutex);
    struct upload_answer answer = u->answer;
    u->answer.bytes = NULL;
    u->answer.n_bytes = 0;
    condition_signal(&u->changed);
    mutex_unlock(&u->mutex);
    return answer;
}

void upload_leave(struct upload *u)
{
    mutex_lock(&u->mutex);
    u->left = true;
    condition_signal(&u->changed);
    mutex_unlock(&u->mutex);
    upload_unref(u);
}

/* ---------------------------------------------------------------- the answer */

/* Add to the answer; the bytes are taken. False: out of memory. */
static bool append(struct upload *u, char *bytes, size_t n_bytes)
{
    size_t before = u->answer.n_bytes;
    char *all = bytes ? memory_resize(u->answer.bytes, before + n_bytes + 1, 1) : NULL;
    if (all) {
        memcpy(all + before, bytes, n_bytes);
        u->answer.bytes = all;
        u->answer.n_bytes = before + n_bytes;
    }
    free(bytes);
    return all != NULL;
}

/* More of an answer, or all of it. */
static void answer(struct upload *u, const struct upload_answer *part)
{
    mutex_lock(&u->mutex);
    bool kept = append(u, part->bytes, part->n_bytes);
    u->answer.status = kept ? part->status : 500;
    u->answer.type = part->type;
    u->answer.headers = u->headers;
    u->answer.length = part->length;
    if (part->last || !kept) u->answer.last = true;
    mutex_unlock(&u->mutex);
    network_wake(u->server->network);
}

void upload_answer(struct upload *u, unsigned status, const char *type, char *text)
{
    size_t n = text ? strlen(text) : 0;
    answer(u, &(struct upload_answer){.bytes = text,
                                      .n_bytes = n,
                                      .status = status,
                                      .type = type,
                                      .length = (int64_t)n,
                                      .last = true});
}

void upload_stream(struct upload *u, const char *type, char *text, bool last)
{
    size_t n = text ? strlen(text) : 0;
    answer(
        u,
        &(struct upload_answer){
            .bytes = text, .n_bytes = n, .status = 200, .type = type, .length = -1, .last = last});
}

void upload_fail(struct upload *u, unsigned status, const char *words)
{
    METRICS_ADD(u->server->metrics.refused[REFUSED_UPLOAD], 1);
    upload_answer(u, status, "application/json", message_refusal(words));
}

bool upload_is_left(struct upload *u)
{
    mutex_lock(&u->mutex);
    bool left = u->left;
    mutex_unlock(&u->mutex);
    return left;
}

/* Wait until the client took most of what there is. False: nobody waits for it any more. */
static bool wait_for_client(struct upload *u)
{
    mutex_lock(&u->mutex);
    while (u->answer.n_bytes > WAITING_BYTES_MAX && !u->left) {
        condition_wait(&u->changed, &u->mutex, CLOCK_NEVER);
    }
    bool left = u->left;
    mutex_unlock(&u->mutex);
    return !left;
}

bool upload_send_file(struct upload *u, int fd, const char *type)
{
    off_t length = lseek(fd, 0, SEEK_END);
    struct upload_answer part = {.status = 200, .type = type, .length = length};
    if (length < 0 || lseek(fd, 0, SEEK_SET) < 0) return false;
    while (!part.last && wait_for_client(u)) {
        char *bytes = memory_array(PIECE_BYTES, 1);
        ssize_t n = bytes ? read(fd, bytes, PIECE_BYTES) : -1;
        part.last = n <= 0 || (length -= n) <= 0;
        part.bytes = bytes;
        part.n_bytes = n > 0 ? (size_t)n : 0;
        answer(u, &part);
    }
    return part.last && length == 0;
}

/* -------------------------------------------------------------- receiving it */

static void refuse(struct upload *u, unsigned status, const char *words)
{
    if (u->why.message[0]) return;
    (void)error_set(&u->why, KODAMA_ERR_ARGUMENT, "%s", words);
    u->failure_status = status;
}

static bool is_refused(const struct upload *u)
{
    return u->why.message[0] != '\0';
}

static void store(struct upload *u, const char *bytes, size_t n_bytes)
{
    u->has_file = true;
    u->n_written += n_bytes;
    if (u->n_written > (uint64_t)u->server->config.max_upload_mb * 1000000) {
        refuse(u, 413, "The file is larger than this server takes.");
    }
    while (n_bytes > 0 && !is_refused(u)) {
        ssize_t n = write(u->fd, bytes, n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            refuse(u, 507, "The server has no room for the file.");
            return;
        }
        bytes += n;
        n_bytes -= (size_t)n;
    }
}

/* The field that was read so far is whole. */
static void take_field(struct upload *u)
{
    struct kodama_error error = {0};
    if (!u->field[0] || u->n_value >= sizeof u->value) return; /* too long for any that matters */
    u->value[u->n_value] = '\0';
    if (u->options.work->option(&u->options, u->field, u->value, &error) < 0) {
        refuse(u, 400, error.message);
    }
    u->field[0] = '\0';
}

/* A field of the form, in pieces, the first of them empty. */
static void on_field(void *user, const char *name, const char *bytes, size_t n_bytes)
{
    struct upload *u = user;
    bool is_file = strcmp(name, u->options.work->file) == 0;
    if (n_bytes == 0) {
        take_field(u);
        snprintf(u->field, sizeof u->field, "%s", is_file ? "" : name);
        u->n_value = 0;
    }
    if (is_file) {
        store(u, bytes, n_bytes);
    } else if (n_bytes < sizeof u->value - u->n_value) {
        if (n_bytes > 0) memcpy(u->value + u->n_value, bytes, n_bytes);
        u->n_value += n_bytes;
    } else {
        u->n_value = sizeof u->value;
    }
}

/* The next piece of the body. @return its bytes, 0: it is whole, < 0: nobody waits for it any more
 */
static int64_t next_piece(struct upload *u, char *piece, size_t room)
{
    mutex_lock(&u->mutex);
    while (u->received == u->consumed && !u->whole && !u->left) {
        condition_wait(&u->changed, &u->mutex, CLOCK_NEVER);
    }
    size_t at = (size_t)(u->consumed % RING_BYTES), n = (size_t)(u->received - u->consumed);
    if (n > room) n = room;
    if (n > RING_BYTES - at) n = RING_BYTES - at;
    memcpy(piece, u->ring + at, n);
    bool was_full = RING_BYTES - (u->received - u->consumed) < 2 * MARGIN_BYTES;
    u->consumed += n;
    bool has_room = RING_BYTES - (u->received - u->consumed) >= 2 * MARGIN_BYTES;
    bool left = u->left;
    mutex_unlock(&u->mutex);
    if (was_full && has_room) network_wake(u->server->network);
    return left ? -1 : (int64_t)n;
}

/** @return whether there is a file to be recognised; if not it was answered */
static bool receive(struct upload *u)
{
    char piece[16384];
    int64_t n;
    while ((n = next_piece(u, piece, sizeof piece)) > 0 && !is_refused(u)) {
        if (!u->is_form) {
            store(u, piece, (size_t)n);
        } else if (!form_read(&u->form, piece, (size_t)n)) {
            refuse(u, 400, "The form is broken.");
        }
    }
    if (n < 0) return false;
    if (u->is_form && !form_ended(&u->form)) refuse(u, 400, "The form is not whole.");
    take_field(u);
    if (!u->has_file || u->n_written == 0) refuse(u, 400, u->options.work->no_file);
    if (is_refused(u)) upload_fail(u, u->failure_status, u->why.message);
    return !is_refused(u);
}

int upload_temporary(char *path)
{
    const char *folder = getenv("TMPDIR");
    int n = snprintf(path, UPLOAD_PATH_BYTES, "%s/kodama-XXXXXX", folder ? folder : "/tmp");
    int fd = n > 0 && n < UPLOAD_PATH_BYTES ? mkstemp(path) : -1;
    if (fd < 0) path[0] = '\0';
    return fd;
}

static void run_upload(void *argument)
{
    struct upload *u = argument;
    struct kodama_server *server = u->server;
    u->fd = upload_temporary(u->path);
    if (u->fd < 0) {
        upload_fail(u, 507, "The server has no room for the file.");
    } else {
        bool received = receive(u);
        close(u->fd);
        if (received) u->options.work->run(u);
        if (u->path[0]) unlink(u->path);
    }
    upload_result_free(&u->result);
    METRICS_SUB(server->metrics.uploads, 1);
    atomic_store(&u->ended, true);
}

/* ------------------------------------------------------------ begin and end */

/* Join those that have ended; all: wait for them. @return how many of a kind are at work. Network
 * thread, or after its end. */
static uint32_t reap(struct kodama_server *server, bool all, bool is_short)
{
    uint32_t n = 0;
    for (struct upload **at = &server->uploads; *at;) {
        struct upload *u = *at;
        if (!all && !atomic_load(&u->ended)) {
            n += u->options.work->is_short == is_short;
            at = &u->next;
            continue;
        }
        thread_join(&u->thread);
        *at = u->next;
        upload_unref(u);
    }
    return n;
}

struct upload *upload_start(struct kodama_server *server, const char *content_type,
                            const struct upload_options *options)
{
    bool is_short = options->work->is_short;
    uint32_t most = is_short ? CHUNKS_MAX : UPLOADS_MAX;
    if (reap(server, false, is_short) >= most) return NULL;
    struct upload *u = memory_array(1, sizeof *u);
    if (!u) return NULL;
    u->server = server;
    u->options = *options;
    u->ring = memory_array(RING_BYTES, 1);
    mutex_init(&u->mutex);
    condition_init(&u->changed);
    atomic_store(&u->references, 2);
    u->is_form = form_begin(&u->form, content_type, on_field, u);
    METRICS_ADD(server->metrics.uploads, 1);
    if (!u->ring || thread_start(&u->thread, "kodama-upload", run_upload, u, NULL) < 0) {
        METRICS_SUB(server->metrics.uploads, 1);
        atomic_store(&u->references, 1);
        upload_unref(u);
        return NULL;
    }
    u->next = server->uploads;
    server->uploads = u;
    return u;
}

void uploads_end(struct kodama_server *server)
{
    (void)reap(server, true, false);
}
