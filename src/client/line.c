#define _DEFAULT_SOURCE
/*
 * The line of a client: its connection, on a thread of its own. It connects, sends what is on the
 * tape, hands on what comes, notices when the other side has died, and tries again.
 *
 * libwebsockets runs on its own loop here. Other threads reach it only with line_wake().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "client/internal.h"

enum {
    READ_BYTES = 16384,
    SEND_BYTES = 8192,
    MESSAGE_BYTES_MAX = 16 * 1024 * 1024, /* an hour of words with times */
    PATH_BYTES = 4096,
    WORDS_BYTES = 300,
    DESCRIPTORS_MAX = 64, /* a line needs three */
    RETRY_FIRST_MS = 50,
    RETRY_MOST_MS = 5000,
    RETRY_DOUBLINGS_MAX = 7,
    /* A line that takes nothing may belong to a server that is busy; it is given more time. */
    CLOGGED_BEATS = 12,
    SILENT_BEATS = 3,
};

enum line_state {
    LINE_IDLE,       /* nothing to do: the session has ended, and there is no new audio */
    LINE_WAITING,    /* for the next attempt */
    LINE_CONNECTING, /* TCP, TLS, HTTP */
    LINE_GREETING,   /* a WebSocket; `ready` has not come */
    LINE_OPEN,
    LINE_ENDED,
};

/** All of it: the network thread's. */
struct line {
    struct kodama_client *client;
    struct lws_context *context;
    struct lws *wsi; /* NULL: none */
    enum line_state state;
    lws_sorted_usec_list_t timer; /* the next attempt, or a look at how the line is */
    bool resumes;                 /* the first message is due */
    bool stopped;                 /* `stop` was sent on this connection */
    bool pings, pinged;           /* a ping is due; was sent, and nothing came since */
    bool told;                    /* that it is broken */
    bool at_once;                 /* the next attempt is for a new session: no reason to wait */
    uint32_t n_attempts;          /* since something was achieved */
    uint64_t since_ns;            /* of this attempt */
    uint64_t away_ns;             /* since when it is broken */
    uint64_t heard_ns, pinged_ns;
    uint64_t progress; /* of the tape, confirmed when the connection began */
    char *text;        /* of the message that is coming in; owned */
    size_t n_text;
    char path[PATH_BYTES];
    char words[WORDS_BYTES]; /* why the connection broke */
    unsigned char out[LWS_PRE + SEND_BYTES];
};

static void line_connect(struct line *line);
static void on_timer(lws_sorted_usec_list_t *timer);

void line_wake(struct kodama_client *client)
{
    lws_cancel_service(client->line->context);
}

static void set_timer(struct line *line, uint64_t delay_ns)
{
    lws_sul_schedule(line->context, 0, &line->timer, on_timer, (lws_usec_t)(delay_ns / 1000));
}

static void set_deadline(struct line *line, uint64_t deadline_ns)
{
    uint64_t now_ns = clock_now_ns();
    set_timer(line, deadline_ns > now_ns ? deadline_ns - now_ns : 0);
}

static uint64_t milliseconds(uint32_t ms)
{
    return ms * CLOCK_NS_PER_MS;
}

/* ------------------------------------------------------------------- attempts */

/* Whether there is something that a connection is needed for. */
static bool has_work(struct kodama_client *c)
{
    mutex_lock(&c->mutex);
    bool work = c->tape.end > c->decided || c->tape.n_marks > 0;
    c->asleep = true;
    mutex_unlock(&c->mutex);
    return work || c->session[0];
}

/* Twice as long each time, and never two clients at the same time (full jitter would also allow
 * none at all: half of it is fixed). */
static uint64_t backoff_ns(struct line *line)
{
    uint32_t n = line->n_attempts < RETRY_DOUBLINGS_MAX ? line->n_attempts : RETRY_DOUBLINGS_MAX;
    uint64_t most = (uint64_t)RETRY_FIRST_MS << n;
    uint32_t random = 0;
    if (most > RETRY_MOST_MS) most = RETRY_MOST_MS;
    (void)lws_get_random(line->context, &random, sizeof random);
    line->n_attempts++;
    return (most / 2 + random % (most / 2 + 1)) * CLOCK_NS_PER_MS;
}

