/* Tests of how a mix puts inputs in step that were heard at different times and by clocks that do
 * not agree. */
#include "capture/collect.h"

#include <math.h>
#include <stdio.h>

#include <kodama/stream.h>

#include "base/memory.h"
#include "capture/feed.h"
#include "capture/mix_align.h"
#include "capture/source_generator.h"

enum { RATE = 16000 };

static const double pi = 3.14159265358979323846;

/* ---------------------------------------------------------------- what the tests share */

/* A device with a clock of its own, as fast as it is read: it hears a sine of 100 Hz that all such
 * devices hear, or noise that knows its place, and marks the time twice a second. */
struct device {
    struct feed feed;
    struct kodama_source *source;
    double late_s, ppm, jitter_s;
    uint64_t seed; /* 0: the sine */
    uint64_t n_frames, position, next_mark, gap_at, gap_frames;
    struct test_random random;
};

static double heard_at(const struct device *device, uint64_t position)
{
    return device->late_s + (double)position / (RATE * (1.0 + device->ppm * 1e-6));
}

static const uint64_t base_ns = UINT64_C(1000000000000);

/* A mark about the frame that is written next: that at `position`. */
static void device_mark(struct device *device, uint64_t position, uint32_t flags, uint64_t length)
{
    double jitter = device->jitter_s * (double)test_random_float(&device->random);
    double time_s = heard_at(device, position) + jitter;
    struct kodama_mark mark = {.position = kodama_ring_position(device->source->writer.ring),
                               .length = length,
                               .time_ns = base_ns + (uint64_t)llround(time_s * 1e9),
                               .flags = flags};
    kodama_writer_mark(&device->source->writer, &mark);
}

static int64_t device_read(void *state, void *frames, size_t max_frames, struct kodama_error *error)
{
    (void)error;
    struct device *device = state;
    float *out = frames;
    size_t n = 0;
    if (device->source->paced && device->position >= device->next_mark) {
        device_mark(device, device->position, KODAMA_MARK_TIME, 0);
        device->next_mark += RATE / 2;
    }
    if (device->gap_frames > 0 && device->position <= device->gap_at &&
        device->gap_at < device->position + max_frames) {
        max_frames = (size_t)(device->gap_at - device->position); /* the gap begins a block */
        if (max_frames == 0) {
            device_mark(device, device->position, KODAMA_MARK_GAP, device->gap_frames);
            max_frames = RATE / 100;
        }
    }
    for (; n < max_frames && device->position < device->n_frames; n++, device->position++) {
        uint64_t p = device->position;
        bool gap = p >= device->gap_at && p - device->gap_at < device->gap_frames;
        out[n] = device->seed > 0 ? generator_noise_sample(device->seed, p)
                                  : (float)(0.5 * sin(2.0 * pi * 100.0 * heard_at(device, p)));
        if (gap) out[n] = 0.0f;
    }
    return (int64_t)n;
}

static int device_start(struct kodama_source *source, struct kodama_error *error)
{
    struct device *device = source->state;
    /* A stop may have left frames that were read but not written. */
    size_t n_held = device->feed.n_held - device->feed.held_at;
    if (source->paced) device_mark(device, device->position - n_held, KODAMA_MARK_TIME, 0);
    return feed_start(&device->feed, error);
}

static void device_stop(struct kodama_source *source)
{
    struct device *device = source->state;
    feed_stop(&device->feed);
}

static void device_close(struct kodama_source *source)
{
    struct device *device = source->state;
    feed_free(&device->feed);
    free(device);
}

static const struct source_ops device_ops = {
    .name = "device", .start = device_start, .stop = device_stop, .close = device_close};

static struct kodama_source *open_device(struct device like)
{
    struct kodama_source *source = memory_array(1, sizeof *source);
    struct device *device = memory_array(1, sizeof *device);
    assert_true(source && device);
    *device = like;
    device->source = source;
    device->next_mark = RATE / 2;
    device->random.state = like.seed + 1000;
    source->ops = &device_ops;
    source->format = (struct kodama_format){KODAMA_SAMPLE_F32, RATE, 1, 0};
    source->length = (int64_t)like.n_frames;
    source->paced = true; /* it keeps time, by its marks */
    source->state = device;
    assert_int_equal(feed_init(&device->feed, source, RATE / 100, false, device_read, device, NULL),
                     KODAMA_OK);
    return source;
}

