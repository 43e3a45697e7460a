/* Tests of a stream's callbacks: order, coming and going while it runs, failing alone. */
#include "stream/streaming.h"

enum { LENGTH = 48000, MANY = 16 };

/* What one callback saw, and what it does. */
struct guest {
    struct kodama_stream *stream;
    int id;
    _Atomic uint64_t calls, frames, n_last;
    _Atomic bool running, gone, wrong;
    uint64_t first_position, next_position;
    uint64_t fail_from, fail_to; /* calls that fail: [from, to) */
    _Atomic bool hold;           /* stay inside while this is set */
    int remove_at;               /* remove itself at this call; 0: never */
    int *order;                  /* where its id goes when it is called; moves on */
    size_t *n_order;
};

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct guest *guest = user;
    if (atomic_load(&guest->gone) || atomic_exchange(&guest->running, true)) {
        atomic_store(&guest->wrong, true);
    }
    uint64_t call = atomic_fetch_add(&guest->calls, 1);
    if (call == 0) guest->first_position = chunk->position;
    if (call > 0 && chunk->position < guest->next_position) atomic_store(&guest->wrong, true);
    guest->next_position = chunk->position + chunk->n_frames;
    atomic_fetch_add(&guest->frames, chunk->n_frames);
    if (chunk->is_last) atomic_fetch_add(&guest->n_last, 1);
    if (guest->order && *guest->n_order < MANY) guest->order[(*guest->n_order)++] = guest->id;
    while (atomic_load(&guest->hold)) streaming_nap(1);
    if (guest->remove_at > 0 && (int)call + 1 == guest->remove_at) {
        assert_int_equal(kodama_stream_remove(guest->stream, guest->id), KODAMA_OK);
        atomic_store(&guest->gone, true);
    }
    atomic_store(&guest->running, false);
    return call >= guest->fail_from && call < guest->fail_to ? KODAMA_ERR_ENGINE : KODAMA_OK;
}

static struct kodama_stream *open_stream(struct guest *own, uint64_t length, bool paced)
{
    struct kodama_source_config source = streaming_noise(length);
    source.paced = paced;
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.ring_seconds = 0.1;
    config.on_chunk = own ? on_chunk : NULL;
    config.user = own;
    struct kodama_stream *stream = streaming_open(streaming_source("null", &source), &config);
    if (own) own->stream = stream;
    return stream;
}

static void add(struct kodama_stream *stream, struct guest *guest, int priority)
{
    struct kodama_callback_config config = KODAMA_CALLBACK_CONFIG_INIT;
    config.on_chunk = on_chunk;
    config.user = guest;
    config.priority = priority;
    struct kodama_error error = {0};
    guest->stream = stream;
    guest->id = kodama_stream_add(stream, &config, &error);
    if (guest->id < 1) fail_msg("%s", error.message);
}

static void callbacks_are_called_by_priority_and_equal_ones_as_they_came(void **state)
{
    (void)state;
    const int priorities[] = {-5, 7, 0, 7, 100, -5};
    const int wanted[] = {5, 2, 4, 0, 3, 1, 6};
    int order[MANY], ids[MANY];
    size_t n_order = 0;
    struct guest own = {.order = order, .n_order = &n_order}, guests[6] = {{0}};
    struct kodama_stream *stream = open_stream(&own, LENGTH, false);
    for (int i = 0; i < 6; i++) {
        guests[i].order = order;
        guests[i].n_order = &n_order;
        add(stream, &guests[i], priorities[i]);
    }
    assert_int_equal(kodama_stream_callbacks(stream, NULL, 0), 7);
    assert_int_equal(kodama_stream_callbacks(stream, ids, MANY), 7);
    streaming_run(stream);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(ids[i], wanted[i]);
        assert_int_equal(order[i], wanted[i]);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(guests[i].frames, LENGTH);
        assert_int_equal(guests[i].n_last, 1);
    }
    kodama_stream_close(stream);
}

