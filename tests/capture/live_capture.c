/*
 * Tests of capture on a real daemon with applications that play through its PulseAudio protocol.
 *
 *     live_capture BACKEND DAEMON heard|more|basic
 *
 * These machines stall now and then. What is claimed is always: what was received and what was
 * reported as missing is all there is, and outside of gaps it is exact.
 */
#include "capture/live.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>

#include <kodama/app.h>
#include <kodama/host.h>

static const char *backend;
static struct daemon_options options;
static struct sound *low, *high;

static void use(void)
{
    bool built = false;
    for (size_t i = 0; kodama_host_backend_name(i); i++) {
        built = built || strcmp(kodama_host_backend_name(i), backend) == 0;
    }
    if (!built) {
        printf("# skipped: built without %s\n", backend);
        skip();
    }
    daemon_use(&options);
}

/* An application with a name plays a sound; on a device, or NULL. */
static pid_t play_on(const struct sound *sound, const char *name, const char *device)
{
    char client[200], to[200];
    snprintf(client, sizeof client, "--client-name=%s", name);
    snprintf(to, sizeof to, "--device=%s", device ? device : daemon_sink());
    return program_start((const char *[]){"paplay", client, to, sound->path, NULL});
}

static pid_t play(const struct sound *sound, const char *name)
{
    return play_on(sound, name, NULL);
}

static struct kodama_source_config config_for_app(const struct kodama_app_match *match)
{
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.backend = backend;
    config.apps = match;
    config.n_apps = 1;
    config.wait = true;
    return config;
}

static void hear(struct live *live, const char *name)
{
    struct kodama_app_match match = {.name = name};
    struct kodama_source_config config = config_for_app(&match);
    live_start(live, "app", &config);
}

static void hear_more(struct live *live, double seconds)
{
    live_receive(live, live_received(live), seconds);
}

/*
 * The sound is there, bit for bit and in order. Frames of it that are missing between two stretches
 * are missing because of a gap that was reported between them.
 */
static struct sound_report assert_sound(const struct live *live, const struct sound *sound,
                                        double at_least_s)
{
    struct sound_report report = live_compare(live, sound);
    size_t gaps = live_gap_frames(live, 0, (size_t)(report.end_at < 0 ? 0 : report.end_at));
    size_t untold = report.first_at < 0
                        ? 0
                        : live_untold_silence(live, (size_t)report.first_at, (size_t)report.end_at);
    print_message("# %zu frames, from %lld of it; %zu in gaps, %zu silent, %zu lost\n",
                  report.matched, (long long)report.first_from, gaps, untold, report.lost);
    assert_in_range(report.matched, (size_t)(at_least_s * LIVE_RATE), SIZE_MAX);
    assert_in_range(report.lost, 0, gaps + 256); /* both clocks are read to some frames */
    return report;
}

/* No other sound, to 90 dB below full scale. */
static void assert_absent(const struct live *live, const struct sound_report *report,
                          const struct sound *other)
{
    double level = sound_level(live->frames + 2 * report->first_at,
                               (size_t)(report->end_at - report->first_at), other->frequency_hz);
    print_message("# the other one is at %.1f dBFS\n", level);
    assert_true(level < -90.0);
}

static bool is_there(const struct live *live, size_t from, size_t to, const struct sound *sound)
{
    return sound_level(live->frames + 2 * from, to - from, sound->frequency_hz) > -30.0;
}

/* The timeline is as long as the time was; stalls and clocks may be told apart by this much. */
static void assert_length(const struct live *live, double seconds)
{
    double length = (double)live->n_frames / LIVE_RATE;
    print_message("# %.3f s on the timeline in %.3f s\n", length, seconds);
    assert_true(fabs(length - seconds) < 0.5);
}

/* ------------------------------------------------------------------------ the tests */

static void of_two_applications_one_is_heard_bit_for_bit(void **state)
{
    (void)state;
    use();
    struct live live;
    pid_t other = play(high, "High Player"), player = play(low, "Low Player");
    hear(&live, "low play");
    live_await_presence(&live, true);
    hear_more(&live, 1.5);
    live_stop(&live);
    program_end(player);
    program_end(other);
    struct sound_report report = assert_sound(&live, low, 1.0);
    assert_absent(&live, &report, high);
    live_free(&live);
}