static struct kodama_source *open_mix(struct kodama_source *first, double first_gain,
                                      struct kodama_source *second, double second_gain)
{
    struct kodama_mix_input inputs[] = {{first, first_gain}, {second, second_gain}};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.inputs = inputs;
    config.n_inputs = 2;
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (kodama_source_open(&source, "mix", &config, &error) < 0) fail_msg("%s", error.message);
    return source;
}

static float *mix_all(struct collect *collect, struct kodama_source *mix, size_t *n_frames)
{
    collect_start(collect, mix, 0.5);
    float *frames = (void *)collect_all(collect, n_frames);
    return frames;
}

/* ---------------------------------------------------------------- where inputs begin */

static void an_input_that_was_heard_37_ms_later_begins_37_ms_later(void **state)
{
    (void)state;
    enum { N = 5 * RATE, LATE = 592 };
    for (int first_is_late = 0; first_is_late < 2; first_is_late++) {
        struct kodama_source *late =
            open_device((struct device){.seed = 1, .n_frames = N, .late_s = 0.037});
        struct kodama_source *early = open_device((struct device){.seed = 2, .n_frames = N});
        struct kodama_source *mix =
            first_is_late ? open_mix(late, 1.0, early, 1.0) : open_mix(early, 1.0, late, 1.0);
        struct collect collect;
        size_t n;
        float *frames = mix_all(&collect, mix, &n);
        assert_int_equal(n, N + LATE);
        for (size_t i = 0; i < n; i++) {
            float wanted = 0.0f;
            if (i >= LATE) wanted += generator_noise_sample(1, i - LATE);
            if (i < N) wanted += generator_noise_sample(2, i);
            assert_true(frames[i] == wanted);
        }
        /* It did not hear anything before it began: that is no gap. */
        struct kodama_source_stats stats;
        kodama_source_stats(mix, &stats);
        assert_int_equal(stats.gap_frames, 0);
        collect_end(&collect);
        free(frames);
    }
}

static void the_mix_says_when_its_first_frame_was_heard(void **state)
{
    (void)state;
    struct kodama_source *late =
        open_device((struct device){.seed = 1, .n_frames = RATE, .late_s = 0.25});
    struct kodama_source *early =
        open_device((struct device){.seed = 2, .n_frames = RATE, .late_s = 0.125});
    struct collect collect;
    size_t n;
    float *frames = mix_all(&collect, open_mix(late, 1.0, early, 1.0), &n);
    struct kodama_mark marks[8];
    int n_marks = kodama_ring_marks(collect.ring, 0, n, marks, 8, NULL);
    static const uint64_t wanted_ms[] = {0, 125, 625};
    assert_int_equal(n_marks, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(marks[i].flags, KODAMA_MARK_TIME);
        assert_int_equal(marks[i].position, wanted_ms[i] * RATE / 1000);
        assert_int_equal(marks[i].time_ns, base_ns + (125 + wanted_ms[i]) * 1000000);
    }
    collect_end(&collect);
    free(frames);
}

static void inputs_that_do_not_say_when_they_were_heard_begin_together(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct kodama_source *marked =
        open_device((struct device){.seed = 1, .n_frames = N, .late_s = 0.1});
    struct kodama_source *plain = open_device((struct device){.seed = 2, .n_frames = N});
    plain->paced = false; /* it writes no marks and keeps no time */
    struct collect collect;
    size_t n;
    float *frames = mix_all(&collect, open_mix(plain, 1.0, marked, 1.0), &n);
    assert_int_equal(n, N);
    for (size_t i = 0; i < n; i++) {
        assert_true(frames[i] == generator_noise_sample(2, i) + generator_noise_sample(1, i));
    }
    collect_end(&collect);
    free(frames);
}

