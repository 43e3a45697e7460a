/* Soak tests: ten minutes of speech in real time, and a day in accelerated time of all that a
 * dispatcher does, through a stream; no lost frame, flat memory. */
#include "capture/null_day.h"

#include <malloc.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kodama/stream.h>

#include "base/clock.h"
#include "base/memory.h"

enum { RATE = 16000, N_GUESTS = 8, N_STARTS = 96 };

/* Fletcher-like: order matters, so a lost, doubled or swapped frame shows. */
struct checksum {
    uint64_t a, b, frames;
};

static void add(struct checksum *sum, const int16_t *frames, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum->a += (uint16_t)frames[i] + 1u;
        sum->b += sum->a;
    }
    sum->frames += n;
}

static int on_chunk(void *user, const struct kodama_chunk *chunk)
{
    add(user, chunk->frames, chunk->n_frames);
    return KODAMA_OK;
}

/* Real speech, again and again until it is long enough. */
static const char *make_recording(size_t n_frames, struct checksum *sum)
{
    size_t n;
    float *speech = test_read_audio(test_installed("/usr/share/pocketsphinx/test/data/librivox/"
                                                   "sense_and_sensibility_01_austen_64kb-0870.wav"),
                                    &n, NULL, NULL);
    const char *path = test_scratch(".wav");
    SF_INFO info = {.samplerate = RATE, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    int16_t *block = calloc(n, sizeof *block);
    assert_non_null(block);
    for (size_t i = 0; i < n; i++) block[i] = (int16_t)(speech[i] * 32767.0f);
    for (size_t done = 0; done < n_frames;) {
        size_t take = n_frames - done < n ? n_frames - done : n;
        assert_int_equal(sf_writef_short(file, block, (sf_count_t)take), take);
        add(sum, block, take);
        done += take;
    }
    free(block);
    free(speech);
    sf_close(file);
    return path;
}

static double process_cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void ten_minutes_in_real_time_lose_no_frame_and_keep_memory_flat(void **state)
{
    (void)state;
    double seconds = 600.0 * test_scale();
    if (seconds < 1.0) seconds = 1.0;
    struct checksum wanted = {0}, got = {0};
    const char *path = make_recording((size_t)(seconds * RATE), &wanted);

    struct kodama_source_config source_config = KODAMA_SOURCE_CONFIG_INIT;
    source_config.paths = &path;
    source_config.n_paths = 1;
    source_config.paced = true;
    struct kodama_source *source;
    assert_int_equal(kodama_source_open(&source, "file", &source_config, NULL), KODAMA_OK);
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.on_chunk = on_chunk;
    config.user = &got;
    struct kodama_stream *stream;
    assert_int_equal(kodama_stream_open(&stream, source, &config, NULL), KODAMA_OK);

    double cpu = process_cpu_s();
    uint64_t begin = clock_now_ns();
    assert_int_equal(kodama_stream_start(stream, NULL), KODAMA_OK);
    int64_t early_ns = (int64_t)((seconds > 120.0 ? 60.0 : seconds / 2) * 1e9);
    assert_int_equal(kodama_stream_wait(stream, early_ns, NULL), KODAMA_ERR_TIMEOUT);
    uint64_t early = memory_proportional_bytes();
    size_t heap_early = mallinfo2().uordblks;
    int64_t almost_ns = (int64_t)(seconds * 1e9) - early_ns - 400000000;
    assert_int_equal(kodama_stream_wait(stream, almost_ns, NULL), KODAMA_ERR_TIMEOUT);
    uint64_t late = memory_proportional_bytes();
    size_t heap_late = mallinfo2().uordblks;
    assert_int_equal(kodama_stream_wait(stream, KODAMA_FOREVER, NULL), KODAMA_OK);
    double took = (double)(clock_now_ns() - begin) / 1e9;
    cpu = process_cpu_s() - cpu;

    struct kodama_stream_stats stats;
    kodama_stream_stats(stream, &stats);
    printf("# %.1f s of audio took %.3f s; memory %llu KiB at first, %llu KiB at the end; heap %lu "
           "and %lu bytes; CPU %.3f %%; longest callback %.3f ms; %llu overruns\n",
           seconds, took, (unsigned long long)early / 1024, (unsigned long long)late / 1024,
           (unsigned long)heap_early, (unsigned long)heap_late, 100.0 * cpu / took,
           (double)stats.callback_max_ns / 1e6, (unsigned long long)stats.source.overruns);
    fflush(stdout);
    assert_int_equal(got.frames, wanted.frames);
    assert_true(got.a == wanted.a && got.b == wanted.b);
    assert_int_equal(stats.lost_frames, 0);
    assert_int_equal(stats.source.overruns, 0);
    assert_true(took >= seconds - 0.001 && took < seconds + 0.5);
    /* The heap is exact. The proportional set size also grows when another process that shares our
     * libraries ends, so it only bounds what is not on the heap. */
    assert_true(heap_late <= heap_early + 16 * 1024);
    assert_true(late <= early + 4 * 1024 * 1024);
    assert_true(cpu / took < 0.05);
    kodama_stream_close(stream);
}

/* --------------------------------------------------- a day of the dispatcher */

/* The stream's own callback, and what on_event heard; the dispatcher's thread only, until the end.
 */
struct host {
    uint64_t frames, n_last, length_frames;
    uint64_t gap_frames, n_disabled, n_vanished, n_returned, n_ended, n_others, next_event;
    size_t early_heap, late_heap;
    uint64_t early_bytes, late_bytes;
};

static int on_host_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct host *host = user;
    if (chunk->position != host->frames || chunk->lost > 0) return KODAMA_ERR_CORRUPT;
    host->frames += chunk->n_frames;
    host->n_last += chunk->is_last;
    if (host->early_bytes == 0 && host->frames > host->length_frames / 10) {
        host->early_bytes = memory_proportional_bytes();
        host->early_heap = mallinfo2().uordblks;
    }
    if (host->late_bytes == 0 && host->frames > host->length_frames / 10 * 9) {
        host->late_bytes = memory_proportional_bytes();
        host->late_heap = mallinfo2().uordblks;
    }
    return KODAMA_OK;
}

