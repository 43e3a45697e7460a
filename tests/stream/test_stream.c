/* Tests of streams: every frame once and in order, and a clean end from every state. */
#include "capture/collect.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kodama/stream.h>

#include "base/clock.h"
#include "base/thread.h"

enum { N = 48000 + 123 };

static short samples[N];

/* The same random recording for all tests. */
static const char *recording(void)
{
    static const char *path;
    if (!path) {
        path = collect_write(".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 48000, 1, samples, N, 77);
    }
    return path;
}

static struct kodama_source *open_source(const char *path, bool paced)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.paths = &path;
    config.n_paths = 1;
    config.paced = paced;
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (kodama_source_open(&source, "file", &config, &error) < 0) fail_msg("%s", error.message);
    return source;
}

/* What a callback saw; it checks content and order as it goes. */
struct seen {
    uint64_t frames, calls, empty_calls;
    _Atomic uint64_t n_last;
    uint64_t fail_at;  /* fail at this call, 0 never */
    uint64_t sleep_ms; /* per call */
    struct kodama_stream *stop_from_within;
    bool wrong;
    uint64_t first_ns;
};

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct seen *seen = user;
    if (seen->calls == 0) seen->first_ns = clock_now_ns();
    if (chunk->position != seen->frames + chunk->lost) seen->wrong = true;
    if (chunk->sequence != seen->calls) seen->wrong = true;
    if (atomic_load(&seen->n_last) != 0) seen->wrong = true; /* nothing comes after the last */
    if (chunk->n_frames > 0 &&
        memcmp(chunk->frames, samples + chunk->position, chunk->n_frames * 2) != 0) {
        seen->wrong = true;
    }
    seen->calls++;
    seen->frames = chunk->position + chunk->n_frames;
    if (chunk->n_frames == 0) seen->empty_calls++;
    if (chunk->is_last) atomic_fetch_add(&seen->n_last, 1);
    if (seen->sleep_ms) clock_sleep_until(clock_now_ns() + seen->sleep_ms * CLOCK_NS_PER_MS);
    if (seen->stop_from_within && seen->calls == 5) kodama_stream_stop(seen->stop_from_within);
    return seen->calls == seen->fail_at ? KODAMA_ERR_ENGINE : KODAMA_OK;
}

static struct kodama_stream *open_stream(struct seen *seen, bool paced, double seconds,
                                         uint32_t chunk_frames)
{
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = seconds;
    config.chunk_frames = chunk_frames;
    config.on_chunk = seen ? on_chunk : NULL;
    config.user = seen;
    struct kodama_stream *stream;
    struct kodama_error error = {0};
    if (kodama_stream_open(&stream, open_source(recording(), paced), &config, &error) < 0) {
        fail_msg("%s", error.message);
    }
    return stream;
}

static void the_callback_gets_every_frame_once_and_in_order(void **state)
{
    (void)state;
    const uint32_t sizes[] = {0, 1, 480, 777, 4800, 48000, N, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct seen seen = {0};
        struct kodama_stream *stream = open_stream(&seen, false, 0.1, sizes[i]);
        assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
        assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
        assert_false(seen.wrong);
        assert_int_equal(seen.frames, N);
        assert_int_equal(seen.n_last, 1);
        uint32_t size = sizes[i] ? sizes[i] : 480;
        assert_int_equal(seen.calls - seen.empty_calls, (N + size - 1) / size);
        struct kodama_stream_stats stats;
        kodama_stream_stats(stream, &stats);
        assert_int_equal(stats.source.frames, N);
        assert_int_equal(stats.ring.frames_written, N);
        assert_int_equal(stats.frames, N);
        assert_int_equal(stats.chunks, (N + size - 1) / size);
        assert_int_equal(stats.lost_frames, 0);
        assert_int_equal(stats.queue_frames, 0);
        assert_true(stats.callback_max_ns <= stats.callback_ns);
        kodama_stream_close(stream);
    }
}

static void the_last_call_says_so_also_when_the_end_falls_between_two_chunks(void **state)
{
    (void)state;
    const uint32_t size = 3; /* 48123 = 3 * 16041 */
    for (int i = 0; i < 20; i++) {
        struct seen seen = {0};
        struct kodama_stream *stream = open_stream(&seen, false, 1.0, size);
        assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
        assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
        assert_int_equal(seen.n_last, 1);
        assert_true(seen.empty_calls <= 1);
        assert_false(seen.wrong);
        kodama_stream_close(stream);
    }
}

