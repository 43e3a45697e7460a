/* Tests of what happens when a reader is full, of adaptive chunks, and of what is measured. */
#include "stream/streaming.h"

#include <stdio.h>
#include <stdlib.h>

#include "capture/stamps.h"
#include "stream/dispatcher_pace.h"
#include "stream/stream_histogram.h"

enum { LENGTH = 48000 };

/* What a reader got: noise, silence under a mark, nothing else. */
struct got {
    struct kodama_stream *stream;
    uint64_t frames, lost, marked, position, n_last;
    uint64_t rejected_wanted; /* stay in the first call until so many were refused */
    uint64_t nap_every;       /* calls between two naps */
    uint64_t calls;
    bool wrong;
};

/* Frames under a mark of a gap. */
static bool is_marked(struct kodama_ring *ring, uint64_t position)
{
    struct kodama_mark marks[8];
    int n = kodama_ring_marks(ring, position, 1, marks, 8, NULL);
    for (int i = 0; i < n && i < 8; i++) {
        if (marks[i].flags & KODAMA_MARK_GAP) return true;
    }
    return false;
}

static int check_frames(void *user, const struct kodama_chunk *chunk)
{
    struct got *got = user;
    struct kodama_ring *ring = kodama_stream_ring(got->stream);
    const float *frames = chunk->frames;
    if (chunk->position != got->position + chunk->lost) got->wrong = true;
    for (uint32_t i = 0; i < chunk->n_frames; i++) {
        uint64_t position = chunk->position + i;
        if (is_marked(ring, position)) {
            got->marked++;
            if (frames[i] != 0.0f) got->wrong = true;
        } else if (frames[i] != generator_noise_sample(STREAMING_SEED, position)) {
            got->wrong = true;
        }
    }
    got->frames += chunk->n_frames;
    got->lost += chunk->lost;
    got->position = chunk->position + chunk->n_frames;
    got->n_last += chunk->is_last;
    while (streaming_stats(got->stream).rejected_frames < got->rejected_wanted) streaming_nap(1);
    if (got->nap_every > 0 && ++got->calls % got->nap_every == 0) streaming_nap(3);
    return KODAMA_OK;
}

static struct kodama_stream *open_stream(struct got *got, const struct kodama_source_config *source,
                                         enum kodama_overflow overflow, double seconds)
{
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = seconds;
    config.overflow = overflow;
    config.on_chunk = check_frames;
    config.user = got;
    got->stream = streaming_open(streaming_source("null", source), &config);
    return got->stream;
}

static void a_source_that_may_wait_waits_and_nothing_is_lost(void **state)
{
    (void)state;
    const enum kodama_overflow policies[] = {KODAMA_OVERFLOW_AUTO, KODAMA_OVERFLOW_WAIT};
    for (int i = 0; i < 2; i++) {
        struct kodama_source_config source = streaming_noise(LENGTH);
        struct got got = {.nap_every = 10};
        struct kodama_stream *stream = open_stream(&got, &source, policies[i], 0.05);
        streaming_run(stream);
        struct kodama_stream_stats stats = streaming_stats(stream);
        assert_false(got.wrong);
        assert_int_equal(got.frames, LENGTH);
        assert_int_equal(stats.frames, LENGTH);
        assert_int_equal(stats.lost_frames + stats.rejected_frames + stats.gaps, 0);
        kodama_stream_close(stream);
    }
}

/* Sleeps until the writer is far ahead, now and then. */
static int fall_behind(void *user, const struct kodama_chunk *chunk)
{
    struct got *got = user;
    struct kodama_ring *ring = kodama_stream_ring(got->stream);
    got->frames += chunk->n_frames;
    got->lost += chunk->lost;
    got->position = chunk->position + chunk->n_frames;
    got->n_last += chunk->is_last;
    uint64_t wanted = chunk->position + 2 * kodama_ring_capacity(ring);
    if (got->calls++ % 20 == 0) {
        while (kodama_ring_position(ring) < wanted && !kodama_ring_is_closed(ring))
            streaming_nap(1);
    }
    return KODAMA_OK;
}

