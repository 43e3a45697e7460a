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

/* ------------------------------------------------------------- defined answers */

static void a_write_larger_than_the_capacity_keeps_its_end(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_cursor *cursor = open_cursor(ring, false);
    struct kodama_writer writer;
    int16_t frames[2048];
    struct kodama_read info;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(write_frames(&writer, 10000), 10000);
    assert_int_equal(kodama_ring_position(ring), 10000);
    assert_int_equal(kodama_ring_oldest(ring), 10000 - 2048);
    assert_int_equal(kodama_cursor_read(cursor, frames, 2048, 0, &info), 2048);
    assert_int_equal(info.position, 10000 - 2048);
    assert_int_equal(info.lost, 10000 - 2048);
    assert_frames(frames, info.position, 2048);
    kodama_cursor_close(cursor);
    kodama_writer_release(&writer);
    kodama_ring_destroy(ring);
}

static void a_chunk_of_no_frames_or_with_too_much_overlap_is_refused(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_cursor *cursor = open_cursor(ring, false);
    struct kodama_chunk chunk;
    assert_int_equal(kodama_cursor_chunk(cursor, 0, 0, 0, &chunk), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_cursor_chunk(cursor, 10, 11, 0, &chunk), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_cursor_chunk(cursor, 1500, 600, 0, &chunk), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_cursor_chunk(cursor, 10, 10, 0, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_cursor_chunk(cursor, 10, 10, 0, &chunk), KODAMA_ERR_EMPTY);
    assert_int_equal(kodama_cursor_chunk(cursor, 10, 10, 1000, &chunk), KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_cursor_advance(cursor), KODAMA_ERR_STATE);
    kodama_cursor_close(cursor);
    kodama_ring_destroy(ring);
}

static void chunks_overlap_forward_and_the_last_one_is_shorter(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_cursor *cursor = open_cursor(ring, false);
    struct kodama_writer writer;
    struct kodama_chunk chunk;
    static const struct {
        uint32_t frames, overlap;
        bool is_last;
    } expected[] = {{10, 4, false}, {10, 4, false}, {10, 2, false}, {2, 0, true}};
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(write_frames(&writer, 32), 32);
    kodama_ring_close(ring);
    for (uint64_t i = 0; i < 4; i++) {
        for (int again = 0; again < 2; again++) {
            assert_int_equal(kodama_cursor_chunk(cursor, 10, 4, KODAMA_FOREVER, &chunk),
                             expected[i].frames);
            assert_int_equal(chunk.sequence, i);
            assert_int_equal(chunk.position, 10 * i);
            assert_int_equal(chunk.n_overlap, expected[i].overlap);
            assert_int_equal(chunk.is_last, expected[i].is_last);
            assert_frames(chunk.frames, 10 * i, chunk.n_frames + chunk.n_overlap);
        }
        assert_int_equal(kodama_cursor_advance(cursor), expected[i].frames);
    }
    assert_int_equal(kodama_cursor_chunk(cursor, 10, 4, KODAMA_FOREVER, &chunk), KODAMA_ERR_CLOSED);
    kodama_cursor_close(cursor);
    kodama_writer_release(&writer);
    kodama_ring_destroy(ring);
}

static void a_second_writer_is_told_that_the_ring_is_busy(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_writer first, second;
    assert_int_equal(kodama_writer_claim(&first, ring), KODAMA_OK);
    assert_int_equal(kodama_writer_claim(&second, ring), KODAMA_ERR_BUSY);
    assert_int_equal(write_frames(&first, 1), 1);
    assert_int_equal(kodama_writer_write(&second, NULL, 1, 0), KODAMA_ERR_STATE);
    kodama_writer_release(&second);
    kodama_writer_release(&first);
    assert_int_equal(kodama_writer_claim(&second, ring), KODAMA_OK);
    kodama_writer_release(&second);
    kodama_ring_destroy(ring);
}

static void a_released_writer_can_do_nothing(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_writer writer, copy;
    struct kodama_mark mark = {.flags = KODAMA_MARK_TIME};
    void *place;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    copy = writer;
    kodama_writer_release(&writer);
    kodama_writer_release(&writer);
    struct kodama_writer *stale[] = {&writer, &copy};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kodama_writer_write(stale[i], NULL, 1, 0), KODAMA_ERR_STATE);
        assert_int_equal(kodama_writer_write_batch(stale[i], NULL, 0, 0), KODAMA_ERR_STATE);
        assert_int_equal(kodama_writer_reserve(stale[i], 1, &place), KODAMA_ERR_STATE);
        assert_int_equal(kodama_writer_commit(stale[i], 0), KODAMA_ERR_STATE);
        assert_int_equal(kodama_writer_mark(stale[i], &mark), KODAMA_ERR_STATE);
        assert_int_equal(kodama_writer_space(stale[i]), 0);
    }
    kodama_ring_destroy(ring);
}

