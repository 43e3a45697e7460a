/* Tests of the sources "tone", "noise" and "silence". */
#include "capture/collect.h"

#include <math.h>
#include <stdio.h>

#include <kodama/stream.h>

#include "audio/convert.h"
#include "capture/source_generator.h"

static const enum kodama_sample samples[] = {KODAMA_SAMPLE_U8, KODAMA_SAMPLE_S16, KODAMA_SAMPLE_S24,
                                             KODAMA_SAMPLE_S32, KODAMA_SAMPLE_F32};

static struct kodama_source *open_source(const char *name,
                                         const struct kodama_source_config *config)
{
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (kodama_source_open(&source, name, config, &error) < 0) fail_msg("%s", error.message);
    return source;
}

/* All frames of a source that ends. */
static void *play(const char *name, const struct kodama_source_config *config, size_t *n_frames)
{
    struct kodama_source *source = open_source(name, config);
    struct collect collect;
    collect_start(&collect, source, 0.1);
    void *frames = collect_all(&collect, n_frames);
    struct kodama_source_stats stats;
    kodama_source_stats(source, &stats);
    assert_int_equal(stats.frames, *n_frames);
    assert_int_equal(stats.overruns, 0);
    assert_int_equal(stats.gaps, 0);
    collect_end(&collect);
    assert_int_equal(collect.status, KODAMA_OK);
    return frames;
}

static void the_phase_of_a_tone_is_as_exact_after_a_day_as_after_a_second(void **state)
{
    (void)state;
    /* Frequencies of k / 2^29 Hz: the reference is exact in integers, doubles cannot hold the
     * number of cycles in a day. */
    enum { UNIT = 1 << 29 };
    static const uint64_t frequencies[] = {UINT64_C(440) * UNIT, UINT64_C(1000) * UNIT + 1,
                                           UINT64_C(1071630848427), UINT64_C(95999) * UNIT - 77, 1};
    static const uint32_t rates[] = {8000, 44100, 48000, 192000};
    struct test_random random = {.state = 1};
    double worst_second = 0.0, worst_day = 0.0;
    for (size_t f = 0; f < 5; f++) {
        for (size_t r = 0; r < 4; r++) {
            double frequency_hz = (double)frequencies[f] / UNIT;
            if (frequency_hz > rates[r] / 2.0) continue;
            for (int i = 0; i < 10000; i++) {
                bool early = i % 2 == 0;
                uint64_t position = test_random_below(&random, rates[r]);
                if (!early) position += (uint64_t)rates[r] * test_random_below(&random, 86400);
                uint64_t seconds = position / rates[r], rest = position % rates[r];
                uint64_t cycle = (uint64_t)rates[r] * UNIT;
                uint64_t part =
                    (frequencies[f] * seconds % UNIT * rates[r] + frequencies[f] * rest % cycle) %
                    cycle;
                double wanted = (double)part / (double)cycle;
                double error =
                    fabs(generator_tone_phase(frequency_hz, rates[r], position) - wanted);
                if (error > 0.5) error = 1.0 - error;
                if (early && error > worst_second) worst_second = error;
                if (!early && error > worst_day) worst_day = error;
            }
        }
    }
    printf("# worst error of phase: %.2g cycles in the first second, %.2g in a day\n", worst_second,
           worst_day);
    assert_true(worst_second < 2e-11 && worst_day < 2e-11);
}

static void a_tone_is_a_sine_in_every_channel_and_sample_type(void **state)
{
    (void)state;
    for (size_t s = 0; s < 5; s++) {
        struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
        config.format =
            (struct kodama_format){.sample = samples[s], .rate_hz = 44100, .channels = 3};
        config.frequency_hz = 997.5;
        config.amplitude = 0.8;
        config.length_frames = 50021;
        size_t n;
        void *frames = play("tone", &config, &n);
        assert_int_equal(n, 50021);
        float *floats = calloc(3 * n, sizeof *floats);
        assert_non_null(floats);
        convert_to_float(samples[s], frames, floats, 3 * n);
        double step = samples[s] == KODAMA_SAMPLE_U8    ? 0.5 / 128
                      : samples[s] == KODAMA_SAMPLE_S16 ? 0.5 / 32768
                                                        : 1.0 / 8388608;
        for (size_t i = 0; i < n; i++) {
            /* By periods of two seconds: 1995 cycles in 88200 frames. */
            double wanted =
                0.8 * sin(2.0 * 3.14159265358979323846 * (double)(1995 * i % 88200) / 88200.0);
            for (size_t c = 0; c < 3; c++) {
                assert_true(fabs((double)floats[3 * i + c] - wanted) <= step * 1.001);
            }
        }
        free(floats);
        free(frames);
    }
}

