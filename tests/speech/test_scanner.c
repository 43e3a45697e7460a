/* The scanner: the same result with any number of threads and any blocks, equal to a relay by hand,
 * and with one chunk to the segmenter. */
#include <kodama/kodama.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/support.h"

enum { RATE = 16000, STOPS_MAX = 4000 };

struct heard {
    float *probabilities;
    size_t n, room;
    struct kodama_segment segments[STOPS_MAX];
    size_t n_segments;
    uint32_t window;
};

static void hear_segment(void *user, const struct kodama_segment *segment)
{
    struct heard *heard = user;
    assert_true(heard->n_segments < STOPS_MAX);
    heard->segments[heard->n_segments++] = *segment;
}

static void hear_probabilities(void *user, uint64_t first, const float *values, size_t n)
{
    struct heard *heard = user;
    if (heard->window) assert_true(first == heard->n * heard->window);
    assert_true(heard->n + n <= heard->room);
    memcpy(heard->probabilities + heard->n, values, n * sizeof *values);
    heard->n += n;
}

static struct heard *new_heard(size_t n_samples)
{
    struct heard *heard = calloc(1, sizeof *heard);
    assert_non_null(heard);
    heard->room = n_samples / 160 + 1;
    heard->probabilities = calloc(heard->room, sizeof(float));
    assert_non_null(heard->probabilities);
    return heard;
}

static void free_heard(struct heard *heard)
{
    free(heard->probabilities);
    free(heard);
}

static struct kodama_scanner_config config_of(const struct kodama_detector_config *detector,
                                              uint32_t n_threads, uint32_t chunk_ms,
                                              uint32_t overlap_ms)
{
    struct kodama_scanner_config config = KODAMA_SCANNER_CONFIG_INIT;
    config.segmenter.detector_config = detector;
    config.segmenter.fast_silence_ms = config.segmenter.silence_duration_ms = 200;
    config.segmenter.max_ms = 5000;
    config.n_threads = n_threads;
    config.chunk_ms = chunk_ms;
    config.overlap_ms = overlap_ms;
    config.on_segment = hear_segment;
    config.on_probabilities = hear_probabilities;
    return config;
}

/** @param block  most samples of one write; 0: all at once */
static struct heard *scan(const float *samples, size_t n, struct kodama_scanner_config config,
                          size_t block, uint64_t seed)
{
    struct heard *heard = new_heard(n);
    struct kodama_scanner *scanner;
    struct kodama_error error = {0};
    struct test_random random = {seed};
    config.user = heard;
    if (kodama_scanner_open(&scanner, &config, &error) < 0) fail_msg("%s", error.message);
    heard->window = kodama_scanner_window(scanner);
    for (size_t used = 0; used < n;) {
        size_t some = block ? 1 + (size_t)test_random_below(&random, block) : n;
        if (some > n - used) some = n - used;
        assert_int_equal(kodama_scanner_write(scanner, samples + used, some), KODAMA_OK);
        used += some;
        assert_true(kodama_scanner_position(scanner) <= used);
    }
    assert_int_equal(kodama_scanner_finish(scanner), KODAMA_OK);
    assert_true(kodama_scanner_position(scanner) == n / heard->window * heard->window);
    assert_int_equal(kodama_scanner_finish(scanner), KODAMA_OK);
    assert_int_equal(kodama_scanner_write(scanner, samples, 1), KODAMA_ERR_CLOSED);
    kodama_scanner_close(scanner);
    return heard;
}

static void assert_same(const struct heard *a, const struct heard *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->probabilities, b->probabilities, a->n * sizeof(float));
    assert_int_equal(a->n_segments, b->n_segments);
    for (size_t i = 0; i < a->n_segments; i++) {
        const struct kodama_segment *x = &a->segments[i], *y = &b->segments[i];
        assert_true(x->kind == y->kind && x->utterance == y->utterance && x->begin == y->begin &&
                    x->end == y->end && x->speech_begin == y->speech_begin &&
                    x->speech_end == y->speech_end && x->cut == y->cut &&
                    x->decided_at == y->decided_at);
    }
}

/** Voice-like bursts of changing pitch over changing noise, or real speech where it is. */
static float *make_sound(size_t *n, double seconds)
{
    *n = (size_t)(seconds * RATE) + 77; /* ends within a window */
    float *samples = calloc(*n, sizeof *samples);
    assert_non_null(samples);
    struct test_random random = {42};
    double phase = 0.0, pitch = 120.0;
    for (size_t i = 0; i < *n; i++) {
        double t = (double)i / RATE;
        bool voiced = fmod(t, 2.3) < 1.1 && fmod(t, 0.31) < 0.22;
        pitch += 0.002 * (double)test_random_float(&random) + (130.0 - pitch) * 1e-5;
        phase += pitch / RATE;
        double voice = 0.0;
        for (int k = 1; k < 20; k++) voice += sin(6.283185307179586 * phase * k) / k;
        double noise = 0.004 * (1.0 + sin(t / 7.0)) * (double)test_random_float(&random);
        samples[i] = (float)((voiced ? 0.08 * voice : 0.0) + noise);
    }
    return samples;
}

