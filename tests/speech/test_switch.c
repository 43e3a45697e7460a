/* Tests of a conversation with more than one model: switched while somebody speaks, and one for
 * partials beside one for finals. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/kodama.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "speech/engine.h"
#include "speech/model.h"
#include "support/whisper_model.h"

#define READ "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-"

enum { RATE = 16000, TEXT_BYTES = 4096 };
static const int64_t patience_ns = 60 * (int64_t)CLOCK_NS_PER_S;

/* ------------------------------------- an engine whose models sign what they say */

/** A final is the letter and a number that counts the conversation's finals: "A1", "A2". A partial
 * is as many times the letter as half seconds were heard. Decoding waits at the gate. */
struct letter {
    char letter;
    bool gate_closed; /* with the lock */
    struct mutex mutex;
    struct condition changed;
    bool closed; /* the model was */
};

struct hearing {
    struct letter *letter;
    size_t heard;
};

static struct letter *opening; /* of the model that is being opened */

static int letter_open(void **model, const struct kodama_model_config *config, char *name,
                       size_t n_name_bytes, struct kodama_error *error)
{
    (void)config;
    (void)error;
    *model = opening;
    snprintf(name, n_name_bytes, "%c", opening->letter);
    return KODAMA_OK;
}

static void letter_close(void *model)
{
    ((struct letter *)model)->closed = true;
}

static int letter_decoder_open(void **decoder, void *model, struct kodama_error *error)
{
    (void)error;
    struct hearing *hearing = calloc(1, sizeof *hearing);
    if (!hearing) return KODAMA_ERR_MEMORY;
    hearing->letter = model;
    *decoder = hearing;
    return KODAMA_OK;
}

static int letter_decode(void *decoder, const float *samples, size_t n_samples,
                         struct engine_context *context, const _Atomic bool *cancel,
                         struct engine_result *result, struct kodama_error *error)
{
    struct letter *letter = ((struct hearing *)decoder)->letter;
    (void)samples;
    (void)cancel;
    (void)error;
    mutex_lock(&letter->mutex);
    while (letter->gate_closed) condition_wait(&letter->changed, &letter->mutex, CLOCK_NEVER);
    mutex_unlock(&letter->mutex);
    uint8_t count = context->data ? context->data[0] : 0;
    free(context->data);
    context->data = malloc(1);
    if (!context->data) return KODAMA_ERR_MEMORY;
    context->data[0] = ++count;
    context->n_bytes = 1;
    char text[16];
    int n = snprintf(text, sizeof text, "%c%u", letter->letter, count);
    bool added = engine_result_add(result, text, (size_t)n, 0, (uint32_t)n_samples, 0.5f);
    return added && engine_result_join(result) ? KODAMA_OK : KODAMA_ERR_MEMORY;
}

static int letter_begin(void *decoder, const struct engine_context *context)
{
    (void)context;
    ((struct hearing *)decoder)->heard = 0;
    return KODAMA_OK;
}

static int letter_hear(void *decoder, const float *samples, size_t n_samples)
{
    (void)samples;
    ((struct hearing *)decoder)->heard += n_samples;
    return KODAMA_OK;
}

static int letter_partial(void *decoder, struct engine_result *result)
{
    const struct hearing *hearing = decoder;
    bool added = true;
    for (size_t at = 0; at + RATE / 2 <= hearing->heard && added; at += RATE / 2) {
        added = engine_result_add(result, &hearing->letter->letter, 1, (uint32_t)at,
                                  (uint32_t)(at + RATE / 2), 0.5f);
    }
    return added && engine_result_join(result) ? KODAMA_OK : KODAMA_ERR_MEMORY;
}

static void letter_abandon(void *decoder)
{
    (void)decoder;
}

/** A is English; all others know every language. */
static int letter_check_language(void *model, const char *language, struct kodama_error *error)
{
    const struct letter *letter = model;
    if (letter->letter != 'A' || strcmp(language, "en") == 0) return KODAMA_OK;
    return error_set(error, KODAMA_ERR_ARGUMENT, "A knows English only");
}

