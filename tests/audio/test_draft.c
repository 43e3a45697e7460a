/* Tests of drafts: files that are written piece by piece, and are there only when they are whole.
 */
#include "audio/clip_sound.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <kodama/draft.h>

static struct kodama_draft *begin(const char *path, struct kodama_format format,
                                  const struct kodama_draft_config *config)
{
    struct kodama_draft *draft;
    struct kodama_error error = {0};
    if (kodama_draft_open(&draft, path, format, config, &error) < 0) fail_msg("%s", error.message);
    return draft;
}

/* All of a clip in pieces. */
static void write_pieces(struct kodama_draft *draft, const struct kodama_clip *clip, size_t piece)
{
    for (size_t at = 0; at < clip->n_frames; at += piece) {
        size_t n = clip->n_frames - at < piece ? clip->n_frames - at : piece;
        const float *frames = clip->samples + at * clip->format.channels;
        assert_int_equal(kodama_draft_write(draft, frames, n, NULL), KODAMA_OK);
    }
    assert_int_equal(kodama_draft_frames(draft), clip->n_frames);
}

static void *bytes_of(const char *path, size_t *n_bytes)
{
    *n_bytes = file_bytes(path);
    FILE *file = fopen(path, "rb");
    void *bytes = malloc(*n_bytes + 1);
    assert_true(file && bytes && fread(bytes, 1, *n_bytes, file) == *n_bytes);
    fclose(file);
    return bytes;
}

static void pieces_of_any_size_make_the_file_that_a_clip_makes(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 777, 1024, 100000};
    for (int f = 0; f < 2; f++) {
        struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_S16, 44100, 2, 30000);
        const char *saved = test_scratch(files[f].suffix);
        save(clip, saved, NULL);
        size_t n_saved;
        void *expected = bytes_of(saved, &n_saved);
        for (size_t p = 0; p < 4; p++) {
            const char *path = test_scratch(files[f].suffix);
            struct kodama_draft_config config = KODAMA_DRAFT_CONFIG_INIT;
            config.origin = KODAMA_SAMPLE_S16;
            config.n_frames = clip->n_frames;
            struct kodama_draft *draft = begin(path, clip->format, &config);
            write_pieces(draft, clip, pieces[p]);
            assert_int_equal(kodama_draft_finish(draft, NULL), KODAMA_OK);
            kodama_draft_close(draft);
            size_t n;
            void *bytes = bytes_of(path, &n);
            assert_int_equal(n, n_saved);
            assert_memory_equal(bytes, expected, n);
            free(bytes);
        }
        free(expected);
        kodama_clip_destroy(clip);
    }
}

static void what_is_resampled_to_fit_does_not_depend_on_pieces(void **state)
{
    (void)state;
    if (kodama_file_check(KODAMA_FILE_OPUS, NULL) < 0) skip();
    static const size_t pieces[] = {1, 777, 100000};
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_S16, 44100, 3, 44100 + 17), *first = NULL;
    for (size_t p = 0; p < 3; p++) {
        const char *path = test_scratch(".opus");
        struct kodama_draft_config config = KODAMA_DRAFT_CONFIG_INIT;
        config.fit = true;
        struct kodama_draft *draft = begin(path, clip->format, &config);
        write_pieces(draft, clip, pieces[p]);
        assert_int_equal(kodama_draft_finish(draft, NULL), KODAMA_OK);
        kodama_draft_close(draft);
        struct kodama_clip *back = load(path);
        assert_int_equal(back->format.rate_hz, 48000);
        assert_int_equal(back->format.channels, 1);
        assert_int_equal(back->n_frames, (44117u * 480 + 220) / 441);
        if (first) assert_true(largest_difference(first, back) == 0.0);
        if (!first)
            first = back;
        else
            kodama_clip_destroy(back);
    }
    kodama_clip_destroy(first);
    kodama_clip_destroy(clip);
}

