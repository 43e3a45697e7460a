/* Tests of the stabiliser: what becomes firm, and what never does. */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include "speech/stabilizer.h"

/* Words of 300 ms each, one after the other, from a sentence. */
static struct engine_result hypothesis(const char *sentence)
{
    struct engine_result result = {0};
    uint32_t at = 0;
    while (*sentence) {
        size_t n = strcspn(sentence, " ");
        assert_true(engine_result_add(&result, sentence, n, at, at + 4800, 1.0f));
        at += 4800;
        sentence += n;
        if (*sentence) sentence++;
    }
    assert_true(engine_result_join(&result));
    return result;
}

/* Hear a sentence when n_samples of audio exist. */
static void hear_at(struct stabilizer *stabilizer, const char *sentence, size_t n_samples)
{
    struct engine_result result = hypothesis(sentence);
    assert_int_equal(stabilizer_hear(stabilizer, &result, n_samples), KODAMA_OK);
    engine_result_clear(&result);
}

/* Hear it long after its last word. */
static void hear(struct stabilizer *stabilizer, const char *sentence)
{
    hear_at(stabilizer, sentence, 100 * 16000);
}

static void assert_firm(const struct stabilizer *stabilizer, const char *firm)
{
    assert_int_equal(stabilizer->stable_bytes, strlen(firm));
    assert_memory_equal(stabilizer->text, firm, strlen(firm));
}

static void what_two_hypotheses_share_is_firm(void **state)
{
    (void)state;
    struct stabilizer stabilizer = {0};
    hear(&stabilizer, "ask not");
    assert_firm(&stabilizer, "");
    hear(&stabilizer, "ask not what");
    assert_firm(&stabilizer, "ask not");
    assert_string_equal(stabilizer.text, "ask not what");
    hear(&stabilizer, "ask not why your");
    assert_firm(&stabilizer, "ask not");
    hear(&stabilizer, "ask not why your country");
    assert_firm(&stabilizer, "ask not why your");
    stabilizer_reset(&stabilizer);
}

static void firm_text_binds_later_partials(void **state)
{
    (void)state;
    struct stabilizer stabilizer = {0};
    hear(&stabilizer, "ask not what");
    hear(&stabilizer, "ask not what");
    hear(&stabilizer, "and not what your");
    assert_firm(&stabilizer, "ask not what");
    assert_string_equal(stabilizer.text, "ask not what your");
    hear(&stabilizer, "something");
    assert_string_equal(stabilizer.text, "ask not what");
    hear(&stabilizer, "");
    assert_string_equal(stabilizer.text, "ask not what");
    stabilizer_reset(&stabilizer);
}

static void a_word_that_has_just_ended_is_not_firm_yet(void **state)
{
    (void)state;
    struct stabilizer stabilizer = {0};
    hear_at(&stabilizer, "ask not", 9600);
    hear_at(&stabilizer, "ask not", 9700);
    assert_firm(&stabilizer, "");
    hear_at(&stabilizer, "ask not", 4800 + 12800);
    assert_firm(&stabilizer, "ask");
    hear_at(&stabilizer, "ask not", 9600 + 12800);
    assert_firm(&stabilizer, "ask not");
    stabilizer_reset(&stabilizer);
}

static void words_beyond_the_audio_are_refused(void **state)
{
    (void)state;
    struct stabilizer stabilizer = {0};
    hear_at(&stabilizer, "ask not what your country", 9600);
    assert_string_equal(stabilizer.text, "ask not");
    stabilizer_reset(&stabilizer);
}

