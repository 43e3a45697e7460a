/* Tests of meters: what a display would show, against what was written. */
#include "support/support.h"

#include <math.h>
#include <string.h>

#include <kodama/meter.h>
#include <kodama/stream.h>

#include "audio/convert.h"
#include "base/clock.h"

enum { RATE = 48000, BLOCK = 480 };

static const double pi = 3.14159265358979323846;

static struct kodama_ring *make_ring(enum kodama_sample sample, uint32_t channels, double seconds)
{
    struct kodama_ring *ring;
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    config.format = (struct kodama_format){sample, RATE, channels, 0};
    config.capacity_seconds = seconds;
    assert_int_equal(kodama_ring_create(&ring, &config, NULL), KODAMA_OK);
    return ring;
}

static struct kodama_meter *open_meter(struct kodama_ring *ring,
                                       const struct kodama_meter_config *config)
{
    struct kodama_meter *meter;
    struct kodama_error error = {0};
    if (kodama_meter_open(&meter, ring, config, &error) < 0) fail_msg("%s", error.message);
    return meter;
}

static void write_floats(struct kodama_ring *ring, const float *frames, size_t n_frames)
{
    struct kodama_writer writer;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(kodama_writer_write(&writer, frames, n_frames, 0), n_frames);
    kodama_writer_release(&writer);
}

/* A sine of 1 kHz from the ring's position on, or silence with amplitude 0; one channel of f32. */
static void write_sine(struct kodama_ring *ring, double amplitude, size_t n_frames)
{
    float block[BLOCK];
    while (n_frames > 0) {
        size_t n = n_frames < BLOCK ? n_frames : BLOCK;
        uint64_t position = kodama_ring_position(ring);
        for (size_t i = 0; i < n; i++) {
            /* 48 frames a period: one of them stands on the crest. */
            double phase = (double)((position + i) % 48) / 48.0;
            block[i] = (float)(amplitude * sin(2.0 * pi * phase));
        }
        write_floats(ring, block, n);
        n_frames -= n;
    }
}

static struct kodama_levels look(struct kodama_meter *meter)
{
    struct kodama_levels levels;
    assert_int_equal(kodama_meter_read(meter, &levels), KODAMA_OK);
    return levels;
}

static void assert_near(double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance)) fail_msg("%.6f is not %.6f", value, wanted);
}

static void a_sine_has_its_amplitude_as_peak_and_3_db_less_as_rms(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 1, 2.0);
    struct kodama_meter *meter = open_meter(ring, NULL);
    write_sine(ring, 0.5, RATE);
    struct kodama_levels levels = look(meter);
    assert_int_equal(levels.frames, RATE);
    assert_int_equal(levels.position, RATE);
    assert_int_equal(levels.channels, 1);
    assert_near(levels.all.peak, 0.5, 1e-6);
    assert_near(levels.all.peak_db, -6.0206, 1e-4);
    assert_near(levels.all.rms_db, -6.0206 - 3.0103, 1e-3);
    assert_near(levels.channel[0].rms, 0.5 / sqrt(2.0), 1e-5);
    assert_int_equal(levels.all.clipped, 0);
    assert_int_equal(levels.lost_frames, 0);
    assert_false(levels.ended);
    kodama_meter_close(meter);
    kodama_ring_destroy(ring);
}

static void each_look_measures_only_what_came_since_the_last(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 1, 2.0);
    struct kodama_meter *meter = open_meter(ring, NULL);
    write_sine(ring, 0.9, 4800);
    assert_near(look(meter).all.peak, 0.9, 1e-6);
    write_sine(ring, 0.1, 4800);
    struct kodama_levels levels = look(meter);
    assert_int_equal(levels.frames, 4800);
    assert_near(levels.all.peak, 0.1, 1e-6);
    levels = look(meter);
    assert_int_equal(levels.frames, 0);
    assert_true(levels.all.peak == 0.0 && levels.all.rms == 0.0);
    assert_true(levels.all.peak_db == -(double)INFINITY);
    assert_true(levels.all.fall > 0.5); /* no time has passed on the timeline */
    kodama_meter_close(meter);
    kodama_ring_destroy(ring);
}