/* How much of a frequency is in a channel: the amplitude by correlation over whole seconds. */
static double amplitude_at(const float *frames, size_t n, uint32_t channels, uint32_t channel,
                           double frequency_hz)
{
    double sine = 0.0, cosine = 0.0;
    for (size_t i = 0; i < n; i++) {
        double phase = 2.0 * 3.14159265358979323846 * frequency_hz * (double)i / 48000.0;
        sine += (double)frames[i * channels + channel] * sin(phase);
        cosine += (double)frames[i * channels + channel] * cos(phase);
    }
    return 2.0 / (double)n * sqrt(sine * sine + cosine * cosine);
}

static void each_channel_of_a_tone_may_have_its_own_frequency_and_amplitude(void **state)
{
    (void)state;
    static const double frequencies[] = {200.0, 300.0, 500.0}, amplitudes[] = {0.25, 1.0};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.frequencies_hz = frequencies;
    config.n_frequencies = 3;
    config.amplitudes = amplitudes;
    config.n_amplitudes = 2;
    config.format.channels = 4;
    config.length_frames = 48000;
    size_t n;
    float *frames = play("tone", &config, &n);
    /* What is not given for a channel is that of all: 1000 Hz, 0.5. */
    static const double all_hz[] = {200.0, 300.0, 500.0, 1000.0};
    static const double wanted[] = {0.25, 1.0, 0.5, 0.5};
    for (uint32_t c = 0; c < 4; c++) {
        for (uint32_t f = 0; f < 4; f++) {
            double found = amplitude_at(frames, n, 4, c, all_hz[f]);
            assert_true(fabs(found - (c == f ? wanted[c] : 0.0)) < 1e-6);
        }
    }
    free(frames);
    /* Without a number of channels there are as many as frequencies. */
    config.format.channels = 0;
    struct kodama_source *source = open_source("tone", &config);
    assert_int_equal(kodama_source_format(source).channels, 3);
    kodama_source_close(source);
    /* More than channels, and a wrong one, are refused. */
    struct kodama_error error = {0};
    config.format.channels = 2;
    assert_int_equal(kodama_source_open(&source, "tone", &config, &error), KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "3 frequencies"));
    static const double wrong[] = {200.0, 24001.0};
    config.frequencies_hz = wrong;
    config.n_frequencies = 2;
    assert_int_equal(kodama_source_open(&source, "tone", &config, &error), KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "24001 Hz"));
    config.frequencies_hz = NULL;
    assert_int_equal(kodama_source_open(&source, "tone", &config, &error), KODAMA_ERR_ARGUMENT);
}

static void noise_is_the_same_in_every_run_and_sample_type(void **state)
{
    (void)state;
    for (size_t s = 0; s < 5; s++) {
        struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
        config.format =
            (struct kodama_format){.sample = samples[s], .rate_hz = 22050, .channels = 2};
        config.seed = 77;
        config.length_frames = 12345;
        size_t n;
        void *frames = play("noise", &config, &n);
        assert_int_equal(n, 12345);
        float *floats = calloc(2 * n, sizeof *floats);
        void *wanted = calloc(2 * n, 4);
        assert_true(floats && wanted);
        for (size_t i = 0; i < 2 * n; i++) floats[i] = 0.5f * generator_noise_sample(77, i);
        convert_from_float(samples[s], floats, wanted, 2 * n);
        assert_memory_equal(frames, wanted, 2 * n * kodama_sample_bytes(samples[s]));
        free(wanted);
        free(floats);
        free(frames);
    }
}

/* Correlation of two sequences of noise in [-1, 1). */
static double correlation(uint64_t seed_a, uint64_t from_a, uint64_t seed_b, uint64_t from_b)
{
    enum { N = 100000 };
    double sum = 0.0;
    for (uint64_t i = 0; i < N; i++) {
        sum += (double)generator_noise_sample(seed_a, from_a + i) *
               (double)generator_noise_sample(seed_b, from_b + i);
    }
    return sum / N * 3.0; /* the variance is 1/3 */
}

