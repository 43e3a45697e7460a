/* Tests of the segmenter: endpoint rules against scripted probabilities and a slow reference, any
 * block size, saved and loaded anywhere. */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include <kodama/segmenter.h>

#include "base/memory.h"
#include "speech/detector.h"
#include "speech/segmenter.h"

/* ---- a detector that says what its samples are: the probability is the last sample ---- */

struct scripted {
    struct kodama_detector detector;
    uint32_t n_heard;
};

static void scripted_close(struct kodama_detector *detector)
{
    free(detector);
}

static float scripted_process(struct kodama_detector *detector, const float *samples)
{
    ((struct scripted *)detector)->n_heard++;
    for (uint32_t i = 1; i < detector->window; i++)
        if (samples[i] != samples[0]) return 0.0f; /* a window put together wrongly */
    return samples[0];
}

static void scripted_reset(struct kodama_detector *detector)
{
    ((struct scripted *)detector)->n_heard = 0;
}

static void scripted_save(const struct kodama_detector *detector, struct record *record)
{
    record_put_u32(record, ((const struct scripted *)detector)->n_heard);
}

static void scripted_load(struct kodama_detector *detector, struct record *record)
{
    ((struct scripted *)detector)->n_heard = record_get_u32(record);
}

static const struct detector_ops scripted_ops = {
    .name = "scripted",
    .close = scripted_close,
    .process = scripted_process,
    .reset = scripted_reset,
    .save = scripted_save,
    .load = scripted_load,
};

static struct kodama_detector *scripted(uint32_t window, uint32_t delay)
{
    struct scripted *scripted = memory_array(1, sizeof *scripted);
    assert_non_null(scripted);
    scripted->detector =
        (struct kodama_detector){.ops = &scripted_ops, .window = window, .delay = delay};
    return &scripted->detector;
}

/* ---- running a script ---- */

enum { DECISIONS_MAX = 20000 };

struct decisions {
    struct kodama_segment list[DECISIONS_MAX];
    size_t n;
};

static void add(struct decisions *decisions, const struct kodama_segment *segment)
{
    assert_true(decisions->n < DECISIONS_MAX);
    decisions->list[decisions->n++] = *segment;
}

static void assert_same(const struct decisions *a, const struct decisions *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        const struct kodama_segment *x = &a->list[i], *y = &b->list[i];
        if (x->kind != y->kind || x->utterance != y->utterance || x->begin != y->begin ||
            x->end != y->end || x->speech_begin != y->speech_begin ||
            x->speech_end != y->speech_end || x->cut != y->cut || x->decided_at != y->decided_at)
            fail_msg("decision %zu: kind %d utterance %u [%lu %lu) speech [%lu %lu) cut %d at %lu, "
                     "not kind %d utterance %u [%lu %lu) speech [%lu %lu) cut %d at %lu",
                     i, (int)x->kind, x->utterance, (unsigned long)x->begin, (unsigned long)x->end,
                     (unsigned long)x->speech_begin, (unsigned long)x->speech_end, x->cut,
                     (unsigned long)x->decided_at, (int)y->kind, y->utterance,
                     (unsigned long)y->begin, (unsigned long)y->end, (unsigned long)y->speech_begin,
                     (unsigned long)y->speech_end, y->cut, (unsigned long)y->decided_at);
    }
    assert_int_equal(a->n, b->n);
}

/* What any caller may rely on, whatever the probabilities. */
static void assert_sound(const struct decisions *decisions, uint64_t max)
{
    const struct kodama_segment *before = NULL; /* STOP of the previous utterance */
    bool speaking = false, paused = false;
    uint32_t utterance = 0;
    uint64_t decided_at = 0;
    for (size_t i = 0; i < decisions->n; i++) {
        const struct kodama_segment *s = &decisions->list[i];
        assert_true(s->decided_at >= decided_at);
        decided_at = s->decided_at;
        assert_true(s->begin <= s->speech_begin);
        switch (s->kind) {
        case KODAMA_SEGMENT_START:
            assert_false(speaking);
            assert_int_equal(s->utterance, ++utterance);
            if (before) assert_true(s->begin >= before->end);
            assert_true(s->begin <= s->decided_at);
            speaking = true;
            paused = false;
            break;
        case KODAMA_SEGMENT_PAUSE:
            assert_true(speaking && !paused);
            paused = true;
            break;
        case KODAMA_SEGMENT_RESUME:
            assert_true(speaking && paused);
            paused = false;
            break;
        case KODAMA_SEGMENT_STOP:
            assert_true(speaking);
            assert_true(s->begin < s->end && s->end <= s->decided_at && s->end - s->begin <= max);
            assert_true(s->speech_begin <= s->speech_end && s->speech_end <= s->end);
            speaking = false;
            before = s;
            break;
        default: fail();
        }
        assert_int_equal(s->utterance, utterance);
    }
    assert_false(speaking);
}

