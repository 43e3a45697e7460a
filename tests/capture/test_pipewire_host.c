/* Tests of a host on a real PipeWire: applications, devices, volumes, and who is heard by them. */
#include "capture/live.h"

#include <math.h>
#include <stdio.h>

#include <kodama/app.h>
#include <kodama/host.h>

static struct sound *low, *middle, *high;

static const struct daemon_options calm = {.kind = DAEMON_PIPEWIRE, .quantum = 4096};
static const struct daemon_options with_mic = {
    .kind = DAEMON_PIPEWIRE, .quantum = 4096, .mic = "Test-Mic"};

static pid_t play(const struct sound *sound, const char *name, const char *target)
{
    char properties[200];
    snprintf(properties, sizeof properties, "{ application.name = \"%s\" node.name = \"%s\" }",
             name, name);
    const char *arguments[] = {"pw-play",   "-P", properties, "--target", target ? target : "auto",
                               sound->path, NULL};
    return program_start(arguments);
}

static struct kodama_host *open_host(bool peaks)
{
    struct kodama_host_config config = KODAMA_HOST_CONFIG_INIT;
    config.backend = "pipewire";
    config.peaks = peaks;
    struct kodama_host *host;
    struct kodama_error error = {0};
    if (kodama_host_open(&host, &config, &error) < 0) fail_msg("%s", error.message);
    assert_string_equal(kodama_host_backend(host), "pipewire");
    return host;
}

/* What a test waits for, in a snapshot of an application. */
typedef bool (*condition_function)(const struct kodama_app *app);

/* Wait, by events, until there is such an application; a copy without its streams. */
static struct kodama_app await_app(struct kodama_host *host, const char *name,
                                   condition_function holds)
{
    uint64_t end = clock_now_ns() + (uint64_t)(LIVE_PATIENCE_S * 1e9);
    for (;;) {
        struct kodama_app_list *list;
        assert_int_equal(kodama_host_apps(host, &list, NULL), KODAMA_OK);
        for (size_t i = 0; i < list->n_apps; i++) {
            struct kodama_app_match match = {.name = name};
            struct kodama_app found = list->apps[i];
            if (!kodama_app_matches(&found, &match, 1) || (holds && !holds(&found))) continue;
            kodama_app_list_free(list);
            found.streams = NULL;
            return found;
        }
        kodama_app_list_free(list);
        if (clock_now_ns() > end) fail_msg("no application %s as it should be", name);
        struct kodama_host_event event;
        /* Peaks are not events. */
        (void)kodama_host_next_event(host, &event, 50 * (int64_t)CLOCK_NS_PER_MS);
    }
}

static bool is_active(const struct kodama_app *app)
{
    return app->state == KODAMA_APP_ACTIVE;
}

static bool is_half(const struct kodama_app *app)
{
    return fabs(app->volume - 0.5) < 1e-3;
}

static bool is_muted(const struct kodama_app *app)
{
    return app->muted;
}

static bool is_loud_and_heard(const struct kodama_app *app)
{
    return fabs(app->volume - 0.8) < 1e-3 && !app->muted;
}

static bool has_two_streams(const struct kodama_app *app)
{
    return app->n_streams == 2;
}

static bool has_peak(const struct kodama_app *app)
{
    return app->peak > 0.3F && app->peak < 0.7F;
}

/* Until an application plays. */
static void await_playing(const char *name)
{
    struct kodama_host *host = open_host(false);
    await_app(host, name, is_active);
    kodama_host_close(host);
}

/* The first line that a shell command prints. */
static const char *told(const char *command)
{
    static char line[200];
    const char *arguments[] = {"sh", "-c", command, NULL};
    assert_int_equal(program_run(arguments, line, sizeof line), 0);
    return line;
}

static void an_application_is_listed_with_all_that_is_known_of_it(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct kodama_host *host = open_host(true);
    pid_t player = play(low, "Low Player", NULL);
    struct kodama_app app = await_app(host, "low", is_active);
    assert_string_equal(app.name, "Low Player");
    assert_string_equal(app.binary, "pw-cat");
    assert_int_equal(app.pid, player);
    assert_int_equal(app.root_pid, player);
    assert_int_equal(app.n_streams, 1);
    assert_true(fabs(app.volume - 1.0) < 1e-6 && !app.muted);
    await_app(host, "low", has_peak);
    program_end(player);
    struct kodama_host_event event = {0};
    while (event.kind != KODAMA_HOST_APP_REMOVED) {
        assert_int_equal(kodama_host_next_event(host, &event, (int64_t)15e9), KODAMA_OK);
    }
    assert_int_equal(event.id, app.id);
    kodama_host_close(host);
}