/* The way back was not found in time. */
static void give_up(struct line *line)
{
    struct kodama_client *c = line->client;
    mutex_lock(&c->mutex);
    double left_s = client_seconds(c, c->tape.end - c->decided);
    double from_s = client_seconds(c, c->decided);
    mutex_unlock(&c->mutex);
    client_fail(c, KODAMA_ERR_IO,
                "client: the connection to %s port %u is broken and did not come back within %u s "
                "(%s); %.1f s of audio from %.1f s on have no final",
                c->address.host, c->address.port, c->config.retry_ms / 1000, line->words, left_s,
                from_s);
    line->state = LINE_ENDED;
}

static void tell_away(struct line *line)
{
    struct kodama_client *c = line->client;
    char text[ADDRESS_HOST_BYTES + WORDS_BYTES + 100];
    snprintf(text, sizeof text, "the connection to %s port %u is broken (%s); trying again",
             c->address.host, c->address.port, line->words);
    struct kodama_client_event event = {.kind = KODAMA_CLIENT_AWAY, .text = text};
    line->told = true;
    line->away_ns = clock_now_ns();
    client_tell(c, &event);
}

static void retry(struct line *line)
{
    struct kodama_client *c = line->client;
    if (line->at_once) {
        line->at_once = false;
        line->state = LINE_WAITING;
        set_timer(line, 0);
        return;
    }
    if (!line->told) tell_away(line);
    if (clock_now_ns() - line->away_ns > milliseconds(c->config.retry_ms)) {
        give_up(line);
        return;
    }
    line->state = LINE_WAITING;
    set_timer(line, backoff_ns(line));
}

/* The session has ended with all that was written: the end, or nothing to do until there is more.
 */
static void rest(struct line *line)
{
    struct kodama_client *c = line->client;
    mutex_lock(&c->mutex);
    bool over = c->finishing;
    mutex_unlock(&c->mutex);
    line->state = over ? LINE_ENDED : LINE_IDLE;
    if (over) client_end(c);
}

/* The connection has gone, or could not be made. */
static void on_broken(struct line *line)
{
    struct kodama_client *c = line->client;
    line->wsi = NULL;
    line->n_text = 0;
    mutex_lock(&c->mutex);
    bool over = c->ended || c->closing;
    bool began = c->began;
    c->connected = false;
    mutex_unlock(&c->mutex);
    if (over) {
        line->state = LINE_ENDED;
    } else if (!began) {
        client_fail(c, KODAMA_ERR_IO, "client: cannot connect to %s port %u: %s", c->address.host,
                    c->address.port, line->words);
        line->state = LINE_ENDED;
    } else if (!has_work(c)) {
        rest(line);
    } else {
        retry(line);
    }
}

static void note(struct line *line, const char *words)
{
    snprintf(line->words, sizeof line->words, "%s", words);
}

static void break_line(struct line *line, const char *words)
{
    struct lws *wsi = line->wsi;
    if (!wsi) return;
    note(line, words);
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
    /* A callback told of the end within that call, but not always within a handshake. */
    if (line->wsi == wsi) on_broken(line);
}

static void line_connect(struct line *line)
{
    struct kodama_client *c = line->client;
    struct lws_client_connect_info info = {
        .context = line->context,
        .address = c->address.host,
        .port = (int)c->address.port,
        .ssl_connection = c->address.tls ? LCCSCF_USE_SSL : 0,
        .path = c->session[0] ? c->address.path : line->path,
        .host = c->address.host,
        .ietf_version_or_minus_one = -1,
        .alpn = "http/1.1",
        .pwsi = &line->wsi,
    };
    line->state = LINE_CONNECTING;
    line->since_ns = clock_now_ns();
    line->resumes = c->session[0] != '\0';
    line->stopped = line->pings = line->pinged = false;
    mutex_lock(&c->mutex);
    line->progress = c->tape.confirmed;
    mutex_unlock(&c->mutex);
    note(line, "the address could not be found or reached");
    set_timer(line, milliseconds(c->config.connect_ms));
    /* A failure within the call may or may not be told by a callback. */
    if (!lws_client_connect_via_info(&info) && line->state == LINE_CONNECTING) on_broken(line);
}

