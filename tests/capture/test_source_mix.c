/* Tests of the source "mix": the sum of its inputs, frame for frame, whatever happens to them. */
#include "capture/collect.h"

#include <math.h>
#include <stdio.h>

#include <kodama/stream.h>

#include "audio/convert.h"
#include "capture/source_generator.h"

enum { RATE = 16000 };

/* A null source: noise of its own seed at full scale; borrowed faults. */
static struct kodama_source *noise(uint64_t seed, uint32_t channels, uint64_t length_frames,
                                   const struct kodama_fault *faults, size_t n_faults)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.format = (struct kodama_format){.rate_hz = RATE, .channels = channels};
    config.seed = seed;
    config.amplitude = 1.0;
    config.length_frames = length_frames;
    config.faults = faults;
    config.n_faults = n_faults;
    struct kodama_source *source;
    assert_int_equal(kodama_source_open(&source, "null", &config, NULL), KODAMA_OK);
    return source;
}

static struct kodama_source *open_mix(const struct kodama_mix_input *inputs, size_t n_inputs,
                                      struct kodama_format format)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.inputs = inputs;
    config.n_inputs = n_inputs;
    config.format = format;
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (kodama_source_open(&source, "mix", &config, &error) < 0) fail_msg("%s", error.message);
    return source;
}

static const struct kodama_format usual = {0};

static void a_mix_is_the_sum_of_its_inputs_to_the_sample(void **state)
{
    (void)state;
    enum { N = 50021 };
    static const double gains[] = {1.0, -0.5, 0.25, 0.0};
    struct kodama_mix_input inputs[4];
    for (size_t i = 0; i < 4; i++) {
        inputs[i] = (struct kodama_mix_input){.source = noise(i, 2, N, NULL, 0), .gain = gains[i]};
    }
    struct kodama_source *mix = open_mix(inputs, 4, usual);
    assert_int_equal(kodama_source_length(mix), N);
    assert_int_equal(kodama_source_format(mix).channels, 2);
    assert_false(kodama_source_is_live(mix));
    struct collect collect;
    collect_start(&collect, mix, 0.05);
    size_t n;
    float *frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, N);
    for (size_t i = 0; i < 2 * n; i++) {
        float wanted = 0.0f;
        for (size_t j = 0; j < 4; j++) wanted += (float)gains[j] * generator_noise_sample(j, i);
        assert_true(frames[i] == wanted);
    }
    collect_end(&collect);
    assert_int_equal(collect.status, KODAMA_OK);
    free(frames);
}

static void what_is_too_loud_is_clipped_on_conversion_only(void **state)
{
    (void)state;
    enum { N = 5000 };
    struct kodama_mix_input inputs[] = {{noise(1, 1, N, NULL, 0), 2.0},
                                        {noise(2, 1, N, NULL, 0), 1.0}};
    struct kodama_format s16 = {.sample = KODAMA_SAMPLE_S16};
    struct collect collect;
    collect_start(&collect, open_mix(inputs, 2, s16), 0.1);
    size_t n, n_clipped = 0;
    int16_t *frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, N);
    for (size_t i = 0; i < n; i++) {
        float sum = 2.0f * generator_noise_sample(1, i) + generator_noise_sample(2, i);
        int16_t wanted;
        convert_from_float(KODAMA_SAMPLE_S16, &sum, &wanted, 1);
        assert_int_equal(frames[i], wanted);
        if (sum > 1.0f || sum < -1.0f) {
            n_clipped++;
            assert_int_equal(frames[i], sum > 0.0f ? 32767 : -32768);
        }
    }
    assert_true(n_clipped > 1000);
    collect_end(&collect);
    free(frames);
}

static void mono_goes_into_every_channel_and_the_mean_into_mono(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct kodama_mix_input up[] = {{noise(1, 1, N, NULL, 0), 1.0}, {noise(2, 2, N, NULL, 0), 1.0}};
    struct collect collect;
    collect_start(&collect, open_mix(up, 2, usual), 0.1);
    size_t n;
    float *frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, N);
    for (size_t i = 0; i < 2 * n; i++) {
        assert_true(frames[i] == generator_noise_sample(1, i / 2) + generator_noise_sample(2, i));
    }
    collect_end(&collect);
    free(frames);

    struct kodama_mix_input down[] = {{noise(1, 1, N, NULL, 0), 1.0},
                                      {noise(2, 2, N, NULL, 0), 1.0}};
    struct kodama_format mono = {.channels = 1};
    collect_start(&collect, open_mix(down, 2, mono), 0.1);
    frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, N);
    for (size_t i = 0; i < n; i++) {
        float mean = (generator_noise_sample(2, 2 * i) + generator_noise_sample(2, 2 * i + 1)) / 2;
        assert_true(frames[i] == generator_noise_sample(1, i) + mean);
    }
    collect_end(&collect);
    free(frames);
}