static void every_use_after_close_has_its_answer(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_writer writer, other;
    struct kodama_cursor *cursor;
    struct kodama_mark mark = {.flags = KODAMA_MARK_TIME};
    void *place;
    const void *view;
    int16_t frame;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(kodama_writer_reserve(&writer, 5, &place), 5);
    kodama_ring_close(ring);
    assert_int_equal(kodama_writer_commit(&writer, 5), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_writer_write(&writer, NULL, 0, 0), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_writer_reserve(&writer, 5, &place), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_writer_mark(&writer, &mark), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_writer_claim(&other, ring), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_cursor_open(&cursor, ring, NULL), KODAMA_OK);
    assert_int_equal(kodama_cursor_read(cursor, &frame, 1, 0, NULL), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_cursor_peek(cursor, &frame, 1, NULL), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_cursor_acquire(cursor, 1, 0, &view, NULL), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_cursor_wait(cursor, KODAMA_FOREVER), KODAMA_ERR_CLOSED);
    assert_int_equal(kodama_cursor_clear(cursor), 0);
    kodama_cursor_close(cursor);
    kodama_writer_release(&writer);
    kodama_ring_destroy(ring);
}

static void a_live_ring_refuses_lossless_cursors(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(true);
    struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
    struct kodama_cursor *cursor;
    config.lossless = true;
    assert_int_equal(kodama_cursor_open(&cursor, ring, &config), KODAMA_ERR_LIVE);
    assert_null(cursor);
    kodama_ring_destroy(ring);
}

static void the_65th_cursor_is_refused_until_another_is_closed(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_cursor *cursors[KODAMA_CURSORS_MAX], *one_more;
    for (int i = 0; i < KODAMA_CURSORS_MAX; i++) cursors[i] = open_cursor(ring, i % 2);
    assert_int_equal(kodama_cursor_open(&one_more, ring, NULL), KODAMA_ERR_LIMIT);
    assert_null(one_more);
    kodama_cursor_close(cursors[40]);
    assert_int_equal(kodama_cursor_open(&one_more, ring, NULL), KODAMA_OK);
    cursors[40] = one_more;
    for (int i = 0; i < KODAMA_CURSORS_MAX; i++) kodama_cursor_close(cursors[i]);
    kodama_cursor_close(NULL);
    kodama_ring_destroy(ring);
    kodama_ring_destroy(NULL);
}

static void an_overwritten_view_is_void_and_counted(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_cursor *cursor = open_cursor(ring, false);
    struct kodama_writer writer;
    const void *view;
    struct kodama_read info;
    void *place;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(write_frames(&writer, 2048), 2048);
    assert_int_equal(kodama_cursor_acquire(cursor, 100, 0, &view, &info), 100);
    assert_int_equal(kodama_cursor_release(cursor, 101), KODAMA_ERR_ARGUMENT);
    /* A reservation is enough: the writer may be filling it now. */
    assert_int_equal(kodama_writer_reserve(&writer, 1, &place), 1);
    assert_int_equal(kodama_cursor_release(cursor, 100), KODAMA_ERR_LAPPED);
    assert_int_equal(kodama_cursor_lost(cursor), 100);
    assert_int_equal(kodama_cursor_position(cursor), 100);
    assert_int_equal(kodama_cursor_release(cursor, 0), KODAMA_ERR_STATE);
    kodama_cursor_close(cursor);
    kodama_writer_release(&writer);
    kodama_ring_destroy(ring);
}