static void installed_recordings_arrive_to_the_bit(void **state)
{
    (void)state;
    const char *path = test_installed(
        "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav");
    size_t n_frames, n = 0;
    float *wanted = test_read_audio(path, &n_frames, NULL, NULL);
    struct kodama_stream *stream;
    assert_int_equal(kodama_stream_open(&stream, open_source(path, false), NULL, NULL), KODAMA_OK);
    struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
    config.lossless = true;
    struct kodama_cursor *cursor;
    assert_int_equal(kodama_cursor_open(&cursor, kodama_stream_ring(stream), &config), 0);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    short block[1000];
    int64_t got;
    while ((got = kodama_cursor_read(cursor, block, 1000, KODAMA_FOREVER, NULL)) > 0) {
        for (size_t i = 0; i < (size_t)got; i++, n++) {
            assert_true((float)block[i] / 32768.0f == wanted[n]);
        }
    }
    assert_int_equal(got, KODAMA_ERR_CLOSED);
    assert_int_equal(n, n_frames);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    kodama_cursor_close(cursor);
    kodama_stream_close(stream);
    free(wanted);
}

static uint64_t process_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void a_paced_stream_begins_at_once_and_takes_real_time(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct kodama_stream *stream = open_stream(&seen, true, 0.0, 0);
    uint64_t begin = clock_now_ns(), cpu = process_cpu_ns();
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_wait(stream, 100 * (int64_t)CLOCK_NS_PER_MS, NULL),
                     KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    uint64_t all = clock_now_ns() - begin;
    cpu = process_cpu_ns() - cpu;
    printf("# 1002.6 ms of audio took %.1f ms, first chunk after %.2f ms, CPU %.2f %%\n",
           (double)all / 1e6, (double)(seen.first_ns - begin) / 1e6, 100.0 * (double)cpu / 1e9);
    fflush(stdout);
    assert_false(seen.wrong);
    assert_int_equal(seen.frames, N);
    assert_true(all >= 1001 * CLOCK_NS_PER_MS && all < 2500 * CLOCK_NS_PER_MS);
    assert_true(seen.first_ns - begin < 1000 * CLOCK_NS_PER_MS);
    kodama_stream_close(stream);
}

static void a_stream_that_is_open_but_not_started_uses_no_cpu(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct kodama_stream *idle = open_stream(&seen, true, 0.0, 0);
    uint64_t cpu = process_cpu_ns();
    clock_sleep_until(clock_now_ns() + 100 * CLOCK_NS_PER_MS);
    assert_true(process_cpu_ns() - cpu < 5 * CLOCK_NS_PER_MS);
    kodama_stream_close(idle);
    assert_int_equal(seen.calls, 0);
}

static void two_streams_run_at_once_and_do_not_mix(void **state)
{
    (void)state;
    struct seen seen[2] = {{0}, {0}};
    struct kodama_stream *streams[2];
    for (int i = 0; i < 2; i++) streams[i] = open_stream(&seen[i], false, 0.05, i ? 100 : 480);
    for (int i = 0; i < 2; i++) assert_int_equal(kodama_stream_start(streams[i], NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kodama_stream_wait(streams[i], KODAMA_FOREVER, NULL), KODAMA_OK);
        assert_false(seen[i].wrong);
        assert_int_equal(seen[i].frames, N);
        kodama_stream_close(streams[i]);
    }
}

static void a_slow_callback_holds_the_file_back_and_loses_nothing(void **state)
{
    (void)state;
    struct seen seen = {.sleep_ms = 2};
    struct kodama_stream *stream = open_stream(&seen, false, 0.05, 480);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_false(seen.wrong);
    assert_int_equal(seen.frames, N);
    struct kodama_stream_stats stats;
    kodama_stream_stats(stream, &stats);
    assert_true(stats.callback_ns >= stats.chunks * 2 * CLOCK_NS_PER_MS);
    assert_true(stats.callback_max_ns >= 2 * CLOCK_NS_PER_MS);
    kodama_stream_close(stream);
}

struct tally {
    uint64_t frames, lost, position, n_last;
};

static int count_slowly(void *user, const struct kodama_chunk *chunk)
{
    struct tally *tally = user;
    tally->frames += chunk->n_frames;
    tally->lost += chunk->lost;
    tally->position = chunk->position + chunk->n_frames;
    tally->n_last += chunk->is_last;
    clock_sleep_until(clock_now_ns() + CLOCK_NS_PER_MS);
    return KODAMA_OK;
}