static void on_host_event(void *user, const struct kodama_stream_event *event)
{
    struct host *host = user;
    if (event->sequence != host->next_event++) host->n_others++;
    switch (event->kind) {
    case KODAMA_STREAM_GAP: host->gap_frames += event->length; break;
    case KODAMA_STREAM_CALLBACK: host->n_disabled++; break;
    case KODAMA_STREAM_VANISHED: *(event->over ? &host->n_returned : &host->n_vanished) += 1; break;
    case KODAMA_STREAM_ENDED: host->n_ended++; break;
    default: host->n_others++;
    }
}

/* A callback that comes and goes. Its counters are read while it cannot run. */
struct guest {
    int id; /* 0: it is not there */
    bool fails;
    uint64_t calls, frames;
};

static int on_guest_chunk(void *user, const struct kodama_chunk *chunk)
{
    struct guest *guest = user;
    guest->calls++;
    guest->frames += chunk->n_frames;
    return guest->fails ? KODAMA_ERR_IO : KODAMA_OK;
}

/* Every counter of a guest that leaves agrees with what it saw; whether it was thrown out. */
static bool say_goodbye(struct kodama_stream *stream, struct guest *guest)
{
    struct kodama_callback_stats stats;
    assert_int_equal(kodama_stream_disable(stream, guest->id), KODAMA_OK);
    assert_int_equal(kodama_stream_callback_stats(stream, guest->id, &stats), KODAMA_OK);
    assert_int_equal(stats.calls, guest->calls);
    assert_int_equal(stats.frames, guest->frames);
    assert_int_equal(stats.failures, guest->fails ? guest->calls : 0);
    assert_int_equal(kodama_stream_remove(stream, guest->id), KODAMA_OK);
    *guest = (struct guest){0};
    return stats.failed;
}

/* One thing that a program does with a running stream; how many guests were thrown out. */
static int do_something(struct kodama_stream *stream, struct guest *guests,
                        struct test_random *random)
{
    struct guest *guest = &guests[test_random_below(random, N_GUESTS)];
    uint64_t what = test_random_below(random, 8);
    if (guest->id == 0) {
        guest->fails = what == 0;
        struct kodama_callback_config config = KODAMA_CALLBACK_CONFIG_INIT;
        config.name = "guest";
        config.on_chunk = on_guest_chunk;
        config.user = guest;
        config.priority = (int)test_random_below(random, 21) - 10;
        guest->id = kodama_stream_add(stream, &config, NULL);
        assert_true(guest->id > 0);
    } else if (what < 4) {
        return say_goodbye(stream, guest);
    } else if (what == 4) {
        uint32_t n_frames = RATE / 200 + (uint32_t)test_random_below(random, RATE * 3 / 200);
        assert_int_equal(kodama_stream_resize_chunk(stream, n_frames), KODAMA_OK);
    } else if (!guest->fails) {
        assert_int_equal(kodama_stream_disable(stream, guest->id), KODAMA_OK);
        assert_int_equal(kodama_stream_enable(stream, guest->id), KODAMA_OK);
    }
    return 0;
}

static uint64_t take_events(struct kodama_stream *stream)
{
    struct kodama_stream_event event;
    uint64_t n = 0;
    while (kodama_stream_next_event(stream, &event, 0) == KODAMA_OK) n++;
    return n;
}