/* How the samples are cut into blocks: a fixed size, or 0 for random ones. */
struct cutting {
    size_t block;
    struct test_random random;
    unsigned save_one_in; /* 0: never saved and loaded */
    size_t client_cut;    /* so often, in samples, the client ends the utterance; 0: never */
};

static size_t next_block(struct cutting *cutting)
{
    if (cutting->block > 0) return cutting->block;
    return (size_t)test_random_below(&cutting->random, 1500);
}

static void save_and_load(struct kodama_segmenter **segmenter,
                          const struct kodama_segmenter_config *config, uint32_t window,
                          uint32_t delay)
{
    int64_t n_bytes = kodama_segmenter_save(*segmenter, NULL, 0);
    assert_true(n_bytes > 0);
    uint8_t *bytes = memory_array((size_t)n_bytes, 1);
    assert_non_null(bytes);
    assert_int_equal(kodama_segmenter_save(*segmenter, bytes, (size_t)n_bytes - 1),
                     KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_segmenter_save(*segmenter, bytes, (size_t)n_bytes), n_bytes);
    kodama_segmenter_close(*segmenter);
    assert_int_equal(segmenter_open_take(segmenter, config, scripted(window, delay), NULL),
                     KODAMA_OK);
    assert_int_equal(kodama_segmenter_load(*segmenter, bytes, (size_t)n_bytes), KODAMA_OK);
    free(bytes);
}

static void give(struct kodama_segmenter *segmenter, const float *samples, size_t n,
                 struct decisions *decisions)
{
    struct kodama_segment segment;
    do {
        uint64_t horizon = kodama_segmenter_horizon(segmenter);
        size_t used = kodama_segmenter_process(segmenter, samples, n, &segment);
        assert_true(used <= n);
        if (segment.kind == 0) assert_int_equal(used, n);
        if (segment.kind != 0) {
            add(decisions, &segment);
            assert_true(segment.begin >= horizon);
        }
        if (samples) samples += used;
        n -= used;
    } while (n > 0 || segment.kind != 0);
}

static void finish(struct kodama_segmenter *segmenter, struct decisions *decisions)
{
    struct kodama_segment segment;
    for (kodama_segmenter_finish(segmenter, &segment); segment.kind != 0;
         kodama_segmenter_finish(segmenter, &segment))
        add(decisions, &segment);
}

static void run(const struct kodama_segmenter_config *config, uint32_t window, uint32_t delay,
                const float *samples, size_t n_samples, struct cutting cutting,
                struct decisions *decisions)
{
    struct kodama_segmenter *segmenter;
    struct kodama_error error = {0};
    if (segmenter_open_take(&segmenter, config, scripted(window, delay), &error) < 0)
        fail_msg("%s", error.message);
    decisions->n = 0;
    for (size_t at = 0; at < n_samples;) {
        size_t n = next_block(&cutting);
        if (n > n_samples - at) n = n_samples - at;
        size_t cut = cutting.client_cut;
        if (cut && n > cut - at % cut) n = cut - at % cut;
        give(segmenter, samples + at, n, decisions);
        at += n;
        struct kodama_segment segment = {0};
        if (cut && at % cut == 0 && n > 0)
            for (kodama_segmenter_cut(segmenter, &segment); segment.kind != 0;
                 kodama_segmenter_cut(segmenter, &segment))
                add(decisions, &segment);
        assert_int_equal(kodama_segmenter_position(segmenter), at);
        if (cutting.save_one_in && test_random_below(&cutting.random, cutting.save_one_in) == 0)
            save_and_load(&segmenter, config, window, delay);
    }
    finish(segmenter, decisions);
    kodama_segmenter_close(segmenter);
}

/* ---- the reference: looks at all windows again for every decision, keeps no state of its own ----
 */

struct reference {
    const struct kodama_segmenter_config *config;
    uint64_t window, delay;
    const float *samples;
    size_t n_windows;
    uint64_t n_samples;
    bool *speech; /* [n_windows] */
    struct decisions *decisions;
};

static uint64_t samples_of(uint32_t ms)
{
    return (uint64_t)ms * 16;
}

static uint64_t window_end(const struct reference *r, size_t k)
{
    uint64_t end = (k + 1) * r->window;
    return end > r->delay ? end - r->delay : 0;
}

static uint64_t window_begin(const struct reference *r, size_t k)
{
    return k == 0 ? 0 : window_end(r, k - 1);
}

static void conclude(struct reference *r, const struct kodama_segment *utterance,
                     enum kodama_segment_kind kind, uint64_t end, uint64_t speech_end, bool cut,
                     uint64_t decided_at)
{
    struct kodama_segment segment = *utterance;
    segment.kind = kind;
    segment.end = end;
    segment.speech_end = speech_end;
    segment.cut = cut;
    segment.decided_at = decided_at;
    add(r->decisions, &segment);
}

/* The longest pause in windows [first, k] that is long enough; of equal ones the last. The pause
 * may still go on at k. False if there is none. */
