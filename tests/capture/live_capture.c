/*
 * Tests of capture on a real daemon with applications that play through its PulseAudio protocol.
 *
 *     live_capture BACKEND DAEMON
 *
 * These machines stall now and then. What is claimed is always: what was received and what was
 * reported as missing is all there is, and outside of gaps it is exact.
 */
#include "capture/live_players.h"

#include <signal.h>

/* The timeline is as long as the time was; stalls and clocks may be told apart by this much. */
static void assert_length(const struct live *live, double seconds)
{
    double length = (double)live->n_frames / LIVE_RATE;
    print_message("# %.3f s on the timeline in %.3f s\n", length, seconds);
    assert_true(fabs(length - seconds) < 1.0);
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
    hear(&live, "Again Player");
    uint64_t begin = clock_now_ns();
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
    hear(&live, "Player");
    uint64_t begin = clock_now_ns();
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
    hear(&live, "Player");
    uint64_t begin = clock_now_ns();
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

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    begin(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_two_applications_one_is_heard_bit_for_bit),
        cmocka_unit_test(what_is_missing_of_an_onset_is_a_gap),
        cmocka_unit_test(application_that_is_started_again_is_heard_again),
        cmocka_unit_test(application_that_is_gone_is_silence_whatever_else_plays),
        cmocka_unit_test(moved_stream_is_heard_on),
        cmocka_unit_test(daemon_that_is_killed_and_started_is_a_gap),
        cmocka_unit_test(stopped_application_goes_on_where_it_was),
        cmocka_unit_test(streams_of_one_application_are_added_up_without_loss),
    };
    return end(cmocka_run_group_tests_name(backend, tests, NULL, NULL));
}