static void noise_is_white_and_its_seeds_have_nothing_to_do_with_each_other(void **state)
{
    (void)state;
    /* 5 standard deviations of what chance gives: 5 / sqrt(100000). */
    assert_true(fabs(correlation(1, 0, 1, 0) - 1.0) < 0.016);
    for (uint64_t lag = 1; lag <= 20; lag++) {
        assert_true(fabs(correlation(1, 0, 1, lag)) < 0.016);
        assert_true(fabs(correlation(1, 0, 1 + lag, 0)) < 0.016);
        assert_true(fabs(correlation(0, 0, lag, lag)) < 0.016);
    }
    double mean = 0.0;
    for (uint64_t i = 0; i < 100000; i++) mean += (double)generator_noise_sample(9, i) / 100000;
    assert_true(fabs(mean) < 0.0092); /* 5 / sqrt(3 * 100000) */
}

static void silence_is_silent_and_says_so(void **state)
{
    (void)state;
    for (size_t s = 0; s < 5; s++) {
        struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
        config.format = (struct kodama_format){.sample = samples[s], .rate_hz = 11025};
        config.length_frames = 30000;
        struct kodama_source *source = open_source("silence", &config);
        struct collect collect;
        collect_start(&collect, source, 4.0);
        size_t n;
        uint8_t *frames = collect_all(&collect, &n);
        assert_int_equal(n, 30000);
        for (size_t i = 0; i < n * kodama_sample_bytes(samples[s]); i++) {
            assert_int_equal(frames[i], samples[s] == KODAMA_SAMPLE_U8 ? 128 : 0);
        }
        struct kodama_mark marks[8];
        assert_int_equal(kodama_ring_marks(collect.ring, 0, n, marks, 8, NULL), 3);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(marks[i].flags, KODAMA_MARK_SILENT);
            assert_int_equal(marks[i].position, i * 11025);
            assert_int_equal(marks[i].length, i < 2 ? 11025 : 30000 - 22050);
        }
        struct kodama_source_stats stats;
        kodama_source_stats(source, &stats);
        assert_int_equal(stats.silent_frames, 30000);
        assert_int_equal(stats.gap_frames, 0);
        collect_end(&collect);
        free(frames);
    }
}

static void a_generator_has_a_usual_format_and_no_end_unless_told(void **state)
{
    (void)state;
    static const char *const names[] = {"tone", "noise", "silence", "null"};
    for (size_t i = 0; i < 4; i++) {
        struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
        struct kodama_source *source = open_source(names[i], &config);
        struct kodama_format format = kodama_source_format(source);
        assert_int_equal(format.sample, KODAMA_SAMPLE_F32);
        assert_int_equal(format.rate_hz, 48000);
        assert_int_equal(format.channels, 1);
        assert_int_equal(kodama_source_length(source), -1);
        assert_false(kodama_source_is_live(source));
        struct collect collect;
        collect_start(&collect, source, 0.1);
        static float block[48000];
        for (size_t seconds = 0; seconds < 20; seconds++) {
            for (size_t n = 0; n < 48000;) {
                int64_t got =
                    kodama_cursor_read(collect.cursor, block, 48000 - n, KODAMA_FOREVER, NULL);
                assert_true(got > 0);
                n += (size_t)got;
            }
        }
        collect_end(&collect); /* while it waits for room */
        assert_int_equal(collect.status, KODAMA_OK);
        config.length_frames = 5;
        source = open_source(names[i], &config);
        assert_int_equal(kodama_source_length(source), 5);
        kodama_source_close(source);
    }
}

static void a_paced_generator_takes_its_time_and_not_more(void **state)
{
    (void)state;
    static const char *const names[] = {"tone", "noise", "silence", "null"};
    for (size_t i = 0; i < 4; i++) {
        struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
        config.paced = true;
        config.length_frames = 48000 / 5;
        uint64_t begin = clock_now_ns();
        struct collect collect;
        collect_start(&collect, open_source(names[i], &config), 1.0);
        static float block[48000];
        for (uint64_t n = 0; n < config.length_frames;) {
            int64_t got = kodama_cursor_read(collect.cursor, block, 480, KODAMA_FOREVER, NULL);
            assert_true(got > 0);
            /* No frame before its time. */
            assert_true(clock_now_ns() - begin >= n * 1000000000 / 48000);
            n += (uint64_t)got;
        }
        assert_int_equal(kodama_cursor_read(collect.cursor, block, 1, KODAMA_FOREVER, NULL),
                         KODAMA_ERR_CLOSED);
        double took = (double)(clock_now_ns() - begin) / 1e9;
        if (took < 0.2 || took > 5.0) fail_msg("0.2 s of %s took %.4f s", names[i], took);
        collect_end(&collect);
    }
}

