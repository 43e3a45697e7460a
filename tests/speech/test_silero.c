/* The silero detector: the real model on real speech, models of every version, damage. */
#define _GNU_SOURCE /* setenv */
#include <kodama/kodama.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "neural/onnx.h"
#include "support/support.h"

enum { STATE_ROOM = 65536 };

static const char *const speech_path = "speech/jfk.wav";

static void need_runtime(void)
{
    char about[500];
    if (kodama_neural_probe(NULL, about, sizeof about) == KODAMA_OK) return;
    printf("# skipped: %s\n", about);
    fflush(stdout);
    skip();
}

static struct kodama_detector *open_model(const char *path, uint32_t rate_hz)
{
    struct kodama_detector_config config = KODAMA_DETECTOR_CONFIG_INIT;
    struct kodama_error error = {0};
    struct kodama_detector *detector;
    config.name = "silero";
    config.model = path;
    config.rate_hz = rate_hz;
    if (kodama_detector_open_with(&detector, &config, &error) < 0) fail_msg("%s", error.message);
    return detector;
}

static struct kodama_detector *open_real(uint32_t rate_hz)
{
    const char *path = test_shared("models/silero_vad.onnx");
    need_runtime();
    return open_model(path, rate_hz);
}

static int open_status(const char *path, uint32_t rate_hz, struct kodama_error *error)
{
    struct kodama_detector_config config = KODAMA_DETECTOR_CONFIG_INIT;
    struct kodama_detector *detector;
    config.name = "silero";
    config.model = path;
    config.rate_hz = rate_hz;
    *error = (struct kodama_error){0};
    int status = kodama_detector_open_with(&detector, &config, error);
    if (status < 0) assert_null(detector);
    kodama_detector_close(detector);
    return status;
}

/** Probabilities of all whole windows; free them. */
static float *judge(struct kodama_detector *detector, const float *samples, size_t n, size_t *n_out)
{
    size_t window = kodama_detector_window(detector);
    float *p = calloc(n / window + 1, sizeof *p);
    assert_non_null(p);
    for (*n_out = 0; (*n_out + 1) * window <= n; ++*n_out)
        p[*n_out] = kodama_detector_process(detector, samples + *n_out * window);
    return p;
}

static size_t count_speech(const float *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += p[i] >= 0.5f;
    return count;
}

static float *read_speech(size_t *n)
{
    uint32_t rate_hz, channels;
    float *samples = test_read_audio(test_shared(speech_path), n, &rate_hz, &channels);
    assert_int_equal(rate_hz, 16000);
    assert_int_equal(channels, 1);
    return samples;
}

static void real_speech_is_heard_at_16_khz(void **state)
{
    (void)state;
    size_t n, n_windows;
    float *samples = read_speech(&n);
    struct kodama_detector *detector = open_real(16000);
    assert_int_equal(kodama_detector_window(detector), 512);
    assert_int_equal(kodama_detector_delay(detector), 0);
    float *p = judge(detector, samples, n, &n_windows);
    /* Five phrases with pauses between them: of the 11 s somewhat more than half is speech.
     * Without the samples before each window the model finds next to nothing. */
    size_t speech = count_speech(p, n_windows);
    assert_in_range(speech, n_windows * 55 / 100, n_windows * 90 / 100);
    assert_true(p[0] < 0.3f);
    size_t sure = 0;
    for (size_t i = 0; i < n_windows; i++) sure += p[i] > 0.9f || p[i] < 0.1f;
    assert_true(sure > n_windows * 3 / 4);
    free(p);
    free(samples);
    kodama_detector_close(detector);
}

static void silence_noise_and_nonsense_are_no_speech(void **state)
{
    (void)state;
    struct kodama_detector *detector = open_real(16000);
    struct test_random random = {7};
    float window[512] = {0};
    for (int i = 0; i < 60; i++) assert_true(kodama_detector_process(detector, window) < 0.2f);
    for (int i = 0; i < 60; i++) {
        for (int j = 0; j < 512; j++) window[j] = 0.05f * test_random_float(&random);
        float p = kodama_detector_process(detector, window);
        if (i > 5) assert_true(p < 0.5f);
    }
    const float nonsense[] = {NAN, INFINITY, -INFINITY, 1e30f};
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 512; j++) window[j] = nonsense[i];
        float p = kodama_detector_process(detector, window);
        assert_true(p >= 0.0f && p <= 1.0f);
    }
    /* And it recovers. */
    memset(window, 0, sizeof window);
    float p = 1.0f;
    for (int i = 0; i < 200; i++) p = kodama_detector_process(detector, window);
    assert_true(p < 0.3f);
    kodama_detector_close(detector);
}

