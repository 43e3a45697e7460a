/* Tests of a recording's files: silent, in parts, on full disks, refused, and beyond 4 GiB. */
#define _GNU_SOURCE
#include "stream/recording.h"

#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "stream/recorder_file.h"

/* ---------------------------------------------------------------- silence */

static void feed_silence(struct kodama_ring *ring, size_t n_frames)
{
    struct kodama_writer writer;
    assert_int_equal(kodama_writer_claim(&writer, ring), KODAMA_OK);
    struct kodama_mark mark = {
        .position = kodama_ring_position(ring), .length = n_frames, .flags = KODAMA_MARK_SILENT};
    assert_int_equal(kodama_writer_mark(&writer, &mark), KODAMA_OK);
    assert_int_equal(kodama_writer_write(&writer, NULL, n_frames, KODAMA_FOREVER), n_frames);
    kodama_writer_release(&writer);
}

static void silence_between_sound_is_recorded_at_its_length(void **state)
{
    (void)state;
    enum { SOUND = 5000, SILENCE = 12345 };
    static const char *const suffixes[] = {".wav", ".flac"};
    for (int k = 0; k < 2; k++) {
        const char *path = new_path(suffixes[k]);
        struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 4.0);
        struct kodama_recorder_config config = config_for(path);
        struct kodama_recorder *recorder = open_recorder(ring, &config);
        feed(ring, SOUND);
        feed_silence(ring, SILENCE);
        feed(ring, SOUND);
        struct kodama_recorder_stats stats = finish(recorder);
        assert_int_equal(stats.frames, 2 * SOUND + SILENCE);
        assert_int_equal(stats.gap_frames + stats.lost_frames, 0); /* nothing is missing */

        SF_INFO info;
        uint64_t n_frames;
        int32_t *samples = read_s32(path, &n_frames, &info);
        assert_int_equal(n_frames, 2 * SOUND + SILENCE);
        for (uint64_t i = 0; i < n_frames; i++) {
            bool silent = i >= SOUND && i < SOUND + SILENCE;
            assert_int_equal(samples[i] / 65536, silent ? 0 : value_at(i, 0));
        }
        free(samples);
        kodama_ring_destroy(ring);
    }
}

static void nothing_but_silence_is_a_silent_file_of_its_length(void **state)
{
    (void)state;
    enum { SILENCE = 3 * RATE + 17 };
    static const char *const suffixes[] = {".wav", ".flac", ".ogg", ".opus"};
    for (int k = 0; k < 4; k++) {
        if (kodama_file_check(kodama_file_of(suffixes[k]), NULL) < 0) continue;
        const char *path = new_path(suffixes[k]);
        struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_F32, RATE, 1, 4.0);
        struct kodama_recorder_config config = config_for(path);
        struct kodama_recorder *recorder = open_recorder(ring, &config);
        feed_silence(ring, SILENCE);
        assert_int_equal(finish(recorder).frames, SILENCE);
        size_t n_frames;
        float *samples = test_read_audio(path, &n_frames, NULL, NULL);
        assert_int_equal(n_frames, SILENCE);
        for (size_t i = 0; i < n_frames; i++) assert_true(fabsf(samples[i]) < 1e-4f);
        free(samples);
        kodama_ring_destroy(ring);
    }
}

/* ---------------------------------------------------------------- splitting */

/* "NAME-001.EXT" */
static void part_path(char *part, size_t n_bytes, const char *path, unsigned number)
{
    const char *dot = strrchr(path, '.');
    snprintf(part, n_bytes, "%.*s-%03u%s", (int)(dot - path), path, number, dot);
}