static void the_target_is_as_it_was_until_the_end(void **state)
{
    (void)state;
    struct kodama_clip *old = make_sound(KODAMA_SAMPLE_S16, 8000, 1, 100);
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_S16, 16000, 1, 30000);
    const char *path = test_scratch(".wav");
    save(old, path, NULL);
    struct kodama_draft *draft = begin(path, clip->format, NULL);
    write_pieces(draft, clip, 1000);
    struct kodama_clip *still = load(path);
    assert_true(largest_difference(old, still) == 0.0);
    kodama_draft_close(draft); /* thrown away */
    kodama_clip_destroy(still);
    still = load(path);
    assert_true(largest_difference(old, still) == 0.0);
    kodama_clip_destroy(still);
    draft = begin(path, clip->format, NULL);
    write_pieces(draft, clip, 1000);
    assert_int_equal(kodama_draft_finish(draft, NULL), KODAMA_OK);
    assert_int_equal(kodama_draft_finish(draft, NULL), KODAMA_ERR_STATE);
    assert_int_equal(kodama_draft_write(draft, NULL, 1, NULL), KODAMA_ERR_STATE);
    kodama_draft_close(draft);
    still = load(path);
    assert_true(largest_difference(clip, still) == 0.0);
    kodama_clip_destroy(still);
    kodama_clip_destroy(old);
    kodama_clip_destroy(clip);
}

/* Also without a length the file that comes of it is a WAV as everybody reads it. */
static void a_wav_of_unknown_length_becomes_a_plain_one(void **state)
{
    (void)state;
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_S16, 16000, 1, 5000);
    const char *path = test_scratch(".wav");
    struct kodama_draft_config config = KODAMA_DRAFT_CONFIG_INIT;
    config.origin = KODAMA_SAMPLE_S16;
    struct kodama_draft *draft = begin(path, clip->format, &config);
    write_pieces(draft, clip, 480);
    assert_int_equal(kodama_draft_finish(draft, NULL), KODAMA_OK);
    kodama_draft_close(draft);
    size_t n;
    char *bytes = bytes_of(path, &n);
    assert_memory_equal(bytes, "RIFF", 4);
    assert_true(n < 5000 * 2 + 200);
    free(bytes);
    struct kodama_clip *back = load(path);
    assert_true(largest_difference(clip, back) < 1.0 / 32768);
    kodama_clip_destroy(back);
    kodama_clip_destroy(clip);
}

static void a_file_that_is_to_be_kept_is_kept(void **state)
{
    (void)state;
    struct kodama_clip *old = make_sound(KODAMA_SAMPLE_S16, 8000, 1, 100);
    const char *path = test_scratch(".wav");
    struct kodama_draft_config config = KODAMA_DRAFT_CONFIG_INIT;
    struct kodama_draft *draft;
    config.keep = true;
    save(old, path, NULL);
    assert_int_equal(kodama_draft_open(&draft, path, old->format, &config, NULL), KODAMA_ERR_BUSY);
    /* One that comes meanwhile, too. */
    unlink(path);
    draft = begin(path, old->format, &config);
    assert_int_equal(kodama_draft_write(draft, NULL, 1000, NULL), KODAMA_OK);
    save(old, path, NULL);
    assert_int_equal(kodama_draft_finish(draft, NULL), KODAMA_ERR_BUSY);
    kodama_draft_close(draft);
    struct kodama_clip *still = load(path);
    assert_true(largest_difference(old, still) == 0.0);
    kodama_clip_destroy(still);
    /* Where there is none it takes its place. */
    unlink(path);
    draft = begin(path, old->format, &config);
    assert_int_equal(kodama_draft_write(draft, NULL, 1000, NULL), KODAMA_OK);
    assert_int_equal(kodama_draft_finish(draft, NULL), KODAMA_OK);
    kodama_draft_close(draft);
    still = load(path);
    assert_int_equal(still->n_frames, 1000);
    kodama_clip_destroy(still);
    kodama_clip_destroy(old);
}

static void numbers_that_are_none_become_silence(void **state)
{
    (void)state;
    const struct kodama_format format = {KODAMA_SAMPLE_F32, 8000, 1, 0};
    const float frames[] = {0.5f, NAN, INFINITY, -0.5f};
    const char *path = test_scratch(".wav");
    struct kodama_draft *draft = begin(path, format, NULL);
    assert_int_equal(kodama_draft_write(draft, frames, 4, NULL), KODAMA_OK);
    assert_int_equal(kodama_draft_write(draft, NULL, 2, NULL), KODAMA_OK);
    assert_int_equal(kodama_draft_finish(draft, NULL), KODAMA_OK);
    kodama_draft_close(draft);
    struct kodama_clip *back = load(path);
    assert_int_equal(back->n_frames, 6);
    static const float expected[] = {0.5f, 0.0f, 0.0f, -0.5f, 0.0f, 0.0f};
    for (int i = 0; i < 6; i++) assert_true(back->samples[i] == expected[i]);
    kodama_clip_destroy(back);
}

