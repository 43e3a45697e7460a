/*
 * The segmenter: endpoint rules over the probabilities of a detector.
 *
 * Everything is decided at the end of a detector window, from the probability of that window and
 * the state left by those before, so blocks cannot matter. `judged` is the sample up to which the
 * detector has spoken: the end of the newest window less the detector's delay.
 *
 * For the forced cut the pauses of the utterance are remembered as a stack whose lengths only
 * decrease: a pause that a later one equals or exceeds can never be chosen any more. After a cut at
 * its bottom, the longest, the rest is just what the next utterance needs. Since its lengths are
 * different multiples of the window and their sum is below max_ms, its depth has a small bound, and
 * its room is allocated at open.
 */
#include "speech/segmenter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/record.h"
#include "speech/detector.h"

enum {
    RATE_HZ = 16000,
    MS_MAX = 3600000,
    PENDING_MAX = 4, /* at most: PAUSE or RESUME, then STOP, START, PAUSE of a forced cut */
};

struct pause {
    uint64_t begin, end;
};

/** The configuration in samples. */
struct rules {
    float threshold, stop_threshold;
    uint64_t onset, padding, fast, silence, max, min_pause;
};

struct kodama_segmenter {
    /* Immutable after open. */
    struct kodama_detector *detector; /* owned */
    struct rules rules;
    uint32_t window, delay;
    size_t pauses_room;

    /* What was heard. */
    float *partial; /* [window]: the beginning of a window */
    uint32_t n_partial;
    uint64_t position;
    float probability;
    bool speech; /* the newest window is speech (with hysteresis) */
    bool finished;

    /* The utterance in progress, or the onset that may become one. */
    bool speaking;      /* START was given, STOP was not */
    bool pause_told;    /* PAUSE was given, RESUME was not */
    uint32_t utterance; /* newest number given */
    uint64_t floor;     /* end of the previous utterance: nothing reaches back beyond it */
    uint64_t onset;     /* speech, not speaking: where the run of speech began */
    uint64_t begin, speech_begin, speech_end;
    struct pause *pauses; /* [pauses_room] */
    size_t n_pauses;

    /* Decided, not yet handed out. */
    struct kodama_segment pending[PENDING_MAX];
    uint32_t n_pending;
};

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t back(uint64_t from, uint64_t by)
{
    return from > by ? from - by : 0;
}

static uint64_t judged(const struct kodama_segmenter *s)
{
    return back(s->position - s->n_partial, s->delay);
}

/* ---- decisions ---- */

static void tell(struct kodama_segmenter *s, enum kodama_segment_kind kind, uint64_t end,
                 uint64_t speech_end, bool cut)
{
    s->pending[s->n_pending++] = (struct kodama_segment){
        .kind = kind,
        .utterance = s->utterance,
        .begin = s->begin,
        .end = end,
        .speech_begin = s->speech_begin,
        .speech_end = speech_end,
        .cut = cut,
        .decided_at = s->position,
    };
}

static void take_pending(struct kodama_segmenter *s, struct kodama_segment *segment)
{
    if (s->n_pending == 0) {
        *segment = (struct kodama_segment){0};
        return;
    }
    *segment = s->pending[0];
    s->n_pending--;
    memmove(s->pending, s->pending + 1, s->n_pending * sizeof s->pending[0]);
}

static void start(struct kodama_segmenter *s, uint64_t begin, uint64_t speech_begin)
{
    s->speaking = true;
    s->pause_told = false;
    s->utterance++;
    s->begin = begin;
    s->speech_begin = speech_begin;
    tell(s, KODAMA_SEGMENT_START, 0, 0, false);
}

static void stop(struct kodama_segmenter *s, uint64_t end, uint64_t speech_end, bool cut)
{
    tell(s, KODAMA_SEGMENT_STOP, end, speech_end, cut);
    s->speaking = false;
    s->pause_told = false;
    s->floor = end;
}

static void tell_pause(struct kodama_segmenter *s, uint64_t now)
{
    if (s->pause_told || now - s->speech_end < s->rules.fast) return;
    s->pause_told = true;
    tell(s, KODAMA_SEGMENT_PAUSE, min_u64(now, s->begin + s->rules.max), s->speech_end, false);
}

static void remember_pause(struct kodama_segmenter *s, uint64_t begin, uint64_t end)
{
    uint64_t length = end - begin;
    if (length < s->rules.min_pause || length == 0) return;
    while (s->n_pauses > 0 &&
           s->pauses[s->n_pauses - 1].end - s->pauses[s->n_pauses - 1].begin <= length)
        s->n_pauses--;
    if (s->n_pauses < s->pauses_room) s->pauses[s->n_pauses++] = (struct pause){begin, end};
}