/* The parts are the timeline without a seam; removes them. */
static uint64_t check_parts(const char *path, unsigned n_parts, uint64_t part_frames,
                            uint64_t part_bytes)
{
    char part[200];
    uint64_t position = 0;
    for (unsigned number = 1; number <= n_parts; number++) {
        part_path(part, sizeof part, path, number);
        uint64_t n = check_s16(part, position);
        if (part_frames > 0 && number < n_parts) assert_int_equal(n, part_frames);
        if (part_bytes > 0) assert_true(file_bytes(part) <= part_bytes);
        assert_true(n > 0);
        position += n;
        unlink(part);
    }
    return position;
}

static void parts_of_so_many_frames_make_up_the_whole(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".wav", ".flac"};
    for (int k = 0; k < 2; k++) {
        const char *path = new_path(suffixes[k]);
        struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 2, 4.0);
        struct kodama_recorder_config config = config_for(path);
        config.split_frames = 7001;
        struct kodama_recorder *recorder = open_recorder(ring, &config);
        feed(ring, 5 * 7001);
        struct kodama_recorder_stats stats = finish(recorder);
        assert_int_equal(stats.files, 5); /* and no sixth without frames */
        assert_int_equal(stats.frames, 5 * 7001);
        assert_int_equal(check_parts(path, 5, 7001, 0), 5 * 7001);
        kodama_ring_destroy(ring);
    }
}

static void parts_of_so_many_bytes_make_up_the_whole(void **state)
{
    (void)state;
    static const char *const suffixes[] = {".wav", ".flac"};
    for (int k = 0; k < 2; k++) {
        const char *path = new_path(suffixes[k]);
        struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 20.0);
        struct kodama_recorder_config config = config_for(path);
        config.split_bytes = 100000;
        struct kodama_recorder *recorder = open_recorder(ring, &config);
        feed(ring, 15 * RATE);
        struct kodama_recorder_stats stats = finish(recorder);
        assert_true(stats.files >= 4 && stats.files <= 6);
        uint64_t most = k == 0 ? 100000 : 100000 + 4 * 8192;
        assert_int_equal(check_parts(path, stats.files, 0, most), 15 * RATE);
        kodama_ring_destroy(ring);
    }
}

static void a_number_that_is_taken_is_skipped(void **state)
{
    (void)state;
    char second[200], part[200];
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 2.0);
    struct kodama_recorder_config config = config_for(path);
    config.split_frames = 1000;
    part_path(second, sizeof second, path, 2);
    FILE *file = fopen(second, "w");
    assert_non_null(file);
    fputs("mine", file);
    fclose(file);
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, 2500);
    assert_int_equal(finish(recorder).files, 3);
    assert_int_equal(file_bytes(second), 4);
    unlink(second);
    static const unsigned numbers[] = {1, 3, 4};
    uint64_t position = 0;
    for (int i = 0; i < 3; i++) {
        part_path(part, sizeof part, path, numbers[i]);
        position += check_s16(part, position);
        unlink(part);
    }
    assert_int_equal(position, 2500);
    kodama_ring_destroy(ring);
}

/* ---------------------------------------------------------------- a full disk */