static void an_input_that_ends_early_is_silence_and_the_mix_ends_with_the_last(void **state)
{
    (void)state;
    struct kodama_mix_input inputs[] = {{noise(1, 1, 777, NULL, 0), 1.0},
                                        {noise(2, 1, 12345, NULL, 0), 1.0},
                                        {noise(3, 1, 1, NULL, 0), 1.0}};
    struct kodama_source *mix = open_mix(inputs, 3, usual);
    assert_int_equal(kodama_source_length(mix), 12345);
    struct collect collect;
    collect_start(&collect, mix, 0.1);
    size_t n;
    float *frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, 12345);
    for (size_t i = 0; i < n; i++) {
        float wanted = i < 777 ? generator_noise_sample(1, i) : 0.0f;
        wanted += generator_noise_sample(2, i);
        if (i < 1) wanted += generator_noise_sample(3, i);
        assert_true(frames[i] == wanted);
    }
    collect_end(&collect);
    free(frames);
}

static void gaps_of_every_input_are_counted_and_marked_in_place(void **state)
{
    (void)state;
    static const struct kodama_fault first[] = {
        {.kind = KODAMA_FAULT_GAP, .position = 1000, .length_frames = 500},
        {.kind = KODAMA_FAULT_GAP, .position = 5000, .length_frames = 1}};
    static const struct kodama_fault second[] = {
        {.kind = KODAMA_FAULT_GAP, .position = 900, .length_frames = 200},
        {.kind = KODAMA_FAULT_VANISH, .position = 4990, .length_frames = 330}};
    struct kodama_mix_input inputs[] = {{noise(1, 1, 10000, first, 2), 1.0},
                                        {noise(2, 1, 10000, second, 2), 1.0}};
    struct kodama_source *mix = open_mix(inputs, 2, usual);
    struct collect collect;
    collect_start(&collect, mix, 2.0);
    size_t n;
    float *frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, 10000);
    for (size_t i = 0; i < n; i++) {
        bool gap_1 = (i >= 1000 && i < 1500) || i == 5000;
        bool gap_2 = (i >= 900 && i < 1100) || (i >= 4990 && i < 5320);
        assert_true(frames[i] == (gap_1 ? 0.0f : generator_noise_sample(1, i)) +
                                     (gap_2 ? 0.0f : generator_noise_sample(2, i)));
    }
    struct kodama_mark marks[16];
    static const uint64_t wanted[][2] = {{900, 200}, {1000, 500}, {4990, 160},
                                         {5000, 1},  {5150, 160}, {5310, 10}};
    int n_marks = kodama_ring_marks(collect.ring, 0, n, marks, 16, NULL), n_gaps = 0;
    for (int i = 0; i < n_marks; i++) {
        if (marks[i].flags == KODAMA_MARK_TIME) continue; /* the first input's clock */
        assert_true(n_gaps < 6 && marks[i].flags == KODAMA_MARK_GAP);
        assert_int_equal(marks[i].position, wanted[n_gaps][0]);
        assert_int_equal(marks[i].length, wanted[n_gaps][1]);
        n_gaps++;
    }
    assert_int_equal(n_gaps, 6);
    struct kodama_source_stats stats;
    kodama_source_stats(mix, &stats);
    assert_int_equal(stats.gaps, 4);
    assert_int_equal(stats.gap_frames, 500 + 1 + 200 + 330);
    collect_end(&collect);
    free(frames);
}

