/* Tests of the source "null": each fault where, when and as long as it was asked for. */
#include "capture/collect.h"

#include <stdio.h>

#include "audio/convert.h"
#include "capture/source_generator.h"

enum { RATE = 16000 };

static struct kodama_source *open_null(const struct kodama_source_config *config)
{
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (kodama_source_open(&source, "null", config, &error) < 0) fail_msg("%s", error.message);
    return source;
}

static struct kodama_source_config with_faults(const struct kodama_fault *faults, size_t n_faults,
                                               uint64_t length_frames)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.format = (struct kodama_format){.sample = KODAMA_SAMPLE_S16, .rate_hz = RATE};
    config.faults = faults;
    config.n_faults = n_faults;
    config.length_frames = length_frames;
    return config;
}

/* What frame `position` is; mono s16, seed 0, amplitude 0.5. */
static int16_t content(uint64_t position)
{
    float value = 0.5f * generator_noise_sample(0, position);
    int16_t sample;
    convert_from_float(KODAMA_SAMPLE_S16, &value, &sample, 1);
    return sample;
}

/* Marks of some kind, in order. */
static size_t find_marks(const struct kodama_ring *ring, uint32_t flag, uint64_t n_frames,
                         struct kodama_mark *found, size_t room)
{
    static struct kodama_mark marks[4096];
    uint64_t lost;
    int n = kodama_ring_marks(ring, 0, n_frames + 1, marks, 4096, &lost);
    assert_true(n >= 0 && n <= 4096 && lost == 0);
    size_t n_found = 0;
    for (int i = 0; i < n; i++) {
        if (!(marks[i].flags & flag)) continue;
        assert_true(n_found < room);
        found[n_found++] = marks[i];
    }
    return n_found;
}

static void without_faults_it_is_noise_with_the_time_of_every_second(void **state)
{
    (void)state;
    struct kodama_source_config config = with_faults(NULL, 0, 3 * RATE + 100);
    struct collect collect;
    collect_start(&collect, open_null(&config), 10.0);
    size_t n;
    int16_t *frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, 3 * RATE + 100);
    for (size_t i = 0; i < n; i++) assert_int_equal(frames[i], content(i));
    struct kodama_mark marks[8];
    assert_int_equal(find_marks(collect.ring, KODAMA_MARK_TIME, n, marks, 8), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(marks[i].position, i * RATE);
        assert_int_equal(marks[i].time_ns - marks[0].time_ns, i * 1000000000);
    }
    collect_end(&collect);
    free(frames);
}

static void a_gap_is_silence_of_its_length_under_one_mark(void **state)
{
    (void)state;
    static const enum kodama_sample types[] = {KODAMA_SAMPLE_U8, KODAMA_SAMPLE_S24,
                                               KODAMA_SAMPLE_F32};
    for (size_t t = 0; t < 3; t++) {
        const struct kodama_fault faults[] = {
            {.kind = KODAMA_FAULT_GAP, .position = 0, .length_frames = 1},
            {.kind = KODAMA_FAULT_GAP, .position = 1, .length_frames = 7},
            {.kind = KODAMA_FAULT_GAP, .position = 777, .length_frames = 4321},
            {.kind = KODAMA_FAULT_GAP, .position = 19999, .length_frames = 4321}, /* cut */
            {.kind = KODAMA_FAULT_GAP, .position = 30000, .length_frames = 1},    /* never */
        };
        static const uint64_t lengths[] = {1, 7, 4321, 1};
        struct kodama_source_config config = with_faults(faults, 5, 20000);
        config.format.sample = types[t];
        config.format.channels = 2;
        struct kodama_source *source = open_null(&config);
        struct collect collect;
        collect_start(&collect, source, 10.0);
        size_t n;
        uint8_t *frames = collect_all(&collect, &n);
        assert_int_equal(n, 20000);
        float *wanted = calloc(2 * n, sizeof *wanted);
        uint8_t *bytes = calloc(2 * n, 4);
        assert_true(wanted && bytes);
        for (size_t i = 0; i < 2 * n; i++) wanted[i] = 0.5f * generator_noise_sample(0, i);
        for (size_t i = 0; i < 4; i++) {
            for (size_t j = 0; j < 2 * lengths[i]; j++) wanted[2 * faults[i].position + j] = 0.0f;
        }
        convert_from_float(types[t], wanted, bytes, 2 * n);
        assert_memory_equal(frames, bytes, 2 * n * kodama_sample_bytes(types[t]));
        struct kodama_mark marks[8];
        assert_int_equal(find_marks(collect.ring, KODAMA_MARK_GAP, n, marks, 8), 4);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(marks[i].position, faults[i].position);
            assert_int_equal(marks[i].length, lengths[i]);
        }
        struct kodama_source_stats stats;
        kodama_source_stats(source, &stats);
        assert_int_equal(stats.frames, 20000);
        assert_int_equal(stats.gaps, 4);
        assert_int_equal(stats.gap_frames, 1 + 7 + 4321 + 1);
        assert_int_equal(stats.silent_frames, stats.gap_frames);
        collect_end(&collect);
        free(wanted);
        free(bytes);
        free(frames);
    }
}

