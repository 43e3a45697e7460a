/* Tests of the source "stdin": pipes, files and terminals, raw and WAV, whole and broken. */
#define _GNU_SOURCE /* posix_openpt, cfmakeraw */
#include "capture/collect.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

static const struct kodama_format speech = {
    .sample = KODAMA_SAMPLE_S16, .rate_hz = 16000, .channels = 1};
static const struct kodama_format detect; /* all zero */

/* Writes bytes into a pipe from a thread of its own, in pieces of random sizes, and closes it. */
struct typist {
    struct thread thread;
    const uint8_t *bytes;
    size_t n;
    int fd;
    size_t max_piece;
    bool leave_open;
};

static void type(void *argument)
{
    struct typist *typist = argument;
    struct test_random random = {.state = typist->n};
    for (size_t at = 0; at < typist->n;) {
        size_t piece = 1 + (size_t)test_random_below(&random, typist->max_piece);
        if (piece > typist->n - at) piece = typist->n - at;
        ssize_t n = write(typist->fd, typist->bytes + at, piece);
        if (n <= 0) break;
        at += (size_t)n;
    }
    if (!typist->leave_open) close(typist->fd);
}

/* A pipe into which bytes are being written; returns its reading end. */
static int piped(struct typist *typist, const void *bytes, size_t n, size_t max_piece)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *typist = (struct typist){.bytes = bytes, .n = n, .fd = ends[1], .max_piece = max_piece};
    assert_int_equal(thread_start(&typist->thread, "typist", type, typist, NULL), KODAMA_OK);
    return ends[0];
}

static int open_source(struct kodama_source **source, int fd, struct kodama_format format,
                       const struct kodama_log *log, struct kodama_error *error)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.descriptor = fd;
    config.format = format;
    config.log = log;
    return kodama_source_open(source, "stdin", &config, error);
}

static struct kodama_source *must_open(int fd, struct kodama_format format)
{
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (open_source(&source, fd, format, NULL, &error) < 0) fail_msg("%s", error.message);
    return source;
}

/* A WAV file in memory with any size in its data chunk. */
static size_t make_wav(uint8_t *out, struct kodama_format format, uint32_t data_bytes,
                       const void *data, size_t n_bytes)
{
    size_t frame_bytes = kodama_frame_bytes(format);
    uint32_t fields[] = {data_bytes == 0 ? 0 : data_bytes + 36, format.rate_hz,
                         (uint32_t)(format.rate_hz * frame_bytes), data_bytes};
    uint16_t shorts[] = {format.sample == KODAMA_SAMPLE_F32 ? 3 : 1, (uint16_t)format.channels,
                         (uint16_t)frame_bytes, (uint16_t)(8 * kodama_sample_bytes(format.sample))};
    memcpy(out, "RIFF", 4);
    memcpy(out + 4, &fields[0], 4);
    memcpy(out + 8, "WAVEfmt \x10\0\0\0", 12);
    memcpy(out + 20, shorts, 4);
    memcpy(out + 24, &fields[1], 8);
    memcpy(out + 32, shorts + 2, 4);
    memcpy(out + 36, "data", 4);
    memcpy(out + 40, &fields[3], 4);
    if (n_bytes > 0) memcpy(out + 44, data, n_bytes);
    return 44 + n_bytes;
}

static uint8_t *random_bytes(size_t n)
{
    static uint8_t bytes[400000];
    assert_true(n <= sizeof bytes);
    struct test_random random = {.state = n};
    for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)test_random_next(&random);
    return bytes;
}