static void volume_and_mute_are_those_of_the_users_mixer(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct kodama_host *host = open_host(false);
    pid_t player = play(low, "Low Player", NULL);
    struct kodama_app app = await_app(host, "low", is_active);
    assert_int_equal(kodama_host_set_volume(host, app.id, 0.5, NULL), KODAMA_OK);
    await_app(host, "low", is_half);
    assert_string_equal(told("pactl list sink-inputs | grep -o ' 50%' | head -1"), " 50%");
    assert_int_equal(kodama_host_set_mute(host, app.id, true, NULL), KODAMA_OK);
    await_app(host, "low", is_muted);
    assert_string_equal(told("pactl list sink-inputs | grep -o 'Mute: yes'"), "Mute: yes");
    assert_int_equal(kodama_host_set_mute(host, app.id, false, NULL), KODAMA_OK);
    double volume = 0.0;
    assert_int_equal(kodama_host_change_volume(host, app.id, 0.3, &volume, NULL), KODAMA_OK);
    assert_true(fabs(volume - 0.8) < 1e-6);
    await_app(host, "low", is_loud_and_heard);
    /* The user's own mixer. */
    told("pactl set-sink-input-volume $(pactl list short sink-inputs | cut -f1) 50%");
    await_app(host, "low", is_half);
    assert_int_equal(kodama_host_set_volume(host, app.id, 1.6, NULL), KODAMA_ERR_ARGUMENT);
    assert_int_equal(kodama_host_set_volume(host, app.id + 99, 0.5, NULL), KODAMA_ERR_NOT_FOUND);
    program_end(player);
    kodama_host_close(host);
}

/* A main process and players of its own folder, as browsers are made. */
static pid_t start_browser(const struct sound *first, const struct sound *second)
{
    static char script[1000];
    snprintf(script, sizeof script,
             "d=$(mktemp -d) && trap 'rm -rf $d' EXIT && cp $(command -v pw-cat) $d/content && "
             "cp $(readlink -f $(command -v sh)) $d/kodama-browser && "
             "$d/kodama-browser -c '$0 -c \"sleep 1; $1 -p %s\" & $0 -c \"sleep 0; $1 -p %s\" & "
             "wait' $d/kodama-browser $d/content",
             second->path, first->path);
    return program_start_shell(script);
}

static void a_browser_is_one_application_with_the_streams_of_its_children(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct kodama_host *host = open_host(false);
    struct live live;
    live_start_app(&live, "kodama-browser");
    pid_t other = play(high, "Other", NULL);
    pid_t browser = start_browser(low, middle);
    struct kodama_app app = await_app(host, "kodama-browser", is_active);
    assert_int_equal(kodama_host_set_volume(host, app.id, 0.5, NULL), KODAMA_OK);
    /* What it is set to holds for what comes later, too. */
    struct kodama_app both = await_app(host, "kodama-browser", has_two_streams);
    assert_int_equal(both.id, app.id);
    size_t from = (size_t)live_stats(&live).frames;
    live_receive(&live, live_received(&live), 1.5);
    size_t to = (size_t)live_stats(&live).frames;
    struct kodama_app_list *list;
    assert_int_equal(kodama_host_apps(host, &list, NULL), KODAMA_OK);
    for (size_t i = 0; i < list->n_apps; i++) {
        if (list->apps[i].id != app.id) continue;
        for (size_t k = 0; k < list->apps[i].n_streams; k++) {
            assert_true(fabs(list->apps[i].streams[k].volume - 0.5) < 1e-3);
        }
    }
    kodama_app_list_free(list);
    program_end(browser);
    program_end(other);
    live_stop(&live);
    /* Both at 50 %, an eighth: -18 dB. */
    assert_true(fabs(live_level(&live, from, to, 440.0, true) + 24.08) < 0.5);
    assert_true(fabs(live_level(&live, from, to, 700.0, true) + 24.08) < 0.5);
    assert_true(live_level(&live, from, to, 1000.0, false) < -90.0);
    live_free(&live);
    kodama_host_close(host);
}

