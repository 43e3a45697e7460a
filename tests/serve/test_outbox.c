/* Tests of the outbox: numbers, shedding, replay. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/outbox.h"

static void push(struct outbox *outbox, const char *text, enum outbox_kind kind, int n_shed)
{
    assert_int_equal(outbox_push(outbox, strdup(text), kind), n_shed);
}

static void expect(struct outbox *outbox, const char *expected)
{
    size_t n_bytes = 0;
    char *text = outbox_take(outbox, 3, &n_bytes, NULL);
    if (!expected) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_int_equal(n_bytes, strlen(expected));
    assert_memory_equal(text + 3, expected, n_bytes);
    free(text);
}

static void messages_are_numbered_when_they_are_sent(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    push(&outbox, "{\"a\":1}", OUTBOX_KEPT, 0);
    push(&outbox, "{\"b\":1}", OUTBOX_KEPT, 0);
    expect(&outbox, "{\"seq\":1,\"a\":1}");
    expect(&outbox, "{\"seq\":2,\"b\":1}");
    expect(&outbox, NULL);
    outbox_free(&outbox);
}

static void a_newer_partial_takes_the_place_of_an_unsent_one(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    push(&outbox, "{\"p\":1}", OUTBOX_PARTIAL, 0);
    push(&outbox, "{\"f\":1}", OUTBOX_KEPT, 0);
    push(&outbox, "{\"p\":2}", OUTBOX_PARTIAL, 1);
    expect(&outbox, "{\"seq\":1,\"f\":1}");
    expect(&outbox, "{\"seq\":2,\"p\":2}");
    expect(&outbox, NULL);
    outbox_free(&outbox);
}

static void what_is_kept_is_replayed_with_its_numbers(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    push(&outbox, "{\"f\":1}", OUTBOX_KEPT, 0);
    push(&outbox, "{\"p\":2}", OUTBOX_PARTIAL, 0);
    push(&outbox, "{\"f\":3}", OUTBOX_KEPT, 0);
    for (int i = 0; i < 3; i++) {
        size_t n_bytes;
        free(outbox_take(&outbox, 0, &n_bytes, NULL));
    }
    push(&outbox, "{\"f\":4}", OUTBOX_KEPT, 0);
    assert_true(outbox_rewind(&outbox, 1));
    expect(&outbox, "{\"seq\":3,\"f\":3}");
    assert_true(outbox_rewind(&outbox, 0));
    expect(&outbox, "{\"seq\":1,\"f\":1}");
    expect(&outbox, "{\"seq\":3,\"f\":3}");
    expect(&outbox, "{\"seq\":4,\"f\":4}");
    expect(&outbox, NULL);
    assert_false(outbox_rewind(&outbox, 5));
    assert_true(outbox_rewind(&outbox, 4));
    expect(&outbox, NULL);
    assert_int_equal(outbox.unsent_bytes, 0);
    outbox_free(&outbox);
}

static void memory_is_bounded_and_what_was_dropped_is_not_replayed(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    char *text = malloc(10001);
    memset(text, 'x', 10000);
    text[0] = '{';
    text[10000] = '\0';
    for (int i = 0; i < 500; i++) {
        size_t n_bytes;
        push(&outbox, text, OUTBOX_KEPT, 0);
        free(outbox_take(&outbox, 0, &n_bytes, NULL));
        assert_true(outbox.kept_bytes <= OUTBOX_KEPT_MAX);
    }
    assert_false(outbox_rewind(&outbox, 10));
    assert_true(outbox_rewind(&outbox, 490));
    for (int i = 0; i < 30; i++) push(&outbox, text, OUTBOX_KEPT, 0);
    assert_true(outbox_is_clogged(&outbox));
    push(&outbox, "{\"p\":1}", OUTBOX_PARTIAL, 1); /* shed itself */
    free(text);
    outbox_free(&outbox);
}

/* A process is lost after its record was stored: what it still sent had numbers that the next one
 * does not know. */
static void what_another_process_says_is_newer_than_all_that_the_lost_one_sent(void **state)
{
    (void)state;
    struct outbox lost = {.holds = true}, next = {.holds = true};
    struct record record = record_writer();
    push(&lost, "{\"f\":1}", OUTBOX_KEPT, 0);
    assert_int_equal(outbox_save(&lost, &record), 1);
    outbox_release(&lost, 1);
    expect(&lost, "{\"seq\":1,\"f\":1}");
    for (int i = 2; i <= 5; i++) {
        char expected[30];
        push(&lost, "{\"a\":1}", OUTBOX_ACK, 0);
        snprintf(expected, sizeof expected, "{\"seq\":%d,\"a\":1}", i);
        expect(&lost, expected);
    }
    outbox_free(&lost);
    struct record reader = record_reader(record.data, record.n_bytes);
    outbox_load(&next, &reader);
    assert_false(reader.failed);
    record_free(&record);

    /* It goes on, and is saved, before its client is back. */
    record = record_writer();
    push(&next, "{\"f\":2}", OUTBOX_KEPT, 0);
    uint64_t seq = outbox_save(&next, &record);
    outbox_release(&next, seq);
    record_free(&record);
    assert_true(seq > 5);
    assert_true(outbox_rewind(&next, 5));
    char expected[40];
    snprintf(expected, sizeof expected, "{\"seq\":%d,\"f\":2}", (int)seq);
    expect(&next, expected);
    expect(&next, NULL);
    assert_true(outbox_rewind(&next, 0));
    expect(&next, "{\"seq\":1,\"f\":1}");
    outbox_free(&next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_numbered_when_they_are_sent),
        cmocka_unit_test(a_newer_partial_takes_the_place_of_an_unsent_one),
        cmocka_unit_test(what_is_kept_is_replayed_with_its_numbers),
        cmocka_unit_test(memory_is_bounded_and_what_was_dropped_is_not_replayed),
        cmocka_unit_test(what_another_process_says_is_newer_than_all_that_the_lost_one_sent),
    };
    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
