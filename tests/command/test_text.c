/* The parts of the command that put text together: columns, suggestions, subtitles, messages. */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/columns.h"
#include "command/output.h"
#include "command/screen.h"
#include "command/suggest.h"
#include "command/transcript.h"
#include "command/waveform.h"

static void expect_line(const char *text, size_t width, const char *line, const char *rest)
{
    size_t next, n_bytes = columns_line(text, strlen(text), width, &next);
    assert_int_equal(n_bytes, strlen(line));
    assert_memory_equal(text, line, n_bytes);
    assert_string_equal(text + next, rest);
}

static void lines_end_at_the_last_space_that_fits(void **state)
{
    (void)state;
    expect_line("ask not what", 12, "ask not what", "");
    expect_line("ask not what", 11, "ask not", "what");
    expect_line("ask not what", 7, "ask not", "what");
    expect_line("ask not what", 6, "ask", "not what");
    expect_line("ask   not", 4, "ask", "not");
    expect_line("", 5, "", "");
}

static void words_longer_than_a_line_are_broken(void **state)
{
    (void)state;
    expect_line("incomprehensibilities", 8, "incompre", "hensibilities");
    expect_line("\xe6\x9c\xa8", 1, "\xe6\x9c\xa8", ""); /* wider than the line: still goes on */
}

static void characters_are_as_wide_as_a_terminal_shows_them(void **state)
{
    (void)state;
    assert_int_equal(columns_of("kodama", 6), 6);
    assert_int_equal(columns_of("\xc3\xa9t\xc3\xa9", 5), 3);
    assert_int_equal(columns_of("\xe6\x9c\xa8\xe9\x9c\x8a", 6), 4);
    assert_int_equal(columns_of("e\xcc\x81", 3), 1); /* combining accent */
    assert_int_equal(columns_of("\xff\xc3", 2), 2);  /* no UTF-8 at all */
    assert_int_equal(columns_of("\xed\xa0\x80", 3) > 0, 1);
}

static void the_nearest_word_is_suggested(void **state)
{
    (void)state;
    assert_int_equal(suggest_distance("listen", "listen"), 0);
    assert_int_equal(suggest_distance("lisetn", "listen"), 1);
    assert_int_equal(suggest_distance("", "vad"), 3);
    struct suggestion suggestion = {.typed = "thresold"};
    suggest_consider(&suggestion, "save");
    suggest_consider(&suggestion, "threshold");
    assert_string_equal(suggestion.nearest, "threshold");
}

static void nothing_is_suggested_for_nonsense(void **state)
{
    (void)state;
    struct suggestion suggestion = {.typed = "xyzzy"};
    suggest_consider(&suggestion, "vad");
    suggest_consider(&suggestion, "listen");
    assert_null(suggestion.nearest);
}

/* ---------------------------------------------------------- transcripts */

static const struct kodama_word words[] = {
    {"fish", 1.0, 1.5, 0.5f}, {"&", 1.5, 2.0, 0.5f}, {"<chips>", 2.0, 2.75, 0.25f}};

static struct kodama_event final_event(void)
{
    return (struct kodama_event){.kind = KODAMA_EVENT_FINAL,
                                 .utterance = 1,
                                 .text = "fish & <chips>",
                                 .start_s = 1.0,
                                 .end_s = 2.75,
                                 .confidence = 0.5f,
                                 .words = words,
                                 .n_words = 3};
}

/* What a transcript of these events looks like. Free with free(). */
static char *transcript_of(const char *format, const struct kodama_event *events, size_t n_events)
{
    const char *path = test_scratch(".transcript");
    struct transcript transcript = {.format = transcript_format_find(format), .partials = true};
    assert_non_null(transcript.format);
    assert_true(output_create(&transcript.output, path));
    assert_true(transcript_begin(&transcript, (struct transcript_facts){16000, "engine", "model"}));
    for (size_t i = 0; i < n_events; i++) {
        assert_true(transcript_event(&transcript, &events[i]));
    }
    assert_true(transcript_end(&transcript, "stopped", 16000));
    int64_t length = transcript.output.length;
    assert_true(output_close(&transcript.output));
    transcript_free(&transcript);
    char *text = calloc((size_t)length + 1, 1);
    assert_non_null(text);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, text, (size_t)length), length);
    close(fd);
    return text;
}

static void expect_transcript(const char *format, const struct kodama_event *event,
                              const char *expected)
{
    char *text = transcript_of(format, event, 1);
    assert_string_equal(text, expected);
    free(text);
}

