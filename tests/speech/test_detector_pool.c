/* The detector pool: every seat hears what it would hear alone, in order, whatever the others do.
 */
#include <kodama/kodama.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "support/support.h"

enum { WINDOW = 160, SECOND = 16000, MINUTE_NS = 60 };

static const int64_t patience_ns = MINUTE_NS * (int64_t)CLOCK_NS_PER_S;

/** One seat's audio, what is expected, and what came. */
struct stream {
    struct kodama_detector_seat *seat;
    float *samples, *expected;
    size_t n_samples, n_written, n_windows;
    /* Of the callback. */
    _Atomic size_t n_heard;
    _Atomic int inside;
    _Atomic int n_wrong;
};

static void fill_stream(struct stream *stream, uint64_t seed, size_t n_samples)
{
    struct test_random random = {seed};
    struct kodama_detector *detector;
    *stream = (struct stream){.n_samples = n_samples, .n_windows = n_samples / WINDOW};
    stream->samples = calloc(n_samples, sizeof(float));
    stream->expected = calloc(stream->n_windows, sizeof(float));
    assert_non_null(stream->samples);
    assert_non_null(stream->expected);
    for (size_t i = 0; i < n_samples; i++) {
        float loud = (i / 2000 + seed) % 3 == 0 ? 0.3f : 0.003f;
        stream->samples[i] = loud * test_random_float(&random);
    }
    assert_int_equal(kodama_detector_open(&detector, NULL, SECOND, NULL), KODAMA_OK);
    for (size_t i = 0; i < stream->n_windows; i++)
        stream->expected[i] = kodama_detector_process(detector, stream->samples + i * WINDOW);
    kodama_detector_close(detector);
}

static void free_stream(struct stream *stream)
{
    free(stream->samples);
    free(stream->expected);
}

static void check_result(struct stream *stream, const struct kodama_detector_result *result)
{
    size_t n = atomic_fetch_add(&stream->n_heard, 1);
    bool right = n < stream->n_windows && result->begin == n * WINDOW &&
                 result->n_samples == WINDOW && result->probability == stream->expected[n];
    if (!right) atomic_fetch_add(&stream->n_wrong, 1);
}

static void on_result(void *user, const struct kodama_detector_result *result)
{
    struct stream *stream = user;
    if (atomic_fetch_add(&stream->inside, 1) != 0) atomic_fetch_add(&stream->n_wrong, 1);
    check_result(stream, result);
    atomic_fetch_sub(&stream->inside, 1);
}

static struct kodama_detector_pool *open_pool(uint32_t n_threads, uint32_t inbox_ms)
{
    struct kodama_detector_pool_config config = KODAMA_DETECTOR_POOL_CONFIG_INIT;
    struct kodama_detector_pool *pool;
    struct kodama_error error = {0};
    config.n_threads = n_threads;
    config.inbox_ms = inbox_ms;
    if (kodama_detector_pool_open(&pool, &config, &error) < 0) fail_msg("%s", error.message);
    return pool;
}

static void take(struct stream *stream, struct kodama_detector_pool *pool, bool callback,
                 uint32_t n_kept)
{
    struct kodama_detector_seat_config config = KODAMA_DETECTOR_SEAT_CONFIG_INIT;
    config.on_result = callback ? on_result : NULL;
    config.user = stream;
    config.n_kept = n_kept;
    assert_int_equal(kodama_detector_seat_take(&stream->seat, pool, &config, NULL), KODAMA_OK);
}

/* -------------------------------------------------------------- many seats, any order */

enum { STREAMS = 12, WRITERS = 3 };

struct writer {
    struct thread thread;
    struct stream *streams; /* every WRITERS-th from `first` on */
    size_t first;
    uint64_t seed;
    int n_wrong;
};

static bool read_some(struct stream *stream, struct test_random *random, int64_t timeout_ns)
{
    struct kodama_detector_result results[7];
    int64_t n = kodama_detector_seat_read(stream->seat, results,
                                          1 + (size_t)test_random_below(random, 7), timeout_ns);
    for (int64_t i = 0; i < n; i++) check_result(stream, &results[i]);
    return n > 0;
}