static void a_day_of_restarts_guests_and_faults_is_counted_exactly_in_flat_memory(void **state)
{
    (void)state;
    uint64_t seconds = (uint64_t)(86400.0 * test_scale());
    if (seconds < 240) seconds = 240;
    struct null_day day = null_day_make(seconds, RATE);
    struct host host = {.length_frames = day.length_frames};
    struct kodama_stream_config config = KODAMA_STREAM_CONFIG_INIT;
    config.adaptive = true;
    config.on_chunk = on_host_chunk;
    config.user = &host;
    config.on_event = on_host_event;
    config.event_user = &host;
    struct kodama_stream *stream;
    struct kodama_source *source = null_day_open(&day, RATE);
    assert_int_equal(kodama_stream_open(&stream, source, &config, NULL), KODAMA_OK);
    struct guest guests[N_GUESTS] = {0}, regular = {0};
    struct kodama_callback_config regular_config = KODAMA_CALLBACK_CONFIG_INIT;
    regular_config.on_chunk = on_guest_chunk;
    regular_config.user = &regular;
    regular.id = kodama_stream_add(stream, &regular_config, NULL);
    struct test_random random = {.state = 25};
    uint64_t begin = clock_now_ns(), n_done = 0, n_taken = 0, n_thrown_out = 0;
    for (uint64_t i = 1; i <= N_STARTS; i++) {
        struct kodama_error error = {0};
        if (kodama_stream_start(stream, &error) < 0) fail_msg("%s", error.message);
        uint64_t until = day.length_frames / N_STARTS * i;
        struct kodama_ring *ring = kodama_stream_ring(stream);
        while (kodama_ring_position(ring) < until) {
            n_thrown_out += (uint64_t)do_something(stream, guests, &random);
            n_taken += take_events(stream);
            n_done++;
            clock_sleep_until(clock_now_ns() + CLOCK_NS_PER_MS);
        }
        if (i < N_STARTS) kodama_stream_stop(stream);
        if (kodama_stream_wait(stream, KODAMA_FOREVER, &error) < 0) fail_msg("%s", error.message);
    }
    double took = (double)(clock_now_ns() - begin) / 1e9;
    for (size_t i = 0; i < N_GUESTS; i++) {
        if (guests[i].id > 0) n_thrown_out += say_goodbye(stream, &guests[i]);
    }
    n_taken += take_events(stream);
    struct kodama_stream_stats stats;
    kodama_stream_stats(stream, &stats);
    printf("# %.2f h of audio took %.1f s; %llu chunks, %llu starts, %llu changes of callbacks, "
           "%llu disabled, %llu events (%llu dropped before they were taken); memory %llu and %llu "
           "KiB, heap %lu and %lu bytes\n",
           (double)seconds / 3600.0, took, (unsigned long long)stats.chunks,
           (unsigned long long)stats.starts, (unsigned long long)n_done,
           (unsigned long long)host.n_disabled, (unsigned long long)stats.events,
           (unsigned long long)stats.events_missed, (unsigned long long)host.early_bytes / 1024,
           (unsigned long long)host.late_bytes / 1024, (unsigned long)host.early_heap,
           (unsigned long)host.late_heap);
    fflush(stdout);
    assert_int_equal(host.frames, day.length_frames);
    assert_int_equal(regular.frames, day.length_frames);
    assert_int_equal(stats.frames, day.length_frames);
    assert_int_equal(stats.source.frames, day.length_frames);
    assert_int_equal(stats.lost_frames + stats.rejected_frames, 0);
    assert_int_equal(stats.source.gaps, day.gaps);
    assert_int_equal(stats.source.gap_frames, day.gap_frames);
    assert_int_equal(stats.silent_frames, day.gap_frames);
    assert_int_equal(host.gap_frames, day.gap_frames);
    assert_int_equal(host.n_vanished, day.n_vanished);
    assert_int_equal(host.n_returned, day.n_vanished);
    assert_int_equal(host.n_disabled, n_thrown_out);
    assert_int_equal(host.n_last, N_STARTS);
    assert_int_equal(host.n_ended, N_STARTS);
    assert_int_equal(host.n_others, 0);
    assert_int_equal(stats.events, host.next_event);
    assert_int_equal(n_taken + stats.events_missed, stats.events);
    assert_true(stats.chunk_frames >= RATE / 200 && stats.chunk_frames <= RATE / 50);
    assert_true(host.late_heap <= host.early_heap + 16 * 1024);
    assert_true(host.late_bytes <= host.early_bytes + 4 * 1024 * 1024);
    kodama_stream_close(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_of_restarts_guests_and_faults_is_counted_exactly_in_flat_memory),
        cmocka_unit_test(ten_minutes_in_real_time_lose_no_frame_and_keep_memory_flat),
    };
    return cmocka_run_group_tests_name("stream soak", tests, NULL, NULL);
}
