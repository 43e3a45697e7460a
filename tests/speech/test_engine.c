/* Tests of the recognition engines on real speech: what they hear, and that nothing leaks from one
 * utterance to the next. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "speech/engine.h"

#define DATA "/usr/share/pocketsphinx/test/data/"
#define READ DATA "librivox/sense_and_sensibility_01_austen_64kb-"

static const _Atomic bool never = false;

struct fixture {
    const struct engine_ops *ops;
    void *model, *decoder;
};

static void open_fixture(struct fixture *f, const char *grammar)
{
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_error error = {0};
    char name[100];
    config.grammar = grammar;
    f->ops = engine_find("pocketsphinx");
    if (!f->ops || f->ops->probe(name, sizeof name) < 0) {
        printf("# skipped: no PocketSphinx or no model\n");
        skip();
        return;
    }
    if (f->ops->model_open(&f->model, &config, name, sizeof name, &error) < 0 ||
        f->ops->decoder_open(&f->decoder, f->model, &error) < 0) {
        fail_msg("%s", error.message);
    }
}

static void close_fixture(struct fixture *f)
{
    f->ops->decoder_close(f->decoder);
    f->ops->model_close(f->model);
}

static float *read_speech(const char *path, size_t *n_samples)
{
    uint32_t rate_hz;
    float *samples = test_read_audio(test_installed(path), n_samples, &rate_hz, NULL);
    assert_int_equal(rate_hz, ENGINE_RATE_HZ);
    return samples;
}

static float *read_raw(const char *path, size_t *n_samples)
{
    FILE *file = fopen(test_installed(path), "rb");
    assert_non_null(file);
    static int16_t pcm[200000];
    *n_samples = fread(pcm, sizeof pcm[0], 200000, file);
    fclose(file);
    float *samples = malloc(*n_samples * sizeof *samples);
    assert_non_null(samples);
    for (size_t i = 0; i < *n_samples; i++) samples[i] = (float)pcm[i] / 32768.0f;
    return samples;
}

static void decode(struct fixture *f, void *decoder, const float *samples, size_t n_samples,
                   struct engine_context *context, struct engine_result *result)
{
    struct kodama_error error = {0};
    struct engine_context none = {0};
    int status = f->ops->decode(decoder, samples, n_samples, context ? context : &none, &never,
                                result, &error);
    free(none.data);
    if (status < 0) fail_msg("%s", error.message);
}

static void assert_same(const struct engine_result *a, const struct engine_result *b)
{
    assert_string_equal(a->text, b->text);
    assert_int_equal(a->n_words, b->n_words);
    assert_memory_equal(&a->confidence, &b->confidence, sizeof a->confidence);
    for (size_t i = 0; i < a->n_words; i++) {
        assert_string_equal(a->words[i].text, b->words[i].text);
        assert_int_equal(a->words[i].begin, b->words[i].begin);
        assert_int_equal(a->words[i].end, b->words[i].end);
        assert_memory_equal(&a->words[i].confidence, &b->words[i].confidence, sizeof(float));
    }
}

static void read_english_is_recognised_with_times_and_confidences(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, NULL);
    size_t n;
    float *samples = read_speech(READ "0930.wav", &n);
    struct engine_result result;
    struct engine_context context = {0};
    decode(&f, f.decoder, samples, n, &context, &result);
    assert_string_equal(result.text, "he might even have been made the amiable himself");
    assert_int_equal(result.n_words, 9);
    assert_true(result.confidence > 0.3f && result.confidence <= 1.0f);
    uint32_t end = 0;
    for (size_t i = 0; i < result.n_words; i++) {
        const struct engine_word *word = &result.words[i];
        assert_null(strpbrk(word->text, "<[(+"));
        assert_true(word->begin >= end && word->end > word->begin && word->end <= n);
        assert_true(word->confidence >= 0.0f && word->confidence <= 1.0f);
        end = word->end;
    }
    assert_true(context.n_bytes > 0 && context.n_bytes < 200);
    free(context.data);
    engine_result_clear(&result);
    free(samples);
    close_fixture(&f);
}

static void a_decoder_that_served_another_speaker_gives_identical_finals(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, NULL);
    const char *jfk = test_shared("speech/jfk.wav");
    size_t n;
    size_t n_other;
    float *samples = read_speech(READ "0880.wav", &n);
    float *other = test_read_audio(jfk, &n_other, NULL, NULL);
    n_other /= 3;
    struct engine_result fresh;
    struct engine_result again;
    decode(&f, f.decoder, samples, n, NULL, &fresh);

    /* Another speaker's final, and on another decoder his partials before and after it. */
    void *used;
    assert_int_equal(f.ops->decoder_open(&used, f.model, NULL), KODAMA_OK);
    struct engine_context his = {0};
    decode(&f, used, other, n_other, &his, &again);
    engine_result_clear(&again);
    decode(&f, used, samples, n, NULL, &again);
    assert_same(&fresh, &again);
    engine_result_clear(&again);

    assert_int_equal(f.ops->begin(used, &his), KODAMA_OK);
    n_other -= n_other % ENGINE_HOP;
    assert_int_equal(f.ops->hear(used, other, n_other), KODAMA_OK);
    assert_int_equal(f.ops->partial(used, &again), KODAMA_OK);
    assert_true(again.n_words > 0);
    engine_result_clear(&again);
    f.ops->abandon(used);
    decode(&f, used, samples, n, NULL, &again);
    assert_same(&fresh, &again);
    engine_result_clear(&again);

    /* Also when nobody abandoned it. */
    assert_int_equal(f.ops->begin(used, &his), KODAMA_OK);
    assert_int_equal(f.ops->hear(used, other, n_other / 2 - n_other / 2 % ENGINE_HOP), KODAMA_OK);
    decode(&f, used, samples, n, NULL, &again);
    assert_same(&fresh, &again);
    engine_result_clear(&again);

    engine_result_clear(&fresh);
    free(his.data);
    f.ops->decoder_close(used);
    free(samples);
    free(other);
    close_fixture(&f);
}

