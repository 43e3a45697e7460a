/*
 * Tests of sinks: what other applications hear of them, on real daemons.
 *
 * With the argument "mic NAME" this program is an application that has a virtual microphone until
 * it is killed.
 */
#include "support/daemon.h"
#include "support/sound.h"
#include "support/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kodama/device.h>
#include <kodama/sink.h>

#include "base/clock.h"

static const char *this_program;
static struct sound *sound;

/* Longer than any stall; never waited for when all is well. */
#define PATIENCE_S 15.0
static const int64_t patience_ns = (int64_t)PATIENCE_S * INT64_C(1000000000);

static void pause_s(double seconds)
{
    clock_sleep_until(clock_now_ns() + (uint64_t)(seconds * 1e9));
}

/* The daemon and the backend that a test is run with. */
static enum daemon_kind kind_of(void **state)
{
    return *(const enum daemon_kind *)*state;
}

static const char *backend_of(enum daemon_kind kind)
{
    return kind == DAEMON_PULSE ? "pulse" : "pipewire";
}

static void use(enum daemon_kind kind)
{
    bool built = false;
    for (size_t i = 0; kodama_host_backend_name(i); i++) {
        built = built || strcmp(kodama_host_backend_name(i), backend_of(kind)) == 0;
    }
    if (!built) {
        printf("# skipped: built without %s\n", backend_of(kind));
        skip();
    }
    /* A quantum that stalls of a shared machine seldom break. */
    daemon_use(
        &(struct daemon_options){.kind = kind, .quantum = kind == DAEMON_PIPEWIRE ? 4096 : 0});
}

static struct kodama_sink_config config_for(enum daemon_kind kind)
{
    struct kodama_sink_config config = KODAMA_SINK_CONFIG_INIT;
    config.backend = backend_of(kind);
    config.format.channels = 2;
    config.name = "Test Mic";
    return config;
}

static struct kodama_sink *open_sink(const char *name, const struct kodama_sink_config *config)
{
    struct kodama_sink *sink;
    struct kodama_error error = {0};
    if (kodama_sink_open(&sink, name, config, &error) < 0) fail_msg("%s", error.message);
    return sink;
}

static struct kodama_sink_stats stats_of(const struct kodama_sink *sink)
{
    struct kodama_sink_stats stats;
    kodama_sink_stats(sink, &stats);
    return stats;
}

static void write_sound(struct kodama_sink *sink, size_t from, size_t n_frames)
{
    int64_t n =
        kodama_sink_write(sink, sound->frames + from * SOUND_CHANNELS, n_frames, patience_ns);
    assert_int_equal(n, n_frames);
}

static void await_present(const struct kodama_sink *sink, bool present)
{
    uint64_t end = clock_now_ns() + (uint64_t)patience_ns;
    while (stats_of(sink).present != present) {
        if (clock_now_ns() > end) fail_msg("the sink did not %s", present ? "come" : "go");
        pause_s(0.005);
    }
}

/* ----------------------------------------------------------------- somebody records */

struct recording {
    pid_t program;
    const char *path;
    size_t channels;
};

/* Another application records a source; waits until the first bytes are there. */
static struct recording record(const char *source, int channels)
{
    char device[200], count[40];
    struct recording recording = {.path = test_scratch(".raw"), .channels = (size_t)channels};
    snprintf(device, sizeof device, "--device=%s", source);
    snprintf(count, sizeof count, "--channels=%d", channels);
    recording.program =
        program_start((const char *[]){"parec", device, count, "--rate=48000", "--latency-msec=20",
                                       "--format=float32le", recording.path, NULL});
    uint64_t end = clock_now_ns() + (uint64_t)patience_ns;
    for (long bytes = 0; bytes == 0; pause_s(0.01)) {
        FILE *file = fopen(recording.path, "rb");
        assert_non_null(file);
        fseek(file, 0, SEEK_END);
        bytes = ftell(file);
        fclose(file);
        if (clock_now_ns() > end) fail_msg("nothing comes from %s", source);
    }
    return recording;
}