/* The utterance is longer than max_ms: end it in the past, at its longest pause. What was heard
 * since belongs to the next utterance, which begins there. */
static void force_cut(struct kodama_segmenter *s, uint64_t now)
{
    uint64_t limit = s->begin + s->rules.max;
    uint64_t trailing = s->speech ? 0 : now - s->speech_end;
    uint64_t longest = s->n_pauses > 0 ? s->pauses[0].end - s->pauses[0].begin : 0;
    uint64_t cut = limit, speech_end = min_u64(s->speech_end, limit);
    uint64_t next_speech = limit;
    if (trailing > 0 && trailing >= s->rules.min_pause && trailing >= longest) {
        cut = min_u64(s->speech_end + trailing / 2, limit);
        s->n_pauses = 0;
    } else if (longest > 0) {
        speech_end = s->pauses[0].begin;
        cut = speech_end + longest / 2;
        next_speech = s->pauses[0].end;
        s->n_pauses--;
        memmove(s->pauses, s->pauses + 1, s->n_pauses * sizeof s->pauses[0]);
    }
    stop(s, cut, speech_end, true);
    if (s->speech_end <= cut)
        return; /* nothing was said since: the next onset opens the next one */
    start(s, cut, next_speech);
    if (!s->speech) tell_pause(s, now);
}

/* Nobody speaks: does somebody begin? */
static void hear_idle(struct kodama_segmenter *s, uint64_t begin, uint64_t now, bool speech)
{
    if (speech && !s->speech) s->onset = max_u64(begin, s->floor);
    s->speech = speech;
    if (!speech || now <= s->onset || now - s->onset < s->rules.onset) return;
    s->n_pauses = 0;
    s->speech_end = now;
    start(s, max_u64(back(s->onset, s->rules.padding), s->floor), s->onset);
}

/* Somebody speaks: do they go on? */
static void hear_utterance(struct kodama_segmenter *s, uint64_t begin, uint64_t now, bool speech)
{
    if (speech) {
        if (!s->speech) remember_pause(s, s->speech_end, begin);
        if (s->pause_told) tell(s, KODAMA_SEGMENT_RESUME, 0, 0, false);
        s->pause_told = false;
        s->speech_end = now;
        s->speech = true;
    } else {
        s->speech = false;
        if (now - s->speech_end >= s->rules.silence) {
            uint64_t end = min_u64(s->speech_end + s->rules.silence, s->begin + s->rules.max);
            stop(s, end, min_u64(s->speech_end, end), false);
            return;
        }
        tell_pause(s, now);
    }
    if (now > s->begin + s->rules.max) force_cut(s, now);
}

static void hear_window(struct kodama_segmenter *s, uint64_t begin, float probability)
{
    uint64_t now = judged(s);
    s->probability = probability;
    bool speech = probability >= (s->speech ? s->rules.stop_threshold : s->rules.threshold);
    if (s->speaking)
        hear_utterance(s, begin, now, speech);
    else
        hear_idle(s, begin, now, speech);
}

size_t kodama_segmenter_process(struct kodama_segmenter *s, const float *samples, size_t n_samples,
                                struct kodama_segment *segment)
{
    size_t used = 0;
    while (s->n_pending == 0 && used < n_samples) {
        if (s->finished) {
            used = n_samples;
            break;
        }
        const float *window = samples + used;
        size_t n = s->window - s->n_partial;
        if (n_samples - used < n) n = n_samples - used;
        if (n < s->window) {
            memcpy(s->partial + s->n_partial, window, n * sizeof *window);
            window = s->partial;
        }
        uint64_t begin = judged(s);
        s->n_partial += (uint32_t)n;
        s->position += n;
        used += n;
        if (s->n_partial < s->window) break;
        s->n_partial = 0;
        hear_window(s, begin, kodama_detector_process(s->detector, window));
    }
    take_pending(s, segment);
    return used;
}

/* End the utterance at the newest sample; called until nothing is pending. */
static void end_here(struct kodama_segmenter *s, struct kodama_segment *segment)
{
    if (s->n_pending == 0 && s->speaking) {
        /* The beginning of a window counts as what the window before it was. */
        if (s->speech) s->speech_end = s->position;
        if (s->position > s->begin + s->rules.max) {
            force_cut(s, s->position);
        } else {
            stop(s, min_u64(s->position, s->speech_end + s->rules.silence), s->speech_end, false);
            s->speech = false;
        }
    }
    take_pending(s, segment);
}

