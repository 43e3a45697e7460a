/* Tests of clips in trouble: damaged files, full disks, killed processes, places that refuse. */
#include "audio/clip_sound.h"

#include <dirent.h>
#include <signal.h>
#include <sndfile.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* libsndfile 1.2.0 loses 6 KB for each Vorbis file whose header is damaged; nobody else can free
 * it. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:vorbis_info_init\n";
}

/* Files named .kodama-*.part in a folder. */
static int count_drafts(const char *folder)
{
    DIR *open = opendir(folder);
    assert_non_null(open);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
        n += strncmp(entry->d_name, ".kodama-", 8) == 0;
    }
    closedir(open);
    return n;
}

/* A new folder for a test, removed with all its files by end_folder(). */
static void begin_folder(char folder[64])
{
    snprintf(folder, 64, "/tmp/kodama-clip-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static void end_folder(const char *folder)
{
    DIR *open = opendir(folder);
    assert_non_null(open);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path); /* fails for . and .. */
    }
    closedir(open);
    assert_int_equal(rmdir(folder), 0);
}

/* -------------------------------------------------------------- loading damage */

static void damaged_files_fail_or_give_what_comes_before_the_damage(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_S16, 16000, 1, 50000);
    const char *path = test_scratch(".flac");
    save(clip, path, NULL);
    assert_int_equal(truncate(path, (off_t)file_bytes(path) / 2), 0);
    struct kodama_clip *back = clip;
    assert_int_equal(kodama_clip_load(&back, path, NULL, &error), KODAMA_ERR_CORRUPT);
    assert_null(back);
    struct kodama_clip_load_config config = KODAMA_CLIP_LOAD_CONFIG_INIT;
    config.partial = true;
    error.message[0] = '\0';
    assert_int_equal(kodama_clip_load(&back, path, &config, &error), KODAMA_OK);
    assert_true(back->n_frames > 10000 && back->n_frames < 40000);
    assert_memory_equal(back->samples, clip->samples, back->n_frames * sizeof(float));
    assert_true(error.message[0] != '\0');
    print_message("# half a FLAC: %zu of 50000 frames; \"%s\"\n", back->n_frames,
                  strrchr(error.message, '/'));
    kodama_clip_destroy(back);
    kodama_clip_destroy(clip);
}

static void what_is_no_audio_file_is_refused_in_words(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    struct kodama_clip *clip;
    assert_int_equal(kodama_clip_load(&clip, "/nonexistent/a.wav", NULL, &error),
                     KODAMA_ERR_NOT_FOUND);
    assert_null(clip);
    const char *path = test_scratch(".wav");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++) fputs("this is no audio ", file);
    fclose(file);
    assert_int_equal(kodama_clip_load(&clip, path, NULL, &error), KODAMA_ERR_FORMAT);
    assert_int_equal(kodama_clip_load(&clip, NULL, NULL, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_load(NULL, path, NULL, &error), KODAMA_ERR_ARGUMENT);
    struct kodama_clip_load_config config = {0};
    assert_int_equal(kodama_clip_load(&clip, path, &config, &error), KODAMA_ERR_ARGUMENT);
}

static void random_damage_never_crashes_the_loader(void **state)
{
    (void)state;
    struct test_random random = {11};
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_S16, 16000, 2, 6000);
    int n_loaded = 0;
    int n_tried = 0;
    for (int f = 0; f < N_FILES; f++) {
        if (kodama_file_check(files[f].type, NULL) < 0) continue;
        /* libsndfile's loss, see above; under valgrind nothing can be said about it. */
        if (files[f].type == KODAMA_FILE_VORBIS && test_scale() < 1.0) continue;
        const char *path = test_scratch(files[f].suffix);
        save(clip, path, NULL);
        size_t n_bytes = file_bytes(path);
        uint8_t *good = malloc(n_bytes);
        assert_non_null(good);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        assert_int_equal(fread(good, 1, n_bytes, file), n_bytes);
        fclose(file);
        int rounds = test_scale() < 1.0 ? 3 : 40;
        for (int i = 0; i < rounds; i++) {
            file = fopen(path, "wb");
            assert_non_null(file);
            fwrite(good, 1, n_bytes, file);
            for (int hit = 0; hit < 3; hit++) { /* half of the hits in the header */
                uint64_t below = hit % 2 ? n_bytes : 100;
                fseek(file, (long)test_random_below(&random, below), SEEK_SET);
                fputc((int)test_random_below(&random, 256), file);
            }
            fclose(file);
            struct kodama_clip_load_config config = KODAMA_CLIP_LOAD_CONFIG_INIT;
            config.partial = i % 2;
            struct kodama_clip *back;
            n_tried++;
            if (kodama_clip_load(&back, path, &config, NULL) < 0) continue;
            n_loaded++;
            for (size_t k = 0; k < clip_samples_of(back); k++) {
                assert_true(isfinite(back->samples[k]));
            }
            kodama_clip_destroy(back);
        }
        free(good);
    }
    print_message("# %d of %d damaged files could be loaded\n", n_loaded, n_tried);
    kodama_clip_destroy(clip);
}

