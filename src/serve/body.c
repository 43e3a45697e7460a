/* The body of a request that brings a file: counted by its length, or chunked. libwebsockets hands
 * on a chunked body as it is on the wire. */
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "serve/connection.h"
#include "serve/siphon.h"
#include "serve/upload.h"

struct body_refusal body_begin(struct connection *connection)
{
    struct lws *wsi = connection->wsi;
    const struct kodama_server_config *config = &connection->server->config;
    char length[32], coding[32];
    int n_length = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    int n_coding = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING);
    if (n_coding > 0) {
        /* Two lengths are a way to deceive what stands between. */
        if (n_length > 0) {
            return (struct body_refusal){400,
                                         "Content-Length and Transfer-Encoding go not together."};
        }
        int n = lws_hdr_copy(wsi, coding, sizeof coding, WSI_TOKEN_HTTP_TRANSFER_ENCODING);
        if (n <= 0 || strcasecmp(coding, "chunked") != 0) {
            return (struct body_refusal){501, "Of transfer encodings only chunked is known."};
        }
        connection->is_chunked = true;
        return (struct body_refusal){0};
    }
    if (lws_hdr_copy(wsi, length, sizeof length, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0) {
        return (struct body_refusal){411, "The request needs a Content-Length, or to be chunked."};
    }
    if (strtoull(length, NULL, 10) > (unsigned long long)config->max_upload_mb * 1000000) {
        return (struct body_refusal){413, "The file is larger than this server takes."};
    }
    return (struct body_refusal){0};
}

static int hand_on(struct connection *connection, const char *bytes, size_t n_bytes)
{
    int status = upload_write(connection->upload, bytes, n_bytes);
    if (status > 0 && !connection->body_waits) {
        connection->body_waits = true;
        if (connection->siphon) {
            siphon_wait(connection);
        } else {
            (void)lws_rx_flow_control(connection->wsi, 0);
        }
    }
    return status;
}

void body_go_on(struct connection *connection)
{
    connection->body_waits = false;
    if (connection->siphon) {
        siphon_go_on(connection);
    } else {
        (void)lws_rx_flow_control(connection->wsi, 1);
    }
}

void body_tick(struct connection *connection, uint64_t now_ns)
{
    if (connection->lingers_ns && now_ns > connection->lingers_ns) {
        lws_set_timeout(connection->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
        return;
    }
    if (!connection->siphon) return;
    if (connection->body_waits) connection->heard_ns = now_ns;
    /* While libwebsockets reads, it looks at that itself. */
    lws_set_timeout(connection->wsi, NO_PENDING_TIMEOUT, 0);
    if (now_ns - connection->heard_ns < SIPHON_SILENT_MS * CLOCK_NS_PER_MS) return;
    siphon_end(connection);
    lws_set_timeout(connection->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

/* What libwebsockets counts has an end. @return whether it goes on */
static bool count(struct connection *connection, size_t n_bytes)
{
    if (connection->siphon) return true;
    connection->n_wire += n_bytes;
    if (connection->n_wire < SIPHON_AFTER_BYTES) return true;
    bool plain = !connection->server->config.certificate;
    if (plain && siphon_begin(connection)) return true;
    return connection->n_wire < SIPHON_LIMIT_BYTES;
}

enum body_status body_read(struct connection *connection, const char *bytes, size_t n_bytes)
{
    struct chunks *chunks = &connection->chunks;
    const char *data;
    size_t n;
    if (!connection->is_chunked) {
        return hand_on(connection, bytes, n_bytes) < 0 ? BODY_FAILED : BODY_GOES_ON;
    }
    size_t n_all = n_bytes;
    while ((n = chunks_read(chunks, &bytes, &n_bytes, &data)) > 0) {
        if (hand_on(connection, data, n) < 0) return BODY_FAILED;
    }
    if (chunks->state == CHUNKS_BROKEN) return BODY_BROKEN;
    if (chunks->state == CHUNKS_END) return BODY_ENDED;
    return count(connection, n_all) ? BODY_GOES_ON : BODY_TOO_LONG;
}
