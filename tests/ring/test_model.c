/*
 * Random operations on a ring and on a naive reference side by side: the reference keeps a long
 * plain array of all frames, and says what every call must return, to the frame and to the byte.
 * (Long because every function of the ring has its counterpart here.)
 */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kodama/ring.h>

#define CHECK(actual, expected)                                                         \
    do {                                                                                \
        int64_t check_a = (int64_t)(actual), check_e = (int64_t)(expected);             \
        if (check_a != check_e)                                                         \
            fail_msg("operation %llu, line %d: %s is %lld, expected %lld",              \
                     (unsigned long long)n_done, __LINE__, #actual, (long long)check_a, \
                     (long long)check_e);                                               \
    } while (0)

enum { POOL = 1 << 20, MARKS = 8, VIEW_NONE = 0, VIEW_ACQUIRED, VIEW_CHUNK };

struct reader {
    struct kodama_cursor *cursor; /* NULL: not open */
    bool lossless, interrupted, is_last, has_waitable;
    uint64_t position, lost, untold, watermark, n_chunks;
    int view;
    uint64_t view_frames, view_overlap, view_lost;
    struct kodama_waitable waitable;
};

static struct {
    struct kodama_ring *ring;
    struct kodama_writer writer, stale;
    size_t frame_bytes;
    uint64_t capacity, head, claimed, reserved;
    void *reservation;
    bool closed, live;
    uint8_t *history; /* 4 * capacity frames, as a plain ring of positions */
    struct reader readers[KODAMA_CURSORS_MAX];
    struct kodama_mark marks[100000];
    uint64_t n_marks;
} model;

static struct test_random dice;
static uint64_t n_done;
static uint8_t *pool;  /* random bytes to write */
static uint8_t *taken; /* what was read */
static bool refused;   /* the call answered before it looked at the ring */