static void dropping_the_oldest_loses_what_is_told_to_the_frame(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++) {
        struct kodama_source_config source = streaming_noise(10 * LENGTH);
        source.live = live;
        struct got got = {0};
        struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
        config.ring_seconds = 0.05;
        config.overflow = live ? KODAMA_OVERFLOW_AUTO : KODAMA_OVERFLOW_DROP_OLDEST;
        config.on_chunk = fall_behind;
        config.user = &got;
        struct kodama_stream *stream = streaming_open(streaming_source("null", &source), &config);
        got.stream = stream;
        streaming_run(stream);
        struct kodama_stream_stats stats = streaming_stats(stream);
        assert_int_equal(stats.source.frames, 10 * LENGTH); /* never held up */
        assert_int_equal(got.frames + got.lost, 10 * LENGTH);
        assert_int_equal(stats.frames + stats.lost_frames, 10 * LENGTH);
        assert_true(stats.lost_frames > 0 && stats.lost_frames >= got.lost);
        assert_int_equal(got.n_last, 1);
        /* The list of gaps has all of it, unless it is longer than what is kept. */
        static struct kodama_gap gaps[256];
        int64_t n = kodama_stream_gaps(stream, gaps, 256);
        assert_int_equal(n, stats.gaps);
        uint64_t listed = 0;
        for (int64_t i = 0; i < n && n <= 256; i++) {
            assert_true(gaps[i].lost);
            listed += gaps[i].length;
        }
        if (n <= 256) assert_int_equal(listed, stats.lost_frames);
        kodama_stream_close(stream);
    }
}

static void refused_frames_are_a_gap_and_received_plus_gaps_is_what_was_expected(void **state)
{
    (void)state;
    const struct kodama_fault faults[] = {
        {.kind = KODAMA_FAULT_GAP, .position = 9000, .length_frames = 2500},
        {.kind = KODAMA_FAULT_VANISH, .position = 20000, .length_frames = 5000},
        {.kind = KODAMA_FAULT_BURST, .position = 30000, .length_frames = 5000},
    };
    for (int i = 0; i < 4; i++) {
        struct kodama_source_config source = streaming_noise(LENGTH);
        source.paced = i % 2;
        if (i >= 2) {
            source.faults = faults;
            source.n_faults = 3;
        }
        /* The first call lasts until more was refused than the ring holds. */
        struct got got = {.rejected_wanted = source.paced ? 4000 : 10000, .nap_every = 40};
        struct kodama_stream *stream = open_stream(&got, &source, KODAMA_OVERFLOW_REJECT, 0.05);
        streaming_run(stream);
        struct kodama_stream_stats stats = streaming_stats(stream);
        assert_false(got.wrong);
        assert_int_equal(got.frames, LENGTH);
        assert_int_equal(got.lost, 0);
        assert_int_equal(got.n_last, 1);
        assert_true(stats.rejected_frames >= got.rejected_wanted);
        assert_int_equal(stats.source.gap_frames, got.marked);
        assert_int_equal(stats.ring.gap_frames, got.marked);
        assert_int_equal(stats.silent_frames, got.marked);
        if (i < 2) assert_int_equal(stats.rejected_frames, stats.source.gap_frames);
        /* Received + gaps = expected. */
        assert_int_equal(got.frames - got.marked + stats.source.gap_frames, LENGTH);
        assert_int_equal(stats.source.frames, LENGTH);
        assert_true(stats.gaps >= 1);
        kodama_stream_close(stream);
    }
}

static void refusing_holds_for_every_lossless_cursor(void **state)
{
    (void)state;
    struct kodama_source_config source = streaming_noise(LENGTH);
    struct got got = {0};
    struct kodama_stream *stream = open_stream(&got, &source, KODAMA_OVERFLOW_REJECT, 0.05);
    struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
    config.lossless = true;
    struct kodama_cursor *slow;
    assert_int_equal(kodama_cursor_open(&slow, kodama_stream_ring(stream), &config), KODAMA_OK);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    while (streaming_stats(stream).rejected_frames < 5000) streaming_nap(1);
    static float frames[1000];
    uint64_t n = 0;
    int64_t read;
    while ((read = kodama_cursor_read(slow, frames, 1000, KODAMA_FOREVER, NULL)) > 0) {
        n += (uint64_t)read;
    }
    assert_int_equal(n, LENGTH);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_false(got.wrong);
    assert_int_equal(got.frames, LENGTH);
    kodama_cursor_close(slow);
    kodama_stream_close(stream);
}

