/* Tests of stopping and starting again, of ends, and of many streams at once. */
#include "stream/streaming.h"

#include "capture/collect.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <kodama/recorder.h>

enum { N = 480000, RESTARTS = 100 };

static int16_t samples[N];

static const char *recording(void)
{
    static const char *path;
    if (!path) {
        path = collect_write(".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 48000, 1, samples, N, 5);
    }
    return path;
}

enum content { FILE_SAMPLES, NOISE, SILENCE, TONE };

/* Checks content and order over all starts, and stops the stream now and then. */
struct run {
    struct kodama_stream *stream;
    enum content content;
    uint64_t position, sequence, n_last, calls;
    uint64_t n_stops, max_stops; /* one a start */
    bool wrong;
};

static bool is_right(const struct run *run, const struct kodama_chunk *chunk)
{
    const float *floats = chunk->frames;
    switch (run->content) {
    case FILE_SAMPLES:
        return chunk->position + chunk->n_frames <= N &&
               memcmp(chunk->frames, samples + chunk->position, chunk->n_frames * 2) == 0;
    case NOISE: return streaming_is_noise(chunk);
    case SILENCE:
        for (uint32_t i = 0; i < chunk->n_frames; i++) {
            if (floats[i] != 0.0f) return false;
        }
        return true;
    case TONE: /* 12 kHz: a quarter of a period a frame */
        for (uint32_t i = 0; i < chunk->n_frames; i++) {
            const float wanted[] = {0.0f, 0.5f, 0.0f, -0.5f};
            float off = floats[i] - wanted[(chunk->position + i) % 4];
            if (off > 1e-5f || off < -1e-5f) return false;
        }
        return true;
    }
    return false;
}

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct run *run = user;
    if (chunk->position != run->position || chunk->sequence < run->sequence) run->wrong = true;
    if (chunk->lost != 0 || !is_right(run, chunk)) run->wrong = true;
    run->position = chunk->position + chunk->n_frames;
    run->sequence = chunk->sequence;
    run->n_last += chunk->is_last;
    run->calls++;
    if (run->n_stops < run->max_stops && run->n_stops == run->n_last && !chunk->is_last) {
        run->n_stops++;
        kodama_stream_stop(run->stream);
    }
    return KODAMA_OK;
}

/* Open a stream, run it with a hundred stops and starts, and see that nothing is missing. */
static void run_with_stops(struct kodama_source *source, enum content content)
{
    struct run run = {.content = content, .max_stops = RESTARTS};
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = 0.02;
    config.on_chunk = on_chunk;
    config.user = &run;
    struct kodama_stream *stream = streaming_open(source, &config);
    run.stream = stream;
    uint64_t starts = 0, before = UINT64_MAX;
    while (run.position != before || run.n_stops < RESTARTS) {
        before = run.position;
        streaming_run(stream);
        starts++;
        assert_int_equal(run.n_last, starts); /* every start has its last call */
        assert_true(starts < 10 * RESTARTS);
        assert_true(kodama_ring_is_closed(kodama_stream_ring(stream)));
    }
    assert_false(run.wrong);
    assert_int_equal(run.position, N);
    assert_true(starts > RESTARTS);
    struct kodama_stream_stats stats = streaming_stats(stream);
    assert_int_equal(stats.starts, starts);
    assert_int_equal(stats.frames, N);
    assert_int_equal(stats.source.frames, N);
    assert_int_equal(stats.gaps, 0);
    /* A mark stands at every seam. */
    static struct kodama_mark marks[1024];
    int n_marks = kodama_ring_marks(kodama_stream_ring(stream), 0, N, marks, 1024, NULL);
    uint64_t seams = 0;
    for (int i = 0; i < n_marks; i++) seams += (marks[i].flags & KODAMA_MARK_CLOCK) != 0;
    /* Those after the end stand at frame N, where no frame is. */
    assert_true(seams >= RESTARTS && seams <= starts - 1);
    kodama_stream_close(stream);
}

static void a_file_goes_on_where_it_was_stopped(void **state)
{
    (void)state;
    const char *path = recording();
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.paths = &path;
    config.n_paths = 1;
    run_with_stops(streaming_source("file", &config), FILE_SAMPLES);
}

static void generators_go_on_where_they_were_stopped(void **state)
{
    (void)state;
    struct kodama_source_config config = streaming_noise(N);
    run_with_stops(streaming_source("null", &config), NOISE);
    run_with_stops(streaming_source("noise", &config), NOISE);
    run_with_stops(streaming_source("silence", &config), SILENCE);
    config.frequency_hz = 12000.0;
    config.amplitude = 0.5;
    run_with_stops(streaming_source("tone", &config), TONE);
}

