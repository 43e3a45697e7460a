/* The library itself: found where it was named, refused in words where it does not do. */
#define _GNU_SOURCE /* setenv */
#include <kodama/neural.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "neural/runtime.h"
#include "support/support.h"

static char about[500];

static void need_runtime(void)
{
    if (kodama_neural_probe(NULL, about, sizeof about) == KODAMA_OK) return;
    printf("# skipped: %s\n", about);
    fflush(stdout);
    skip();
}

/* Where the build has put it, or the system has it. */
static const char *library(void)
{
    static char path[1024];
    struct runtime *runtime;
    assert_int_equal(runtime_open(&runtime, NULL, NULL), KODAMA_OK);
    snprintf(path, sizeof path, "%s", runtime_path(runtime));
    runtime_close(runtime);
    return path;
}

static void version_and_place_are_told(void **state)
{
    (void)state;
    need_runtime();
    struct runtime *runtime;
    assert_int_equal(runtime_open(&runtime, NULL, NULL), KODAMA_OK);
    assert_int_equal(runtime_path(runtime)[0], '/');
    assert_int_equal(strncmp(runtime_version(runtime), "1.", 2), 0);
    assert_true(runtime_level(runtime) >= RUNTIME_LEVEL_LEAST);
    bool cpu = false;
    for (size_t i = 0; runtime_provider(runtime, i); i++)
        if (strcmp(runtime_provider(runtime, i), "cpu") == 0) cpu = true;
    assert_true(cpu);
    assert_non_null(strstr(about, runtime_version(runtime)));
    assert_non_null(strstr(about, runtime_path(runtime)));
    runtime_close(runtime);
    runtime_close(NULL);
}

static void a_file_a_folder_and_the_environment_name_it(void **state)
{
    (void)state;
    need_runtime();
    const char *path = library();
    assert_int_equal(kodama_neural_probe(path, about, sizeof about), KODAMA_OK);
    char folder[1024];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    assert_int_equal(kodama_neural_probe(folder, about, sizeof about), KODAMA_OK);
    char before[1024];
    bool named = getenv("KODAMA_ONNXRUNTIME") != NULL;
    snprintf(before, sizeof before, "%s", named ? getenv("KODAMA_ONNXRUNTIME") : "");
    setenv("KODAMA_ONNXRUNTIME", "/nowhere", 1);
    assert_int_equal(kodama_neural_probe(NULL, about, sizeof about), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(about, "/nowhere"));
    assert_int_equal(kodama_neural_probe(path, about, sizeof about), KODAMA_OK);
    setenv("KODAMA_ONNXRUNTIME", path, 1);
    assert_int_equal(kodama_neural_probe(NULL, about, sizeof about), KODAMA_OK);
    if (named)
        setenv("KODAMA_ONNXRUNTIME", before, 1);
    else
        unsetenv("KODAMA_ONNXRUNTIME");
}

static void an_unpacked_archive_is_found_in_the_data_folder(void **state)
{
    (void)state;
    need_runtime();
    char home[] = "/tmp/kodama-test-XXXXXX", at[200], target[300], before[1024];
    assert_non_null(mkdtemp(home));
    const char *below[] = {"", "/kodama", "/kodama/onnxruntime-linux-x64-1.21.1",
                           "/kodama/onnxruntime-linux-x64-1.21.1/lib"};
    for (int i = 1; i < 4; i++) {
        snprintf(at, sizeof at, "%s%s", home, below[i]);
        assert_int_equal(mkdir(at, 0700), 0);
    }
    snprintf(target, sizeof target, "%s/libonnxruntime.so.1", at);
    assert_int_equal(symlink(library(), target), 0);
    bool named = getenv("KODAMA_ONNXRUNTIME") != NULL;
    snprintf(before, sizeof before, "%s", named ? getenv("KODAMA_ONNXRUNTIME") : "");
    unsetenv("KODAMA_ONNXRUNTIME");
    setenv("XDG_DATA_HOME", home, 1);
    int found = kodama_neural_probe(NULL, about, sizeof about);
    unsetenv("XDG_DATA_HOME");
    if (named) setenv("KODAMA_ONNXRUNTIME", before, 1);
    assert_int_equal(found, KODAMA_OK);
    /* Named as a folder, it is looked for in `lib`, too. */
    *strrchr(at, '/') = 0;
    assert_int_equal(kodama_neural_probe(at, about, sizeof about), KODAMA_OK);
    unlink(target);
    for (int i = 3; i >= 0; i--) {
        snprintf(at, sizeof at, "%s%s", home, below[i]);
        rmdir(at);
    }
}

static void what_is_not_the_library_is_refused_in_words(void **state)
{
    (void)state;
    need_runtime();
    const char *text = test_scratch(".so");
    FILE *file = fopen(text, "w");
    assert_non_null(file);
    fputs("not a library", file);
    fclose(file);
    assert_int_equal(kodama_neural_probe(text, about, sizeof about), KODAMA_ERR_CORRUPT);
    assert_non_null(strstr(about, text));
    /* One that is loaded already, so that closing it leaves nothing behind. */
    assert_int_equal(kodama_neural_probe("libm.so.6", about, sizeof about), KODAMA_ERR_CORRUPT);
    assert_non_null(strstr(about, "OrtGetApiBase"));
    assert_int_equal(kodama_neural_probe("/nowhere/lib.so", about, sizeof about),
                     KODAMA_ERR_NOT_FOUND);
    assert_int_equal(kodama_neural_probe("/tmp", about, sizeof about), KODAMA_ERR_NOT_FOUND);
    assert_int_equal(kodama_neural_probe(NULL, NULL, 0), KODAMA_OK);
}

static void a_library_that_is_too_old_is_refused_in_words(void **state)
{
    (void)state;
    need_runtime();
    const char *build = getenv("KODAMA_BUILD");
    char path[1100];
    snprintf(path, sizeof path, "%s/tests/neural/old_runtime.so", build ? build : "build");
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(kodama_neural_probe(path, about, sizeof about), KODAMA_ERR_UNSUPPORTED);
    assert_non_null(strstr(about, path));
    assert_non_null(strstr(about, "1.4.0"));
    assert_non_null(strstr(about, "1.16"));
}

static void a_second_library_waits_until_the_first_is_closed(void **state)
{
    (void)state;
    need_runtime();
    struct runtime *runtime, *other;
    struct kodama_error error = {0};
    assert_int_equal(runtime_open(&runtime, NULL, NULL), KODAMA_OK);
    assert_int_equal(runtime_open(&other, "/nowhere/else.so", &error), KODAMA_ERR_STATE);
    assert_null(other);
    assert_non_null(strstr(error.message, "/nowhere/else.so"));
    assert_int_equal(runtime_open(&other, runtime_path(runtime), &error), KODAMA_OK);
    runtime_close(other);
    runtime_close(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_and_place_are_told),
        cmocka_unit_test(a_file_a_folder_and_the_environment_name_it),
        cmocka_unit_test(an_unpacked_archive_is_found_in_the_data_folder),
        cmocka_unit_test(what_is_not_the_library_is_refused_in_words),
        cmocka_unit_test(a_library_that_is_too_old_is_refused_in_words),
        cmocka_unit_test(a_second_library_waits_until_the_first_is_closed),
    };
    return cmocka_run_group_tests_name("neural/runtime", tests, NULL, NULL);
}
