/*
 * For tests of captures on real daemons: a source that runs into a deep ring, everything that it
 * heard, and the one claim that holds on every machine: what was received and what was reported as
 * a gap is all there is.
 */
#ifndef TESTS_CAPTURE_LIVE_H
#define TESTS_CAPTURE_LIVE_H

#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include <kodama/device.h>
#include <kodama/stream.h>

#include "base/clock.h"
#include "support/daemon.h"
#include "support/sound.h"

enum { LIVE_RATE = 48000, LIVE_MARKS_MAX = 16384, LIVE_CYCLE_MAX = 8192 };

/* Longer than any stall; never waited for when all is well. */
#define LIVE_PATIENCE_S 15.0

struct live {
    struct kodama_stream *stream;
    /* After live_stop(). */
    float *frames; /* stereo */
    size_t n_frames;
    bool *is_gap; /* of each frame */
    struct kodama_stream_stats stats;
    struct kodama_mark *marks;
    size_t n_marks;
};

static inline void live_sleep(double seconds)
{
    clock_sleep_until(clock_now_ns() + (uint64_t)(seconds * 1e9));
}

static inline void live_start_source(struct live *live, struct kodama_source *source)
{
    *live = (struct live){0};
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = 30.0;
    struct kodama_error error = {0};
    if (kodama_stream_open(&live->stream, source, &config, &error) < 0 ||
        kodama_stream_start(live->stream, &error) < 0) {
        fail_msg("%s", error.message);
    }
}

static inline void live_start(struct live *live, const char *name,
                              const struct kodama_source_config *config)
{
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (kodama_source_open(&source, name, config, &error) < 0) fail_msg("%s", error.message);
    assert_true(kodama_source_is_live(source));
    live_start_source(live, source);
}

/* An application by a part of its name, which need not be there yet. */
static inline void live_start_app(struct live *live, const char *name)
{
    struct kodama_app_match match = {.name = name};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.apps = &match;
    config.n_apps = 1;
    config.wait = true;
    live_start(live, "app", &config);
}

static inline struct kodama_source_stats live_stats(const struct live *live)
{
    struct kodama_stream_stats stats;
    kodama_stream_stats(live->stream, &stats);
    return stats.source;
}

/* Frames that were received, not filled in. */
static inline uint64_t live_received(const struct live *live)
{
    struct kodama_source_stats stats = live_stats(live);
    return stats.frames - stats.gap_frames;
}

/* Wait until so many more seconds were received than `before`. */
static inline void live_receive(const struct live *live, uint64_t before, double seconds)
{
    uint64_t wanted = before + (uint64_t)(seconds * LIVE_RATE);
    uint64_t end = clock_now_ns() + (uint64_t)(LIVE_PATIENCE_S * 1e9);
    while (live_received(live) < wanted) {
        if (clock_now_ns() > end) {
            fail_msg("only %llu of %llu frames came", (unsigned long long)live_received(live),
                     (unsigned long long)wanted);
        }
        live_sleep(0.01);
    }
}

/* Wait until the target is there, or not. */
static inline void live_await_presence(const struct live *live, bool present)
{
    uint64_t end = clock_now_ns() + (uint64_t)(LIVE_PATIENCE_S * 1e9);
    while (live_stats(live).present != present) {
        if (clock_now_ns() > end) fail_msg("the target did not %s", present ? "come" : "go");
        live_sleep(0.005);
    }
}

/* Stop and take everything that was heard. */
static inline void live_stop(struct live *live)
{
    kodama_stream_stop(live->stream);
    kodama_stream_stats(live->stream, &live->stats);
    struct kodama_ring *ring = kodama_stream_ring(live->stream);
    assert_int_equal(kodama_stream_format(live->stream).channels, 2);
    size_t n = (size_t)kodama_ring_position(ring);
    live->frames = calloc(n + 1, 2 * sizeof(float));
    live->is_gap = calloc(n + 1, sizeof(bool));
    live->marks = calloc(LIVE_MARKS_MAX, sizeof *live->marks);
    assert_true(live->frames && live->is_gap && live->marks);
    struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
    config.start = KODAMA_START_OLDEST;
    struct kodama_cursor *cursor;
    assert_int_equal(kodama_cursor_open(&cursor, ring, &config), KODAMA_OK);
    int64_t got = 1;
    while (live->n_frames < n && got > 0) {
        got = kodama_cursor_read(cursor, live->frames + 2 * live->n_frames, n - live->n_frames, 0,
                                 NULL);
        if (got > 0) live->n_frames += (size_t)got;
    }
    assert_int_equal(live->n_frames, n);
    kodama_cursor_close(cursor);
    int found = kodama_ring_marks(ring, 0, n, live->marks, LIVE_MARKS_MAX, NULL);
    assert_in_range(found, 0, LIVE_MARKS_MAX);
    live->n_marks = (size_t)found;
    uint64_t in_gaps = 0;
    for (size_t i = 0; i < live->n_marks; i++) {
        if (!(live->marks[i].flags & KODAMA_MARK_GAP)) continue;
        in_gaps += live->marks[i].length;
        for (uint64_t k = 0; k < live->marks[i].length; k++) {
            uint64_t at = live->marks[i].position + k;
            assert_true(at < n && !live->is_gap[at]); /* no frame is missing twice */
            assert_true(live->frames[2 * at] == 0.0F && live->frames[2 * at + 1] == 0.0F);
            live->is_gap[at] = true;
        }
    }
    /* received + gaps = expected */
    assert_int_equal(live->stats.source.frames, n);
    assert_int_equal(live->stats.source.gap_frames, in_gaps);
}

