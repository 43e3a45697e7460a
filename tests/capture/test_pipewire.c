/* Tests of capture on a real PipeWire: who is heard, and that nothing of it is lost unseen. */
#include "capture/live.h"

#include <signal.h>
#include <stdio.h>

static struct sound *low, *high;

/* A quantum that stalls of a shared machine seldom break. */
static const struct daemon_options calm = {.kind = DAEMON_PIPEWIRE, .quantum = 4096};

static pid_t play(const struct sound *sound, const char *name)
{
    char properties[200];
    snprintf(properties, sizeof properties, "{ application.name = \"%s\" node.name = \"%s\" }",
             name, name);
    const char *arguments[] = {"pw-play", "-P", properties, sound->path, NULL};
    return program_start(arguments);
}

/* The sound is there in order; every frame of silence within it is a reported gap. */
static struct sound_report assert_whole(const struct live *live, const struct sound *sound,
                                        size_t at_least)
{
    struct sound_report report = live_compare(live, sound);
    assert_in_range(report.matched, at_least, SIZE_MAX);
    size_t untold = live_untold_silence(live, (size_t)report.first_at, (size_t)report.end_at);
    size_t gaps = live_gap_frames(live, (size_t)report.first_at, (size_t)report.end_at);
    /* The application itself may be late on a stalled machine: then it plays silence. */
    print_message("# %zu frames, %zu in gaps, %zu silent, %zu lost\n", report.matched, gaps, untold,
                  report.lost);
    assert_in_range(report.lost, 0, gaps);
    return report;
}

static void of_two_applications_one_is_heard_bit_for_bit(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct live live;
    live_start_app(&live, "Low Player");
    pid_t other = play(high, "High Player"), player = play(low, "Low Player");
    live_await_presence(&live, true);
    live_receive(&live, live_received(&live), 2.0);
    program_end(player);
    program_end(other);
    live_stop(&live);
    struct sound_report report = assert_whole(&live, low, LIVE_RATE * 3 / 2);
    live_assert_onset(&live, (size_t)report.first_at, report.first_from);
    assert_true(live_level(&live, (size_t)report.first_at, (size_t)report.end_at,
                           high->frequency_hz, false) < -96.0);
    live_free(&live);
}

static void a_restarted_application_is_heard_again_and_its_absence_is_a_gap(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct live live;
    live_start_app(&live, "low player");
    for (int i = 0; i < 2; i++) {
        pid_t player = play(low, "Low Player");
        live_await_presence(&live, true);
        live_receive(&live, live_received(&live), 0.7);
        program_end(player);
        live_await_presence(&live, false);
        live_sleep(0.3);
    }
    live_stop(&live);
    assert_int_equal(live.stats.source.vanished, 3); /* it was away at first */
    assert_int_equal(live.stats.source.returned, 2);
    assert_int_equal(live_onsets(&live, low, NULL, 0), 2);
    assert_true(live.stats.source.gaps >= 2);
    live_free(&live);
}

static void streams_that_come_later_are_heard_as_well(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct live live;
    pid_t first = play(low, "Two Streams");
    live_start_app(&live, "Two Streams");
    live_await_presence(&live, true);
    live_receive(&live, live_received(&live), 1.0);
    size_t alone = (size_t)live_stats(&live).frames;
    pid_t second = play(high, "Two Streams");
    live_receive(&live, live_received(&live), 1.5);
    size_t end = (size_t)live_stats(&live).frames;
    program_end(first);
    program_end(second);
    live_stop(&live);
    assert_true(live_level(&live, 0, alone, 440.0, true) > -7.0);
    assert_true(live_level(&live, 0, alone, 1000.0, false) < -90.0);
    assert_true(live_level(&live, alone, end, 440.0, true) > -7.0);
    assert_true(live_level(&live, alone, end, 1000.0, true) > -7.0);
    live_free(&live);
}