static void what_is_missing_of_an_onset_is_a_gap(void **state)
{
    (void)state;
    use();
    struct live live;
    hear(&live, "Late Player");
    live_sleep(0.3);
    pid_t player = play(low, "Late Player");
    live_await_presence(&live, true);
    hear_more(&live, 1.0);
    live_stop(&live);
    program_end(player);
    struct sound_report report = assert_sound(&live, low, 0.5);
    /* PulseAudio tells of a stream when it plays already; more than a moment is not lost. */
    assert_in_range(report.first_from, 0, strcmp(backend, "pulse") == 0 ? LIVE_RATE / 2 : 0);
    /* PipeWire has the application play silence while it fills its buffers: nothing is missing. */
    size_t cycle = options.kind == DAEMON_PIPEWIRE ? options.quantum : 0;
    assert_in_range(live_untold_silence(&live, 0, (size_t)report.first_at), 0, 2 * cycle);
    live_free(&live);
}

static void application_that_is_started_again_is_heard_again(void **state)
{
    (void)state;
    use();
    struct live live;
    uint64_t begin = clock_now_ns();
    hear(&live, "Again Player");
    pid_t player = play(low, "Again Player");
    live_await_presence(&live, true);
    hear_more(&live, 0.5);
    program_end(player);
    live_await_presence(&live, false);
    live_sleep(0.3);
    player = play(high, "Again Player");
    live_await_presence(&live, true);
    hear_more(&live, 0.5);
    double seconds = (double)(clock_now_ns() - begin) * 1e-9;
    live_stop(&live);
    program_end(player);
    struct sound_report first = sound_compare(low, live.frames, live.n_frames);
    struct sound_report second = sound_compare(high, live.frames, live.n_frames);
    assert_in_range(first.matched, LIVE_RATE / 5, SIZE_MAX);
    assert_in_range(second.matched, LIVE_RATE / 5, SIZE_MAX);
    assert_int_equal(first.foreign, second.matched); /* nothing but the two */
    assert_int_equal(second.foreign, first.matched);
    assert_true(first.end_at < second.first_at);
    size_t missing = live_gap_frames(&live, (size_t)first.end_at, (size_t)second.first_at);
    assert_in_range(missing, LIVE_RATE / 5, SIZE_MAX);
    assert_in_range(live.stats.source.vanished, 1, 3);
    assert_length(&live, seconds);
    live_free(&live);
}

static void application_that_is_gone_is_silence_whatever_else_plays(void **state)
{
    (void)state;
    use();
    struct live live;
    pid_t other = play(high, "High Player"), player = play(low, "Low Player");
    hear(&live, "Low Player");
    live_await_presence(&live, true);
    hear_more(&live, 0.3);
    program_end(player);
    live_await_presence(&live, false);
    live_sleep(1.0);
    live_stop(&live);
    program_end(other);
    struct sound_report report = assert_sound(&live, low, 0.2);
    size_t rest = live.n_frames - (size_t)report.end_at;
    assert_in_range(rest, LIVE_RATE / 3, SIZE_MAX);
    assert_in_range(live_untold_silence(&live, (size_t)report.end_at, live.n_frames), 0, rest / 2);
    live_free(&live);
}

static void moved_stream_is_heard_on(void **state)
{
    (void)state;
    use();
    struct live live;
    const char *load = options.kind == DAEMON_PULSE
                           ? "pactl load-module module-null-sink sink_name=elsewhere rate=48000 "
                             "format=float32le norewinds=1"
                           : "pactl load-module module-null-sink sink_name=elsewhere rate=48000";
    char module[50], script[400];
    assert_int_equal(program_run((const char *[]){"sh", "-c", load, NULL}, module, sizeof module),
                     0);
    hear(&live, "Moving Player");
    pid_t player = play(low, "Moving Player");
    live_await_presence(&live, true);
    hear_more(&live, 0.5);
    snprintf(script, sizeof script,
             "pactl move-sink-input $(pactl list short sink-inputs | cut -f1 | head -n 1) %s",
             "elsewhere");
    assert_int_equal(program_run((const char *[]){"sh", "-c", script, NULL}, NULL, 0), 0);
    hear_more(&live, 1.0);
    live_stop(&live);
    program_end(player);
    snprintf(script, sizeof script, "pactl unload-module %s", module);
    assert_int_equal(program_run((const char *[]){"sh", "-c", script, NULL}, NULL, 0), 0);
    struct sound_report report = live_compare(&live, low);
    size_t gaps = live_gap_frames(&live, (size_t)report.first_at, (size_t)report.end_at);
    print_message("# %zu frames, %zu in gaps, %zu lost\n", report.matched, gaps, report.lost);
    assert_in_range(report.matched, LIVE_RATE, SIZE_MAX);
    /* PipeWire drops what was ready when it moves a stream: time does not stand still for that. */
    size_t dropped = options.kind == DAEMON_PIPEWIRE ? 2 * 4096 : 0;
    assert_in_range(report.lost, 0, gaps + dropped + LIVE_RATE / 50);
    live_free(&live);
}