static void subtitles_have_times_numbers_and_escapes(void **state)
{
    (void)state;
    struct kodama_event event = final_event();
    expect_transcript("srt", &event, "1\n00:00:01,000 --> 00:00:02,750\nfish & <chips>\n\n");
    expect_transcript("vtt", &event,
                      "WEBVTT\n\n00:00:01.000 --> 00:00:02.750\nfish &amp; &lt;chips&gt;\n\n");
    expect_transcript("text", &event, "fish & <chips>\n");
}

static void empty_finals_leave_no_cue_and_no_line(void **state)
{
    (void)state;
    struct kodama_event event = {.kind = KODAMA_EVENT_FINAL, .utterance = 1, .text = ""};
    expect_transcript("srt", &event, "");
    expect_transcript("vtt", &event, "WEBVTT\n\n");
    expect_transcript("text", &event, "");
}

static void long_finals_become_several_cues_of_two_lines(void **state)
{
    (void)state;
    enum { WORDS = 60 };
    struct kodama_word many[WORDS];
    struct text text = {0};
    for (size_t i = 0; i < WORDS; i++) {
        many[i] = (struct kodama_word){"mountain", 3600.0 + (double)i * 0.4,
                                       3600.4 + (double)i * 0.4, 1.0f};
        text_add(&text, i ? " mountain" : "mountain");
    }
    struct kodama_event event = {.kind = KODAMA_EVENT_FINAL,
                                 .utterance = 1,
                                 .text = text.bytes,
                                 .start_s = 3600,
                                 .end_s = 3624,
                                 .words = many,
                                 .n_words = WORDS};
    char *srt = transcript_of("srt", &event, 1);
    size_t n_words = 0, n_cues = 0, lines = 0;
    assert_non_null(strstr(srt, "01:00:00,000 --> "));
    for (char *save, *line = strtok_r(srt, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        bool words_line = strncmp(line, "mountain", 8) == 0;
        lines = words_line ? lines + 1 : 0;
        assert_true(lines <= 2);
        assert_true(strlen(line) <= 42);
        n_cues += strstr(line, "-->") != NULL;
        for (char *word = line; words_line && (word = strstr(word, "mountain")); word += 8)
            n_words++;
    }
    assert_int_equal(n_words, WORDS);
    assert_in_range(n_cues, 4, 15);
    free(srt);
    text_free(&text);
}

static void messages_are_the_protocols(void **state)
{
    (void)state;
    const struct kodama_event events[] = {
        {.kind = KODAMA_EVENT_SPEECH_STARTED, .utterance = 1, .sample = 12800},
        {.kind = KODAMA_EVENT_PARTIAL, .utterance = 1, .text = "fish", .stable_bytes = 4},
        {.kind = KODAMA_EVENT_SPEECH_STOPPED, .utterance = 1, .sample = 64000},
        final_event(),
        {.kind = KODAMA_EVENT_SLOW, .lag_ms = 900},
        {.kind = KODAMA_EVENT_FAILED, .utterance = 2, .text = "no \xff memory"},
    };
    static const char expected[] =
        "{\"type\":\"ready\",\"seq\":1,\"session\":\"local\",\"next_sample\":0,\"rate\":16000,"
        "\"engine\":\"engine\",\"model\":\"model\"}\n"
        "{\"type\":\"speech_started\",\"seq\":2,\"utterance\":1,\"sample\":12800}\n"
        "{\"type\":\"partial\",\"seq\":3,\"utterance\":1,\"text\":\"fish\",\"stable\":4}\n"
        "{\"type\":\"speech_stopped\",\"seq\":4,\"utterance\":1,\"sample\":64000}\n"
        "{\"type\":\"final\",\"seq\":5,\"utterance\":1,\"text\":\"fish & <chips>\",\"start\":1.0,"
        "\"end\":2.75,\"confidence\":0.5,\"words\":["
        "{\"word\":\"fish\",\"start\":1.0,\"end\":1.5,\"confidence\":0.5},"
        "{\"word\":\"&\",\"start\":1.5,\"end\":2.0,\"confidence\":0.5},"
        "{\"word\":\"<chips>\",\"start\":2.0,\"end\":2.75,\"confidence\":0.25}],"
        "\"revised\":false}\n"
        "{\"type\":\"warning\",\"seq\":6,\"code\":\"slow\",\"lag_ms\":900}\n"
        "{\"type\":\"error\",\"seq\":7,\"utterance\":2,\"code\":\"decode_failed\",\"message\":\"\"}"
        "\n"
        "{\"type\":\"closed\",\"seq\":8,\"reason\":\"stopped\",\"samples\":16000,"
        "\"utterances\":1}\n";
    char *text = transcript_of("json", events, 6);
    assert_string_equal(text, expected);
    free(text);
}

static void extensions_choose_the_format(void **state)
{
    (void)state;
    assert_string_equal(transcript_format_of("a.b/talk.SRT")->name, "srt");
    assert_string_equal(transcript_format_of("talk.jsonl")->name, "json");
    assert_string_equal(transcript_format_of("talk.txt")->name, "text");
    assert_null(transcript_format_of("talk.wav"));
    assert_null(transcript_format_of("talk"));
}

static void a_failed_output_is_remembered(void **state)
{
    (void)state;
    struct output output;
    assert_false(output_create(&output, "/nonexistent/file"));
    assert_int_not_equal(output.error, 0);
    assert_false(output_write(&output, "a", 1));
    assert_string_equal(error_words(output.error), "no such file or directory");
}

static void a_file_that_cannot_grow_ends_where_it_was_whole(void **state)
{
    (void)state;
    char block[600];
    struct rlimit before;
    struct output output;
    const char *path = test_scratch(".limited");
    memset(block, 'a', sizeof block);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(output_create(&output, path));
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 1000, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    bool first = output_write(&output, block, sizeof block);
    bool second = output_write(&output, block, sizeof block);
    setrlimit(RLIMIT_FSIZE, &before);
    struct stat file;
    assert_true(first);
    assert_false(second);
    assert_int_equal(output.error, EFBIG);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_size, 600);
    assert_false(output_close(&output));
}