/* Record until the disk refuses; what is kept is a prefix of the timeline. */
static void check_full_disk(struct kodama_ring *ring, const char *path, bool lossy)
{
    struct kodama_recorder_config config = config_for(path);
    config.lossless = true;
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    struct kodama_cursor *other;
    assert_int_equal(kodama_cursor_open(&other, ring, NULL), KODAMA_OK);
    uint64_t begin = kodama_ring_position(ring);
    uint64_t n_fed = 0;
    struct kodama_error error = {0};
    int status;
    do { /* the writer goes on although a lossless reader has died */
        if (lossy) {
            feed_tone(ring, RATE);
        } else {
            feed(ring, RATE);
        }
        n_fed += RATE;
        status = kodama_recorder_wait(recorder, 0, &error);
    } while (status == KODAMA_ERR_TIMEOUT && n_fed < 3000 * RATE);
    assert_int_equal(status, KODAMA_ERR_IO);
    assert_non_null(strstr(error.message, "what was recorded until now is kept"));
    assert_non_null(strstr(error.message, path));
    struct kodama_recorder_stats stats;
    kodama_recorder_stats(recorder, &stats);
    assert_int_equal(stats.status, KODAMA_ERR_IO);
    kodama_recorder_close(recorder);

    struct kodama_read info;
    float frame[8];
    assert_int_equal(kodama_cursor_read(other, frame, 1, 0, &info), 1);
    kodama_cursor_close(other);
    assert_int_equal(stats.bytes, file_bytes(path));
    print_message("# %s: full at %llu bytes, %llu frames kept\n", path,
                  (unsigned long long)stats.bytes, (unsigned long long)stats.frames);
    assert_true(stats.frames > 4096 && stats.frames < n_fed);
    if (lossy) {
        size_t n_frames;
        float *samples = test_read_audio(path, &n_frames, NULL, NULL);
        assert_int_equal(n_frames, stats.frames);
        if (begin == 0) assert_true(tone_error_db(samples, 1000, n_frames - 1000) > 10.0);
        free(samples);
    } else {
        assert_int_equal(check_s16(path, begin), stats.frames);
    }
}

static void check_full_disks(const char *folder)
{
    static const char *const suffixes[] = {".wav", ".flac", ".ogg", ".opus"};
    for (int k = 0; k < 4; k++) {
        char path[200];
        snprintf(path, sizeof path, "%s/full-%d%s", folder, (int)getpid(), suffixes[k]);
        if (k == 3 && kodama_file_check(KODAMA_FILE_OPUS, NULL) < 0) continue;
        struct kodama_ring *ring =
            make_ring(k < 2 ? KODAMA_SAMPLE_S16 : KODAMA_SAMPLE_F32, RATE, 1, 1.0);
        check_full_disk(ring, path, k >= 2);
        unlink(path);
        kodama_ring_destroy(ring);
    }
}

static struct rlimit usual_limit;

static int limit_file_sizes(void **state)
{
    (void)state;
    if (getrlimit(RLIMIT_FSIZE, &usual_limit) != 0) return -1;
    struct rlimit limit = {.rlim_cur = 123457, .rlim_max = usual_limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    return setrlimit(RLIMIT_FSIZE, &limit);
}

static int unlimit_file_sizes(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_DFL);
    return setrlimit(RLIMIT_FSIZE, &usual_limit);
}

static void at_the_limit_of_file_sizes_what_is_there_is_kept_and_playable(void **state)
{
    (void)state;
    check_full_disks("/tmp");
}

static void on_a_full_disk_what_is_there_is_kept_and_playable(void **state)
{
    (void)state;
    char folder[] = "/tmp/kodama-full-XXXXXX";
    assert_non_null(mkdtemp(folder));
    if (mount("tmpfs", folder, "tmpfs", 0, "size=256k") != 0) {
        rmdir(folder);
        print_message("# skipped: no right to mount a small tmpfs\n");
        skip();
    }
    check_full_disks(folder);
    assert_int_equal(umount(folder), 0);
    rmdir(folder);
}

/* ---------------------------------------------------------------- refusals */

static void check_refusal(struct kodama_ring *ring, const struct kodama_recorder_config *config,
                          int status, const char *words)
{
    struct kodama_recorder *recorder = (void *)&status;
    struct kodama_error error = {0};
    assert_int_equal(kodama_recorder_open(&recorder, ring, config, &error), status);
    assert_null(recorder);
    if (!strstr(error.message, words)) fail_msg("no \"%s\" in: %s", words, error.message);
}