static inline void live_free(struct live *live)
{
    kodama_stream_close(live->stream);
    free(live->frames);
    free(live->is_gap);
    free(live->marks);
}

/* Frames of silence in [from, to) that no gap tells of. */
static inline size_t live_untold_silence(const struct live *live, size_t from, size_t to)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++) {
        n += live->frames[2 * i] == 0.0F && live->frames[2 * i + 1] == 0.0F && !live->is_gap[i];
    }
    return n;
}

/* Frames of gaps in [from, to). */
static inline size_t live_gap_frames(const struct live *live, size_t from, size_t to)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++) n += live->is_gap[i];
    return n;
}

/* Whether a window holds sound all along: no gap, no late application, no edge of either. */
static inline bool live_is_clean(const struct live *live, size_t at, size_t n)
{
    for (size_t i = at; i < at + n; i++) {
        if (live->is_gap[i]) return false;
        if (live->frames[2 * i] == 0.0F && live->frames[2 * i + 1] == 0.0F) return false;
    }
    return true;
}

/* Level of a tone in [from, to): of the clean window of 250 ms where it is loudest, or softest. A
 * machine that stalls spoils some of them, not all. */
static inline double live_level(const struct live *live, size_t from, size_t to,
                                double frequency_hz, bool loudest)
{
    size_t window = LIVE_RATE / 4, n = 0;
    double found = 0.0;
    for (size_t at = from; at + window <= to; at += window / 4) {
        if (!live_is_clean(live, at, window)) continue;
        double level = sound_level(live->frames + 2 * at, window, frequency_hz);
        if (n == 0 || (level > found) == loudest) found = level;
        n++;
    }
    print_message("# %g Hz: %.1f dBFS in %zu windows\n", frequency_hz, found, n);
    assert_true(n > 0);
    return found;
}

/*
 * What was heard is the sound, bit for bit and in order, with silence only in gaps that were
 * reported, and what the sound lost (when the application could not deliver) no more than the gaps.
 * PipeWire links one channel after the other: a stalled machine runs a cycle in between, at most.
 */
static inline struct sound_report live_compare(const struct live *live, const struct sound *sound)
{
    struct sound_report report = sound_compare(sound, live->frames, live->n_frames);
    assert_int_equal(report.foreign, 0);
    assert_in_range(report.half, 0, LIVE_CYCLE_MAX);
    assert_int_equal(report.backwards, 0);
    return report;
}

/* The sound begins with its first frame; or, where a machine that stalls was late to link it, what
 * is missing of its beginning is a reported gap. */
static inline void live_assert_onset(const struct live *live, size_t at, int64_t from)
{
    size_t missing = (size_t)from < at ? (size_t)from : at;
    if (from > 0) print_message("# %lld frames of the onset are missing\n", (long long)from);
    assert_int_equal(live_gap_frames(live, at - missing, at), missing);
}

/* How often the sound begins anew; at most `max` places are noted. */
static inline size_t live_onsets(const struct live *live, const struct sound *sound, size_t *places,
                                 size_t max)
{
    size_t n_runs, n = 0;
    struct sound_run *runs = sound_runs(sound, live->frames, live->n_frames, &n_runs);
    int64_t end = INT64_MAX;
    for (size_t i = 0; i < n_runs; i++) {
        assert_int_not_equal(runs[i].from, SOUND_FOREIGN);
        if (runs[i].from < 0) continue;
        if (runs[i].from < end) {
            live_assert_onset(live, runs[i].at, runs[i].from);
            if (n < max) places[n] = runs[i].at;
            n++;
        }
        end = runs[i].from + (int64_t)runs[i].n;
    }
    free(runs);
    return n;
}

#endif