static void a_callback_added_while_running_sees_all_from_then_on(void **state)
{
    (void)state;
    struct guest own = {.hold = true}, late = {0};
    struct kodama_stream *stream = open_stream(&own, LENGTH, false);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    while (!atomic_load(&own.running)) streaming_nap(1);
    add(stream, &late, 1000); /* before the own one, but that chunk is on its way */
    atomic_store(&own.hold, false);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_int_equal(late.first_position, 480);
    assert_int_equal(late.frames, LENGTH - 480);
    assert_int_equal(late.n_last, 1);
    kodama_stream_close(stream);
}

static void a_stream_without_callbacks_gets_its_first_one_while_running(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++) {
        struct guest late = {0};
        struct kodama_source_config source = streaming_noise(0);
        source.paced = true;
        source.live = live;
        struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
        struct kodama_stream *stream = streaming_open(streaming_source("null", &source), &config);
        assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
        while (kodama_ring_position(kodama_stream_ring(stream)) < 2000) streaming_nap(1);
        uint64_t before = kodama_ring_position(kodama_stream_ring(stream));
        add(stream, &late, 0);
        uint64_t after = kodama_ring_position(kodama_stream_ring(stream));
        while (atomic_load(&late.calls) < 3) streaming_nap(1);
        kodama_stream_stop(stream);
        assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
        assert_true(late.first_position >= before && late.first_position <= after);
        assert_int_equal(late.n_last, 1);
        struct kodama_stream_stats stats = streaming_stats(stream);
        assert_int_equal(stats.frames + stats.lost_frames,
                         stats.source.frames - late.first_position);
        kodama_stream_close(stream);
    }
}

static void a_disabled_callback_is_not_called_and_an_enabled_one_is(void **state)
{
    (void)state;
    struct guest own = {.hold = true}, other = {0};
    struct kodama_stream *stream = open_stream(&own, LENGTH, false);
    add(stream, &other, -1);
    assert_int_equal(kodama_stream_disable(stream, other.id), KODAMA_OK);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    while (!atomic_load(&own.running)) streaming_nap(1);
    assert_int_equal(kodama_stream_enable(stream, other.id), KODAMA_OK); /* its turn is to come */
    atomic_store(&own.hold, false);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_int_equal(other.frames, LENGTH);
    kodama_stream_close(stream);

    struct guest silent = {0};
    memset(&own, 0, sizeof own);
    stream = open_stream(&own, LENGTH, false);
    add(stream, &silent, 1);
    assert_int_equal(kodama_stream_disable(stream, silent.id), KODAMA_OK);
    streaming_run(stream);
    assert_int_equal(silent.calls, 0); /* nor with the last chunk */
    assert_int_equal(own.n_last, 1);
    kodama_stream_close(stream);
}

struct taker {
    struct guest *guest;
    bool remove;
    _Atomic bool began, done;
};

static void take_away(void *argument)
{
    struct taker *taker = argument;
    struct guest *guest = taker->guest;
    atomic_store(&taker->began, true);
    int status = taker->remove ? kodama_stream_remove(guest->stream, guest->id)
                               : kodama_stream_disable(guest->stream, guest->id);
    assert_int_equal(status, KODAMA_OK);
    if (atomic_load(&guest->running)) atomic_store(&guest->wrong, true);
    atomic_store(&guest->gone, true);
    atomic_store(&taker->done, true);
}

static void removing_or_disabling_waits_for_a_call_that_runs(void **state)
{
    (void)state;
    for (int remove = 0; remove < 2; remove++) {
        struct guest guest = {.hold = true}, own = {0};
        struct kodama_stream *stream = open_stream(&own, LENGTH, false);
        add(stream, &guest, 1);
        assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
        while (!atomic_load(&guest.running)) streaming_nap(1);
        struct taker taker = {.guest = &guest, .remove = remove};
        struct thread thread;
        assert_int_equal(thread_start(&thread, "taker", take_away, &taker, NULL), KODAMA_OK);
        while (!atomic_load(&taker.began)) streaming_nap(1);
        streaming_nap(20);
        assert_false(atomic_load(&taker.done)); /* never early, however slow the machine is */
        atomic_store(&guest.hold, false);
        thread_join(&thread);
        assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
        assert_false(guest.wrong);
        assert_true(guest.calls >= 1);
        assert_int_equal(own.frames, LENGTH);
        kodama_stream_close(stream);
    }
}