static void a_live_source_can_neither_wait_nor_refuse(void **state)
{
    (void)state;
    struct kodama_source_config source_config = streaming_noise(LENGTH);
    source_config.live = true;
    struct kodama_source *source = streaming_source("null", &source_config);
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    struct kodama_stream *stream;
    struct kodama_error error = {0};
    config.overflow = KODAMA_OVERFLOW_WAIT;
    assert_int_equal(kodama_stream_open(&stream, source, &config, &error), KODAMA_ERR_LIVE);
    assert_true(error.message[0] != '\0');
    config.overflow = KODAMA_OVERFLOW_REJECT;
    assert_int_equal(kodama_stream_open(&stream, source, &config, NULL), KODAMA_ERR_LIVE);
    config.overflow = (enum kodama_overflow)9;
    assert_int_equal(kodama_stream_open(&stream, source, &config, NULL), KODAMA_ERR_ARGUMENT);
    kodama_source_close(source);
}

/* ------------------------------------------------------------------ chunks */

static void chunks_grow_at_once_when_the_dispatcher_falls_behind(void **state)
{
    (void)state;
    struct pace pace = {0};
    const uint32_t rate = 48000;
    assert_int_equal(pace_next(&pace, 240, 481, 0, rate), 480);
    assert_int_equal(pace_next(&pace, 480, 961, 0, rate), 960);
    assert_int_equal(pace_next(&pace, 960, 100000, 0, rate), 960);  /* 20 ms at most */
    assert_int_equal(pace_next(&pace, 240, 0, 2600000, rate), 480); /* of 5 ms more than half */
    assert_int_equal(pace_next(&pace, 700, 0, 9000000, rate), 960);
    assert_int_equal(pace_next(&pace, 240, 480, 2400000, rate), 240); /* neither */
}

static void chunks_shrink_slowly_and_only_after_a_long_calm(void **state)
{
    (void)state;
    struct pace pace = {0};
    uint32_t chunk = 960, steps = 0, calls = 0;
    while (chunk > 240) {
        uint32_t next = pace_next(&pace, chunk, chunk - 1, 100000, 48000);
        calls++;
        steps += next != chunk;
        assert_true(next <= chunk && next >= chunk * 7 / 8 - 1);
        chunk = next;
        assert_true(calls < 10000);
    }
    assert_int_equal(chunk, 240);
    assert_int_equal(calls, steps * PACE_CALM_CHUNKS);
    /* One busy moment, and the calm begins anew. */
    pace = (struct pace){0};
    for (int i = 0; i < PACE_CALM_CHUNKS - 1; i++) {
        assert_int_equal(pace_next(&pace, 480, 0, 0, 48000), 480);
    }
    assert_int_equal(pace_next(&pace, 480, 480, 0, 48000), 480);
    for (int i = 0; i < PACE_CALM_CHUNKS - 1; i++) {
        assert_int_equal(pace_next(&pace, 480, 0, 0, 48000), 480);
    }
    assert_int_equal(pace_next(&pace, 480, 0, 0, 48000), 420);
}

/* Calls that cost so much each and so much a frame, simulated. */
static void chunks_settle_and_do_not_swing(void **state)
{
    (void)state;
    const unsigned fixed_us[] = {10, 500, 2000, 3000, 4800};
    for (size_t i = 0; i < 5; i++) {
        struct pace pace = {0};
        uint32_t chunk = 480, changes = 0;
        double queue = 0.0;
        for (int n = 0; n < 20000; n++) {
            uint64_t ns = fixed_us[i] * UINT64_C(1000) + chunk * UINT64_C(2000);
            queue += (double)ns * 48000.0 / 1e9 - chunk;
            if (queue < 0.0) queue = 0.0;
            uint32_t next = pace_next(&pace, chunk, (uint64_t)queue, ns, 48000);
            if (n >= 2000) changes += next != chunk;
            chunk = next;
        }
        printf("# calls of %u us + 2 us a frame: chunks of %u frames\n", fixed_us[i], chunk);
        assert_int_equal(changes, 0);
    }
    fflush(stdout);
}

static void an_adaptive_stream_takes_longer_chunks_when_frames_wait(void **state)
{
    (void)state;
    struct kodama_source_config source = streaming_noise(10 * LENGTH);
    struct got got = {0};
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.adaptive = true;
    config.on_chunk = check_frames;
    config.user = &got;
    struct kodama_stream *stream = streaming_open(streaming_source("null", &source), &config);
    got.stream = stream;
    assert_int_equal(kodama_stream_chunk_frames(stream), 480);
    streaming_run(stream);
    assert_false(got.wrong);
    assert_int_equal(got.frames, 10 * LENGTH);
    /* The source runs ahead, so more than two chunks wait. */
    assert_int_equal(kodama_stream_chunk_frames(stream), 960);
    assert_true(streaming_stats(stream).chunks < 10 * LENGTH / 480);
    kodama_stream_close(stream);
}