/* When each frame of a paced source could be read, in ms from the first one's time. */
static double *arrivals(struct collect *collect, uint64_t n_frames)
{
    double *ms = calloc(n_frames, sizeof *ms);
    assert_non_null(ms);
    struct kodama_mark mark = {0};
    for (uint64_t at = 0; at < n_frames;) {
        int16_t block[64];
        struct kodama_read info;
        int64_t n = kodama_cursor_read(collect->cursor, block, 64, KODAMA_FOREVER, &info);
        assert_true(n > 0 && info.position == at);
        if (at == 0) assert_true(find_marks(collect->ring, KODAMA_MARK_TIME, 1, &mark, 1) == 1);
        double now = ((double)clock_now_ns() - (double)mark.time_ns) / 1e6;
        for (int64_t i = 0; i < n; i++, at++) {
            assert_int_equal(block[i], content(at));
            ms[at] = now;
        }
    }
    return ms;
}

/* Nothing may ever come too early. A busy machine may be late, but not in every one of a few
 * attempts. */
enum { ATTEMPTS = 5 };

static void a_stall_holds_frames_back_and_then_brings_them_all(void **state)
{
    (void)state;
    const struct kodama_fault fault = {
        .kind = KODAMA_FAULT_STALL, .position = RATE / 20, .stall_ms = 200};
    struct kodama_source_config config = with_faults(&fault, 1, RATE / 2);
    config.paced = true;
    bool in_time = false;
    for (int i = 0; i < ATTEMPTS && !in_time; i++) {
        struct collect collect;
        collect_start(&collect, open_null(&config), 1.0);
        double *ms = arrivals(&collect, RATE / 2);
        /* Frames of the first 50 ms come in time; those of the 200 ms after it at 250 ms, at once,
         * and what follows in time again. */
        assert_true(ms[RATE / 20] >= 250.0);
        assert_true(ms[RATE / 2 - 1] >= 490.0);
        in_time = ms[RATE / 20 - 1] < 200.0 && ms[RATE / 4 - 1] - ms[RATE / 20] < 100.0;
        struct kodama_source_stats stats;
        kodama_source_stats(collect.source, &stats);
        assert_int_equal(stats.gaps, 0);
        collect_end(&collect);
        free(ms);
    }
    assert_true(in_time); /* paced, the backlog would take 200 ms */
}