/* Odd streams have no callback. */
static void write_at_random(void *argument)
{
    struct writer *writer = argument;
    struct test_random random = {writer->seed};
    size_t n_left = STREAMS / WRITERS;
    while (n_left > 0) {
        size_t i = writer->first + WRITERS * (size_t)test_random_below(&random, STREAMS / WRITERS);
        struct stream *stream = &writer->streams[i];
        if (i % 2) read_some(stream, &random, 0);
        if (stream->n_written == stream->n_samples) continue;
        size_t n = 1 + (size_t)test_random_below(&random, 1000);
        if (n > stream->n_samples - stream->n_written) n = stream->n_samples - stream->n_written;
        int64_t timeout_ns = i % 2 || test_random_below(&random, 2) ? 0 : patience_ns;
        int64_t taken = kodama_detector_seat_write(
            stream->seat, stream->samples + stream->n_written, n, timeout_ns);
        if (taken == KODAMA_ERR_FULL && timeout_ns == 0) continue;
        if (taken <= 0 || (size_t)taken > n) {
            writer->n_wrong++;
            return;
        }
        stream->n_written += (size_t)taken;
        if (stream->n_written == stream->n_samples) n_left--;
    }
    for (size_t i = writer->first; i < STREAMS; i += WRITERS) {
        struct stream *stream = &writer->streams[i];
        while (i % 2 && atomic_load(&stream->n_heard) < stream->n_windows)
            if (!read_some(stream, &random, patience_ns)) break;
        if (kodama_detector_seat_drain(stream->seat, patience_ns) != KODAMA_OK) writer->n_wrong++;
    }
}

static void every_seat_hears_what_it_would_hear_alone(void **state)
{
    (void)state;
    static struct stream streams[STREAMS];
    int n_rounds = 1 + (int)(3.0 * test_scale());
    for (int round = 0; round < n_rounds; round++) {
        uint32_t n_threads = (uint32_t)round % 4 + 1;
        struct kodama_detector_pool *pool = open_pool(n_threads, 30 + (uint32_t)round * 100);
        struct writer writers[WRITERS];
        assert_int_equal(kodama_detector_pool_window(pool), WINDOW);
        for (size_t i = 0; i < STREAMS; i++) {
            fill_stream(&streams[i], (uint64_t)round * 100 + i, 2 * SECOND + i * 100);
            take(&streams[i], pool, i % 2 == 0, 1 + (uint32_t)i);
        }
        for (size_t i = 0; i < WRITERS; i++) {
            writers[i] = (struct writer){.streams = streams, .first = i, .seed = i + 1};
            assert_int_equal(
                thread_start(&writers[i].thread, "writer", write_at_random, &writers[i], NULL),
                KODAMA_OK);
        }
        for (size_t i = 0; i < WRITERS; i++) thread_join(&writers[i].thread);
        struct kodama_detector_pool_stats stats;
        size_t n_windows = 0;
        for (size_t i = 0; i < WRITERS; i++) assert_int_equal(writers[i].n_wrong, 0);
        for (size_t i = 0; i < STREAMS; i++) {
            assert_int_equal(atomic_load(&streams[i].n_wrong), 0);
            assert_int_equal(atomic_load(&streams[i].n_heard), streams[i].n_windows);
            n_windows += streams[i].n_windows;
            kodama_detector_seat_leave(streams[i].seat);
            free_stream(&streams[i]);
        }
        kodama_detector_pool_stats(pool, &stats);
        assert_int_equal(stats.n_threads, n_threads);
        assert_int_equal(stats.n_seats, 0);
        assert_int_equal(stats.n_waiting, 0);
        assert_true(stats.turns > 0 && stats.windows <= n_windows);
        kodama_detector_pool_close(pool);
    }
}

/* ------------------------------------------------------------------- holding back */