static void a_callback_may_remove_itself(void **state)
{
    (void)state;
    struct guest own = {0}, guest = {.remove_at = 3};
    struct kodama_stream *stream = open_stream(&own, LENGTH, false);
    add(stream, &guest, 1);
    streaming_run(stream);
    assert_int_equal(guest.calls, 3);
    assert_false(guest.wrong);
    assert_int_equal(own.frames, LENGTH);
    assert_int_equal(kodama_stream_callbacks(stream, NULL, 0), 1);
    assert_int_equal(kodama_stream_remove(stream, guest.id), KODAMA_ERR_NOT_FOUND);
    kodama_stream_close(stream);
}

/* Adds, disables and removes others from within. */
struct host {
    struct kodama_stream *stream;
    struct guest victim, sleeper, newcomer;
    int calls;
};

static int rearrange(void *user, const struct kodama_chunk *chunk)
{
    struct host *host = user;
    (void)chunk;
    host->calls++;
    if (host->calls == 2) {
        assert_int_equal(kodama_stream_remove(host->stream, host->victim.id), KODAMA_OK);
        assert_int_equal(kodama_stream_disable(host->stream, host->sleeper.id), KODAMA_OK);
        add(host->stream, &host->newcomer, -10);
    }
    return KODAMA_OK;
}

static void a_callback_may_add_disable_and_remove_others_from_within(void **state)
{
    (void)state;
    struct host host = {0};
    struct kodama_stream *stream = open_stream(NULL, LENGTH, false);
    struct kodama_callback_config config = KODAMA_CALLBACK_CONFIG_INIT;
    config.on_chunk = rearrange;
    config.user = &host;
    config.priority = 1;
    host.stream = stream;
    assert_int_equal(kodama_stream_add(stream, &config, NULL), 1);
    add(stream, &host.victim, 0);
    add(stream, &host.sleeper, 0);
    streaming_run(stream);
    assert_int_equal(host.victim.calls, 1);
    assert_int_equal(host.sleeper.calls, 1);
    assert_int_equal(host.newcomer.first_position, 2 * 480);
    assert_int_equal(host.newcomer.frames, LENGTH - 2 * 480);
    kodama_stream_close(stream);
}

static void repeated_failure_disables_one_and_reports_it_and_the_others_go_on(void **state)
{
    (void)state;
    struct guest own = {0}, bad = {.fail_from = 5, .fail_to = UINT64_MAX}, good = {0};
    struct kodama_stream *stream = open_stream(&own, LENGTH, false);
    add(stream, &bad, 1);
    add(stream, &good, -1);
    streaming_run(stream);
    assert_int_equal(bad.calls, 5 + 3);
    assert_int_equal(own.frames, LENGTH);
    assert_int_equal(good.frames, LENGTH);
    struct kodama_callback_stats stats;
    assert_int_equal(kodama_stream_callback_stats(stream, bad.id, &stats), KODAMA_OK);
    assert_true(stats.failed && !stats.enabled);
    assert_int_equal(stats.calls, 8);
    assert_int_equal(stats.failures, 3);
    assert_int_equal(stats.frames, 8 * 480);
    struct kodama_stream_event event;
    assert_int_equal(kodama_stream_next_event(stream, &event, 0), KODAMA_OK);
    assert_int_equal(event.kind, KODAMA_STREAM_CALLBACK);
    assert_int_equal(event.callback, bad.id);
    assert_int_equal(event.status, KODAMA_ERR_ENGINE);
    assert_int_equal(event.position, 7 * 480);
    assert_int_equal(kodama_stream_next_event(stream, &event, 0), KODAMA_OK);
    assert_int_equal(event.kind, KODAMA_STREAM_ENDED); /* and nothing else */
    kodama_stream_close(stream);
}