static void a_mix_that_is_started_again_is_put_in_step_anew(void **state)
{
    (void)state;
    enum { N = 60 * RATE };
    struct kodama_source *first = open_device((struct device){.n_frames = N});
    struct kodama_source *second = open_device((struct device){.n_frames = N, .late_s = 0.0375});
    struct kodama_stream *stream;
    struct kodama_cursor *cursor;
    struct kodama_cursor_config lossless = KODAMA_CURSOR_CONFIG_INIT;
    lossless.lossless = true;
    assert_int_equal(kodama_stream_open(&stream, open_mix(first, 1.0, second, -1.0), NULL, NULL),
                     KODAMA_OK);
    assert_int_equal(kodama_cursor_open(&cursor, kodama_stream_ring(stream), &lossless), KODAMA_OK);
    static float frames[2 * N];
    size_t at = 0;
    for (int starts = 0; starts < 10; starts++) {
        assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
        size_t until = at + RATE * 2, seam = at;
        int64_t n = 0;
        while (at < until && n >= 0) {
            n = kodama_cursor_read(cursor, frames + at, 1000, KODAMA_FOREVER, NULL);
            if (n > 0) at += (size_t)n;
        }
        kodama_stream_stop(stream);
        while ((n = kodama_cursor_read(cursor, frames + at, 500, KODAMA_FOREVER, NULL)) > 0) {
            at += (size_t)n;
        }
        /* They stand at different places, which do not come in step by themselves. Behind the seam
         * (an input may have been ahead by what its ring holds) they hear the same again. */
        for (size_t i = seam + RATE; i < until; i++) assert_true(fabsf(frames[i]) < 0.02f);
    }
    kodama_cursor_close(cursor);
    kodama_stream_close(stream);
}

/* ---------------------------------------------------------------- clocks that do not agree */

static void inputs_of_one_clock_stay_as_they_are_bit_for_bit(void **state)
{
    (void)state;
    enum { N = 60 * RATE };
    /* A third of a frame apart, with marks that jitter by 100 us. */
    struct kodama_source *first =
        open_device((struct device){.seed = 1, .n_frames = N, .jitter_s = 1e-4, .ppm = 80.0});
    struct kodama_source *second =
        open_device((struct device){.seed = 2, .n_frames = N, .late_s = 20e-6, .ppm = 80.0});
    struct collect collect;
    size_t n;
    float *frames = mix_all(&collect, open_mix(first, 1.0, second, 1.0), &n);
    /* The first mark's jitter may move the second by two frames. */
    assert_true(n >= N && n <= N + 2);
    size_t first_at = 0, second_at = 0;
    for (size_t lead = 0; lead <= 2; lead++) {
        float sum = generator_noise_sample(1, 100 - lead) + generator_noise_sample(2, 100);
        if (frames[100] == sum) first_at = lead;
        sum = generator_noise_sample(1, 100) + generator_noise_sample(2, 100 - lead);
        if (frames[100] == sum) second_at = lead;
    }
    for (size_t i = 2; i < N; i++) {
        assert_true(frames[i] == generator_noise_sample(1, i - first_at) +
                                     generator_noise_sample(2, i - second_at));
    }
    collect_end(&collect);
    free(frames);
}

/* Two devices hear the same sine; one is taken from the other. What is left is how far apart they
 * are: |sin a - sin b| <= 2 sin(|a - b| / 2). Largest in us, from one second to another. */
static double apart_us(const float *frames, size_t from_s, size_t to_s)
{
    double largest = 0.0;
    for (size_t i = from_s * RATE; i < to_s * RATE; i++) {
        double left = fabs((double)frames[i]);
        if (left > largest) largest = left;
    }
    return 1e6 * 2.0 * asin(largest / 0.5 / 2.0) / (2.0 * pi * 100.0);
}