static bool longest_pause(const struct reference *r, size_t first, size_t k, uint64_t now,
                          uint64_t *begin, uint64_t *end, bool *goes_on)
{
    uint64_t longest = 0;
    for (size_t i = first; i <= k; i++) {
        if (r->speech[i] || !r->speech[i - 1]) continue;
        size_t j = i;
        while (j < k && !r->speech[j + 1]) j++;
        uint64_t to = j == k ? now : window_end(r, j);
        uint64_t length = to - window_begin(r, i);
        if (length == 0 || length < samples_of(r->config->min_pause_ms) || length < longest)
            continue;
        longest = length;
        *begin = window_begin(r, i);
        *end = to;
        *goes_on = j == k;
    }
    return longest > 0;
}

/* Cut the utterance that is too long at window k; false when nothing was said after the cut. */
static bool reference_cut(struct reference *r, struct kodama_segment *utterance, size_t *first,
                          size_t k, uint64_t now, uint64_t speech_end, uint64_t decided_at)
{
    uint64_t limit = utterance->begin + samples_of(r->config->max_ms);
    uint64_t begin, end, cut = limit, next = limit;
    bool goes_on = false;
    uint64_t stopped = speech_end < limit ? speech_end : limit;
    if (longest_pause(r, *first, k, now, &begin, &end, &goes_on)) {
        cut = begin + (end - begin) / 2;
        if (cut > limit) cut = limit;
        stopped = begin;
        next = end;
    }
    conclude(r, utterance, KODAMA_SEGMENT_STOP, cut, stopped, true, decided_at);
    utterance->end = cut;
    if (goes_on || speech_end <= cut) return false;
    utterance->utterance++;
    utterance->begin = cut;
    utterance->speech_begin = next;
    /* Pauses of the next utterance begin after its first speech. */
    for (*first = 0; window_begin(r, *first) < next; ++*first) {
    }
    if (*first == 0) *first = 1;
    conclude(r, utterance, KODAMA_SEGMENT_START, 0, 0, false, decided_at);
    return true;
}

static void reference_run(struct reference *r)
{
    const struct kodama_segmenter_config *c = r->config;
    float stop = c->stop_threshold != 0.0f ? c->stop_threshold : c->threshold - 0.15f;
    for (size_t k = 0; k < r->n_windows; k++)
        r->speech[k] =
            r->samples[k * r->window] >= (k > 0 && r->speech[k - 1] ? stop : c->threshold);

    struct kodama_segment u = {0}; /* the utterance; its end is where the last one ended */
    bool speaking = false, paused = false;
    size_t first = 0;
    for (size_t k = 0; k < r->n_windows; k++) {
        uint64_t now = window_end(r, k), decided_at = (k + 1) * r->window;
        if (!speaking) {
            if (!r->speech[k]) continue;
            size_t i = k;
            while (i > 0 && r->speech[i - 1]) i--;
            uint64_t onset = window_begin(r, i);
            if (onset < u.end) onset = u.end;
            if (now <= u.end || now - onset < samples_of(c->onset_ms)) continue;
            uint64_t padding = samples_of(c->prefix_padding_ms);
            u.begin = onset > padding ? onset - padding : 0;
            if (u.begin < u.end) u.begin = u.end;
            u.speech_begin = onset;
            u.utterance++;
            conclude(r, &u, KODAMA_SEGMENT_START, 0, 0, false, decided_at);
            speaking = true;
            paused = false;
            first = k + 1;
            continue;
        }
        size_t last = k;
        while (!r->speech[last]) last--;
        uint64_t speech_end = window_end(r, last), silence = now - speech_end;
        uint64_t limit = u.begin + samples_of(c->max_ms);
        if (r->speech[k]) {
            if (paused) conclude(r, &u, KODAMA_SEGMENT_RESUME, 0, 0, false, decided_at);
            paused = false;
        } else if (silence >= samples_of(c->silence_duration_ms)) {
            u.end = speech_end + samples_of(c->silence_duration_ms);
            if (u.end > limit) u.end = limit;
            conclude(r, &u, KODAMA_SEGMENT_STOP, u.end, speech_end < u.end ? speech_end : u.end,
                     false, decided_at);
            speaking = false;
            continue;
        } else if (!paused && silence >= samples_of(c->fast_silence_ms)) {
            paused = true;
            conclude(r, &u, KODAMA_SEGMENT_PAUSE, now < limit ? now : limit, speech_end, false,
                     decided_at);
        }
        if (now <= limit) continue;
        speaking = reference_cut(r, &u, &first, k, now, speech_end, decided_at);
        paused = speaking && !r->speech[k] && silence >= samples_of(c->fast_silence_ms);
        if (paused) conclude(r, &u, KODAMA_SEGMENT_PAUSE, now, speech_end, false, decided_at);
    }
    while (speaking) {
        size_t last = r->n_windows - 1;
        bool silent = !r->speech[last];
        while (!r->speech[last]) last--;
        uint64_t speech_end = silent ? window_end(r, last) : r->n_samples;
        if (r->n_samples > u.begin + samples_of(c->max_ms)) {
            speaking = reference_cut(r, &u, &first, r->n_windows - 1, r->n_samples, speech_end,
                                     r->n_samples);
            if (speaking && silent && r->n_samples - speech_end >= samples_of(c->fast_silence_ms))
                conclude(r, &u, KODAMA_SEGMENT_PAUSE, r->n_samples, speech_end, false,
                         r->n_samples);
            continue;
        }
        uint64_t end = r->n_samples;
        if (silent && end > speech_end + samples_of(c->silence_duration_ms))
            end = speech_end + samples_of(c->silence_duration_ms);
        conclude(r, &u, KODAMA_SEGMENT_STOP, end, speech_end, false, r->n_samples);
        speaking = false;
    }
}

