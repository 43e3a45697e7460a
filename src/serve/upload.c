#define _DEFAULT_SOURCE
/* A file to be transcribed: received into a temporary file, recognised, answered. */
#include "serve/upload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/audio_file.h"
#include "base/clock.h"
#include "base/memory.h"
#include "serve/form.h"

enum {
    RING_BYTES = 512 * 1024,
    MARGIN_BYTES = 128 * 1024,
    BLOCK_FRAMES = 4096,
    STEP_MS =
        100, /* so often a writer that waits for decoders looks whether anybody waits for it */
};

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
    char path[128];
    int fd;
    uint64_t n_written;
    bool has_file;
    const char *failure; /* static words */
    unsigned failure_status;
    struct upload_result result;

    /* Lock. */
    struct mutex mutex;
    struct condition changed;
    char *ring;
    uint64_t received, consumed;
    bool whole, left;
    struct upload_answer answer; /* bytes: what was not taken yet */
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

/* Add to the answer; the bytes are taken. */
static void answer(struct upload *u, unsigned status, const char *type, char *bytes, bool last)
{
    mutex_lock(&u->mutex);
    size_t n = bytes ? strlen(bytes) : 0, before = u->answer.n_bytes;
    char *all = bytes ? memory_resize(u->answer.bytes, before + n + 1, 1) : NULL;
    if (all) {
        memcpy(all + before, bytes, n + 1);
        u->answer.bytes = all;
        u->answer.n_bytes = before + n;
    }
    u->answer.status = bytes ? status : 500;
    u->answer.type = type;
    u->answer.streams = u->options.streams && status == 200;
    if (last || !bytes) u->answer.last = true;
    mutex_unlock(&u->mutex);
    free(bytes);
    network_wake(u->server->network);
}

static void fail(struct upload *u, unsigned status, const char *words)
{
    METRICS_ADD(u->server->metrics.refused[REFUSED_UPLOAD], 1);
    answer(u, status, "application/json", upload_error(words), true);
}

/* -------------------------------------------------------------- receiving it */

static void refuse(struct upload *u, unsigned status, const char *words)
{
    if (u->failure) return;
    u->failure = words;
    u->failure_status = status;
}

