/* Tests of the Whisper engine with models that say a given text: words and times, the conversation
 * as a prompt, languages, partials, cancelling, parallel use. */
#include "support/support.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "speech/engine.h"
#include "support/whisper_model.h"

static const _Atomic bool never = false;

struct fixture {
    const struct engine_ops *ops;
    void *model, *decoder;
    const char *path;
};

static void open_model(struct fixture *f, const char *script, bool multilingual,
                       const char *language)
{
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_error error = {0};
    char name[100];
    f->ops = engine_find("whisper");
    if (!f->ops) {
        printf("# skipped: no libwhisper\n");
        skip();
        return;
    }
    f->path = test_scratch(".bin");
    whisper_model_write(f->path, script, multilingual);
    config.path = f->path;
    config.language = language;
    config.n_decoders = 8; /* one thread in each */
    if (f->ops->model_open(&f->model, &config, name, sizeof name, &error) < 0 ||
        f->ops->decoder_open(&f->decoder, f->model, &error) < 0) {
        fail_msg("%s", error.message);
    }
}

static void close_model(struct fixture *f)
{
    f->ops->decoder_close(f->decoder);
    f->ops->model_close(f->model);
}

/** Noise of some seconds, always the same. */
static float *make_sound(double seconds, size_t *n_samples)
{
    struct test_random random = {.state = 5};
    *n_samples = (size_t)(seconds * ENGINE_RATE_HZ);
    float *samples = malloc((*n_samples + 1) * sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < *n_samples; i++) samples[i] = 0.1f * test_random_float(&random);
    return samples;
}

static void decode(struct fixture *f, void *decoder, double seconds, struct engine_context *context,
                   struct engine_result *result)
{
    struct kodama_error error = {0};
    struct engine_context none = {0};
    size_t n;
    float *samples = make_sound(seconds, &n);
    int status =
        f->ops->decode(decoder, samples, n, context ? context : &none, &never, result, &error);
    free(none.data);
    free(samples);
    if (status < 0) fail_msg("%s", error.message);
}

static void the_words_come_with_times_that_never_go_back(void **state)
{
    (void)state;
    struct fixture f;
    open_model(&f, "<0.00> hello wonder +ful world, again <1.80>", false, NULL);
    struct engine_result result;
    decode(&f, f.decoder, 2.0, NULL, &result);
    assert_string_equal(result.text, "hello wonderful world, again");
    assert_int_equal(result.n_words, 4);
    assert_string_equal(result.language, "en");
    uint32_t end = 0;
    for (size_t i = 0; i < result.n_words; i++) {
        const struct engine_word *word = &result.words[i];
        assert_true(word->begin >= end && word->end >= word->begin);
        assert_true(word->end <= 2 * ENGINE_RATE_HZ);
        assert_true(word->confidence > 0.5f && word->confidence <= 1.0f);
        end = word->end;
    }
    assert_true(end > ENGINE_RATE_HZ && result.words[0].end < ENGINE_RATE_HZ);
    engine_result_clear(&result);
    close_model(&f);
}

static void earlier_finals_are_the_prompt_and_nothing_else_is(void **state)
{
    (void)state;
    struct fixture f;
    /* A prompt of three tokens moves the beginning to the fourth place. */
    open_model(&f, "<0.00> hello dear world <0.50> <0.50> again <1.50>", false, NULL);
    struct engine_context context = {0};
    struct engine_result result[3];
    decode(&f, f.decoder, 2.0, NULL, &result[0]);
    assert_string_equal(result[0].text, "hello dear world again");
    engine_result_clear(&result[0]);
    /* The same decoder again, for a conversation that has said nothing. */
    decode(&f, f.decoder, 2.0, &context, &result[0]);
    assert_string_equal(result[0].text, "hello dear world again");
    assert_true(context.n_bytes > 0 && context.n_bytes < 1000);
    decode(&f, f.decoder, 2.0, &context, &result[1]);
    assert_string_not_equal(result[1].text, result[0].text);
    engine_result_clear(&result[0]);
    /* And once more without a past, after one that had some. */
    decode(&f, f.decoder, 2.0, NULL, &result[0]);
    assert_string_equal(result[0].text, "hello dear world again");
    for (int i = 0; i < 2; i++) engine_result_clear(&result[i]);
    free(context.data);
    close_model(&f);
}