static void raw_pcm_arrives_to_the_bit_however_the_pipe_cuts_it(void **state)
{
    (void)state;
    const struct kodama_format formats[] = {speech,
                                            {KODAMA_SAMPLE_U8, 8000, 1, 0},
                                            {KODAMA_SAMPLE_S24, 48000, 3, 0},
                                            {KODAMA_SAMPLE_F32, 44100, 8, 0}};
    const size_t pieces[] = {3, 100, 70000};
    for (size_t f = 0; f < 4; f++) {
        for (size_t p = 0; p < 3; p++) {
            size_t frame_bytes = kodama_frame_bytes(formats[f]);
            size_t n_frames = (p == 0 ? 20000 : 300000) / frame_bytes, n;
            uint8_t *bytes = random_bytes(n_frames * frame_bytes);
            struct typist typist;
            int fd = piped(&typist, bytes, n_frames * frame_bytes, pieces[p]);
            struct collect collect;
            collect_start(&collect, must_open(fd, formats[f]), 0.5);
            assert_int_equal(kodama_source_length(collect.source), -1);
            uint8_t *frames = collect_all(&collect, &n);
            assert_int_equal(n, n_frames);
            assert_memory_equal(frames, bytes, n_frames * frame_bytes);
            thread_join(&typist.thread);
            collect_end(&collect);
            assert_int_equal(collect.status, KODAMA_OK);
            close(fd);
            free(frames);
        }
    }
}

static void wav_is_detected_and_streaming_sizes_mean_until_the_end(void **state)
{
    (void)state;
    static uint8_t wav[300000];
    const uint32_t sizes[] = {0, 0xffffffff, 0x7ffff000, 200000};
    const struct kodama_format stereo = {KODAMA_SAMPLE_F32, 44100, 2, 0};
    for (size_t i = 0; i < 4; i++) {
        uint8_t *audio = random_bytes(200000);
        size_t n_bytes = make_wav(wav, stereo, sizes[i], audio, 200000), n;
        struct typist typist;
        int fd = piped(&typist, wav, n_bytes, 1000);
        struct kodama_source *source = must_open(fd, detect);
        struct kodama_format format = kodama_source_format(source);
        assert_memory_equal(&format, &stereo, sizeof format);
        assert_int_equal(kodama_source_length(source), i == 3 ? 25000 : -1);
        struct collect collect;
        collect_start(&collect, source, 0.1);
        uint8_t *frames = collect_all(&collect, &n);
        assert_int_equal(n, 25000);
        assert_memory_equal(frames, audio, 200000);
        thread_join(&typist.thread);
        collect_end(&collect);
        assert_int_equal(collect.status, KODAMA_OK);
        close(fd);
        free(frames);
    }
}

static void chunks_after_the_audio_are_not_played(void **state)
{
    (void)state;
    static uint8_t wav[20000];
    size_t n_bytes = make_wav(wav, speech, 6400, random_bytes(7000), 7000), n;
    struct typist typist;
    int fd = piped(&typist, wav, n_bytes, 10000);
    struct collect collect;
    collect_start(&collect, must_open(fd, detect), 1.0);
    free(collect_all(&collect, &n));
    assert_int_equal(n, 3200);
    collect_end(&collect);
    assert_int_equal(collect.status, KODAMA_OK);
    thread_join(&typist.thread);
    close(fd);
}

static void a_wav_that_ends_early_keeps_what_came_and_says_so(void **state)
{
    (void)state;
    static uint8_t wav[20000];
    size_t n_bytes = make_wav(wav, speech, 6400, random_bytes(2001), 2001), n;
    struct typist typist;
    int fd = piped(&typist, wav, n_bytes, 10000);
    struct collect collect;
    collect_start(&collect, must_open(fd, detect), 1.0);
    free(collect_all(&collect, &n));
    assert_int_equal(n, 1000);
    collect_end(&collect);
    assert_int_equal(collect.status, KODAMA_ERR_CORRUPT);
    assert_non_null(strstr(collect.error.message, "2200 frames before"));
    thread_join(&typist.thread);
    close(fd);
}

static char last_line[1000];

static void keep_line(void *user, enum kodama_log_level level, const char *line)
{
    (void)user;
    if (level <= KODAMA_LOG_WARNING) snprintf(last_line, sizeof last_line, "%s", line);
}