static void silence_is_128_in_unsigned_bytes_and_0_elsewhere(void **state)
{
    (void)state;
    for (int i = KODAMA_SAMPLE_U8; i <= KODAMA_SAMPLE_F32; i++) {
        struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
        struct kodama_ring *ring;
        struct kodama_writer writer;
        struct kodama_cursor *cursor;
        uint8_t frames[40];
        config.format = (struct kodama_format){(enum kodama_sample)i, 8000, 1, 0};
        assert_int_equal(kodama_ring_create(&ring, &config, NULL), KODAMA_OK);
        assert_true(kodama_ring_capacity(ring) >= 16000);
        cursor = open_cursor(ring, true);
        assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
        assert_int_equal(kodama_writer_write(&writer, NULL, 10, 0), 10);
        assert_int_equal(kodama_cursor_read(cursor, frames, 10, 0, NULL), 10);
        for (size_t b = 0; b < 10 * kodama_frame_bytes(config.format); b++) {
            assert_int_equal(frames[b], i == KODAMA_SAMPLE_U8 ? 128 : 0);
        }
        kodama_cursor_close(cursor);
        kodama_writer_release(&writer);
        kodama_ring_destroy(ring);
    }
}

static void a_ring_that_cannot_be_is_refused_in_words(void **state)
{
    (void)state;
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    struct kodama_ring *ring;
    struct kodama_error error;
    config.format = MONO;
    config.capacity_frames = UINT64_C(1) << 40;
    assert_int_equal(kodama_ring_create(&ring, &config, &error), KODAMA_ERR_LIMIT);
    assert_non_null(strstr(error.message, "4 GiB"));
    config.capacity_frames = 0;
    config.capacity_seconds = -1.0;
    assert_int_equal(kodama_ring_create(&ring, &config, &error), KODAMA_ERR_ARGUMENT);
    config.capacity_seconds = (double)INFINITY;
    assert_int_equal(kodama_ring_create(&ring, &config, NULL), KODAMA_ERR_LIMIT);
    config.capacity_seconds = (double)NAN;
    assert_int_equal(kodama_ring_create(&ring, &config, NULL), KODAMA_ERR_ARGUMENT);
    config.capacity_seconds = 0.5;
    config.format.channels = 9;
    assert_int_equal(kodama_ring_create(&ring, &config, &error), KODAMA_ERR_FORMAT);
    config.format = MONO;
    config.n_marks = UINT32_MAX;
    assert_int_equal(kodama_ring_create(&ring, &config, NULL), KODAMA_ERR_LIMIT);
    config.size = 0;
    assert_int_equal(kodama_ring_create(&ring, &config, NULL), KODAMA_ERR_ARGUMENT);
    assert_null(ring);
    assert_int_equal(kodama_ring_create(&ring, NULL, NULL), KODAMA_ERR_ARGUMENT);
}

static void capacity_in_seconds_is_rounded_up_to_pages_and_frames(void **state)
{
    (void)state;
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    struct kodama_ring *ring;
    struct kodama_ring_stats stats;
    config.format = (struct kodama_format){KODAMA_SAMPLE_S24, 44100, 7, 0};
    config.capacity_seconds = 1.5;
    config.prefault = true;
    assert_int_equal(kodama_ring_create(&ring, &config, NULL), KODAMA_OK);
    kodama_ring_stats(ring, &stats);
    assert_true(stats.capacity_frames >= 66150);
    assert_int_equal(stats.capacity_bytes, stats.capacity_frames * 21);
    assert_int_equal(stats.capacity_bytes % 4096, 0);
    assert_int_equal(kodama_ring_format(ring).channels, 7);
    kodama_ring_destroy(ring);
}