static void what_cannot_be_recorded_is_refused_in_words(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, 44100, 1, 1.0);
    struct kodama_ring *wide = make_ring(KODAMA_SAMPLE_S16, 48000, 3, 1.0);
    struct kodama_recorder_config config = config_for("/tmp/kodama-none/talk.wav");
    check_refusal(ring, &config, KODAMA_ERR_NOT_FOUND, "make its folder first");
    config.path = "/tmp/kodama-none.txt";
    check_refusal(ring, &config, KODAMA_ERR_ARGUMENT, "let it end in .wav, .flac, .ogg or .opus");
    config.path = "/tmp/kodama-none.mp3";
    check_refusal(ring, &config, KODAMA_ERR_UNSUPPORTED, "use Ogg Vorbis or Opus");
    config.path = "/tmp/kodama-none.opus";
    check_refusal(ring, &config, KODAMA_ERR_FORMAT, "record a ring of 48000 Hz");
    check_refusal(wide, &config, KODAMA_ERR_FORMAT, "at most 2 channels");
    config.path = "/tmp/kodama-none.flac";
    config.sample = KODAMA_SAMPLE_F32;
    check_refusal(ring, &config, KODAMA_ERR_FORMAT, "FLAC cannot hold f32 samples");
    config.sample = 0;
    config.split_bytes = 1000;
    check_refusal(ring, &config, KODAMA_ERR_ARGUMENT, "65536");
    config = config_for("");
    check_refusal(ring, &config, KODAMA_ERR_ARGUMENT, "no path");
    config = config_for("/tmp/kodama-none.wav");
    config.size = 0;
    check_refusal(ring, &config, KODAMA_ERR_ARGUMENT, "not initialised");
    assert_int_equal(access("/tmp/kodama-none.wav", F_OK), -1);
    kodama_ring_destroy(ring);
    kodama_ring_destroy(wide);
}

static void a_lossless_recorder_of_a_live_ring_is_refused(void **state)
{
    (void)state;
    struct kodama_ring *ring;
    struct kodama_ring_config ring_config = KODAMA_RING_CONFIG_INIT;
    ring_config.format = (struct kodama_format){KODAMA_SAMPLE_S16, RATE, 1, 0};
    ring_config.live = true;
    assert_int_equal(kodama_ring_create(&ring, &ring_config, NULL), KODAMA_OK);
    const char *path = new_path(".wav");
    struct kodama_recorder_config config = config_for(path);
    config.lossless = true;
    check_refusal(ring, &config, KODAMA_ERR_LIVE, "lossless");
    assert_int_equal(access(path, F_OK), -1);
    kodama_ring_destroy(ring);
}

static void a_file_that_is_there_is_refused_unless_overwriting_is_allowed(void **state)
{
    (void)state;
    char list[200];
    const char *path = new_path(".wav");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 1.0);
    struct kodama_recorder_config config = config_for(path);
    config.marks = true;
    list_path(list, sizeof list, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 100000; i++) fputc('x', file);
    fclose(file);
    check_refusal(ring, &config, KODAMA_ERR_BUSY, "there is such a file");
    assert_int_equal(file_bytes(path), 100000);
    assert_int_equal(access(list, F_OK), -1);
    config.overwrite = true;
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, 100);
    finish(recorder);
    assert_int_equal(check_s16(path, 0), 100);
    unlink(list);
    kodama_ring_destroy(ring);
}

static void a_folder_without_the_right_to_write_is_refused(void **state)
{
    (void)state;
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 1.0);
    struct kodama_recorder_config config = config_for("/proc/kodama.wav");
    struct kodama_recorder *recorder;
    struct kodama_error error = {0};
    int status = kodama_recorder_open(&recorder, ring, &config, &error);
    assert_true(status == KODAMA_ERR_NOT_FOUND || status == KODAMA_ERR_PERMISSION);
    assert_non_null(strstr(error.message, "cannot record /proc/kodama.wav: "));
    kodama_ring_destroy(ring);
}

