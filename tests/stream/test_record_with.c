/* Tests of recording in one call: length, content, endings, callbacks, failures. */
#include "support/support.h"

#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kodama/record.h>

#include "base/clock.h"
#include "base/thread.h"
#include "capture/source_generator.h"

enum { RATE = 16000, SEED = 7 };

/* ---------------------------------------------------------------- what the tests share */

/* Noise whose samples are a function of their place; borrowed faults; length 0: without end. */
static struct kodama_source *open_null(uint64_t length, const struct kodama_fault *faults,
                                       size_t n_faults, bool live, bool paced)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.format = (struct kodama_format){KODAMA_SAMPLE_F32, RATE, 2, 0};
    config.seed = SEED;
    config.amplitude = 1.0;
    config.length_frames = length;
    config.faults = faults;
    config.n_faults = n_faults;
    config.live = live;
    config.paced = paced;
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (kodama_source_open(&source, "null", &config, &error) < 0) fail_msg("%s", error.message);
    return source;
}

static struct kodama_source *endless(void)
{
    return open_null(0, NULL, 0, false, false);
}

static bool is_noise(const float *frame, uint64_t position)
{
    return frame[0] == generator_noise_sample(SEED, 2 * position) &&
           frame[1] == generator_noise_sample(SEED, 2 * position + 1);
}

static bool is_silence(const float *frame)
{
    return frame[0] == 0.0f && frame[1] == 0.0f;
}

static void assert_clip_is_noise(const struct kodama_clip *clip, uint64_t n_frames)
{
    assert_non_null(clip);
    assert_int_equal(kodama_clip_frames(clip), n_frames);
    const float *samples = kodama_clip_samples(clip);
    for (uint64_t i = 0; i < n_frames; i++) {
        if (!is_noise(samples + 2 * i, i)) fail_msg("frame %llu is wrong", (unsigned long long)i);
    }
}

/* What callbacks were told. */
struct heard {
    uint64_t frames, chunks, lost;
    bool last;
    int answer_at_chunk, answer; /* what to return for which chunk */
    uint32_t stall_ms;           /* at that chunk */
    int completed;
    struct kodama_record_result result;
    uint64_t clip_frames;
    char message[500];
    struct kodama_record *record;
    struct thread thread;
};

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct heard *heard = user;
    assert_false(heard->last);
    assert_int_equal(chunk->sequence, heard->chunks);
    assert_int_equal(chunk->position, heard->frames + chunk->lost);
    for (uint32_t i = 0; i < chunk->n_frames; i++) {
        const float *frame = (const float *)chunk->frames + 2 * i;
        assert_true(is_noise(frame, chunk->position + i) || is_silence(frame));
    }
    heard->frames += chunk->lost + chunk->n_frames;
    heard->lost += chunk->lost;
    heard->last = chunk->is_last;
    heard->chunks++;
    if (heard->answer_at_chunk == 0 || heard->chunks != (uint64_t)heard->answer_at_chunk) {
        return KODAMA_OK;
    }
    if (heard->stall_ms > 0) clock_sleep_until(clock_now_ns() + heard->stall_ms * CLOCK_NS_PER_MS);
    return heard->answer;
}

static void on_complete(void *user, const struct kodama_record_result *result)
{
    struct heard *heard = user;
    heard->completed++;
    heard->result = *result;
    heard->clip_frames = result->clip ? kodama_clip_frames(result->clip) : 0;
    snprintf(heard->message, sizeof heard->message, "%s", result->message);
}

static void on_start(void *user, struct kodama_record *record)
{
    struct heard *heard = user;
    heard->record = record;
}

static struct kodama_record_config config_for(struct heard *heard)
{
    struct kodama_record_config config = KODAMA_RECORD_CONFIG_INIT;
    config.on_chunk = on_chunk;
    config.on_complete = on_complete;
    config.on_start = on_start;
    config.user = heard;
    return config;
}

static const char *new_path(const char *suffix)
{
    const char *path = test_scratch(suffix);
    unlink(path);
    return path;
}

static bool exists(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0;
}

/* ---------------------------------------------------------------- lengths and ends */

