/* Tests of adding up record streams in step. */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include "capture/pulse_mix.h"

enum { RATE = 48000, ROOM = 200000 };
static const uint64_t MS = 1000000;

/* What came out, placed by tick: one clock at a time. */
struct heard {
    float *frames;
    uint64_t clock, n, clocks;
};

static void hear(void *user, const float *frames, size_t n_frames, uint64_t clock, uint64_t tick,
                 uint64_t time_ns)
{
    struct heard *heard = user;
    (void)time_ns;
    if (clock != heard->clock) {
        heard->clock = clock;
        heard->clocks++;
        heard->n = 0;
    }
    assert_int_equal(tick, heard->n); /* without a hole, never twice */
    assert_in_range(tick + n_frames, 0, ROOM);
    memcpy(heard->frames + tick, frames, n_frames * sizeof *frames);
    heard->n = tick + n_frames;
}

static int set_up(void **state)
{
    struct heard *heard = calloc(1, sizeof *heard);
    assert_non_null(heard);
    heard->frames = calloc(ROOM, sizeof *heard->frames);
    assert_non_null(heard->frames);
    *state = heard;
    return 0;
}

static int tear_down(void **state)
{
    struct heard *heard = *state;
    free(heard->frames);
    free(heard);
    return 0;
}

/* Values that tell their stream and place, and whose sum tells both. */
static void push(struct pulse_mix *mix, struct pulse_mix_input *input, float unit, size_t first,
                 size_t n, uint64_t time_ns)
{
    float frames[4800];
    assert_in_range(n, 0, 4800);
    for (size_t i = 0; i < n; i++) frames[i] = unit * (float)(first + i + 1);
    if (!pulse_mix_push(mix, input, frames, n, time_ns)) {
        pulse_mix_place(mix, input, time_ns + n / 48 * MS);
    }
}

static void one_stream_goes_through_at_once(void **state)
{
    struct heard *heard = *state;
    struct pulse_mix mix;
    assert_true(pulse_mix_init(&mix, RATE, 1, hear, heard));
    struct pulse_mix_input *input = pulse_mix_add(&mix);
    for (size_t i = 0; i < 10; i++) push(&mix, input, 1, i * 480, 480, 1000 * MS + i * 10 * MS);
    assert_int_equal(heard->n, 4800);
    for (size_t i = 0; i < 4800; i++) assert_true(heard->frames[i] == (float)(i + 1));
    assert_true(pulse_mix_push(&mix, input, NULL, 100, 1100 * MS));
    assert_int_equal(heard->n, 4900);
    assert_true(heard->frames[4850] == 0.0F);
    pulse_mix_free(&mix);
}

static void two_streams_are_added_up_where_time_puts_them(void **state)
{
    struct heard *heard = *state;
    struct pulse_mix mix;
    assert_true(pulse_mix_init(&mix, RATE, 1, hear, heard));
    struct pulse_mix_input *a = pulse_mix_add(&mix);
    push(&mix, a, 1, 0, 480, 1000 * MS);
    push(&mix, a, 1, 480, 480, 1010 * MS);
    assert_int_equal(heard->n, 960);
    struct pulse_mix_input *b = pulse_mix_add(&mix);
    push(&mix, b, 0.0001F, 0, 480, 1020 * MS);
    assert_int_equal(heard->n, 960);
    push(&mix, a, 1, 960, 480, 1020 * MS);
    assert_int_equal(heard->n, 1440);
    for (size_t i = 0; i < 480; i++) {
        assert_true(heard->frames[960 + i] == (float)(961 + i) + 0.0001F * (float)(i + 1));
    }
    push(&mix, b, 0.0001F, 480, 960, 1030 * MS); /* late by another amount: its place stays */
    push(&mix, a, 1, 1440, 480, 1035 * MS);
    assert_int_equal(heard->n, 1920);
    assert_true(heard->frames[1919] == 1920.0F + 0.0001F * 960.0F);
    pulse_mix_free(&mix);
}