/* ---- random scripts ---- */

enum { SCRIPT_WINDOWS = 3000 };

static struct decisions expected, found; /* large */

static const uint32_t windows[] = {160, 512, 160, 512, 96};
static const uint32_t delays[] = {0, 0, 320, 700, 0};

static struct kodama_segmenter_config random_config(struct test_random *random, uint32_t window)
{
    struct kodama_segmenter_config config = KODAMA_SEGMENTER_CONFIG_INIT;
    config.onset_ms = (uint32_t)test_random_below(random, 120);
    config.prefix_padding_ms = (uint32_t)test_random_below(random, 400);
    config.fast_silence_ms = (uint32_t)test_random_below(random, 400);
    config.silence_duration_ms = (uint32_t)test_random_below(random, 800);
    config.min_pause_ms = (uint32_t)test_random_below(random, 200);
    config.max_ms = config.onset_ms + config.prefix_padding_ms + 2 * window / 16 + 1 +
                    (uint32_t)test_random_below(random, 6000);
    config.threshold = 0.3f + 0.6f * (float)test_random_below(random, 1000) / 1000.0f;
    if (test_random_below(random, 2)) config.stop_threshold = 0.5f * config.threshold;
    return config;
}

/* Runs of speech and silence with lengths that hit the limits from both sides. */
static size_t random_script(struct test_random *random, float *samples, uint32_t window)
{
    float level = 0.0f, spread = 0.1f;
    uint64_t left = 0, talkative = 1 + test_random_below(random, 200);
    for (size_t k = 0; k < SCRIPT_WINDOWS; k++) {
        if (left-- == 0) {
            bool speech = test_random_below(random, 2) == 0;
            level = speech ? 0.9f : 0.05f;
            spread = (float)test_random_below(random, 100) / 150.0f;
            left = test_random_below(random, speech ? talkative : 1 + talkative / 4);
        }
        float p = level + spread * test_random_float(random);
        p = p < 0.0f ? 0.0f : p > 1.0f ? 1.0f : p;
        for (uint32_t i = 0; i < window; i++) samples[k * window + i] = p;
    }
    return (SCRIPT_WINDOWS - 1) * (size_t)window + (size_t)test_random_below(random, window);
}

static void decisions_equal_those_of_a_slow_reference(void **state)
{
    (void)state;
    struct test_random random = {1};
    float *samples = memory_array(SCRIPT_WINDOWS * 512, sizeof *samples);
    bool *speech = memory_array(SCRIPT_WINDOWS, sizeof *speech);
    assert_non_null(samples);
    assert_non_null(speech);
    size_t n_decisions = 0, n_cuts = 0;
    int n_rounds = (int)(400 * test_scale());
    for (int round = 0; round < n_rounds || round < 10; round++) {
        uint32_t window = windows[round % 5], delay = delays[round % 5];
        struct kodama_segmenter_config config = random_config(&random, window);
        size_t n_samples = random_script(&random, samples, window);
        expected.n = 0;
        struct reference reference = {
            .config = &config,
            .window = window,
            .delay = delay,
            .samples = samples,
            .n_windows = n_samples / window,
            .n_samples = n_samples,
            .speech = speech,
            .decisions = &expected,
        };
        reference_run(&reference);
        struct cutting cutting = {.random = {test_random_next(&random)}, .save_one_in = 50};
        run(&config, window, delay, samples, n_samples, cutting, &found);
        assert_same(&found, &expected);
        assert_sound(&found, samples_of(config.max_ms));
        n_decisions += found.n;
        for (size_t i = 0; i < found.n; i++) n_cuts += found.list[i].cut;
    }
    print_message("# %zu decisions, %zu forced cuts\n", n_decisions, n_cuts);
    assert_true(n_cuts > 10);
    free(samples);
    free(speech);
}

static void decisions_do_not_depend_on_blocks(void **state)
{
    (void)state;
    static const size_t blocks[] = {1, 7, 160, 512, 4800, 0, 0};
    struct test_random random = {2};
    float *samples = memory_array(SCRIPT_WINDOWS * 512, sizeof *samples);
    assert_non_null(samples);
    for (int round = 0; round < 5; round++) {
        uint32_t window = windows[round], delay = delays[round];
        struct kodama_segmenter_config config = random_config(&random, window);
        size_t n_samples = random_script(&random, samples, window);
        run(&config, window, delay, samples, n_samples, (struct cutting){.block = n_samples},
            &expected);
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            struct cutting cutting = {.block = blocks[i], .random = {i}};
            run(&config, window, delay, samples, n_samples, cutting, &found);
            assert_same(&found, &expected);
        }
    }
    free(samples);
}

