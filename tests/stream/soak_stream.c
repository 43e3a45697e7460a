/* Soak test: ten minutes of speech in real time through a stream; no lost frame, flat memory. */
#include "support/support.h"

#include <malloc.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kodama/stream.h>

#include "base/clock.h"
#include "base/memory.h"

enum { RATE = 16000 };

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_minutes_in_real_time_lose_no_frame_and_keep_memory_flat),
    };
    return cmocka_run_group_tests_name("stream soak", tests, NULL, NULL);
}