static void real_speech_is_heard_at_8_khz(void **state)
{
    (void)state;
    size_t n, n_windows, n_wide;
    float *samples = read_speech(&n);
    struct kodama_detector *detector = open_real(8000), *wide = open_real(16000);
    assert_int_equal(kodama_detector_window(detector), 256);
    float *q = judge(wide, samples, n, &n_wide);
    /* Every second sample after a mean of neighbours: crude, but telephones are worse. */
    for (size_t i = 0; i + 1 < n; i += 2) samples[i / 2] = 0.5f * (samples[i] + samples[i + 1]);
    float *p = judge(detector, samples, n / 2, &n_windows);
    assert_int_equal(n_windows, n_wide);
    size_t same = 0;
    for (size_t i = 0; i < n_windows; i++) same += (p[i] >= 0.5f) == (q[i] >= 0.5f);
    assert_true(same > n_windows * 8 / 10);
    free(p);
    free(q);
    free(samples);
    kodama_detector_close(detector);
    kodama_detector_close(wide);
}

static void detectors_share_a_model_and_not_their_state(void **state)
{
    (void)state;
    size_t n, n_windows;
    float *samples = read_speech(&n);
    struct kodama_detector *alone = open_real(16000);
    float *expected = judge(alone, samples, n, &n_windows);
    struct kodama_detector *many[5];
    for (int i = 0; i < 5; i++) many[i] = open_real(16000);
    /* Each is behind the one before it by some windows, at times. */
    size_t at[5] = {0};
    struct test_random random = {11};
    for (size_t left = 5 * n_windows; left > 0;) {
        size_t i = (size_t)test_random_below(&random, 5);
        if (at[i] == n_windows) continue;
        float p = kodama_detector_process(many[i], samples + 512 * at[i]);
        assert_true(p == expected[at[i]]);
        at[i]++;
        left--;
    }
    kodama_detector_reset(many[2]);
    for (size_t i = 0; i < n_windows; i++)
        assert_true(kodama_detector_process(many[2], samples + 512 * i) == expected[i]);
    for (int i = 0; i < 5; i++) kodama_detector_close(many[i]);
    kodama_detector_close(alone);
    free(expected);
    free(samples);
}

static void a_state_goes_on_where_it_was_saved_to_the_bit(void **state)
{
    (void)state;
    static uint8_t data[STATE_ROOM];
    size_t n, n_windows;
    float *samples = read_speech(&n);
    struct kodama_detector *detector = open_real(16000), *other = open_real(16000);
    float *expected = judge(detector, samples, n, &n_windows);
    kodama_detector_reset(detector);
    struct test_random random = {3};
    for (int round = 0; round < 6; round++) {
        size_t at = (size_t)test_random_below(&random, n_windows);
        kodama_detector_reset(detector);
        for (size_t i = 0; i < at; i++) kodama_detector_process(detector, samples + 512 * i);
        int64_t size = kodama_detector_save(detector, data, sizeof data);
        assert_true(size > 0);
        assert_int_equal(kodama_detector_save(detector, NULL, 0), size);
        assert_int_equal(kodama_detector_save(detector, data, (size_t)size - 1),
                         KODAMA_ERR_ARGUMENT);
        assert_int_equal(kodama_detector_load(other, data, (size_t)size), KODAMA_OK);
        for (size_t i = at; i < n_windows; i++)
            assert_true(kodama_detector_process(other, samples + 512 * i) == expected[i]);
        /* Damage: any length is refused, any bit is either refused or heard with sane values. */
        for (int64_t cut = 0; cut < size; cut += 97)
            assert_int_equal(kodama_detector_load(other, data, (size_t)cut), KODAMA_ERR_CORRUPT);
        for (int hit = 0; hit < 40; hit++) {
            size_t where = (size_t)test_random_below(&random, (uint64_t)size);
            uint8_t bit = (uint8_t)(1u << test_random_below(&random, 8));
            data[where] ^= bit;
            (void)kodama_detector_load(other, data, (size_t)size);
            float p = kodama_detector_process(other, samples);
            assert_true(p >= 0.0f && p <= 1.0f);
            data[where] ^= bit;
        }
    }
    struct kodama_detector *narrow = open_real(8000);
    int64_t size = kodama_detector_save(detector, data, sizeof data);
    assert_int_equal(kodama_detector_load(narrow, data, (size_t)size), KODAMA_ERR_CORRUPT);
    kodama_detector_close(narrow);
    kodama_detector_close(detector);
    kodama_detector_close(other);
    free(expected);
    free(samples);
}

