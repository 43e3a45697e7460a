/* The tests' own tools: sounds that are found again, daemons that come and go. */
#include "support/daemon.h"
#include "support/sound.h"
#include "support/support.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void sound_is_found_where_it_is(void **state)
{
    (void)state;
    struct sound *sound = sound_make(440, 0.5), *other = sound_make(1000, 0.5);
    float capture[3000 * SOUND_CHANNELS] = {0};
    memcpy(capture + 100 * SOUND_CHANNELS, sound->frames + 5000 * SOUND_CHANNELS,
           1000 * SOUND_CHANNELS * sizeof(float));
    memcpy(capture + 1150 * SOUND_CHANNELS, sound->frames + 6020 * SOUND_CHANNELS,
           850 * SOUND_CHANNELS * sizeof(float));
    capture[1200 * SOUND_CHANNELS] += 1e-6F;
    memcpy(capture + 2900 * SOUND_CHANNELS, other->frames, 30 * SOUND_CHANNELS * sizeof(float));
    for (size_t i = 0; i < 7; i++) {
        capture[(2100 + i) * SOUND_CHANNELS + 1] = sound->frames[i * SOUND_CHANNELS + 1];
    }
    capture[2110 * SOUND_CHANNELS] = other->frames[0]; /* half of something else */
    struct sound_report report = sound_compare(sound, capture, 3000);
    assert_int_equal(report.first_at, 100);
    assert_int_equal(report.first_from, 5000);
    assert_int_equal(report.matched, 1849);
    assert_int_equal(report.silent, 50);
    assert_int_equal(report.lost, 21); /* 20 left out, 1 altered */
    assert_int_equal(report.foreign, 32);
    assert_int_equal(report.half, 7);
    assert_int_equal(report.end_at, 2000);
    assert_int_equal(report.backwards, 0);
    double level = sound_level(sound->frames, sound->n_frames, 440);
    assert_true(fabs(level + 6.02) < 0.01);
    assert_true(sound_level(sound->frames, sound->n_frames, 1000) < -95);
    sound_free(sound);
    sound_free(other);
}

static void check_daemon(enum daemon_kind kind)
{
    const char *const ask[] = {"timeout", "5", "pactl", "get-default-sink", NULL};
    char line[200];
    daemon_use_kind(kind);
    assert_int_equal(program_run(ask, line, sizeof line), 0);
    assert_string_equal(line, daemon_sink());
    daemon_kill();
    assert_int_not_equal(program_run(ask, line, sizeof line), 0);
    daemon_start();
    assert_int_equal(program_run(ask, line, sizeof line), 0);
    assert_string_equal(line, daemon_sink());
}

static void pulseaudio_can_be_killed_and_started(void **state)
{
    (void)state;
    check_daemon(DAEMON_PULSE);
}

static void pipewire_can_be_killed_and_started(void **state)
{
    (void)state;
    check_daemon(DAEMON_PIPEWIRE);
}

static void program_can_be_ended(void **state)
{
    (void)state;
    pid_t program = program_start_shell("sleep 100 & sleep 100 & wait");
    assert_int_equal(program_wait(program, 0.05), -1);
    program_signal(program, SIGTERM);
    assert_int_equal(program_wait(program, 10), 128 + SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_is_found_where_it_is),
        cmocka_unit_test(pulseaudio_can_be_killed_and_started),
        cmocka_unit_test(pipewire_can_be_killed_and_started),
        cmocka_unit_test(program_can_be_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