static void an_input_that_fails_is_told_at_the_end_and_the_others_go_on(void **state)
{
    (void)state;
    static const struct kodama_fault fault = {.kind = KODAMA_FAULT_FORMAT, .position = 500};
    struct kodama_mix_input inputs[] = {{noise(1, 1, 4000, NULL, 0), 1.0},
                                        {noise(2, 1, 4000, &fault, 1), 1.0}};
    struct collect collect;
    collect_start(&collect, open_mix(inputs, 2, usual), 0.1);
    size_t n;
    float *frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, 4000);
    for (size_t i = 0; i < n; i++) {
        assert_true(frames[i] ==
                    generator_noise_sample(1, i) + (i < 500 ? generator_noise_sample(2, i) : 0.0f));
    }
    collect_end(&collect);
    assert_int_equal(collect.status, KODAMA_ERR_FORMAT);
    assert_non_null(strstr(collect.error.message, "input 2 of the mix (null)"));
    free(frames);
}

/* A live input that goes much faster than the mix, with a gap wherever it is lapped. */
static struct kodama_source *hurried(uint64_t length_frames)
{
    enum { N_FAULTS = 480 };
    static struct kodama_fault faults[N_FAULTS];
    for (size_t i = 0; i < N_FAULTS; i++) {
        faults[i] = (struct kodama_fault){
            .kind = KODAMA_FAULT_GAP, .position = 2000 * i + 100, .length_frames = 1500};
    }
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.format = (struct kodama_format){.rate_hz = RATE};
    config.seed = 5;
    config.amplitude = 1.0;
    config.length_frames = length_frames;
    config.live = true;
    config.faults = faults;
    config.n_faults = N_FAULTS;
    struct kodama_source *source;
    assert_int_equal(kodama_source_open(&source, "null", &config, NULL), KODAMA_OK);
    return source;
}

/* Which of the frames [at, at + n) are marked as gaps. */
static void find_gaps(struct collect *collect, uint64_t at, size_t n, bool *gap)
{
    struct kodama_mark marks[64];
    int n_marks = kodama_ring_marks(collect->ring, at, n, marks, 64, NULL);
    assert_true(n_marks >= 0 && n_marks <= 64);
    memset(gap, 0, n * sizeof *gap);
    for (int m = 0; m < n_marks; m++) {
        if (!(marks[m].flags & KODAMA_MARK_GAP)) continue;
        for (size_t i = 0; i < n; i++) {
            if (at + i >= marks[m].position && at + i - marks[m].position < marks[m].length) {
                assert_false(gap[i]); /* told once */
                gap[i] = true;
            }
        }
    }
}

static void frames_that_a_live_input_lost_are_gaps_in_their_place(void **state)
{
    (void)state;
    enum { N = 60 * RATE };
    struct kodama_mix_input inputs[2] = {{hurried(N), 1.0}, {noise(6, 1, N, NULL, 0), 1.0}};
    struct kodama_source *mix = open_mix(inputs, 2, usual);
    assert_true(kodama_source_is_live(mix));
    struct collect collect;
    collect_start(&collect, mix, 0.1); /* a ring that holds the mix back all the same */
    float block[160];
    bool gap[160];
    uint64_t at = 0, missing = 0;
    int64_t n;
    while ((n = kodama_cursor_read(collect.cursor, block, 160, KODAMA_FOREVER, NULL)) > 0) {
        find_gaps(&collect, at, (size_t)n, gap);
        for (int64_t i = 0; i < n; i++, at++) {
            float other = generator_noise_sample(6, at);
            assert_true(block[i] == (gap[i] ? 0.0f : generator_noise_sample(5, at)) + other);
            missing += gap[i];
        }
        struct kodama_source_stats input;
        do { /* with the first frames read, let the live one go on to its end */
            clock_sleep_until(clock_now_ns() + (at == 160 ? 1000000 : 0));
            kodama_source_stats(inputs[0].source, &input);
        } while (at == 160 && input.frames < N);
    }
    assert_int_equal(n, KODAMA_ERR_CLOSED);
    assert_int_equal(at, N); /* time-aligned to the end */
    struct kodama_source_stats stats;
    kodama_source_stats(mix, &stats);
    assert_true(missing > 20 * RATE && stats.gaps > 0 && stats.gap_frames == missing);
    collect_end(&collect);
}

static void mixes_can_be_mixed(void **state)
{
    (void)state;
    struct kodama_mix_input inner[] = {{noise(1, 1, 9000, NULL, 0), 1.0},
                                       {noise(2, 1, 3000, NULL, 0), 1.0}};
    struct kodama_mix_input outer[] = {{open_mix(inner, 2, usual), 0.5},
                                       {noise(3, 1, 5000, NULL, 0), 1.0}};
    struct collect collect;
    collect_start(&collect, open_mix(outer, 2, usual), 0.1);
    size_t n;
    float *frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, 9000);
    for (size_t i = 0; i < n; i++) {
        float wanted = generator_noise_sample(1, i);
        if (i < 3000) wanted += generator_noise_sample(2, i);
        wanted *= 0.5f;
        if (i < 5000) wanted += generator_noise_sample(3, i);
        assert_true(frames[i] == wanted);
    }
    collect_end(&collect);
    free(frames);
}