static void what_waits_of_an_ended_stream_is_heard(void **state)
{
    struct heard *heard = *state;
    struct pulse_mix mix;
    assert_true(pulse_mix_init(&mix, RATE, 1, hear, heard));
    struct pulse_mix_input *a = pulse_mix_add(&mix), *b = pulse_mix_add(&mix);
    push(&mix, a, 1, 0, 480, 1000 * MS);
    assert_int_equal(heard->n, 0); /* the first frame of b may belong here */
    push(&mix, b, 1, 0, 480, 1000 * MS);
    push(&mix, b, 1, 480, 480, 1010 * MS);
    assert_int_equal(heard->n, 480);
    pulse_mix_end(&mix, b);
    push(&mix, a, 1, 480, 960, 1010 * MS);
    assert_int_equal(heard->n, 1440);
    assert_true(heard->frames[959] == 960.0F + 960.0F);
    assert_true(heard->frames[960] == 961.0F);
    /* The last one too, without another to lead it. */
    struct pulse_mix_input *c = pulse_mix_add(&mix);
    push(&mix, c, 1, 0, 480, 1030 * MS);
    push(&mix, c, 1, 480, 480, 1040 * MS);
    pulse_mix_end(&mix, a);
    assert_int_equal(heard->n, 2400);
    pulse_mix_end(&mix, c);
    assert_null(mix.inputs);
    pulse_mix_free(&mix);
}

static void a_stream_that_stalls_is_not_waited_for_and_loses_nothing(void **state)
{
    struct heard *heard = *state;
    struct pulse_mix mix;
    assert_true(pulse_mix_init(&mix, RATE, 1, hear, heard));
    struct pulse_mix_input *a = pulse_mix_add(&mix), *b = pulse_mix_add(&mix);
    push(&mix, a, 1, 0, 480, 0);
    push(&mix, b, 1, 0, 480, 0);
    size_t n = 480;
    for (; n < RATE; n += 480) push(&mix, a, 0, n, 480, n / 48 * MS);
    assert_in_range(heard->n, RATE / 2, RATE);
    push(&mix, b, 0.5F, 480, 4800, n / 48 * MS);
    for (size_t i = 0; i < 20; i++, n += 480) push(&mix, a, 0, n, 480, n / 48 * MS);
    double sum = 0, wanted = 0;
    for (size_t i = 480; i < heard->n; i++) sum += (double)heard->frames[i];
    for (size_t i = 0; i < 4800; i++) wanted += 0.5 * (double)(481 + i);
    assert_true(sum > wanted - 1 && sum < wanted + 1);
    pulse_mix_free(&mix);
}

static void what_arrives_late_at_once_is_put_where_it_was_heard(void **state)
{
    struct heard *heard = *state;
    struct pulse_mix mix;
    assert_true(pulse_mix_init(&mix, RATE, 1, hear, heard));
    struct pulse_mix_input *a = pulse_mix_add(&mix);
    push(&mix, a, 1, 0, 480, 1000 * MS);
    struct pulse_mix_input *b = pulse_mix_add(&mix);
    float frames[480];
    for (size_t i = 0; i < 480; i++) frames[i] = 0.5F;
    for (size_t i = 1; i < 5; i++) push(&mix, a, 1, i * 480, 480, (1000 + i * 10) * MS);
    assert_int_equal(heard->n, 480);
    /* Three blocks come together; the newest of them ends now, with the newest of the other. */
    for (size_t i = 0; i < 3; i++) {
        assert_false(pulse_mix_push(&mix, b, frames, 480, 1050 * MS));
    }
    pulse_mix_place(&mix, b, 1050 * MS);
    assert_int_equal(heard->n, 2400);
    assert_true(heard->frames[959] == 960.0F && heard->frames[960] == 961.5F);
    assert_true(heard->frames[2399] == 2400.5F);
    pulse_mix_free(&mix);
}