static void a_lossy_dispatcher_is_told_what_it_lost(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = 0.1;
    config.overflow = KODAMA_OVERFLOW_DROP_OLDEST;
    config.on_chunk = count_slowly;
    config.user = &tally;
    struct kodama_stream *stream;
    recording();
    assert_int_equal(kodama_stream_open(&stream, open_source(recording(), false), &config, NULL),
                     0);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    struct kodama_stream_stats stats;
    kodama_stream_stats(stream, &stats);
    assert_int_equal(tally.position, N);
    assert_int_equal(tally.frames + tally.lost, N);
    assert_int_equal(tally.n_last, 1);
    assert_true(tally.lost > 0 && stats.lost_frames >= tally.lost);
    assert_int_equal(stats.source.frames, N); /* the source was not held up */
    kodama_stream_close(stream);
}

static void a_callback_that_fails_ends_the_stream_with_its_error(void **state)
{
    (void)state;
    for (int paced = 0; paced < 2; paced++) {
        struct seen seen = {.fail_at = 7};
        struct kodama_stream *stream = open_stream(&seen, paced, 0.1, 480);
        struct kodama_error error = {0};
        assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
        assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, &error), KODAMA_ERR_ENGINE);
        assert_non_null(strstr(error.message, "callback"));
        assert_int_equal(error.status, KODAMA_ERR_ENGINE);
        assert_int_equal(seen.calls, 7);
        assert_true(kodama_ring_is_closed(kodama_stream_ring(stream)));
        assert_int_equal(kodama_stream_wait(stream, 0, NULL), KODAMA_ERR_ENGINE); /* again */
        kodama_stream_close(stream);
    }
}

static void a_source_that_fails_is_heard_to_its_end_and_then_reported(void **state)
{
    (void)state;
    const char *path = test_scratch(".wav");
    FILE *in = fopen(recording(), "rb"), *out = fopen(path, "wb");
    static uint8_t bytes[44 + 2 * 20000];
    assert_int_equal(fread(bytes, 1, sizeof bytes, in), sizeof bytes);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, out), sizeof bytes);
    fclose(in);
    fclose(out);
    struct seen seen = {0};
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.on_chunk = on_chunk;
    config.user = &seen;
    struct kodama_stream *stream;
    assert_int_equal(kodama_stream_open(&stream, open_source(path, false), &config, NULL), 0);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    struct kodama_error error = {0};
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, &error), KODAMA_ERR_CORRUPT);
    assert_non_null(strstr(error.message, "after 20000 of 48123 frames"));
    assert_int_equal(seen.frames, 20000);
    assert_int_equal(seen.n_last, 1);
    assert_false(seen.wrong);
    kodama_stream_close(stream);
}

static void a_stop_in_mid_run_still_delivers_what_was_captured(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct kodama_stream *stream = open_stream(&seen, true, 0.0, 0);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    clock_sleep_until(clock_now_ns() + 105 * CLOCK_NS_PER_MS);
    uint64_t begin = clock_now_ns();
    kodama_stream_stop(stream);
    kodama_stream_stop(stream);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_true(clock_now_ns() - begin < 700 * CLOCK_NS_PER_MS);
    struct kodama_stream_stats stats;
    kodama_stream_stats(stream, &stats);
    assert_false(seen.wrong);
    assert_int_equal(seen.frames, stats.source.frames);
    assert_int_equal(seen.n_last, 1);
    assert_true(seen.frames > 0 && seen.frames < N);
    kodama_stream_close(stream);
}

static void a_stop_frees_a_source_that_a_full_ring_holds_up(void **state)
{
    (void)state;
    struct kodama_stream *stream = open_stream(NULL, false, 0.1, 0);
    struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
    config.lossless = true;
    struct kodama_cursor *stuck;
    assert_int_equal(kodama_cursor_open(&stuck, kodama_stream_ring(stream), &config), 0);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    while (!kodama_cursor_is_full(stuck)) clock_sleep_until(clock_now_ns() + CLOCK_NS_PER_MS);
    assert_int_equal(kodama_stream_wait(stream, 20 * (int64_t)CLOCK_NS_PER_MS, NULL),
                     KODAMA_ERR_TIMEOUT);
    uint64_t begin = clock_now_ns();
    kodama_stream_stop(stream);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_true(clock_now_ns() - begin < 700 * CLOCK_NS_PER_MS);
    static short rest[N];
    int64_t n = kodama_cursor_read(stuck, rest, N, 0, NULL);
    assert_int_equal(n, kodama_ring_capacity(kodama_stream_ring(stream)));
    assert_memory_equal(rest, samples, (size_t)n * 2);
    assert_int_equal(kodama_cursor_read(stuck, rest, N, 0, NULL), KODAMA_ERR_CLOSED);
    kodama_cursor_close(stuck);
    kodama_stream_close(stream);
}