static void channels_are_measured_each_on_its_own(void **state)
{
    (void)state;
    for (uint32_t channels = 1; channels <= KODAMA_CHANNELS_MAX; channels++) {
        struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, channels, 1.0);
        struct kodama_meter *meter = open_meter(ring, NULL);
        float frame[KODAMA_CHANNELS_MAX];
        for (uint32_t c = 0; c < channels; c++)
            frame[c] = c % 2 ? -0.1f * (float)c : 0.1f * (float)c;
        for (int i = 0; i < 1000; i++) write_floats(ring, frame, 1);
        struct kodama_levels levels = look(meter);
        assert_int_equal(levels.channels, channels);
        for (uint32_t c = 0; c < channels; c++) {
            assert_near(levels.channel[c].peak, 0.1 * c, 1e-6);
            assert_near(levels.channel[c].rms, 0.1 * c, 1e-5);
            assert_near(levels.channel[c].hold, 0.1 * c, 1e-6);
        }
        assert_near(levels.all.peak, 0.1 * (channels - 1), 1e-6);
        kodama_meter_close(meter);
        kodama_ring_destroy(ring);
    }
}

/* The levels of one value among zeros, in a ring of any type. */
static struct kodama_levels levels_of(enum kodama_sample sample, float value)
{
    struct kodama_ring *ring = make_ring(sample, 1, 1.0);
    struct kodama_meter *meter = open_meter(ring, NULL);
    float floats[100];
    uint8_t frames[400];
    for (int i = 0; i < 100; i++) floats[i] = i == 50 ? value : 0.0f;
    convert_from_float(sample, floats, frames, 100);
    struct kodama_writer writer;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(kodama_writer_write(&writer, frames, 100, 0), 100);
    kodama_writer_release(&writer);
    struct kodama_levels levels = look(meter);
    kodama_meter_close(meter);
    kodama_ring_destroy(ring);
    return levels;
}

static void every_sample_type_tells_its_clipped_samples(void **state)
{
    (void)state;
    for (int i = KODAMA_SAMPLE_U8; i <= KODAMA_SAMPLE_F32; i++) {
        enum kodama_sample sample = (enum kodama_sample)i;
        assert_int_equal(levels_of(sample, 1.0f).all.clipped, 1);
        assert_int_equal(levels_of(sample, -1.0f).all.clipped, 1);
        assert_int_equal(levels_of(sample, 1.5f).all.clipped, 1);
        assert_int_equal(levels_of(sample, 0.97f).all.clipped, 0);
        assert_near(levels_of(sample, 0.5f).all.peak, 0.5, 1e-6);
    }
}

static void clipped_samples_are_counted_by_look_and_in_all(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 1, 2.0);
    struct kodama_meter *meter = open_meter(ring, NULL);
    for (int i = 1; i <= 3; i++) {
        float loud[5] = {1.0f, -1.0f, 0.5f, 2.0f, 0.999f};
        write_floats(ring, loud, 5);
        struct kodama_levels levels = look(meter);
        assert_int_equal(levels.all.clipped, 3);
        assert_int_equal(levels.all.clipped_total, 3 * i);
    }
    kodama_meter_reset(meter);
    assert_int_equal(look(meter).all.clipped_total, 0);
    kodama_meter_close(meter);
    kodama_ring_destroy(ring);
}

static void the_bar_falls_20_db_in_1_7_s_and_the_mark_stays_a_second_first(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 1, 4.0);
    struct kodama_meter *meter = open_meter(ring, NULL);
    write_sine(ring, 1.0, 480); /* the peak is placed at the end of its 10 ms */
    struct kodama_levels levels = look(meter);
    assert_near(levels.all.fall_db, 0.0, 1e-5);
    assert_near(levels.all.hold_db, 0.0, 1e-5);
    write_sine(ring, 0.0, RATE);
    levels = look(meter);
    assert_near(levels.all.fall_db, -20.0 / 1.7, 1e-4);
    assert_near(levels.all.fall, pow(10.0, -1.0 / 1.7), 1e-5);
    assert_near(levels.all.hold_db, 0.0, 1e-5);
    write_sine(ring, 0.0, RATE * 7 / 10);
    levels = look(meter);
    assert_near(levels.all.fall_db, -20.0, 1e-4);
    assert_near(levels.all.hold_db, -0.7 * 20.0 / 1.7, 1e-4);
    kodama_meter_close(meter);
    kodama_ring_destroy(ring);
}