static void cuts_of_the_client_keep_utterances_apart_whatever_the_blocks(void **state)
{
    (void)state;
    struct test_random random = {4};
    float *samples = memory_array(SCRIPT_WINDOWS * 512, sizeof *samples);
    assert_non_null(samples);
    for (int round = 0; round < 40; round++) {
        uint32_t window = windows[round % 5], delay = delays[round % 5];
        struct kodama_segmenter_config config = random_config(&random, window);
        size_t n_samples = random_script(&random, samples, window);
        size_t cut = 1000 + (size_t)test_random_below(&random, 30000);
        run(&config, window, delay, samples, n_samples,
            (struct cutting){.block = n_samples, .client_cut = cut}, &expected);
        assert_sound(&expected, samples_of(config.max_ms));
        struct cutting cutting = {
            .random = {(uint64_t)round}, .save_one_in = 20, .client_cut = cut};
        run(&config, window, delay, samples, n_samples, cutting, &found);
        assert_same(&found, &expected);
    }
    free(samples);
}

static void a_saved_state_goes_on_identically_wherever_it_was_saved(void **state)
{
    (void)state;
    struct test_random random = {3};
    float *samples = memory_array(SCRIPT_WINDOWS * 512, sizeof *samples);
    assert_non_null(samples);
    for (int round = 0; round < 5; round++) {
        uint32_t window = windows[round], delay = delays[round];
        struct kodama_segmenter_config config = random_config(&random, window);
        size_t n_samples = random_script(&random, samples, window);
        run(&config, window, delay, samples, n_samples, (struct cutting){.block = 160}, &expected);
        struct cutting cutting = {.random = {(uint64_t)round}, .save_one_in = 1};
        run(&config, window, delay, samples, n_samples, cutting, &found);
        assert_same(&found, &expected);
    }
    free(samples);
}

/* ---- single rules, with 10 ms windows ---- */

struct bench {
    struct kodama_segmenter *segmenter;
    struct decisions *decisions;
};

static struct bench open_bench(const struct kodama_segmenter_config *config)
{
    struct bench bench = {.decisions = &found};
    found.n = 0;
    assert_int_equal(segmenter_open_take(&bench.segmenter, config, scripted(160, 0), NULL),
                     KODAMA_OK);
    return bench;
}

static void say(struct bench *bench, float probability, uint32_t ms)
{
    float samples[16];
    for (int i = 0; i < 16; i++) samples[i] = probability;
    for (uint32_t i = 0; i < ms; i++) give(bench->segmenter, samples, 16, bench->decisions);
}

static void assert_decision(size_t i, enum kodama_segment_kind kind, uint32_t begin_ms,
                            uint32_t end_ms, uint32_t decided_ms)
{
    assert_true(i < found.n);
    const struct kodama_segment *s = &found.list[i];
    assert_int_equal(s->kind, kind);
    assert_int_equal(s->begin, begin_ms * 16);
    assert_int_equal(s->end, end_ms * 16);
    assert_int_equal(s->decided_at, decided_ms * 16);
}

static void speech_starts_with_its_pre_roll_and_stops_after_the_hangover(void **state)
{
    (void)state;
    struct bench bench = open_bench(NULL);
    say(&bench, 0.1f, 1000);
    say(&bench, 0.9f, 2000);
    say(&bench, 0.1f, 1000);
    assert_int_equal(found.n, 3);
    assert_decision(0, KODAMA_SEGMENT_START, 700, 0, 1060);
    assert_decision(1, KODAMA_SEGMENT_PAUSE, 700, 3200, 3200);
    assert_decision(2, KODAMA_SEGMENT_STOP, 700, 3500, 3500);
    assert_int_equal(found.list[2].speech_begin, 1000 * 16);
    assert_int_equal(found.list[2].speech_end, 3000 * 16);
    assert_false(found.list[2].cut);
    kodama_segmenter_close(bench.segmenter);
}

static void a_click_is_no_utterance(void **state)
{
    (void)state;
    struct bench bench = open_bench(NULL);
    for (int i = 0; i < 10; i++) {
        say(&bench, 0.9f, 50);
        say(&bench, 0.1f, 30);
    }
    finish(bench.segmenter, &found);
    assert_int_equal(found.n, 0);
    kodama_segmenter_close(bench.segmenter);
}

static void a_short_pause_is_taken_back_when_speech_goes_on(void **state)
{
    (void)state;
    struct bench bench = open_bench(NULL);
    say(&bench, 0.9f, 1000);
    say(&bench, 0.1f, 300);
    say(&bench, 0.9f, 1000);
    say(&bench, 0.1f, 190);
    say(&bench, 0.9f, 10);
    finish(bench.segmenter, &found);
    assert_int_equal(found.n, 4);
    assert_decision(1, KODAMA_SEGMENT_PAUSE, 0, 1200, 1200);
    assert_decision(2, KODAMA_SEGMENT_RESUME, 0, 0, 1310);
    assert_decision(3, KODAMA_SEGMENT_STOP, 0, 2500, 2500);
    kodama_segmenter_close(bench.segmenter);
}