static void a_recording_has_exactly_the_frames_asked_for(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {1, 159, 160, 161, 16000, 54321};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct heard heard = {0};
        struct kodama_record_config config = config_for(&heard);
        config.n_frames = lengths[i];
        struct kodama_clip *clip;
        struct kodama_record_stats stats;
        assert_int_equal(kodama_record_with(&clip, endless(), &config, &stats, NULL), KODAMA_OK);
        assert_clip_is_noise(clip, lengths[i]);
        assert_int_equal(stats.frames, lengths[i]);
        assert_int_equal(stats.ended_by, KODAMA_RECORD_BY_LENGTH);
        assert_int_equal(stats.chunks, (lengths[i] + 159) / 160);
        assert_int_equal(stats.lost_frames, 0);
        assert_int_equal(heard.frames, lengths[i]);
        assert_true(heard.last);
        assert_int_equal(heard.completed, 1);
        kodama_clip_destroy(clip);
    }
}

static void a_duration_is_rounded_to_whole_frames(void **state)
{
    (void)state;
    static const struct {
        uint64_t duration_ns, frames;
    } cases[] = {
        {UINT64_C(1000000000), 16000}, {UINT64_C(1), 1},     {UINT64_C(31249), 1},
        {UINT64_C(93749), 1},          {UINT64_C(93751), 2}, {UINT64_C(2500000000), 40000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kodama_record_config config = KODAMA_RECORD_CONFIG_INIT;
        config.duration_ns = cases[i].duration_ns;
        struct kodama_clip *clip;
        assert_int_equal(kodama_record_with(&clip, endless(), &config, NULL, NULL), KODAMA_OK);
        assert_clip_is_noise(clip, cases[i].frames);
        kodama_clip_destroy(clip);
    }
}

static void without_a_length_a_recording_ends_with_its_source(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {16000, 16001}; /* at the end of a chunk, and within */
    for (size_t i = 0; i < 2; i++) {
        struct heard heard = {0};
        struct kodama_record_config config = config_for(&heard);
        struct kodama_clip *clip;
        struct kodama_record_stats stats;
        struct kodama_source *source = open_null(lengths[i], NULL, 0, false, false);
        assert_int_equal(kodama_record_with(&clip, source, &config, &stats, NULL), KODAMA_OK);
        assert_clip_is_noise(clip, lengths[i]);
        assert_int_equal(stats.ended_by, KODAMA_RECORD_BY_SOURCE);
        assert_true(heard.last);
        kodama_clip_destroy(clip);
    }
}

static void a_source_shorter_than_asked_for_gives_what_it_has(void **state)
{
    (void)state;
    struct kodama_record_config config = KODAMA_RECORD_CONFIG_INIT;
    config.n_frames = 20000;
    struct kodama_clip *clip;
    struct kodama_record_stats stats;
    struct kodama_source *source = open_null(12345, NULL, 0, false, false);
    assert_int_equal(kodama_record_with(&clip, source, &config, &stats, NULL), KODAMA_OK);
    assert_clip_is_noise(clip, 12345);
    assert_int_equal(stats.ended_by, KODAMA_RECORD_BY_SOURCE);
    kodama_clip_destroy(clip);
}

static void statistics_are_those_of_the_clip(void **state)
{
    (void)state;
    struct kodama_record_config config = KODAMA_RECORD_CONFIG_INIT;
    config.n_frames = 20000;
    struct kodama_clip *clip;
    struct kodama_record_stats stats;
    struct kodama_clip_stats of_clip;
    assert_int_equal(kodama_record_with(&clip, endless(), &config, &stats, NULL), KODAMA_OK);
    kodama_clip_stats(clip, &of_clip);
    assert_true(fabs(stats.peak_db - of_clip.peak_db) < 1e-9);
    assert_true(fabs(stats.rms_db - of_clip.rms_db) < 1e-3);
    assert_true(stats.duration_s == of_clip.duration_s);
    assert_int_equal(stats.bytes, 0);
    kodama_clip_destroy(clip);
}

/* ---------------------------------------------------------------- callbacks */

static void a_chunk_callback_may_say_that_it_is_enough(void **state)
{
    (void)state;
    struct heard heard = {.answer_at_chunk = 5, .answer = KODAMA_RECORD_ENOUGH};
    struct kodama_record_config config = config_for(&heard);
    config.chunk_frames = 100;
    struct kodama_clip *clip;
    struct kodama_record_stats stats;
    assert_int_equal(kodama_record_with(&clip, endless(), &config, &stats, NULL), KODAMA_OK);
    assert_clip_is_noise(clip, 500);
    assert_int_equal(stats.ended_by, KODAMA_RECORD_BY_CALLBACK);
    assert_int_equal(heard.chunks, 5);
    kodama_clip_destroy(clip);
}

static void a_failing_callback_ends_the_recording_and_what_was_captured_is_kept(void **state)
{
    (void)state;
    struct heard heard = {.answer_at_chunk = 3, .answer = KODAMA_ERR_ENGINE};
    struct kodama_record_config config = config_for(&heard);
    struct kodama_clip *clip;
    struct kodama_record_stats stats;
    struct kodama_error error = {0};
    int status = kodama_record_with(&clip, endless(), &config, &stats, &error);
    assert_int_equal(status, KODAMA_ERR_ENGINE);
    assert_int_equal(error.status, KODAMA_ERR_ENGINE);
    assert_non_null(strstr(error.message, "callback"));
    assert_clip_is_noise(clip, 480);
    assert_int_equal(stats.status, KODAMA_ERR_ENGINE);
    assert_int_equal(heard.completed, 1);
    assert_int_equal(heard.result.status, KODAMA_ERR_ENGINE);
    assert_int_equal(heard.clip_frames, 480);
    kodama_clip_destroy(clip);
}

static void the_end_is_told_once_with_clip_or_path_and_statistics(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct kodama_record_config config = config_for(&heard);
    config.n_frames = 1000;
    assert_int_equal(kodama_record_with(NULL, endless(), &config, NULL, NULL), KODAMA_OK);
    assert_int_equal(heard.completed, 1);
    assert_int_equal(heard.clip_frames, 1000);
    assert_null(heard.result.path);
    assert_string_equal(heard.message, "");
    assert_int_equal(heard.result.stats.frames, 1000);
    assert_int_equal(heard.result.stats.ended_by, KODAMA_RECORD_BY_LENGTH);

    heard = (struct heard){0};
    config.path = new_path(".wav");
    assert_int_equal(kodama_record_with(NULL, endless(), &config, NULL, NULL), KODAMA_OK);
    assert_int_equal(heard.completed, 1);
    assert_null(heard.result.clip);
    assert_int_equal(heard.result.stats.frames, 1000);
    assert_true(heard.result.stats.bytes > 8000);
}

/* ---------------------------------------------------------------- files */

static void a_file_has_exactly_the_frames_asked_for_too(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".wav", ".flac"};
    for (size_t i = 0; i < 2; i++) {
        struct heard heard = {0};
        struct kodama_record_config config = config_for(&heard);
        config.path = new_path(suffixes[i]);
        config.n_frames = 54321;
        struct kodama_clip *clip = (void *)&heard;
        struct kodama_record_stats stats;
        struct kodama_error error = {0};
        if (kodama_record_with(&clip, endless(), &config, &stats, &error) < 0) {
            fail_msg("%s", error.message);
        }
        assert_null(clip);
        assert_int_equal(stats.frames, 54321);
        assert_int_equal(kodama_clip_load(&clip, config.path, NULL, NULL), KODAMA_OK);
        assert_int_equal(kodama_clip_frames(clip), 54321);
        if (i == 0) assert_clip_is_noise(clip, 54321);
        kodama_clip_destroy(clip);
    }
}

