/* Tests of applications: who is meant by a name, a program, a pid. */
#include "support/support.h"

#include <string.h>
#include <unistd.h>

#include <kodama/app.h>

static struct kodama_app_match parse(const char *text)
{
    struct kodama_app_match match = {0};
    struct kodama_error error = {0};
    if (kodama_app_parse(text, &match, &error) != KODAMA_OK) fail_msg("%s", error.message);
    return match;
}

static bool is_meant(const struct kodama_app *app, const char *text)
{
    struct kodama_app_match match = parse(text);
    return kodama_app_matches(app, &match, 1);
}

static const struct kodama_app_stream streams[] = {
    {.name = "AudioStream", .node = "Firefox-2", .pid = 0},
};
static const struct kodama_app app = {
    .name = "Mozilla Firefox", .binary = "firefox-bin", .n_streams = 1, .streams = streams};

static void a_part_of_a_name_in_any_case_is_enough(void **state)
{
    (void)state;
    assert_true(is_meant(&app, "firefox"));
    assert_true(is_meant(&app, "MOZILLA f"));
    assert_true(is_meant(&app, "audiostream"));
    assert_true(is_meant(&app, "fox-2"));
    assert_true(is_meant(&app, "-bin"));
    assert_false(is_meant(&app, "chrome"));
}

static void a_program_is_matched_exactly(void **state)
{
    (void)state;
    assert_true(is_meant(&app, "binary:firefox-bin"));
    assert_false(is_meant(&app, "binary:firefox"));
    assert_false(is_meant(&app, "binary:Firefox-bin"));
}

static void a_pid_means_the_process_and_its_descendants(void **state)
{
    (void)state;
    struct kodama_app child = {.name = "x", .pid = (uint32_t)getpid()};
    struct kodama_app_match match = {.pid = (uint32_t)getppid()};
    assert_true(kodama_app_matches(&child, &match, 1));
    match.pid = (uint32_t)getpid();
    assert_true(kodama_app_matches(&child, &match, 1));
    child.pid = (uint32_t)getppid();
    assert_false(kodama_app_matches(&child, &match, 1));
}

static void all_that_is_given_must_hold_and_nothing_matches_nobody(void **state)
{
    (void)state;
    struct kodama_app_match match = {.name = "firefox", .binary = "other"};
    assert_false(kodama_app_matches(&app, &match, 1));
    struct kodama_app_match both[2] = {match, {.name = "firefox", .binary = "firefox-bin"}};
    assert_true(kodama_app_matches(&app, both, 2)); /* any of several */
    assert_false(kodama_app_matches(&app, both, 0));
    struct kodama_app_match nothing = {0};
    assert_false(kodama_app_matches(&app, &nothing, 1));
    nothing.name = "";
    assert_false(kodama_app_matches(&app, &nothing, 1));
}

static void what_is_no_application_is_refused_in_words(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",        "pid:",  "pid:x",          "pid:-1",
                                        "pid:12x", "pid:0", "pid:4294967296", "binary:"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct kodama_app_match match;
        struct kodama_error error = {0};
        assert_int_equal(kodama_app_parse(wrong[i], &match, &error), KODAMA_ERR_ARGUMENT);
        assert_true(strlen(error.message) > 0);
    }
    assert_int_equal(parse("pid:4294967295").pid, UINT32_MAX);
    assert_string_equal(parse("pidgin").name, "pidgin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_of_a_name_in_any_case_is_enough),
        cmocka_unit_test(a_program_is_matched_exactly),
        cmocka_unit_test(a_pid_means_the_process_and_its_descendants),
        cmocka_unit_test(all_that_is_given_must_hold_and_nothing_matches_nobody),
        cmocka_unit_test(what_is_no_application_is_refused_in_words),
    };
    return cmocka_run_group_tests_name("app", tests, NULL, NULL);
}