static void a_long_past_keeps_its_end_only(void **state)
{
    (void)state;
    struct fixture f;
    open_model(&f, "<0.00> alpha beta gamma delta <1.50>", false, NULL);
    struct engine_context context = {0};
    for (int i = 0; i < 60; i++) {
        struct engine_result result;
        decode(&f, f.decoder, 0.5, &context, &result);
        engine_result_clear(&result);
        assert_true(context.n_bytes < 1000);
    }
    free(context.data);
    close_model(&f);
}

static void a_language_is_found_out_or_set(void **state)
{
    (void)state;
    struct fixture f;
    open_model(&f, "[2] <0.00> <0.00> guten Tag <1.00>", true, NULL);
    struct engine_result result;
    struct engine_context context = {0};
    decode(&f, f.decoder, 2.0, &context, &result);
    assert_string_equal(result.language, "de");
    assert_string_equal(result.text, "guten Tag");
    engine_result_clear(&result);
    free(context.data);
    context = (struct engine_context){.language = "ja"};
    decode(&f, f.decoder, 2.0, &context, &result);
    assert_string_equal(result.language, "ja");
    engine_result_clear(&result);
    free(context.data);
    struct kodama_error error = {0};
    assert_int_equal(f.ops->check_language(f.model, "fr", &error), KODAMA_OK);
    assert_int_equal(f.ops->check_language(f.model, "auto", &error), KODAMA_OK);
    assert_int_equal(f.ops->check_language(f.model, "klingon", &error), KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "klingon"));
    assert_int_equal(f.ops->check_language(f.model, "tlh", &error), KODAMA_ERR_ARGUMENT);
    close_model(&f);

    open_model(&f, "<0.00> hello <1.00>", false, NULL);
    assert_int_equal(f.ops->check_language(f.model, "de", &error), KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "English only"));
    close_model(&f);
    open_model(&f, "[2] <0.00> <0.00> salut <1.00>", true, "fr");
    decode(&f, f.decoder, 2.0, NULL, &result);
    assert_string_equal(result.language, "fr");
    engine_result_clear(&result);
    close_model(&f);
}

static void utterances_of_any_length_and_content_are_survived(void **state)
{
    (void)state;
    struct fixture f;
    open_model(&f, "<0.00> so it is <29.00>", false, NULL);
    static const double lengths[] = {0.0, 0.01, 0.0999, 0.1, 0.11, 0.3, 30.0, 30.05, 45.0};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct engine_result result;
        decode(&f, f.decoder, lengths[i], NULL, &result);
        if (lengths[i] >= 0.2) assert_non_null(strstr(result.text, "so it is"));
        if (lengths[i] < 0.1) assert_string_equal(result.text, "");
        for (size_t j = 0; j < result.n_words; j++) {
            assert_true(result.words[j].end <= (uint32_t)(lengths[i] * ENGINE_RATE_HZ));
        }
        engine_result_clear(&result);
    }
    static float wild[ENGINE_RATE_HZ];
    for (int kind = 0; kind < 4; kind++) {
        struct engine_result result;
        struct engine_context none = {0};
        for (size_t i = 0; i < ENGINE_RATE_HZ; i++) {
            wild[i] = kind == 0 ? 0.0f : kind == 1 ? NAN : kind == 2 ? 1e30f : -INFINITY;
        }
        assert_int_equal(
            f.ops->decode(f.decoder, wild, ENGINE_RATE_HZ, &none, &never, &result, NULL),
            KODAMA_OK);
        engine_result_clear(&result);
        free(none.data);
    }
    close_model(&f);
}

