/* Tests of src/base: status codes, errors in words, parking, mirrored memory, waitables, records.
 */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/mirror.h"
#include "base/park.h"
#include "base/record.h"
#include "base/thread.h"
#include "base/waitable.h"

static void every_status_has_a_name_and_words(void **state)
{
    (void)state;
#define CHECK(name, value, text)                           \
    assert_string_equal(kodama_status_name(value), #name); \
    assert_string_equal(kodama_strerror(value), text);
    KODAMA_STATUS_LIST(CHECK)
#undef CHECK
    assert_string_equal(kodama_strerror(17), "success");
    assert_string_equal(kodama_status_name(17), "KODAMA_OK");
    assert_string_equal(kodama_strerror(-9999), "unknown status");
    assert_string_equal(kodama_status_name(-9999), "KODAMA_ERR_UNKNOWN");
    assert_string_equal(kodama_version(), KODAMA_VERSION);
}

static void an_error_is_one_line_and_is_cut_to_its_room(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    assert_int_equal(error_set(&error, KODAMA_ERR_IO, "cannot open %s", "a\nb\x1b[31m"),
                     KODAMA_ERR_IO);
    assert_string_equal(error.message, "cannot open a b [31m");
    assert_int_equal(error_prefix(&error, KODAMA_ERR_IO, "listen"), KODAMA_ERR_IO);
    assert_string_equal(error.message, "listen: cannot open a b [31m");
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    error_set(&error, KODAMA_ERR_IO, "%s", longer);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    assert_int_equal(error_set(NULL, KODAMA_ERR_IO, "nobody reads this"), KODAMA_ERR_IO);
}

static void mirrored_memory_shows_each_byte_twice(void **state)
{
    (void)state;
    size_t n = 3 * mirror_granularity();
    uint8_t *base;
    assert_int_equal(mirror_map(&base, n, true, NULL), KODAMA_OK);
    for (size_t i = 0; i < n; i++) base[i] = (uint8_t)(i * 7);
    assert_memory_equal(base, base + n, n);
    base[n + 5] = 99;
    assert_int_equal(base[5], 99);
    mirror_unmap(base, n);
    mirror_unmap(NULL, n);
}

static void mapping_too_much_is_an_error_in_words(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    uint8_t *base;
    assert_true(mirror_map(&base, (size_t)1 << 60, false, &error) < 0);
    assert_null(base);
    assert_non_null(strstr(error.message, "ring memory"));
}

struct parked {
    _Atomic uint32_t word;
    _Atomic uint32_t woken;
};

static void sleep_on_word(void *argument)
{
    struct parked *parked = argument;
    while (atomic_load(&parked->word) == 0) park_wait(&parked->word, 0, CLOCK_NEVER);
    atomic_fetch_add(&parked->woken, 1);
}

static void a_parked_thread_wakes_when_the_word_changes(void **state)
{
    (void)state;
    struct parked parked = {0};
    struct thread threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(thread_start(&threads[i], "sleeper", sleep_on_word, &parked, NULL), 0);
    }
    clock_sleep_until(clock_now_ns() + 5 * CLOCK_NS_PER_MS);
    atomic_store(&parked.word, 1);
    park_wake(&parked.word);
    for (int i = 0; i < 4; i++) thread_join(&threads[i]);
    assert_int_equal(parked.woken, 4);
}

static void parking_ends_at_its_deadline_and_not_before(void **state)
{
    (void)state;
    _Atomic uint32_t word = 0;
    uint64_t deadline = clock_now_ns() + 20 * CLOCK_NS_PER_MS;
    while (park_wait(&word, 0, deadline)) continue;
    assert_true(clock_now_ns() >= deadline);
    assert_true(park_wait(&word, 1, CLOCK_NEVER)); /* the word has another value: no sleep at all */
}

static void a_waitable_stays_signalled_until_it_is_cleared(void **state)
{
    (void)state;
    struct kodama_waitable waitable;
    assert_int_equal(waitable_create(&waitable), KODAMA_OK);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_ERR_TIMEOUT);
    assert_int_equal(kodama_waitable_wait(waitable, 2000000), KODAMA_ERR_TIMEOUT);
    waitable_signal(waitable);
    waitable_signal(waitable);
    assert_int_equal(kodama_waitable_wait(waitable, KODAMA_FOREVER), KODAMA_OK);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_OK);
    waitable_clear(waitable);
    waitable_clear(waitable);
    assert_int_equal(kodama_waitable_wait(waitable, 0), KODAMA_ERR_TIMEOUT);
    waitable_destroy(waitable);
    waitable_destroy(WAITABLE_NONE);
    assert_int_equal(kodama_waitable_wait(WAITABLE_NONE, 0), KODAMA_ERR_ARGUMENT);
}

struct counter {
    struct mutex mutex;
    struct condition condition;
    int count;
};

static void count_to_ten_thousand(void *argument)
{
    struct counter *counter = argument;
    for (int i = 0; i < 10000; i++) {
        mutex_lock(&counter->mutex);
        counter->count++;
        mutex_unlock(&counter->mutex);
    }
    mutex_lock(&counter->mutex);
    condition_broadcast(&counter->condition);
    mutex_unlock(&counter->mutex);
}