static void daemon_that_is_killed_and_started_is_a_gap(void **state)
{
    (void)state;
    use();
    struct live live;
    uint64_t begin = clock_now_ns();
    hear(&live, "Player");
    pid_t player = play(low, "Player");
    live_await_presence(&live, true);
    hear_more(&live, 0.5);
    daemon_kill();
    live_await_presence(&live, false);
    program_end(player);
    daemon_start();
    player = play(high, "Player");
    live_await_presence(&live, true);
    hear_more(&live, 0.5);
    double seconds = (double)(clock_now_ns() - begin) * 1e-9;
    live_stop(&live);
    program_end(player);
    struct sound_report first = sound_compare(low, live.frames, live.n_frames);
    struct sound_report second = sound_compare(high, live.frames, live.n_frames);
    assert_in_range(first.matched, LIVE_RATE / 5, SIZE_MAX);
    assert_in_range(second.matched, LIVE_RATE / 5, SIZE_MAX);
    assert_int_equal(first.foreign, second.matched);
    assert_true(first.end_at < second.first_at);
    size_t missing = live_gap_frames(&live, (size_t)first.end_at, (size_t)second.first_at);
    assert_in_range(missing, LIVE_RATE / 20, SIZE_MAX);
    assert_length(&live, seconds);
    live_free(&live);
}

static void stopped_application_goes_on_where_it_was(void **state)
{
    (void)state;
    use();
    struct live live;
    uint64_t begin = clock_now_ns();
    hear(&live, "Player");
    pid_t player = play(low, "Player");
    live_await_presence(&live, true);
    hear_more(&live, 0.3);
    program_signal(player, SIGSTOP);
    live_sleep(3.0); /* longer than what it has given to the daemon ahead */
    program_signal(player, SIGCONT);
    live_sleep(0.5);
    double seconds = (double)(clock_now_ns() - begin) * 1e-9;
    live_stop(&live);
    program_end(player);
    struct sound_report report = live_compare(&live, low);
    assert_in_range(report.stretches, 2, SIZE_MAX);
    assert_in_range(report.silent, LIVE_RATE / 5, SIZE_MAX);
    assert_in_range(report.lost, 0, live.stats.source.gap_frames);
    assert_length(&live, seconds);
    live_free(&live);
}

static void processes_of_a_tree_are_heard_by_the_pid_of_its_root(void **state)
{
    (void)state;
    use();
    char script[600];
    /* As a browser: the one that plays is the child of a child. */
    snprintf(script, sizeof script,
             "sh -c 'paplay --client-name=Content %s & paplay --client-name=Content %s & wait' & "
             "wait",
             low->path, high->path);
    pid_t other = play(low, "Other Player");
    pid_t tree = program_start_shell(script);
    struct kodama_app_match match = {.pid = (uint32_t)tree};
    struct kodama_source_config config = config_for_app(&match);
    struct live live;
    live_start(&live, "app", &config);
    live_await_presence(&live, true);
    hear_more(&live, 1.0);
    live_stop(&live);
    size_t end = live.n_frames, from = end - LIVE_RATE / 2;
    assert_true(is_there(&live, from, end, low));
    assert_true(is_there(&live, from, end, high));
    program_end(tree);
    program_end(other);
    live_free(&live);
}

/* The frame of a sound that begins at the first frames that are not 0; -1: none does. */
static int64_t find_within(const float *frames, size_t n_frames, const struct sound *sound,
                           size_t *at)
{
    size_t i = 0;
    while (i < n_frames && fabsf(frames[2 * i]) < 1e-5F && fabsf(frames[2 * i + 1]) < 1e-5F) i++;
    *at = i;
    if (i + 1000 > n_frames) return -1;
    for (size_t k = 0; k + 1000 < sound->n_frames; k++) {
        size_t same = 0;
        while (same < 2000 && fabsf(frames[2 * i + same] - sound->frames[2 * k + same]) < 1e-6F) {
            same++;
        }
        if (same == 2000) return (int64_t)k;
    }
    return -1;
}