static void a_mix_stops_at_once_in_every_state(void **state)
{
    (void)state;
    static const struct kodama_fault stall = {
        .kind = KODAMA_FAULT_STALL, .position = 1000, .stall_ms = 3600000};
    /* One waits for an input that stalls, one for room, one for both. */
    for (int variant = 0; variant < 3; variant++) {
        struct kodama_mix_input inputs[] = {
            {noise(1, 1, 0, variant == 1 ? NULL : &stall, variant == 1 ? 0 : 1), 1.0},
            {noise(2, 1, 0, NULL, 0), 1.0}};
        struct kodama_source *mix = open_mix(inputs, 2, usual);
        assert_int_equal(kodama_source_length(mix), -1);
        struct collect collect;
        collect_start(&collect, mix, variant == 2 ? 0.01 : 0.2);
        clock_sleep_until(clock_now_ns() + 30000000);
        uint64_t begin = clock_now_ns();
        kodama_ring_close(collect.ring);
        source_stop(mix);
        assert_true(clock_now_ns() - begin < 5000000000); /* not the hour */
        kodama_cursor_close(collect.cursor);
        kodama_ring_destroy(collect.ring);
        kodama_source_close(mix);
    }
}

/* Stopped at any moment, a mix loses no frame of inputs that can wait, and doubles none. */
static void a_mix_that_is_started_again_goes_on_where_it_was(void **state)
{
    (void)state;
    enum { N = 200000, STARTS_MAX = 2000 };
    struct kodama_mix_input inputs[] = {{noise(1, 2, N, NULL, 0), 1.0},
                                        {noise(2, 1, N / 2, NULL, 0), 0.5},
                                        {noise(3, 2, N, NULL, 0), 0.25}};
    struct kodama_source *mix = open_mix(inputs, 3, usual);
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = 0.05;
    struct kodama_stream *stream;
    struct kodama_cursor *cursor;
    struct kodama_cursor_config lossless = KODAMA_CURSOR_CONFIG_INIT;
    lossless.lossless = true;
    assert_int_equal(kodama_stream_open(&stream, mix, &config, NULL), KODAMA_OK);
    assert_int_equal(kodama_cursor_open(&cursor, kodama_stream_ring(stream), &lossless), KODAMA_OK);
    struct test_random random = {.state = 9};
    static float frames[2 * N + 2000];
    uint64_t at = 0;
    int starts = 0;
    while (at < N && starts++ < STARTS_MAX) {
        struct kodama_error error = {0};
        if (kodama_stream_start(stream, &error) < 0) fail_msg("%s", error.message);
        uint64_t until = at + 1 + test_random_below(&random, 5000);
        int64_t n = 0;
        while (at < until && n >= 0) {
            n = kodama_cursor_read(cursor, frames + 2 * at, 1 + test_random_below(&random, 500),
                                   KODAMA_FOREVER, NULL);
            if (n > 0) at += (uint64_t)n;
        }
        kodama_stream_stop(stream);
        while ((n = kodama_cursor_read(cursor, frames + 2 * at, 500, KODAMA_FOREVER, NULL)) > 0) {
            at += (uint64_t)n;
        }
    }
    assert_int_equal(at, N);
    for (size_t i = 0; i < (size_t)2 * N; i++) {
        float wanted = generator_noise_sample(1, i);
        if (i < N) wanted += 0.5f * generator_noise_sample(2, i / 2);
        wanted += 0.25f * generator_noise_sample(3, i);
        if (frames[i] != wanted) fail_msg("sample %zu is wrong after %d starts", i, starts);
    }
    print_message("# the same to the bit, started %d times\n", starts);
    kodama_cursor_close(cursor);
    kodama_stream_close(stream);
}

/* Events of a stream, as they come. */
struct told {
    size_t n;
    struct kodama_stream_event events[16];
};

static void on_event(void *user, const struct kodama_stream_event *event)
{
    struct told *told = user;
    if (told->n < 16) told->events[told->n] = *event;
    told->n++;
}