static void mutexes_exclude_and_conditions_wake(void **state)
{
    (void)state;
    struct counter counter = {0};
    mutex_init(&counter.mutex);
    condition_init(&counter.condition);
    struct thread threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            thread_start(&threads[i], "counter", count_to_ten_thousand, &counter, NULL), 0);
    }
    mutex_lock(&counter.mutex);
    while (counter.count < 20000) condition_wait(&counter.condition, &counter.mutex, CLOCK_NEVER);
    assert_false(condition_wait(&counter.condition, &counter.mutex, clock_now_ns()) &&
                 counter.count < 0);
    mutex_unlock(&counter.mutex);
    for (int i = 0; i < 2; i++) thread_join(&threads[i]);
    assert_int_equal(counter.count, 20000);
    assert_true(thread_processors() >= 1);
    condition_destroy(&counter.condition);
    mutex_destroy(&counter.mutex);
}

static void a_record_reads_back_what_was_written(void **state)
{
    (void)state;
    struct record out = record_writer();
    record_put_tag(&out, "TEST", 3);
    record_put_u32(&out, 0xdeadbeef);
    record_put_u64(&out, UINT64_C(0x0123456789abcdef));
    record_put_f32(&out, -1.5f);
    record_put_f64(&out, 3.25);
    record_put_floats(&out, (float[]){1.0f, 2.0f, 3.0f}, 3);
    record_put_text(&out, "木霊");
    record_put_u64(&out, 12);
    assert_false(out.failed);

    struct record in = record_reader(out.data, out.n_bytes);
    record_get_tag(&in, "TEST", 3);
    assert_int_equal(record_get_u32(&in), 0xdeadbeef);
    assert_true(record_get_u64(&in) == UINT64_C(0x0123456789abcdef));
    assert_true(record_get_f32(&in) == -1.5f);
    assert_true(record_get_f64(&in) == 3.25);
    float floats[3];
    record_get_floats(&in, floats, 3);
    assert_true(floats[2] == 3.0f);
    char *text = record_get_text(&in, 100);
    assert_string_equal(text, "木霊");
    free(text);
    assert_int_equal(record_get_count(&in, 12), 12);
    assert_false(in.failed);
    assert_int_equal(record_get_u32(&in), 0);
    assert_true(in.failed);
    record_free(&out);
}

static void a_hostile_record_fails_and_never_reads_outside(void **state)
{
    (void)state;
    struct record out = record_writer();
    record_put_tag(&out, "TEST", 3);
    record_put_u64(&out, UINT64_MAX); /* a length larger than the record */
    for (size_t n = 0; n <= out.n_bytes; n++) {
        struct record in = record_reader(out.data, n);
        record_get_tag(&in, "TEST", 3);
        assert_null(record_get_text(&in, SIZE_MAX));
        assert_true(in.failed);
    }
    struct record in = record_reader(out.data, out.n_bytes);
    record_get_tag(&in, "TEST", 4);
    assert_true(in.failed);
    in = record_reader(out.data, out.n_bytes);
    record_get_tag(&in, "TEST", 3);
    assert_int_equal(record_get_count(&in, 10), 0);
    assert_true(in.failed);
    record_free(&out);
}

static void a_record_is_delivered_whole_or_not_at_all(void **state)
{
    (void)state;
    uint8_t room[8] = {0};
    struct record out = record_writer();
    record_put_u64(&out, 7);
    struct record same = record_writer(), failed = {.failed = true};
    record_put_u64(&same, 7);
    assert_int_equal(record_deliver(&out, NULL, 0), 8);
    assert_int_equal(record_deliver(&same, room, 7), KODAMA_ERR_ARGUMENT);
    assert_int_equal(room[0], 0);
    record_put_u64(&same, 7);
    assert_int_equal(record_deliver(&same, room, 8), 8);
    assert_int_equal(room[0], 7);
    assert_int_equal(record_deliver(&failed, room, 8), KODAMA_ERR_MEMORY);
}

static void array_sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    assert_null(memory_array(SIZE_MAX / 2, 4));
    assert_null(memory_resize(NULL, SIZE_MAX / 2, 4));
    assert_null(memory_text(NULL));
    void *empty = memory_array(0, 8);
    assert_non_null(empty);
    free(empty);
    assert_true(memory_proportional_bytes() > 0);
}

static int n_lines;

static void count_line(void *user, enum kodama_log_level level, const char *line)
{
    assert_string_equal(line, "ring 7 is full");
    assert_int_equal(level, KODAMA_LOG_WARNING);
    assert_ptr_equal(user, &n_lines);
    n_lines++;
}

static void a_log_handle_gets_only_its_levels(void **state)
{
    (void)state;
    struct kodama_log log = {.write = count_line, .user = &n_lines, .level = KODAMA_LOG_WARNING};
    log_write(&log, KODAMA_LOG_WARNING, "ring %d is full", 7);
    log_write(&log, KODAMA_LOG_INFO, "not of interest");
    log_write(NULL, KODAMA_LOG_ERROR, "nobody listens");
    assert_int_equal(n_lines, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_name_and_words),
        cmocka_unit_test(an_error_is_one_line_and_is_cut_to_its_room),
        cmocka_unit_test(mirrored_memory_shows_each_byte_twice),
        cmocka_unit_test(mapping_too_much_is_an_error_in_words),
        cmocka_unit_test(a_parked_thread_wakes_when_the_word_changes),
        cmocka_unit_test(parking_ends_at_its_deadline_and_not_before),
        cmocka_unit_test(a_waitable_stays_signalled_until_it_is_cleared),
        cmocka_unit_test(mutexes_exclude_and_conditions_wake),
        cmocka_unit_test(a_record_reads_back_what_was_written),
        cmocka_unit_test(a_hostile_record_fails_and_never_reads_outside),
        cmocka_unit_test(a_record_is_delivered_whole_or_not_at_all),
        cmocka_unit_test(array_sizes_that_overflow_are_refused),
        cmocka_unit_test(a_log_handle_gets_only_its_levels),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
