/* Downloads through libcurl. */
#include "speech/model_download.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

enum {
    CONNECT_S = 30,
    STALL_S = 60, /* so long without a byte is a cut */
    REDIRECTS_MAX = 10,
    /* Attempts in a row that bring nothing, and what is waited before each further one: half a
     * second, and twice as long each time. */
    ATTEMPTS_MAX = 5,
    WAIT_FIRST_MS = 500,
    WAIT_STEP_MS = 50,
    HTTP_OK = 200,
    HTTP_PARTIAL = 206,
    HTTP_NOT_THERE = 416,
    HTTP_TOO_MANY = 429,
    HTTP_SERVER = 500,
};

/** One attempt. */
struct attempt {
    struct download *download;
    CURL *curl;
    long code;           /* of the newest answer's head; 0: none yet */
    bool begun;          /* its first byte of content was looked at */
    uint64_t range_from; /* Content-Range's; UINT64_MAX: none */
    uint64_t length;     /* Content-Length's; UINT64_MAX: not told */
    uint64_t n_total;    /* of the whole file; 0: not told */
    char tag[DOWNLOAD_TAG_BYTES];
    int write_errno;       /* the disk failed */
    uint64_t missing_room; /* bytes; the disk has too little */
    bool other_range;      /* the server sent a part that was not asked for */
    bool other_size;       /* it has a file of another size than the known one */
    bool cancelled;
};

static pthread_once_t library_prepared = PTHREAD_ONCE_INIT;

static void prepare_library(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool download_is_built(void)
{
    return true;
}

static bool tell(const struct download *download, enum kodama_store_step step, uint64_t n_total)
{
    const struct kodama_store_config *config = download->config;
    struct kodama_store_progress progress = {step, download->n_done, n_total};
    return !config->on_progress || config->on_progress(config->user, &progress);
}

/* ------------------------------------------------------------------ what comes */

/** The value of a header of that name; NULL: another one. */
static const char *header_value(const char *line, const char *name)
{
    size_t n = strlen(name);
    if (strncasecmp(line, name, n) != 0 || line[n] != ':') return NULL;
    line += n + 1;
    return line + strspn(line, " \t");
}

/** "bytes 100-199/200", "bytes * /200". */
static void read_range(struct attempt *attempt, const char *value)
{
    const char *slash = strchr(value, '/');
    value += strcspn(value, "0123456789*");
    if (*value != '*' && *value) attempt->range_from = strtoull(value, NULL, 10);
    if (slash && slash[1] != '*') attempt->n_total = strtoull(slash + 1, NULL, 10);
}

static size_t take_header(char *bytes, size_t size, size_t n, void *user)
{
    struct attempt *attempt = user;
    char line[1024];
    const char *value;
    snprintf(line, sizeof line, "%.*s", (int)(size * n), bytes);
    line[strcspn(line, "\r\n")] = '\0';
    if (strncmp(line, "HTTP/", 5) == 0) { /* a new head; before it there was a redirection */
        attempt->code = 0;
        attempt->range_from = attempt->length = UINT64_MAX;
        attempt->n_total = 0;
        attempt->tag[0] = '\0';
    } else if ((value = header_value(line, "content-range"))) {
        read_range(attempt, value);
    } else if ((value = header_value(line, "content-length"))) {
        attempt->length = strtoull(value, NULL, 10);
    } else if ((value = header_value(line, "etag"))) {
        /* Weak ones (W/"...") stand for more than one sequence of bytes. */
        if (value[0] == '"' && strlen(value) < sizeof attempt->tag) {
            snprintf(attempt->tag, sizeof attempt->tag, "%s", value);
        }
    }
    return size * n;
}

static bool has_room(struct attempt *attempt, uint64_t n_bytes)
{
    struct statvfs disk;
    if (fstatvfs(attempt->download->fd, &disk) < 0) return true;
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (n_bytes <= room) return true;
    attempt->missing_room = n_bytes - room;
    return false;
}

/** Look at the answer before its first byte is taken. @return false: not to be taken */
static bool begin(struct attempt *attempt)
{
    struct download *download = attempt->download;
    attempt->begun = true;
    (void)curl_easy_getinfo(attempt->curl, CURLINFO_RESPONSE_CODE, &attempt->code);
    if (attempt->code != HTTP_OK && attempt->code != HTTP_PARTIAL) return true; /* dropped */
    if (attempt->code == HTTP_PARTIAL && attempt->range_from != download->n_done) {
        attempt->other_range = true;
        return false;
    }
    if (attempt->code == HTTP_OK) { /* all of it: another version, or a server without ranges */
        if (ftruncate(download->fd, 0) < 0 || lseek(download->fd, 0, SEEK_SET) < 0) {
            attempt->write_errno = errno;
            return false;
        }
        download->n_done = 0;
        attempt->n_total = attempt->length == UINT64_MAX ? 0 : attempt->length;
        snprintf(download->tag, sizeof download->tag, "%s", attempt->tag);
        if (download->on_tag) download->on_tag(download->user, attempt->tag);
    }
    uint64_t n_total = attempt->n_total;
    attempt->other_size =
        download->n_expected > 0 && n_total > 0 && n_total != download->n_expected;
    return !attempt->other_size &&
           (n_total <= download->n_done || has_room(attempt, n_total - download->n_done));
}

static size_t take(char *bytes, size_t size, size_t n, void *user)
{
    struct attempt *attempt = user;
    struct download *download = attempt->download;
    size_t n_bytes = size * n;
    if (!attempt->begun && !begin(attempt)) return 0;
    if (attempt->code != HTTP_OK && attempt->code != HTTP_PARTIAL) return n_bytes;
    for (size_t done = 0; done < n_bytes;) {
        ssize_t written = write(download->fd, bytes + done, n_bytes - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            attempt->write_errno = written < 0 ? errno : ENOSPC;
            return 0;
        }
        done += (size_t)written;
        download->n_done += (uint64_t)written;
    }
    return n_bytes;
}

static int on_move(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                   curl_off_t up)
{
    struct attempt *attempt = user;
    (void)down_total, (void)down, (void)up_total, (void)up;
    uint64_t n_total = attempt->n_total ? attempt->n_total : attempt->download->n_expected;
    attempt->cancelled = !tell(
        attempt->download, attempt->begun ? KODAMA_STORE_RECEIVES : KODAMA_STORE_CONNECTS, n_total);
    return attempt->cancelled;
}

/* ------------------------------------------------------------------- an attempt */

static void set_protocols(CURL *curl, const char *address)
{
    bool plain = strncasecmp(address, "http:", 5) == 0;
#if LIBCURL_VERSION_NUM >= 0x075500
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, plain ? "http,https" : "https");
#else
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    (void)curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS,
                           plain ? (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)
                                 : (long)CURLPROTO_HTTPS);