static void failures_with_a_success_between_them_are_forgiven(void **state)
{
    (void)state;
    struct guest bad = {.fail_from = 5, .fail_to = 7}; /* twice in a row */
    struct kodama_stream *stream = open_stream(NULL, LENGTH, false);
    add(stream, &bad, 1);
    streaming_run(stream);
    assert_int_equal(bad.frames, LENGTH);
    struct kodama_callback_stats stats;
    assert_int_equal(kodama_stream_callback_stats(stream, bad.id, &stats), KODAMA_OK);
    assert_true(stats.enabled && !stats.failed);
    assert_int_equal(stats.failures, 2);
    kodama_stream_close(stream);
}

static void enabling_forgets_failures(void **state)
{
    (void)state;
    struct guest own = {0}, bad = {.fail_from = 0, .fail_to = 3};
    struct kodama_stream *stream = open_stream(&own, 0, true);
    add(stream, &bad, 1);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    struct kodama_callback_stats stats = {0};
    while (!stats.failed) {
        streaming_nap(1);
        kodama_stream_callback_stats(stream, bad.id, &stats);
    }
    assert_int_equal(kodama_stream_enable(stream, bad.id), KODAMA_OK);
    while (atomic_load(&bad.calls) < 5) streaming_nap(1);
    kodama_stream_stop(stream);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_callback_stats(stream, bad.id, &stats), KODAMA_OK);
    assert_true(stats.enabled && !stats.failed && stats.calls > 3);
    assert_int_equal(bad.n_last, 1);
    kodama_stream_close(stream);
}

static void when_the_own_callback_fails_the_others_have_their_last_call(void **state)
{
    (void)state;
    struct guest own = {.fail_from = 4, .fail_to = 5}, other = {0};
    struct kodama_stream *stream = open_stream(&own, LENGTH, false);
    add(stream, &other, -1);
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_ERR_ENGINE);
    assert_int_equal(own.calls, 5);
    assert_int_equal(own.n_last, 0);
    assert_int_equal(other.frames, 5 * 480);
    assert_int_equal(other.n_last, 1);
    kodama_stream_close(stream);
}

/* ----------------------------------------------------------- random changes */

struct changer {
    struct kodama_stream *stream;
    uint64_t seed;
    _Atomic bool *stop;
    struct guest guests[8];
    uint64_t n_changes;
};

/* One thread owns its guests: after a removal none of them may be called. */
static void change(void *argument)
{
    struct changer *changer = argument;
    struct test_random random = {.state = changer->seed};
    while (!atomic_load(changer->stop)) {
        struct guest *guest = &changer->guests[test_random_below(&random, 8)];
        switch (test_random_below(&random, 5)) {
        case 0:
            if (guest->id > 0) break;
            atomic_store(&guest->gone, false);
            atomic_store(&guest->calls, 0);
            guest->remove_at = 0;
            add(changer->stream, guest, (int)test_random_below(&random, 5) - 2);
            break;
        case 1:
            if (guest->id <= 0) break;
            assert_int_equal(kodama_stream_remove(changer->stream, guest->id), KODAMA_OK);
            if (atomic_load(&guest->running)) atomic_store(&guest->wrong, true);
            atomic_store(&guest->gone, true);
            guest->id = 0;
            break;
        case 2:
            if (guest->id <= 0) break;
            assert_int_equal(kodama_stream_disable(changer->stream, guest->id), KODAMA_OK);
            if (atomic_load(&guest->running)) atomic_store(&guest->wrong, true);
            break;
        case 3:
            if (guest->id > 0) (void)kodama_stream_enable(changer->stream, guest->id);
            break;
        case 4:
            assert_int_equal(kodama_stream_resize_chunk(
                                 changer->stream, 1 + (uint32_t)test_random_below(&random, 900)),
                             KODAMA_OK);
            break;
        default: break;
        }
        changer->n_changes++;
        if (test_random_below(&random, 4) == 0) streaming_nap(test_random_below(&random, 2));
    }
}

/* The stream's own callback sees everything whatever the others do. */
static int check_all(void *user, const struct kodama_chunk *chunk)
{
    struct guest *own = user;
    if (!streaming_is_noise(chunk)) atomic_store(&own->wrong, true);
    return on_chunk(user, chunk);
}