static void a_full_inbox_is_felt_and_nothing_is_dropped(void **state)
{
    (void)state;
    struct kodama_detector_pool *pool = open_pool(1, 100);
    struct stream stream;
    struct test_random random = {1};
    fill_stream(&stream, 5, SECOND);
    take(&stream, pool, false, 3);
    /* Three results are kept and not read: then the inbox fills. */
    size_t n = 0;
    for (;;) {
        int64_t taken = kodama_detector_seat_write(stream.seat, stream.samples + n,
                                                   stream.n_samples - n, 20000000);
        if (taken < 0) {
            assert_int_equal(taken, KODAMA_ERR_TIMEOUT);
            break;
        }
        n += (size_t)taken;
        assert_true(n < SECOND / 2);
    }
    assert_int_equal(n, (100 / 10 + 1 + 3) * WINDOW);
    assert_int_equal(kodama_detector_seat_write(stream.seat, stream.samples + n, 1, 0),
                     KODAMA_ERR_FULL);
    assert_int_equal(kodama_detector_seat_write(stream.seat, NULL, 0, 0), 0);
    assert_int_equal(kodama_detector_seat_drain(stream.seat, 0), KODAMA_ERR_TIMEOUT);
    while (n < stream.n_samples || atomic_load(&stream.n_heard) < stream.n_windows) {
        if (n < stream.n_samples) {
            int64_t taken = kodama_detector_seat_write(stream.seat, stream.samples + n,
                                                       stream.n_samples - n, 0);
            if (taken > 0) n += (size_t)taken;
        }
        read_some(&stream, &random, 1000000);
    }
    assert_int_equal(atomic_load(&stream.n_wrong), 0);
    struct kodama_detector_result result;
    assert_int_equal(kodama_detector_seat_read(stream.seat, &result, 1, 0), KODAMA_ERR_EMPTY);
    assert_int_equal(kodama_detector_seat_read(stream.seat, &result, 1, 1000), KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_detector_seat_read(stream.seat, &result, 0, 0), KODAMA_ERR_ARGUMENT);
    kodama_detector_seat_leave(stream.seat);
    kodama_detector_pool_close(pool);
    free_stream(&stream);
}

static void a_waitable_tells_when_there_are_results(void **state)
{
    (void)state;
    struct kodama_detector_pool *pool = open_pool(1, 500);
    struct stream stream;
    struct kodama_detector_result results[64];
    fill_stream(&stream, 5, SECOND);
    take(&stream, pool, false, 0);
    struct kodama_waitable waitable = kodama_detector_seat_waitable(stream.seat);
    for (int round = 0; round < 5; round++) {
        assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_ERR_TIMEOUT);
        size_t at = (size_t)round * 10 * WINDOW;
        assert_int_equal(
            kodama_detector_seat_write(stream.seat, stream.samples + at, 10 * WINDOW, patience_ns),
            10 * WINDOW);
        for (int64_t n = 0; n < 10;) {
            assert_int_equal(kodama_waitable_wait(waitable, patience_ns), KODAMA_OK);
            int64_t some = kodama_detector_seat_read(stream.seat, results, 3, 0);
            assert_true(some > 0);
            n += some;
        }
    }
    kodama_detector_seat_leave(stream.seat);
    kodama_detector_pool_close(pool);
    free_stream(&stream);
}

/* ------------------------------------------------------------------------ fairness */

struct pair {
    struct kodama_detector_seat *other;
    const float *samples;
    _Atomic size_t n_long;      /* windows of the long seat so far */
    _Atomic size_t n_when_told; /* of these, when the other one was told; 0: not yet */
    bool asked;                 /* the callback's */
};

static void on_long(void *user, const struct kodama_detector_result *result)
{
    struct pair *pair = user;
    (void)result;
    atomic_fetch_add(&pair->n_long, 1);
    if (!pair->asked) (void)kodama_detector_seat_write(pair->other, pair->samples, WINDOW, 0);
    pair->asked = true;
}

static void on_short(void *user, const struct kodama_detector_result *result)
{
    struct pair *pair = user;
    (void)result;
    atomic_store(&pair->n_when_told, atomic_load(&pair->n_long));
}

static void a_long_backlog_does_not_hold_up_the_others(void **state)
{
    (void)state;
    struct kodama_detector_pool *pool = open_pool(1, 60000);
    struct kodama_detector_seat_config config = KODAMA_DETECTOR_SEAT_CONFIG_INIT;
    struct kodama_detector_seat *seat;
    enum { N = 50 * SECOND };
    float *samples = calloc(N, sizeof *samples);
    assert_non_null(samples);
    struct test_random random = {4};
    for (int i = 0; i < N; i++) samples[i] = 0.1f * test_random_float(&random);
    struct pair pair = {.samples = samples};
    config.user = &pair;
    config.on_result = on_short;
    assert_int_equal(kodama_detector_seat_take(&pair.other, pool, &config, NULL), KODAMA_OK);
    config.on_result = on_long;
    assert_int_equal(kodama_detector_seat_take(&seat, pool, &config, NULL), KODAMA_OK);
    assert_int_equal(kodama_detector_seat_write(seat, samples, N, patience_ns), N);
    assert_int_equal(kodama_detector_seat_drain(seat, patience_ns), KODAMA_OK);
    assert_int_equal(kodama_detector_seat_drain(pair.other, patience_ns), KODAMA_OK);
    /* A turn is 2 ms: thousands of windows cannot be judged in one. */
    assert_int_equal(atomic_load(&pair.n_long), N / WINDOW);
    assert_in_range(atomic_load(&pair.n_when_told), 1, N / WINDOW - 1);
    kodama_detector_seat_leave(seat);
    kodama_detector_seat_leave(pair.other);
    kodama_detector_pool_close(pool);
    free(samples);
}