static void a_full_disk_is_said_and_leaves_nothing(void **state)
{
    (void)state;
    struct kodama_clip *clip = make_sound(KODAMA_SAMPLE_S16, 48000, 2, 48000);
    const char *path = test_scratch(".wav");
    unlink(path);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, full;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    full = (struct rlimit){.rlim_cur = 50000, .rlim_max = before.rlim_max};
    struct kodama_draft *draft = begin(path, clip->format, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    struct kodama_error error = {0};
    int first = kodama_draft_write(draft, clip->samples, clip->n_frames, &error);
    int second = kodama_draft_write(draft, clip->samples, 1, NULL);
    int third = kodama_draft_finish(draft, NULL);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(first, KODAMA_ERR_IO);
    assert_non_null(strstr(error.message, "free some space"));
    assert_int_equal(second, KODAMA_ERR_IO);
    assert_int_equal(third, KODAMA_ERR_IO);
    kodama_draft_close(draft);
    assert_int_not_equal(access(path, F_OK), 0);
    kodama_clip_destroy(clip);
}

static void no_frames_are_refused_but_by_wav(void **state)
{
    (void)state;
    const struct kodama_format format = {KODAMA_SAMPLE_F32, 8000, 1, 0};
    for (int f = 0; f < N_FILES; f++) {
        if (kodama_file_check(files[f].type, NULL) < 0) continue;
        const char *path = test_scratch(files[f].suffix);
        unlink(path);
        struct kodama_draft *draft = begin(path, format, NULL);
        bool wav = files[f].type == KODAMA_FILE_WAV;
        assert_int_equal(kodama_draft_finish(draft, NULL), wav ? KODAMA_OK : KODAMA_ERR_EMPTY);
        kodama_draft_close(draft);
        assert_int_equal(access(path, F_OK), wav ? 0 : -1);
    }
}

static void what_cannot_be_is_refused_at_the_beginning(void **state)
{
    (void)state;
    const struct kodama_format format = {KODAMA_SAMPLE_F32, 44100, 1, 0};
    struct kodama_draft *draft;
    struct kodama_error error = {0};
    assert_int_equal(kodama_draft_open(&draft, "/missing/a.wav", format, NULL, &error),
                     KODAMA_ERR_NOT_FOUND);
    assert_null(draft);
    assert_non_null(strstr(error.message, "folder"));
    assert_int_equal(kodama_draft_open(&draft, test_scratch(".txt"), format, NULL, &error),
                     KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_draft_open(&draft, test_scratch(".opus"), format, NULL, &error),
                     KODAMA_ERR_FORMAT);
    assert_non_null(strstr(error.message, "48000"));
    assert_int_equal(kodama_draft_open(&draft, NULL, format, NULL, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_draft_write(NULL, NULL, 0, &error), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_draft_finish(NULL, &error), KODAMA_ERR_ARGUMENT);
    kodama_draft_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size_make_the_file_that_a_clip_makes),
        cmocka_unit_test(what_is_resampled_to_fit_does_not_depend_on_pieces),
        cmocka_unit_test(the_target_is_as_it_was_until_the_end),
        cmocka_unit_test(a_wav_of_unknown_length_becomes_a_plain_one),
        cmocka_unit_test(a_file_that_is_to_be_kept_is_kept),
        cmocka_unit_test(numbers_that_are_none_become_silence),
        cmocka_unit_test(a_full_disk_is_said_and_leaves_nothing),
        cmocka_unit_test(no_frames_are_refused_but_by_wav),
        cmocka_unit_test(what_cannot_be_is_refused_at_the_beginning),
    };
    return cmocka_run_group_tests_name("drafts", tests, NULL, NULL);
}