static void speech_ends_only_below_the_stop_threshold(void **state)
{
    (void)state;
    struct bench bench = open_bench(NULL);
    say(&bench, 0.4f, 1000); /* below the threshold: no start */
    assert_int_equal(found.n, 0);
    say(&bench, 0.6f, 100);
    say(&bench, 0.4f, 2000); /* above the stop threshold: no end */
    assert_int_equal(found.n, 1);
    say(&bench, 0.3f, 600);
    assert_int_equal(found.n, 3);
    assert_decision(2, KODAMA_SEGMENT_STOP, 700, 3600, 3600);
    kodama_segmenter_close(bench.segmenter);
}

static void pre_roll_never_reaches_into_the_utterance_before(void **state)
{
    (void)state;
    struct bench bench = open_bench(NULL);
    say(&bench, 0.9f, 1000);
    say(&bench, 0.1f, 600); /* STOP at 1500, 100 ms before the next onset */
    say(&bench, 0.9f, 1000);
    finish(bench.segmenter, &found);
    assert_int_equal(found.n, 5);
    assert_decision(2, KODAMA_SEGMENT_STOP, 0, 1500, 1500);
    assert_decision(3, KODAMA_SEGMENT_START, 1500, 0, 1660);
    kodama_segmenter_close(bench.segmenter);
}

static void a_long_utterance_is_cut_in_the_middle_of_its_longest_pause(void **state)
{
    (void)state;
    struct kodama_segmenter_config config = KODAMA_SEGMENTER_CONFIG_INIT;
    config.max_ms = 3000;
    struct bench bench = open_bench(&config);
    say(&bench, 0.9f, 800);
    say(&bench, 0.1f, 100);
    say(&bench, 0.9f, 600);
    say(&bench, 0.1f, 180); /* 1500 to 1680: the longest */
    say(&bench, 0.9f, 700);
    say(&bench, 0.1f, 120); /* 2380 to 2500: of the next utterance */
    say(&bench, 0.9f, 2500);
    assert_int_equal(found.n, 5);
    assert_decision(0, KODAMA_SEGMENT_START, 0, 0, 60);
    assert_decision(1, KODAMA_SEGMENT_STOP, 0, 1590, 3010);
    assert_true(found.list[1].cut);
    assert_int_equal(found.list[1].speech_end, 1500 * 16);
    assert_decision(2, KODAMA_SEGMENT_START, 1590, 0, 3010);
    assert_int_equal(found.list[2].speech_begin, 1680 * 16);
    assert_decision(3, KODAMA_SEGMENT_STOP, 1590, 2440, 4600);
    assert_decision(4, KODAMA_SEGMENT_START, 2440, 0, 4600);
    kodama_segmenter_close(bench.segmenter);
}

static void speech_without_a_pause_is_cut_at_the_maximum_and_nothing_is_lost(void **state)
{
    (void)state;
    struct kodama_segmenter_config config = KODAMA_SEGMENTER_CONFIG_INIT;
    config.max_ms = 2000;
    struct bench bench = open_bench(&config);
    say(&bench, 0.9f, 5005);
    finish(bench.segmenter, &found);
    assert_int_equal(found.n, 6);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(found.list[2 * i].begin, i * 2000 * 16);
        assert_int_equal(found.list[2 * i + 1].end, (i < 2 ? (i + 1) * 2000 : 5005) * 16);
    }
    kodama_segmenter_close(bench.segmenter);
}

static void a_cut_in_a_pause_that_goes_on_waits_for_the_next_onset(void **state)
{
    (void)state;
    struct kodama_segmenter_config config = KODAMA_SEGMENTER_CONFIG_INIT;
    config.max_ms = 2000;
    struct bench bench = open_bench(&config);
    say(&bench, 0.9f, 1700);
    say(&bench, 0.1f, 400); /* PAUSE at 1900, cut at 2010 in the middle of 1700 to 2010 */
    say(&bench, 0.9f, 100);
    assert_int_equal(found.n, 4);
    assert_decision(2, KODAMA_SEGMENT_STOP, 0, 1855, 2010);
    assert_true(found.list[2].cut);
    assert_decision(3, KODAMA_SEGMENT_START, 1855, 0, 2160);
    assert_int_equal(found.list[3].speech_begin, 2100 * 16);
    kodama_segmenter_close(bench.segmenter);
}