/* ------------------------------------------------------------------- coming and going */

static void come_and_go(void *argument)
{
    struct writer *writer = argument;
    struct test_random random = {writer->seed};
    struct stream *stream = &writer->streams[writer->first];
    struct kodama_detector_pool *pool = (struct kodama_detector_pool *)(void *)stream->seat;
    for (int i = 0; i < (int)(60.0 * test_scale()) + 5; i++) {
        struct kodama_detector_seat_config config = KODAMA_DETECTOR_SEAT_CONFIG_INIT;
        struct kodama_detector_seat *seat;
        atomic_store(&stream->n_heard, 0);
        config.on_result = i % 3 ? on_result : NULL;
        config.user = stream;
        if (kodama_detector_seat_take(&seat, pool, &config, NULL) < 0) {
            writer->n_wrong++;
            return;
        }
        size_t n = (size_t)test_random_below(&random, stream->n_samples);
        int64_t taken = kodama_detector_seat_write(seat, stream->samples, n, 0);
        if (taken < 0 && n > 0) writer->n_wrong++;
        if (i % 3 == 1 && kodama_detector_seat_drain(seat, patience_ns) < 0) writer->n_wrong++;
        kodama_detector_seat_leave(seat); /* with work to do, as a rule */
    }
}

static void seats_come_and_go_at_any_time(void **state)
{
    (void)state;
    static struct stream streams[WRITERS];
    struct writer writers[WRITERS];
    struct kodama_detector_pool *pool = open_pool(2, 300);
    for (size_t i = 0; i < WRITERS; i++) {
        fill_stream(&streams[i], i, SECOND);
        streams[i].seat = (struct kodama_detector_seat *)(void *)pool;
        writers[i] = (struct writer){.streams = streams, .first = i, .seed = i + 7};
        assert_int_equal(thread_start(&writers[i].thread, "guest", come_and_go, &writers[i], NULL),
                         KODAMA_OK);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        thread_join(&writers[i].thread);
        assert_int_equal(writers[i].n_wrong, 0);
        assert_int_equal(atomic_load(&streams[i].n_wrong), 0);
        free_stream(&streams[i]);
    }
    kodama_detector_pool_close(pool);
}

static void bad_configurations_are_refused_in_words(void **state)
{
    (void)state;
    struct kodama_detector_pool_config config = KODAMA_DETECTOR_POOL_CONFIG_INIT;
    struct kodama_detector_config detector = KODAMA_DETECTOR_CONFIG_INIT;
    struct kodama_detector_pool *pool;
    struct kodama_error error = {0};
    assert_int_equal(kodama_detector_pool_open(NULL, &config, &error), KODAMA_ERR_ARGUMENT);
    config.inbox_ms = 0;
    assert_int_equal(kodama_detector_pool_open(&pool, &config, &error), KODAMA_ERR_ARGUMENT);
    assert_null(pool);
    assert_non_null(strstr(error.message, "inbox_ms"));
    config.inbox_ms = 10;
    config.detector = &detector;
    detector.name = "oracle";
    assert_int_equal(kodama_detector_pool_open(&pool, &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_int_equal(kodama_detector_pool_open(&pool, NULL, &error), KODAMA_OK);
    kodama_detector_pool_close(pool);
    kodama_detector_pool_close(NULL);
    kodama_detector_seat_leave(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_seat_hears_what_it_would_hear_alone),
        cmocka_unit_test(a_full_inbox_is_felt_and_nothing_is_dropped),
        cmocka_unit_test(a_waitable_tells_when_there_are_results),
        cmocka_unit_test(a_long_backlog_does_not_hold_up_the_others),
        cmocka_unit_test(seats_come_and_go_at_any_time),
        cmocka_unit_test(bad_configurations_are_refused_in_words),
    };
    return cmocka_run_group_tests_name("speech/detector_pool", tests, NULL, NULL);
}