static void half_a_frame_at_the_end_is_left_out_and_logged(void **state)
{
    (void)state;
    const struct kodama_log log = {.write = keep_line, .level = KODAMA_LOG_INFO};
    const struct kodama_format format = {KODAMA_SAMPLE_S24, 16000, 2, 0};
    struct typist typist;
    int fd = piped(&typist, random_bytes(6 * 50 + 5), 6 * 50 + 5, 4);
    struct kodama_source *source;
    assert_int_equal(open_source(&source, fd, format, &log, NULL), KODAMA_OK);
    struct collect collect;
    collect_start(&collect, source, 1.0);
    size_t n;
    free(collect_all(&collect, &n));
    assert_int_equal(n, 50);
    collect_end(&collect);
    assert_int_equal(collect.status, KODAMA_OK);
    assert_non_null(strstr(last_line, "last 5 bytes"));
    thread_join(&typist.thread);
    close(fd);
}

static void what_is_neither_wav_nor_described_is_refused_with_advice(void **state)
{
    (void)state;
    static uint8_t wav[100];
    make_wav(wav, speech, 100, NULL, 0);
    const struct {
        const void *bytes;
        size_t n;
        int status;
        const char *words;
    } cases[] = {
        {"\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00\x06\x00\x07", 13, KODAMA_ERR_FORMAT,
         "--rate 16000 --channels 1"},
        {"ab", 2, KODAMA_ERR_FORMAT, "--rate 16000 --channels 1"},
        {"fLaC\0\0\0\x22----------", 18, KODAMA_ERR_FORMAT, "is FLAC"},
        {"OggS-----------------", 18, KODAMA_ERR_FORMAT, "is Ogg"},
        {"ID3------------------", 18, KODAMA_ERR_FORMAT, "is MP3"},
        {"\xff\xfb\x90\x64---------", 13, KODAMA_ERR_FORMAT, "is MP3"},
        {"", 0, KODAMA_ERR_CORRUPT, "not a single byte"},
        {wav, 30, KODAMA_ERR_CORRUPT, "cut off"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct typist typist;
        int fd = piped(&typist, cases[i].bytes, cases[i].n, 5);
        thread_join(&typist.thread);
        struct kodama_source *source;
        struct kodama_error error = {0};
        assert_int_equal(open_source(&source, fd, detect, NULL, &error), cases[i].status);
        assert_null(source);
        assert_non_null(strstr(error.message, "standard input"));
        assert_non_null(strstr(error.message, cases[i].words));
        close(fd);
    }
    struct kodama_source *source;
    struct kodama_error error = {0};
    struct kodama_format bad = speech;
    bad.rate_hz = 10;
    assert_int_equal(open_source(&source, 0, bad, NULL, &error), KODAMA_ERR_FORMAT);
}

static void a_descriptor_that_cannot_be_read_is_an_error_in_words(void **state)
{
    (void)state;
    struct kodama_source *source;
    struct kodama_error error = {0};
    assert_int_equal(open_source(&source, 1000, detect, NULL, &error), KODAMA_ERR_IO);
    assert_non_null(strstr(error.message, "1000"));
    int directory = open("/", O_RDONLY | O_DIRECTORY);
    assert_int_equal(open_source(&source, directory, detect, NULL, &error), KODAMA_ERR_IO);
    assert_non_null(strstr(error.message, "directory"));
    struct collect collect; /* raw: found out when it runs */
    collect_start(&collect, must_open(directory, speech), 1.0);
    size_t n;
    free(collect_all(&collect, &n));
    assert_int_equal(n, 0);
    collect_end(&collect);
    assert_int_equal(collect.status, KODAMA_ERR_IO);
    close(directory);
}

static void a_redirected_file_works_as_a_pipe_does(void **state)
{
    (void)state;
    static short samples[30000];
    const char *path =
        collect_write(".wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, samples, 30000, 1);
    int fd = open(path, O_RDONLY);
    struct collect collect;
    collect_start(&collect, must_open(fd, detect), 0.5);
    size_t n;
    uint8_t *frames = collect_all(&collect, &n);
    assert_int_equal(n, 30000);
    assert_memory_equal(frames, samples, sizeof samples);
    collect_end(&collect);
    close(fd);
    free(frames);
}

static void it_stops_while_it_waits_for_bytes_that_never_come(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abc", 3), 3); /* a frame and a half */
    struct collect collect;
    collect_start(&collect, must_open(ends[0], speech), 1.0);
    short frame;
    assert_int_equal(kodama_cursor_read(collect.cursor, &frame, 1, KODAMA_FOREVER, NULL), 1);
    assert_memory_equal(&frame, "ab", 2);
    uint64_t begin = clock_now_ns();
    collect_end(&collect);
    assert_true(clock_now_ns() - begin < 2000 * CLOCK_NS_PER_MS);
    assert_int_equal(collect.status, KODAMA_OK);
    assert_true(collect.ended);
    close(ends[0]);
    close(ends[1]);
}

static void frames_go_on_their_way_as_soon_as_they_are_whole(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct collect collect;
    collect_start(&collect, must_open(ends[0], speech), 1.0);
    for (short i = 0; i < 100; i++) {
        short frame = -1;
        assert_int_equal(write(ends[1], &i, 1), 1);
        assert_int_equal(kodama_cursor_read(collect.cursor, &frame, 1, 0, NULL), KODAMA_ERR_EMPTY);
        assert_int_equal(write(ends[1], (uint8_t *)&i + 1, 1), 1);
        assert_int_equal(kodama_cursor_read(collect.cursor, &frame, 1, KODAMA_FOREVER, NULL), 1);
        assert_int_equal(frame, i);
    }
    close(ends[1]);
    size_t n;
    free(collect_all(&collect, &n));
    assert_int_equal(n, 0);
    collect_end(&collect);
    close(ends[0]);
}

static void a_terminal_can_be_read_but_not_guessed(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        printf("# skipped: no pseudo terminals\n");
        fflush(stdout);
        skip();
    }
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    struct kodama_source *source;
    struct kodama_error error = {0};
    assert_int_equal(open_source(&source, terminal, detect, NULL, &error), KODAMA_ERR_FORMAT);
    assert_non_null(strstr(error.message, "terminal"));
    struct termios raw;
    assert_int_equal(tcgetattr(terminal, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(terminal, TCSANOW, &raw), 0);
    struct collect collect;
    collect_start(&collect, must_open(terminal, speech), 1.0);
    assert_int_equal(write(master, "木霊", 6), 6);
    char back[6];
    size_t n = 0;
    while (n < 3) {
        int64_t got = kodama_cursor_read(collect.cursor, back + 2 * n, 3 - n, KODAMA_FOREVER, NULL);
        assert_true(got > 0);
        n += (size_t)got;
    }
    assert_memory_equal(back, "木霊", 6);
    collect_end(&collect); /* stops although the terminal stays silent */
    close(terminal);
    close(master);
}

static void on_alarm(int number)
{
    (void)number;
}

static void a_signal_ends_the_wait_for_a_header(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct sigaction action = {.sa_handler = on_alarm}, old;
    sigaction(SIGALRM, &action, &old);
    struct itimerval soon = {.it_value = {.tv_usec = 20000}, .it_interval = {.tv_usec = 20000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    struct kodama_source *source;
    struct kodama_error error = {0};
    int status = open_source(&source, ends[0], detect, NULL, &error);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    sigaction(SIGALRM, &old, NULL);
    assert_int_equal(status, KODAMA_ERR_CANCELLED);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_pcm_arrives_to_the_bit_however_the_pipe_cuts_it),
        cmocka_unit_test(wav_is_detected_and_streaming_sizes_mean_until_the_end),
        cmocka_unit_test(chunks_after_the_audio_are_not_played),
        cmocka_unit_test(a_wav_that_ends_early_keeps_what_came_and_says_so),
        cmocka_unit_test(half_a_frame_at_the_end_is_left_out_and_logged),
        cmocka_unit_test(what_is_neither_wav_nor_described_is_refused_with_advice),
        cmocka_unit_test(a_descriptor_that_cannot_be_read_is_an_error_in_words),
        cmocka_unit_test(a_redirected_file_works_as_a_pipe_does),
        cmocka_unit_test(it_stops_while_it_waits_for_bytes_that_never_come),
        cmocka_unit_test(frames_go_on_their_way_as_soon_as_they_are_whole),
        cmocka_unit_test(a_terminal_can_be_read_but_not_guessed),
        cmocka_unit_test(a_signal_ends_the_wait_for_a_header),
    };
    return cmocka_run_group_tests_name("source stdin", tests, NULL, NULL);
}