static void a_client_may_end_an_utterance_between_two_windows(void **state)
{
    (void)state;
    struct bench bench = open_bench(NULL);
    struct kodama_segment segment;
    kodama_segmenter_cut(bench.segmenter, &segment);
    assert_int_equal(segment.kind, 0); /* nobody speaks */
    say(&bench, 0.9f, 1003);
    kodama_segmenter_cut(bench.segmenter, &segment);
    assert_int_equal(segment.kind, KODAMA_SEGMENT_STOP);
    assert_int_equal(segment.end, 1003 * 16);
    assert_int_equal(segment.speech_end, 1003 * 16);
    assert_int_equal(segment.decided_at, 1003 * 16);
    assert_false(segment.cut);
    kodama_segmenter_cut(bench.segmenter, &segment);
    assert_int_equal(segment.kind, 0);
    assert_int_equal(kodama_segmenter_horizon(bench.segmenter), 1003 * 16);
    found.n = 0;
    say(&bench, 0.9f, 100);
    assert_int_equal(found.n, 1);
    assert_decision(0, KODAMA_SEGMENT_START, 1003, 0, 1070);
    assert_int_equal(found.list[0].speech_begin, 1003 * 16);
    kodama_segmenter_close(bench.segmenter);
}

static void finishing_ends_the_utterance_with_the_last_sample(void **state)
{
    (void)state;
    struct bench bench = open_bench(NULL);
    say(&bench, 0.9f, 1009);
    finish(bench.segmenter, &found);
    assert_int_equal(found.n, 2);
    assert_decision(1, KODAMA_SEGMENT_STOP, 0, 1009, 1009);
    say(&bench, 0.9f, 1000); /* after the end nothing is heard */
    assert_int_equal(found.n, 2);
    kodama_segmenter_reset(bench.segmenter);
    found.n = 0;
    say(&bench, 0.9f, 100);
    assert_int_equal(found.n, 1);
    assert_decision(0, KODAMA_SEGMENT_START, 0, 0, 60);
    kodama_segmenter_close(bench.segmenter);
}

static void the_horizon_follows_silence_and_waits_for_an_onset(void **state)
{
    (void)state;
    struct bench bench = open_bench(NULL);
    say(&bench, 0.1f, 1000);
    assert_int_equal(kodama_segmenter_horizon(bench.segmenter), 700 * 16);
    say(&bench, 0.9f, 50);
    assert_int_equal(kodama_segmenter_horizon(bench.segmenter), 700 * 16);
    say(&bench, 0.9f, 5000);
    assert_int_equal(kodama_segmenter_horizon(bench.segmenter), 700 * 16);
    say(&bench, 0.1f, 500);
    assert_int_equal(kodama_segmenter_horizon(bench.segmenter), 6550 * 16);
    say(&bench, 0.1f, 1000);
    assert_int_equal(kodama_segmenter_horizon(bench.segmenter), 7250 * 16);
    kodama_segmenter_close(bench.segmenter);
}

static void impossible_configurations_are_refused_in_words(void **state)
{
    (void)state;
    const struct kodama_segmenter_config good = KODAMA_SEGMENTER_CONFIG_INIT;
    struct kodama_segmenter_config bad[8];
    for (int i = 0; i < 8; i++) bad[i] = good;
    bad[0].threshold = 0.0f;
    bad[1].threshold = 1.5f;
    bad[2].stop_threshold = 0.6f;
    bad[3].max_ms = 300;
    bad[4].max_ms = 4000000;
    bad[5].size = 4;
    bad[6].stop_threshold = -0.1f;
    bad[7].onset_ms = UINT32_MAX;
    for (int i = 0; i < 8; i++) {
        struct kodama_segmenter *segmenter;
        struct kodama_error error = {0};
        assert_int_equal(kodama_segmenter_open(&segmenter, &bad[i], &error), KODAMA_ERR_ARGUMENT);
        assert_null(segmenter);
        assert_true(strlen(error.message) > 0);
    }
    struct kodama_segmenter_config foreign = good;
    foreign.detector = "no such detector";
    struct kodama_segmenter *segmenter;
    assert_int_equal(kodama_segmenter_open(&segmenter, &foreign, NULL), KODAMA_ERR_NOT_FOUND);
    kodama_segmenter_close(NULL);
}