static void an_unfinished_flac_file_says_how_long_it_is(void **state)
{
    (void)state;
    const char *path = new_path(".flac");
    struct kodama_ring *ring = make_ring(KODAMA_SAMPLE_S16, RATE, 1, 4.0);
    struct kodama_recorder_config config = config_for(path);
    struct kodama_recorder *recorder = open_recorder(ring, &config);
    feed(ring, 2 * RATE);
    struct kodama_recorder_stats stats;
    do {
        clock_sleep_until(clock_now_ns() + CLOCK_NS_PER_MS);
        kodama_recorder_stats(recorder, &stats);
    } while (stats.frames <= 2 * RATE - RATE / 10); /* the rest is less than a wake */
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    assert_non_null(file);
    sf_close(file);
    assert_int_equal(info.frames, 2 * RATE / 4096 * 4096);
    finish(recorder);
    assert_int_equal(check_s16(path, 0), 2 * RATE);
    kodama_ring_destroy(ring);
}

/* ---------------------------------------------------------------- beyond 4 GiB */

static void a_wav_file_beyond_4_gib_becomes_rf64_with_exact_sizes(void **state)
{
    (void)state;
    struct kodama_format format = {KODAMA_SAMPLE_S16, 48000, 2, 0};
    struct recorder_shape shape = {
        .type = clip_file_type(KODAMA_FILE_WAV), .from = format, .to = format};
    assert_int_equal(recorder_shape_init(&shape), KODAMA_OK);
    const char *path = new_path(".wav");
    struct recorder_file file;
    assert_int_equal(recorder_file_open(&file, &shape, path, NULL), KODAMA_OK);
    int16_t frames[2 * 1000];
    make_frames(format, 0, 1000, frames);
    /* As if so much had been written: the file has a hole. */
    file.n_frames = UINT32_MAX / 4 - 2100;
    uint64_t wanted = file.n_frames;
    char name[5] = "";
    for (int i = 0; i < 4; i++) {
        int status = recorder_file_write(&file, frames, 1000, NULL);
        if (status < 0 && file.failure == EFBIG) skip(); /* a file system without large files */
        assert_int_equal(status, KODAMA_OK);
        wanted += 1000;
        assert_int_equal(pread(file.descriptor, name, 4, 0), 4);
        assert_string_equal(name, i < 1 ? "RIFF" : "RF64");
        SF_INFO info = {0};
        SNDFILE *native = sf_open(path, SFM_READ, &info);
        assert_non_null(native);
        assert_true((uint64_t)info.frames == wanted);
        int16_t tail[2 * 1000];
        assert_true(sf_seek(native, info.frames - 1000, SEEK_SET) == info.frames - 1000);
        assert_int_equal(sf_readf_short(native, tail, 1000), 1000);
        assert_memory_equal(tail, frames, sizeof frames);
        sf_close(native);
    }
    assert_true(file.n_bytes > UINT32_MAX);
    assert_int_equal(recorder_file_close(&file, NULL), KODAMA_OK);
    recorder_shape_free(&shape);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_between_sound_is_recorded_at_its_length),
        cmocka_unit_test(nothing_but_silence_is_a_silent_file_of_its_length),
        cmocka_unit_test(parts_of_so_many_frames_make_up_the_whole),
        cmocka_unit_test(parts_of_so_many_bytes_make_up_the_whole),
        cmocka_unit_test(a_number_that_is_taken_is_skipped),
        cmocka_unit_test_setup_teardown(
            at_the_limit_of_file_sizes_what_is_there_is_kept_and_playable, limit_file_sizes,
            unlimit_file_sizes),
        cmocka_unit_test(on_a_full_disk_what_is_there_is_kept_and_playable),
        cmocka_unit_test(what_cannot_be_recorded_is_refused_in_words),
        cmocka_unit_test(a_lossless_recorder_of_a_live_ring_is_refused),
        cmocka_unit_test(a_file_that_is_there_is_refused_unless_overwriting_is_allowed),
        cmocka_unit_test(a_folder_without_the_right_to_write_is_refused),
        cmocka_unit_test(an_unfinished_flac_file_says_how_long_it_is),
        cmocka_unit_test(a_wav_file_beyond_4_gib_becomes_rf64_with_exact_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