static void streams_of_one_application_are_added_up_without_loss(void **state)
{
    (void)state;
    use();
    struct live live;
    hear(&live, "Duo");
    pid_t one = play(low, "Duo");
    live_await_presence(&live, true);
    hear_more(&live, 0.5);
    pid_t two = play(high, "Duo");
    hear_more(&live, 1.5);
    live_stop(&live);
    program_end(one);
    program_end(two);
    /* While it plays alone the first one tells its place; what is left without it is the other. */
    struct sound_report alone = sound_compare(low, live.frames, live.n_frames);
    size_t n = live.n_frames - (size_t)alone.first_at;
    if (live_gap_frames(&live, (size_t)alone.first_at, live.n_frames) == 0) {
        float *rest = malloc(n * 2 * sizeof *rest);
        assert_non_null(rest);
        for (size_t i = 0; i < 2 * n; i++) {
            rest[i] = live.frames[2 * (size_t)alone.first_at + i] -
                      low->frames[2 * (size_t)alone.first_from + i];
        }
        size_t at = 0, wrong = 0;
        int64_t from = find_within(rest, n, high, &at);
        assert_in_range(from, 0, LIVE_RATE / 2);
        for (size_t i = 0; at + i < n; i++) {
            float difference = rest[2 * (at + i)] - high->frames[2 * ((size_t)from + i)];
            wrong += fabsf(difference) > 1e-6F;
        }
        print_message("# the second one from %lld of it for %zu frames\n", (long long)from, n - at);
        assert_in_range(n - at, LIVE_RATE / 2, SIZE_MAX);
        assert_int_equal(wrong, 0);
        free(rest);
    } else {
        print_message("# the machine stalled: only looked at for both sounds\n");
        assert_true(is_there(&live, live.n_frames - LIVE_RATE / 4, live.n_frames, high));
    }
    live_free(&live);
}

/* The first application of a host, once its state is as wanted. */
static struct kodama_app_list *await_app(struct kodama_host *host, const char *name)
{
    struct kodama_app_match match = {.name = name};
    uint64_t end = clock_now_ns() + (uint64_t)(LIVE_PATIENCE_S * 1e9);
    for (;;) {
        struct kodama_app_list *list;
        assert_int_equal(kodama_host_apps(host, &list, NULL), KODAMA_OK);
        for (size_t i = 0; i < list->n_apps; i++) {
            if (list->apps[i].n_streams > 0 && kodama_app_matches(&list->apps[i], &match, 1)) {
                return list;
            }
        }
        kodama_app_list_free(list);
        struct kodama_host_event event;
        (void)kodama_host_next_event(host, &event, INT64_C(100000000));
        if (clock_now_ns() > end) fail_msg("%s is not listed", name);
    }
}

static const struct kodama_app *app_of(const struct kodama_app_list *list, const char *name)
{
    struct kodama_app_match match = {.name = name};
    for (size_t i = 0; i < list->n_apps; i++) {
        if (kodama_app_matches(&list->apps[i], &match, 1)) return &list->apps[i];
    }
    fail_msg("%s is not listed", name);
    return NULL;
}

static struct kodama_host *open_host(bool peaks)
{
    struct kodama_host *host;
    struct kodama_host_config config = KODAMA_HOST_CONFIG_INIT;
    struct kodama_error error = {0};
    config.backend = backend;
    config.peaks = peaks;
    if (kodama_host_open(&host, &config, &error) < 0) fail_msg("%s", error.message);
    return host;
}

static void applications_are_listed_with_all_that_is_known(void **state)
{
    (void)state;
    use();
    struct kodama_host *host = open_host(true);
    pid_t player = play(low, "Listed Player");
    struct kodama_app_list *list = await_app(host, "Listed Player");
    const struct kodama_app *app = app_of(list, "Listed Player");
    assert_int_equal(app->pid, player);
    assert_string_equal(app->binary, "pacat"); /* what paplay is a link to */
    assert_int_equal(app->n_streams, 1);
    assert_false(app->muted);
    kodama_app_list_free(list);
    float peak = -1;
    for (int i = 0; i < 500 && peak < 0.4F; i++) {
        live_sleep(0.02);
        list = await_app(host, "Listed Player");
        peak = app_of(list, "Listed Player")->peak;
        app = app_of(list, "Listed Player");
        if (peak >= 0.4F) { /* by now all of it is known */
            assert_int_equal(app->state, KODAMA_APP_ACTIVE);
            assert_true(app->volume > 0.99 && app->volume < 1.01);
            assert_int_equal(app->streams[0].format.rate_hz, LIVE_RATE);
            assert_int_equal(app->streams[0].format.channels, 2);
        }
        kodama_app_list_free(list);
    }
    assert_true(peak > 0.4F && peak < 0.6F);
    program_end(player);
    kodama_host_close(host);
}

