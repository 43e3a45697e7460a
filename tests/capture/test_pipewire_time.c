/* Tests of time on a real PipeWire: pauses, two sources in step, the past, latency profiles. */
#define _GNU_SOURCE /* libpipewire's headers */
#include "capture/live.h"

#include <pipewire/pipewire.h>
#include <spa/param/audio/format-utils.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <kodama/recorder.h>

#ifdef __clang__
/* PipeWire's macros are written in GNU C. */
#pragma clang diagnostic ignored "-Wgnu-empty-initializer"
#endif

static struct sound *low, *high;

static const struct daemon_options calm = {.kind = DAEMON_PIPEWIRE, .quantum = 4096};
static const struct daemon_options free_quantum = {.kind = DAEMON_PIPEWIRE};

static pid_t play(const struct sound *sound, const char *name)
{
    char properties[200];
    snprintf(properties, sizeof properties, "{ application.name = \"%s\" node.name = \"%s\" }",
             name, name);
    const char *arguments[] = {"pw-play", "-P", properties, sound->path, NULL};
    return program_start(arguments);
}

/* ------------------------------------- an application that pauses, in this very process */

struct player {
    struct pw_thread_loop *loop;
    struct pw_stream *stream;
    _Atomic size_t at; /* of the sound */
};

static void on_process(void *data)
{
    struct player *player = data;
    struct pw_buffer *buffer = pw_stream_dequeue_buffer(player->stream);
    if (!buffer) return;
    struct spa_data *out = &buffer->buffer->datas[0];
    size_t n = out->maxsize / (2 * sizeof(float)), at = player->at;
    if (buffer->requested > 0 && buffer->requested < n) n = buffer->requested;
    if (n > low->n_frames - at) n = low->n_frames - at;
    memcpy(out->data, low->frames + 2 * at, n * 2 * sizeof(float));
    player->at = at + n;
    out->chunk->offset = 0;
    out->chunk->stride = 2 * sizeof(float);
    out->chunk->size = (uint32_t)(n * 2 * sizeof(float));
    pw_stream_queue_buffer(player->stream, buffer);
}

static const struct pw_stream_events player_events = {
    PW_VERSION_STREAM_EVENTS,
    .process = on_process,
};

static void player_open(struct player *player, const char *name)
{
    pw_init(NULL, NULL);
    *player = (struct player){.loop = pw_thread_loop_new("player", NULL)};
    assert_non_null(player->loop);
    player->stream =
        pw_stream_new_simple(pw_thread_loop_get_loop(player->loop), name,
                             pw_properties_new(PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CATEGORY,
                                               "Playback", PW_KEY_APP_NAME, name, NULL),
                             &player_events, player);
    assert_non_null(player->stream);
    uint8_t buffer[1024];
    struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(buffer, sizeof buffer);
    struct spa_audio_info_raw raw = {.format = SPA_AUDIO_FORMAT_F32_LE,
                                     .rate = SOUND_RATE,
                                     .channels = 2,
                                     .position = {SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR}};
    const struct spa_pod *params[] = {
        spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &raw)};
    assert_true(pw_stream_connect(player->stream, PW_DIRECTION_OUTPUT, PW_ID_ANY,
                                  PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS |
                                      PW_STREAM_FLAG_RT_PROCESS,
                                  params, 1) >= 0);
    assert_int_equal(pw_thread_loop_start(player->loop), 0);
}

static void player_pause(struct player *player, bool pause)
{
    pw_thread_loop_lock(player->loop);
    pw_stream_set_active(player->stream, !pause);
    pw_thread_loop_unlock(player->loop);
}

static void player_close(struct player *player)
{
    pw_thread_loop_stop(player->loop);
    pw_stream_destroy(player->stream);
    pw_thread_loop_destroy(player->loop);
    pw_deinit();
}