static void a_process_tree_is_heard_by_its_pid(void **state)
{
    (void)state;
    daemon_use(&calm);
    char script[300];
    snprintf(script, sizeof script, "(pw-play %s); true", low->path);
    pid_t tree = program_start_shell(script), other = play(high, "Other", NULL);
    struct kodama_app_match match = {.pid = (uint32_t)tree};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.apps = &match;
    config.n_apps = 1;
    config.wait = true;
    struct live live;
    live_start(&live, "app", &config);
    live_await_presence(&live, true);
    live_receive(&live, live_received(&live), 0.7);
    program_end(tree);
    program_end(other);
    live_stop(&live);
    struct sound_report report = live_compare(&live, low);
    assert_in_range(report.matched, LIVE_RATE / 2, SIZE_MAX);
    live_free(&live);
}

static void the_own_volume_is_undone_where_asked_for(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct kodama_host *host = open_host(false);
    pid_t player = play(low, "Low Player", NULL);
    struct kodama_app app = await_app(host, "low", is_active);
    assert_int_equal(kodama_host_set_volume(host, app.id, 0.5, NULL), KODAMA_OK);
    await_app(host, "low", is_half);
    struct kodama_app_match match = {.name = "Low Player"};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.host = host;
    config.apps = &match;
    config.n_apps = 1;
    config.compensate = true;
    struct live live;
    live_start(&live, "app", &config);
    live_await_presence(&live, true);
    live_receive(&live, live_received(&live), 1.2);
    program_end(player);
    live_stop(&live);
    assert_true(fabs(live_level(&live, 0, live.n_frames, 440.0, true) + 6.02) < 0.1);
    live_free(&live);
    kodama_host_close(host);
}

static void everything_is_heard_except_some(void **state)
{
    (void)state;
    daemon_use(&calm);
    pid_t wanted = play(low, "Wanted", NULL), unwanted = play(high, "Unwanted Game", NULL);
    await_playing("Wanted");
    await_playing("Unwanted");
    struct kodama_app_match match = {.name = "unwanted"};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.except = &match;
    config.n_except = 1;
    struct live live;
    live_start(&live, "system", &config);
    live_await_presence(&live, true);
    live_receive(&live, live_received(&live), 0.7);
    program_end(wanted);
    program_end(unwanted);
    live_stop(&live);
    struct sound_report report = live_compare(&live, low);
    assert_in_range(report.matched, LIVE_RATE / 2, SIZE_MAX);
    live_free(&live);
}

static void the_system_is_what_the_default_speakers_play(void **state)
{
    (void)state;
    daemon_use(&calm);
    pid_t player = play(low, "Low Player", NULL);
    await_playing("Low Player");
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    struct live live;
    live_start(&live, "system", &config);
    live_receive(&live, live_received(&live), 1.0);
    program_end(player);
    live_stop(&live);
    struct sound_report report = live_compare(&live, low);
    assert_in_range(report.matched, LIVE_RATE / 2, SIZE_MAX);
    live_free(&live);
}

static void the_system_follows_the_default_speakers(void **state)
{
    (void)state;
    daemon_use(&calm);
    char module[32];
    const char *load[] = {"pactl", "load-module", "module-null-sink", "sink_name=elsewhere", NULL};
    assert_int_equal(program_run(load, module, sizeof module), 0);
    pid_t here = play(low, "Here", daemon_sink()), there = play(high, "There", "elsewhere");
    await_playing("Here");
    await_playing("There");
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    struct live live;
    live_start(&live, "system", &config);
    live_receive(&live, live_received(&live), 1.0);
    size_t before = (size_t)live_stats(&live).frames;
    const char *change[] = {"pactl", "set-default-sink", "elsewhere", NULL};
    assert_int_equal(program_run(change, NULL, 0), 0);
    live_receive(&live, live_received(&live), 1.5);
    size_t end = (size_t)live_stats(&live).frames;
    program_end(here);
    program_end(there);
    const char *back[] = {"pactl", "set-default-sink", daemon_sink(), NULL};
    assert_int_equal(program_run(back, NULL, 0), 0);
    const char *unload[] = {"pactl", "unload-module", module, NULL};
    assert_int_equal(program_run(unload, NULL, 0), 0);
    live_stop(&live);
    assert_true(live_level(&live, 0, before, 440.0, true) > -7.0);
    assert_true(live_level(&live, 0, before, 1000.0, false) < -90.0);
    /* The session manager may take the first one along; the other one was never anywhere else. */
    assert_true(live_level(&live, before, end, 1000.0, true) > -7.0);
    live_free(&live);
}

