/* Tests of capture on a real PipeWire: who is heard, and that nothing of it is lost unseen. */
#include "capture/live.h"

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
    assert_int_equal(report.first_from, 0); /* nothing lost at the onset */
    double level = sound_level(live.frames + 2 * report.first_at,
                               (size_t)(report.end_at - report.first_at), high->frequency_hz);
    print_message("# the other one is at %.1f dBFS\n", level);
    assert_true(level < -96.0);
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
    };
    return cmocka_run_group_tests_name("pipewire", tests, make_sounds, free_sounds);
}