static void a_paused_application_is_silence_and_goes_on_where_it_was(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct live live;
    live_start_app(&live, "Pausing Player");
    struct player player;
    player_open(&player, "Pausing Player");
    live_await_presence(&live, true);
    live_receive(&live, live_received(&live), 0.7);
    player_pause(&player, true);
    live_sleep(0.3);
    uint64_t begin = clock_now_ns();
    uint64_t frames = live_stats(&live).frames;
    live_sleep(0.7);
    double passed = (double)(clock_now_ns() - begin) * 1e-9;
    double came = (double)(live_stats(&live).frames - frames) / LIVE_RATE;
    assert_true(live_stats(&live).present); /* paused is not gone */
    player_pause(&player, false);
    live_receive(&live, live_received(&live), 1.0);
    player_close(&player);
    live_stop(&live);
    /* Time goes on while it is silent: to within the periods in which it comes. */
    print_message("# %.2f s passed, %.2f s came\n", passed, came);
    assert_true(came > passed - 0.5 && came < passed + 0.5);
    struct sound_report report = live_compare(&live, low);
    assert_in_range(report.matched, LIVE_RATE, SIZE_MAX);
    size_t silent = live_untold_silence(&live, (size_t)report.first_at, (size_t)report.end_at) +
                    live_gap_frames(&live, (size_t)report.first_at, (size_t)report.end_at);
    assert_in_range(silent, LIVE_RATE / 2, SIZE_MAX);
    /* A stream that pauses gives back what it had ready: two buffers at most. */
    assert_in_range(report.lost, 0, silent);
    live_free(&live);
}

/* -------------------------------------------------------------------- two in a mix */

static struct kodama_source *open_app(const char *name)
{
    struct kodama_app_match match = {.name = name};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.apps = &match;
    config.n_apps = 1;
    config.wait = true;
    struct kodama_source *source;
    struct kodama_error error = {0};
    if (kodama_source_open(&source, "app", &config, &error) < 0) fail_msg("%s", error.message);
    return source;
}

static void two_applications_in_one_stream_are_their_sum(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct kodama_mix_input inputs[2] = {{.source = open_app("Low Player"), .gain = 1.0},
                                         {.source = open_app("High Player"), .gain = 0.5}};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.inputs = inputs;
    config.n_inputs = 2;
    struct live live;
    pid_t first = play(low, "Low Player"), second = play(high, "High Player");
    live_start(&live, "mix", &config);
    uint64_t end = clock_now_ns() + (uint64_t)(LIVE_PATIENCE_S * 1e9);
    while (live_stats(&live).frames < 5 * LIVE_RATE / 2 && clock_now_ns() < end) live_sleep(0.02);
    size_t now = (size_t)live_stats(&live).frames;
    program_end(first);
    program_end(second);
    kodama_stream_stop(live.stream);
    float *frames = calloc(now, 2 * sizeof(float));
    assert_non_null(frames);
    struct kodama_cursor_config at = KODAMA_CURSOR_CONFIG_INIT;
    at.start = KODAMA_START_OLDEST;
    struct kodama_cursor *cursor;
    assert_int_equal(kodama_cursor_open(&cursor, kodama_stream_ring(live.stream), &at), KODAMA_OK);
    assert_int_equal(kodama_cursor_read(cursor, frames, now, 0, NULL), now);
    kodama_cursor_close(cursor);
    /* Where both are whole, neither stalled nor at an edge, they are as loud as they should be. */
    bool found = false;
    for (size_t i = 0; i + LIVE_RATE / 4 <= now && !found; i += LIVE_RATE / 16) {
        double loud = sound_level(frames + 2 * i, LIVE_RATE / 4, 440.0);
        double quiet = sound_level(frames + 2 * i, LIVE_RATE / 4, 1000.0);
        found = loud > -6.2 && loud < -5.8 && quiet > -12.2 && quiet < -11.8;
    }
    assert_true(found);
    free(frames);
    live_free(&live);
}

/* -------------------------------------------------------------------- the past */

