/* For soak tests: a day of the null source with a fault each minute. */
#ifndef TESTS_CAPTURE_NULL_DAY_H
#define TESTS_CAPTURE_NULL_DAY_H

#include "support/support.h"

#include <stdlib.h>

#include <kodama/source.h>

enum { NULL_DAY_FAULT_EVERY_S = 60 };

struct null_day {
    uint64_t length_frames;
    struct kodama_fault *faults; /* gap, vanish, burst, drift, and again */
    size_t n_faults;
    uint64_t gaps, gap_frames; /* what becomes of them */
    uint64_t n_vanished;
};

static inline struct null_day null_day_make(uint64_t seconds, uint32_t rate_hz)
{
    static const enum kodama_fault_kind kinds[] = {KODAMA_FAULT_GAP, KODAMA_FAULT_VANISH,
                                                   KODAMA_FAULT_BURST, KODAMA_FAULT_DRIFT};
    struct null_day day = {.length_frames = seconds * rate_hz,
                           .n_faults = (size_t)(seconds / NULL_DAY_FAULT_EVERY_S)};
    day.faults = calloc(day.n_faults, sizeof *day.faults);
    assert_non_null(day.faults);
    struct test_random random = {.state = 24};
    for (size_t i = 0; i < day.n_faults; i++) {
        struct kodama_fault *fault = &day.faults[i];
        fault->kind = kinds[i % 4];
        fault->position =
            i * NULL_DAY_FAULT_EVERY_S * rate_hz + test_random_below(&random, rate_hz);
        if (fault->kind == KODAMA_FAULT_DRIFT) {
            fault->drift_ppm = (double)test_random_below(&random, 400) - 200.0;
            continue;
        }
        fault->length_frames = 1 + test_random_below(&random, (uint64_t)rate_hz * 10);
        if (fault->kind == KODAMA_FAULT_BURST) continue;
        day.n_vanished += fault->kind == KODAMA_FAULT_VANISH;
        day.gaps++;
        day.gap_frames += fault->length_frames;
    }
    return day;
}

/** A null source of that day, mono s16, as fast as it is read; the faults are freed. */
static inline struct kodama_source *null_day_open(struct null_day *day, uint32_t rate_hz)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.format = (struct kodama_format){.sample = KODAMA_SAMPLE_S16, .rate_hz = rate_hz};
    config.length_frames = day->length_frames;
    config.faults = day->faults;
    config.n_faults = day->n_faults;
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (kodama_source_open(&source, "null", &config, &error) < 0) fail_msg("%s", error.message);
    free(day->faults);
    day->faults = NULL;
    return source;
}

#endif