static void a_burst_comes_ahead_of_its_time_and_then_waits_for_it(void **state)
{
    (void)state;
    const struct kodama_fault fault = {
        .kind = KODAMA_FAULT_BURST, .position = RATE / 20, .length_frames = RATE / 4};
    struct kodama_source_config config = with_faults(&fault, 1, RATE * 4 / 10);
    config.paced = true;
    bool in_time = false;
    for (int i = 0; i < ATTEMPTS && !in_time; i++) {
        struct collect collect;
        collect_start(&collect, open_null(&config), 1.0);
        double *ms = arrivals(&collect, RATE * 4 / 10);
        assert_true(ms[RATE / 20] >= 40.0);
        assert_true(ms[RATE * 3 / 10] >= 300.0);
        in_time = ms[RATE * 3 / 10 - 1] < 250.0; /* paced it would be 290 */
        collect_end(&collect);
        free(ms);
    }
    assert_true(in_time);
}

static void a_gap_comes_when_the_frame_after_it_is_due(void **state)
{
    (void)state;
    const struct kodama_fault fault = {
        .kind = KODAMA_FAULT_GAP, .position = 160, .length_frames = RATE / 5};
    struct kodama_source_config config = with_faults(&fault, 1, RATE / 4);
    config.paced = true;
    uint64_t begin = clock_now_ns();
    struct collect collect;
    collect_start(&collect, open_null(&config), 1.0);
    int16_t block[200];
    assert_int_equal(kodama_cursor_read(collect.cursor, block, 160, KODAMA_FOREVER, NULL), 160);
    assert_true(kodama_cursor_read(collect.cursor, block, 1, KODAMA_FOREVER, NULL) == 1);
    assert_int_equal(block[0], 0);
    assert_true(clock_now_ns() - begin >= 210000000);
    collect_end(&collect);
}

static void a_source_that_vanished_goes_on_as_silence_and_comes_back(void **state)
{
    (void)state;
    const struct kodama_fault fault = {
        .kind = KODAMA_FAULT_VANISH, .position = 1000, .length_frames = 1050};
    struct kodama_source_config config = with_faults(&fault, 1, 4000);
    struct collect collect;
    collect_start(&collect, open_null(&config), 10.0);
    size_t n;
    int16_t *frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, 4000);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(frames[i], i >= 1000 && i < 2050 ? 0 : content(i));
    }
    struct kodama_mark marks[16];
    /* Periods of 10 ms, the last one shorter. */
    size_t n_marks = find_marks(collect.ring, KODAMA_MARK_GAP, n, marks, 16);
    assert_int_equal(n_marks, 7);
    for (size_t i = 0; i < n_marks; i++) {
        assert_int_equal(marks[i].position, 1000 + 160 * i);
        assert_int_equal(marks[i].length, i < 6 ? 160 : 90);
    }
    assert_int_equal(find_marks(collect.ring, KODAMA_MARK_CLOCK, n, marks, 16), 2);
    assert_int_equal(marks[0].position, 1000);
    assert_int_equal(marks[1].position, 2050);
    struct kodama_source_stats stats;
    kodama_source_stats(collect.source, &stats);
    assert_int_equal(stats.gaps, 1);
    assert_int_equal(stats.gap_frames, 1050);
    collect_end(&collect);
    free(frames);
}

static void a_change_of_format_ends_the_source_in_words(void **state)
{
    (void)state;
    const struct kodama_fault fault = {.kind = KODAMA_FAULT_FORMAT, .position = 12345};
    struct kodama_source_config config = with_faults(&fault, 1, 0);
    struct collect collect;
    collect_start(&collect, open_null(&config), 0.1);
    size_t n;
    int16_t *frames = (void *)collect_all(&collect, &n);
    collect_end(&collect);
    assert_int_equal(n, 12345);
    assert_int_equal(collect.status, KODAMA_ERR_FORMAT);
    assert_non_null(strstr(collect.error.message, "changed its format at frame 12345"));
    free(frames);
}

