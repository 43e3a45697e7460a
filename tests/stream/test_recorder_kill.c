/* Tests of recordings whose process is killed: every file plays, and is a prefix of what was heard.
 */
#define _GNU_SOURCE
#include "support/support.h"

#include <math.h>
#include <signal.h>
#include <sndfile.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kodama/recorder.h>

#include "base/clock.h"

enum { RATE = 48000, STEP = 480, PARTS_MAX = 100 };

/* What the child tells until it dies. */
struct shared {
    _Atomic uint64_t recorded; /* frames that the recorder says are in its files */
    _Atomic uint64_t heard;    /* frames written to the ring */
    _Atomic uint32_t running;
};

struct kind {
    const char *suffix;
    enum kodama_file type;
    uint64_t split_frames;
    uint64_t held_back; /* frames that the encoder may still have: a block, or a page */
};

/* FLAC: a block of 4096. Opus: a page of 100 ms and a packet. Vorbis fills 4 KiB: of this tone at
 * its lowest rate seconds, so that nothing is promised. */
static const struct kind kinds[] = {
    {".wav", KODAMA_FILE_WAV, 0, 0},
    {".flac", KODAMA_FILE_FLAC, 0, 4096 + 1},
    {".wav", KODAMA_FILE_WAV, 10007, 0},
    {".opus", KODAMA_FILE_OPUS, 0, RATE / 4},
    {".ogg", KODAMA_FILE_VORBIS, 0, UINT64_MAX},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

static bool is_lossy(const struct kind *kind)
{
    return kind->held_back > 5000;
}

/* Lossless: noise that belongs to its place and is never 0. Lossy: a slow tone. */
static int16_t value_at(const struct kind *kind, uint64_t position)
{
    if (is_lossy(kind)) return (int16_t)(9000.0 * sin(0.04 * (double)position));
    uint64_t x = (position + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    return (int16_t)((uint16_t)(x >> 40) | 1u);
}

/* Records faster than time goes by, until it is killed. */
static void child(const struct kind *kind, const char *path, struct shared *shared)
{
    struct kodama_ring *ring;
    struct kodama_ring_config ring_config = KODAMA_RING_CONFIG_INIT;
    ring_config.format = (struct kodama_format){KODAMA_SAMPLE_S16, RATE, 1, 0};
    if (kodama_ring_create(&ring, &ring_config, NULL) < 0) _exit(1);
    struct kodama_recorder *recorder;
    struct kodama_recorder_config config = KODAMA_RECORDER_CONFIG_INIT;
    config.path = path;
    config.split_frames = kind->split_frames;
    config.lossless = true;
    if (kodama_recorder_open(&recorder, ring, &config, NULL) < 0) _exit(2);
    struct kodama_writer writer;
    if (kodama_writer_claim(&writer, ring) < 0) _exit(3);
    atomic_store(&shared->running, 1);
    for (uint64_t position = 0;; position += STEP) {
        int16_t block[STEP];
        for (int i = 0; i < STEP; i++) block[i] = value_at(kind, position + (uint64_t)i);
        atomic_store(&shared->heard, position + STEP);
        if (kodama_writer_write(&writer, block, STEP, KODAMA_FOREVER) != STEP) _exit(4);
        struct kodama_recorder_stats stats;
        kodama_recorder_stats(recorder, &stats);
        atomic_store(&shared->recorded, stats.frames);
        clock_sleep_until(clock_now_ns() + 200000);
    }
}

/* The frames of one file follow those before; returns how many, or -1 when there is no such file.
 */
static int64_t check_file(const struct kind *kind, const char *path, uint64_t position)
{
    struct stat about;
    if (stat(path, &about) != 0) return -1;
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    if (!file) {
        /* Encoders write their header with the first block, Opus needs its first page. */
        if (kind->type != KODAMA_FILE_WAV && about.st_size < 1000) return 0;
        /* The next part was created just now. */
        if (kind->split_frames > 0 && position > 0 && about.st_size == 0) return 0;
        fail_msg("cannot open %s of %lld bytes: %s", path, (long long)about.st_size,
                 sf_strerror(NULL));
    }
    static int16_t block[4096];
    sf_count_t n;
    uint64_t n_frames = 0;
    double error = 0.0;
    while ((n = sf_readf_short(file, block, 4096)) > 0) {
        for (sf_count_t i = 0; i < n; i++) {
            int16_t wanted = value_at(kind, position + n_frames + (uint64_t)i);
            double difference = (double)block[i] - wanted;
            if (n_frames > 0) error += difference * difference;
            if (!is_lossy(kind) && difference != 0.0) {
                fail_msg("%s: frame %llu is wrong", path, (unsigned long long)n_frames);
            }
        }
        n_frames += (uint64_t)n;
    }
    /* 20 dB below the tone; the first block has the encoder's onset. */
    if (n_frames > 8192) assert_true(sqrt(error / (double)n_frames) < 900.0);
    sf_close(file);
    return (int64_t)n_frames;
}

static void check_recording(const struct kind *kind, const char *path, const struct shared *shared)
{
    uint64_t position = 0;
    uint64_t recorded = atomic_load(&shared->recorded), heard = atomic_load(&shared->heard);
    if (kind->split_frames == 0) {
        int64_t n = check_file(kind, path, 0);
        assert_true(n >= 0);
        position = (uint64_t)n;
        unlink(path);
    }
    for (int number = 1; kind->split_frames > 0; number++) {
        char part[200];
        const char *dot = strrchr(path, '.');
        snprintf(part, sizeof part, "%.*s-%03d%s", (int)(dot - path), path, number, dot);
        int64_t n = check_file(kind, part, position);
        if (n < 0) break;
        position += (uint64_t)n;
        unlink(part);
    }
    if (position > heard) fail_msg("%s has more frames than were heard", path);
    uint64_t at_least = recorded > kind->held_back ? recorded - kind->held_back : 0;
    if (position < at_least) {
        fail_msg("%s has %llu frames, the recorder had counted %llu", path,
                 (unsigned long long)position, (unsigned long long)recorded);
    }
}

static void kill_one(const struct kind *kind, uint64_t after_ns, uint64_t *n_frames)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    const char *scratch = test_scratch(kind->suffix);
    char path[200];
    snprintf(path, sizeof path, "%s", scratch);
    unlink(path);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) child(kind, path, shared);
    while (!atomic_load(&shared->running)) {
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
        clock_sleep_until(clock_now_ns() + 100000);
    }
    clock_sleep_until(clock_now_ns() + after_ns);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    *n_frames += atomic_load(&shared->recorded);
    check_recording(kind, path, shared);
    munmap(shared, sizeof *shared);
}

static void a_recorder_killed_at_a_random_moment_leaves_a_playable_prefix(void **state)
{
    (void)state;
    const char *text = getenv("KODAMA_TEST_KILLS");
    int n_kills = text ? (int)strtol(text, NULL, 10) : 20;
    struct test_random random = {2024};
    uint64_t n_frames = 0;
    for (int i = 0; i < n_kills; i++) {
        const struct kind *kind = &kinds[i % N_KINDS];
        if (kodama_file_check(kind->type, NULL) < 0) continue;
        kill_one(kind, test_random_below(&random, 200) * CLOCK_NS_PER_MS, &n_frames);
    }
    print_message("# %d recordings were killed, %.1f s of audio in them\n", n_kills,
                  (double)n_frames / RATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorder_killed_at_a_random_moment_leaves_a_playable_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
