/* Tests of the queue of events. */
#include <stdlib.h>

#include "base/event_queue.h"
#include "support/support.h"

struct thing {
    struct event_node node;
    int number;
};

static bool push(struct event_queue *queue, int number, uint64_t about, bool passing)
{
    struct thing *thing = calloc(1, sizeof *thing);
    assert_non_null(thing);
    *thing = (struct thing){{.about = about, .passing = passing}, number};
    return event_queue_push(queue, &thing->node);
}

static int pop(struct event_queue *queue)
{
    struct thing *thing = (struct thing *)event_queue_pop(queue);
    int number = thing ? thing->number : 0;
    free(thing);
    return number;
}

static void what_was_pushed_first_is_taken_first(void **state)
{
    (void)state;
    struct event_queue queue = {0};
    assert_int_equal(pop(&queue), 0);
    assert_true(push(&queue, 1, 0, false));
    assert_false(push(&queue, 2, 7, false));
    assert_false(push(&queue, 3, 7, false));
    assert_int_equal(pop(&queue), 1);
    assert_int_equal(pop(&queue), 2);
    assert_false(push(&queue, 4, 0, false));
    assert_int_equal(pop(&queue), 3);
    assert_int_equal(pop(&queue), 4);
    assert_int_equal(pop(&queue), 0);
    assert_true(push(&queue, 5, 0, false));
    assert_int_equal(pop(&queue), 5);
}

static void what_is_passing_gives_way_to_the_next_about_the_same(void **state)
{
    (void)state;
    struct event_queue queue = {0};
    push(&queue, 1, 1, true);  /* at the front */
    push(&queue, 2, 2, true);  /* in the middle */
    push(&queue, 3, 0, false); /* about nothing */
    push(&queue, 4, 1, true);
    push(&queue, 5, 2, false); /* what stays takes its place as well */
    push(&queue, 6, 2, true);  /* and is not displaced */
    push(&queue, 7, 2, false); /* at the end */
    assert_int_equal(pop(&queue), 3);
    assert_int_equal(pop(&queue), 4);
    assert_int_equal(pop(&queue), 5);
    assert_int_equal(pop(&queue), 7);
    assert_int_equal(pop(&queue), 0);
}

static void what_displaces_the_only_one_is_told_of_a_queue_that_was_not_empty(void **state)
{
    (void)state;
    struct event_queue queue = {0};
    assert_true(push(&queue, 1, 9, true));
    assert_false(push(&queue, 2, 9, true)); /* who waits was woken for the first */
    assert_int_equal(pop(&queue), 2);
    assert_null(queue.first);
    assert_null(queue.last);
}

static void what_is_about_nothing_displaces_nothing(void **state)
{
    (void)state;
    struct event_queue queue = {0};
    push(&queue, 1, 0, true);
    push(&queue, 2, 0, true);
    assert_int_equal(pop(&queue), 1);
    assert_int_equal(pop(&queue), 2);
    push(&queue, 3, 1, true);
    push(&queue, 4, 0, false);
    event_queue_clear(&queue);
    assert_int_equal(pop(&queue), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_pushed_first_is_taken_first),
        cmocka_unit_test(what_is_passing_gives_way_to_the_next_about_the_same),
        cmocka_unit_test(what_displaces_the_only_one_is_told_of_a_queue_that_was_not_empty),
        cmocka_unit_test(what_is_about_nothing_displaces_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