static void *fill_pipe(void *argument)
{
    int descriptor = *(int *)argument;
    const uint8_t *bytes = (const uint8_t *)samples;
    for (size_t done = 0; done < sizeof samples;) {
        ssize_t n = write(descriptor, bytes + done, sizeof samples - done);
        if (n <= 0) break;
        done += (size_t)n;
    }
    close(descriptor);
    return NULL;
}

static void a_pipe_goes_on_where_it_was_stopped(void **state)
{
    (void)state;
    int ends[2];
    pthread_t thread;
    recording();
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pthread_create(&thread, NULL, fill_pipe, &ends[1]), 0);
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.descriptor = ends[0];
    config.format = (struct kodama_format){KODAMA_SAMPLE_S16, 48000, 1, 0};
    run_with_stops(streaming_source("stdin", &config), FILE_SAMPLES);
    pthread_join(thread, NULL);
    close(ends[0]);
}

static void a_paced_source_keeps_its_pace_after_a_restart(void **state)
{
    (void)state;
    struct kodama_source_config config = streaming_noise(0);
    config.paced = true;
    struct run run = {.content = NOISE};
    struct kodama_stream_config stream_config = KODAMA_STREAM_CONFIG_INIT;
    stream_config.on_chunk = on_chunk;
    stream_config.user = &run;
    for (int i = 0; i < 2; i++) {
        run = (struct run){.content = NOISE};
        struct kodama_stream *stream =
            streaming_open(streaming_source(i ? "null" : "noise", &config), &stream_config);
        for (int start = 0; start < 5; start++) {
            uint64_t begin = clock_now_ns();
            uint64_t at = kodama_ring_position(kodama_stream_ring(stream));
            assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
            streaming_nap(50);
            kodama_stream_stop(stream);
            uint64_t took = clock_now_ns() - begin;
            uint64_t came = kodama_ring_position(kodama_stream_ring(stream)) - at;
            assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
            /* Not what the pause would have brought: a block is ahead of its time by itself, and
             * one was held. */
            assert_true(came <= took * 48 / 1000000 + 3 * 480);
            streaming_nap(30);
        }
        assert_false(run.wrong);
        assert_int_equal(run.n_last, 5);
        kodama_stream_close(stream);
    }
}

static void refused_frames_are_not_forgotten_by_a_stop(void **state)
{
    (void)state;
    struct kodama_source_config config = streaming_noise(48000);
    struct kodama_stream_config stream_config = KODAMA_STREAM_CONFIG_INIT;
    stream_config.overflow = KODAMA_OVERFLOW_REJECT;
    stream_config.ring_seconds = 0.05;
    struct kodama_stream *stream =
        streaming_open(streaming_source("null", &config), &stream_config);
    struct kodama_ring *ring = kodama_stream_ring(stream);
    struct kodama_cursor_config lossless = KODAMA_CURSOR_CONFIG_INIT;
    lossless.lossless = true;
    struct kodama_cursor *cursor;
    assert_int_equal(kodama_cursor_open(&cursor, ring, &lossless), KODAMA_OK);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    while (streaming_stats(stream).rejected_frames < 5000) streaming_nap(1);
    kodama_stream_stop(stream);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    uint64_t n = 0;
    for (;;) {
        float frames[777];
        int64_t read = kodama_cursor_read(cursor, frames, 777, KODAMA_FOREVER, NULL);
        if (read == KODAMA_ERR_CLOSED) break;
        assert_true(read > 0);
        n += (uint64_t)read;
    }
    assert_int_equal(n, 48000);
    struct kodama_stream_stats stats = streaming_stats(stream);
    assert_int_equal(stats.source.gap_frames, stats.rejected_frames);
    kodama_cursor_close(cursor);
    kodama_stream_close(stream);
}