static void clocks_that_drift_by_200_ppm_are_kept_within_a_millisecond(void **state)
{
    (void)state;
    enum { SECONDS = 120, N = SECONDS * RATE };
    static const double ppms[] = {200.0, -200.0};
    static const double jitters[] = {0.0, 50e-6};
    for (size_t k = 0; k < 4; k++) {
        double ppm = ppms[k % 2], jitter_s = jitters[k / 2];
        struct kodama_source *first =
            open_device((struct device){.n_frames = N, .jitter_s = jitter_s, .seed = 0});
        struct kodama_source *second = open_device((struct device){
            .n_frames = (uint64_t)(N * (1.0 + ppm * 1e-6)), .ppm = ppm, .jitter_s = jitter_s});
        struct collect collect;
        size_t n;
        float *frames = mix_all(&collect, open_mix(first, 1.0, second, -1.0), &n);
        assert_true(n >= N && n <= N + RATE / 1000);
        double most = apart_us(frames, 0, SECONDS - 1);
        double settled = apart_us(frames, 60, SECONDS - 1);
        print_message("# %+.0f ppm, marks that jitter by %.0f us: at most %.0f us apart, after a "
                      "minute %.1f us; left alone it would be %.0f us\n",
                      ppm, jitter_s * 1e6, most, settled, fabs(ppm) * SECONDS);
        assert_true(most < 1000.0);
        assert_true(settled < 5.0 + 4.0 * jitter_s * 1e6);
        collect_end(&collect);
        free(frames);
    }
}

static struct kodama_source *open_null(uint64_t n_frames, double ppm)
{
    struct kodama_fault drift = {
        .kind = KODAMA_FAULT_DRIFT, .position = 10 * RATE, .drift_ppm = ppm};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.format = (struct kodama_format){.rate_hz = RATE};
    config.length_frames = n_frames;
    config.faults = &drift;
    config.n_faults = ppm != 0.0;
    struct kodama_source *source;
    assert_int_equal(kodama_source_open(&source, "null", &config, NULL), KODAMA_OK);
    source->paced = true; /* by its marks; the frames come as fast as they are read */
    return source;
}

static void a_drift_that_the_null_source_begins_later_is_followed(void **state)
{
    (void)state;
    enum { SECONDS = 130, N = SECONDS * RATE };
    static const double ppms[] = {200.0, -200.0};
    for (size_t k = 0; k < 2; k++) {
        /* The drifting one has as many frames as fit into the time. */
        uint64_t n_drifting =
            10 * RATE + (uint64_t)((SECONDS - 10) * RATE * (1.0 + ppms[k] * 1e-6));
        struct collect collect;
        size_t n;
        float *frames = mix_all(
            &collect, open_mix(open_null(N + RATE, 0.0), 0.0, open_null(n_drifting, ppms[k]), 1.0),
            &n);
        /* The threads began a little apart: it is there from one place to another. */
        size_t first = 0, last = n;
        while (first < n && frames[first] == 0.0f) first++;
        while (last > 0 && frames[last - 1] == 0.0f) last--;
        double off_ms = ((double)(last - first) - N) / RATE * 1000.0;
        print_message(
            "# null source, %+.0f ppm: it lasts %.2f ms more or less than by the clock of "
            "the first\n",
            ppms[k], off_ms);
        assert_true(fabs(off_ms) < 1.0);
        collect_end(&collect);
        free(frames);
    }
}

static void a_gap_of_an_input_that_drifts_is_told_once_and_in_its_place(void **state)
{
    (void)state;
    enum { N = 60 * RATE, AT = 40 * RATE, LENGTH = 1234 };
    struct kodama_source *first = open_device((struct device){.seed = 1, .n_frames = N});
    struct kodama_source *second = open_device((struct device){
        .seed = 2, .n_frames = N, .ppm = 150.0, .gap_at = AT, .gap_frames = LENGTH});
    struct kodama_source *mix = open_mix(first, 0.0, second, 1.0);
    struct collect collect;
    size_t n;
    float *frames = mix_all(&collect, mix, &n);
    struct kodama_source_stats stats;
    kodama_source_stats(mix, &stats);
    assert_int_equal(stats.gaps, 1);
    assert_true(stats.gap_frames >= LENGTH - 1 && stats.gap_frames <= LENGTH + 1);
    /* 40 s of 150 ppm are 96 frames: that much earlier it lies on the reference's timeline. */
    uint64_t wanted = (uint64_t)(AT / (1.0 + 150e-6));
    size_t silent_at = 0;
    for (size_t i = 100; i < n && silent_at == 0; i++) {
        bool silent = true;
        for (size_t j = i; silent && j < i + 1000 && j < n; j++) silent = fabsf(frames[j]) < 1e-6f;
        if (silent) silent_at = i;
    }
    assert_true(silent_at + RATE / 1000 > wanted && silent_at < wanted + RATE / 1000 + MIX_TAPS);
    collect_end(&collect);
    free(frames);
}