static void numbers_that_are_none_in_a_file_become_silence(void **state)
{
    (void)state;
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_F32, 8000, 1, 3000);
    clip->samples[1500] = NAN; /* past the borders, which would not let it in or out */
    clip->samples[2999] = INFINITY;
    const char *path = test_scratch(".wav");
    SF_INFO info = {.samplerate = 8000, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    assert_int_equal(sf_writef_float(file, clip->samples, 3000), 3000);
    assert_int_equal(sf_close(file), 0);
    struct kodama_clip *back = load(path);
    struct kodama_clip_stats stats;
    kodama_clip_stats(back, &stats);
    assert_int_equal(stats.replaced, 2);
    assert_true(back->samples[1500] == 0.0f && back->samples[2999] == 0.0f);
    kodama_clip_destroy(back);
    kodama_clip_destroy(clip);
}

/* ----------------------------------------------------------- disasters of saving */

static void a_full_disk_leaves_the_old_file_as_it_was(void **state)
{
    (void)state;
    char folder[64];
    char path[128];
    begin_folder(folder);
    struct kodama_clip *old = make_sound(KODAMA_SAMPLE_S16, 16000, 1, 1000);
    struct kodama_clip *large = make_sound(KODAMA_SAMPLE_S16, 48000, 2, 480000);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (int f = 0; f < N_FILES; f++) {
        if (kodama_file_check(files[f].type, NULL) < 0) continue;
        snprintf(path, sizeof path, "%s/file%s", folder, files[f].suffix);
        save(old, path, NULL);
        struct kodama_clip *expected = load(path);
        struct kodama_error error = {0};
        /* No room for the header, for some frames, for all but the end. */
        const rlim_t limits[] = {10, 20000, 30000};
        for (int k = 0; k < 3; k++) {
            struct rlimit full = {.rlim_cur = limits[k], .rlim_max = before.rlim_max};
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
            int status = kodama_clip_save(large, path, NULL, &error);
            setrlimit(RLIMIT_FSIZE, &before);
            assert_int_equal(status, KODAMA_ERR_IO);
            assert_non_null(strstr(error.message, "free some space"));
            assert_int_equal(count_drafts(folder), 0);
            struct kodama_clip *still = load(path);
            assert_true(largest_difference(expected, still) == 0.0);
            kodama_clip_destroy(still);
        }
        kodama_clip_destroy(expected);
    }
    signal(SIGXFSZ, SIG_DFL);
    kodama_clip_destroy(old);
    kodama_clip_destroy(large);
    end_folder(folder);
}

/* Saves two clips over each other until it is killed. */
static void save_for_ever(const char *path, const struct kodama_clip *a,
                          const struct kodama_clip *b)
{
    for (;;) {
        if (kodama_clip_save(a, path, NULL, NULL) < 0) _exit(1);
        if (kodama_clip_save(b, path, NULL, NULL) < 0) _exit(1);
    }
}