void kodama_segmenter_finish(struct kodama_segmenter *s, struct kodama_segment *segment)
{
    s->finished = true;
    end_here(s, segment);
}

void kodama_segmenter_cut(struct kodama_segmenter *s, struct kodama_segment *segment)
{
    end_here(s, segment);
}

float kodama_segmenter_probability(const struct kodama_segmenter *s)
{
    return s->probability;
}

uint64_t kodama_segmenter_position(const struct kodama_segmenter *s)
{
    return s->position;
}

uint64_t kodama_segmenter_horizon(const struct kodama_segmenter *s)
{
    uint64_t horizon = s->begin;
    if (!s->speaking) {
        uint64_t onset = s->speech ? s->onset : judged(s);
        horizon = max_u64(back(onset, s->rules.padding), s->floor);
    }
    for (uint32_t i = 0; i < s->n_pending; i++) horizon = min_u64(horizon, s->pending[i].begin);
    return horizon;
}

/* ---- opening ---- */

static int rules_from_config(struct rules *rules, const struct kodama_segmenter_config *config,
                             uint32_t window, struct kodama_error *error)
{
    const uint32_t times[] = {config->onset_ms,        config->prefix_padding_ms,
                              config->fast_silence_ms, config->silence_duration_ms,
                              config->max_ms,          config->min_pause_ms};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (times[i] > MS_MAX)
            return error_set(error, KODAMA_ERR_ARGUMENT, "segmenter: %u ms is too long, at most %d",
                             times[i], MS_MAX);
    float threshold = config->threshold, stop_threshold = config->stop_threshold;
    if (!(threshold > 0.0f && threshold <= 1.0f))
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "segmenter: the threshold must be above 0 and at most 1, not %g",
                         (double)threshold);
    if (stop_threshold == 0.0f)
        stop_threshold = threshold > 0.3f ? threshold - 0.15f : threshold / 2.0f;
    if (!(stop_threshold > 0.0f && stop_threshold <= threshold))
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "segmenter: the stop threshold must lie between 0 and the threshold, "
                         "not at %g",
                         (double)stop_threshold);
    const uint64_t per_ms = RATE_HZ / 1000;
    *rules = (struct rules){
        .threshold = threshold,
        .stop_threshold = stop_threshold,
        .onset = config->onset_ms * per_ms,
        .padding = config->prefix_padding_ms * per_ms,
        .fast = config->fast_silence_ms * per_ms,
        .silence = config->silence_duration_ms * per_ms,
        .max = config->max_ms * per_ms,
        .min_pause = config->min_pause_ms * per_ms,
    };
    /* So that an utterance is not too long at its very start, nor its rest after a cut. */
    if (rules->max < rules->onset + rules->padding + 2 * (uint64_t)window)
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "segmenter: max_ms = %u leaves no room beside onset_ms = %u and "
                         "prefix_padding_ms = %u",
                         config->max_ms, config->onset_ms, config->prefix_padding_ms);
    return KODAMA_OK;
}

int segmenter_open_detector(struct kodama_detector **detector,
                            const struct kodama_segmenter_config *config,
                            struct kodama_error *error)
{
    struct kodama_detector_config named = KODAMA_DETECTOR_CONFIG_INIT;
    named.name = config->detector;
    const struct kodama_detector_config *chosen = config->detector_config;
    if (!chosen) chosen = &named;
    if (chosen->size >= sizeof *chosen && chosen->rate_hz != RATE_HZ)
        return error_set(error, KODAMA_ERR_FORMAT, "segmenter: it hears %d Hz, not %u Hz", RATE_HZ,
                         chosen->rate_hz);
    return kodama_detector_open_with(detector, chosen, error);
}