/* The volume that the user's mixer shows, in percent. */
static int mixer_percent(void)
{
    char line[50];
    const char *ask = "pactl list sink-inputs | sed -n 's/.*Volume:[^%]* \\([0-9]*\\)%.*/\\1/p'";
    assert_int_equal(program_run((const char *[]){"sh", "-c", ask, NULL}, line, sizeof line), 0);
    return (int)strtol(line, NULL, 10);
}

/* The level of a sound in a stretch of 200 ms without a single silent frame. */
static double steady_level(const struct live *live, double frequency_hz)
{
    size_t n = 0;
    for (size_t i = 0; i < live->n_frames; i++) {
        bool silent = live->frames[2 * i] == 0.0F && live->frames[2 * i + 1] == 0.0F;
        n = silent ? 0 : n + 1;
        /* Not where the volume is still on its way from one value to another. */
        if (n == LIVE_RATE / 5 + 2000) {
            size_t from = i + 1 - LIVE_RATE / 5;
            return sound_level(live->frames + 2 * from, LIVE_RATE / 5, frequency_hz);
        }
    }
    fail_msg("there is no steady sound");
    return 0;
}

static void volume_is_that_of_the_users_mixer_and_mute_is_real(void **state)
{
    (void)state;
    use();
    struct kodama_host *host = open_host(false);
    pid_t player = play(low, "Loud Player");
    struct kodama_app_list *list = await_app(host, "Loud Player");
    uint64_t id = app_of(list, "Loud Player")->id;
    kodama_app_list_free(list);
    struct kodama_app_match match = {.name = "Loud Player"};
    struct kodama_source_config config = config_for_app(&match);
    config.host = host;
    struct live live, undone;
    assert_int_equal(kodama_host_set_volume(host, id, 0.5, NULL), KODAMA_OK);
    for (int i = 0; i < 500 && mixer_percent() != 50; i++) live_sleep(0.02);
    assert_int_equal(mixer_percent(), 50);
    live_start(&live, "app", &config);
    config.compensate = true;
    live_start(&undone, "app", &config);
    hear_more(&live, 0.5);
    hear_more(&undone, 0.5);
    assert_int_equal(kodama_host_set_mute(host, id, true, NULL), KODAMA_OK);
    hear_more(&live, 1.0);
    live_stop(&live);
    live_stop(&undone);
    /* 50 % is an eighth of the amplitude: -6.02 - 18.06 dBFS. */
    double level = steady_level(&live, 440.0), whole = steady_level(&undone, 440.0);
    print_message("# %.2f dBFS, compensated %.2f dBFS\n", level, whole);
    assert_true(fabs(level + 24.08) < 0.2);
    assert_true(fabs(whole + 6.02) < 0.2);
    double muted =
        sound_level(live.frames + 2 * (live.n_frames - LIVE_RATE / 4), LIVE_RATE / 4, 440.0);
    assert_true(muted < -100);
    double now = 0;
    assert_int_equal(kodama_host_set_mute(host, id, false, NULL), KODAMA_OK);
    assert_int_equal(kodama_host_change_volume(host, id, 0.25, &now, NULL), KODAMA_OK);
    assert_true(fabs(now - 0.75) < 0.02);
    for (int i = 0; i < 500 && mixer_percent() != 75; i++) live_sleep(0.02);
    assert_int_equal(mixer_percent(), 75);
    live_free(&live);
    live_free(&undone);
    program_end(player);
    kodama_host_close(host);
}

static void system_is_what_the_default_sink_plays(void **state)
{
    (void)state;
    use();
    pid_t one = play(low, "Low Player"), two = play(high, "High Player");
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.backend = backend;
    struct live live;
    live_start(&live, "system", &config);
    hear_more(&live, 1.5);
    live_stop(&live);
    size_t from = live.n_frames - LIVE_RATE / 2;
    assert_true(is_there(&live, from, live.n_frames, low));
    assert_true(is_there(&live, from, live.n_frames, high));
    program_end(one);
    program_end(two);
    live_free(&live);
}

