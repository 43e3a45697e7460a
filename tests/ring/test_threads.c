/* Threads on one ring, every frame checked: nothing is torn, nothing is lost without being counted.
 */
#include "ring/stress.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/thread.h"

enum { CAPACITY = 512, BLOCK = 700 };

struct job {
    struct kodama_ring *ring;
    struct kodama_cursor *cursor;
    uint64_t seed, n_frames;
    bool lossless;
    /* results */
    uint64_t received, lost, n_wrong, n_lapped, n_other;
};

static uint64_t frames_to_write(void)
{
    return (uint64_t)(4e6 * test_scale());
}

/* ---------------------------------------------------------------- the writers */

static int64_t write_somehow(struct kodama_writer *writer, struct test_random *dice,
                             uint64_t position, uint64_t max)
{
    uint64_t frames[BLOCK];
    uint64_t n = 1 + test_random_below(dice, test_random_below(dice, 4) ? 20 : BLOCK);
    if (n > max) n = max;
    void *place;
    switch (test_random_below(dice, 3)) {
    case 0: {
        int64_t reserved = kodama_writer_reserve(writer, n > CAPACITY ? CAPACITY : n, &place);
        if (reserved > 0) {
            stress_fill(place, position, (uint64_t)reserved);
            return kodama_writer_commit(writer, (size_t)reserved);
        }
        break;
    }
    case 1: {
        struct kodama_span spans[2] = {{frames, n / 2}, {frames + n / 2, n - n / 2}};
        stress_fill(frames, position, n);
        return kodama_writer_write_batch(writer, spans, 2, KODAMA_FOREVER);
    }
    default: break;
    }
    stress_fill(frames, position, n);
    return kodama_writer_write(writer, frames, n, KODAMA_FOREVER);
}

static void write_all(struct kodama_ring *ring, uint64_t n_frames)
{
    struct kodama_writer writer;
    struct test_random dice = {7};
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    uint64_t start = kodama_ring_position(ring);
    for (uint64_t done = 0; done < n_frames;) {
        int64_t n = write_somehow(&writer, &dice, start + done, n_frames - done);
        assert_true(n > 0);
        done += (uint64_t)n;
    }
    kodama_writer_release(&writer);
}

/* ---------------------------------------------------------------- the readers */

static void count(struct job *job, const void *frames, uint64_t position, int64_t n)
{
    job->received += (uint64_t)n;
    if (!stress_right(frames, position, (uint64_t)n)) job->n_wrong++;
}

/* One call of any kind that waits; returns false at the end. */
static bool read_somehow(struct job *job, struct test_random *dice)
{
    uint64_t frames[BLOCK];
    struct kodama_read info;
    struct kodama_chunk chunk;
    const void *view;
    uint64_t n_wanted = 1 + test_random_below(dice, 200);
    int64_t n = 0, ended;
    switch (test_random_below(dice, 3)) {
    case 0:
        n = kodama_cursor_read(job->cursor, frames, n_wanted, KODAMA_FOREVER, &info);
        if (n > 0) count(job, frames, info.position, n);
        break;
    case 1:
        n = kodama_cursor_acquire(job->cursor, n_wanted, KODAMA_FOREVER, &view, &info);
        if (n <= 0) break;
        bool right = stress_right(view, info.position, (uint64_t)n);
        ended = kodama_cursor_release(job->cursor, (size_t)n);
        if (ended == n) job->received += (uint64_t)n;
        if (ended == n && !right) job->n_wrong++; /* an overwritten view that was not detected */
        job->n_lapped += ended == KODAMA_ERR_LAPPED;
        break;
    default:
        n = kodama_cursor_chunk(job->cursor, (uint32_t)n_wanted, (uint32_t)n_wanted / 2,
                                KODAMA_FOREVER, &chunk);
        if (n <= 0) break;
        right = stress_right(chunk.frames, chunk.position, chunk.n_frames + chunk.n_overlap);
        ended = kodama_cursor_advance(job->cursor);
        if (ended == n) job->received += (uint64_t)n;
        if (ended == n && !right) job->n_wrong++;
        job->n_lapped += ended == KODAMA_ERR_LAPPED;
        break;
    }
    if (n > 0) return true;
    if (n != KODAMA_ERR_CLOSED) job->n_other++;
    return false;
}

