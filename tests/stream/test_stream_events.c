/* Tests of a stream's events and gaps: each condition is told once, and once when it is over. */
#include "stream/streaming.h"

#include <stdio.h>

#include "stream/stream_internal.h"

enum { LENGTH = 48000, EVENTS = 600 };

/* All events of a stream. */
struct told {
    struct kodama_stream_event events[EVENTS];
    size_t n;
    uint64_t frames;
    struct kodama_stream *stream;
    bool wrong;
};

static void on_event(void *user, const struct kodama_stream_event *event)
{
    struct told *told = user;
    if (event->sequence != told->n || event->text[0] == '\0') told->wrong = true;
    if (told->n < EVENTS) told->events[told->n++] = *event;
}

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct told *told = user;
    told->frames += chunk->n_frames;
    return KODAMA_OK;
}

static size_t count(const struct told *told, enum kodama_stream_event_kind kind, bool over)
{
    size_t n = 0;
    for (size_t i = 0; i < told->n; i++) {
        n += told->events[i].kind == kind && told->events[i].over == over;
    }
    return n;
}

static const struct kodama_stream_event *nth(const struct told *told,
                                             enum kodama_stream_event_kind kind, size_t n)
{
    for (size_t i = 0; i < told->n; i++) {
        if (told->events[i].kind == kind && n-- == 0) return &told->events[i];
    }
    fail_msg("there is no such event: %s", kodama_stream_event_name(kind));
    return NULL;
}

static struct kodama_stream *open_faulty(struct told *told, const struct kodama_fault *faults,
                                         size_t n_faults, bool with_callback)
{
    struct kodama_source_config source = streaming_noise(LENGTH);
    source.faults = faults;
    source.n_faults = n_faults;
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.on_chunk = with_callback ? on_chunk : NULL;
    config.user = told;
    config.on_event = on_event;
    config.event_user = told;
    return streaming_open(streaming_source("null", &source), &config);
}

static void a_gap_is_told_once_with_its_place_and_length(void **state)
{
    (void)state;
    const struct kodama_fault faults[] = {
        {.kind = KODAMA_FAULT_GAP, .position = 1000, .length_frames = 5000},
        {.kind = KODAMA_FAULT_GAP, .position = 20000, .length_frames = 1},
    };
    for (int with_callback = 0; with_callback < 2; with_callback++) {
        static struct told told;
        memset(&told, 0, sizeof told);
        struct kodama_stream *stream = open_faulty(&told, faults, 2, with_callback);
        streaming_run(stream);
        assert_false(told.wrong);
        assert_int_equal(told.n, 3);
        for (size_t i = 0; i < 2; i++) {
            const struct kodama_stream_event *event = nth(&told, KODAMA_STREAM_GAP, i);
            assert_int_equal(event->position, faults[i].position);
            assert_int_equal(event->length, faults[i].length_frames);
        }
        struct kodama_gap gaps[3];
        assert_int_equal(kodama_stream_gaps(stream, gaps, 3), 2);
        assert_int_equal(gaps[0].position, 1000);
        assert_int_equal(gaps[0].length, 5000);
        assert_false(gaps[0].lost);
        assert_int_equal(gaps[1].position, 20000);
        assert_int_equal(gaps[1].length, 1);
        struct kodama_stream_stats stats = streaming_stats(stream);
        assert_int_equal(stats.gaps, 2);
        assert_int_equal(stats.silent_frames, 5001);
        assert_int_equal(stats.source.gap_frames, 5001);
        assert_int_equal(stats.events, 3);
        kodama_stream_close(stream);
    }
}

static void a_target_that_vanishes_is_told_when_it_goes_and_when_it_is_back(void **state)
{
    (void)state;
    const struct kodama_fault faults[] = {
        {.kind = KODAMA_FAULT_VANISH, .position = 4800, .length_frames = 9600},
        {.kind = KODAMA_FAULT_VANISH, .position = 24000, .length_frames = 100},
    };
    for (int with_callback = 0; with_callback < 2; with_callback++) {
        static struct told told;
        memset(&told, 0, sizeof told);
        struct kodama_stream *stream = open_faulty(&told, faults, 2, with_callback);
        streaming_run(stream);
        assert_int_equal(count(&told, KODAMA_STREAM_VANISHED, false), 2);
        assert_int_equal(count(&told, KODAMA_STREAM_VANISHED, true), 2);
        for (size_t i = 0; i < 4; i++) { /* in turns */
            assert_int_equal(nth(&told, KODAMA_STREAM_VANISHED, i)->over, i % 2);
        }
        /* What is missing meanwhile is one gap, although it comes in periods. */
        assert_int_equal(count(&told, KODAMA_STREAM_GAP, false), 2);
        assert_int_equal(nth(&told, KODAMA_STREAM_GAP, 0)->position, 4800);
        assert_int_equal(nth(&told, KODAMA_STREAM_GAP, 0)->length, 9600);
        assert_int_equal(told.n, 2 + 2 + 2 + 1);
        struct kodama_source_stats stats = streaming_stats(stream).source;
        assert_int_equal(stats.vanished, 2);
        assert_int_equal(stats.returned, 2);
        assert_true(stats.present);
        kodama_stream_close(stream);
    }
}