static int fill(struct kodama_segmenter *s, const struct kodama_segmenter_config *config,
                struct kodama_error *error)
{
    const struct kodama_segmenter_config defaults = KODAMA_SEGMENTER_CONFIG_INIT;
    if (!config) config = &defaults;
    if (config->size < sizeof *config)
        return error_set(error, KODAMA_ERR_ARGUMENT,
                         "segmenter: fill the configuration with KODAMA_SEGMENTER_CONFIG_INIT");
    int status = s->detector ? KODAMA_OK : segmenter_open_detector(&s->detector, config, error);
    if (status < 0) return status;
    s->window = kodama_detector_window(s->detector);
    s->delay = kodama_detector_delay(s->detector);
    status = rules_from_config(&s->rules, config, s->window, error);
    if (status < 0) return status;
    /* 1 + 2 + ... + depth windows of pause must fit into the longest utterance. */
    uint64_t n_windows = s->rules.max / s->window + 2;
    s->pauses_room = (size_t)sqrt(2.0 * (double)n_windows) + 2;
    s->pauses = memory_array(s->pauses_room, sizeof *s->pauses);
    s->partial = memory_array(s->window, sizeof *s->partial);
    if (!s->pauses || !s->partial)
        return error_set(error, KODAMA_ERR_MEMORY, "segmenter: out of memory");
    return KODAMA_OK;
}

int segmenter_open_take(struct kodama_segmenter **segmenter,
                        const struct kodama_segmenter_config *config,
                        struct kodama_detector *detector, struct kodama_error *error)
{
    *segmenter = NULL;
    struct kodama_segmenter *s = memory_array(1, sizeof *s);
    if (!s) {
        kodama_detector_close(detector);
        return error_set(error, KODAMA_ERR_MEMORY, "segmenter: out of memory");
    }
    s->detector = detector;
    int status = fill(s, config, error);
    if (status < 0) {
        kodama_segmenter_close(s);
        return status;
    }
    *segmenter = s;
    return KODAMA_OK;
}

int kodama_segmenter_open(struct kodama_segmenter **segmenter,
                          const struct kodama_segmenter_config *config, struct kodama_error *error)
{
    if (!segmenter) return error_set(error, KODAMA_ERR_ARGUMENT, "segmenter: no place for it");
    return segmenter_open_take(segmenter, config, NULL, error);
}

void kodama_segmenter_close(struct kodama_segmenter *s)
{
    if (!s) return;
    kodama_detector_close(s->detector);
    free(s->pauses);
    free(s->partial);
    free(s);
}

void kodama_segmenter_reset(struct kodama_segmenter *s)
{
    kodama_detector_reset(s->detector);
    *s = (struct kodama_segmenter){
        .detector = s->detector,
        .rules = s->rules,
        .window = s->window,
        .delay = s->delay,
        .pauses_room = s->pauses_room,
        .partial = s->partial,
        .pauses = s->pauses,
    };
}

/* ---- state as a record ---- */

/* What must be equal on both sides for the state to make sense. */
static void put_rules(const struct kodama_segmenter *s, struct record *record)
{
    const uint64_t times[] = {s->rules.onset, s->rules.padding,   s->rules.fast, s->rules.silence,
                              s->rules.max,   s->rules.min_pause, s->window,     s->delay};
    record_put_f32(record, s->rules.threshold);
    record_put_f32(record, s->rules.stop_threshold);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) record_put_u64(record, times[i]);
}

static void expect_rules(const struct kodama_segmenter *s, struct record *record)
{
    const uint64_t times[] = {s->rules.onset, s->rules.padding,   s->rules.fast, s->rules.silence,
                              s->rules.max,   s->rules.min_pause, s->window,     s->delay};
    if (record_get_f32(record) != s->rules.threshold) record->failed = true;
    if (record_get_f32(record) != s->rules.stop_threshold) record->failed = true;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (record_get_u64(record) != times[i]) record->failed = true;
}

static void put_segment(struct record *record, const struct kodama_segment *segment)
{
    record_put_u32(record, (uint32_t)segment->kind);
    record_put_u32(record, segment->utterance);
    record_put_u64(record, segment->begin);
    record_put_u64(record, segment->end);
    record_put_u64(record, segment->speech_begin);
    record_put_u64(record, segment->speech_end);
    record_put_u32(record, segment->cut);
    record_put_u64(record, segment->decided_at);
}

static bool get_bool(struct record *record)
{
    return record_get_count(record, 1) == 1;
}

static void put_bool(struct record *record, bool value)
{
    record_put_u64(record, value);
}

static void get_segment(struct record *record, struct kodama_segment *segment)
{
    uint32_t kind = record_get_u32(record);
    if (kind < KODAMA_SEGMENT_START || kind > KODAMA_SEGMENT_STOP) record->failed = true;
    segment->kind = (enum kodama_segment_kind)kind;
    segment->utterance = record_get_u32(record);
    segment->begin = record_get_u64(record);
    segment->end = record_get_u64(record);
    segment->speech_begin = record_get_u64(record);
    segment->speech_end = record_get_u64(record);
    segment->cut = get_bool(record);
    segment->decided_at = record_get_u64(record);
}