static void read_all(void *argument)
{
    struct job *job = argument;
    struct test_random dice = {job->seed};
    while (read_somehow(job, &dice)) continue;
    job->lost = kodama_cursor_lost(job->cursor);
}

/* Write with n readers beside; the first n_lossless of them hold the writer back. */
static void run_readers(struct job *jobs, int n_readers, int n_lossless, uint64_t n_frames)
{
    struct kodama_ring *ring = stress_ring(CAPACITY);
    struct thread threads[4];
    assert_int_equal(kodama_ring_capacity(ring), CAPACITY);
    for (int i = 0; i < n_readers; i++) {
        jobs[i] = (struct job){.ring = ring, .seed = 100 + (uint64_t)i, .lossless = i < n_lossless};
        jobs[i].cursor = stress_cursor(ring, jobs[i].lossless, i == 1 ? 100 : 0);
        assert_int_equal(thread_start(&threads[i], "reader", read_all, &jobs[i], NULL), 0);
    }
    write_all(ring, n_frames);
    kodama_ring_close(ring);
    for (int i = 0; i < n_readers; i++) {
        thread_join(&threads[i]);
        assert_int_equal(jobs[i].n_wrong, 0);
        assert_int_equal(jobs[i].n_other, 0);
        assert_int_equal(jobs[i].received + jobs[i].lost, n_frames);
        if (jobs[i].lossless) {
            assert_int_equal(jobs[i].lost, 0);
            assert_int_equal(jobs[i].n_lapped, 0);
        }
        kodama_cursor_close(jobs[i].cursor);
    }
    kodama_ring_destroy(ring);
}

static void a_lossless_reader_gets_every_frame(void **state)
{
    (void)state;
    struct job job;
    run_readers(&job, 1, 1, frames_to_write());
}

static void a_lossy_reader_gets_or_counts_every_frame(void **state)
{
    (void)state;
    struct job job;
    run_readers(&job, 1, 0, 4 * frames_to_write());
    printf("# received %llu, lost %llu, overwritten views %llu\n", (unsigned long long)job.received,
           (unsigned long long)job.lost, (unsigned long long)job.n_lapped);
}

static void four_threads_agree_on_every_frame(void **state)
{
    (void)state;
    struct job jobs[3];
    run_readers(jobs, 3, 2, frames_to_write() / 2);
    run_readers(jobs, 3, 1, frames_to_write() / 2);
    run_readers(jobs, 3, 0, frames_to_write());
}

/* ----------------------------------------------- cursors that come, go back and go */

static _Atomic bool stop_writing;

static void write_until_stopped(void *argument)
{
    struct job *job = argument;
    struct kodama_writer writer;
    struct test_random dice = {3};
    if (kodama_writer_claim(&writer, job->ring) != KODAMA_OK) job->n_wrong++;
    while (!atomic_load(&stop_writing)) {
        uint64_t frames[BLOCK], position = kodama_ring_position(job->ring);
        uint64_t n = 1 + test_random_below(&dice, 60);
        stress_fill(frames, position, n);
        kodama_writer_write(&writer, frames, n, 1000000);
    }
    kodama_writer_release(&writer);
}

