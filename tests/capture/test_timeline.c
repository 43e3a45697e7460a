/* Tests of timelines: whatever a device's clock does, the place of every frame is right. */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include <kodama/ring.h>

#include "base/clock.h"
#include "capture/timeline.h"

enum { RATE = 48000, PERIOD = 480 };
#define PERIOD_NS (10 * CLOCK_NS_PER_MS)

/* A timeline on a ring of its own, and the device that drives it. */
struct device {
    struct kodama_source source;
    struct kodama_ring *ring;
    struct timeline timeline;
    uint64_t ticks, time_ns, clock_id;
    uint32_t clock_hz;
    float next; /* content: every frame is one more than the one before */
};

static struct device *start(uint32_t clock_hz)
{
    struct device *device = calloc(1, sizeof *device);
    assert_non_null(device);
    static const struct source_ops ops = {.name = "test"};
    device->source.ops = &ops;
    device->source.live = true;
    device->source.format =
        (struct kodama_format){.sample = KODAMA_SAMPLE_F32, .rate_hz = RATE, .channels = 1};
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    config.format = device->source.format;
    config.capacity_seconds = 30.0;
    config.n_marks = 8192;
    config.live = true;
    assert_int_equal(kodama_ring_create(&device->ring, &config, NULL), KODAMA_OK);
    assert_int_equal(kodama_writer_claim(&device->source.writer, device->ring), KODAMA_OK);
    device->source.ring = device->ring;
    device->clock_hz = clock_hz;
    device->next = 1.0F;
    timeline_start(&device->timeline, &device->source);
    timeline_set_present(&device->timeline, true);
    device->time_ns = device->timeline.end_time_ns;
    device->ticks = 1000000;
    return device;
}

static void finish(struct device *device)
{
    kodama_writer_release(&device->source.writer);
    kodama_ring_destroy(device->ring);
    free(device);
}

/* One period; time and clock go on by as much. */
static void deliver(struct device *device, size_t n_frames)
{
    float frames[PERIOD * 4];
    assert_true(n_frames <= sizeof frames / sizeof frames[0]);
    for (size_t i = 0; i < n_frames; i++) frames[i] = device->next++;
    struct timeline_period period = {.frames = frames,
                                     .n_frames = n_frames,
                                     .clock_id = device->clock_id,
                                     .ticks = device->ticks,
                                     .clock_hz = device->clock_hz,
                                     .time_ns = device->time_ns};
    timeline_write(&device->timeline, &period);
    device->ticks += n_frames * device->clock_hz / RATE;
    device->time_ns += n_frames * CLOCK_NS_PER_S / RATE;
}

/* Time passes without anything being delivered. */
static void lose(struct device *device, uint64_t n_frames)
{
    device->ticks += n_frames * device->clock_hz / RATE;
    device->time_ns += n_frames * CLOCK_NS_PER_S / RATE;
}

static uint64_t position(const struct device *device)
{
    return kodama_ring_position(device->ring);
}

static float frame_at(struct device *device, uint64_t at)
{
    struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
    config.start = KODAMA_START_AT;
    config.start_position = at;
    struct kodama_cursor *cursor;
    float frame = -1.0F;
    assert_int_equal(kodama_cursor_open(&cursor, device->ring, &config), KODAMA_OK);
    assert_int_equal(kodama_cursor_read(cursor, &frame, 1, 0, NULL), 1);
    kodama_cursor_close(cursor);
    return frame;
}

static uint64_t gap_frames(const struct device *device)
{
    return device->source.counters.gap_frames;
}

static void frames_follow_one_another(void **state)
{
    (void)state;
    struct device *device = start(RATE);
    for (int i = 0; i < 100; i++) deliver(device, i % 3 ? PERIOD : 64);
    assert_int_equal(gap_frames(device), 0);
    assert_int_equal(frame_at(device, position(device) - 1), (int)device->next - 1);
    finish(device);
}