static void a_callback_may_stop_its_own_stream(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct kodama_stream *stream = open_stream(&seen, true, 0.0, 48);
    seen.stop_from_within = stream;
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_false(seen.wrong);
    assert_int_equal(seen.n_last, 1);
    assert_true(seen.frames < N);
    kodama_stream_close(stream);
}

static void closing_is_clean_in_every_state(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    kodama_stream_close(NULL);
    for (int paced = 0; paced < 2; paced++) {
        for (int with_callback = 0; with_callback < 2; with_callback++) {
            for (int how = 0; how < 7; how++) {
                struct seen seen = {.sleep_ms = how == 6 ? 20 : 0};
                struct kodama_stream *stream =
                    open_stream(with_callback ? &seen : NULL, paced, 0.05, 0);
                assert_int_equal(kodama_stream_wait(stream, 0, &error), KODAMA_ERR_STATE);
                if (how == 1) kodama_stream_stop(stream); /* stopped, never started */
                if (how >= 2) assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
                if (how >= 2 && paced) { /* the others may have ended by now */
                    assert_int_equal(kodama_stream_start(stream, &error), KODAMA_ERR_STATE);
                }
                if (how == 3) kodama_stream_stop(stream);
                if (how == 4) { /* stopped, waited for, stopped */
                    kodama_stream_stop(stream);
                    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
                    kodama_stream_stop(stream);
                }
                if (how == 5 && !paced) { /* ended by itself */
                    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
                }
                if (how == 6) clock_sleep_until(clock_now_ns() + 5 * CLOCK_NS_PER_MS);
                if (how == 1) assert_int_equal(kodama_stream_wait(stream, 0, NULL), KODAMA_OK);
                uint64_t begin = clock_now_ns();
                kodama_stream_close(stream);
                assert_true(clock_now_ns() - begin < 700 * CLOCK_NS_PER_MS);
                assert_false(seen.wrong);
            }
        }
    }
}

static void stop_randomly(void *argument)
{
    struct test_random random = {.state = (uint64_t)(uintptr_t)argument};
    clock_sleep_until(clock_now_ns() + test_random_below(&random, 3 * CLOCK_NS_PER_MS));
    kodama_stream_stop(argument);
}

static void stops_from_several_threads_at_any_time_are_clean(void **state)
{
    (void)state;
    struct test_random random = {.state = 1};
    for (int i = 0; i < 100; i++) {
        struct seen seen = {.fail_at = i % 5 == 0 ? 3 : 0};
        struct kodama_stream *stream = open_stream(i % 3 ? &seen : NULL, i % 2, 0.02, 0);
        struct thread threads[2];
        for (int t = 0; t < 2; t++) {
            assert_int_equal(thread_start(&threads[t], "stopper", stop_randomly, stream, NULL), 0);
        }
        int status = kodama_stream_start(stream, NULL);
        assert_true(status == KODAMA_OK || status == KODAMA_ERR_STATE);
        clock_sleep_until(clock_now_ns() + test_random_below(&random, 2 * CLOCK_NS_PER_MS));
        status = kodama_stream_wait(stream, KODAMA_FOREVER, NULL);
        assert_true(status == KODAMA_OK || (status == KODAMA_ERR_ENGINE && i % 5 == 0));
        for (int t = 0; t < 2; t++) thread_join(&threads[t]);
        kodama_stream_close(stream);
        assert_false(seen.wrong);
    }
}