static void lossless_cursors_that_come_and_go_back_never_see_an_overwritten_frame(void **state)
{
    (void)state;
    struct job job = {.ring = stress_ring(CAPACITY)};
    struct thread thread;
    struct test_random dice = {11};
    uint64_t frames[BLOCK], n_back = 0;
    atomic_store(&stop_writing, false);
    assert_int_equal(thread_start(&thread, "writer", write_until_stopped, &job, NULL), 0);
    uint64_t n_rounds = (uint64_t)(20000 * test_scale());
    for (uint64_t round = 0; round < n_rounds; round++) {
        struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
        struct kodama_cursor *cursor;
        struct kodama_read info;
        config.lossless = true;
        config.start = (enum kodama_start)test_random_below(&dice, 3);
        config.start_position = kodama_ring_oldest(job.ring) + 100;
        assert_int_equal(kodama_cursor_open(&cursor, job.ring, &config), KODAMA_OK);
        uint64_t position = kodama_cursor_position(cursor);
        for (int i = 0; i < 4; i++) {
            int64_t n = kodama_cursor_read(cursor, frames, 1 + test_random_below(&dice, 300),
                                           KODAMA_FOREVER, &info);
            assert_true(n > 0);
            assert_int_equal(info.position, position);
            assert_int_equal(info.lost, 0);
            assert_true(stress_right(frames, position, (uint64_t)n));
            position += (uint64_t)n;
            if (test_random_below(&dice, 2)) continue;
            uint64_t wanted = position - test_random_below(&dice, (uint64_t)n + 100) % position;
            uint64_t taken = kodama_cursor_seek(cursor, wanted);
            assert_true(taken >= wanted);
            n_back += taken < position;
            position = taken;
        }
        kodama_cursor_close(cursor);
    }
    atomic_store(&stop_writing, true);
    thread_join(&thread);
    assert_int_equal(job.n_wrong, 0);
    assert_true(n_back > 0);
    kodama_ring_destroy(job.ring);
}

/* ------------------------------------------------------------------- hand-over */

static void write_in_turns(void *argument)
{
    struct job *job = argument;
    struct kodama_writer writer;
    struct test_random dice = {job->seed};
    for (uint64_t done = 0; done < job->n_frames;) {
        int status = kodama_writer_claim(&writer, job->ring);
        if (status == KODAMA_ERR_BUSY) {
            job->n_lapped++;
            continue;
        }
        if (status != KODAMA_OK) job->n_wrong++;
        for (int i = 0; i < 5 && done < job->n_frames; i++) {
            int64_t n = write_somehow(&writer, &dice, kodama_ring_position(job->ring),
                                      job->n_frames - done);
            if (n <= 0) job->n_wrong++;
            done += (uint64_t)n;
        }
        kodama_writer_release(&writer);
    }
}

static void the_writer_role_goes_from_thread_to_thread(void **state)
{
    (void)state;
    struct kodama_ring *ring = stress_ring(CAPACITY);
    struct job writers[2], reader = {.ring = ring, .seed = 5};
    struct thread threads[3];
    reader.cursor = stress_cursor(ring, true, 0);
    assert_int_equal(thread_start(&threads[2], "reader", read_all, &reader, NULL), 0);
    for (int i = 0; i < 2; i++) {
        writers[i] = (struct job){
            .ring = ring, .seed = (uint64_t)i, .n_frames = (uint64_t)(300000 * test_scale())};
        assert_int_equal(thread_start(&threads[i], "writer", write_in_turns, &writers[i], NULL), 0);
    }
    thread_join(&threads[0]);
    thread_join(&threads[1]);
    kodama_ring_close(ring);
    thread_join(&threads[2]);
    assert_int_equal(writers[0].n_wrong + writers[1].n_wrong, 0);
    assert_int_equal(reader.n_wrong, 0);
    assert_int_equal(reader.received, writers[0].n_frames + writers[1].n_frames);
    kodama_cursor_close(reader.cursor);
    kodama_ring_destroy(ring);
}

/* ----------------------------------------------------------------------- marks */

static void write_marks(void *argument)
{
    struct job *job = argument;
    struct kodama_writer writer;
    if (kodama_writer_claim(&writer, job->ring) != KODAMA_OK) job->n_wrong++;
    for (uint64_t i = 0; i < job->n_frames; i++) {
        struct kodama_mark mark = {.position = 10 * i,
                                   .length = i % 25,
                                   .time_ns = 1000 * i,
                                   .flags = (uint32_t)(1 + i % 15)};
        if (kodama_writer_mark(&writer, &mark) != KODAMA_OK) job->n_wrong++;
        if (kodama_writer_write(&writer, NULL, 10, 0) != 10) job->n_wrong++;
    }
    kodama_writer_release(&writer);
    atomic_store(&stop_writing, true);
}