static void one_that_never_comes_is_waited_for_once(void **state)
{
    struct heard *heard = *state;
    struct pulse_mix mix;
    assert_true(pulse_mix_init(&mix, RATE, 1, hear, heard));
    struct pulse_mix_input *a = pulse_mix_add(&mix);
    (void)pulse_mix_add(&mix);
    size_t n = 0;
    for (; n < 4800; n += 480) push(&mix, a, 1, n, 480, n / 48 * MS);
    assert_int_equal(heard->n, 0);
    for (; n < 9600; n += 480) push(&mix, a, 1, n, 480, n / 48 * MS);
    assert_int_equal(heard->n, 9600);
    pulse_mix_free(&mix);
}

static void after_nobody_was_there_it_is_another_clock(void **state)
{
    struct heard *heard = *state;
    struct pulse_mix mix;
    assert_true(pulse_mix_init(&mix, RATE, 1, hear, heard));
    struct pulse_mix_input *a = pulse_mix_add(&mix);
    push(&mix, a, 1, 0, 480, 1000 * MS);
    pulse_mix_end(&mix, a);
    a = pulse_mix_add(&mix);
    push(&mix, a, 1, 0, 480, 2000 * MS);
    assert_int_equal(heard->clocks, 2);
    assert_int_equal(heard->n, 480);
    pulse_mix_free(&mix);
}

static void random_streams_lose_and_double_nothing(void **state)
{
    struct heard *heard = *state;
    struct test_random random = {.state = 5};
    struct pulse_mix mix;
    assert_true(pulse_mix_init(&mix, RATE, 1, hear, heard));
    enum { STREAMS = 5 };
    struct pulse_mix_input *inputs[STREAMS];
    float ones[1000];
    for (size_t i = 0; i < 1000; i++) ones[i] = 1.0F;
    size_t pushed[STREAMS] = {0}, total = 0;
    inputs[0] = pulse_mix_add(&mix);
    for (size_t i = 1; i < STREAMS; i++) inputs[i] = NULL;
    for (size_t now = 480; now < 150000; now += 480) {
        for (size_t i = 0; i < STREAMS; i++) {
            if (i > 0 && !inputs[i] && test_random_below(&random, 40) == 0) {
                inputs[i] = pulse_mix_add(&mix);
                pushed[i] = now;
            } else if (i > 0 && inputs[i] && test_random_below(&random, 40) == 0) {
                pulse_mix_end(&mix, inputs[i]);
                inputs[i] = NULL;
            }
            if (!inputs[i] || test_random_below(&random, 3) == 0) continue;
            size_t n = now - pushed[i];
            n = n < 1000 ? n : 1000;
            if (!pulse_mix_push(&mix, inputs[i], ones, n, pushed[i] / 48 * MS)) {
                if (test_random_below(&random, 2) == 0) {
                    pulse_mix_place(&mix, inputs[i], (pushed[i] + n) / 48 * MS);
                }
            }
            pushed[i] += n;
            total += n;
        }
    }
    for (size_t i = 0; i < STREAMS; i++) {
        if (inputs[i]) pulse_mix_end(&mix, inputs[i]);
    }
    assert_int_equal(heard->clocks, 1);
    double sum = 0;
    for (size_t i = 0; i < heard->n; i++) sum += (double)heard->frames[i];
    assert_true(sum > (double)total - 0.5 && sum < (double)total + 0.5);
    pulse_mix_free(&mix);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_stream_goes_through_at_once),
        TEST(two_streams_are_added_up_where_time_puts_them),
        TEST(what_waits_of_an_ended_stream_is_heard),
        TEST(a_stream_that_stalls_is_not_waited_for_and_loses_nothing),
        TEST(what_arrives_late_at_once_is_put_where_it_was_heard),
        TEST(one_that_never_comes_is_waited_for_once),
        TEST(after_nobody_was_there_it_is_another_clock),
        TEST(random_streams_lose_and_double_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