static void the_past_and_the_present_are_saved_without_a_seam(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct live live;
    live_start_app(&live, "Low Player");
    pid_t player = play(low, "Low Player");
    live_await_presence(&live, true);
    live_receive(&live, live_received(&live), 1.5);
    /* The past second, and what comes. */
    struct kodama_ring *ring = kodama_stream_ring(live.stream);
    struct kodama_recorder_config config = KODAMA_RECORDER_CONFIG_INIT;
    config.path = test_scratch(".wav");
    config.overwrite = true;
    config.start = KODAMA_START_AT;
    config.start_position = kodama_ring_position(ring) - LIVE_RATE;
    struct kodama_recorder *recorder;
    struct kodama_error error = {0};
    if (kodama_recorder_open(&recorder, ring, &config, &error) < 0) fail_msg("%s", error.message);
    live_receive(&live, live_received(&live), 1.0);
    kodama_recorder_stop(recorder);
    assert_int_equal(kodama_recorder_wait(recorder, KODAMA_FOREVER, &error), KODAMA_OK);
    struct kodama_recorder_stats stats;
    kodama_recorder_stats(recorder, &stats);
    kodama_recorder_close(recorder);
    program_end(player);
    live_stop(&live);
    assert_in_range(stats.frames, LIVE_RATE * 3 / 2, SIZE_MAX);
    assert_int_equal(stats.lost_frames, 0);
    /* The file is a piece of the timeline, frame by frame. */
    size_t n;
    uint32_t rate, channels;
    float *file = test_read_audio(config.path, &n, &rate, &channels);
    assert_int_equal(n, stats.frames);
    assert_int_equal(channels, 2);
    assert_memory_equal(file, live.frames + 2 * config.start_position, n * 2 * sizeof(float));
    free(file);
    struct sound_report report = live_compare(&live, low);
    assert_in_range(report.matched, LIVE_RATE * 2, SIZE_MAX);
    live_free(&live);
}

/* ------------------------------------------------------------------- again and again */

static void a_capture_can_be_stopped_and_started_again_and_again(void **state)
{
    (void)state;
    daemon_use(&calm);
    struct live live;
    pid_t player = play(low, "Low Player");
    live_start_app(&live, "Low Player");
    live_await_presence(&live, true);
    struct kodama_error error = {0};
    for (int i = 0; i < 10; i++) {
        live_receive(&live, live_received(&live), i == 9 ? 0.5 : 0.1);
        if (i == 9) break;
        kodama_stream_stop(live.stream);
        uint64_t position = kodama_ring_position(kodama_stream_ring(live.stream));
        if (kodama_stream_start(live.stream, &error) < 0) fail_msg("%s", error.message);
        live_await_presence(&live, true);
        assert_true(kodama_ring_position(kodama_stream_ring(live.stream)) >= position);
    }
    program_end(player);
    live_stop(&live);
    struct sound_report report = live_compare(&live, low);
    assert_in_range(report.matched, LIVE_RATE, SIZE_MAX);
    live_free(&live);
}

/* -------------------------------------------------------------------- latency */

/* Frames from one time mark to the next are a period, or several short ones. */
static double latency_ms(enum kodama_latency latency)
{
    struct kodama_app_match match = {.name = "Low Player"};
    struct kodama_source_config config = KODAMA_SOURCE_CONFIG_INIT;
    config.apps = &match;
    config.n_apps = 1;
    config.wait = true;
    config.latency = latency;
    struct live live;
    live_start(&live, "app", &config);
    live_await_presence(&live, true);
    live_receive(&live, live_received(&live), 0.6);
    struct kodama_stream_stats stats;
    kodama_stream_stats(live.stream, &stats);
    uint64_t writes = stats.ring.writes, frames = stats.ring.frames_written;
    live_receive(&live, live_received(&live), 0.6);
    kodama_stream_stats(live.stream, &stats);
    double period = (double)(stats.ring.frames_written - frames) /
                    (double)(stats.ring.writes - writes) / LIVE_RATE * 1e3;
    live_stop(&live);
    live_free(&live);
    return period;
}

static void the_low_profile_works_in_small_periods_and_the_normal_one_changes_nothing(void **state)
{
    (void)state;
    daemon_use(&free_quantum);
    pid_t player = play(low, "Low Player");
    double normal = latency_ms(KODAMA_LATENCY_NORMAL), small = latency_ms(KODAMA_LATENCY_LOW);
    double after = latency_ms(KODAMA_LATENCY_NORMAL);
    program_end(player);
    print_message("# periods of %.1f ms, with the low profile %.1f ms, then %.1f ms\n", normal,
                  small, after);
    assert_true(small < 8.0);
    assert_true(normal > 2.0 * small && after > 2.0 * small);
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
        cmocka_unit_test(a_paused_application_is_silence_and_goes_on_where_it_was),
        cmocka_unit_test(two_applications_in_one_stream_are_their_sum),
        cmocka_unit_test(the_past_and_the_present_are_saved_without_a_seam),
        cmocka_unit_test(a_capture_can_be_stopped_and_started_again_and_again),
        cmocka_unit_test(the_low_profile_works_in_small_periods_and_the_normal_one_changes_nothing),
    };
    return cmocka_run_group_tests_name("pipewire time", tests, make_sounds, free_sounds);
}
