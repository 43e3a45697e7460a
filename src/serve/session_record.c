/* What a resume needs of a session, as one record: who it is, its settings, what was said and may
 * have to be said again, what was not heard yet, and the state of what it works with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/internal.h"

/* Why a session may end; its own words are static. */
static const char *const reasons[] = {"stopped", "idle", "limit", "shutdown", "failed"};

static const char *static_reason(const char *reason)
{
    for (size_t i = 0; reason && i < sizeof reasons / sizeof reasons[0]; i++) {
        if (strcmp(reasons[i], reason) == 0) return reasons[i];
    }
    return NULL;
}

static bool get_name(struct record *record, char *name, size_t n_bytes)
{
    char *text = record_get_text(record, n_bytes - 1);
    if (text) snprintf(name, n_bytes, "%s", text);
    free(text);
    return !record->failed;
}

static void put_settings(struct record *record, const struct settings *settings)
{
    record_put_tag(record, "SETS", 1);
    record_put_u32(record, (uint32_t)settings->encoding);
    record_put_u32(record, (uint32_t)settings->format.sample);
    record_put_u32(record, settings->format.rate_hz);
    record_put_u32(record, settings->format.channels);
    record_put_f32(record, settings->threshold);
    record_put_u32(record, settings->prefix_padding_ms);
    record_put_u32(record, settings->silence_duration_ms);
    record_put_u32(record, settings->partials);
    record_put_u32(record, settings->words);
    record_put_text(record, settings->engine);
    record_put_text(record, settings->model);
    record_put_text(record, settings->language);
}

static void get_settings(struct record *record, struct settings *settings)
{
    record_get_tag(record, "SETS", 1);
    settings->encoding = (enum settings_encoding)record_get_u32(record);
    settings->format.sample = (enum kodama_sample)record_get_u32(record);
    settings->format.rate_hz = record_get_u32(record);
    settings->format.channels = record_get_u32(record);
    settings->threshold = record_get_f32(record);
    settings->prefix_padding_ms = record_get_u32(record);
    settings->silence_duration_ms = record_get_u32(record);
    settings->partials = record_get_u32(record) != 0;
    settings->words = record_get_u32(record) != 0;
    (void)get_name(record, settings->engine, sizeof settings->engine);
    (void)get_name(record, settings->model, sizeof settings->model);
    (void)get_name(record, settings->language, sizeof settings->language);
    if (!settings_are_allowed(settings)) record->failed = true;
}

int session_save(struct session *s, struct record *record, struct session_saved *saved)
{
    struct record work = record_writer();
    /* First, for it may wait; nothing is heard meanwhile. */
    int status = s->state ? s->dialect->work->save(s, &work) : KODAMA_OK;
    if (status < 0) {
        record_free(&work);
        return status;
    }
    record_put_tag(record, "KSES", 1);
    record_put_text(record, s->dialect->name);
    record_put_text(record, s->id);
    record_put_text(record, s->token);
    put_settings(record, &s->settings);
    mutex_lock(&s->mutex);
    record_put_u64(record, (clock_now_ns() - s->opened_ns) / CLOCK_NS_PER_MS);
    record_put_u64(record, s->heard);
    record_put_text(record, s->reason);
    record_put_u32(record, s->n_finals);
    record_put_u32(record, s->finishing);
    record_put_u32(record, s->ended);
    inbox_save(&s->inbox, record);
    saved->frames = s->inbox.frames;
    saved->seq = outbox_save(&s->outbox, record);
    mutex_unlock(&s->mutex);
    record_put_u32(record, s->state != NULL);
    record_put_bytes(record, work.data, work.n_bytes);
    bool failed = record->failed || work.failed;
    record_free(&work);
    return failed ? KODAMA_ERR_MEMORY : KODAMA_OK;
}

/* What is its own; what it works with follows. */
static bool load_self(struct session *s, struct record *record)
{
    uint64_t age_ms = record_get_u64(record);
    uint64_t now_ns = clock_now_ns();
    if (age_ms > now_ns / CLOCK_NS_PER_MS) age_ms = now_ns / CLOCK_NS_PER_MS;
    s->opened_ns = now_ns - age_ms * CLOCK_NS_PER_MS;
    s->audio_ns = now_ns;
    s->heard = record_get_u64(record);
    char *reason = record_get_text(record, 16);
    s->reason = static_reason(reason);
    free(reason);
    s->n_finals = record_get_u32(record);
    s->finishing = record_get_u32(record) != 0;
    s->ended = record_get_u32(record) != 0;
    inbox_load(&s->inbox, record);
    outbox_load(&s->outbox, record);
    s->acked_s = s->heard / s->settings.format.rate_hz;
    s->saved_at = s->inbox.frames;
    s->opened = true;
    if (record->failed || !s->reason || s->heard > s->inbox.frames) return false;
    return s->inbox.frames - s->heard == inbox_waiting(&s->inbox);
}

struct session *session_load(struct kodama_server *server, const void *data, size_t n_bytes)
{
    struct record record = record_reader(data, n_bytes);
    struct settings settings = settings_default();
    char name[16] = "", id[SESSION_ID_BYTES] = "", token[SESSION_ID_BYTES] = "";
    record_get_tag(&record, "KSES", 1);
    (void)get_name(&record, name, sizeof name);
    (void)get_name(&record, id, sizeof id);
    (void)get_name(&record, token, sizeof token);
    get_settings(&record, &settings);
    const struct dialect_ops *dialect = dialect_named(name);
    if (record.failed || !dialect || !dialect->resumes) return NULL;
    struct session *s = session_create(server, dialect, &settings);
    if (!s) return NULL;
    s->turn = TURN_RUNNING; /* its recogniser may have something to say before all is read */
    memcpy(s->id, id, sizeof id);
    memcpy(s->token, token, sizeof token);
    bool loaded = load_self(s, &record);
    bool works = record_get_u32(&record) == 1;
    if (loaded && works) loaded = dialect->work->load(s, &record) == KODAMA_OK;
    if (loaded && !works && !s->ended) loaded = false;
    if (loaded && !record.failed && record.offset == n_bytes) return s;
    session_unref(s);
    return NULL;
}
