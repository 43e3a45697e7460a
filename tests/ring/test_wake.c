/* Nobody sleeps through a wake: none of these tests has a timeout to save it. */
#include "ring/stress.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/thread.h"

enum { CAPACITY = 512 };

static uint64_t n_rounds(double n)
{
    return (uint64_t)(n * test_scale()) + 1;
}

struct side {
    struct kodama_ring *to;
    struct kodama_cursor *from;
    uint64_t n_rounds, n_frames; /* frames of each turn */
    bool poll;                   /* wait for the waitable */
    int wrong;
};

/* Wait for the whole turn of the other side in the way that this side does. */
static int64_t take_turn(struct side *side)
{
    uint64_t frames[CAPACITY];
    if (!side->poll) {
        return kodama_cursor_read(side->from, frames, side->n_frames, KODAMA_FOREVER, NULL);
    }
    struct kodama_waitable waitable;
    kodama_cursor_waitable(side->from, &waitable);
    for (;;) {
        if (kodama_waitable_wait(waitable, KODAMA_FOREVER) != KODAMA_OK) return -1;
        int64_t n = kodama_cursor_read(side->from, frames, side->n_frames, 0, NULL);
        if (n != KODAMA_ERR_EMPTY) return n;
    }
}

static void answer(void *argument)
{
    struct side *side = argument;
    struct kodama_writer writer;
    if (kodama_writer_claim(&writer, side->to) != KODAMA_OK) side->wrong++;
    for (uint64_t i = 0; i < side->n_rounds; i++) {
        if (take_turn(side) != (int64_t)side->n_frames) side->wrong++;
        for (uint64_t f = 0; f < side->n_frames; f++) {
            if (kodama_writer_write(&writer, &f, 1, 0) != 1) side->wrong++;
        }
    }
    kodama_writer_release(&writer);
}

static void ping_pong(uint64_t n_frames, bool poll, double rounds)
{
    struct kodama_ring *there = stress_ring(CAPACITY), *back = stress_ring(CAPACITY);
    struct side other = {.to = back, .from = stress_cursor(there, poll, n_frames)};
    struct side own = {.to = there, .from = stress_cursor(back, !poll, n_frames)};
    struct kodama_writer writer;
    struct thread thread;
    other.n_rounds = n_rounds(rounds);
    other.n_frames = own.n_frames = n_frames;
    other.poll = own.poll = poll;
    assert_int_equal(kodama_writer_claim(&writer, there), KODAMA_OK);
    assert_int_equal(thread_start(&thread, "answer", answer, &other, NULL), 0);
    for (uint64_t i = 0; i < other.n_rounds; i++) {
        for (uint64_t f = 0; f < n_frames; f++) {
            assert_int_equal(kodama_writer_write(&writer, &f, 1, 0), 1);
        }
        assert_int_equal(take_turn(&own), n_frames);
    }
    thread_join(&thread);
    assert_int_equal(other.wrong, 0);
    kodama_writer_release(&writer);
    kodama_cursor_close(own.from);
    kodama_cursor_close(other.from);
    kodama_ring_destroy(there);
    kodama_ring_destroy(back);
}

static void two_threads_wake_each_other_a_hundred_thousand_times(void **state)
{
    (void)state;
    ping_pong(1, false, 1e5);
}

static void two_threads_with_watermarks_wake_each_other(void **state)
{
    (void)state;
    ping_pong(32, false, 3e4);
}

static void two_threads_with_waitables_wake_each_other(void **state)
{
    (void)state;
    ping_pong(1, true, 3e4);
    ping_pong(7, true, 1e4);
}

/* ----------------------------------------------------------- a writer that waits */

struct demand {
    struct kodama_cursor *cursor;
    uint64_t seed, received;
    int wrong;
};

static void take_odd_amounts(void *argument)
{
    struct demand *demand = argument;
    struct test_random dice = {demand->seed};
    const void *view;
    struct kodama_read info;
    for (;;) {
        /* Now and then the whole ring, for which the writer must be let in for the last frame. */
        uint64_t n = test_random_below(&dice, 4) ? 1 + test_random_below(&dice, 40)
                                                 : CAPACITY - test_random_below(&dice, 3);
        int64_t got = kodama_cursor_acquire(demand->cursor, n, KODAMA_FOREVER, &view, &info);
        if (got == KODAMA_ERR_CLOSED) return;
        uint64_t step = got > 0 ? 1 + test_random_below(&dice, (uint64_t)got) : 0;
        if (got <= 0 || info.position != demand->received) demand->wrong++;
        if (got > 0 && !stress_right(view, info.position, (uint64_t)got)) demand->wrong++;
        if (kodama_cursor_release(demand->cursor, step) != (int64_t)step) demand->wrong++;
        demand->received += step;
    }
}