static void store(struct upload *u, const char *bytes, size_t n_bytes)
{
    u->has_file = true;
    u->n_written += n_bytes;
    if (u->n_written > (uint64_t)u->server->config.max_upload_mb * 1000000) {
        refuse(u, 413, "The file is larger than this server takes.");
    }
    while (n_bytes > 0 && !u->failure) {
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

/* A field of the form. Values come in pieces; those that matter are short and come whole. */
static void on_field(void *user, const char *name, const char *bytes, size_t n_bytes)
{
    struct upload *u = user;
    char value[UPLOAD_OPTION_BYTES];
    if (strcmp(name, "file") == 0) {
        store(u, bytes, n_bytes);
        return;
    }
    if (n_bytes == 0 || n_bytes >= sizeof value) return;
    memcpy(value, bytes, n_bytes);
    value[n_bytes] = '\0';
    if (strcmp(name, "response_format") == 0) {
        snprintf(u->options.format, sizeof u->options.format, "%s", value);
    } else if (strcmp(name, "stream") == 0) {
        u->options.streams = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    } else if (strcmp(name, "timestamp_granularities[]") == 0) {
        if (strcmp(value, "word") == 0) u->options.words = true;
        if (strcmp(value, "segment") == 0) u->options.segments = true;
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
    while ((n = next_piece(u, piece, sizeof piece)) > 0 && !u->failure) {
        if (!u->is_form) {
            store(u, piece, (size_t)n);
        } else if (!form_read(&u->form, piece, (size_t)n)) {
            refuse(u, 400, "The form is broken.");
        }
    }
    if (n < 0) return false;
    if (u->is_form && !form_ended(&u->form)) refuse(u, 400, "The form is not whole.");
    if (!u->has_file || u->n_written == 0) {
        refuse(u, 400,
               "There is no file; send it as the body, or as the field \"file\" of a form.");
    }
    if (!upload_knows_format(u->options.format)) {
        refuse(u, 400, "response_format must be json, text, srt, vtt or verbose_json.");
    }
    if (u->failure) fail(u, u->failure_status, u->failure);
    return !u->failure;
}

/* ------------------------------------------------------------ recognising it */

/** @return false at the end of the conversation, or when memory is out */
static bool take_events(struct upload *u, struct kodama_recognizer *recognizer, int64_t timeout_ns)
{
    struct kodama_event event;
    int status;
    while ((status = kodama_recognizer_next(recognizer, &event, timeout_ns)) == KODAMA_OK) {
        if (event.kind != KODAMA_EVENT_FINAL) continue;
        bool first = u->result.n_finals == 0;
        METRICS_ADD(u->server->metrics.finals, 1);
        if (!upload_keep(&u->result, &event)) return false;
        if (u->options.streams && event.text[0]) {
            answer(u, 200, "text/event-stream", upload_delta(event.text, first), false);
        }
    }
    return status != KODAMA_ERR_CLOSED;
}

static bool is_left(struct upload *u)
{
    mutex_lock(&u->mutex);
    bool left = u->left;
    mutex_unlock(&u->mutex);
    return left;
}

static int hear(struct upload *u, struct kodama_recognizer *recognizer, struct audio_file *file,
                struct kodama_error *error)
{
    struct kodama_format format = audio_file_format(file);
    size_t n_frame = kodama_frame_bytes(format);
    uint8_t *frames = memory_array(BLOCK_FRAMES, n_frame);
    uint64_t heard = 0;
    int64_t n = frames ? 1 : KODAMA_ERR_MEMORY;
    while (n > 0 && (n = audio_file_read(file, frames, BLOCK_FRAMES, error)) > 0) {
        for (int64_t done = 0; done < n;) {
            if (is_left(u)) {
                free(frames);
                return KODAMA_ERR_CANCELLED;
            }
            int64_t wrote = kodama_recognizer_write(recognizer, frames + (size_t)done * n_frame,
                                                    (size_t)(n - done), STEP_MS * 1000000);
            if (wrote > 0) done += wrote;
            (void)take_events(u, recognizer, 0);
            if (wrote < 0 && wrote != KODAMA_ERR_TIMEOUT) {
                free(frames);
                return (int)wrote;
            }
        }
        heard += (uint64_t)n;
        METRICS_ADD(u->server->metrics.audio_ns, (uint64_t)n * CLOCK_NS_PER_S / format.rate_hz);
    }
    free(frames);
    u->result.duration_s = (double)heard / format.rate_hz;
    return n < 0 ? (int)n : kodama_recognizer_finish(recognizer);
}

static void transcribe(struct upload *u)
{
    struct audio_file *file = NULL;
    struct kodama_recognizer *recognizer = NULL;
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_error error = {0};
    int status = audio_file_open(&file, u->path, &error);
    unlink(u->path); /* nothing is left behind, whatever comes */
    u->path[0] = '\0';
    if (status < 0) {
        fail(u, 400, "The file is no sound that this server can read.");
        return;
    }
    config.format = audio_file_format(file);
    config.partials = false;
    config.segmenter.detector = u->server->config.detector;
    struct kodama_model *model = served_hold(u->server);
    config.language = u->server->config.language;
    status = kodama_recognizer_open(&recognizer, model, &config, &error);
    served_release(model);
    if (status == KODAMA_OK) status = hear(u, recognizer, file, &error);
    audio_file_close(file);
    while (status == KODAMA_OK && !is_left(u)) {
        int64_t step_ns = STEP_MS * 1000000;
        if (!take_events(u, recognizer, step_ns)) break;
    }
    kodama_recognizer_close(recognizer);
    if (status < 0) {
        if (status == KODAMA_ERR_CANCELLED) return;
        fail(u, status == KODAMA_ERR_CORRUPT ? 400 : 500,
             status == KODAMA_ERR_CORRUPT ? "The file is damaged." : "The file cannot be heard.");
        return;
    }
    if (u->options.streams) {
        answer(u, 200, "text/event-stream", upload_done(&u->result), true);
        return;
    }
    const char *type = "application/json";
    char *text = upload_text(&u->result, &u->options, &type);
    answer(u, 200, type, text, true);
}

static void run_upload(void *argument)
{
    struct upload *u = argument;
    struct kodama_server *server = u->server;
    const char *folder = getenv("TMPDIR");
    int n = snprintf(u->path, sizeof u->path, "%s/kodama-XXXXXX", folder ? folder : "/tmp");
    u->fd = n > 0 && n < (int)sizeof u->path ? mkstemp(u->path) : -1;
    if (u->fd < 0) {
        fail(u, 507, "The server has no room for the file.");
    } else {
        bool received = receive(u);
        close(u->fd);
        if (received) transcribe(u);
        if (u->path[0]) unlink(u->path);
    }
    upload_result_free(&u->result);
    METRICS_SUB(server->metrics.uploads, 1);
    atomic_store(&u->ended, true);
}

/* ------------------------------------------------------------ begin and end */

/* Join those that have ended; all: wait for them. Network thread, or after its end. */
static uint32_t reap(struct kodama_server *server, bool all)
{
    uint32_t n = 0;
    for (struct upload **at = &server->uploads; *at;) {
        struct upload *u = *at;
        if (!all && !atomic_load(&u->ended)) {
            n++;
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
    if (reap(server, false) >= UPLOADS_MAX) return NULL;
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
    (void)reap(server, true);
}