static void a_live_generator_cannot_be_held_back(void **state)
{
    (void)state;
    static const char *const names[] = {"tone", "noise", "silence", "null"};
    for (size_t i = 0; i < 4; i++) {
        struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
        config.live = true;
        config.length_frames = 480000;
        struct kodama_source *source = open_source(names[i], &config);
        assert_true(kodama_source_is_live(source));
        struct kodama_stream *stream;
        assert_int_equal(kodama_stream_open(&stream, source, NULL, NULL), KODAMA_OK);
        struct kodama_cursor_config lossless = KODAMA_CURSOR_CONFIG_INIT;
        lossless.lossless = true;
        struct kodama_cursor *cursor;
        assert_int_equal(kodama_cursor_open(&cursor, kodama_stream_ring(stream), &lossless),
                         KODAMA_ERR_LIVE);
        struct kodama_cursor_config slow = KODAMA_CURSOR_CONFIG_INIT;
        assert_int_equal(kodama_cursor_open(&cursor, kodama_stream_ring(stream), &slow), KODAMA_OK);
        assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
        /* Ten seconds go through a ring of two, with nobody who reads. */
        assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
        assert_int_equal(kodama_ring_position(kodama_stream_ring(stream)), 480000);
        float frame;
        struct kodama_read info;
        assert_int_equal(kodama_cursor_read(cursor, &frame, 1, 0, &info), 1);
        assert_true(info.lost > 0 && info.lost == info.position);
        kodama_cursor_close(cursor);
        kodama_stream_close(stream);
    }
}

static void a_generator_that_cannot_be_is_refused_in_words(void **state)
{
    (void)state;
    struct {
        const char *name, *words;
        struct kodama_source_config config;
        int status;
    } wrong[] = {
        {"tone", "0 to 24000 Hz", KODAMA_SOURCE_CONFIG_INIT, KODAMA_ERR_ARGUMENT},
        {"tone", "0 to 4000 Hz", KODAMA_SOURCE_CONFIG_INIT, KODAMA_ERR_ARGUMENT},
        {"tone", "nan", KODAMA_SOURCE_CONFIG_INIT, KODAMA_ERR_ARGUMENT},
        {"noise", "amplitude of 1.5", KODAMA_SOURCE_CONFIG_INIT, KODAMA_ERR_ARGUMENT},
        {"noise", "amplitude of", KODAMA_SOURCE_CONFIG_INIT, KODAMA_ERR_ARGUMENT},
        {"silence", "9 channels", KODAMA_SOURCE_CONFIG_INIT, KODAMA_ERR_FORMAT},
        {"null", "too long", KODAMA_SOURCE_CONFIG_INIT, KODAMA_ERR_ARGUMENT},
    };
    wrong[0].config.frequency_hz = 24000.5;
    wrong[1].config.frequency_hz = 4001;
    wrong[1].config.format.rate_hz = 8000;
    wrong[2].config.frequency_hz = (double)NAN;
    wrong[3].config.amplitude = 1.5;
    wrong[4].config.amplitude = (double)NAN;
    wrong[5].config.format.channels = 9;
    wrong[6].config.length_frames = UINT64_MAX;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct kodama_source *source;
        struct kodama_error error = {0};
        assert_int_equal(kodama_source_open(&source, wrong[i].name, &wrong[i].config, &error),
                         wrong[i].status);
        assert_null(source);
        if (!strstr(error.message, wrong[i].words)) {
            fail_msg("\"%s\" without \"%s\"", error.message, wrong[i].words);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_phase_of_a_tone_is_as_exact_after_a_day_as_after_a_second),
        cmocka_unit_test(a_tone_is_a_sine_in_every_channel_and_sample_type),
        cmocka_unit_test(each_channel_of_a_tone_may_have_its_own_frequency_and_amplitude),
        cmocka_unit_test(noise_is_the_same_in_every_run_and_sample_type),
        cmocka_unit_test(noise_is_white_and_its_seeds_have_nothing_to_do_with_each_other),
        cmocka_unit_test(silence_is_silent_and_says_so),
        cmocka_unit_test(a_generator_has_a_usual_format_and_no_end_unless_told),
        cmocka_unit_test(a_paced_generator_takes_its_time_and_not_more),
        cmocka_unit_test(a_live_generator_cannot_be_held_back),
        cmocka_unit_test(a_generator_that_cannot_be_is_refused_in_words),
    };
    return cmocka_run_group_tests_name("source generators", tests, NULL, NULL);
}