static void a_loop_is_cut_before_it_is_confirmed(void **state)
{
    (void)state;
    struct stabilizer stabilizer = {0};
    const char *loop = "well thanks for watching thanks for watching thanks for watching";
    hear(&stabilizer, loop);
    hear(&stabilizer, loop);
    assert_string_equal(stabilizer.text, "well thanks for watching");
    hear(&stabilizer, "you you you you you you");
    hear(&stabilizer, "you you you you you you you");
    assert_string_equal(stabilizer.text, "well thanks for watching");
    stabilizer_reset(&stabilizer);
    hear(&stabilizer, "no no no no and thank you thank you");
    assert_string_equal(stabilizer.text, "no no no no and thank you thank you");
    stabilizer_reset(&stabilizer);
}

static void firm_text_never_shrinks_whatever_is_heard(void **state)
{
    (void)state;
    static const char *const words[] = {"a", "b", "c", "d"};
    struct test_random random = {.state = 7};
    for (int round = 0; round < 200; round++) {
        struct stabilizer stabilizer = {0};
        char firm[4096] = "";
        for (int step = 0; step < 30; step++) {
            char sentence[200] = "";
            size_t n_words = test_random_below(&random, 20);
            size_t offset = 0;
            for (size_t i = 0; i < n_words; i++) {
                const char *word = words[test_random_below(&random, i < 10 ? 1 + i % 4 : 4)];
                sentence[offset++] = *word;
                sentence[offset++] = ' ';
            }
            sentence[offset > 0 ? offset - 1 : 0] = 0;
            hear_at(&stabilizer, sentence, 4800 + test_random_below(&random, 150000));
            assert_true(stabilizer.stable_bytes >= strlen(firm));
            assert_memory_equal(stabilizer.text, firm, strlen(firm));
            memcpy(firm, stabilizer.text, stabilizer.stable_bytes);
            firm[stabilizer.stable_bytes] = 0;
            assert_false(stabilizer_deviates(&stabilizer, stabilizer.text));
        }
        stabilizer_reset(&stabilizer);
    }
}

static void a_final_that_deviates_is_noticed(void **state)
{
    (void)state;
    struct stabilizer stabilizer = {0};
    assert_false(stabilizer_deviates(&stabilizer, "anything"));
    hear(&stabilizer, "ask not");
    hear(&stabilizer, "ask not");
    assert_false(stabilizer_deviates(&stabilizer, "ask not"));
    assert_false(stabilizer_deviates(&stabilizer, "ask not what"));
    assert_true(stabilizer_deviates(&stabilizer, "ask nothing"));
    assert_true(stabilizer_deviates(&stabilizer, "ask"));
    assert_true(stabilizer_deviates(&stabilizer, ""));
    stabilizer_reset(&stabilizer);
}

static void firm_text_survives_save_and_load(void **state)
{
    (void)state;
    struct stabilizer stabilizer = {0};
    hear(&stabilizer, "ask not what");
    hear(&stabilizer, "ask not why");
    struct record record = record_writer();
    stabilizer_save(&stabilizer, &record);
    assert_false(record.failed);
    struct stabilizer other = {0};
    struct record reader = record_reader(record.data, record.n_bytes);
    stabilizer_load(&other, &reader);
    assert_false(reader.failed);
    assert_firm(&other, "ask not");
    for (size_t n = 0; n < record.n_bytes; n++) {
        struct record cut = record_reader(record.data, n);
        stabilizer_load(&other, &cut);
        assert_true(cut.failed);
        assert_int_equal(other.n_words, 0);
    }
    record_free(&record);
    stabilizer_reset(&stabilizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_two_hypotheses_share_is_firm),
        cmocka_unit_test(firm_text_binds_later_partials),
        cmocka_unit_test(a_word_that_has_just_ended_is_not_firm_yet),
        cmocka_unit_test(words_beyond_the_audio_are_refused),
        cmocka_unit_test(a_loop_is_cut_before_it_is_confirmed),
        cmocka_unit_test(firm_text_never_shrinks_whatever_is_heard),
        cmocka_unit_test(a_final_that_deviates_is_noticed),
        cmocka_unit_test(firm_text_survives_save_and_load),
    };
    return cmocka_run_group_tests_name("stabilizer", tests, NULL, NULL);
}
