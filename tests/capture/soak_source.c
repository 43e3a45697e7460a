/* Soak test: a day of the null source in accelerated time, faults and all; exact counts, flat
 * memory. */
#include "capture/null_day.h"

#include <malloc.h>
#include <stdio.h>

#include <kodama/stream.h>

#include "base/clock.h"
#include "base/memory.h"

enum { RATE = 48000 };

struct day {
    uint64_t frames, silent;
    uint64_t early_bytes, late_bytes;
    size_t early_heap, late_heap;
    uint64_t length_frames;
};

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct day *day = user;
    const int16_t *frames = chunk->frames;
    if (chunk->position != day->frames || chunk->lost > 0) return KODAMA_ERR_CORRUPT;
    for (uint32_t i = 0; i < chunk->n_frames; i++) day->silent += frames[i] == 0;
    day->frames += chunk->n_frames;
    if (day->early_bytes == 0 && day->frames > day->length_frames / 10) {
        day->early_bytes = memory_proportional_bytes();
        day->early_heap = mallinfo2().uordblks;
    }
    if (day->late_bytes == 0 && day->frames > day->length_frames / 10 * 9) {
        day->late_bytes = memory_proportional_bytes();
        day->late_heap = mallinfo2().uordblks;
    }
    return KODAMA_OK;
}

static void a_day_of_the_null_source_is_counted_exactly_in_flat_memory(void **state)
{
    uint64_t seconds = (uint64_t)(*(const double *)*state * test_scale());
    if (seconds < 120) seconds = 120;
    struct null_day wanted = null_day_make(seconds, RATE);
    struct kodama_source *source = null_day_open(&wanted, RATE);
    struct day day = {.length_frames = wanted.length_frames};
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.on_chunk = on_chunk;
    config.user = &day;
    struct kodama_stream *stream;
    assert_int_equal(kodama_stream_open(&stream, source, &config, NULL), KODAMA_OK);
    uint64_t begin = clock_now_ns();
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    struct kodama_error error = {0};
    int status = kodama_stream_wait(stream, KODAMA_FOREVER, &error);
    if (status < 0) fail_msg("%s", error.message);
    double took = (double)(clock_now_ns() - begin) / 1e9;
    struct kodama_stream_stats stats;
    kodama_stream_stats(stream, &stats);
    printf("# %.2f h of audio took %.1f s (%.0f times real time); %llu gaps of %llu frames; memory "
           "%llu and %llu KiB, heap %lu and %lu bytes\n",
           (double)seconds / 3600.0, took, (double)seconds / took,
           (unsigned long long)stats.source.gaps, (unsigned long long)stats.source.gap_frames,
           (unsigned long long)day.early_bytes / 1024, (unsigned long long)day.late_bytes / 1024,
           (unsigned long)day.early_heap, (unsigned long)day.late_heap);
    fflush(stdout);
    assert_int_equal(day.frames, day.length_frames);
    assert_int_equal(stats.frames, day.length_frames);
    assert_int_equal(stats.source.frames, day.length_frames);
    assert_int_equal(stats.source.gaps, wanted.gaps);
    assert_int_equal(stats.source.gap_frames, wanted.gap_frames);
    assert_int_equal(stats.ring.gap_frames, wanted.gap_frames);
    assert_int_equal(stats.lost_frames, 0);
    assert_true(day.silent >= wanted.gap_frames); /* noise is 0 now and then, too */
    assert_true(day.silent - wanted.gap_frames < day.length_frames / 1000);
    assert_true(day.late_heap <= day.early_heap + 16 * 1024);
    assert_true(day.late_bytes <= day.early_bytes + 4 * 1024 * 1024);
    kodama_stream_close(stream);
}

/* With an argument only ten minutes of the day. */
int main(int argc, char **argv)
{
    (void)argv;
    double seconds = argc > 1 ? 600.0 : 86400.0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(a_day_of_the_null_source_is_counted_exactly_in_flat_memory,
                                  &seconds),
    };
    return cmocka_run_group_tests_name("source soak", tests, NULL, NULL);
}