static void feed_demands(int n_readers, double n_frames)
{
    struct kodama_ring *ring = stress_ring(CAPACITY);
    struct demand demands[2] = {{.seed = 1}, {.seed = 2}};
    struct thread threads[2];
    struct kodama_writer writer;
    struct test_random dice = {9};
    uint64_t frames[2 * CAPACITY], n_wanted = n_rounds(n_frames), done = 0;
    for (int i = 0; i < n_readers; i++) {
        demands[i].cursor = stress_cursor(ring, true, 0);
        assert_int_equal(thread_start(&threads[i], "demand", take_odd_amounts, &demands[i], NULL),
                         0);
    }
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    while (done < n_wanted) {
        uint64_t n = 1 + test_random_below(&dice, 2 * CAPACITY);
        stress_fill(frames, done, n);
        assert_int_equal(kodama_writer_write(&writer, frames, n, KODAMA_FOREVER), n);
        done += n;
    }
    kodama_ring_close(ring);
    for (int i = 0; i < n_readers; i++) {
        thread_join(&threads[i]);
        assert_int_equal(demands[i].wrong, 0);
        assert_int_equal(demands[i].received, done);
        kodama_cursor_close(demands[i].cursor);
    }
    kodama_writer_release(&writer);
    kodama_ring_destroy(ring);
}

static void a_writer_that_waits_is_let_in_whatever_the_readers_want(void **state)
{
    (void)state;
    feed_demands(1, 3e6);
    feed_demands(2, 1e6);
}

struct stuck {
    struct kodama_ring *ring;
    _Atomic int64_t result;
};

static void write_one_frame(void *argument)
{
    struct stuck *stuck = argument;
    struct kodama_writer writer;
    uint64_t frame = 1;
    if (kodama_writer_claim(&writer, stuck->ring) != KODAMA_OK) return;
    atomic_store(&stuck->result, kodama_writer_write(&writer, &frame, 1, KODAMA_FOREVER));
    kodama_writer_release(&writer);
}

static void fill(struct kodama_ring *ring)
{
    struct kodama_writer writer;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(kodama_writer_write(&writer, NULL, CAPACITY, 0), CAPACITY);
    kodama_writer_release(&writer);
}

static void closing_the_ring_or_the_slow_cursor_frees_a_writer_that_waits(void **state)
{
    (void)state;
    uint64_t n = n_rounds(1000);
    for (uint64_t i = 0; i < n; i++) {
        struct stuck stuck = {.ring = stress_ring(CAPACITY)};
        struct kodama_cursor *cursor = stress_cursor(stuck.ring, true, 0);
        struct thread thread;
        fill(stuck.ring);
        assert_int_equal(thread_start(&thread, "stuck", write_one_frame, &stuck, NULL), 0);
        clock_sleep_until(clock_now_ns() + (i % 4) * 50000);
        int64_t expected = 1;
        if (i % 3 == 0)
            kodama_cursor_close(cursor);
        else if (i % 3 == 1)
            kodama_cursor_skip(cursor, 1);
        else
            kodama_ring_close(stuck.ring);
        thread_join(&thread);
        int64_t result = atomic_load(&stuck.result);
        if (i % 3 == 2) expected = result == 0 ? 0 : KODAMA_ERR_CLOSED; /* 0: claimed too late */
        assert_int_equal(result, expected);
        if (i % 3 != 0) kodama_cursor_close(cursor);
        kodama_ring_destroy(stuck.ring);
    }
}

/* ----------------------------------------------------------- close and interrupt */

struct waiter {
    struct kodama_cursor *cursor;
    _Atomic uint64_t n_cancelled;
    int wrong;
};

static void wait_until_closed(void *argument)
{
    struct waiter *waiter = argument;
    int status;
    while ((status = kodama_cursor_wait(waiter->cursor, KODAMA_FOREVER)) != KODAMA_ERR_CLOSED) {
        if (status != KODAMA_ERR_CANCELLED) waiter->wrong++;
        atomic_fetch_add(&waiter->n_cancelled, 1);
    }
}

static void closing_wakes_every_reader(void **state)
{
    (void)state;
    uint64_t n = n_rounds(1000);
    for (uint64_t round = 0; round < n; round++) {
        struct kodama_ring *ring = stress_ring(CAPACITY);
        struct waiter waiters[3] = {0};
        struct thread threads[3];
        for (int i = 0; i < 3; i++) {
            waiters[i].cursor = stress_cursor(ring, i == 0, (uint64_t)i * 100);
            thread_function run = wait_until_closed;
            assert_int_equal(thread_start(&threads[i], "waiter", run, &waiters[i], NULL), 0);
        }
        clock_sleep_until(clock_now_ns() + (round % 4) * 50000);
        kodama_ring_close(ring);
        for (int i = 0; i < 3; i++) {
            thread_join(&threads[i]);
            assert_int_equal(waiters[i].wrong, 0);
            kodama_cursor_close(waiters[i].cursor);
        }
        kodama_ring_destroy(ring);
    }
}