static void a_killed_process_leaves_the_old_or_the_new_file(void **state)
{
    (void)state;
    char folder[64];
    char path[128];
    begin_folder(folder);
    snprintf(path, sizeof path, "%s/file.flac", folder);
    struct kodama_clip *a = make_sound(KODAMA_SAMPLE_S16, 16000, 1, 30000);
    struct kodama_clip *b = make_sound(KODAMA_SAMPLE_S16, 48000, 2, 20000);
    save(a, path, NULL);
    struct test_random random = {12};
    int rounds = test_scale() < 1.0 ? 3 : 60;
    int n_old = 0;
    for (int i = 0; i < rounds; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) save_for_ever(path, a, b);
        clock_sleep_until(clock_now_ns() + CLOCK_NS_PER_MS +
                          test_random_below(&random, 20 * CLOCK_NS_PER_MS));
        kill(child, SIGKILL);
        int how;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how)); /* no save failed before */
        struct kodama_clip *left = load(path);
        bool is_a = left->format.rate_hz == 16000;
        n_old += is_a;
        assert_true(largest_difference(left, is_a ? a : b) == 0.0);
        kodama_clip_destroy(left);
    }
    print_message("# killed %d times: %d times one clip, %d times the other, %d drafts left\n",
                  rounds, n_old, rounds - n_old, count_drafts(folder));
    kodama_clip_destroy(a);
    kodama_clip_destroy(b);
    end_folder(folder);
}

static void saving_where_it_is_not_possible_is_refused_in_words(void **state)
{
    (void)state;
    struct kodama_error error = {0};
    char folder[64];
    char path[128];
    begin_folder(folder);
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_S16, 16000, 1, 1000);
    snprintf(path, sizeof path, "%s/missing/a.wav", folder);
    assert_int_equal(kodama_clip_save(clip, path, NULL, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "folder"));
    struct kodama_clip_save_config config = KODAMA_CLIP_SAVE_CONFIG_INIT;
    config.type = KODAMA_FILE_WAV;
    assert_int_equal(kodama_clip_save(clip, folder, &config, &error), KODAMA_ERR_UNSUPPORTED);
    assert_int_equal(kodama_clip_save(clip, "/dev/null", &config, &error), KODAMA_ERR_UNSUPPORTED);
    assert_int_equal(kodama_clip_save(NULL, path, NULL, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_clip_save(clip, NULL, NULL, &error), KODAMA_ERR_ARGUMENT);
    if (geteuid() != 0) {
        snprintf(path, sizeof path, "%s/a.wav", folder);
        save(clip, path, NULL);
        assert_int_equal(chmod(path, 0400), 0);
        assert_int_equal(kodama_clip_save(clip, path, NULL, &error), KODAMA_ERR_PERMISSION);
    }
    kodama_clip_destroy(clip);
    end_folder(folder);
}

static void links_are_followed_and_permissions_kept(void **state)
{
    (void)state;
    char folder[64];
    char path[128];
    char link[128];
    begin_folder(folder);
    snprintf(path, sizeof path, "%s/target.wav", folder);
    snprintf(link, sizeof link, "%s/link.wav", folder);
    struct kodama_clip *a = make_sound(KODAMA_SAMPLE_S16, 16000, 1, 100);
    struct kodama_clip *b = make_sound(KODAMA_SAMPLE_S16, 16000, 1, 200);
    mode_t mask = umask(027);
    save(a, path, NULL);
    umask(mask);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640); /* as any new file */
    assert_int_equal(chmod(path, 0604), 0);
    assert_int_equal(symlink("target.wav", link), 0);
    save(b, link, NULL);
    assert_int_equal(lstat(link, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    assert_int_equal(lstat(path, &about), 0);
    assert_true(S_ISREG(about.st_mode));
    assert_int_equal(about.st_mode & 0777, 0604);
    struct kodama_clip *back = load(path);
    assert_int_equal(back->n_frames, 200);
    assert_int_equal(count_drafts(folder), 0);
    kodama_clip_destroy(back);
    kodama_clip_destroy(a);
    kodama_clip_destroy(b);
    end_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_files_fail_or_give_what_comes_before_the_damage),
        cmocka_unit_test(what_is_no_audio_file_is_refused_in_words),
        cmocka_unit_test(random_damage_never_crashes_the_loader),
        cmocka_unit_test(numbers_that_are_none_in_a_file_become_silence),
        cmocka_unit_test(a_full_disk_leaves_the_old_file_as_it_was),
        cmocka_unit_test(a_killed_process_leaves_the_old_or_the_new_file),
        cmocka_unit_test(saving_where_it_is_not_possible_is_refused_in_words),
        cmocka_unit_test(links_are_followed_and_permissions_kept),
    };
    return cmocka_run_group_tests_name("clips in trouble", tests, NULL, NULL);
}
