/*
 * Tests of hosts, and of whom a capture means, on a real daemon with applications that play through
 * its PulseAudio protocol.
 *
 *     live_apps BACKEND DAEMON
 */
#include "capture/live_players.h"

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

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    begin(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applications_are_listed_with_all_that_is_known),
        cmocka_unit_test(volume_is_that_of_the_users_mixer_and_mute_is_real),
        cmocka_unit_test(processes_of_a_tree_are_heard_by_the_pid_of_its_root),
        cmocka_unit_test(system_is_what_the_default_sink_plays),
        cmocka_unit_test(everybody_except_one_is_the_others_bit_for_bit),
        cmocka_unit_test(microphone_is_heard_by_a_part_of_its_name),
        cmocka_unit_test(who_is_not_there_is_told_with_those_who_are),
    };
    return end(cmocka_run_group_tests_name(backend, tests, NULL, NULL));
}