static void one_that_does_not_come_back_is_told_once(void **state)
{
    (void)state;
    const struct kodama_fault fault = {
        .kind = KODAMA_FAULT_VANISH, .position = 40000, .length_frames = 100000};
    static struct told told;
    memset(&told, 0, sizeof told);
    struct kodama_stream *stream = open_faulty(&told, &fault, 1, true);
    streaming_run(stream);
    assert_int_equal(count(&told, KODAMA_STREAM_VANISHED, false), 1);
    assert_int_equal(count(&told, KODAMA_STREAM_VANISHED, true), 0);
    assert_int_equal(nth(&told, KODAMA_STREAM_VANISHED, 0)->position, 40000);
    assert_false(streaming_stats(stream).source.present);
    assert_int_equal(nth(&told, KODAMA_STREAM_GAP, 0)->length, LENGTH - 40000);
    kodama_stream_close(stream);
}

static void a_stall_a_burst_and_a_drift_lose_nothing_and_tell_nothing(void **state)
{
    (void)state;
    const struct kodama_fault faults[] = {
        {.kind = KODAMA_FAULT_STALL, .position = 4800, .stall_ms = 30},
        {.kind = KODAMA_FAULT_BURST, .position = 9600, .length_frames = 9600},
        {.kind = KODAMA_FAULT_DRIFT, .position = 24000, .drift_ppm = 500.0},
    };
    static struct told told;
    memset(&told, 0, sizeof told);
    struct kodama_stream *stream = open_faulty(&told, faults, 3, true);
    streaming_run(stream);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.events[0].kind, KODAMA_STREAM_ENDED);
    assert_int_equal(told.frames, LENGTH);
    kodama_stream_close(stream);
}

static void a_changed_format_ends_the_stream_and_says_so_once(void **state)
{
    (void)state;
    const struct kodama_fault fault = {.kind = KODAMA_FAULT_FORMAT, .position = 30000};
    static struct told told;
    memset(&told, 0, sizeof told);
    struct kodama_stream *stream = open_faulty(&told, &fault, 1, true);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_ERR_FORMAT);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.events[0].kind, KODAMA_STREAM_ENDED);
    assert_int_equal(told.events[0].status, KODAMA_ERR_FORMAT);
    assert_int_equal(told.events[0].position, 30000);
    assert_int_equal(told.frames, 30000);
    kodama_stream_close(stream);
}

static void the_newest_gaps_are_kept_and_all_are_counted(void **state)
{
    (void)state;
    enum { N = 300 };
    static struct kodama_fault faults[N];
    for (size_t i = 0; i < N; i++) {
        faults[i] = (struct kodama_fault){
            .kind = KODAMA_FAULT_GAP, .position = 100 + 150 * i, .length_frames = 1 + i % 100};
    }
    static struct told told;
    memset(&told, 0, sizeof told);
    struct kodama_stream *stream = open_faulty(&told, faults, N, true);
    streaming_run(stream);
    static struct kodama_gap gaps[N];
    assert_int_equal(kodama_stream_gaps(stream, NULL, 0), N);
    assert_int_equal(kodama_stream_gaps(stream, gaps, N), N);
    for (size_t i = 0; i < GAPS_KEPT; i++) {
        assert_int_equal(gaps[i].position, faults[N - GAPS_KEPT + i].position);
        assert_int_equal(gaps[i].length, faults[N - GAPS_KEPT + i].length_frames);
    }
    assert_int_equal(count(&told, KODAMA_STREAM_GAP, false), N);
    /* Of the events that nobody took, 64 are left. */
    struct kodama_stream_stats stats = streaming_stats(stream);
    assert_int_equal(stats.events, N + 1);
    assert_int_equal(stats.events_missed, N + 1 - EVENTS_KEPT);
    struct kodama_stream_event event;
    for (size_t i = 0; i < EVENTS_KEPT; i++) {
        assert_int_equal(kodama_stream_next_event(stream, &event, 0), KODAMA_OK);
        assert_int_equal(event.sequence, N + 1 - EVENTS_KEPT + i);
    }
    assert_int_equal(kodama_stream_next_event(stream, &event, 0), KODAMA_ERR_CLOSED);
    kodama_stream_close(stream);
}