static void an_interrupt_ends_the_next_wait_once(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(false);
    struct kodama_cursor *cursor = open_cursor(ring, false);
    int16_t frame;
    kodama_cursor_interrupt(cursor);
    assert_int_equal(kodama_cursor_read(cursor, &frame, 1, 0, NULL), KODAMA_ERR_EMPTY);
    assert_int_equal(kodama_cursor_read(cursor, &frame, 1, KODAMA_FOREVER, NULL),
                     KODAMA_ERR_CANCELLED);
    assert_int_equal(kodama_cursor_read(cursor, &frame, 1, 1000, NULL), KODAMA_ERR_TIMEOUT);
    kodama_cursor_close(cursor);
    kodama_ring_destroy(ring);
}

static void marks_are_found_by_the_frames_that_they_touch(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(true);
    struct kodama_writer writer;
    struct kodama_mark found[4];
    struct kodama_ring_stats stats;
    const struct kodama_mark gap = {.position = 10, .length = 20, .flags = KODAMA_MARK_GAP};
    const struct kodama_mark time = {.position = 15, .time_ns = 7, .flags = KODAMA_MARK_TIME};
    const struct kodama_mark early = {.position = 14, .flags = KODAMA_MARK_TIME};
    const struct kodama_mark empty = {.position = 20};
    uint64_t n_lost;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    assert_int_equal(kodama_writer_mark(&writer, &gap), KODAMA_OK);
    assert_int_equal(kodama_writer_mark(&writer, &time), KODAMA_OK);
    assert_int_equal(kodama_writer_mark(&writer, &early), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_writer_mark(&writer, &empty), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_ring_marks(ring, 0, 10, found, 4, &n_lost), 0);
    assert_int_equal(kodama_ring_marks(ring, 0, 11, found, 4, &n_lost), 1);
    assert_int_equal(kodama_ring_marks(ring, 15, 1, found, 4, &n_lost), 2);
    assert_memory_equal(&found[0], &gap, sizeof gap);
    assert_memory_equal(&found[1], &time, sizeof time);
    assert_int_equal(kodama_ring_marks(ring, 29, 100, found, 4, &n_lost), 1);
    assert_int_equal(kodama_ring_marks(ring, 30, 100, found, 4, &n_lost), 0);
    assert_int_equal(kodama_ring_marks(ring, 15, 1, NULL, 0, NULL), 2);
    assert_int_equal(n_lost, 0);
    kodama_ring_stats(ring, &stats);
    assert_int_equal(stats.gap_frames, 20);
    assert_int_equal(stats.marks_written, 2);
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
        cmocka_unit_test(a_write_larger_than_the_capacity_keeps_its_end),
        cmocka_unit_test(a_chunk_of_no_frames_or_with_too_much_overlap_is_refused),
        cmocka_unit_test(chunks_overlap_forward_and_the_last_one_is_shorter),
        cmocka_unit_test(a_second_writer_is_told_that_the_ring_is_busy),
        cmocka_unit_test(a_released_writer_can_do_nothing),
        cmocka_unit_test(every_use_after_close_has_its_answer),
        cmocka_unit_test(a_live_ring_refuses_lossless_cursors),
        cmocka_unit_test(the_65th_cursor_is_refused_until_another_is_closed),
        cmocka_unit_test(an_overwritten_view_is_void_and_counted),
        cmocka_unit_test(silence_is_128_in_unsigned_bytes_and_0_elsewhere),
        cmocka_unit_test(a_ring_that_cannot_be_is_refused_in_words),
        cmocka_unit_test(capacity_in_seconds_is_rounded_up_to_pages_and_frames),
        cmocka_unit_test(an_interrupt_ends_the_next_wait_once),
        cmocka_unit_test(marks_are_found_by_the_frames_that_they_touch),
    };
    return cmocka_run_group_tests_name("ring/basic", tests, NULL, NULL);
}
