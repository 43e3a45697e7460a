/* Fuzzing of the records of sessions: a sound one with some of its bytes changed, or anything at
 * all. What is accepted must go on working, and its own record must be accepted. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/internal.h"
#include "serve/packets.h"
#include "speech/engine.h"
#include "speech/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* ------------------------------------------- an engine that understands nothing */

static int open_model(void **model, const struct kodama_model_config *config, char *name,
                      size_t n_name_bytes, struct kodama_error *error)
{
    (void)config;
    (void)error;
    *model = NULL;
    snprintf(name, n_name_bytes, "nothing");
    return KODAMA_OK;
}

static void close_model(void *model)
{
    (void)model;
}

static int open_decoder(void **decoder, void *model, struct kodama_error *error)
{
    (void)model;
    (void)error;
    *decoder = malloc(1);
    return *decoder ? KODAMA_OK : KODAMA_ERR_MEMORY;
}

static int decode(void *decoder, const float *samples, size_t n_samples,
                  struct engine_context *context, const _Atomic bool *cancel,
                  struct engine_result *result, struct kodama_error *error)
{
    (void)decoder;
    (void)samples;
    (void)n_samples;
    (void)context;
    (void)cancel;
    (void)error;
    return engine_result_join(result) ? KODAMA_OK : KODAMA_ERR_MEMORY;
}

static const struct engine_ops nothing = {.name = "nothing",
                                          .model_open = open_model,
                                          .model_close = close_model,
                                          .decoder_open = open_decoder,
                                          .decoder_close = free,
                                          .decode = decode};

/* --------------------------------------------------------------- sound records */

enum { SOUND_RECORDS = 3 };

static struct kodama_server server;
static struct record sound[SOUND_RECORDS];

static void close_session(struct session *session)
{
    session_unref(session);
}

/* Without workers and sockets: what they would do is done here. */
static void make(size_t which)
{
    struct settings settings = settings_default();
    struct kodama_error error;
    struct session_saved saved;
    static int16_t noise[4000];
    uint32_t random = 1;
    for (size_t i = 0; i < 4000; i++) {
        random = random * 1664525u + 1013904223u; /* Numerical Recipes */
        noise[i] = (int16_t)(random >> 18);
    }
    if (which == 2 && !packets_missing()) {
        (void)settings_set(&settings, "encoding", "opus", &error);
    }
    struct session *session = session_create(&server, dialect_named("native"), &settings);
    if (!session) abort();
    session->noticed = true; /* nobody looks */
    if (settings.encoding == ENCODING_PCM && which > 0) {
        (void)session_receive(session, noise, sizeof noise);
    }
    for (int i = 0; i < 3; i++) (void)session_run(session, clock_now_ns());
    if (which == 1) {
        (void)session_receive(session, noise, 1000);
        (void)session_control(session, INBOX_FINALIZE, NULL);
    }
    if (session_save(session, &sound[which], &saved) < 0) abort();
    close_session(session);
}

static void begin(void)
{
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_server_config defaults = KODAMA_SERVER_CONFIG_INIT;
    config.n_decoders = 1;
    server.config = defaults;
    mutex_init(&server.schedule.mutex);
    condition_init(&server.schedule.changed);
    server.schedule.workers_ended = true; /* nobody is there to be told */
    server.schedule.noticing = true;
    mutex_init(&server.clerk.mutex);
    condition_init(&server.clerk.changed);
    if (clerk_start(&server, NULL) < 0) abort();
    struct kodama_model *model;
    if (model_open_engine(&model, &nothing, &config, NULL) < 0 ||
        served_open(&server, model, &server.config, NULL) < 0) {
        abort();
    }
    for (size_t i = 0; i < SOUND_RECORDS; i++) make(i);
}

static void try_record(const uint8_t *data, size_t n_bytes)
{
    struct session *session = session_load(&server, data, n_bytes);
    if (!session) return;
    session->noticed = true;
    for (int i = 0; i < 3; i++) (void)session_run(session, clock_now_ns());
    struct record record = record_writer();
    struct session_saved saved;
    if (session_save(session, &record, &saved) == KODAMA_OK) {
        struct session *again = session_load(&server, record.data, record.n_bytes);
        if (!again) abort();
        close_session(again);
    }
    record_free(&record);
    /* What was kept goes out. */
    for (size_t n; outbox_rewind(&session->outbox, session->outbox.dropped_seq);) {
        char *message = outbox_take(&session->outbox, 0, &n, NULL);
        free(message);
        if (!message) break;
        session->outbox.dropped_seq = session->outbox.seq;
    }
    close_session(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (!server.served.now) begin();
    if (n_bytes < 1) return 0;
    const struct record *base = &sound[data[0] % (SOUND_RECORDS + 1) % SOUND_RECORDS];
    if (data[0] % (SOUND_RECORDS + 1) == SOUND_RECORDS) {
        try_record(data + 1, n_bytes - 1);
        return 0;
    }
    /* Changes: three bytes say where, one what. */
    uint8_t *copy = malloc(base->n_bytes);
    if (!copy) return 0;
    memcpy(copy, base->data, base->n_bytes);
    for (size_t at = 1; at + 4 <= n_bytes; at += 4) {
        size_t where = (size_t)data[at] | (size_t)data[at + 1] << 8 | (size_t)data[at + 2] << 16;
        copy[where % base->n_bytes] = data[at + 3];
    }
    try_record(copy, base->n_bytes);
    free(copy);
    return 0;
}