static void a_killed_daemon_is_a_gap_and_the_application_is_heard_after_it(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct live live;
    live_start_app(&live, "Low Player");
    pid_t player = play(low, "Low Player");
    live_await_presence(&live, true);
    live_receive(&live, live_received(&live), 0.7);
    uint64_t begin = clock_now_ns();
    daemon_kill();
    live_await_presence(&live, false);
    /* Time goes on. */
    uint64_t before = live_stats(&live).gap_frames, end = clock_now_ns() + (uint64_t)15e9;
    while (live_stats(&live).gap_frames < before + LIVE_RATE / 5 && clock_now_ns() < end) {
        live_sleep(0.01);
    }
    assert_true(live_stats(&live).gap_frames >= before + LIVE_RATE / 5);
    daemon_start();
    program_end(player);
    player = play(low, "Low Player");
    live_await_presence(&live, true);
    double away_s = (double)(clock_now_ns() - begin) * 1e-9;
    live_receive(&live, live_received(&live), 0.7);
    program_end(player);
    live_stop(&live);
    size_t begins[2] = {0};
    assert_int_equal(live_onsets(&live, low, begins, 2), 2);
    /* The timeline is as long as the time was. */
    double apart_s = (double)(begins[1] - begins[0]) / LIVE_RATE;
    print_message("# away for %.2f s, begins %.2f s apart, %u clock changes\n", away_s, apart_s,
                  (unsigned)live.stats.source.clock_changes);
    assert_true(apart_s > away_s && apart_s < away_s + 5.0);
    assert_true(live.stats.source.clock_changes >= 1);
    live_free(&live);
}

static void a_stopped_application_is_a_gap_and_nothing_of_it_is_lost(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct live live;
    live_start_app(&live, "Low Player");
    pid_t player = play(low, "Low Player");
    live_await_presence(&live, true);
    live_receive(&live, live_received(&live), 0.7);
    program_signal(player, SIGSTOP);
    live_sleep(1.0);
    program_signal(player, SIGCONT);
    live_receive(&live, live_received(&live), 0.7);
    program_end(player);
    live_stop(&live);
    struct sound_report report = live_compare(&live, low);
    live_assert_onset(&live, (size_t)report.first_at, report.first_from);
    size_t gaps = live_gap_frames(&live, (size_t)report.first_at, (size_t)report.end_at);
    print_message("# %zu frames, %zu in gaps, %zu lost\n", report.matched, gaps, report.lost);
    assert_in_range(gaps, LIVE_RATE / 2, SIZE_MAX);
    live_free(&live);
}

static void a_moved_stream_is_heard_on(void **state)
{
    (void)state;
    daemon_use(&calm);
    char module[32], index[32];
    const char *load[] = {"pactl", "load-module", "module-null-sink", "sink_name=elsewhere", NULL};
    assert_int_equal(program_run(load, module, sizeof module), 0);
    struct live live;
    live_start_app(&live, "Low Player");
    pid_t player = play(low, "Low Player");
    live_await_presence(&live, true);
    live_receive(&live, live_received(&live), 0.7);
    const char *list[] = {"sh", "-c", "pactl list short sink-inputs | cut -f1", NULL};
    assert_int_equal(program_run(list, index, sizeof index), 0);
    const char *move[] = {"pactl", "move-sink-input", index, "elsewhere", NULL};
    assert_int_equal(program_run(move, NULL, 0), 0);
    live_receive(&live, live_received(&live), 1.0);
    program_end(player);
    live_stop(&live);
    struct sound_report report = live_compare(&live, low);
    assert_in_range(report.matched, LIVE_RATE, SIZE_MAX);
    /* PipeWire may drop what an application had ready when it moves it: a cycle, seldom two. */
    size_t gaps = live_gap_frames(&live, (size_t)report.first_at, (size_t)report.end_at);
    assert_in_range(report.lost, 0, gaps + 2 * (size_t)calm.quantum);
    const char *unload[] = {"pactl", "unload-module", module, NULL};
    assert_int_equal(program_run(unload, NULL, 0), 0);
    live_free(&live);
}

static int make_sounds(void **state)
{
    (void)state;
    low = sound_make(440.0, 8.0);
    high = sound_make(1000.0, 8.0);
    return 0;
}

static int free_sounds(void **state)
{
    (void)state;
    sound_free(low);
    sound_free(high);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_two_applications_one_is_heard_bit_for_bit),
        cmocka_unit_test(a_restarted_application_is_heard_again_and_its_absence_is_a_gap),
        cmocka_unit_test(streams_that_come_later_are_heard_as_well),
        cmocka_unit_test(a_killed_daemon_is_a_gap_and_the_application_is_heard_after_it),
        cmocka_unit_test(a_stopped_application_is_a_gap_and_nothing_of_it_is_lost),
        cmocka_unit_test(a_moved_stream_is_heard_on),
    };
    return cmocka_run_group_tests_name("pipewire", tests, make_sounds, free_sounds);
}