static const struct engine_ops letters = {
    .name = "letters",
    .streaming = true,
    .model_open = letter_open,
    .model_close = letter_close,
    .decoder_open = letter_decoder_open,
    .decoder_close = free,
    .decode = letter_decode,
    .begin = letter_begin,
    .hear = letter_hear,
    .partial = letter_partial,
    .abandon = letter_abandon,
    .check_language = letter_check_language,
};

static struct kodama_model *open_letter(struct letter *letter, char which)
{
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_model *model;
    *letter = (struct letter){.letter = which};
    mutex_init(&letter->mutex);
    condition_init(&letter->changed);
    config.n_decoders = 2;
    opening = letter;
    assert_int_equal(model_open_engine(&model, &letters, &config, NULL), KODAMA_OK);
    return model;
}

static void gate(struct letter *letter, bool closed)
{
    mutex_lock(&letter->mutex);
    letter->gate_closed = closed;
    condition_broadcast(&letter->changed);
    mutex_unlock(&letter->mutex);
}

/* -------------------------------------------------------------- a conversation */

static struct kodama_recognizer *open_recognizer(struct kodama_model *model,
                                                 struct kodama_model *partials_model,
                                                 const char *language)
{
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *recognizer;
    config.format = (struct kodama_format){KODAMA_SAMPLE_F32, RATE, 1, 0};
    config.partials_model = partials_model;
    config.language = language;
    assert_int_equal(kodama_recognizer_open(&recognizer, model, &config, NULL), KODAMA_OK);
    return recognizer;
}

static const float *speech(size_t *n_samples)
{
    static float *samples;
    static size_t n;
    if (!samples) samples = test_read_audio(test_installed(READ "0880.wav"), &n, NULL, NULL);
    *n_samples = n;
    return samples;
}

/** Two seconds of speech from the middle of a sentence. */
enum { SPOKEN = 2 * RATE };

static void speak(struct kodama_recognizer *recognizer, size_t n_samples)
{
    size_t n;
    const float *samples = speech(&n) + RATE / 2;
    assert_true(n_samples + RATE / 2 < n);
    assert_int_equal(kodama_recognizer_write(recognizer, samples, n_samples, KODAMA_FOREVER),
                     n_samples);
}

/** The texts of the finals that come, with spaces between; until so many were there. */
static void read_finals(struct kodama_recognizer *recognizer, int n_finals, char text[TEXT_BYTES])
{
    struct kodama_event event;
    text[0] = 0;
    while (n_finals > 0) {
        int status = kodama_recognizer_next(recognizer, &event, patience_ns);
        assert_int_equal(status, KODAMA_OK);
        assert_int_not_equal(event.kind, KODAMA_EVENT_FAILED);
        if (event.kind != KODAMA_EVENT_FINAL) continue;
        size_t n = strlen(text);
        snprintf(text + n, TEXT_BYTES - n, "%s%s", n ? " " : "", event.text);
        n_finals--;
    }
}

static void assert_finals(struct kodama_recognizer *recognizer, int n_finals, const char *expected)
{
    char text[TEXT_BYTES];
    read_finals(recognizer, n_finals, text);
    assert_string_equal(text, expected);
}

/* ------------------------------------------------------------------- switching */

static void an_utterance_in_progress_stays_with_its_model(void **state)
{
    (void)state;
    struct letter a, b;
    struct kodama_model *first = open_letter(&a, 'A'), *second = open_letter(&b, 'B');
    struct kodama_recognizer *recognizer = open_recognizer(first, NULL, NULL);
    speak(recognizer, SPOKEN);
    assert_int_equal(kodama_recognizer_switch(recognizer, second, NULL), KODAMA_OK);
    speak(recognizer, SPOKEN);
    assert_int_equal(kodama_recognizer_finalize(recognizer), KODAMA_OK);
    assert_finals(recognizer, 1, "A1");
    speak(recognizer, SPOKEN);
    assert_int_equal(kodama_recognizer_finish(recognizer), KODAMA_OK);
    assert_finals(recognizer, 1, "B1");
    kodama_recognizer_close(recognizer);
    kodama_model_close(first);
    kodama_model_close(second);
}