static void a_damaged_state_is_refused_and_resets(void **state)
{
    (void)state;
    struct kodama_segmenter_config config = KODAMA_SEGMENTER_CONFIG_INIT;
    config.max_ms = 3000;
    struct bench bench = open_bench(&config);
    for (int i = 0; i < 5; i++) {
        say(&bench, 0.9f, 303);
        say(&bench, 0.1f, 150 - 10 * (uint32_t)i);
    }
    int64_t n_bytes = kodama_segmenter_save(bench.segmenter, NULL, 0);
    uint8_t *good = memory_array((size_t)n_bytes, 1), *bad = memory_array((size_t)n_bytes, 1);
    assert_non_null(good);
    assert_non_null(bad);
    assert_int_equal(kodama_segmenter_save(bench.segmenter, good, (size_t)n_bytes), n_bytes);
    for (size_t n = 0; n < (size_t)n_bytes; n++)
        assert_int_equal(kodama_segmenter_load(bench.segmenter, good, n), KODAMA_ERR_CORRUPT);
    assert_int_equal(kodama_segmenter_position(bench.segmenter), 0);
    /* Any other damage may be accepted, but must be harmless. */
    struct test_random random = {5};
    for (int round = 0; round < 3000; round++) {
        memcpy(bad, good, (size_t)n_bytes);
        for (uint64_t i = test_random_below(&random, 4) + 1; i > 0; i--)
            bad[test_random_below(&random, (uint64_t)n_bytes)] = (uint8_t)test_random_next(&random);
        int status = kodama_segmenter_load(bench.segmenter, bad, (size_t)n_bytes);
        assert_true(status == KODAMA_OK || status == KODAMA_ERR_CORRUPT);
        float windows_of_zero[1600] = {0};
        struct kodama_segment segment;
        kodama_segmenter_process(bench.segmenter, windows_of_zero, 0, &segment);
        for (int i = 0; i < 30; i++) {
            kodama_segmenter_finish(bench.segmenter, &segment);
            if (segment.kind == 0) break;
        }
        assert_int_equal(segment.kind, 0);
    }
    struct kodama_segmenter *other;
    config.max_ms = 3001;
    assert_int_equal(segmenter_open_take(&other, &config, scripted(160, 0), NULL), KODAMA_OK);
    assert_int_equal(kodama_segmenter_load(other, good, (size_t)n_bytes), KODAMA_ERR_CORRUPT);
    kodama_segmenter_close(other);
    kodama_segmenter_close(bench.segmenter);
    free(good);
    free(bad);
}

/* ---- real speech, builtin detector ---- */

static void phrases_start_and_stop_where_they_are_spoken(void **state)
{
    (void)state;
    /* jfk.wav, by ear and by its energy, in seconds: "And so my fellow Americans", "ask not", "what
     * your country can do for you", "ask what you can do for your country". */
    static const double phrases[][2] = {{0.33, 2.12}, {3.28, 4.32}, {5.41, 7.64}, {8.18, 10.38}};
    size_t n;
    uint32_t rate_hz, channels;
    float *samples = test_read_audio(test_shared("speech/jfk.wav"), &n, &rate_hz, &channels);
    assert_int_equal(rate_hz, 16000);
    assert_int_equal(channels, 1);
    struct kodama_segmenter_config config = KODAMA_SEGMENTER_CONFIG_INIT;
    config.silence_duration_ms = 400; /* the last pause is 540 ms long */
    struct kodama_segmenter *segmenter;
    assert_int_equal(kodama_segmenter_open(&segmenter, &config, NULL), KODAMA_OK);
    found.n = 0;
    give(segmenter, samples, n, &found);
    finish(segmenter, &found);
    assert_sound(&found, samples_of(config.max_ms));
    size_t n_stops = 0;
    for (size_t i = 0; i < found.n; i++) {
        if (found.list[i].kind != KODAMA_SEGMENT_STOP) continue;
        double begin = (double)found.list[i].speech_begin / 16000.0;
        double end = (double)found.list[i].speech_end / 16000.0;
        print_message("# speech from %.2f to %.2f s\n", begin, end);
        assert_true(n_stops < 4);
        assert_true(begin > phrases[n_stops][0] - 0.15 && begin < phrases[n_stops][0] + 0.15);
        /* The recording ends in a breath that is no silence. */
        if (n_stops < 3)
            assert_true(end > phrases[n_stops][1] - 0.15 && end < phrases[n_stops][1] + 0.25);
        n_stops++;
    }
    assert_int_equal(n_stops, 4);
    kodama_segmenter_close(segmenter);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speech_starts_with_its_pre_roll_and_stops_after_the_hangover),
        cmocka_unit_test(a_click_is_no_utterance),
        cmocka_unit_test(a_short_pause_is_taken_back_when_speech_goes_on),
        cmocka_unit_test(speech_ends_only_below_the_stop_threshold),
        cmocka_unit_test(pre_roll_never_reaches_into_the_utterance_before),
        cmocka_unit_test(a_long_utterance_is_cut_in_the_middle_of_its_longest_pause),
        cmocka_unit_test(speech_without_a_pause_is_cut_at_the_maximum_and_nothing_is_lost),
        cmocka_unit_test(a_cut_in_a_pause_that_goes_on_waits_for_the_next_onset),
        cmocka_unit_test(a_client_may_end_an_utterance_between_two_windows),
        cmocka_unit_test(finishing_ends_the_utterance_with_the_last_sample),
        cmocka_unit_test(the_horizon_follows_silence_and_waits_for_an_onset),
        cmocka_unit_test(decisions_equal_those_of_a_slow_reference),
        cmocka_unit_test(decisions_do_not_depend_on_blocks),
        cmocka_unit_test(cuts_of_the_client_keep_utterances_apart_whatever_the_blocks),
        cmocka_unit_test(a_saved_state_goes_on_identically_wherever_it_was_saved),
        cmocka_unit_test(impossible_configurations_are_refused_in_words),
        cmocka_unit_test(a_damaged_state_is_refused_and_resets),
        cmocka_unit_test(phrases_start_and_stop_where_they_are_spoken),
    };
    return cmocka_run_group_tests_name("segmenter", tests, NULL, NULL);
}