static void anybody_can_pull_blocking_polling_timed_and_by_waitable(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct kodama_stream *stream = open_stream(&seen, true, 0.0, 0);
    struct kodama_ring *ring = kodama_stream_ring(stream);
    assert_int_equal(kodama_stream_format(stream).rate_hz, 48000);
    struct kodama_cursor *cursors[4];
    for (int i = 0; i < 4; i++) assert_int_equal(kodama_cursor_open(&cursors[i], ring, NULL), 0);
    static short out[4][N];
    size_t n[4] = {0};
    assert_int_equal(kodama_cursor_read(cursors[0], out[0], N, 0, NULL), KODAMA_ERR_EMPTY);
    assert_int_equal(kodama_cursor_read(cursors[0], out[0], N, 1000000, NULL), KODAMA_ERR_TIMEOUT);
    struct kodama_waitable waitable;
    assert_int_equal(kodama_cursor_waitable(cursors[3], &waitable), KODAMA_OK);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    bool open[4] = {true, true, true, true};
    const int64_t timeouts[4] = {KODAMA_FOREVER, 0, 3000000, 0};
    while (open[0] || open[1] || open[2] || open[3]) {
        for (int i = 0; i < 4; i++) {
            if (!open[i]) continue;
            if (i == 3) assert_int_equal(kodama_waitable_wait(waitable, KODAMA_FOREVER), 0);
            int64_t got = kodama_cursor_read(cursors[i], out[i] + n[i], N, timeouts[i], NULL);
            if (got == KODAMA_ERR_CLOSED) open[i] = false;
            if (got > 0) n[i] += (size_t)got;
            if (got < 0) {
                assert_true(got == KODAMA_ERR_CLOSED || got == KODAMA_ERR_EMPTY ||
                            got == KODAMA_ERR_TIMEOUT);
            }
        }
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(n[i], N);
        assert_memory_equal(out[i], samples, sizeof samples);
        kodama_cursor_close(cursors[i]);
    }
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_int_equal(seen.frames, N);
    kodama_stream_close(stream);
}

static void what_makes_no_sense_is_refused_and_the_source_stays_the_callers(void **state)
{
    (void)state;
    struct kodama_source *source = open_source(recording(), false);
    struct kodama_stream *stream = NULL;
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    struct kodama_error error = {0};
    assert_int_equal(kodama_stream_open(&stream, NULL, NULL, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_stream_open(NULL, source, NULL, NULL), KODAMA_ERR_ARGUMENT);
    const double seconds[] = {-1.0, 1e9, NAN};
    for (int i = 0; i < 3; i++) {
        config.ring_seconds = seconds[i];
        assert_int_equal(kodama_stream_open(&stream, source, &config, &error), KODAMA_ERR_ARGUMENT);
        assert_null(stream);
    }
    config.ring_seconds = 0.0;
    config.chunk_frames = UINT32_MAX; /* a ring of 16 GiB */
    assert_int_equal(kodama_stream_open(&stream, source, &config, &error), KODAMA_ERR_LIMIT);
    assert_null(stream);
    config.size--;
    assert_int_equal(kodama_stream_open(&stream, source, &config, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_stream_start(NULL, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_stream_wait(NULL, 0, NULL), KODAMA_ERR_ARGUMENT);
    kodama_stream_stop(NULL);
    kodama_source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_callback_gets_every_frame_once_and_in_order),
        cmocka_unit_test(the_last_call_says_so_also_when_the_end_falls_between_two_chunks),
        cmocka_unit_test(installed_recordings_arrive_to_the_bit),
        cmocka_unit_test(a_paced_stream_begins_at_once_and_takes_real_time),
        cmocka_unit_test(a_stream_that_is_open_but_not_started_uses_no_cpu),
        cmocka_unit_test(two_streams_run_at_once_and_do_not_mix),
        cmocka_unit_test(a_slow_callback_holds_the_file_back_and_loses_nothing),
        cmocka_unit_test(a_lossy_dispatcher_is_told_what_it_lost),
        cmocka_unit_test(a_callback_that_fails_ends_the_stream_with_its_error),
        cmocka_unit_test(a_source_that_fails_is_heard_to_its_end_and_then_reported),
        cmocka_unit_test(a_stop_in_mid_run_still_delivers_what_was_captured),
        cmocka_unit_test(a_stop_frees_a_source_that_a_full_ring_holds_up),
        cmocka_unit_test(a_callback_may_stop_its_own_stream),
        cmocka_unit_test(closing_is_clean_in_every_state),
        cmocka_unit_test(stops_from_several_threads_at_any_time_are_clean),
        cmocka_unit_test(anybody_can_pull_blocking_polling_timed_and_by_waitable),
        cmocka_unit_test(what_makes_no_sense_is_refused_and_the_source_stays_the_callers),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