/* All samples so far. */
static float *read_samples(const struct recording *recording, size_t *n_samples)
{
    FILE *file = fopen(recording->path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *n_samples = (size_t)ftell(file) / sizeof(float);
    rewind(file);
    float *samples = malloc((*n_samples + 1) * sizeof *samples);
    assert_non_null(samples);
    assert_int_equal(fread(samples, sizeof *samples, *n_samples, file), *n_samples);
    fclose(file);
    return samples;
}

/*
 * All samples up to what was heard last. How far the one who records is behind on a machine that
 * stalls nobody knows; but when it has written 0.3 s since, and they are silent, it has all.
 */
static float *recorded(struct recording *recording, size_t *n_samples)
{
    enum { TAIL = SOUND_RATE * 3 / 10 };
    uint64_t end = clock_now_ns() + (uint64_t)patience_ns;
    size_t before = SIZE_MAX;
    for (;;) {
        float *samples = read_samples(recording, n_samples);
        size_t silent = 0;
        while (silent < *n_samples && samples[*n_samples - 1 - silent] == 0.0F) silent++;
        if (before == SIZE_MAX) before = *n_samples;
        size_t tail = TAIL * recording->channels;
        bool whole = *n_samples >= before + tail && silent >= tail;
        if (whole || clock_now_ns() > end) {
            program_end(recording->program);
            return samples;
        }
        free(samples);
        pause_s(0.02);
    }
}

/* All that was written from frame `from` on was recorded, bit for bit and in order. */
static void assert_recorded(struct recording *recording, enum daemon_kind kind, size_t from,
                            size_t n_frames)
{
    size_t n;
    float *samples = recorded(recording, &n);
    struct sound_report report = sound_compare(sound, samples, n / SOUND_CHANNELS);
    free(samples);
    assert_int_equal(report.foreign, 0);
    assert_int_equal(report.backwards, 0);
    assert_int_equal(report.first_from, from);
    /* Of PipeWire the one who records loses whole cycles when the machine stalls. */
    size_t lost = n_frames - report.matched;
    if (lost > 0) print_message("# %zu frames were lost on the way\n", lost);
    assert_in_range(lost, 0, kind == DAEMON_PULSE ? 0 : 4 * 4096);
}

static void line_of(const char *question, char *line, size_t n_bytes)
{
    const char *const ask[] = {"timeout", "10", "pactl", question, NULL};
    assert_int_equal(program_run(ask, line, n_bytes), 0);
}

/* Whether programs can choose a source of this name. */
static bool is_listed(const char *name)
{
    char script[300], line[50];
    snprintf(script, sizeof script, "pactl list short sources | awk '$2 == \"%s\"' | wc -l", name);
    assert_int_equal(program_run((const char *[]){"sh", "-c", script, NULL}, line, sizeof line), 0);
    return strtol(line, NULL, 10) > 0;
}

static void await_listed(const char *name, bool listed)
{
    uint64_t end = clock_now_ns() + (uint64_t)patience_ns;
    while (is_listed(name) != listed) {
        if (clock_now_ns() > end) fail_msg("%s did not %s", name, listed ? "come" : "go");
        pause_s(0.02);
    }
}

/* ---------------------------------------------------------------------- on daemons */

static void speakers_play_bit_for_bit(void **state)
{
    use(kind_of(state));
    char monitor[200];
    snprintf(monitor, sizeof monitor, "%s.monitor", daemon_sink());
    struct kodama_sink_config config = config_for(kind_of(state));
    struct kodama_sink *sink = open_sink("speakers", &config);
    struct recording recording = record(monitor, 2);
    write_sound(sink, 0, SOUND_RATE);
    assert_int_equal(kodama_sink_drain(sink, patience_ns, NULL), KODAMA_OK);
    struct kodama_sink_stats stats = stats_of(sink);
    assert_int_equal(stats.frames, SOUND_RATE);
    assert_int_equal(stats.queue_frames, 0);
    assert_recorded(&recording, kind_of(state), 0, SOUND_RATE);
    kodama_sink_close(sink);
}

static void speakers_that_are_not_there_are_told_with_those_that_are(void **state)
{
    use(kind_of(state));
    struct kodama_sink_config config = config_for(kind_of(state));
    struct kodama_sink *sink;
    struct kodama_error error = {0};
    config.device = "no such device";
    assert_int_equal(kodama_sink_open(&sink, "speakers", &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, daemon_sink()));
    assert_null(sink);
    config.device = "KODAMA-test"; /* a part, in any case */
    sink = open_sink("speakers", &config);
    kodama_sink_close(sink);
}

static void microphone_is_recorded_by_another_application_bit_for_bit(void **state)
{
    use(kind_of(state));
    struct kodama_sink_config config = config_for(kind_of(state));
    struct kodama_sink *sink = open_sink("mic", &config);
    await_listed("Test-Mic", true);
    struct recording recording = record("Test-Mic", 2);
    write_sound(sink, 0, SOUND_RATE);
    assert_int_equal(kodama_sink_drain(sink, patience_ns, NULL), KODAMA_OK);
    assert_recorded(&recording, kind_of(state), 0, SOUND_RATE);
    kodama_sink_close(sink);
    await_listed("Test-Mic", false);
}

static void microphone_with_one_channel_is_exact(void **state)
{
    use(kind_of(state));
    struct kodama_sink_config config = config_for(kind_of(state));
    config.format.channels = 0;
    struct kodama_sink *sink = open_sink("mic", &config);
    assert_int_equal(kodama_sink_format(sink).channels, 1);
    await_listed("Test-Mic", true);
    struct recording recording = record("Test-Mic", 1);
    enum { N = SOUND_RATE / 2 };
    float *mono = malloc(N * sizeof *mono);
    assert_non_null(mono);
    for (size_t i = 0; i < N; i++) mono[i] = sound->frames[i * SOUND_CHANNELS];
    assert_int_equal(kodama_sink_write(sink, mono, N, patience_ns), N);
    assert_int_equal(kodama_sink_drain(sink, patience_ns, NULL), KODAMA_OK);
    size_t n, begin = 0, same = 0;
    float *samples = recorded(&recording, &n);
    while (begin < n && memcmp(&samples[begin], &mono[0], sizeof *mono) != 0) begin++;
    while (same < N && begin + same < n && memcmp(&samples[begin + same], &mono[same], 4) == 0) {
        same++;
    }
    assert_in_range(same, kind_of(state) == DAEMON_PULSE ? N : N / 4, N);
    free(samples);
    free(mono);
    kodama_sink_close(sink);
}

static void microphone_is_never_the_default_device(void **state)
{
    use(kind_of(state));
    char source[200], sink_name[200], line[200];
    line_of("get-default-source", source, sizeof source);
    line_of("get-default-sink", sink_name, sizeof sink_name);
    struct kodama_sink_config config = config_for(kind_of(state));
    struct kodama_sink *sink = open_sink("mic", &config);
    await_listed("Test-Mic", true);
    for (int i = 0; i < 5; i++) {
        line_of("get-default-source", line, sizeof line);
        assert_string_equal(line, source);
        line_of("get-default-sink", line, sizeof line);
        assert_string_equal(line, sink_name);
        pause_s(0.05);
    }
    kodama_sink_close(sink);
}

static void microphone_takes_frames_in_real_time_though_nobody_listens(void **state)
{
    use(kind_of(state));
    struct kodama_sink_config config = config_for(kind_of(state));
    config.ring_seconds = 0.1;
    struct kodama_sink *sink = open_sink("mic", &config);
    uint64_t begin = clock_now_ns();
    write_sound(sink, 0, SOUND_RATE);
    assert_int_equal(kodama_sink_drain(sink, patience_ns, NULL), KODAMA_OK);
    double seconds = (double)(clock_now_ns() - begin) * 1e-9;
    assert_true(seconds > 0.5); /* not at once */
    kodama_sink_close(sink);
}

static void underrun_is_silence_and_counted(void **state)
{
    use(kind_of(state));
    struct kodama_sink_config config = config_for(kind_of(state));
    struct kodama_sink *sink = open_sink("mic", &config);
    await_listed("Test-Mic", true);
    struct recording recording = record("Test-Mic", 2);
    assert_int_equal(stats_of(sink).underrun_frames, 0); /* nothing has begun */
    write_sound(sink, 0, 9600);
    while (stats_of(sink).underrun_frames < 4800) pause_s(0.01);
    write_sound(sink, 9600, 9600);
    assert_int_equal(kodama_sink_drain(sink, patience_ns, NULL), KODAMA_OK);
    struct kodama_sink_stats stats = stats_of(sink);
    assert_in_range(stats.underruns, 1, UINT64_MAX);
    assert_int_equal(stats.frames, 19200);
    pause_s(0.1);
    assert_int_equal(stats_of(sink).underrun_frames, stats.underrun_frames); /* drained */
    assert_in_range(stats_of(sink).silent_frames, stats.silent_frames + 1, UINT64_MAX);
    size_t n;
    float *samples = recorded(&recording, &n);
    struct sound_report report = sound_compare(sound, samples, n / SOUND_CHANNELS);
    assert_int_equal(report.foreign, 0);
    assert_int_equal(report.backwards, 0);
    assert_in_range(report.stretches, 2, SIZE_MAX);
    assert_in_range(report.silent, 4800, SIZE_MAX);
    free(samples);
    kodama_sink_close(sink);
}

static void microphone_comes_back_after_a_restart_of_the_daemon(void **state)
{
    use(kind_of(state));
    struct kodama_sink_config config = config_for(kind_of(state));
    struct kodama_sink *sink = open_sink("mic", &config);
    await_listed("Test-Mic", true);
    write_sound(sink, 0, 4800);
    assert_int_equal(kodama_sink_drain(sink, patience_ns, NULL), KODAMA_OK);
    daemon_kill();
    await_present(sink, false);
    daemon_start();
    await_present(sink, true);
    await_listed("Test-Mic", true);
    struct recording recording = record("Test-Mic", 2);
    write_sound(sink, 4800, SOUND_RATE / 2);
    assert_int_equal(kodama_sink_drain(sink, patience_ns, NULL), KODAMA_OK);
    assert_recorded(&recording, kind_of(state), 4800, SOUND_RATE / 2);
    kodama_sink_close(sink);
}

static void microphone_of_a_crashed_program_goes_away(void **state)
{
    use(kind_of(state));
    setenv("KODAMA_BACKEND", backend_of(kind_of(state)), 1);
    pid_t program = program_start((const char *[]){this_program, "mic", "Orphan", NULL});
    unsetenv("KODAMA_BACKEND");
    await_listed("Orphan", true);
    program_end(program); /* SIGKILL */
    struct kodama_sink_config config = config_for(kind_of(state));
    struct kodama_sink *sink = open_sink("speakers", &config);
    await_listed("Orphan", false);
    kodama_sink_close(sink);
}

static void what_is_cleared_is_not_heard(void **state)
{
    use(kind_of(state));
    struct kodama_sink_config config = config_for(kind_of(state));
    config.ring_seconds = 2.0;
    struct kodama_sink *sink = open_sink("mic", &config);
    write_sound(sink, 0, SOUND_RATE);
    kodama_sink_clear(sink);
    write_sound(sink, SOUND_RATE, 4800);
    assert_int_equal(kodama_sink_drain(sink, patience_ns, NULL), KODAMA_OK);
    struct kodama_sink_stats stats = stats_of(sink);
    assert_in_range(stats.dropped_frames, SOUND_RATE / 4, SOUND_RATE);
    assert_int_equal(stats.frames + stats.dropped_frames, SOUND_RATE + 4800);
    assert_int_equal(stats.queue_frames, 0);
    kodama_sink_close(sink);
}

static void speakers_wait_for_their_device_and_play_to_no_other(void **state)
{
    use(kind_of(state));
    const char *load = kind_of(state) == DAEMON_PULSE
                           ? "pactl load-module module-null-sink sink_name=headset rate=48000 "
                             "format=float32le norewinds=1"
                           : "pactl load-module module-null-sink sink_name=headset rate=48000";
    char module[50], again[50], script[200];
    assert_int_equal(program_run((const char *[]){"sh", "-c", load, NULL}, module, sizeof module),
                     0);
    struct kodama_sink_config config = config_for(kind_of(state));
    config.device = "headset";
    struct kodama_sink *sink = open_sink("speakers", &config);
    await_present(sink, true);
    write_sound(sink, 0, 4800);
    assert_int_equal(kodama_sink_drain(sink, patience_ns, NULL), KODAMA_OK);
    snprintf(script, sizeof script, "pactl unload-module %s", module);
    assert_int_equal(program_run((const char *[]){"sh", "-c", script, NULL}, NULL, 0), 0);
    await_present(sink, false);
    char monitor[200];
    snprintf(monitor, sizeof monitor, "%s.monitor", daemon_sink());
    struct recording other = record(monitor, 2);
    write_sound(sink, 4800, 9600); /* it waits */
    pause_s(0.3);
    assert_int_equal(stats_of(sink).frames, 4800);
    size_t n;
    float *samples = recorded(&other, &n);
    assert_int_equal(sound_compare(sound, samples, n / SOUND_CHANNELS).matched, 0);
    free(samples);
    assert_int_equal(program_run((const char *[]){"sh", "-c", load, NULL}, again, sizeof again), 0);
    await_present(sink, true);
    assert_int_equal(kodama_sink_drain(sink, patience_ns, NULL), KODAMA_OK);
    assert_int_equal(stats_of(sink).frames, 4800 + 9600);
    kodama_sink_close(sink);
    snprintf(script, sizeof script, "pactl unload-module %s", again);
    assert_int_equal(program_run((const char *[]){"sh", "-c", script, NULL}, NULL, 0), 0);
}

static void without_a_daemon_it_is_said_what_to_start(void **state)
{
    use(kind_of(state));
    struct kodama_sink_config config = config_for(kind_of(state));
    struct kodama_sink *sink;
    struct kodama_error error = {0};
    daemon_stop();
    assert_int_equal(kodama_sink_open(&sink, "mic", &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "start"));
    daemon_start();
}

/* The application that crashes. */
static int be_a_microphone(const char *name)
{
    struct kodama_sink_config config = KODAMA_SINK_CONFIG_INIT;
    struct kodama_sink *sink;
    config.name = name;
    if (kodama_sink_open(&sink, "mic", &config, NULL) < 0) return EXIT_FAILURE;
    for (;;) pause();
}

int main(int argc, char **argv)
{
    enum daemon_kind chosen =
        argc == 2 && strcmp(argv[1], "pulse") == 0 ? DAEMON_PULSE : DAEMON_PIPEWIRE;
    enum daemon_kind *kind = &chosen;
    if (argc == 3 && strcmp(argv[1], "mic") == 0) return be_a_microphone(argv[2]);
    this_program = argv[0];
    sound = sound_make(440.0, 2.0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(speakers_play_bit_for_bit, kind),
        cmocka_unit_test_prestate(speakers_that_are_not_there_are_told_with_those_that_are, kind),
        cmocka_unit_test_prestate(microphone_is_recorded_by_another_application_bit_for_bit, kind),
        cmocka_unit_test_prestate(microphone_with_one_channel_is_exact, kind),
        cmocka_unit_test_prestate(microphone_is_never_the_default_device, kind),
        cmocka_unit_test_prestate(microphone_takes_frames_in_real_time_though_nobody_listens, kind),
        cmocka_unit_test_prestate(underrun_is_silence_and_counted, kind),
        cmocka_unit_test_prestate(microphone_comes_back_after_a_restart_of_the_daemon, kind),
        cmocka_unit_test_prestate(microphone_of_a_crashed_program_goes_away, kind),
        cmocka_unit_test_prestate(what_is_cleared_is_not_heard, kind),
        cmocka_unit_test_prestate(speakers_wait_for_their_device_and_play_to_no_other, kind),
        cmocka_unit_test_prestate(without_a_daemon_it_is_said_what_to_start, kind),
    };
    int failed = cmocka_run_group_tests_name(backend_of(chosen), tests, NULL, NULL);
    sound_free(sound);
    return failed;
}