static void marks_are_whole_while_the_lane_is_overwritten(void **state)
{
    (void)state;
    struct job job = {.ring = stress_ring(1 << 16), .n_frames = (uint64_t)(300000 * test_scale())};
    struct thread thread;
    struct test_random dice = {1};
    uint64_t n_seen = 0, n_searches_after = 0;
    atomic_store(&stop_writing, false);
    assert_int_equal(thread_start(&thread, "writer", write_marks, &job, NULL), 0);
    while (n_searches_after < 1000) {
        n_searches_after += atomic_load(&stop_writing);
        struct kodama_mark marks[64];
        uint64_t head = kodama_ring_position(job.ring), back = test_random_below(&dice, 800);
        uint64_t first = head - (head < back ? head : back), n_lost;
        int n = kodama_ring_marks(job.ring, first, 100, marks, 64, &n_lost);
        assert_true(n >= 0 && n <= 64);
        for (int i = 0; i < n; i++) {
            uint64_t number = marks[i].position / 10;
            assert_int_equal(marks[i].position, 10 * number);
            assert_int_equal(marks[i].length, number % 25);
            assert_int_equal(marks[i].time_ns, 1000 * number);
            assert_int_equal(marks[i].flags, 1 + number % 15);
            if (i > 0) assert_true(marks[i].position > marks[i - 1].position);
        }
        /* The mark of every frame was published before the frame. */
        if (n_lost == 0 && head >= first + 100) assert_true(n >= 10);
        n_seen += (uint64_t)n;
    }
    thread_join(&thread);
    assert_int_equal(job.n_wrong, 0);
    assert_true(n_seen > 0);
    kodama_ring_destroy(job.ring);
}

/* ----------------------------------------------------------------------- close */

static void write_until_closed(void *argument)
{
    struct job *job = argument;
    struct kodama_writer writer;
    uint64_t frames[16] = {0};
    int64_t n = 0;
    if (kodama_writer_claim(&writer, job->ring) != KODAMA_OK) {
        if (!kodama_ring_is_closed(job->ring)) job->n_wrong++;
        return;
    }
    while (n >= 0) {
        n = kodama_writer_write(&writer, frames, 16, KODAMA_FOREVER);
        if (n > 0) job->received += (uint64_t)n;
    }
    if (n != KODAMA_ERR_CLOSED) job->n_wrong++;
    kodama_writer_release(&writer);
}

static void nothing_comes_after_the_end_was_seen(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct job job = {.ring = stress_ring(CAPACITY)};
        struct thread thread;
        uint64_t frames[BLOCK], received = 0;
        int64_t n;
        struct kodama_cursor *cursor = stress_cursor(job.ring, true, 0);
        assert_int_equal(thread_start(&thread, "writer", write_until_closed, &job, NULL), 0);
        for (int i = 0; i < round && round % 3 != 0; i++) {
            n = kodama_cursor_read(cursor, frames, 64, 1000000, NULL);
            received += n > 0 ? (uint64_t)n : 0;
        }
        kodama_ring_close(job.ring);
        while ((n = kodama_cursor_read(cursor, frames, 64, KODAMA_FOREVER, NULL)) > 0) {
            received += (uint64_t)n;
        }
        assert_int_equal(n, KODAMA_ERR_CLOSED);
        assert_int_equal(received, kodama_ring_position(job.ring));
        thread_join(&thread);
        assert_int_equal(job.n_wrong, 0);
        assert_int_equal(job.received, received);
        assert_int_equal(kodama_cursor_available(cursor), 0);
        kodama_cursor_close(cursor);
        kodama_ring_destroy(job.ring);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lossless_reader_gets_every_frame),
        cmocka_unit_test(a_lossy_reader_gets_or_counts_every_frame),
        cmocka_unit_test(four_threads_agree_on_every_frame),
        cmocka_unit_test(lossless_cursors_that_come_and_go_back_never_see_an_overwritten_frame),
        cmocka_unit_test(the_writer_role_goes_from_thread_to_thread),
        cmocka_unit_test(marks_are_whole_while_the_lane_is_overwritten),
        cmocka_unit_test(nothing_comes_after_the_end_was_seen),
    };
    return cmocka_run_group_tests_name("ring/threads", tests, NULL, NULL);
}