/* ---------------------------------------------------------------- the parts */

static void the_interpolation_is_right_to_90_db_up_to_4_tenths_of_the_rate(void **state)
{
    (void)state;
    static struct mix_kernel kernel;
    mix_kernel_init(&kernel);
    struct test_random random = {.state = 4};
    double worst = 0.0;
    for (double frequency = 0.001; frequency <= 0.4; frequency += 0.019) {
        double error = 0.0, power = 0.0;
        for (int i = 0; i < 500; i++) {
            double phase = (double)test_random_float(&random),
                   place = 0.5 + 0.5 * (double)test_random_float(&random);
            float frames[2 * MIX_TAPS], out[2];
            for (int t = 0; t < MIX_TAPS; t++) {
                double x = 2.0 * pi * (frequency * (t - MIX_BEFORE) + phase);
                frames[2 * t] = (float)sin(x);
                frames[2 * t + 1] = (float)cos(x);
            }
            mix_kernel_apply(&kernel, frames + 2 * MIX_BEFORE, 2, place, out);
            double x = 2.0 * pi * (frequency * place + phase);
            error += pow((double)out[0] - sin(x), 2) + pow((double)out[1] - cos(x), 2);
            power += 1.0;
        }
        double db = 10.0 * log10(error / power);
        if (worst == 0.0 || db > worst) worst = db;
    }
    print_message("# interpolation: errors below %.1f dB up to 0.4 of the rate\n", worst);
    assert_true(worst < -90.0);
}

static void a_clock_tells_time_and_place_from_its_marks(void **state)
{
    (void)state;
    struct mix_clock clock = {.rate_hz = RATE};
    mix_clock_add(&clock, 1000, base_ns);
    /* One mark: the nominal rate. */
    assert_true(fabs(mix_clock_time(&clock, 1000 + RATE) - (double)base_ns - 1e9) < 1.0);
    /* Marks every 10 ms of a clock that is 100 ppm fast. */
    double rate = RATE * (1.0 + 100e-6);
    for (uint64_t p = 1160; p < 20 * RATE; p += 160) {
        mix_clock_add(&clock, p, base_ns + (uint64_t)llround((double)(p - 1000) / rate * 1e9));
    }
    double time_ns = (double)base_ns + (25.0 * RATE - 1000.0) / rate * 1e9;
    assert_true(fabs(mix_clock_time(&clock, 25.0 * RATE) - time_ns) < 50.0);
    assert_true(fabs(mix_clock_position(&clock, time_ns) - 25.0 * RATE) < 0.001);
    /* What no clock does is not believed. */
    mix_clock_reset(&clock);
    mix_clock_add(&clock, 0, base_ns);
    mix_clock_add(&clock, RATE, base_ns + UINT64_C(3000000000));
    double step_ns = mix_clock_time(&clock, 2 * RATE) - mix_clock_time(&clock, RATE);
    assert_true(fabs(step_ns - 1e9) < 3e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_input_that_was_heard_37_ms_later_begins_37_ms_later),
        cmocka_unit_test(the_mix_says_when_its_first_frame_was_heard),
        cmocka_unit_test(inputs_that_do_not_say_when_they_were_heard_begin_together),
        cmocka_unit_test(a_mix_that_is_started_again_is_put_in_step_anew),
        cmocka_unit_test(inputs_of_one_clock_stay_as_they_are_bit_for_bit),
        cmocka_unit_test(clocks_that_drift_by_200_ppm_are_kept_within_a_millisecond),
        cmocka_unit_test(a_drift_that_the_null_source_begins_later_is_followed),
        cmocka_unit_test(a_gap_of_an_input_that_drifts_is_told_once_and_in_its_place),
        cmocka_unit_test(the_interpolation_is_right_to_90_db_up_to_4_tenths_of_the_rate),
        cmocka_unit_test(a_clock_tells_time_and_place_from_its_marks),
    };
    return cmocka_run_group_tests_name("mix align", tests, NULL, NULL);
}
