/* For tests of sources: run one into a ring and collect everything that comes. */
#ifndef TESTS_CAPTURE_COLLECT_H
#define TESTS_CAPTURE_COLLECT_H

#include "support/support.h"

#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "capture/source.h"

/* A running source with its ring, a lossless cursor, and how it ended. */
struct collect {
    struct kodama_source *source;
    struct kodama_ring *ring;
    struct kodama_cursor *cursor;
    _Atomic bool ended;
    int status;
    struct kodama_error error;
};

static inline void collect_on_end(void *user, int status, const struct kodama_error *error)
{
    struct collect *collect = user;
    assert_false(atomic_load(&collect->ended)); /* once */
    collect->status = status;
    if (error) collect->error = *error;
    atomic_store(&collect->ended, true);
    kodama_ring_close(collect->ring);
}

static inline void collect_start(struct collect *collect, struct kodama_source *source,
                                 double seconds)
{
    *collect = (struct collect){.source = source};
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    config.format = kodama_source_format(source);
    config.capacity_seconds = seconds;
    assert_int_equal(kodama_ring_create(&collect->ring, &config, NULL), KODAMA_OK);
    struct kodama_cursor_config cursor = KODAMA_CURSOR_CONFIG_INIT;
    cursor.lossless = true;
    assert_int_equal(kodama_cursor_open(&collect->cursor, collect->ring, &cursor), KODAMA_OK);
    struct kodama_error error = {0};
    int status = source_start(source, collect->ring, collect_on_end, collect, &error);
    if (status < 0) fail_msg("%s", error.message);
}

/* Everything until the end; the caller frees it. */
static inline uint8_t *collect_all(struct collect *collect, size_t *n_frames)
{
    size_t frame_bytes = kodama_frame_bytes(kodama_source_format(collect->source));
    size_t n = 0, room = 1 << 16;
    uint8_t *frames = malloc(room * frame_bytes);
    assert_non_null(frames);
    for (;;) {
        if (room - n < 4096) {
            room *= 2;
            frames = realloc(frames, room * frame_bytes);
            assert_non_null(frames);
        }
        struct kodama_read info;
        int64_t got = kodama_cursor_read(collect->cursor, frames + n * frame_bytes, 4096,
                                         KODAMA_FOREVER, &info);
        if (got < 0) {
            assert_int_equal(got, KODAMA_ERR_CLOSED);
            break;
        }
        assert_true(info.position == n && info.lost == 0);
        n += (size_t)got;
    }
    *n_frames = n;
    return frames;
}

static inline void collect_end(struct collect *collect)
{
    kodama_ring_close(collect->ring);
    source_stop(collect->source);
    kodama_cursor_close(collect->cursor);
    kodama_ring_destroy(collect->ring);
    kodama_source_close(collect->source);
}

/* A file of random s16 samples, which are kept in `samples` too. */
static inline const char *collect_write(const char *suffix, int format, int rate, int channels,
                                        short *samples, size_t n_frames, uint64_t seed)
{
    const char *path = test_scratch(suffix);
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    if (!file) fail_msg("cannot write %s: %s", path, sf_strerror(NULL));
    struct test_random random = {.state = seed};
    for (size_t i = 0; i < n_frames * (size_t)channels; i++) {
        samples[i] = (short)(uint16_t)test_random_next(&random);
    }
    assert_int_equal(sf_writef_short(file, samples, (sf_count_t)n_frames), n_frames);
    sf_close(file);
    return path;
}

#endif