static int resize(void *user, const struct kodama_chunk *chunk)
{
    struct got *got = user;
    const uint32_t sizes[] = {480, 1, 7, 4800, 96};
    if (!chunk->is_last && chunk->n_frames != sizes[got->calls % 5]) got->wrong = true;
    if (chunk->position != got->position || !streaming_is_noise(chunk)) got->wrong = true;
    got->position += chunk->n_frames;
    got->calls++;
    return kodama_stream_resize_chunk(got->stream, sizes[got->calls % 5]);
}

static void chunks_are_enlarged_and_shrunk_by_hand_from_the_next_one_on(void **state)
{
    (void)state;
    struct kodama_source_config source = streaming_noise(LENGTH);
    struct got got = {0};
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.on_chunk = resize;
    config.user = &got;
    struct kodama_stream *stream = streaming_open(streaming_source("null", &source), &config);
    got.stream = stream;
    streaming_run(stream);
    assert_false(got.wrong);
    assert_int_equal(got.position, LENGTH);
    uint64_t half = kodama_ring_capacity(kodama_stream_ring(stream)) / 2;
    assert_int_equal(kodama_stream_resize_chunk(stream, (uint32_t)half), KODAMA_OK);
    assert_int_equal(kodama_stream_chunk_frames(stream), half);
    assert_int_equal(kodama_stream_resize_chunk(stream, (uint32_t)half + 1), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_stream_resize_chunk(stream, 0), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_stream_resize_chunk(NULL, 1), KODAMA_ERR_ARGUMENT);
    kodama_stream_close(stream);
}

/* -------------------------------------------------------------- statistics */

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void quantiles_are_right_within_three_percent(void **state)
{
    (void)state;
    enum { N = 20000 };
    static struct histogram histogram;
    static uint64_t all[N];
    struct test_random random = {.state = 9};
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    for (size_t i = 0; i < N; i++) {
        all[i] = test_random_next(&random) >> (24 + test_random_below(&random, 38));
        histogram_add(&histogram, all[i]);
    }
    qsort(all, N, sizeof all[0], compare);
    const double parts[] = {0.0, 0.1, 0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < 6; i++) {
        double truth = (double)all[(size_t)(parts[i] * N)];
        double told = (double)histogram_quantile(&histogram, parts[i]);
        assert_true(told >= truth * 0.97 - 0.5 && told <= truth * 1.03 + 0.5);
    }
    assert_int_equal(histogram_quantile(&histogram, 1.0), all[N - 1]);
    histogram_add(&histogram, UINT64_MAX); /* counted somewhere, and the largest */
    assert_true(histogram_quantile(&histogram, 1.0) == UINT64_MAX);
}

static struct stamps stamps;
static _Atomic uint64_t stamped;

static void write_stamps(void *argument)
{
    uint64_t n = *(uint64_t *)argument;
    for (uint64_t i = 0; i < n; i++) {
        stamps_add(&stamps, i * 10, i + 1);
        atomic_store_explicit(&stamped, i * 10 + 10, memory_order_release);
        if (i % 256 == 0) clock_sleep_until(clock_now_ns() + 20000); /* let the reader catch up */
    }
}

static void stamps_tell_when_a_frame_was_written_while_others_are_written(void **state)
{
    (void)state;
    uint64_t n = (uint64_t)(200000 * test_scale()), next = 0, asked = 0, exact = 0;
    struct thread thread;
    assert_int_equal(stamps_find(&stamps, 0, &next), 0);
    assert_int_equal(thread_start(&thread, "writer", write_stamps, &n, NULL), KODAMA_OK);
    struct test_random random = {.state = 3};
    uint64_t position = 0, end = 0;
    while (end < n * 10) {
        end = atomic_load_explicit(&stamped, memory_order_acquire);
        if (end <= position) continue;
        position += test_random_below(&random, end - position); /* never back */
        uint64_t wanted = position / 10 + 1, found = stamps_find(&stamps, position, &next);
        if (end < position + (STAMPS_KEPT - 2) * 10 && found != wanted) {
            /* Overwritten since `end` was looked at, or wrong. */
            uint64_t now = atomic_load_explicit(&stamped, memory_order_acquire);
            assert_true(now >= position + (STAMPS_KEPT - 2) * 10);
        }
        assert_true(found >= wanted);
        exact += found == wanted;
        asked++;
        position++;
    }
    thread_join(&thread);
    assert_true(asked > 0);
    next = 0;
    assert_int_equal(stamps_find(&stamps, n * 10 - 1, &next), n);
    assert_int_equal(stamps_find(&stamps, n * 10 - 11, &(uint64_t){0}), n - 1);
    printf("# %llu of %llu times were exact\n", (unsigned long long)exact,
           (unsigned long long)asked);
    fflush(stdout);
}