#endif
}

/** Headers that ask for the rest. Written by hand: libcurl's own way of going on gives up where the
 * whole file comes instead. */
static struct curl_slist *rest_headers(const struct download *download)
{
    char line[DOWNLOAD_TAG_BYTES + 32];
    struct curl_slist *headers = NULL;
    if (download->n_done == 0) return NULL;
    snprintf(line, sizeof line, "Range: bytes=%llu-", (unsigned long long)download->n_done);
    headers = curl_slist_append(NULL, line);
    if (!headers || !download->tag[0]) return headers;
    snprintf(line, sizeof line, "If-Range: %s", download->tag);
    struct curl_slist *both = curl_slist_append(headers, line);
    if (both) return both;
    curl_slist_free_all(headers);
    return NULL; /* then all of it comes */
}

static CURLcode perform(struct attempt *attempt, char *words)
{
    CURL *curl = attempt->curl;
    const struct download *download = attempt->download;
    struct curl_slist *headers = rest_headers(download);
    set_protocols(curl, download->address);
    (void)curl_easy_setopt(curl, CURLOPT_URL, download->address);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "kodama/" KODAMA_VERSION);
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, attempt);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, attempt);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_move);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, attempt);
    CURLcode code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &attempt->code);
    curl_slist_free_all(headers);
    return code;
}

/** What is wrong with an answer that came, or with what was done with it. KODAMA_OK: nothing. */
static int judge_answer(const struct attempt *attempt, struct kodama_error *error)
{
    const struct download *download = attempt->download;
    if (attempt->cancelled) {
        return error_set(error, KODAMA_ERR_CANCELLED, "the download of %s was cancelled",
                         download->address);
    }
    if (attempt->write_errno) {
        return error_set_file(error, "write", download->path, attempt->write_errno,
                              ": make room, and get it again: it goes on where it was");
    }
    if (attempt->missing_room) {
        return error_set(error, KODAMA_ERR_IO,
                         "the disk of %s lacks %.1f MB for the rest: make room, and get it again",
                         download->path, (double)attempt->missing_room * 1e-6);
    }
    if (attempt->other_size) {
        return error_set(error, KODAMA_ERR_CORRUPT,
                         "%s has %llu bytes, not the %llu of the file that is known by that name",
                         download->address, (unsigned long long)attempt->n_total,
                         (unsigned long long)download->n_expected);
    }
    if (attempt->code == 404 || attempt->code == 410) {
        return error_set(error, KODAMA_ERR_NOT_FOUND, "%s is not there (the host says %ld)",
                         download->address, attempt->code);
    }
    return KODAMA_OK;
}

