/* Command lines, as a table of options says. */
#include "support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/parse.h"

struct options {
    const char *mic;
    uint32_t count;
    double real;
    double time_s;
    struct option_list list;
    bool on, off;
};

static const struct option_entry entries[] = {
    {.name = "mic",
     .kind = OPTION_TEXT,
     .argument = "NAME",
     .value_optional = true,
     .help = "Hear a microphone",
     .offset = offsetof(struct options, mic)},
    {.name = "count",
     .letter = 'c',
     .kind = OPTION_COUNT,
     .argument = "N",
     .help = "Count",
     .fallback = "7",
     .least = 1,
     .most = 1000,
     .offset = offsetof(struct options, count)},
    {.name = "real",
     .kind = OPTION_REAL,
     .argument = "X",
     .help = "A number",
     .fallback = "0.5",
     .least = -1,
     .most = 1,
     .offset = offsetof(struct options, real)},
    {.name = "on",
     .letter = 'o',
     .kind = OPTION_ON,
     .help = "On",
     .offset = offsetof(struct options, on)},
    {.name = "time",
     .kind = OPTION_TIME,
     .argument = "TIME",
     .help = "A time",
     .most = 100000,
     .offset = offsetof(struct options, time_s)},
    {.name = "list",
     .letter = 'l',
     .kind = OPTION_LIST,
     .argument = "X",
     .help = "Again and again",
     .offset = offsetof(struct options, list)},
    {.name = "no-off", .kind = OPTION_OFF, .help = "Off", .offset = offsetof(struct options, off)},
    {0},
};

static const struct example examples[] = {{"kodama try x", "Try"}, {NULL, NULL}};

static const struct command command = {
    .name = "try",
    .summary = "try",
    .description = "Tries.",
    .operand = "[WORD...]",
    .operands_most = 3,
    .options = entries,
    .options_bytes = sizeof(struct options),
    .examples = examples,
};

/* Parse up to eight words, quietly. */
static int parse_words(struct parsed *parsed, const char *const *list)
{
    static char copies[9][64];
    static char *words[10];
    int n = 0;
    for (const char *word = "try"; word && n < 9; word = list[n++]) {
        snprintf(copies[n], sizeof copies[n], "%s", word);
        words[n] = copies[n];
    }
    words[n] = NULL;
    int standard = dup(STDERR_FILENO), nothing = open("/dev/null", O_WRONLY);
    dup2(nothing, STDERR_FILENO);
    int code = parse(parsed, &command, n, words);
    dup2(standard, STDERR_FILENO);
    close(standard);
    close(nothing);
    return code;
}

#define PARSE(parsed, ...) parse_words(parsed, (const char *const[]){__VA_ARGS__, NULL})

static void options_have_their_defaults(void **state)
{
    (void)state;
    struct parsed parsed;
    assert_int_equal(PARSE(&parsed, "x"), EXIT_DONE);
    const struct options *options = parsed.invocation.options;
    assert_null(options->mic);
    assert_int_equal(options->count, 7);
    assert_float_equal(options->real, 0.5, 0.0);
    assert_false(options->on);
    assert_true(options->off);
    assert_int_equal(parsed.invocation.n_operands, 1);
    parse_free(&parsed);
}

static void options_may_follow_operands(void **state)
{
    (void)state;
    struct parsed parsed;
    assert_int_equal(PARSE(&parsed, "x", "-oc", "12", "y", "--real", "-0.25", "--no-off"),
                     EXIT_DONE);
    const struct options *options = parsed.invocation.options;
    assert_int_equal(options->count, 12);
    assert_float_equal(options->real, -0.25, 0.0);
    assert_true(options->on);
    assert_false(options->off);
    assert_int_equal(parsed.invocation.n_operands, 2);
    assert_string_equal(parsed.invocation.operands[1], "y");
    parse_free(&parsed);
}

static void an_optional_value_is_only_taken_with_an_equals_sign(void **state)
{
    (void)state;
    struct parsed parsed;
    assert_int_equal(PARSE(&parsed, "--mic", "x"), EXIT_DONE);
    assert_string_equal(((const struct options *)parsed.options)->mic, "");
    assert_int_equal(parsed.invocation.n_operands, 1);
    parse_free(&parsed);
    assert_int_equal(PARSE(&parsed, "--mic=front", "x"), EXIT_DONE);
    assert_string_equal(((const struct options *)parsed.options)->mic, "front");
    parse_free(&parsed);
}

static void after_two_dashes_everything_is_an_operand(void **state)
{
    (void)state;
    struct parsed parsed;
    assert_int_equal(PARSE(&parsed, "--", "--on", "-"), EXIT_DONE);
    assert_false(((const struct options *)parsed.options)->on);
    assert_int_equal(parsed.invocation.n_operands, 2);
    assert_string_equal(parsed.invocation.operands[0], "--on");
    parse_free(&parsed);
}

static void numbers_must_be_whole_finite_and_in_range(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "--count=0",  "--count=1001", "--count=1.5", "--count=",    "--count=7x",
        "--count=-3", "--real=nan",   "--real=inf",  "--real=1.01", "--count=1e99"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct parsed parsed;
        assert_int_equal(PARSE(&parsed, wrong[i]), EXIT_USAGE);
        parse_free(&parsed);
    }
}

static void times_are_seconds_or_have_minutes_and_hours(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        double time_s;
    } right[] = {{"--time=90", 90},        {"--time=0.5", 0.5},          {"--time=1:30", 90},
                 {"--time=0:01.25", 1.25}, {"--time=1:02:03.5", 3723.5}, {"--time=100:00", 6000}};
    static const char *const wrong[] = {
        "--time=",      "--time=1:", "--time=:30", "--time=1:60",    "--time=-1",
        "--time=1.5:3", "--time=1x", "--time=nan", "--time=1:2:3:4", "--time=100001"};
    struct parsed parsed;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_int_equal(PARSE(&parsed, right[i].word), EXIT_DONE);
        assert_float_equal(((const struct options *)parsed.options)->time_s, right[i].time_s, 1e-9);
        parse_free(&parsed);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(PARSE(&parsed, wrong[i]), EXIT_USAGE);
        parse_free(&parsed);
    }
}

static void an_option_that_may_be_given_again_keeps_every_value_in_order(void **state)
{
    (void)state;
    struct parsed parsed;
    assert_int_equal(PARSE(&parsed, "-l", "a", "--list=b", "x", "-lc"), EXIT_DONE);
    const struct options *options = parsed.invocation.options;
    assert_int_equal(options->list.n, 3);
    assert_string_equal(options->list.values[0], "a");
    assert_string_equal(options->list.values[2], "c");
    assert_int_equal(parsed.invocation.n_operands, 1);
    parse_free(&parsed);
}

static void help_wins_over_what_follows(void **state)
{
    (void)state;
    struct parsed parsed;
    assert_int_equal(PARSE(&parsed, "--help", "--nonsense"), EXIT_DONE);
    assert_true(parsed.help);
    parse_free(&parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_have_their_defaults),
        cmocka_unit_test(options_may_follow_operands),
        cmocka_unit_test(an_optional_value_is_only_taken_with_an_equals_sign),
        cmocka_unit_test(after_two_dashes_everything_is_an_operand),
        cmocka_unit_test(numbers_must_be_whole_finite_and_in_range),
        cmocka_unit_test(times_are_seconds_or_have_minutes_and_hours),
        cmocka_unit_test(an_option_that_may_be_given_again_keeps_every_value_in_order),
        cmocka_unit_test(help_wins_over_what_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