static void the_time_from_write_to_callback_is_measured(void **state)
{
    (void)state;
    struct kodama_source_config source = streaming_noise(LENGTH / 2);
    source.paced = true;
    struct got got = {0};
    struct kodama_stream *stream = open_stream(&got, &source, KODAMA_OVERFLOW_AUTO, 0.0);
    streaming_run(stream);
    struct kodama_stream_stats stats = streaming_stats(stream);
    printf("# from write to callback: p50 %.1f us, p99 %.1f us, max %.1f us; %llu wake-ups\n",
           (double)stats.latency_p50_ns / 1e3, (double)stats.latency_p99_ns / 1e3,
           (double)stats.latency_max_ns / 1e3, (unsigned long long)stats.wakeups);
    fflush(stdout);
    assert_true(stats.latency_p50_ns > 0);
    assert_true(stats.latency_p50_ns <= stats.latency_p99_ns);
    assert_true(stats.latency_p99_ns <= stats.latency_max_ns);
    assert_true(stats.latency_max_ns < 10 * CLOCK_NS_PER_S);
    assert_true(stats.wakeups >= 1 && stats.wakeups <= 2 * stats.chunks + 2);
    kodama_stream_close(stream);
}

static void statistics_of_callbacks_add_up_to_those_of_the_stream(void **state)
{
    (void)state;
    struct kodama_source_config source = streaming_noise(LENGTH);
    struct got own = {.nap_every = 10}, other = {0};
    struct kodama_stream *stream = open_stream(&own, &source, KODAMA_OVERFLOW_AUTO, 0.1);
    struct kodama_callback_config config = KODAMA_CALLBACK_CONFIG_INIT;
    config.name = "a callback whose name is far too long to be kept as a whole";
    config.on_chunk = check_frames;
    config.user = &other;
    other.stream = stream;
    int id = kodama_stream_add(stream, &config, NULL);
    streaming_run(stream);
    struct kodama_stream_stats stats = streaming_stats(stream);
    struct kodama_callback_stats a, b;
    assert_int_equal(kodama_stream_callback_stats(stream, 0, &a), KODAMA_OK);
    assert_int_equal(kodama_stream_callback_stats(stream, id, &b), KODAMA_OK);
    assert_int_equal(strlen(b.name), KODAMA_CALLBACK_NAME_BYTES - 1);
    assert_int_equal(a.frames, LENGTH);
    assert_int_equal(b.frames, LENGTH);
    assert_int_equal(stats.callback_ns, a.total_ns + b.total_ns);
    assert_int_equal(stats.callback_max_ns, a.max_ns > b.max_ns ? a.max_ns : b.max_ns);
    assert_true(a.total_ns >= a.calls / 10 * 3 * CLOCK_NS_PER_MS);
    assert_true(a.max_ns >= 3 * CLOCK_NS_PER_MS && a.max_ns <= a.total_ns);
    assert_int_equal(stats.starts, 1);
    kodama_stream_close(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_that_may_wait_waits_and_nothing_is_lost),
        cmocka_unit_test(dropping_the_oldest_loses_what_is_told_to_the_frame),
        cmocka_unit_test(refused_frames_are_a_gap_and_received_plus_gaps_is_what_was_expected),
        cmocka_unit_test(refusing_holds_for_every_lossless_cursor),
        cmocka_unit_test(a_live_source_can_neither_wait_nor_refuse),
        cmocka_unit_test(chunks_grow_at_once_when_the_dispatcher_falls_behind),
        cmocka_unit_test(chunks_shrink_slowly_and_only_after_a_long_calm),
        cmocka_unit_test(chunks_settle_and_do_not_swing),
        cmocka_unit_test(an_adaptive_stream_takes_longer_chunks_when_frames_wait),
        cmocka_unit_test(chunks_are_enlarged_and_shrunk_by_hand_from_the_next_one_on),
        cmocka_unit_test(quantiles_are_right_within_three_percent),
        cmocka_unit_test(stamps_tell_when_a_frame_was_written_while_others_are_written),
        cmocka_unit_test(the_time_from_write_to_callback_is_measured),
        cmocka_unit_test(statistics_of_callbacks_add_up_to_those_of_the_stream),
    };
    return cmocka_run_group_tests_name("stream overflow", tests, NULL, NULL);
}