static void any_threads_and_blocks_give_the_same(void **state)
{
    (void)state;
    size_t n;
    float *samples = make_sound(&n, 65.0);
    struct test_random random = {1};
    int n_rounds = (int)(6.0 * test_scale()) + 2;
    for (int round = 0; round < n_rounds; round++) {
        uint32_t chunk_ms = 10 + (uint32_t)test_random_below(&random, round % 2 ? 3000 : 30000);
        uint32_t overlap_ms = (uint32_t)test_random_below(&random, chunk_ms + 1);
        struct heard *expected =
            scan(samples, n, config_of(NULL, 1, chunk_ms, overlap_ms), 0, (uint64_t)round);
        assert_true(expected->n_segments > 0);
        for (int i = 0; i < 3; i++) {
            uint32_t n_threads = 1 + (uint32_t)test_random_below(&random, 6);
            struct heard *heard = scan(samples, n, config_of(NULL, n_threads, chunk_ms, overlap_ms),
                                       i == 0 ? 0 : 40000, (uint64_t)round);
            assert_same(expected, heard);
            free_heard(heard);
        }
        free_heard(expected);
    }
    free(samples);
}

static void a_chunk_is_judged_from_its_overlap_on(void **state)
{
    (void)state;
    size_t n;
    float *samples = make_sound(&n, 20.0);
    enum { WINDOW = 160, CHUNK = 3 * RATE, OVERLAP = RATE };
    struct heard *heard = scan(samples, n, config_of(NULL, 3, 3000, 1000), 1000, 9);
    assert_int_equal(heard->window, WINDOW);
    struct kodama_detector *detector;
    assert_int_equal(kodama_detector_open(&detector, NULL, RATE, NULL), KODAMA_OK);
    for (size_t chunk = 0; chunk < n; chunk += CHUNK) {
        kodama_detector_reset(detector);
        for (size_t at = chunk > 0 ? chunk - OVERLAP : 0; at < chunk + CHUNK && at + WINDOW <= n;
             at += WINDOW) {
            float p = kodama_detector_process(detector, samples + at);
            if (at >= chunk) assert_true(p == heard->probabilities[at / WINDOW]);
        }
    }
    kodama_detector_close(detector);
    free_heard(heard);
    free(samples);
}

static void one_chunk_is_what_the_segmenter_hears(void **state)
{
    (void)state;
    size_t n;
    float *samples = make_sound(&n, 30.0);
    struct kodama_scanner_config config = config_of(NULL, 0, 0, 0);
    struct heard *whole = scan(samples, n, config, 5000, 3);
    struct heard *long_chunk = scan(samples, n, config_of(NULL, 4, 60000, 10000), 5000, 4);
    assert_same(whole, long_chunk);
    struct kodama_segmenter *segmenter;
    struct kodama_segment segment;
    assert_int_equal(kodama_segmenter_open(&segmenter, &config.segmenter, NULL), KODAMA_OK);
    size_t at = 0, used = 0;
    do {
        used += kodama_segmenter_process(segmenter, samples + used, n - used, &segment);
        if (segment.kind == 0) continue;
        assert_true(at < whole->n_segments && whole->segments[at].kind == segment.kind &&
                    whole->segments[at].speech_begin == segment.speech_begin &&
                    whole->segments[at].end == segment.end);
        at++;
    } while (used < n || segment.kind != 0);
    for (;;) {
        kodama_segmenter_finish(segmenter, &segment);
        if (segment.kind == 0) break;
        assert_true(at < whole->n_segments && whole->segments[at].end == segment.end);
        at++;
    }
    assert_int_equal(at, whole->n_segments);
    kodama_segmenter_close(segmenter);
    free_heard(whole);
    free_heard(long_chunk);
    free(samples);
}

static void live_decisions_come_at_once(void **state)
{
    (void)state;
    size_t n;
    float *samples = make_sound(&n, 12.0);
    struct heard *heard = new_heard(n);
    struct kodama_scanner_config config = config_of(NULL, 1, 60000, 10000);
    struct kodama_scanner *scanner;
    config.user = heard;
    assert_int_equal(kodama_scanner_open(&scanner, &config, NULL), KODAMA_OK);
    assert_int_equal(kodama_scanner_threads(scanner), 1);
    for (size_t used = 0; used + 160 <= n; used += 160) {
        assert_int_equal(kodama_scanner_write(scanner, samples + used, 160), KODAMA_OK);
        assert_int_equal(heard->n, used / 160 + 1);
    }
    assert_true(heard->n_segments > 4);
    kodama_scanner_close(scanner);
    free_heard(heard);
    free(samples);
}