static void lost_cycles_are_a_gap_of_their_length_in_their_place(void **state)
{
    (void)state;
    struct device *device = start(RATE);
    deliver(device, PERIOD);
    lose(device, 777);
    deliver(device, PERIOD);
    assert_int_equal(position(device), 2 * PERIOD + 777);
    assert_int_equal(gap_frames(device), 777);
    assert_int_equal(device->source.counters.gaps, 1);
    assert_true(frame_at(device, PERIOD - 1) == (float)PERIOD);
    assert_true(frame_at(device, PERIOD) == 0.0F && frame_at(device, PERIOD + 776) == 0.0F);
    assert_true(frame_at(device, PERIOD + 777) == (float)(PERIOD + 1));
    struct kodama_mark marks[8];
    int n = kodama_ring_marks(device->ring, PERIOD, 777, marks, 8, NULL), gaps = 0;
    for (int i = 0; i < n; i++) {
        if (!(marks[i].flags & KODAMA_MARK_GAP)) continue;
        gaps++;
        assert_int_equal(marks[i].position, PERIOD);
        assert_int_equal(marks[i].length, 777);
    }
    assert_int_equal(gaps, 1);
    finish(device);
}

static void random_losses_keep_every_frame_in_its_place(void **state)
{
    (void)state;
    struct test_random random = {.state = 4};
    struct device *device = start(RATE);
    uint64_t lost = 0, expected = 0;
    for (int i = 0; i < 2000; i++) {
        if (i > 0 && test_random_below(&random, 10) == 0) {
            uint64_t n = 1 + test_random_below(&random, 300);
            lose(device, n);
            lost += n;
            expected += n;
        }
        size_t n = 1 + (size_t)test_random_below(&random, PERIOD);
        expected += n;
        deliver(device, n);
        assert_int_equal(position(device), expected); /* received + gaps = expected */
        assert_true(frame_at(device, expected - 1) == device->next - 1.0F);
    }
    assert_int_equal(gap_frames(device), lost);
    finish(device);
}

static void another_clock_goes_on_by_the_time_that_passed(void **state)
{
    (void)state;
    struct device *device = start(RATE);
    for (int i = 0; i < 10; i++) deliver(device, PERIOD);
    device->clock_id = 7; /* another device, after 50 ms */
    device->ticks = 5;
    device->time_ns += 5 * PERIOD_NS;
    deliver(device, PERIOD);
    assert_in_range(gap_frames(device), 5 * PERIOD - 1, 5 * PERIOD + 1);
    assert_int_equal(device->source.counters.clock_changes, 1);
    /* A third one whose cycle began earlier: nothing is lost, and the advance is given back. */
    uint64_t before = gap_frames(device);
    device->clock_id = 8;
    device->time_ns -= PERIOD_NS / 2;
    deliver(device, PERIOD);
    assert_int_equal(gap_frames(device), before);
    device->clock_id = 9;
    device->time_ns += PERIOD_NS;
    deliver(device, PERIOD);
    assert_in_range(gap_frames(device), before + PERIOD / 2 - 1, before + PERIOD / 2 + 1);
    finish(device);
}

static void a_resampler_between_makes_no_gaps_and_hides_none(void **state)
{
    (void)state;
    struct device *device = start(44100);
    /* The device's cycles are 441 ticks; a resampler gives a frame more or fewer. */
    for (int i = 0; i < 1000; i++) {
        size_t n = i % 2 ? PERIOD - 3 : PERIOD + 3;
        float frames[PERIOD + 3];
        for (size_t k = 0; k < n; k++) frames[k] = 1.0F;
        struct timeline_period period = {.frames = frames,
                                         .n_frames = n,
                                         .ticks = device->ticks,
                                         .clock_hz = 44100,
                                         .time_ns = device->time_ns};
        timeline_write(&device->timeline, &period);
        device->ticks += 441;
        device->time_ns += PERIOD_NS;
    }
    assert_int_equal(gap_frames(device), 0);
    device->ticks += 10 * 441;
    device->time_ns += 10 * PERIOD_NS;
    deliver(device, PERIOD);
    assert_in_range(gap_frames(device), 10 * PERIOD - 10, 10 * PERIOD + 10);
    finish(device);
}