static void finals_come_in_order_across_a_switch(void **state)
{
    (void)state;
    struct letter a, b;
    struct kodama_model *first = open_letter(&a, 'A'), *second = open_letter(&b, 'B');
    struct kodama_recognizer *recognizer = open_recognizer(first, NULL, NULL);
    struct kodama_event event;
    gate(&a, true);
    for (int i = 0; i < 3; i++) {
        speak(recognizer, SPOKEN);
        assert_int_equal(kodama_recognizer_finalize(recognizer), KODAMA_OK);
        if (i == 0) {
            assert_int_equal(kodama_recognizer_switch(recognizer, second, NULL), KODAMA_OK);
        }
    }
    /* B could have decided its own long ago. */
    uint64_t until = clock_now_ns() + CLOCK_NS_PER_S / 2;
    while (clock_now_ns() < until) {
        if (kodama_recognizer_next(recognizer, &event, CLOCK_NS_PER_MS * 50) != KODAMA_OK) continue;
        assert_int_not_equal(event.kind, KODAMA_EVENT_FINAL);
    }
    gate(&a, false);
    assert_finals(recognizer, 3, "A1 B1 B2");
    kodama_recognizer_close(recognizer);
    kodama_model_close(first);
    kodama_model_close(second);
}

static void the_old_model_goes_when_its_last_utterance_is_decided(void **state)
{
    (void)state;
    struct letter a, b;
    struct kodama_model *first = open_letter(&a, 'A'), *second = open_letter(&b, 'B');
    struct kodama_recognizer *recognizer = open_recognizer(first, NULL, NULL);
    gate(&a, true);
    speak(recognizer, SPOKEN);
    assert_int_equal(kodama_recognizer_switch(recognizer, second, NULL), KODAMA_OK);
    assert_int_equal(kodama_recognizer_finalize(recognizer), KODAMA_OK);
    assert_int_equal(kodama_model_wait_unused(first, 0), KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_model_wait_unused(first, 50 * CLOCK_NS_PER_MS), KODAMA_ERR_TIMEOUT);
    gate(&a, false);
    assert_finals(recognizer, 1, "A1");
    uint64_t deadline = clock_deadline(patience_ns);
    while (kodama_model_wait_unused(first, 0) != KODAMA_OK && clock_now_ns() < deadline) {
        assert_int_equal(kodama_recognizer_switch(recognizer, second, NULL), KODAMA_OK);
    }
    assert_int_equal(kodama_model_wait_unused(first, 0), KODAMA_OK);
    kodama_model_close(first);
    assert_true(a.closed);
    speak(recognizer, SPOKEN);
    assert_int_equal(kodama_recognizer_finalize(recognizer), KODAMA_OK);
    assert_finals(recognizer, 1, "B1");
    kodama_recognizer_close(recognizer);
    assert_int_equal(kodama_model_wait_unused(second, 0), KODAMA_OK);
    kodama_model_close(second);
}

static void a_model_that_comes_back_begins_anew(void **state)
{
    (void)state;
    struct letter a, b;
    struct kodama_model *first = open_letter(&a, 'A'), *second = open_letter(&b, 'B');
    struct kodama_recognizer *recognizer = open_recognizer(first, NULL, NULL);
    struct kodama_model *const models[] = {first, first, second, second, first};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        assert_int_equal(kodama_recognizer_switch(recognizer, models[i], NULL), KODAMA_OK);
        speak(recognizer, SPOKEN);
        assert_int_equal(kodama_recognizer_finalize(recognizer), KODAMA_OK);
    }
    assert_finals(recognizer, 5, "A1 A2 B1 B2 A1");
    /* Changing one's mind before anybody speaks costs nothing. */
    assert_int_equal(kodama_recognizer_switch(recognizer, second, NULL), KODAMA_OK);
    assert_int_equal(kodama_recognizer_switch(recognizer, first, NULL), KODAMA_OK);
    kodama_recognizer_close(recognizer);
    kodama_model_close(first);
    kodama_model_close(second);
}

/** At random, with decoders that stand still at random. The models come in the order in which they
 * were chosen, and no final is lost. */