static void silero_gives_the_same_with_any_threads(void **state)
{
    (void)state;
    struct kodama_detector_config detector = KODAMA_DETECTOR_CONFIG_INIT;
    detector.name = "silero";
    detector.model = test_shared("models/silero_vad.onnx");
    char about[500];
    if (kodama_detector_probe(&detector, about, sizeof about) < 0) {
        printf("# skipped: %s\n", about);
        fflush(stdout);
        skip();
    }
    size_t n;
    uint32_t rate_hz, channels;
    float *samples =
        test_read_audio(test_shared("speech/conversation-60s.wav"), &n, &rate_hz, &channels);
    assert_int_equal(channels, 1);
    assert_int_equal(rate_hz, RATE);
    struct heard *expected = scan(samples, n, config_of(&detector, 1, 7000, 2000), 0, 1);
    for (uint32_t n_threads = 2; n_threads < 6; n_threads++) {
        struct heard *heard =
            scan(samples, n, config_of(&detector, n_threads, 7000, 2000), 9999, 2);
        assert_same(expected, heard);
        free_heard(heard);
    }
    assert_true(expected->n_segments > 8);
    free_heard(expected);
    free(samples);
}

static void it_can_be_closed_at_any_time(void **state)
{
    (void)state;
    size_t n;
    float *samples = make_sound(&n, 10.0);
    struct test_random random = {8};
    for (int i = 0; i < 30; i++) {
        struct heard *heard = new_heard(n);
        struct kodama_scanner_config config =
            config_of(NULL, (uint32_t)test_random_below(&random, 4), 200, 100);
        struct kodama_scanner *scanner;
        config.user = heard;
        assert_int_equal(kodama_scanner_open(&scanner, &config, NULL), KODAMA_OK);
        size_t some = (size_t)test_random_below(&random, n);
        assert_int_equal(kodama_scanner_write(scanner, samples, some), KODAMA_OK);
        kodama_scanner_close(scanner);
        free_heard(heard);
    }
    kodama_scanner_close(NULL);
    free(samples);
}

static void nothing_and_less_than_a_window_have_no_segments(void **state)
{
    (void)state;
    float samples[100] = {0};
    for (size_t n = 0; n <= 100; n += 50) {
        for (uint32_t n_threads = 1; n_threads < 4; n_threads++) {
            struct heard *heard = scan(samples, n, config_of(NULL, n_threads, 60000, 10000), 7, 5);
            assert_int_equal(heard->n, 0);
            assert_int_equal(heard->n_segments, 0);
            free_heard(heard);
        }
    }
}

static void bad_configurations_are_refused_in_words(void **state)
{
    (void)state;
    struct kodama_scanner_config config = KODAMA_SCANNER_CONFIG_INIT;
    struct kodama_scanner *scanner;
    struct kodama_error error = {0};
    assert_int_equal(kodama_scanner_open(NULL, &config, &error), KODAMA_ERR_ARGUMENT);
    config.overlap_ms = config.chunk_ms + 1;
    assert_int_equal(kodama_scanner_open(&scanner, &config, &error), KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "overlap_ms"));
    config = (struct kodama_scanner_config)KODAMA_SCANNER_CONFIG_INIT;
    config.segmenter.detector = "oracle";
    assert_int_equal(kodama_scanner_open(&scanner, &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_null(scanner);
    config = (struct kodama_scanner_config)KODAMA_SCANNER_CONFIG_INIT;
    config.segmenter.threshold = 2.0f;
    assert_int_equal(kodama_scanner_open(&scanner, &config, &error), KODAMA_ERR_ARGUMENT);
    config.size = 4;
    assert_int_equal(kodama_scanner_open(&scanner, &config, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_scanner_open(&scanner, NULL, &error), KODAMA_OK);
    kodama_scanner_close(scanner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_threads_and_blocks_give_the_same),
        cmocka_unit_test(a_chunk_is_judged_from_its_overlap_on),
        cmocka_unit_test(one_chunk_is_what_the_segmenter_hears),
        cmocka_unit_test(live_decisions_come_at_once),
        cmocka_unit_test(silero_gives_the_same_with_any_threads),
        cmocka_unit_test(it_can_be_closed_at_any_time),
        cmocka_unit_test(nothing_and_less_than_a_window_have_no_segments),
        cmocka_unit_test(bad_configurations_are_refused_in_words),
    };
    return cmocka_run_group_tests_name("speech/scanner", tests, NULL, NULL);
}