static void a_source_that_came_to_its_end_ends_again_at_once(void **state)
{
    (void)state;
    const struct kodama_fault fault = {.kind = KODAMA_FAULT_FORMAT, .position = 1000};
    for (int fails = 0; fails < 2; fails++) {
        struct kodama_source_config config = streaming_noise(5000);
        config.faults = &fault;
        config.n_faults = (size_t)fails;
        struct run run = {.content = NOISE};
        struct kodama_stream_config stream_config = KODAMA_STREAM_CONFIG_INIT;
        stream_config.on_chunk = on_chunk;
        stream_config.user = &run;
        struct kodama_stream *stream =
            streaming_open(streaming_source("null", &config), &stream_config);
        for (uint64_t i = 1; i <= 5; i++) {
            assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK); /* no stop between */
            assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL),
                             fails ? KODAMA_ERR_FORMAT : KODAMA_OK);
            assert_int_equal(run.position, fails ? 1000 : 5000);
            assert_int_equal(run.n_last, i);
        }
        assert_false(run.wrong);
        kodama_stream_close(stream);
    }
}

static void a_stream_ends_by_itself_when_its_source_does(void **state)
{
    (void)state;
    struct kodama_source_config config = streaming_noise(5000);
    struct run run = {.content = NOISE};
    struct kodama_stream_config stream_config = KODAMA_STREAM_CONFIG_INIT;
    stream_config.on_chunk = on_chunk;
    stream_config.user = &run;
    struct kodama_stream *stream =
        streaming_open(streaming_source("null", &config), &stream_config);
    struct kodama_cursor *cursor;
    assert_int_equal(kodama_cursor_open(&cursor, kodama_stream_ring(stream), NULL), KODAMA_OK);
    streaming_run(stream); /* nobody stops it */
    assert_int_equal(run.n_last, 1);
    assert_int_equal(run.position, 5000);
    float frames[5000];
    assert_int_equal(kodama_cursor_read(cursor, frames, 5000, KODAMA_FOREVER, NULL), 5000);
    assert_int_equal(kodama_cursor_read(cursor, frames, 5000, KODAMA_FOREVER, NULL),
                     KODAMA_ERR_CLOSED);
    struct kodama_stream_event event;
    assert_int_equal(kodama_stream_next_event(stream, &event, 0), KODAMA_OK);
    assert_int_equal(event.kind, KODAMA_STREAM_ENDED);
    assert_int_equal(event.status, KODAMA_OK);
    kodama_cursor_close(cursor);
    kodama_stream_close(stream);
}

static void recorders_end_at_the_stop_and_new_ones_may_begin(void **state)
{
    (void)state;
    struct kodama_source_config config = streaming_noise(0);
    config.paced = true;
    struct kodama_stream *stream = streaming_open(streaming_source("noise", &config), NULL);
    for (int i = 0; i < 2; i++) {
        struct kodama_recorder_config recorder_config = KODAMA_RECORDER_CONFIG_INIT;
        recorder_config.path = test_scratch(".wav");
        recorder_config.overwrite = true;
        struct kodama_recorder *recorder;
        struct kodama_error error = {0};
        struct kodama_ring *ring = kodama_stream_ring(stream);
        /* Before the start it would find the ring of the last run closed. */
        assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
        if (kodama_recorder_open(&recorder, ring, &recorder_config, &error) < 0) {
            fail_msg("%s", error.message);
        }
        uint64_t from = kodama_ring_position(ring);
        while (kodama_ring_position(ring) < from + 4800) streaming_nap(1);
        kodama_stream_stop(stream);
        assert_int_equal(kodama_recorder_wait(recorder, KODAMA_FOREVER, &error), KODAMA_OK);
        struct kodama_recorder_stats stats;
        kodama_recorder_stats(recorder, &stats);
        assert_true(stats.ended && stats.frames >= 4800);
        kodama_recorder_close(recorder);
    }
    kodama_stream_close(stream);
}

static int start_from_within(void *user, const struct kodama_chunk *chunk)
{
    struct run *run = user;
    (void)chunk;
    run->calls++;
    if (kodama_stream_start(run->stream, NULL) != KODAMA_ERR_STATE) run->wrong = true;
    return KODAMA_OK;
}

static void a_stream_that_runs_cannot_be_started_nor_by_its_callback(void **state)
{
    (void)state;
    struct kodama_source_config config = streaming_noise(0);
    config.paced = true;
    struct run run = {0};
    struct kodama_stream_config stream_config = KODAMA_STREAM_CONFIG_INIT;
    stream_config.on_chunk = start_from_within;
    stream_config.user = &run;
    struct kodama_stream *stream =
        streaming_open(streaming_source("null", &config), &stream_config);
    run.stream = stream;
    struct kodama_error error = {0};
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_start(stream, &error), KODAMA_ERR_STATE);
    streaming_nap(30);
    kodama_stream_stop(stream);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_true(run.calls > 0);
    assert_false(run.wrong);
    kodama_stream_close(stream);
}