/** Whether a further attempt may help. */
static bool is_passing(CURLcode code, const struct attempt *attempt, bool first)
{
    switch (code) {
    case CURLE_OK: return attempt->code >= HTTP_SERVER || attempt->code == HTTP_TOO_MANY;
    case CURLE_COULDNT_CONNECT: return !first; /* it was there before */
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return true;
    default: return attempt->other_range;
    }
}

/** Forget what is there, to begin anew. */
static int forget(struct download *download, struct kodama_error *error)
{
    download->n_done = 0;
    download->tag[0] = '\0';
    if (ftruncate(download->fd, 0) == 0 && lseek(download->fd, 0, SEEK_SET) == 0) return KODAMA_OK;
    return error_set_file(error, "write", download->path, errno, "");
}

/** @return KODAMA_OK, 1: try again, or why not */
static int attempt_once(struct download *download, CURL *curl, bool first,
                        struct kodama_error *error)
{
    char words[CURL_ERROR_SIZE] = "";
    struct attempt attempt = {
        .download = download, .curl = curl, .range_from = UINT64_MAX, .length = UINT64_MAX};
    curl_easy_reset(curl);
    CURLcode code = perform(&attempt, words);
    int status = judge_answer(&attempt, error);
    if (status < 0) return status;
    if (code == CURLE_OK && !attempt.begun && attempt.code == HTTP_OK) (void)begin(&attempt);
    if (code == CURLE_OK && (attempt.code == HTTP_OK || attempt.code == HTTP_PARTIAL)) {
        return KODAMA_OK;
    }
    if (code == CURLE_OK && attempt.code == HTTP_NOT_THERE && download->n_done > 0) {
        if (attempt.n_total == download->n_done) return KODAMA_OK; /* it was whole */
        status = forget(download, error);
        return status < 0 ? status : 1;
    }
    if (attempt.other_range) {
        status = forget(download, error);
        if (status < 0) return status;
    }
    if (code == CURLE_OK) {
        (void)error_set(error, KODAMA_ERR_IO, "%s: the host answered with status %ld",
                        download->address, attempt.code);
    } else {
        (void)error_set(error, KODAMA_ERR_IO, "cannot get %s: %s", download->address,
                        words[0] ? words : curl_easy_strerror(code));
    }
    return is_passing(code, &attempt, first) ? 1 : KODAMA_ERR_IO;
}

/** False: cancelled. */
static bool wait_before(const struct download *download, uint32_t wait_ms)
{
    for (uint32_t waited = 0; waited < wait_ms; waited += WAIT_STEP_MS) {
        if (!tell(download, KODAMA_STORE_CONNECTS, download->n_expected)) return false;
        clock_sleep_until(clock_now_ns() + WAIT_STEP_MS * CLOCK_NS_PER_MS);
    }
    return true;
}

int download_run(struct download *download, struct kodama_error *error)
{
    (void)pthread_once(&library_prepared, prepare_library);
    CURL *curl = curl_easy_init();
    if (!curl) return error_set(error, KODAMA_ERR_MEMORY, "download: out of memory");
    bool first = true;
    int status = 1;
    for (uint32_t n = 0, wait_ms = 0; n < ATTEMPTS_MAX && status > 0; n++) {
        uint64_t before = download->n_done;
        if (!wait_before(download, wait_ms)) {
            status = error_set(error, KODAMA_ERR_CANCELLED, "the download of %s was cancelled",
                               download->address);
            break;
        }
        status = attempt_once(download, curl, first, error);
        first = false;
        if (download->n_done > before) n = wait_ms = 0;
        wait_ms = wait_ms ? 2 * wait_ms : WAIT_FIRST_MS;
    }
    curl_easy_cleanup(curl);
    return status > 0 ? KODAMA_ERR_IO : status;
}