static void a_loop_is_decoded_anew_and_survived(void **state)
{
    (void)state;
    struct fixture f;
    char script[200] = "<0.00>";
    for (size_t i = strlen(script); i + 4 < sizeof script; i += 3) memcpy(script + i, " la", 4);
    open_model(&f, script, false, NULL);
    struct engine_result result[2];
    decode(&f, f.decoder, 2.0, NULL, &result[0]);
    decode(&f, f.decoder, 2.0, NULL, &result[1]);
    assert_string_equal(result[0].text, result[1].text);
    for (int i = 0; i < 2; i++) engine_result_clear(&result[i]);
    close_model(&f);
}

static void what_is_cancelled_says_so_and_leaves_a_decoder_that_works(void **state)
{
    (void)state;
    struct fixture f;
    open_model(&f, "<0.00> go on <1.00>", false, NULL);
    static const _Atomic bool at_once = true;
    struct engine_context none = {0};
    struct engine_result result;
    size_t n;
    float *samples = make_sound(2.0, &n);
    assert_int_equal(f.ops->decode(f.decoder, samples, n, &none, &at_once, &result, NULL),
                     KODAMA_ERR_CANCELLED);
    assert_int_equal(f.ops->guess(f.decoder, samples, n, &none, &at_once, &result),
                     KODAMA_ERR_CANCELLED);
    assert_null(none.data);
    decode(&f, f.decoder, 2.0, NULL, &result);
    assert_string_equal(result.text, "go on");
    engine_result_clear(&result);
    free(samples);
    close_model(&f);
}

struct canceller {
    struct fixture *f;
    _Atomic bool cancel, begun;
    int status;
};

static void *decode_for_long(void *argument)
{
    struct canceller *c = argument;
    struct engine_context none = {0};
    struct engine_result result;
    size_t n;
    float *samples = make_sound(300.0, &n); /* ten passes of the encoder */
    atomic_store(&c->begun, true);
    c->status = c->f->ops->decode(c->f->decoder, samples, n, &none, &c->cancel, &result, NULL);
    if (c->status == KODAMA_OK) engine_result_clear(&result);
    free(none.data);
    free(samples);
    return NULL;
}

static void a_final_that_runs_is_cancelled_on_the_way(void **state)
{
    (void)state;
    struct fixture f;
    open_model(&f, "<0.00> never ending <30.00>", false, NULL);
    struct canceller c = {.f = &f};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, decode_for_long, &c), 0);
    while (!atomic_load(&c.begun)) {
    }
    atomic_store(&c.cancel, true);
    pthread_join(thread, NULL);
    assert_int_equal(c.status, KODAMA_ERR_CANCELLED);
    struct engine_result result;
    decode(&f, f.decoder, 1.0, NULL, &result);
    assert_string_equal(result.text, "never ending");
    engine_result_clear(&result);
    close_model(&f);
}

struct speaker {
    struct fixture *f;
    char said[2000];
};

static void *talk(void *argument)
{
    struct speaker *speaker = argument;
    struct fixture *f = speaker->f;
    struct engine_context context = {0};
    void *decoder;
    if (f->ops->decoder_open(&decoder, f->model, NULL) < 0) return NULL;
    for (int i = 0; i < 4; i++) {
        struct engine_result result;
        decode(f, decoder, 2.0 + 0.7 * (i % 3), &context, &result);
        size_t n = strlen(speaker->said);
        snprintf(speaker->said + n, sizeof speaker->said - n, "%s|", result.text);
        engine_result_clear(&result);
    }
    f->ops->decoder_close(decoder);
    free(context.data);
    return NULL;
}

static void many_decoders_of_one_model_run_at_once_and_agree(void **state)
{
    (void)state;
    enum { SPEAKERS = 6 };
    struct fixture f;
    open_model(&f, "<0.00> one two three <0.50> <0.50> four five six <1.50>", false, NULL);
    static struct speaker speakers[SPEAKERS];
    pthread_t threads[SPEAKERS];
    for (int i = 0; i < SPEAKERS; i++) {
        speakers[i] = (struct speaker){.f = &f};
        assert_int_equal(pthread_create(&threads[i], NULL, talk, &speakers[i]), 0);
    }
    for (int i = 0; i < SPEAKERS; i++) pthread_join(threads[i], NULL);
    assert_true(strncmp(speakers[0].said, "one two three four five six|", 28) == 0);
    for (int i = 1; i < SPEAKERS; i++) {
        assert_string_equal(speakers[i].said, speakers[0].said);
    }
    close_model(&f);
}