static void what_is_shown_does_not_depend_on_how_often_one_looks(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 1, 60.0);
    struct kodama_meter *often = open_meter(ring, NULL), *once = open_meter(ring, NULL);
    struct test_random random = {.state = 3};
    for (int i = 0; i < 200; i++) {
        double amplitude = pow(10.0, -3.0 * (double)test_random_below(&random, 1000) / 1000.0);
        write_sine(ring, amplitude, 1 + (size_t)test_random_below(&random, 4800));
        look(often);
    }
    write_sine(ring, 0.3, 480);
    struct kodama_levels a = look(often), b = look(once);
    assert_int_equal(a.position, b.position);
    /* A peak is placed to 10 ms, on either side. */
    assert_near(a.all.fall_db, b.all.fall_db, 2 * 0.01 * 20.0 / 1.7);
    assert_near(a.all.hold_db, b.all.hold_db, 2 * 0.01 * 20.0 / 1.7);
    assert_int_equal(a.all.clipped_total, b.all.clipped_total);
    assert_int_equal(a.silent_frames, b.silent_frames);
    kodama_meter_close(often);
    kodama_meter_close(once);
    kodama_ring_destroy(ring);
}

static void silence_is_counted_to_the_frame_across_looks(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 2, 4.0);
    struct kodama_meter *meter = open_meter(ring, NULL);
    static float frames[2 * 10000];
    frames[2 * 1234 + 1] = 0.002f; /* -54 dBFS, in the second channel only */
    for (size_t i = 2 * 1235; i < 2 * 10000; i++) frames[i] = 0.0005f; /* -66 dBFS: silent */
    write_floats(ring, frames, 10000);
    assert_int_equal(look(meter).silent_frames, 10000 - 1235);
    write_floats(ring, frames + 2 * 2000, 5000);
    struct kodama_levels levels = look(meter);
    assert_int_equal(levels.silent_frames, 15000 - 1235);
    assert_near(levels.silence_s, (15000 - 1235) / (double)RATE, 1e-9);
    write_floats(ring, frames + 2 * 1000, 235); /* ends with the loud frame */
    assert_int_equal(look(meter).silent_frames, 0);
    kodama_meter_close(meter);
    kodama_ring_destroy(ring);
}

static void digital_silence_can_be_asked_for(void **state)
{
    (void)state;
    struct kodama_meter_config config = KODAMA_METER_CONFIG_INIT;
    config.silence_db = -(double)INFINITY;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 1, 1.0);
    struct kodama_meter *meter = open_meter(ring, &config);
    float frames[100] = {[10] = 1e-9f};
    write_floats(ring, frames, 100);
    assert_int_equal(look(meter).silent_frames, 89);
    kodama_meter_close(meter);
    kodama_ring_destroy(ring);
}

static void a_meter_that_was_lapped_skips_ahead_and_says_how_far(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 1, 0.1);
    struct kodama_meter *meter = open_meter(ring, NULL);
    uint64_t capacity = kodama_ring_capacity(ring);
    write_sine(ring, 0.0, 480);
    assert_int_equal(look(meter).silent_frames, 480);
    write_sine(ring, 0.0, 3 * (size_t)capacity);
    struct kodama_levels levels = look(meter);
    assert_int_equal(levels.position, 480 + 3 * capacity);
    assert_int_equal(levels.frames + levels.lost_frames, 3 * capacity);
    assert_true(levels.lost_frames >= 2 * capacity);
    /* What was lost may not have been silent. */
    assert_int_equal(levels.silent_frames, levels.frames);
    assert_int_equal(look(meter).lost_frames, 0);
    kodama_meter_close(meter);
    kodama_ring_destroy(ring);
}

static void a_meter_sees_the_end_when_all_was_measured(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 1, 1.0);
    struct kodama_meter *meter = open_meter(ring, NULL);
    write_sine(ring, 0.5, 1000);
    kodama_ring_close(ring);
    struct kodama_levels levels = look(meter);
    assert_int_equal(levels.frames, 1000);
    assert_true(levels.ended);
    levels = look(meter);
    assert_true(levels.ended && levels.frames == 0);
    kodama_meter_close(meter);
    kodama_ring_destroy(ring);
}

static void a_meter_may_begin_in_the_past(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 1, 1.0);
    write_sine(ring, 0.5, 1000);
    struct kodama_meter_config config = KODAMA_METER_CONFIG_INIT;
    config.start = KODAMA_START_OLDEST;
    struct kodama_meter *meter = open_meter(ring, &config);
    assert_int_equal(look(meter).frames, 1000);
    kodama_meter_close(meter);
    kodama_ring_destroy(ring);
}