static double model_says(const float *samples, size_t n)
{
    double power = 0.0;
    for (size_t i = 0; i < n; i++) power += (double)samples[i] * (double)samples[i];
    return 1.0 / (1.0 + exp(-40.0 * (sqrt(power / (double)n) - 0.05)));
}

/* The written models say how loud their input is: so what is their input can be seen. */
static void versions_are_told_apart_by_their_inputs(void **state)
{
    (void)state;
    need_runtime();
    static struct onnx model;
    static const struct {
        int version;
        int64_t length;
        size_t context;
    } exports[] = {{4, -1, 0}, {5, -1, 64}, {5, 576, 64}, {5, 512, 0}, {4, 512, 0}};
    for (size_t i = 0; i < sizeof exports / sizeof exports[0]; i++) {
        onnx_silero(&model, exports[i].version, exports[i].length);
        struct kodama_detector *detector = open_model(onnx_file(&model, SIZE_MAX), 16000);
        struct test_random random = {5};
        float all[64 + 512 * 10] = {0};
        size_t context = exports[i].context;
        for (size_t j = 0; j < 512 * 10; j++) all[64 + j] = 0.1f * test_random_float(&random);
        for (size_t j = 0; j < 10; j++) {
            double p = (double)kodama_detector_process(detector, all + 64 + 512 * j);
            assert_true(fabs(p - model_says(all + 64 + 512 * j - context, context + 512)) < 1e-4);
        }
        kodama_detector_close(detector);
    }
    struct kodama_error error;
    onnx_silero(&model, 5, 576);
    assert_int_equal(open_status(onnx_file(&model, SIZE_MAX), 8000, &error), KODAMA_ERR_FORMAT);
    onnx_silero(&model, 5, -1);
    assert_int_equal(open_status(onnx_file(&model, SIZE_MAX), 8000, &error), KODAMA_OK);
    assert_int_equal(open_status(onnx_file(&model, SIZE_MAX), 48000, &error), KODAMA_ERR_FORMAT);
    assert_non_null(strstr(error.message, "48000"));
}

static void states_of_both_kinds_are_carried_on(void **state)
{
    (void)state;
    need_runtime();
    static struct onnx model;
    static uint8_t first[STATE_ROOM], second[STATE_ROOM];
    float window[512];
    for (int i = 0; i < 512; i++) window[i] = 0.5f;
    for (int version = 4; version <= 5; version++) {
        onnx_silero(&model, version, -1);
        struct kodama_detector *detector = open_model(onnx_file(&model, SIZE_MAX), 16000);
        kodama_detector_process(detector, window);
        int64_t size = kodama_detector_save(detector, first, sizeof first);
        kodama_detector_process(detector, window);
        assert_int_equal(kodama_detector_save(detector, second, sizeof second), size);
        assert_memory_not_equal(first, second, (size_t)size);
        kodama_detector_reset(detector);
        kodama_detector_process(detector, window);
        assert_int_equal(kodama_detector_save(detector, second, sizeof second), size);
        assert_memory_equal(first, second, (size_t)size);
        kodama_detector_close(detector);
    }
}

static void other_models_are_refused_in_words(void **state)
{
    (void)state;
    need_runtime();
    static struct onnx model, graph;
    struct kodama_error error;
    model.n = graph.n = 0;
    onnx_node(&graph, "Identity", "input", "output", NULL, 0, 0);
    onnx_value(&graph, 11, "input", ONNX_F32, 2, (const int64_t[]){1, -1});
    onnx_value(&graph, 12, "output", ONNX_F32, 2, (const int64_t[]){1, -1});
    onnx_model(&model, &graph);
    assert_int_equal(open_status(onnx_file(&model, SIZE_MAX), 16000, &error), KODAMA_ERR_CORRUPT);
    assert_non_null(strstr(error.message, "Silero"));
    assert_int_equal(open_status("/nowhere/silero.onnx", 16000, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nowhere/silero.onnx"));
}

static void the_real_model_cut_off_anywhere_is_refused_in_words(void **state)
{
    (void)state;
    const char *real = test_shared("models/silero_vad.onnx"), *path = test_scratch(".onnx");
    need_runtime();
    struct kodama_error error;
    FILE *file = fopen(real, "rb");
    assert_non_null(file);
    static uint8_t bytes[4000000];
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(n > 100000 && n < sizeof bytes);
    /* Lengths that are spread over the file; a prime, so that they end in every kind of field. */
    size_t step = (size_t)((double)n / (60.0 * test_scale())) | 1;
    for (size_t cut = 0; cut < n; cut += step) {
        file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, cut, file), cut);
        fclose(file);
        assert_true(open_status(path, 16000, &error) < 0);
        assert_non_null(strstr(error.message, path));
    }
    for (size_t cut = n - 20; cut < n; cut++) {
        file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, cut, file), cut);
        fclose(file);
        assert_true(open_status(path, 16000, &error) < 0);
    }
}