static void a_mix_has_vanished_while_one_of_its_inputs_has(void **state)
{
    (void)state;
    enum { N = 50000, BLOCK = RATE / 100 };
    const struct kodama_fault one[] = {
        {.kind = KODAMA_FAULT_VANISH, .position = 5000, .length_frames = 3000},
        {.kind = KODAMA_FAULT_VANISH, .position = 20000, .length_frames = 5000},
        {.kind = KODAMA_FAULT_VANISH, .position = 40000, .length_frames = 10},
    };
    const struct kodama_fault two[] = {
        {.kind = KODAMA_FAULT_VANISH, .position = 23000, .length_frames = 7000},
    };
    static const uint64_t wanted[][2] = {{5000, 8000}, {20000, 30000}, {40000, 40010}};
    struct kodama_mix_input inputs[] = {{noise(1, 1, N, one, 3), 1.0},
                                        {noise(2, 1, N, two, 1), 1.0},
                                        {noise(3, 1, N, NULL, 0), 1.0}};
    struct told told = {0};
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.on_event = on_event;
    config.event_user = &told;
    struct kodama_source *mix = open_mix(inputs, 3, usual);
    struct kodama_stream *stream;
    assert_int_equal(kodama_stream_open(&stream, mix, &config, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    struct kodama_stream_stats stats;
    kodama_stream_stats(stream, &stats);
    assert_int_equal(stats.source.vanished, 3);
    assert_int_equal(stats.source.returned, 3);
    assert_true(stats.source.present);
    size_t n = 0;
    for (size_t i = 0; i < told.n && i < 16; i++) {
        const struct kodama_stream_event *event = &told.events[i];
        if (event->kind != KODAMA_STREAM_VANISHED) continue;
        assert_true(n < 6);
        assert_int_equal(event->over, n % 2);
        n++;
    }
    assert_int_equal(n, 6);
    assert_int_equal(mix->counters.vanished_at / BLOCK, wanted[2][0] / BLOCK);
    assert_int_equal(mix->counters.returned_at / BLOCK, wanted[2][1] / BLOCK);
    kodama_stream_close(stream);
}

/* Stalls in the middle of the gap until something is refused; checks every frame. */
struct slow {
    struct kodama_stream *stream;
    bool has_stalled;
    uint64_t frames, n_marked, n_wrong;
};

enum { SLOW_GAP = 9000, SLOW_GAP_END = 15000, SLOW_LENGTH = 20000 };

static int stall_once(void *user, const struct kodama_chunk *chunk)
{
    struct slow *slow = user;
    struct kodama_ring *ring = kodama_stream_ring(slow->stream);
    const float *frames = chunk->frames;
    for (uint32_t i = 0; i < chunk->n_frames; i++) {
        uint64_t position = chunk->position + i;
        bool in_gap = position >= SLOW_GAP && position < SLOW_GAP_END, missing = false;
        struct kodama_mark marks[8];
        int n = kodama_ring_marks(ring, position, 1, marks, 8, NULL);
        for (int j = 0; j < n && j < 8; j++) {
            if (marks[j].flags & KODAMA_MARK_GAP) missing = true;
        }
        slow->n_marked += missing;
        if (in_gap && !missing) slow->n_wrong++;
        if (frames[i] != (missing ? 0.0f : generator_noise_sample(1, position))) slow->n_wrong++;
    }
    slow->frames += chunk->n_frames;
    struct kodama_stream_stats stats = {0};
    while (!slow->has_stalled && chunk->position > SLOW_GAP && stats.rejected_frames == 0) {
        clock_sleep_until(clock_now_ns() + CLOCK_NS_PER_MS);
        kodama_stream_stats(slow->stream, &stats);
    }
    if (stats.rejected_frames > 0) slow->has_stalled = true;
    return KODAMA_OK;
}

static void refused_frames_of_a_mix_leave_its_marks_where_they_belong(void **state)
{
    (void)state;
    const struct kodama_fault gap = {
        .kind = KODAMA_FAULT_GAP, .position = SLOW_GAP, .length_frames = SLOW_GAP_END - SLOW_GAP};
    struct kodama_source_config null = KODAMA_SOURCE_CONFIG_INIT;
    null.format = (struct kodama_format){.rate_hz = RATE, .channels = 1};
    null.seed = 1;
    null.amplitude = 1.0;
    null.length_frames = SLOW_LENGTH;
    null.paced = true;
    null.faults = &gap;
    null.n_faults = 1;
    struct kodama_mix_input input = {.gain = 1.0};
    assert_int_equal(kodama_source_open(&input.source, "null", &null, NULL), KODAMA_OK);
    struct slow slow = {0};
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = 0.1;
    config.overflow = KODAMA_OVERFLOW_REJECT;
    config.on_chunk = stall_once;
    config.user = &slow;
    struct kodama_source *mix = open_mix(&input, 1, usual);
    assert_int_equal(kodama_stream_open(&slow.stream, mix, &config, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_start(slow.stream, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_wait(slow.stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    struct kodama_stream_stats stats;
    kodama_stream_stats(slow.stream, &stats);
    kodama_stream_close(slow.stream);
    assert_int_equal(slow.n_wrong, 0);
    assert_int_equal(slow.frames, SLOW_LENGTH);
    assert_true(slow.has_stalled);
    assert_in_range(slow.n_marked, SLOW_GAP_END - SLOW_GAP,
                    SLOW_GAP_END - SLOW_GAP + stats.rejected_frames);
}

static void a_mix_that_cannot_be_is_refused_and_leaves_the_inputs_alone(void **state)
{
    (void)state;
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.format = (struct kodama_format){.rate_hz = 44100};
    struct kodama_source *one = noise(1, 3, 0, NULL, 0), *two = noise(1, 2, 0, NULL, 0), *other;
    assert_int_equal(kodama_source_open(&other, "tone", &config, NULL), KODAMA_OK);
    const struct {
        struct kodama_mix_input inputs[2];
        size_t n;
        const char *words;
        int status;
    } wrong[] = {
        {{{one, 1.0}, {other, 1.0}}, 2, "the rates must agree", KODAMA_ERR_FORMAT},
        {{{one, 1.0}, {two, 1.0}}, 2, "the channels too", KODAMA_ERR_FORMAT},
        {{{one, 1.0}, {one, 1.0}}, 2, "inputs 1 and 2 are one source", KODAMA_ERR_ARGUMENT},
        {{{one, 1.0}, {NULL, 1.0}}, 2, "input 2 is missing", KODAMA_ERR_ARGUMENT},
        {{{one, (double)INFINITY}}, 1, "gain of input 1", KODAMA_ERR_ARGUMENT},
        {{{one, 1.0}}, 0, "0 inputs", KODAMA_ERR_ARGUMENT},
        {{{one, 1.0}}, 65, "65 inputs", KODAMA_ERR_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct kodama_source_config mix = KODAMA_SOURCE_CONFIG_INIT;
        mix.inputs = wrong[i].inputs;
        mix.n_inputs = wrong[i].n;
        struct kodama_source *source;
        struct kodama_error error = {0};
        assert_int_equal(kodama_source_open(&source, "mix", &mix, &error), wrong[i].status);
        assert_null(source);
        if (!strstr(error.message, wrong[i].words)) {
            fail_msg("\"%s\" without \"%s\"", error.message, wrong[i].words);
        }
    }
    kodama_source_close(one);
    kodama_source_close(two);
    kodama_source_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mix_is_the_sum_of_its_inputs_to_the_sample),
        cmocka_unit_test(what_is_too_loud_is_clipped_on_conversion_only),
        cmocka_unit_test(mono_goes_into_every_channel_and_the_mean_into_mono),
        cmocka_unit_test(an_input_that_ends_early_is_silence_and_the_mix_ends_with_the_last),
        cmocka_unit_test(gaps_of_every_input_are_counted_and_marked_in_place),
        cmocka_unit_test(an_input_that_fails_is_told_at_the_end_and_the_others_go_on),
        cmocka_unit_test(frames_that_a_live_input_lost_are_gaps_in_their_place),
        cmocka_unit_test(mixes_can_be_mixed),
        cmocka_unit_test(a_mix_stops_at_once_in_every_state),
        cmocka_unit_test(a_mix_that_is_started_again_goes_on_where_it_was),
        cmocka_unit_test(a_mix_has_vanished_while_one_of_its_inputs_has),
        cmocka_unit_test(refused_frames_of_a_mix_leave_its_marks_where_they_belong),
        cmocka_unit_test(a_mix_that_cannot_be_is_refused_and_leaves_the_inputs_alone),
    };
    return cmocka_run_group_tests_name("source mix", tests, NULL, NULL);
}