static void times_are_written_as_people_do(void **state)
{
    (void)state;
    char text[16];
    assert_string_equal(screen_time(0.0, text), "0:00");
    assert_string_equal(screen_time(754.9, text), "12:34");
    assert_string_equal(screen_time(3723.0, text), "1:02:03");
    assert_string_equal(screen_time(-1.0, text), "0:00");
}

static void sizes_are_written_as_people_do(void **state)
{
    (void)state;
    static const struct {
        uint64_t n_bytes;
        const char *text;
    } sizes[] = {{0, "0 bytes"},     {999, "999 bytes"},     {1000, "1.0 kB"},
                 {9949, "9.9 kB"},   {9950, "10 kB"},        {999499, "999 kB"},
                 {999500, "1.0 MB"}, {1234567890, "1.2 GB"}, {UINT64_MAX, "18446744 TB"}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct text text = {0};
        text_add_size(&text, sizes[i].n_bytes);
        assert_string_equal(text_string(&text), sizes[i].text);
        text_free(&text);
    }
}

static void a_waveform_keeps_the_extremes_of_any_length(void **state)
{
    (void)state;
    static struct waveform waveform;
    struct text page = {0};
    for (int i = 0; i < 1000003; i++) {
        bool loud = i == 777777;
        waveform_add(&waveform, loud ? -1.0f : 0.0f, loud ? 1.0f : 0.0f);
    }
    waveform_draw(&waveform, &page, 10, 2, false);
    assert_string_equal(text_string(&page), "       #  \n'''''''#''\n");
    text_free(&page);
}

int main(void)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8")) setlocale(LC_CTYPE, "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_at_the_last_space_that_fits),
        cmocka_unit_test(words_longer_than_a_line_are_broken),
        cmocka_unit_test(characters_are_as_wide_as_a_terminal_shows_them),
        cmocka_unit_test(the_nearest_word_is_suggested),
        cmocka_unit_test(nothing_is_suggested_for_nonsense),
        cmocka_unit_test(subtitles_have_times_numbers_and_escapes),
        cmocka_unit_test(empty_finals_leave_no_cue_and_no_line),
        cmocka_unit_test(long_finals_become_several_cues_of_two_lines),
        cmocka_unit_test(messages_are_the_protocols),
        cmocka_unit_test(extensions_choose_the_format),
        cmocka_unit_test(a_failed_output_is_remembered),
        cmocka_unit_test(a_file_that_cannot_grow_ends_where_it_was_whole),
        cmocka_unit_test(times_are_written_as_people_do),
        cmocka_unit_test(sizes_are_written_as_people_do),
        cmocka_unit_test(a_waveform_keeps_the_extremes_of_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