static void save(const struct kodama_segmenter *s, struct record *record)
{
    record_put_tag(record, "SEGM", 1);
    put_rules(s, record);
    record_put_u64(record, s->position);
    record_put_u64(record, s->n_partial);
    record_put_floats(record, s->partial, s->n_partial);
    record_put_f32(record, s->probability);
    put_bool(record, s->speech);
    put_bool(record, s->finished);
    put_bool(record, s->speaking);
    put_bool(record, s->pause_told);
    record_put_u32(record, s->utterance);
    record_put_u64(record, s->floor);
    record_put_u64(record, s->onset);
    record_put_u64(record, s->begin);
    record_put_u64(record, s->speech_begin);
    record_put_u64(record, s->speech_end);
    record_put_u64(record, s->n_pauses);
    for (size_t i = 0; i < s->n_pauses; i++) {
        record_put_u64(record, s->pauses[i].begin);
        record_put_u64(record, s->pauses[i].end);
    }
    record_put_u64(record, s->n_pending);
    for (uint32_t i = 0; i < s->n_pending; i++) put_segment(record, &s->pending[i]);
    detector_save(s->detector, record);
}

/* Whether times are in the order that the rules rely on: damaged data must not confuse them. */
static bool is_consistent(const struct kodama_segmenter *s)
{
    uint64_t now = judged(s);
    if (s->position > (uint64_t)1 << 62 || (s->position - s->n_partial) % s->window != 0)
        return false;
    if (!(s->probability >= 0.0f && s->probability <= 1.0f)) return false;
    if (s->floor > s->position || s->onset > s->position) return false;
    if (s->speaking && (s->begin > s->speech_begin || s->begin < s->floor ||
                        s->speech_begin > s->position || s->speech_end > s->position ||
                        s->begin > s->speech_end || (!s->finished && s->speech_end > now)))
        return false;
    if (s->speaking && s->position - s->begin > s->rules.max + s->window + s->delay) return false;
    for (size_t i = 0; i < s->n_pauses; i++) {
        const struct pause *pause = &s->pauses[i];
        if (pause->begin >= pause->end || pause->end > s->position) return false;
        if (s->speaking && pause->begin < s->begin) return false;
        if (i > 0 && (pause->begin < pause[-1].end ||
                      pause->end - pause->begin >= pause[-1].end - pause[-1].begin))
            return false;
    }
    return true;
}

static void load(struct kodama_segmenter *s, struct record *record)
{
    record_get_tag(record, "SEGM", 1);
    expect_rules(s, record);
    s->position = record_get_u64(record);
    s->n_partial = (uint32_t)record_get_count(record, s->window - 1);
    record_get_floats(record, s->partial, s->n_partial);
    s->probability = record_get_f32(record);
    s->speech = get_bool(record);
    s->finished = get_bool(record);
    s->speaking = get_bool(record);
    s->pause_told = get_bool(record);
    s->utterance = record_get_u32(record);
    s->floor = record_get_u64(record);
    s->onset = record_get_u64(record);
    s->begin = record_get_u64(record);
    s->speech_begin = record_get_u64(record);
    s->speech_end = record_get_u64(record);
    s->n_pauses = record_get_count(record, s->pauses_room);
    for (size_t i = 0; i < s->n_pauses; i++) {
        s->pauses[i].begin = record_get_u64(record);
        s->pauses[i].end = record_get_u64(record);
    }
    s->n_pending = (uint32_t)record_get_count(record, PENDING_MAX);
    for (uint32_t i = 0; i < s->n_pending; i++) get_segment(record, &s->pending[i]);
    if (!record->failed && (s->n_partial > s->position || !is_consistent(s))) record->failed = true;
    detector_load(s->detector, record);
}

int64_t kodama_segmenter_save(const struct kodama_segmenter *s, void *data, size_t n_bytes)
{
    struct record record = record_writer();
    save(s, &record);
    return record_deliver(&record, data, n_bytes);
}

int kodama_segmenter_load(struct kodama_segmenter *s, const void *data, size_t n_bytes)
{
    struct record record = record_reader(data, data ? n_bytes : 0);
    load(s, &record);
    if (!record.failed && record.offset == record.n_bytes) return KODAMA_OK;
    kodama_segmenter_reset(s);
    return KODAMA_ERR_CORRUPT;
}