/** What a conversation says of real speech, written at once or in small pieces. */
static char *converse(struct kodama_model *model, bool partials, size_t piece, int *n_partials)
{
    struct kodama_recognizer_config config = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *recognizer;
    struct kodama_error error = {0};
    size_t n;
    uint32_t rate_hz;
    float *samples = test_read_audio(test_shared("speech/jfk.wav"), &n, &rate_hz, NULL);
    config.format = (struct kodama_format){KODAMA_SAMPLE_F32, rate_hz, 1, 0};
    config.partials = partials;
    config.language = "auto";
    char *said = calloc(1, 4000);
    assert_non_null(said);
    if (kodama_recognizer_open(&recognizer, model, &config, &error) < 0) {
        fail_msg("%s", error.message);
    }
    for (size_t i = 0; i < n; i += piece) {
        size_t n_now = n - i < piece ? n - i : piece;
        assert_int_equal(kodama_recognizer_write(recognizer, samples + i, n_now, -1), n_now);
    }
    assert_int_equal(kodama_recognizer_finish(recognizer), KODAMA_OK);
    struct kodama_event event;
    while (kodama_recognizer_next(recognizer, &event, -1) == KODAMA_OK) {
        assert_int_not_equal(event.kind, KODAMA_EVENT_FAILED);
        if (event.kind == KODAMA_EVENT_PARTIAL) (*n_partials)++;
        if (event.kind != KODAMA_EVENT_FINAL) continue;
        assert_string_equal(event.language, "en");
        size_t length = strlen(said);
        snprintf(said + length, 4000 - length, "%.3f %s;", event.start_s, event.text);
    }
    kodama_recognizer_close(recognizer);
    free(samples);
    return said;
}

static void a_conversation_has_partials_and_finals_that_do_not_depend_on_them(void **state)
{
    (void)state;
    struct fixture f;
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_error error = {0};
    struct kodama_model *model;
    int n_partials = 0;
    test_shared("speech/jfk.wav");
    open_model(&f, "<0.00> ask not what your country <0.60> <0.60> can do for you <1.20>", false,
               NULL);
    config.path = f.path;
    config.n_decoders = 2;
    if (kodama_model_open(&model, &config, &error) < 0) fail_msg("%s", error.message);
    struct kodama_recognizer_config wrong = KODAMA_RECOGNIZER_CONFIG_INIT;
    struct kodama_recognizer *recognizer;
    wrong.format = (struct kodama_format){KODAMA_SAMPLE_F32, 16000, 1, 0};
    wrong.language = "de";
    assert_int_equal(kodama_recognizer_open(&recognizer, model, &wrong, &error),
                     KODAMA_ERR_ARGUMENT);
    char *with = converse(model, true, 1600, &n_partials);
    char *without = converse(model, false, 100000, &n_partials);
    assert_non_null(strstr(with, "ask not what your country can do for you;"));
    assert_string_equal(with, without);
    free(with);
    free(without);
    kodama_model_close(model);
    close_model(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_come_with_times_that_never_go_back),
        cmocka_unit_test(earlier_finals_are_the_prompt_and_nothing_else_is),
        cmocka_unit_test(a_long_past_keeps_its_end_only),
        cmocka_unit_test(a_language_is_found_out_or_set),
        cmocka_unit_test(utterances_of_any_length_and_content_are_survived),
        cmocka_unit_test(a_loop_is_decoded_anew_and_survived),
        cmocka_unit_test(what_is_cancelled_says_so_and_leaves_a_decoder_that_works),
        cmocka_unit_test(a_final_that_runs_is_cancelled_on_the_way),
        cmocka_unit_test(a_conversation_has_partials_and_finals_that_do_not_depend_on_them),
        cmocka_unit_test(many_decoders_of_one_model_run_at_once_and_agree),
    };
    return cmocka_run_group_tests_name("whisper", tests, NULL, NULL);
}