static void a_drifting_clock_shows_in_the_times(void **state)
{
    (void)state;
    const struct kodama_fault faults[] = {
        {.kind = KODAMA_FAULT_DRIFT, .position = 100, .drift_ppm = 250.0},
        {.kind = KODAMA_FAULT_DRIFT, .position = 10 * RATE, .drift_ppm = -100.0},
        {.kind = KODAMA_FAULT_DRIFT, .position = 20 * RATE},
    };
    struct kodama_source_config config = with_faults(faults, 3, 30 * RATE);
    struct collect collect;
    collect_start(&collect, open_null(&config), 40.0);
    size_t n;
    int16_t *frames = (void *)collect_all(&collect, &n);
    struct kodama_mark marks[40];
    size_t n_marks = find_marks(collect.ring, KODAMA_MARK_TIME, n, marks, 40);
    assert_true(n_marks > 30);
    for (size_t i = 1; i < n_marks; i++) {
        uint64_t at = marks[i - 1].position;
        double ppm = at < 100 ? 0.0 : at < 10 * RATE ? 250.0 : at < 20 * RATE ? -100.0 : 0.0;
        double wanted = (double)(marks[i].position - at) * 1e9 / (RATE * (1.0 + ppm * 1e-6));
        double off = (double)(marks[i].time_ns - marks[i - 1].time_ns) - wanted;
        assert_true(off >= -1.01 && off <= 1.01);
    }
    collect_end(&collect);
    free(frames);
}

static void a_slow_clock_is_late_in_real_time(void **state)
{
    (void)state;
    const struct kodama_fault fault = {.kind = KODAMA_FAULT_DRIFT, .drift_ppm = -100000.0};
    struct kodama_source_config config = with_faults(&fault, 1, RATE * 18 / 100);
    config.paced = true;
    uint64_t begin = clock_now_ns();
    struct collect collect;
    collect_start(&collect, open_null(&config), 1.0);
    size_t n;
    free(collect_all(&collect, &n));
    assert_true(clock_now_ns() - begin >= 200000000); /* 0.18 s at nine tenths of the rate */
    collect_end(&collect);
}

static void stopping_does_not_wait_for_a_stall_to_end(void **state)
{
    (void)state;
    const struct kodama_fault fault = {.kind = KODAMA_FAULT_STALL, .stall_ms = 3600000};
    struct kodama_source_config config = with_faults(&fault, 1, 0);
    for (int paced = 0; paced < 2; paced++) {
        config.paced = paced == 1;
        struct collect collect;
        collect_start(&collect, open_null(&config), 1.0);
        int16_t frame;
        assert_int_equal(kodama_cursor_read(collect.cursor, &frame, 1, 20000000, NULL),
                         KODAMA_ERR_TIMEOUT);
        uint64_t begin = clock_now_ns();
        collect_end(&collect);
        assert_true(clock_now_ns() - begin < 5000000000); /* not the hour */
        assert_int_equal(collect.status, KODAMA_OK);
    }
}

static void faults_that_make_no_sense_are_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        struct kodama_fault faults[2];
        const char *words;
    } wrong[] = {
        {{{.kind = 0}}, "fault 1 is of no known kind"},
        {{{.kind = 7}}, "fault 1 is of no known kind"},
        {{{.kind = KODAMA_FAULT_GAP}}, "a length of 0 frames"},
        {{{.kind = KODAMA_FAULT_STALL, .length_frames = 3}}, "a length of 3 frames"},
        {{{.kind = KODAMA_FAULT_GAP, .position = 10, .length_frames = 5},
          {.kind = KODAMA_FAULT_STALL, .position = 14}},
         "fault 2 at frame 14"},
        {{{.kind = KODAMA_FAULT_DRIFT, .drift_ppm = 100001.0}}, "100001 ppm"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct kodama_source_config config = with_faults(wrong[i].faults, 2, 0);
        struct kodama_source *source;
        struct kodama_error error = {0};
        assert_int_equal(kodama_source_open(&source, "null", &config, &error), KODAMA_ERR_ARGUMENT);
        assert_null(source);
        if (!strstr(error.message, wrong[i].words)) {
            fail_msg("\"%s\" without \"%s\"", error.message, wrong[i].words);
        }
    }
    struct kodama_source_config config = with_faults(NULL, 1, 0);
    struct kodama_source *source;
    assert_int_equal(kodama_source_open(&source, "null", &config, NULL), KODAMA_ERR_ARGUMENT);
}