static void a_microphone_is_heard_by_name_and_by_default(void **state)
{
    (void)state;
    daemon_use(&with_mic);
    pid_t speaker = play(low, "Voice", "Test-Mic-feed"), other = play(high, "Other", NULL);
    await_playing("Voice");
    for (int by_name = 0; by_name < 2; by_name++) {
        struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
        config.device = by_name ? "test-mic" : NULL;
        config.format.channels = 2;
        struct live live;
        live_start(&live, "mic", &config);
        live_receive(&live, live_received(&live), 0.8);
        live_stop(&live);
        struct sound_report report = live_compare(&live, low);
        assert_in_range(report.matched, LIVE_RATE / 4, SIZE_MAX);
        live_free(&live);
    }
    program_end(speaker);
    program_end(other);
    struct kodama_host *host = open_host(false);
    struct kodama_device_list *list;
    assert_int_equal(kodama_host_devices(host, &list, NULL), KODAMA_OK);
    size_t n_mics = 0, n_defaults = 0;
    for (size_t i = 0; i < list->n_devices; i++) {
        const struct kodama_device *device = &list->devices[i];
        n_defaults += device->is_default;
        if (device->kind != KODAMA_DEVICE_MICROPHONE) continue;
        n_mics++;
        assert_string_equal(device->name, "Test-Mic");
    }
    assert_int_equal(n_mics, 1);
    assert_int_equal(n_defaults, 2);
    kodama_device_list_free(list);
    kodama_host_close(host);
}

/* Its meters are told on their way out that they are paused, which makes links elsewhere. */
static void a_host_that_meters_is_closed_while_somebody_plays(void **state)
{
    (void)state;
    daemon_use(&calm);
    pid_t player = play(low, "Low Player", NULL);
    for (int i = 0; i < 3; i++) {
        struct kodama_host *host = open_host(true);
        struct kodama_app app = await_app(host, "Low Player", has_peak);
        assert_true(app.peak > 0.0F);
        kodama_host_close(host);
    }
    program_end(player);
}

static void who_is_not_there_is_an_error_that_names_those_who_are(void **state)
{
    (void)state;
    daemon_use(&calm);
    pid_t player = play(low, "Low Player", NULL);
    struct kodama_host *host = open_host(false);
    await_app(host, "low", is_active);
    struct kodama_app_match match = {.name = "nobody"};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.apps = &match;
    config.n_apps = 1;
    config.host = host;
    struct kodama_source *source;
    struct kodama_error error = {0};
    assert_int_equal(kodama_source_open(&source, "app", &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "Low Player"));
    config.device = "nothing";
    assert_int_equal(kodama_source_open(&source, "mic", &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "nothing"));
    program_end(player);
    kodama_host_close(host);
}

static void without_a_server_it_is_said_what_to_start(void **state)
{
    (void)state;
    struct kodama_host_config config = KODAMA_HOST_CONFIG_INIT;
    config.backend = "pipewire";
    config.server = "no-such-server";
    struct kodama_host *host;
    struct kodama_error error = {0};
    assert_int_equal(kodama_host_open(&host, &config, &error), KODAMA_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "systemctl --user start pipewire"));
    config.backend = "jack";
    assert_int_equal(kodama_host_open(&host, &config, &error), KODAMA_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "pipewire"));
}

static int make_sounds(void **state)
{
    (void)state;
    low = sound_make(440.0, 8.0);
    middle = sound_make(700.0, 8.0);
    high = sound_make(1000.0, 8.0);
    return 0;
}

static int free_sounds(void **state)
{
    (void)state;
    sound_free(low);
    sound_free(middle);
    sound_free(high);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_server_it_is_said_what_to_start),
        cmocka_unit_test(an_application_is_listed_with_all_that_is_known_of_it),
        cmocka_unit_test(volume_and_mute_are_those_of_the_users_mixer),
        cmocka_unit_test(a_browser_is_one_application_with_the_streams_of_its_children),
        cmocka_unit_test(a_process_tree_is_heard_by_its_pid),
        cmocka_unit_test(the_own_volume_is_undone_where_asked_for),
        cmocka_unit_test(everything_is_heard_except_some),
        cmocka_unit_test(the_system_is_what_the_default_speakers_play),
        cmocka_unit_test(the_system_follows_the_default_speakers),
        cmocka_unit_test(a_host_that_meters_is_closed_while_somebody_plays),
        cmocka_unit_test(who_is_not_there_is_an_error_that_names_those_who_are),
        cmocka_unit_test(a_microphone_is_heard_by_name_and_by_default),
    };
    return cmocka_run_group_tests_name("pipewire host", tests, make_sounds, free_sounds);
}