static void switches_at_random_lose_nothing(void **state)
{
    (void)state;
    enum { N_MODELS = 3 };
    struct letter signs[N_MODELS];
    struct kodama_model *models[N_MODELS];
    struct test_random random = {.state = 11};
    for (int i = 0; i < N_MODELS; i++) models[i] = open_letter(&signs[i], (char)('B' + i));
    int n_rounds = (int)(30 * test_scale());
    for (int round = 0; round < n_rounds; round++) {
        struct kodama_recognizer *recognizer = open_recognizer(models[0], NULL, NULL);
        int n_utterances = 0;
        char text[TEXT_BYTES];
        for (int step = 0; step < 12; step++) {
            int which = (int)test_random_below(&random, N_MODELS);
            switch (test_random_below(&random, 4)) {
            case 0: gate(&signs[which], true); break;
            case 1: gate(&signs[which], false); break;
            case 2:
                assert_int_equal(kodama_recognizer_switch(recognizer, models[which], NULL),
                                 KODAMA_OK);
                break;
            case 3:
                speak(recognizer, RATE);
                assert_int_equal(kodama_recognizer_finalize(recognizer), KODAMA_OK);
                n_utterances++;
                break;
            }
        }
        bool drops = round % 3 == 0; /* closing with finals undecided */
        if (!drops) {
            for (int i = 0; i < N_MODELS; i++) gate(&signs[i], false);
            read_finals(recognizer, n_utterances, text);
            /* Numbers of one model count up until another one takes over. */
            for (const char *at = text; *at && at[2]; at += 3) {
                if (at[3] == at[0]) {
                    assert_true(at[4] == at[1] + 1 || at[4] == '1');
                } else {
                    assert_int_equal(at[4], '1');
                }
            }
        }
        for (int i = 0; i < N_MODELS; i++) gate(&signs[i], false);
        kodama_recognizer_close(recognizer);
    }
    for (int i = 0; i < N_MODELS; i++) {
        assert_int_equal(kodama_model_wait_unused(models[i], 0), KODAMA_OK);
        kodama_model_close(models[i]);
    }
}

static void a_model_without_the_language_is_refused(void **state)
{
    (void)state;
    struct letter a, b;
    struct kodama_error error = {0};
    struct kodama_model *first = open_letter(&b, 'B'), *english = open_letter(&a, 'A');
    struct kodama_recognizer *recognizer = open_recognizer(first, NULL, "de");
    assert_int_equal(kodama_recognizer_switch(recognizer, english, &error), KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "English"));
    assert_int_equal(kodama_recognizer_switch(recognizer, NULL, NULL), KODAMA_ERR_ARGUMENT);
    speak(recognizer, SPOKEN);
    assert_int_equal(kodama_recognizer_finalize(recognizer), KODAMA_OK);
    assert_finals(recognizer, 1, "B1");
    kodama_recognizer_close(recognizer);
    kodama_model_close(first);
    kodama_model_close(english);
}

static void a_conversation_can_be_saved_in_the_middle_of_a_switch(void **state)
{
    (void)state;
    struct letter a, b;
    struct kodama_model *first = open_letter(&a, 'A'), *second = open_letter(&b, 'B');
    struct kodama_recognizer *recognizer = open_recognizer(first, NULL, NULL);
    void *data;
    size_t n_bytes;
    for (int i = 0; i < 2; i++) {
        speak(recognizer, SPOKEN);
        assert_int_equal(kodama_recognizer_finalize(recognizer), KODAMA_OK);
        assert_int_equal(kodama_recognizer_switch(recognizer, second, NULL), KODAMA_OK);
    }
    assert_int_equal(kodama_recognizer_save(recognizer, &data, &n_bytes), KODAMA_OK);
    assert_finals(recognizer, 2, "A1 B1");
    kodama_recognizer_close(recognizer);
    recognizer = open_recognizer(second, NULL, NULL);
    assert_int_equal(kodama_recognizer_load(recognizer, data, n_bytes), KODAMA_OK);
    kodama_free(data);
    speak(recognizer, SPOKEN);
    assert_int_equal(kodama_recognizer_finalize(recognizer), KODAMA_OK);
    assert_finals(recognizer, 1, "B2");
    kodama_recognizer_close(recognizer);
    kodama_model_close(first);
    kodama_model_close(second);
}

/* ------------------------------------------------------------------ two passes */

struct two_passes {
    int n_partials;
    char finals[TEXT_BYTES];
};