/* Random gaps, bursts and vanishings against a model, frame by frame. */
static void whatever_goes_wrong_every_frame_is_what_it_should_be(void **state)
{
    (void)state;
    enum { N_FAULTS = 300 };
    static const enum kodama_fault_kind kinds[] = {KODAMA_FAULT_GAP, KODAMA_FAULT_BURST,
                                                   KODAMA_FAULT_VANISH, KODAMA_FAULT_DRIFT};
    struct test_random random = {.state = 3};
    for (int round = 0; round < 20; round++) {
        struct kodama_fault faults[N_FAULTS] = {{0}};
        uint64_t at = 0, gaps = 0, gap_frames = 0;
        for (size_t i = 0; i < N_FAULTS; i++) {
            faults[i].kind = kinds[test_random_below(&random, 4)];
            faults[i].position = at + test_random_below(&random, 300);
            bool lasts = faults[i].kind != KODAMA_FAULT_DRIFT;
            if (lasts) faults[i].length_frames = 1 + test_random_below(&random, 400);
            at = faults[i].position + faults[i].length_frames;
            if (!lasts || faults[i].kind == KODAMA_FAULT_BURST) continue;
            gaps++;
            gap_frames += faults[i].length_frames;
        }
        struct kodama_source_config config = with_faults(faults, N_FAULTS, at + 100);
        struct collect collect;
        collect_start(&collect, open_null(&config), 0.05);
        size_t n, next = 0;
        int16_t *frames = (void *)collect_all(&collect, &n);
        assert_int_equal(n, at + 100);
        for (size_t i = 0; i < n; i++) {
            while (next < N_FAULTS && faults[next].position + faults[next].length_frames <= i) {
                next++;
            }
            bool silent = next < N_FAULTS && faults[next].position <= i &&
                          faults[next].kind != KODAMA_FAULT_BURST;
            assert_int_equal(frames[i], silent ? 0 : content(i));
        }
        struct kodama_source_stats stats;
        kodama_source_stats(collect.source, &stats);
        assert_int_equal(stats.gaps, gaps);
        assert_int_equal(stats.gap_frames, gap_frames);
        struct kodama_ring_stats ring;
        kodama_ring_stats(collect.ring, &ring);
        assert_int_equal(ring.gap_frames, gap_frames);
        collect_end(&collect);
        free(frames);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults_it_is_noise_with_the_time_of_every_second),
        cmocka_unit_test(a_gap_is_silence_of_its_length_under_one_mark),
        cmocka_unit_test(a_stall_holds_frames_back_and_then_brings_them_all),
        cmocka_unit_test(a_burst_comes_ahead_of_its_time_and_then_waits_for_it),
        cmocka_unit_test(a_gap_comes_when_the_frame_after_it_is_due),
        cmocka_unit_test(a_source_that_vanished_goes_on_as_silence_and_comes_back),
        cmocka_unit_test(a_change_of_format_ends_the_source_in_words),
        cmocka_unit_test(a_drifting_clock_shows_in_the_times),
        cmocka_unit_test(a_slow_clock_is_late_in_real_time),
        cmocka_unit_test(stopping_does_not_wait_for_a_stall_to_end),
        cmocka_unit_test(faults_that_make_no_sense_are_refused_in_words),
        cmocka_unit_test(whatever_goes_wrong_every_frame_is_what_it_should_be),
    };
    return cmocka_run_group_tests_name("source null", tests, NULL, NULL);
}