static void partials_do_not_depend_on_blocks_or_on_earlier_speakers(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, NULL);
    size_t n;
    size_t n_other;
    float *samples = read_speech(READ "0930.wav", &n);
    float *other = read_raw(DATA "goforward.raw", &n_other);
    struct engine_context none = {0};
    struct engine_result result[2];
    n -= n % (4 * ENGINE_HOP);
    assert_int_equal(f.ops->begin(f.decoder, &none), KODAMA_OK);
    assert_int_equal(f.ops->hear(f.decoder, samples, n), KODAMA_OK);
    assert_int_equal(f.ops->partial(f.decoder, &result[0]), KODAMA_OK);
    assert_true(result[0].n_words > 3);
    assert_int_equal(f.ops->begin(f.decoder, &none), KODAMA_OK);
    assert_int_equal(f.ops->hear(f.decoder, other, n_other - n_other % ENGINE_HOP), KODAMA_OK);
    assert_int_equal(f.ops->begin(f.decoder, &none), KODAMA_OK);
    for (size_t i = 0; i < n; i += 4 * ENGINE_HOP) {
        assert_int_equal(f.ops->hear(f.decoder, samples + i, 4 * ENGINE_HOP), KODAMA_OK);
    }
    assert_int_equal(f.ops->partial(f.decoder, &result[1]), KODAMA_OK);
    assert_same(&result[0], &result[1]);
    for (int i = 0; i < 2; i++) engine_result_clear(&result[i]);
    f.ops->abandon(f.decoder);
    free(samples);
    free(other);
    close_fixture(&f);
}

static void utterances_of_any_length_and_content_are_survived(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, NULL);
    static float samples[8000];
    static const size_t lengths[] = {0, 1, 159, 160, 161, 399, 400, 800, 1601, 8000};
    struct test_random random = {.state = 3};
    struct engine_context context = {0};
    for (int kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < 8000; i++) {
            samples[i] = kind == 0   ? 0.0f
                         : kind == 1 ? test_random_float(&random) / 16384.0f
                         : kind == 2 ? 100.0f * test_random_float(&random)
                                     : (i % 100 < 50 ? 1.0f : -1.0f);
        }
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            struct engine_result result;
            decode(&f, f.decoder, samples, lengths[i], &context, &result);
            assert_non_null(result.text);
            engine_result_clear(&result);
        }
    }
    free(context.data);
    close_fixture(&f);
}

