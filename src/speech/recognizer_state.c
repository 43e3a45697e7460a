/* Saving a conversation and taking it up elsewhere. */
#include "speech/recognizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/record.h"
#include "speech/model.h"

enum { ENGINE_NAME_BYTES_MAX = 64, CONTEXT_BYTES_MAX = 1 << 24 };

static void put_blob(struct record *record, const void *data, size_t n_bytes)
{
    record_put_u64(record, n_bytes);
    record_put_bytes(record, data, n_bytes);
}

/** New bytes, never NULL unless the record failed. */
static void *get_blob(struct record *record, size_t max_bytes, size_t *n_bytes)
{
    *n_bytes = record_get_count(record, max_bytes);
    if (record->failed || *n_bytes > record->n_bytes - record->offset) record->failed = true;
    void *data = record->failed ? NULL : memory_array(*n_bytes, 1);
    if (data) {
        record_get_bytes(record, data, *n_bytes);
    } else {
        record->failed = true;
    }
    return data;
}

/** What both sides must agree in. */
static void put_setting(const struct kodama_recognizer *r, struct record *record)
{
    record_put_tag(record, "KREC", 1);
    record_put_text(record, kodama_model_engine(r->model));
    record_put_u32(record, (uint32_t)r->format.sample);
    record_put_u32(record, r->format.rate_hz);
    record_put_u32(record, r->format.channels);
    record_put_u64(record, r->fast);
}

/** @return whether the engine is the same, too: else the context is not for it */
static bool check_setting(const struct kodama_recognizer *r, struct record *record)
{
    record_get_tag(record, "KREC", 1);
    char *engine = record_get_text(record, ENGINE_NAME_BYTES_MAX);
    bool same_engine = engine && strcmp(engine, kodama_model_engine(r->model)) == 0;
    bool same = engine != NULL;
    free(engine);
    same = record_get_u32(record) == (uint32_t)r->format.sample && same;
    same = record_get_u32(record) == r->format.rate_hz && same;
    same = record_get_u32(record) == r->format.channels && same;
    same = record_get_u64(record) == r->fast && same;
    if (!same) record->failed = true;
    return same_engine;
}

static void put_segmenter(const struct kodama_recognizer *r, struct record *record)
{
    int64_t n_bytes = kodama_segmenter_save(r->segmenter, NULL, 0);
    void *data = n_bytes >= 0 ? memory_array((size_t)n_bytes, 1) : NULL;
    if (data && kodama_segmenter_save(r->segmenter, data, (size_t)n_bytes) == n_bytes) {
        put_blob(record, data, (size_t)n_bytes);
    } else {
        record->failed = true;
    }
    free(data);
}

int kodama_recognizer_save(struct kodama_recognizer *r, void **data, size_t *n_bytes)
{
    if (!r || !data || !n_bytes) return KODAMA_ERR_ARGUMENT;
    *data = NULL;
    *n_bytes = 0;
    if (r->old) decode_seat_drain(r->old);
    decode_seat_drain(r->seat);
    struct engine_context context;
    if (!decode_seat_get_context(r->seat, &context)) return KODAMA_ERR_MEMORY;

    struct record record = record_writer();
    put_setting(r, &record);
    put_blob(&record, context.data, context.n_bytes);
    free(context.data);
    resampler_save(r->resampler, &record);
    put_segmenter(r, &record);
    mutex_lock(&r->mutex);
    record_put_u64(&record, r->frames);
    record_put_u32(&record, r->finished);
    record_put_u32(&record, r->speaking);
    record_put_u32(&record, r->utterance);
    record_put_u64(&record, r->begin);
    record_put_u64(&record, r->next_partial);
    stabilizer_save(&r->stabilizer, &record);
    record_put_u64(&record, r->audio.first);
    record_put_u64(&record, r->audio.n);
    record_put_floats(&record, r->audio.samples, r->audio.n);
    mutex_unlock(&r->mutex);
    if (record.failed) {
        record_free(&record);
        return KODAMA_ERR_MEMORY;
    }
    *data = record.data; /* handed over */
    *n_bytes = record.n_bytes;
    return KODAMA_OK;
}

static void get_audio(struct utterance_audio *audio, struct record *record)
{
    audio->first = record_get_u64(record);
    size_t n = record_get_count(record, (record->n_bytes - record->offset) / sizeof(float));
    if (record->failed || !utterance_audio_reserve(audio, n)) {
        record->failed = true;
        return;
    }
    record_get_floats(record, audio->samples, n);
    audio->n = n;
}

/** Whether what was read fits together; a record may come from outside. */
static bool is_plausible(const struct kodama_recognizer *r)
{
    uint64_t position = kodama_segmenter_position(r->segmenter);
    uint64_t horizon = kodama_segmenter_horizon(r->segmenter);
    if (utterance_audio_end(&r->audio) != position) return false;
    if (position > 0 && r->audio.first > horizon) return false;
    if (!r->speaking) return true;
    return r->begin >= r->audio.first && r->begin <= position && r->begin == horizon;
}

/** Make a recogniser that heard nothing of one whose load failed half-way. Lock held. */
static void forget(struct kodama_recognizer *r)
{
    utterance_audio_free(&r->audio);
    stabilizer_reset(&r->stabilizer);
    kodama_segmenter_reset(r->segmenter);
    struct record nothing = record_reader("", 0);
    resampler_load(r->resampler, &nothing); /* fails, and is as new */
    r->frames = 0;
    r->finished = false;
    r->speaking = false;
    r->utterance = 0;
}

int kodama_recognizer_load(struct kodama_recognizer *r, const void *data, size_t n_bytes)
{
    if (!r || (!data && n_bytes > 0)) return KODAMA_ERR_ARGUMENT;
    mutex_lock(&r->mutex);
    if (r->frames > 0 || r->finished) {
        mutex_unlock(&r->mutex);
        return KODAMA_ERR_STATE;
    }
    struct record record = record_reader(data, n_bytes);
    struct engine_context context = {0};
    bool same_engine = check_setting(r, &record);
    context.data = get_blob(&record, CONTEXT_BYTES_MAX, &context.n_bytes);
    if (!record.failed) resampler_load(r->resampler, &record);
    size_t n_segmenter = 0;
    void *segmenter = get_blob(&record, n_bytes, &n_segmenter);
    if (segmenter && kodama_segmenter_load(r->segmenter, segmenter, n_segmenter) < 0) {
        record.failed = true;
    }
    free(segmenter);
    r->frames = record_get_u64(&record);
    r->finished = record_get_u32(&record) != 0;
    r->speaking = record_get_u32(&record) != 0;
    r->utterance = record_get_u32(&record);
    r->begin = record_get_u64(&record);
    r->next_partial = record_get_u64(&record);
    stabilizer_load(&r->stabilizer, &record);
    if (!record.failed) get_audio(&r->audio, &record);
    if (record.failed || record.offset != n_bytes || !is_plausible(r)) {
        forget(r);
        free(context.data);
        mutex_unlock(&r->mutex);
        return KODAMA_ERR_CORRUPT;
    }
    if (context.n_bytes == 0 || !same_engine) {
        free(context.data);
        context.data = NULL;
        context.n_bytes = 0;
    }
    decode_seat_set_context(r->seat, context);
    mutex_unlock(&r->mutex);
    return KODAMA_OK;
}