static uint64_t below(uint64_t bound)
{
    return test_random_below(&dice, bound);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t some_frames(void)
{
    uint64_t kind = below(100);
    if (kind < 75) return 1 + below(16);
    if (kind < 95) return 1 + below(model.capacity / 8);
    if (kind < 99) return 1 + below(model.capacity);
    return 1 + below(model.capacity * 5 / 2);
}

static uint64_t oldest(void)
{
    uint64_t safe = model.claimed > model.capacity ? model.claimed - model.capacity : 0;
    return least(safe, model.head);
}

static uint64_t room(void)
{
    uint64_t lowest = UINT64_MAX;
    for (int i = 0; i < KODAMA_CURSORS_MAX; i++) {
        const struct reader *reader = &model.readers[i];
        if (reader->cursor && reader->lossless) lowest = least(lowest, reader->position);
    }
    return lowest == UINT64_MAX ? UINT64_MAX : lowest + model.capacity - model.head;
}

/* Copy between the history and plain memory; to history when `into`. */
static void history_copy(uint64_t position, uint8_t *bytes, uint64_t n, bool into)
{
    uint64_t length = 4 * model.capacity;
    while (n > 0) {
        uint64_t at = position % length, part = least(n, length - at);
        uint8_t *place = model.history + at * model.frame_bytes;
        if (into) {
            memcpy(place, bytes, part * model.frame_bytes);
        } else if (memcmp(place, bytes, part * model.frame_bytes) != 0) {
            fail_msg("operation %llu: frames at %llu differ", (unsigned long long)n_done,
                     (unsigned long long)position);
        }
        position += part;
        bytes += part * model.frame_bytes;
        n -= part;
    }
}

static void check_frames(uint64_t position, const void *frames, uint64_t n)
{
    history_copy(position, (uint8_t *)(uintptr_t)frames, n, false);
}

static uint8_t *random_frames(uint64_t n)
{
    return pool + below(POOL - n * model.frame_bytes);
}

static void wrote(uint64_t n)
{
    model.head += n;
    if (model.head > model.claimed) model.claimed = model.head;
}

/* ---------------------------------------------------------------- the writer */

static int64_t expected_write(uint64_t n)
{
    if (!model.writer.ring) return KODAMA_ERR_STATE;
    model.reserved = 0;
    if (model.closed) return KODAMA_ERR_CLOSED;
    if (n == 0) return 0;
    uint64_t fits = least(n, room());
    return fits > 0 ? (int64_t)fits : KODAMA_ERR_FULL;
}

static uint8_t silence_byte;

static void do_write(void)
{
    uint64_t n = below(50) == 0 ? 0 : some_frames();
    uint8_t *frames = random_frames(n);
    bool silent = below(20) == 0;
    int64_t expected = expected_write(n);
    CHECK(kodama_writer_write(&model.writer, silent ? NULL : frames, n, 0), expected);
    if (expected <= 0) return;
    if (silent) {
        memset(taken, silence_byte, (size_t)expected * model.frame_bytes);
        frames = taken;
    }
    history_copy(model.head, frames, (uint64_t)expected, true);
    wrote((uint64_t)expected);
}

static void do_write_batch(void)
{
    struct kodama_span spans[4];
    size_t n_spans = below(5);
    uint64_t total = 0;
    for (size_t i = 0; i < n_spans; i++) {
        spans[i].n_frames = below(4) == 0 ? 0 : some_frames() / 4;
        spans[i].frames = below(10) == 0 ? NULL : random_frames(spans[i].n_frames);
        total += spans[i].n_frames;
    }
    int64_t expected = expected_write(total);
    CHECK(kodama_writer_write_batch(&model.writer, spans, n_spans, 0), expected);
    uint64_t left = expected > 0 ? (uint64_t)expected : 0, position = model.head;
    for (size_t i = 0; i < n_spans && left > 0; i++) {
        uint64_t n = least(left, spans[i].n_frames);
        memset(taken, silence_byte, n * model.frame_bytes);
        if (spans[i].frames) memcpy(taken, spans[i].frames, n * model.frame_bytes);
        history_copy(position, taken, n, true);
        position += n;
        left -= n;
    }
    if (expected > 0) wrote((uint64_t)expected);
}

static void do_reserve(void)
{
    uint64_t n = below(30) == 0 ? 0 : some_frames();
    int64_t expected = (int64_t)n;
    if (!model.writer.ring) {
        expected = KODAMA_ERR_STATE;
    } else if (n == 0 || n > model.capacity) {
        expected = KODAMA_ERR_ARGUMENT;
    } else {
        model.reserved = 0;
        if (model.closed)
            expected = KODAMA_ERR_CLOSED;
        else if (n > room())
            expected = KODAMA_ERR_FULL;
    }
    void *frames;
    CHECK(kodama_writer_reserve(&model.writer, n, &frames), expected);
    CHECK(frames != NULL, expected > 0);
    if (expected <= 0) return;
    model.reserved = n;
    model.reservation = frames;
    if (model.head + n > model.claimed) model.claimed = model.head + n;
}

static void do_commit(void)
{
    uint64_t n = below(4) == 0 ? some_frames() : model.reserved > 0 ? below(model.reserved + 1) : 0;
    int64_t expected = (int64_t)n;
    if (!model.writer.ring)
        expected = KODAMA_ERR_STATE;
    else if (n > model.reserved)
        expected = KODAMA_ERR_ARGUMENT;
    else if (model.closed)
        expected = KODAMA_ERR_CLOSED;
    if (expected > 0) {
        uint8_t *frames = random_frames(n);
        memcpy(model.reservation, frames, n * model.frame_bytes);
        history_copy(model.head, frames, n, true);
    }
    CHECK(kodama_writer_commit(&model.writer, n), expected);
    if (expected >= 0 || expected == KODAMA_ERR_CLOSED) model.reserved = 0;
    if (expected > 0) wrote(n);
}

static void do_hand_over(void)
{
    struct kodama_writer other;
    if (model.writer.ring) {
        CHECK(kodama_writer_claim(&other, model.ring),
              model.closed ? KODAMA_ERR_CLOSED : KODAMA_ERR_BUSY);
        if (below(8) != 0) return;
        model.stale = model.writer;
        kodama_writer_release(&model.writer);
        model.reserved = 0;
        CHECK(kodama_writer_write(&model.stale, pool, 1, 0), KODAMA_ERR_STATE);
    } else {
        CHECK(kodama_writer_claim(&model.writer, model.ring),
              model.closed ? KODAMA_ERR_CLOSED : KODAMA_OK);
        CHECK(kodama_writer_commit(&model.stale, 0), KODAMA_ERR_STATE);
    }
}

static void do_space(void)
{
    uint64_t expected = least(room(), model.capacity);
    if (model.closed || !model.writer.ring) expected = 0;
    CHECK(kodama_writer_space(&model.writer), expected);
}

/* ----------------------------------------------------------------- the marks */

static void do_mark(void)
{
    uint64_t last = model.n_marks > 0 ? model.marks[model.n_marks - 1].position : 0;
    struct kodama_mark mark = {
        .position = below(20) == 0 ? below(last + 2) : least(last + below(50), model.head + 500),
        .length = below(3) == 0 ? 0 : some_frames(),
        .time_ns = test_random_next(&dice),
        .flags = (uint32_t)below(16),
    };
    int status = KODAMA_OK;
    if (!model.writer.ring)
        status = KODAMA_ERR_STATE;
    else if (mark.flags == 0 || mark.position < last)
        status = KODAMA_ERR_ARGUMENT;
    else if (model.closed)
        status = KODAMA_ERR_CLOSED;
    else if (model.n_marks == sizeof model.marks / sizeof model.marks[0])
        return;
    CHECK(kodama_writer_mark(&model.writer, &mark), status);
    if (status == KODAMA_OK) model.marks[model.n_marks++] = mark;
}

static void do_find_marks(void)
{
    struct kodama_mark found[MARKS];
    uint64_t first = model.head + 600 - least(model.head + 600, below(2000)), n = below(400);
    uint64_t kept_from = model.n_marks > MARKS ? model.n_marks - MARKS : 0, n_lost = 99;
    size_t max = below(MARKS + 1);
    int n_expected = 0, n_found = kodama_ring_marks(model.ring, first, n, found, max, &n_lost);
    bool overwritten = false;
    for (uint64_t i = model.n_marks > 300 ? model.n_marks - 300 : 0; i < model.n_marks; i++) {
        const struct kodama_mark *mark = &model.marks[i];
        uint64_t end = mark->position + (mark->length > 0 ? mark->length : 1);
        if (n == 0 || end <= first) continue;
        if (i < kept_from) {
            overwritten = true;
        } else if (mark->position < first + n) {
            if ((size_t)n_expected < max) {
                CHECK(memcmp(&found[n_expected], mark, sizeof *mark), 0);
            }
            n_expected++;
        }
    }
    CHECK(n_found, n_expected);
    CHECK(n_lost, overwritten ? kept_from : 0);
}

/* --------------------------------------------------------------- the readers */

static struct reader *some_reader(void)
{
    for (int i = 0; i < 8; i++) {
        struct reader *reader = &model.readers[below(i < 6 ? 6 : KODAMA_CURSORS_MAX)];
        if (reader->cursor) return reader;
    }
    return NULL;
}

static uint64_t n_open(void)
{
    uint64_t n = 0;
    for (int i = 0; i < KODAMA_CURSORS_MAX; i++) n += model.readers[i].cursor != NULL;
    return n;
}

static void catch_up(struct reader *reader)
{
    uint64_t first = oldest();
    if (reader->lossless || reader->position >= first) return;
    reader->lost += first - reader->position;
    reader->untold += first - reader->position;
    reader->position = first;
}

static uint64_t available(const struct reader *reader)
{
    uint64_t from = reader->position;
    if (!reader->lossless && from < oldest()) from = oldest();
    return model.head - from;
}

static void do_open(void)
{
    struct kodama_cursor_config config = KODAMA_CURSOR_CONFIG_INIT;
    struct reader *reader = NULL;
    for (int i = 0; i < KODAMA_CURSORS_MAX && !reader; i++) {
        if (!model.readers[i].cursor) reader = &model.readers[i];
    }
    config.lossless = below(4) == 0;
    config.start = (enum kodama_start)below(3);
    config.start_position = below(model.head + 100);
    config.watermark_frames = below(3) == 0 ? below(model.capacity * 2) : 0;
    int status = KODAMA_OK;
    if (config.lossless && model.live)
        status = KODAMA_ERR_LIVE;
    else if (!reader)
        status = KODAMA_ERR_LIMIT;
    struct kodama_cursor *cursor;
    CHECK(kodama_cursor_open(&cursor, model.ring, &config), status);
    CHECK(cursor != NULL, status == KODAMA_OK);
    if (status != KODAMA_OK) return;
    *reader = (struct reader){.cursor = cursor, .lossless = config.lossless};
    reader->watermark =
        least(config.watermark_frames ? config.watermark_frames : 1, model.capacity);
    reader->position = model.head;
    if (config.start == KODAMA_START_OLDEST) reader->position = oldest();
    if (config.start == KODAMA_START_AT) {
        uint64_t at = config.start_position;
        reader->position = at < oldest() ? oldest() : least(at, model.head);
    }
}

static void do_open_or_close(void)
{
    uint64_t n = n_open();
    bool crowd = (n_done >> 14) % 8 == 0; /* now and then all 64 */
    if (below(crowd ? 80 : 6) >= n) {
        do_open();
        return;
    }
    struct reader *reader = some_reader();
    if (!reader) return;
    kodama_cursor_close(reader->cursor);
    reader->cursor = NULL;
}

static void check_info(const struct reader *reader, const struct kodama_read *info, uint64_t lost)
{
    CHECK(info->position, reader->position);
    CHECK(info->lost, lost);
}

static bool interrupted(struct reader *reader, int64_t timeout_ns)
{
    if (timeout_ns == 0 || !reader->interrupted) return false;
    reader->interrupted = false;
    return true;
}

static int64_t some_timeout(const struct reader *reader)
{
    return below(reader->interrupted ? 2 : 500) == 0 ? 1 : 0;
}

static int nothing(int64_t timeout_ns)
{
    return model.closed ? KODAMA_ERR_CLOSED : timeout_ns ? KODAMA_ERR_TIMEOUT : KODAMA_ERR_EMPTY;
}

static void do_read(struct reader *reader)
{
    struct kodama_read info;
    uint64_t max = some_frames();
    int64_t timeout = some_timeout(reader);
    bool with_info = below(4) != 0;
    reader->view = VIEW_NONE;
    int64_t expected = KODAMA_ERR_CANCELLED;
    if (!interrupted(reader, timeout)) {
        catch_up(reader);
        expected = (int64_t)least(max, available(reader));
        if (expected == 0) expected = nothing(timeout);
    }
    CHECK(kodama_cursor_read(reader->cursor, taken, max, timeout, with_info ? &info : NULL),
          expected);
    if (expected < 0) return;
    if (with_info) check_info(reader, &info, reader->untold);
    reader->untold = 0;
    check_frames(reader->position, taken, (uint64_t)expected);
    reader->position += (uint64_t)expected;
}

static void do_peek(struct reader *reader)
{
    struct kodama_read info;
    uint64_t max = some_frames();
    bool with_info = below(2) != 0;
    reader->view = VIEW_NONE;
    catch_up(reader);
    int64_t expected = (int64_t)least(max, available(reader));
    if (expected == 0) expected = nothing(0);
    CHECK(kodama_cursor_peek(reader->cursor, taken, max, with_info ? &info : NULL), expected);
    if (expected < 0) return;
    check_frames(reader->position, taken, (uint64_t)expected);
    if (!with_info) return;
    check_info(reader, &info, reader->untold);
    reader->untold = 0;
}

/* Frames of a view of n, or the error; as acquire and chunk have it. */
static int64_t expected_view(struct reader *reader, uint64_t n, int64_t timeout)
{
    reader->view = VIEW_NONE;
    if (interrupted(reader, timeout)) return KODAMA_ERR_CANCELLED;
    /* A loss is noticed only when there is something to look at. */
    if (model.head >= reader->position + n || model.closed || reader->has_waitable) {
        catch_up(reader);
    }
    uint64_t there = available(reader);
    if (there >= n) return (int64_t)n;
    if (model.closed && there > 0) return (int64_t)there;
    return nothing(timeout);
}

static void do_acquire(struct reader *reader)
{
    struct kodama_read info;
    uint64_t n = some_frames();
    int64_t timeout = some_timeout(reader);
    const void *frames;
    int64_t expected = KODAMA_ERR_ARGUMENT;
    if (n <= model.capacity) expected = expected_view(reader, n, timeout);
    refused = expected == KODAMA_ERR_ARGUMENT;
    CHECK(kodama_cursor_acquire(reader->cursor, n, timeout, &frames, &info), expected);
    CHECK(frames != NULL, expected > 0);
    if (expected < 0) return;
    check_info(reader, &info, reader->untold);
    check_frames(reader->position, frames, (uint64_t)expected);
    reader->untold = 0;
    reader->view = VIEW_ACQUIRED;
    reader->view_frames = (uint64_t)expected;
}

static int64_t end_view(struct reader *reader, uint64_t n)
{
    bool lapped = !reader->lossless && reader->position + model.capacity < model.claimed;
    reader->view = VIEW_NONE;
    reader->position += n;
    if (lapped) reader->lost += n;
    return lapped ? KODAMA_ERR_LAPPED : (int64_t)n;
}

static void do_release(struct reader *reader)
{
    uint64_t n = below(reader->view_frames + 2);
    refused = reader->view != VIEW_ACQUIRED || n > reader->view_frames;
    if (reader->view != VIEW_ACQUIRED) {
        CHECK(kodama_cursor_release(reader->cursor, n), KODAMA_ERR_STATE);
    } else if (n > reader->view_frames) {
        CHECK(kodama_cursor_release(reader->cursor, n), KODAMA_ERR_ARGUMENT);
    } else {
        int64_t expected = end_view(reader, n);
        CHECK(kodama_cursor_release(reader->cursor, n), expected);
    }
}

static void do_chunk(struct reader *reader)
{
    struct kodama_chunk chunk;
    uint32_t n = below(30) == 0 ? 0 : (uint32_t)some_frames();
    uint32_t n_overlap = below(3) == 0 ? (uint32_t)below(n + 2) : 0;
    int64_t timeout = some_timeout(reader), expected;
    if (n == 0 || n_overlap > n || (uint64_t)n + n_overlap > model.capacity) {
        expected = KODAMA_ERR_ARGUMENT;
    } else if (reader->view == VIEW_CHUNK) {
        expected = (int64_t)reader->view_frames;
    } else {
        expected = expected_view(reader, n + n_overlap, timeout);
        if (expected > 0) {
            reader->view = VIEW_CHUNK;
            reader->view_frames = least((uint64_t)expected, n);
            reader->view_overlap = (uint64_t)expected - reader->view_frames;
            reader->view_lost = reader->untold;
            reader->is_last = model.closed && reader->position + reader->view_frames == model.head;
            reader->untold = 0;
            reader->n_chunks++;
            expected = (int64_t)reader->view_frames;
        }
    }
    refused = expected == KODAMA_ERR_ARGUMENT;
    CHECK(kodama_cursor_chunk(reader->cursor, n, n_overlap, timeout, &chunk), expected);
    if (expected < 0) return;
    CHECK(chunk.n_frames, reader->view_frames);
    CHECK(chunk.n_overlap, reader->view_overlap);
    CHECK(chunk.position, reader->position);
    CHECK(chunk.lost, reader->view_lost);
    CHECK(chunk.sequence, reader->n_chunks - 1);
    CHECK(chunk.is_last, reader->is_last);
    if (!reader->lossless && reader->position + model.capacity < model.claimed) return; /* void */
    check_frames(chunk.position, chunk.frames, chunk.n_frames + chunk.n_overlap);
}

static void do_advance(struct reader *reader)
{
    int64_t expected =
        reader->view == VIEW_CHUNK ? end_view(reader, reader->view_frames) : KODAMA_ERR_STATE;
    refused = expected == KODAMA_ERR_STATE;
    CHECK(kodama_cursor_advance(reader->cursor), expected);
}

static void do_skip(struct reader *reader)
{
    uint64_t n = below(20) == 0 ? UINT64_MAX : below(4) == 0 ? 0 : some_frames();
    reader->view = VIEW_NONE;
    catch_up(reader);
    uint64_t expected = least(n, available(reader));
    if (n == UINT64_MAX && below(2) == 0) {
        CHECK(kodama_cursor_clear(reader->cursor), expected);
    } else {
        CHECK(kodama_cursor_skip(reader->cursor, n), expected);
    }
    if (expected > 0) reader->untold = 0;
    reader->position += expected;
}

static void do_seek(struct reader *reader)
{
    uint64_t wanted = below(10) == 0 ? below(model.head + 100)
                                     : model.head - least(model.head, below(model.capacity));
    uint64_t position = wanted < oldest() ? oldest() : least(wanted, model.head);
    reader->view = VIEW_NONE;
    catch_up(reader);
    if (position != reader->position) reader->untold = 0;
    reader->position = position;
    CHECK(kodama_cursor_seek(reader->cursor, wanted), position);
}

static void do_ask(struct reader *reader)
{
    const struct kodama_cursor *cursor = reader->cursor;
    uint64_t behind = model.head - reader->position;
    uint64_t unnoticed =
        reader->lossless || reader->position > oldest() ? 0 : oldest() - reader->position;
    CHECK(kodama_cursor_position(cursor), reader->position);
    CHECK(kodama_cursor_available(cursor), available(reader));
    CHECK(kodama_cursor_remaining(cursor), model.capacity - least(behind, model.capacity));
    CHECK(kodama_cursor_is_empty(cursor), available(reader) == 0);
    CHECK(kodama_cursor_is_full(cursor), behind >= model.capacity);
    CHECK(kodama_cursor_lost(cursor), reader->lost + unnoticed);
    CHECK(kodama_cursor_ring(cursor) == model.ring, true);
}

/* The waitable is in line with what there is after every call on the cursor. */
static void after(struct reader *reader)
{
    if (!reader->has_waitable || reader->view != VIEW_NONE || refused) return;
    catch_up(reader);
    if (below(16) != 0) return;
    bool signalled = model.closed || available(reader) >= reader->watermark;
    CHECK(kodama_waitable_wait(reader->waitable, 0), signalled ? KODAMA_OK : KODAMA_ERR_TIMEOUT);
}

static void do_wait(struct reader *reader)
{
    refused = false;
    if (reader->view != VIEW_NONE) return;
    switch (below(4)) {
    case 0:
        reader->watermark = 1 + below(model.capacity);
        kodama_cursor_set_watermark(reader->cursor, reader->watermark);
        break;
    case 1:
        kodama_cursor_interrupt(reader->cursor);
        reader->interrupted = true;
        return; /* signals the waitable until the next call */
    case 2:
        if (reader->has_waitable || below(4) != 0) return;
        CHECK(kodama_cursor_waitable(reader->cursor, &reader->waitable), KODAMA_OK);
        reader->has_waitable = true;
        break;
    default: {
        bool reached = model.head >= reader->position + reader->watermark;
        if (reached || reader->has_waitable) catch_up(reader);
        int expected = KODAMA_ERR_TIMEOUT;
        if (available(reader) >= reader->watermark)
            expected = KODAMA_OK;
        else if (model.closed)
            expected = available(reader) ? KODAMA_OK : KODAMA_ERR_CLOSED;
        CHECK(kodama_cursor_wait(reader->cursor, 0), expected);
    }
    }
    after(reader);
}

static void with_reader(void (*operation)(struct reader *reader))
{
    struct reader *reader = some_reader();
    if (!reader) return;
    refused = false;
    operation(reader);
    if (operation != do_ask && operation != do_wait) after(reader);
}

/* ------------------------------------------------------------------ the lives */

static void do_something(void)
{
    uint64_t what = below(1000);
    if (what < 250)
        do_write();
    else if (what < 300)
        do_write_batch();
    else if (what < 350)
        do_reserve();
    else if (what < 410)
        do_commit();
    else if (what < 420)
        do_hand_over();
    else if (what < 430)
        do_space();
    else if (what < 450)
        do_mark();
    else if (what < 470)
        do_find_marks();
    else if (what < 480)
        do_open_or_close();
    else if (what < 650)
        with_reader(do_read);
    else if (what < 690)
        with_reader(do_peek);
    else if (what < 740)
        with_reader(do_acquire);
    else if (what < 800)
        with_reader(do_release);
    else if (what < 850)
        with_reader(do_chunk);
    else if (what < 900)
        with_reader(do_advance);
    else if (what < 920)
        with_reader(do_skip);
    else if (what < 940)
        with_reader(do_seek);
    else if (what < 985)
        with_reader(do_ask);
    else
        with_reader(do_wait);
    n_done++;
}

static void begin_life(struct kodama_format format, bool live)
{
    struct kodama_ring_config config = KODAMA_RING_CONFIG_INIT;
    config.format = format;
    config.capacity_frames = 1000;
    config.n_marks = MARKS;
    config.live = live;
    memset(&model, 0, offsetof(__typeof__(model), marks));
    model.n_marks = 0;
    assert_int_equal(kodama_ring_create(&model.ring, &config, NULL), KODAMA_OK);
    model.live = live;
    model.frame_bytes = kodama_frame_bytes(format);
    model.capacity = kodama_ring_capacity(model.ring);
    model.history = malloc(4 * model.capacity * model.frame_bytes);
    assert_non_null(model.history);
    silence_byte = format.sample == KODAMA_SAMPLE_U8 ? 0x80 : 0;
    assert_int_equal(kodama_writer_claim(&model.writer, model.ring), KODAMA_OK);
}

static void end_life(void)
{
    struct kodama_ring_stats stats;
    kodama_ring_close(model.ring);
    model.closed = true;
    for (int i = 0; i < 500; i++) do_something();
    kodama_ring_stats(model.ring, &stats);
    CHECK(stats.frames_written, model.head);
    CHECK(stats.marks_written, model.n_marks);
    CHECK(stats.n_cursors, n_open());
    for (int i = 0; i < KODAMA_CURSORS_MAX; i++) {
        if (model.readers[i].cursor) kodama_cursor_close(model.readers[i].cursor);
    }
    kodama_writer_release(&model.writer);
    kodama_ring_destroy(model.ring);
    free(model.history);
}

static void ten_million_random_operations_agree_with_a_naive_reference(void **state)
{
    (void)state;
    static const struct kodama_format formats[] = {
        {KODAMA_SAMPLE_S16, 16000, 1, 0},  {KODAMA_SAMPLE_S24, 48000, 1, 0},
        {KODAMA_SAMPLE_F32, 48000, 2, 0},  {KODAMA_SAMPLE_U8, 8000, 1, 0},
        {KODAMA_SAMPLE_S24, 96000, 7, 0},  {KODAMA_SAMPLE_S16, 44100, 7, 0},
        {KODAMA_SAMPLE_S32, 192000, 8, 0},
    };
    enum { LIFE = 30000 };
    pool = malloc(POOL);
    taken = malloc(POOL);
    assert_non_null(pool);
    assert_non_null(taken);
    dice.state = 20250101;
    for (size_t i = 0; i < POOL; i++) pool[i] = (uint8_t)test_random_next(&dice);
    uint64_t n_wanted = (uint64_t)(1.0e7 * test_scale());
    for (uint64_t life = 0; n_done < n_wanted; life++) {
        dice.state = life;
        begin_life(formats[life % 7], life % 5 == 4);
        for (int i = 0; i < LIFE; i++) do_something();
        end_life();
    }
    printf("# %llu operations\n", (unsigned long long)n_done);
    free(pool);
    free(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_million_random_operations_agree_with_a_naive_reference),
    };
    return cmocka_run_group_tests_name("ring/model", tests, NULL, NULL);
}