static void random_changes_from_three_threads_disturb_nobody(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    for (int round = 0; round < 4; round++) {
        struct guest own = {0};
        struct kodama_source_config source = streaming_noise(0);
        source.paced = round % 2 == 1;
        struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
        config.ring_seconds = 0.1;
        config.adaptive = round >= 2;
        config.on_chunk = check_all;
        config.user = &own;
        struct kodama_stream *stream = streaming_open(streaming_source("null", &source), &config);
        own.stream = stream;
        _Atomic bool stop = false;
        static struct changer changers[THREADS];
        struct thread threads[THREADS];
        memset(changers, 0, sizeof changers);
        for (int i = 0; i < THREADS; i++) {
            changers[i].stream = stream;
            changers[i].seed = (uint64_t)(round * 10 + i + 1);
            changers[i].stop = &stop;
            assert_int_equal(thread_start(&threads[i], "changer", change, &changers[i], NULL), 0);
        }
        assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
        streaming_nap(test_scale() < 1.0 ? 100 : 400);
        kodama_stream_stop(stream);
        assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
        atomic_store(&stop, true);
        uint64_t n_changes = 0;
        for (int i = 0; i < THREADS; i++) {
            thread_join(&threads[i]);
            n_changes += changers[i].n_changes;
            for (int g = 0; g < 8; g++) assert_false(changers[i].guests[g].wrong);
        }
        struct kodama_stream_stats stats = streaming_stats(stream);
        assert_false(own.wrong);
        assert_int_equal(own.frames, stats.source.frames);
        assert_int_equal(stats.frames, stats.source.frames);
        assert_int_equal(own.n_last, 1);
        assert_true(n_changes > 0);
        kodama_stream_close(stream);
    }
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct guest own = {0};
    struct kodama_stream *stream = open_stream(&own, LENGTH, false);
    struct kodama_callback_config config = KODAMA_CALLBACK_CONFIG_INIT;
    struct kodama_callback_stats stats;
    struct kodama_error error = {0};
    assert_int_equal(kodama_stream_add(stream, &config, &error), KODAMA_ERR_ARGUMENT);
    config.on_chunk = on_chunk;
    assert_int_equal(kodama_stream_add(NULL, &config, NULL), KODAMA_ERR_ARGUMENT);
    config.size = 0;
    assert_int_equal(kodama_stream_add(stream, &config, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_stream_enable(stream, 9), KODAMA_ERR_NOT_FOUND);
    assert_int_equal(kodama_stream_disable(stream, 9), KODAMA_ERR_NOT_FOUND);
    assert_int_equal(kodama_stream_remove(stream, -1), KODAMA_ERR_NOT_FOUND);
    assert_int_equal(kodama_stream_callback_stats(stream, 9, &stats), KODAMA_ERR_NOT_FOUND);
    assert_int_equal(kodama_stream_callback_stats(stream, 0, &stats), KODAMA_OK);
    assert_int_equal(stats.calls, 0);
    kodama_stream_close(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callbacks_are_called_by_priority_and_equal_ones_as_they_came),
        cmocka_unit_test(a_callback_added_while_running_sees_all_from_then_on),
        cmocka_unit_test(a_stream_without_callbacks_gets_its_first_one_while_running),
        cmocka_unit_test(a_disabled_callback_is_not_called_and_an_enabled_one_is),
        cmocka_unit_test(removing_or_disabling_waits_for_a_call_that_runs),
        cmocka_unit_test(a_callback_may_remove_itself),
        cmocka_unit_test(a_callback_may_add_disable_and_remove_others_from_within),
        cmocka_unit_test(repeated_failure_disables_one_and_reports_it_and_the_others_go_on),
        cmocka_unit_test(failures_with_a_success_between_them_are_forgiven),
        cmocka_unit_test(enabling_forgets_failures),
        cmocka_unit_test(when_the_own_callback_fails_the_others_have_their_last_call),
        cmocka_unit_test(random_changes_from_three_threads_disturb_nobody),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests_name("stream callbacks", tests, NULL, NULL);
}