static void wrong_arguments_are_refused_in_words(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 1, 1.0);
    struct kodama_meter *meter;
    struct kodama_levels levels;
    struct kodama_error error = {0};
    struct kodama_meter_config config = KODAMA_METER_CONFIG_INIT;
    assert_int_equal(kodama_meter_open(NULL, ring, NULL, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_meter_open(&meter, NULL, NULL, &error), KODAMA_ERR_ARGUMENT);
    assert_null(meter);
    config.fall_db_s = 0.0;
    assert_int_equal(kodama_meter_open(&meter, ring, &config, &error), KODAMA_ERR_ARGUMENT);
    config = (struct kodama_meter_config)KODAMA_METER_CONFIG_INIT;
    config.silence_db = (double)NAN;
    assert_int_equal(kodama_meter_open(&meter, ring, &config, &error), KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "silence"));
    config = (struct kodama_meter_config)KODAMA_METER_CONFIG_INIT;
    config.size = 1;
    assert_int_equal(kodama_meter_open(&meter, ring, &config, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_meter_read(NULL, &levels), KODAMA_ERR_ARGUMENT);
    kodama_meter_reset(NULL);
    kodama_meter_close(NULL);
    kodama_ring_destroy(ring);
}

/* Threads: a live source writes while the meter looks; every frame is measured or told as lost. */
static void a_meter_of_a_running_stream_accounts_for_every_frame(void **state)
{
    (void)state;
    struct kodama_source_config noise = KODAMA_SOURCE_CONFIG_INIT;
    noise.format = (struct kodama_format){KODAMA_SAMPLE_S16, RATE, 2, 0};
    noise.length_frames = 20 * RATE;
    noise.live = true; /* as fast as a core can, so it laps the meter now and then */
    struct kodama_source *source;
    struct kodama_stream *stream;
    assert_int_equal(kodama_source_open(&source, "noise", &noise, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_open(&stream, source, NULL, NULL), KODAMA_OK);
    struct kodama_meter *meter = open_meter(kodama_stream_ring(stream), NULL);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    uint64_t heard = 0, lost = 0;
    struct kodama_levels levels = {0};
    while (!levels.ended) {
        levels = look(meter);
        heard += levels.frames;
        lost += levels.lost_frames;
        if (levels.frames > 4800) {
            /* Uniform noise of amplitude a has an RMS of a / sqrt(3). */
            assert_near(levels.all.rms, 0.5 / sqrt(3.0), 0.02);
            assert_true(levels.all.peak <= 0.5);
        }
    }
    assert_int_equal(heard + lost, 20 * RATE);
    assert_true(heard > 0);
    kodama_meter_close(meter);
    kodama_stream_close(stream);
}

static void a_look_at_a_second_of_stereo_costs_little(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, 2, 2.0);
    struct kodama_meter *meter = open_meter(ring, NULL);
    static float frames[2 * RATE];
    uint64_t spent = 0;
    enum { LOOKS = 50 };
    for (int i = 0; i < LOOKS; i++) {
        write_floats(ring, frames, RATE);
        uint64_t begin = clock_thread_cpu_ns();
        look(meter);
        spent += clock_thread_cpu_ns() - begin;
    }
    print_message("# %.2f ns per frame of stereo f32, %.4f %% of a core at 48 kHz\n",
                  (double)spent / LOOKS / RATE, (double)spent / LOOKS / 1e7);
    kodama_meter_close(meter);
    kodama_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sine_has_its_amplitude_as_peak_and_3_db_less_as_rms),
        cmocka_unit_test(each_look_measures_only_what_came_since_the_last),
        cmocka_unit_test(channels_are_measured_each_on_its_own),
        cmocka_unit_test(every_sample_type_tells_its_clipped_samples),
        cmocka_unit_test(clipped_samples_are_counted_by_look_and_in_all),
        cmocka_unit_test(the_bar_falls_20_db_in_1_7_s_and_the_mark_stays_a_second_first),
        cmocka_unit_test(what_is_shown_does_not_depend_on_how_often_one_looks),
        cmocka_unit_test(silence_is_counted_to_the_frame_across_looks),
        cmocka_unit_test(digital_silence_can_be_asked_for),
        cmocka_unit_test(a_meter_that_was_lapped_skips_ahead_and_says_how_far),
        cmocka_unit_test(a_meter_sees_the_end_when_all_was_measured),
        cmocka_unit_test(a_meter_may_begin_in_the_past),
        cmocka_unit_test(wrong_arguments_are_refused_in_words),
        cmocka_unit_test(a_meter_of_a_running_stream_accounts_for_every_frame),
        cmocka_unit_test(a_look_at_a_second_of_stereo_costs_little),
    };
    return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