static void every_interrupt_ends_exactly_one_wait(void **state)
{
    (void)state;
    struct kodama_ring *ring = stress_ring(CAPACITY);
    struct waiter waiter = {.cursor = stress_cursor(ring, false, 0)};
    struct thread thread;
    uint64_t n = n_rounds(3e4);
    assert_int_equal(thread_start(&thread, "waiter", wait_until_closed, &waiter, NULL), 0);
    for (uint64_t i = 0; i < n; i++) {
        kodama_cursor_interrupt(waiter.cursor);
        while (atomic_load(&waiter.n_cancelled) != i + 1) continue;
    }
    kodama_ring_close(ring);
    thread_join(&thread);
    assert_int_equal(waiter.n_cancelled, n);
    assert_int_equal(waiter.wrong, 0);
    kodama_cursor_close(waiter.cursor);
    kodama_ring_destroy(ring);
}

/* --------------------------------------------------------------- what a wake costs */

static void read_in_320_ms(void *argument)
{
    struct waiter *waiter = argument;
    static uint64_t frames[32 * 160];
    int64_t n;
    while ((n = kodama_cursor_read(waiter->cursor, frames, 32 * 160, KODAMA_FOREVER, NULL)) > 0) {
        if (n != 32 * 160) waiter->wrong++;
        atomic_fetch_add(&waiter->n_cancelled, 1);
    }
}

static void a_reader_that_wants_32_blocks_is_woken_once_for_32_blocks(void **state)
{
    (void)state;
    struct kodama_ring *ring = stress_ring(2 * 32 * 160);
    struct waiter waiter = {.cursor = stress_cursor(ring, false, 32 * 160)};
    struct kodama_writer writer;
    struct kodama_ring_stats before, stats;
    struct thread thread;
    uint64_t n_done = 0;
    assert_int_equal(thread_start(&thread, "waiter", read_in_320_ms, &waiter, NULL), 0);
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    kodama_ring_stats(ring, &before);
    for (int round = 0; round < 50; round++) {
        clock_sleep_until(clock_now_ns() + 2 * CLOCK_NS_PER_MS); /* let it fall asleep */
        for (int i = 0; i < 32; i++) kodama_writer_write(&writer, NULL, 160, 0);
        n_done++;
        while (atomic_load(&waiter.n_cancelled) != n_done) continue;
    }
    kodama_ring_stats(ring, &stats);
    assert_int_equal(stats.writes - before.writes, 50 * 32);
    assert_true(stats.wakes - before.wakes <= 50);
    kodama_ring_close(ring);
    thread_join(&thread);
    assert_int_equal(waiter.wrong, 0);
    kodama_writer_release(&writer);
    kodama_cursor_close(waiter.cursor);
    kodama_ring_destroy(ring);
}

static void a_wait_ends_at_its_deadline_and_not_before(void **state)
{
    (void)state;
    struct kodama_ring *ring = stress_ring(CAPACITY);
    struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
    struct kodama_cursor *cursor;
    uint64_t frame;
    config.spin_ns = 100000;
    assert_int_equal(kodama_cursor_open(&cursor, ring, &config), KODAMA_OK);
    uint64_t start = clock_now_ns();
    assert_int_equal(kodama_cursor_read(cursor, &frame, 1, 20000000, NULL), KODAMA_ERR_TIMEOUT);
    assert_true(clock_now_ns() - start >= 20000000);
    fill(ring);
    /* Less than the watermark, but the time has passed: take what is there. */
    kodama_cursor_clear(cursor);
    kodama_cursor_seek(cursor, CAPACITY - 3);
    kodama_cursor_set_watermark(cursor, 100);
    uint64_t frames[CAPACITY];
    assert_int_equal(kodama_cursor_read(cursor, frames, CAPACITY, 1000000, NULL), 3);
    kodama_cursor_close(cursor);
    kodama_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_threads_wake_each_other_a_hundred_thousand_times),
        cmocka_unit_test(two_threads_with_watermarks_wake_each_other),
        cmocka_unit_test(two_threads_with_waitables_wake_each_other),
        cmocka_unit_test(a_writer_that_waits_is_let_in_whatever_the_readers_want),
        cmocka_unit_test(closing_the_ring_or_the_slow_cursor_frees_a_writer_that_waits),
        cmocka_unit_test(closing_wakes_every_reader),
        cmocka_unit_test(every_interrupt_ends_exactly_one_wait),
        cmocka_unit_test(a_reader_that_wants_32_blocks_is_woken_once_for_32_blocks),
        cmocka_unit_test(a_wait_ends_at_its_deadline_and_not_before),
    };
    return cmocka_run_group_tests_name("ring/wake", tests, NULL, NULL);
}