static void a_file_ends_where_the_callback_said_enough(void **state)
{
    (void)state;
    struct heard heard = {.answer_at_chunk = 7, .answer = KODAMA_RECORD_ENOUGH};
    struct kodama_record_config config = config_for(&heard);
    config.path = new_path(".wav");
    struct kodama_clip *clip;
    assert_int_equal(kodama_record_with(NULL, endless(), &config, NULL, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_load(&clip, config.path, NULL, NULL), KODAMA_OK);
    assert_clip_is_noise(clip, 7 * 160);
    kodama_clip_destroy(clip);
}

static void what_cannot_begin_tells_why_and_leaves_no_file(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct kodama_record_config config = config_for(&heard);
    struct kodama_error error = {0};
    struct kodama_clip *clip;
    struct kodama_record *record;
    /* A file that is there is refused. */
    config.path = test_scratch(".wav");
    FILE *file = fopen(config.path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(kodama_record_with(&clip, endless(), &config, NULL, &error), KODAMA_ERR_BUSY);
    assert_true(exists(config.path));
    config.path = "/nowhere/at/all.wav";
    assert_int_equal(kodama_record_with(&clip, endless(), &config, NULL, &error),
                     KODAMA_ERR_NOT_FOUND);
    /* A length twice, no source, no place, no configuration. */
    config.path = NULL;
    config.n_frames = config.duration_ns = 1;
    assert_int_equal(kodama_record_with(&clip, endless(), &config, NULL, &error),
                     KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_record_with(&clip, NULL, NULL, NULL, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_record_start(NULL, endless(), NULL, &error), KODAMA_ERR_ARGUMENT);
    config.size = 1;
    assert_int_equal(kodama_record_start(&record, endless(), &config, &error), KODAMA_ERR_ARGUMENT);
    assert_null(record);
    assert_null(clip);
    assert_int_equal(heard.completed, 0);
}

static struct rlimit usual_limit;

/* When all is open: the ring's memory falls under the limit, too. */
static void limit_files(void *user, struct kodama_record *record)
{
    on_start(user, record);
    struct rlimit limit = {.rlim_cur = 200000, .rlim_max = usual_limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void on_a_full_disk_what_is_there_is_kept_and_the_status_says_so(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct kodama_record_config config = config_for(&heard);
    config.path = new_path(".wav");
    config.n_frames = 100000; /* 800 kB */
    struct kodama_record_stats stats;
    struct kodama_error error = {0};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual_limit), 0);
    config.on_start = limit_files;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    int status = kodama_record_with(NULL, endless(), &config, &stats, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual_limit), 0);
    signal(SIGXFSZ, before);
    assert_int_equal(status, KODAMA_ERR_IO);
    assert_int_equal(stats.ended_by, KODAMA_RECORD_BY_FILE);
    assert_int_equal(heard.result.status, KODAMA_ERR_IO);
    assert_true(error.message[0] != 0);
    struct kodama_clip *clip;
    assert_int_equal(kodama_clip_load(&clip, config.path, NULL, NULL), KODAMA_OK);
    assert_true(stats.frames > 10000 && stats.frames < 25000);
    assert_clip_is_noise(clip, stats.frames);
    kodama_clip_destroy(clip);
}

/* ---------------------------------------------------------------- gaps, losses, failures */

static void gaps_of_the_source_are_silence_in_their_place_and_counted(void **state)
{
    (void)state;
    const struct kodama_fault faults[] = {
        {.kind = KODAMA_FAULT_GAP, .position = 0, .length_frames = 100},
        {.kind = KODAMA_FAULT_GAP, .position = 5000, .length_frames = 777},
        {.kind = KODAMA_FAULT_VANISH, .position = 9000, .length_frames = 3210},
    };
    for (int to_file = 0; to_file < 2; to_file++) {
        struct kodama_record_config config = KODAMA_RECORD_CONFIG_INIT;
        config.n_frames = 15000;
        if (to_file) config.path = new_path(".wav");
        struct kodama_clip *clip;
        struct kodama_record_stats stats;
        struct kodama_source *source = open_null(0, faults, 3, false, false);
        assert_int_equal(kodama_record_with(&clip, source, &config, &stats, NULL), KODAMA_OK);
        assert_int_equal(stats.gap_frames, 100 + 777 + 3210);
        assert_int_equal(stats.gaps, 3);
        assert_int_equal(stats.lost_frames, 0);
        if (to_file) assert_int_equal(kodama_clip_load(&clip, config.path, NULL, NULL), KODAMA_OK);
        assert_int_equal(kodama_clip_frames(clip), 15000);
        const float *samples = kodama_clip_samples(clip);
        for (uint64_t i = 0; i < 15000; i++) {
            bool gap = i < 100 || (i >= 5000 && i < 5777) || (i >= 9000 && i < 12210);
            assert_true(gap ? is_silence(samples + 2 * i) : is_noise(samples + 2 * i, i));
        }
        kodama_clip_destroy(clip);
    }
}

static void frames_lost_to_a_slow_callback_are_silence_and_counted(void **state)
{
    (void)state;
    /* A live source that runs as fast as a core can, a ring of 50 ms, a callback that sleeps. */
    struct heard heard = {.answer_at_chunk = 20, .stall_ms = 50};
    struct kodama_record_config config = config_for(&heard);
    config.n_frames = 400000;
    config.ring_seconds = 0.05;
    struct kodama_clip *clip;
    struct kodama_record_stats stats;
    struct kodama_source *source = open_null(0, NULL, 0, true, false);
    assert_int_equal(kodama_record_with(&clip, source, &config, &stats, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_frames(clip), 400000);
    const float *samples = kodama_clip_samples(clip);
    uint64_t n_silent = 0;
    for (uint64_t i = 0; i < 400000; i++) {
        if (is_noise(samples + 2 * i, i)) continue;
        assert_true(is_silence(samples + 2 * i));
        n_silent++;
    }
    assert_int_equal(n_silent, stats.lost_frames);
    assert_int_equal(heard.lost, stats.lost_frames);
    assert_true(stats.lost_frames > 0);
    kodama_clip_destroy(clip);
}

static void of_a_source_that_fails_what_was_captured_is_kept(void **state)
{
    (void)state;
    const struct kodama_fault fault = {.kind = KODAMA_FAULT_FORMAT, .position = 4321};
    for (int to_file = 0; to_file < 2; to_file++) {
        struct heard heard = {0};
        struct kodama_record_config config = config_for(&heard);
        config.n_frames = 10000;
        if (to_file) config.path = new_path(".wav");
        struct kodama_clip *clip;
        struct kodama_record_stats stats;
        struct kodama_error error = {0};
        struct kodama_source *source = open_null(0, &fault, 1, false, false);
        int status = kodama_record_with(&clip, source, &config, &stats, &error);
        assert_int_equal(status, KODAMA_ERR_FORMAT);
        assert_non_null(strstr(error.message, "changed its format"));
        assert_string_equal(heard.message, error.message);
        assert_int_equal(stats.ended_by, KODAMA_RECORD_BY_SOURCE);
        if (to_file) assert_int_equal(kodama_clip_load(&clip, config.path, NULL, NULL), KODAMA_OK);
        assert_clip_is_noise(clip, 4321);
        kodama_clip_destroy(clip);
    }
}

static void a_clip_that_is_as_large_as_it_may_be_is_kept_and_the_status_says_so(void **state)
{
    (void)state;
    struct kodama_record_config config = KODAMA_RECORD_CONFIG_INIT;
    config.max_bytes = 8 * 1234;
    struct kodama_clip *clip;
    struct kodama_record_stats stats;
    struct kodama_error error = {0};
    int status = kodama_record_with(&clip, endless(), &config, &stats, &error);
    assert_int_equal(status, KODAMA_ERR_LIMIT);
    assert_non_null(strstr(error.message, "record to a file"));
    assert_int_equal(stats.ended_by, KODAMA_RECORD_BY_MEMORY);
    assert_int_equal(stats.frames, 1234);
    assert_clip_is_noise(clip, 1234);
    kodama_clip_destroy(clip);
    /* Known before, it is refused before. */
    config.n_frames = 1235;
    assert_int_equal(kodama_record_with(&clip, endless(), &config, &stats, &error),
                     KODAMA_ERR_LIMIT);
    assert_null(clip);
    config.n_frames = 1234;
    assert_int_equal(kodama_record_with(&clip, endless(), &config, &stats, &error), KODAMA_OK);
    assert_clip_is_noise(clip, 1234);
    kodama_clip_destroy(clip);
}

/* ---------------------------------------------------------------- on a thread of its own */

static void a_recording_that_was_started_can_be_waited_for_and_its_clip_taken(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct kodama_record_config config = config_for(&heard);
    config.n_frames = 30000;
    struct kodama_record *record;
    struct kodama_record_stats stats;
    struct kodama_waitable waitable;
    assert_int_equal(kodama_record_start(&record, endless(), &config, NULL), KODAMA_OK);
    assert_int_equal(kodama_record_waitable(record, &waitable), KODAMA_OK);
    assert_int_equal(kodama_waitable_wait(waitable, KODAMA_FOREVER), KODAMA_OK);
    assert_int_equal(kodama_record_wait(record, 0, NULL), KODAMA_OK);
    assert_int_equal(kodama_record_wait(record, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_int_equal(heard.completed, 1);
    kodama_record_stats(record, &stats);
    assert_int_equal(stats.frames, 30000);
    struct kodama_clip *clip = kodama_record_take_clip(record);
    assert_clip_is_noise(clip, 30000);
    assert_null(kodama_record_take_clip(record));
    kodama_record_cancel(record); /* too late, and allowed */
    kodama_record_close(record);
    kodama_clip_destroy(clip);
}

static void a_cancelled_recording_ends_well_with_what_has_arrived(void **state)
{
    (void)state;
    /* In real time, so that it still runs when it is cancelled. */
    struct heard heard = {0};
    struct kodama_record_config config = config_for(&heard);
    struct kodama_record *record;
    struct kodama_error error = {0};
    assert_int_equal(
        kodama_record_start(&record, open_null(0, NULL, 0, true, true), &config, &error),
        KODAMA_OK);
    assert_int_equal(kodama_record_wait(record, 100 * (int64_t)CLOCK_NS_PER_MS, &error),
                     KODAMA_ERR_TIMEOUT);
    assert_null(kodama_record_take_clip(record));
    kodama_record_cancel(record);
    kodama_record_cancel(record);
    assert_int_equal(kodama_record_wait(record, KODAMA_FOREVER, &error), KODAMA_OK);
    struct kodama_record_stats stats;
    kodama_record_stats(record, &stats);
    assert_int_equal(stats.ended_by, KODAMA_RECORD_BY_CANCEL);
    assert_int_equal(heard.completed, 1);
    struct kodama_clip *clip = kodama_record_take_clip(record);
    assert_int_equal(kodama_clip_frames(clip), stats.frames);
    if (stats.lost_frames == 0) assert_clip_is_noise(clip, stats.frames);
    kodama_record_close(record);
    kodama_clip_destroy(clip);
}

static void a_recording_of_a_source_that_is_stuck_can_be_cancelled(void **state)
{
    (void)state;
    const struct kodama_fault stall = {
        .kind = KODAMA_FAULT_STALL, .position = 1600, .stall_ms = 3600 * 1000};
    struct heard heard = {0};
    struct kodama_record_config config = config_for(&heard);
    struct kodama_record *record;
    struct kodama_record_stats stats = {0};
    assert_int_equal(
        kodama_record_start(&record, open_null(0, &stall, 1, false, false), &config, NULL),
        KODAMA_OK);
    while (stats.frames < 1600) kodama_record_stats(record, &stats);
    kodama_record_cancel(record);
    assert_int_equal(kodama_record_wait(record, KODAMA_FOREVER, NULL), KODAMA_OK);
    struct kodama_clip *clip = kodama_record_take_clip(record);
    assert_clip_is_noise(clip, 1600);
    kodama_clip_destroy(clip);
    kodama_record_close(record);
}

static struct heard *volatile signalled;

static void on_signal(int number)
{
    (void)number;
    kodama_record_cancel(signalled->record);
}

static int raise_at_chunk_10(void *user, const struct kodama_chunk *chunk)
{
    if (chunk->sequence == 10) raise(SIGUSR1);
    return on_chunk(user, chunk);
}

static void a_signal_handler_ends_a_blocking_recording(void **state)
{
    (void)state;
    struct heard heard = {0};
    signalled = &heard;
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigaction(SIGUSR1, &action, &before);
    struct kodama_record_config config = config_for(&heard);
    config.on_chunk = raise_at_chunk_10;
    struct kodama_clip *clip;
    struct kodama_record_stats stats;
    assert_int_equal(kodama_record_with(&clip, endless(), &config, &stats, NULL), KODAMA_OK);
    sigaction(SIGUSR1, &before, NULL);
    assert_int_equal(stats.ended_by, KODAMA_RECORD_BY_CANCEL);
    assert_true(stats.frames >= 11 * 160);
    assert_clip_is_noise(clip, stats.frames);
    kodama_clip_destroy(clip);
}

static void cancel_from_thread(void *argument)
{
    struct heard *heard = argument;
    kodama_record_cancel(heard->record);
}

static void on_start_thread(void *user, struct kodama_record *record)
{
    struct heard *heard = user;
    heard->record = record;
    struct kodama_error error = {0};
    int status = thread_start(&heard->thread, "canceller", cancel_from_thread, heard, &error);
    if (status < 0) fail_msg("%s", error.message);
}

/* The last moment at which the recording is there for others. */
static void on_complete_thread(void *user, const struct kodama_record_result *result)
{
    struct heard *heard = user;
    thread_join(&heard->thread);
    on_complete(user, result);
}

static void another_thread_ends_a_blocking_recording_through_on_start(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct kodama_record_config config = config_for(&heard);
    config.on_start = on_start_thread;
    config.on_complete = on_complete_thread;
    struct kodama_clip *clip;
    struct kodama_record_stats stats;
    struct kodama_source *source = open_null(0, NULL, 0, false, true); /* it would never end */
    assert_int_equal(kodama_record_with(&clip, source, &config, &stats, NULL), KODAMA_OK);
    assert_int_equal(stats.ended_by, KODAMA_RECORD_BY_CANCEL);
    assert_clip_is_noise(clip, stats.frames);
    kodama_clip_destroy(clip);
}

static void closing_a_recording_that_runs_ends_it(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct kodama_record_config config = config_for(&heard);
    config.path = new_path(".wav");
    struct kodama_record *record;
    assert_int_equal(kodama_record_start(&record, open_null(0, NULL, 0, true, true), &config, NULL),
                     KODAMA_OK);
    kodama_record_close(record);
    assert_int_equal(heard.completed, 1);
    struct kodama_clip *clip;
    assert_int_equal(kodama_clip_load(&clip, config.path, NULL, NULL), KODAMA_OK);
    assert_int_equal(kodama_clip_frames(clip), heard.result.stats.frames);
    kodama_clip_destroy(clip);
    kodama_record_close(NULL);
    kodama_record_cancel(NULL);
}

static void many_recordings_run_beside_each_other(void **state)
{
    (void)state;
    enum { N = 8 };
    struct kodama_record *records[N];
    struct heard heard[N] = {{0}};
    for (int i = 0; i < N; i++) {
        struct kodama_record_config config = config_for(&heard[i]);
        config.n_frames = 40000;
        assert_int_equal(kodama_record_start(&records[i], endless(), &config, NULL), KODAMA_OK);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(kodama_record_wait(records[i], KODAMA_FOREVER, NULL), KODAMA_OK);
        struct kodama_clip *clip = kodama_record_take_clip(records[i]);
        assert_clip_is_noise(clip, 40000);
        kodama_clip_destroy(clip);
        kodama_record_close(records[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recording_has_exactly_the_frames_asked_for),
        cmocka_unit_test(a_duration_is_rounded_to_whole_frames),
        cmocka_unit_test(without_a_length_a_recording_ends_with_its_source),
        cmocka_unit_test(a_source_shorter_than_asked_for_gives_what_it_has),
        cmocka_unit_test(statistics_are_those_of_the_clip),
        cmocka_unit_test(a_chunk_callback_may_say_that_it_is_enough),
        cmocka_unit_test(a_failing_callback_ends_the_recording_and_what_was_captured_is_kept),
        cmocka_unit_test(the_end_is_told_once_with_clip_or_path_and_statistics),
        cmocka_unit_test(a_file_has_exactly_the_frames_asked_for_too),
        cmocka_unit_test(a_file_ends_where_the_callback_said_enough),
        cmocka_unit_test(what_cannot_begin_tells_why_and_leaves_no_file),
        cmocka_unit_test(on_a_full_disk_what_is_there_is_kept_and_the_status_says_so),
        cmocka_unit_test(gaps_of_the_source_are_silence_in_their_place_and_counted),
        cmocka_unit_test(frames_lost_to_a_slow_callback_are_silence_and_counted),
        cmocka_unit_test(of_a_source_that_fails_what_was_captured_is_kept),
        cmocka_unit_test(a_clip_that_is_as_large_as_it_may_be_is_kept_and_the_status_says_so),
        cmocka_unit_test(a_recording_that_was_started_can_be_waited_for_and_its_clip_taken),
        cmocka_unit_test(a_cancelled_recording_ends_well_with_what_has_arrived),
        cmocka_unit_test(a_recording_of_a_source_that_is_stuck_can_be_cancelled),
        cmocka_unit_test(a_signal_handler_ends_a_blocking_recording),
        cmocka_unit_test(another_thread_ends_a_blocking_recording_through_on_start),
        cmocka_unit_test(closing_a_recording_that_runs_ends_it),
        cmocka_unit_test(many_recordings_run_beside_each_other),
    };
    return cmocka_run_group_tests_name("record with", tests, NULL, NULL);
}
