/* Tests of the source "file": every frame, in order, in time. */
#include "capture/collect.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { WAV16 = SF_FORMAT_WAV | SF_FORMAT_PCM_16 };

static struct kodama_source *open_files(const char *const *paths, size_t n, bool paced)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.paths = paths;
    config.n_paths = n;
    config.paced = paced;
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (kodama_source_open(&source, "file", &config, &error) < 0) fail_msg("%s", error.message);
    assert_false(kodama_source_is_live(source));
    return source;
}

static void sources_are_listed_and_others_are_refused_by_name(void **state)
{
    (void)state;
    assert_string_equal(kodama_source_name(0), "file");
    assert_string_equal(kodama_source_name(1), "stdin");
    size_t n = 0;
    while (kodama_source_name(n)) n++;
    assert_null(kodama_source_name(n + 100));
    struct kodama_source *source;
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    struct kodama_error error = {0};
    assert_int_equal(kodama_source_open(&source, "theremin", &config, &error),
                     KODAMA_ERR_NOT_FOUND);
    assert_null(source);
    assert_non_null(strstr(error.message, "there is no source \"theremin\"; there are: file, "));
    for (size_t i = 0; i < n; i++) assert_non_null(strstr(error.message, kodama_source_name(i)));
    assert_int_equal(kodama_source_open(&source, "file", NULL, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_source_open(&source, NULL, &config, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_source_open(NULL, "file", &config, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_source_open(&source, "file", &config, &error), KODAMA_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "no file"));
    config.size = 1;
    assert_int_equal(kodama_source_open(&source, "file", &config, NULL), KODAMA_ERR_ARGUMENT);
    kodama_source_close(NULL);
}

static void every_frame_of_a_file_reaches_the_ring_to_the_bit(void **state)
{
    (void)state;
    enum { N = 100003 };
    static short samples[2 * N];
    const char *path = collect_write(".wav", WAV16, 48000, 2, samples, N, 1);
    struct kodama_source *source = open_files(&path, 1, false);
    assert_int_equal(kodama_source_length(source), N);
    struct collect collect;
    collect_start(&collect, source, 0.05); /* a small ring: the source is held up all the time */
    size_t n;
    uint8_t *frames = collect_all(&collect, &n);
    assert_int_equal(n, N);
    assert_memory_equal(frames, samples, sizeof samples);
    struct kodama_source_stats stats;
    kodama_source_stats(source, &stats);
    assert_int_equal(stats.frames, N);
    assert_int_equal(stats.overruns, 0); /* it may go as fast as it is read: nothing was missed */
    collect_end(&collect);
    assert_int_equal(collect.status, KODAMA_OK);
    free(frames);
}

static void files_play_one_after_the_other_as_one_timeline(void **state)
{
    (void)state;
    static short samples[3][9000];
    const char *paths[3];
    const size_t lengths[3] = {9000, 1, 4567};
    for (size_t i = 0; i < 3; i++) {
        paths[i] = collect_write(i == 1 ? ".flac" : ".wav",
                                 i == 1 ? SF_FORMAT_FLAC | SF_FORMAT_PCM_16 : WAV16, 16000, 1,
                                 samples[i], lengths[i], i);
    }
    struct kodama_source *source = open_files(paths, 3, false);
    assert_int_equal(kodama_source_length(source), 9000 + 1 + 4567);
    struct collect collect;
    collect_start(&collect, source, 1.0);
    size_t n, at = 0;
    uint8_t *frames = collect_all(&collect, &n);
    assert_int_equal(n, 9000 + 1 + 4567);
    for (size_t i = 0; i < 3; at += lengths[i++]) {
        assert_memory_equal(frames + 2 * at, samples[i], 2 * lengths[i]);
    }
    collect_end(&collect);
    free(frames);
}

static void files_of_different_sample_types_become_float(void **state)
{
    (void)state;
    static short one[3000], two[3000];
    const char *paths[] = {
        collect_write(".wav", WAV16, 16000, 1, one, 3000, 1),
        collect_write(".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 16000, 1, two, 3000, 2)};
    struct kodama_source *source = open_files(paths, 2, false);
    assert_int_equal(kodama_source_format(source).sample, KODAMA_SAMPLE_F32);
    struct collect collect;
    collect_start(&collect, source, 1.0);
    size_t n;
    float *frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, 6000);
    for (size_t i = 0; i < 3000; i++) {
        assert_true(frames[i] == (float)one[i] / 32768.0f);
        assert_true(frames[3000 + i] == (float)two[i] / 32768.0f);
    }
    collect_end(&collect);
    free(frames);
}

static void files_that_do_not_fit_together_are_refused_before_the_first_plays(void **state)
{
    (void)state;
    static short samples[8000];
    const char *first = collect_write(".wav", WAV16, 16000, 1, samples, 4000, 1);
    const struct {
        const char *path, *words;
        int status;
    } seconds[] = {
        {collect_write(".wav", WAV16, 48000, 1, samples, 4000, 1), "must agree", KODAMA_ERR_FORMAT},
        {collect_write(".wav", WAV16, 16000, 2, samples, 4000, 1), "must agree", KODAMA_ERR_FORMAT},
        {"/nonexistent/b.wav", "/nonexistent/b.wav", KODAMA_ERR_NOT_FOUND},
        {NULL, "file 2 of 2", KODAMA_ERR_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        const char *paths[] = {first, seconds[i].path};
        struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
        config.paths = paths;
        config.n_paths = 2;
        struct kodama_source *source;
        struct kodama_error error = {0};
        assert_int_equal(kodama_source_open(&source, "file", &config, &error), seconds[i].status);
        assert_null(source);
        assert_non_null(strstr(error.message, seconds[i].words));
    }
}

static void a_file_that_goes_wrong_midway_keeps_what_was_read_and_says_so(void **state)
{
    (void)state;
    static short samples[16000], more[100];
    const char *cut = collect_write(".wav", WAV16, 16000, 1, samples, 16000, 1);
    assert_int_equal(truncate(cut, 44 + 2 * 7001), 0);
    struct kodama_source *source = open_files(&cut, 1, false);
    struct collect collect;
    collect_start(&collect, source, 1.0);
    size_t n;
    uint8_t *frames = collect_all(&collect, &n);
    assert_int_equal(n, 7001);
    assert_memory_equal(frames, samples, 2 * 7001);
    collect_end(&collect);
    assert_int_equal(collect.status, KODAMA_ERR_CORRUPT);
    assert_non_null(strstr(collect.error.message, "after 7001 of 16000 frames"));
    free(frames);

    /* A file that vanished, or became another one, since the source was opened. */
    for (int other = 0; other < 2; other++) {
        const char *paths[] = {collect_write(".wav", WAV16, 16000, 1, samples, 500, 1),
                               collect_write(".wav", WAV16, 16000, 1, samples, 500, 1)};
        source = open_files(paths, 2, false);
        if (other) {
            const char *replacement = collect_write(".wav", WAV16, 22050, 1, more, 100, 1);
            assert_int_equal(rename(replacement, paths[1]), 0);
        } else {
            unlink(paths[1]);
        }
        collect_start(&collect, source, 1.0);
        free(collect_all(&collect, &n));
        assert_int_equal(n, 500);
        collect_end(&collect);
        assert_int_equal(collect.status, other ? KODAMA_ERR_FORMAT : KODAMA_ERR_NOT_FOUND);
        assert_non_null(strstr(collect.error.message, paths[1]));
    }
}

static uint64_t process_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void a_paced_file_begins_at_once_and_takes_its_time(void **state)
{
    (void)state;
    enum { N = 48000 };
    static short samples[N];
    const char *path = collect_write(".wav", WAV16, 48000, 1, samples, N, 1);
    struct kodama_source *source = open_files(&path, 1, true);
    struct collect collect;
    uint64_t begin = clock_now_ns(), cpu = process_cpu_ns(), first = 0, late = 0;
    collect_start(&collect, source, 1.0);
    short block[480];
    uint64_t n = 0;
    int64_t got;
    while ((got = kodama_cursor_read(collect.cursor, block, 480, KODAMA_FOREVER, NULL)) > 0) {
        uint64_t now = clock_now_ns();
        if (n == 0) first = now - begin;
        uint64_t due = begin + n * CLOCK_NS_PER_S / 48000;
        if (now > due && now - due > late) late = now - due;
        assert_true(now + CLOCK_NS_PER_MS > due); /* never early */
        assert_memory_equal(block, samples + n, (size_t)got * 2);
        n += (uint64_t)got;
    }
    uint64_t all = clock_now_ns() - begin;
    cpu = process_cpu_ns() - cpu;
    printf("# 1 s of audio took %.1f ms, first frame after %.2f ms, latest block %.2f ms late, CPU "
           "%.2f %%\n",
           (double)all / 1e6, (double)first / 1e6, (double)late / 1e6, 100.0 * (double)cpu / 1e9);
    fflush(stdout);
    assert_int_equal(n, N);
    assert_true(all >= 999 * CLOCK_NS_PER_MS && all < 2500 * CLOCK_NS_PER_MS);
    assert_true(first < 1000 * CLOCK_NS_PER_MS);
    struct kodama_mark mark;
    assert_int_equal(kodama_ring_marks(collect.ring, 0, 1, &mark, 1, NULL), 1);
    assert_int_equal(mark.flags, KODAMA_MARK_TIME);
    assert_true(mark.time_ns >= begin && mark.time_ns < begin + first + CLOCK_NS_PER_MS);
    collect_end(&collect);
}

static void a_paced_file_counts_when_it_is_held_up_and_catches_up(void **state)
{
    (void)state;
    enum { N = 8000 };
    static short samples[N];
    const char *path = collect_write(".wav", WAV16, 16000, 1, samples, N, 1);
    struct kodama_source *source = open_files(&path, 1, true);
    struct collect collect;
    uint64_t begin = clock_now_ns();
    collect_start(&collect, source, 0.13);
    uint64_t capacity = kodama_ring_capacity(collect.ring);
    assert_true(capacity <= 4096);                    /* 256 ms */
    clock_sleep_until(begin + 300 * CLOCK_NS_PER_MS); /* nobody reads: the ring is full */
    struct kodama_source_stats stats;
    kodama_source_stats(source, &stats);
    assert_int_equal(stats.overruns, 1);
    assert_int_equal(stats.frames, capacity);
    size_t n;
    uint8_t *frames = collect_all(&collect, &n);
    assert_int_equal(n, N);
    assert_memory_equal(frames, samples, sizeof samples);
    uint64_t all = clock_now_ns() - begin; /* deadlines come from the samples: no time was added */
    assert_true(all >= 499 * CLOCK_NS_PER_MS && all < 2000 * CLOCK_NS_PER_MS);
    collect_end(&collect);
    free(frames);
}

static void a_source_stops_promptly_whatever_it_waits_for(void **state)
{
    (void)state;
    static short samples[160000];
    const char *path = collect_write(".wav", WAV16, 16000, 1, samples, 160000, 1);
    for (int paced = 0; paced < 2; paced++) {
        struct kodama_source *source = open_files(&path, 1, paced);
        struct collect collect;
        collect_start(&collect, source, 0.2);
        clock_sleep_until(clock_now_ns() + (paced ? 25 : 50) * CLOCK_NS_PER_MS);
        uint64_t begin = clock_now_ns(); /* it sleeps for the next block, or waits for room */
        collect_end(&collect);
        assert_true(clock_now_ns() - begin < 2000 * CLOCK_NS_PER_MS);
        assert_true(collect.ended && collect.status == KODAMA_OK);
    }
    kodama_source_close(open_files(&path, 1, true)); /* never started */
}

static void a_ring_that_has_a_writer_is_refused(void **state)
{
    (void)state;
    static short samples[1600];
    const char *path = collect_write(".wav", WAV16, 16000, 1, samples, 1600, 1);
    struct collect collect;
    collect_start(&collect, open_files(&path, 1, true), 1.0);
    struct kodama_source *second = open_files(&path, 1, true);
    struct kodama_error error = {0};
    assert_int_equal(source_start(second, collect.ring, collect_on_end, &collect, &error),
                     KODAMA_ERR_BUSY);
    assert_non_null(strstr(error.message, "file"));
    kodama_source_close(second);
    collect_end(&collect);
}

static void installed_recordings_play_in_full(void **state)
{
    (void)state;
    const char *path = test_installed("/usr/share/sounds/alsa/Front_Center.wav");
    size_t n_wanted, n;
    float *wanted = test_read_audio(path, &n_wanted, NULL, NULL);
    struct collect collect;
    collect_start(&collect, open_files(&path, 1, false), 0.5);
    short *frames = (void *)collect_all(&collect, &n);
    assert_int_equal(n, n_wanted);
    for (size_t i = 0; i < n; i++) assert_true((float)frames[i] / 32768.0f == wanted[i]);
    collect_end(&collect);
    free(frames);
    free(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_are_listed_and_others_are_refused_by_name),
        cmocka_unit_test(every_frame_of_a_file_reaches_the_ring_to_the_bit),
        cmocka_unit_test(files_play_one_after_the_other_as_one_timeline),
        cmocka_unit_test(files_of_different_sample_types_become_float),
        cmocka_unit_test(files_that_do_not_fit_together_are_refused_before_the_first_plays),
        cmocka_unit_test(a_file_that_goes_wrong_midway_keeps_what_was_read_and_says_so),
        cmocka_unit_test(a_paced_file_begins_at_once_and_takes_its_time),
        cmocka_unit_test(a_paced_file_counts_when_it_is_held_up_and_catches_up),
        cmocka_unit_test(a_source_stops_promptly_whatever_it_waits_for),
        cmocka_unit_test(a_ring_that_has_a_writer_is_refused),
        cmocka_unit_test(installed_recordings_play_in_full),
    };
    return cmocka_run_group_tests_name("source file", tests, NULL, NULL);
}