static void a_grammar_allows_only_its_sentences(void **state)
{
    (void)state;
    struct fixture f;
    test_installed(DATA "goforward.gram");
    open_fixture(&f, DATA "goforward.gram");
    size_t n;
    float *samples = read_raw(DATA "goforward.raw", &n);
    struct engine_result result;
    decode(&f, f.decoder, samples, n, NULL, &result);
    assert_string_equal(result.text, "go forward ten meters");
    engine_result_clear(&result);
    struct engine_context none = {0};
    assert_int_equal(f.ops->begin(f.decoder, &none), KODAMA_OK);
    assert_int_equal(f.ops->hear(f.decoder, samples, n - n % ENGINE_HOP), KODAMA_OK);
    assert_int_equal(f.ops->partial(f.decoder, &result), KODAMA_OK);
    assert_string_equal(result.text, "go forward ten meters");
    engine_result_clear(&result);
    free(samples);
    close_fixture(&f);
}

/* Opens a model with a grammar of that text and expects these words in the error. */
static void assert_refused(const char *text, int status, const char *words)
{
    const char *path = test_scratch(".gram");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_model *model;
    struct kodama_error error = {0};
    config.grammar = path;
    config.n_decoders = 1;
    assert_int_equal(kodama_model_open(&model, &config, &error), status);
    assert_null(model);
    if (!strstr(error.message, words)) fail_msg("'%s' lacks '%s'", error.message, words);
    assert_non_null(strstr(error.message, path));
}

static void a_grammar_that_cannot_be_used_is_explained(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, NULL); /* skips without the engine */
    close_fixture(&f);
    assert_refused("#JSGF V1.0;\ngrammar g;\npublic <a> = hello zzyzzxx;\n", KODAMA_ERR_CORRUPT,
                   "zzyzzxx");
    assert_refused("this is no grammar", KODAMA_ERR_CORRUPT, "not a JSGF grammar");
    assert_refused("#JSGF V1.0;\ngrammar g;\n<a> = hello;\n", KODAMA_ERR_CORRUPT, "public rule");
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_model *model;
    struct kodama_error error = {0};
    config.grammar = "/nowhere/at/all.gram";
    assert_int_equal(kodama_model_open(&model, &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nowhere/at/all.gram"));
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    struct kodama_model_config config = KODAMA_MODEL_CONFIG_INIT;
    struct kodama_model *model;
    struct kodama_error error = {0};
    char where[200];
    config.engine = "telepathy";
    assert_int_equal(kodama_model_open(&model, &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "telepathy"));
    assert_int_equal(kodama_engine_probe("telepathy", where, sizeof where), KODAMA_ERR_NOT_FOUND);
    assert_int_equal(kodama_engine_probe("telepathy", NULL, 0), KODAMA_ERR_NOT_FOUND);
    assert_null(kodama_engine_name(1000));
    int status = kodama_engine_probe("pocketsphinx", where, sizeof where);
    if (status == KODAMA_OK) {
        assert_string_equal(kodama_engine_name(0), "pocketsphinx");
        config.engine = "pocketsphinx";
        config.path = "/nowhere";
        assert_int_equal(kodama_model_open(&model, &config, &error), KODAMA_ERR_NOT_FOUND);
        assert_non_null(strstr(error.message, "/nowhere"));
        config.path = "/usr";
        assert_int_equal(kodama_model_open(&model, &config, &error), KODAMA_ERR_NOT_FOUND);
        assert_non_null(strstr(error.message, "acoustic model"));
    } else {
        assert_non_null(strstr(where, "install"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_english_is_recognised_with_times_and_confidences),
        cmocka_unit_test(a_decoder_that_served_another_speaker_gives_identical_finals),
        cmocka_unit_test(partials_do_not_depend_on_blocks_or_on_earlier_speakers),
        cmocka_unit_test(utterances_of_any_length_and_content_are_survived),
        cmocka_unit_test(a_grammar_allows_only_its_sentences),
        cmocka_unit_test(a_grammar_that_cannot_be_used_is_explained),
        cmocka_unit_test(what_is_missing_is_named),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