static void silence_is_a_gap_only_while_nobody_is_there(void **state)
{
    (void)state;
    struct device *device = start(RATE);
    float silence[PERIOD] = {0};
    struct timeline_period period = {.frames = silence,
                                     .n_frames = PERIOD,
                                     .ticks = 0,
                                     .clock_hz = RATE,
                                     .time_ns = device->time_ns};
    timeline_write(&device->timeline, &period);
    assert_int_equal(gap_frames(device), 0);
    timeline_set_present(&device->timeline, false);
    period.ticks += PERIOD;
    period.time_ns += PERIOD_NS;
    timeline_write(&device->timeline, &period);
    assert_int_equal(gap_frames(device), PERIOD);
    /* Sound that is there before anybody said so is not thrown away. */
    silence[PERIOD - 1] = 0.5F;
    period.ticks += PERIOD;
    period.time_ns += PERIOD_NS;
    timeline_write(&device->timeline, &period);
    assert_int_equal(gap_frames(device), PERIOD);
    assert_true(frame_at(device, 3 * PERIOD - 1) == 0.5F);
    finish(device);
}

static void without_a_device_silence_comes_in_periods_and_frames_find_their_place_after(
    void **state)
{
    (void)state;
    struct device *device = start(RATE);
    deliver(device, PERIOD);
    uint64_t now = device->time_ns + 20 * PERIOD_NS, until = now + CLOCK_NS_PER_S;
    uint64_t looks = 0;
    while (now < until) {
        uint64_t next = timeline_keep(&device->timeline, now);
        assert_true(next > now);
        now = next;
        looks++;
    }
    assert_in_range(looks, 50, 150); /* every 10 ms, once it has waited */
    uint64_t kept = position(device) - PERIOD;
    assert_in_range(kept, RATE * 9 / 10, RATE * 13 / 10);
    assert_int_equal(kept % (RATE / 100), 0);
    assert_int_equal(gap_frames(device), kept);
    assert_int_equal(device->source.counters.gaps, 1);
    /* The device's clock went on. */
    lose(device, RATE * 2);
    deliver(device, PERIOD);
    assert_int_equal(position(device), 2 * PERIOD + RATE * 2);
    assert_true(frame_at(device, PERIOD + RATE * 2) == (float)(PERIOD + 1));
    assert_int_equal(device->source.counters.gaps, 1); /* one, told in pieces */
    finish(device);
}

static void drift_is_told_once_there_is_enough_to_go_by(void **state)
{
    (void)state;
    static const double drifts[] = {0.0, 50.0, -120.0};
    for (size_t k = 0; k < 3; k++) {
        struct device *device = start(RATE);
        struct test_random random = {.state = 9};
        uint64_t begin = device->time_ns;
        for (int i = 0; i < 1000; i++) {
            double seconds = i * 0.01 / (1.0 + drifts[k] * 1e-6);
            /* Timers are late by up to 0.1 ms. */
            device->time_ns =
                begin + (uint64_t)(seconds * 1e9) + test_random_below(&random, 100000);
            deliver(device, PERIOD);
            if (i == 100) assert_true(device->source.counters.drift_ppm == 0.0);
        }
        double error = device->source.counters.drift_ppm - drifts[k];
        assert_true(error > -2.0 && error < 2.0);
        finish(device);
    }
}

static void times_of_frames_are_marked_every_ten_milliseconds(void **state)
{
    (void)state;
    struct device *device = start(RATE);
    uint64_t begin = device->time_ns;
    for (int i = 0; i < 750; i++) deliver(device, 64);
    struct kodama_mark marks[200];
    int n = kodama_ring_marks(device->ring, 0, 750 * 64, marks, 200, NULL);
    assert_in_range(n, 90, 101);
    for (int i = 0; i < n; i++) {
        assert_int_equal(marks[i].flags, KODAMA_MARK_TIME);
        uint64_t exact = begin + marks[i].position * CLOCK_NS_PER_S / RATE;
        assert_in_range(marks[i].time_ns, exact - 1000, exact + 1000);
    }
    finish(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_follow_one_another),
        cmocka_unit_test(lost_cycles_are_a_gap_of_their_length_in_their_place),
        cmocka_unit_test(random_losses_keep_every_frame_in_its_place),
        cmocka_unit_test(another_clock_goes_on_by_the_time_that_passed),
        cmocka_unit_test(a_resampler_between_makes_no_gaps_and_hides_none),
        cmocka_unit_test(silence_is_a_gap_only_while_nobody_is_there),
        cmocka_unit_test(
            without_a_device_silence_comes_in_periods_and_frames_find_their_place_after),
        cmocka_unit_test(drift_is_told_once_there_is_enough_to_go_by),
        cmocka_unit_test(times_of_frames_are_marked_every_ten_milliseconds),
    };
    return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