/** Take what there is, at most until a time. @return of the last call */
static int read_two_passes(struct kodama_recognizer *recognizer, int64_t timeout_ns,
                           const char *letters_of_partials, struct two_passes *seen)
{
    struct kodama_event event;
    int status;
    while ((status = kodama_recognizer_next(recognizer, &event, timeout_ns)) == KODAMA_OK) {
        if (event.kind == KODAMA_EVENT_PARTIAL) {
            seen->n_partials++;
            assert_int_equal(event.stable_bytes, 0);
            if (letters_of_partials) {
                assert_int_equal(strspn(event.text, letters_of_partials), strlen(event.text));
            }
        }
        if (event.kind != KODAMA_EVENT_FINAL) continue;
        assert_false(event.revised);
        size_t n = strlen(seen->finals);
        snprintf(seen->finals + n, TEXT_BYTES - n, "%s%s", n ? " | " : "", event.text);
    }
    return status;
}

static void partials_are_of_one_model_and_finals_of_another(void **state)
{
    (void)state;
    struct letter a, b;
    struct two_passes seen = {0};
    struct kodama_model_stats stats;
    struct kodama_model *slow = open_letter(&a, 'A'), *fast = open_letter(&b, 'B');
    struct kodama_recognizer *recognizer = open_recognizer(slow, fast, NULL);
    size_t n;
    const float *samples = speech(&n);
    for (size_t at = 0; at + RATE / 10 <= n; at += RATE / 10) { /* with time for partials */
        assert_int_equal(
            kodama_recognizer_write(recognizer, samples + at, RATE / 10, KODAMA_FOREVER),
            RATE / 10);
        uint64_t deadline = clock_deadline(patience_ns);
        do {
            kodama_model_stats(fast, &stats);
        } while (stats.partials_waiting > 0 && clock_now_ns() < deadline);
        (void)read_two_passes(recognizer, 0, "B ", &seen);
    }
    assert_int_equal(kodama_recognizer_finish(recognizer), KODAMA_OK);
    assert_int_equal(read_two_passes(recognizer, patience_ns, "B ", &seen), KODAMA_ERR_CLOSED);
    assert_true(seen.n_partials > 0);
    assert_int_equal(strncmp(seen.finals, "A1", 2), 0);
    assert_null(strchr(seen.finals, 'B'));
    kodama_model_stats(slow, &stats);
    assert_int_equal(stats.partials, 0);
    kodama_model_stats(fast, &stats);
    assert_true(stats.partials > 0);
    assert_int_equal(stats.finals, 0);
    kodama_recognizer_close(recognizer);
    kodama_model_close(slow);
    kodama_model_close(fast);
}

static void the_fast_model_needs_the_language_too(void **state)
{
    (void)state;
    struct letter a, b;
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *recognizer;
    struct kodama_model *slow = open_letter(&b, 'B'), *english = open_letter(&a, 'A');
    config.format = (struct kodama_format){KODAMA_SAMPLE_F32, RATE, 1, 0};
    config.partials_model = english;
    config.language = "de";
    assert_int_equal(kodama_recognizer_open(&recognizer, slow, &config, NULL), KODAMA_ERR_ARGUMENT);
    kodama_model_close(slow);
    kodama_model_close(english);
}