static void everybody_except_one_is_the_others_bit_for_bit(void **state)
{
    (void)state;
    use();
    pid_t one = play(low, "Low Player"), two = play(high, "High Player");
    struct kodama_app_match except = {.name = "high player"};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.backend = backend;
    config.except = &except;
    config.n_except = 1;
    struct live live;
    live_start(&live, "system", &config);
    live_await_presence(&live, true);
    hear_more(&live, 1.0);
    live_stop(&live);
    program_end(one);
    program_end(two);
    struct sound_report report = assert_sound(&live, low, 0.5);
    assert_absent(&live, &report, high);
    live_free(&live);
}

static void microphone_is_heard_by_a_part_of_its_name(void **state)
{
    (void)state;
    use();
    struct daemon_options with_mic = options;
    with_mic.mic = "Desk-Mic";
    daemon_use(&with_mic);
    pid_t player = play_on(low, "Voice", "Desk-Mic-feed");
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.backend = backend;
    config.device = "desk-mic";
    struct live live;
    live_start(&live, "mic", &config);
    hear_more(&live, 1.5);
    live_stop(&live);
    program_end(player);
    struct sound_report report = live_compare(&live, low);
    assert_in_range(report.matched, LIVE_RATE / 2, SIZE_MAX);
    live_free(&live);
}

static void who_is_not_there_is_told_with_those_who_are(void **state)
{
    (void)state;
    use();
    pid_t player = play(low, "Present Player");
    struct kodama_host *host = open_host(false);
    kodama_app_list_free(await_app(host, "Present Player"));
    struct kodama_app_match match = {.name = "absent player"};
    struct kodama_source_config config = config_for_app(&match);
    config.wait = false;
    config.host = host;
    struct kodama_source *source;
    struct kodama_error error = {0};
    assert_int_equal(kodama_source_open(&source, "app", &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "Present Player"));
    program_end(player);
    kodama_host_close(host);
    daemon_stop();
    config.host = NULL;
    config.backend = backend;
    assert_int_equal(kodama_source_open(&source, "app", &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "systemctl --user start"));
    daemon_start();
}

int main(int argc, char **argv)
{
    if (argc != 4) return 2;
    backend = argv[1];
    options.kind = strcmp(argv[2], "pulse") == 0 ? DAEMON_PULSE : DAEMON_PIPEWIRE;
    /* A quantum that stalls of a shared machine seldom break. */
    if (strcmp(backend, "pipewire") == 0) options.quantum = 4096;
    low = sound_make(440.0, 12.0);
    high = sound_make(1000.0, 12.0);
    const struct CMUnitTest heard[] = {
        cmocka_unit_test(of_two_applications_one_is_heard_bit_for_bit),
        cmocka_unit_test(what_is_missing_of_an_onset_is_a_gap),
        cmocka_unit_test(application_that_is_gone_is_silence_whatever_else_plays),
        cmocka_unit_test(moved_stream_is_heard_on),
        cmocka_unit_test(stopped_application_goes_on_where_it_was),
        cmocka_unit_test(processes_of_a_tree_are_heard_by_the_pid_of_its_root),
        cmocka_unit_test(who_is_not_there_is_told_with_those_who_are),
    };
    const struct CMUnitTest more[] = {
        cmocka_unit_test(system_is_what_the_default_sink_plays),
        cmocka_unit_test(everybody_except_one_is_the_others_bit_for_bit),
        cmocka_unit_test(microphone_is_heard_by_a_part_of_its_name),
    };
    const struct CMUnitTest basic[] = {
        cmocka_unit_test(application_that_is_started_again_is_heard_again),
        cmocka_unit_test(daemon_that_is_killed_and_started_is_a_gap),
        cmocka_unit_test(streams_of_one_application_are_added_up_without_loss),
        cmocka_unit_test(applications_are_listed_with_all_that_is_known),
        cmocka_unit_test(volume_is_that_of_the_users_mixer_and_mute_is_real),
    };
    int failed = 1;
    if (strcmp(argv[3], "heard") == 0) failed = cmocka_run_group_tests(heard, NULL, NULL);
    if (strcmp(argv[3], "more") == 0) failed = cmocka_run_group_tests(more, NULL, NULL);
    if (strcmp(argv[3], "basic") == 0) failed = cmocka_run_group_tests(basic, NULL, NULL);
    sound_free(low);
    sound_free(high);
    return failed;
}