static void events_are_pulled_with_a_timeout_and_by_waitable(void **state)
{
    (void)state;
    const struct kodama_fault fault = {
        .kind = KODAMA_FAULT_GAP, .position = 1000, .length_frames = 10};
    static struct told told;
    memset(&told, 0, sizeof told);
    struct kodama_stream *stream = open_faulty(&told, &fault, 1, true);
    struct kodama_stream_event event;
    struct kodama_waitable waitable;
    assert_int_equal(kodama_stream_event_waitable(stream, &waitable), KODAMA_OK);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_stream_next_event(stream, &event, 0), KODAMA_ERR_EMPTY);
    assert_int_equal(kodama_stream_next_event(stream, &event, 1000000), KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    assert_int_equal(kodama_waitable_wait(waitable, KODAMA_FOREVER), KODAMA_OK);
    assert_int_equal(kodama_stream_next_event(stream, &event, 0), KODAMA_OK);
    assert_int_equal(event.kind, KODAMA_STREAM_GAP);
    assert_int_equal(kodama_stream_next_event(stream, &event, KODAMA_FOREVER), KODAMA_OK);
    assert_int_equal(event.kind, KODAMA_STREAM_ENDED);
    assert_int_equal(kodama_stream_next_event(stream, &event, KODAMA_FOREVER), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_OK); /* ended */
    kodama_stream_close(stream);
}

/* ------------------------------------------------- conditions, by themselves */

static struct kodama_stream *open_paced(struct told *told)
{
    struct kodama_source_config source = streaming_noise(0);
    source.paced = true;
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.on_chunk = on_chunk;
    config.user = told;
    config.on_event = on_event;
    config.event_user = told;
    return streaming_open(streaming_source("null", &source), &config);
}

static void a_queue_above_80_percent_is_told_once_until_it_is_below_50(void **state)
{
    (void)state;
    static struct told told;
    memset(&told, 0, sizeof told);
    struct kodama_stream *stream = open_paced(&told);
    uint64_t all = kodama_ring_capacity(kodama_stream_ring(stream));
    const unsigned percent[] = {0, 79, 81, 79, 100, 81, 51, 85, 49, 60, 79, 82, 10, 0};
    for (size_t i = 0; i < sizeof percent / sizeof percent[0]; i++) {
        events_queue(stream, i, all * percent[i] / 100);
    }
    const unsigned at[] = {2, 8, 11, 12};
    assert_int_equal(told.n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(told.events[i].kind, KODAMA_STREAM_QUEUE);
        assert_int_equal(told.events[i].position, at[i]);
        assert_int_equal(told.events[i].over, i % 2);
    }
    assert_int_equal(streaming_stats(stream).queue_most_frames, all);
    kodama_stream_close(stream);
}

static void a_lag_above_100_ms_is_told_once_until_it_is_below_50(void **state)
{
    (void)state;
    static struct told told;
    memset(&told, 0, sizeof told);
    struct kodama_stream *stream = open_paced(&told);
    const unsigned ms[] = {1, 99, 101, 60, 200, 51, 49, 99, 101, 20};
    for (size_t i = 0; i < sizeof ms / sizeof ms[0]; i++) {
        events_lag(stream, i, ms[i] * CLOCK_NS_PER_MS);
    }
    const unsigned at[] = {2, 6, 8, 9};
    assert_int_equal(told.n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(told.events[i].kind, KODAMA_STREAM_LAG);
        assert_int_equal(told.events[i].position, at[i]);
        assert_int_equal(told.events[i].over, i % 2);
    }
    kodama_stream_close(stream);
}

static void losses_are_told_once_and_with_their_sum_when_the_queue_is_short_again(void **state)
{
    (void)state;
    static struct told told;
    memset(&told, 0, sizeof told);
    struct kodama_stream *stream = open_paced(&told);
    events_lost(stream, 1000, 10);
    events_lost(stream, 1010, 5); /* the same one goes on */
    events_lost(stream, 2000, 20);
    events_queue(stream, 2100, kodama_ring_capacity(kodama_stream_ring(stream)) * 6 / 10);
    assert_int_equal(told.n, 1);
    events_queue(stream, 2200, 0);
    assert_int_equal(told.n, 2);
    assert_int_equal(told.events[0].position, 1000);
    assert_int_equal(told.events[0].length, 10);
    assert_true(told.events[1].over);
    assert_int_equal(told.events[1].length, 35);
    struct kodama_gap gaps[3];
    assert_int_equal(kodama_stream_gaps(stream, gaps, 3), 2);
    assert_int_equal(gaps[0].length, 15);
    assert_int_equal(gaps[1].position, 2000);
    assert_true(gaps[0].lost && gaps[1].lost);
    assert_int_equal(streaming_stats(stream).lost_frames, 35);
    kodama_stream_close(stream);
}