/* ----------------------------------------------------------------------- time */

/* How the line is: an attempt that takes too long, a silence that lasts too long. */
static void look(struct line *line)
{
    struct kodama_client *c = line->client;
    uint64_t now_ns = clock_now_ns(), beat_ns = milliseconds(c->config.heartbeat_ms);
    if (line->state == LINE_CONNECTING || line->state == LINE_GREETING) {
        uint64_t deadline_ns = line->since_ns + milliseconds(c->config.connect_ms);
        if (now_ns >= deadline_ns) {
            break_line(line, "there was no answer in time");
        } else {
            set_deadline(line, deadline_ns);
        }
        return;
    }
    if (line->state != LINE_OPEN || beat_ns == 0) return;
    uint64_t silent_ns = now_ns - line->heard_ns;
    if (silent_ns >= (line->pings ? CLOGGED_BEATS : SILENT_BEATS) * beat_ns) {
        break_line(line, "the server has fallen silent");
        return;
    }
    if (silent_ns >= beat_ns && !line->pings && now_ns - line->pinged_ns >= beat_ns) {
        line->pings = true;
        lws_callback_on_writable(line->wsi);
    }
    set_timer(line, silent_ns < beat_ns ? beat_ns - silent_ns : beat_ns / 2);
}

static void on_timer(lws_sorted_usec_list_t *timer)
{
    struct line *line = lws_container_of(timer, struct line, timer);
    if (line->state == LINE_WAITING) {
        line_connect(line);
    } else {
        look(line);
    }
}

/* -------------------------------------------------------------------- sending */

static int put(struct line *line, size_t n_bytes, enum lws_write_protocol kind)
{
    int n = lws_write(line->wsi, line->out + LWS_PRE, n_bytes, kind);
    if (n < (int)n_bytes) return -1;
    lws_callback_on_writable(line->wsi);
    struct kodama_client *c = line->client;
    mutex_lock(&c->mutex);
    c->stats.bytes_sent += n_bytes;
    mutex_unlock(&c->mutex);
    return 0;
}

static int say(struct line *line, const char *text)
{
    size_t n = strlen(text);
    memcpy(line->out + LWS_PRE, text, n);
    return put(line, n, LWS_WRITE_TEXT);
}

/* Audio, or what is due at this place of it; else the thread sleeps until there is more. */
static int send_tape(struct line *line)
{
    struct kodama_client *c = line->client;
    struct tape *tape = &c->tape;
    mutex_lock(&c->mutex);
    bool finalize = tape_take_mark(tape);
    uint64_t known = tape->sent_most, from = tape->sent, n = 0;
    if (!finalize) n = tape_take(tape, line->out + LWS_PRE, SEND_BYTES / tape->frame_bytes);
    bool stop = !finalize && n == 0 && c->finishing && !line->stopped;
    if (!finalize && n == 0 && !stop) c->asleep = true;
    c->stats.frames_sent += n;
    if (from < known) c->stats.frames_again += n < known - from ? n : known - from;
    mutex_unlock(&c->mutex);
    if (finalize) return say(line, "{\"type\":\"finalize\"}");
    if (n > 0) return put(line, (size_t)n * tape->frame_bytes, LWS_WRITE_BINARY);
    if (!stop) return 0;
    line->stopped = true;
    return say(line, "{\"type\":\"stop\"}");
}

static int on_writable(struct line *line)
{
    if (line->pings) {
        line->pings = false;
        line->pinged = true;
        line->pinged_ns = clock_now_ns();
        return put(line, 0, LWS_WRITE_PING);
    }
    if (line->resumes) {
        char text[SEND_BYTES];
        line->resumes = false;
        if (client_resume_text(line->client, text, sizeof text) == 0) return -1;
        return say(line, text);
    }
    return line->state == LINE_OPEN ? send_tape(line) : 0;
}

