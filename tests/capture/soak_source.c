/* Soak test: a day of the null source in accelerated time, faults and all; exact counts, flat
 * memory. */
#include "support/support.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include <kodama/stream.h>

#include "base/clock.h"
#include "base/memory.h"

enum { RATE = 48000, GAP_EVERY_S = 60 };

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
    uint64_t n_faults = seconds / GAP_EVERY_S, gaps = 0, gap_frames = 0;
    struct kodama_fault *faults = calloc(n_faults, sizeof *faults);
    assert_non_null(faults);
    static const enum kodama_fault_kind kinds[] = {KODAMA_FAULT_GAP, KODAMA_FAULT_VANISH,
                                                   KODAMA_FAULT_BURST, KODAMA_FAULT_DRIFT};
    struct test_random random = {.state = 24};
    for (uint64_t i = 0; i < n_faults; i++) {
        faults[i].kind = kinds[i % 4];
        faults[i].position = i * GAP_EVERY_S * RATE + test_random_below(&random, RATE);
        if (faults[i].kind == KODAMA_FAULT_DRIFT) {
            faults[i].drift_ppm = (double)test_random_below(&random, 400) - 200.0;
            continue;
        }
        faults[i].length_frames = 1 + test_random_below(&random, (uint64_t)RATE * 10);
        if (faults[i].kind == KODAMA_FAULT_BURST) continue;
        gaps++;
        gap_frames += faults[i].length_frames;
    }
    struct day day = {.length_frames = seconds * RATE};
    struct kodama_source_config source_config = KODAMA_SOURCE_CONFIG_INIT;
    source_config.format = (struct kodama_format){.sample = KODAMA_SAMPLE_S16, .rate_hz = RATE};
    source_config.length_frames = day.length_frames;
    source_config.faults = faults;
    source_config.n_faults = n_faults;
    struct kodama_source *source;
    assert_int_equal(kodama_source_open(&source, "null", &source_config, NULL), KODAMA_OK);
    free(faults);
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
    assert_int_equal(stats.source.gaps, gaps);
    assert_int_equal(stats.source.gap_frames, gap_frames);
    assert_int_equal(stats.ring.gap_frames, gap_frames);
    assert_int_equal(stats.lost_frames, 0);
    assert_true(day.silent >= gap_frames); /* noise is 0 now and then, too */
    assert_true(day.silent - gap_frames < day.length_frames / 1000);
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