/* Stays in its first call until the ring is nearly full, and is quick from then on. */
static int stall_once(void *user, const struct kodama_chunk *chunk)
{
    struct told *told = user;
    if (chunk->position == 0) {
        struct kodama_ring *ring = kodama_stream_ring(told->stream);
        while (kodama_ring_position(ring) < kodama_ring_capacity(ring) * 95 / 100) streaming_nap(1);
    }
    told->frames += chunk->n_frames;
    return told->frames >= 4 * LENGTH ? KODAMA_ERR_CANCELLED : KODAMA_OK;
}

static void a_callback_that_stalls_is_told_as_queue_and_lag_and_both_pass(void **state)
{
    (void)state;
    static struct told told;
    memset(&told, 0, sizeof told);
    struct kodama_source_config source = streaming_noise(0);
    source.paced = true;
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = 0.3;
    config.on_chunk = stall_once;
    config.user = &told;
    config.on_event = on_event;
    config.event_user = &told;
    struct kodama_stream *stream = streaming_open(streaming_source("null", &source), &config);
    told.stream = stream;
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    while (kodama_ring_position(kodama_stream_ring(stream)) < LENGTH) streaming_nap(10);
    kodama_stream_stop(stream);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_false(told.wrong);
    const enum kodama_stream_event_kind kinds[] = {KODAMA_STREAM_QUEUE, KODAMA_STREAM_LAG};
    for (size_t k = 0; k < 2; k++) {
        size_t begun = count(&told, kinds[k], false);
        /* At least: the machine may stall, too. Never one without the other. */
        assert_true(begun >= 1);
        assert_int_equal(count(&told, kinds[k], true), begun);
        for (size_t i = 0; i < 2 * begun; i++)
            assert_int_equal(nth(&told, kinds[k], i)->over, i % 2);
    }
    assert_int_equal(nth(&told, KODAMA_STREAM_ENDED, 0)->sequence, told.n - 1);
    kodama_stream_close(stream);
}

static void a_source_that_may_run_ahead_is_not_told_to_be_full(void **state)
{
    (void)state;
    static struct told told;
    memset(&told, 0, sizeof told);
    struct kodama_source_config source = streaming_noise(4 * LENGTH);
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = 0.3;
    config.on_chunk = stall_once;
    config.user = &told;
    config.on_event = on_event;
    config.event_user = &told;
    struct kodama_stream *stream = streaming_open(streaming_source("null", &source), &config);
    told.stream = stream;
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    (void)kodama_stream_wait(stream, KODAMA_FOREVER, NULL);
    assert_int_equal(told.n, 1);
    assert_true(streaming_stats(stream).queue_most_frames > 0);
    kodama_stream_close(stream);
}

static void a_stream_that_only_watches_wakes_a_few_times_a_second(void **state)
{
    (void)state;
    struct kodama_source_config source = streaming_noise(LENGTH);
    source.paced = true;
    struct kodama_stream *stream = streaming_open(streaming_source("null", &source), NULL);
    streaming_run(stream);
    struct kodama_stream_stats stats = streaming_stats(stream);
    printf("# woken %llu times in a second with nobody to call\n",
           (unsigned long long)stats.wakeups);
    fflush(stdout);
    assert_true(stats.wakeups <= 4);
    assert_int_equal(stats.chunks, 0);
    assert_int_equal(stats.events, 1);
    kodama_stream_close(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gap_is_told_once_with_its_place_and_length),
        cmocka_unit_test(a_target_that_vanishes_is_told_when_it_goes_and_when_it_is_back),
        cmocka_unit_test(one_that_does_not_come_back_is_told_once),
        cmocka_unit_test(a_stall_a_burst_and_a_drift_lose_nothing_and_tell_nothing),
        cmocka_unit_test(a_changed_format_ends_the_stream_and_says_so_once),
        cmocka_unit_test(the_newest_gaps_are_kept_and_all_are_counted),
        cmocka_unit_test(events_are_pulled_with_a_timeout_and_by_waitable),
        cmocka_unit_test(a_queue_above_80_percent_is_told_once_until_it_is_below_50),
        cmocka_unit_test(a_lag_above_100_ms_is_told_once_until_it_is_below_50),
        cmocka_unit_test(losses_are_told_once_and_with_their_sum_when_the_queue_is_short_again),
        cmocka_unit_test(a_callback_that_stalls_is_told_as_queue_and_lag_and_both_pass),
        cmocka_unit_test(a_source_that_may_run_ahead_is_not_told_to_be_full),
        cmocka_unit_test(a_stream_that_only_watches_wakes_a_few_times_a_second),
    };
    return cmocka_run_group_tests_name("stream events", tests, NULL, NULL);
}