static void the_model_is_found_by_the_environment(void **state)
{
    (void)state;
    need_runtime();
    static struct onnx model;
    struct kodama_error error = {0};
    struct kodama_detector *detector;
    onnx_silero(&model, 5, -1);
    setenv("KODAMA_SILERO_MODEL", onnx_file(&model, SIZE_MAX), 1);
    int found = kodama_detector_open(&detector, "silero", 16000, &error);
    kodama_detector_close(detector);
    setenv("KODAMA_SILERO_MODEL", "/nowhere/at.all", 1);
    int missing = kodama_detector_open(&detector, "silero", 16000, &error);
    unsetenv("KODAMA_SILERO_MODEL");
    assert_int_equal(found, KODAMA_OK);
    assert_int_equal(missing, KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "KODAMA_SILERO_MODEL"));
    setenv("XDG_DATA_HOME", "/nowhere/data", 1);
    setenv("XDG_DATA_DIRS", "/nowhere/more", 1);
    missing = kodama_detector_open(&detector, "silero", 16000, &error);
    unsetenv("XDG_DATA_HOME");
    unsetenv("XDG_DATA_DIRS");
    assert_int_equal(missing, KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nowhere/data/kodama/models"));
}

static void a_segmenter_uses_it(void **state)
{
    (void)state;
    size_t n;
    float *samples = read_speech(&n);
    const char *path = test_shared("models/silero_vad.onnx");
    need_runtime();
    struct kodama_detector_config detector = KODAMA_DETECTOR_CONFIG_INIT;
    struct kodama_segmenter_config config = KODAMA_SEGMENTER_CONFIG_INIT;
    struct kodama_segmenter *segmenter;
    struct kodama_segment segment;
    detector.name = "silero";
    detector.model = path;
    config.detector_config = &detector;
    config.silence_duration_ms = config.fast_silence_ms = 200;
    assert_int_equal(kodama_segmenter_open(&segmenter, &config, NULL), KODAMA_OK);
    size_t n_stops = 0;
    for (size_t used = 0; used < n;) {
        used += kodama_segmenter_process(segmenter, samples + used, n - used, &segment);
        n_stops += segment.kind == KODAMA_SEGMENT_STOP;
    }
    do {
        kodama_segmenter_finish(segmenter, &segment);
        n_stops += segment.kind == KODAMA_SEGMENT_STOP;
    } while (segment.kind != 0);
    assert_in_range(n_stops, 3, 7);
    kodama_segmenter_close(segmenter);
    detector.rate_hz = 8000;
    assert_int_equal(kodama_segmenter_open(&segmenter, &config, NULL), KODAMA_ERR_FORMAT);
    free(samples);
}

static void its_cost_is_told(void **state)
{
    (void)state;
    size_t n, n_windows;
    float *samples = read_speech(&n);
    struct kodama_detector *detector = open_real(16000);
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < 5; round++) {
        uint64_t begin = clock_thread_cpu_ns();
        free(judge(detector, samples, n, &n_windows));
        uint64_t spent = (clock_thread_cpu_ns() - begin) / n_windows;
        if (spent < best) best = spent;
    }
    printf("# %.1f us for a window of 32 ms\n", (double)best / 1000.0);
    kodama_detector_close(detector);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_speech_is_heard_at_16_khz),
        cmocka_unit_test(silence_noise_and_nonsense_are_no_speech),
        cmocka_unit_test(real_speech_is_heard_at_8_khz),
        cmocka_unit_test(detectors_share_a_model_and_not_their_state),
        cmocka_unit_test(a_state_goes_on_where_it_was_saved_to_the_bit),
        cmocka_unit_test(versions_are_told_apart_by_their_inputs),
        cmocka_unit_test(states_of_both_kinds_are_carried_on),
        cmocka_unit_test(other_models_are_refused_in_words),
        cmocka_unit_test(the_real_model_cut_off_anywhere_is_refused_in_words),
        cmocka_unit_test(the_model_is_found_by_the_environment),
        cmocka_unit_test(a_segmenter_uses_it),
        cmocka_unit_test(its_cost_is_told),
    };
    return cmocka_run_group_tests_name("speech/silero", tests, NULL, NULL);
}