/* ------------------------------------------------------------------ receiving */

static void tell_back(struct line *line)
{
    struct kodama_client *c = line->client;
    char text[200];
    mutex_lock(&c->mutex);
    struct kodama_client_event event = {.kind = KODAMA_CLIENT_BACK, .text = text};
    event.sample = client_written(c, c->tape.sent);
    uint64_t again = c->tape.sent_most > c->tape.sent ? c->tape.sent_most - c->tape.sent : 0;
    mutex_unlock(&c->mutex);
    double away_s = (double)(clock_now_ns() - line->away_ns) * 1e-9;
    snprintf(text, sizeof text,
             "connected again after %.1f s; nothing is lost (%.1f s of audio are sent again)",
             away_s, client_seconds(c, again));
    line->told = false;
    client_tell(c, &event);
}

static void on_ready(struct line *line)
{
    struct kodama_client *c = line->client;
    line->state = LINE_OPEN;
    if (line->told) tell_back(line);
    mutex_lock(&c->mutex);
    c->began = true;
    c->connected = true;
    condition_broadcast(&c->changed);
    mutex_unlock(&c->mutex);
    lws_callback_on_writable(line->wsi);
    look(line);
}

static int on_message(struct line *line)
{
    struct kodama_client *c = line->client;
    size_t n = line->n_text;
    line->n_text = 0;
    enum client_verdict verdict = client_message(c, line->text, n, line->state == LINE_OPEN);
    mutex_lock(&c->mutex);
    /* Whoever connects only to be cut again at once must wait longer each time. */
    if (c->tape.confirmed > line->progress) line->n_attempts = 0;
    bool ended = c->ended;
    mutex_unlock(&c->mutex);
    if (verdict == VERDICT_READY) on_ready(line);
    if (verdict != VERDICT_CLOSE && !ended) return 0;
    note(line, c->words[0] ? c->words : "the server has closed it");
    line->at_once = !c->session[0] && !ended && line->n_attempts == 0;
    if (line->at_once) line->n_attempts = 1; /* not without end */
    lws_close_reason(line->wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
    return -1;
}

static int on_receive(struct line *line, const void *bytes, size_t n_bytes)
{
    struct kodama_client *c = line->client;
    line->heard_ns = clock_now_ns();
    mutex_lock(&c->mutex);
    c->stats.bytes_received += n_bytes;
    mutex_unlock(&c->mutex);
    if (lws_frame_is_binary(line->wsi)) return 0; /* nothing that this client asked for */
    if (line->n_text + n_bytes > MESSAGE_BYTES_MAX) {
        note(line, "the server sent too long a message");
        return -1;
    }
    char *text = memory_resize(line->text, line->n_text + n_bytes + 1, 1);
    if (!text) return -1;
    line->text = text;
    memcpy(text + line->n_text, bytes, n_bytes);
    line->n_text += n_bytes;
    if (!lws_is_final_fragment(line->wsi) || lws_remaining_packet_payload(line->wsi) > 0) return 0;
    return on_message(line);
}

static void on_pong(struct line *line)
{
    struct kodama_client *c = line->client;
    line->heard_ns = clock_now_ns();
    line->pinged = false;
    mutex_lock(&c->mutex);
    c->stats.round_trip_ms =
        (uint32_t)((line->heard_ns - line->pinged_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS);
    mutex_unlock(&c->mutex);
}

/* ------------------------------------------------------------------ callbacks */

/* Words for what libwebsockets says. */
static void on_failure(struct line *line, const char *words)
{
    struct kodama_client *c = line->client;
    unsigned status = lws_http_client_http_response(line->wsi);
    if (line->state != LINE_CONNECTING && line->state != LINE_GREETING) return;
    if (status > 0) {
        snprintf(line->words, sizeof line->words, "the server answers with HTTP %u", status);
        refusal_http(c, status);
    } else if (words && words[0]) {
        note(line, refusal_handshake(c, words));
    }
    on_broken(line);
}

/* Somebody called line_wake(). */
static void on_wake(struct line *line)
{
    struct kodama_client *c = line->client;
    mutex_lock(&c->mutex);
    bool closing = c->closing;
    mutex_unlock(&c->mutex);
    if (closing) {
        line->state = LINE_ENDED;
        if (line->wsi) lws_close_reason(line->wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
        break_line(line, "closed");
    } else if (line->state == LINE_OPEN) {
        lws_callback_on_writable(line->wsi);
    } else if (line->state == LINE_IDLE) {
        if (has_work(c)) {
            line_connect(line);
        } else {
            rest(line);
        }
    }
}

static int add_token(struct line *line, unsigned char **at, size_t n_bytes)
{
    struct kodama_client *c = line->client;
    char value[2100];
    if (!c->token) return 0;
    int n = snprintf(value, sizeof value, "Bearer %s", c->token);
    return lws_add_http_header_by_name(line->wsi, (const unsigned char *)"authorization:",
                                       (const unsigned char *)value, n, at, *at + n_bytes);
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *bytes,
                  size_t n_bytes)
{
    struct lws_context *context = wsi ? lws_get_context(wsi) : NULL;
    struct line *line = context ? lws_context_user(context) : NULL;
    (void)user;
    if (!line) return 0;
    switch (reason) {
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED: on_wake(line); return 0;
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER: {
        line->wsi = wsi;
        return add_token(line, bytes, n_bytes) ? -1 : 0;
    }
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        line->wsi = wsi;
        on_failure(line, bytes);
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        line->wsi = wsi;
        line->state = LINE_GREETING;
        line->heard_ns = clock_now_ns();
        note(line, "it was cut");
        if (line->resumes) lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE: return on_receive(line, bytes, n_bytes);
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG: on_pong(line); return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE: return on_writable(line);
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY: /* the last one, if there was no other */
        if (wsi == line->wsi) on_broken(line);
        return 0;
    default: return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "kodama-client", .callback = on_lws, .rx_buffer_size = READ_BYTES},
    {.name = NULL},
};

/* ----------------------------------------------------------- open and close */

static int check_ca(const struct kodama_client *c, struct kodama_error *error)
{
    char words[128];
    if (!c->ca) return KODAMA_OK;
    int fd = open(c->ca, O_RDONLY | O_CLOEXEC);
    int number = errno;
    if (fd >= 0) close(fd);
    if (fd >= 0) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_NOT_FOUND, "client: cannot read the authorities in %s: %s",
                     c->ca, error_errno(number, words, sizeof words));
}

int line_open(struct kodama_client *c, struct kodama_error *error)
{
    int status = check_ca(c, error);
    if (status < 0) return status;
    struct line *line = memory_array(1, sizeof *line);
    if (!line) return error_set(error, KODAMA_ERR_MEMORY, "client: out of memory");
    c->line = line;
    line->client = c;
    query_write(c, line->path, sizeof line->path);
    /* Its log is one for the whole process; ours has no such thing. */
    lws_set_log_level(0, NULL);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .user = line,
        .fd_limit_per_thread = DESCRIPTORS_MAX,
        .client_ssl_ca_filepath = c->ca,
        .options = c->address.tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0,
    };
    /* $http_proxy is not meant for this machine. */
    if (address_is_loopback(&c->address)) info.http_proxy_address = "";
    line->context = lws_create_context(&info);
    if (!line->context) {
        return error_set(error, KODAMA_ERR_SYSTEM, "client: libwebsockets does not start%s",
                         c->ca ? "; is the file of the authorities one in PEM?" : "");
    }
    return KODAMA_OK;
}

void line_run(void *argument)
{
    struct kodama_client *c = argument;
    struct line *line = c->line;
    line_connect(line);
    while (line->state != LINE_ENDED) {
        if (lws_service(line->context, 0) < 0) break;
    }
    if (line->state != LINE_ENDED) client_fail(c, KODAMA_ERR_SYSTEM, "client: its loop has ended");
}

void line_close(struct kodama_client *c)
{
    struct line *line = c->line;
    if (!line) return;
    line->state = LINE_ENDED;
    if (line->context) lws_context_destroy(line->context);
    free(line->text);
    free(line);
    c->line = NULL;
}
