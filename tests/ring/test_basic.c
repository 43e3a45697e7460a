/* Tests of the ring, single-threaded: what goes in comes out, and every misuse has its answer. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/ring.h>

static const struct kodama_format MONO = {KODAMA_SAMPLE_S16, 16000, 1, 0};

static struct kodama_ring *make_ring(bool live)
{
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    struct kodama_ring *ring;
    config.format = MONO;
    config.capacity_frames = 1;
    config.live = live;
    assert_int_equal(kodama_ring_create(&ring, &config, NULL), KODAMA_OK);
    assert_int_equal(kodama_ring_capacity(ring), 2048);
    return ring;
}

static struct kodama_cursor *open_cursor(struct kodama_ring *ring, bool lossless)
{
    struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
    struct kodama_cursor *cursor;
    config.lossless = lossless;
    assert_int_equal(kodama_cursor_open(&cursor, ring, &config), KODAMA_OK);
    return cursor;
}

/* Write frames that say their own position. */
static int64_t write_frames(struct kodama_writer *writer, size_t n)
{
    int16_t *frames = malloc((n ? n : 1) * sizeof *frames);
    assert_non_null(frames);
    uint64_t position = kodama_ring_position(writer->ring);
    for (size_t i = 0; i < n; i++) frames[i] = (int16_t)(position + i);
    int64_t result = kodama_writer_write(writer, frames, n, 0);
    free(frames);
    return result;
}

static void assert_frames(const int16_t *frames, uint64_t position, size_t n)
{
    for (size_t i = 0; i < n; i++) assert_int_equal(frames[i], (int16_t)(position + i));
}

static void what_is_written_is_read_by_every_cursor(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_cursor *lossy = open_cursor(ring, false), *lossless = open_cursor(ring, true);
    struct kodama_writer writer;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    for (int round = 0; round < 100; round++) {
        int16_t frames[300];
        struct kodama_read info;
        assert_int_equal(write_frames(&writer, 300), 300);
        assert_int_equal(kodama_cursor_read(lossy, frames, 300, 0, &info), 300);
        assert_int_equal(info.position, 300 * round);
        assert_int_equal(info.lost, 0);
        assert_frames(frames, info.position, 300);
        assert_int_equal(kodama_cursor_read(lossless, frames, 300, 0, &info), 300);
        assert_frames(frames, info.position, 300);
        assert_int_equal(kodama_cursor_read(lossless, frames, 300, 0, &info), KODAMA_ERR_EMPTY);
    }
    kodama_writer_release(&writer);
    kodama_cursor_close(lossy);
    kodama_cursor_close(lossless);
    kodama_ring_destroy(ring);
}

static void lapped_reader_is_told_how_much_it_lost(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_cursor *cursor = open_cursor(ring, false);
    struct kodama_writer writer;
    int16_t frames[4096];
    struct kodama_read info;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(write_frames(&writer, 2000), 2000);
    assert_int_equal(write_frames(&writer, 100), 100);
    assert_int_equal(kodama_cursor_lost(cursor), 52);
    assert_int_equal(kodama_cursor_available(cursor), 2048);
    assert_int_equal(kodama_cursor_read(cursor, frames, 4096, 0, &info), 2048);
    assert_int_equal(info.position, 52);
    assert_int_equal(info.lost, 52);
    assert_frames(frames, 52, 2048);
    kodama_cursor_close(cursor);
    kodama_writer_release(&writer);
    kodama_ring_destroy(ring);
}

static void a_lossless_cursor_holds_the_writer_back(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_cursor *cursor = open_cursor(ring, true);
    struct kodama_writer writer;
    int16_t frames[100];
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(write_frames(&writer, 2000), 2000);
    assert_int_equal(write_frames(&writer, 100), 48);
    assert_true(kodama_cursor_is_full(cursor));
    assert_int_equal(write_frames(&writer, 100), KODAMA_ERR_FULL);
    assert_int_equal(kodama_writer_write(&writer, frames, 1, 1000000), KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_cursor_read(cursor, frames, 10, 0, NULL), 10);
    assert_int_equal(write_frames(&writer, 100), 10);
    kodama_cursor_close(cursor);
    assert_int_equal(write_frames(&writer, 5000), 5000);
    kodama_writer_release(&writer);
    kodama_ring_destroy(ring);
}

static void after_close_readers_drain_and_then_see_the_end(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_cursor *cursor = open_cursor(ring, true);
    struct kodama_writer writer;
    int16_t frames[100];
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(write_frames(&writer, 150), 150);
    kodama_ring_close(ring);
    kodama_ring_close(ring);
    assert_true(kodama_ring_is_closed(ring));
    assert_int_equal(write_frames(&writer, 1), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_cursor_read(cursor, frames, 100, KODAMA_FOREVER, NULL), 100);
    assert_int_equal(kodama_cursor_read(cursor, frames, 100, KODAMA_FOREVER, NULL), 50);
    assert_int_equal(kodama_cursor_read(cursor, frames, 100, KODAMA_FOREVER, NULL),
                     KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_cursor_read(cursor, frames, 100, 0, NULL), KODAMA_ERR_CLOSED);
    kodama_cursor_close(cursor);
    kodama_writer_release(&writer);
    kodama_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_by_every_cursor),
        cmocka_unit_test(lapped_reader_is_told_how_much_it_lost),
        cmocka_unit_test(a_lossless_cursor_holds_the_writer_back),
        cmocka_unit_test(after_close_readers_drain_and_then_see_the_end),
    };
    return cmocka_run_group_tests_name("ring/basic", tests, NULL, NULL);
}