static void start_and_stop(void *argument)
{
    struct test_random random = {.state = (uint64_t)(uintptr_t)argument ^ clock_now_ns()};
    for (int i = 0; i < 30; i++) {
        if (test_random_below(&random, 2)) {
            int status = kodama_stream_start(argument, NULL);
            assert_true(status == KODAMA_OK || status == KODAMA_ERR_STATE);
        } else {
            kodama_stream_stop(argument);
        }
        clock_sleep_until(clock_now_ns() + test_random_below(&random, CLOCK_NS_PER_MS));
    }
}

static void starts_and_stops_from_several_threads_lose_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < 6; round++) {
        struct kodama_source_config config = streaming_noise(0);
        config.paced = round % 2;
        struct run run = {.content = NOISE};
        struct kodama_stream_config stream_config = KODAMA_STREAM_CONFIG_INIT;
        stream_config.on_chunk = round % 3 ? on_chunk : NULL;
        stream_config.user = &run;
        struct kodama_stream *stream =
            streaming_open(streaming_source("null", &config), &stream_config);
        struct thread threads[3];
        for (int t = 0; t < 3; t++) {
            assert_int_equal(thread_start(&threads[t], "starter", start_and_stop, stream, NULL), 0);
        }
        for (int t = 0; t < 3; t++) thread_join(&threads[t]);
        kodama_stream_stop(stream);
        assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
        assert_false(run.wrong);
        struct kodama_stream_stats stats = streaming_stats(stream);
        if (stream_config.on_chunk) assert_int_equal(run.position, stats.source.frames);
        kodama_stream_close(stream);
    }
}

static void a_hundred_streams_run_at_once_and_none_loses_a_frame(void **state)
{
    (void)state;
    enum { STREAMS = 100, LENGTH = 24000 };
    static struct kodama_stream *streams[STREAMS];
    static struct run runs[STREAMS];
    const struct kodama_fault fault = {
        .kind = KODAMA_FAULT_STALL, .position = 12000, .stall_ms = 5};
    for (int i = 0; i < STREAMS; i++) {
        struct kodama_source_config config = streaming_noise(LENGTH);
        config.paced = i % 2 == 0;
        config.faults = &fault;
        config.n_faults = i % 3 == 0;
        runs[i] = (struct run){.content = NOISE};
        struct kodama_stream_config stream_config = KODAMA_STREAM_CONFIG_INIT;
        stream_config.ring_seconds = 0.2;
        stream_config.on_chunk = on_chunk;
        stream_config.user = &runs[i];
        streams[i] = streaming_open(streaming_source("null", &config), &stream_config);
        runs[i].stream = streams[i];
    }
    for (int i = 0; i < STREAMS; i++) assert_int_equal(kodama_stream_start(streams[i], NULL), 0);
    for (int i = 0; i < STREAMS; i++) {
        assert_int_equal(kodama_stream_wait(streams[i], KODAMA_FOREVER, NULL), KODAMA_OK);
        assert_false(runs[i].wrong);
        assert_int_equal(runs[i].position, LENGTH);
        assert_int_equal(runs[i].n_last, 1);
        struct kodama_stream_stats stats = streaming_stats(streams[i]);
        assert_int_equal(stats.frames, LENGTH);
        assert_int_equal(stats.lost_frames + stats.source.gap_frames, 0);
        kodama_stream_close(streams[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_goes_on_where_it_was_stopped),
        cmocka_unit_test(generators_go_on_where_they_were_stopped),
        cmocka_unit_test(a_pipe_goes_on_where_it_was_stopped),
        cmocka_unit_test(a_paced_source_keeps_its_pace_after_a_restart),
        cmocka_unit_test(refused_frames_are_not_forgotten_by_a_stop),
        cmocka_unit_test(a_source_that_came_to_its_end_ends_again_at_once),
        cmocka_unit_test(a_stream_ends_by_itself_when_its_source_does),
        cmocka_unit_test(recorders_end_at_the_stop_and_new_ones_may_begin),
        cmocka_unit_test(a_stream_that_runs_cannot_be_started_nor_by_its_callback),
        cmocka_unit_test(starts_and_stops_from_several_threads_lose_nothing),
        cmocka_unit_test(a_hundred_streams_run_at_once_and_none_loses_a_frame),
    };
    return cmocka_run_group_tests_name("stream restart", tests, NULL, NULL);
}