static void finals_are_the_same_with_and_without_a_fast_model(void **state)
{
    (void)state;
    if (!engine_find("pocketsphinx")) skip();
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_model *dictation, *grammar, *both[2];
    const char *path = test_scratch(".gram");
    struct two_passes seen[2] = {0};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#JSGF V1.0;\ngrammar side;\npublic <side> = front (center | left | right);\n");
    fclose(file);
    size_t n, n_spoken;
    uint32_t rate_hz;
    float *spoken = test_read_audio(test_installed("/usr/share/sounds/alsa/Front_Center.wav"),
                                    &n_spoken, &rate_hz, NULL);
    const float *silence = calloc(rate_hz, sizeof *silence);
    config.engine = "pocketsphinx";
    config.n_decoders = 1;
    if (kodama_model_open(&dictation, &config, NULL) < 0) skip();
    config.grammar = path;
    assert_int_equal(kodama_model_open(&grammar, &config, NULL), KODAMA_OK);
    both[0] = NULL;
    both[1] = dictation;
    for (int i = 0; i < 2; i++) {
        struct kodama_recognizer_config settings = KODAMA_RECOGNIZER_CONFIG_INIT;
        struct kodama_recognizer *recognizer;
        settings.format = (struct kodama_format){KODAMA_SAMPLE_F32, rate_hz, 1, 0};
        settings.partials_model = both[i];
        settings.partials = i == 1;
        assert_int_equal(kodama_recognizer_open(&recognizer, grammar, &settings, NULL), KODAMA_OK);
        n = rate_hz / 2;
        assert_int_equal(kodama_recognizer_write(recognizer, silence, n, KODAMA_FOREVER), n);
        assert_int_equal(kodama_recognizer_write(recognizer, spoken, n_spoken, KODAMA_FOREVER),
                         n_spoken);
        assert_int_equal(kodama_recognizer_write(recognizer, silence, n, KODAMA_FOREVER), n);
        assert_int_equal(kodama_recognizer_finish(recognizer), KODAMA_OK);
        assert_int_equal(read_two_passes(recognizer, patience_ns, NULL, &seen[i]),
                         KODAMA_ERR_CLOSED);
        kodama_recognizer_close(recognizer);
    }
    assert_string_equal(seen[0].finals, "front center");
    assert_string_equal(seen[1].finals, seen[0].finals);
    kodama_model_close(grammar);
    kodama_model_close(dictation);
    free(spoken);
    free((void *)silence);
}

/** Two of Whisper's: what the small one says is tentative, what the large one says is written. */
static void one_model_of_whisper_drafts_and_another_decides(void **state)
{
    (void)state;
    if (!engine_find("whisper")) skip();
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_model *models[2];
    static const char *const scripts[] = {"<0.00> a hasty draft <1.00>",
                                          "<0.00> well considered words <1.00>"};
    config.n_decoders = 1;
    for (int i = 0; i < 2; i++) {
        const char *path = test_scratch(".bin");
        struct kodama_error error = {0};
        whisper_model_write(path, scripts[i], false);
        config.path = path;
        if (kodama_model_open(&models[i], &config, &error) < 0) fail_msg("%s", error.message);
    }
    struct kodama_recognizer *recognizer = open_recognizer(models[1], models[0], NULL);
    struct kodama_event event;
    int n_drafts = 0;
    uint64_t deadline = clock_deadline(patience_ns);
    speak(recognizer, SPOKEN);
    while (n_drafts == 0 && clock_now_ns() < deadline) {
        if (kodama_recognizer_next(recognizer, &event, 100 * CLOCK_NS_PER_MS) != KODAMA_OK)
            continue;
        if (event.kind != KODAMA_EVENT_PARTIAL) continue;
        assert_string_equal(event.text, "a hasty draft");
        assert_int_equal(event.stable_bytes, 0);
        n_drafts++;
    }
    assert_int_equal(n_drafts, 1);
    assert_int_equal(kodama_recognizer_finalize(recognizer), KODAMA_OK);
    assert_finals(recognizer, 1, "well considered words");
    /* And the other way round, from the next utterance on. */
    assert_int_equal(kodama_recognizer_switch(recognizer, models[0], NULL), KODAMA_OK);
    speak(recognizer, SPOKEN);
    assert_int_equal(kodama_recognizer_finish(recognizer), KODAMA_OK);
    assert_finals(recognizer, 1, "a hasty draft");
    kodama_recognizer_close(recognizer);
    for (int i = 0; i < 2; i++) kodama_model_close(models[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_utterance_in_progress_stays_with_its_model),
        cmocka_unit_test(finals_come_in_order_across_a_switch),
        cmocka_unit_test(the_old_model_goes_when_its_last_utterance_is_decided),
        cmocka_unit_test(a_model_that_comes_back_begins_anew),
        cmocka_unit_test(switches_at_random_lose_nothing),
        cmocka_unit_test(a_model_without_the_language_is_refused),
        cmocka_unit_test(a_conversation_can_be_saved_in_the_middle_of_a_switch),
        cmocka_unit_test(partials_are_of_one_model_and_finals_of_another),
        cmocka_unit_test(the_fast_model_needs_the_language_too),
        cmocka_unit_test(finals_are_the_same_with_and_without_a_fast_model),
        cmocka_unit_test(one_model_of_whisper_drafts_and_another_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
